"""Whether two ALB rules can match the same request: only then does their order matter.

Conservative: what cannot be told apart cheaply overlaps. Hosts, paths and methods are compared; headers,
query parameters and source addresses never make two rules disjoint here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from sluice.plan.route.conditions import canonical

_COMPARED = ("host-header", "path-pattern", "http-request-method")


def overlap(one: Iterable[Mapping[str, Any]], other: Iterable[Mapping[str, Any]]) -> bool:
    """Return False when no request satisfies both lists of conditions."""
    first, second = _patterns(one), _patterns(other)
    return all(
        _any_common(first[field], second[field])
        for field in _COMPARED
        if first[field] is not None and second[field] is not None
    )


def _patterns(conditions: Iterable[Mapping[str, Any]]) -> dict[str, Sequence[str] | None]:
    """Return the values of each compared field; None where anything may match."""
    found: dict[str, Sequence[str] | None] = dict.fromkeys(_COMPARED)
    for field, _, member, values in canonical(conditions):
        if field in found and member == "Values":
            # Hosts are compared without regard to case (RFC 9110, 4.2.3).
            found[field] = [value.lower() if field == "host-header" else value for value in values]
    return found


def _any_common(one: Sequence[str] | None, other: Sequence[str] | None) -> bool:
    return any(_common(a, b) for a in one or () for b in other or ())


def _common(one: str, other: str) -> bool:
    if not _wild(one):
        return one == other or (_wild(other) and fnmatchcase(one, _escaped(other)))
    if not _wild(other):
        return fnmatchcase(other, _escaped(one))
    head, other_head = _head(one), _head(other)
    tail, other_tail = _head(one[::-1])[::-1], _head(other[::-1])[::-1]
    heads = head.startswith(other_head) or other_head.startswith(head)
    return heads and (tail.endswith(other_tail) or other_tail.endswith(tail))


def _wild(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern


def _escaped(pattern: str) -> str:
    return pattern.replace("[", "[[]")


def _head(pattern: str) -> str:
    """Return what stands before the first wildcard."""
    ends = [at for at in (pattern.find("*"), pattern.find("?")) if at >= 0]
    return pattern[: min(ends)] if ends else pattern
