"""Gates: metrics sample by sample, alarms that say nothing, hooks attempt by attempt."""

from __future__ import annotations

import dataclasses

import pytest

from sluice.model.rollout import HookRun, MetricRun, Stage
from sluice.model.situation import HookAnswer, Person
from sluice.model.strategy import (
    Analyse,
    Analysis,
    Condition,
    FreezeWindow,
    Hook,
    Metric,
    MetricKind,
    OnFailure,
    OnNoData,
    Pause,
    Progressive,
    RunHook,
    SetWeight,
)
from sluice.rollout.hooks import attempts
from unit.rollout.world import CANARY, World, live

ABOVE = Condition(operator=">", threshold=0.5)
BELOW = Condition(operator="<", threshold=0.1)
ERRORS = Metric(name="errors", kind="prometheus", query={}, failure=ABOVE, interval=10)
STEPS = (SetWeight(permille=250), Pause(seconds=100), SetWeight(permille=1000))


def strategy(metric: Metric, *, on_no_data: OnNoData = "Pause", bake: float = 20) -> Progressive:
    """Return a canary with one background metric."""
    analysis = Analysis(metrics=(metric,), on_no_data=on_no_data)
    return Progressive(steps=STEPS, bake=bake, analysis=analysis, snapshot={"x": 1})


def measured(metric: Metric, *, value: float | None = 0.0, on_no_data: OnNoData = "Pause") -> World:
    """Return a world in which r2 has a quarter, and the metric has a value."""
    world = live(strategy=strategy(metric, on_no_data=on_no_data), values={metric.name: value})
    world.wanted = "r2"
    while world.weights != {"a": 750, "b": 250}:
        world.pass_time(1)
        world.decide()
    return world


def run_of(world: World, name: str = "errors") -> MetricRun:
    """Return the run of a metric."""
    assert world.motion.rollout is not None
    return next(run for run in world.motion.rollout.metrics if run.id == name)


def test_the_first_sample_is_due_one_interval_after_the_proof() -> None:
    """No sample looks at the time before the weight; its window is one interval."""
    world = measured(dataclasses.replace(ERRORS, initial_delay=5))
    run, proven = run_of(world), world.now
    assert (run.since, run.due, run.taken) == (proven, proven + 15, 0)
    world.pass_time(14)
    assert not world.decide().metrics
    world.pass_time(1)
    decision = world.decide()
    assert [(request.window, request.candidate, request.live) for request in decision.metrics] == [
        ((proven + 5, proven + 15), "b", "a")
    ]
    assert decision.motion.rollout is not None
    assert decision.metrics[0].id == f"{decision.motion.rollout.id}/errors/0"
    world.pass_time(1)
    world.decide()
    assert (run_of(world).passed, run_of(world).due) == (1, proven + 25)


@pytest.mark.parametrize(("kind", "waits"), [("loadBalancer", True), ("prometheus", False)])
def test_counts_of_the_revision_before_in_the_slot_are_not_looked_at(kind: MetricKind, waits: bool) -> None:  # noqa: FBT001
    """A load balancer counts by whole minutes: the first window begins in one that is the candidate's."""
    metric = dataclasses.replace(ERRORS, kind=kind)
    world = live(strategy=strategy(metric), values={"errors": 0.0})
    world.ended_before = world.now - world.now % 60 + 61  # in the next minute: the one after it is clean
    world.wanted = "r2"
    while world.weights != {"a": 750, "b": 250}:
        world.pass_time(1)
        world.decide()
    clean = world.ended_before - 1 + 60
    assert (run_of(world).due >= clean + 10) is waits
    while not (decision := world.decide()).metrics:
        world.pass_time(1)
    assert (decision.metrics[0].window[0] >= clean) is waits


def test_no_sample_is_judged_twice_and_missed_ones_are_not_made_up_for() -> None:
    """Its number goes on by one; after a long gap the next is due a whole interval later."""
    world = measured(ERRORS)
    world.run(31, tick=1)
    taken = run_of(world).taken
    world.decide()
    assert run_of(world).taken == taken == 3
    world.pass_time(1000)
    world.run(2, tick=1)
    assert run_of(world).taken == 4
    assert run_of(world).due > world.now


@pytest.mark.parametrize(
    ("metric", "value", "means"),
    [
        pytest.param(ERRORS, 0.6, "failed", id="meets failureCondition"),
        pytest.param(ERRORS, 0.5, "passed", id="does not"),
        pytest.param(dataclasses.replace(ERRORS, failure=None, success=BELOW), 0.2, "failed", id="misses"),
        pytest.param(dataclasses.replace(ERRORS, failure=None, success=BELOW), 0.05, "passed", id="meets"),
        pytest.param(dataclasses.replace(ERRORS, success=BELOW), 0.2, "inconclusive", id="meets neither"),
        pytest.param(dataclasses.replace(ERRORS, success=BELOW), 0.05, "passed", id="only success"),
        pytest.param(dataclasses.replace(ERRORS, failure=None), 9.0, "passed", id="no condition: shown only"),
    ],
)
def test_what_a_value_means(metric: Metric, value: float, means: str) -> None:
    """Failure comes first; with both conditions a value may be neither."""
    world = measured(dataclasses.replace(metric, failure_limit=5), value=value)
    world.run(12, tick=1)
    run = run_of(world)
    assert {"passed": run.passed, "failed": run.failed, "inconclusive": run.inconclusive}[means] == 1
    assert run.last == value


def test_one_failed_sample_more_than_failure_limit_turns_it_back() -> None:
    """FailureLimit samples are tolerated, also not in a row; the message has the numbers."""
    world = measured(dataclasses.replace(ERRORS, failure_limit=1), value=0.9)
    world.run(12, tick=1)
    assert world.weights == {"a": 750, "b": 250}
    world.values = {"errors": 0.0}
    world.run(10, tick=1)
    world.values = {"errors": 0.7}
    world.run(10, tick=1)
    assert world.motion.rollout is not None
    assert world.motion.rollout.reason == "Analysis"
    assert "2 samples failed, 1 tolerated; last 0.7, failureCondition > 0.5" in world.motion.rollout.message
    world.until("", limit=300)
    assert world.history == [("r2", "RolledBack")]


def test_a_metric_in_dry_run_decides_nothing() -> None:
    """It is measured and shown as such."""
    world = measured(dataclasses.replace(ERRORS, dry_run=True), value=0.9)
    world.run(40, tick=1)
    assert world.motion.rollout is not None
    assert "metric errors (dry run)" in [gate.name for gate in world.motion.rollout.gates]
    world.until("", limit=600)
    assert world.history == [("r2", "Succeeded")]


@pytest.mark.parametrize(
    ("policy", "ends"),
    [("Fail", "RolledBack"), ("Pass", "Succeeded"), ("Pause", "AnalysisInconclusive")],
)
def test_no_data_holds_first_then_the_policy_decides(policy: OnNoData, ends: str) -> None:
    """Too few requests are no pass: the next step waits until onNoData has decided."""
    metric = dataclasses.replace(ERRORS, consecutive_error_limit=2, interval=40)
    world = measured(metric, value=None, on_no_data=policy)
    decision = world.run(108)
    assert (decision.reason, dict(decision.traffic.weights)) == ("WaitingForGate", {"a": 750, "b": 250})
    decision = world.run(400)
    assert ends in (decision.reason, world.history[-1][1] if world.history else "")


def test_a_request_without_an_answer_is_an_error_in_the_end() -> None:
    """A provider that hangs cannot hold a rollout for ever without a word."""
    world = measured(dataclasses.replace(ERRORS, consecutive_error_limit=0))
    world.values = {}
    decision = world.run(200)
    assert decision.reason == "AnalysisInconclusive"
    assert "no answer came in time" in decision.message


def test_bake_does_not_end_before_each_metric_passed_once() -> None:
    """A rollout so quick that nothing was measured is not a success yet."""
    metric = dataclasses.replace(ERRORS, interval=300)
    world = live(strategy=dataclasses.replace(strategy(metric, bake=0), steps=()), values={"errors": 0.0})
    world.wanted = "r2"
    decision = world.run(100)
    assert (decision.reason, world.weights) == ("WaitingForGate", {"b": 1000})
    assert "no sample has passed yet" in decision.message
    world.until("Draining", limit=300)


def test_a_steps_own_analysis_takes_its_time_and_one_pass() -> None:
    """The step's clock starts with the proof before; its samples are its own."""
    steps = (SetWeight(permille=250), Analyse(seconds=60), SetWeight(permille=1000))
    world = live(strategy=dataclasses.replace(strategy(ERRORS), steps=steps), values={"errors": 0.0})
    world.wanted = "r2"
    world.until("Stepping")
    world.run(30)
    assert run_of(world, "step-1/errors").passed == 3 - 1
    assert dict(world.run(20).traffic.weights) == {"a": 750, "b": 250}
    world.run(40)
    assert world.weights == {"b": 1000}


def test_a_steps_own_analysis_turns_it_back() -> None:
    """A metric that only the step names fails it."""
    steps = (SetWeight(permille=250), Analyse(seconds=60, metrics=("errors",)), SetWeight(permille=1000))
    world = live(strategy=dataclasses.replace(strategy(ERRORS), steps=steps), values={"errors": 0.9})
    world.wanted = "r2"
    world.until("Stepping")
    world.until("RollingBack", limit=40)


# -- alarms ------------------------------------------------------------------------------------------


def alarmed(state: str | None, *, on_no_data: OnNoData = "Pause") -> World:
    """Return a world with a quarter on r2, whose alarm then changes its state."""
    analysis = Analysis(alarms=("5xx",), on_no_data=on_no_data)
    world = live(strategy=dataclasses.replace(CANARY, analysis=analysis), alarms={"5xx": "OK"})
    world.wanted = "r2"
    world.until("Stepping")
    world.run(10)
    world.alarms = {"5xx": state} if state != "absent" else {}
    return world


@pytest.mark.parametrize("state", ["INSUFFICIENT_DATA", None, "absent"])
@pytest.mark.parametrize(
    ("policy", "ends"),
    [("Fail", "RolledBack"), ("Pass", "Succeeded"), ("Pause", "AnalysisInconclusive")],
)
def test_an_alarm_that_says_nothing_holds_then_the_policy_decides(
    state: str | None, policy: OnNoData, ends: str
) -> None:
    """INSUFFICIENT_DATA and a missing alarm are no pass; after five minutes onNoData decides."""
    world = alarmed(state, on_no_data=policy)
    decision = world.run(250, tick=5)
    assert (decision.reason, dict(decision.traffic.weights)) == ("WaitingForGate", {"a": 750, "b": 250})
    decision = world.run(400, tick=5)
    assert ends in (decision.reason, world.history[-1][1] if world.history else "")
    if policy == "Pause":
        world.person = Person(promote=True)
        world.run(60)
        assert world.weights == {"b": 1000}


@pytest.mark.parametrize("policy", ["Pass", "Fail", "Pause"])
def test_a_cloudwatch_that_cannot_be_asked_ends_in_a_pause(policy: OnNoData) -> None:
    """Whatever onNoData says: unreachable is neither a pass nor a fail."""
    world = alarmed("OK", on_no_data=policy)
    world.alarms_error = "AccessDenied: cloudwatch:DescribeAlarms"
    decision = world.run(600, tick=5)
    assert (decision.reason, dict(decision.traffic.weights)) == (
        "AnalysisInconclusive",
        {"a": 750, "b": 250},
    )
    assert "AccessDenied" in decision.message


def test_alarms_that_nobody_reads_end_in_a_pause() -> None:
    """A gate that never answers is not waited for without a word."""
    world = alarmed("OK")
    world.blind = frozenset({"alarms"})
    decision = world.run(200, tick=5)
    assert (decision.reason, "been read yet" in decision.message) == ("WaitingForGate", True)
    assert world.run(300, tick=5).reason == "AnalysisInconclusive"


def test_an_ok_that_is_old_is_no_pass() -> None:
    """The watch hangs: what an alarm said minutes ago says nothing about now."""
    world = alarmed("OK")
    world.alarms_at = world.now - 130
    decision = world.run(250, tick=5)
    assert (decision.reason, dict(decision.traffic.weights)) == ("WaitingForGate", {"a": 750, "b": 250})
    assert "CloudWatch was not read for more than 120 s" in decision.message
    assert world.run(300, tick=5).reason == "AnalysisInconclusive"


def test_an_alarm_that_speaks_again_is_forgotten() -> None:
    """The five minutes are in a row."""
    world = alarmed("INSUFFICIENT_DATA", on_no_data="Fail")
    world.run(200, tick=5)
    world.alarms = {"5xx": "OK"}
    world.run(5)
    world.alarms = {"5xx": "INSUFFICIENT_DATA"}
    world.run(200, tick=5)
    assert world.motion.rollout is not None
    assert not world.motion.rollout.reason


# -- hooks -------------------------------------------------------------------------------------------


def hooked(hook: Hook, answer: HookAnswer | None = None, steps: tuple[RunHook, ...] = ()) -> World:
    """Return a world whose rollout has a hook."""
    plan = dataclasses.replace(CANARY, hooks=(hook,))
    if steps:
        plan = dataclasses.replace(plan, steps=(SetWeight(permille=250), *steps, SetWeight(permille=1000)))
    world = live(strategy=plan)
    if answer:
        world.answers = {hook.name: answer}
    world.wanted = "r2"
    return world


@pytest.mark.parametrize(
    "stage", ["PreScaleUp", "PostScaleUp", "PreTraffic", "Step", "PostTraffic", "PostBake"]
)
def test_a_hook_runs_at_its_stage_and_holds_it(stage: str) -> None:
    """The rollout waits there until the answer, and goes on with it."""
    hook = Hook(name="check", stage=stage, timeout=1e6)  # type: ignore[arg-type]
    world = hooked(hook, steps=(RunHook(name="check"),) if stage == "Step" else ())
    decision = world.run(300)
    assert world.motion.rollout is not None
    assert world.motion.rollout.stage == ("Stepping" if stage == "Step" else stage)
    place = "step-1" if stage == "Step" else stage
    assert [request.id for request in decision.hooks] == [f"{world.motion.rollout.id}/{place}/check/0"]
    assert decision.reason == "WaitingForGate"
    assert decision.hooks[0].context["candidate"] == "r2"
    world.answers = {"check": HookAnswer(state="Succeeded")}
    world.until("", limit=600)
    assert world.history == [("r2", "Succeeded")]


@pytest.mark.parametrize(
    ("answer", "attempts"),
    [
        (HookAnswer(state="Failed", message="smoke"), {"0"}),
        (HookAnswer(state="Error", message="502"), {"0", "1", "2"}),
        (None, {"0", "1", "2"}),
    ],
    ids=["a no", "an error", "no answer"],
)
def test_a_hook_is_tried_again_and_then_turns_it_back(answer: HookAnswer | None, attempts: set[str]) -> None:
    """Each attempt has its own id and a bounded timeout; the last failure rolls back, a no does at once."""
    world = hooked(Hook(name="check", stage="PostScaleUp", timeout=20, retries=2), answer)
    ids = set()
    for _ in range(200):
        ids |= {request.id.rpartition("/")[2] for request in world.decide().hooks}
        if world.history:
            break
        world.pass_time(2)
    assert ids == attempts
    assert world.history == [("r2", "RolledBack")]
    assert world.motion.rejected is not None
    assert world.motion.rejected.cause == "Hook"
    assert (answer.message if answer else "no answer in 20 s") in world.motion.rejected.message


def test_on_the_way_back_only_what_takes_it_back_is_waited_for() -> None:
    """The forward hook's task is ended with the decision, not after the drain, beside OnRollback's."""
    world = hooked(Hook(name="check", stage="PostScaleUp", timeout=900), None)
    for _ in range(100):
        if world.decide().hooks:
            break
        world.pass_time(2)
    assert world.motion.rollout
    assert attempts(world.motion.rollout) == {f"{world.motion.rollout.id}/PostScaleUp/check/0"}
    runs = (*world.motion.rollout.hooks, HookRun(id="OnRollback/undo", started_at=0.0))
    stages: tuple[Stage, ...] = ("RollingBack", "CleaningUp")
    for stage in stages:
        back = dataclasses.replace(world.motion.rollout, stage=stage, hooks=runs)
        assert attempts(back) == {f"{back.id}/OnRollback/undo/0"}


@pytest.mark.parametrize(("policy", "reason"), [("Pause", "Paused"), ("Ignore", "Available")])
def test_on_failure_of_a_hook(policy: OnFailure, reason: str) -> None:
    """Pause waits for a person who promotes or aborts; Ignore goes on."""
    hook = Hook(name="check", stage="PreTraffic", on_failure=policy)
    world = hooked(hook, HookAnswer(state="Failed", message="smoke"))
    decision = world.run(600, tick=4)
    assert decision.reason == reason
    if policy == "Pause":
        assert "smoke; promote to go on without it, or abort" in decision.message
        world.person = Person(promote=True)
        world.until("", limit=600)
    assert world.history == [("r2", "Succeeded")]


def test_a_restart_asks_for_the_same_attempt_again() -> None:
    """The id is the idempotency key: a hook that ran for the dead process is not started twice."""
    world = hooked(Hook(name="check", stage="PreTraffic"))
    before = world.until("PreTraffic") and world.run(10)
    world.resumed, world.leader_epoch = True, 9
    world.decide()
    after = world.run(20)
    assert [request.id for request in before.hooks] == [request.id for request in after.hooks]


def test_a_step_that_names_no_hook_turns_back_instead_of_passing() -> None:
    """The API refuses it; if it comes nevertheless, a gate that is not there is no pass."""
    world = hooked(Hook(name="check", stage="PreTraffic"), HookAnswer(state="Succeeded"))
    world.strategy = dataclasses.replace(
        world.strategy, steps=(SetWeight(permille=250), RunHook(name="gone"))
    )
    world.until("", limit=600)
    assert world.history == [("r2", "RolledBack")]


def test_the_first_rollout_runs_its_hooks_before_traffic() -> None:
    """No steps and no analysis, but PreScaleUp to PostTraffic run."""
    hooks = tuple(
        Hook(name=stage.lower(), stage=stage)  # type: ignore[arg-type]
        for stage in ("PreScaleUp", "PostScaleUp", "PreTraffic", "PostTraffic", "PostBake")
    )
    world = World(strategy=dataclasses.replace(CANARY, hooks=hooks))
    world.answers = {hook.name: HookAnswer(state="Succeeded") for hook in hooks}
    world.until("", limit=300)
    assert sorted(request.split("/")[1] for request in world.asked) == [
        "PostScaleUp",
        "PostTraffic",
        "PreScaleUp",
        "PreTraffic",
    ]


def test_a_steps_hook_does_not_begin_in_a_freeze() -> None:
    """It is a step forward; one that runs already may end, and the next step waits."""
    world = hooked(Hook(name="check", stage="Step"), steps=(RunHook(name="check"),))
    frozen = FreezeWindow(name="always", schedule="* * * * *", duration=3600)
    world.until("Stepping")
    while not world.weights.get("b"):
        world.pass_time(1)
        if not world.weights.get("b"):
            world.decide()
    world.strategy = dataclasses.replace(world.strategy, freeze=(frozen,))
    decision = world.run(60)
    assert (decision.reason, decision.hooks, world.weights) == ("Frozen", (), {"a": 750, "b": 250})
