"""Every moment has its death, a child's end is its own, and what goes wrong in a child is told."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from sim.deaths import Mortal, every_death
from sim.operator_process import Crash


def story(
    *times: float, then: Callable[[], None] = lambda: None
) -> Callable[[Mortal], tuple[int, list[str]]]:
    """Return a story of one write at each of these times; a death is followed by `then`."""

    def live(hook: Mortal) -> tuple[int, list[str]]:
        hook.begin()
        for number, now in enumerate(times):
            hook.now = lambda now=now: now  # type: ignore[misc]
            try:
                hook("before", f"write {number}")
                hook("after", f"write {number}")
            except Crash:
                then()
        return os.getpid(), list(hook.calls)

    return live


def test_each_moment_has_one_death_in_a_process_of_its_own() -> None:
    """Before a write only where time has passed since the last one; the parent goes on undisturbed."""
    (own, calls), deaths, names = every_death(story(0.0, 0.0, 5.0))
    assert (own, calls, names) == (os.getpid(), ["write 0", "write 1", "write 2"], calls)
    assert [(death.at, death.when) for death in deaths] == [
        (1, "before"),
        (1, "after"),
        (2, "after"),
        (3, "before"),
        (3, "after"),
    ]
    assert len({own, *(death.verdict[0] for death in deaths)}) == 6
    assert all(death.verdict[1] == calls for death in deaths)


def test_a_stride_chooses() -> None:
    """Every second moment, from the second one on."""
    _, deaths, _ = every_death(story(0.0, 0.0, 5.0), first=1, stride=2)
    assert [str(death) for death in deaths] == [
        "crash after call 1 (write 0)",
        "crash before call 3 (write 2)",
    ]


def test_what_fails_after_a_death_fails_the_test() -> None:
    """With the child's own traceback and the moment."""

    def broken() -> None:
        raise RuntimeError("an orphan is left")

    with pytest.raises(AssertionError, match=r"crash before call 1 \(write 0\)(.|\n)*an orphan is left"):
        every_death(story(0.0, then=broken))


def test_a_child_that_ends_without_a_word_fails_the_test() -> None:
    """Killed, it has no verdict, and none is made up."""
    with pytest.raises(AssertionError, match="ended without a word"):
        every_death(story(0.0, then=lambda: os._exit(3)))
