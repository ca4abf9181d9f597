"""A read that is kept: by age, never past a drop, and absence only where the reader says so."""

from __future__ import annotations

import pytest

from sluice.model.errors import AwsFailure
from sluice.observe.cache import AgedCache
from sluice.observe.own_writes import OwnWrites
from sluice.observe.source import FactsSettings, Source
from unit.observe.conftest import StillClock, TableAws, failure


@pytest.fixture
def clock() -> StillClock:
    """Time moves when a test says so."""
    return StillClock()


@pytest.fixture
def source(clock: StillClock) -> Source:
    """A source whose calls do not matter."""
    return Source(aws=TableAws(), clock=clock, settings=FactsSettings(), writes=OwnWrites(clock, window=5.0))


def test_a_value_is_read_again_when_it_is_too_old(source: Source, clock: StillClock) -> None:
    """Its age is the asker's to choose."""
    cache: AgedCache[str, int] = AgedCache(10)
    answers = iter([1, 2])
    assert [source.aged(cache, "k", max_age=9, read=lambda: next(answers)) for _ in range(2)] == [1, 1]
    clock.seconds += 5
    assert source.aged(cache, "k", max_age=4, read=lambda: next(answers)) == 2


def test_what_is_not_there_is_asked_for_each_time(source: Source) -> None:
    """A person may be making it."""
    cache: AgedCache[str, int] = AgedCache(10)
    asked = []

    def read() -> int:
        asked.append("k")
        raise failure("ServiceNotFound", "not-found")

    assert [source.aged(cache, "k", max_age=9, read=read) for _ in range(2)] == [None, None]
    assert len(asked) == 2


def test_absence_that_the_reader_returns_is_kept(source: Source) -> None:
    """None is a value like any other."""
    cache: AgedCache[str, int | None] = AgedCache(10)
    answers = iter([None])
    assert [source.aged(cache, "k", max_age=9, read=lambda: next(answers)) for _ in range(2)] == [None, None]


def test_a_drop_during_the_read_is_not_undone(source: Source) -> None:
    """A write of ours came in between: what the read says may be from before it."""
    cache: AgedCache[str, int] = AgedCache(10)

    def read() -> int:
        cache.drop("k")
        return 1

    assert source.aged(cache, "k", max_age=9, read=read) == 1
    assert cache.peek("k") is None


def test_other_failures_are_the_askers(source: Source) -> None:
    """Throttled is not absent."""
    cache: AgedCache[str, int] = AgedCache(10)

    def read() -> int:
        raise failure("ThrottlingException", "throttled")

    with pytest.raises(AwsFailure):
        source.aged(cache, "k", max_age=9, read=read)
