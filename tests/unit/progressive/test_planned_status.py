"""What a pass says: readiness, reasons and phase, when it looks again, events, and what is kept."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.actions import Note
from sluice.model.conditions import timestamp
from sluice.model.desired import Hold
from sluice.model.rollout import (
    Decision,
    Finished,
    Motion,
    SlotOrder,
    Standby,
)
from sluice.plan.deployment.planner import DeploymentPlan
from sluice.plan.deployment.state import State
from unit.deployment import wishes
from unit.progressive.planned import (
    BOTH,
    BOTH_SEEN,
    LIVE,
    NEW,
    NOW,
    OLD,
    R1,
    R2,
    REST,
    REST_SEEN,
    ROLLOUT,
    SPLIT,
    A,
    B,
    calls,
    changed,
    decision,
    planned,
    service_of,
)

MOVING = decision(A, B, rollout=ROLLOUT, traffic=SPLIT)
MORE = dataclasses.replace(A, count=5)
LEFT = dataclasses.replace(B, revision=None, count=None)
"""Slot b is left as it is."""


def at_rest(what: Decision, *, state: State = REST, **changes: Any) -> DeploymentPlan:
    """Return the plan over slot a at rest."""
    return planned(REST_SEEN, state, what, **changes)


def half_way(what: Decision = MOVING, *, state: State = BOTH, **changes: Any) -> DeploymentPlan:
    """Return the plan over both slots at a step."""
    return planned(BOTH_SEEN, state, what, **({"wish": NEW} | changes))


# -- readiness ----------------------------------------------------------------------------------------


def baking(*orders: SlotOrder, **changes: Any) -> Decision:
    """Return a decision that is not ready, with a reason of its own."""
    members = {"ready": False, "reason": "Baking", "message": "until noon", "phase": "Baking"}
    return decision(*orders, **(members | changes))


THIRD = wishes.desired(image="web:3", backends=(wishes.BACKEND,))
TO_THIRD = dataclasses.replace(B, revision=THIRD.revision.name)
WAITS = f"1 tasks of slot b stop before it gets revision {THIRD.revision.name}"
SAID: dict[str, tuple[Decision, tuple[str, str, str], str]] = {
    # decision → status and reason of Ready, phase, message
    "ready": (decision(A, LEFT), ("True", "Available", "Healthy"), "said by the machine"),
    "ready, but for a call": (
        decision(MORE, LEFT),
        ("False", "RollingOut", "Progressing"),
        "1 AWS calls bring the slots in line",
    ),
    "ready, but for tasks that stop": (
        decision(A, TO_THIRD),
        ("False", "RollingOut", "Progressing"),
        WAITS,
    ),
    "not ready": (baking(A, LEFT), ("False", "Baking", "Baking"), "until noon"),
    "not ready, and a call": (baking(MORE, LEFT), ("False", "Baking", "Baking"), "until noon"),
    "not ready, and tasks that stop": (
        baking(A, TO_THIRD),
        ("False", "Baking", "Baking"),
        f"until noon; {WAITS}",
    ),
    "a failure is not talked over": (
        baking(A, TO_THIRD, reason="RolledBack", phase="Degraded", message="errors"),
        ("False", "RolledBack", "Degraded"),
        "errors",
    ),
}


@pytest.mark.parametrize(("what", "said", "message"), SAID.values(), ids=SAID)
def test_the_one_sentence_of_a_pass(what: Decision, said: tuple[str, str, str], message: str) -> None:
    """Ready only when nothing is left to do; what the machine says comes first."""
    bodies = {wish.revision.name: wish.revision for wish in (OLD, NEW, THIRD)}
    done = half_way(what, wish=OLD, revisions=bodies)
    ready = done.status["conditions"][0]
    assert (ready["status"], ready["reason"], done.status["phase"]) == said
    assert ready["message"] == message


def test_a_hold_is_said_before_everything() -> None:
    """The spec cannot be followed: no machine's word makes that ready."""
    hold = Hold(reason="AWSRejected", message="no such role")
    done = at_rest(decision(), wish=dataclasses.replace(OLD, hold=hold))
    ready = done.status["conditions"][0]
    assert (ready["status"], ready["reason"], done.status["phase"]) == (
        "False",
        "AWSRejected",
        "Progressing",
    )
    assert ready["message"] == "no such role; said by the machine"
    assert done.wake_at == NOW + 2


# -- when to look again -----------------------------------------------------------------------------


def since(seconds: float) -> State:
    """Return the state of both slots, not ready for so long."""
    ready = {"type": "Ready", "status": "False", "reason": "RollingOut", "message": ""}
    return dataclasses.replace(BOTH, conditions=({**ready, "lastTransitionTime": timestamp(NOW - seconds)},))


def staged(seconds: float, **changes: Any) -> Decision:
    """Return the decision of a rollout whose stage began so long ago."""
    rollout = dataclasses.replace(ROLLOUT, stage_since=NOW - seconds)
    return decision(A, B, rollout=rollout, traffic=SPLIT, **changes)


TO_EMPTY = dataclasses.replace(B, revision=R1)
WAKES: dict[str, tuple[Decision, State, float | None, float | None]] = {
    # decision, state → what status tells, when the pass is made again
    "a rollout, often at first": (staged(10), since(9999), None, NOW + 2),
    "a rollout, a minute after": (staged(60), since(9999), None, NOW + 5),
    "a rollout, after long": (staged(9999), since(10), None, NOW + 15),
    "the machine's own time": (staged(9999, wake_at=NOW + 7.5), since(10), NOW + 7.5, NOW + 7.5),
    "later than the next look": (staged(10, wake_at=NOW + 60), since(10), NOW + 60, NOW + 2),
    "tasks stop": (
        decision(A, TO_EMPTY, rollout=ROLLOUT, traffic=SPLIT, wake_at=NOW + 60),
        since(10),
        NOW + 1,
        NOW + 1,
    ),
    "not ready without a rollout": (baking(A, LEFT), since(60), None, NOW + 5),
    "not ready for longer than anybody waits": (baking(A, LEFT), since(601), None, None),
    "ready": (decision(A, LEFT), since(10), None, None),
    "ready, and something ends later": (
        decision(A, LEFT, wake_at=NOW + 900),
        since(10),
        NOW + 900,
        NOW + 900,
    ),
}


@pytest.mark.parametrize(("what", "state", "told", "wake"), WAKES.values(), ids=WAKES)
def test_when_the_next_pass_is_made(
    what: Decision, state: State, told: float | None, wake: float | None
) -> None:
    """The soonest of what is waited for; people are told of times, not of looks."""
    done = half_way(what, state=state)
    assert done.wake_at == wake
    if what.motion.rollout:
        expected = None if told is None else timestamp(told)
        assert done.status["rollout"].get("wakeAt") == expected


# -- traffic ----------------------------------------------------------------------------------------

NEWEST: dict[str, tuple[Decision, State, str]] = {
    "the rollout's": (MOVING, dataclasses.replace(BOTH, history=({"id": "r1"},)), "r2"),
    "at rest, the newest one's that is over": (
        decision(A, LEFT, traffic=SPLIT),
        dataclasses.replace(BOTH, history=({"id": "r1"}, {"id": "r0"})),
        "r1",
    ),
    "at rest, none was ever": (decision(A, LEFT, traffic=SPLIT), BOTH, R2),
    "at rest, of a strange history": (
        decision(A, LEFT, traffic=SPLIT),
        dataclasses.replace(BOTH, history=({},)),
        R2,
    ),
}


@pytest.mark.parametrize(("what", "state", "rollout"), NEWEST.values(), ids=NEWEST)
def test_traffic_is_told_under_the_name_of_a_rollout(what: Decision, state: State, rollout: str) -> None:
    """Answers name it, so that none of an older one counts."""
    done = half_way(what, state=dataclasses.replace(state, traffic=None))
    assert done.state.traffic is not None
    assert done.state.traffic.rollout_id == rollout


def test_a_group_that_routes_were_not_told_of_is_looked_at_soon() -> None:
    """It becomes healthy in seconds, and requests wait for it."""
    seen = dataclasses.replace(
        BOTH_SEEN,
        healthy={arn: found for arn, found in BOTH_SEEN.healthy.items() if "-a/" in arn},
    )
    state = dataclasses.replace(BOTH, traffic=None)
    what = staged(9999)
    done = planned(seen, state, what, wish=NEW)
    assert done.wake_at == NOW + 2
    assert done.status["rollout"]["wakeAt"] == timestamp(NOW + 2)
    assert done.state.traffic is not None
    assert [target.slot for target in done.state.traffic.targets] == ["a"]
    assert half_way(what).wake_at == NOW + 15


def test_status_tells_which_routes_have_proved() -> None:
    """The routes that acknowledged what is published now."""
    traffic = BOTH.traffic
    assert traffic is not None
    proof = {
        "name": "web",
        "uid": traffic.uid,
        "rolloutId": traffic.rollout_id,
        "seq": traffic.seq,
        "hash": traffic.hash,
        "routeGeneration": 1,
        "verifiedAt": 5.0,
    }
    route = {
        "metadata": {"name": "shop", "uid": "u", "generation": 1},
        "spec": {"rules": [{"backendRefs": [{"name": "web"}]}]},
        "status": {"backends": [proof]},
    }
    done = half_way(routes=(route,))
    assert done.state.routes == ({"name": "shop", "uid": "u", "seq": 1, "verifiedAt": 5.0},)


# -- slots in status ----------------------------------------------------------------------------------

FIRST: dict[str, tuple[Motion, list[str]]] = {
    "slot a is live": (Motion(live=LIVE), ["a", "b"]),
    "slot b is live": (Motion(live=dataclasses.replace(LIVE, slot="b")), ["b", "a"]),
    "none is live yet": (Motion(), ["a", "b"]),
    "the live one is gone": (Motion(live=dataclasses.replace(LIVE, slot="c")), ["a", "b"]),
}


@pytest.mark.parametrize(("motion", "names"), FIRST.values(), ids=FIRST)
def test_the_live_slot_stands_first(motion: Motion, names: list[str]) -> None:
    """`kubectl get` shows the first one's counts."""
    done = half_way(decision(dataclasses.replace(A, revision=None), LEFT, motion=motion))
    assert [entry["name"] for entry in done.status["slots"]] == names
    assert [slot.name for slot in (done.state.slot, *done.state.others) if slot] == names
    assert done.state.slot is not None
    assert done.status["readyReplicas"] == {"a": 2, "b": 1}.get(motion.live.slot if motion.live else "", 0)


def test_a_slot_is_shown_with_the_health_that_was_read() -> None:
    """Absent where this pass did not read it, or where there is no service."""
    assert [entry.get("healthy") for entry in half_way().status["slots"]] == [2, 1]
    unread = half_way(health_read=frozenset())
    assert ["healthy" in entry for entry in unread.status["slots"]] == [False, False]
    gone = changed(BOTH_SEEN, service_of(BOTH, "b"), gone=True)
    what = decision(A, dataclasses.replace(B, count=0), rollout=ROLLOUT, traffic=SPLIT)
    done = planned(gone, BOTH, what, wish=NEW)
    assert [entry.get("healthy") for entry in done.status["slots"]] == [2, None]


UPDATED: dict[str, tuple[Decision, dict[str, Any], int]] = {
    "the candidate's tasks": (MOVING, {}, 1),
    "the candidate has none": (MOVING, {"runningCount": 0}, 0),
    "the candidate's count is left out": (MOVING, {"runningCount": None}, 0),
    "at rest, those that serve": (decision(A, LEFT), {}, 2),
}


@pytest.mark.parametrize(("what", "members", "updated"), UPDATED.values(), ids=UPDATED)
def test_updated_replicas_are_the_candidates(what: Decision, members: dict[str, Any], updated: int) -> None:
    """As kubectl's columns mean them; live tasks at rest."""
    seen = changed(BOTH_SEEN, service_of(BOTH, "b"), **members)
    service = {
        name: value
        for name, value in (seen.services[service_of(BOTH, "b")] or {}).items()
        if value is not None
    }
    seen = dataclasses.replace(seen, services={**seen.services, service_of(BOTH, "b"): service})
    assert planned(seen, BOTH, what, wish=OLD).status["updatedReplicas"] == updated


def test_without_the_candidates_service_the_live_tasks_are_told() -> None:
    """It is made when its first tasks are ordered."""
    candidate = dataclasses.replace(ROLLOUT, slot="b")
    done = at_rest(decision(A, rollout=candidate))
    assert done.status["updatedReplicas"] == 2


# -- what is told -------------------------------------------------------------------------------------

EXEC = {"enableExecuteCommand": True}
TOLD: dict[str, tuple[Decision, State, str]] = {
    "drift": (decision(A, LEFT), BOTH, "DriftRepaired"),
    "another spec": (
        decision(A, LEFT),
        dataclasses.replace(BOTH, observed_generation=0),
        "ServiceUpdated",
    ),
    "a rollout": (MOVING, BOTH, ""),
}


@pytest.mark.parametrize(("what", "state", "reason"), TOLD.values(), ids=TOLD)
def test_what_is_found_different_is_told(what: Decision, state: State, reason: str) -> None:
    """An event: drift, unless a spec or a route asks for it; a rollout tells of itself."""
    seen = changed(BOTH_SEEN, service_of(BOTH, "a"), **EXEC)
    groups = {
        name: group and {**group, "HealthCheckPath": "/other"} if name.endswith("-a") else group
        for name, group in seen.target_groups.items()
    }
    done = planned(dataclasses.replace(seen, target_groups=groups), state, what, wish=OLD)
    told = (
        "target group: HealthCheckPath /other → /healthz",
        "slot a: enableExecuteCommand True → False",
    )
    expected = tuple(Note(type="Normal", reason=reason, message=text) for text in told)
    assert done.notes == (expected if reason else ())


def test_what_a_new_route_changes_is_no_drift() -> None:
    """Another load balancer sends to the slot: its service gets one more target group."""
    backend = dataclasses.replace(
        wishes.BACKEND, load_balancer_arn=wishes.OTHER_BALANCER, listener_arn=wishes.OTHER_LISTENER
    )
    wish = dataclasses.replace(OLD, backends=(wishes.BACKEND, backend))
    done = at_rest(decision(), wish=wish)
    text = "slot a: loadBalancers changes"
    assert done.notes == (Note(type="Normal", reason="ServiceUpdated", message=text),)


def test_an_anchor_that_was_deleted_is_told_and_what_is_as_it_should_be_is_not() -> None:
    """The machine's own events come first."""
    note = Note(type="Normal", reason="Promoted", message="by alice")
    seen = dataclasses.replace(REST_SEEN, rules={wishes.LISTENER: ()})
    done = planned(seen, REST, decision(notes=(note,)))
    deleted = Note(type="Normal", reason="DriftRepaired", message="anchor rule of port 8080: was deleted")
    assert done.notes == (note, deleted)
    assert at_rest(decision(MORE)).notes == ()


# -- what is kept -------------------------------------------------------------------------------------

KEPT: dict[str, tuple[Decision, State, str | None]] = {
    "a candidate that status does not name": (MOVING, REST, R2),
    "a candidate that status names": (MOVING, BOTH, None),
    "another candidate than status names": (
        decision(A, B, rollout=dataclasses.replace(ROLLOUT, candidate=R1), traffic=SPLIT),
        BOTH,
        R1,
    ),
    "no rollout": (decision(A), REST, None),
    "no rollout any more": (decision(A), BOTH, None),
    "a candidate whose body is not known": (
        decision(A, rollout=dataclasses.replace(ROLLOUT, candidate="web-0")),
        REST,
        None,
    ),
}


@pytest.mark.parametrize(("what", "state", "name"), KEPT.values(), ids=KEPT)
def test_a_revision_is_kept_before_status_names_it(what: Decision, state: State, name: str | None) -> None:
    """A ControllerRevision is written first: an undo needs nothing else."""
    keep = half_way(what, state=state).keep
    assert (keep.name if keep else None) == name


def over(outcome: Any = "RolledBack", at: float = NOW, **changes: Any) -> Finished:
    """Return a rollout that is over."""
    return Finished(rollout=dataclasses.replace(ROLLOUT, **changes), outcome=outcome, at=at)


PLAIN = {
    "id": "r2",
    "revision": R2,
    "outcome": "RolledBack",
    "startedAt": timestamp(NOW - 100),
    "durationSeconds": 100,
    "by": "spec",
}
ENTRIES: dict[str, tuple[Finished, dict[str, Any]]] = {
    "nothing to tell": (over(), PLAIN),
    "well": (over("Succeeded"), PLAIN | {"outcome": "Succeeded"}),
    "whole seconds": (over(at=NOW + 0.9), PLAIN),
    "at once": (over(at=NOW - 100), PLAIN | {"durationSeconds": 0}),
    "the clock went back": (over(at=NOW - 101.5), PLAIN | {"durationSeconds": 0}),
    "rolled back": (
        over(
            decided_at=NOW - 10,
            verified_at=NOW - 9.25049,
            discovered_at=NOW - 4,
            reason="Analysis",
            message="errors: 0.5",
            persons=("pause: alice",),
            evidence=("task stopped",),
        ),
        PLAIN
        | {
            "rollbackSeconds": 0.75,
            "rollbackDiscoverySeconds": 6.0,
            "reason": "Analysis: errors: 0.5",
            "persons": ["pause: alice"],
            "evidence": ["task stopped"],
        },
    ),
    "rolled back in milliseconds": (
        over(decided_at=NOW - 10, verified_at=NOW - 9.99988, reason="Person"),
        PLAIN | {"rollbackSeconds": 0.0, "reason": "Person"},
    ),
    "rolled back before it had weight": (over(decided_at=NOW - 10), PLAIN),
    "a proof of its own weight is no way back": (over(verified_at=NOW - 9), PLAIN),
}


@pytest.mark.parametrize(("done", "entry"), ENTRIES.values(), ids=ENTRIES)
def test_what_the_history_says_of_a_rollout(done: Finished, entry: dict[str, Any]) -> None:
    """Absent is what was not."""
    before = ({"id": "r1"}, {"id": "r0"})
    state = dataclasses.replace(BOTH, history=before)
    plan = half_way(decision(A, LEFT, finished=(done,)), state=state)
    assert plan.state.history == (entry, *before)
    assert plan.completed is (entry["outcome"] == "Succeeded")


def test_a_rollout_is_over_once() -> None:
    """The pass may be made again after its status was written; two that end together are both told."""
    told = half_way(decision(A, LEFT, finished=(over(), over("Succeeded", id="r3"))))
    assert [entry["id"] for entry in told.state.history] == ["r3", "r2"]
    assert told.completed
    state = dataclasses.replace(BOTH, history=({"id": "r4"}, {"id": "r2"}))
    again = half_way(decision(A, LEFT, finished=(over(), over("Aborted", id="r3"))), state=state)
    assert [entry["id"] for entry in again.state.history] == ["r3", "r4", "r2"]
    assert not again.completed


# -- what goes ----------------------------------------------------------------------------------------

OLDER = tuple(
    (f"hash-{number}", f"{wishes.ARN}:task-definition/{OLD.family}:{number}") for number in range(3)
)
GARBAGE: dict[str, tuple[Decision, dict[str, Any], int, list[str]]] = {
    # decision, wish, history limit → definitions that go
    "beyond the limit, one in a pass": (decision(A), {}, 1, [f"{OLD.family}:0"]),
    "within the limit": (decision(A), {}, 3, []),
    "while a call is made": (decision(MORE), {}, 1, ["UpdateService"]),
    "while it is not ready": (baking(A), {}, 1, []),
}


@pytest.mark.parametrize(("what", "changes", "limit", "expected"), GARBAGE.values(), ids=GARBAGE)
def test_old_definitions_go_when_nothing_else_is_to_do(
    what: Decision, changes: dict[str, Any], limit: int, expected: list[str]
) -> None:
    """The oldest first; Register and Deregister share AWS's budget."""
    state = dataclasses.replace(REST, definitions=(*OLDER, *REST.definitions))
    wish = dataclasses.replace(OLD, history_limit=limit, **changes)
    done = at_rest(what, state=state, wish=wish)
    found = [
        str(action.params.get("taskDefinition", "")).rpartition("/")[-1] or action.operation
        for action in done.actions
    ]
    assert found == expected


def test_a_definition_that_came_with_an_adopted_service_stays() -> None:
    """It is of somebody else's family; the strategy became Progressive after the service was taken over."""
    adopted = ("hash", f"{wishes.ARN}:task-definition/theirs:7")
    state = dataclasses.replace(REST, definitions=(adopted, *REST.definitions))
    assert calls(at_rest(decision(A), state=state, wish=dataclasses.replace(OLD, history_limit=0))) == []


STANDBY = Standby(slot="b", revision=R2, until=NOW + 900, count=1)
ROLE: dict[str, tuple[Motion, dict[str, Any]]] = {
    "what a slot runs": (Motion(live=LIVE), {"others": BOTH.others}),
    "what the standby would run again": (Motion(live=LIVE, standby=STANDBY), {}),
    "what the spec asks for": (Motion(live=LIVE), {"wish": NEW}),
}


@pytest.mark.parametrize(("motion", "changes"), ROLE.values(), ids=ROLE)
def test_definitions_that_may_run_at_once_stay(motion: Motion, changes: dict[str, Any]) -> None:
    """Whatever the limit says."""
    members = dict(changes)
    wish = dataclasses.replace(members.pop("wish", OLD), history_limit=0)
    state = dataclasses.replace(REST, definitions=BOTH.definitions, **members)
    seen = BOTH_SEEN if members else REST_SEEN
    done = planned(seen, state, decision(A, motion=motion), wish=wish)
    assert calls(done) == []
    bare = dataclasses.replace(REST, definitions=BOTH.definitions)
    alone = planned(REST_SEEN, bare, decision(A), wish=dataclasses.replace(OLD, history_limit=0))
    assert calls(alone) == ["DeregisterTaskDefinition"]
