"""A rolling Deployment whose tasks are listed in Cloud Map: traffic without groups, and tasks that wait."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.observed import Observed
from sluice.plan.deployment.planner import DeploymentPlan, plan
from sluice.plan.deployment.state import State
from unit.deployment.test_discovery import DENIED, known, route
from unit.deployment.wishes import BACKEND, KEY, NOW, PLACE, carry_out, converge, desired


def told(done: DeploymentPlan) -> tuple[str, str]:
    """Return reason and message of Ready."""
    ready = done.status["conditions"][0]
    return str(ready["reason"]), str(ready["message"])


def proof(done: DeploymentPlan | State, **changes: Any) -> dict[str, Any]:
    """Return `status.discovery` that proves what is published."""
    traffic = (done if isinstance(done, State) else done.state).traffic
    assert traffic is not None
    acknowledged = {
        "name": KEY.name,
        "uid": traffic.uid,
        "rolloutId": traffic.rollout_id,
        "seq": traffic.seq,
        "hash": traffic.hash,
        "routeGeneration": 2,
        "verifiedAt": traffic.verify_after + 1,
    }
    return known(acknowledgement=acknowledged | changes)


def moving(seen: Observed, *, state: str, **counts: int) -> Observed:
    """Return what is seen with two tasks of the new revision and some that are on their way out."""
    service = seen.services[PLACE]
    assert service is not None
    primary = {**service["deployments"][0], "rolloutState": state, "runningCount": 2}
    former = {"status": "ACTIVE", "id": "old", "runningCount": counts["runningCount"] - 2}
    parts = [primary, former] if state == "IN_PROGRESS" else [primary]
    return dataclasses.replace(seen, services={PLACE: {**service, "deployments": parts, **counts}})


def test_traffic_is_published_for_names_without_any_group() -> None:
    """Once, with everything on the one slot; a rolling deployment changes nothing of it."""
    done, seen = converge(desired(listed=True))
    traffic = done.state.traffic
    assert traffic is not None
    assert (traffic.seq, dict(traffic.weights), traffic.targets) == (1, {"a": 100}, ())
    newer, _ = converge(desired(image="web:2", listed=True, generation=2), state=done.state, seen=seen)
    assert newer.state.traffic == traffic


def test_a_group_that_becomes_healthy_later_is_told_beside_the_names() -> None:
    """Another seq, because rules have something to write by then."""
    wish = desired(listed=True, backends=(BACKEND,))
    done, seen = converge(wish)
    assert done.state.traffic is not None
    (group,) = done.state.target_groups
    seen = dataclasses.replace(seen, healthy={group.arn: frozenset({"10.0.0.1"})})
    after = plan(wish, seen, done.state, now=NOW)
    assert after.state.traffic is not None
    assert (after.state.traffic.seq, len(after.state.traffic.targets)) == (2, 1)


def test_a_route_with_rules_and_names_is_listed_once_both_proved() -> None:
    """`status.routes`: neither plane alone is a proof of the route."""
    wish = desired(listed=True)
    done, seen = converge(wish)
    obj = route(discovery=proof(done))
    assert [e["name"] for e in plan(wish, seen, done.state, now=NOW, routes=[obj]).status["routes"]] == [
        "corp"
    ]
    obj["spec"]["rules"] = [{"backendRefs": [{"name": KEY.name, "port": "http"}]}]
    assert "routes" not in plan(wish, seen, done.state, now=NOW, routes=[obj]).status
    rules = {**proof(done)["acknowledgement"], "verifiedAt": NOW + 90}
    obj["status"]["backends"] = [rules]
    (entry,) = plan(wish, seen, done.state, now=NOW, routes=[obj]).status["routes"]
    assert entry["verifiedAt"] == NOW + 90


@pytest.mark.parametrize("now", [NOW, NOW + 4000], ids=["at once", "past the deadline"])
def test_protected_tasks_of_the_old_revision_are_no_stall(now: float) -> None:
    """The revision runs completely; ECS says IN_PROGRESS until the last entry left."""
    wish = desired(listed=True)
    first = plan(wish, Observed(), State(), now=NOW)
    seen = moving(carry_out(Observed(), first.actions), state="IN_PROGRESS", runningCount=4)
    done = plan(wish, seen, State.read(first.status), now=now)
    reason, message = told(done)
    assert reason == "RollingOut"
    assert message.endswith("tasks of the old revision stop once their entries left Cloud Map")


SETTLED = {"settled": True}


@pytest.mark.parametrize(
    ("discovery", "waits"),
    [
        pytest.param(SETTLED, False, id="settled"),
        pytest.param(SETTLED | {"pendingOperations": 1}, True, id="one is being registered"),
        pytest.param(
            SETTLED | {"leaving": [{"stage": "released", "instances": ["x"]}]}, True, id="old tasks end"
        ),
        pytest.param({"settled": False}, True, id="the new ones are not protected yet"),
        pytest.param({"instances": 0, "settled": False}, False, id="nobody is sent to them"),
    ],
)
def test_another_revision_waits_until_names_have_settled(discovery: dict[str, Any], *, waits: bool) -> None:
    """ECS would end tasks that it cannot protect yet and that clients are sent to; and so for fewer tasks."""
    done, seen = converge(desired(listed=True))
    routes = [route(discovery=known(**discovery))]
    for wish, what in (
        (desired(image="web:2", listed=True, generation=2), "revision web-"),
        (desired(replicas=1, listed=True, generation=2), "desiredCount 2 → 1 waits"),
    ):
        next_ = plan(wish, seen, done.state, now=NOW, routes=routes)
        operations = [action.operation for action in next_.actions]
        assert ("UpdateService" not in operations) is waits
        if waits:
            reason, message = told(next_)
            assert (reason, what in message, "(ServiceRoute corp)" in message) == ("RollingOut", True, True)
            assert next_.wake_at == NOW + 2
            assert "TagResource" not in operations, "the service still runs the revision before"


def test_more_tasks_need_not_wait_for_names() -> None:
    """Nothing ends for them."""
    done, seen = converge(desired(listed=True))
    moving_names = [route(discovery=known(pendingOperations=1))]
    wish = desired(image="web:2", replicas=4, listed=True, generation=2)
    (action,) = [
        entry
        for entry in plan(wish, seen, done.state, now=NOW, routes=moving_names).actions
        if entry.operation == "UpdateService"
    ]
    assert action.params["desiredCount"] == 4
    assert "taskDefinition" not in action.params


def test_a_cure_does_not_wait_for_broken_names() -> None:
    """The route tells that it cannot do its part; the Deployment goes on."""
    done, seen = converge(desired(listed=True))
    broken = [route(discovery=known(pendingOperations=1), conditions=(DENIED,))]
    wish = desired(image="web:2", listed=True, generation=2)
    assert "UpdateService" in [
        action.operation for action in plan(wish, seen, done.state, now=NOW, routes=broken).actions
    ]


def test_waves_that_wait_for_names_are_no_stall() -> None:
    """With no room beside the old tasks a revision gets its next ones when entries have left."""
    wish = desired(listed=True)
    first = plan(wish, Observed(), State(), now=NOW)
    seen = moving(carry_out(Observed(), first.actions), state="IN_PROGRESS", runningCount=2)
    (service,) = [entry for entry in seen.services.values() if entry]
    service["deployments"][0]["runningCount"] = 1
    leaves = route(discovery=known(leaving=[{"stage": "hidden", "instances": ["x"]}]))
    late = NOW + 4000
    done = plan(wish, seen, State.read(first.status), now=late, routes=[leaves])
    assert told(done)[0] == "RollingOut"
    service["deployments"][0]["failedTasks"] = 3
    done = plan(wish, seen, State.read(first.status), now=late, routes=[leaves])
    assert told(done)[0] == "ProgressDeadlineExceeded"


def test_a_cloud_map_that_denies_is_told_where_tasks_wait_for_it() -> None:
    """Whose entries, and what AWS says: a person has to act."""
    wish = desired(listed=True)
    first = plan(wish, Observed(), State(), now=NOW)
    seen = moving(carry_out(Observed(), first.actions), state="IN_PROGRESS", runningCount=4)
    denied = route(discovery=known(), conditions=(DENIED,))
    done = plan(wish, seen, State.read(first.status), now=NOW, routes=[denied])
    reason, message = told(done)
    assert reason == "AccessDenied"
    assert message.endswith("; ServiceRoute corp: no DeregisterInstance")


@pytest.mark.parametrize("listed", [True, False])
def test_a_scale_in_is_told_until_the_tasks_are_gone(*, listed: bool) -> None:
    """ECS wants two, and four run: protected while names answer with them."""
    wish = desired(listed=listed)
    done, seen = converge(wish)
    seen = moving(seen, state="COMPLETED", runningCount=4)
    reason, message = told(plan(wish, seen, done.state, now=NOW))
    assert reason == "RollingOut"
    assert ("2 more stop" in message, "entries left Cloud Map" in message) == (True, listed)


def test_a_replaced_service_stays_until_names_were_seen_without_it() -> None:
    """The proof from before the move is none: another seq asks for one after it."""
    done, seen = converge(desired(listed=True))
    before = done.state.traffic
    wish = desired(cluster="second", listed=True, generation=2)
    later = NOW + 100
    old = route(discovery=proof(done))
    state = done.state
    for _ in range(3):
        done = plan(wish, seen, state, now=later, routes=[old])
        state, seen = State.read(done.status), carry_out(seen, done.actions)
    assert before is not None
    assert state.traffic is not None
    assert (state.traffic.seq, state.traffic.verify_after) == (before.seq + 1, later)
    waiting = plan(wish, seen, state, now=later, routes=[old])
    assert [action.operation for action in waiting.actions] == []
    assert told(waiting)[0] == "Draining"
    assert "until names answer without it (ServiceRoute corp)" in told(waiting)[1]
    proved = plan(wish, seen, state, now=later, routes=[route(discovery=proof(state))])
    assert [action.operation for action in proved.actions] == ["DeleteService"]
