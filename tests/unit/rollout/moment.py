"""One decision half-way, made by hand: for facts about one function that no story tells apart."""

from __future__ import annotations

import dataclasses
from typing import Any

from sluice.model.rollout import LiveRevision, MetricRun, Motion, Rollout
from sluice.model.situation import GateFacts, Situation, SlotFacts, TrafficFacts
from sluice.model.strategy import Analysis, Metric, OnNoData, Progressive, SetWeight
from sluice.rollout.work import Work

NOW = 1_800_000_000.0
STEPS = (SetWeight(permille=250), SetWeight(permille=1000))


def moment(
    *,
    strategy: Progressive | None = None,
    gates: GateFacts | None = None,
    rollout: dict[str, Any] | None = None,
    motion: Motion | None = None,
    **facts: Any,
) -> Work:
    """Return r2 in slot b on its way from r1 in slot a, proven at a quarter, unless members say otherwise."""
    made = Rollout(
        id="id",
        kind="Rollout",
        candidate="r2",
        slot="b",
        source="r1",
        stage="Stepping",
        started_at=NOW - 100,
        stage_since=NOW - 100,
        progressed_at=NOW - 100,
        weight=250,
        proven=250,
    )
    live = LiveRevision(slot="a", revision="r1", since=NOW - 1000)
    situation = Situation(
        wanted="r2",
        strategy=strategy or Progressive(steps=STEPS, snapshot={"x": 1}),
        replicas=4,
        slots={
            name: SlotFacts(name=name, exists=True, revision=revision, desired=4, running=4, tasks=4)
            for name, revision in (("a", "r1"), ("b", "r2"))
        },
        traffic=TrafficFacts(weights={"a": 750, "b": 250}),
        gates=gates or GateFacts(),
    )
    return Work(
        situation=dataclasses.replace(situation, **facts),
        motion=motion or Motion(live=live, rollout=dataclasses.replace(made, **(rollout or {}))),
        now=NOW,
    )


def analysed(
    *metrics: Metric, alarms: tuple[str, ...] = (), on_no_data: OnNoData = "Pause", **members: Any
) -> Progressive:
    """Return a strategy with metrics and alarms."""
    analysis = Analysis(metrics=metrics, alarms=alarms, on_no_data=on_no_data)
    return Progressive(**{"steps": STEPS, "analysis": analysis, "snapshot": {"x": 1}} | members)


def run_of(work: Work, name: str) -> MetricRun:
    """Return the run of a metric or alarm."""
    return next(run for run in work.rollout.metrics if run.id == name)
