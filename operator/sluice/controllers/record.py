"""The object of a pass as it was last read or written, so that every write follows the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sluice.model.keys import FINALIZER, Key
from sluice.ports import Object, World
from sluice.telemetry import tracing


class Record:
    """One custom resource during one pass. Writes raise WriteConflict; nothing may follow one."""

    def __init__(self, world: World, key: Key, obj: Object) -> None:
        """Start from what the store handed out."""
        self._world = world
        self.key = key
        self.obj = obj

    @property
    def status(self) -> Mapping[str, Any]:
        """Return the status as last read or written."""
        return self.obj.get("status") or {}

    @property
    def generation(self) -> int:
        """Return the generation of the spec that the pass works on."""
        return int(self.obj["metadata"]["generation"])

    @property
    def uid(self) -> str:
        """Return the object's uid."""
        return str(self.obj["metadata"].get("uid", ""))

    @property
    def finalizers(self) -> Sequence[str]:
        """Return the finalizers as last read or written."""
        return self.obj["metadata"].get("finalizers") or ()

    def save(self, status: Mapping[str, Any]) -> bool:
        """Write the status if it differs; tell whether it did."""
        if dict(status) == dict(self.status):
            return False
        with tracing.span("write status"):
            self._keep(self._world.kubernetes.patch_status(self.obj, status))
        return True

    def hold(self) -> None:
        """Make sure that our finalizer is there, before anything is made in AWS."""
        if FINALIZER not in self.finalizers:
            self._finalizers([*self.finalizers, FINALIZER])

    def release(self) -> None:
        """Take our finalizer away: nothing of the object is left in AWS."""
        self._finalizers([name for name in self.finalizers if name != FINALIZER])

    def note(self, *, type_: str, reason: str, message: str) -> None:
        """Record an Event about the object."""
        self._world.recorder.event(self.obj, type_=type_, reason=reason, message=message)
        self._world.ledger.told(self.key, reason, message)

    def _finalizers(self, wanted: Sequence[str]) -> None:
        with tracing.span("write finalizers"):
            self._keep(self._world.kubernetes.set_finalizers(self.obj, wanted))

    def _keep(self, obj: Object) -> None:
        self.obj = obj
        self._world.store.newest(self.key, obj["metadata"]["resourceVersion"])
