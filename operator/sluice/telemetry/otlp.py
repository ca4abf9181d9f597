"""Real spans: the OpenTelemetry SDK, sent by OTLP over HTTP. The only importer of `opentelemetry`.

A pass never waits for the receiver: finished spans go into a bounded queue (OTEL_BSP_MAX_QUEUE_SIZE, 2048)
that a thread of its own sends in batches; when the queue is full the oldest are dropped, and at the end of
the process what is left has two seconds. That the receiver does not answer is said once when it begins and
once when it is over, not for each batch.

What the settings leave open comes from OpenTelemetry's own environment variables: OTEL_EXPORTER_OTLP_*
(endpoint, headers, timeout, compression, certificate), OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME,
OTEL_TRACES_SAMPLER, OTEL_BSP_* and OTEL_SDK_DISABLED
(https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult, TraceIdRatioBased

from sluice.model.errors import Deferred, SluiceError, WriteConflict
from sluice.telemetry import tracing
from sluice.telemetry.log import logger
from sluice.telemetry.tracing import Attributes, Span, SpanKind

END_SECONDS: Final = 2.0
"""How long the end of the process waits for what was not sent yet."""
ROLLOUT: Final = "rollout"
_TRACES_PATH: Final = "/v1/traces"
_KINDS: Final = {"internal": trace.SpanKind.INTERNAL, "client": trace.SpanKind.CLIENT}
_NANO: Final = 1_000_000_000
_RESTING: Final = "resync"

_log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingOptions:
    """What `sluice.app` knows and the environment may complete or, for the resource, overrule."""

    endpoint: str = ""
    """Base URL of the receiver, `/v1/traces` is added; '' leaves it to OTEL_EXPORTER_OTLP_ENDPOINT."""
    ratio: float = 1.0
    """Part of all passes in which somebody waits for something, 0 to 1."""
    rest_ratio: float = 0.01
    """Part of the passes that only look whether an object at rest is still as it should be."""
    resource: Mapping[str, str] = field(default_factory=dict)
    """Resource attributes; those of OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME come first."""


def start(options: TracingOptions, *, exporter: SpanExporter | None = None) -> OtlpTracer:
    """Begin to trace and return the tracer, whose `stop` ends it. `exporter` replaces OTLP in tests."""
    # Its own words come for each batch and each attempt; ours say when it begins and ends.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
    sent = exporter or OTLPSpanExporter(endpoint=_endpoint(options.endpoint) or None)
    tracer = OtlpTracer(options, BatchSpanProcessor(_Told(sent)))
    tracing.install(tracer)
    return tracer


class OtlpTracer:
    """`tracing.Tracer` over the SDK. Thread-safe; spans nest by thread."""

    def __init__(self, options: TracingOptions, processor: BatchSpanProcessor) -> None:
        """Send finished spans to `processor`."""
        self._ids = _Ids()
        self._processor = processor
        self._provider = TracerProvider(
            # OTEL_TRACES_SAMPLER is a person's explicit word for this process and replaces our ratios.
            sampler=None if os.environ.get("OTEL_TRACES_SAMPLER") else _Ratios(options),
            resource=_resource(options.resource),
            shutdown_on_exit=False,
            id_generator=self._ids,
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("sluice")

    @contextlib.contextmanager
    def span(self, name: str, kind: SpanKind, begin: Callable[[], Attributes] | None) -> Iterator[Span]:
        """Begin a span below the thread's present one."""
        made = self._tracer.start_span(name, kind=_KINDS[kind], attributes=begin() if begin else None)
        token = otel_context.attach(trace.set_span_in_context(made))
        shown = _Span(made)
        try:
            yield shown
        except (Deferred, WriteConflict) as later:  # how a pass waits, not a failure
            shown.put({tracing.OUTCOME: type(later).__name__.lower()})
            raise
        except BaseException as error:
            # Our own errors are written for conditions; what else may be in a text nobody has looked at.
            shown.failed(type(error).__name__, str(error) if isinstance(error, SluiceError) else "")
            raise
        finally:
            otel_context.detach(token)
            made.end()

    def ids(self) -> tuple[str, str] | None:
        """Return the present span's ids in hexadecimal."""
        found = trace.get_current_span().get_span_context()
        if not found.is_valid:
            return None
        return trace.format_trace_id(found.trace_id), trace.format_span_id(found.span_id)

    def link(self, uid: str, rollout_id: str) -> None:
        """Link the present span to the rollout's, which is sent when the rollout is over."""
        present = trace.get_current_span()
        if present.is_recording():
            present.set_attribute(tracing.ROLLOUT_ID, rollout_id)
            present.add_link(_rollout_context(uid, rollout_id))

    def rollout(
        self, uid: str, rollout_id: str, *, start: float, end: float, attributes: Attributes, failed: str
    ) -> None:
        """Send the span of a whole rollout under the ids that its passes linked to."""
        with self._ids.next(*tracing.rollout_ids(uid, rollout_id)):
            made = self._tracer.start_span(
                ROLLOUT,
                context=otel_context.Context(),  # a trace of its own, whatever pass it ended in
                attributes={tracing.ROLLOUT_ID: rollout_id, tracing.OBJECT_UID: uid, **attributes},
                start_time=int(start * _NANO),
            )
        if failed:
            made.set_status(trace.Status(trace.StatusCode.ERROR, failed))
        made.end(end_time=int(end * _NANO))

    def flush(self) -> None:
        """Send what is finished; blocks as long as the receiver lets it. For tests."""
        self._processor.force_flush()

    def stop(self, seconds: float = END_SECONDS) -> None:
        """End tracing; what could not be sent within `seconds` is lost."""
        tracing.install(None)
        # The SDK's own shutdown waits half a minute for a receiver that is not there.
        ending = threading.Thread(target=self._provider.shutdown, name="tracing-end", daemon=True)
        ending.start()
        ending.join(seconds)


class _Span:
    """`tracing.Span` over the SDK's."""

    __slots__ = ("_failed", "_span", "recording")

    def __init__(self, made: trace.Span) -> None:
        self._span = made
        self._failed = False
        self.recording = made.is_recording()

    def put(self, attributes: Attributes) -> None:
        self._span.set_attributes(dict(attributes))

    def failed(self, kind: str, message: str = "") -> None:
        if self._failed:  # whoever was nearest knows best: AWS's code rather than the exception's class
            return
        self._failed = True
        self._span.set_attribute(tracing.ERROR_TYPE, kind)
        self._span.set_status(trace.Status(trace.StatusCode.ERROR, message or kind))


class _Ids(IdGenerator):
    """Random ids, but for a span whose ids are chosen in the same thread."""

    def __init__(self) -> None:
        self._random = RandomIdGenerator()
        self._chosen = threading.local()

    @contextlib.contextmanager
    def next(self, trace_id: int, span_id: int) -> Iterator[None]:
        self._chosen.ids = (trace_id, span_id)
        try:
            yield
        finally:
            self._chosen.ids = None

    def generate_trace_id(self) -> int:
        chosen = getattr(self._chosen, "ids", None)
        return chosen[0] if chosen else self._random.generate_trace_id()

    def generate_span_id(self) -> int:
        chosen = getattr(self._chosen, "ids", None)
        return chosen[1] if chosen else self._random.generate_span_id()


class _Ratios(Sampler):
    """Children follow their parent; a pass counts by its lane; a whole rollout is always kept."""

    def __init__(self, options: TracingOptions) -> None:
        self._busy = TraceIdRatioBased(options.ratio)
        self._rest = TraceIdRatioBased(options.rest_ratio)

    def should_sample(  # the SDK's signature
        self,
        parent_context: otel_context.Context | None,
        trace_id: int,
        name: str,
        kind: trace.SpanKind | None = None,
        attributes: Mapping[str, Any] | None = None,
        links: Sequence[trace.Link] | None = None,
        trace_state: trace.TraceState | None = None,
    ) -> SamplingResult:
        parent = trace.get_current_span(parent_context).get_span_context()
        if parent.is_valid:
            kept = parent.trace_flags.sampled
            return SamplingResult(Decision.RECORD_AND_SAMPLE if kept else Decision.DROP, attributes)
        if name == ROLLOUT:
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)
        resting = (attributes or {}).get(tracing.LANE) == _RESTING
        return (self._rest if resting else self._busy).should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )

    def get_description(self) -> str:
        return f"sluice({self._busy.rate}, resting {self._rest.rate})"


class _Told(SpanExporter):
    """Says once that the receiver does not take spans, and once that it does again."""

    def __init__(self, sent: SpanExporter) -> None:
        self._sent = sent
        self._lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._sent.export(spans)
        if result is not SpanExportResult.SUCCESS:
            if not self._lost:
                _log.warning(
                    "tracing_lost",
                    detail="the OTLP receiver took no spans; they are dropped until it does. Check "
                    "tracing.endpoint or OTEL_EXPORTER_OTLP_ENDPOINT",
                )
            self._lost += len(spans)
        elif self._lost:
            _log.info("tracing_works_again", dropped=self._lost)
            self._lost = 0
        return result

    def shutdown(self) -> None:
        self._sent.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._sent.force_flush(timeout_millis)


def _rollout_context(uid: str, rollout_id: str) -> trace.SpanContext:
    trace_id, span_id = tracing.rollout_ids(uid, rollout_id)
    return trace.SpanContext(
        trace_id, span_id, is_remote=True, trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED)
    )


def _endpoint(base: str) -> str:
    if not base or base.rstrip("/").endswith(_TRACES_PATH):
        return base
    return base.rstrip("/") + _TRACES_PATH


def _resource(ours: Mapping[str, str]) -> Resource:
    said = OTELResourceDetector().detect().attributes
    return Resource.create({name: value for name, value in ours.items() if value and name not in said})
