"""A traced operator: spans over OTLP, the lines that belong to them, and not one secret in either."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from e2e.desk import DEPLOYMENT, Desk
from e2e.operator_process import Operator
from e2e.progressive import ALL, GOOD, NEXT, progressive
from e2e.waiting import until
from e2e.web_server import WebServer
from e2e.world import World
from otlp_receiver import Receiver, receiver

pytestmark = pytest.mark.e2e
IN_ENV, IN_HEADER, IN_SECRET = "planted-in-env", "planted-in-header", "planted-in-secret"


@pytest.fixture
def collector() -> Iterator[Receiver]:
    """Who takes the spans."""
    with receiver() as found:
        yield found


@pytest.fixture
def traced(world: World, collector: Receiver) -> Iterator[Operator]:
    """The only operator, tracing every pass and logging all there is to log; the next test gets its own."""
    for operator in world.operators:
        if operator.runs:
            operator.end()
    operator = world.start_operator(
        SLUICE_TRACING_ENABLED="true",
        SLUICE_TRACING_REST_SAMPLE_RATIO="1",
        SLUICE_LOG_LEVEL="debug",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_EXPORTER_OTLP_HEADERS="x-token=planted-in-otlp",
        OTEL_BSP_SCHEDULE_DELAY="100",
    )
    operator.wait_until_ready()
    yield operator
    if operator.runs:
        operator.end()


def test_a_write_is_found_by_its_trace_its_line_and_awss_request(
    traced: Operator, collector: Receiver, desk: Desk, web_server: WebServer
) -> None:
    """One id each leads from the log to the trace and to CloudTrail; secrets lead nowhere.

    Secrets are planted in an environment value, a webhook's headers, a Secret and the receiver's own token.
    """
    web_server.answers["/smoke"] = (200, b"fine")
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "hook", "namespace": desk.namespace},
        "stringData": {"token": IN_SECRET},
    }
    headers = [
        {"name": "Authorization", "secretKeyRef": {"name": "hook", "key": "token"}},
        {"name": "X-Api-Key", "value": IN_HEADER},
    ]
    hook = {
        "name": "smoke",
        "stage": "PreTraffic",
        "webhook": {"url": web_server.url("/smoke"), "headers": headers},
    }
    manifests = [
        progressive(desk, ALL, image=tag, env={"API_TOKEN": IN_ENV}, hooks=[hook]) for tag in (GOOD, NEXT)
    ]
    desk.apply(secret)
    desk.apply_and_wait(manifests[0], desk.route())
    desk.apply_and_wait(manifests[1])
    assert web_server.asked

    written = [line for line in traced.lines("aws_write") if line["namespace"] == desk.namespace]
    moved = next(line for line in reversed(written) if line["operation"] == "ModifyRule")
    newest = desk.status(DEPLOYMENT)["history"][0]["id"]
    assert {line["rollout_id"] for line in written if line["operation"] == "CreateService"} >= {newest}
    for line in written:
        assert line["request_id"], line
        assert line["subject"], line
        assert line["reason"], line
    call = until(
        lambda: next((span for span in collector.spans if span.span_id == moved["span_id"]), None),
        "the span of the write",
    )
    assert call.name == "Elastic Load Balancing v2.ModifyRule"
    assert call.trace_id == moved["trace_id"]
    assert call.attributes["aws.request_id"] == moved["request_id"]
    assert call.resource["service.name"] == "sluice"

    assert traced.end() == 0
    rollouts = [span for span in collector.named("rollout") if span.attributes["sluice.rollout.id"] == newest]
    assert len(rollouts) == 1
    hooks = [
        span for span in collector.named("gate") if span.attributes["k8s.namespace.name"] == desk.namespace
    ]
    assert hooks
    log, sent = traced.log.read_text(encoding="utf-8"), json.dumps([repr(span) for span in collector.spans])
    assert "planted" not in log
    assert "planted" not in sent
    events = desk.kubectl("get", "events", "-o", "json")
    assert "planted" not in events
    assert "planted" not in json.dumps(desk.status(DEPLOYMENT))
    assert all(entry["x-token"] == "planted-in-otlp" for entry in collector.headers)
    desk.world.operator()
