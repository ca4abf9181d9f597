"""A Deployment's status as the planner works with it: typed, frozen, and back to camelCase.

Status is a cache (decision 16): ARNs, the intents that make a crash safe, and what people read. An
entry without its ARN is an open intent: its AWS call was about to be made and may have happened.
Times are epoch seconds here and RFC 3339 text in status, except where api.md says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sluice.model.conditions import parse_timestamp, timestamp
from sluice.model.traffic import SlotTarget, Traffic

RecreateStep = Literal["", "ScalingDown", "Starting"]


def _time(value: str | None) -> float | None:
    return parse_timestamp(value) if value else None


def _text(value: float | None) -> str | None:
    return timestamp(value) if value is not None else None


def _dense(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is not set: absent is how Kubernetes says it."""
    return {name: value for name, value in entry.items() if value not in (None, "")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One ECS service of ours."""

    name: str = "a"
    ordinal: int = 1
    cluster: str = ""
    service_name: str = ""
    service_arn: str = ""
    revision: str = ""
    """What the service was last given completely; written after the ControllerRevision is kept."""
    task_definition: str = ""
    desired: int = 0
    running: int = 0
    healthy: int | None = None
    deployment_id: str = ""
    launch_type: str = ""
    may_shrink_to: int | None = None
    """desiredCount of an UpdateService that was about to be sent and whose answer is not known: it may
    still take place, for a while (decision 27)."""

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> Slot:
        """Read an entry of `status.slots` or `status.retiring`."""
        return cls(
            name=entry["name"],
            ordinal=int(entry.get("ordinal", 1)),
            cluster=entry.get("cluster", ""),
            service_name=entry.get("serviceName", ""),
            service_arn=entry.get("serviceArn", ""),
            revision=entry.get("revision", ""),
            task_definition=entry.get("taskDefinition", ""),
            desired=int(entry.get("desired", 0)),
            running=int(entry.get("running", 0)),
            healthy=entry.get("healthy"),
            deployment_id=entry.get("deploymentId", ""),
            launch_type=entry.get("launchType", ""),
            may_shrink_to=entry.get("mayShrinkTo"),
        )

    def write(self) -> dict[str, Any]:
        """Return the entry as status has it."""
        return _dense(
            {
                "name": self.name,
                "ordinal": self.ordinal,
                "cluster": self.cluster,
                "serviceName": self.service_name,
                "serviceArn": self.service_arn,
                "revision": self.revision,
                "taskDefinition": self.task_definition,
                "desired": self.desired,
                "running": self.running,
                "healthy": self.healthy,
                "deploymentId": self.deployment_id,
                "launchType": self.launch_type,
                "mayShrinkTo": self.may_shrink_to,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The revision that last completed."""

    revision: str
    task_definition: str
    since: float
    slot: str = "a"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """The move to another revision that is going on."""

    id: str
    candidate: str
    started_at: float
    source: str = ""
    """Revision that was live at the start; '' in the first rollout."""
    deadline_at: float | None = None
    """None while paused: the clock of progressDeadlineSeconds stops."""
    paused: bool = False
    """By the verb; `spec.paused` is not copied."""
    recreate: RecreateStep = ""
    replicas: int | None = None
    """Tasks to come back to after Recreate scaled down, where the spec does not own the count."""
    supersedes: str = ""
    """Id of the ECS deployment that has to be replaced by force, because no setting of it differs."""

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> Rollout:
        """Read `status.rollout`."""
        return cls(
            id=entry["id"],
            candidate=entry["candidate"],
            started_at=parse_timestamp(entry["startedAt"]),
            source=entry.get("source", ""),
            deadline_at=_time(entry.get("deadlineAt")),
            paused=bool(entry.get("paused", False)),
            recreate=entry.get("recreate", ""),
            replicas=entry.get("replicas"),
            supersedes=entry.get("supersedes", ""),
        )

    def write(self) -> dict[str, Any]:
        """Return `status.rollout`."""
        return _dense(
            {
                "id": self.id,
                "source": self.source,
                "candidate": self.candidate,
                "startedAt": timestamp(self.started_at),
                "deadlineAt": _text(self.deadline_at),
                "paused": self.paused or None,
                "recreate": self.recreate,
                "replicas": self.replicas,
                "supersedes": self.supersedes,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Registering:
    """RegisterTaskDefinition was about to be called (decision 8)."""

    definition_hash: str
    family: str
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGroup:
    """The target group of (slot, container port, load balancer)."""

    slot: str = "a"
    port: str = ""
    container_port: int = 0
    load_balancer_arn: str = ""
    name: str = ""
    arn: str = ""
    protocol_version: str = ""
    """Of a group that was taken over; in the name of one that Sluice made."""

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> TargetGroup:
        """Read an entry of `status.targetGroups`."""
        return cls(
            slot=entry.get("slot", "a"),
            port=entry.get("port", ""),
            container_port=int(entry.get("containerPort", 0)),
            load_balancer_arn=entry.get("loadBalancerArn", ""),
            name=entry["name"],
            arn=entry.get("arn", ""),
            protocol_version=entry.get("protocolVersion", ""),
        )

    def write(self) -> dict[str, Any]:
        """Return the entry as status has it."""
        return _dense(
            {
                "slot": self.slot,
                "port": self.port,
                "containerPort": self.container_port,
                "loadBalancerArn": self.load_balancer_arn,
                "name": self.name,
                "arn": self.arn,
                "protocolVersion": self.protocol_version,
            }
        )

    def target(self) -> SlotTarget:
        """Return the group as routes and gates are told of it."""
        return SlotTarget(
            slot=self.slot,
            port=self.port,
            container_port=self.container_port,
            load_balancer_arn=self.load_balancer_arn,
            target_group_arn=self.arn,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The rule that associates the target groups of a container port with a load balancer."""

    listener_arn: str
    load_balancer_arn: str
    container_port: int
    priority: int
    rule_arn: str = ""

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> Anchor:
        """Read an entry of `status.anchors`."""
        return cls(
            listener_arn=entry["listenerArn"],
            load_balancer_arn=entry.get("loadBalancerArn", ""),
            container_port=int(entry.get("containerPort", 0)),
            priority=int(entry.get("priority", 0)),
            rule_arn=entry.get("ruleArn", ""),
        )

    def write(self) -> dict[str, Any]:
        """Return the entry as status has it."""
        return _dense(
            {
                "listenerArn": self.listener_arn,
                "loadBalancerArn": self.load_balancer_arn,
                "containerPort": self.container_port,
                "priority": self.priority,
                "ruleArn": self.rule_arn,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A revision that is not tried again without `retry`, and what runs instead of it."""

    revision: str
    reason: str
    """Condition reason to show: RolledBack, FirstRolloutFailed, ProgressDeadlineExceeded; '' for an undo."""
    fallback: str = ""
    message: str = ""
    cause: str = ""
    """Why a progressive rollout was rolled back, one word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything of status that a later pass decides by."""

    observed_generation: int | None = None
    live: Live | None = None
    slot: Slot | None = None
    """The service of a rolling Deployment: the live slot's where there were two."""
    others: tuple[Slot, ...] = ()
    """What else is in status.slots: the other slot of a progressive Deployment."""
    retiring: tuple[Slot, ...] = ()
    rollout: Rollout | None = None
    progressive: Mapping[str, Any] = field(default_factory=dict)
    """`rollout` (of a progressive one) and `standby` as status has them; see `plan.progressive.memory`."""
    registering: Registering | None = None
    definitions: tuple[tuple[str, str], ...] = ()
    """(definition hash, ARN), the most recently deployed last."""
    traffic: Traffic | None = None
    target_groups: tuple[TargetGroup, ...] = ()
    anchors: tuple[Anchor, ...] = ()
    registries: tuple[str, ...] = ()
    """ARNs of the Cloud Map services that ECS was given on behalf of routes (one, two while it changes)."""
    routes: tuple[Mapping[str, Any], ...] = ()
    intents: Mapping[str, str] = field(default_factory=dict)
    rejected: Rejected | None = None
    history: tuple[Mapping[str, Any], ...] = ()
    """Newest first."""
    conditions: tuple[Mapping[str, Any], ...] = ()

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Return every slot of status.slots, by name."""
        found = (*((self.slot,) if self.slot else ()), *self.others)
        return tuple(sorted(found, key=lambda slot: slot.name))

    @property
    def moving(self) -> Mapping[str, Any]:
        """Return `status.rollout` of a progressive Deployment, {} while none is in motion."""
        found: Mapping[str, Any] = self.progressive.get("rollout") or {}
        return found

    @property
    def arns(self) -> tuple[str, ...]:
        """Return the ARNs of what the Deployment has in AWS, as far as they are known."""
        services = [slot.service_arn for slot in (*self.slots, *self.retiring)]
        groups = [group.arn for group in self.target_groups]
        return tuple(arn for arn in (*services, *groups, *(arn for _, arn in self.definitions)) if arn)

    @classmethod
    def read(cls, status: Mapping[str, Any]) -> State:
        """Read a Deployment's status."""
        slots = [Slot.read(entry) for entry in status.get("slots") or ()]
        live = status.get("live")
        place = next((slot for slot in slots if live and slot.name == live.get("slot")), None)
        place = place or (slots[0] if slots else None)
        registering = status.get("registering")
        rollout = status.get("rollout")
        rejected = status.get("rejectedRevision")
        return cls(
            observed_generation=status.get("observedGeneration"),
            live=Live(
                slot=live.get("slot", "a"),
                revision=live["revision"],
                task_definition=live.get("taskDefinition", ""),
                since=parse_timestamp(live["since"]),
            )
            if live
            else None,
            slot=place,
            others=tuple(slot for slot in slots if slot is not place),
            retiring=tuple(Slot.read(entry) for entry in status.get("retiring") or ()),
            rollout=Rollout.read(rollout) if rollout and "stage" not in rollout else None,
            progressive={
                name: entry
                for name, entry in (("rollout", rollout), ("standby", status.get("standby")))
                if entry and (name == "standby" or "stage" in entry)
            },
            registering=Registering(
                definition_hash=registering["definitionHash"],
                family=registering.get("family", ""),
                since=parse_timestamp(registering["since"]),
            )
            if registering
            else None,
            definitions=tuple(
                (entry["definitionHash"], entry["arn"]) for entry in status.get("taskDefinitions") or ()
            ),
            traffic=Traffic.from_status(status.get("traffic")),
            target_groups=tuple(TargetGroup.read(entry) for entry in status.get("targetGroups") or ()),
            anchors=tuple(Anchor.read(entry) for entry in status.get("anchors") or ()),
            registries=tuple(status.get("registries") or ()),
            routes=tuple(status.get("routes") or ()),
            intents=dict(status.get("intents") or {}),
            rejected=Rejected(
                revision=rejected["revision"],
                reason=rejected.get("reason", ""),
                fallback=rejected.get("fallback", ""),
                message=rejected.get("message", ""),
                cause=rejected.get("cause", ""),
            )
            if rejected
            else None,
            history=tuple(status.get("history") or ()),
            conditions=tuple(status.get("conditions") or ()),
        )

    def write(self) -> dict[str, Any]:
        """Return the members of status that this state holds; what is empty is absent."""
        status: dict[str, Any] = {
            "observedGeneration": self.observed_generation,
            "live": {
                "slot": self.live.slot,
                "revision": self.live.revision,
                "taskDefinition": self.live.task_definition,
                "since": timestamp(self.live.since),
            }
            if self.live
            else None,
            # The live one first: `kubectl get` shows its counts.
            "slots": [slot.write() for slot in ((self.slot,) if self.slot else ()) + self.others],
            "retiring": [slot.write() for slot in self.retiring],
            "rollout": self.rollout.write() if self.rollout else self.progressive.get("rollout"),
            "standby": self.progressive.get("standby"),
            "registering": {
                "definitionHash": self.registering.definition_hash,
                "family": self.registering.family,
                "since": timestamp(self.registering.since),
            }
            if self.registering
            else None,
            "taskDefinitions": [{"definitionHash": key, "arn": arn} for key, arn in self.definitions],
            "traffic": self.traffic.to_status() if self.traffic else None,
            "targetGroups": [group.write() for group in self.target_groups],
            "anchors": [anchor.write() for anchor in self.anchors],
            "registries": list(self.registries),
            "routes": [dict(route) for route in self.routes],
            "intents": dict(self.intents),
            "rejectedRevision": _dense(
                {
                    "revision": self.rejected.revision,
                    "reason": self.rejected.reason,
                    "fallback": self.rejected.fallback,
                    "message": self.rejected.message,
                    "cause": self.rejected.cause,
                }
            )
            if self.rejected
            else None,
            "history": [dict(entry) for entry in self.history],
            "conditions": [dict(condition) for condition in self.conditions],
        }
        return {name: value for name, value in status.items() if value not in (None, [], {})}
