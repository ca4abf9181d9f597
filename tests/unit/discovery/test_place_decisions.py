"""Where entries live: each state of namespace and service, with all that is decided about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sluice.model.discovery import DnsRecord, NamespaceIntent
from unit.discovery.places import made
from unit.discovery.steps import HERE, INTENT, NAMESPACE, SERVICE

CREATE = replace(INTENT, namespace=NamespaceIntent(name="corp.local", create="HTTP"))
NEW = replace(HERE, namespace_id="", service_id="", settled=False)
NONE = {"namespace": None, "service": None}
NO = {"service": None}
NEVER = "AWSRejected: spec.discovery.dns: AWS never changes this of Cloud Map service web: "
THEN = (
    "; choose another serviceName for the new settings, or go back to the old ones. "
    "Until then the name goes on as it is"
)
BELONGS = (
    "OwnershipConflict: spec.discovery.serviceName: Cloud Map service web of namespace corp.local belongs to"
)
DELETE = "; choose another serviceName, or delete arn:srv-1"
LACKS = "InvalidSpec: spec.discovery.namespaceRef: Cloud Map namespace"
EXIST = "does not exist in this account and region"
DNS = "InvalidSpec: spec.discovery.dns"
REMOVE = "remove dns, or refer to a namespace with DNS"
ROUTING = "its routing policy is MULTIVALUE, not WEIGHTED"
REPAIRED = "Cloud Map service web had other DNS settings than the spec; repaired: TTL A 10 s → 30 s"
GONE = "Cloud Map service web of corp.local was deleted by somebody else; created again"
A30 = replace(INTENT, records=(DnsRecord(type="A", ttl=30),))
OTHERS = {"sluice.dev/installation": "blue", "sluice.dev/namespace": "n", "sluice.dev/name": "m"}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param({}, {"usable": True}, id="all is there"),
        pytest.param(
            {"intent": replace(INTENT, mode="ECS")},
            {"usable": True, "registry": "arn:srv-1"},
            id="ECS registers",
        ),
        pytest.param(
            {"memory": replace(HERE, registry_arn="arn:srv-1")},
            {"usable": True, "registry": "arn:srv-1"},
            id="ECS registered until now",
        ),
        pytest.param(
            {"facts": {"service": replace(SERVICE, tags={})}},
            {
                "problem": (f"{BELONGS} nobody that Sluice knows{DELETE}"),
                "wakes": [60.0],
            },
            id="a service of nobody",
        ),
        pytest.param(
            {"facts": {"service": replace(SERVICE, tags=OTHERS)}},
            {
                "problem": (f"{BELONGS} n/m of installation blue{DELETE}"),
                "wakes": [60.0],
            },
            id="a service of another route",
        ),
        pytest.param(
            {"facts": {"service": replace(SERVICE, tags={"sluice.dev/installation": "blue"})}},
            {
                "problem": (f"{BELONGS} ?/? of installation blue{DELETE}"),
                "wakes": [60.0],
            },
            id="a service of an installation that says no more",
        ),
        pytest.param(
            {"facts": NONE, "memory": NEW},
            {
                "problem": (
                    f"{LACKS} corp.local {EXIST}; create it, or let Sluice do so with namespaceRef.create"
                ),
                "wakes": [60.0],
            },
            id="no namespace of this name",
        ),
        pytest.param(
            {"intent": replace(INTENT, namespace=NamespaceIntent(id="ns-9")), "facts": NONE, "memory": NEW},
            {
                "problem": (f"{LACKS} ns-9 {EXIST}; name one that does by its id, or by its name"),
                "wakes": [60.0],
            },
            id="no namespace of this id",
        ),
        pytest.param(
            {"intent": CREATE, "facts": NONE, "memory": NEW},
            {
                "does": ["CreateHttpNamespace"],
                "moving": True,
                "operations": {"namespace": ("namespace", "", 0.0)},
                "wakes": [2.0],
            },
            id="the namespace is to be made",
        ),
        pytest.param(
            {
                "intent": CREATE,
                "facts": NONE,
                "memory": NEW,
                "operations": {"namespace": ("namespace", "op-1", 9.0)},
            },
            {"moving": True, "operations": {"namespace": ("namespace", "op-1", 9.0)}, "wakes": [2.0]},
            id="the namespace is being made",
        ),
        pytest.param(
            {
                "intent": CREATE,
                "facts": NONE,
                "memory": NEW,
                "operations": {"namespace": ("namespace", "", 9.0)},
            },
            {
                "does": ["CreateHttpNamespace"],
                "moving": True,
                "operations": {"namespace": ("namespace", "", 9.0)},
                "wakes": [2.0],
            },
            id="the namespace was asked for without an answer",
        ),
        pytest.param(
            {
                "intent": CREATE,
                "facts": NONE,
                "memory": replace(NEW, makes=3),
                "failing": {"namespace": (1, 0.0)},
            },
            {
                "does": ["CreateHttpNamespace"],
                "moving": True,
                "makes": 4,
                "operations": {"namespace": ("namespace", "", 0.0)},
                "failing": ["namespace"],
                "wakes": [2.0],
            },
            id="the namespace could not be made",
        ),
        pytest.param(
            {"intent": CREATE, "facts": NONE, "memory": NEW, "failing": {"namespace": (1, 7.0)}},
            {"moving": True, "failing": ["namespace"], "wakes": [2.0, 7.0]},
            id="the namespace could not be made and waits",
        ),
        pytest.param(
            {
                "intent": CREATE,
                "facts": NONE,
                "memory": replace(NEW, makes=3),
                "operations": {"namespace": ("namespace", "", 9.0)},
                "failing": {"namespace": (1, 0.0)},
            },
            {
                "does": ["CreateHttpNamespace"],
                "moving": True,
                "makes": 3,
                "operations": {"namespace": ("namespace", "", 9.0)},
                "failing": ["namespace"],
                "wakes": [2.0],
            },
            id="the namespace could not be made, and was asked for again without an answer",
        ),
        pytest.param(
            {
                "intent": CREATE,
                "facts": NONE,
                "memory": replace(HERE, makes=3),
                "operations": {
                    "t1": ("register", "op-1", 9.0),
                    "t2": ("deregister", "op-2", 9.0),
                    "service": ("service", "op-3", 9.0),
                },
                "failing": {"t1": (1, 9.0), "t3": (1, 9.0)},
            },
            {
                "does": ["CreateHttpNamespace"],
                "notes": [("namespace corp.local was deleted by somebody else; created again")],
                "moving": True,
                "makes": 4,
                "operations": {"service": ("service", "op-3", 9.0), "namespace": ("namespace", "", 0.0)},
                "failing": ["t3"],
                "wakes": [2.0],
            },
            id="the namespace was deleted",
        ),
        pytest.param(
            {"operations": {"namespace": ("namespace", "op-1", 9.0)}, "failing": {"namespace": (3, 9.0)}},
            {"usable": True},
            id="the namespace is there at last",
        ),
        pytest.param(
            {"operations": {"namespace": ("namespace-deletion", "op-1", 9.0)}},
            {"usable": True, "operations": {"namespace": ("namespace-deletion", "op-1", 9.0)}},
            id="the namespace is there, while it is to be deleted",
        ),
        pytest.param(
            {"facts": {"namespace": replace(NAMESPACE, type="HTTP"), "service": None}, "memory": NEW},
            {"problem": (f"{DNS}: namespace corp.local is of type HTTP and has no DNS; {REMOVE}")},
            id="records where there is no DNS",
        ),
        pytest.param(
            {"intent": replace(INTENT, records=()), "facts": NO, "memory": NEW},
            {"does": ["CreateService"], "moving": True, "wakes": [2.0]},
            id="no records in a namespace with DNS",
        ),
        pytest.param(
            {
                "intent": replace(INTENT, records=()),
                "facts": {"namespace": replace(NAMESPACE, type="HTTP"), "service": None},
                "memory": NEW,
            },
            {"does": ["CreateService"], "moving": True, "wakes": [2.0]},
            id="no records where there is no DNS",
        ),
        pytest.param(
            {"intent": replace(INTENT, records=(), mode="Alias"), "facts": NO, "memory": NEW},
            {"problem": (f"{DNS}: mode Alias needs a record of type A or AAAA in a namespace with DNS")},
            id="a load balancer without records",
        ),
        pytest.param(
            {"intent": replace(INTENT, mode="Alias"), "facts": NO, "memory": NEW},
            {"does": ["CreateService"], "moving": True, "wakes": [2.0]},
            id="a load balancer with records",
        ),
        pytest.param(
            {"facts": NO, "memory": replace(NEW, makes=3)},
            {"does": ["CreateService"], "moving": True, "makes": 3, "wakes": [2.0]},
            id="the service is to be made",
        ),
        pytest.param(
            {
                "facts": NO,
                "memory": replace(HERE, makes=3),
                "operations": {"t1": ("register", "op-1", 9.0), "t2": ("deregister", "op-2", 9.0)},
            },
            {
                "does": ["CreateService"],
                "notes": [
                    ("Cloud Map service web of corp.local was deleted by somebody else; created again")
                ],
                "moving": True,
                "makes": 4,
                "wakes": [2.0],
            },
            id="the service was deleted",
        ),
        pytest.param(
            {"intent": A30},
            {
                "does": ["UpdateService"],
                "notes": [(REPAIRED)],
                "usable": True,
                "moving": True,
                "operations": {"service": ("service", "", 0.0)},
                "wakes": [2.0],
            },
            id="another TTL",
        ),
        pytest.param(
            {"intent": A30, "memory": NEW},
            {
                "does": ["UpdateService"],
                "usable": True,
                "moving": True,
                "operations": {"service": ("service", "", 0.0)},
                "wakes": [2.0],
            },
            id="another TTL, of a name that was not settled",
        ),
        pytest.param(
            {"intent": A30, "operations": {"service": ("service", "op-1", 9.0)}},
            {
                "usable": True,
                "moving": True,
                "operations": {"service": ("service", "op-1", 9.0)},
                "wakes": [2.0],
            },
            id="another TTL, asked for",
        ),
        pytest.param(
            {"intent": A30, "operations": {"service": ("service", "", 9.0)}},
            {
                "does": ["UpdateService"],
                "notes": [(REPAIRED)],
                "usable": True,
                "moving": True,
                "operations": {"service": ("service", "", 9.0)},
                "wakes": [2.0],
            },
            id="another TTL, asked for without an answer",
        ),
        pytest.param(
            {"intent": A30, "failing": {"service": (1, 7.0)}},
            {"usable": True, "moving": True, "failing": ["service"], "wakes": [2.0, 7.0]},
            id="another TTL, refused",
        ),
        pytest.param(
            {"intent": A30, "failing": {"service": (1, 0.0)}},
            {
                "does": ["UpdateService"],
                "notes": [(REPAIRED)],
                "usable": True,
                "moving": True,
                "operations": {"service": ("service", "", 0.0)},
                "failing": ["service"],
                "wakes": [2.0],
            },
            id="another TTL, refused before",
        ),
        pytest.param(
            {"operations": {"service": ("service", "", 9.0)}},
            {"usable": True},
            id="the TTL as it is, asked for without an answer",
        ),
        pytest.param(
            {"operations": {"service": ("service", "op-1", 9.0)}},
            {"usable": True, "operations": {"service": ("service", "op-1", 9.0)}},
            id="the TTL as it is, asked for",
        ),
        pytest.param(
            {
                "intent": replace(
                    INTENT, records=(DnsRecord(type="A", ttl=10), DnsRecord(type="SRV", ttl=10))
                ),
                "facts": {
                    "service": replace(
                        SERVICE, records=(DnsRecord(type="SRV", ttl=10), DnsRecord(type="A", ttl=10))
                    )
                },
            },
            {"usable": True},
            id="records in another order",
        ),
        pytest.param(
            {"intent": replace(INTENT, records=(DnsRecord(type="SRV", ttl=10),))},
            {
                "problem": (f"{NEVER}its DNS records are A, not SRV{THEN}"),
                "usable": True,
            },
            id="other records",
        ),
        pytest.param(
            {
                "intent": replace(
                    INTENT,
                    records=(DnsRecord(type="SRV", ttl=10), DnsRecord(type="A", ttl=10)),
                    routing="WEIGHTED",
                )
            },
            {
                "problem": (f"{NEVER}its DNS records are A, not A and SRV; {ROUTING}{THEN}"),
                "usable": True,
            },
            id="other records and routing",
        ),
        pytest.param(
            {"intent": replace(INTENT, routing="WEIGHTED")},
            {
                "problem": (f"{NEVER}its routing policy is MULTIVALUE, not WEIGHTED{THEN}"),
                "usable": True,
            },
            id="another routing",
        ),
        pytest.param(
            {"intent": replace(INTENT, records=(DnsRecord(type="SRV", ttl=10),), routing="WEIGHTED")},
            {
                "problem": (f"{NEVER}its DNS records are A, not SRV{THEN}"),
                "usable": True,
            },
            id="another routing of records that are others",
        ),
        pytest.param(
            {"facts": {"service": replace(SERVICE, records=(), routing="")}},
            {
                "problem": (f"{NEVER}its DNS records are none, not A{THEN}"),
                "usable": True,
            },
            id="a service without DNS",
        ),
        pytest.param(
            {
                "intent": replace(INTENT, routing="WEIGHTED"),
                "facts": {"service": replace(SERVICE, routing="")},
            },
            {"usable": True},
            id="a service of which no routing is told",
        ),
        pytest.param(
            {"intent": replace(INTENT, records=())},
            {
                "problem": (f"{NEVER}its DNS records are A, not none{THEN}"),
                "usable": True,
            },
            id="no records any more",
        ),
    ],
)
def test_a_place_is_made_and_kept(state: dict[str, Any], expected: dict[str, Any]) -> None:
    """What is asked, told and remembered, whether entries can be dealt with, when somebody looks again."""
    assert made(**state) == expected
