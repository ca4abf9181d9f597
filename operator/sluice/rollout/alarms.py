"""CloudWatch alarms as a gate: ALARM rolls back; not knowing is never a pass.

An alarm that is in ALARM at the start does not let it start (ECS ignores such an alarm for the whole
deployment; ECS developer guide, "deployment alarms"). INSUFFICIENT_DATA, a missing alarm and a
CloudWatch that does not answer hold forward moves; after PATIENCE the strategy's onNoData decides, but
an unreachable CloudWatch always ends in a pause for a person.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from sluice.model.rollout import MetricRun
from sluice.rollout import inconclusive
from sluice.rollout.work import Work

PATIENCE: Final = 300.0
"""Seconds that an alarm may say nothing before onNoData decides: five periods of a minute."""
STALE: Final = 120.0
"""Seconds after which what an alarm said is not known any more: the watch reads every ten."""
_PREFIX: Final = "alarm/"
_UNREAD: Final = "*"
"""Stands for all of them while none was read."""
_RATE: Final = 30.0


def judge(work: Work) -> str:
    """Look at the alarms; return what asks for a rollback, '' when nothing does."""
    names = work.strategy.analysis.alarms
    if not names or work.rollout.kind != "Rollout":
        return ""
    work.wakes.append(work.now + _RATE)
    states = work.situation.gates.alarms
    if states is None and not work.situation.gates.alarms_error:
        work.needs.add("alarms")
        return _mute(work, _UNREAD, "not read yet", unreachable=True)
    _forget(work, _UNREAD)
    verdict = ""
    for name in names:
        why, unreachable = _unknown(work, name)
        state = states.get(name) if states is not None else None
        if state == "ALARM":
            verdict = verdict or f"alarm {name} is in ALARM"
        if why:
            verdict = _mute(work, name, why, unreachable=unreachable) or verdict
        else:
            _forget(work, name)
    return verdict


def silent(work: Work) -> bool:
    """Tell whether every alarm says OK now (or onNoData lets it pass); if not, say which does not."""
    names = work.strategy.analysis.alarms
    if not names or work.rollout.kind != "Rollout":
        return True
    states = work.situation.gates.alarms
    if states is None and not work.situation.gates.alarms_error:
        unread = _run(work, _UNREAD)
        accepted = unread is not None and unread.passed > 0
        return accepted or work.wait("WaitingForGate", "the alarms have not been read yet")
    for name in names:
        why, _ = _unknown(work, name)
        run = _run(work, name)
        if states is not None and states.get(name) == "ALARM":
            work.gate(f"alarm {name}", "Failed", "in ALARM")
            return work.wait("WaitingForGate", f"alarm {name} is in ALARM")
        if why and not (run and run.passed):
            work.gate(f"alarm {name}", "Waiting", why)
            return work.wait("WaitingForGate", f"alarm {name}: {why}")
        work.gate(f"alarm {name}", "Passed", why)
    return True


def _unknown(work: Work, name: str) -> tuple[str, bool]:
    """Return why nothing is known of an alarm ('' when something is), and whether nobody could be asked."""
    gates = work.situation.gates
    if gates.alarms is None:
        return f"CloudWatch could not be asked: {gates.alarms_error}", True
    state = gates.alarms.get(name)
    if state != "ALARM" and work.now > gates.alarms_at + STALE:
        return f"CloudWatch was not read for more than {STALE:g} s", True
    if state is None:
        return "there is no such alarm in the account and region", False
    return ("INSUFFICIENT_DATA", False) if state not in ("OK", "ALARM") else ("", False)


def _mute(work: Work, name: str, why: str, *, unreachable: bool) -> str:
    """Hold, and after PATIENCE let onNoData decide; the time is kept as a run of the alarm."""
    run = _run(work, name)
    if run is None:
        run = _keep(work, MetricRun(id=_PREFIX + name, since=work.now, message=why))
    ends = run.since + PATIENCE
    if work.now < ends:
        work.wakes.append(ends)
        return ""
    policy = work.strategy.analysis.on_no_data
    if policy == "Pass" and not unreachable:
        if not run.passed:
            _keep(work, dataclasses.replace(run, passed=1))
        return ""
    if policy == "Fail" and not unreachable:
        return f"alarm {name}: {why}, for {PATIENCE:g} s (onNoData: Fail)"
    if not run.passed:
        inconclusive.hold(work, f"alarm {name}: {why}")
    return ""


def accept(work: Work) -> None:
    """Pass over alarms that say nothing: a person promoted."""
    for run in work.rollout.metrics:
        if run.id.startswith(_PREFIX):
            _keep(work, dataclasses.replace(run, passed=1))


def _run(work: Work, name: str) -> MetricRun | None:
    return next((run for run in work.rollout.metrics if run.id == _PREFIX + name), None)


def _forget(work: Work, name: str) -> None:
    if _run(work, name) is not None:
        work.change(metrics=tuple(run for run in work.rollout.metrics if run.id != _PREFIX + name))


def _keep(work: Work, run: MetricRun) -> MetricRun:
    runs = tuple(old for old in work.rollout.metrics if old.id != run.id)
    work.change(metrics=(*runs, run))
    return run
