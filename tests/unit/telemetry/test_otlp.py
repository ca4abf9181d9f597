"""What leaves the process when tracing is on, and that nobody waits for whoever should take it."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from captured_log import Captured, captured
from otlp_receiver import Receiver, receiver
from sluice.model.errors import AwsFailure, Deferred
from sluice.telemetry import rollout_spans, tracing
from sluice.telemetry.log import logger
from sluice.telemetry.otlp import OtlpTracer, TracingOptions, start

OPTIONS = TracingOptions(resource={"service.name": "sluice", "service.version": "9.9.9", "empty": ""})
Start = Callable[..., OtlpTracer]


@pytest.fixture
def collector() -> Iterator[Receiver]:
    """A receiver for one test."""
    with receiver() as found:
        yield found


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start tracers that end with the test; nothing of the person's OTEL_* settings is seen."""
    for name in ("ENDPOINT", "TRACES_ENDPOINT", "HEADERS", "TRACES_HEADERS", "TIMEOUT", "COMPRESSION"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}", raising=False)
    for name in ("OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME", "OTEL_TRACES_SAMPLER", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    made: list[OtlpTracer] = []

    def begin(options: TracingOptions = OPTIONS) -> OtlpTracer:
        made.append(start(options))
        return made[-1]

    yield begin
    for tracer in made:
        tracer.stop()


@pytest.fixture
def log() -> Iterator[Captured]:
    """What is logged, parsed."""
    with captured() as found:
        yield found


def test_off_a_span_is_one_object_that_does_nothing() -> None:
    """Neither attributes are made nor ids, and nothing is kept."""
    first, second = tracing.span("a", begin=lambda: pytest.fail("attributes were made")), tracing.span("b")
    assert first is second
    with first as span:
        assert not span.recording
        span.put({"a": 1})
        span.failed("never")
        assert tracing.ids() is None
    assert not tracing.on()


def test_off_opentelemetry_is_not_even_imported() -> None:
    """The package is optional: an operator without it starts."""
    code = "import sys, sluice.app; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_spans_nest_and_come_with_resource_and_attributes(collector: Receiver, begin: Start) -> None:
    """A receiver sees the tree as it was, over OTLP/HTTP below the base URL."""
    tracer = begin(TracingOptions(endpoint=collector.url, resource=OPTIONS.resource))
    with tracing.span("reconcile", begin=lambda: {tracing.LANE: "user", tracing.WAITED: 0.5}) as root:
        root.put({tracing.OUTCOME: "ok"})
        with tracing.span("ECS.UpdateService", kind="client"):
            pass
    tracer.flush()
    (above,), (below,) = collector.named("reconcile"), collector.named("ECS.UpdateService")
    assert collector.paths == ["/v1/traces"]
    assert (above.parent_id, below.parent_id, below.trace_id) == ("", above.span_id, above.trace_id)
    assert (above.kind, below.kind) == (1, 3)
    assert above.attributes == {tracing.LANE: "user", tracing.WAITED: 0.5, tracing.OUTCOME: "ok"}
    assert above.resource["service.name"] == "sluice"
    assert above.resource["service.version"] == "9.9.9"
    assert "empty" not in above.resource
    assert above.start <= below.start <= below.end <= above.end


def test_the_environment_completes_the_settings(
    collector: Receiver, begin: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Endpoint, headers, compression and resource come from OpenTelemetry's own variables."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=shop")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "k8s.cluster.name=prod,service.version=mine")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "sluice-prod")
    tracer = begin()
    with tracing.span("reconcile"):
        pass
    tracer.flush()
    (span,) = collector.spans
    assert collector.paths == ["/v1/traces"]
    assert collector.headers[0]["x-tenant"] == "shop"
    assert collector.headers[0]["content-encoding"] == "gzip"
    assert span.resource["k8s.cluster.name"] == "prod"
    assert (span.resource["service.name"], span.resource["service.version"]) == ("sluice-prod", "mine")


@pytest.mark.parametrize(
    ("error", "failed", "attributes"),
    [
        pytest.param(
            AwsFailure(service="ecs", operation="X", code="C", message="m", kind="denied"),
            "ecs",
            {tracing.ERROR_TYPE: "AwsFailure"},
            id="ours-with-its-words",
        ),
        pytest.param(KeyError("s3cret"), "KeyError", {tracing.ERROR_TYPE: "KeyError"}, id="a-defect-by-name"),
        pytest.param(Deferred(1.0, "writes"), "", {tracing.OUTCOME: "deferred"}, id="waiting-is-no-failure"),
    ],
)
def test_an_exception_marks_the_span(
    collector: Receiver, begin: Start, error: Exception, failed: str, attributes: dict[str, str]
) -> None:
    """It goes on its way; texts that nobody has looked at stay here."""
    tracer = begin(TracingOptions(endpoint=collector.url))
    with pytest.raises(type(error)), tracing.span("observe"):
        raise error
    tracer.flush()
    (span,) = collector.spans
    assert span.failed.startswith(failed)
    assert bool(span.failed) == bool(failed)
    assert "s3cret" not in span.failed
    assert span.attributes == attributes


@pytest.mark.parametrize(
    ("lane", "kept"),
    [
        pytest.param("resync", 0, id="at-rest"),
        pytest.param("user", 5, id="somebody-waits"),
        pytest.param("rollback", 5, id="rollback"),
    ],
)
def test_passes_at_rest_have_a_ratio_of_their_own(
    collector: Receiver, begin: Start, lane: str, kept: int
) -> None:
    """Children follow: there is no call without its pass."""
    tracer = begin(TracingOptions(endpoint=collector.url, rest_ratio=0))
    for _ in range(5):
        with tracing.span("reconcile", begin=lambda: {tracing.LANE: lane}) as span:
            assert span.recording == bool(kept)
            with tracing.span("ECS.DescribeServices", kind="client"):
                pass
    tracer.flush()
    assert len(collector.named("reconcile")) == kept
    assert len(collector.named("ECS.DescribeServices")) == kept


def test_a_persons_sampler_replaces_the_ratios(
    collector: Receiver, begin: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OTEL_TRACES_SAMPLER is said for this very process."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    tracer = begin(TracingOptions(endpoint=collector.url))
    with tracing.span("reconcile"):
        pass
    tracer.flush()
    assert collector.spans == []


def test_a_rollout_has_one_span_that_its_passes_link_to(collector: Receiver, begin: Start) -> None:
    """Whoever computes the ids gets the same, so a pass links before the span exists, and after a restart."""
    tracer = begin(TracingOptions(endpoint=collector.url, ratio=1))
    with tracing.span("reconcile"):
        tracing.link("u-1", "r-7")
    before = {"kind": "Deployment", "metadata": {"namespace": "shop", "name": "web", "uid": "u-1"}}
    entry = {
        "id": "r-7",
        "revision": "web-2",
        "outcome": "RolledBack",
        "reason": "AnalysisFailed",
        "startedAt": "2026-11-21T10:00:00Z",
        "durationSeconds": 90,
        "rollbackSeconds": 1.5,
    }
    old = {"id": "r-6", "revision": "web-1", "outcome": "Succeeded", "startedAt": "2026-11-20T10:00:00Z"}
    after = {**before, "status": {"history": [entry, old]}}
    rollout_spans.written({**before, "status": {"history": [old]}}, after)
    rollout_spans.written(after, after)
    tracer.flush()
    (told,), (told_of,) = collector.named("reconcile"), collector.named("rollout")
    assert told.links == ((told_of.trace_id, told_of.span_id),)
    assert told.attributes[tracing.ROLLOUT_ID] == "r-7"
    assert (told_of.parent_id, told_of.failed) == ("", "AnalysisFailed")
    assert told_of.end - told_of.start == pytest.approx(90)
    assert told_of.attributes[rollout_spans.ROLLBACK_SECONDS] == 1.5
    assert told_of.attributes[tracing.OBJECT_NAME] == "web"
    trace_id, span_id = tracing.rollout_ids("u-1", "r-7")
    assert told_of.trace_id == f"{trace_id:032x}"
    assert told_of.span_id == f"{span_id:016x}"


def test_lines_carry_the_ids_of_their_span(collector: Receiver, begin: Start, log: Captured) -> None:
    """Ours and the libraries': a line leads to its trace; outside of spans there is nothing to carry."""
    tracer = begin(TracingOptions(endpoint=collector.url))
    with tracing.span("reconcile"):
        logger("sluice.test.ids").info("ours")
        with tracing.span("apply"):
            logging.getLogger("urllib3").warning("theirs")
    logger("sluice.test.ids").info("outside")
    tracer.flush()
    (above,), (below,) = collector.named("reconcile"), collector.named("apply")
    ours, theirs, outside = log.lines()
    assert (ours["trace_id"], ours["span_id"]) == (above.trace_id, above.span_id)
    assert (theirs["trace_id"], theirs["span_id"]) == (below.trace_id, below.span_id)
    assert "trace_id" not in outside


def test_nobody_waits_for_a_receiver_that_does_not_answer(collector: Receiver, begin: Start) -> None:
    """Four thousand spans, more than the queue holds, and the end: one that hangs costs neither much."""
    collector.hold = threading.Event()
    tracer = begin(TracingOptions(endpoint=collector.url))
    started = time.monotonic()
    for _ in range(4_000):
        with tracing.span("reconcile"):
            pass
    spent = time.monotonic() - started
    assert spent < 40  # an answer would take 10 s, each of eight batches
    started = time.monotonic()
    tracer.stop(0.5)
    assert time.monotonic() - started < 15  # the SDK's own end would take 30 s
    assert not tracing.on()
    collector.hold.set()
    _wait_for_the_senders_end()


def _wait_for_the_senders_end() -> None:
    """OpenTelemetry's thread draws pauses from `random`; hypothesis, in a later test, watches its state."""
    for thread in threading.enumerate():
        if thread.name.startswith("Otel"):
            thread.join(30)
            assert not thread.is_alive()


def test_a_receiver_that_fails_is_told_once(collector: Receiver, begin: Start, log: Captured) -> None:
    """Not for each batch, and once more when it is over."""
    collector.status = 400
    tracer = begin(TracingOptions(endpoint=collector.url))
    for status in (400, 400, 400, 200, 200):
        collector.status = status
        with tracing.span("reconcile"):
            pass
        tracer.flush()
    assert [(line["event"], line["level"]) for line in log.lines()] == [
        ("tracing_lost", "warning"),
        ("tracing_works_again", "info"),
    ]
    assert log.lines()[1]["dropped"] == 3
    assert len(collector.spans) == 2
