"""The outbox: each moment once for each sink, whatever is restarted, and never too many."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.model.keys import DEPLOYMENT, Key
from sluice.notify.moment import Moment
from sluice.notify.outbox import LARGEST, PER_SINK, SLACK, Outbox
from unit.notify.told import NOW, moment

HOUR = 3600.0


def outbox(*sinks: str, lost: list[tuple[str, str, str]] | None = None) -> Outbox:
    """Return an outbox for these sinks that has begun."""
    made = Outbox(
        sinks or ("chat",),
        expire_after=HOUR,
        lost=lambda sink, entry, why: (lost if lost is not None else []).append(
            (sink, entry.rollout_id, why)
        ),
    )
    made.begin(now=NOW)
    return made


def waiting(box: Outbox, sink: str = "chat", *, now: float = NOW) -> list[str]:
    """Take everything that waits for a sink; return the rollouts' ids."""
    found = []
    while (entry := box.head(sink, now=now, timeout=0)) is not None:
        found.append(entry.rollout_id)
        box.done(sink, entry)
    return found


def again(box: Outbox, *sinks: str, now: float = NOW) -> Outbox:
    """Return the outbox of the next process."""
    text, _ = box.document(now=now)
    made = Outbox(sinks or ("chat",), expire_after=HOUR)
    made.load(text, now=now)
    return made


def test_a_moment_is_taken_once() -> None:
    """Its id decides, not who heard of it how often."""
    box = outbox()
    assert box.accept(moment(), ["chat"], now=NOW)
    assert not box.accept(moment(at=NOW + 5), ["chat"], now=NOW + 5)
    assert waiting(box) == ["r1"]
    assert not box.accept(moment(), ["chat"], now=NOW + 9)


def test_each_sink_has_its_own_queue() -> None:
    """What one has got the other still waits for."""
    box = outbox("chat", "pager")
    box.accept(moment(1), ["chat", "pager"], now=NOW)
    box.accept(moment(2), ["pager"], now=NOW)
    assert waiting(box, "chat") == ["r1"]
    assert box.states()["pager"].pending == 2
    assert waiting(box, "pager") == ["r1", "r2"]


def test_what_is_not_told_survives() -> None:
    """The next process tells it, to whom it was not told."""
    box = outbox("chat", "pager")
    box.accept(moment(1), ["chat", "pager"], now=NOW)
    box.accept(moment(2), ["chat"], now=NOW)
    assert waiting(box, "pager") == ["r1"]
    after = again(box, "chat", "pager")
    assert (waiting(after, "chat"), waiting(after, "pager")) == (["r1", "r2"], [])


def test_what_was_told_is_known_afterwards() -> None:
    """Neither a recent moment nor a standing one is told again by the next process."""
    box = outbox()
    box.accept(moment(1), ["chat"], now=NOW)
    box.accept(moment(2, event="Paused", standing=True), ["chat"], now=NOW)
    waiting(box)
    after = again(box)
    assert not after.accept(moment(1), ["chat"], now=NOW)
    assert not after.accept(moment(2, event="Paused", standing=True), ["chat"], now=NOW)


def test_old_ids_are_forgotten_because_time_tells() -> None:
    """The document stays small: what the statuses date before `since` is known without its id."""
    box = outbox()
    for number in range(50):
        box.accept(moment(number), ["chat"], now=NOW)
    waiting(box)
    text, _ = box.document(now=NOW + 10 * SLACK)
    assert json.loads(text)["recent"] == {}
    after = again(box, now=NOW + 10 * SLACK)
    assert after.dated_before(NOW)
    assert not after.dated_before(NOW + 10 * SLACK - SLACK / 2)


def test_what_stands_no_more_may_come_again() -> None:
    """A second stall for the same reason is told again once the first is over for a while."""
    box = outbox()
    stall = moment(event="Stalled", standing=True)
    box.accept(stall, ["chat"], now=NOW)
    box.settle([stall.id], now=NOW)
    box.document(now=NOW + 2 * SLACK)
    assert box.accept(stall, ["chat"], now=NOW + 2 * SLACK)


def test_what_waits_too_long_is_given_up_and_counted() -> None:
    """Yesterday's pause helps nobody."""
    lost: list[tuple[str, str, str]] = []
    box = outbox(lost=lost)
    box.accept(moment(1), ["chat"], now=NOW)
    box.accept(moment(2, at=NOW + HOUR), ["chat"], now=NOW + HOUR)
    assert waiting(box, now=NOW + HOUR + 1) == ["r2"]
    assert lost == [("chat", "r1", "expired")]


def test_a_full_queue_gives_up_its_oldest() -> None:
    """A dead sink keeps the newest, and only its own."""
    lost: list[tuple[str, str, str]] = []
    box = outbox("chat", "pager", lost=lost)
    box.accept(moment(0), ["chat", "pager"], now=NOW)
    for number in range(1, PER_SINK + 1):
        box.accept(moment(number), ["chat"], now=NOW)
    assert lost == [("chat", "r0", "dropped")]
    assert box.states()["pager"].pending == 1
    assert box.states()["chat"].pending == PER_SINK


def test_a_restless_namespace_costs_no_other_its_news() -> None:
    """Whoever floods a sink that many share loses news of his own."""
    lost: list[tuple[str, str, str]] = []
    box = outbox("chat", lost=lost)
    quiet = dataclasses.replace(moment(0), key=Key(DEPLOYMENT, "pay", "ledger"))
    box.accept(quiet, ["chat"], now=NOW)
    for number in range(1, PER_SINK + 6):
        box.accept(moment(number), ["chat"], now=NOW)
    assert lost == [("chat", f"r{number}", "dropped") for number in range(1, 7)]
    assert box.head("chat", now=NOW, timeout=0) == quiet


def test_a_refused_moment_goes_behind() -> None:
    """The others are not held up by it."""
    box = outbox()
    box.accept(moment(1), ["chat"], now=NOW)
    box.accept(moment(2), ["chat"], now=NOW)
    head = box.head("chat", now=NOW, timeout=0)
    assert head is not None
    box.behind("chat", head)
    assert waiting(box) == ["r2", "r1"]


def test_a_sink_that_is_gone_is_named() -> None:
    """What waited for it is not kept, and whoever loads may say so."""
    box = outbox("chat", "old")
    box.accept(moment(), ["chat", "old"], now=NOW)
    text, _ = box.document(now=NOW)
    made = Outbox(["chat"], expire_after=HOUR)
    assert made.load(text, now=NOW) == ("old",)
    assert waiting(made) == ["r1"]


def test_two_documents_are_merged() -> None:
    """After a conflict nothing that either leader knew or still had to tell is lost."""
    theirs, ours = outbox(), outbox()
    theirs.accept(moment(1), ["chat"], now=NOW)
    ours.accept(moment(2), ["chat"], now=NOW)
    ours.load(theirs.document(now=NOW)[0], now=NOW)
    ours.load(theirs.document(now=NOW)[0], now=NOW)
    assert sorted(waiting(ours)) == ["r1", "r2"]


def _holding(**changes: object) -> str:
    """Return a document whose pending moment has a member of another type."""
    entry = {"moment": moment().kept() | changes, "sinks": ["chat"]}
    return json.dumps({"version": 1, "since": 0, "recent": {}, "standing": [], "pending": [entry]})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 2}',
        '{"version": 1, "since": 0, "recent": [], "standing": [], "pending": []}',
        '{"version": 1, "since": 0, "recent": {}, "standing": [], "pending": [{"moment": {"key": ["Pod"]}}]}',
        '{"version": 1, "since": 0, "recent": {"a": null}, "standing": [], "pending": []}',
        _holding(at="yesterday"),
        _holding(id=7),
    ],
)
def test_what_is_no_outbox_is_refused_and_changes_nothing(text: str) -> None:
    """Somebody's hand in the ConfigMap must not stop the operator, nor half of it be believed."""
    box = outbox()
    with pytest.raises(ValueError, match="not an outbox"):
        box.load(text, now=NOW)
    assert waiting(box) == []


def test_the_document_fits_into_a_config_map() -> None:
    """With every queue full of long messages the oldest stay in memory alone."""
    sinks = [f"sink-{number}" for number in range(16)]
    box = outbox(*sinks)
    for number in range(PER_SINK * len(sinks)):
        entry = dataclasses.replace(moment(number, at=NOW + number), message="é" * 1000)
        box.accept(entry, [sinks[number % len(sinks)]], now=NOW)
    text, _ = box.document(now=NOW)
    assert len(text.encode()) <= LARGEST
    kept = json.loads(text)["pending"]
    assert kept
    assert kept[-1]["moment"]["rollout_id"] == f"r{PER_SINK * len(sinks) - 1}"


def test_nothing_new_is_no_new_version() -> None:
    """Looking costs no write."""
    box = outbox()
    box.accept(moment(), ["chat"], now=NOW)
    _, version = box.document(now=NOW)
    box.head("chat", now=NOW, timeout=0)
    box.states()
    box.accept(moment(), ["chat"], now=NOW)
    assert box.version == version
    waiting(box)
    assert box.version > version


def test_a_closed_outbox_hands_out_nothing() -> None:
    """The process ends: what waits is the next one's."""
    box = outbox()
    box.accept(moment(), ["chat"], now=NOW)
    box.close()
    assert box.head("chat", now=NOW, timeout=0) is None
    assert waiting(again(box)) == ["r1"]


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("accept"), st.integers(0, 8), st.booleans()),
            st.tuples(st.just("deliver"), st.integers(0, 0), st.booleans()),
            st.tuples(st.just("save"), st.integers(0, 0), st.booleans()),
            st.tuples(st.just("crash"), st.integers(0, 0), st.booleans()),
        ),
        max_size=40,
    )
)
def test_at_least_once_over_crashes(steps: list[tuple[str, int, bool]]) -> None:
    """Whatever was accepted, and stands in a status after a crash, is delivered in the end.

    A crash forgets all since the last save; the next leader reads the statuses, that is, everything that was
    ever accepted, and accepts what the document does not know.
    """
    box, told, happened, now = outbox(), set[str](), dict[str, Moment](), NOW
    saved, _ = box.document(now=now)
    for what, number, standing in steps:
        now += 7
        if what == "accept":
            entry = happened.setdefault(f"r{number}", moment(number, at=now, standing=standing))
            box.accept(entry, ["chat"], now=now)
        elif what == "deliver" and (entry_ := box.head("chat", now=now, timeout=0)):
            told.add(entry_.rollout_id)
            box.done("chat", entry_)
        elif what == "save":
            saved, _ = box.document(now=now)
        elif what == "crash":
            box = Outbox(["chat"], expire_after=HOUR)
            box.load(saved, now=now)
            for entry in happened.values():
                if entry.standing or not box.dated_before(entry.at):
                    box.accept(entry, ["chat"], now=now)
    told |= set(waiting(box, now=now))
    assert told == set(happened)
