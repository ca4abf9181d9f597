"""One listening container: the echo server behind one port of a task, without any socket.

Simulated traffic asks it in process, the socket servers ask it for what to send; both see the same
counts and the same faults.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sluice_sandbox.aws.elbv2.service import Answer
from sluice_sandbox.aws.ports import HttpRequest, Probe
from sluice_sandbox.dataplane.behaviour import Behaviour

_ECHOED = (
    "host",
    "user-agent",
    "x-amzn-trace-id",
    "x-forwarded-for",
    "x-forwarded-port",
    "x-forwarded-proto",
)


@dataclass(slots=True, kw_only=True)
class Endpoint:
    """A container that listens on one address; `identity` is what every answer tells."""

    ip: str
    port: int
    task_arn: str
    container: str
    identity: Mapping[str, Any]
    behaviour: Behaviour
    rng: random.Random
    requests: int = 0
    """Requests answered so far, health checks not counted."""
    health_checks: int = field(default=0)

    def probe(self, *, timeout: float) -> Probe:
        """Answer a health check: 200, or 503 when unhealthy, or nothing in time."""
        self.health_checks += 1
        if self.behaviour.latency_seconds > timeout:
            return Probe(status=None, failure="timeout")
        return Probe(status=503 if self.behaviour.unhealthy else 200)

    def respond(self, request: HttpRequest) -> Answer:
        """Answer a request: an echo, or a 500 for the share that shall fail."""
        self.requests += 1
        fails = self.behaviour.fail_percent > 0 and self.rng.random() * 100 < self.behaviour.fail_percent
        headers = request.headers
        body = {
            **self.identity,
            "requests": self.requests,
            "method": request.method,
            "path": request.path,
            "host": request.host,
            "headers": {name: headers[name] for name in _ECHOED if name in headers},
        }
        return Answer(status=500 if fails else 200, body=body, seconds=self.behaviour.latency_seconds)
