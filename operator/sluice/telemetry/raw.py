"""Reading what stands in a status without believing it: a scrape answers whatever somebody wrote there.

A status is a cache that an older version, a newer one or a person may have written. Whoever counts takes what
has the right shape and passes over the rest; nothing here raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from sluice.model.conditions import parse_timestamp

Raw = Mapping[str, Any]
_NOTHING: Final[Raw] = {}


def _is_mapping(value: Any) -> TypeGuard[Raw]:  # noqa: ANN401 - raw JSON
    """Tell whether it is a mapping; JSON is read into dicts, so that quick question comes first."""
    return value.__class__ is dict or isinstance(value, Mapping)


def member(parent: Any, name: str) -> Raw:  # noqa: ANN401 - raw JSON
    """Return a member that is a mapping, {} where there is none."""
    value = parent.get(name) if _is_mapping(parent) else None
    return value if _is_mapping(value) else _NOTHING


def status_of(obj: Raw | None) -> Raw:
    """Return an object's status."""
    return member(obj, "status")


def entries(parent: Any, name: str) -> list[Raw]:  # noqa: ANN401 - raw JSON
    """Return the mappings of a member that is a list."""
    value = parent.get(name) if _is_mapping(parent) else None
    return [entry for entry in value if _is_mapping(entry)] if isinstance(value, list) else []


def number(value: Any) -> float | None:  # noqa: ANN401 - raw JSON
    """Return a number as such, None for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def moment(value: Any) -> float | None:  # noqa: ANN401 - raw JSON
    """Return the epoch seconds of an RFC 3339 time, None for anything else."""
    if not isinstance(value, str) or not value:
        return None
    try:
        return parse_timestamp(value)
    except ValueError:
        return None


def text(value: Any) -> str:  # noqa: ANN401 - raw JSON
    """Return a text as such, '' for anything else."""
    return value if isinstance(value, str) else ""


def condition(status: Raw, type_: str) -> Raw:
    """Return a condition, {} where it is absent."""
    return next((entry for entry in entries(status, "conditions") if entry.get("type") == type_), {})


def memory_of(status: Raw) -> Raw:
    """Return what the progressive machine remembers."""
    return member(member(status, "rollout"), "memory")


def key_members(obj: Raw | None) -> tuple[str, str, str]:
    """Return kind, namespace and name."""
    metadata = member(obj, "metadata")
    kind = text(obj.get("kind")) if isinstance(obj, Mapping) else ""
    return kind, text(metadata.get("namespace")), text(metadata.get("name"))
