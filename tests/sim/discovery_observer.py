"""Every client that a name could have, at every moment, in virtual time: who is answered with what.

A client keeps an answer for its TTL, and may have got it from a server that was late by as much as
`discoveryPropagation` says. Which ones ask when is not played with dice: whatever was answered within
the last propagation and TTL counts as held by somebody, and whoever holds an address calls it. The laws:

- never empty: there is a healthy entry whenever a healthy task with weight has existed for longer than
  registering it takes (an answer that fails open, because nobody is healthy, counts as empty);
- never dead by plan: an address whose task was stopped for a deployment or a scale-in is held by nobody
  any more when its process ends;
- not dead for long: an unforeseeable death is noticed and out of every answer after `notice` seconds;
- DNS says the same as DiscoverInstances.

`Guard` judges the operator's calls themselves: none may take the last healthy entry with a healthy task away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sim.names import Behind, Name
from sluice.model.discovery import INSTALLATION_ATTRIBUTE, PROPAGATION
from sluice_sandbox.aws.servicediscovery.state import UNHEALTHY, DiscoveryService

EVERY = 0.5
"""Seconds between two looks."""
REGISTER_S = 30.0
"""From a healthy task to its entry: looks of the operator (the Deployment's, then the route's), the call, its
operation (5 s), and some for whoever waits for tokens."""


@dataclass(slots=True)
class Clients:
    """See the module; from `start` to `stop`."""

    name: Name
    ttl: float = 10.0
    late: float = PROPAGATION
    """Seconds for which a server of Route 53's, or an API's, may still answer with what was true before."""
    register: float = REGISTER_S
    notice: float = 120.0
    """Seconds from an unforeseeable death to the last answer with its address: the operator's drift interval,
    the operation, and room for a restart of the operator."""
    ecs_registers: bool = False
    """ECS itself keeps the entries: it stops tasks without waiting for anybody, which is its own."""
    bad: list[str] = field(default_factory=list)
    """Each breach of a law, with the virtual second since `start`."""
    looks: int = 0
    _since: float = 0.0
    _running: bool = False
    _healthy_since: dict[str, float] = field(default_factory=dict)
    _answered: dict[str, float] = field(default_factory=dict)
    """When an address was in an answer last."""
    _who: dict[str, str] = field(default_factory=dict)
    """The task that had an address last."""
    _died: dict[str, float] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def start(self) -> Clients:
        """Begin; the name is expected to have answers from now on."""
        self._since = self._now()
        self._running = True
        self._look()
        return self

    def stop(self) -> Clients:
        """End; the findings stay."""
        self._running = False
        return self

    def _now(self) -> float:
        return self.name.universe.clock.now()

    def _look(self) -> None:
        if not self._running:
            return
        self.looks += 1
        now, tasks = self._now(), self.name.tasks()
        self._remember(now, tasks)
        self._never_empty(now)
        self._never_dead(now, tasks)
        self.name.universe.clock.call_later(EVERY, self._look)

    def _remember(self, now: float, tasks: Mapping[str, Behind]) -> None:
        eligible = self.name.eligible()
        self._healthy_since = {task: self._healthy_since.get(task, now) for task in eligible}
        for task in tasks.values():
            if task.serves:
                self._who[task.address] = task.id
            elif task.id in self._who.values():
                self._died.setdefault(task.id, now)
        answered = {entry.address for entry in self.name.answered()}
        resolved = self.name.resolved()
        if not resolved <= answered or (answered and not resolved and self.name.found()[1].dns):  # type: ignore[index]
            self._say(f"DNS answers {sorted(resolved)}, the API {sorted(answered)}")
        self._answered |= dict.fromkeys(answered, now)

    def _never_empty(self, now: float) -> None:
        longest = max((now - since for since in self._healthy_since.values()), default=0.0)
        if longest > self.register and not any(entry.healthy for entry in self.name.entries()):
            self._say(f"nobody is healthy, and {len(self._healthy_since)} tasks are for {longest:.0f} s")

    def _never_dead(self, now: float, tasks: Mapping[str, Behind]) -> None:
        for address, last in self._answered.items():
            if now - last > self.late + self.ttl:
                continue  # nobody holds it any more
            task = tasks.get(self._who.get(address, ""))
            if task is None:
                self._say(f"{address} was answered {now - last:.1f} s ago and is nobody's")
            elif not task.serves and task.planned and not self.ecs_registers:
                self._say(f"{address} ({task.id}) ended by plan and was answered {now - last:.1f} s ago")
            elif not task.serves and now - self._died.get(task.id, now) > self.notice + self.late + self.ttl:
                self._say(f"{address} ({task.id}) died {now - self._died[task.id]:.0f} s ago")

    def _say(self, text: str) -> None:
        """Tell a breach once, with its time."""
        said = "".join(character for character in text if not character.isdigit())
        if said not in self._told:
            self._told.add(said)
            self.bad.append(f"{self._now() - self._since:.1f} s: {text}")


class Guard:
    """Judges calls about instances before they take place, by the stand-in's books."""

    def __init__(self, name: Name, *, excused: Callable[[], bool] = lambda: False) -> None:
        """Watch one name; `excused` tells that all entries are asked to go."""
        self._name = name
        self._excused = excused

    def breach(self, operation: str, params: Mapping[str, Any]) -> str:
        """Return why the call must not be made, '' when it may be."""
        takes = operation == "DeregisterInstance" or (
            operation == "UpdateInstanceCustomHealthStatus" and params["Status"] == UNHEALTHY
        )
        found = self._name.found()
        if not takes or found is None or self._excused():
            return ""
        service = found[1]
        if params["ServiceId"] not in {service.id, service.arn}:
            return ""
        well = {task.address for task in self._name.eligible().values()}
        there = {e.id for e in self._name.entries() if e.healthy and e.address in well}
        there -= self._leaving(service)
        if params["InstanceId"] in there and len(there) == 1:
            return f"the last healthy entry, while {len(well)} tasks are healthy"
        return ""

    def _leaving(self, service: DiscoveryService) -> set[str]:
        """Return the instances that what was asked before takes away."""
        region = self._name.universe.world.services["servicediscovery"].state.region(
            self._name.universe.world.caller
        )
        going = {
            item.targets["INSTANCE"]
            for item in region.operations.values()
            if item.running and item.kind == "DEREGISTER_INSTANCE" and item.change["service_id"] == service.id
        }
        return going | {item.id for item in service.instances.values() if item.wanted_health == UNHEALTHY}


def is_ours(attributes: Mapping[str, str], installation: str) -> bool:
    """Tell whether an instance's attributes prove that Sluice registered it."""
    return attributes.get(INSTALLATION_ATTRIBUTE) == installation
