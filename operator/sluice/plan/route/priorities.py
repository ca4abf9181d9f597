"""Where a rule stands on its listener: inside the reserved range, in Gateway API's order.

Nothing is renumbered and nobody else's rule is moved. Production rules stand on every second number,
so that the test or header twin of each fits right before it; anchors come from the top of the range.
A rule looks for the free number nearest to where rules of its kind belong, between our rules that
must come before it and those that must come after it, which are known by the precedence in their
tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.model.errors import Refused
from sluice.plan.route.intent import PRECEDENCE


@dataclass(frozen=True, slots=True)
class Taken:
    """A number that a rule has on the listener, with its precedence when the rule is ours."""

    priority: int
    precedence: str = ""


class Ladder:
    """The numbers of one listener while a pass hands some of them out."""

    def __init__(self, taken: Iterable[Taken], *, reserved: tuple[int, int], listener: str) -> None:
        """Start from what stands on the listener; `reserved` is our range, both ends included."""
        self._taken = {entry.priority: entry.precedence for entry in taken}
        self._low, self._high = reserved
        self._listener = listener

    @classmethod
    def of_rules(
        cls, rules: Iterable[Mapping[str, Any]], *, reserved: tuple[int, int], listener: str
    ) -> Ladder:
        """Start from DescribeRules' answer (with `Tags` as a mapping)."""
        taken = (
            Taken(int(rule["Priority"]), rule["Tags"].get(PRECEDENCE, ""))
            for rule in rules
            if not rule.get("IsDefault")
        )
        return cls(taken, reserved=reserved, listener=listener)

    def free(self, priority: int) -> None:
        """Forget a rule that is about to leave its number."""
        self._taken.pop(priority, None)

    def vacant(self, priority: int) -> bool:
        """Tell whether nobody has `priority`."""
        return priority not in self._taken

    def keeps(self, priority: int, precedence: str) -> bool:
        """Tell whether a rule with `precedence` is in order where it stands, and note it there."""
        low, high = self._bounds(precedence, ignoring=priority)
        if low < priority < high:
            self._taken[priority] = precedence
            return True
        return False

    def claim(self, priority: int, precedence: str, *, field: str) -> int:
        """Take exactly `priority`, which the spec asks for. Raises Refused."""
        if not self._low <= priority <= self._high:
            raise Refused(
                "InvalidSpec",
                f"{field}: priority {priority} is outside of the range {self._low}-{self._high} reserved"
                f" for Sluice on listener {self._listener}",
            )
        if priority in self._taken:
            raise Refused(
                "InvalidSpec",
                f"{field}: priority {priority} is taken by another rule of listener {self._listener};"
                " choose another one or leave it out",
            )
        self._taken[priority] = precedence
        return priority

    def place(self, precedence: str) -> int:
        """Take the free number nearest to where `precedence` belongs. Raises Refused when full."""
        low, high = self._bounds(precedence)
        first = self._odd_from(max(low + 1, self._low))
        last = min(high - 1, self._high)
        slots = (last - first) // 2 + 1 if last >= first else 0
        if slots > 0:
            ideal = min(max(self._ideal(precedence), first), first + 2 * (slots - 1))
            ideal = self._odd_from(ideal)
            for distance in range(slots):
                for candidate in (ideal + 2 * distance, ideal - 2 * distance):
                    if first <= candidate <= last and candidate not in self._taken:
                        self._taken[candidate] = precedence
                        return candidate
        raise Refused(
            "QuotaExceeded",
            f"no free priority on listener {self._listener} between {max(low + 1, self._low)} and"
            f" {min(high - 1, self._high)} (range {self._low}-{self._high}, {len(self._taken)} rules);"
            " reserve a larger range or set spec.rules[].priority",
        )

    def _bounds(self, precedence: str, *, ignoring: int = 0) -> tuple[int, int]:
        """Return the numbers between which `precedence` keeps the order of our own rules.

        Where existing rules contradict each other (explicit priorities), those before it win.
        """
        low, high = self._low - 1, self._high + 1
        ours = {n: p for n, p in self._taken.items() if p and n != ignoring}
        low = max((n for n, p in ours.items() if p < precedence and n >= self._low), default=low)
        high = min((n for n, p in ours.items() if p > precedence and n > low), default=high)
        return low, high

    def _ideal(self, precedence: str) -> int:
        """Map precedence to a place in the range: hosts in thirds, paths inside them."""
        host, path = precedence.split(".", 2)[:2]
        within = {"0": 0.0, "1": 0.25, "2": 0.8, "3": 0.9}[path[0]]
        spread = {"0": 0.25, "1": 0.55, "2": 0.1, "3": 0.0}[path[0]]
        # Paths are rarely longer than 60 characters; longer ones share the first places.
        depth = max(0.0, 1 - (999 - int(path[1:] or 0)) / 60) if path[0] != "3" else 0.0
        # The top eighth stays for anchors and what sorts after everything.
        span = (self._high - self._low) * 7 // 8
        return self._low + int(span * (int(host[0]) + within + spread * depth) / 3)

    def _odd_from(self, number: int) -> int:
        """Return the first production number at or above `number`: one after each twin."""
        return number if (number - self._low) % 2 else number + 1
