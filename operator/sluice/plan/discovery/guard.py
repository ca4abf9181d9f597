"""No action takes the last healthy answer away while a healthy task exists.

Two counts, both of what clients see (DiscoverInstances) and not of what was asked for. `visible` are
healthy answers whose task is healthy and that nothing under way can take away; `answers` are all
entries that stay discoverable, healthy or not: a name with none of them is NXDOMAIN, and resolvers
keep that for the zone's negative TTL, which is worse than one dead address.

What the spec sends away with nobody to follow (route or backend deleted, 0 tasks, Recreate) is not held:
a name that answers nothing is right then, and an address that stops answering is not.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Guard:
    """Counts down with every removal that is planned."""

    visible: set[str]
    answers: set[str]
    floor: int
    """Healthy answers that stay while others are only moved: those that are wanted in the end."""
    awaited: bool
    """A healthy task is wanted, so the name must not become empty."""
    off: bool
    """Everything goes: the route or its backend is being deleted."""

    def may_hide(self, instance: str, *, floor: int) -> bool:
        """Tell whether a healthy answer may go while `floor` others stay, and count it as gone if so."""
        if not self.off and len(self.visible - {instance}) < max(1, floor):
            return False
        self.visible.discard(instance)
        return True

    def may_remove(self, instance: str) -> bool:
        """Tell whether an entry may be deregistered, and count it as gone if so."""
        if self.awaited and not self.off and not self.answers - {instance}:
            return False
        self.answers.discard(instance)
        return True
