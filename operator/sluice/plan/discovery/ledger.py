"""The memory while a plan is made: what is under way, what failed, and what has become of it.

| an operation that was meant   | as GetOperation tells it | then                                           |
|-------------------------------|--------------------------|------------------------------------------------|
| answer known                  | SUBMITTED, PENDING       | waited for: one at a time on each instance     |
|                               | SUCCESS                  | kept until the lists show its effect, a minute |
|                               | FAIL                     | tried again with back-off, told                |
|                               | cannot be read           | its effect tells, or five minutes pass         |
| answer lost, or never sent    |                          | its effect tells; else it is sent again, which |
|                               |                          | is safe: the same request, or an upsert        |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from sluice.model.actions import Note
from sluice.model.discovery import Operation
from sluice.plan.discovery.memory import Failing, Leaving, Memory, OperationKind, Pending, Stage

T = TypeVar("T", Stage, int)
EFFECT_PATIENCE: Final = 60.0
"""Seconds in which a list must show what a successful operation did (an assumption; AWS says nothing)."""
OPERATION_PATIENCE: Final = 300.0
"""Seconds after which an operation that cannot be read is forgotten."""
LATE: Final = 60.0
"""Seconds in which a call without an answer could still take effect."""
OVERDUE: Final = 600.0
"""Seconds after which an operation that has not ended is told."""
FIRST_RETRY: Final = 5.0
LAST_RETRY: Final = 300.0
TOLD_AFTER: Final = 3
"""Failures in a row of one target after which they are a condition."""
GROUPS: Final = 100
"""Groups of one time each in a status; the CRD takes twice as many, which `absorb` may make of them."""
_GRAINS: Final = (1.0, 5.0, 30.0, 120.0, 600.0, 3600.0, 86_400.0)
"""Seconds to which times are rounded up where there would be more groups."""
PROTECTION: Final = "protect:"
"""Before the short id of a task that ECS refuses to protect, among what fails."""
LONGEST: Final = 2_000
"""Characters of AWS's words that are kept; the CRD takes 4,096."""
_ACCESS: Final = "ACCESS_DENIED"


@dataclass(slots=True)
class Ledger:
    """Mutable; lives for one plan."""

    now: float
    stages: dict[str, tuple[Stage, float]] = field(default_factory=dict)
    """Short id → stage and since when."""
    operations: dict[str, Pending] = field(default_factory=dict)
    """Short id, `namespace` or `service` → what is under way."""
    failing: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Target → failures in a row, and when to try again."""
    failure: str = ""
    notes: list[Note] = field(default_factory=list)
    wakes: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, memory: Memory, *, now: float) -> Ledger:
        """Open a memory."""
        return cls(
            now=now,
            stages={name: (group.stage, group.since) for group in memory.leaving for name in group.instances},
            operations={pending.target: pending for pending in memory.operations},
            failing={
                name: (group.count, group.retry_at) for group in memory.failing for name in group.targets
            },
            failure=memory.failure,
        )

    def close(self, memory: Memory) -> Memory:
        """Return `memory` with what is in the ledger, in an order that depends on nothing else.

        Entries that come and go one by one under a long TTL would be a group each, and the API server would
        refuse the whole status: their times are rounded up then, so some wait a little longer.
        """
        stages = _grouped({name: (since, stage) for name, (stage, since) in self.stages.items()})
        failing = _grouped({name: (retry_at, count) for name, (count, retry_at) in self.failing.items()})
        return replace(
            memory,
            operations=tuple(
                sorted(self.operations.values(), key=lambda pending: (pending.since, pending.target))
            ),
            leaving=tuple(
                Leaving(stage=stage, since=since, instances=tuple(sorted(names)))
                for (since, stage), names in sorted(stages.items())
            ),
            failing=tuple(
                Failing(count=count, retry_at=retry_at, targets=tuple(sorted(names)))
                for (retry_at, count), names in sorted(failing.items())
            ),
            failure=self.failure if self.failing else "",
        )

    # ---------------------------------------------------------------- operations

    def track(self, seen: Mapping[str, Operation], *, has: Callable[[Pending], bool | None]) -> None:
        """Take note of what became of operations.

        `has` tells whether the effect of one is seen; None where that was not read.
        """
        failed: dict[str, list[str]] = {}
        for target, pending in list(self.operations.items()):
            told = seen.get(pending.id) if pending.id else None
            if told is not None and told.status == "FAIL":
                del self.operations[target]
                self._fail(target, told.error)
                failed.setdefault(told.error or "no reason given", []).append(pending.kind)
            elif self._is_over(pending, told, effect=has(pending)):
                del self.operations[target]
                self.failing.pop(target, None)
        for error, kinds in sorted(failed.items()):
            what = ", ".join(sorted({f"{kinds.count(kind)} {kind}" for kind in kinds}))
            text = f"Cloud Map could not carry out {what}: {error}; tried again with back-off"
            self.notes.append(Note(type="Warning", reason="OperationFailed", message=text))

    def _is_over(self, pending: Pending, told: Operation | None, *, effect: bool | None) -> bool:
        age = self.now - pending.since
        if told is not None and told.status in ("SUBMITTED", "PENDING"):
            return False
        if told is not None:  # SUCCESS
            return bool(effect) or age > EFFECT_PATIENCE
        if pending.id:
            return age > OPERATION_PATIENCE or (bool(effect) and age > EFFECT_PATIENCE)
        return bool(effect) or age > LATE

    def _fail(self, target: str, error: str) -> None:
        self.attempt(target)
        self.failure = error[:LONGEST]

    def failures(self, target: str) -> int:
        """Return how often a target failed in a row."""
        return self.failing[target][0] if target in self.failing else 0

    def attempt(self, target: str) -> None:
        """Let a target's next attempt wait longer than the one before, until something succeeds."""
        count = self.failures(target) + 1
        wait = min(FIRST_RETRY * 2 ** min(count - 1, 10), LAST_RETRY)
        self.failing[target] = (count, self.now + wait)

    def hurry(self) -> None:
        """Let nothing wait for its next attempt: the spec was changed, maybe to mend what fails."""
        self.failing = {
            name: (count, min(self.now, retry_at)) for name, (count, retry_at) in self.failing.items()
        }

    def waits(self, target: str) -> bool:
        """Tell whether a target's next attempt has to wait, and see to it that somebody looks then."""
        if target not in self.failing or self.failing[target][1] <= self.now:
            return False
        self.wakes.append(self.failing[target][1])
        return True

    def mean(self, kind: OperationKind, target: str) -> Pending:
        """Return the entry of an operation that is about to be asked for (the same one when sent again)."""
        before = self.operations.get(target)
        if before is None or before.kind != kind or before.id:
            before = Pending(kind=kind, target=target, since=self.now)
        self.operations[target] = before
        return before

    def stuck(self) -> tuple[str, str] | None:
        """Return reason and text of what keeps failing or does not end; None where all goes well."""
        late = [one for one in self.operations.values() if one.id and self.now - one.since > OVERDUE]
        worst = [
            name
            for name, (count, _) in self.failing.items()
            if count >= TOLD_AFTER and not name.startswith(PROTECTION)
        ]
        if late and not worst:
            text = (
                f"{len(late)} operations of Cloud Map are under way for more than ten minutes: {late[0].id}"
            )
            return ("AWSRejected", f"{text} …; ask AWS support if they do not end")
        if not worst:
            return None
        denied = self.failure.startswith(_ACCESS)
        text = (
            f"operations of Cloud Map keep failing ({len(worst)}): {self.failure or 'no reason given'}; "
            "they are tried again every few minutes"
        )
        return ("AccessDenied" if denied else "AWSRejected", text)

    # -------------------------------------------------------------------- stages

    def stage(self, name: str) -> Stage | None:
        """Return the stage of an instance; None at rest."""
        found = self.stages.get(name)
        return found[0] if found else None

    def since(self, name: str) -> float:
        """Return since when an instance is in its stage."""
        return self.stages[name][1]

    def put(self, name: str, stage: Stage) -> None:
        """Let an instance come to a stage now; one that is there already keeps its time."""
        if self.stage(name) != stage:
            self.stages[name] = (stage, self.now)


def _grouped(entries: Mapping[str, tuple[float, T]]) -> dict[tuple[float, T], list[str]]:
    """Return names by time and what else they share, in at most GROUPS groups."""
    found: dict[tuple[float, T], list[str]] = {}
    for grain in (0.0, *_GRAINS):
        found = {}
        for name, (time, what) in entries.items():
            rounded = math.ceil(time / grain) * grain if grain else time
            found.setdefault((rounded, what), []).append(name)
        if len(found) <= GROUPS:
            break
    return found
