"""Traces and lines of the real controllers: whoever follows one decision finds its calls, and the reverse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from captured_log import Captured, captured
from otlp_receiver import Receiver, receiver
from sim.progressive_stories import BLUE_GREEN, CANARY, at_step, ready, verb, web
from sim.stories import apply
from sim.universe import ROUTE, WEB, Universe, deployment, route
from sluice.aws.operations import is_write
from sluice.telemetry import tracing
from sluice.telemetry.otlp import OtlpTracer, TracingOptions, start


@pytest.fixture
def traced() -> Iterator[tuple[Receiver, OtlpTracer]]:
    """A receiver and a tracer that keeps every pass."""
    with receiver() as collector:
        tracer = start(TracingOptions(endpoint=collector.url, rest_ratio=1))
        yield collector, tracer
        tracer.stop()


@pytest.fixture
def log() -> Iterator[Captured]:
    """Everything that is logged at the level debug, parsed."""
    with captured() as found:
        yield found


def test_a_pass_is_one_tree(traced: tuple[Receiver, OtlpTracer]) -> None:
    """Reconcile, below it the finalizer, observe, plan, apply with its writes, plan again, the outcome."""
    collector, tracer = traced
    universe = Universe(seed=7)
    apply(deployment())(universe)
    universe.settle(universe.ready)
    tracer.flush()
    passes = {s.attributes[tracing.RECONCILE_ID]: s for s in collector.named("reconcile")}
    first = min(passes.values(), key=lambda span: span.start)
    assert first.attributes[tracing.NAMESPACE] == "shop"
    assert first.attributes[tracing.OBJECT_KIND] == "Deployment"
    assert first.attributes[tracing.OBJECT_NAME] == "web"
    assert first.attributes[tracing.OUTCOME] == "ok"
    steps = [span.name for span in collector.children(first)]
    assert steps == ["write finalizers", "observe", "plan", "apply", "plan", "write status"]
    applied = next(span for span in collector.children(first) if span.name == "apply")
    calls = collector.children(applied)
    assert [call.name for call in calls] == ["ECS.RegisterTaskDefinition", "ECS.CreateService"]
    assert applied.attributes[tracing.ACTIONS] == 2
    for call in calls:
        assert call.kind == 3
        assert call.attributes[tracing.SYSTEM] == "aws-api"
        assert call.attributes[tracing.SERVICE] == "ECS"
        assert call.attributes[tracing.REGION] == "eu-west-1"
        assert call.attributes[tracing.OUTCOME] == "ok"
        assert call.attributes[tracing.REASON]


def test_every_pass_of_a_rollout_links_to_it(traced: tuple[Receiver, OtlpTracer]) -> None:
    """From the pass that begins it to the one that ends it, and each write of a rule by the route."""
    collector, tracer = traced
    universe = Universe(seed=7)
    apply(web(strategy=BLUE_GREEN), route())(universe)
    universe.settle(lambda: ready(universe))
    tracer.flush()
    collector.spans.clear()
    apply(web("web:2", strategy=BLUE_GREEN))(universe)
    universe.settle(lambda: ready(universe) and universe.status()["live"]["slot"] == "b")
    tracer.flush()
    rollout_id = universe.status()["history"][0]["id"]
    trace_id, span_id = tracing.rollout_ids(universe.obj()["metadata"]["uid"], rollout_id)
    link = (f"{trace_id:032x}", f"{span_id:016x}")
    linked = {span.trace_id for span in collector.named("reconcile") if link in span.links}
    writes = [
        span for span in collector.spans if span.kind == 3 and is_write(span.attributes[tracing.METHOD])
    ]
    assert {"CreateService", "ModifyRule"} <= {span.attributes[tracing.METHOD] for span in writes}
    assert {span.trace_id for span in writes} <= linked


def test_a_refused_call_is_a_failed_span(traced: tuple[Receiver, OtlpTracer]) -> None:
    """With AWS's code, on the call, on what it was part of and on the pass."""
    collector, tracer = traced
    universe = Universe(seed=7)
    universe.fault("error", service="ecs", operation="CreateService", code="AccessDeniedException")
    apply(deployment())(universe)
    universe.settle(lambda: universe.reason() == "AccessDenied")
    tracer.flush()
    call = collector.named("ECS.CreateService")[0]
    assert call.failed
    assert call.attributes[tracing.ERROR_TYPE] == "AccessDeniedException"
    denied = [span for span in collector.named("reconcile") if span.trace_id == call.trace_id]
    assert [span.attributes[tracing.ERROR_TYPE] for span in denied] == ["denied"]


def test_each_write_has_a_line_with_its_rollout_and_why(log: Captured) -> None:
    """Every AWS write of a canary and its abort: subject, reason, object, pass and the rollout's id."""
    universe = Universe(seed=7)
    apply(web(strategy=CANARY), route())(universe)
    universe.settle(lambda: ready(universe))
    apply(web("web:2"))(universe)
    universe.settle(lambda: at_step(3)(universe))
    verb(universe, "abort")
    universe.settle(lambda: universe.reason() == "RolledBack")
    written = log.lines("aws_write")
    assert [line["operation"] for line in written] == universe.writes()
    for line in written:
        assert line["subject"], line
        assert line["reason"], line
        assert line["outcome"] == "ok"
        assert line["reconcile_id"], line
        assert line["uid"], line
        assert line["key"] == f"{line['kind']}/shop/web"
    rollouts = {entry["id"] for entry in universe.status()["history"]}
    moved = [line for line in written if line["operation"] in ("ModifyRule", "CreateService")]
    assert {line["rollout_id"] for line in moved} == rollouts


def test_no_line_outlives_its_pass(log: Captured) -> None:
    """What one pass learns of its rollout is not said of the next object."""
    universe = Universe(seed=7)
    apply(web(strategy=BLUE_GREEN), route())(universe)
    universe.settle(lambda: ready(universe))
    assert structlog.contextvars.get_contextvars() == {}
    assert {line.get("name") for line in log.lines()} == {WEB.name}
    assert ROUTE.name == WEB.name
