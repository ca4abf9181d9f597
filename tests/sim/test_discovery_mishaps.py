"""Names on a bad day: operations that FAIL or crawl, calls that are refused or unheard, edits by hand.

In each case clients hold every answer that they could (sim.discovery_observer): what goes wrong in AWS makes
an update longer and never a name empty or dead. The end is the one without mishaps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from sim.discovery_observer import Clients
from sim.discovery_stories import (
    BY_NAME,
    REPLICAS,
    TTL,
    canary,
    complete,
    gone,
    named,
    picture,
    proved,
    ready,
    rolled_back,
    rolling,
    tell,
    universe_with,
)
from sim.names import Name
from sim.progressive_stories import production, said
from sim.stories import Story, apply
from sim.universe import ROUTE, WEB, Crashes, Universe, deployment
from sluice_sandbox.aws.faults import Fault

REGISTER = "RegisterInstance"
_BEGUN = Story("begun", BY_NAME["rolling update"].steps[:1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """A fault of AWS while an update runs."""

    kind: str
    operation: str
    fields: dict[str, Any]
    slower: float = 0.0
    """Seconds that registering may take longer by it."""


def lasting(seconds: float) -> dict[str, Any]:
    """Return the field of a fault that ends after seconds; `until` is filled in when it begins."""
    return {"lasting": seconds}


MISHAPS = {
    "operations fail": Mishap(kind="throttle", operation="Operation.*", fields=lasting(60), slower=200),
    "every other operation fails": Mishap(
        kind="throttle", operation="Operation.*", fields={"probability": 0.5} | lasting(300), slower=400
    ),
    "operations take two minutes": Mishap(
        kind="latency", operation="Operation.*", fields={"seconds": 120} | lasting(400), slower=300
    ),
    "calls are throttled": Mishap(kind="throttle", operation="*Instance*", fields=lasting(60), slower=120),
    "answers are lost": Mishap(
        kind="lost-response", operation="*Instance*", fields={"probability": 0.5} | lasting(120), slower=200
    ),
    "servers err": Mishap(
        kind="error", operation="*", fields={"probability": 0.3} | lasting(120), slower=200
    ),
    "reads are stale": Mishap(
        kind="stale-read", operation="*", fields={"seconds": 15} | lasting(200), slower=120
    ),
    "nothing may be read": Mishap(kind="deny", operation="Discover*", fields=lasting(90), slower=150),
    "tasks cannot be protected": Mishap(
        kind="throttle", operation="UpdateTaskProtection", fields=lasting(60), slower=120
    ),
}


def begin(universe: Universe, mishap: Mishap) -> None:
    """Let it go wrong from now on."""
    fields = dict(mishap.fields)
    seconds = fields.pop("lasting")
    service = "ecs" if mishap.operation == "UpdateTaskProtection" else "servicediscovery"
    fault = {"operation": mishap.operation, "service": service, "until": universe.clock.now() + seconds}
    if mishap.operation.startswith("Operation."):
        # What Cloud Map does after it has answered is nobody's call.
        universe.world.faults.add(Fault(kind=mishap.kind, **fault, **fields))
    else:
        universe.fault(mishap.kind, **fault, **fields)


def watched(story: Story, **options: Any) -> tuple[Universe, Clients]:
    """Tell the beginning of a story; return its universe with clients from there on."""
    universe = tell(story, universe=universe_with(Crashes(armed=False)), settling=5)
    return universe, Clients(Name(universe), ttl=TTL, **options).start()


@pytest.mark.parametrize("mishap", MISHAPS.values(), ids=MISHAPS)
def test_an_update_through_a_mishap(mishap: Mishap) -> None:
    """The update waits for as long as it must, nobody is let down, and it ends as on any other day."""
    universe, clients = watched(_BEGUN, register=30 + mishap.slower, notice=120 + mishap.slower)
    begin(universe, mishap)
    apply(rolling("web:2"))(universe)
    universe.settle(lambda: complete("web:2")(universe), within=7200)
    universe.run(120)
    assert clients.stop().bad == []
    assert picture(universe) == picture(tell(BY_NAME["rolling update"]))


@pytest.mark.parametrize("mishap", MISHAPS.values(), ids=MISHAPS)
def test_a_rollback_by_name_through_a_mishap(mishap: Mishap) -> None:
    """The rules go back at once all the same; the name follows when AWS lets it, and tasks only after it."""
    story = BY_NAME["canary by name and rules, rolled back"]
    universe, clients = watched(
        Story("half", story.steps[:2]), register=30 + mishap.slower, notice=120 + mishap.slower
    )
    begin(universe, mishap)
    began = universe.clock.now()
    said("abort")(universe)
    universe.settle(lambda: _one_group(universe), within=60)
    assert universe.clock.now() - began < 10
    universe.settle(lambda: rolled_back(universe), within=7200)
    universe.run(300)
    assert clients.stop().bad == []
    assert Name(universe).shares() == {"a": REPLICAS}


def _one_group(universe: Universe) -> bool:
    """Tell whether no production rule forwards to two groups."""
    return len(production(universe)) == 1


@pytest.mark.parametrize("visible", [5.0, 25.0], ids=["clients see late", "clients see very late"])
@pytest.mark.parametrize("name", ["rolling update", "canary by name", "scaled out and in"])
def test_what_counts_is_what_clients_see(name: str, visible: float) -> None:
    """The books of Cloud Map are ahead of its answers: who trusts SUCCESS would let clients down."""
    universe = universe_with(Crashes(armed=False))
    cloud = universe.world.services["servicediscovery"]
    pace = dataclasses.replace(cloud.settings.pace, visible=visible)
    cloud.settings = dataclasses.replace(cloud.settings, pace=pace)
    story = BY_NAME[name]
    tell(Story(name, story.steps[:1]), universe=universe, settling=visible)
    clients = Clients(Name(universe), ttl=TTL, register=30 + visible, notice=120 + visible).start()
    tell(Story(name, story.steps[1:]), universe=universe)
    assert clients.stop().bad == []
    assert picture(universe) == picture(tell(story))


@pytest.mark.parametrize(
    ("wishes", "image", "count"),
    [
        pytest.param([rolling("web:2"), rolling("web:2", replicas=6)], "web:2", 6, id="more tasks"),
        pytest.param([rolling("web:2"), rolling("web:2", replicas=2)], "web:2", 2, id="fewer tasks"),
        pytest.param([rolling("web:2"), rolling("web:3")], "web:3", 4, id="another revision"),
        pytest.param([rolling("web:2"), rolling("web:1")], "web:1", 4, id="the first revision again"),
        pytest.param([rolling(replicas=6), rolling(replicas=2), rolling()], "web:1", 4, id="out, in, back"),
    ],
)
def test_another_state_is_wanted_while_operations_crawl(
    wishes: list[dict[str, Any]], image: str, count: int
) -> None:
    """Each operation takes a minute, and every 45 seconds something else is wanted: the last wish comes."""
    universe, clients = watched(_BEGUN, register=400, notice=500)
    begin(universe, Mishap(kind="latency", operation="Operation.*", fields={"seconds": 60} | lasting(600)))
    for wish in wishes:
        apply(wish)(universe)
        universe.run(45)
    universe.settle(lambda: complete(image, count=count)(universe), within=7200)
    universe.run(120)
    assert clients.stop().bad == []


def test_a_canary_is_called_back_before_it_was_seen() -> None:
    """Aborted while its entries are still being registered: none of them is left, or was ever dead."""
    universe, clients = watched(Story("begun", BY_NAME["canary by name"].steps[:1]), register=200, notice=300)
    begin(universe, Mishap(kind="latency", operation="Operation.*", fields={"seconds": 40} | lasting(300)))
    apply(canary("web:2"))(universe)
    universe.settle(lambda: bool(_pending(universe)), within=300)
    said("abort")(universe)
    universe.settle(lambda: rolled_back(universe), within=3600)
    universe.run(300)
    assert clients.stop().bad == []
    assert Name(universe).shares() == {"a": REPLICAS}


def _pending(universe: Universe) -> list[str]:
    region = universe.world.services["servicediscovery"].state.region(universe.world.caller)
    return [key for key in region.busy if key.startswith("instance/")]


def test_tasks_die_and_are_replaced() -> None:
    """Crashes at rest: the dead leave the name within `notice`, the new ones come, the others stay."""
    universe, clients = watched(_BEGUN)
    runtime = universe.world.outside.runtime
    assert runtime is not None
    for _ in range(3):
        launch = runtime.running()[0]
        runtime.crash(launch.task_arn, launch.containers[0].name)
        universe.run(20)
    universe.settle(lambda: complete("web:1")(universe), within=600)
    universe.run(120)
    assert clients.stop().bad == []


def entry(universe: Universe) -> dict[str, str]:
    """Return service and instance id of one of our entries, as a person at the console names it."""
    found = Name(universe).found()
    assert found is not None
    return {"ServiceId": found[1].id, "InstanceId": min(found[1].instances)}


def deregister(universe: Universe) -> None:
    """Remove an entry by hand."""
    universe.aws("servicediscovery", "DeregisterInstance", **entry(universe))


def readdress(universe: Universe) -> None:
    """Give an entry another port and another tag by hand."""
    attributes = dict(Name(universe).found()[1].instances[entry(universe)["InstanceId"]].attributes)  # type: ignore[index]
    attributes |= {"AWS_INSTANCE_PORT": "9", "note": "by hand"}
    universe.aws("servicediscovery", REGISTER, Attributes=attributes, **entry(universe))


def sicken(universe: Universe) -> None:
    """Say by hand that an entry is unhealthy."""
    universe.aws(
        "servicediscovery", "UpdateInstanceCustomHealthStatus", Status="UNHEALTHY", **entry(universe)
    )


@pytest.mark.parametrize("edit", [deregister, readdress, sicken])
def test_an_edit_by_hand_is_repaired(edit: Callable[[Universe], None]) -> None:
    """Within a look or two everything is as it was."""
    universe, clients = watched(_BEGUN)
    before = _attributes(universe)
    edit(universe)
    universe.run(15)
    universe.settle(lambda: _attributes(universe) == before and complete("web:1")(universe), within=1200)
    universe.run(60)
    assert clients.stop().bad == []


def test_somebody_elses_entry_stays() -> None:
    """It is counted, and left alone through an update and the route's deletion."""
    universe, _ = watched(_BEGUN)
    theirs = {"ServiceId": entry(universe)["ServiceId"], "InstanceId": "theirs"}
    attributes = {"AWS_INSTANCE_IPV4": "10.9.9.9"}
    universe.aws("servicediscovery", REGISTER, Attributes=attributes, **theirs)
    universe.settle(lambda: universe.status(ROUTE)["discovery"].get("foreign") == 1, within=1200)
    apply(rolling("web:2"))(universe)
    universe.settle(lambda: ready(universe) and len(Name(universe).entries()) == REPLICAS + 1, within=3600)
    found = universe.aws("servicediscovery", "GetInstance", **theirs)["Instance"]["Attributes"]
    assert found == attributes


def test_a_service_that_was_deleted_is_made_again() -> None:
    """With its entries, under the same name."""
    universe, _ = watched(_BEGUN)
    found = Name(universe).found()
    assert found is not None
    for instance in list(found[1].instances):
        universe.aws("servicediscovery", "DeregisterInstance", ServiceId=found[1].id, InstanceId=instance)
    universe.clock.advance(5.5)  # before the operator looks again
    universe.aws("servicediscovery", "DeleteService", Id=found[1].id)
    universe.settle(lambda: complete("web:1")(universe), within=1800)
    again = Name(universe).found()
    assert again is not None
    assert again[1].id != found[1].id


def test_a_backend_that_is_not_there_is_told() -> None:
    """The name waits for it, and is complete when it comes."""
    universe = universe_with()
    apply(named())(universe)
    universe.settle(lambda: universe.reason(ROUTE) == "BackendNotFound", within=120)
    apply(deployment(replicas=REPLICAS))(universe)
    universe.settle(lambda: complete("web:1")(universe), within=600)


@pytest.mark.parametrize(
    "operation", ["CreateService", "CreatePrivateDnsNamespace", REGISTER, "ListInstances"]
)
def test_denied_is_told_and_heals(operation: str) -> None:
    """A missing permission is Stalled/AccessDenied with the action's name, and heals when granted."""
    universe = universe_with()
    universe.fault("deny", service="servicediscovery", operation=operation)
    apply(rolling(), named())(universe)
    universe.settle(lambda: universe.reason(ROUTE) == "AccessDenied", within=300)
    assert operation in universe.condition("Stalled", ROUTE)["message"]
    universe.heal()
    universe.settle(lambda: complete("web:1")(universe), within=1200)


def test_a_canary_waits_for_a_name_that_cannot_be_proved() -> None:
    """Registering is denied: the rollout does not go on, no live task stops, and it says why."""
    universe, clients = watched(Story("begun", BY_NAME["canary by name"].steps[:1]))
    universe.fault("deny", service="servicediscovery", operation=REGISTER)
    apply(canary("web:2"))(universe)
    universe.run(300)
    assert Name(universe).shares() == {"a": REPLICAS}
    assert universe.status()["rollout"].get("provenWeight", 0) == 0
    assert universe.reason(ROUTE) == "AccessDenied"
    universe.heal()
    universe.settle(lambda: proved(1, a=3, b=1)(universe), within=1800)
    assert clients.stop().bad == []
    assert not gone(universe)
    assert universe.obj(WEB)


def _attributes(universe: Universe) -> dict[str, dict[str, str]]:
    found = Name(universe).found()
    return {item.id: dict(item.attributes) for item in found[1].instances.values()} if found else {}
