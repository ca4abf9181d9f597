"""An OTLP/HTTP receiver on a loopback port: what a collector would be sent, decoded as a collector does."""

from __future__ import annotations

import contextlib
import gzip
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One span as it came over the wire."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    """1 internal, 3 client (opentelemetry-proto, Span.SpanKind)."""
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    links: tuple[tuple[str, str], ...]
    failed: str
    """Message of a status ERROR; '' where the status is another."""
    start: float
    end: float


@dataclass
class Receiver:
    """Everything that was sent; `status` other than 200 refuses, `hold` makes it not answer."""

    url: str = ""
    spans: list[Seen] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    status: int = 200
    hold: threading.Event | None = None

    def named(self, name: str) -> list[Seen]:
        """Return the spans of a name, as they came."""
        return [span for span in list(self.spans) if span.name == name]

    def children(self, span: Seen) -> list[Seen]:
        """Return the spans directly below one, in the order of their start."""
        found = [s for s in list(self.spans) if (s.trace_id, s.parent_id) == (span.trace_id, span.span_id)]
        return sorted(found, key=lambda s: s.start)


@contextlib.contextmanager
def receiver() -> Iterator[Receiver]:
    """Serve on a free loopback port."""
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Decode and keep a request."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if found.hold is not None:
                found.hold.wait(60)
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            found.paths.append(self.path)
            found.headers.append({name.lower(): value for name, value in self.headers.items()})
            if found.status == 200:
                found.spans += _decoded(body)
            with contextlib.suppress(OSError):  # who asked may have gone
                self.send_response(found.status)
                self.send_header("Content-Type", "application/x-protobuf")
                self.end_headers()
                self.wfile.write(ExportTraceServiceResponse().SerializeToString())

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        if found.hold is not None:
            found.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _decoded(body: bytes) -> list[Seen]:
    request = ExportTraceServiceRequest.FromString(body)
    return [
        Seen(
            name=span.name,
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            kind=span.kind,
            attributes=_values(span.attributes),
            resource=_values(resource.resource.attributes),
            links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
            failed=(span.status.message or "?") if span.status.code == 2 else "",
            start=span.start_time_unix_nano / 1e9,
            end=span.end_time_unix_nano / 1e9,
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
