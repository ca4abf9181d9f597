"""Rollouts of Deployments whose tasks have a name: no client is left with nobody or with the dead.

What every story of names must hold is test_discovery_crashes.py's; here stands what a Deployment does of it:
what it waits for, in which order, what it tells, and how a person gets out when Cloud Map does not answer.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sim.discovery_observer import Clients
from sim.discovery_stories import (
    DOMAIN,
    REPLICAS,
    TTL,
    canary,
    complete,
    discovery,
    named,
    ready,
    rolling,
    universe_with,
)
from sim.names import Name
from sim.progressive_stories import at_step, verb
from sim.stories import apply
from sim.universe import ROUTE, WEB, Universe, route

SLOW = 30.0
"""Seconds that Cloud Map takes at the least to take entries out of every answer: custom health."""


def begun(*manifests: dict[str, Any], count: int = REPLICAS) -> tuple[Universe, Clients]:
    """Return a universe in which the first revision runs and answers to its name, and the name's clients."""
    universe = universe_with()
    apply(*manifests)(universe)
    universe.settle(lambda: complete("web:1", count=count)(universe))
    return universe, Clients(Name(universe), ttl=TTL).start()


def over(universe: Universe) -> bool:
    """Tell whether a rollback is over and the route is at rest."""
    return "rollout" not in universe.status() and universe.reason() == "RolledBack" and universe.ready(ROUTE)


def slots(universe: Universe) -> dict[str, int]:
    """Return the running tasks of each slot."""
    arns = {slot["serviceArn"]: slot["name"] for slot in universe.status()["slots"]}
    found: dict[str, int] = {}
    for task in Name(universe).tasks().values():
        if task.serves and task.service_arn in arns:
            found[arns[task.service_arn]] = found.get(arns[task.service_arn], 0) + 1
    return found


def told(universe: Universe, text: str, seconds: float) -> bool:
    """Tell whether the Deployment says `text` at some time within `seconds`."""
    for _ in range(int(seconds)):
        if text in str(universe.condition("Ready").get("message")):
            return True
        universe.run(1)
    return False


# Rolling.


def test_a_rolling_update_waits_for_names_and_is_no_stall() -> None:
    """Longer than its deadline, because old tasks are protected; complete only when they are gone."""
    universe, clients = begun(rolling(progressDeadlineSeconds=30), named())
    apply(rolling("web:2", progressDeadlineSeconds=30))(universe)
    assert told(universe, "tasks of the old revision stop once their entries left Cloud Map", 60)
    while not complete("web:2")(universe):
        assert universe.reason() in ("RollingOut", "Available"), universe.told()
        universe.run(1)
    assert universe.status()["history"][0]["durationSeconds"] > SLOW
    assert clients.stop().bad == []


def test_a_scale_in_is_told_while_names_let_go() -> None:
    """RollingOut with numbers; never stalled, never fewer than asked for."""
    universe, clients = begun(rolling(replicas=6), named(), count=6)
    apply(rolling(replicas=2))(universe)
    assert told(universe, "4 more stop once their entries left Cloud Map", 20)
    universe.settle(lambda: complete("web:1", count=2)(universe))
    assert clients.stop().bad == []


@pytest.mark.parametrize(
    "strategy",
    [
        pytest.param(
            {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "50%"}}, id="50/100"
        ),
        pytest.param(
            {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}, id="100/125"
        ),
    ],
)
def test_no_strategy_of_ecs_is_held_for_ever(strategy: dict[str, Any]) -> None:
    """Protected tasks count against the maximum: enough are let go for the next ones to begin."""
    universe, clients = begun(rolling(strategy=strategy), named())
    apply(rolling("web:2", strategy=strategy))(universe)
    universe.settle(lambda: complete("web:2")(universe), within=1800)
    assert clients.stop().bad == []


def test_recreate_takes_the_name_along() -> None:
    """Nobody answers between the two, as Recreate means; but nobody is sent to the dead either."""
    universe = Universe(seed=7)  # no guard: the last healthy entry is meant to go
    strategy = {"type": "Recreate"}
    apply(rolling(strategy=strategy), named())(universe)
    universe.settle(lambda: complete("web:1")(universe))
    clients = Clients(Name(universe), ttl=TTL).start()
    apply(rolling("web:2", strategy=strategy))(universe)
    universe.settle(lambda: complete("web:2")(universe), within=1800)
    assert [text for text in clients.stop().bad if "nobody is healthy" not in text] == []


def test_another_cluster_takes_the_name_over() -> None:
    """The old service goes after names were seen to answer without its tasks."""
    universe, clients = begun(rolling(), named())
    moved = copy.deepcopy(rolling())
    moved["spec"]["ecs"]["cluster"] = "second"
    apply(moved)(universe)
    assert told(universe, "stays until names answer without it (ServiceRoute web)", 300)
    universe.settle(lambda: complete("web:1")(universe) and "retiring" not in universe.status(), within=1800)
    assert clients.stop().bad == []


# Progressive.


def test_a_canary_by_name_alone_goes_back_by_name() -> None:
    """The candidate's tasks live until no client may hold them; the seconds are the names'."""
    universe, clients = begun(canary(), named())
    apply(canary("web:2"))(universe)
    universe.settle(lambda: at_step(1)(universe))
    assert Name(universe).shares() == {"a": 3, "b": 1}
    verb(universe, "abort")
    universe.run(SLOW)
    assert slots(universe)["b"] > 0
    assert universe.status()["rollout"]["rollback"].keys() == {"decidedAt"}
    assert universe.status()["phase"] == "RollingBack"
    universe.settle(lambda: over(universe))
    entry = universe.status()["history"][0]
    assert entry["rollbackSeconds"] == entry["rollbackDiscoverySeconds"] > SLOW
    assert slots(universe) == {"a": REPLICAS}
    assert clients.stop().bad == []


def test_a_slot_that_was_just_made_waits_for_no_name() -> None:
    """Nobody is sent to it: its definition is registered once, and its service gets it at once."""
    universe, _ = begun(canary(), named())
    before = len(universe.writes())
    apply(canary("web:2"))(universe)
    universe.settle(lambda: at_step(1)(universe))
    own = [name for name in universe.writes()[before:] if name in _OWN]
    assert own == ["RegisterTaskDefinition", "CreateService"]


_OWN = ("RegisterTaskDefinition", "CreateService", "UpdateService")


def test_rules_go_back_in_a_moment_and_names_in_a_minute() -> None:
    """The first write is the rule's; each plane is told by itself."""
    universe, clients = begun(canary(), named(rules=True))
    apply(canary("web:2"))(universe)
    universe.settle(lambda: at_step(1)(universe))
    before = len(universe.writes())
    verb(universe, "abort")
    universe.settle(lambda: over(universe))
    assert universe.writes()[before] == "ModifyRule"
    entry = universe.status()["history"][0]
    assert entry["rollbackSeconds"] < 2 < SLOW < entry["rollbackDiscoverySeconds"]
    assert clients.stop().bad == []


def test_an_undo_tells_each_plane() -> None:
    """From the warm standby: rules in a moment, names after; nobody is without an answer."""
    universe, clients = begun(canary(), named(rules=True))
    apply(canary("web:2"))(universe)
    universe.settle(lambda: at_step(1)(universe))
    verb(universe, "promote-full")
    universe.settle(lambda: complete("web:2")(universe) and "standby" in universe.status())
    verb(universe, "undo")
    universe.settle(lambda: over(universe))
    entry = universe.status()["history"][0]
    assert entry["rollbackSeconds"] < 2 < SLOW < entry["rollbackDiscoverySeconds"]
    assert clients.stop().bad == []


# Cloud Map does not answer.


def denied(universe: Universe) -> None:
    """Let nothing more be taken out of Cloud Map."""
    for operation in ("DeregisterInstance", "UpdateInstanceCustomHealthStatus"):
        universe.fault(
            "error",
            service="servicediscovery",
            operation=operation,
            code="AccessDeniedException",
            message="not authorized",
            status=400,
        )


def test_a_rollback_does_not_wait_for_cloud_map_but_its_tasks_do() -> None:
    """Rules and decision go on, whose entries keep the tasks is told, and mending ends it."""
    universe, clients = begun(canary(), named(rules=True))
    apply(canary("web:2"))(universe)
    universe.settle(lambda: at_step(1)(universe))
    denied(universe)
    verb(universe, "abort")
    universe.run(600)
    rollout = universe.status()["rollout"]
    assert (rollout["stage"], rollout["rollback"]["rulesSeconds"] < 2) == ("CleaningUp", True)
    assert slots(universe)["b"] > 0
    assert "web (discovery)" in universe.condition("Ready")["message"], universe.told()
    universe.heal()
    universe.settle(lambda: over(universe), within=1800)
    assert clients.stop().bad == []


def test_a_person_gets_out_by_taking_discovery_away() -> None:
    """What is not asked for any more, and cannot be taken away, keeps no task."""
    universe, _ = begun(canary(), named(rules=True))
    apply(canary("web:2"))(universe)
    universe.settle(lambda: at_step(1)(universe))
    denied(universe)
    verb(universe, "abort")
    universe.run(300)
    assert slots(universe)["b"] > 0
    apply(route())(universe)
    universe.settle(lambda: universe.reason() == "RolledBack" and "rollout" not in universe.status())
    universe.settle(lambda: slots(universe) == {"a": REPLICAS})


# The end.


@pytest.mark.parametrize("kind", ["rolling", "canary"])
def test_a_deleted_deployment_waits_until_nobody_is_sent_to_it(kind: str) -> None:
    """InUse while entries are there; then its tasks go, and nothing was dead in any answer before."""
    universe, clients = begun(rolling() if kind == "rolling" else canary(), named())
    universe.cluster.delete(WEB)
    universe.run(5)
    assert universe.reason() == "InUse", universe.told()
    assert "ServiceRoute web" in universe.condition("Ready")["message"]
    universe.settle(lambda: universe.gone(WEB))
    assert Name(universe).entries() == []
    assert [text for text in clients.stop().bad if "nobody is healthy" not in text] == []


def test_retain_leaves_the_tasks() -> None:
    """Nothing is waited for, and nothing stops."""
    universe, _ = begun(rolling(deletionPolicy="Retain"), named())
    universe.cluster.delete(WEB)
    universe.settle(lambda: universe.gone(WEB), within=60)
    assert [service["runningCount"] for service in universe.services()] == [REPLICAS]


# Mode ECS.


def registries(universe: Universe) -> list[str]:
    """Return the registries of the one service."""
    (service,) = universe.services()
    return [entry["registryArn"] for entry in service.get("serviceRegistries", ())]


def handed(universe: Universe, count: int = REPLICAS) -> bool:
    """Tell whether ECS registered all tasks itself and both objects are Ready."""
    entries = [entry for entry in Name(universe).entries() if entry.healthy]
    own = all(not entry.ours for entry in entries)
    return ready(universe) and own and len(entries) == count and bool(registries(universe))


def test_a_name_is_handed_to_ecs_and_taken_back() -> None:
    """Given with the route, kept through an update, taken away with it."""
    universe = universe_with()
    apply(rolling(), named("ECS"))(universe)
    universe.settle(lambda: handed(universe), within=1800)
    assert universe.status()["registries"] == registries(universe)
    apply(rolling("web:2"))(universe)
    universe.settle(lambda: handed(universe) and not universe.status().get("rollout"), within=1800)
    universe.cluster.delete(ROUTE)
    universe.settle(lambda: universe.gone(ROUTE) and universe.ready(WEB), within=1800)
    assert registries(universe) == []
    assert "registries" not in universe.status()


@pytest.mark.parametrize("back", [False, True], ids=["to ECS", "to Tasks"])
def test_the_mode_changes_without_a_gap(*, back: bool) -> None:
    """Whoever registers next is seen before the other's entries go."""
    universe = universe_with()
    apply(rolling(), named("ECS" if back else "Tasks"))(universe)
    first = handed if back else complete("web:1")
    universe.settle(lambda: first(universe), within=1800)
    clients = Clients(Name(universe), ttl=TTL, ecs_registers=True).start()
    apply(named("Tasks" if back else "ECS"))(universe)
    done = complete("web:1") if back else handed
    universe.settle(lambda: done(universe) and (not back or not registries(universe)), within=1800)
    assert clients.stop().bad == []


def test_progressive_takes_no_registry() -> None:
    """The route tells; the Deployment goes its way, and one that has a registry stays as it is."""
    universe = universe_with()
    apply(canary(), named("ECS"))(universe)
    universe.settle(lambda: universe.ready(WEB))
    assert registries(universe) == []
    assert universe.condition("Stalled", ROUTE)["reason"] == "InvalidSpec", universe.told()
    universe = universe_with()
    apply(rolling(), named("ECS"))(universe)
    universe.settle(lambda: handed(universe), within=1800)
    apply(canary("web:2"))(universe)
    universe.run(60)
    assert universe.reason() == "InvalidSpec"
    assert "discovery mode ECS" in universe.condition("Ready")["message"]
    assert registries(universe), "what works goes on"


def test_the_name_of_these_stories_is_what_they_ask_for() -> None:
    """A story of another name would prove nothing."""
    asked = discovery()
    assert (asked["serviceName"], asked["namespaceRef"]["name"], TTL) == ("web", DOMAIN, 10)


def checked(image: str = "web:1", **env: str) -> dict[str, Any]:
    """Return the progressive Deployment whose containers have a check of their own."""
    made = canary(image)
    (container,) = made["spec"]["template"]["spec"]["containers"]
    container["livenessProbe"] = {
        "exec": {"command": ["/bin/health"]},
        "periodSeconds": 5,
        "failureThreshold": 10,
    }
    container["env"] = [{"name": name, "value": value} for name, value in env.items()]
    return made


def test_a_candidate_whose_containers_are_ill_gets_no_name() -> None:
    """Without a target group a task is as healthy as its containers say; running is not enough."""
    universe, clients = begun(checked(), named())
    apply(checked("web:2", SANDBOX_UNHEALTHY="1"))(universe)
    assert told(universe, "0 of 2 targets healthy", 60), universe.told()
    universe.run(60)
    assert Name(universe).shares() == {"a": REPLICAS}
    verb(universe, "abort")
    universe.settle(lambda: over(universe))
    assert clients.stop().bad == []
