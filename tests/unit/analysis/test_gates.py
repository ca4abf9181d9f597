"""Questions are asked once, answers wake the key, and nothing ever blocks or leaks into a pass."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from sluice.analysis.gates import ALARM_INTERVAL, HOOK_INTERVAL, RETRY, Asked, GateKeeper
from sluice.analysis.scheduler import ThreadScheduler
from sluice.model.errors import AwsFailure, Deferred
from sluice.model.keys import Key
from sluice.model.situation import GateFacts, HookAnswer, Sample
from sluice.rollout.work import SETTLING
from sluice.runtime.clock import SystemClock
from unit.analysis.scenes import KEY, FakeAws, hook, hooks, metric, scene


@dataclass
class ByHand:
    """A scheduler that a test runs itself."""

    jobs: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def soon(self, job: Callable[[], None]) -> None:
        """Keep the job."""
        self.later(0.0, job)

    def later(self, seconds: float, job: Callable[[], None]) -> None:
        """Keep the job with its delay."""
        self.jobs.append((seconds, job))

    def run(self) -> list[float]:
        """Run what is there now; return the delays."""
        jobs, self.jobs = self.jobs, []
        for _, job in jobs:
            job()
        return [delay for delay, _ in jobs]


@dataclass
class Script:
    """A source and hook runner that answers by a script, one entry a call."""

    entries: list[Any]
    calls: int = 0
    ended: list[str] = field(default_factory=list)
    known: bool = True
    there: list[str] = field(default_factory=list)
    collected: list[list[str]] = field(default_factory=list)
    refusals: list[Exception] = field(default_factory=list)

    def _next(self) -> Any:
        self.calls += 1
        entry = self.entries.pop(0)
        if isinstance(entry, Exception):
            raise entry
        return entry

    def measure(self, *_: Any, **__: Any) -> Sample:
        """Answer as a source."""
        return self._next()  # type: ignore[no-any-return]  # the script holds samples

    def attempt(self, *_: Any, **__: Any) -> HookAnswer:
        """Answer as a hook runner."""
        return self._next()  # type: ignore[no-any-return]  # the script holds answers

    def end(self, _scene: Any, request: Any) -> bool:
        """Note what is ended; the first time no AWS token is there."""
        self.ended.append(request.id)
        if len(self.ended) == 1:
            raise Deferred(5.0, "cloudwatch/metric-data")
        return self.known

    def collect(self, _scene: Any, *, waited_for: Callable[[str], bool]) -> None:
        """Note which of the attempts that are there would go on."""
        if self.refusals:
            raise self.refusals.pop(0)
        self.collected.append([attempt for attempt in self.there if waited_for(attempt)])


def keeper(*entries: Any, aws: Any = None) -> tuple[GateKeeper, ByHand, Script, list[Key]]:
    """Return gates with one scripted answerer, their scheduler and the woken keys."""
    script, scheduler, woken = Script(list(entries)), ByHand(), []
    asked = Asked(
        aws=aws or FakeAws({}), sources={"web": script}, hooks={"webhook": script, "runTask": script}
    )
    clock = SystemClock()
    return GateKeeper(asked, clock=clock, scheduler=scheduler, wake=woken.append), scheduler, script, woken


M = metric("web", {})
GOOD = Sample(at=1.0, value=0.5)


def test_a_question_is_asked_once_however_often_a_pass_names_it() -> None:
    """And its answer stays until it is no longer asked for."""
    gates, scheduler, script, woken = keeper(GOOD)
    for _ in range(3):
        gates.ask(scene(), metrics=[M], hooks=[])
    assert gates.answers(KEY) == GateFacts()
    scheduler.run()
    assert gates.answers(KEY).samples == {M.id: GOOD}
    assert (script.calls, woken) == (1, [KEY])
    gates.ask(scene(), metrics=[M], hooks=[])
    assert (scheduler.jobs, gates.answers(KEY).samples) == ([], {M.id: GOOD})
    gates.ask(scene(), metrics=[], hooks=[])
    assert gates.answers(KEY).samples == {}


ERRORS = {
    "AWS says no": AwsFailure(service="cloudwatch", operation="X", code="E", message="m", kind="denied"),
    "a provider's own": ValueError("garbage"),
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_an_error_is_a_sample(error: Exception) -> None:
    """Never an exception in a thread, never a missing answer."""
    gates, scheduler, _, woken = keeper(error)
    gates.ask(scene(), metrics=[M], hooks=[])
    scheduler.run()
    assert gates.answers(KEY).samples[M.id].error
    assert woken == [KEY]


def test_a_spent_budget_is_waited_for() -> None:
    """No error sample: nobody could be asked yet."""
    gates, scheduler, script, woken = keeper(Deferred(5.0, "cloudwatch/metric-data"), GOOD)
    gates.ask(scene(), metrics=[M], hooks=[])
    scheduler.run()
    assert (gates.answers(KEY).samples, woken) == ({}, [])
    assert scheduler.run() == [RETRY]
    assert (gates.answers(KEY).samples, script.calls) == ({M.id: GOOD}, 2)


@pytest.mark.parametrize("ended", ["forgotten", "another rollout", "not asked any more"])
def test_an_answer_that_comes_too_late_is_dropped(ended: str) -> None:
    """The rollout is over, or the machine asks for something else."""
    gates, scheduler, script, woken = keeper(GOOD)
    gates.ask(scene(), metrics=[M], hooks=[])
    if ended == "forgotten":
        gates.forget(KEY)
    elif ended == "another rollout":
        gates.ask(scene(rollout_id="r2"), metrics=[], hooks=[])
    else:
        gates.ask(scene(), metrics=[], hooks=[])
    scheduler.run()
    assert (gates.answers(KEY).samples, woken, script.calls) == ({}, [], 0)


def test_a_hook_that_runs_is_looked_at_again_until_it_ends() -> None:
    """The key is woken by news only."""
    running = HookAnswer(state="Running", message="task 1")
    gates, scheduler, script, woken = keeper(running, running, HookAnswer(state="Succeeded"))
    asked = hook()
    gates.ask(scene(hooks=hooks(run_task={"container": "app"})), metrics=[], hooks=[asked])
    delays = [scheduler.run() for _ in range(3)]
    assert delays == [[0.0], [HOOK_INTERVAL], [HOOK_INTERVAL]]
    assert gates.answers(KEY).hooks[asked.id].state == "Succeeded"
    assert (script.calls, len(woken), scheduler.jobs) == (3, 2, [])


@pytest.mark.parametrize("how", ["forgotten", "another rollout", "given up"])
@pytest.mark.parametrize("when", ["while it runs", "while it is being started"])
def test_an_attempt_that_nobody_waits_for_is_ended(how: str, when: str) -> None:
    """Its time is over, or the rollout is: what it started is ended, once, as soon as AWS lets us."""
    gates, scheduler, script, _ = keeper(HookAnswer(state="Running", message="task 1"))
    asked = hook()
    members = {"hooks": hooks(run_task={"container": "app"}), "attempts": frozenset({asked.id})}
    gates.ask(scene(**members), metrics=[], hooks=[asked])

    def give_up() -> None:
        if how == "forgotten":
            gates.forget(KEY)
        elif how == "another rollout":
            gates.ask(scene(rollout_id="r2"), metrics=[], hooks=[])
        else:
            gates.ask(scene(**members | {"attempts": frozenset()}), metrics=[], hooks=[])

    if when == "while it is being started":
        told, script.attempt = script.attempt, lambda *_, **__: (give_up(), told())[1]  # type: ignore[method-assign]
        scheduler.run()
    else:
        scheduler.run()
        give_up()
    while scheduler.jobs:
        scheduler.run()
    assert script.ended == [asked.id, asked.id]


def test_an_attempt_that_one_pass_does_not_ask_for_goes_on() -> None:
    """A pass may wait for something else meanwhile (a proof, the group): the task is not stopped for that."""
    gates, scheduler, script, _ = keeper(HookAnswer(state="Running"), HookAnswer(state="Succeeded"))
    asked = hook()
    members = {"hooks": hooks(run_task={"container": "app"}), "attempts": frozenset({asked.id})}
    for hooks_asked in ([asked], [], [asked]):
        gates.ask(scene(**members), metrics=[], hooks=hooks_asked)
        scheduler.run()
    assert (script.ended, gates.answers(KEY).hooks[asked.id].state) == ([], "Succeeded")


def test_an_attempt_that_could_not_be_asked_about_is_ended_before_the_next_one() -> None:
    """AWS denies DescribeTasks while the task runs: the machine tries again, and the first must not go on."""
    denied = AwsFailure(service="ecs", operation="DescribeTasks", code="x", message="y", kind="denied")
    gates, scheduler, script, _ = keeper(HookAnswer(state="Running"), denied)
    asked = hook()
    members = {"hooks": hooks(run_task={"container": "app"}), "attempts": frozenset({asked.id})}
    gates.ask(scene(**members), metrics=[], hooks=[asked])
    scheduler.run()
    scheduler.run()
    assert gates.answers(KEY).hooks[asked.id].state == "Error"
    gates.ask(scene(**members | {"attempts": frozenset({"the next one"})}), metrics=[], hooks=[])
    while scheduler.jobs:
        scheduler.run()
    assert script.ended == [asked.id, asked.id]


def test_a_throttled_end_is_tried_again() -> None:
    """A command that never ends would run, and cost, for ever."""
    gates, scheduler, script, _ = keeper(HookAnswer(state="Running"))
    throttled = AwsFailure(service="ecs", operation="StopTask", code="x", message="y", kind="throttled")
    ends: list[Exception | None] = [throttled, throttled, None]

    def end(_scene: Any, request: Any) -> bool:
        script.ended.append(request.id)
        if error := ends.pop(0):
            raise error
        return True

    script.end = end  # type: ignore[method-assign]
    asked = hook()
    members = {"hooks": hooks(run_task={"container": "app"}), "attempts": frozenset({asked.id})}
    gates.ask(scene(**members), metrics=[], hooks=[asked])
    scheduler.run()
    gates.forget(KEY)
    for _ in range(9):
        scheduler.run()
    assert (script.ended, scheduler.jobs) == ([asked.id] * 3, [])


def test_what_an_attempt_started_and_nobody_knows_is_looked_for_again() -> None:
    """RunTask may take place after its caller gave it up: once more when it no longer can."""
    gates, scheduler, script, _ = keeper(HookAnswer(state="Running"))
    asked = hook()
    script.known, script.there, script.ended = False, [asked.id, "r1/Step/other/0"], ["before"]
    members = {
        "hooks": hooks(run_task={"container": "app"}),
        "attempts": frozenset({asked.id, "r1/Step/other/0"}),
    }
    gates.ask(scene(**members), metrics=[], hooks=[asked])
    scheduler.run()
    gates.ask(scene(**members | {"attempts": frozenset({"r1/Step/other/0"})}), metrics=[], hooks=[])
    delays = [scheduler.run() for _ in range(9) if scheduler.jobs]
    assert SETTLING in delays[-1]
    assert script.collected == [["r1/Step/other/0"]]


REFUSED: dict[str, Exception] = {
    "no token": Deferred(5.0, "ecs"),
    "throttled": AwsFailure(service="ecs", operation="ListTasks", code="x", message="y", kind="throttled"),
}


@pytest.mark.parametrize("refusal", [None, *REFUSED.values()], ids=["", *REFUSED])
def test_what_processes_before_left_is_collected_twice(refusal: Exception | None) -> None:
    """Now, and when no call of theirs can take place any more; what AWS puts off is asked again."""
    gates, scheduler, script, _ = keeper(HookAnswer(state="Running"))
    asked = hook()
    script.there = [asked.id, "r1/Step/kept/0", "r0/Step/old/0"]
    script.refusals = [refusal] if refusal else []
    told: list[bool] = []
    gates.collect(scene(attempts=frozenset({"r1/Step/kept/0"})), then=lambda: told.append(True))
    gates.ask(scene(attempts=frozenset({asked.id})), metrics=[], hooks=[])
    delays = [scheduler.run() for _ in range(9) if scheduler.jobs]
    assert delays == [[0.0], *([[HOOK_INTERVAL]] if refusal else []), [SETTLING]]
    assert script.collected == [[asked.id, "r1/Step/kept/0"]] * 2
    assert told == [True]


def test_a_denied_collection_is_told_and_holds_nobody_up() -> None:
    """Whoever waits for it (a deletion) goes on: only a person can help."""
    gates, scheduler, script, _ = keeper()
    denied = AwsFailure(service="ecs", operation="ListTasks", code="x", message="y", kind="denied")
    script.refusals = [denied, denied]
    told: list[bool] = []
    gates.collect(scene(), then=lambda: told.append(True))
    scheduler.run()
    assert told == [True]


def test_alarms_are_watched_as_long_as_the_rollout_goes_on() -> None:
    """The key is woken when one changes; a failure is told and the last reading's time stays."""
    said: list[Any] = ["OK", "OK", "ALARM", OSError("no route")]

    def describe(_params: Any) -> dict[str, Any]:
        state = said.pop(0)
        if isinstance(state, Exception):
            raise state
        return {"MetricAlarms": [{"AlarmName": "x", "StateValue": state}]}

    gates, scheduler, _, woken = keeper(aws=FakeAws({"DescribeAlarms": describe}))
    gates.ask(scene(alarms=("x", "y")), metrics=[], hooks=[])
    gates.ask(scene(alarms=("x", "y")), metrics=[], hooks=[])
    scheduler.run()
    assert gates.answers(KEY).alarms == {"x": "OK", "y": None}
    assert scheduler.run() == [ALARM_INTERVAL]
    assert len(woken) == 1
    scheduler.run()
    assert gates.answers(KEY).alarms == {"x": "ALARM", "y": None}
    read = gates.answers(KEY).alarms_at
    scheduler.run()
    facts = gates.answers(KEY)
    assert (facts.alarms, facts.alarms_at, len(woken)) == (None, read, 3)
    assert "no route" in facts.alarms_error
    gates.forget(KEY)
    scheduler.run()
    assert scheduler.jobs == []


def test_the_thread_scheduler_runs_now_and_later() -> None:
    """In threads of its own, in the order of time."""
    scheduler, order, done = ThreadScheduler(SystemClock(), threads=1), [], threading.Event()
    scheduler.later(0.05, lambda: (order.append("later"), done.set()))  # type: ignore[func-returns-value]
    scheduler.later(0.01, lambda: order.append("sooner"))
    scheduler.soon(lambda: order.append("now"))
    assert done.wait(5)
    assert order == ["now", "sooner", "later"]


BAD_NEWS: dict[str, tuple[Any, bool]] = {
    "a failed sample": (Sample(at=1.0, value=0.5), True),
    "a passed sample": (Sample(at=1.0, value=0.05), False),
    "no data": (Sample(at=1.0), False),
    "a failed hook": (HookAnswer(state="Failed"), True),
    "a hook that runs": (HookAnswer(state="Running"), False),
}


@pytest.mark.parametrize(("answer", "hurried"), BAD_NEWS.values(), ids=BAD_NEWS)
def test_bad_news_hurries(answer: Any, *, hurried: bool) -> None:
    """What may end a rollout goes through the rollback's lane; all else through the ordinary one."""
    script, scheduler = Script([answer]), ByHand()
    woken: list[str] = []
    gates = GateKeeper(
        Asked(aws=FakeAws({}), sources={"web": script}, hooks={"webhook": script, "runTask": script}),
        clock=SystemClock(),
        scheduler=scheduler,
        wake=lambda _key: woken.append("wake"),
        hurry=lambda _key: woken.append("hurry"),
    )
    asks_hook = isinstance(answer, HookAnswer)
    gates.ask(scene(), metrics=[] if asks_hook else [M], hooks=[hook()] if asks_hook else [])
    scheduler.run()
    assert woken == ["hurry" if hurried else "wake"]
