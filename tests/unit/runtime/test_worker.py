"""What came of a pass decides when the key is looked at again."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest
import structlog
from prometheus_client import CollectorRegistry
from runtime_fakes import TurnedClock, deployment

from sluice.apply.errors import ApplyFailed
from sluice.aws.errors import WriteWithheld
from sluice.model.actions import Applied
from sluice.model.errors import AwsFailure, Deferred, LeadershipLost, Refused, Retryable, WriteConflict
from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key
from sluice.ports import Object, Result
from sluice.runtime.clock import SystemClock
from sluice.runtime.queue import Lane, WorkQueue
from sluice.runtime.worker import Cadence, Reconciler, Sources, WorkerPool
from sluice.telemetry.metrics import RuntimeMetrics

KEY = Key(DEPLOYMENT, "shop", "checkout")
WEB = Key(SERVICE_ROUTE, "shop", "web")


def aws(kind: str) -> AwsFailure:
    """Return a failure of that kind."""
    return AwsFailure(service="ecs", operation="CreateService", code="X", message="m", kind=kind)  # type: ignore[arg-type]  # from a table


class Desk:
    """A reconciler whose controller does what a test says."""

    def __init__(self, clock: TurnedClock) -> None:
        """Do nothing and succeed, until told otherwise."""
        self.clock = clock
        self.queue = WorkQueue(clock, rng=random.Random(1))
        self.objects: dict[Key, Object] = {KEY: deployment(status={"rollout": {"id": "r7"}})}
        self.refreshed: list[Key] = []
        self.ran: list[Key] = []
        self.reported: list[str] = []
        self.outcome: Result | Exception = Result()
        self.metrics = RuntimeMetrics(CollectorRegistry())
        self.reconciler = Reconciler(
            self.queue,
            {DEPLOYMENT: self, SERVICE_ROUTE: self},
            clock=clock,
            sources=Sources(
                peek=self.objects.get,
                refresh=self.refreshed.append,
                report=lambda _obj, reason, _message: self.reported.append(reason),
            ),
            metrics=self.metrics,
            rng=random.Random(1),
        )
        self.context: dict[str, object] = {}

    def reconcile(self, key: Key) -> Result:
        """Be the controller."""
        self.ran.append(key)
        self.context = dict(structlog.contextvars.get_contextvars())
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def run(self, outcome: Result | Exception, *, key: Key = KEY) -> float | None:
        """Run one pass with this outcome; return the seconds until the key's next one."""
        self.outcome = outcome
        self.queue.add(key, Lane.USER)
        assert self.reconciler.run_one(block=False)
        due = self.queue.next_due()
        return None if due is None else due - self.clock.time

    def counted(self, outcome: str, kind: str = DEPLOYMENT) -> float:
        """Return the counter of an outcome."""
        value = self.metrics.registry.get_sample_value(
            "sluice_reconciles_total", {"kind": kind, "outcome": outcome}
        )
        return value or 0.0


@pytest.fixture
def desk(clock: TurnedClock) -> Desk:
    """A fresh desk."""
    return Desk(clock)


@pytest.mark.parametrize(
    ("outcome", "name", "first", "last"),
    [
        pytest.param(lambda _: Result(), "ok", 48, 60, id="rest-is-looked-at-again"),
        pytest.param(lambda now: Result(wake_at=now + 7), "ok", 7, 7, id="wake-at"),
        pytest.param(lambda now: Result(wake_at=now + 9999), "ok", 48, 60, id="wake-at-beyond-drift"),
        pytest.param(lambda now: Result(wake_at=now - 5), "ok", 0, 0, id="wake-at-in-the-past"),
        pytest.param(lambda _: Refused("InvalidSpec", "m"), "refused", 48, 60, id="refused"),
        pytest.param(lambda now: Deferred(now + 3, "writes"), "deferred", 3, 3.2, id="deferred"),
        pytest.param(lambda _: WriteWithheld("ecs", "X"), "withheld", 48, 60, id="dry-run"),
        pytest.param(lambda _: WriteConflict("m"), "conflict", 0.05, 0.1, id="conflict"),
        pytest.param(lambda _: LeadershipLost("m"), "leadership", 1, 1, id="lease"),
        pytest.param(lambda _: aws("unavailable"), "unavailable", 0, 1, id="aws-back-off"),
        pytest.param(lambda _: aws("denied"), "denied", 30, 31, id="aws-denied-slowly"),
        pytest.param(lambda _: Retryable("m"), "retry", 0, 1, id="any-retryable"),
        pytest.param(lambda _: ValueError("defect"), "error", 0, 1, id="crash"),
        pytest.param(
            lambda now: ApplyFailed(applied=Applied(outputs={}, done=1), cause=Deferred(now + 3, "w")),
            "deferred",
            3,
            3.2,
            id="plan-stopped-by-budget",
        ),
    ],
)
def test_when_again(
    desk: Desk, outcome: Callable[[float], Result | Exception], name: str, first: float, last: float
) -> None:
    """Each outcome has its delay in seconds and its count."""
    delay = desk.run(outcome(desk.clock.now()))
    assert delay is not None
    assert first - 1e-6 <= delay <= last + 1e-6
    assert desk.counted(name) == 1


@pytest.mark.parametrize(
    ("outcome", "reported"),
    [
        pytest.param(ValueError("defect"), ["InternalError"], id="crash"),
        pytest.param(Retryable("the status was refused"), ["ReconcileFailed"], id="api-server"),
        pytest.param(Refused("InvalidSpec", "m"), [], id="told-by-a-condition"),
        pytest.param(WriteConflict("m"), [], id="conflict"),
        pytest.param(aws("denied"), [], id="aws-told-by-a-condition"),
    ],
)
def test_failures_that_no_condition_tells_are_reported(
    desk: Desk, outcome: Exception, reported: list[str]
) -> None:
    """A defect or an API server's refusal becomes an Event: the controller could not write a condition."""
    desk.run(outcome)
    assert desk.reported == reported


def test_a_denied_rollback_is_tried_again_soon(desk: Desk) -> None:
    """Half a minute of a bad revision is too long, and a policy may be mended meanwhile."""
    desk.outcome = aws("denied")
    desk.queue.add(KEY, Lane.ROLLBACK)
    assert desk.reconciler.run_one(block=False)
    due = desk.queue.next_due()
    assert due is not None
    assert due - desk.clock.time <= 1


def test_a_key_without_an_object_is_not_looked_at_again(desk: Desk) -> None:
    """What is gone and has nothing left to do costs nothing."""
    desk.objects.clear()
    assert desk.run(Result()) is None


def test_failures_back_off_until_a_success(desk: Desk) -> None:
    """Errors in a row wait longer; one success forgets them."""
    for _ in range(8):
        desk.run(aws("unavailable"))
    assert desk.queue.failing() == 1
    desk.run(Result())
    assert desk.queue.failing() == 0


def test_a_deferred_pass_is_no_failure(desk: Desk) -> None:
    """Waiting for the budget does not grow the back-off."""
    desk.run(Deferred(desk.clock.now() + 1, "writes"))
    assert desk.queue.failing() == 0


def test_conflicts_in_a_row_slow_down_and_read_the_object(desk: Desk) -> None:
    """When the watch does not bring the newer version, it is read."""
    delays = [desk.run(WriteConflict("m")) for _ in range(6)]
    assert desk.refreshed == [KEY] * 4
    assert delays[-1] is not None
    assert delays[0] is not None
    assert delays[-1] > delays[0]
    desk.run(Result())
    desk.refreshed.clear()
    desk.run(WriteConflict("m"))
    assert desk.refreshed == []


@pytest.mark.parametrize(
    ("rollback", "lane"),
    [pytest.param(True, Lane.ROLLBACK, id="rollback"), pytest.param(False, Lane.USER, id="rollout")],
)
def test_urgent_keys_run_at_once(desk: Desk, rollback: bool, lane: Lane) -> None:  # noqa: FBT001
    """The other side of the traffic contract does not wait for the watch; a rollback is fastest."""
    desk.run(Result(urgent=(WEB,), rollback=rollback))
    work = desk.queue.get(block=False)
    assert work is not None
    assert (work.key, work.lane) == (WEB, lane)


def test_log_lines_of_a_pass_carry_its_object(desk: Desk) -> None:
    """Kind, namespace, name, uid, reconcile id and rollout id are bound during the pass alone."""
    desk.run(Result())
    reconcile_id = desk.context.pop("reconcile_id")
    assert desk.context == {
        "kind": "Deployment",
        "namespace": "shop",
        "name": "checkout",
        "uid": "u1",
        "rollout_id": "r7",
    }
    assert reconcile_id
    assert structlog.contextvars.get_contextvars() == {}


def test_workers_stop_when_their_passes_end() -> None:
    """Stopping hands out nothing more, waits for what runs, and tells when it did not end in time."""
    queue = WorkQueue(SystemClock())
    started, release = threading.Event(), threading.Event()

    class Slow:
        def reconcile(self, key: Key) -> Result:
            del key
            started.set()
            release.wait(20)
            return Result()

    reconciler = Reconciler(
        queue,
        {DEPLOYMENT: Slow()},
        clock=SystemClock(),
        sources=Sources(peek=lambda _: None, refresh=lambda _: None),
        metrics=RuntimeMetrics(CollectorRegistry()),
    )
    pool = WorkerPool(reconciler, queue, size=2)
    pool.start()
    assert pool.alive() == 2
    queue.add(KEY)
    assert started.wait(5)
    assert not pool.stop(0.01)
    release.set()
    assert pool.stop(5)
    assert pool.alive() == 0


@pytest.mark.parametrize(
    ("outcome", "first", "last"),
    [
        pytest.param(Result(), 240, 300, id="rest"),
        pytest.param(Refused("InvalidSpec", "m"), 48, 60, id="refused"),
        pytest.param(Result(wake_at=1_700_099_999.0), 48, 60, id="in-motion"),
    ],
)
def test_only_rest_is_stretched(desk: Desk, outcome: Result | Exception, first: float, last: float) -> None:
    """While events flow an object at rest waits five times as long; whatever is in motion does not."""
    desk.reconciler._cadence = Cadence(drift_interval=60, stretch=lambda key: 5.0 if key == KEY else 1.0)
    due = desk.run(outcome)
    assert due is not None
    assert first <= due <= last
