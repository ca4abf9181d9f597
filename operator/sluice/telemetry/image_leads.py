"""Lead times that begin with an image: asked for beside the passes, so that none waits for a registry.

One thread; a question that finds no AWS budget waits for it, one that fails is given up and said once for
each repository in an hour. What a leader did not ask before its end has no lead time.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sluice.model.errors import Deferred, SluiceError
from sluice.model.keys import Key
from sluice.telemetry.log import logger

MOST: Final = 500
"""Questions that wait; rollouts end by dozens, not by hundreds a minute."""
QUIET: Final = 3600.0
"""Seconds for which a repository that could not be asked is left alone."""
_log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """When were these images made?"""

    key: Key
    images: tuple[str, ...]
    """As the spec has them."""
    answer: Callable[[float], None]
    """Takes the newest of the times, epoch seconds."""


class ImageLeads:
    """See the module. `runtime.process.Duty`; `step` is the thread's step, for tests."""

    def __init__(
        self,
        pushed_at: Callable[[Key, str], float | None],
        *,
        now: Callable[[], float],
        repository: Callable[[str], str],
    ) -> None:
        """Ask `pushed_at(key, image)`; `repository(image)` is '' for what can't be asked."""
        self._pushed_at = pushed_at
        self._now = now
        self._repository = repository
        self._questions: queue.Queue[Question | None] = queue.Queue(MOST)
        self._quiet: dict[str, float] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="image-times", daemon=True)

    def ask(self, question: Question) -> None:
        """Take a question; never waits. Beyond MOST it is dropped: a figure, no decision."""
        if any(self._repository(image) for image in question.images):
            try:
                self._questions.put_nowait(question)
            except queue.Full:
                _log.warning("image_time_unknown", detail="too many questions wait", **_of(question.key))

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End; questions that wait are forgotten."""
        self._ending.set()
        if self._thread.ident is not None:
            with contextlib.suppress(queue.Full):  # full, it is awake
                self._questions.put_nowait(None)
            self._thread.join(timeout)

    def step(self, *, block: bool = False) -> bool:
        """Answer one question; False when there is none."""
        try:
            question = self._questions.get(block=block)
        except queue.Empty:
            return False
        if question is None or self._ending.is_set():
            return False
        times = [self._time(question.key, image) for image in question.images]
        known = [time for time in times if time is not None]
        if known:
            question.answer(max(known))
        return True

    def _time(self, key: Key, image: str) -> float | None:
        repository = self._repository(image)
        if not repository or self._quiet.get(repository, 0.0) > self._now():
            return None
        while not self._ending.is_set():
            try:
                return self._pushed_at(key, image)
            except Deferred as later:
                self._ending.wait(max(0.0, later.until - self._now()))
            except SluiceError as error:
                self._quiet[repository] = self._now() + QUIET
                _log.warning("image_time_unknown", image=image, detail=str(error), **_of(key))
                return None
        return None

    def _work(self) -> None:
        while not self._ending.is_set():
            try:
                self.step(block=True)
            except Exception:  # noqa: BLE001 - a figure must not end its thread
                _log.exception("image_time_crashed")


def _of(key: Key) -> dict[str, str]:
    return {"namespace": key.namespace, "name": key.name}
