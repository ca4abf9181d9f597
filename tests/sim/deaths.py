"""Every death of a story in one telling: where the process would die, the whole universe is forked.

A story told again from its beginning for each of its deaths is mostly the same story told again. Here it is
told once; at each chosen call the interpreter forks, the child's process dies there and the child tells the
story to its end and what it came to, while the parent waits and then goes on as if nothing had happened.
So what a child sees before its death is not merely equal to what the others saw, it is the same.

A death right before a call is told apart from the one right after the call before only where time has passed
between the two: without it the world is the same, and what the process remembered is gone in both.
"""

from __future__ import annotations

import gc
import os
import pickle
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sim.operator_process import Crash
from sim.universe import Crashes

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Death(Generic[V]):
    """One end of the process: at which write (counted from 1), before or after it, and what came of it."""

    at: int
    when: str
    call: str
    verdict: V

    def __str__(self) -> str:
        """Return it as a failure names it."""
        return f"crash {self.when} call {self.at} ({self.call})"


class Mortal(Crashes):
    """Counts calls as `Crashes` does, and at each chosen moment lets a child of this process die of it.

    `now` is the universe's time, given once there is one. Nobody dies before `begin`: what many stories begin
    with is a story of its own. Of the moments after it every `stride`th is chosen, from number `first`
    (counted from 0) on.
    """

    def __init__(self, *, first: int = 0, stride: int = 1) -> None:
        """Only count until `begin`."""
        super().__init__()
        self.now: Callable[[], float] = lambda: 0.0
        self.died: tuple[int, str] | None = None
        """In a child: where it died."""
        self.answers: list[tuple[int, str, bytes]] = []
        self.moments = 0
        self._first, self._stride = first, stride
        self._begun = False
        self._last: float | None = None
        self._answer = -1

    def begin(self) -> None:
        """From the next call on there are deaths."""
        self._begun = True

    def __call__(self, when: str, name: str) -> None:
        """Count the call; raise Crash in the child that is made for this moment."""
        super().__call__(when, name)
        if not self._begun or self.died:
            return
        if when == "before":
            last, self._last = self._last, self.now()
            if last == self._last:
                return
        moment, self.moments = self.moments, self.moments + 1
        if moment >= self._first and (moment - self._first) % self._stride == 0:
            self._fork(when, name)

    def _fork(self, when: str, name: str) -> None:
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            # Python 3.12 warns of other threads' locks; a universe has no threads, a child tells by a pipe.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            os.close(reading)
            gc.disable()  # to look through everything would copy all that the parent has, page by page
            self.died, self._answer = (len(self.calls), when), writing
            raise Crash(f"{when} call {len(self.calls)}: {name}")
        os.close(writing)
        try:
            with os.fdopen(reading, "rb") as answer:
                self.answers.append((len(self.calls), when, answer.read()))
        except BaseException:
            os.kill(child, 9)
            raise
        finally:
            os.waitpid(child, 0)

    def tell(self, verdict: object) -> None:
        """In a child: hand over what came of it, and end: what was inherited is left alone."""
        try:
            with os.fdopen(self._answer, "wb") as answer:
                pickle.dump(verdict, answer)
        finally:
            os._exit(0)


@dataclass(frozen=True, slots=True)
class _Failed:
    """A child's traceback."""

    text: str


def every_death(
    live: Callable[[Mortal], V], *, first: int = 0, stride: int = 1
) -> tuple[V, list[Death[V]], list[str]]:
    """Tell a story with `live`, undisturbed and with each death; return both, and the names of all writes.

    `live` returns what the story came to, for a pickle. Raises AssertionError, with its traceback, where it
    raised after a death.
    """
    hook = Mortal(first=first, stride=stride)
    try:
        verdict = live(hook)
    except BaseException:
        if hook.died:
            hook.tell(_Failed(traceback.format_exc()))
        raise
    if hook.died:
        hook.tell(verdict)
    return verdict, [_death(hook, at, when, answer) for at, when, answer in hook.answers], hook.calls


def _death(hook: Mortal, at: int, when: str, answer: bytes) -> Death[V]:
    where = f"crash {when} call {at} ({hook.calls[at - 1]})"
    assert answer, f"{where}: the child ended without a word"
    verdict = pickle.loads(answer)
    assert not isinstance(verdict, _Failed), f"{where}: {verdict.text}"
    return Death(at, when, hook.calls[at - 1], verdict)
