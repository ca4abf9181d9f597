"""Takes an ECS service over that is there already (`spec.adopt`), with its target groups, without a new task.

| the service | what happens |
|---|---|
| carries no tag of ours | compared with the spec, then claimed: owner tags on it and its target groups |
| carries this Deployment's tags | it is slot a, under its own name, as if Sluice had made it |
| carries another owner's tags | refused, `OwnershipConflict` |
| is not there, or on its way out | refused: nothing is created in its place |

The claim is a pass of its own and the service's tags come first, so a crash anywhere leads back here, and the
next pass reads the tags before it writes anything else. What only a new service could change (launch type,
cluster), and what a load balancer would miss (a container port), is refused before the claim; everything else
becomes what the spec says by the ordinary way, and a spec that equals what runs changes no task. Ordinal 0
marks the slot: no name of ours has it, and a successor begins with 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sluice.model import ownership
from sluice.model.actions import Action, Note
from sluice.model.desired import Desired, Port
from sluice.model.errors import Refused
from sluice.model.observed import Observed, ServiceId, Structure
from sluice.plan.canonical import canonical_definition, diff
from sluice.plan.deployment import service as ecs
from sluice.plan.deployment.state import Slot, State, TargetGroup
from sluice.plan.deployment.targets import ROLE as GROUP_ROLE

ORDINAL: Final = 0
_SLOT: Final = "a"
_HTTP: Final = frozenset({"HTTP", "HTTPS"})
_SHOWN: Final = 5  # differing members that the event names


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The owner tags that are missing."""

    actions: tuple[Action, ...]
    note: Note
    message: str


def place(desired: Desired) -> ServiceId | None:
    """Return where the service is that the spec wants to take over, None when it wants none."""
    return ServiceId(desired.cluster, desired.adopt.name) if desired.adopt else None


def slot(desired: Desired) -> Slot:
    """Return the slot of the adopted service, of which nothing is known."""
    name = desired.adopt.name if desired.adopt else ""
    return Slot(name=_SLOT, ordinal=ORDINAL, cluster=desired.cluster, service_name=name)


def group_names(service: Structure) -> tuple[str, ...]:
    """Return the names of a service's target groups."""
    return tuple(name for name, _ in _attached(service))


def claim(desired: Desired, state: State, observed: Observed) -> Claim | None:
    """Return what has to be tagged before anything else happens, None when nothing has.

    Raises Refused where the service cannot be taken over.
    """
    where = place(desired)
    if where is None or state.slot is not None or _succeeded(desired, observed):
        return None
    _check_cluster(desired)
    service = observed.services.get(where)
    if service is None or service.get("status") != "ACTIVE":
        found = service.get("status") if service else "not there"
        raise Refused(
            "InvalidSpec",
            f"spec.adopt.serviceArn: ECS service {where.name} in cluster {where.cluster} is {found}; "
            "name an ACTIVE service, or remove adopt to have a new one",
        )
    groups = {name: observed.target_groups.get(name) for name in group_names(service)}
    _check_owner(desired, "ECS service", where.name, ecs.tags_of(service))
    for name, group in groups.items():
        _check_owner(desired, "target group", name, (group or {}).get("Tags", {}))
    fresh = not ecs.ours(desired, service)
    if fresh:
        _check(desired, service, groups)
    actions = [_tag_service(desired, service)] if fresh else []
    actions += [
        _tag_group(desired, name, group)
        for name, group in sorted(groups.items())
        if group and not _ours(desired, group)
    ]
    if not actions:
        return None
    different = differing(desired, service, observed.adopted_definition)
    what = f"differs in {_listed(different)}: its tasks are replaced" if different else "equals what runs"
    return Claim(
        actions=tuple(actions),
        note=Note(
            type="Normal",
            reason="ServiceAdopted",
            message=f"ECS service {where.name} with {_groups(groups)} is taken over; the spec {what}",
        ),
        message=f"ECS service {where.name} is taken over",
    )


def learn(desired: Desired, state: State, observed: Observed) -> State:
    """Return the state with the target groups of a service that was claimed and is in no status (any more).

    Its successor under a name of ours has the same groups, and their names tell nothing.
    """
    if state.slot is not None or desired.adopt is None:
        return state
    found = {group.name: group for group in state.target_groups}
    for service in observed.services.values():
        if not service or service.get("status") != "ACTIVE" or not ecs.ours(desired, service):
            continue
        for name, entry in _attached(service):
            group, port = observed.target_groups.get(name), _port(desired, entry)
            if name not in found and group and port and _ours(desired, group):
                found[name] = _taken(name, group, port)
    return dataclasses.replace(state, target_groups=tuple(found.values()))


def _taken(name: str, group: Structure, port: Port) -> TargetGroup:
    return TargetGroup(
        slot=_SLOT,
        port=port.label,
        container_port=port.container_port,
        load_balancer_arn=next(iter(group.get("LoadBalancerArns") or ()), ""),
        name=name,
        arn=group["TargetGroupArn"],
        protocol_version=str(group.get("ProtocolVersion") or "HTTP1"),
    )


def reminder(desired: Desired, state: State) -> str:
    """Return the warning that `spec.adopt` is without effect, '' when it is not."""
    if not desired.adopt or state.slot is None or state.slot.service_name == desired.adopt.name:
        return ""
    return (
        f"spec.adopt: ECS service {desired.adopt.name} is not taken over, because this Deployment has "
        f"{state.slot.service_name}; remove adopt, or adopt it with a Deployment of its own"
    )


def differing(desired: Desired, service: Structure, definition: Structure | None) -> tuple[str, ...]:
    """Return the paths in which the spec's revision differs from what a service runs.

    Paths without values: environment variables are among them. `definition` None: it is equal.
    """
    want = canonical_definition(desired.revision.definition)
    seen = canonical_definition(definition) if definition is not None else want
    paths = [entry.path for entry in diff(want, seen)] + [name for name in seen if name not in want]
    members = {name: value for name, value in desired.revision.service.items() if name != "launchType"}
    return (*sorted(paths), *(entry.member for entry in ecs.differences(service, members)))


def _succeeded(desired: Desired, observed: Observed) -> bool:
    """Tell whether a service under a name of ours has taken the adopted one's place already."""
    return any(
        ecs.ours(desired, service)
        for where, service in observed.services.items()
        if where != place(desired) and service and service.get("status") == "ACTIVE"
    )


def _check_owner(desired: Desired, kind: str, name: str, tags: Mapping[str, str]) -> None:
    if ownership.ownership(tags, desired.installation, desired.key) == "other-object":
        owner = ", ".join(f"{key} {value}" for key, value in sorted(tags.items()) if key in _OWNER)
        raise Refused(
            "OwnershipConflict",
            f"spec.adopt: {kind} {name} has an owner ({owner}); "
            "let it go there first (deletionPolicy: Retain), then adopt it here",
        )


_OWNER: Final = (ownership.INSTALLATION, ownership.NAMESPACE, ownership.NAME)


def _check_cluster(desired: Desired) -> None:
    adopt = desired.adopt
    if adopt and adopt.cluster and adopt.cluster != desired.cluster.rpartition("/")[2]:
        raise Refused(
            "InvalidSpec",
            f"spec.ecs.cluster: is {desired.cluster}, but ECS service {adopt.name} of spec.adopt is in "
            f"cluster {adopt.cluster}; name that one, or leave ecs.cluster out",
        )


def _check(desired: Desired, service: Structure, groups: Mapping[str, Structure | None]) -> None:
    """Refuse what taking over could only break."""
    name = service.get("serviceName", "")
    ecs.check_driver(service)
    why = ecs.replaced_by(desired, slot(desired), service)
    if why:
        raise Refused(
            "InvalidSpec",
            f"spec.adopt: ECS service {name} could only be replaced, not taken over: {why}; "
            "let spec.ecs say what the service has, and change it afterwards",
        )
    if len(group_names(service)) < len(service.get("loadBalancers") or ()):
        raise Refused(
            "InvalidSpec",
            f"spec.adopt: ECS service {name} is behind a Classic Load Balancer, which Sluice does not "
            "manage; move it to target groups first",
        )
    for group_name, entry in _attached(service):
        _check_group(desired, group_name, groups.get(group_name), entry)


def _check_group(desired: Desired, name: str, group: Structure | None, entry: Mapping[str, Any]) -> None:
    if group is None:
        raise Refused("InvalidSpec", f"spec.adopt: target group {name} of the service is not there")
    where = f"container {entry.get('containerName')} port {entry.get('containerPort')}"
    port = _port(desired, entry)
    if port is None:
        raise Refused(
            "InvalidSpec",
            f"spec.adopt: target group {name} sends to {where}, which the spec does not have; add the port",
        )
    if group.get("Protocol") not in _HTTP:
        raise Refused(
            "InvalidSpec",
            f"spec.adopt: target group {name} speaks {group.get('Protocol')}; Sluice manages target groups "
            "of Application Load Balancers alone, detach it first",
        )
    version = group.get("ProtocolVersion") or "HTTP1"
    if version != port.protocol_version:
        raise Refused(
            "InvalidSpec",
            f"spec.adopt: target group {name} has protocol version {version}, the spec "
            f"{port.protocol_version}; say so in spec.ecs.targetGroups for port {port.label}",
        )


def _attached(service: Structure) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the entries of a service's target groups by name (`arn:…:targetgroup/<name>/<id>`)."""
    entries = service.get("loadBalancers") or ()
    return [(arn.split("/")[1], entry) for entry in entries if (arn := entry.get("targetGroupArn"))]


def _port(desired: Desired, entry: Mapping[str, Any]) -> Port | None:
    for port in desired.revision.ports:
        if (port.container_name, port.container_port) == (
            entry.get("containerName"),
            entry.get("containerPort"),
        ):
            return port
    return None


def _ours(desired: Desired, group: Structure) -> bool:
    tags = group.get("Tags", {})
    return ownership.ownership(tags, desired.installation, desired.key) == "ours"


def _tag_service(desired: Desired, service: Structure) -> Action:
    tags = ownership.owner_tags(desired.installation, desired.key, role=f"slot-{_SLOT}", uid=desired.uid)
    return Action(
        service="ecs",
        operation="TagResource",
        params={"resourceArn": service["serviceArn"], "tags": ownership.to_ecs(tags)},
        subject=f"ECS service {service.get('serviceName', '')}",
        reason="spec.adopt takes it over",
    )


def _tag_group(desired: Desired, name: str, group: Structure) -> Action:
    tags = ownership.owner_tags(desired.installation, desired.key, role=GROUP_ROLE, uid=desired.uid)
    return Action(
        service="elbv2",
        operation="AddTags",
        params={"ResourceArns": [group["TargetGroupArn"]], "Tags": ownership.to_elb(tags)},
        subject=f"target group {name}",
        reason="spec.adopt takes it over with its ECS service",
    )


def _groups(groups: Mapping[str, Structure | None]) -> str:
    return f"target groups {', '.join(sorted(groups))}" if groups else "no target group"


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more
