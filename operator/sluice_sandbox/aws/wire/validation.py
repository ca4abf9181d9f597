"""Parameters checked against botocore's model, compiled to one closure per operation.

AWS validates more than boto3 does: boto3 checks types, required members and minimums before it
sends; enumerations, maximums and patterns only the service refuses. Both kinds are checked here in
one pass that also copies the containers, so that a handler may keep what it is given.

The texts follow the services' common framework ("1 validation error detected: Value '...' at '...'
failed to satisfy constraint: ..."), as public issues quote them for Elastic Load Balancing and ECR.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import botocore.utils

from sluice_sandbox.aws.wire.models import Shape, Value
from sluice_sandbox.aws.wire.shapes import ShapeCompiler

Path = tuple["Path | None", str]
Check = Callable[[Value, "Path | None", "list[Problem]"], Any]

TEXT, NATIVE = "text", "native"
"""Where values come from: TEXT has blobs in base64 (json, query); NATIVE has bytes (boto3, cbor)."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One violated constraint."""

    path: Path | None
    constraint: str
    value: Value = None
    kind: str = "constraint"
    """constraint, required, type or unknown."""
    by_client: bool = False
    """boto3 refuses this before it sends (`botocore.validate`)."""

    def where(self) -> str:
        """Return the member's path as the services spell it: `actions.1.member.type`."""
        parts: list[str] = []
        path = self.path
        while path is not None:
            path, key = path
            parts.append(key)
        return ".".join(reversed(parts))

    def text(self) -> str:
        """Return the problem in the services' words."""
        value = "null" if self.kind == "required" else f"'{_shown(self.value)}'"
        return f"Value {value} at '{self.where()}' failed to satisfy constraint: {self.constraint}"


def _shown(value: Value) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    return str(value)


def message(problems: list[Problem]) -> str:
    """Return the one text for all problems of a request."""
    noun = "error" if len(problems) == 1 else "errors"
    return f"{len(problems)} validation {noun} detected: " + "; ".join(problem.text() for problem in problems)


def _spelled(member: str) -> str:
    return member[:1].lower() + member[1:]


class Validator(ShapeCompiler[Check]):
    """Compiles shapes to checks that append problems and return the value as handlers get it."""

    def __init__(self, source: str) -> None:
        """Check values as `source` (TEXT or NATIVE) delivers them."""
        super().__init__()
        self._source = source

    def scalar(self, shape: Shape) -> Check:
        """Check type, length, range, enumeration and pattern."""
        kind = shape.type_name
        if kind in {"string", "character"}:
            return _string(shape)
        if kind == "boolean":
            return _boolean
        if kind == "timestamp":
            return _timestamp
        if kind == "blob":
            return _blob_of_text if self._source == TEXT else _blob
        return _number(shape)

    def structure(self, shape: Shape) -> Check:
        """Check the members; what is free-form (a document) passes."""
        if shape.metadata.get("document"):
            return lambda value, _path, _problems: value
        members = {name: (_spelled(name), self.of(member)) for name, member in shape.members.items()}
        required = tuple(shape.metadata.get("required", ()))

        def check(value: Value, path: Path | None, problems: list[Problem]) -> Value:
            if not isinstance(value, dict):
                return _mistyped(value, path, problems, "Map")
            checked = {}
            for name, item in value.items():
                found = members.get(name)
                if found is None:
                    problems.append(
                        Problem((path, name), "Member is unknown", item, kind="unknown", by_client=True)
                    )
                elif item is None:
                    problems.append(Problem((path, found[0]), "Member is null", kind="null", by_client=True))
                else:
                    checked[name] = found[1](item, (path, found[0]), problems)
            problems += [
                Problem((path, _spelled(name)), "Member must not be null", kind="required", by_client=True)
                for name in required
                if name not in checked
            ]
            return checked

        return check

    def list_of(self, shape: Shape) -> Check:
        """Check length and items."""
        item_check = self.of(shape.member)
        length = _length(shape)

        def check(value: Value, path: Path | None, problems: list[Problem]) -> Value:
            if not isinstance(value, (list, tuple)):
                return _mistyped(value, path, problems, "List")
            if length is not None:
                length(value, path, problems)
            return [
                item_check(item, (path, f"{index}.member"), problems) for index, item in enumerate(value, 1)
            ]

        return check

    def map_of(self, shape: Shape) -> Check:
        """Check length, keys and values."""
        key_check = self.of(shape.key)
        item_check = self.of(shape.value)
        length = _length(shape)

        def check(value: Value, path: Path | None, problems: list[Problem]) -> Value:
            if not isinstance(value, dict):
                return _mistyped(value, path, problems, "Map")
            if length is not None:
                length(value, path, problems)
            return {
                key_check(key, (path, f"{key}.key"), problems): item_check(
                    item, (path, f"{key}.value"), problems
                )
                for key, item in value.items()
            }

        return check


def _mistyped(value: Value, path: Path | None, problems: list[Problem], wanted: str) -> Value:
    problems.append(Problem(path, f"Member must be a {wanted}", value, kind="type", by_client=True))
    return value


def _length(shape: Shape) -> Callable[[Value, Path | None, list[Problem]], None] | None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is None and high is None:
        return None

    def check(value: Value, path: Path | None, problems: list[Problem]) -> None:
        if low is not None and len(value) < low:
            text = f"Member must have length greater than or equal to {low}"
            problems.append(Problem(path, text, value, by_client=True))
        elif high is not None and len(value) > high:
            problems.append(Problem(path, f"Member must have length less than or equal to {high}", value))

    return check


def _string(shape: Shape) -> Check:
    length = _length(shape)
    choices = frozenset(shape.metadata.get("enum", ()))
    listed = ", ".join(shape.metadata.get("enum", ()))
    pattern_text = shape.metadata.get("pattern")
    pattern = _pattern(pattern_text) if pattern_text else None

    def check(value: Value, path: Path | None, problems: list[Problem]) -> Value:
        if not isinstance(value, str):
            return _mistyped(value, path, problems, "String")
        if length is not None:
            length(value, path, problems)
        if choices and value not in choices:
            text = f"Member must satisfy enum value set: [{listed}]"
            problems.append(Problem(path, text, value))
        if pattern is not None and pattern.fullmatch(value) is None:
            text = f"Member must satisfy regular expression pattern: {pattern_text}"
            problems.append(Problem(path, text, value))
        return value

    return check


def _pattern(text: str) -> re.Pattern[str] | None:
    """Translate a model's (Java) pattern; None for what Python's `re` cannot say, which is let pass."""
    translated = re.sub(r"\\p\{(L|N|Alnum|Alpha|IsAlphabetic)\}", r"\\w", text)
    translated = re.sub(r"\\p\{(Z|Zs|Space)\}", r"\\s", translated)
    if r"\p{" in translated or r"\uD800" in text or r"\ud800" in text:
        return None
    try:
        return re.compile(translated)
    except re.error:
        return None


_NAMED_FLOATS = frozenset({"NaN", "Infinity", "-Infinity"})
"""JSON has no such numbers: the protocol writes them as text (smithy.io/2.0/aws/protocols)."""


def _number(shape: Shape) -> Check:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    types: tuple[type, ...] = (int,) if shape.type_name in {"integer", "long"} else (int, float)

    def check(value: Value, path: Path | None, problems: list[Problem]) -> Value:
        if isinstance(value, str) and float in types and value in _NAMED_FLOATS:
            return float(value)
        if isinstance(value, bool) or not isinstance(value, types):
            return _mistyped(value, path, problems, "Number")
        if low is not None and value < low:
            text = f"Member must have value greater than or equal to {low}"
            problems.append(Problem(path, text, value, by_client=True))
        elif high is not None and value > high:
            problems.append(Problem(path, f"Member must have value less than or equal to {high}", value))
        return value

    return check


def _boolean(value: Value, path: Path | None, problems: list[Problem]) -> Value:
    if not isinstance(value, bool):
        return _mistyped(value, path, problems, "Boolean")
    return value


def _timestamp(value: Value, path: Path | None, problems: list[Problem]) -> Value:
    """Return epoch seconds; takes what boto3 takes (datetime, number, ISO 8601 text)."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    try:
        moment = value if isinstance(value, datetime) else botocore.utils.parse_timestamp(value)
    except (ValueError, TypeError):
        return _mistyped(value, path, problems, "Timestamp")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return float(moment.timestamp())


def _blob(value: Value, path: Path | None, problems: list[Problem]) -> Value:
    if isinstance(value, str):
        return value.encode()
    if hasattr(value, "read"):
        return value.read()
    if not isinstance(value, (bytes, bytearray)):
        return _mistyped(value, path, problems, "Blob")
    return bytes(value)


def _blob_of_text(value: Value, path: Path | None, problems: list[Problem]) -> Value:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        return _mistyped(value, path, problems, "Blob")
