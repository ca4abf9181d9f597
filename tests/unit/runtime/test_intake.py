"""News becomes keys: which, in which lane, and what the sweep finds."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping
from typing import Any

import pytest
from runtime_fakes import TurnedClock, deployment, route

from sluice.model.errors import WriteConflict
from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key
from sluice.runtime.intake import Intake, Sweep
from sluice.runtime.queue import Lane, WorkQueue
from sluice.runtime.store import ObjectStore

CHECKOUT = Key(DEPLOYMENT, "shop", "checkout")
CART = Key(DEPLOYMENT, "shop", "cart")
WEB = Key(SERVICE_ROUTE, "shop", "web")
RESTING = {"observedGeneration": 1}


class Desk:
    """An intake with its store and queue, and an API server that is a dictionary."""

    def __init__(self, clock: TurnedClock) -> None:
        """Start empty."""
        self.store = ObjectStore(clock)
        self.queue = WorkQueue(clock, rng=random.Random(1))
        self.intake = Intake(self.store, self.queue)
        self.server: dict[Key, dict[str, Any]] = {}
        self.reads: list[Key] = []
        self.sweep = Sweep(self.store, self.intake, list_keys=self._list, read=self._read)

    def _list(self) -> Mapping[Key, tuple[str, str]]:
        return {
            key: (obj["metadata"]["uid"], obj["metadata"]["resourceVersion"])
            for key, obj in self.server.items()
        }

    def _read(self, key: Key) -> Mapping[str, Any] | None:
        self.reads.append(key)
        return self.server.get(key)

    def work(self) -> dict[Key, Lane]:
        """Take everything that is queued."""
        taken = {}
        while work := self.queue.get(block=False):
            taken[work.key] = work.lane
            self.queue.done(work.key)
        return taken


@pytest.fixture
def desk(clock: TurnedClock) -> Desk:
    """A fresh desk."""
    return Desk(clock)


@pytest.mark.parametrize(
    ("obj", "listed", "lane"),
    [
        pytest.param(deployment(status=RESTING), True, Lane.RESYNC, id="listed-at-rest"),
        pytest.param(deployment(), True, Lane.USER, id="listed-never-reconciled"),
        pytest.param(
            deployment(generation=2, status=RESTING), True, Lane.USER, id="listed-changed-meanwhile"
        ),
        pytest.param(
            deployment(status=RESTING | {"rollout": {"id": "x"}}), True, Lane.USER, id="listed-in-motion"
        ),
        pytest.param(deployment(status=RESTING, deletionTimestamp="t"), True, Lane.USER, id="listed-deleted"),
        pytest.param(deployment(status=RESTING), False, Lane.USER, id="created"),
        pytest.param(deployment(annotations={"sluice.dev/abort": "r1"}), False, Lane.ROLLBACK, id="abort"),
        pytest.param(
            deployment(annotations={"sluice.dev/undo": "r1"}), True, Lane.ROLLBACK, id="undo-listed"
        ),
        pytest.param(
            deployment(annotations={"sluice.dev/abort": "r1"}, status={"intents": {"abort": "r1"}}),
            False,
            Lane.USER,
            id="abort-handled",
        ),
    ],
)
def test_lane_of_an_object(desk: Desk, obj: dict[str, Any], listed: bool, lane: Lane) -> None:  # noqa: FBT001
    """A restart's objects at rest are resyncs; what a person did is not; an abort is a rollback."""
    desk.intake.seen(CHECKOUT, obj, listed=listed)
    assert desk.work() == {CHECKOUT: lane}


def test_an_echo_wakes_nobody(desk: Desk) -> None:
    """Own writes come back through the watch and are dropped."""
    desk.intake.seen(CHECKOUT, deployment(version=1))
    desk.work()
    desk.intake.wrote(CHECKOUT, deployment(version=2, status=RESTING))
    desk.intake.seen(CHECKOUT, deployment(version=2, status=RESTING))
    assert desk.work() == {}


def test_published_traffic_wakes_the_routes_at_once(desk: Desk) -> None:
    """The own write of `status.traffic` hands over to the routes without the watch (§7 point 9)."""
    desk.intake.seen(WEB, route("web", "checkout"))
    desk.intake.seen(CHECKOUT, deployment(version=1))
    desk.work()
    desk.intake.wrote(CHECKOUT, deployment(version=2, status={"traffic": {"seq": 1}}))
    assert desk.work() == {WEB: Lane.USER}
    desk.intake.wrote(CHECKOUT, deployment(version=3, status={"traffic": {"seq": 1}, "phase": "x"}))
    assert desk.work() == {}


def test_an_acknowledgement_wakes_the_deployments_at_once(desk: Desk) -> None:
    """The own write of `status.backends` hands over to every Deployment that the route names."""
    desk.intake.seen(WEB, route("web", "checkout", "cart"))
    desk.work()
    desk.intake.wrote(WEB, route("web", "checkout", "cart", version=2, status={"backends": [{"seq": 1}]}))
    assert desk.work() == {CHECKOUT: Lane.USER, CART: Lane.USER}


def _named(status: dict[str, Any], version: int) -> dict[str, Any]:
    found = route("web", version=version, status={"discovery": status} if status else None)
    return found | {"spec": {"discovery": {"backendRef": {"name": "checkout"}}}}


@pytest.mark.parametrize(
    ("before", "after", "woken"),
    [
        pytest.param({}, {"acknowledgement": {"seq": 1}}, True, id="acknowledged"),
        pytest.param({}, {"registryArn": "arn"}, True, id="registry"),
        pytest.param({"instances": 2}, {"instances": 0}, True, id="nothing left"),
        pytest.param({"instances": 1, "pendingOperations": 1}, {"instances": 1}, False, id="one still there"),
        pytest.param({"instances": 2}, {"instances": 3, "healthy": 1}, False, id="counts"),
        pytest.param({"leaving": [{}], "settled": True}, {"settled": True}, True, id="the last has left"),
        pytest.param({}, {"settled": True}, True, id="settled"),
    ],
)
def test_what_discovery_tells_wakes_the_deployment(
    desk: Desk,
    before: dict[str, Any],
    after: dict[str, Any],
    woken: bool,  # noqa: FBT001 - a table's column
) -> None:
    """An acknowledgement, a registry and the last instance's end are what a Deployment waits for."""
    desk.intake.seen(WEB, _named(before, 1))
    desk.work()
    desk.intake.wrote(WEB, _named(after, 2))
    assert desk.work() == ({CHECKOUT: Lane.USER} if woken else {})


def test_changed_services_wake_the_routes_that_give_names_to_tasks(desk: Desk) -> None:
    """New counts or revisions of a Deployment's services are news for a name, not for rules."""
    other = Key(SERVICE_ROUTE, "shop", "admin")
    desk.intake.seen(WEB, _named({}, 1))
    desk.intake.seen(other, route("admin", "checkout", uid="r2"))
    desk.intake.seen(CHECKOUT, deployment(version=1))
    desk.work()
    desk.intake.wrote(CHECKOUT, deployment(version=2, status={"slots": [{"name": "a", "running": 1}]}))
    assert desk.work() == {WEB: Lane.USER}


def test_a_changed_route_wakes_former_and_present_deployments(desk: Desk) -> None:
    """A Deployment that a route no longer names has to know."""
    desk.intake.seen(WEB, route("web", "checkout"))
    desk.work()
    desk.intake.seen(WEB, route("web", "cart", version=2, generation=2))
    assert desk.work() == {WEB: Lane.USER, CHECKOUT: Lane.USER, CART: Lane.USER}


def test_deletion_wakes_the_key_and_the_other_side(desk: Desk) -> None:
    """The other side may be waiting for exactly this."""
    desk.intake.seen(WEB, route("web", "checkout"))
    desk.intake.seen(CHECKOUT, deployment())
    desk.work()
    desk.intake.gone(CHECKOUT, "u1")
    assert desk.work() == {CHECKOUT: Lane.USER, WEB: Lane.USER}
    desk.intake.gone(CHECKOUT, "u1")
    assert desk.work() == {}


def test_the_write_that_releases_an_object_is_its_deletion(desk: Desk) -> None:
    """The other side need not wait for the DELETED event."""
    desk.intake.seen(WEB, route("web", "checkout"))
    desk.intake.seen(CHECKOUT, deployment(deletionTimestamp="t", finalizers=["f"]))
    desk.work()
    desk.intake.wrote(CHECKOUT, deployment(version=2, deletionTimestamp="t", finalizers=[]))
    assert desk.work() == {CHECKOUT: Lane.USER, WEB: Lane.USER}


def test_a_restart_keeps_everything_in_the_slow_lane(desk: Desk) -> None:
    """Listing objects at rest and their routes wakes nobody faster than a resync."""
    traffic = RESTING | {"traffic": {"seq": 3}}
    desk.intake.seen(WEB, route("web", "checkout", status=RESTING), listed=True)
    desk.intake.seen(CHECKOUT, deployment(status=traffic), listed=True)
    assert desk.work() == {WEB: Lane.RESYNC, CHECKOUT: Lane.RESYNC}


def test_a_new_generation_starts_the_back_off_anew(desk: Desk) -> None:
    """A person's fix does not inherit the failures of what it fixes."""
    desk.intake.seen(CHECKOUT, deployment())
    for _ in range(9):
        desk.queue.retry(CHECKOUT, Lane.USER)
    desk.intake.seen(CHECKOUT, deployment(version=2))
    assert desk.queue.failing() == 1
    desk.intake.seen(CHECKOUT, deployment(version=3, generation=2))
    assert desk.queue.failing() == 0


def test_the_sweep_finds_a_missed_deletion(desk: Desk) -> None:
    """An object that is no longer listed is dropped and its key runs once."""
    desk.intake.seen(CHECKOUT, deployment())
    desk.work()
    assert desk.sweep.run() == 1
    assert desk.work() == {CHECKOUT: Lane.USER}
    assert desk.sweep.run() == 0
    assert desk.work() == {}


def test_the_sweep_finds_missed_objects_and_changes(desk: Desk) -> None:
    """Listed keys that are not in the store, or older there, are read."""
    desk.intake.seen(CHECKOUT, deployment(version=1, status=RESTING))
    desk.work()
    desk.server = {
        CHECKOUT: deployment(version=4, generation=2, status=RESTING),
        CART: deployment("cart", version=3, uid="u2"),
    }
    assert sorted(desk.sweep.missing()) == [CART]
    assert desk.sweep.run() == 2
    assert desk.work() == {CHECKOUT: Lane.USER, CART: Lane.USER}
    assert desk.sweep.missing() == []


def test_the_sweep_finds_an_object_made_again_under_its_name(desk: Desk) -> None:
    """A new uid is a deletion and a creation that were both missed."""
    desk.intake.seen(CHECKOUT, deployment(version=1))
    desk.work()
    desk.server = {CHECKOUT: deployment(version=9, uid="u2")}
    desk.sweep.run()
    assert desk.work() == {CHECKOUT: Lane.USER}
    found = desk.store.get(CHECKOUT)
    assert found is not None
    assert found["metadata"]["uid"] == "u2"


def test_the_sweep_reads_nothing_that_is_known(desk: Desk) -> None:
    """At rest a sweep costs its lists and nothing else."""
    desk.server = {CHECKOUT: deployment(version=3)}
    desk.intake.seen(CHECKOUT, deployment(version=3))
    desk.sweep.run()
    desk.intake.seen(CHECKOUT, deployment(version=5))  # the list was made before the change
    desk.sweep.run()
    assert desk.reads == []


def test_the_watch_may_be_faster_than_the_answer(desk: Desk) -> None:
    """What is heard of an object that is being written waits for the answer, and is its echo then."""
    desk.intake.seen(CHECKOUT, deployment(version=1))
    desk.work()
    with desk.intake.writing(CHECKOUT):
        desk.intake.seen(CHECKOUT, deployment(version=2))
        desk.intake.wrote(CHECKOUT, deployment(version=2))
    assert desk.work() == {}


def test_a_foreign_change_during_a_write_is_news_after_it(desk: Desk) -> None:
    """Holding back loses nothing: neither what came after the own write nor what made it fail."""
    desk.intake.seen(CHECKOUT, deployment(version=1))
    desk.work()
    with desk.intake.writing(CHECKOUT):
        desk.intake.seen(CHECKOUT, deployment(version=2))
        desk.intake.seen(CHECKOUT, deployment(version=3, generation=2))
        desk.intake.wrote(CHECKOUT, deployment(version=2))
    assert desk.work() == {CHECKOUT: Lane.USER}
    with contextlib.suppress(WriteConflict), desk.intake.writing(CHECKOUT):
        desk.intake.seen(CHECKOUT, deployment(version=4, generation=3))
        raise WriteConflict("somebody was faster")
    assert desk.work() == {CHECKOUT: Lane.USER}


def test_a_deletion_during_a_write_is_heard_at_once(desk: Desk) -> None:
    """The dead are buried whatever is being written, and the late answer brings nobody back."""
    desk.intake.seen(CHECKOUT, deployment(version=1))
    desk.work()
    with desk.intake.writing(CHECKOUT):
        desk.intake.seen(CHECKOUT, deployment(version=2))
        desk.intake.gone(CHECKOUT, "u1")
        desk.intake.wrote(CHECKOUT, deployment(version=2))
    assert desk.store.get(CHECKOUT) is None


def test_whoever_wrote_it_a_change_is_told_once(desk: Desk) -> None:
    """Own writes and what the watch delivers are told with what was there before; echoes are not."""
    told: list[tuple[object, object]] = []
    intake = Intake(
        desk.store, desk.queue, changed=lambda before, after: told.append((version(before), version(after)))
    )
    intake.seen(CHECKOUT, deployment(version=1), listed=True)
    intake.wrote(CHECKOUT, deployment(version=2))
    intake.seen(CHECKOUT, deployment(version=2))
    intake.seen(CHECKOUT, deployment(version=3))
    assert told == [(None, "1"), ("1", "2"), ("2", "3")]


def version(obj: Mapping[str, Any] | None) -> object:
    """Return an object's resourceVersion."""
    return None if obj is None else obj["metadata"]["resourceVersion"]
