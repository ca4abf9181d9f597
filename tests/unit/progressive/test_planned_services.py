"""What a pass does to both slots' services: which is made, filled, emptied, scaled, or left alone."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.binding import Priority
from sluice.model.desired import Hold
from sluice.model.observed import Observed
from sluice.model.rollout import Decision, LiveRevision, Motion, SlotOrder, TrafficOrder
from sluice.plan.deployment import slots
from sluice.plan.deployment.planner import DeploymentPlan
from sluice.plan.deployment.state import Registering, Slot, State
from unit.deployment import wishes
from unit.progressive.planned import (
    BOTH,
    BOTH_SEEN,
    LIVE,
    NEW,
    NOW,
    OLD,
    ONLY_A,
    R1,
    R2,
    REST,
    REST_SEEN,
    ROLLOUT,
    SPLIT,
    A,
    B,
    call,
    calls,
    changed,
    decision,
    planned,
    service_of,
)

HASHES = {wish.revision.name: wish.revision.definition_hash for wish in (OLD, NEW)}
MORE_A, MORE_B = dataclasses.replace(A, count=5), dataclasses.replace(B, count=3)


def at_rest(*orders: SlotOrder, **changes: Any) -> DeploymentPlan:
    """Return the plan over slot a at rest."""
    return planned(REST_SEEN, REST, decision(*orders, **changes))


def half_way(what: Decision, **changes: Any) -> DeploymentPlan:
    """Return the plan over both slots at a step."""
    return planned(BOTH_SEEN, BOTH, what, **({"wish": NEW} | changes))


def moving(*orders: SlotOrder, **changes: Any) -> Decision:
    """Return a decision in the rollout."""
    return decision(*orders, **({"rollout": ROLLOUT, "traffic": SPLIT} | changes))


# -- which slots are looked after ----------------------------------------------------------------------

SECOND: dict[str, tuple[tuple[SlotOrder, ...], dict[str, Any], list[str]]] = {
    # orders, which bodies are kept → calls, and whether slot b appears
    "none is ordered": ((A,), {}, []),
    "an order without a revision": ((A, SlotOrder(slot="b", revision=None, count=1)), {}, []),
    "its revision is not kept": ((A, B), {"revisions": {R1: OLD.revision}}, []),
    "no task of it yet": (
        (A, dataclasses.replace(B, count=0)),
        {},
        ["RegisterTaskDefinition", "CreateTargetGroup", "ModifyTargetGroupAttributes", "ModifyRule"],
    ),
    "some tasks": (
        (A, B),
        {},
        [
            "RegisterTaskDefinition",
            "CreateTargetGroup",
            "ModifyTargetGroupAttributes",
            "ModifyRule",
            "CreateService",
        ],
    ),
}


@pytest.mark.parametrize(("orders", "looked", "expected"), SECOND.values(), ids=SECOND)
def test_the_second_slot_comes_with_its_order(
    orders: tuple[SlotOrder, ...], looked: dict[str, Any], expected: list[str]
) -> None:
    """What it needs is made in one pass; its service when it gets tasks."""
    done = planned(REST_SEEN, REST, moving(*orders), wish=NEW, **looked)
    assert calls(done) == expected
    assert [slot.name for slot in done.state.slots] == (["a", "b"] if expected else ["a"])


COUNTS: dict[str, tuple[tuple[SlotOrder, ...], dict[str, Any], list[tuple[str, int]]]] = {
    # orders, which bodies are kept → (slot, count)
    "both": ((MORE_A, MORE_B), {}, [("a", 5), ("b", 3)]),
    "a slot without an order is left alone": ((MORE_A,), {}, [("a", 5)]),
    "without its body a slot is still scaled": (
        (MORE_A, MORE_B),
        {"revisions": {R1: OLD.revision}},
        [("a", 5), ("b", 3)],
    ),
    "without any body": ((MORE_A, MORE_B), {"revisions": {}}, [("a", 5), ("b", 3)]),
    "what it runs is scaled where no revision is named": (
        (A, dataclasses.replace(MORE_B, revision=None)),
        {},
        [("b", 3)],
    ),
    "a count that is somebody else's": ((dataclasses.replace(A, count=None), B), {}, []),
}


@pytest.mark.parametrize(("orders", "looked", "expected"), COUNTS.values(), ids=COUNTS)
def test_counts_follow_their_orders(
    orders: tuple[SlotOrder, ...], looked: dict[str, Any], expected: list[tuple[str, int]]
) -> None:
    """And nothing but the count is touched."""
    done = half_way(moving(*orders), **looked)
    names = {service_of(BOTH, slot).name: slot for slot in "ab"}
    found = [(names[action.params["service"]], action.params["desiredCount"]) for action in done.actions]
    assert found == expected
    assert {name for action in done.actions for name in action.params} <= {
        "cluster",
        "service",
        "desiredCount",
    }


def test_an_order_without_anything_to_follow_it_is_none() -> None:
    """Its slot has no service, and the body of its revision is gone."""
    gone = changed(BOTH_SEEN, service_of(BOTH, "b"), gone=True)
    done = planned(gone, BOTH, moving(A, MORE_B), wish=NEW, revisions={R1: OLD.revision})
    assert calls(done) == []
    assert [(slot.name, slot.service_arn != "", slot.healthy) for slot in done.state.slots] == [
        ("a", True, 2),
        ("b", False, None),
    ]


def test_an_order_beats_what_a_slot_was_given_last() -> None:
    """The candidate is another one now: the slot that has the old candidate is emptied for it."""
    third = wishes.desired(image="web:3", backends=(wishes.BACKEND,))
    order = dataclasses.replace(B, revision=third.revision.name)
    bodies = {R1: OLD.revision, R2: NEW.revision, third.revision.name: third.revision}
    done = half_way(moving(A, order), wish=third, revisions=bodies)
    assert calls(done) == ["RegisterTaskDefinition", "UpdateService"]
    assert call(done, "UpdateService").params == {
        "cluster": "main",
        "service": service_of(BOTH, "b").name,
        "desiredCount": 0,
    }
    assert done.wake_at == NOW + 1


@pytest.mark.parametrize(("live", "emptied"), [("a", True), ("b", False)])
def test_only_the_live_slot_gets_a_revision_in_place(live: str, *, emptied: bool) -> None:
    """ECS replaces its tasks one by one; the other one is emptied before."""
    order = dataclasses.replace(B, revision=R1)
    motion = Motion(live=LiveRevision(slot=live, revision=R1, since=NOW))
    update = call(half_way(decision(A, order, motion=motion)), "UpdateService")
    assert (update.params.get("desiredCount"), "taskDefinition" in update.params) == (
        (0, False) if emptied else (None, True)
    )
    nobody = call(half_way(decision(A, order, motion=Motion())), "UpdateService")
    assert nobody.params["desiredCount"] == 0


def test_a_slot_stays_in_its_cluster_and_a_new_one_is_made_in_the_specs() -> None:
    """A cluster by its ARN is another name of the same one; services never move under requests."""
    elsewhere = dataclasses.replace(NEW, cluster="other")
    assert calls(half_way(moving(A, B), wish=elsewhere)) == []
    done = planned(REST_SEEN, REST, moving(A, B), wish=elsewhere)
    assert call(done, "CreateService").params["cluster"] == "other"


def test_a_service_that_was_only_meant_is_made_where_the_spec_says_now() -> None:
    """It has no ARN: nothing was made in the cluster that the spec named before."""
    meant = slots.numbered(dataclasses.replace(NEW, cluster="before"), "b", 1)
    state = dataclasses.replace(REST, others=(meant,))
    done = planned(REST_SEEN, state, moving(A, B), wish=NEW)
    assert call(done, "CreateService").params["cluster"] == "main"
    assert [slot.cluster for slot in done.state.slots] == ["main", "main"]


def test_a_service_that_is_found_in_another_cluster_stays_there() -> None:
    """The status was lost, and the spec names another cluster since: what serves is not replaced."""
    place = service_of(REST, "a")
    moved = dataclasses.replace(place, cluster="before")
    seen = dataclasses.replace(REST_SEEN, services={moved: REST_SEEN.services[place]})
    lost = dataclasses.replace(REST, slot=None)
    done = planned(seen, lost, decision())
    assert calls(done) == []
    assert [(slot.name, slot.cluster) for slot in done.state.slots] == [("a", "before")]
    assert done.state.retiring == ()


@pytest.mark.parametrize("healthy", [True, False])
def test_an_older_service_of_the_serving_slot_goes_once_its_successor_serves(*, healthy: bool) -> None:
    """Two are found after a lost status: the newest is the slot's, the other one may be all that serves."""
    place = service_of(REST, "a")
    old = dataclasses.replace(place, name=slots.numbered(OLD, "a", 2).service_name)
    services = {
        place: {**(REST_SEEN.services[place] or {}), "createdAt": 2.0},
        old: {**(REST_SEEN.services[place] or {}), "serviceName": old.name, "createdAt": 1.0},
    }
    seen = dataclasses.replace(
        REST_SEEN,
        services=services,
        addresses=frozenset({"10.0.0.1", "10.0.0.2" if healthy else "10.0.0.3"}),
    )
    done = planned(seen, dataclasses.replace(REST, slot=None), decision())
    assert [slot.service_name for slot in done.state.retiring] == [old.name]
    ready = done.status["conditions"][0]
    if healthy:
        assert calls(done) == ["DeleteService"]
        assert call(done, "DeleteService").params["service"] == old.name
        assert call(done, "DeleteService").reason == "another service of its slot has replaced it"
    else:
        assert calls(done) == []
        text = f"replaced ECS service {old.name} stays until its successor serves in its place"
        assert (ready["status"], ready["reason"], ready["message"]) == ("False", "RollingOut", text)
        assert done.wake_at == NOW + 2


# -- what comes first --------------------------------------------------------------------------------

BACK = dataclasses.replace(ROLLOUT, stage="RollingBack")
FIRST: dict[str, tuple[Decision, list[str]]] = {
    "a rollback whose rules are not verified": (
        moving(MORE_A, rollout=BACK, traffic=dataclasses.replace(ONLY_A, rollback=True)),
        [],
    ),
    "its rules are verified": (
        moving(
            MORE_A,
            rollout=dataclasses.replace(BACK, stage="CleaningUp"),
            traffic=dataclasses.replace(ONLY_A, rollback=True),
        ),
        ["UpdateService"],
    ),
    "only names lead here: nothing has to be written": (moving(MORE_A, rollout=BACK), ["UpdateService"]),
    "it is over": (
        decision(MORE_A, traffic=dataclasses.replace(ONLY_A, rollback=True)),
        ["UpdateService"],
    ),
}


@pytest.mark.parametrize(("what", "expected"), FIRST.values(), ids=FIRST)
def test_a_rollback_writes_rules_first(what: Decision, expected: list[str]) -> None:
    """They are the routes' to write: until they are verified nothing else is; then all in a hurry."""
    done = half_way(what)
    assert calls(done) == expected
    hurried = what.traffic.rollback
    assert done.rollback is hurried
    assert {action.priority for action in done.actions} <= {
        Priority.ROLLBACK if hurried else Priority.ROLLOUT
    }
    assert [slot.healthy for slot in done.state.slots] == [2, 1]
    traffic = done.state.traffic
    assert traffic is not None
    assert traffic.weights == what.traffic.weights


@pytest.mark.parametrize("held", [True, False])
def test_while_the_spec_cannot_be_followed_only_traffic_is_decided(*, held: bool) -> None:
    """No AWS call is planned, what the slots are is left as status had it, and the reason is told."""
    hold = Hold(reason="InvalidSpec", message="no such field") if held else None
    what = decision(MORE_A, traffic=TrafficOrder(weights={"a": 500, "b": 500}))
    done = half_way(what, wish=dataclasses.replace(OLD, hold=hold))
    assert calls(done) == ([] if held else ["UpdateService"])
    assert done.state.traffic is not None
    assert done.state.traffic.weights == {"a": 500, "b": 500}
    ready = done.status["conditions"][0]
    assert ready["reason"] == ("InvalidSpec" if held else "RollingOut")
    assert done.status["readyReplicas"] == 2
    if held:
        assert ready["message"] == "no such field; said by the machine"
        assert done.state.slots == BOTH.slots


# -- definitions -------------------------------------------------------------------------------------


def definitions(**changes: Any) -> State:
    """Return the state of both slots with other definitions or an open intent."""
    return dataclasses.replace(BOTH, **changes)


ARNS = dict(BOTH.definitions)
INTENT = {
    name: Registering(definition_hash=digest, family=OLD.family, since=NOW - 10)
    for name, digest in HASHES.items()
}
UNLISTED = dataclasses.replace(BOTH_SEEN, definitions={})
"""The family's list was not read."""
STRANGER = Registering(definition_hash="0123456789", family=OLD.family, since=NOW - 10)
KNOWN_A, KNOWN_B = ((HASHES[name], ARNS[HASHES[name]]) for name in (R1, R2))
REGISTERED: dict[str, tuple[State, Registering | None, list[str], float]] = {
    # definitions that are known and the open intent → intent, definitions registered, when to look again
    "both are known": (BOTH, None, [], NOW + 2),
    "none is known: one in a pass": (
        definitions(definitions=()),
        dataclasses.replace(INTENT[R1], since=NOW),
        [R1],
        NOW + 2,
    ),
    "one is known": (
        definitions(definitions=(KNOWN_A,)),
        dataclasses.replace(INTENT[R2], since=NOW),
        [R2],
        NOW + 2,
    ),
    "the candidate's may have been registered": (
        definitions(definitions=(KNOWN_A,), registering=INTENT[R2]),
        INTENT[R2],
        [],
        NOW + 2,
    ),
    "the live one's may have been registered": (
        definitions(definitions=(KNOWN_B,), registering=INTENT[R1]),
        INTENT[R1],
        [],
        NOW + 2,
    ),
    "none is known, the live one's may have been registered": (
        definitions(definitions=(), registering=INTENT[R1]),
        INTENT[R1],
        [],
        NOW + 2,
    ),
    "none is known, the candidate's may have been registered": (
        definitions(definitions=(), registering=INTENT[R2]),
        INTENT[R2],
        [],
        NOW + 2,
    ),
    "the one that was meant is known": (definitions(registering=INTENT[R2]), None, [], NOW + 2),
    "the one that was meant is not asked for any more": (
        definitions(registering=STRANGER),
        None,
        [],
        NOW + 2,
    ),
}


@pytest.mark.parametrize(("state", "intent", "made", "wake"), REGISTERED.values(), ids=REGISTERED)
def test_a_definition_is_registered_once(
    state: State, intent: Registering | None, made: list[str], wake: float
) -> None:
    """An intent stays open until its definition is known, whichever slot it is for."""
    done = planned(UNLISTED, state, moving(A, B), wish=NEW)
    found = [
        {tag["key"]: tag["value"] for tag in action.params["tags"]}["sluice.dev/definition-hash"]
        for action in done.actions
        if action.operation == "RegisterTaskDefinition"
    ]
    assert found == [HASHES[name] for name in made]
    assert done.state.registering == intent
    assert done.wake_at == wake


def test_a_slot_waits_for_its_definition_and_says_so() -> None:
    """It may have been registered: the family's list shows it within half a minute, or it is made again."""
    state = definitions(definitions=(KNOWN_A,), registering=INTENT[R2])
    what = decision(A, B, ready=False, reason="RollingOut")
    done = planned(UNLISTED, state, what, wish=NEW)
    assert calls(done) == []
    assert done.status["conditions"][0]["message"] == (
        "said by the machine; slot b waits for its task definition"
    )
    late = planned(UNLISTED, dataclasses.replace(state, conditions=SINCE_LONG), what, wish=NEW)
    assert late.wake_at == NOW + 20


SINCE_LONG: tuple[dict[str, Any], ...] = (
    {
        "type": "Ready",
        "status": "False",
        "reason": "RollingOut",
        "message": "",
        "lastTransitionTime": "2027-01-01T00:00:00Z",
    },
)
"""Nobody looks again by himself any more."""

AHEAD: dict[str, tuple[Decision, dict[str, Any], list[str]]] = {
    "a hook runs before the scale-up": (
        moving(A, rollout=dataclasses.replace(ROLLOUT, stage="PreScaleUp")),
        {},
        ["RegisterTaskDefinition"],
    ),
    "the candidate's body is not kept": (
        moving(A, rollout=dataclasses.replace(ROLLOUT, stage="PreScaleUp")),
        {"revisions": {R1: OLD.revision}},
        [],
    ),
    "another stage": (moving(A, rollout=dataclasses.replace(ROLLOUT, stage="Starting")), {}, []),
    "no rollout": (decision(A), {}, []),
}


@pytest.mark.parametrize(("what", "looked", "expected"), AHEAD.values(), ids=AHEAD)
def test_a_task_hook_has_the_candidates_definition_before_any_slot(
    what: Decision, looked: dict[str, Any], expected: list[str]
) -> None:
    """Hooks at PreScaleUp run tasks of it."""
    assert calls(planned(REST_SEEN, REST, what, **looked)) == expected


# -- the services' members ---------------------------------------------------------------------------


def token(done: DeploymentPlan) -> str:
    """Return the client token of CreateService."""
    return str(call(done, "CreateService").params["clientToken"])


def test_an_attempt_to_make_a_service_has_a_token_of_its_own() -> None:
    """The same after a crash; another one in the next rollout, or when the live revision went live again."""

    def made(what: Decision) -> str:
        return token(planned(REST_SEEN, REST, what, wish=NEW))

    def live(since: float) -> Motion:
        return Motion(live=dataclasses.replace(LIVE, since=since))

    rollout = made(moving(A, B))
    assert rollout == made(moving(A, B, motion=Motion(live=None, rollout=ROLLOUT)))
    assert rollout != made(moving(A, B, rollout=dataclasses.replace(ROLLOUT, id="r3")))
    rest = made(decision(A, B))
    assert rest not in (rollout, made(decision(A, B, motion=live(5.0))))
    assert made(decision(A, B, motion=Motion())) not in (rest, rollout)


def test_a_slot_without_a_body_keeps_its_target_groups() -> None:
    """They are attached to what runs there; those of the other slot are its own wish's."""
    done = half_way(moving(A, B), revisions={R1: OLD.revision})
    assert done.state.target_groups == BOTH.target_groups
    assert done.state.anchors == BOTH.anchors
    assert calls(done) == []


def test_a_wish_gives_its_service_its_own_target_groups() -> None:
    """The service of slot b is made with slot b's group alone."""
    lost = changed(BOTH_SEEN, service_of(BOTH, "b"), gone=True)
    (balancer,) = call(planned(lost, BOTH, moving(A, B), wish=NEW), "CreateService").params["loadBalancers"]
    (group,) = [entry for entry in BOTH.target_groups if entry.slot == "b"]
    assert balancer == {"targetGroupArn": group.arn, "containerName": "app", "containerPort": 8080}


def test_the_first_pass_makes_everything_in_order() -> None:
    """Definition, target group, anchor, service; a service that is made is looked at again in a second."""
    done = planned(Observed(rules={wishes.LISTENER: ()}), State(), decision())
    assert calls(done) == [
        "RegisterTaskDefinition",
        "CreateTargetGroup",
        "ModifyTargetGroupAttributes",
        "CreateRule",
        "CreateService",
    ]
    assert done.wake_at == NOW + 1
    assert isinstance(done.state.slot, Slot)
