"""Waiting for a condition with a deadline: the only way in which these tests let time pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_LOOK_EVERY_S = 0.1


def until(probe: Callable[[], T | None], what: str, *, seconds: float = 45.0) -> T:
    """Return the first true answer of `probe`; fails with `what` when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := probe()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(_LOOK_EVERY_S)
    return answer
