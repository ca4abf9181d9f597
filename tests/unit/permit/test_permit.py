"""What a namespace may use: patterns, rules, grants and the texts that refuse."""

from __future__ import annotations

import dataclasses
import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.model.binding import Binding
from sluice.model.errors import Refused
from sluice.model.tenancy import ListenerGrant, Tenancy, TenancyRule, permissive_rule
from sluice.plan.permit import (
    Roles,
    binding_for,
    matches,
    permit_deployment,
    permit_hostname,
    permit_listener,
    permit_namespace,
    permit_revision,
    roles_for,
    rule_for,
)

DEFAULT = Binding(account="", region="eu-west-1")
PROD = Binding(account="111122223333", region="eu-west-1", role_arn="arn:aws:iam::111122223333:role/sluice")
SHOP = TenancyRule(
    name="team-shop",
    namespaces=("shop", "shop-*"),
    account="prod",
    clusters=("shop-*", "arn:aws:ecs:eu-west-1:111122223333:cluster/shared"),
    default_cluster="main",
    task_roles=("arn:aws:iam::*:role/shop-*",),
    execution_roles=("arn:aws:iam::*:role/exec",),
    default_execution_role="arn:aws:iam::1:role/default-exec",
    service_account_roles={"checkout": "arn:aws:iam::1:role/mapped"},
    listeners=(
        ListenerGrant(load_balancer="shop-public", ports=(443,), priorities=(1000, 1999)),
        ListenerGrant(load_balancer="shared-*", priorities=(5000, 5099)),
    ),
    hostnames=("*.shop.example.com", "shop.example.com"),
    cloud_map_namespaces=("*.shop.local", "shop-http", "ns-known"),
)


def refusal(call: object, *args: object, **kwargs: object) -> Refused:
    """Return what the call refuses with."""
    with pytest.raises(Refused) as caught:
        call(*args, **kwargs)  # type: ignore[operator]  # any of the functions under test
    return caught.value


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        pytest.param("shop", "shop", True, id="equal"),
        pytest.param("shop", "shop-a", False, id="no-wildcard-no-prefix"),
        pytest.param("*", "", True, id="star-matches-empty"),
        pytest.param("a*a", "a", False, id="head-and-tail-do-not-overlap"),
        pytest.param("a*b*c", "a-b-b-c", True, id="middle"),
        pytest.param("a*b*c", "acb", False, id="wrong-order"),
        pytest.param("s?op", "shop", False, id="question-mark-is-literal"),
        pytest.param("[s]hop", "shop", False, id="bracket-is-literal"),
        pytest.param("*.a.com", "*.b.a.com", True, id="wildcard-host-inside-pattern"),
        pytest.param("x.a.com", "*.a.com", False, id="wildcard-host-wider-than-pattern"),
    ],
)
def test_pattern(pattern: str, text: str, expected: bool) -> None:  # noqa: FBT001 - a table's column
    """Only `*` is special, and only in the pattern."""
    assert matches(pattern, text) is expected


@given(st.text("ab*", max_size=6), st.text("ab", max_size=8))
def test_patterns_agree_with_the_shell(pattern: str, text: str) -> None:
    """On patterns without `?` and `[` the result is the one of the standard library's glob."""
    assert matches(pattern, text) == fnmatch.fnmatchcase(text, pattern)


@given(st.text("ab*", max_size=5), st.text("ab*", max_size=5), st.text("ab", max_size=6))
def test_a_permitted_wildcard_is_never_wider_than_its_pattern(pattern: str, host: str, name: str) -> None:
    """Whatever a permitted wildcard host name matches, the pattern that permitted it matches too."""
    if matches(pattern, host) and matches(host, name):
        assert matches(pattern, name)


def test_the_first_rule_that_covers_the_namespace_counts() -> None:
    """Rules are tried in order; names and labels both have to fit."""
    gold = TenancyRule(name="gold", namespaces=("*",), namespace_labels={"tier": "gold"})
    tenancy = Tenancy(rules=(gold, SHOP, permissive_rule()), default_binding=DEFAULT)
    assert rule_for(tenancy, "shop", {"tier": "gold"}).name == "gold"
    assert rule_for(tenancy, "shop-eu", {}).name == "team-shop"
    assert rule_for(tenancy, "other", {"tier": "tin"}).name == "everyone"


def test_a_namespace_without_a_rule_is_refused() -> None:
    """No rule is no permission, and the text names the namespace."""
    refused = refusal(rule_for, Tenancy(rules=(SHOP,), default_binding=DEFAULT), "other", {})
    assert (refused.reason, "namespace other" in refused.message) == ("NotPermitted", True)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        pytest.param({"cluster": "shop-eu"}, "", id="cluster-by-name"),
        pytest.param({"cluster": "arn:aws:ecs:eu-west-1:1:cluster/shop-eu"}, "", id="cluster-arn-by-name"),
        pytest.param(
            {"cluster": "arn:aws:ecs:eu-west-1:111122223333:cluster/shared"}, "", id="cluster-by-arn"
        ),
        pytest.param({"cluster": "shared"}, "may not use cluster shared", id="arn-pattern-needs-the-arn"),
        pytest.param({"cluster": ""}, "", id="cluster-default"),
        pytest.param({"cluster": "main"}, "", id="default-cluster-by-name"),
        pytest.param({"cluster": "billing"}, "rule 'team-shop' allows [shop-*, arn:", id="cluster-refused"),
        pytest.param({"task_role": "arn:aws:iam::1:role/shop-x"}, "", id="task-role"),
        pytest.param({"task_role": "arn:aws:iam::1:role/mapped"}, "", id="mapped-task-role"),
        pytest.param(
            {"task_role": "arn:aws:iam::1:role/admin"}, "may not use task role", id="task-role-refused"
        ),
        pytest.param({"execution_role": "arn:aws:iam::1:role/default-exec"}, "", id="default-execution-role"),
        pytest.param(
            {"execution_role": "arn:aws:iam::1:role/x"}, "execution role", id="execution-role-refused"
        ),
        pytest.param({"account": "prod"}, "", id="account"),
        pytest.param({"account": "other"}, "may not use account other", id="account-refused"),
    ],
)
def test_deployment(changes: dict[str, str], text: str) -> None:
    """A Deployment may use what the rule lists and what the rule itself sets, and nothing else."""
    values = {"cluster": "shop-a", "task_role": "", "execution_role": "", "account": ""} | changes
    if not text:
        permit_deployment(SHOP, **values)
    else:
        assert text in refusal(permit_deployment, SHOP, **values).message


EBS = {"managedEBSVolume": {"roleArn": "arn:aws:iam::1:role/admin", "sizeInGiB": 1}, "name": "data"}
TLS = {"services": [{"portName": "http", "tls": {"roleArn": "arn:aws:iam::1:role/admin"}}]}


@pytest.mark.parametrize(
    ("definition", "service", "text"),
    [
        pytest.param({"taskRoleArn": "arn:aws:iam::1:role/shop-x"}, {}, "", id="task-role"),
        pytest.param({"taskRoleArn": "arn:aws:iam::1:role/admin"}, {}, "may not use task role", id="kept"),
        pytest.param({"executionRoleArn": "arn:aws:iam::1:role/x"}, {}, "execution role", id="execution"),
        pytest.param({}, {"volumeConfigurations": [EBS]}, "role/admin", id="EBS-volume"),
        pytest.param({}, {"serviceConnectConfiguration": TLS}, "role/admin", id="Service-Connect-TLS"),
        pytest.param({"volumes": [{"x": {"roleArn": "arn:aws:iam::1:role/exec"}}]}, {}, "", id="allowed"),
    ],
)
def test_revision(definition: dict[str, object], service: dict[str, object], text: str) -> None:
    """Every role that reaches ECS with a revision is compared, wherever it stands."""
    if not text:
        permit_revision(SHOP, definition=definition, service=service)
    else:
        assert text in refusal(permit_revision, SHOP, definition=definition, service=service).message


@pytest.mark.parametrize(
    ("namespace", "allowed"),
    [
        pytest.param("shop.internal", True, id="name"),
        pytest.param("arn:aws:servicediscovery:eu-west-1:1:namespace/ns-1", True, id="ARN, by its id"),
        pytest.param("", True, id="the cluster's default"),
        pytest.param("bank.internal", False, id="somebody else's"),
        pytest.param("arn:aws:servicediscovery:eu-west-1:1:namespace/ns-2", False, id="somebody else's ARN"),
    ],
)
def test_a_service_connect_namespace(namespace: str, *, allowed: bool) -> None:
    """Whoever serves in one could take another tenant's name; off is nobody's business."""
    rule = dataclasses.replace(SHOP, cloud_map_namespaces=("shop.internal", "ns-1"))
    connect = {"enabled": True} | ({"namespace": namespace} if namespace else {})
    service = {"serviceConnectConfiguration": connect}
    if allowed:
        permit_revision(rule, definition={}, service=service)
    else:
        told = refusal(permit_revision, rule, definition={}, service=service).message
        assert f"may not have a name in Cloud Map namespace {namespace}" in told
        permit_revision(
            rule, definition={}, service={"serviceConnectConfiguration": connect | {"enabled": False}}
        )


def test_a_missing_cluster_is_the_specs_fault() -> None:
    """Without a default cluster the field is asked for by its path."""
    rule = permissive_rule()
    refused = refusal(permit_deployment, rule, cluster="", task_role="", execution_role="", account="")
    assert refused.reason == "InvalidSpec"
    assert refused.message.startswith("spec.ecs.cluster:")


def test_roles_prefer_the_spec_then_the_service_account_then_the_default() -> None:
    """A named role wins; a mapped service account comes next; the rule's defaults are last."""
    chosen = roles_for(SHOP, service_account="checkout", task_role="", execution_role="")
    assert chosen == Roles(task="arn:aws:iam::1:role/mapped", execution="arn:aws:iam::1:role/default-exec")
    assert roles_for(SHOP, service_account="checkout", task_role="t", execution_role="e") == Roles(
        task="t", execution="e"
    )
    assert roles_for(SHOP, service_account="unknown", task_role="", execution_role="").task == ""


def test_binding() -> None:
    """The rule's account decides where objects live; the spec may repeat it, not change it."""
    tenancy = Tenancy(rules=(SHOP,), accounts={"prod": PROD}, default_binding=DEFAULT)
    assert binding_for(tenancy, SHOP, "") == binding_for(tenancy, SHOP, "prod") == PROD
    assert binding_for(tenancy, permissive_rule(), "") == DEFAULT
    assert "may not use account" in refusal(binding_for, tenancy, permissive_rule(), "prod").message
    empty = Tenancy(rules=(SHOP,), default_binding=DEFAULT)
    assert "does not define" in refusal(binding_for, empty, SHOP, "").message


@pytest.mark.parametrize(
    ("load_balancer", "port", "expected"),
    [
        pytest.param("shop-public", 443, (1000, 1999), id="first-grant"),
        pytest.param("shop-public", 80, None, id="port-not-granted"),
        pytest.param("shared-eu", 80, (5000, 5099), id="any-port"),
        pytest.param("billing", 443, None, id="foreign-load-balancer"),
    ],
)
def test_listener(load_balancer: str, port: int, expected: tuple[int, int] | None) -> None:
    """The first grant that fits gives the priority range; none refuses and lists the grants."""
    where = {"load_balancer": load_balancer, "listener_arn": "arn:l", "port": port}
    if expected:
        assert permit_listener(SHOP, **where) == expected  # type: ignore[arg-type]
    else:
        assert "allows [shop-public:443, shared-*]" in refusal(permit_listener, SHOP, **where).message


def test_listener_by_arn() -> None:
    """A grant for one listener ARN covers that listener alone."""
    rule = TenancyRule(name="r", listeners=(ListenerGrant(listener_arn="arn:l1", priorities=(1, 9)),))
    assert permit_listener(rule, load_balancer="x", listener_arn="arn:l1", port=80) == (1, 9)
    assert (
        "arn:l1" in refusal(permit_listener, rule, load_balancer="x", listener_arn="arn:l2", port=80).message
    )


@pytest.mark.parametrize(
    ("hostname", "allowed"),
    [
        pytest.param("shop.example.com", True, id="exact"),
        pytest.param("EU.Shop.Example.com", True, id="case"),
        pytest.param("*.shop.example.com", True, id="wildcard"),
        pytest.param("*.example.com", False, id="wider-wildcard"),
        pytest.param("?hop.example.com", False, id="alb-question-mark"),
        pytest.param("", False, id="any-host"),
    ],
)
def test_hostname(hostname: str, allowed: bool) -> None:  # noqa: FBT001 - a table's column
    """A host name is allowed when a pattern covers everything it stands for."""
    if allowed:
        permit_hostname(SHOP, hostname)
    else:
        assert "may not serve" in refusal(permit_hostname, SHOP, hostname).message


@pytest.mark.parametrize(
    ("namespace", "create", "text"),
    [
        pytest.param({"name": "EU.shop.local"}, False, "", id="pattern"),
        pytest.param({"name": "shop-http"}, False, "", id="exact"),
        pytest.param({"name": "", "namespace_id": "ns-known"}, False, "", id="id"),
        pytest.param({"name": "eu.shop.local", "namespace_id": "ns-other"}, False, "", id="id-by-name"),
        pytest.param(
            {"name": "corp.local"}, False, "may not have a name in Cloud Map namespace corp.local", id="other"
        ),
        pytest.param({"name": "", "namespace_id": "ns-other"}, False, "namespace ns-other", id="other-id"),
        pytest.param({"name": "shop-http"}, True, "createCloudMapNamespaces off", id="make"),
    ],
)
def test_cloud_map_namespace(namespace: dict[str, str], create: bool, text: str) -> None:  # noqa: FBT001 - a table's column
    """A namespace is allowed by its name or id; making one needs the switch as well."""
    if not text:
        permit_namespace(SHOP, **namespace, create=create)  # type: ignore[arg-type]  # names and ids
        return
    refused = refusal(permit_namespace, SHOP, **namespace, create=create)
    assert (refused.reason, text in refused.message) == ("NotPermitted", True)
    assert "'team-shop'" in refused.message


def test_the_permissive_rule_allows_everything_by_name() -> None:
    """The single-tenant default refuses nothing that names its cluster."""
    rule = permissive_rule()
    permit_deployment(rule, cluster="any", task_role="arn:r", execution_role="arn:e", account="")
    permit_hostname(rule, "")
    permit_namespace(rule, name="corp.local", create=True)
    assert permit_listener(rule, load_balancer="any", listener_arn="arn:l", port=80) == (1, 50_000)
