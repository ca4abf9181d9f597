"""Hooks: webhooks and ECS tasks that must answer before a stage goes on.

Each attempt has an id of its own, which is the receiver's idempotency key too: after a crash the same
attempt is asked for again, never another one. Each has a bounded timeout; an attempt without an answer
in that time failed. An error is tried again, a no is not. After the last attempt `onFailure` decides:
Rollback, Pause (a person promotes or aborts), Ignore. On the way back hooks only inform: whatever they
answer, the rollback goes on.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from sluice.model.rollout import BACK, HookRequest, HookRun, Rollout
from sluice.model.strategy import Hook, HookStage
from sluice.rollout import holds
from sluice.rollout.work import Work, percent

RETRY_AFTER: Final = 10.0
"""Seconds between a failed attempt and the next one."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A hook that said no for good and asks for a rollback."""

    message: str


def gate(work: Work, stage: HookStage, *, name: str = "", inform: bool = False) -> bool | Failure:
    """Run the hooks of a stage (or the one of a step); True when all are through.

    False: waiting, told by `Work.wait`. Hooks of a stage run at the same time, as ECS's own do.
    `inform`: nothing that they answer decides anything, and no pause stops them.
    """
    found = [hook for hook in work.strategy.hooks if hook.stage == stage and (not name or hook.name == name)]
    where = f"step-{work.rollout.step}" if stage == "Step" else stage
    through = True
    for hook in found:
        answer = _one(work, hook, f"{where}/{hook.name}", inform=inform)
        if isinstance(answer, Failure):
            return answer
        through = through and answer
    if stage == "Step" and not found:
        return Failure(message=f"the step names hook {name}, and no hook of stage Step has that name")
    return through


def _one(work: Work, hook: Hook, run_id: str, *, inform: bool) -> bool | Failure:
    run = next((run for run in work.rollout.hooks if run.id == run_id), None)
    if run is None:
        # A step's hook is a step forward; the hooks of stages only follow what has happened already.
        if not inform and (holds.halted(work) or (run_id.startswith("step-") and holds.frozen(work))):
            return False
        run = _keep(work, HookRun(id=run_id, started_at=work.now))
    if run.state in ("Succeeded", "Ignored"):
        work.gate(f"hook {hook.name}", "Passed", run.message)
        return True
    if run.state == "Failed":
        return _decide(work, hook, run, inform=inform)
    if work.now < run.started_at:
        work.wakes.append(run.started_at)
        return _waiting(work, hook, run)
    return _attempt(work, hook, run, inform=inform)


def _attempt(work: Work, hook: Hook, run: HookRun, *, inform: bool) -> bool | Failure:
    request = _id(work.rollout, run)
    answer = work.situation.gates.hooks.get(request)
    ends = run.started_at + hook.timeout
    if answer and answer.state == "Succeeded":
        _keep(work, dataclasses.replace(run, state="Succeeded", message=answer.message))
        return _one(work, hook, run.id, inform=inform)
    if answer and answer.state in ("Failed", "Error"):
        last = answer.state == "Failed"  # a no is an answer: asking again would only ask for another one
        return _failed(work, hook, run, answer.message or "it failed", inform=inform, last=last)
    if work.now >= ends:
        known = f" ({answer.message})" if answer and answer.message else ""
        return _failed(work, hook, run, f"no answer in {hook.timeout:g} s{known}", inform=inform)
    work.hooks.append(HookRequest(id=request, hook=hook.name, timeout=hook.timeout, context=_context(work)))
    work.wakes.append(ends)
    return _waiting(work, hook, run)


def attempts(rollout: Rollout) -> frozenset[str]:
    """Return the ids of the attempts whose answer is waited for: the others may be ended.

    On the way back that is OnRollback alone: a migration must not go on beside what takes it back.
    """
    back = rollout.stage in BACK
    return frozenset(
        _id(rollout, run)
        for run in rollout.hooks
        if run.state == "Running" and run.id.startswith("OnRollback/") is back
    )


def _id(rollout: Rollout, run: HookRun) -> str:
    return f"{rollout.id}/{run.id}/{run.attempt}"


def _failed(
    work: Work, hook: Hook, run: HookRun, why: str, *, inform: bool, last: bool = False
) -> bool | Failure:
    if run.attempt < hook.retries and not last:
        text = f"attempt {run.attempt + 1} of {hook.retries + 1}: {why}"
        again = HookRun(id=run.id, attempt=run.attempt + 1, started_at=work.now + RETRY_AFTER, message=text)
        _keep(work, again)
    else:
        _keep(work, dataclasses.replace(run, state="Failed", message=why))
        work.note("HookFailed", f"hook {hook.name} ({run.id}): {why}; onFailure: {hook.on_failure}")
    return _one(work, hook, run.id, inform=inform)


def _decide(work: Work, hook: Hook, run: HookRun, *, inform: bool) -> bool | Failure:
    if inform or hook.on_failure == "Ignore":
        _keep(work, dataclasses.replace(run, state="Ignored"))
        return True
    work.gate(f"hook {hook.name}", "Failed", run.message)
    if hook.on_failure == "Rollback":
        return Failure(message=f"hook {hook.name} ({run.id}): {run.message}")
    work.wait(
        "Paused",
        f"hook {hook.name} ({run.id}) failed: {run.message}; promote to go on without it, or abort",
    )
    return False


def ignore_failed(work: Work) -> str:
    """Let failed hooks that pause be passed over: a person promoted. Returns their names."""
    failed = [run for run in work.rollout.hooks if run.state == "Failed"]
    for run in failed:
        _keep(work, dataclasses.replace(run, state="Ignored"))
    return ", ".join(run.id for run in failed)


def ask_again(work: Work) -> None:
    """Begin another attempt of what still ran when the way back began: nobody waited for its answer since.

    It may have been ended (`attempts`), and its time is over: it would count as a no that nobody said.
    """
    for run in work.rollout.hooks:
        if run.state == "Running" and not run.id.startswith("OnRollback/"):
            _keep(work, HookRun(id=run.id, attempt=run.attempt + 1, started_at=work.now))


def _waiting(work: Work, hook: Hook, run: HookRun) -> bool:
    work.gate(f"hook {hook.name}", "Running", run.message)
    tries = f", attempt {run.attempt + 1} of {hook.retries + 1}" if hook.retries else ""
    return work.wait("WaitingForGate", f"hook {hook.name} ({run.id}) runs{tries}")


def _keep(work: Work, run: HookRun) -> HookRun:
    runs = tuple(old for old in work.rollout.hooks if old.id != run.id)
    work.change(hooks=(*runs, run))
    return run


def _context(work: Work) -> dict[str, object]:
    rollout = work.rollout
    return {
        "rollout": rollout.id,
        "stage": rollout.stage,
        "step": rollout.step,
        "weight": percent(rollout.weight),
        "candidate": rollout.candidate,
        "source": rollout.source,
        "slot": rollout.slot,
        "reason": rollout.reason,
        "message": rollout.message if rollout.reason else "",
    }
