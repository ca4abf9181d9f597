"""Who may use what: the administrator's word about namespaces (decision 18, api.md "Operator configuration").

Whoever may write a custom resource must not thereby gain an AWS role, a cluster, a listener or a host
name. So everything that a spec names is compared with the rule of its namespace (`plan.permit`), and
what the rule does not allow does not exist for that namespace. The types hold no behaviour; the file
they come from is read by `sluice.config`.

Patterns know one wildcard, `*`: any run of characters, none included. `?` and `[` mean themselves, so
that a pattern never allows a wildcard host name that matches more than the pattern does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sluice.model.binding import Binding

ALL: Final = ("*",)
PRIORITIES: Final = (1, 50_000)
"""Rule priorities of a listener (elasticloadbalancing CreateRule, Priority: 1-50000)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerGrant:
    """Listeners on which a namespace may have rules, and where in their priority range.

    Two installations or teams share a listener by disjoint ranges: Sluice never writes a priority
    outside its range and never moves a rule that is not its own.
    """

    load_balancer: str = "*"
    """Pattern over the load balancer's name."""
    listener_arn: str = ""
    """Exactly this listener; '' is any of the load balancer's."""
    ports: tuple[int, ...] = ()
    """Listener ports; empty is any."""
    priorities: tuple[int, int] = PRIORITIES
    """First and last priority, both included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TenancyRule:
    """What the namespaces that it covers may use. All patterns are ORed; an empty tuple allows nothing."""

    name: str
    """Named in every refusal, so that the platform team finds the entry."""
    namespaces: tuple[str, ...] = ALL
    """Patterns over namespace names; one has to match."""
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    """Labels that the namespace must carry, all of them."""
    account: str = ""
    """Name of the account binding; '' is the default binding."""
    clusters: tuple[str, ...] = ALL
    """Patterns over ECS cluster names; one that starts with `arn:` is compared with the ARN instead."""
    default_cluster: str = ""
    """Cluster of a spec that names none; '' makes naming one mandatory."""
    task_roles: tuple[str, ...] = ()
    """Patterns over role ARNs that a spec may name as task role."""
    execution_roles: tuple[str, ...] = ()
    """Patterns over role ARNs that a spec may name as execution role."""
    default_task_role: str = ""
    """Task role of a spec that names neither a role nor a mapped service account."""
    default_execution_role: str = ""
    """Execution role of a spec that names none."""
    service_account_roles: Mapping[str, str] = field(default_factory=dict)
    """serviceAccountName → task role ARN."""
    listeners: tuple[ListenerGrant, ...] = ()
    hostnames: tuple[str, ...] = ()
    """Patterns over host names; a route without host names needs `*`."""
    default_network_configuration: Mapping[str, Any] = field(default_factory=dict)
    """ECS NetworkConfiguration of an awsvpc task whose spec has none; part of the revision like any other."""
    cloud_map_namespaces: tuple[str, ...] = ()
    """Patterns over names of Cloud Map namespaces (or their ids) in which a route may have a name."""
    create_cloud_map_namespaces: bool = False
    """Whether a route may make such a namespace when there is none."""
    secret_sync: bool = False
    """Whether Kubernetes Secrets may be copied to Secrets Manager."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenancy:
    """All rules, first match wins, and the accounts they name."""

    rules: tuple[TenancyRule, ...]
    accounts: Mapping[str, Binding] = field(default_factory=dict)
    """Name → account, region and role."""
    default_binding: Binding


def permissive_rule(name: str = "everyone") -> TenancyRule:
    """Return the rule of a single-tenant start: everything in the operator's own account is allowed.

    Every field is written out, because the chart's values.yaml shows it as the thing to narrow down.
    """
    return TenancyRule(
        name=name,
        namespaces=ALL,
        clusters=ALL,
        task_roles=ALL,
        execution_roles=ALL,
        listeners=(ListenerGrant(load_balancer="*", priorities=PRIORITIES),),
        hostnames=ALL,
        cloud_map_namespaces=ALL,
        create_cloud_map_namespaces=True,
    )
