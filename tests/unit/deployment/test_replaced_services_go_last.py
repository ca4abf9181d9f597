"""What a replaced service and an old task definition wait for before they go."""

from __future__ import annotations

import dataclasses

import pytest

from sluice.model.binding import Priority
from sluice.model.observed import Observed, ServiceId
from sluice.plan.deployment import retire
from sluice.plan.deployment.discovery import Listing
from sluice.plan.deployment.registries import wanted
from sluice.plan.deployment.state import Live, Slot, State, TargetGroup
from unit.deployment.wishes import ARN, NOW, desired

ONE = TargetGroup(name="one", arn="arn:one")
TWO = TargetGroup(name="two", arn="arn:two")
INTENT = TargetGroup(name="intent")
BOTH = frozenset({"10.0.0.1", "10.0.0.2"})
PORTS = frozenset({"i-1:49153", "i-1:49154", "i-2:49153"})


@pytest.mark.parametrize(
    ("groups", "addresses", "healthy", "running", "carries"),
    [
        pytest.param((), None, {}, 2, True, id="no load balancer"),
        pytest.param((INTENT,), BOTH, {}, 2, True, id="its group is not made yet"),
        pytest.param((ONE,), BOTH, {"arn:one": BOTH}, 2, True, id="each task healthy"),
        pytest.param((ONE,), BOTH, {"arn:one": BOTH | {"10.0.0.9"}}, 2, True, id="and others beside them"),
        pytest.param((ONE,), BOTH, {"arn:one": frozenset({"10.0.0.1"})}, 2, False, id="one task is not"),
        pytest.param((ONE,), BOTH, {}, 2, False, id="health unknown"),
        pytest.param((ONE, TWO), BOTH, {"arn:one": BOTH, "arn:two": BOTH}, 2, True, id="in both groups"),
        pytest.param((ONE, TWO), BOTH, {"arn:one": BOTH}, 2, False, id="in one group of two"),
        pytest.param((ONE,), None, {"arn:one": BOTH}, 2, False, id="tasks not looked at"),
        pytest.param((ONE,), frozenset(), {"arn:one": PORTS}, 2, True, id="by instance, all of both"),
        pytest.param((ONE,), frozenset(), {"arn:one": PORTS}, 3, False, id="by instance, one is missing"),
        pytest.param((ONE, TWO), frozenset(), {"arn:one": PORTS}, 2, False, id="by instance, in one group"),
        pytest.param((ONE,), None, {"arn:one": PORTS}, 2, False, id="by instance, not looked at"),
        pytest.param((ONE,), frozenset(), {}, 0, True, id="scaled to zero"),
        pytest.param((ONE,), None, {}, 0, True, id="scaled to zero, not looked at"),
    ],
)
def test_the_successor_must_be_seen_to_serve(
    groups: tuple[TargetGroup, ...],
    addresses: frozenset[str] | None,
    healthy: dict[str, frozenset[str]],
    running: int,
    *,
    carries: bool,
) -> None:
    """Every running task, healthy in every group it is a target of; nothing runs: nothing to prove.

    Beside it one task of a replaced service runs, and two of one that is being deleted.
    """
    services = {
        ServiceId("main", "old"): {"status": "ACTIVE", "runningCount": 1},
        ServiceId("main", "older"): {"status": "DRAINING", "runningCount": 2},
        ServiceId("main", "bare"): {"status": "ACTIVE"},
    }
    seen = Observed(addresses=addresses, healthy=healthy, services=services)
    retiring = tuple(Slot(cluster="main", service_name=name) for name in ("old", "older", "bare", "gone"))
    assert retire.carries_load(seen, groups, running=running, retiring=retiring) is carries


def test_only_what_is_active_is_deleted() -> None:
    """One on its way out, gone, or not looked at costs no call."""
    slots = tuple(Slot(cluster="main", service_name=name) for name in ("up", "draining", "gone", "unseen"))
    services = {"up": {"status": "ACTIVE"}, "draining": {"status": "DRAINING"}, "gone": None}
    seen = Observed(services={ServiceId("main", name): found for name, found in services.items()})
    (action,) = retire.retire(slots, seen, successor="next")
    assert (action.operation, action.params["service"], action.params["force"]) == (
        "DeleteService",
        "up",
        True,
    )
    assert action.reason == "next has replaced it"


WISH = desired(history_limit=0)
OWN = tuple((f"d{number}", f"{ARN}:task-definition/{WISH.family}:{number}") for number in range(3))
FOREIGN = ("foreign", f"{ARN}:task-definition/theirs:1")
LIVE = Live(revision="web-0", task_definition=OWN[0][1], since=NOW)
RUNS = Slot(task_definition=OWN[0][1])


@pytest.mark.parametrize(
    ("state", "taken"),
    [
        pytest.param(State(), OWN[0][1], id="the oldest"),
        pytest.param(State(slot=RUNS), OWN[1][1], id="not what the slot runs"),
        pytest.param(State(retiring=(RUNS,)), OWN[1][1], id="not what a replaced service runs"),
        pytest.param(State(live=LIVE), OWN[1][1], id="not what is live"),
    ],
)
def test_old_definitions_go_one_by_one(state: State, taken: str) -> None:
    """One of our family that nothing runs, a pass: deregistering shares a bucket with registering."""
    known = dataclasses.replace(state, definitions=(FOREIGN, *OWN))
    (action,) = retire.garbage(WISH, known)
    assert (action.operation, action.params) == ("DeregisterTaskDefinition", {"taskDefinition": taken})
    assert action.priority is Priority.GARBAGE


@pytest.mark.parametrize(
    ("limit", "definitions"),
    [
        pytest.param(3, OWN, id="within the limit"),
        pytest.param(0, (FOREIGN,), id="of another family"),
        pytest.param(0, ((WISH.revision.definition_hash, OWN[0][1]),), id="what is deployed now"),
    ],
)
def test_definitions_that_stay(limit: int, definitions: tuple[tuple[str, str], ...]) -> None:
    """The history's, somebody else's (it came with an adopted service) and the effective revision's."""
    assert retire.garbage(desired(history_limit=limit), State(definitions=definitions)) == ()


def test_a_route_that_wants_no_entries_keeps_no_registry() -> None:
    """Only a route of mode Tasks takes over from ECS: one that left the Deployment is no reason to wait."""
    service = {"serviceRegistries": [{"registryArn": "arn:registry"}]}
    left = Listing(route="corp", mode="")
    assert wanted(desired(), State(registries=("arn:registry",)), service, (left,)) == []
