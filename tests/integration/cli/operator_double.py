"""The part of the operator that verbs meet: it hears annotations by the operator's own code and answers.

Nothing is rolled out: the verb is recorded in the status as handled, and told by the operator's recorder.
"""

from __future__ import annotations

import dataclasses
import threading
from typing import Any, Self

from integration.runtime.cluster_desk import Desk
from sluice.model.errors import WriteConflict
from sluice.model.keys import DEPLOYMENT, Key
from sluice.plan.deployment.state import State
from sluice.plan.progressive.persons import person_of
from sluice.runtime.recorder import EventRecorder


class OperatorDouble:
    """A thread that looks at one Deployment again and again until it is stopped."""

    def __init__(self, desk: Desk, name: str) -> None:
        """Look at `name`."""
        self._desk = desk
        self._key = Key(DEPLOYMENT, desk.namespace, name)
        self._recorder = EventRecorder(desk.server, clock=desk.clock, metrics=desk.metrics)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.passes = 0

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End, and wait for the end."""
        self._over.set()
        self._thread.join(10)

    def _work(self) -> None:
        while not self._over.wait(0.02):
            found = self._desk.api.read(self._key)
            if found is not None:
                self._pass(dict(found))

    def _pass(self, obj: dict[str, Any]) -> None:
        status = obj["status"]
        heard = person_of(obj["metadata"].get("annotations") or {}, State.read(status))
        self.passes += 1
        # Every pass writes, as in a rollout: whoever writes beside it must expect conflicts.
        after = {**status, "intents": dict(heard.state.intents), "replicas": self.passes % 100}
        try:
            self._desk.api.patch_status(obj, after)
        except WriteConflict:
            return
        said = [note for note in heard.notes if note.reason == "VerbIgnored"]
        for note in said:
            self._recorder.event(obj, type_=note.type, reason=note.reason, message=note.message)
        for word, value in dataclasses.asdict(heard.person).items():
            if value not in (None, False):
                verb = word.replace("_", "-")
                self._recorder.event(obj, type_="Normal", reason="VerbHandled", message=verb)
        while self._recorder.drain_one():
            pass
