"""Filters and pages of Cloud Map's List calls.

botocore on every one of them: "Cloud Map gets MaxResults [items] and then filters them": a page may be
empty and have a NextToken. A token names the last item looked at and the one after it, so that what
comes and goes between two pages is neither repeated nor lost. Texts of the refusals are from memory.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sluice_sandbox.aws.service import Params, Response
from sluice_sandbox.aws.servicediscovery.refusals import invalid_input

DEFAULT_PAGE = 100

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Generic[Item]):
    """What one filter name reads of an item, and what may be asked of it."""

    read: Callable[[Item], str]
    conditions: tuple[str, ...]
    """The operators it allows, the default first."""
    values: frozenset[str] = frozenset()
    """The values that there are; any when empty."""
    spell: Callable[[str], str] = str
    """Turns a value as asked into the one that items have."""


def matching(filters: Sequence[dict[str, Any]], rules: dict[str, Rule[Item]]) -> Callable[[Item], bool]:
    """Return whether an item matches all filters, or refuse what cannot be asked (InvalidInput)."""
    tests = [_test(item, rules[item["Name"]]) for item in filters]
    return lambda item: all(test(item) for test in tests)


def _test(asked: dict[str, Any], rule: Rule[Item]) -> Callable[[Item], bool]:
    name, condition = asked["Name"], asked.get("Condition") or rule.conditions[0]
    if condition not in rule.conditions:
        raise invalid_input(f"Filter condition {condition} is not supported for filter {name}.")
    values = [rule.spell(value) for value in asked["Values"]]
    if not values or (len(values) != 1 and condition in {"EQ", "BEGINS_WITH"}):
        raise invalid_input(f"Filter {name} with condition {condition} takes exactly one value.")
    unknown = [value for value in values if rule.values and value not in rule.values]
    if unknown and condition != "BEGINS_WITH":
        raise invalid_input(f"Invalid value {unknown[0]} for filter {name}.")
    if condition == "BETWEEN":
        return _between(name, values, rule)
    if condition == "BEGINS_WITH":
        return lambda item: rule.read(item).startswith(values[0])
    wanted = frozenset(values)
    return lambda item: rule.read(item) in wanted


def _between(name: str, values: list[str], rule: Rule[Item]) -> Callable[[Item], bool]:
    if len(values) != 2:
        raise invalid_input(f"Filter {name} with condition BETWEEN takes a start and an end.")
    try:
        start, end = (float(value) for value in values)
    except ValueError:
        raise invalid_input(f"The values of filter {name} are Unix times.") from None
    if start > end:
        raise invalid_input(f"The first value of filter {name} must not be after the second.")
    return lambda item: start <= float(rule.read(item)) <= end


def page(
    params: Params,
    items: Sequence[Item],
    *,
    member: str,
    key: Callable[[Item], str],
    show: Callable[[Item], Any],
    keep: Callable[[Item], bool] = lambda _: True,
) -> Response:
    """Return the kept items of one page under `member`, with NextToken when more items follow."""
    start = _start(params["NextToken"], [key(item) for item in items]) if params.get("NextToken") else 0
    size = params.get("MaxResults") or DEFAULT_PAGE
    chosen = items[start : start + size]
    response: Response = {member: [show(item) for item in chosen if keep(item)]}
    if start + size < len(items):
        token = "|".join((str(start + size), key(chosen[-1]), key(items[start + size])))
        response["NextToken"] = base64.urlsafe_b64encode(token.encode()).decode()
    return response


def _start(token: str, keys: list[str]) -> int:
    try:
        following, last, after = base64.urlsafe_b64decode(token.encode()).decode().split("|")
        position = int(following)
    except (binascii.Error, ValueError):
        raise invalid_input("The specified NextToken is not valid.") from None
    if last in keys:
        return keys.index(last) + 1
    if after in keys:
        return keys.index(after)
    # Both have gone: their former place is the best answer.
    return min(max(position, 0), len(keys))
