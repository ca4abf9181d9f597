"""Leader election: who may write when, by monotonic time, and how the Lease changes hands."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runtime_fakes import TurnedClock

from sluice.model.errors import Retryable, WriteConflict
from sluice.runtime.lease import CALL_BUDGET, Elector, LeaseTimes

TIMES = LeaseTimes(duration=30, renew_deadline=20, retry_period=4)


class Server:
    """A Lease as an API server keeps it: conditional writes, and failures on request."""

    def __init__(self) -> None:
        """Without a Lease, healthy."""
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.down = False
        self.lose_answers = False

    def read_lease(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """Read."""
        self._check()
        return copy.deepcopy(self.lease)

    def create_lease(self, namespace: str, name: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create."""
        self._check()
        if self.lease is not None:
            raise WriteConflict("exists")
        return self._keep({"namespace": namespace, "name": name}, spec)

    def write_lease(self, lease: Mapping[str, Any], spec: Mapping[str, Any]) -> Mapping[str, Any]:
        """Replace under the resourceVersion."""
        self._check()
        assert self.lease is not None
        if lease["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise WriteConflict("changed")
        return self._keep(self.lease["metadata"], spec)

    def _keep(self, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> Mapping[str, Any]:
        self.version += 1
        self.lease = {"metadata": {**metadata, "resourceVersion": str(self.version)}, "spec": dict(spec)}
        if self.lose_answers:
            raise Retryable("the answer was lost")
        return copy.deepcopy(self.lease)

    def _check(self) -> None:
        if self.down:
            raise Retryable("no answer")


@pytest.fixture
def server() -> Server:
    """A server without a Lease."""
    return Server()


def elector(server: Server, clock: TurnedClock, identity: str) -> Elector:
    """Return a candidate."""
    return Elector(server, namespace="ns", name="sluice", identity=identity, times=TIMES, clock=clock)


def test_the_first_candidate_creates_the_lease_and_may_write(server: Server, clock: TurnedClock) -> None:
    """A Lease without history needs no wait."""
    one = elector(server, clock, "one")
    assert not one.valid_for(0)
    assert one.step()
    assert (one.epoch, one.settles_in, one.valid_for(10)) == (0, 0, True)


def test_a_second_candidate_waits_for_a_held_lease(server: Server, clock: TurnedClock) -> None:
    """While the holder renews nobody else leads."""
    one, two = elector(server, clock, "one"), elector(server, clock, "two")
    one.step()
    for _ in range(20):
        clock.time += 4
        assert one.step()
        assert not two.step()


def test_a_lease_that_is_not_renewed_is_taken_after_its_duration(server: Server, clock: TurnedClock) -> None:
    """The successor counts from when it saw the last change, and then waits for the last call to land."""
    one, two = elector(server, clock, "one"), elector(server, clock, "two")
    one.step()
    two.step()
    clock.time += 29
    assert not two.step()
    clock.time += 1
    assert two.step()
    assert two.epoch == 1
    assert two.settles_in == CALL_BUDGET
    assert not two.valid_for(0)
    clock.time += CALL_BUDGET
    assert two.step()
    assert two.valid_for(10)


def test_a_released_lease_is_taken_at_once_without_a_wait(server: Server, clock: TurnedClock) -> None:
    """A clean shutdown leaves no write under way."""
    one, two = elector(server, clock, "one"), elector(server, clock, "two")
    one.step()
    two.step()
    one.release()
    assert not one.valid_for(0)
    assert two.step()
    assert (two.settles_in, two.valid_for(10), two.epoch) == (0, True, 1)


def test_the_guard_ends_before_the_lease(server: Server, clock: TurnedClock) -> None:
    """No write starts that the Lease would not outlive, renewed or not."""
    one = elector(server, clock, "one")
    one.step()
    server.down = True
    clock.time += 19
    assert one.step()
    assert one.valid_for(10)
    assert one.valid_for(11)
    assert not one.valid_for(12)


def test_a_leader_that_cannot_renew_gives_up(server: Server, clock: TurnedClock) -> None:
    """After the renew deadline it is no leader, although its Lease still lasts."""
    one = elector(server, clock, "one")
    one.step()
    server.down = True
    clock.time += 20
    assert not one.step()
    assert not one.valid_for(0)
    server.down = False


def test_a_lost_answer_to_a_renewal_is_found_by_reading(server: Server, clock: TurnedClock) -> None:
    """The next try reads the Lease that the lost one wrote, and renews it."""
    one = elector(server, clock, "one")
    one.step()
    clock.time += 4
    server.lose_answers = True
    one.step()
    server.lose_answers = False
    clock.time += 4
    assert one.step()
    assert one.valid_for(30)


def test_a_slow_answer_does_not_lengthen_the_lease(server: Server, clock: TurnedClock) -> None:
    """A renewal counts from before its request was sent."""
    one = elector(server, clock, "one")
    one.step()
    written = server.write_lease

    def slow(lease: Mapping[str, Any], spec: Mapping[str, Any]) -> Mapping[str, Any]:
        clock.time += 3
        return written(lease, spec)

    server.write_lease = slow  # type: ignore[method-assign]  # the slow way for one step
    one.step()
    assert one.valid_for(27)
    assert not one.valid_for(28)


@pytest.mark.parametrize("taken_by", [pytest.param("two", id="taken"), pytest.param("", id="emptied")])
def test_a_lease_taken_by_hand_ends_the_leadership(server: Server, clock: TurnedClock, taken_by: str) -> None:
    """Whoever finds another holder in its Lease stops at once."""
    one = elector(server, clock, "one")
    one.step()
    assert server.lease is not None
    server._keep(server.lease["metadata"], server.lease["spec"] | {"holderIdentity": taken_by})
    one.step()  # the write conflicts, so the next try reads
    one.step()
    assert not one.leading


def test_a_deleted_lease_ends_the_leadership(server: Server, clock: TurnedClock) -> None:
    """A successor could create it without waiting, so the old leader must not go on."""
    one = elector(server, clock, "one")
    one.step()
    server.lease = None
    server.write_lease = lambda *_: (_ for _ in ()).throw(WriteConflict("gone"))  # type: ignore[method-assign]
    one.step()
    one.step()
    assert not one.leading


def test_run_tells_once_of_leading_and_of_losing(server: Server) -> None:
    """`run` ends with the loss: the process has to."""
    clock = TurnedClock()
    told: list[str] = []
    led = threading.Event()
    times = LeaseTimes(duration=0.3, renew_deadline=0.2, retry_period=0.01)
    one = Elector(server, namespace="ns", name="s", identity="one", times=times, clock=clock)

    def lead() -> None:
        told.append("lead")
        led.set()

    thread = threading.Thread(
        target=one.run, kwargs={"on_lead": lead, "on_loss": lambda _: told.append("loss")}
    )
    thread.start()
    assert led.wait(5)
    server.down = True
    clock.time += 1
    thread.join(5)
    assert told == ["lead", "loss"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["one", "two", "three"]),
            st.sampled_from(["step", "step", "step", "step", "down", "up", "release", "restart"]),
            st.integers(0, 12),
        ),
        max_size=60,
    )
)
def test_two_never_may_write_together(schedule: list[tuple[str, str, int]]) -> None:
    """Whatever fails and whoever restarts, at most one candidate's guard says yes at any time."""
    server, clock = Server(), TurnedClock()
    candidates = {name: elector(server, clock, name) for name in ("one", "two", "three")}
    for number, (name, what, seconds) in enumerate(schedule):
        clock.time += seconds
        if what == "down":
            server.down = True
        elif what == "up":
            server.down = False
        elif what == "release":
            candidates[name].release()
        elif what == "restart":
            candidates[name] = elector(server, clock, f"{name}-{number}")
        else:
            candidates[name].step()
        assert sum(candidate.valid_for(0) for candidate in candidates.values()) <= 1
