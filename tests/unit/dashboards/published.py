"""Grafana's published types of a dashboard, as a judge of JSON.

Grafana Labs generate their Foundation SDK from Grafana's own schema; its classes have from_json and to_json
and annotated members. What from_json does not know is missing in to_json, so what is not Grafana's is found
by comparing both; a value of a wrong type or outside an enumeration by its annotation.
"""

from __future__ import annotations

import enum
import importlib
import json
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

register_default_plugins()
_LOOSE: Final = (object, Any)
_OWN: Final = "grafana_foundation_sdk.models."


def faults(document: dict[str, Any]) -> list[str]:
    """Return what Grafana's schema does not allow, by path; [] for a good dashboard."""
    parsed = Dashboard.from_json(document)
    echoed = json.loads(JSONEncoder().encode(parsed))
    return [*_unknown(document, echoed, "$"), *_wrong(parsed, "$")]


def _unknown(given: Any, known: Any, path: str) -> Iterator[str]:
    """Name the members of `given` that `known` has lost, or has with another value."""
    if isinstance(given, dict) and isinstance(known, dict):
        for name, value in given.items():
            if name not in known and value is not None:
                yield f"{path}.{name}: Grafana has no such member"
            elif name in known:
                yield from _unknown(value, known[name], f"{path}.{name}")
    elif isinstance(given, list) and isinstance(known, list) and len(given) == len(known):
        for at, (one, other) in enumerate(zip(given, known, strict=True)):
            yield from _unknown(one, other, f"{path}[{at}]")
    elif given != known:
        yield f"{path}: {given!r} is read as {known!r}"


def _wrong(value: Any, path: str) -> Iterator[str]:
    """Name the members of an SDK object, and of what is in it, that do not fit their annotations."""
    if isinstance(value, list):
        for at, item in enumerate(value):
            yield from _wrong(item, f"{path}[{at}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _wrong(item, f"{path}.{name}")
    elif type(value).__module__.startswith(_OWN) and not isinstance(value, enum.Enum):
        module = importlib.import_module(type(value).__module__)
        hints = typing.get_type_hints(type(value), vars(module))
        for name, item in vars(value).items():
            if not _fits(item, hints[name]):
                yield f"{path}.{name}: {item!r} is no {hints[name]}"
            yield from _wrong(item, f"{path}.{name}")


def _fits(value: Any, hint: Any) -> bool:
    if hint in _LOOSE:
        return True
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is not None:
        return _GENERIC[origin](value, arguments)
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    if issubclass(hint, enum.Enum):
        return value in {member.value for member in hint}
    if isinstance(value, dict) and hasattr(hint, "from_json"):
        # from_json leaves some members as they are: they are read here.
        return not list(_unknown(value, json.loads(JSONEncoder().encode(hint.from_json(value))), ""))
    return isinstance(value, hint)


_GENERIC: Final[dict[Any, Callable[[Any, tuple[Any, ...]], bool]]] = {
    typing.Union: lambda value, of: any(_fits(value, one) for one in of),
    types.UnionType: lambda value, of: any(_fits(value, one) for one in of),
    typing.Literal: lambda value, of: value in of,
    list: lambda value, of: isinstance(value, list) and all(_fits(item, of[0]) for item in value),
    dict: lambda value, of: isinstance(value, dict) and all(_fits(item, of[1]) for item in value.values()),
}
