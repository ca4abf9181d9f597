"""Tasks of hooks that a process before this one left running: looked for at the first sight of an object.

A process stops what it started itself (`analysis.gates`). One that is killed between the status that gives an
attempt up and StopTask leaves the task; a status that was lost does not even name it. So each process asks
for the tasks of every object that may have some, after it wrote or found the status that says which are
waited for: one ListTasks, and none at rest after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sluice.controllers.gate_scene import started_by
from sluice.controllers.record import Record
from sluice.controllers.settings import ControllerSettings
from sluice.model.binding import CallContext
from sluice.model.keys import Key
from sluice.model.rollout import Rollout
from sluice.model.strategy import Progressive
from sluice.plan.deployment import history
from sluice.plan.deployment.state import State
from sluice.ports import GateScene, World
from sluice.rollout.hooks import attempts

RECENT: Final = 3600.0
"""Seconds after a rollout's end in which it may have had hooks that the spec has lost since."""


class HookLeftovers:
    """Who was looked at already; one for the process, one run per key at a time."""

    def __init__(self, world: World, settings: ControllerSettings) -> None:
        """Look through `world` for what this installation started."""
        self._world = world
        self._settings = settings
        self._seen: dict[Key, tuple[str, int]] = {}
        self._done: dict[Key, str] = {}
        """The uid of an object that is being deleted, once its tasks were looked for."""

    def forget(self, key: Key) -> None:
        """Drop what is remembered of an object that is gone."""
        self._seen.pop(key, None)
        self._done.pop(key, None)

    def look(
        self,
        context: CallContext,
        *,
        uid: str,
        cluster: str,
        state: State,
        rollout: Rollout | None,
        strategies: Iterable[Progressive],
    ) -> None:
        """See that what is not waited for is stopped: the first time that this leader sees the object."""
        here = (uid, self._world.leader_epoch())
        if self._seen.get(context.key) == here:
            return
        self._seen[context.key] = here
        hooked = any(hook.run_task for strategy in strategies for hook in strategy.hooks)
        if hooked or self._world.clock.now() < _ended(state) + RECENT:
            self._world.gates.collect(self._scene(context, uid, cluster, rollout))

    def ended(self, context: CallContext, *, uid: str, cluster: str, record: Record) -> bool:
        """End everything of an object that is being deleted; tell whether what may run was looked for."""
        key = context.key
        if self._seen.get(key) != (uid, _DELETED):
            self._seen[key] = (uid, _DELETED)
            self._world.gates.forget(key)
            if not _may_run(record, now=self._world.clock.now()):
                self._done[key] = uid
            else:
                scene = self._scene(context, uid, cluster, None)
                self._world.gates.collect(scene, then=lambda: self._done.update({key: uid}))
        return self._done.get(key) == uid

    def _scene(self, context: CallContext, uid: str, cluster: str, rollout: Rollout | None) -> GateScene:
        return GateScene(
            context=context,
            uid=uid,
            rollout_id=rollout.id if rollout else "",
            task={
                "cluster": cluster,
                "startedBy": started_by(self._settings.installation_id, context.key),
            },
            attempts=attempts(rollout) if rollout else frozenset(),
        )


_DELETED: Final = -1


def _may_run(record: Record, *, now: float) -> bool:
    """Tell whether an object may have a hook's task: by its spec, the rollout in motion, or one just over."""
    spec = (record.obj.get("spec") or {}).get("strategy") or {}
    memory = (record.status.get("rollout") or {}).get("memory") or {}
    strategies = (spec.get("progressive") or {}, memory.get("strategy") or {})
    hooks = [hook for strategy in strategies for hook in strategy.get("hooks") or ()]
    recent = spec.get("type") == "Progressive" and now < _ended(State.read(record.status)) + RECENT
    return recent or any("runTask" in hook for hook in hooks)


def _ended(state: State) -> float:
    return history.ended(state) or (state.live.since if state.live else 0.0)
