"""What the discovery of ServiceRoutes means for a Deployment: who lists its tasks, and whether entries left.

Cloud Map is the routes' to write (rollout.md §2); a Deployment only asks two things of a route's status:
is the published traffic what the names answer with, and may they still answer with tasks that are about
to stop. What is read here:

| of the route | tells |
|---|---|
| `spec.discovery` names the Deployment, mode Tasks | its tasks are listed, in step with the weights |
| `status.discovery.acknowledgement` | the traffic that the names were seen to answer with (§7) |
| `status.discovery.instances`, `pendingOperations`, `leaving` | clients may be sent to its tasks |
| spec names it no more, or the route goes, and it is Stalled | nobody takes entries away: not waited for |

The last line is a person's way out where Cloud Map is denied for ever: tasks wait for a name that is asked
for however long that takes, and no longer once the name is not asked for and cannot be taken away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sluice.model.conditions import STALLED
from sluice.model.desired import Port, Registry
from sluice.model.traffic import Acknowledgement, Traffic

_RELEASED: Final = "released"
"""Stage of an entry that has left: only its task has yet to go (`plan.discovery.memory`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The discovery of one route, as the Deployment that it lists sees it."""

    route: str
    mode: str
    """Tasks or ECS; '' when the spec does not name the Deployment (any more)."""
    port: str = ""
    """The backendRef's port: a name, or a number as text."""
    service_record: bool = False
    """Has a record of type SRV, which carries a port."""
    generation: int = 0
    """The route's."""
    going: bool = False
    """The route is being deleted."""
    entries: bool = False
    """Entries of the Deployment's tasks are in Cloud Map, may be on their way, or may be kept by clients."""
    leaving: bool = False
    """Some of them are on their way out."""
    moving: bool = False
    """Entries come or go, or tasks whose entries went have yet to end: not every task that a client may be
    sent to is protected (ECS protects no more than are wanted)."""
    settled: bool = False
    """Names and protection were as they should be when the route last looked."""
    proof: Acknowledgement | None = None
    registry: str = ""
    """ARN of the Cloud Map service that is handed to ECS, '' until there is one."""
    problem: str = ""
    """Message of the route's Stalled condition."""
    problem_reason: str = ""

    @property
    def wanted(self) -> bool:
        """Tell whether the Deployment's tasks shall be listed by Sluice."""
        return self.mode == "Tasks" and not self.going

    @property
    def holds(self) -> bool:
        """Tell whether tasks must not stop before the entries left."""
        return self.entries and (self.wanted or not self.problem)

    def proves(self, traffic: Traffic | None) -> bool:
        """Tell whether the names were seen to answer with exactly `traffic`."""
        if traffic is None or self.proof is None:
            return False
        return self.proof.proves(traffic, route_generation=self.generation)


def listings(routes: Sequence[Mapping[str, Any]], name: str) -> tuple[Listing, ...]:
    """Return the discoveries of raw routes that list Deployment `name`, or did, by route."""
    found = (_listing(route, name) for route in routes)
    return tuple(sorted((entry for entry in found if entry), key=lambda entry: entry.route))


def listed(found: Sequence[Listing]) -> bool:
    """Tell whether any route lists the tasks: traffic is published for it without any target group."""
    return any(entry.wanted for entry in found)


def holders(found: Sequence[Listing], traffic: Traffic | None, *, slot: str = "") -> tuple[str, ...]:
    """Return what may still answer with tasks of `slot` ('': of any), in words, () when nothing does.

    A name that proved weights without the slot has let its tasks go (the proof comes after the wait for
    what clients may keep). One that is not asked for any more proves nothing: it holds every slot.
    """
    carried = {name for name, parts in (traffic.weights if traffic else {}).items() if parts}
    words: list[str] = []
    for entry in found:
        released = bool(slot) and slot not in carried and entry.wanted and entry.proves(traffic)
        if not entry.holds or released:
            continue
        why = f": {entry.problem}" if entry.problem else ""
        words.append(f"ServiceRoute {entry.route}{why}")
    return tuple(words)


def unsettled(found: Sequence[Listing], service: Mapping[str, Any]) -> str:
    """Return the routes whose names have to settle before ECS may end other tasks than it ends now.

    In an ECS deployment the new tasks cannot be protected before old ones are gone; another deployment, or
    fewer tasks, would let ECS end them at once, while clients are sent to them. Tasks that do not become
    healthy have no entries and are waited for by nobody, and so are names in trouble: broken names never
    keep a cure out.
    """
    running, pending = int(service.get("runningCount", 0)), int(service.get("pendingCount", 0))
    alone = len(service.get("deployments") or ()) <= 1
    steady = alone and not pending and running == int(service.get("desiredCount", 0))
    routes = [
        entry.route
        for entry in found
        if entry.wanted and entry.entries and not entry.problem
        if entry.moving or (steady and not entry.settled)
    ]
    return ", ".join(f"ServiceRoute {name}" for name in routes)


def registry(found: Sequence[Listing], ports: Sequence[Port], *, awsvpc: bool) -> Registry | None:
    """Return the Cloud Map service to hand to ECS, None without one; the first route by name has it.

    ECS takes one for a service, and a port only where the record is SRV or the tasks have none of their own
    addresses (botocore, ServiceRegistry; the refusals are ECS's own).
    """
    for entry in found:
        if entry.mode != "ECS" or entry.going or not entry.registry:
            continue
        if awsvpc and not entry.service_record:
            return Registry(arn=entry.registry)
        port = next((p for p in ports if entry.port in (p.label, str(p.container_port))), None)
        if port is None:
            continue  # the route tells that the Deployment has no such port
        return Registry(
            arn=entry.registry, container_name=port.container_name, container_port=port.container_port
        )
    return None


def _listing(route: Mapping[str, Any], name: str) -> Listing | None:
    metadata, status = route["metadata"], route.get("status") or {}
    asked = (route.get("spec") or {}).get("discovery") or {}
    ref = asked.get("backendRef") or {}
    known = status.get("discovery") or {}
    # Also where the name was before: a Cloud Map service that the spec does not ask for any more.
    places = [
        place
        for place in (known, *(known.get("left") or ()))
        if name in (place.get("backend"), place.get("formerBackend"))
    ]
    raw = known.get("acknowledgement") or {}
    proof = Acknowledgement.from_status(raw) if raw.get("name") == name else None
    names = ref.get("name") == name
    if not names and not places:
        return None
    stalled: Mapping[str, Any] = next(
        (entry for entry in status.get("conditions") or () if entry["type"] == STALLED), {}
    )
    leaving = any(entry.get("stage") != _RELEASED for place in places for entry in place.get("leaving") or ())
    counts = ("instances", "pendingOperations")
    return Listing(
        route=metadata["name"],
        mode=str(asked.get("mode") or "") if names else "",
        port=str(ref.get("port") or ""),
        service_record=any(
            record.get("type") == "SRV" for record in (asked.get("dns") or {}).get("records") or ()
        ),
        generation=int(metadata.get("generation", 0)),
        going=bool(metadata.get("deletionTimestamp")),
        entries=leaving or any(int(place.get(member) or 0) for place in places for member in counts),
        leaving=leaving,
        moving=any(place.get("leaving") or place.get("pendingOperations") for place in places),
        settled=bool(known.get("settled")),
        proof=proof,
        registry=str(known.get("registryArn") or ""),
        problem=str(stalled.get("message", "")),
        problem_reason=str(stalled.get("reason", "")),
    )
