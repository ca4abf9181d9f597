"""Routes and parts of the REST protocols: which operation a method and path mean, and where members travel.

https://smithy.io/2.0/spec/http-bindings.html. A model's `requestUri` is a template of segments, of which
`{label}` stands for one and `{label+}` for the rest of the path; a literal segment is preferred to a
label. Members travel in the path, the query string, headers or the body, as their `location` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import parse_qsl, unquote

from sluice_sandbox.aws.wire import models
from sluice_sandbox.aws.wire.models import Shape, Value
from sluice_sandbox.aws.wire.query import from_text

Read = Callable[[Value], Value]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation's method and path template."""

    name: str
    method: str
    segments: tuple[str, ...]

    def labels(self, method: str, segments: Sequence[str]) -> dict[str, str] | None:
        """Return the labels' values, decoded; None when method or path do not fit."""
        if method != self.method:
            return None
        found: dict[str, str] = {}
        for index, part in enumerate(self.segments):
            if part.endswith("+}"):
                found[part[1:-2]] = unquote("/".join(segments[index:]))
                return found
            if index >= len(segments):
                return None
            if part.startswith("{"):
                found[part[1:-1]] = unquote(segments[index])
            elif part != segments[index]:
                return None
        return found if len(segments) == len(self.segments) else None

    def literal_first(self) -> tuple[bool, ...]:
        """Return what sorts templates so that literals win over labels, segment by segment."""
        return tuple(part.startswith("{") for part in self.segments)


@cache
def _routes(service: str) -> tuple[Route, ...]:
    model = models.service_model(service)
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        path = str(http["requestUri"]).partition("?")[0]
        found.append(Route(name, str(http["method"]), _segments(path)))
    return tuple(sorted(found, key=Route.literal_first))


def _segments(path: str) -> tuple[str, ...]:
    # Identifiers may be ARNs: clients encode their slashes, so that each stays one segment.
    return tuple(path.strip("/").split("/"))


def match(service: str, method: str, path: str) -> tuple[str, dict[str, str]] | None:
    """Return the operation's name and the path's labels, None when the service has no such route."""
    segments = _segments(path)
    for route in _routes(service):
        labels = route.labels(method, segments)
        if labels is not None:
            return route.name, labels
    return None


class RestReader:
    """Gathers an operation's members from path, query string, headers and a body already parsed."""

    def __init__(self, shape: Shape) -> None:
        """Compile the members' places of an input shape."""
        self._labels: dict[str, tuple[str, Read]] = {}
        self._query: dict[str, tuple[str, Read | None]] = {}
        self._headers: dict[str, tuple[str, Read]] = {}
        self._payload = shape.serialization.get("payload") if shape is not None else None
        for name, member in shape.members.items() if shape is not None else ():
            place = member.serialization.get("location")
            wire_name = member.serialization.get("name", name)
            if place == "uri":
                self._labels[wire_name] = name, from_text(member)
            elif place == "querystring":
                many = member.type_name == "list"
                self._query[wire_name] = name, None if many else from_text(member)
            elif place == "header":
                self._headers[wire_name.lower()] = name, from_text(member)
        self._placed = {
            name for part in (self._labels, self._query, self._headers) for name, _ in part.values()
        }

    def read(
        self, labels: Mapping[str, str], *, query: str, headers: Mapping[str, str], body: Value
    ) -> dict[str, Value]:
        """Return the plain parameters; a member that has another place is not read from the body."""
        found: dict[str, Value] = {}
        if self._payload:
            found[self._payload] = body
        elif isinstance(body, dict):
            found = {name: value for name, value in body.items() if name not in self._placed}
        for wire_name, text in labels.items():
            if wire_name in self._labels:
                name, reader = self._labels[wire_name]
                found[name] = reader(text)
        for wire_name, text in parse_qsl(query, keep_blank_values=True):
            if wire_name in self._query:
                name, one = self._query[wire_name]
                if one is None:
                    found.setdefault(name, []).append(text)
                else:
                    found[name] = one(text)
        for wire_name, text in headers.items():
            if wire_name.lower() in self._headers:
                name, reader = self._headers[wire_name.lower()]
                found[name] = reader(text)
        return found
