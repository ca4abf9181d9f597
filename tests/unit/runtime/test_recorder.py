"""Events are counted, limited and dropped as client-go does, and never hold anybody up."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from runtime_fakes import TurnedClock, deployment

from sluice.runtime.apiserver import KubernetesFailure, Request
from sluice.runtime.recorder import BURST, WINDOW, EventRecorder
from sluice.telemetry.metrics import RuntimeMetrics


class Server:
    """Takes what is sent."""

    def __init__(self) -> None:
        """Healthy and empty."""
        self.sent: list[Request] = []
        self.fail: KubernetesFailure | None = None

    def send(self, request: Request) -> dict[str, Any]:
        """Keep a request, or fail."""
        if self.fail:
            raise self.fail
        self.sent.append(request)
        return {}


class Desk:
    """A recorder whose thread is the test."""

    def __init__(self, clock: TurnedClock) -> None:
        """Nothing recorded yet."""
        self.clock = clock
        self.server = Server()
        self.metrics = RuntimeMetrics(CollectorRegistry())
        self.recorder = EventRecorder(self.server, clock=clock, metrics=self.metrics)  # type: ignore[arg-type]

    def record(self, reason: str = "Scaled", message: str = "2 to 3", *, uid: str = "u1") -> None:
        """Record and send everything."""
        self.recorder.event(deployment(uid=uid), type_="Normal", reason=reason, message=message)
        while self.recorder.drain_one():
            pass

    def counted(self, outcome: str) -> float:
        """Return the counter of an outcome."""
        return self.metrics.registry.get_sample_value("sluice_events_total", {"outcome": outcome}) or 0


@pytest.fixture
def desk(clock: TurnedClock) -> Desk:
    """A fresh desk."""
    return Desk(clock)


def test_an_event_names_its_object_and_reason(desk: Desk) -> None:
    """What kubectl describe shows is found by involvedObject; the message is the decision's own."""
    desk.record()
    (request,) = desk.server.sent
    assert (request.method, request.path) == ("POST", "/api/v1/namespaces/shop/events")
    assert request.body["involvedObject"] == {
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "Deployment",
        "namespace": "shop",
        "name": "checkout",
        "uid": "u1",
    }
    assert (request.body["reason"], request.body["message"], request.body["count"]) == ("Scaled", "2 to 3", 1)


def test_a_repeated_event_grows_its_count(desk: Desk) -> None:
    """The same Event again is a PATCH of the first one, with the count of all."""
    for _ in range(3):
        desk.record()
    assert [request.method for request in desk.server.sent] == ["POST", "PATCH", "PATCH"]
    assert desk.server.sent[-1].body["count"] == 3


def test_after_the_window_it_is_a_new_event(desk: Desk) -> None:
    """What repeats after ten minutes is news."""
    desk.record()
    desk.clock.time += WINDOW
    desk.record()
    assert [request.method for request in desk.server.sent] == ["POST", "POST"]


def test_an_event_that_expired_is_posted_again(desk: Desk) -> None:
    """A count on an Event that the API server has dropped starts anew."""
    desk.record()
    fail_once = KubernetesFailure("gone", code=404)
    original = desk.server.send

    def send(request: Request) -> dict[str, Any]:
        if request.method == "PATCH":
            raise fail_once
        return original(request)

    desk.server.send = send  # type: ignore[method-assign]  # the way of one test
    desk.record()
    assert [request.method for request in desk.server.sent] == ["POST", "POST"]


def test_each_object_has_a_burst_and_then_one_in_five_minutes(desk: Desk) -> None:
    """A chatty object is cut short, another one is not."""
    for number in range(int(BURST) + 10):
        desk.record(message=str(number))
    desk.record(uid="u2")
    assert (desk.counted("sent"), desk.counted("limited")) == (BURST + 1, 10)
    desk.clock.time += 301
    desk.record(message="later")
    desk.record(message="too soon")
    assert (desk.counted("sent"), desk.counted("limited")) == (BURST + 2, 11)


def test_long_messages_are_cut(desk: Desk) -> None:
    """The API server refuses more than 1024 characters."""
    desk.record(message="x" * 5000)
    assert len(desk.server.sent[0].body["message"]) == 1024


def test_failures_are_counted_and_forgotten(desk: Desk) -> None:
    """An API server that says no to Events stops nothing."""
    desk.server.fail = KubernetesFailure("no", code=403)
    desk.record()
    assert desk.counted("failed") == 1


def test_recording_never_blocks(desk: Desk) -> None:
    """With nobody sending, the queue fills and the rest is dropped."""
    for number in range(1500):
        desk.recorder.event(deployment(), type_="Normal", reason="R", message=str(number))
    assert desk.counted("dropped") == 500


def test_stopping_sends_what_waits(desk: Desk) -> None:
    """The last words of a process are heard."""
    desk.recorder.event(deployment(), type_="Normal", reason="R", message="last words")
    desk.recorder.start()
    desk.recorder.stop(5)
    assert [request.body["message"] for request in desk.server.sent] == ["last words"]
