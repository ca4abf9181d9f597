"""Metrics as gates: when each sample is due, what it says, and what the samples say together.

A run is one metric measured in the background (from the first proven weight to the end of bake) or in
one step. Its first sample is due when `initialDelay` and one whole interval are over, so that no sample
looks at the time before the weight, nor into a minute in which the slot served another revision; each
sample has a number, so it is judged once.

| sample | counts as |
|---|---|
| meets failureCondition, or misses the only successCondition | failed; more than failureLimit: roll back |
| meets neither of two conditions | inconclusive; more than failureLimit: a person decides |
| error, or no answer in time | error; more than consecutiveErrorLimit in a row: a person decides |
| no data, or too few requests | nothing; more than consecutiveErrorLimit in a row: onNoData |
| else | passed |

An error or missing data is no pass: forward moves wait for the next sample. After a restart or a new
leader one fresh interval is required before the next forward move (rollout.md §6). A metric in dry run
is measured and shown, and decides nothing.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from sluice.model.rollout import MetricRequest, MetricRun
from sluice.model.situation import Sample
from sluice.model.strategy import Analyse, Metric
from sluice.rollout import inconclusive
from sluice.rollout.work import Work, other

COUNTED: Final = 60.0
"""Seconds: Application Load Balancers report their counts by the minute."""
NO_ANSWER: Final = 120.0
"""Seconds after which a request without an answer counts as an error."""
_STAGES: Final = frozenset({"Stepping", "PostTraffic", "Baking", "PostBake"})


def judge(work: Work) -> str:
    """Judge new samples and ask for the next ones; return what asks for a rollback, '' for nothing."""
    verdict = ""
    for metric, run in _runs(work):
        judged, failure = _judge(work, metric, run)
        if not metric.dry_run:
            verdict = verdict or failure
        _show(work, metric, judged)
    return verdict


def trusted(work: Work) -> bool:
    """Tell whether no metric is without a trustworthy last sample; if one is, say which."""
    for metric, run in _runs(work, begin=False):
        if metric.dry_run:
            continue
        if run.errors or run.empty:
            why = run.message or "no data"
            return work.wait("WaitingForGate", f"metric {metric.name}: {why}; waiting for the next sample")
        if work.rollout.samples_after and run.last_at < work.rollout.samples_after:
            return work.wait(
                "WaitingForGate", f"metric {metric.name}: one fresh interval is required after a restart"
            )
    return True


def said_yes(work: Work) -> bool:
    """Tell whether each background metric passed at least once; before the source goes."""
    for metric, run in _runs(work, begin=False):
        if not metric.dry_run and not run.passed and _in_background(run):
            return work.wait("WaitingForGate", f"metric {metric.name}: no sample has passed yet")
    return True


def step_over(work: Work, step: Analyse) -> bool:
    """Tell whether a step's own analysis is over: its time, and a pass of each metric."""
    since = work.rollout.step_since if work.rollout.step_since is not None else work.now
    ends = since + step.seconds
    if work.now < ends:
        work.wakes.append(ends)
        return work.wait("WaitingForGate", f"analysis for {step.seconds:g} s")
    for metric, run in _runs(work, begin=False):
        if not metric.dry_run and not run.passed and not _in_background(run):
            return work.wait("WaitingForGate", f"metric {metric.name}: no sample has passed yet")
    return trusted(work)


def accept(work: Work) -> None:
    """Start counting anew: a person promoted past an inconclusive analysis."""
    runs = tuple(
        run
        if run.id.startswith("alarm/")
        else dataclasses.replace(run, errors=0, empty=0, inconclusive=0, passed=max(1, run.passed))
        for run in work.rollout.metrics
    )
    work.change(metrics=runs)


def forgive(work: Work) -> None:
    """Start counting anew, a whole interval from now: a person sent the candidate forward again."""
    runs = tuple(
        dataclasses.replace(run, passed=0, failed=0, inconclusive=0, errors=0, empty=0)
        for run in work.rollout.metrics
    )
    work.change(metrics=runs)
    postpone(work)


def postpone(work: Work) -> None:
    """Let every run begin a whole interval from now: earlier samples do not count any more."""
    intervals = {metric.name: metric.interval for metric in work.strategy.analysis.metrics}
    runs = tuple(
        dataclasses.replace(run, due=work.now + intervals[_name(run)]) if _name(run) in intervals else run
        for run in work.rollout.metrics
    )
    if runs != work.rollout.metrics:
        work.change(metrics=runs)


def _runs(work: Work, *, begin: bool = True) -> list[tuple[Metric, MetricRun]]:
    """Return the runs that measure at this point; those that have not begun do, if `begin`."""
    rollout = work.rollout
    if rollout.kind != "Rollout" or rollout.stage not in _STAGES:
        return []
    metrics = {metric.name: metric for metric in work.strategy.analysis.metrics}
    wanted: list[tuple[str, Metric, float]] = []
    if rollout.proven:
        wanted += [(name, metric, work.now) for name, metric in metrics.items()]
    step = (
        work.steps[rollout.step] if rollout.stage == "Stepping" and rollout.step < len(work.steps) else None
    )
    if isinstance(step, Analyse) and rollout.step_since is not None:
        names = step.metrics or tuple(metrics)
        wanted += [
            (f"step-{rollout.step}/{name}", metrics[name], rollout.step_since)
            for name in names
            if name in metrics
        ]
    found = []
    for run_id, metric, since in wanted:
        run = next((run for run in work.rollout.metrics if run.id == run_id), None)
        if run is None and begin:
            due = max(since + metric.initial_delay, _clean(work, metric)) + metric.interval
            run = _keep(work, MetricRun(id=run_id, since=since, due=due))
        if run is not None:
            found.append((metric, run))
    return found


def _clean(work: Work, metric: Metric) -> float:
    """Return from when on the counts of the candidate's target groups are its own.

    A load balancer counts by whole minutes, so the minute in which the slot's former revision was last
    sent requests holds both revisions' counts, and nobody can tell them apart.
    """
    if metric.kind != "loadBalancer":
        return 0.0
    return -(-work.situation.ended_before // COUNTED) * COUNTED


def _judge(work: Work, metric: Metric, run: MetricRun) -> tuple[MetricRun, str]:
    samples = work.situation.gates.samples
    while work.now >= run.due:
        request = f"{work.rollout.id}/{run.id}/{run.taken}"
        sample = samples.get(request)
        if sample is None and work.now >= run.due + metric.interval + NO_ANSWER:
            sample = Sample(at=work.now, error="no answer came in time")
        if sample is None:
            work.metrics.append(
                MetricRequest(
                    id=request,
                    metric=metric,
                    window=(run.due - metric.interval, run.due),
                    candidate=work.rollout.slot,
                    live=other(work.rollout.slot) if work.rollout.source else "",
                )
            )
            work.wakes.append(run.due + metric.interval + NO_ANSWER)
            break
        run = _keep(work, _count(work, metric, run, sample))
    else:
        work.wakes.append(run.due)
    return run, _verdict(work, metric, run)


def _count(work: Work, metric: Metric, run: MetricRun, sample: Sample) -> MetricRun:
    """Return the run with one more sample; intervals that were missed are not made up for."""
    due = run.due + metric.interval
    if due + metric.interval <= work.now:
        due = work.now + metric.interval
    run = dataclasses.replace(run, due=due, taken=run.taken + 1)
    if sample.error:
        return dataclasses.replace(run, errors=run.errors + 1, message=sample.error)
    if sample.value is None:
        text = sample.detail or "no data"
        run = dataclasses.replace(run, empty=run.empty + 1, errors=0, message=text)
        over = run.empty > metric.consecutive_error_limit
        if over and work.strategy.analysis.on_no_data == "Pass":
            return dataclasses.replace(run, empty=0, passed=run.passed + 1, last_at=sample.at)
        return run
    run = dataclasses.replace(
        run, errors=0, empty=0, last=sample.value, last_at=sample.at, message=sample.detail
    )
    match metric.means(sample.value):
        case True:
            return dataclasses.replace(run, passed=run.passed + 1)
        case False:
            return dataclasses.replace(run, failed=run.failed + 1)
    return dataclasses.replace(run, inconclusive=run.inconclusive + 1)


def _verdict(work: Work, metric: Metric, run: MetricRun) -> str:
    if metric.dry_run:
        return ""
    value = "" if run.last is None else f"{run.last:g}"
    if run.failed > metric.failure_limit:
        condition = f"failureCondition {metric.failure}" if metric.failure else f"not {metric.success}"
        detail = f" ({run.message})" if run.message else ""
        return (
            f"metric {metric.name}: {run.failed} samples failed, {metric.failure_limit} tolerated; "
            f"last {value}, {condition}{detail}"
        )
    if run.empty > metric.consecutive_error_limit:
        text = f"metric {metric.name}: {run.empty} samples in a row without data ({run.message})"
        if work.strategy.analysis.on_no_data == "Fail":
            return f"{text}, onNoData: Fail"
        inconclusive.hold(work, text)
    elif run.errors > metric.consecutive_error_limit:
        text = f"metric {metric.name}: {run.errors} errors in a row ({run.message})"
        inconclusive.hold(work, text)
    elif run.inconclusive > metric.failure_limit:
        text = f"metric {metric.name}: {run.inconclusive} inconclusive samples; last {value}"
        inconclusive.hold(work, text)
    return ""


def _show(work: Work, metric: Metric, run: MetricRun) -> None:
    text = f"{run.passed} passed, {run.failed} failed, {run.inconclusive} inconclusive"
    if run.last is not None:
        text += f", last {run.last:g}"
    if run.errors or run.empty:
        text += f"; {run.errors + run.empty} without a value: {run.message}"
    state = "Running"
    if run.failed > metric.failure_limit:
        state = "Failed"
    elif run.errors or run.empty:
        state = "Inconclusive"
    elif run.passed:
        state = "Passed"
    dry = " (dry run)" if metric.dry_run else ""
    work.gate(f"metric {run.id}{dry}", state, text)


def _in_background(run: MetricRun) -> bool:
    return "/" not in run.id


def _name(run: MetricRun) -> str:
    return run.id.rpartition("/")[2]


def _keep(work: Work, run: MetricRun) -> MetricRun:
    runs = tuple(old for old in work.rollout.metrics if old.id != run.id)
    work.change(metrics=(*runs, run))
    return run
