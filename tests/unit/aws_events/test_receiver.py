"""The thread at the queue: wake, forget, delete, back off; never twice a second, never for a stranger."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from sluice.aws_events.flow import Flow
from sluice.aws_events.happening import Place
from sluice.aws_events.metrics import AwsEventMetrics
from sluice.aws_events.receiver import BACKOFF_LIMIT, Reaction, Receiver
from sluice.aws_events.services import KnownServices
from sluice.model.binding import Binding
from sluice.model.errors import AwsErrorKind, AwsFailure
from sluice.model.keys import Key
from unit.aws_events.heard import (
    ACCOUNT,
    REGION,
    SERVICE,
    WEB,
    Clock,
    FakeQueue,
    acted,
    deployment,
    event,
    task,
)

BINDING = Binding(account=ACCOUNT, region=REGION)
OTHER = Binding(account="", region=REGION)


def failure(kind: AwsErrorKind = "denied", code: str = "AccessDenied") -> AwsFailure:
    """Return what SQS may answer."""
    return AwsFailure(service="sqs", operation="ReceiveMessage", code=code, message="m", kind=kind)


class Desk:
    """A receiver over one Deployment, and what it did."""

    def __init__(self) -> None:
        """Begin."""
        self.clock, self.queue, self.registry = Clock(), FakeQueue(), CollectorRegistry()
        self.objects: dict[Key, Any] = {WEB: deployment()}
        self.done: list[str] = []
        self.woken: list[tuple[Key, float]] = []
        self.resumed: list[Place] = []
        self.flow = Flow(factor=5, quiet_after=900, clock=self.clock, peek=self.objects.get)
        metrics = AwsEventMetrics(self.registry)
        metrics.watch(self.flow.flowing)
        self.receiver = Receiver(
            self.queue,
            services=KnownServices(lambda: self.objects, clock=self.clock),
            flow=self.flow,
            reaction=Reaction(
                forget=self._forget,
                bindings=lambda _: (BINDING, OTHER),
                wake=self._wake,
                resume=self.resumed.append,
            ),
            clock=self.clock,
            metrics=metrics,
            rng=random.Random(1),
        )

    def _forget(self, binding: Binding, names: Sequence[str]) -> None:
        self.done.append(f"forget {binding.account} {' '.join(names)}")

    def _wake(self, key: Key, delay: float) -> None:
        self.done.append(f"wake {key.name}")
        self.woken.append((key, round(delay, 3)))

    def hear(self, *bodies: str) -> float:
        """Receive one batch."""
        self.queue.batches.append(bodies)
        return self.receiver.step()

    def counted(self, name: str, **labels: str) -> float:
        """Return a metric's value."""
        return self.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
def desk() -> Desk:
    """A fresh desk."""
    return Desk()


@pytest.mark.parametrize(
    ("body", "what"),
    [
        pytest.param(task(), "task", id="task"),
        pytest.param(acted(), "service-action", id="service-action"),
        pytest.param(
            event("ECS Deployment State Change", resources=[SERVICE]), "deployment", id="deployment"
        ),
    ],
)
def test_an_event_of_ours_wakes_at_once(desk: Desk, body: str, what: str) -> None:
    """What is cached goes first, under every role that looks there; the message is deleted last."""
    assert desk.hear(body) == 0
    assert desk.done == [f"forget {ACCOUNT} web-1f-a1", "forget  web-1f-a1", "wake web"]
    assert desk.woken == [(WEB, 0)]
    assert desk.queue.deleted == [body]
    assert desk.counted("sluice_aws_events_total", what=what) == 1
    assert desk.counted("sluice_aws_events_lag_seconds_sum") == 2


@pytest.mark.parametrize(
    ("body", "what"),
    [
        pytest.param(task("service:somebodys"), "foreign", id="foreign"),
        pytest.param(task("family:migrate"), "foreign", id="no-service"),
        pytest.param(
            event("EC2 Instance State-change Notification", source="aws.ec2"), "unknown", id="unknown"
        ),
        pytest.param("hush", "malformed", id="malformed"),
    ],
)
def test_what_is_not_ours_is_deleted_and_counted(desk: Desk, body: str, what: str) -> None:
    """It would come back for ever; nobody is woken by it."""
    desk.hear(body)
    assert (desk.done, desk.queue.deleted) == ([], [body])
    assert desk.counted("sluice_aws_events_total", what=what) == 1


def test_a_bad_message_keeps_no_good_one_back(desk: Desk) -> None:
    """Each is judged by itself, duplicates cost one wake, and the batch is deleted as a whole."""
    desk.hear("hush", task(), task(), acted("x"))
    assert desk.woken == [(WEB, 0)]
    assert len(desk.queue.deleted) == 4


def test_a_burst_costs_a_pass_a_second(desk: Desk) -> None:
    """The first event wakes at once, later ones at the end of the second; none is forgotten."""
    for _ in range(20):
        desk.hear(task())
        desk.clock.time += 0.1
    due = sorted({round(delay + 0.1 * number, 3) for number, (_, delay) in enumerate(desk.woken)})
    assert due == [0, 1.0, 2.0]
    assert len(desk.woken) == 20
    assert desk.done.count(f"forget {ACCOUNT} web-1f-a1") == 20


def test_a_queue_that_fails_is_told_once_and_tried_ever_more_seldom(desk: Desk) -> None:
    """Denied or missing: nothing else stops, and it is noticed when it works again."""
    desk.queue.batches = [failure() for _ in range(10)]
    delays = [desk.receiver.step() for _ in range(10)]
    assert all(0.5 <= delay <= BACKOFF_LIMIT for delay in delays)
    assert delays[-1] >= BACKOFF_LIMIT / 2
    assert desk.counted("sluice_aws_events_receives_total", outcome="denied") == 10
    assert desk.hear(task()) == 0
    assert desk.woken == [(WEB, 0)]


def test_messages_that_cannot_be_deleted_come_again(desk: Desk) -> None:
    """That costs a look, nothing more."""
    desk.queue.deletion = failure("unavailable")
    desk.hear(task())
    desk.queue.deletion = 1
    desk.clock.time += 30
    desk.hear(task())
    assert desk.woken == [(WEB, 0), (WEB, 0)]


def test_what_flowed_and_stops_is_looked_at_as_before(desk: Desk) -> None:
    """By silence or by a queue that fails, once each time."""
    here = Place(ACCOUNT, REGION)
    desk.hear(task("service:somebodys"))
    assert desk.counted("sluice_aws_events_flowing", account=ACCOUNT, region=REGION) == 1
    desk.clock.time += 901
    desk.hear()
    desk.hear()
    assert desk.resumed == [here]
    desk.hear(task())
    desk.queue.batches = [failure(), failure()]
    desk.receiver.step()
    desk.receiver.step()
    assert desk.resumed == [here, here]
    assert desk.counted("sluice_aws_events_flowing", account=ACCOUNT, region=REGION) == 0


def test_what_comes_while_the_process_ends_is_left(desk: Desk) -> None:
    """The next leader gets it after its visibility timeout."""
    desk.receiver.stop(1)
    desk.hear(task())
    assert (desk.done, desk.queue.deleted) == ([], [])


def test_its_thread_survives_a_defect(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages that could not be taken come again; the thread is there for them."""
    calls: list[int] = []

    def broken() -> float:
        calls.append(1)
        if len(calls) > 1:
            desk.receiver.stop(1)
            return 0.0
        raise KeyError("defect")

    monkeypatch.setattr(desk.receiver, "step", broken)
    monkeypatch.setattr("sluice.aws_events.receiver.BACKOFF_LIMIT", 0.01)
    desk.receiver.start()
    desk.receiver._thread.join(10)
    assert (len(calls), desk.receiver._thread.is_alive()) == (2, False)
