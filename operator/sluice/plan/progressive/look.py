"""What one pass of a progressive Deployment saw, beyond `model.observed.Observed`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sluice.model.desired import Revision
from sluice.model.observed import Observed, Structure
from sluice.model.situation import Unjudged


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Facts by slot; what was not looked at is absent."""

    observed: Observed
    revisions: Mapping[str, Revision] = field(default_factory=dict)
    """Bodies of the revisions that slots run or shall run, by name."""
    stopped: Mapping[str, Sequence[Structure]] = field(default_factory=dict)
    """Slot → its stopped tasks."""
    health_read: frozenset[str] = frozenset()
    """ARNs of target groups whose health was read."""
    unused: frozenset[str] = frozenset()
    """Of these, those whose targets nobody checks: no listener sends to the group (Target.NotInUse)."""
    unjudged: Mapping[str, Unjudged] = field(default_factory=dict)
    """Of these, those with targets that no check has judged yet; the others are absent."""
    checked: frozenset[str] = frozenset()
    """Slots whose tasks are as healthy as their containers say: names lead to them, target groups do not."""
    well: Mapping[str, int] = field(default_factory=dict)
    """Slot of `checked` → its tasks whose containers are healthy; absent: not read."""
    images: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Slot → `<container>@<digest>` of its running tasks, sorted; absent: not read."""
    proof: Mapping[str, Sequence[Structure]] | None = None
    """Listener ARN → its rules with the default one, of every listener of the load balancers, read in
    this pass for the proof before a shrink; None: not read."""
    evidence: tuple[str, ...] | None = None
    """What was captured for the history of a rollback; None: not asked for."""
    blind: bool = False
    """ECS could not be asked: of the slots only target health is known, as far as it could be read."""
    blocked: str = ""
    """Why something could not be read."""
