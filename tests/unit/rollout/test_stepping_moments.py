"""The way forward, stage by stage and step by step: what moves, what waits, and what is told."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.rollout import HookRun, LiveRevision, Motion, Stage, Standby
from sluice.model.situation import GroupFacts, HookAnswer, MemberFacts, RouteFacts, SlotFacts, TrafficFacts
from sluice.model.strategy import (
    Analyse,
    Hook,
    HookStage,
    Pause,
    Progressive,
    RunHook,
    SetHeaderRoute,
    SetWeight,
    Step,
)
from sluice.rollout import stepping
from sluice.rollout.work import Work
from unit.rollout.moment import NOW, moment

HEADER = ("x", "1")
ROUTE = RouteFacts(name="main", proven=True, verified_at=NOW - 5)
LATE = GroupFacts(name="core", members=(MemberFacts(name="other", changing=True, arrived=-1),))
WARM = Standby(slot="b", revision="r0", until=NOW + 900, count=4)


def slots(source: int = 4, candidate: int | None = 4) -> dict[str, SlotFacts]:
    """Return both slots of four tasks; so many are healthy."""
    made = moment().situation.slots
    return {
        "a": dataclasses.replace(made["a"], healthy=source),
        "b": dataclasses.replace(made["b"], healthy=candidate),
    }


def stood(
    stage: Stage, *, hook: HookAnswer | None = None, gate: HookStage | None = None, **facts: Any
) -> Work:
    """Return a rollout in a stage before its weights, with a hook there that answered, or not yet."""
    hooks = (Hook(name="check", stage=gate),) if gate else ()
    runs = (HookRun(id=f"{gate}/check", started_at=NOW - 5),) if gate else ()
    rollout = {"stage": stage, "weight": 0, "proven": 0, "hooks": runs} | facts.pop("rollout", {})
    strategy = Progressive(steps=(SetWeight(permille=1000),), hooks=hooks, snapshot={"x": 1})
    work = moment(strategy=strategy, rollout=rollout, slots=facts.pop("slots", slots()), **facts)
    if hook:
        gates = dataclasses.replace(work.situation.gates, hooks={f"id/{gate}/check/0": hook})
        work.situation = dataclasses.replace(work.situation, gates=gates)
    work.motion = dataclasses.replace(work.motion, standby=WARM)
    return work


YES, NO = HookAnswer(state="Succeeded"), HookAnswer(state="Failed", message="no")
HOOKED = [
    pytest.param(YES, {}, True, "on", id="the hook said yes"),
    pytest.param(None, {}, False, "stays", id="it runs"),
    pytest.param(NO, {}, True, "CleaningUp", id="it said no: back"),
    pytest.param(YES, {"paused": True}, False, "stays", id="a person paused"),
]


@pytest.mark.parametrize(("hook", "facts", "moved", "where"), HOOKED)
def test_before_scaling_the_standby_stays_warm(
    hook: HookAnswer | None, facts: dict[str, Any], *, moved: bool, where: str
) -> None:
    """It ends when its slot is needed, not before, and not where a hook refuses."""
    work = stood("PreScaleUp", hook=hook, gate="PreScaleUp", **facts)
    assert stepping.pre_scale_up(work) is moved
    assert work.rollout.stage == {"on": "ScalingUp", "stays": "PreScaleUp"}.get(where, where)
    assert work.motion.standby == (None if where == "on" else WARM)


@pytest.mark.parametrize(("hook", "facts", "moved", "where"), HOOKED)
def test_after_scaling_the_candidate_is_shown(
    hook: HookAnswer | None, facts: dict[str, Any], *, moved: bool, where: str
) -> None:
    """From then on requests may reach it (the test listener), so it drains before it goes."""
    work = stood("PostScaleUp", hook=hook, gate="PostScaleUp", **facts)
    assert stepping.post_scale_up(work) is moved
    assert work.rollout.stage == {"on": "PreTraffic", "stays": "PostScaleUp"}.get(where, where)
    assert work.rollout.shown is (where == "on")


@pytest.mark.parametrize("stage", ["PreScaleUp", "PostScaleUp"])
def test_a_hook_that_says_no_ends_a_first_rollout(stage: Stage) -> None:
    """There is nothing to go back to."""
    gate: HookStage = "PreScaleUp" if stage == "PreScaleUp" else "PostScaleUp"
    work = stood(stage, hook=NO, gate=gate, rollout={"kind": "First", "source": ""})
    assert (stepping.pre_scale_up if stage == "PreScaleUp" else stepping.post_scale_up)(work) is True
    assert (work.motion.rollout, [done.outcome for done in work.finished]) == (None, ["Failed"])


@pytest.mark.parametrize(
    ("kind", "candidate", "moved", "stage", "decided"),
    [
        pytest.param("Rollout", 4, True, "PostScaleUp", 0.0, id="healthy"),
        pytest.param("Rollout", 3, False, "ScalingUp", 0.0, id="one is missing"),
        pytest.param("Rollout", None, False, "ScalingUp", 0.0, id="not read"),
        pytest.param("Undo", 4, True, "Stepping", NOW - 100, id="an undo is a way back from its start"),
    ],
)
def test_the_candidate_must_be_healthy_first(
    kind: str, candidate: int | None, *, moved: bool, stage: Stage, decided: float
) -> None:
    """All four, for everything is the next weight; an undo has no hooks, and drains what it showed."""
    work = stood("ScalingUp", slots=slots(candidate=candidate), rollout={"kind": kind})
    assert stepping.scaling_up(work) is moved
    assert (work.rollout.stage, work.rollout.decided_at) == (stage, decided)
    assert work.rollout.shown is (kind == "Undo")


@pytest.mark.parametrize(
    ("kind", "proven", "moved"),
    [("Rollout", True, True), ("Rollout", False, False), ("First", False, True)],
)
def test_hooks_before_traffic_find_the_test_listener_proved(kind: str, *, proven: bool, moved: bool) -> None:
    """A first rollout has no test rules that could be."""
    traffic = TrafficFacts(weights={"a": 1000}, test="b", routes=(dataclasses.replace(ROUTE, proven=proven),))
    work = stood("PreTraffic", traffic=traffic, rollout={"kind": kind})
    assert stepping.pre_traffic(work) is moved
    assert work.rollout.stage == ("Stepping" if moved else "PreTraffic")


# -- steps ------------------------------------------------------------------------------------------------


def at(
    *steps: Step, step: int = 0, source: int = 4, candidate: int = 4, proven: bool = True, **members: Any
) -> Work:
    """Return a step in which all is well, a quarter is proved, and the clock runs for 20 s."""
    facts = {name: members.pop(name) for name in ("paused", "group") if name in members}
    strategy = {name: members.pop(name) for name in ("hooks", "release_group") if name in members}
    rollout = {"step": step, "step_since": NOW - 20, "healthy_since": NOW - 50} | members
    work = moment(
        strategy=Progressive(steps=steps, snapshot={"x": 1}, **strategy),
        rollout=rollout,
        slots=slots(source, candidate),
        **facts,
    )
    order = {"a": 1000 - work.rollout.weight, "b": work.rollout.weight}
    traffic = TrafficFacts(
        weights={slot: parts for slot, parts in order.items() if parts},
        test="b" if work.rollout.kind == "Rollout" else "",
        header=work.rollout.header,
        routes=(dataclasses.replace(ROUTE, proven=proven),),
    )
    work.situation = dataclasses.replace(work.situation, traffic=traffic)
    return work


def told(work: Work) -> list[str]:
    """Return what the Events say."""
    return [note.message for note in work.notes]


HALF, ALL = SetWeight(permille=500), SetWeight(permille=1000)


@pytest.mark.parametrize(
    ("members", "weight", "reason"),
    [
        pytest.param({}, 500, "RollingOut", id="all is well: ordered, its proof is waited for"),
        pytest.param({"paused": True}, 250, "Paused", id="paused"),
        pytest.param({"proven": False}, 250, "RollingOut", id="what there is is not proved"),
        pytest.param({"proven": False, "weight": 0}, 500, "RollingOut", id="nothing there: no proof"),
        pytest.param({"candidate": 3}, 500, "RollingOut", id="half of four, and one more"),
        pytest.param({"candidate": 2}, 250, "WaitingForTargets", id="one too few"),
        pytest.param({"source": 2}, 250, "WaitingForTargets", id="the source is ill"),
    ],
)
def test_a_weight_is_ordered_when_everything_says_yes(
    members: dict[str, Any], weight: int, reason: str
) -> None:
    """Gates, the proof of the present one, and enough healthy targets; it is told with both weights."""
    work = at(HALF, ALL, **members)
    before = work.rollout.weight
    assert stepping.stepping(work) is False
    assert work.rollout.weight == weight
    assert work.waits is not None
    assert work.waits.reason == reason
    if weight != before:
        assert told(work) == [f"step 1 of 2: weight {before / 10:g} % → 50 % on slot b"]
        assert work.rollout.step_since is None
    else:
        assert (told(work), work.rollout.step_since) == ([], NOW - 20)


@pytest.mark.parametrize(("source", "weight"), [(3, 250), (2, 500)])
def test_a_weight_is_lowered_when_the_source_carries_more(source: int, weight: int) -> None:
    """Three of four targets for three quarters; the candidate's health is not asked."""
    work = at(SetWeight(permille=250), ALL, source=source, candidate=0, weight=500, proven=True)
    assert stepping.stepping(work) is False
    assert work.rollout.weight == weight


def test_the_first_rollouts_weight_is_not_told() -> None:
    """Its end tells enough."""
    work = at(ALL, kind="First", source=4, weight=0)
    work.change(source="")
    assert stepping.stepping(work) is False
    assert (work.rollout.weight, told(work)) == (1000, [])


@pytest.mark.parametrize(("proven", "step", "since"), [(True, 1, NOW - 5), (False, 0, NOW - 20)])
def test_a_weight_is_done_when_every_route_proved_it(*, proven: bool, step: int, since: float) -> None:
    """The next step's clock starts at that proof."""
    work = at(SetWeight(permille=250), ALL, proven=proven, weight=250)
    work.change(proven=0)
    assert stepping.stepping(work) is proven
    assert (work.rollout.step, work.rollout.step_since) == (step, since)
    assert work.rollout.proven == (250 if proven else 0)


def test_an_undos_weight_is_told_as_a_way_back() -> None:
    """With the seconds since it was asked for."""
    work = at(ALL, kind="Undo", weight=1000, shown=True, decided_at=NOW - 15)
    assert stepping.stepping(work) is True
    assert (work.rollout.verified_at, told(work)) == (
        NOW - 5,
        ["every route sends to r2 alone again, after 10.0 s"],
    )


@pytest.mark.parametrize(
    ("step", "members", "header", "note"),
    [
        pytest.param(HEADER, {}, HEADER, ["x: 1"], id="set"),
        pytest.param(HEADER, {"candidate": 0}, None, [], id="nobody would answer"),
        pytest.param(HEADER, {"paused": True}, None, [], id="paused"),
        pytest.param(("", ""), {"header": HEADER}, None, ["none"], id="taken away"),
        pytest.param(
            ("", ""), {"header": HEADER, "candidate": 0}, None, ["none"], id="away, nobody is asked"
        ),
        pytest.param(("", ""), {"header": HEADER, "paused": True}, HEADER, [], id="away, paused"),
    ],
)
def test_a_header_route(
    step: tuple[str, str], members: dict[str, Any], header: tuple[str, str] | None, note: list[str]
) -> None:
    """Set when the candidate has the healthy targets, taken away whatever it has; told, and then proved."""
    work = at(SetHeaderRoute(header=step[0], value=step[1]), ALL, **members)
    assert stepping.stepping(work) is False
    assert work.rollout.header == header
    assert told(work) == [f"step 1 of 2: requests with header {what} go to the candidate" for what in note]
    assert work.rollout.step_since == (None if note else NOW - 20)


@pytest.mark.parametrize(("proven", "step"), [(True, 1), (False, 0)])
def test_a_header_route_is_done_when_it_is_proved(*, proven: bool, step: int) -> None:
    """The rules were read back."""
    work = at(SetHeaderRoute(header="x", value="1"), ALL, header=HEADER, proven=proven)
    assert stepping.stepping(work) is proven
    assert work.rollout.step == step


@pytest.mark.parametrize(
    ("seconds", "done", "wakes"),
    [(20.0, True, []), (21.0, False, [NOW + 1]), (None, False, [])],
)
def test_a_pause_is_over_to_the_second(seconds: float | None, *, done: bool, wakes: list[float]) -> None:
    """Or when a person promotes: then a gate says so."""
    work = at(Pause(seconds=seconds), ALL)
    assert stepping.stepping(work) is done
    assert (work.rollout.step, work.wakes) == (int(done), wakes)
    assert [gate.name for gate in work.gates] == (["promote"] if seconds is None else [])


def test_a_pause_begins_when_its_clock_was_not_started() -> None:
    """It is whole from now on."""
    work = at(Pause(seconds=20), ALL, step_since=None)
    assert stepping.stepping(work) is False
    assert (work.rollout.step_since, work.wakes) == (NOW, [NOW + 20])


def test_what_is_held_is_said_before_the_step() -> None:
    """A pause goes on meanwhile, but that is not what a person has to know."""
    work = at(Pause(), ALL, held="AnalysisInconclusive", message="ask")
    assert stepping.stepping(work) is False
    assert work.waits is not None
    assert (work.waits.reason, work.waits.message) == ("AnalysisInconclusive", "ask")
    work = at(Pause(), ALL)
    stepping.stepping(work)
    assert work.waits is not None
    assert work.waits.reason == "Paused"


@pytest.mark.parametrize(("seconds", "done"), [(20, True), (21, False)])
def test_an_analysis_takes_its_time(seconds: float, *, done: bool) -> None:
    """Without metrics it is a pause."""
    work = at(Analyse(seconds=seconds), ALL)
    assert stepping.stepping(work) is done
    assert (work.rollout.step, work.rollout.step_since) == ((1, NOW) if done else (0, NOW - 20))


@pytest.mark.parametrize(
    ("answer", "members", "moved", "stage", "step"),
    [
        pytest.param(YES, {}, True, "Stepping", 1, id="yes"),
        pytest.param(None, {}, False, "Stepping", 0, id="it runs"),
        pytest.param(NO, {}, True, "CleaningUp", 0, id="no: back"),
        pytest.param(YES, {"group": LATE, "release_group": "core"}, False, "Stepping", 0, id="the group"),
    ],
)
def test_a_steps_hook(
    answer: HookAnswer | None, members: dict[str, Any], *, moved: bool, stage: Stage, step: int
) -> None:
    """The whole group comes first; a no turns the rollout back."""
    runs = (HookRun(id="step-0/check", started_at=NOW - 5),)
    hook = Hook(name="check", stage="Step")
    if "group" in members:  # it is far ahead of the other one
        member = dataclasses.replace(LATE.members[0], strategy_steps=3)
        members = members | {"group": dataclasses.replace(LATE, members=(member,))}
    work = at(RunHook(name="check"), ALL, hooks=(hook,), **members)
    work.change(hooks=runs)
    if answer:
        gates = dataclasses.replace(work.situation.gates, hooks={"id/step-0/check/0": answer})
        work.situation = dataclasses.replace(work.situation, gates=gates)
    assert stepping.stepping(work) is moved
    assert (work.rollout.stage, work.rollout.step) == (stage, step)


@pytest.mark.parametrize(
    ("following", "note"),
    [
        pytest.param((Pause(), ALL), ["step 2 of 3: weight 25 %: a person has to promote"], id="a person's"),
        pytest.param((Pause(seconds=5), ALL), [], id="it ends by itself"),
        pytest.param((ALL, Pause()), [], id="a pause after the next step"),
    ],
)
def test_a_pause_for_a_person_is_told_when_it_begins(following: tuple[Step, ...], note: list[str]) -> None:
    """Nobody else says that somebody is waited for."""
    work = at(SetWeight(permille=250), *following)
    assert stepping.stepping(work) is True
    assert told(work) == note


def test_after_the_last_step_nobody_is_asked() -> None:
    """There is no step that could be a pause."""
    work = at(ALL, weight=1000)
    assert stepping.stepping(work) is True
    assert (work.rollout.step, told(work)) == (1, [])


@pytest.mark.parametrize(
    ("weight", "proven", "following", "kept"),
    [
        pytest.param(250, 250, 500, False, id="more targets are needed"),
        pytest.param(500, 500, 500, True, id="as many"),
        pytest.param(500, 500, 250, True, id="fewer"),
        pytest.param(250, 500, 500, True, id="what was proved counts, where it is more"),
    ],
)
def test_min_ready_seconds_begin_anew_only_for_more_targets(
    weight: int, proven: int, following: int, *, kept: bool
) -> None:
    """The ones that are there have been healthy all the time."""
    work = at(HALF, SetWeight(permille=following), ALL, weight=weight)
    work.change(proven=proven)
    stepping.advance(work, NOW - 3)
    assert (work.rollout.step, work.rollout.step_since) == (1, NOW - 3)
    assert work.rollout.healthy_since == (NOW - 50 if kept else None)


@pytest.mark.parametrize(
    ("since", "at_", "seconds"),
    [
        pytest.param(NOW - 90, NOW - 90, "10.0", id="when the weight was proved"),
        pytest.param(None, NOW, "100.0", id="now"),
        pytest.param(NOW - 100, NOW - 100, "0.0", id="at once"),
        pytest.param(NOW - 110, NOW - 110, "0.0", id="the clock jumped"),
    ],
)
def test_an_undo_without_routes_tells_that_it_arrived(since: float | None, at_: float, seconds: str) -> None:
    """With the seconds since its start, and drains."""
    work = at(ALL, kind="Undo", step=1, weight=1000, step_since=since)
    assert stepping.stepping(work) is True
    assert (work.rollout.stage, work.rollout.verified_at) == ("Draining", at_)
    assert told(work) == [f"r2 has everything, after {seconds} s"]


def test_an_undo_that_was_proved_is_told_once() -> None:
    """By the routes' proof, before."""
    work = at(ALL, kind="Undo", step=1, weight=1000, verified_at=NOW - 7)
    assert stepping.stepping(work) is True
    assert (work.rollout.stage, work.rollout.verified_at, told(work)) == ("Draining", NOW - 7, [])


@pytest.mark.parametrize(
    ("kind", "live"),
    [
        pytest.param("First", LiveRevision(slot="b", revision="r2", since=NOW), id="the first one is live"),
        pytest.param("Rollout", LiveRevision(slot="a", revision="r1", since=NOW - 1000), id="not yet"),
    ],
)
def test_when_everything_is_sent_its_hooks_follow(kind: str, live: LiveRevision) -> None:
    """What is live changes at the end of a rollout, and at once in the first one."""
    work = at(ALL, kind=kind, step=1, weight=1000)
    assert stepping.stepping(work) is True
    assert work.motion == Motion(live=live, rollout=work.rollout)
    assert work.rollout.stage == "PostTraffic"
