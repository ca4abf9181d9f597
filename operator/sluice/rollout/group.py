"""Release groups: members start and step together and fall back together (issue 5; product.md).

A member waits before each weight until every member that changes too has come as far. Who has no change,
is scaled to 0 or is not there, is not waited for: nobody could tell when it would come. One that fell
back takes the others with it, as long as they are in motion. The last barrier is before the source goes,
so that a member that fails while it bakes still finds the others able to return at once.

After `group_timeout` at a barrier a member is Stalled/ProgressDeadlineExceeded and holds what it has:
its candidate is well, so a return would only take the others back as well; it goes on by itself when
the others come, and a person can abort.
"""

from __future__ import annotations

from sluice.model.rollout import Rollout
from sluice.model.situation import MemberFacts
from sluice.model.strategy import Progressive
from sluice.rollout.work import Work, whole

NOT_READY = -1
_THROUGH = frozenset({"PostTraffic", "Baking", "PostBake"})


def arrived(rollout: Rollout, strategy: Progressive) -> int:
    """Return how far a rollout has come, as other members are told (`MemberFacts.arrived`).

    -1 until its candidate is ready for the first step, then the steps that are done, and one more
    than there are when bake and its hooks are over too.
    """
    steps = len(whole(strategy.steps))
    if rollout.stage == "Stepping":
        return rollout.step
    if rollout.stage == "Draining" or (rollout.stage == "PostBake" and _baked(rollout, strategy)):
        return steps + 1
    return steps if rollout.stage in _THROUGH else NOT_READY


def arrived_together(work: Work) -> bool:
    """Tell whether every member that changes has come as far as this one; if not, say who has not."""
    return _barrier(work, arrived(work.rollout, work.strategy), what="the next step")


def baked_together(work: Work) -> bool:
    """Tell whether every member that changes is through with bake; if not, say who is not."""
    return _barrier(work, len(work.steps) + 1, what="the end of bake")


def failed_member(work: Work) -> str:
    """Return the member whose rollout of this release fell back, '' when none did."""
    group = work.situation.group
    if group is None or not work.strategy.release_group:
        return ""
    return next((member.name for member in group.members if member.failed), "")


def _barrier(work: Work, mine: int, *, what: str) -> bool:
    group = work.situation.group
    members = group.members if group and work.strategy.release_group else ()
    late = [_named(member) for member in members if _late(member, mine, len(work.steps))]
    if not late:
        if work.rollout.barrier_since is not None:
            work.change(barrier_since=None)
        return True
    if work.rollout.barrier_since is None:
        work.change(barrier_since=work.now)
    since = work.rollout.barrier_since if work.rollout.barrier_since is not None else work.now
    names = ", ".join(late[:5])
    work.gate(f"release group {work.strategy.release_group}", "Waiting", names)
    ends = since + work.strategy.group_timeout
    if work.now >= ends:
        return work.wait(
            "ProgressDeadlineExceeded",
            f"release group {work.strategy.release_group}: {names} did not come to {what} in "
            f"{work.strategy.group_timeout:g} s; the weights are held, mend {names} or abort",
        )
    work.wakes.append(ends)
    return work.wait("WaitingForGate", f"release group {work.strategy.release_group}: waiting for {names}")


def _named(member: MemberFacts) -> str:
    return f"{member.name} ({member.trouble})" if member.trouble else member.name


def _late(member: MemberFacts, mine: int, steps: int) -> bool:
    if not member.changing or member.finished:
        return False
    far = steps if not member.strategy_steps else member.strategy_steps
    # One with fewer steps has come as far as any when it is through with its own.
    goal = far + 1 if mine > steps else min(mine, far)
    return member.arrived < goal


def _baked(rollout: Rollout, strategy: Progressive) -> bool:
    names = {f"PostBake/{hook.name}" for hook in strategy.hooks if hook.stage == "PostBake"}
    through = {run.id for run in rollout.hooks if run.state in ("Succeeded", "Ignored")}
    return names <= through
