"""The cache's laws: the newest read wins, an age is an age, and nothing survives a drop."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sluice.observe.cache import AgedCache, tick


@given(st.permutations(range(6)))
def test_the_newest_read_wins_in_whatever_order_reads_end(order: list[int]) -> None:
    """A slow read that began first never replaces what a later one told."""
    cache: AgedCache[str, int] = AgedCache(10)
    for moment in order:
        cache.put("k", moment, order=moment + 1, read_at=0.0)
    assert cache.peek("k") == 5


def test_a_put_returns_the_newer_value() -> None:
    """Who read too slowly is told what is true now."""
    cache: AgedCache[str, str] = AgedCache(10)
    cache.put("k", "new", order=5, read_at=0.0)
    assert cache.put("k", "old", order=4, read_at=0.0) == "new"


def test_a_read_under_way_does_not_survive_a_drop() -> None:
    """What began before a write of unknown outcome is not kept."""
    cache: AgedCache[str, str] = AgedCache(10)
    began = tick()
    cache.drop("k")
    assert cache.put("k", "old", order=began, read_at=0.0) == "old"
    assert cache.peek("k") is None
    cache.put("k", "new", order=tick(), read_at=0.0)
    assert cache.peek("k") == "new"


def test_age_zero_is_never_served() -> None:
    """`max_age` 0 reads now, even in the same instant (virtual time)."""
    cache: AgedCache[str, str] = AgedCache(10)
    cache.put("k", "v", order=tick(), read_at=5.0)
    assert cache.get("k", max_age=0, now=5.0) is None
    assert cache.get("k", max_age=1, now=5.0) is not None
    assert cache.get("k", max_age=1, now=6.5) is None


def test_absence_is_a_value() -> None:
    """That something does not exist is known, with an age."""
    cache: AgedCache[str, str | None] = AgedCache(10)
    cache.put("k", None, order=tick(), read_at=0.0)
    entry = cache.get("k", max_age=10, now=1.0)
    assert entry is not None
    assert entry.value is None


@given(st.lists(st.integers(0, 30), max_size=100))
def test_memory_is_bounded(keys: list[int]) -> None:
    """No sequence of puts and drops keeps more than the limit, and the newest put stays."""
    cache: AgedCache[int, int] = AgedCache(5)
    for key in keys:
        cache.put(key, key, order=tick(), read_at=0.0)
        assert cache.peek(key) == key
        cache.drop(key + 1)
    assert len(cache) <= 5


def test_the_longest_unread_come_first() -> None:
    """A batch with room takes along what was read longest ago, and nothing fresh."""
    cache: AgedCache[str, int] = AgedCache(10)
    for when, key in enumerate("abcd"):
        cache.put(key, when, order=tick(), read_at=float(when))
    cache.put("a", 9, order=tick(), read_at=9.0)
    assert cache.oldest(lambda key, _: key != "c", read_before=3.0, limit=5) == ["b", "d"]
    assert cache.oldest(lambda _key, _value: True, read_before=3.0, limit=1) == ["b"]


def test_a_choice_may_ask_the_cache_itself() -> None:
    """What is dropped may depend on values: whoever chooses looks them up without waiting for himself."""
    cache: AgedCache[str, int] = AgedCache(10)
    for key, value in (("low", 1), ("high", 9)):
        cache.put(key, value, order=tick(), read_at=0.0)
    cache.drop_where(lambda key: (cache.peek(key) or 0) > 5)
    assert (cache.peek("low"), cache.peek("high")) == (1, None)
