"""Names whose spec is refused, or changes what a port is called: told, deletable, and no entry pays."""

from __future__ import annotations

from typing import Any

import pytest

from sim.discovery_observer import Clients
from sim.discovery_stories import DOMAIN, TTL, complete, named, rolling
from sim.names import Name
from sim.stories import apply
from sim.test_discovery_routes import MAP, begin, message
from sim.universe import ROUTE, WEB, Universe

SRV = {"records": [{"type": "SRV", "ttlSeconds": TTL}]}


def by_port(port: str, **changes: Any) -> dict[str, Any]:
    """Return a route whose name is for a port."""
    return named(backendRef={"name": "web", "port": port}, **changes)


def ported(port: str, image: str) -> dict[str, Any]:
    """Return the Deployment with its port called so."""
    made = rolling(image, replicas=2)
    container = made["spec"]["template"]["spec"]["containers"][0]
    container["ports"][0]["name"] = port
    container["readinessProbe"]["httpGet"]["port"] = port
    return made


def ports(universe: Universe) -> list[str]:
    """Return the port of each entry."""
    service = universe.status(ROUTE)["discovery"]["serviceId"]
    listed = universe.aws(MAP, "ListInstances", ServiceId=service)["Instances"]
    return [item["Attributes"].get("AWS_INSTANCE_PORT", "") for item in listed]


def test_a_port_that_nobody_has_is_told_and_entries_stay() -> None:
    """A wrong name in the spec is not dropped in silence, and takes nothing from what is registered."""
    universe = begin(rolling(), named())
    clients = Clients(name=Name(universe)).start()
    apply(by_port("grpc"))(universe)
    universe.settle(lambda: universe.reason(ROUTE) == "InvalidSpec", within=60)
    assert "spec.discovery.backendRef.port: no container of Deployment web has port grpc" in message(universe)
    universe.run(120)
    assert ports(universe) == ["8080"] * 4
    apply(named())(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE), within=60)
    assert clients.stop().bad == []


@pytest.mark.parametrize("dns", [None, SRV], ids=["A", "SRV"])
def test_a_port_is_called_otherwise(dns: dict[str, Any] | None) -> None:
    """Deployment and route change the name together: old tasks keep theirs until new ones are seen."""
    changes: dict[str, Any] = {"dns": dns} if dns else {}
    universe = begin(rolling(replicas=2), named(**changes))
    clients = Clients(name=Name(universe)).start()
    apply(by_port("web", **changes), ported("web", "web:2"))(universe)
    universe.settle(lambda: complete("web:2", count=2)(universe), within=900)
    universe.run(60)
    assert ports(universe) == ["8080"] * 2
    registered = list(universe.world.calls.find(operation="RegisterInstance"))
    assert [call.params["Attributes"]["AWS_INSTANCE_PORT"] for call in registered] == ["8080"] * 4
    # The observer asks for addresses, which a name with SRV has under its targets' names alone.
    assert [text for text in clients.stop().bad if "DNS answers" not in text] == []


def test_a_namespace_by_id_is_shown_by_its_name() -> None:
    """`kubectl get sroute` shows what people resolve."""
    universe = begin(rolling(), named())
    known = universe.status(ROUTE)["discovery"]["namespaceId"]
    apply(named(namespaceRef={"id": known}))(universe)
    universe.settle(lambda: universe.ready(ROUTE), within=60)
    universe.run(120)
    assert universe.status(ROUTE)["summary"]["hosts"] == f"web.{DOMAIN}"


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param({"name": DOMAIN, "create": {"type": "HTTP"}}, id="of another type"),
        pytest.param({"name": DOMAIN}, id="one of two"),
    ],
)
def test_a_route_that_was_refused_for_its_namespace_can_be_deleted(reference: dict[str, Any]) -> None:
    """Nothing of it is anywhere; the namespaces are other people's and stay."""
    universe = Universe(seed=3)
    universe.aws(MAP, "CreatePublicDnsNamespace", Name=DOMAIN)
    if "create" not in reference:
        universe.aws(MAP, "CreateHttpNamespace", Name=DOMAIN)
    universe.clock.advance(120)
    before = len(universe.aws(MAP, "ListNamespaces")["Namespaces"])
    changes = {"dns": None} if "create" in reference else {}
    apply(rolling(replicas=1), named(namespaceRef=reference, **changes))(universe)
    universe.settle(lambda: universe.reason(ROUTE) == "InvalidSpec", within=200)
    universe.cluster.delete(ROUTE)
    universe.settle(lambda: universe.gone(ROUTE), within=60)
    assert len(universe.aws(MAP, "ListNamespaces")["Namespaces"]) == before


def test_a_second_namespace_of_the_name_keeps_no_route_from_going() -> None:
    """Status lost, and the name is used twice by now: what is ours is found by its tags and goes."""
    universe = begin(rolling(replicas=1), named())
    universe.aws(MAP, "CreateHttpNamespace", Name=DOMAIN)
    universe.clock.advance(60)
    universe.cluster.edit(ROUTE, lambda obj: obj["status"].pop("discovery"))
    universe.cluster.delete(ROUTE)
    universe.settle(lambda: universe.gone(ROUTE), within=600)
    left = universe.aws(MAP, "ListNamespaces")["Namespaces"]
    assert [found["Type"] for found in left] == ["HTTP"]
