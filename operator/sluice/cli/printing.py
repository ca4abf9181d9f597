"""JSON as the verbs print it: camelCase like everything else in the API, nothing empty."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import click


def echo_json(value: Any, *, compact: bool = False) -> None:  # noqa: ANN401 - dataclasses and plain JSON
    """Print a value; `compact` on one line, for streams."""
    plain = as_json(value)
    text = json.dumps(plain) if compact else json.dumps(plain, indent=2)
    click.echo(text)


def as_json(value: Any) -> Any:  # noqa: ANN401 - dataclasses and plain JSON
    """Return a dataclass as JSON has it: members in camelCase, without None, "" and empty collections."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        members = ((member.name, getattr(value, member.name)) for member in dataclasses.fields(value))
        return {_camel(name): as_json(held) for name, held in members if held not in (None, "", (), {})}
    if isinstance(value, Mapping):
        return {name: as_json(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(held) for held in value]
    return value


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
