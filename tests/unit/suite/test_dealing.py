"""How tests are dealt out to workers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dealing import dealt

Item = tuple[int, str]


def _deal(items: list[Item], workers: int) -> list[Item]:
    return dealt(
        items,
        workers=workers,
        waits=lambda item: float(item[1] == "waits"),
        computes=lambda item: float(item[1] == "computes"),
    )


def _blocks(order: list[Item], workers: int) -> list[list[str]]:
    """Return the kinds of each worker's block, as xdist cuts them."""
    blocks, left = [], list(order)
    for worker in range(workers):
        size = len(left) // (workers - worker)
        block, left = left[:size], left[size:]
        blocks.append([kind for _, kind in block])
    return blocks


@given(
    kinds=st.lists(st.sampled_from(["waits", "computes", "short", "short", "short"]), max_size=80),
    workers=st.integers(1, 9),
)
def test_nothing_is_lost_and_what_waits_is_shared(kinds: list[str], workers: int) -> None:
    """Every item runs once; of the blocks that begin with waiting none has two more than another one."""
    items = list(enumerate(kinds))
    order = _deal(items, workers)
    assert sorted(order) == items
    heads = [
        next((at for at, kind in enumerate(block) if kind != "waits"), len(block))
        for block in _blocks(order, workers)[: workers - workers // 4]
    ]
    if kinds.count("short") >= len(kinds) / 2 and len(kinds) >= 4 * workers * max(heads, default=0):
        assert max(heads, default=0) - min(heads, default=0) <= 1


def test_one_worker_in_four_computes_meanwhile() -> None:
    """It begins with what computes long, and the others have none of it before the end."""
    kinds = ["short"] * 80 + ["computes"] * 6 + ["waits"] * 9
    order = _deal(list(enumerate(kinds)), 4)
    assert [block.count("waits") for block in _blocks(order, 4)] == [3, 3, 3, 0]
    assert _blocks(order, 4)[3][:6] == ["computes"] * 6


def test_two_workers_both_wait() -> None:
    """What computes long comes right after."""
    kinds = ["short"] * 20 + ["computes"] * 2 + ["waits"] * 4
    first = _blocks(_deal(list(enumerate(kinds)), 2), 2)[0]
    assert first[:4] == ["waits", "waits", "computes", "computes"]


def test_the_longest_are_spread() -> None:
    """No worker has two of the long ones while another one has none."""
    items = [("short", 1.0)] * 20 + [("long", 100.0)] * 3 + [("unit", 0.0)] * 60
    order = dealt(items, workers=3, waits=lambda item: item[1], computes=lambda _: 0.0)
    size = len(items) // 3
    assert [order[at * size : (at + 1) * size].count(("long", 100.0)) for at in range(3)] == [1, 1, 1]
