"""Probes and metrics over HTTP: what the kubelet and Prometheus ask.

- `/healthz` says whether a restart would help: the watch's event loop ticks, all workers live, no pass and
  no due key is stuck. It says nothing of AWS: an outage there is no reason to restart.
- `/readyz` says whether this replica could lead: the store is complete and the watch lives. A standby is
  ready too.
- `/metrics` is the registry in Prometheus' text format (or OpenMetrics when asked for). One scrape at a time:
  ten thousand objects take more than half a second of the interpreter, which the passes need, too.

kopf's own liveness endpoint proves only that its task lives; it is not used.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import CollectorRegistry

from sluice.telemetry.exposition import expose
from sluice.telemetry.log import logger

Check = Callable[[], str]
"""Returns '' when all is well, else what is wrong."""

_log = logger(__name__)
_JSON: Final = "application/json"
SCRAPE_PATIENCE: Final = 5.0
"""Seconds that a scrape waits for those before it."""


class HealthServer:
    """A small threaded HTTP server; `checks` maps a path to named checks."""

    def __init__(
        self,
        *,
        address: str,
        port: int,
        registry: CollectorRegistry,
        checks: Mapping[str, Mapping[str, Check]],
    ) -> None:
        """Bind at once, so that a port in use ends the start; `port` 0 takes a free one."""
        handler = _handler(registry, checks)
        self._server = ThreadingHTTPServer((address, port), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)

    @property
    def port(self) -> int:
        """Return the port that was bound."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and close the port."""
        if self._thread.ident is not None:
            self._server.shutdown()
        self._server.server_close()


def within(measure: Callable[[], float], limit: float, what: str) -> Check:
    """Return a check that fails when `measure()` seconds exceed `limit`."""

    def check() -> str:
        value = measure()
        return "" if value <= limit else f"{what} for {value:.0f} s, more than {limit:g} s"

    return check


def _handler(
    registry: CollectorRegistry, checks: Mapping[str, Mapping[str, Check]]
) -> type[BaseHTTPRequestHandler]:
    scraping = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10.0  # a client that says nothing does not keep a thread

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._scrape()
            elif path in checks:
                said = {name: check() for name, check in checks[path].items()}
                wrong = {name: text for name, text in said.items() if text}
                body = {
                    "status": "failing" if wrong else "ok",
                    "checks": {name: text or "ok" for name, text in said.items()},
                }
                self._answer(503 if wrong else 200, _JSON, json.dumps(body).encode())
            else:
                self._answer(404, "text/plain", b"not found; try /healthz, /readyz, /metrics\n")

        def _scrape(self) -> None:
            if not scraping.acquire(timeout=SCRAPE_PATIENCE):
                self._answer(503, "text/plain", b"other scrapes are under way; try again later\n")
                return
            try:
                found = expose(
                    registry,
                    accept=self.headers.get("Accept", ""),
                    accept_encoding=self.headers.get("Accept-Encoding", ""),
                )
            finally:
                scraping.release()
            self._answer(200, found.content_type, found.body, encoding=found.encoding)

        def _answer(self, code: int, content_type: str, body: bytes, *, encoding: str = "") -> None:
            self.send_response(code)
            self.send_header("Content-Type", content_type)
            if encoding:
                self.send_header("Content-Encoding", encoding)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            _log.debug("http", line=format % args)

    return Handler
