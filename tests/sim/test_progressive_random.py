"""Whatever happens to progressive rollouts, in whatever order: no promise breaks, and healed it ends whole.

A schedule is a seed. Its failure prints the seed and what was done; the soak's prints the command that plays
it again.
"""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from typing import Any

import pytest

from sim import console
from sim.observer import Forbidden
from sim.operator_process import CALLER
from sim.progressive_chaos import ProgressiveChaos, ProgressiveObserver, judge
from sim.progressive_stories import BLUE_GREEN, THREE_STEPS, at_step, ready, verb, web
from sim.stories import apply
from sim.universe import LEDGER, WEB, Universe, deployment, route
from sluice.plan.progressive import publish
from sluice.rollout import machine, orders, rollback, scaling
from soaking import Soak, say

SCHEDULES = 12
"""Of each kind in `make test`."""
STEPS = 20
BATCHES = 4


def one(seed: int, *, calm: bool, steps: int = STEPS) -> ProgressiveChaos:
    """Play one schedule and check all laws."""
    chaos = ProgressiveChaos(seed, calm=calm)
    try:
        chaos.play(steps=steps)
        chaos.visitors.stop()
        assert chaos.bad_answers() == [], "the load balancer itself answered"
        judge(chaos, seed=seed)
    except BaseException as error:
        story = "\n".join(chaos.log)
        kind = "calm" if calm else "wild"
        raise AssertionError(f"{kind} seed {seed}: {type(error).__name__}: {error}\n{story}") from error
    return chaos


@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("calm", [True, False], ids=["calm", "wild"])
def test_random_schedules(batch: int, calm: bool) -> None:  # noqa: FBT001 - pytest gives it
    """A few schedules; the seeds are fixed, so a failure is a failure again."""
    seeds = range(batch * SCHEDULES // BATCHES, (batch + 1) * SCHEDULES // BATCHES)
    played = [one(seed, calm=calm) for seed in seeds]
    say(
        f"explored {'calm' if calm else 'wild'} {seeds}: {len(seeds)} schedules,"
        f" {len(seeds) * STEPS} events, {sum(len(chaos.rollouts) for chaos in played)} rollouts,"
        f" {sum(chaos.watcher.writes for chaos in played)} AWS writes,"
        f" {sum(chaos.watcher.raised for chaos in played)} raised weights judged,"
        f" {sum(chaos.watcher.shrunk for chaos in played)} services with fewer or other tasks judged,"
        f" {sum(chaos.visitors.answers.total() for chaos in played)} requests"
    )
    assert all(chaos.watcher.writes for chaos in played)


def watched(strategy: dict[str, Any]) -> Universe:
    """Return a universe under the observer in which the first revision is live."""
    universe = Universe(seed=7)
    universe.seen_world = ProgressiveObserver(universe)
    universe.restart()
    apply(web(strategy=strategy), route())(universe)
    universe.settle(lambda: ready(universe))
    return universe


def test_the_observer_sees_a_weight_on_no_healthy_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any look at health, the machine's and the publisher's, a candidate gets requests at once."""
    universe = watched(BLUE_GREEN)
    chosen = publish._chosen

    def blind(desired: Any, state: Any, seen: Any, used: Any) -> Any:
        well = {group.arn: frozenset({"10.0.0.1:8080"}) for group in state.target_groups}
        return chosen(desired, state, dataclasses.replace(seen, healthy=well), used)

    monkeypatch.setattr(publish, "_chosen", blind)
    monkeypatch.setattr(scaling, "candidate_ready", lambda *_: True)
    monkeypatch.setattr(machine, "_LOOKS", ())
    apply(web("web:2", strategy=BLUE_GREEN, env={"SANDBOX_EXIT": "1"}))(universe)
    with pytest.raises(Forbidden, match="with no healthy target"):
        universe.run(120)


@pytest.mark.parametrize(
    ("a", "b", "ledger", "forbidden"),
    [
        pytest.param(95, 5, 0, False, id="a person gives the Deployment all requests"),
        pytest.param(475, 25, 500, False, id="a person gives it more"),
        pytest.param(0, 75, 25, True, id="to the candidate alone"),
        pytest.param(80, 20, 0, True, id="all requests, and the candidate its next step"),
        pytest.param(99, 1, 0, True, id="all requests, and back to the live slot"),
    ],
)
def test_the_observer_judges_how_slots_divide(a: int, b: int, ledger: int, *, forbidden: bool) -> None:
    """With no healthy target of the Deployment at all: its share is the route's word, its slots' is not."""
    universe = Universe(seed=7)
    observer = ProgressiveObserver(universe)
    apply(web(strategy=THREE_STEPS), deployment("ledger"), route(backends={"web": 1, "ledger": 3}))(universe)
    universe.settle(lambda: ready(universe) and universe.ready(LEDGER))
    apply(web("web:2", strategy=THREE_STEPS))(universe)
    universe.settle(lambda: at_step(1)(universe))
    groups = {f"{name}-{arn['slot']}": arn["arn"] for name, arn in _groups(universe)}
    weights = {groups["web-a"]: a, groups["web-b"]: b, groups["ledger-a"]: ledger}
    universe.healthy = lambda group: int(group == groups["ledger-a"])  # type: ignore[method-assign]
    observer._healthy.clear()
    entries = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items() if weight]
    params = {
        "RuleArn": console.own_rule(universe, "rule")["RuleArn"],
        "Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": entries}}],
    }
    with pytest.raises(Forbidden, match="no healthy target") if forbidden else nullcontext():
        observer.call("elbv2", "ModifyRule", params, caller=CALLER)


@pytest.mark.parametrize(
    ("count", "forbidden"),
    [pytest.param(2, False, id="what it was meant to have"), pytest.param(1, True, id="fewer")],
)
def test_the_observer_knows_what_the_live_slot_was_meant_to_have(count: int, *, forbidden: bool) -> None:
    """Somebody scaled it by hand in mid-rollout: that is put back, and no task more goes."""
    universe = Universe(seed=7)
    observer = ProgressiveObserver(universe)
    apply(web(strategy=THREE_STEPS), route())(universe)
    universe.settle(lambda: ready(universe))
    apply(web("web:2", strategy=THREE_STEPS))(universe)
    universe.settle(lambda: at_step(1)(universe))
    (live,) = (slot for slot in universe.status()["slots"] if slot["name"] == "a")
    named = {"cluster": live["cluster"], "service": live["serviceName"]}
    universe.aws("ecs", "UpdateService", **named, desiredCount=5)
    with pytest.raises(Forbidden, match="takes tasks of slot a") if forbidden else nullcontext():
        observer.call("ecs", "UpdateService", {**named, "desiredCount": count}, caller=CALLER)
    assert observer.shrunk == 1


def _groups(universe: Universe) -> list[tuple[str, dict[str, Any]]]:
    return [(key.name, entry) for key in (WEB, LEDGER) for entry in universe.status(key)["targetGroups"]]


def test_the_observer_sees_tasks_that_go_under_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rules' reading a slot that a rule still sends to is scaled in."""
    universe = watched(THREE_STEPS)
    apply(web("web:2", strategy=THREE_STEPS))(universe)
    universe.settle(lambda: at_step(1)(universe))
    monkeypatch.setattr(rollback, "gone", lambda *_: True)
    monkeypatch.setattr(rollback, "_drained", lambda *_: True)
    monkeypatch.setattr(rollback, "rolling_back", lambda work: work.enter("CleaningUp", verified_at=0.0))
    monkeypatch.setitem(machine._STAGES, "RollingBack", rollback.rolling_back)  # type: ignore[arg-type]
    monkeypatch.setattr(rollback.proof, "await_proof", lambda *_, **__: 0.0)
    monkeypatch.setattr(orders, "_count", lambda _work, _name, count: count)
    verb(universe, "abort")
    with pytest.raises(Forbidden, match="takes tasks of slot b under weight"):
        universe.run(120)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_soak() -> None:
    """Each seed calm and wild; it goes on where the last soak stopped."""
    soak = Soak(kind="progressive", test="tests/sim/test_progressive_random.py::test_soak")

    def both(seed: int) -> None:
        for calm in (True, False):
            one(seed, calm=calm, steps=STEPS * (1 + seed % 4))

    assert soak.play(both)
