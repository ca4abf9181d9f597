"""What a rollout of a rolling service leaves in status when it begins, settles, ends or is rolled back."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.actions import Note
from sluice.model.conditions import timestamp
from sluice.model.desired import Desired, Strategy
from sluice.plan.deployment import motion
from sluice.plan.deployment.progress import Progress
from sluice.plan.deployment.service import Difference
from sluice.plan.deployment.state import Live, Rejected, Rollout, Slot, State
from unit.deployment.wishes import NOW, desired

WISH = desired()
NAME = WISH.revision.name
ARN = "arn:1"
SLOT = Slot(revision=NAME, task_definition=ARN, deployment_id="ecs-svc/1")
LIVE = Live(revision="web-0", task_definition="arn:0", since=NOW - 999)
ROLLOUT = Rollout(id="r1", candidate=NAME, source="web-0", started_at=NOW - 60, deadline_at=NOW + 60)
MOVING = State(slot=SLOT, live=LIVE, rollout=ROLLOUT)
IMAGE = (Difference(member="taskDefinition", text=""), Difference(member="desiredCount", text=""))
COUNT = (Difference(member="desiredCount", text=""),)


def entry(outcome: str, **more: Any) -> dict[str, Any]:
    """Return the history entry of ROLLOUT, over at NOW."""
    base = {"id": "r1", "revision": NAME, "outcome": outcome, "startedAt": timestamp(NOW - 60)}
    return base | {"durationSeconds": 60} | more


SUPERSEDING = dataclasses.replace(ROLLOUT, supersedes="ecs-svc/1")


@pytest.mark.parametrize(
    ("slot", "rollout", "found", "expected"),
    [
        pytest.param(SLOT, None, (), True, id="at rest"),
        pytest.param(SLOT, None, COUNT, True, id="a count is no part of a revision"),
        pytest.param(SLOT, None, IMAGE, False, id="the service runs something else"),
        pytest.param(Slot(), None, (), True, id="a service found without a status"),
        pytest.param(Slot(revision="web-0"), None, (), False, id="a restart that has not begun"),
        pytest.param(Slot(revision="web-0"), ROLLOUT, (), True, id="its rollout changed all there is"),
        pytest.param(
            Slot(revision="web-0"),
            dataclasses.replace(ROLLOUT, candidate="web-2"),
            (),
            False,
            id="a rollout to another revision",
        ),
        pytest.param(SLOT, SUPERSEDING, (), False, id="the forced deployment is not there yet"),
        pytest.param(
            dataclasses.replace(SLOT, deployment_id="ecs-svc/2"), SUPERSEDING, (), True, id="now it is there"
        ),
    ],
)
def test_when_a_service_has_got_the_revision(
    slot: Slot, rollout: Rollout | None, found: tuple[Difference, ...], *, expected: bool
) -> None:
    """Completely: a rollout ends only then, and nothing is begun twice."""
    assert motion.settled(WISH, State(slot=slot, rollout=rollout), slot, found) is expected


OTHER_GOES = dataclasses.replace(MOVING, rollout=dataclasses.replace(ROLLOUT, candidate="web-2", replicas=4))


def test_a_rollout_begins_once_and_supersedes_another() -> None:
    """Its deadline counts from its start; what a Recreate had scaled down is not forgotten."""
    assert motion.start(WISH, MOVING, SLOT, IMAGE, exists=True, now=NOW) is MOVING
    after = motion.start(WISH, OTHER_GOES, SLOT, IMAGE, exists=True, now=NOW + 0.7)
    began = after.rollout
    assert began is not None
    assert began == Rollout(
        id=began.id, candidate=NAME, source="web-0", started_at=NOW, deadline_at=NOW + 3600, replicas=4
    )
    assert began.id != "r1"
    assert after.history == (entry("Superseded", by="spec") | {"revision": "web-2"},)
    first = motion.start(WISH, State(slot=SLOT), SLOT, IMAGE, exists=True, now=NOW)
    assert first.rollout is not None
    assert (first.rollout.source, first.rollout.replicas, first.history) == ("", None, ())


@pytest.mark.parametrize(
    ("found", "exists", "supersedes"),
    [
        pytest.param((), True, "ecs-svc/1", id="a restart: equal settings are deployed by force"),
        pytest.param((), False, "", id="a service that is made"),
        pytest.param(IMAGE, True, "", id="a difference is enough"),
    ],
)
def test_what_is_deployed_by_force(found: tuple[Difference, ...], *, exists: bool, supersedes: str) -> None:
    """ECS starts no deployment by itself where nothing differs: the present one has to be replaced."""
    after = motion.start(WISH, State(slot=SLOT), SLOT, found, exists=exists, now=NOW)
    assert after.rollout is not None
    assert after.rollout.supersedes == supersedes


PAUSED = desired(paused=True, strategy=Strategy(progress_deadline_seconds=30))
GOING = desired(strategy=Strategy(progress_deadline_seconds=30))
STOPPED = dataclasses.replace(ROLLOUT, deadline_at=None)


@pytest.mark.parametrize(
    ("wish", "rollout", "expected"),
    [
        pytest.param(GOING, None, None, id="no rollout"),
        pytest.param(GOING, ROLLOUT, ROLLOUT, id="it goes on"),
        pytest.param(PAUSED, ROLLOUT, STOPPED, id="paused: the clock stands still"),
        pytest.param(PAUSED, STOPPED, STOPPED, id="still paused"),
        pytest.param(
            GOING, STOPPED, dataclasses.replace(ROLLOUT, deadline_at=NOW + 30), id="it starts anew afterwards"
        ),
    ],
)
def test_the_clock_of_the_deadline(wish: Desired, rollout: Rollout | None, expected: Rollout | None) -> None:
    """In whole seconds, as status tells it: a pass that changes nothing writes nothing."""
    assert motion.clock(wish, State(rollout=rollout), now=NOW + 0.9) == State(rollout=expected)


RECREATE = desired(strategy=Strategy(type="Recreate"))
UNOWNED = desired(strategy=Strategy(type="Recreate"), replicas=None)


def step(word: Any, replicas: int | None = None) -> Rollout:
    """Return ROLLOUT at a step of a Recreate."""
    return dataclasses.replace(ROLLOUT, recreate=word, replicas=replicas)


@pytest.mark.parametrize(
    ("wish", "rollout", "counts", "moved", "what"),
    [
        pytest.param(RECREATE, None, (2, 2, 0), None, "go", id="no rollout"),
        pytest.param(WISH, ROLLOUT, (2, 2, 0), ROLLOUT, "go", id="a rolling update"),
        pytest.param(RECREATE, step("Starting"), (2, 0, 0), step("Starting"), "go", id="it starts"),
        pytest.param(
            RECREATE,
            ROLLOUT,
            (2, 2, 0),
            step("ScalingDown"),
            "scale-down",
            id="the old ones are wanted still",
        ),
        pytest.param(
            UNOWNED, ROLLOUT, (6, 6, 0), step("ScalingDown", 6), "scale-down", id="the count is remembered"
        ),
        pytest.param(
            RECREATE, ROLLOUT, (1, 1, 0), step("ScalingDown"), "scale-down", id="one that is wanted, too"
        ),
        pytest.param(RECREATE, ROLLOUT, (0, 1, 0), step("ScalingDown"), "wait", id="one runs"),
        pytest.param(RECREATE, ROLLOUT, (0, 0, 1), step("ScalingDown"), "wait", id="one is starting"),
        pytest.param(
            RECREATE, ROLLOUT, (0, 1, 1), step("ScalingDown"), "wait", id="one runs, one is starting"
        ),
        pytest.param(
            UNOWNED,
            step("ScalingDown", 6),
            (0, 0, 0),
            step("Starting", 6),
            "go",
            id="none is left: back to six",
        ),
        pytest.param(RECREATE, ROLLOUT, (), step("Starting"), "go", id="AWS tells no count: none is left"),
    ],
)
def test_a_recreate_stops_everything_first(
    wish: Desired, rollout: Rollout | None, counts: tuple[int, ...], moved: Rollout | None, what: str
) -> None:
    """No task of the old revision runs beside one of the new; the step is in status before it is done."""
    service = dict(zip(("desiredCount", "runningCount", "pendingCount"), counts, strict=False))
    found = motion.recreate(wish, State(rollout=rollout), service)
    assert (found.state, found.step) == (State(rollout=moved), what)


def test_a_recreate_asks_for_no_task() -> None:
    """All of them, by one call."""
    slot = Slot(cluster="main", service_name="web-a1")
    action = motion.scale_down(slot, NAME)
    assert action.params == {"cluster": "main", "service": "web-a1", "desiredCount": 0}
    assert action.outputs == {"service:main:web-a1": "service"}


NEW_LIVE = Live(revision=NAME, task_definition=ARN, since=NOW)


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        pytest.param(None, NEW_LIVE, id="the first"),
        pytest.param(LIVE, NEW_LIVE, id="another revision"),
        pytest.param(
            dataclasses.replace(NEW_LIVE, task_definition="arn:0"), NEW_LIVE, id="its definition moved"
        ),
        pytest.param(
            dataclasses.replace(NEW_LIVE, since=NOW - 9),
            dataclasses.replace(NEW_LIVE, since=NOW - 9),
            id="it was",
        ),
    ],
)
def test_what_is_live(live: Live | None, expected: Live) -> None:
    """Since the second in which it ran completely for the first time."""
    after, notes = motion.finish(WISH, State(live=live), SLOT, now=NOW + 0.4)
    assert after == State(live=expected)
    assert notes == ()


REJECTED = Rejected(revision="web-2", reason="RolledBack", fallback=NAME)


@pytest.mark.parametrize(
    ("spec", "rejected", "left", "by"),
    [
        pytest.param(NAME, None, None, "spec", id="as the spec says"),
        pytest.param("web-2", REJECTED, REJECTED, "rollback", id="a rollback is complete"),
        pytest.param(NAME, REJECTED, None, "rollback", id="the spec went back to it"),
    ],
)
def test_a_rollout_that_ends_well(
    spec: str, rejected: Rejected | None, left: Rejected | None, by: str
) -> None:
    """One entry, one Event; what was rejected stays so as long as the spec asks for it."""
    wish = dataclasses.replace(WISH, spec_revision=spec)
    after, notes = motion.finish(wish, dataclasses.replace(MOVING, rejected=rejected), SLOT, now=NOW)
    assert after == State(slot=SLOT, live=NEW_LIVE, history=(entry("Succeeded", by=by),), rejected=left)
    assert notes == (
        Note(
            type="Normal",
            reason="RolloutCompleted",
            message=f"revision {NAME} runs completely (rollout r1)",
        ),
    )


PAST = ({"revision": NAME, "outcome": "Succeeded"}, {"revision": "web-old", "outcome": "Succeeded"})
RAN = Live(revision=NAME, task_definition=ARN, since=NOW)


@pytest.mark.parametrize(
    ("state", "source"),
    [
        pytest.param(MOVING, "web-0", id="where the rollout came from"),
        pytest.param(dataclasses.replace(MOVING, history=PAST), "web-0", id="whatever ran before that"),
        pytest.param(
            State(slot=SLOT, live=RAN, history=PAST), "web-old", id="it had completed: what was live before"
        ),
        pytest.param(State(slot=SLOT, live=LIVE), "web-0", id="the rollout is over: what is live"),
        pytest.param(State(slot=SLOT, live=RAN), "", id="nothing else ever ran"),
        pytest.param(State(slot=SLOT), "", id="nothing ever ran"),
        pytest.param(
            dataclasses.replace(MOVING, rollout=dataclasses.replace(ROLLOUT, source="")),
            "web-0",
            id="a rollout from nowhere: what is live",
        ),
    ],
)
def test_what_a_rollback_goes_back_to(state: State, source: str) -> None:
    """The revision is rejected, and what ECS went back to is told and kept running."""
    after, note = motion.fall_back(WISH, state, SLOT, why="too bad", reasons=("exit 1", "exit 2"), now=NOW)
    to = f" to {source}" if source else ""
    message = f"ECS rolled revision {NAME} back{to}: too bad; exit 1; exit 2"
    ends = entry("RolledBack", by="ECS", reason=message, evidence=["exit 1", "exit 2"])
    assert after == dataclasses.replace(
        state,
        rollout=None,
        rejected=Rejected(revision=NAME, reason="RolledBack", fallback=source, message=message),
        history=((ends,) if state.rollout else ()) + state.history,
        slot=dataclasses.replace(SLOT, revision="") if source else SLOT,
    )
    assert note == Note(type="Warning", reason="RolledBack", message=message)


@pytest.mark.parametrize(
    ("why", "reasons", "end"),
    [
        pytest.param("", (), "", id="nothing is known"),
        pytest.param("", ("exit 1",), ": exit 1", id="why tasks stopped"),
        pytest.param("too bad", (), ": too bad", id="what ECS says"),
    ],
)
def test_what_is_known_of_a_rollback_is_told(why: str, reasons: tuple[str, ...], end: str) -> None:
    """And no punctuation without words."""
    _, note = motion.fall_back(WISH, MOVING, SLOT, why=why, reasons=reasons, now=NOW)
    assert note.message == f"ECS rolled revision {NAME} back to web-0{end}"


@pytest.mark.parametrize(
    ("live", "reason"),
    [(None, "FirstRolloutFailed"), (LIVE, "ProgressDeadlineExceeded")],
    ids=["the first", "a later one"],
)
def test_a_failure_that_ecs_leaves_as_it_is(live: Live | None, reason: str) -> None:
    """Nothing to go back to: the revision is rejected and its tasks stay what they are."""
    state = dataclasses.replace(MOVING, live=live)
    progress = Progress(state="Failed", message="0 of 2 run")
    after, note = motion.fail(WISH, state, SLOT, progress, reasons=("exit 1",), now=NOW)
    ends = entry("Failed", by="ECS", reason="0 of 2 run", evidence=["exit 1"])
    rejected = Rejected(revision=NAME, reason=reason, message="0 of 2 run")
    assert after == dataclasses.replace(state, rollout=None, rejected=rejected, history=(ends,))
    assert note == Note(type="Warning", reason=reason, message="0 of 2 run")
