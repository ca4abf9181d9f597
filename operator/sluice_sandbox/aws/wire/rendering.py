"""Answers by botocore's model: copied, without unset or unmodelled members, timestamps rendered.

A handler may answer with pieces of its own state; what leaves here shares nothing with it. Three
targets: PYTHON gives what boto3 would (aware datetimes), JSON what the json protocols carry (epoch
seconds or ISO 8601 by the member's `timestampFormat`, blobs in base64), CBOR the same with raw
blobs and tagged epoch seconds. XML is built in `wire.query`, since its names depend on the parent.
"""

from __future__ import annotations

import base64
import email.utils
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sluice_sandbox.aws.wire.models import Shape, Value
from sluice_sandbox.aws.wire.shapes import ShapeCompiler

Render = Callable[[Value], Any]

PYTHON, JSON, CBOR = "python", "json", "cbor"


class EpochSeconds(float):
    """A timestamp for the CBOR encoder, which must tag it."""

    __slots__ = ()


class Renderer(ShapeCompiler[Render | None]):
    """Compiles output shapes for one target.

    None stands for a value that passes as it is: the common case, spared a call per value.
    """

    def __init__(self, target: str) -> None:
        """Render for `target`: PYTHON, JSON or CBOR."""
        super().__init__()
        self._target = target

    def compile(self, shape: Shape) -> Render:
        """Return the function from a handler's answer to the rendered copy."""
        return self.of(shape) or _same

    def scalar(self, shape: Shape) -> Render | None:
        """Render timestamps and blobs; the rest passes."""
        if shape.type_name == "timestamp":
            return self._timestamp(shape)
        if shape.type_name == "blob" and self._target == JSON:
            return _base64
        return None

    def structure(self, shape: Shape) -> Render:
        """Copy the members that the shape has and the answer sets."""
        wire_names = self._target != PYTHON
        members = {
            name: (member.serialization.get("name", name) if wire_names else name, self.of(member))
            for name, member in shape.members.items()
        }
        is_document = bool(shape.metadata.get("document"))

        def render(value: Value) -> Value:
            if is_document:
                return value
            rendered = {}
            for name, item in value.items():
                if item is None:
                    continue
                found = members.get(name)
                if found is not None:
                    convert = found[1]
                    rendered[found[0]] = item if convert is None else convert(item)
            return rendered

        return render

    def list_of(self, shape: Shape) -> Render:
        """Copy a list."""
        convert = self.of(shape.member)
        if convert is None:
            return list
        known = convert
        return lambda value: [known(item) for item in value]

    def map_of(self, shape: Shape) -> Render:
        """Copy a map."""
        convert = self.of(shape.value)
        if convert is None:
            return dict
        known = convert
        return lambda value: {key: known(item) for key, item in value.items()}

    def _timestamp(self, shape: Shape) -> Render | None:
        if self._target == PYTHON:
            return _aware
        if self._target == CBOR:
            return _epoch
        return _TEXT_TIMES.get(shape.serialization.get("timestampFormat", ""))


def _epoch(value: Value) -> EpochSeconds:
    return EpochSeconds(value.timestamp() if isinstance(value, datetime) else value)


def _same(value: Value) -> Value:
    return value


def _aware(value: Value) -> Value:
    return value if isinstance(value, datetime) else datetime.fromtimestamp(value, UTC)


def iso8601(value: float) -> str:
    """Return epoch seconds as the query protocol writes them: UTC, milliseconds, `Z`."""
    return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _rfc822(value: float) -> str:
    return email.utils.formatdate(value, usegmt=True)


_TEXT_TIMES: dict[str, Render] = {"iso8601": iso8601, "rfc822": _rfc822}


def _base64(value: bytes | str) -> str:
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()
