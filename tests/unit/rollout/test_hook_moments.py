"""Hooks at one moment: who is asked, each attempt's time, and what an answer means."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import pytest

from sluice.model.rollout import HookRequest, HookRun, Stage
from sluice.model.situation import GateFacts, HookAnswer
from sluice.model.strategy import FreezeWindow, Hook, OnFailure, Progressive
from sluice.rollout import hooks
from sluice.rollout.work import Wait, Work
from unit.rollout.moment import NOW, STEPS, moment

CHECK = Hook(name="check", stage="PreTraffic", timeout=20)
RUN = HookRun(id="PreTraffic/check", started_at=NOW - 5)
YES, NO = HookAnswer(state="Succeeded", message="ok"), HookAnswer(state="Failed", message="no")
ERROR = HookAnswer(state="Error", message="down")
RUNNING = HookAnswer(state="Running", message="at 5 of 9")
ALWAYS = FreezeWindow(name="always", schedule="* * * * *", duration=3600)


def gated(
    *found: Hook, runs: tuple[HookRun, ...] = (), answers: dict[str, HookAnswer] | None = None, **facts: Any
) -> Work:
    """Return a moment with these hooks, where they stand, and their answers by `<run id>/<attempt>`."""
    freeze = facts.pop("freeze", ())
    gates = GateFacts(hooks={f"id/{name}": answer for name, answer in (answers or {}).items()})
    return moment(
        strategy=Progressive(steps=STEPS, hooks=found, freeze=freeze, snapshot={"x": 1}),
        gates=gates,
        rollout={"stage": "PreTraffic", "hooks": runs} | facts.pop("rollout", {}),
        **facts,
    )


def standing(**members: Any) -> HookRun:
    """Return the run of `check` with other members."""
    return dataclasses.replace(RUN, **members)


def asked(work: Work) -> list[str]:
    """Return the attempts that are asked for."""
    return [request.id for request in work.hooks]


def test_every_hook_of_the_stage_runs_at_the_same_time() -> None:
    """All must be through; those of other stages and names are not asked."""
    others = (Hook(name="later", stage="PostTraffic"), Hook(name="second", stage="PreTraffic"))
    work = gated(CHECK, *others)
    assert hooks.gate(work, "PreTraffic") is False
    assert asked(work) == ["id/PreTraffic/check/0", "id/PreTraffic/second/0"]
    work = gated(CHECK, *others, answers={"PreTraffic/check/0": YES})
    assert hooks.gate(work, "PreTraffic") is False
    assert asked(work) == ["id/PreTraffic/second/0"]
    work = gated(CHECK, *others, answers={"PreTraffic/check/0": YES, "PreTraffic/second/0": YES})
    assert hooks.gate(work, "PreTraffic") is True
    assert [(gate.name, gate.state, gate.message) for gate in work.gates] == [
        ("hook check", "Passed", "ok"),
        ("hook second", "Passed", "ok"),
    ]


def test_a_stage_without_hooks_is_through() -> None:
    """There is nobody to ask."""
    assert hooks.gate(gated(CHECK), "PostTraffic") is True


def test_a_step_asks_the_hook_that_it_names() -> None:
    """And no other of stage Step; its runs are the step's own."""
    first, second = (Hook(name=name, stage="Step") for name in ("first", "second"))
    work = gated(first, second, rollout={"stage": "Stepping", "step": 1})
    assert hooks.gate(work, "Step", name="second") is False
    assert asked(work) == ["id/step-1/second/0"]
    failure = hooks.gate(work, "Step", name="gone")
    assert failure == hooks.Failure(
        message="the step names hook gone, and no hook of stage Step has that name"
    )


@pytest.mark.parametrize(
    ("facts", "begins", "goes_on"),
    [
        pytest.param({}, True, True, id="nothing stops it"),
        pytest.param({"paused": True}, False, True, id="paused"),
        pytest.param({"freeze": (ALWAYS,)}, True, True, id="frozen"),
    ],
)
def test_a_hook_does_not_begin_in_a_pause(facts: dict[str, Any], *, begins: bool, goes_on: bool) -> None:
    """One that runs goes on; a freeze lets it begin, for it only follows what has happened already."""
    work = gated(CHECK, **facts)
    assert hooks.gate(work, "PreTraffic") is False
    assert (bool(work.rollout.hooks), bool(asked(work))) == (begins, begins)
    work = gated(CHECK, runs=(RUN,), **facts)
    assert hooks.gate(work, "PreTraffic") is False
    assert bool(asked(work)) is goes_on


@pytest.mark.parametrize(("freeze", "begins"), [((), True), ((ALWAYS,), False)])
def test_a_steps_hook_is_a_step_forward(freeze: tuple[FreezeWindow, ...], *, begins: bool) -> None:
    """So a freeze stops it."""
    work = gated(Hook(name="check", stage="Step"), freeze=freeze, rollout={"stage": "Stepping"})
    assert hooks.gate(work, "Step", name="check") is False
    assert bool(work.rollout.hooks) is begins


def test_on_the_way_back_no_pause_stops_a_hook() -> None:
    """And a freeze does not; whatever it answers, it is through."""
    hook = dataclasses.replace(CHECK, stage="OnRollback")
    work = gated(hook, paused=True, rollout={"stage": "CleaningUp"})
    assert hooks.gate(work, "OnRollback", inform=True) is False
    assert asked(work) == ["id/OnRollback/check/0"]
    work = gated(hook, rollout={"stage": "CleaningUp"}, answers={"OnRollback/check/0": NO})
    assert hooks.gate(work, "OnRollback", inform=True) is True
    assert [run.state for run in work.rollout.hooks] == ["Ignored"]


def test_the_first_attempt_is_asked_for_at_once() -> None:
    """With its id, its time and what the receiver has to know; a gate and a wait say so."""
    work = gated(CHECK)
    assert hooks.gate(work, "PreTraffic") is False
    context = {
        "rollout": "id",
        "stage": "PreTraffic",
        "step": 0,
        "weight": "25 %",
        "candidate": "r2",
        "source": "r1",
        "slot": "b",
        "reason": "",
        "message": "",
    }
    request = HookRequest(id="id/PreTraffic/check/0", hook="check", timeout=20, context=context)
    assert (work.hooks, work.wakes) == ([request], [NOW + 20])
    assert work.rollout.hooks == (HookRun(id="PreTraffic/check", started_at=NOW),)
    assert [(gate.name, gate.state) for gate in work.gates] == [("hook check", "Running")]
    assert work.waits == Wait(reason="WaitingForGate", message="hook check (PreTraffic/check) runs")


@pytest.mark.parametrize(
    ("reason", "message"), [pytest.param("", "", id="a hold's text is not a reason"), ("Alarm", "5xx")]
)
def test_why_it_goes_back_is_told_to_the_receiver(reason: str, message: str) -> None:
    """Only where it does."""
    work = gated(CHECK, rollout={"reason": reason, "message": message or "ask somebody"})
    hooks.gate(work, "PreTraffic")
    assert (work.hooks[0].context["reason"], work.hooks[0].context["message"]) == (reason, message)


@pytest.mark.parametrize(
    ("run", "asks", "wakes"),
    [
        pytest.param(standing(started_at=NOW - 19), True, NOW + 1, id="a second is left"),
        pytest.param(standing(started_at=NOW), True, NOW + 20, id="it begins now"),
        pytest.param(standing(started_at=NOW + 3, attempt=1), False, NOW + 3, id="the next one is not due"),
    ],
)
def test_an_attempt_has_its_time(run: HookRun, *, asks: bool, wakes: float) -> None:
    """It is asked for from its start to its end, and the end is waited for."""
    work = gated(CHECK, runs=(run,))
    assert hooks.gate(work, "PreTraffic") is False
    assert (asked(work), work.wakes) == ([f"id/{run.id}/{run.attempt}"] if asks else [], [wakes])


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param(None, "no answer in 20 s", id="none"),
        pytest.param(RUNNING, "no answer in 20 s (at 5 of 9)", id="it runs still"),
        pytest.param(dataclasses.replace(RUNNING, message=""), "no answer in 20 s", id="without a word"),
    ],
)
def test_an_attempt_without_an_answer_fails_to_the_second(answer: HookAnswer | None, why: str) -> None:
    """What is known of it is told."""
    answers = {"PreTraffic/check/0": answer} if answer else {}
    work = gated(CHECK, runs=(standing(started_at=NOW - 20),), answers=answers)
    failure = hooks.gate(work, "PreTraffic")
    assert failure == hooks.Failure(message=f"hook check (PreTraffic/check): {why}")
    assert [note.message for note in work.notes] == [
        f"hook check (PreTraffic/check): {why}; onFailure: Rollback"
    ]
    assert [(gate.name, gate.state, gate.message) for gate in work.gates] == [("hook check", "Failed", why)]


@pytest.mark.parametrize(
    ("attempt", "answer", "again"),
    [
        pytest.param(0, ERROR, True, id="an error is tried again"),
        pytest.param(1, ERROR, True, id="twice"),
        pytest.param(2, ERROR, False, id="not after the last"),
        pytest.param(0, NO, False, id="a no is an answer"),
    ],
)
def test_an_error_is_tried_again_a_no_is_not(attempt: int, answer: HookAnswer, *, again: bool) -> None:
    """Ten seconds later, as another attempt; people see which of how many runs."""
    hook = dataclasses.replace(CHECK, retries=2)
    work = gated(hook, runs=(standing(attempt=attempt),), answers={f"PreTraffic/check/{attempt}": answer})
    found = hooks.gate(work, "PreTraffic")
    if not again:
        assert found == hooks.Failure(message=f"hook check (PreTraffic/check): {answer.message}")
        return
    text = f"attempt {attempt + 1} of 3: down"
    following = standing(attempt=attempt + 1, started_at=NOW + 10, message=text)
    assert (found, work.rollout.hooks, work.wakes) == (False, (following,), [NOW + 10])
    assert work.waits is not None
    assert work.waits.message == f"hook check (PreTraffic/check) runs, attempt {attempt + 2} of 3"


def test_silence_is_tried_again_too() -> None:
    """Its request may have been lost."""
    work = gated(dataclasses.replace(CHECK, retries=1), runs=(standing(started_at=NOW - 20),))
    assert hooks.gate(work, "PreTraffic") is False
    text = "attempt 1 of 2: no answer in 20 s"
    assert work.rollout.hooks == (standing(attempt=1, started_at=NOW + 10, message=text),)


def test_a_failure_without_a_word_says_that_it_failed() -> None:
    """Never an empty text."""
    answers = {"PreTraffic/check/0": HookAnswer(state="Failed")}
    found = hooks.gate(gated(CHECK, runs=(RUN,), answers=answers), "PreTraffic")
    assert found == hooks.Failure(message="hook check (PreTraffic/check): it failed")


@pytest.mark.parametrize(
    ("policy", "inform", "found", "state"),
    [
        pytest.param(
            "Rollback", False, hooks.Failure(message="hook check (PreTraffic/check): no"), "Failed", id="back"
        ),
        pytest.param("Pause", False, False, "Failed", id="a person decides"),
        pytest.param("Ignore", False, True, "Ignored", id="ignored"),
        pytest.param("Rollback", True, True, "Ignored", id="only told"),
    ],
)
def test_after_the_last_attempt_the_policy_decides(
    policy: OnFailure, found: object, state: str, *, inform: bool
) -> None:
    """Rollback, Pause, or Ignore; on the way back none of them."""
    hook = dataclasses.replace(CHECK, on_failure=policy)
    work = gated(hook, runs=(standing(state="Failed", message="no"),))
    assert hooks.gate(work, "PreTraffic", inform=inform) == found
    assert [run.state for run in work.rollout.hooks] == [state]
    if policy == "Pause":
        text = "hook check (PreTraffic/check) failed: no; promote to go on without it, or abort"
        assert work.waits == Wait(reason="Paused", message=text)


def test_a_failure_is_the_stages_whatever_the_other_hooks_say() -> None:
    """The first that asks for a rollback ends the question."""
    second = dataclasses.replace(CHECK, name="second")
    work = gated(CHECK, second, runs=(RUN,), answers={"PreTraffic/check/0": NO, "PreTraffic/second/0": YES})
    assert isinstance(hooks.gate(work, "PreTraffic"), hooks.Failure)


def test_promoting_passes_over_what_failed_and_nothing_else() -> None:
    """Their names are told."""
    runs = (standing(state="Failed"), standing(id="step-1/b", state="Failed"), standing(id="c"))
    work = gated(CHECK, runs=(*runs, standing(id="d", state="Succeeded")))
    assert hooks.ignore_failed(work) == "PreTraffic/check, step-1/b"
    states = {run.id: run.state for run in work.rollout.hooks}
    assert states == {"PreTraffic/check": "Ignored", "step-1/b": "Ignored", "c": "Running", "d": "Succeeded"}
    assert hooks.ignore_failed(gated(CHECK)) == ""


@pytest.mark.parametrize("stage", get_args(Stage))
def test_only_answers_of_this_direction_are_waited_for(stage: Stage) -> None:
    """On the way back OnRollback's; what has an answer is nobody's."""
    runs = (
        standing(),
        standing(id="PreTraffic/done", state="Succeeded"),
        standing(id="OnRollback/tell", attempt=2),
        standing(id="OnRollback/done", state="Ignored"),
    )
    work = gated(CHECK, runs=runs, rollout={"stage": stage})
    back = stage in ("RollingBack", "CleaningUp")
    assert hooks.attempts(work.rollout) == {"id/OnRollback/tell/2" if back else "id/PreTraffic/check/0"}
