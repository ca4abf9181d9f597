"""The work queue: examples of each promise, laws against a model, and real threads."""

from __future__ import annotations

import random
import threading

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from runtime_fakes import TurnedClock

from sluice.model.keys import DEPLOYMENT, Key
from sluice.runtime.clock import SystemClock
from sluice.runtime.queue import BACKOFF_LIMIT, ROLLBACK_LIMIT, Lane, WorkQueue

A, B, C = (Key(DEPLOYMENT, "shop", name) for name in "abc")


@pytest.fixture
def queue(clock: TurnedClock) -> WorkQueue:
    """An empty queue on that clock, with repeatable jitter."""
    return WorkQueue(clock, rng=random.Random(1))


def take(queue: WorkQueue) -> Key | None:
    """Take the next key without waiting."""
    work = queue.get(block=False)
    return work.key if work else None


def test_a_key_is_queued_once(queue: WorkQueue) -> None:
    """Adding a waiting key again changes nothing."""
    queue.add(A)
    queue.add(A)
    assert (take(queue), take(queue)) == (A, None)


def test_a_key_added_while_it_runs_runs_again_afterwards(queue: WorkQueue) -> None:
    """One run per key at a time, and no lost wake-up."""
    queue.add(A)
    assert take(queue) == A
    queue.add(A)
    assert take(queue) is None
    queue.done(A)
    assert take(queue) == A


def test_lanes_go_before_order_of_arrival(queue: WorkQueue) -> None:
    """A rollback overtakes a person's change, which overtakes a resync."""
    queue.add(A, Lane.RESYNC)
    queue.add(B, Lane.USER)
    queue.add(C, Lane.ROLLBACK)
    assert [take(queue), take(queue), take(queue)] == [C, B, A]


def test_a_waiting_key_moves_to_a_faster_lane_and_never_back(queue: WorkQueue) -> None:
    """The fastest lane that was asked for counts."""
    queue.add(A, Lane.USER)
    queue.add(B, Lane.RESYNC)
    queue.add(B, Lane.ROLLBACK)
    queue.add(B, Lane.RESYNC)
    assert [take(queue), take(queue), take(queue)] == [B, A, None]


def test_the_lane_of_a_key_added_while_it_runs_is_kept(queue: WorkQueue) -> None:
    """A rollback that arrives during a resync is a rollback afterwards."""
    queue.add(A, Lane.RESYNC)
    take(queue)
    queue.add(A, Lane.ROLLBACK)
    queue.done(A)
    work = queue.get(block=False)
    assert work is not None
    assert work.lane is Lane.ROLLBACK


def test_a_storm_of_changes_does_not_stop_the_resync(queue: WorkQueue) -> None:
    """One pick in sixteen goes to the lowest lane."""
    resync = Key(DEPLOYMENT, "shop", "resync")
    queue.add(resync, Lane.RESYNC)
    picked = []
    for _ in range(16):
        queue.add(A, Lane.USER)
        queue.add(B, Lane.USER)
        work = queue.get(block=False)
        assert work is not None
        picked.append(work.key)
        queue.done(work.key)
    assert resync in picked


def test_the_earliest_timer_counts(queue: WorkQueue, clock: TurnedClock) -> None:
    """A later timer does not put off an earlier one."""
    queue.add_after(A, 5)
    queue.add_after(A, 50)
    assert queue.next_due() == clock.time + 5
    clock.time += 5
    assert take(queue) == A


def test_an_earlier_timer_replaces_a_later_one(queue: WorkQueue, clock: TurnedClock) -> None:
    """Only one timer is left, the earlier."""
    queue.add_after(A, 50)
    queue.add_after(A, 5)
    clock.time += 5
    assert take(queue) == A
    queue.done(A)
    clock.time += 100
    assert take(queue) is None


def test_starting_a_run_drops_the_timer(queue: WorkQueue, clock: TurnedClock) -> None:
    """The run decides anew when to look again."""
    queue.add_after(A, 5)
    queue.add(A)
    take(queue)
    queue.done(A)
    assert queue.next_due() is None
    clock.time += 5
    assert take(queue) is None


def test_a_timer_set_during_the_run_stays(queue: WorkQueue, clock: TurnedClock) -> None:
    """What is asked for while a key runs is not lost with the run."""
    queue.add(A)
    take(queue)
    queue.add_after(A, 5)
    queue.done(A)
    clock.time += 5
    assert take(queue) == A


def test_back_off_doubles_up_to_its_limit_with_full_jitter(queue: WorkQueue) -> None:
    """The n-th failure waits between 0 and min(300, 2^n) seconds."""
    for count in range(20):
        assert 0 <= queue.retry(A, Lane.USER) <= min(BACKOFF_LIMIT, 2**count)
    assert queue.failing() == 1


@pytest.mark.parametrize(
    "reset",
    [
        pytest.param(lambda queue: queue.forget(A), id="success"),
        pytest.param(lambda queue: queue.add(A, fresh=True), id="new-generation"),
        pytest.param(lambda queue: queue.drop(A), id="deleted"),
    ],
)
def test_back_off_starts_anew(queue: WorkQueue, reset: object) -> None:
    """Success, a new generation and deletion forget the failures."""
    for _ in range(10):
        queue.retry(A, Lane.USER)
    reset(queue)  # type: ignore[operator]  # one of the lambdas above
    assert queue.retry(A, Lane.USER) <= 1


def test_a_rollback_never_waits_for_old_failures(queue: WorkQueue) -> None:
    """An object that has failed for an hour is tried again within seconds once it rolls back."""
    for _ in range(12):
        queue.retry(A, Lane.USER)
    delays = [queue.retry(A, Lane.ROLLBACK) for _ in range(20)]
    assert min(delays) >= 0
    assert 1 < max(delays) <= ROLLBACK_LIMIT


def test_a_change_does_not_wait_for_the_back_off(queue: WorkQueue) -> None:
    """A key in back-off runs at once when it is added."""
    for _ in range(10):
        queue.retry(A, Lane.USER)
    queue.add(A)
    assert take(queue) == A


def test_waiting_is_measured_from_when_the_key_was_due(queue: WorkQueue, clock: TurnedClock) -> None:
    """A timer's key waits from the timer, not from when somebody looked."""
    queue.add_after(A, 10)
    clock.time += 25
    work = queue.get(block=False)
    assert work is not None
    assert work.waited == 15


def test_waiting_starts_when_the_replica_leads(queue: WorkQueue, clock: TurnedClock) -> None:
    """What waited on a standby does not count as the workers' delay."""
    queue.add(A)
    clock.time += 3600
    queue.open()
    assert queue.oldest_wait() == 0
    clock.time += 2
    assert queue.oldest_wait() == 2


def test_gauges(queue: WorkQueue, clock: TurnedClock) -> None:
    """Depth by lane, timers and runs are what they say."""
    queue.add(A, Lane.USER)
    queue.add(B, Lane.RESYNC)
    queue.add_after(C, 5)
    take(queue)
    clock.time += 1
    assert queue.depth() == {Lane.ROLLBACK: 0, Lane.USER: 0, Lane.RESYNC: 1}
    assert (queue.delayed(), queue.running(), queue.longest_run()) == (1, 1, 1)


def test_replaced_timers_do_not_pile_up(queue: WorkQueue, clock: TurnedClock) -> None:
    """The heap is cleaned of dropped timers, so memory follows the number of keys."""
    for _ in range(10_000):
        queue.add_after(A, 60)
        queue.add(A)
        take(queue)
        queue.done(A)
    assert len(queue._heap) < 3000


def test_a_closed_queue_hands_out_nothing() -> None:
    """Closing wakes everyone who waits."""
    queue = WorkQueue(SystemClock())
    results: list[object] = []
    threads = [threading.Thread(target=lambda: results.append(queue.get())) for _ in range(3)]
    for thread in threads:
        thread.start()
    queue.close()
    for thread in threads:
        thread.join(5)
    queue.add(A)
    assert (results, queue.get()) == ([None, None, None], None)


def test_many_threads_run_each_key_alone_and_miss_nothing() -> None:
    """Under real threads and timers every added key runs after its last add, never twice at once."""
    queue = WorkQueue(SystemClock())
    keys = [Key(DEPLOYMENT, "shop", str(number)) for number in range(20)]
    wanted, seen = dict.fromkeys(keys, 0), dict.fromkeys(keys, 0)
    active: set[Key] = set()
    overlaps: list[Key] = []
    settled = threading.Event()
    guard = threading.Lock()

    def work() -> None:
        while (taken := queue.get()) is not None:
            with guard:
                if taken.key in active:
                    overlaps.append(taken.key)
                active.add(taken.key)
                version = wanted[taken.key]
            with guard:
                seen[taken.key] = version
                active.discard(taken.key)
            queue.done(taken.key)
            with guard:
                if seen == wanted and all(wanted.values()):
                    settled.set()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    rng = random.Random(7)
    for number in range(2000):
        key = rng.choice(keys)
        with guard:
            wanted[key] = number + 1
            settled.clear()
        if number % 3:
            queue.add(key, rng.choice(list(Lane)))
        else:
            queue.add_after(key, rng.uniform(0, 0.01))
    assert settled.wait(20)
    queue.close()
    for thread in threads:
        thread.join(5)
    assert overlaps == []


class QueueModel(RuleBasedStateMachine):
    """The queue against a naive model: sets of waiting, running and to-be-rerun keys, and timers."""

    def __init__(self) -> None:
        """Start both empty."""
        super().__init__()
        self.clock = TurnedClock()
        self.queue = WorkQueue(self.clock, rng=random.Random(0))
        self.waiting: dict[Key, Lane] = {}
        self.running: set[Key] = set()
        self.again: dict[Key, Lane] = {}
        self.timers: dict[Key, tuple[float, Lane]] = {}

    def enqueue(self, key: Key, lane: Lane) -> None:
        """Add to the model, as the queue should."""
        target = self.again if key in self.running else self.waiting
        target[key] = min(lane, target.get(key, lane))

    def fire(self) -> None:
        """Move due timers of the model."""
        for key, (at, lane) in sorted(self.timers.items(), key=lambda item: item[1][0]):
            if at <= self.clock.time:
                del self.timers[key]
                self.enqueue(key, lane)

    @rule(key=st.sampled_from((A, B, C)), lane=st.sampled_from(list(Lane)))
    def add(self, key: Key, lane: Lane) -> None:
        """Add to both."""
        self.queue.add(key, lane)
        self.enqueue(key, lane)

    @rule(key=st.sampled_from((A, B, C)), lane=st.sampled_from(list(Lane)), delay=st.integers(1, 20))
    def add_after(self, key: Key, lane: Lane, delay: int) -> None:
        """Set a timer in both."""
        self.queue.add_after(key, delay, lane)
        at, fastest = self.timers.get(key, (float("inf"), lane))
        self.timers[key] = (min(at, self.clock.time + delay), min(fastest, lane))

    @rule(seconds=st.integers(0, 15))
    def wait(self, seconds: int) -> None:
        """Turn the clock."""
        self.clock.time += seconds

    @rule()
    def get(self) -> None:
        """Take from both."""
        self.fire()
        work = self.queue.get(block=False)
        if work is None:
            assert not self.waiting
            return
        assert work.lane == self.waiting.pop(work.key)
        assert work.key not in self.running
        self.timers.pop(work.key, None)
        self.running.add(work.key)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        """Give a running key back to both."""
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.queue.done(key)
        self.running.discard(key)
        if key in self.again:
            self.enqueue(key, self.again.pop(key))

    @invariant()
    def nothing_is_lost(self) -> None:
        """Say when the next key is due, as the model does."""
        due = self.queue.next_due()
        if self.waiting:
            assert due == self.clock.time
        elif self.timers:
            assert due is not None
            assert due <= max(self.clock.time, min(at for at, _ in self.timers.values()))


QueueModel.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestQueueModel = QueueModel.TestCase
TestQueueModel.__doc__ = "Every order of operations leaves the queue where the model is."
