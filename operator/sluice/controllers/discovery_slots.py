"""What discovery sees of ECS: the services of the Deployments behind a name, and their tasks.

Which services there are the Deployments' statuses say. At rest a look costs no call of its own: services come
ten at a time with everybody else's, and their counts and events say whether tasks have to be read again. The
health of targets has no such list (DescribeTargetHealth takes one group), so while all is well and ECS tells
of nothing it is looked at a few times more seldom: a thousand names would take ELB's whole read rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sluice.controllers.discovery_tasks import FINE, SlotSeen, is_running, tasks_of, wish_of
from sluice.controllers.settings import ControllerSettings
from sluice.model.binding import CallContext
from sluice.model.conditions import READY, STALLED_REASONS
from sluice.model.discovery import SeenTask, SlotWish
from sluice.observe.cache import AgedCache, tick
from sluice.plan.deployment.service import primary
from sluice.ports import Facts, Object

SEEN_AGE: Final = 1.0
"""How old what clients see, and tasks that changed, may be while something is under way, seconds."""
MOVING_AGE: Final = 5.0
"""The same for everything else."""
_LOOKED: Final = 0.75
"""Looks at rest are 0.8 to 1 drift interval apart (runtime.worker.Cadence): each has to see for itself."""
_WELL: Final = 5.0
"""Drift intervals for which targets that were all well are taken to be so, while ECS tells of no change: it
tells of a target that fails its check by an event ("is unhealthy in target-group")."""
_SERVICES: Final = 5000
"""ECS services whose last mark is remembered."""
_STILL: Final = frozenset({"Paused", "Baking", "WaitingForGate", "Frozen"}) | STALLED_REASONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A Deployment whose tasks have a part in a name."""

    name: str
    deployment: Object | None
    ports: tuple[str, ...]
    """Names or numbers under which its port may be known, the likeliest first."""
    own: bool
    """The spec's; the others are those that the name is leaving."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How old reads of a pass may be."""

    moving: bool
    settings: ControllerSettings

    def age(self, quick: float) -> float:
        """Return seconds: `quick` while something is under way."""
        rest = self.settings.drift_interval * _LOOKED
        return min(quick, rest) if self.moving else rest


class SlotLooks:
    """Reads services and tasks. Thread-safe."""

    def __init__(self, facts: Facts) -> None:
        """Read through `facts`."""
        self._facts = facts
        self._marks: AgedCache[tuple[object, ...], tuple[object, ...]] = AgedCache(_SERVICES)

    def look(
        self, context: CallContext, backends: Sequence[Backend], *, pace: Pace, deleting: bool
    ) -> tuple[tuple[SeenTask, ...], tuple[SlotWish, ...]] | None:
        """Return tasks and wishes of the backends; None while a service of theirs is not known yet."""
        tasks: list[SeenTask] = []
        wishes: list[SlotWish] = []
        for backend in backends:
            status = (backend.deployment or {}).get("status") or {}
            slots, retiring = status.get("slots") or (), status.get("retiring") or ()
            if backend.deployment is not None and not slots and backend.own and not deleting:
                return None  # it has not said yet where its tasks are
            for entry in (*slots, *retiring):
                seen = self._slot(context, entry, status, pace=pace)
                if seen is None:
                    if entry.get("serviceArn") or entry in retiring:
                        continue  # deleted: its tasks are gone, or about to be
                    return None
                # Those of a service that is being replaced leave like those of a former backend.
                other = "" if backend.own else backend.name
                marked = entry["serviceName"] if entry in retiring else other
                tasks += tasks_of(seen, ports=backend.ports, backend=marked)
                if entry in slots and backend.own:
                    wishes.append(wish_of(seen.name, seen.service))
        return tuple(tasks), tuple(wishes)

    def _slot(
        self, context: CallContext, entry: Object, status: Mapping[str, Any], *, pace: Pace
    ) -> SlotSeen | None:
        facts = self._facts
        age = pace.age(MOVING_AGE)
        cluster, name = entry.get("cluster", ""), entry.get("serviceName", "")
        service = facts.service(context, cluster=cluster, name=name, max_age=age) if name else None
        if service is None:
            return None
        still = self._marks.peek((context.binding, cluster, name)) == _mark(service)
        tasks = self._tasks(context, entry, service, pace=pace)
        definitions = {
            arn: definition
            for arn in {str(task.get("taskDefinitionArn")) for task in tasks}
            if (definition := facts.task_definition(context, arn)) is not None
        }
        arns = [str(task["taskArn"]) for task in tasks]
        wait = pace.settings.drift_interval
        groups = _groups(entry, service, status) if arns else ()
        return SlotSeen(
            name=entry["name"],
            service=service,
            tasks=tasks,
            definitions=definitions,
            protected=facts.protected(context, cluster=cluster, tasks=arns, max_age=wait) if arns else {},
            targets={arn: self._targets(context, arn, still=still, pace=pace) for arn in groups},
        )

    def _targets(self, context: CallContext, arn: str, *, still: bool, pace: Pace) -> Mapping[str, str]:
        """Return the states of a group's targets by address; aged by how much they are in question."""
        quick = pace.age(MOVING_AGE) if still else SEEN_AGE
        patient = pace.settings.drift_interval * _WELL if still and not pace.moving else quick
        states: Mapping[str, str] = {}
        for oldest in (patient, quick):
            found = self._facts.target_health(context, arn, max_age=oldest)
            states = {str(target["Target"]["Id"]): str(target["TargetHealth"]["State"]) for target in found}
            if oldest == quick or FINE.issuperset(states.values()):
                break
        return states

    def _tasks(self, context: CallContext, entry: Object, service: Object, *, pace: Pace) -> Sequence[Object]:
        """Return a service's tasks; read again where its counts or its newest event say that they changed.

        ECS tells of each start and stop of a task by an event of the service (ECS developer guide, "Service
        event messages"), which DescribeServices brings.
        """
        cluster, name = entry.get("cluster", ""), entry["serviceName"]
        key, mark = (context.binding, cluster, name), _mark(service)
        age = MOVING_AGE if pace.moving else pace.settings.attributes_interval
        for oldest in (age if self._marks.peek(key) == mark else SEEN_AGE, SEEN_AGE):
            tasks = self._facts.tasks(
                context, cluster=cluster, service=name, status="RUNNING", max_age=oldest
            )
            running = sum(map(is_running, tasks))
            if running == service.get("runningCount") == entry.get("running", running):
                break
        self._marks.put(key, mark, order=tick(), read_at=0.0)
        return tasks


def _groups(entry: Object, service: Object, status: Mapping[str, Any]) -> list[str]:
    """Return the target groups in which ECS registers a slot's tasks and that a load balancer uses."""
    attached = {group.get("targetGroupArn") for group in service.get("loadBalancers") or ()}
    return [
        group["arn"]
        for group in status.get("targetGroups") or ()
        if group.get("slot") == entry["name"]
        and group.get("arn") in attached
        and group.get("loadBalancerArn")
    ]


def _mark(service: Object) -> tuple[object, ...]:
    """Return what differs when tasks of a service were started or stopped."""
    newest: Object = next(iter(service.get("events") or ()), {})
    counts = (service.get(name) for name in ("desiredCount", "runningCount", "pendingCount"))
    return (*counts, primary(service).get("id"), newest.get("id"))


def in_motion(deployment: Object | None) -> bool:
    """Tell whether a Deployment's tasks are changing, or about to.

    A rollout that waits for a person, a gate or its time is as still as no rollout: what ends the wait is
    told by new weights or counts.
    """
    if deployment is None:
        return False
    status = deployment.get("status") or {}
    slots = (*(status.get("slots") or ()), *(status.get("retiring") or ()))
    if any(slot.get("desired") != slot.get("running") for slot in slots):
        return True
    generation = int(deployment["metadata"].get("generation", 0))
    if status.get("observedGeneration") != generation:
        return True
    found = (entry for entry in status.get("conditions") or () if entry["type"] == READY)
    return not any(entry["status"] == "True" or entry["reason"] in _STILL for entry in found)
