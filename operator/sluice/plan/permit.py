"""Compares what a spec names with what its namespace may use; pure.

Each function answers one question of the path of a pass and raises `Refused("NotPermitted", …)` with a
text that names the namespace's rule, what it allows, and who can change it. Values that come from the
rule itself (default cluster, default roles, roles of service accounts) are the administrator's word and
always allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.model.binding import Binding
from sluice.model.errors import Refused
from sluice.model.tenancy import ListenerGrant, Tenancy, TenancyRule

_CURE = "Ask the platform team to extend the tenancy rule, or use one that is allowed."
_SHOWN = 5  # allowed values in a message; the rest is in the configuration


def matches(pattern: str, text: str) -> bool:
    """Tell whether `text` is matched by `pattern`, in which only `*` is special (any run, even empty).

    A `*` or `?` inside `text` (a wildcard host name) is an ordinary character that only a `*` of the
    pattern covers; hence whatever a permitted wildcard host name matches, the pattern matches too.
    """
    head, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *middle, tail = rest
    if not text.startswith(head) or len(text) < len(head) + len(tail) or not text.endswith(tail):
        return False
    position, end = len(head), len(text) - len(tail)
    for piece in middle:
        found = text.find(piece, position, end)
        if found < 0:
            return False
        position = found + len(piece)
    return True


def rule_for(tenancy: Tenancy, namespace: str, labels: Mapping[str, str]) -> TenancyRule:
    """Return the first rule that covers a namespace with these labels."""
    for rule in tenancy.rules:
        named = _any(rule.namespaces, namespace)
        if named and all(labels.get(key) == value for key, value in rule.namespace_labels.items()):
            return rule
    raise Refused(
        "NotPermitted",
        f"no tenancy rule of the operator covers namespace {namespace}; ask the platform team to add one",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The roles a task definition gets; '' is none."""

    task: str
    execution: str


def roles_for(rule: TenancyRule, *, service_account: str, task_role: str, execution_role: str) -> Roles:
    """Return the roles of a spec: what it names, else its service account's, else the rule's defaults."""
    mapped = rule.service_account_roles.get(service_account, "") if service_account else ""
    return Roles(
        task=task_role or mapped or rule.default_task_role,
        execution=execution_role or rule.default_execution_role,
    )


def permit_deployment(
    rule: TenancyRule, *, cluster: str, task_role: str, execution_role: str, account: str
) -> None:
    """Refuse a Deployment whose cluster, roles or account the rule does not allow.

    All four may come resolved (`roles_for`, `default_cluster`) or as the spec has them; an empty role
    is no role, an empty account the rule's, an empty cluster is refused unless the rule has a default.
    """
    _permit_account(rule, account)
    _permit_cluster(rule, cluster)
    _permit_roles(rule, task_role, execution_role)


def permit_revision(rule: TenancyRule, *, definition: Mapping[str, Any], service: Mapping[str, Any]) -> None:
    """Refuse a revision with a role, or a Service Connect namespace, that the rule does not allow.

    `definition` is RegisterTaskDefinition's body, `service` the service's members. A role inside them
    (`roleArn` of an EBS volume or of Service Connect's TLS: ECS itself uses it) counts as an execution
    role. Names of a Service Connect namespace are other tenants', too; the cluster's default one comes with
    the cluster. Asked for whatever is about to run: a revision that was kept may name what has been taken
    away since.
    """
    task_role = str(definition.get("taskRoleArn") or "")
    _permit_roles(rule, task_role, str(definition.get("executionRoleArn") or ""))
    for role in sorted({*_roles_inside(definition), *_roles_inside(service)}):
        _permit_roles(rule, "", role)
    connect = service.get("serviceConnectConfiguration") or {}
    if connect.get("enabled") and (namespace := str(connect.get("namespace") or "")):
        id_ = namespace.rpartition("/")[2] if namespace.startswith("arn:") else ""
        permit_namespace(rule, name=namespace, namespace_id=id_)


def _roles_inside(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, entry in value.items():
            if name == "roleArn" and isinstance(entry, str):
                yield entry
            else:
                yield from _roles_inside(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _roles_inside(entry)


def _permit_roles(rule: TenancyRule, task_role: str, execution_role: str) -> None:
    own = {rule.default_task_role, *rule.service_account_roles.values()}
    if task_role and task_role not in own and not _any(rule.task_roles, task_role):
        raise _refusal(rule, f"may not use task role {task_role}", rule.task_roles)
    if (
        execution_role
        and execution_role != rule.default_execution_role
        and not _any(rule.execution_roles, execution_role)
    ):
        raise _refusal(rule, f"may not use execution role {execution_role}", rule.execution_roles)


def binding_for(tenancy: Tenancy, rule: TenancyRule, account: str) -> Binding:
    """Return where in AWS a namespace's objects live; `account` is what the spec asks for or ''."""
    _permit_account(rule, account)
    if not rule.account:
        return tenancy.default_binding
    try:
        return tenancy.accounts[rule.account]
    except KeyError:
        raise Refused(
            "NotPermitted",
            f"tenancy rule {rule.name!r} names account {rule.account!r}, which the operator's configuration "
            "does not define; ask the platform team to add it under accounts",
        ) from None


def permit_place(binding: Binding, arns: Iterable[str]) -> None:
    """Refuse to work in another account or region than the one that an object's AWS resources are in.

    There they would not be found, so a deletion would end with all of them left behind. `arns` are what
    the status knows; plain names and '' tell nothing. An account that is not known is not compared.
    """
    for arn in arns:
        if elsewhere := _elsewhere(binding, arn):
            raise Refused(
                "NotPermitted",
                f"{elsewhere}; an account cannot be changed while something is left there: put the old one "
                "back, delete the object, and create it again",
            )


def permit_adoption(binding: Binding, arn: str) -> None:
    """Refuse to take over what is in another account or region than the namespace's."""
    if elsewhere := _elsewhere(binding, arn):
        raise Refused("NotPermitted", f"spec.adopt.serviceArn: {elsewhere}")


def _elsewhere(binding: Binding, arn: str) -> str:
    """Return where an ARN is and where the namespace works, '' when that is the same or not known."""
    account = binding.account or _account_of(binding.role_arn)
    parts = arn.split(":")
    if len(parts) < 6:
        return ""
    region, owner = parts[3:5]
    if (not account or owner == account) and (not binding.region or region == binding.region):
        return ""
    return (
        f"{parts[5]} is in account {owner}, region {region}, but the tenancy's account for this "
        f"namespace is {account or 'of the operator'} in {binding.region}"
    )


def _account_of(arn: str) -> str:
    parts = arn.split(":")
    return parts[4] if len(parts) > 5 else ""


def permit_listener(
    rule: TenancyRule, *, load_balancer: str, listener_arn: str, port: int
) -> tuple[int, int]:
    """Return the first and last priority that the namespace may use on a listener.

    `load_balancer` is its name, `port` the listener's. The first grant that fits counts.
    """
    for grant in rule.listeners:
        if (
            matches(grant.load_balancer, load_balancer)
            and grant.listener_arn in ("", listener_arn)
            and (not grant.ports or port in grant.ports)
        ):
            return grant.priorities
    raise _refusal(
        rule,
        f"may not have rules on the listener {load_balancer}:{port}",
        [_describe(grant) for grant in rule.listeners],
    )


def permit_hostname(rule: TenancyRule, hostname: str) -> None:
    """Refuse a host name outside the rule's patterns; '' (any host) needs the pattern `*`.

    Host names are compared without regard to case (RFC 9110, 4.2.3).
    """
    wanted = hostname.lower() or "*"
    if not any(matches(pattern.lower(), wanted) for pattern in rule.hostnames):
        what = f"host name {hostname}" if hostname else "every host name (spec.hostnames is empty)"
        raise _refusal(rule, f"may not serve {what}", rule.hostnames)


def permit_namespace(rule: TenancyRule, *, name: str, namespace_id: str = "", create: bool = False) -> None:
    """Refuse a Cloud Map namespace outside the rule's patterns, or making one where that is not allowed.

    A namespace that a spec names by id is asked about with the name that AWS knows it by. Names are compared
    without regard to case, as DNS does (RFC 4343).
    """
    known = [text for text in (name, namespace_id) if text]
    allowed = any(
        matches(pattern.lower(), text.lower()) for pattern in rule.cloud_map_namespaces for text in known
    )
    if not allowed:
        what = f"may not have a name in Cloud Map namespace {name or namespace_id}"
        raise _refusal(rule, what, rule.cloud_map_namespaces)
    if create and not rule.create_cloud_map_namespaces:
        raise Refused(
            "NotPermitted",
            f"this namespace may not make Cloud Map namespaces: tenancy rule {rule.name!r} has "
            f"createCloudMapNamespaces off. Ask the platform team to make {name}, or to allow it, and remove "
            "spec.discovery.namespaceRef.create",
        )


def _permit_account(rule: TenancyRule, account: str) -> None:
    if account and account != rule.account:
        raise _refusal(rule, f"may not use account {account}", [rule.account or "(the operator's own)"])


def _permit_cluster(rule: TenancyRule, cluster: str) -> None:
    wanted = cluster or rule.default_cluster
    if not wanted:
        raise Refused(
            "InvalidSpec",
            f"spec.ecs.cluster: is not set and tenancy rule {rule.name!r} has no defaultCluster; "
            "name the ECS cluster",
        )
    if wanted == rule.default_cluster:
        return
    name = wanted.rpartition("/")[2]
    allowed = any(
        matches(pattern, wanted if pattern.startswith("arn:") else name) for pattern in rule.clusters
    )
    if not allowed:
        raise _refusal(rule, f"may not use cluster {wanted}", rule.clusters)


def _any(patterns: Iterable[str], text: str) -> bool:
    return any(matches(pattern, text) for pattern in patterns)


def _describe(grant: ListenerGrant) -> str:
    where = grant.listener_arn or grant.load_balancer
    return f"{where}:{','.join(map(str, grant.ports))}" if grant.ports else where


def _refusal(rule: TenancyRule, what: str, allowed: Iterable[str]) -> Refused:
    values = list(allowed)
    shown = ", ".join(values[:_SHOWN]) + (f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else "")
    return Refused(
        "NotPermitted", f"this namespace {what}: tenancy rule {rule.name!r} allows [{shown}]. {_CURE}"
    )
