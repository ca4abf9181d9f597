"""The query protocol: a form in, XML out (elbv2; cloudwatch's older clients).

https://smithy.io/2.0/aws/protocols/aws-query-protocol.html. A form's dotted keys are folded into a tree
once, then read by shape; XML is appended to a list of strings, which is several times quicker than
building a document.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.wire.models import Shape, Value
from sluice_sandbox.aws.wire.rendering import iso8601
from sluice_sandbox.aws.wire.shapes import ShapeCompiler

Read = Callable[[Value], Any]
Emit = Callable[[Value, str, list[str]], None]

MAX_FIELDS = 10_000


def form(body: str) -> dict[str, Any]:
    """Fold a form into a tree: `a.b.1=x` becomes {'a': {'b': {'1': 'x'}}}."""
    tree: dict[str, Any] = {}
    try:
        pairs = parse_qsl(body, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise AwsError("MalformedQueryString", str(error)) from error
    for key, value in pairs:
        node = tree
        *parents, last = key.split(".")
        for parent in parents:
            found = node.get(parent)
            if not isinstance(found, dict):
                found = node[parent] = {}
            node = found
        node[last] = value
    return tree


_ACTION = re.compile(rb"(?:^|&)Action=(\w+)(?=&|$)")


def action(body: bytes) -> str:
    """Return a form's Action, '' without one: what it is must be known before the form can be read."""
    found = _ACTION.findall(body)
    if len(found) == 1:  # as clients send it; anything odd is folded like the rest
        return str(found[0].decode())
    folded = form(body.decode(errors="replace")).get("Action", "")
    return folded if isinstance(folded, str) else ""


class QueryReader(ShapeCompiler[Read]):
    """Compiles input shapes to functions from a form's tree to plain parameters."""

    def scalar(self, shape: Shape) -> Read:
        """Read text; see `from_text`."""
        return from_text(shape)

    def structure(self, shape: Shape) -> Read:
        """Read the members that the shape has."""
        members = {
            member.serialization.get("name", name): (name, self.of(member))
            for name, member in shape.members.items()
        }

        def read(node: Value) -> Value:
            if not isinstance(node, dict):
                return {} if node == "" else node
            values = {}
            for key, item in node.items():
                found = members.get(key)
                if found is not None:
                    values[found[0]] = found[1](item)
            return values

        return read

    def list_of(self, shape: Shape) -> Read:
        """Read items in the order of their numbers."""
        item = self.of(shape.member)
        flattened = bool(shape.serialization.get("flattened"))
        name = shape.member.serialization.get("name", "member")

        def read(node: Value) -> Value:
            if node == "":
                return []
            if not isinstance(node, dict):
                return node
            indexed = node if flattened else node.get(name, {})
            if not isinstance(indexed, dict):
                return [] if indexed == "" else indexed
            return [item(indexed[key]) for key in sorted(indexed, key=_index)]

        return read

    def map_of(self, shape: Shape) -> Read:
        """Read entries in the order of their numbers."""
        key_read, item_read = self.of(shape.key), self.of(shape.value)
        flattened = bool(shape.serialization.get("flattened"))
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")

        def read(node: Value) -> Value:
            if not isinstance(node, dict):
                return {} if node == "" else node
            indexed = node if flattened else node.get("entry", {})
            return {
                key_read(entry.get(key_name, "")): item_read(entry.get(value_name, ""))
                for _, entry in sorted(indexed.items(), key=lambda pair: _index(pair[0]))
                if isinstance(entry, dict)
            }

        return read


def _index(key: str) -> int:
    return int(key) if key.isdigit() else 0


def _text(value: Value) -> Value:
    return value


def _integer(value: Value) -> Value:
    try:
        return int(value)
    except (ValueError, TypeError):
        return value


def _float(value: Value) -> Value:
    try:
        return float(value)
    except (ValueError, TypeError):
        return value


def from_text(shape: Shape) -> Read:
    """Return the reader of a scalar sent as text. What is no number stays text: validation names it."""
    return {
        "integer": _integer,
        "long": _integer,
        "float": _float,
        "double": _float,
        "boolean": _boolean,
    }.get(shape.type_name, _text)


def _boolean(value: Value) -> Value:
    return {"true": True, "false": False}.get(str(value).lower(), value)


class XmlWriter(ShapeCompiler[Emit]):
    """Compiles output shapes to functions (value, element name, output) that append a response's XML."""

    def scalar(self, shape: Shape) -> Emit:
        """Write an element with text."""
        return {"boolean": _emit_boolean, "timestamp": _emit_timestamp, "blob": _emit_blob}.get(
            shape.type_name, _emit_text
        )

    def structure(self, shape: Shape) -> Emit:
        """Write the members that the shape has and the answer sets."""
        members = {
            name: (member.serialization.get("name", name), self.of(member))
            for name, member in shape.members.items()
        }

        def emit(value: Value, name: str, out: list[str]) -> None:
            out.append(f"<{name}>")
            for key, item in value.items():
                found = members.get(key)
                if found is not None and item is not None:
                    wire, emit_member = found
                    if emit_member is _emit_text:  # most members: spared a call each
                        out.append(f"<{wire}>{_escaped(item)}</{wire}>")
                    else:
                        emit_member(item, wire, out)
            out.append(f"</{name}>")

        return emit

    def list_of(self, shape: Shape) -> Emit:
        """Write one element an item."""
        item_emit = self.of(shape.member)
        item_name = shape.member.serialization.get("name", "member")
        flattened = bool(shape.serialization.get("flattened"))

        def emit(value: Value, name: str, out: list[str]) -> None:
            if flattened:
                for item in value:
                    item_emit(item, name, out)
                return
            out.append(f"<{name}>")
            for item in value:
                item_emit(item, item_name, out)
            out.append(f"</{name}>")

        return emit

    def map_of(self, shape: Shape) -> Emit:
        """Write one element an entry."""
        key_emit, item_emit = self.of(shape.key), self.of(shape.value)
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")
        flattened = bool(shape.serialization.get("flattened"))

        def emit(value: Value, name: str, out: list[str]) -> None:
            entry = name if flattened else "entry"
            if not flattened:
                out.append(f"<{name}>")
            for key, item in value.items():
                out.append(f"<{entry}>")
                key_emit(key, key_name, out)
                item_emit(item, value_name, out)
                out.append(f"</{entry}>")
            if not flattened:
                out.append(f"</{name}>")

        return emit


def _escaped(value: Value) -> str:
    text = value if isinstance(value, str) else str(value)
    # Looking for the three is quicker than replacing them, and there is hardly ever one.
    return escape(text) if "&" in text or "<" in text or ">" in text else text


def _emit_text(value: Value, name: str, out: list[str]) -> None:
    out.append(f"<{name}>{_escaped(value)}</{name}>")


def _emit_boolean(value: Value, name: str, out: list[str]) -> None:
    out.append(f"<{name}>{'true' if value else 'false'}</{name}>")


def _emit_timestamp(value: Value, name: str, out: list[str]) -> None:
    out.append(f"<{name}>{iso8601(value)}</{name}>")


def _emit_blob(value: Value, name: str, out: list[str]) -> None:
    raw = value.encode() if isinstance(value, str) else value
    out.append(f"<{name}>{base64.b64encode(raw).decode()}</{name}>")


def response(operation: str, *, namespace: str, wrapper: str, result: str, request_id: str) -> str:
    """Return the XML document of a success; `result` is the wrapped content."""
    body = result or (f"<{wrapper}/>" if wrapper else "")
    return (
        f'<{operation}Response xmlns="{namespace}">{body}'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    )


def error(refusal: AwsError, *, namespace: str, request_id: str) -> str:
    """Return the XML document of a refusal."""
    fault = "Receiver" if refusal.status >= 500 else "Sender"
    members = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in refusal.members.items())
    return (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{fault}</Type><Code>{escape(refusal.code)}</Code>'
        f"<Message>{escape(refusal.message)}</Message>{members}</Error><RequestId>{request_id}</RequestId>"
        "</ErrorResponse>"
    )
