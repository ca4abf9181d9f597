"""Many threads, few calls, and nobody served with what was read before they asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from sluice.model.errors import AwsFailure, Deferred
from sluice.observe.batching import Batcher, ScopedName
from sluice.observe.cache import AgedCache


class Clock:
    """Time stands still."""

    def now(self) -> float:
        """Return zero."""
        return 0.0

    def monotonic(self) -> float:
        """Return zero."""
        return 0.0


class Slow:
    """A reader that waits at a gate and counts."""

    def __init__(self, outcome: Callable[[Sequence[str]], dict[str, str]]) -> None:
        """Answer with `outcome` once the gate is open."""
        self.began = threading.Semaphore(0)
        self.gate = threading.Event()
        self.reads: list[list[str]] = []
        self.outcome = outcome

    def __call__(self, names: Sequence[str]) -> dict[str, str]:
        """Read."""
        self.reads.append(list(names))
        self.began.release()
        assert self.gate.wait(10)
        return self.outcome(names)


def batcher(limit: int = 3) -> Batcher[str]:
    """Return an empty batcher."""
    cache: AgedCache[ScopedName, str] = AgedCache(100)
    return Batcher(cache, clock=Clock(), limit=limit)


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, ten seconds at most."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        threading.Event().wait(0.001)


def failed(kind: str, names: Sequence[str] = ()) -> AwsFailure:
    """Return what a read raises."""
    return AwsFailure(service="s", operation="o", code="c", message=",".join(names), kind=kind)  # type: ignore[arg-type]


def queue_up(subject: Batcher[str], read: Slow, pool: ThreadPoolExecutor, names: str) -> list[Future[str]]:
    """Start a read of the first name, then ask for the others while it is under way."""
    first = pool.submit(subject.get, "scope", names[0], max_age=0, read=read)
    assert read.began.acquire(timeout=10)
    others = [pool.submit(subject.get, "scope", name, max_age=0, read=read) for name in names[1:]]
    queued = subject._scope("scope").queued
    until(lambda: queued >= set(names[1:]))
    read.gate.set()
    return [first, *others]


def test_who_comes_during_a_read_shares_the_next_one() -> None:
    """Seven questions are three calls: the first alone, then as many as a call takes."""
    read = Slow(lambda names: {name: name.upper() for name in names})
    with ThreadPoolExecutor(8) as pool:
        answers = queue_up(batcher(), read, pool, "abcdefg")
        assert [answer.result(10) for answer in answers] == list("ABCDEFG")
    assert [len(names) for names in read.reads] == [1, 3, 3]


def test_nobody_joins_a_read_that_began_before_the_question() -> None:
    """The same name asked during a read is read again: the world may have moved."""
    values = iter(["old", "new"])
    read = Slow(lambda names: dict.fromkeys(names, next(values)))
    with ThreadPoolExecutor(2) as pool:
        first, second = queue_up(batcher(), read, pool, "aa")
        assert (first.result(10), second.result(10)) == ("old", "new")


def test_an_age_is_served_without_a_call() -> None:
    """Who accepts an age gets the cached answer."""
    subject = batcher()
    reads: list[Sequence[str]] = []

    def read(names: Sequence[str]) -> dict[str, str]:
        reads.append(names)
        return dict.fromkeys(names, "v")

    subject.get("scope", "a", max_age=0, read=read)
    assert subject.get("scope", "a", max_age=5, read=read) == "v"
    assert len(reads) == 1


def test_one_timeout_is_enough_for_everybody_who_waited() -> None:
    """Those whose names a failed read covered fail with it instead of trying one by one."""

    def broken(names: Sequence[str]) -> dict[str, str]:
        if "a" in names:
            return {"a": "A"}
        raise failed("unavailable", sorted(names))  # whoever flies first is named first

    read = Slow(broken)
    with ThreadPoolExecutor(4) as pool:
        first, *others = queue_up(batcher(), read, pool, "abcd")
        assert first.result(10) == "A"
        for answer in others:
            with pytest.raises(AwsFailure, match="b,c,d"):
                answer.result(10)
    assert len(read.reads) == 2


def test_a_failure_is_not_remembered_for_later_questions() -> None:
    """The next question reads again."""
    subject = batcher()

    def broken(_names: Sequence[str]) -> dict[str, str]:
        raise failed("unavailable")

    with pytest.raises(AwsFailure):
        subject.get("scope", "a", max_age=0, read=broken)
    assert subject.get("scope", "a", max_age=0, read=lambda names: dict.fromkeys(names, "v")) == "v"


def test_one_forbidden_name_does_not_spoil_the_others() -> None:
    """A batch that IAM denies is asked name by name, each for itself."""

    def guarded(names: Sequence[str]) -> dict[str, str]:
        if "d" in names:
            raise failed("denied", names)
        return {name: name.upper() for name in names}

    read = Slow(guarded)
    with ThreadPoolExecutor(4) as pool:
        answers = queue_up(batcher(), read, pool, "abcd")
        assert [answer.result(10) for answer in answers[:3]] == ["A", "B", "C"]
        with pytest.raises(AwsFailure):
            answers[3].result(10)


def test_a_missing_token_is_nobody_elses_failure() -> None:
    """Budget depends on the priority of who asks, so everybody asks for themselves."""
    turns = iter([{"a": "A"}, Deferred(1.0, "b"), {"b": "B"}, {"c": "C"}])

    def metered(names: Sequence[str]) -> dict[str, str]:
        turn = next(turns)
        if isinstance(turn, Exception):
            raise turn
        return dict.fromkeys(names, "v") | turn

    read = Slow(metered)
    with ThreadPoolExecutor(3) as pool:
        _, *others = queue_up(batcher(), read, pool, "abc")
        outcomes = [answer.exception(10) for answer in others]
    assert sorted(outcome is None for outcome in outcomes) == [False, True]


def test_a_batch_with_room_takes_others_along() -> None:
    """Names to fill up with are read in the same call and cached."""
    subject = batcher(limit=5)
    reads: list[list[str]] = []

    def read(names: Sequence[str]) -> dict[str, str]:
        reads.append(list(names))
        return {name: name.upper() for name in names}

    limits: list[int] = []

    def fill(limit: int) -> list[str]:
        limits.append(limit)
        return ["x", "a", "y"]

    assert subject.get("scope", "a", max_age=0, read=read, fill=fill) == "A"
    assert subject.get("scope", "y", max_age=5, read=read) == "Y"
    assert (reads, limits) == ([["a", "x", "y"]], [5])
