"""Spans of a pass: reconcile → observe → plan → apply → each AWS call. Off, they cost a comparison each.

The product's code speaks to this module alone. OpenTelemetry is an optional package that only
`sluice.telemetry.otlp` imports, and only where tracing is switched on; until `install` is called every
span is the same object that does nothing. Names and attributes follow OpenTelemetry's semantic conventions
where there are some (https://opentelemetry.io/docs/specs/semconv/cloud-providers/aws-sdk/ for AWS calls,
`k8s.namespace.name`), and begin with `sluice.` where there are none. docs/tracing.md lists them.

A trace is one pass. A rollout takes many passes, so each of them links to one span for the whole rollout,
whose ids follow from the Deployment's uid and the rollout's id (`rollout_ids`): any replica, before or
after a restart, links to the same one without remembering anything. It is sent when the rollout is over.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping
from typing import Final, Literal, Protocol, Self

import structlog

Value = str | bool | int | float
Attributes = Mapping[str, Value]
SpanKind = Literal["internal", "client"]

SYSTEM: Final = "rpc.system"
SERVICE: Final = "rpc.service"
METHOD: Final = "rpc.method"
REQUEST_ID: Final = "aws.request_id"
ACCOUNT: Final = "cloud.account.id"
REGION: Final = "cloud.region"
ERROR_TYPE: Final = "error.type"
NAMESPACE: Final = "k8s.namespace.name"
OBJECT_KIND: Final = "sluice.object.kind"
OBJECT_NAME: Final = "sluice.object.name"
OBJECT_UID: Final = "sluice.object.uid"
RECONCILE_ID: Final = "sluice.reconcile.id"
ROLLOUT_ID: Final = "sluice.rollout.id"
LANE: Final = "sluice.queue.lane"
WAITED: Final = "sluice.queue.wait_seconds"
OUTCOME: Final = "sluice.outcome"
REASON: Final = "sluice.reason"
SUBJECT: Final = "sluice.subject"
PRIORITY: Final = "sluice.budget.priority"
ACTIONS: Final = "sluice.plan.actions"


class Span(Protocol):
    """A span that has begun."""

    recording: bool
    """Whether anybody will see it: what is costly to say is said only then."""

    def put(self, attributes: Attributes) -> None:
        """Add attributes."""

    def failed(self, kind: str, message: str = "") -> None:
        """Mark it as failed; `kind` is a word of a closed list, `message` is for people, never a secret."""


class Tracer(Protocol):
    """Who makes real spans. `telemetry.otlp.OtlpTracer`."""

    def span(
        self, name: str, kind: SpanKind, begin: Callable[[], Attributes] | None
    ) -> contextlib.AbstractContextManager[Span]:
        """Begin a span below the thread's present one; it ends with the `with` block."""

    def ids(self) -> tuple[str, str] | None:
        """Return trace id and span id of the thread's present span in hexadecimal."""

    def link(self, uid: str, rollout_id: str) -> None:
        """Link the thread's present span to the rollout's."""

    def rollout(
        self, uid: str, rollout_id: str, *, start: float, end: float, attributes: Attributes, failed: str
    ) -> None:
        """Send the span of a whole rollout; times in epoch seconds, `failed` is why or ''."""


class _Nothing(contextlib.AbstractContextManager["_Nothing"]):
    """The span while tracing is off."""

    __slots__ = ()
    recording = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Let an exception pass."""

    def put(self, attributes: Attributes) -> None:
        """Forget them."""

    def failed(self, kind: str, message: str = "") -> None:
        """Forget it."""


_NOTHING: Final = _Nothing()
_tracer: Tracer | None = None


def install(tracer: Tracer | None) -> None:
    """Trace with `tracer` from now on, None: not at all. For `sluice.telemetry.otlp` and tests."""
    global _tracer  # noqa: PLW0603 - one per process, as structlog's configuration
    _tracer = tracer


def on() -> bool:
    """Tell whether spans are made."""
    return _tracer is not None


def span(
    name: str, *, kind: SpanKind = "internal", begin: Callable[[], Attributes] | None = None
) -> contextlib.AbstractContextManager[Span]:
    """Return a context manager around a piece of work; an exception marks the span as failed.

    `begin` gives the attributes that it begins with (what sampling may look at); it is not called while
    tracing is off.
    """
    if _tracer is None:
        return _NOTHING
    return _tracer.span(name, kind, begin)


def ids() -> tuple[str, str] | None:
    """Return trace id and span id of the present span, None without one."""
    return None if _tracer is None else _tracer.ids()


def in_rollout(*rollouts: tuple[str, str]) -> None:
    """Say which rollouts, (uid, id) each, the rest of this pass belongs to: lines carry it, its span links.

    A route's pass may write the weights of several; ids that are '' count for nothing.
    """
    named = [rollout for rollout in rollouts if rollout[1]]
    if not named:  # at rest, which is most passes
        return
    ids_of = ",".join(rollout_id for _, rollout_id in named)
    if structlog.contextvars.get_contextvars().get("rollout_id") == ids_of:
        return
    structlog.contextvars.bind_contextvars(rollout_id=ids_of)
    for uid, rollout_id in named:
        link(uid, rollout_id)


def link(uid: str, rollout_id: str) -> None:
    """Link the present span to the rollout's."""
    if _tracer is not None:
        _tracer.link(uid, rollout_id)


def rollout_over(
    uid: str, rollout_id: str, *, start: float, end: float, attributes: Attributes, failed: str = ""
) -> None:
    """Send the span of a rollout that is over; see `Tracer.rollout`."""
    if _tracer is not None:
        _tracer.rollout(uid, rollout_id, start=start, end=end, attributes=attributes, failed=failed)


def rollout_ids(uid: str, rollout_id: str) -> tuple[int, int]:
    """Return trace id (128 bits) and span id (64 bits) of a rollout: the same wherever they are computed."""
    digest = hashlib.sha256(f"{uid}/{rollout_id}".encode()).digest()
    # All zeroes is no id (W3C Trace Context); a digest like that will not be met, but costs nothing to avoid.
    return int.from_bytes(digest[:16]) or 1, int.from_bytes(digest[16:24]) or 1
