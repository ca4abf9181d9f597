"""Where a rule stands on its listener: inside the reserved range, in Gateway API's order.

Nothing is renumbered and nobody else's rule is moved. Production rules stand on every second number,
so that the test or header twin of each fits right before it; anchors come from the top of the range.
A rule looks for the free number nearest to where rules of its kind belong, between our rules that
must come before it and those that must come after it: rules that can match the same request, by the
precedence in their tags. Rules that cannot meet are in no order, so that routes created together do not
wedge themselves between each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.model.errors import Refused
from sluice.model.names import short_hash
from sluice.plan.route.intent import PRECEDENCE
from sluice.plan.route.overlap import overlap


@dataclass(frozen=True, slots=True)
class Taken:
    """A number that a rule has on the listener; with precedence and conditions when the rule is ours."""

    precedence: str = ""
    conditions: tuple[Mapping[str, Any], ...] = ()


class Ladder:
    """The numbers of one listener while a pass hands some of them out."""

    def __init__(self, taken: Mapping[int, Taken], *, reserved: tuple[int, int], listener: str) -> None:
        """Start from what stands on the listener; `reserved` is our range, both ends included."""
        self._taken = dict(taken)
        self._low, self._high = reserved
        self._listener = listener

    @classmethod
    def of_rules(
        cls, rules: Iterable[Mapping[str, Any]], *, reserved: tuple[int, int], listener: str
    ) -> Ladder:
        """Start from DescribeRules' answer (with `Tags` as a mapping)."""
        taken = {
            int(rule["Priority"]): Taken(rule["Tags"].get(PRECEDENCE, ""), tuple(rule.get("Conditions", ())))
            for rule in rules
            if not rule.get("IsDefault")
        }
        return cls(taken, reserved=reserved, listener=listener)

    def free(self, priority: int) -> None:
        """Forget a rule that is about to leave its number."""
        self._taken.pop(priority, None)

    def vacant(self, priority: int) -> bool:
        """Tell whether nobody has `priority`."""
        return priority not in self._taken

    def keeps(self, priority: int, rule: Taken) -> bool:
        """Tell whether `rule` is in order where it stands, and note it there."""
        low, high = self._bounds(rule, ignoring=priority)
        if low < priority < high:
            self._taken[priority] = rule
            return True
        return False

    def claim(self, priority: int, rule: Taken, *, field: str) -> int:
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
        self._taken[priority] = rule
        return priority

    def place(self, rule: Taken) -> int:
        """Take the free number nearest to where `rule` belongs. Raises Refused when full."""
        low, high = self._bounds(rule)
        numbers = range(self._odd_from(low + 1), high, 2)
        ideal = self._odd_from(self._ideal(rule.precedence))
        if numbers:
            ideal = min(max(ideal, numbers[0]), numbers[-1])
        for distance in range(len(numbers)):
            for candidate in (ideal + 2 * distance, ideal - 2 * distance):
                if candidate in numbers and candidate not in self._taken:
                    self._taken[candidate] = rule
                    return candidate
        raise Refused(
            "QuotaExceeded",
            f"no free priority on listener {self._listener} between {low + 1} and {high - 1} (range"
            f" {self._low}-{self._high}, {len(self._taken)} rules); reserve a larger range or set"
            " spec.rules[].priority",
        )

    def twin(self, priority: int, rule: Taken) -> int:
        """Take the free number nearest before `priority`, for the header rule of `rule`. Raises Refused."""
        low = self._before(priority, rule)
        for candidate in range(priority - 1, low, -1):
            if candidate not in self._taken:
                self._taken[candidate] = Taken()
                return candidate
        raise Refused(
            "QuotaExceeded",
            f"no free priority on listener {self._listener} between {low + 1} and {priority - 1} for the"
            f" header rule before rule {priority}; free one or set another spec.rules[].priority",
        )

    def keeps_twin(self, seen: int, priority: int, rule: Taken) -> bool:
        """Tell whether a header rule at `seen` is in order before `priority`, and note it there."""
        if self._before(priority, rule) < seen < priority:
            self._taken[seen] = Taken()
            return True
        return False

    def _before(self, priority: int, rule: Taken) -> int:
        """Return the number after which a twin of `rule` may stand: our last rule that goes before it."""
        return max(
            (
                number
                for number, other in self._taken.items()
                if self._low <= number < priority
                and other.precedence
                and other.precedence < rule.precedence
                and overlap(rule.conditions, other.conditions)
            ),
            default=self._low - 1,
        )

    def _bounds(self, rule: Taken, *, ignoring: int | None = None) -> tuple[int, int]:
        """Return the numbers between which `rule` is in order with ours that it can meet.

        What stands outside of the range has no say: it is another tenant's, or about to move into it. Where
        existing rules contradict each other (explicit priorities), those before it win.
        """
        ours = {
            number: other.precedence
            for number, other in self._taken.items()
            if self._low <= number <= self._high
            and other.precedence
            and number != ignoring
            and overlap(rule.conditions, other.conditions)
        }
        low = max((n for n, p in ours.items() if p < rule.precedence), default=self._low - 1)
        high = min((n for n, p in ours.items() if p > rule.precedence and n > low), default=self._high + 1)
        return low, high

    def _ideal(self, precedence: str) -> int:
        """Map precedence to a place in the range: hosts in thirds, paths inside them."""
        host, path, *_ = precedence.split(".")
        within = {"0": 0.0, "1": 0.25, "2": 0.8, "3": 0.9}[path[0]]
        spread = {"0": 0.25, "1": 0.55, "2": 0.1, "3": 0.0}[path[0]]
        # Paths are rarely longer than 60 characters; longer ones share the first places.
        depth = max(0.0, 1 - (999 - int(path[1:])) / 60)
        # The top eighth stays for anchors and what sorts after everything.
        span = (self._high - self._low) * 7 // 8
        place = self._low + int(span * (int(host[0]) + within + spread * depth) / 3)
        # Routes that are made at once look at the same listener: equal kinds begin at different places.
        return place + int(short_hash(precedence), 16) % max(1, int(span * 0.55 / 180))

    def _odd_from(self, number: int) -> int:
        """Return the first production number at or above `number`: one after each twin."""
        return number if (number - self._low) % 2 else number + 1
