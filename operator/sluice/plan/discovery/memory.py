"""What `status.discovery` remembers between two passes, and how it is written.

It is written before the actions that it means, so a process that ended between the two finds what it
was about to do: an operation without an id may or may not have been accepted, an instance in a stage
is on its way out of the answers. What is at rest has no entry. 500 tasks that leave at once are a few
kilobytes: they are grouped by stage and time, and named by the first characters of their ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, Final, Literal, get_args

from sluice.model.discovery import DiscoveryIntent, DiscoveryProof, Mode, NamespaceIntent
from sluice.model.names import short_hash

Stage = Literal["mark", "marking", "hidden", "out", "released", "heal", "healing"]
"""Where an instance is that is not at rest:

mark      UpdateInstanceCustomHealthStatus UNHEALTHY is meant; nobody knows whether it was sent
marking   it was accepted; clients may still see HEALTHY
hidden    clients see UNHEALTHY since `since`
out       deregistered without having been hidden: not in the answers since `since`
released  not in the answers; its task is given back to ECS
heal      HEALTHY is meant
healing   it was accepted; an older UNHEALTHY could still become visible
"""
OperationKind = Literal[
    "register", "deregister", "service", "service-deletion", "namespace", "namespace-deletion"
]
INSTANCE_PREFIX: Final = "sluice-"
_SHORT: Final = 12
_STAGES: Final = frozenset(get_args(Stage))
_KINDS: Final = frozenset(get_args(OperationKind))


@lru_cache(maxsize=8_192)
def short(instance_id: str) -> str:
    """Return what an instance is called in the memory: 12 characters, or fewer.

    Ids of tasks are random hex digits: among 1,000 of them two agree in 12 once in 500 million services.
    """
    name = instance_id.removeprefix(INSTANCE_PREFIX)
    if len(name) <= _SHORT:
        return name
    return name[:_SHORT] if all(c in "0123456789abcdef" for c in name) else short_hash(name, length=_SHORT)


def is_named_by_us(instance_id: str) -> bool:
    """Tell whether an id is of the kind that Sluice gives.

    ECS's own entry of a task has the task's id: in short it would be called as ours is.
    """
    return instance_id.startswith(INSTANCE_PREFIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An asynchronous operation that was meant, sent, or is not yet seen to have had its effect."""

    kind: OperationKind
    target: str = ""
    """Short id of the instance; '' for namespace and service."""
    id: str = ""
    """'' until the answer came: it may have been accepted all the same."""
    since: float = 0.0
    """When it was meant, epoch seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """Instances that came to a stage together."""

    stage: Stage
    since: float
    instances: tuple[str, ...]
    """Short ids, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """Targets whose last operations FAILED."""

    count: int
    """How many times in a row."""
    retry_at: float
    targets: tuple[str, ...]
    """Short ids; `namespace` and `service` for these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """`status.discovery`: one place (a Cloud Map service), and those that the route is leaving."""

    mode: Mode | Literal[""] = ""
    namespace: str = ""
    """The namespace's name, or its id while the name is not known."""
    service: str = ""
    backend: str = ""
    former_backend: str = ""
    """The backend before, while entries of its tasks are on their way out."""
    port: str = ""
    namespace_id: str = ""
    namespace_arn: str = ""
    service_id: str = ""
    registry_arn: str = ""
    """ARN of the Cloud Map service for ECS's serviceRegistries; set in mode ECS alone."""
    instances: int = 0
    """Registered ones of ours."""
    healthy: int = 0
    """Those of them that clients see as healthy."""
    foreign: int = 0
    operations: tuple[Pending, ...] = ()
    leaving: tuple[Leaving, ...] = ()
    failing: tuple[Failing, ...] = ()
    failure: str = ""
    """What the last FAILED operation said."""
    acknowledgement: DiscoveryProof | None = None
    generation: int = 0
    """The route's generation that this was planned for."""
    settled: bool = False
    """Everything was as wanted at the end of the last pass: a difference now is drift."""
    makes: int = 0
    """How often namespace or service had to be made again: part of their creator request ids."""
    last_change: str = ""
    """When something was last asked of Cloud Map, RFC 3339."""
    left: tuple[Memory, ...] = ()
    """Places that the spec no longer names, until nothing of ours is there."""

    @classmethod
    def read(cls, status: Mapping[str, Any] | None) -> Memory:
        """Read `status.discovery`; what this version does not know is left out."""
        entry = status or {}
        known = {
            name: entry[key]
            for name, key in _PLAIN.items()
            if isinstance(entry.get(key), (str, int)) and entry[key]
        }
        proof = entry.get("acknowledgement")
        return cls(
            **known,
            operations=tuple(
                Pending(
                    kind=one["kind"],
                    target=one.get("target", ""),
                    id=one.get("id", ""),
                    since=float(one.get("since", 0)),
                )
                for one in entry.get("operations") or ()
                if one.get("kind") in _KINDS
            ),
            leaving=tuple(
                Leaving(
                    stage=one["stage"], since=float(one.get("since", 0)), instances=tuple(one["instances"])
                )
                for one in entry.get("leaving") or ()
                if one.get("stage") in _STAGES
            ),
            failing=tuple(
                Failing(
                    count=int(one.get("count", 1)),
                    retry_at=float(one.get("retryAt", 0)),
                    targets=tuple(one.get("targets", ())),
                )
                for one in entry.get("failing") or ()
            ),
            acknowledgement=DiscoveryProof(**{name: proof[key] for name, key in _PROOF.items()})
            if proof
            else None,
            left=tuple(cls.read(one) for one in entry.get("left") or ()),
        )

    def write(self) -> dict[str, Any]:
        """Return `status.discovery`; what is empty is absent, counts are always there."""
        entry: dict[str, Any] = {
            key: value for name, key in _PLAIN.items() if (value := getattr(self, name)) or name in _COUNTS
        }
        entry["pendingOperations"] = len(self.operations)
        lists: dict[str, list[dict[str, Any]]] = {
            "operations": [
                {name: value for name, value in asdict(one).items() if value} for one in self.operations
            ],
            "leaving": [
                {"stage": one.stage, "since": one.since, "instances": list(one.instances)}
                for one in self.leaving
            ],
            "failing": [
                {"count": one.count, "retryAt": one.retry_at, "targets": list(one.targets)}
                for one in self.failing
            ],
            "left": [one.write() for one in self.left],
        }
        entry |= {key: value for key, value in lists.items() if value}
        if self.acknowledgement:
            entry["acknowledgement"] = {
                key: getattr(self.acknowledgement, name) for name, key in _PROOF.items()
            }
        return entry

    def former(self) -> DiscoveryIntent | None:
        """Return as much of the intent as is remembered: enough to leave the place; None if there is none."""
        if not self.mode:
            return None
        return DiscoveryIntent(
            mode=self.mode,
            namespace=NamespaceIntent(name=self.namespace, id=self.namespace_id),
            service=self.service,
            backend=self.backend,
            port=self.port,
        )

    def is_at(self, intent: DiscoveryIntent) -> bool:
        """Tell whether `intent` means the Cloud Map service that this is about."""
        wanted = intent.namespace
        same = (
            wanted.id in (self.namespace_id, self.namespace) if wanted.id else wanted.name == self.namespace
        )
        return same and intent.service == self.service

    def moved(self, intent: DiscoveryIntent) -> Memory:
        """Return the memory to plan `intent` with.

        Where the spec names another service than this was about, this becomes one of the places that are
        left: they are planned one by one with `former()`, and removed once the new place is settled.
        """
        if not self.mode or self.is_at(intent):
            return self
        back = next((place for place in self.left if place.is_at(intent)), Memory())
        left = (*(place for place in self.left if place is not back), replace(self, left=()))
        return replace(back, left=left)


_PLAIN: Final = {
    "mode": "mode",
    "namespace": "namespace",
    "service": "service",
    "backend": "backend",
    "former_backend": "formerBackend",
    "port": "port",
    "namespace_id": "namespaceId",
    "namespace_arn": "namespaceArn",
    "service_id": "serviceId",
    "registry_arn": "registryArn",
    "instances": "instances",
    "healthy": "healthy",
    "foreign": "foreign",
    "failure": "failure",
    "generation": "generation",
    "settled": "settled",
    "makes": "makes",
    "last_change": "lastChange",
}
_COUNTS: Final = frozenset({"instances", "healthy", "foreign"})
_PROOF: Final = {
    "name": "name",
    "uid": "uid",
    "rollout_id": "rolloutId",
    "seq": "seq",
    "hash": "hash",
    "route_generation": "routeGeneration",
    "verified_at": "verifiedAt",
}
