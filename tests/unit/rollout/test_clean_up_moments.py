"""The clean-up after a rollback at one moment: what is told, collected and drained before tasks go."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.rollout import HookRun, LiveRevision, Motion, Outcome, RejectedRevision
from sluice.model.situation import RouteFacts, SlotFacts, TrafficFacts
from sluice.model.strategy import Hook, Progressive
from sluice.rollout import rollback
from sluice.rollout.work import Wait, Work
from unit.rollout.moment import NOW, STEPS, moment

RULES = RouteFacts(name="main", proven=True, verified_at=NOW - 5)
NAMES = dataclasses.replace(RULES, plane="discovery", verified_at=NOW - 3)
DRAIN = 60.0
"""Thirty seconds of propagation, thirty of deregistration."""


def cleaning(
    *routes: RouteFacts, hook: HookRun | None = None, slot: dict[str, Any] | None = None, **members: Any
) -> Work:
    """Return a clean-up whose drain is over and whose proof was read, unless members say otherwise."""
    facts = {name: members.pop(name) for name in ("evidence", "wanted") if name in members}
    found = {
        "exists": True,
        "revision": "r2",
        "desired": 4,
        "running": 4,
        "tasks": 4,
        "healthy": 4,
        "failing": ("exit code 1",),
        "carries_weight": False,
        "drain_seconds": 30.0,
    }
    slots = {**moment().situation.slots, "b": SlotFacts(name="b", **found | (slot or {}))}
    hooks = (Hook(name="tell", stage="OnRollback"),) if hook else ()
    rollout = {
        "stage": "CleaningUp",
        "stage_since": NOW - DRAIN + 1,
        "weight": 0,
        "proven": 0,
        "shown": True,
        "reason": "Alarm",
        "message": "5xx",
        "outcome": "RolledBack",
        "decided_at": NOW - DRAIN - 10,
        "verified_at": NOW - DRAIN,
        "evidence_taken": True,
        "hooks": (hook,) if hook else (),
    }
    return moment(
        strategy=Progressive(steps=STEPS, hooks=hooks, snapshot={"x": 1}),
        rollout=rollout | members,
        slots=slots,
        traffic=TrafficFacts(weights={"a": 1000}, routes=routes or (RULES,)),
        **facts,
    )


TELL = HookRun(id="OnRollback/tell", started_at=NOW - 5)


@pytest.mark.parametrize(
    ("work", "over"),
    [
        pytest.param(cleaning(), True, id="all is done"),
        pytest.param(cleaning(hook=TELL), False, id="a hook runs"),
        pytest.param(cleaning(hook=dataclasses.replace(TELL, state="Failed")), True, id="a hook failed"),
        pytest.param(cleaning(evidence_taken=False), False, id="evidence is to be collected"),
        pytest.param(cleaning(verified_at=NOW - DRAIN + 1), False, id="connections drain"),
        pytest.param(
            cleaning(verified_at=NOW - DRAIN + 1, shown=False), True, id="nothing was shown: no drain"
        ),
        pytest.param(
            cleaning(dataclasses.replace(RULES, proven=False)), False, id="the test rules are there"
        ),
        pytest.param(
            cleaning(dataclasses.replace(RULES, proven=False), shown=False), True, id="there were none"
        ),
        pytest.param(cleaning(slot={"carries_weight": None}), False, id="the rules were not read"),
        pytest.param(cleaning(slot={"carries_weight": True}), False, id="a rule sends to it"),
    ],
)
def test_it_is_over_when_everything_is_done(work: Work, *, over: bool) -> None:
    """Told, collected, drained, proved, and nothing leads to the candidate."""
    assert rollback.cleaning_up(work) is over
    assert (work.motion.rollout is None) is over
    assert (work.waits is None) is over


def test_shares_of_tasks_do_not_drain() -> None:
    """No connection was sent to them."""
    work = cleaning(shares=True, verified_at=NOW)
    work.situation = dataclasses.replace(work.situation, traffic=TrafficFacts(weights={"a": 1000}))
    assert rollback.cleaning_up(work) is True


@pytest.mark.parametrize(("verified", "wakes"), [(NOW - DRAIN + 1, [NOW + 1]), (NOW - DRAIN, [])])
def test_the_drain_is_over_to_the_second(verified: float, wakes: list[float]) -> None:
    """Counted from the proof that requests went back."""
    work = cleaning(verified_at=verified)
    assert rollback.cleaning_up(work) is not bool(wakes)
    assert work.wakes == wakes
    if wakes:
        assert work.waits == Wait(reason="Draining", message="rolled back to r1; connections to b drain")


@pytest.mark.parametrize(
    ("routes", "decided", "verified"),
    [
        pytest.param((NAMES,), NOW - 9, 0.0, id="the names have gone back: their own time"),
        pytest.param((dataclasses.replace(NAMES, proven=False),), NOW - 9, 0.0, id="they have not"),
    ],
)
def test_names_are_waited_for_before_the_drain(
    routes: tuple[RouteFacts, ...], decided: float, verified: float
) -> None:
    """Until then the candidate is reached."""
    work = cleaning(*routes, verified_at=0.0, decided_at=decided)
    assert rollback.cleaning_up(work) is False
    proven = routes[0].proven
    assert work.rollout.discovered_at == (NOW - 3 if proven else 0.0)
    assert work.rollout.verified_at == verified
    assert work.waits is not None
    assert work.waits.reason == ("Draining" if proven else "RollingOut")


@pytest.mark.parametrize(("decided", "since"), [(NOW - 9, NOW), (NOW + 4, NOW + 4)])
def test_when_the_last_route_is_gone_the_drain_begins(decided: float, since: float) -> None:
    """Nothing leads to the candidate any more; never before the decision."""
    work = cleaning(verified_at=0.0, decided_at=decided)
    work.situation = dataclasses.replace(work.situation, traffic=TrafficFacts(weights={"a": 1000}))
    assert rollback.cleaning_up(work) is False
    assert (work.rollout.verified_at, work.wakes) == (since, [since + DRAIN])


@pytest.mark.parametrize(
    ("slot", "gone", "needs", "message"),
    [
        pytest.param({}, True, set(), "", id="proved"),
        pytest.param({"exists": False, "carries_weight": None}, True, set(), "", id="its service is gone"),
        pytest.param({"tasks": 0, "desired": 0, "carries_weight": True}, True, set(), "", id="no task"),
        pytest.param(
            {"tasks": 0, "desired": 1, "carries_weight": True},
            False,
            set(),
            "a rule still gives weight to slot b; its tasks stay",
            id="one is to be there",
        ),
        pytest.param(
            {"tasks": 1, "desired": 1, "carries_weight": True, "carrier": "rule/1, priority 7"},
            False,
            set(),
            "a rule still gives weight to slot b (rule/1, priority 7); its tasks stay",
            id="one is there",
        ),
        pytest.param(
            {"carries_weight": None},
            False,
            {"proof"},
            "reading the rules before the tasks of slot b go",
            id="not read",
        ),
        pytest.param(
            {"listed": "route web"},
            False,
            set(),
            "tasks of slot b stay until their entries left Cloud Map: route web",
            id="a name answers with it",
        ),
    ],
)
def test_tasks_go_when_nothing_leads_to_them(
    slot: dict[str, Any], needs: set[str], message: str, *, gone: bool
) -> None:
    """A reading of this pass tells; what is in AWS's hands counts against the deadline."""
    work = cleaning(slot=slot)
    assert rollback.gone(work, work.candidate) is gone
    assert work.needs == needs
    wait = Wait(reason="Draining", message=message, counts="reading" not in message)
    assert work.waits == (wait if message else None)


@pytest.mark.parametrize(
    ("found", "since", "evidence", "wakes"),
    [
        pytest.param(("log",), NOW, ("log",), [], id="it was collected"),
        pytest.param((), NOW, (), [], id="there was none"),
        pytest.param(None, NOW - 59, None, [NOW + 1], id="it is asked for"),
        pytest.param(None, NOW - 60, ("exit code 1",), [], id="in a minute nobody could: what is known"),
        pytest.param(("log",), NOW - 90, ("log",), [], id="late, but there"),
    ],
)
def test_evidence_is_waited_for_a_minute(
    found: tuple[str, ...] | None, since: float, evidence: tuple[str, ...] | None, wakes: list[float]
) -> None:
    """A broken candidate is not kept for ever."""
    work = cleaning(hook=TELL, evidence=found, evidence_taken=False, stage_since=since)
    assert rollback.cleaning_up(work) is False
    assert work.rollout.evidence_taken is (evidence is not None)
    assert work.rollout.evidence == (evidence or ())
    assert ("evidence" in work.needs) is (evidence is None)
    assert [at for at in work.wakes if at == NOW + 1] == wakes


def test_evidence_that_was_taken_is_not_taken_again() -> None:
    """What comes later is not of the moment."""
    work = cleaning(hook=TELL, evidence=("later",))
    rollback.cleaning_up(work)
    assert work.rollout.evidence == ()


def test_it_ends_in_the_pass_that_collects() -> None:
    """When all else is done."""
    work = cleaning(evidence=("log",), evidence_taken=False)
    assert rollback.cleaning_up(work) is True
    assert work.finished[0].rollout.evidence == ("log",)


TEXT = "revision r2 was rolled back to r1: 5xx"
REJECTED = RejectedRevision(revision="r2", reason="RolledBack", message=TEXT, fallback="r1", cause="Alarm")


@pytest.mark.parametrize(
    ("members", "outcome", "rejected", "note"),
    [
        pytest.param({}, "RolledBack", True, "RolloutRolledBack", id="it failed"),
        pytest.param({"outcome": ""}, "RolledBack", True, "RolloutRolledBack", id="of an older status"),
        pytest.param({"outcome": "Aborted"}, "Aborted", True, "RolloutRolledBack", id="a person"),
        pytest.param({"outcome": "Superseded"}, "Superseded", False, "RolloutSuperseded", id="a newer one"),
        pytest.param(
            {"kind": "Undo", "wanted": "r9"}, "RolledBack", False, "RolloutRolledBack", id="an undo"
        ),
        pytest.param(
            {"kind": "Undo"}, "RolledBack", True, "RolloutRolledBack", id="one that the spec asked for"
        ),
        pytest.param({"wanted": "r9"}, "RolledBack", True, "RolloutRolledBack", id="the spec is further"),
    ],
)
def test_what_failed_is_remembered(
    members: dict[str, Any], outcome: Outcome, note: str, *, rejected: bool
) -> None:
    """So that it does not begin by itself; an undo's candidate only where the spec asks for it."""
    work = cleaning(**members)
    assert rollback.cleaning_up(work) is True
    assert work.motion == Motion(
        live=LiveRevision(slot="a", revision="r1", since=NOW - 1000), rejected=REJECTED if rejected else None
    )
    assert [done.outcome for done in work.finished] == [outcome]
    assert [(event.reason, event.message) for event in work.notes] == [(note, TEXT)]
