"""From a status that changes to a sink that is told, over restarts, other leaders and a broken API server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from sluice.model.errors import Retryable
from sluice.model.keys import Key
from sluice.notify.audience import ANNOTATION, Audience, Membership
from sluice.notify.courier import Courier
from sluice.notify.metrics import NotificationMetrics
from sluice.notify.notifier import SAVE, TIDY, Notifier, Surroundings, TellingRecorder
from sluice.notify.outbox import Outbox
from unit.notify.told import KEY, Board, Clock, FakeSink, Shelf, counted, deployment, ended, rollout
from unit.notify.told import condition as raw_condition

Object = Mapping[str, Any]


class Recorder:
    """Keeps Events."""

    def __init__(self) -> None:
        """Begin with none."""
        self.events: list[tuple[str, str]] = []

    def event(self, obj: Object, *, type_: str, reason: str, message: str) -> None:
        """Keep one."""
        del obj, type_
        self.events.append((reason, message))


class Replica:
    """A leader of one life, on a shelf and objects that outlive it."""

    def __init__(
        self,
        board: Board,
        objects: dict[Key, Object],
        *,
        clock: Clock,
        memberships: tuple[Membership, ...] = (),
    ) -> None:
        """Make it; `lead` begins."""
        self.clock, self.board, self.objects = clock, board, objects
        self.sink, self.recorder, self.registry = FakeSink(), Recorder(), CollectorRegistry()
        self.away = False
        metrics = NotificationMetrics(self.registry)
        outbox = Outbox(["chat"], expire_after=3600)
        self.courier = Courier(self.sink, outbox, clock=clock, metrics=metrics)
        self.notifier = Notifier(
            Surroundings(
                audience=Audience(memberships or (Membership(sink="chat"),), labels=self._labels),
                outbox=outbox,
                shelf=Shelf(board),
                couriers=[self.courier],
                snapshot=lambda: dict(self.objects),
                recorder=self.recorder,
                clock=clock,
                metrics=metrics,
            )
        )

    def _labels(self, _namespace: str) -> Mapping[str, str]:
        if self.away:
            raise Retryable("the API server is away")
        return {"tier": "gold"}

    def lead(self) -> bool:
        """Take over, without threads."""
        self.notifier.listen()
        return self.notifier.load()

    def write(self, status: Mapping[str, Any], **members: Any) -> None:
        """Write the object's status, as a pass does, and let the notifier hear of it."""
        before = self.objects.get(KEY)
        self.objects[KEY] = deployment(status, **members)
        self.notifier.changed(before, self.objects[KEY])

    def work(self) -> list[str]:
        """Do what the threads would; return what was told so far."""
        while self.notifier.step():
            pass
        while self.courier.step() is not None:
            pass
        return self.sink.ids

    def save(self) -> None:
        """Let the time pass after which the shelf is written."""
        self.clock.time += SAVE
        self.notifier.step()


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


@pytest.fixture
def first(clock: Clock) -> Replica:
    """The first leader ever."""
    replica = Replica(Board(), {KEY: deployment({})}, clock=clock)
    assert replica.lead()
    return replica


def successor(before: Replica) -> Replica:
    """Return the next leader; nothing of the one before is left but shelf and objects."""
    after = Replica(before.board, before.objects, clock=before.clock)
    assert after.lead()
    return after


def test_a_rollout_is_told_from_start_to_end(first: Replica) -> None:
    """Each event once, in order, however often the status is written."""
    for stage in ("Starting", "ScalingUp", "ScalingUp", "Stepping"):
        first.write({"rollout": rollout(stage)})
    first.write({"rollout": rollout("Baking", provenWeight=1000)})
    first.write({"history": [ended()]})
    assert first.work() == ["r1/Started", "r1/Promoted", "r1/Succeeded"]


def test_the_first_leader_ever_tells_nothing_old(clock: Clock) -> None:
    """Switching notifications on is no reason to tell of last week."""
    obj = deployment({"rollout": rollout(), "history": [ended("RolledBack", id="r0")]})
    replica = Replica(Board(), {KEY: obj}, clock=clock)
    assert replica.lead()
    assert replica.work() == []
    replica.write({"rollout": rollout("RollingBack"), "history": [ended("RolledBack", id="r0")]})
    assert replica.work() == ["r1/RollingBack"]
    replica.save()
    assert successor(replica).work() == []


def test_a_crash_before_telling_loses_nothing(first: Replica) -> None:
    """The status was written, the process died: the next leader reads it there."""
    first.work()
    first.clock.time += 400
    first.write({"rollout": rollout()})
    first.clock.time += 30
    first.write({"history": [ended("RolledBack", durationSeconds=830)]})
    after = successor(first)
    assert after.work() == ["r1/RolledBack"]
    after.save()
    assert successor(after).work() == []


def test_a_crash_after_accepting_loses_nothing(first: Replica) -> None:
    """What was taken and written to the shelf is told by the next leader, from the shelf alone."""
    first.write({"rollout": rollout("RollingBack")})
    first.notifier.step()
    first.save()
    first.objects.clear()
    assert sorted(successor(first).work()) == ["r1/RollingBack", "r1/Started"]


def test_what_was_told_is_not_told_by_the_next_leader(first: Replica) -> None:
    """Once the shelf says so."""
    first.write({"rollout": rollout("Baking", provenWeight=1000)})
    assert first.work() == ["r1/Started", "r1/Promoted"]
    first.save()
    first.clock.time += 3000
    assert successor(first).work() == []


def test_a_stale_shelf_tells_twice_under_the_same_id(first: Replica) -> None:
    """At least once, not at most once: receivers drop it by the id."""
    first.work()
    first.write({"rollout": rollout()})
    assert first.work() == ["r1/Started"]
    assert successor(first).work() == ["r1/Started"]


def test_what_happened_while_nobody_led_is_told(first: Replica) -> None:
    """A status that a dying leader wrote and nobody heard of stands there for the next one."""
    first.work()
    first.clock.time += 10
    first.objects[KEY] = deployment({"conditions": [raw_condition("Stalled", "AccessDenied")]})
    assert successor(first).work() == ["/Stalled/AccessDenied/1794999900"]


def test_a_standby_hears_nothing(clock: Clock) -> None:
    """Its watch sees every change, too."""
    standby = Replica(Board(), {KEY: deployment({})}, clock=clock)
    standby.write({"rollout": rollout()})
    standby.notifier.event(standby.objects[KEY], reason="DriftFound", message="m")
    assert standby.notifier._queue.empty()


def test_rest_costs_no_write(first: Replica) -> None:
    """An hour without news is an hour without a request, and a burst is one write in a while."""
    first.work()
    writes = len(first.board.writes)
    for _ in range(3600):
        first.clock.time += 1
        first.notifier.step()
    assert len(first.board.writes) == writes
    for number in range(100):
        first.write({"rollout": rollout(id=f"r{number}")})
        first.notifier.step()
    first.clock.time += SAVE
    first.work()
    assert len(first.board.writes) <= writes + 2


def test_what_deleted_objects_left_standing_is_forgotten(first: Replica) -> None:
    """Nobody tells of their end, and a document that grew with each of them would one day be too large."""
    for number in range(50):
        first.write({"rollout": rollout(id=f"r{number}")})
        del first.objects[KEY]
        first.objects[KEY] = deployment({})
    first.work()
    first.save()
    assert len(json.loads(first.board.text or "")["standing"]) == 50
    first.clock.time += TIDY
    first.work()
    first.save()
    assert json.loads(first.board.text or "")["standing"] == []


def test_a_defect_while_taking_over_is_tried_again(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread outlives it, and tells once it is over."""
    replica = Replica(Board(), {KEY: deployment({})}, clock=clock)
    answers = iter([RuntimeError("a defect")])

    def settle_others(_self: Outbox, _ids: object, *, now: float) -> None:
        del now
        for error in answers:
            raise error

    monkeypatch.setattr(Outbox, "settle_others", settle_others)
    replica.notifier.start()
    try:
        replica.write({"rollout": rollout()})
        for _ in range(1000):
            if replica.sink.told:
                break
            replica.notifier._ending.wait(0.01)
    finally:
        replica.notifier.stop(5)
    assert replica.sink.ids == ["r1/Started"]


def test_another_leaders_write_is_merged(first: Replica) -> None:
    """A conflict: the shelf is read, and what both know is written."""
    first.work()
    other = successor(first)
    other.notifier.event(other.objects[KEY], reason="DriftRepaired", message="desiredCount 3 → 2")
    other.notifier.step()
    other.save()
    first.write({"rollout": rollout()})
    first.notifier.step()
    first.save()
    pending = json.loads(first.board.text or "")["pending"]
    assert {entry["moment"]["event"] for entry in pending} == {"Drift", "Started"}
    assert counted(first.registry, "sluice_notification_outbox_writes_total", outcome="conflict") == 1


def test_a_shelf_that_cannot_be_read_is_waited_for(clock: Clock) -> None:
    """Nothing is guessed meanwhile, and what is heard stands in the queue."""
    replica = Replica(Board(broken=True), {KEY: deployment({})}, clock=clock)
    assert not replica.lead()
    replica.write({"rollout": rollout()})
    replica.board.broken = False
    assert replica.notifier.load()
    assert replica.work() == ["r1/Started"]


def test_a_shelf_that_cannot_be_written_stops_nobody(first: Replica) -> None:
    """Sinks are told all the same; the write is tried again later, not at every step."""
    first.work()
    first.board.broken = True
    first.write({"rollout": rollout()})
    assert first.work() == ["r1/Started"]
    for _ in range(60):
        first.clock.time += 1
        first.notifier.step()
    failures = counted(first.registry, "sluice_notification_outbox_writes_total", outcome="failed")
    assert 2 <= failures <= 8
    first.board.broken = False
    first.clock.time += 60
    first.notifier.step()
    assert counted(first.registry, "sluice_notification_outbox_writes_total", outcome="ok") >= 2


def test_a_shelf_with_something_else_is_begun_anew(clock: Clock) -> None:
    """Somebody's hand in the ConfigMap: said in the log, and no flood of old news."""
    replica = Replica(Board(text="{}"), {KEY: deployment({"history": [ended()]})}, clock=clock)
    assert replica.lead()
    assert replica.work() == []
    assert json.loads(replica.board.text or "")["version"] == 1


def test_drift_is_heard_from_events(first: Replica) -> None:
    """Found or repaired; the Event itself goes on to Kubernetes, and other Events are no news."""
    told = TellingRecorder(first.recorder, first.notifier.event)
    for reason in ("DriftRepaired", "WeightChanged"):
        told.event(first.objects[KEY], type_="Warning", reason=reason, message="desiredCount 3 → 2")
    assert len(first.recorder.events) == 2
    first.work()
    (moment,) = first.sink.told
    assert (moment.event, moment.reason, moment.message) == ("Drift", "DriftRepaired", "desiredCount 3 → 2")


def test_an_annotation_decides_and_is_answered(first: Replica) -> None:
    """`off` is obeyed; a name that means nothing is told on the object, once."""
    first.write({"rollout": rollout()}, annotations={ANNOTATION: "off"})
    first.write({"rollout": rollout("RollingBack")}, annotations={ANNOTATION: "pager, chat"})
    first.write({"history": [ended("RolledBack")]}, annotations={ANNOTATION: "pager, chat"})
    assert first.work() == ["r1/RollingBack", "r1/RolledBack"]
    assert first.recorder.events == [
        ("NotificationIgnored", f"{ANNOTATION}: no notification sink of this namespace is called pager")
    ]


def test_the_namespaces_labels_are_waited_for(clock: Clock) -> None:
    """Only by the notifier's own thread; at the process's end the moment is left to the next leader."""
    golden = (Membership(sink="chat", namespace_labels={"tier": "gold"}),)
    replica = Replica(Board(), {KEY: deployment({})}, clock=clock, memberships=golden)
    assert replica.lead()
    replica.write({"rollout": rollout()})
    replica.away = True
    replica.notifier._ending.set()
    assert replica.work() == []
    assert successor(replica).work() == ["r1/Started"]


def test_a_flood_never_holds_up_a_pass(first: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the queue's bound news is counted and dropped."""
    monkeypatch.setattr(first.notifier._queue, "maxsize", 2)
    for number in range(4):
        first.write({"rollout": rollout(id=f"r{number}")})
    dropped = {"sink": "", "event": "Started", "outcome": "dropped"}
    assert counted(first.registry, "sluice_notifications_total", **dropped) == 2


def test_threads_begin_and_end_with_the_shelf_written(first: Replica) -> None:
    """A graceful end writes what is known, so that the next leader tells nothing twice."""
    replica = Replica(first.board, first.objects, clock=first.clock)
    replica.notifier.start()
    replica.write({"rollout": rollout()})
    for _ in range(500):
        if replica.sink.told:
            break
        replica.notifier._ending.wait(0.01)
    replica.notifier.stop(5)
    assert replica.sink.ids == ["r1/Started"]
    assert not replica.notifier._thread.is_alive()
    assert successor(replica).work() == []
    assert json.loads(first.board.text or "")["standing"]
