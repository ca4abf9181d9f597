"""Whose an instance is, who answers, and which effects of operations are seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sluice.model.discovery import (
    DiscoveryFacts,
    DnsRecord,
    Health,
    Instance,
    NamespaceFacts,
    ServiceFacts,
)
from sluice.plan.discovery.entries import Entry, is_claimed, is_ours, lacking, owner, too_long
from sluice.plan.discovery.ledger import Ledger
from sluice.plan.discovery.look import effects, is_leaving, is_seen, look
from sluice.plan.discovery.memory import Pending
from unit.discovery.steps import BARE, INSTALLATION, KEY, NOW, SERVICE, seen_task

OURS = owner(INSTALLATION, KEY)
NAMESPACE = NamespaceFacts(id="ns-1", name="corp.local", arn="arn:ns-1", type="HTTP", tags={})


@pytest.mark.parametrize(
    ("attributes", "ours", "claimed"),
    [
        pytest.param(OURS, True, True, id="both attributes and nothing else"),
        pytest.param({**OURS, "team": "shop"}, True, True, id="both attributes and others"),
        pytest.param({**OURS, "SLUICE_ROUTE": "shop/other"}, False, True, id="another route"),
        pytest.param({**OURS, "SLUICE_INSTALLATION": "test"}, False, True, id="another installation"),
        pytest.param({"SLUICE_ROUTE": "shop/web"}, False, True, id="a route without an installation"),
        pytest.param({"SLUICE_INSTALLATION": "prod"}, False, True, id="an installation without a route"),
        pytest.param({"AWS_INSTANCE_IPV4": "10.0.0.1"}, False, False, id="nobody's"),
    ],
)
def test_whose_an_instance_is(attributes: Mapping[str, str], *, ours: bool, claimed: bool) -> None:
    """Two attributes prove that it is the route's; one of them, that some Sluice made it."""
    instance = Instance(id="sluice-t1", attributes=attributes)
    assert is_ours(instance, installation=INSTALLATION, key=KEY) is ours
    assert is_claimed(instance) is claimed


@pytest.mark.parametrize(
    ("types", "lacks", "expected"),
    [
        pytest.param("A", {"ipv6": ""}, "", id="A: an IPv4 address is enough"),
        pytest.param("A", {"ipv4": ""}, "an IPv4 address", id="A needs an IPv4 address"),
        pytest.param("AAAA", {"ipv4": "", "port": 0}, "", id="AAAA: an IPv6 address is enough"),
        pytest.param("AAAA", {"ipv6": ""}, "an IPv6 address", id="AAAA needs an IPv6 address"),
        pytest.param("A AAAA", {"ipv6": ""}, "an IPv6 address", id="both need both"),
        pytest.param("A AAAA", {"ipv4": ""}, "an IPv4 address", id="both need both, turned"),
        pytest.param("SRV", {"port": 0}, "a port", id="SRV needs a port"),
        pytest.param("SRV", {"ipv4": ""}, "", id="SRV: one address is enough"),
        pytest.param("SRV", {"ipv4": "", "ipv6": ""}, "an address", id="SRV needs an address"),
        pytest.param("", {"ipv6": "", "port": 0}, "", id="no record: one address is enough"),
        pytest.param("", {"ipv4": "", "ipv6": ""}, "an address", id="no record: an address all the same"),
    ],
)
def test_what_a_task_lacks_for_the_records_of_its_service(
    types: str, lacks: Mapping[str, Any], expected: str
) -> None:
    """AWS refuses an instance without what its service's records are made of."""
    task = seen_task("t1", **({"ipv6": "2001:db8::1"} | dict(lacks)))
    records = [DnsRecord(type=type_, ttl=10) for type_ in types.split()]  # type: ignore[arg-type]
    assert lacking(task, records) == expected


@pytest.mark.parametrize(("length", "refused"), [(5_000, False), (5_001, True)])
def test_how_long_attributes_may_be(length: int, *, refused: bool) -> None:
    """AWS takes 5,000 characters of keys and values together."""
    entry = Entry(id="sluice-t1", attributes={"key": "v" * 997, "k" * 1_000: "v" * (length - 2_000)})
    assert too_long(entry) is refused


@pytest.mark.parametrize(
    ("health", "custom", "seen"),
    [
        pytest.param("HEALTHY", True, True, id="healthy"),
        pytest.param("HEALTHY", False, True, id="healthy where there is no check"),
        pytest.param("UNHEALTHY", True, False, id="ill"),
        pytest.param("UNKNOWN", True, False, id="not known yet"),
        pytest.param("UNKNOWN", False, True, id="no check"),
        pytest.param(None, True, False, id="no answer"),
        pytest.param(None, False, False, id="no answer where there is no check"),
    ],
)
def test_what_clients_take_for_healthy(health: Health | None, *, custom: bool, seen: bool) -> None:
    """Without a check there is nothing to know, and every answer is one."""
    assert is_seen(health, custom_health=custom) is seen


def answering(
    *,
    stages: Mapping[str, tuple[Any, float]] | None = None,
    operations: Mapping[str, Pending] | None = None,
    service: ServiceFacts | None = SERVICE,
    attributes: Mapping[str, str] = OURS,
    health: Health = "HEALTHY",
    **task: Any,
) -> str:
    """Return what is seen of one instance with a task: a word of each set that it is in."""
    ledger = Ledger(
        now=NOW,
        stages={name: (stage, NOW - age) for name, (stage, age) in (stages or {}).items()},
        operations=dict(operations or {}),
    )
    found = look(
        DiscoveryFacts(service=service, tasks=(seen_task("t1", **task),)),
        {"sluice-t1": Instance(id="sluice-t1", attributes=attributes)},
        {"sluice-t1": health},
        installation=INSTALLATION,
        key=KEY,
        ledger=ledger,
    )
    names = ("ours", "foreign", "visible", "leaving", "released")
    return " ".join(name for name in names if "sluice-t1" in getattr(found, name))


REMOVAL = {"t1": Pending(kind="deregister", target="t1", since=NOW)}
COMING = {"t1": Pending(kind="register", target="t1", since=NOW)}
ALIAS = {**OURS, "AWS_ALIAS_DNS_NAME": "lb.example.com"}
ECS = {"ECS_SERVICE_NAME": "web"}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param({}, "ours visible", id="healthy and seen"),
        pytest.param({"health": "UNHEALTHY"}, "ours", id="seen ill"),
        pytest.param({"health": "UNKNOWN", "service": BARE}, "ours visible", id="no check"),
        pytest.param({"health": "UNKNOWN", "service": None}, "ours visible", id="no service"),
        pytest.param({"healthy": False}, "ours", id="its task is ill"),
        pytest.param({"running": False}, "ours", id="its task is being stopped"),
        pytest.param({"stages": {"t1": ("mark", 1.0)}}, "ours leaving", id="begins to leave"),
        pytest.param({"stages": {"t1": ("released", 1.0)}}, "ours leaving released", id="given back"),
        pytest.param({"stages": {"t1": ("heal", 99.0)}}, "ours", id="to be healed"),
        pytest.param({"stages": {"t1": ("healing", 34.0)}}, "ours", id="healing"),
        pytest.param({"stages": {"t1": ("healing", 35.0)}}, "ours visible", id="healed"),
        pytest.param({"operations": REMOVAL}, "ours leaving", id="a removal may still happen"),
        pytest.param({"operations": COMING}, "ours visible", id="registered again"),
        pytest.param({"attributes": ALIAS, "healthy": False}, "ours visible", id="a load balancer"),
        pytest.param(
            {"attributes": ALIAS, "stages": {"t1": ("heal", 1.0)}}, "ours", id="a load balancer to be healed"
        ),
        pytest.param({"attributes": ECS}, "foreign visible", id="ECS's own"),
        pytest.param({"attributes": ECS, "health": "UNHEALTHY"}, "foreign", id="ECS's own, ill"),
        pytest.param({"attributes": {}}, "foreign", id="somebody else's"),
    ],
)
def test_who_answers(state: Mapping[str, Any], expected: str) -> None:
    """What is no steady healthy answer, or not for long any more, keeps no other one from staying."""
    assert answering(**state) == expected


@pytest.mark.parametrize("stage", ["mark", "marking", "hidden", "out", "released"])
def test_stages_on_the_way_out(stage: Any) -> None:
    """Each of them, and neither of those on the way back."""
    assert is_leaving("sluice-t1", Ledger(now=NOW, stages={"t1": (stage, NOW)}))
    for back in ("heal", "healing"):
        assert not is_leaving("sluice-t1", Ledger(now=NOW, stages={"t1": (back, NOW)}))


@pytest.mark.parametrize(
    ("kind", "registered", "discovered", "expected"),
    [
        pytest.param("register", "t1", "", True, id="registered"),
        pytest.param("register", "", "t1", False, id="not registered, answered with"),
        pytest.param("register", "t1", None, None, id="registered, answers not read"),
        pytest.param("register", None, "t1", None, id="lists not read"),
        pytest.param("deregister", "", "", True, id="gone"),
        pytest.param("deregister", "t1", "", False, id="listed still"),
        pytest.param("deregister", "", "t1", False, id="answered with still"),
        pytest.param("deregister", "", None, None, id="not listed, answers not read"),
        pytest.param("deregister", None, "", None, id="not answered with, lists not read"),
    ],
)
def test_effects_on_instances(
    kind: Any, registered: str | None, discovered: str | None, *, expected: bool | None
) -> None:
    """Of both lists or of none: one of them alone may be late."""

    def listed(names: str | None) -> dict[str, Any] | None:
        return None if names is None else {f"sluice-{name}": None for name in names.split()}

    facts = DiscoveryFacts(registered=listed(registered), discovered=listed(discovered))
    assert effects(facts, now=NOW)(Pending(kind=kind, target="t1")) is expected


@pytest.mark.parametrize(
    ("pending", "there", "expected"),
    [
        pytest.param(Pending(kind="namespace"), True, True, id="namespace made"),
        pytest.param(Pending(kind="namespace"), False, False, id="namespace not made yet"),
        pytest.param(Pending(kind="namespace-deletion"), True, False, id="namespace not deleted yet"),
        pytest.param(Pending(kind="namespace-deletion"), False, True, id="namespace deleted"),
        pytest.param(Pending(kind="service-deletion", since=NOW - 99), True, False, id="service not deleted"),
        pytest.param(Pending(kind="service-deletion", since=NOW - 10), False, False, id="just deleted"),
        pytest.param(Pending(kind="service-deletion", since=NOW - 11), False, True, id="service deleted"),
        pytest.param(Pending(kind="service", id="op-1"), True, True, id="settings asked for"),
        pytest.param(Pending(kind="service"), True, False, id="settings asked for, no answer"),
    ],
)
def test_effects_on_the_place(pending: Pending, *, there: bool, expected: bool) -> None:
    """A service that was deleted is waited for: its namespace counts it for ten seconds still."""
    facts = DiscoveryFacts(
        namespace=NAMESPACE if there else None,
        service=SERVICE if there else None,
        registered={},
        discovered={},
    )
    assert effects(facts, now=NOW)(pending) is expected
