"""How tests are dealt out to workers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dealing import dealt


@given(kinds=st.lists(st.booleans(), max_size=60), workers=st.integers(1, 6))
def test_nothing_is_lost_and_each_block_begins_with_its_share(kinds: list[bool], workers: int) -> None:
    """Every item runs once; no block has two waiting ones more than another one at its beginning."""
    items = list(enumerate(kinds))
    order = dealt(items, workers=workers, waits=lambda item: float(item[1]))
    assert sorted(order) == items
    heads = []
    left = list(order)
    for worker in range(workers):
        size = len(left) // (workers - worker)
        block, left = left[:size], left[size:]
        heads.append(next((at for at, item in enumerate(block) if not item[1]), len(block)))
    if kinds.count(False) >= len(kinds) / 2:
        assert max(heads, default=0) - min(heads, default=0) <= 1


def test_the_longest_are_spread() -> None:
    """No worker has two of the long ones while another one has none."""
    items = [("short", 1.0)] * 20 + [("long", 100.0)] * 3 + [("unit", 0.0)] * 60
    order = dealt(items, workers=3, waits=lambda item: item[1])
    size = len(items) // 3
    assert [order[at * size : (at + 1) * size].count(("long", 100.0)) for at in range(3)] == [1, 1, 1]
