"""Which facts a slot shows for which answers of AWS: one table over everything that is read of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.observed import Observed
from sluice.model.rollout import Motion, Rollout
from sluice.model.situation import SlotFacts
from sluice.plan.deployment.state import Live, State, TargetGroup
from sluice.plan.progressive.facts import groups_of, slot_facts, weighted
from sluice.plan.progressive.look import Look
from sluice.plan.progressive.memory import with_motion
from unit.deployment import wishes
from unit.progressive.slots_seen import (
    ADMIN,
    DEFINITION,
    GROUPS,
    HTTP,
    OTHER_DEFINITION,
    PLACE,
    SLOT,
    STATE,
    WISH,
    deployment,
    forward,
    look,
    service,
)

SEEN = SlotFacts(
    name="b",
    exists=True,
    revision=WISH.revision.name,
    desired=3,
    running=2,
    current=2,
    tasks=3,
    healthy=1,
    carries_weight=True,
    carrier="r1, priority 7",
    drain_seconds=30.0,
)
NOT_THERE = SlotFacts(name="b", healthy=0, carries_weight=True, carrier="r1, priority 7", drain_seconds=30.0)
BOTH_ATTACHED = service()["loadBalancers"]


def facts(seen: Look, state: State = STATE) -> SlotFacts:
    """Return what is known of slot b."""
    return slot_facts(WISH, state, seen)["b"]


def attributes(http: dict[str, str], admin: dict[str, str] | None) -> dict[str, Any]:
    """Return what was seen of both groups, with these attributes; None: the group was deleted."""
    return {
        GROUPS[0].name: {"Attributes": http},
        GROUPS[1].name: None if admin is None else {"Attributes": admin},
    }


ZONAL, CROSS = ({"load_balancing.cross_zone.enabled": value} for value in ("false", "true"))
EMPTY = deployment("ACTIVE", runningCount=0, pendingCount=0)
SERVICES: dict[str, tuple[dict[str, Any] | None, dict[str, Any]]] = {
    # what is other in ECS's answer (None: it has no such service) → what is other in the facts
    "as it should be": ({}, {}),
    "no service": (None, {}),
    "being deleted": ({"status": "DRAINING"}, {}),
    "deleted": ({"status": "INACTIVE"}, {}),
    "counts are left out": (
        {"runningCount": None, "pendingCount": None, "desiredCount": None},
        {"desired": 0, "running": 0, "tasks": 0, "healthy": 0},
    ),
    "all pending": ({"runningCount": 0}, {"running": 0, "tasks": 1, "healthy": 0}),
    "the tag of another revision": ({"tags": []}, {"revision": ""}),
    "another task definition": ({"taskDefinition": OTHER_DEFINITION}, {"revision": "", "current": 0}),
    "a setting of the revision was changed": ({"enableExecuteCommand": True}, {"revision": ""}),
    "a setting that is not the revision's was changed": ({"propagateTags": "NONE"}, {}),
    "no deployments told": ({"deployments": None}, {"current": None}),
    "its own has no count": (
        {"deployments": [{"status": "PRIMARY", "taskDefinition": DEFINITION}]},
        {"current": 0},
    ),
    "none is of its definition": (
        {"deployments": [deployment(taskDefinition=OTHER_DEFINITION)]},
        {"current": 0},
    ),
    "an empty deployment is left": ({"deployments": [deployment(), EMPTY]}, {}),
    "a deployment without counts is left": (
        {
            "deployments": [
                deployment(),
                {"status": "ACTIVE", "taskDefinition": OTHER_DEFINITION},
            ]
        },
        {},
    ),
    "a deployment with a task is left": (
        {"deployments": [deployment(), {**EMPTY, "runningCount": 1}]},
        {"revision": "", "current": 3},
    ),
    "a deployment with a pending task is left": (
        {"deployments": [deployment(), {**EMPTY, "pendingCount": 1}]},
        {"revision": ""},
    ),
    "a deployment whose task is replaced is left": (
        {"deployments": [{**EMPTY, "runningCount": 1, "pendingCount": 1}, deployment()]},
        {"revision": "", "current": 3},
    ),
    "one group is attached": ({"loadBalancers": BOTH_ATTACHED[:1]}, {"healthy": 2}),
    "no group is attached: to run is enough": ({"loadBalancers": None}, {"healthy": 2}),
    "more targets than tasks": ({"loadBalancers": BOTH_ATTACHED[:1], "runningCount": 1}, {"healthy": 1}),
}


@pytest.mark.parametrize(("seen", "changes"), SERVICES.values(), ids=SERVICES)
def test_what_ecs_answers_of_a_service(seen: dict[str, Any] | None, changes: dict[str, Any]) -> None:
    """A service that is on its way out is none; a revision runs only completely and alone."""
    if seen is None or "status" in seen:
        found = facts(look(observed={"services": {PLACE: None if seen is None else service(**seen)}}))
        assert found == NOT_THERE
        return
    running = int(service(**seen).get("runningCount", 0))
    expected = dataclasses.replace(SEEN, **changes)
    if "running" not in changes:
        expected = dataclasses.replace(expected, running=running, tasks=running + 1)
    assert facts(look(seen=service(**seen))) == expected


def test_the_tasks_of_the_newest_definition_are_counted_whatever_the_status_says() -> None:
    """A definition that somebody put there stands in the status until the pass after its repair."""
    slot = dataclasses.replace(SLOT, task_definition=OTHER_DEFINITION)
    assert facts(look(seen=service()), dataclasses.replace(STATE, slot=slot)).current == SEEN.current


LOOKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "images were read": ({"images": {"b": ("app@sha256:1",)}}, {"images": ("app@sha256:1",)}),
    "the revision is not kept any more": ({"revisions": {}}, {"revision": ""}),
    "health was not read": ({"health_read": frozenset()}, {"healthy": None}),
    "health of one group was not read": ({"health_read": frozenset({HTTP})}, {"healthy": None}),
    "a group has no healthy target": (
        {"observed": {"healthy": {HTTP: frozenset({"10.0.0.1", "10.0.0.2"})}}},
        {"healthy": 0},
    ),
    "nobody looks at one of its groups": (
        {"observed": {"healthy": {ADMIN: frozenset({"10.0.0.1"})}}, "unused": frozenset({HTTP})},
        {"healthy": 0, "unused": True},
    ),
    "nobody looks at any of its targets": (
        {"observed": {"healthy": {}}, "unused": frozenset({HTTP, ADMIN})},
        {"healthy": 0, "unused": True},
    ),
    "somebody looks at the others, and they are bad": (
        {"observed": {"healthy": {}}, "unused": frozenset({HTTP})},
        {"healthy": 0},
    ),
    "the checks of one group begin": (
        {"observed": {"healthy": {HTTP: frozenset("1")}}, "unjudged": {ADMIN: "all"}},
        {"healthy": 0, "unjudged": "all"},
    ),
    "of that group one was judged": (
        {"observed": {"healthy": {HTTP: frozenset("1")}}, "unjudged": {ADMIN: "some"}},
        {"healthy": 0, "unjudged": "some"},
    ),
    "the other is bad": (
        {"observed": {"healthy": {}}, "unjudged": {ADMIN: "all"}},
        {"healthy": 0, "unjudged": "some"},
    ),
    "nobody looks at another's group": ({"unused": frozenset({"x"})}, {}),
    "nobody is healthy in any group": ({"observed": {"healthy": {}}}, {"healthy": 0}),
    "all are healthy": (
        {"observed": {"healthy": dict.fromkeys((HTTP, ADMIN), frozenset({"1", "2", "3"}))}},
        {"healthy": 2},
    ),
    "the longest delay counts": (
        {
            "observed": {
                "target_groups": attributes(
                    {"deregistration_delay.timeout_seconds": "5"},
                    {"deregistration_delay.timeout_seconds": "77"},
                )
            }
        },
        {"drain_seconds": 77.0},
    ),
    "no delay": (
        {
            "observed": {
                "target_groups": attributes(*({"deregistration_delay.timeout_seconds": "0"} for _ in "ab"))
            }
        },
        {"drain_seconds": 0.0},
    ),
    "a delay that was not read is ELB's default": (
        {"observed": {"target_groups": attributes({}, {"deregistration_delay.timeout_seconds": "20"})}},
        {"drain_seconds": 300.0},
    ),
    "a group that was deleted, or not read": (
        {"observed": {"target_groups": attributes({}, None)}},
        {"drain_seconds": 300.0},
    ),
    "cross-zone is off in one group: each of the two zones": (
        {"observed": {"target_groups": attributes(ZONAL, CROSS)}},
        {"zones": 2, "drain_seconds": 300.0},
    ),
    "cross-zone is on": (
        {"observed": {"target_groups": attributes(CROSS, CROSS)}},
        {"drain_seconds": 300.0},
    ),
    "no rule was read": ({"proof": None}, {"carries_weight": None, "carrier": ""}),
    "no rule is there": ({"proof": {wishes.LISTENER: []}}, {"carries_weight": False, "carrier": ""}),
    "a rule of one listener of two gives weight": (
        {
            "proof": {
                "l1": [forward(("other", 1))],
                "l2": [forward(("x", 1)), forward((ADMIN, 1), arn="r2", Priority="default")],
            }
        },
        {"carrier": "r2, priority default"},
    ),
    "a rule gives no weight": (
        {"proof": {"l1": [forward((HTTP, 0), ("other", 100))]}},
        {"carries_weight": False, "carrier": ""},
    ),
    "an anchor is no weight": (
        {"proof": {"l1": [forward((HTTP, 1), Tags=wishes.tagged(role="anchor"))]}},
        {"carries_weight": False, "carrier": ""},
    ),
    "the anchor of another Deployment is": (
        {"proof": {"l1": [forward((HTTP, 1), Tags=wishes.tagged(wishes.OTHER, role="anchor"))]}},
        {},
    ),
}


@pytest.mark.parametrize(("seen", "changes"), LOOKS.values(), ids=LOOKS)
def test_what_else_was_looked_at(seen: dict[str, Any], changes: dict[str, Any]) -> None:
    """What was not read is None, never 0 or False: it is no reason to move."""
    assert facts(look(**seen)) == dataclasses.replace(SEEN, **changes)


def test_where_no_task_runs_unchecked_groups_say_so_too() -> None:
    """No group is left that anybody checks: none is to blame."""
    seen = look(seen=service(runningCount=0), unused=frozenset({HTTP, ADMIN}))
    assert (facts(seen).healthy, facts(seen).unused) == (0, True)


def test_zones_are_not_known_without_subnets() -> None:
    """Tasks in the network of their hosts have none of their own."""
    zonal = {"target_groups": attributes(ZONAL, ZONAL)}
    for network in ({}, {"awsvpcConfiguration": {}}):
        found = facts(look(seen=service(networkConfiguration=network), observed=zonal))
        assert (found.zones, found.revision) == (0, "")


HEALTH: dict[str, tuple[dict[str, Any], dict[str, Any], int | None]] = {
    # no group: what names lead to, by the containers' own checks
    "no name leads there: to run is enough": ({}, {}, 2),
    "a name leads there, some are well": ({}, {"checked": frozenset("b"), "well": {"b": 1}}, 1),
    "more are well than run": ({}, {"checked": frozenset("b"), "well": {"b": 3}}, 2),
    "the containers were not read": ({}, {"checked": frozenset("b")}, None),
    "none runs, so none had to be read": ({"runningCount": 0}, {"checked": frozenset("b")}, 0),
    "a name leads to the other slot": ({}, {"checked": frozenset("a"), "well": {"a": 1}}, 2),
}


@pytest.mark.parametrize(("seen", "read", "healthy"), HEALTH.values(), ids=HEALTH)
def test_health_without_a_target_group(
    seen: dict[str, Any], read: dict[str, Any], healthy: int | None
) -> None:
    """A Deployment that only names lead to, or nothing at all."""
    state = dataclasses.replace(STATE, target_groups=())
    found = facts(look(seen=service(loadBalancers=[], **seen), **read), state)
    assert (found.healthy, found.carries_weight, found.drain_seconds) == (healthy, False, 0.0)


def test_with_target_groups_health_is_theirs_to_say() -> None:
    """Where rules and names lead to a slot; and nobody has to be asked about no task."""
    assert facts(look(checked=frozenset("b"), well={"b": 0})).healthy == 1
    assert facts(look(seen=service(runningCount=0), health_read=frozenset())).healthy == 0


def test_a_slot_that_was_never_made_still_shows_what_rules_say() -> None:
    """Its groups may be there before its service, and a person may have given them weight."""
    state = State(target_groups=GROUPS)
    assert facts(look(), state) == NOT_THERE
    assert facts(look(blind=True), state) == NOT_THERE


def test_only_groups_that_exist_are_the_slots() -> None:
    """Neither those of the other slot nor one that is about to be made."""
    others = (TargetGroup(slot="a", name="x", arn="x"), TargetGroup(slot="b", name="y"))
    state = dataclasses.replace(STATE, target_groups=(*others, *GROUPS))
    assert groups_of(state, "b") == GROUPS
    assert facts(look(), state) == SEEN


UNSEEN: dict[str, tuple[dict[str, Any], tuple[int, int], int | None, int]] = {
    # what was read of health, (desired, running) as status knew them → healthy, tasks
    "both groups were read": ({}, (3, 2), 1, 3),
    "more ran than were wanted": ({}, (1, 4), 1, 4),
    "nothing ran: one may have come": ({}, (0, 0), 1, 1),
    "a group without healthy targets": ({"observed": {"healthy": {HTTP: frozenset("1")}}}, (3, 2), 0, 3),
    "one group could not be read": ({"health_read": frozenset({ADMIN})}, (3, 2), None, 3),
}


@pytest.mark.parametrize(("read", "counts", "healthy", "tasks"), UNSEEN.values(), ids=UNSEEN)
def test_while_ecs_cannot_be_asked_target_health_is_all(
    read: dict[str, Any], counts: tuple[int, int], healthy: int | None, tasks: int
) -> None:
    """Enough to go back by: the slot is there, with the counts of status; nothing says that it may shrink."""
    slot = dataclasses.replace(SLOT, desired=counts[0], running=counts[1])
    found = facts(look(blind=True, **read), dataclasses.replace(STATE, slot=slot))
    assert found == SlotFacts(
        name="b",
        exists=True,
        desired=counts[0],
        running=counts[1],
        tasks=tasks,
        healthy=healthy,
        drain_seconds=30.0,
    )


@pytest.mark.parametrize(
    ("healthy", "unused", "blameless"),
    [
        pytest.param({ADMIN: frozenset("1")}, {HTTP}, True, id="nobody looks at one of its groups"),
        pytest.param({}, {HTTP, ADMIN}, True, id="nobody looks at any"),
        pytest.param({}, {HTTP}, False, id="somebody looks at the other"),
        pytest.param({}, {"x"}, False, id="another's group"),
    ],
)
def test_while_ecs_cannot_be_asked_targets_that_nobody_checks_are_known(
    healthy: dict[str, frozenset[str]], unused: set[str], *, blameless: bool
) -> None:
    """The load balancer tells it: a listener that somebody deleted is not the candidate's fault."""
    found = facts(look(blind=True, unused=frozenset(unused), observed={"healthy": healthy}))
    assert (found.healthy, found.unused) == (0, blameless)


def test_while_ecs_cannot_be_asked_a_slot_without_groups_shows_no_health() -> None:
    """None of its tasks is known to be well."""
    found = facts(look(blind=True), dataclasses.replace(STATE, target_groups=()))
    assert (found.exists, found.healthy, found.drain_seconds) == (True, None, 0.0)


def crash(at: float | None = 500.0, **changes: Any) -> dict[str, Any]:
    """Return a task of the slot's revision that failed at a time, None: that is not told."""
    times = {} if at is None else {"stoppedAt": at}
    return {
        "taskDefinitionArn": DEFINITION,
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "containers": [{"name": "app", "exitCode": 1}],
    } | (times | changes)


CRASHED = "Essential container in task exited (container app: exit code 1)"
ROLLOUT = Rollout(id="r", kind="Rollout", candidate=WISH.revision.name, slot="b", started_at=400.0)
ON_B = with_motion(STATE, Motion(rollout=ROLLOUT), wake_at=None)
ON_A = dataclasses.replace(
    with_motion(STATE, Motion(rollout=dataclasses.replace(ROLLOUT, slot="a")), wake_at=None), live=STATE.live
)
NEVER = dataclasses.replace(STATE, live=None)
EVER = dataclasses.replace(STATE, live=Live(slot="a", revision="r0", task_definition="", since=1.0))
FAILED = {"rolloutState": "FAILED", "rolloutStateReason": "ECS deployment circuit breaker: gave up"}
FAILURES: dict[str, tuple[State, list[dict[str, Any]], dict[str, Any], tuple[str, ...], bool]] = {
    # state, stopped tasks, what is other in the PRIMARY deployment → why, failed
    "no task stopped": (STATE, [], {}, (), False),
    "two crashed": (STATE, [crash()] * 2, {}, (CRASHED,), False),
    "three are a loop": (STATE, [crash()] * 3, {}, (CRASHED,), True),
    "a task that could not start counts": (
        STATE,
        [crash(stopCode="TaskFailedToStart")] * 3,
        {},
        (CRASHED,),
        True,
    ),
    "a scale-in is none": (STATE, [crash(stopCode="ServiceSchedulerInitiated")] * 3, {}, (), False),
    "of another revision": (STATE, [crash(taskDefinitionArn=OTHER_DEFINITION)] * 3, {}, (), False),
    "before the slot went live": (STATE, [crash(99.9)] * 3, {}, (), False),
    "as it went live": (STATE, [crash(100.0)] * 3, {}, (CRASHED,), True),
    "before its rollout": (ON_B, [crash(399.9)] * 3, {}, (), False),
    "since its rollout began": (ON_B, [crash(400.0)] * 3, {}, (CRASHED,), True),
    "a rollout in the other slot began later": (ON_A, [crash(399.9)] * 3, {}, (CRASHED,), True),
    "nobody knows when it stopped": (EVER, [crash(None)] * 3, {}, (), False),
    "nobody knows when, and nothing was ever live": (NEVER, [crash(None)] * 3, {}, (CRASHED,), True),
    "ECS gave up": (STATE, [], FAILED, (FAILED["rolloutStateReason"],), True),
    "ECS gave up, and a task tells why": (
        STATE,
        [crash()],
        FAILED,
        (FAILED["rolloutStateReason"], CRASHED),
        True,
    ),
    "ECS gave up without a word": (
        STATE,
        [],
        {"rolloutState": "FAILED"},
        ("ECS gave the deployment up",),
        True,
    ),
    "ECS gave up another revision": (
        STATE,
        [],
        FAILED | {"taskDefinition": OTHER_DEFINITION},
        (),
        False,
    ),
    "ECS is done": (STATE, [], {"rolloutState": "COMPLETED"}, (), False),
}


@pytest.mark.parametrize(("state", "stopped", "primary", "why", "failed"), FAILURES.values(), ids=FAILURES)
def test_when_a_revision_fails(
    state: State,
    stopped: list[dict[str, Any]],
    primary: dict[str, Any],
    why: tuple[str, ...],
    *,
    failed: bool,
) -> None:
    """Its own crashes since its slot got it, or ECS's word; the old revision's do not count."""
    seen = service(deployments=[deployment(**primary)])
    found = facts(look(seen=seen, stopped={"a": [crash()] * 9, "b": stopped}), state)
    assert (found.failing, found.failed) == (why, failed)


def test_the_other_slot_is_not_looked_for_in_this_one() -> None:
    """Both slots are always told of; of the one without a service only what rules give to its groups."""
    found = slot_facts(WISH, STATE, look())
    assert list(found) == ["a", "b"]
    assert found["a"] == SlotFacts(name="a", healthy=0, carries_weight=False)
    assert slot_facts(WISH, State(), Look(observed=Observed()))["b"] == SlotFacts(
        name="b", healthy=0, carries_weight=False
    )


WEIGHTS: dict[str, tuple[list[dict[str, Any]], dict[str, int]]] = {
    "no action": ([], {}),
    "a fixed answer": ([{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}], {}),
    "one group": ([{"Type": "forward", "TargetGroupArn": "x"}], {"x": 1}),
    "one group, as ELB tells it": (
        [{"TargetGroupArn": "x", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "x", "Weight": 7}]}}],
        {"x": 7},
    ),
    "one group without weight": (
        [{"TargetGroupArn": "x", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "x", "Weight": 0}]}}],
        {},
    ),
    "a group whose weight is left out": (
        [{"ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "x"}]}}],
        {"x": 1},
    ),
    "three groups after a sign-in": (
        [
            {"Type": "authenticate-oidc", "Order": 1},
            {
                "Type": "forward",
                "ForwardConfig": {
                    "TargetGroups": [
                        {"TargetGroupArn": arn, "Weight": weight}
                        for arn, weight in (("x", 999), ("y", 1), ("z", 0))
                    ]
                },
            },
        ],
        {"x": 999, "y": 1},
    ),
}


@pytest.mark.parametrize(("actions", "weights"), WEIGHTS.values(), ids=WEIGHTS)
def test_what_a_rule_gives_weight(actions: list[dict[str, Any]], weights: dict[str, int]) -> None:
    """However ELB spells a forward (API reference, Action and ForwardActionConfig)."""
    assert weighted({"Actions": actions}) == weights
    assert weighted({}) == {}
