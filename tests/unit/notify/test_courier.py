"""One sink's thread: order, back-off, and when it gives up."""

from __future__ import annotations

import random

import pytest
from prometheus_client import CollectorRegistry

from sluice.notify.courier import BACKOFF_LIMIT, TRIES, Courier
from sluice.notify.metrics import NotificationMetrics
from sluice.notify.moment import Moment
from sluice.notify.outbox import Outbox
from sluice.notify.sink import SinkFailure
from unit.notify.told import NOW, Clock, FakeSink, counted, moment


class Desk:
    """A sink with two moments waiting for it."""

    def __init__(self) -> None:
        """Begin."""
        self.clock, self.sink, self.registry = Clock(), FakeSink(), CollectorRegistry()
        self.outbox = Outbox(["chat"], expire_after=3600)
        self.metrics = NotificationMetrics(self.registry)
        self.metrics.watch(self.outbox.states, now=self.clock.now)
        self.courier = Courier(
            self.sink, self.outbox, clock=self.clock, metrics=self.metrics, rng=random.Random(1)
        )
        for number in (1, 2):
            self.outbox.accept(moment(number), ["chat"], now=NOW)

    def told(self, outcome: str) -> float:
        """Return the counter of an outcome."""
        return counted(
            self.registry, "sluice_notifications_total", sink="chat", event="Started", outcome=outcome
        )


@pytest.fixture
def desk() -> Desk:
    """A fresh desk."""
    return Desk()


def test_moments_are_told_in_order(desk: Desk) -> None:
    """One after the other, each once, counted."""
    assert [desk.courier.step() for _ in range(3)] == [0.0, 0.0, None]
    assert desk.sink.ids == ["r1/Started", "r2/Started"]
    assert desk.told("delivered") == 2


def test_a_busy_sink_keeps_the_order(desk: Desk) -> None:
    """The same moment is tried again, ever more seldom, and at last in order."""
    desk.sink.answers = [SinkFailure("answered 503", kind="busy") for _ in range(12)]
    delays = [desk.courier.step() or 0.0 for _ in range(12)]
    assert all(2**n / 2 <= delay <= 2**n for n, delay in enumerate(delays[:8]))
    assert max(delays) <= BACKOFF_LIMIT
    assert [desk.courier.step() for _ in range(2)] == [0.0, 0.0]
    assert desk.sink.ids == ["r1/Started", "r2/Started"]
    assert (desk.told("failed"), desk.told("delivered")) == (12, 2)


def test_a_sink_that_says_when_is_obeyed(desk: Desk) -> None:
    """An AWS budget knows the time of its next token."""
    desk.sink.answers = [SinkFailure("no token", kind="busy", retry_after=42)]
    assert desk.courier.step() == 42


def test_a_refused_moment_lets_the_others_pass_and_is_given_up(desk: Desk) -> None:
    """What the sink does not understand is tried some times, behind the rest."""
    refusal = SinkFailure("answered 400", kind="refused")
    desk.sink.answers = [refusal]
    assert (desk.courier.step() or 0) > 0
    assert desk.courier.step() == 0.0
    assert desk.sink.ids == ["r2/Started"]
    desk.sink.answers = [refusal] * (TRIES - 1)
    for _ in range(TRIES - 1):
        desk.courier.step()
    assert desk.courier.step() is None
    assert (desk.told("failed"), desk.told("rejected")) == (TRIES - 1, 1)


def test_a_dry_run_tells_nobody_and_keeps_nothing(desk: Desk) -> None:
    """What was withheld is not told afterwards."""
    desk.sink.answers = [SinkFailure("dry run", kind="withheld")] * 2
    assert [desk.courier.step() for _ in range(3)] == [0.0, 0.0, None]
    assert (desk.sink.told, desk.told("withheld")) == ([], 2)


def test_one_moment_that_a_sink_cannot_take_holds_up_no_other(desk: Desk) -> None:
    """It answers 500 to one and takes the others: that one goes behind, and is given up in the end."""
    broken, sent = SinkFailure("answered 500", kind="busy"), desk.sink.send

    def send(told: Moment) -> None:
        if told == moment(1):
            raise broken
        sent(told)

    desk.sink.send = send  # type: ignore[method-assign]
    for _ in range(TRIES):
        assert desk.sink.ids == []
        assert (desk.courier.step() or 0) > 0
    desk.courier.step()
    assert desk.sink.ids == ["r2/Started"]
    for number in range(3, 3 + TRIES):
        desk.outbox.accept(moment(number), ["chat"], now=NOW)
        for _ in range(TRIES + 3):
            desk.courier.step()
    assert desk.sink.ids == [f"r{number}/Started" for number in range(2, 3 + TRIES)]
    assert desk.told("rejected") == 1
    assert desk.courier.step() is None


@pytest.mark.parametrize("failures", range(4 * TRIES))
def test_a_dead_sink_that_comes_back_has_lost_nothing(desk: Desk, failures: int) -> None:
    """Whenever it comes back: all are told, and at most two have changed places."""
    desk.outbox.accept(moment(3), ["chat"], now=NOW)
    desk.sink.answers = [SinkFailure("away", kind="busy")] * failures
    while desk.courier.step() is not None:
        pass
    probed = failures > 0 and failures % TRIES == 0
    order = ["r2", "r1", "r3"] if probed else ["r1", "r2", "r3"]
    assert desk.sink.ids == [f"{name}/Started" for name in order]
    assert desk.told("rejected") == 0


def test_a_defect_of_a_sink_ends_no_thread(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """It counts as a refusal of this moment."""
    desk.sink.answers = [KeyError("defect")]
    assert (desk.courier.step() or 0) > 0
    assert desk.courier.step() == 0.0
    assert desk.told("failed") == 1


def test_a_defect_beside_the_sink_ends_no_thread(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fails between two messages, the sink's thread goes on."""
    monkeypatch.setattr("sluice.notify.courier.BACKOFF_LIMIT", 0.01)
    errors = iter([TypeError("a defect")])
    done = desk.outbox.done

    def once(sink: str, told: Moment) -> None:
        for error in errors:
            raise error
        done(sink, told)

    monkeypatch.setattr(desk.outbox, "done", once)
    desk.courier.start()
    for _ in range(500):
        if not desk.outbox.states()["chat"].pending:
            break
        desk.courier._ending.wait(0.01)
    desk.outbox.close()
    desk.courier.stop(5)
    assert desk.sink.ids == ["r1/Started", "r1/Started", "r2/Started"]


def test_what_waits_is_shown_with_its_age(desk: Desk) -> None:
    """A sink that gets nothing is seen by the age of its oldest moment."""
    desk.clock.time += 90
    assert counted(desk.registry, "sluice_notifications_pending", sink="chat") == 2
    assert counted(desk.registry, "sluice_notifications_oldest_seconds", sink="chat") == 90
    desk.courier.step()
    desk.courier.step()
    assert counted(desk.registry, "sluice_notifications_oldest_seconds", sink="chat") == 0


def test_threads_begin_and_end(desk: Desk) -> None:
    """Started, a courier empties its queue by itself; stopped, it takes nothing more."""
    desk.courier.start()
    desk.outbox.accept(moment(3), ["chat"], now=NOW)
    deadline = 200
    while desk.outbox.states()["chat"].pending and deadline:
        desk.courier._ending.wait(0.02)
        deadline -= 1
    desk.outbox.close()
    desk.courier.stop(5)
    assert desk.sink.ids == ["r1/Started", "r2/Started", "r3/Started"]
    assert not desk.courier._thread.is_alive()


def test_a_chats_pace_is_kept(desk: Desk) -> None:
    """After each message as long as the sink wants to be left alone."""
    desk.sink.pace = 1.0
    assert [desk.courier.step() for _ in range(3)] == [1.0, 1.0, None]
