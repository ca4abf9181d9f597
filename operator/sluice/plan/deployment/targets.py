"""Target groups: one for each (slot, container port, load balancer) that a route needs (rollout.md §2).

Once made they stay with the Deployment as long as it has the port, whatever routes do: a service whose target
group lost its load balancer could not place a task any more. One that was deleted by hand is made
again while a route needs it, and dropped otherwise. A changed protocol version, which ELB can't
change, is a new group beside the old one; traffic moves once the new one is healthy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sluice.model import ownership
from sluice.model.actions import Action, Ref
from sluice.model.binding import Priority
from sluice.model.desired import Backend, Desired, Port
from sluice.model.errors import Refused
from sluice.model.names import target_group_name
from sluice.model.observed import Observed, Structure
from sluice.plan.deployment.state import Anchor, State, TargetGroup

ROLE: Final = "target-group"
PER_SERVICE: Final = 5  # ECS: "Target groups per service", developer guide, service-quotas
HEALTH_MEMBERS: Final = (
    "HealthCheckProtocol",
    "HealthCheckPort",
    "HealthCheckEnabled",
    "HealthCheckPath",
    "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
    "Matcher",
)
"""Members of a target group that are its health check, as AWS spells them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """The groups after this plan and what makes them so."""

    groups: tuple[TargetGroup, ...]
    arns: Mapping[str, str | Ref]
    """Group name → its ARN, or the Ref to the action that makes it."""
    actions: tuple[Action, ...]
    repaired: tuple[str, ...] = ()
    """What a hand edit had changed, for events."""
    loose: frozenset[str] = frozenset()
    """Groups that no route asks for and that AWS says no load balancer uses."""

    def with_others(self, groups: Sequence[TargetGroup], *, slot: str) -> Targets:
        """Return these groups and the known ones of the other slot, which stay as they are."""
        others = tuple(group for group in groups if group.slot != slot and group.arn)
        return Targets(
            groups=(*self.groups, *others),
            arns={**self.arns, **{group.name: group.arn for group in others}},
            actions=self.actions,
            repaired=self.repaired,
            loose=self.loose,
        )

    def without(self, names: frozenset[str]) -> Targets:
        """Return all but these groups, which go: they need no anchor."""
        if not names:
            return self
        kept = tuple(group for group in self.groups if group.name not in names)
        return replace(self, groups=kept)

    def and_of(self, other: Targets) -> Targets:
        """Return the groups of both slots, and what makes them so."""
        return Targets(
            groups=(*self.groups, *other.groups),
            arns={**self.arns, **other.arns},
            actions=(*self.actions, *other.actions),
            repaired=(*self.repaired, *other.repaired),
            loose=self.loose | other.loose,
        )


def port_of(backend: Backend, ports: Sequence[Port]) -> Port | None:
    """Return the container port that a backendRef means, None when there is no such port.

    The name, or the number as text; '' means the only one (the route's controller refuses the rest).
    """
    if not backend.port:
        return ports[0] if len(ports) == 1 else None
    for port in ports:
        if backend.port in (port.name, str(port.container_port)):
            return port
    return None


def wanted(
    desired: Desired, state: State, *, slot: str
) -> tuple[tuple[TargetGroup, Backend | None, Port | None], ...]:
    """Return every group that slot `slot` should have, ordered by name, with the route's wish and the port.

    A kept group without a wish has Backend None; one whose container port is gone has Port None and
    is no longer attached.
    """
    ports = {port.container_port: port for port in desired.revision.ports}
    found: dict[str, tuple[TargetGroup, Backend | None, Port | None]] = {
        group.name: (group, None, ports.get(group.container_port))
        for group in state.target_groups
        if group.slot == slot
    }
    for backend in desired.backends:
        port = port_of(backend, desired.revision.ports)
        if port is None:
            continue
        name = group_name(desired, backend.load_balancer_arn, port, slot=slot)
        if name not in found:
            name = _taken_over(found, backend, port) or name
        known = found.get(name)
        if known and known[1]:
            continue
        group = TargetGroup(
            slot=slot,
            port=port.label,
            container_port=port.container_port,
            load_balancer_arn=backend.load_balancer_arn,
            name=name,
            arn=known[0].arn if known else "",
            protocol_version=known[0].protocol_version if known else "",
        )
        found[name] = (group, backend, port)
    return tuple(found[name] for name in sorted(found))


def _taken_over(
    found: Mapping[str, tuple[TargetGroup, Backend | None, Port | None]], backend: Backend, port: Port
) -> str:
    """Return the name of the group that came with an adopted service and is what a route needs, or ''.

    One that no load balancer uses (its rule was deleted) fits any: the route's anchor associates it.
    """
    place = (port.container_port, port.protocol_version)
    for name, (group, _, _) in sorted(found.items()):
        free = group.load_balancer_arn in ("", backend.load_balancer_arn)
        if free and (group.container_port, group.protocol_version) == place:
            return name
    return ""


def group_name(desired: Desired, load_balancer_arn: str, port: Port, *, slot: str) -> str:
    """Return the name of a slot's target group."""
    version = "" if port.protocol_version == "HTTP1" else f"/{port.protocol_version}"
    return target_group_name(
        desired.installation,
        desired.key,
        slot=slot,
        container_port=port.container_port,
        load_balancer=f"{load_balancer_arn}{version}",
    )


def target_groups(desired: Desired, state: State, observed: Observed, *, slot: str) -> Targets:
    """Decide about a slot's target groups; raises Refused on one that is not ours or too many for ECS."""
    groups: list[TargetGroup] = []
    arns: dict[str, str | Ref] = {}
    actions: list[Action] = []
    repaired: list[str] = []
    loose: set[str] = set()
    entries = wanted(desired, state, slot=slot)
    if sum(1 for _, _, port in entries if port) > PER_SERVICE:
        raise Refused(
            "QuotaExceeded",
            f"{len(entries)} target groups would be needed (container ports x load balancers), an ECS "
            f"service takes {PER_SERVICE}; use fewer load balancers or ports in its ServiceRoutes",
        )
    for group, backend, port in entries:
        seen = observed.target_groups.get(group.name, _UNSEEN)
        if seen is None or (seen is _UNSEEN and not group.arn):
            if backend is None or port is None:
                continue  # deleted by hand, and nobody needs it
            # A read may be stale: a group that is there after all answers with the ARN that is known,
            # and nothing else changes. Another ARN is dealt with when this plan's answers are planned on.
            arns[group.name] = group.arn or Ref(f"target-group-arn:{group.name}")
            groups.append(group)
            actions += _create(desired, group, backend, port)
            if group.arn:
                repaired.append(f"{group.name} was deleted by somebody else")
            continue
        arn = group.arn
        if seen is not _UNSEEN:
            _prove(desired, group, seen)
            arn = seen["TargetGroupArn"]
            if backend is None and seen.get("LoadBalancerArns") == []:
                loose.add(group.name)
            if port is not None:
                fixes = _drift(seen, port)
                actions += fixes
                repaired += [action.reason for action in fixes]
        arns[group.name] = arn
        groups.append(
            TargetGroup(
                slot=group.slot,
                port=group.port,
                container_port=group.container_port,
                load_balancer_arn=group.load_balancer_arn,
                name=group.name,
                arn=arn,
                protocol_version=group.protocol_version,
            )
        )
    return Targets(
        groups=tuple(groups),
        arns=arns,
        actions=tuple(actions),
        repaired=tuple(repaired),
        loose=frozenset(loose),
    )


_UNSEEN: Final[Structure] = {}


def moving_ports(desired: Desired, state: State) -> tuple[str, ...]:
    """Return a warning for each named port whose number changes while requests reach the old one.

    A target group's tasks listen on one number, so the new tasks join a group of their own, and routes follow
    when it is healthy. A rolling ECS deployment may have stopped the last old task by then.
    """
    numbers = {port.name: port.container_port for port in desired.revision.ports if port.name}
    served = {entry.port: entry.container_port for entry in state.traffic.targets} if state.traffic else {}
    return tuple(
        f"containerPort of port {name}: {served[name]} → {number} moves requests to another target group, "
        "and with a rolling strategy some may fail for about a second meanwhile; keep the number, or use "
        "strategy type Progressive for this change"
        for name, number in sorted(numbers.items())
        if name in served and served[name] != number
    )


def attached(
    desired: Desired,
    targets: Targets,
    *,
    slot: str,
    anchors: Sequence[Anchor] = (),
    service: Structure | None = None,
) -> list[dict[str, Any]]:
    """Return the slot's `loadBalancers` (values may be Refs), ordered by group name.

    ECS takes no list that has a group which no load balancer uses. One that nothing will associate again (no
    route asks for it, and no anchor can: its load balancer was deleted) goes when others come; nothing is
    changed in the service only to be rid of it.
    """
    ports = {port.container_port: port for port in desired.revision.ports}
    hung = {(anchor.load_balancer_arn, anchor.container_port) for anchor in anchors}
    there = {entry.get("targetGroupArn") for entry in (service or {}).get("loadBalancers") or ()}
    own = [group for group in targets.groups if group.slot == slot and group.container_port in ports]
    adrift = {
        group.name
        for group in own
        if group.name in targets.loose and (group.load_balancer_arn, group.container_port) not in hung
    }
    if all(targets.arns[group.name] in there for group in own if group.name not in adrift):
        adrift = {name for name in adrift if targets.arns[name] not in there}
    return [
        {
            "targetGroupArn": targets.arns[group.name],
            "containerName": ports[group.container_port].container_name,
            "containerPort": group.container_port,
        }
        for group in own
        if group.name not in adrift
    ]


def _create(desired: Desired, group: TargetGroup, backend: Backend, port: Port) -> list[Action]:
    tags = ownership.owner_tags(desired.installation, desired.key, role=ROLE, uid=desired.uid)
    params: dict[str, Any] = {
        "Name": group.name,
        "Protocol": "HTTP",
        "Port": port.container_port,
        "VpcId": backend.vpc_id,
        "TargetType": _target_type(desired),
        "ProtocolVersion": port.protocol_version,
        **port.health_check,
        "Tags": ownership.to_elb(tags),
    }
    output = f"target-group-arn:{group.name}"
    found = [
        Action(
            service="elbv2",
            operation="CreateTargetGroup",
            params=params,
            subject=f"target group {group.name}",
            reason=f"a ServiceRoute sends to port {port.label} through {group.load_balancer_arn}",
            outputs={
                output: "TargetGroups[0].TargetGroupArn",
                f"target-group:{group.name}": "TargetGroups[0]",
            },
        )
    ]
    if port.attributes:
        found.append(_attributes(Ref(output), group.name, port.attributes, "attributes of the new group"))
    return found


def _target_type(desired: Desired) -> str:
    """Tasks with an address of their own are targets by it, others by their instance (ECS guide)."""
    return "ip" if desired.revision.definition.get("networkMode") == "awsvpc" else "instance"


def _prove(desired: Desired, group: TargetGroup, seen: Structure) -> None:
    owner = ownership.ownership(seen.get("Tags", {}), desired.installation, desired.key)
    if owner != "ours":
        raise Refused(
            "OwnershipConflict",
            f"target group {group.name} exists and is not owned by this Deployment ({owner}); "
            "delete it or give it this Deployment's sluice.dev tags",
        )


def delete(name: str, arn: str, *, reason: str, priority: Priority = Priority.ROLLOUT) -> Action:
    """Return the deletion of a target group; that it is gone already is fine."""
    return Action(
        service="elbv2",
        operation="DeleteTargetGroup",
        params={"TargetGroupArn": arn},
        subject=f"target group {name}",
        reason=reason,
        priority=priority,
        already=frozenset({"TargetGroupNotFound"}),
    )


def _drift(seen: Structure, port: Port) -> list[Action]:
    """Compare what the spec states; what it leaves open is ELB's to default and a person's to set."""
    found: list[Action] = []
    arn, name = seen["TargetGroupArn"], seen.get("TargetGroupName", "")
    different = {
        member: value
        for member, value in port.health_check.items()
        if member in HEALTH_MEMBERS and not _same(value, seen.get(member))
    }
    if different:
        reason = ", ".join(
            f"{member} {_shown(seen.get(member))} → {_shown(value)}"
            for member, value in sorted(different.items())
        )
        found.append(
            Action(
                service="elbv2",
                operation="ModifyTargetGroup",
                params={"TargetGroupArn": arn, **different},
                subject=f"target group {name}",
                reason=reason,
                outputs={f"target-group:{name}": "TargetGroups[0]"},
            )
        )
    now = seen.get("Attributes", {})
    if now:
        wrong = {key: value for key, value in port.attributes.items() if now.get(key) != value}
        if wrong:
            reason = ", ".join(f"{key} {now.get(key)} → {value}" for key, value in sorted(wrong.items()))
            found.append(_attributes(arn, name, wrong, reason))
    return found


def _attributes(arn: str | Ref, name: str, values: Mapping[str, str], reason: str) -> Action:
    return Action(
        service="elbv2",
        operation="ModifyTargetGroupAttributes",
        params={
            "TargetGroupArn": arn,
            "Attributes": [{"Key": key, "Value": value} for key, value in sorted(values.items())],
        },
        subject=f"target group {name}",
        reason=reason,
        outputs={f"target-group-attributes:{name}": "Attributes"},
    )


def _same(want: Any, seen: Any) -> bool:  # noqa: ANN401 - any member of an AWS structure
    if isinstance(want, Mapping) and isinstance(seen, Mapping):
        return all(_same(value, seen.get(member)) for member, value in want.items())
    return bool(want == seen)


def _shown(value: Any) -> str:  # noqa: ANN401 - any member of an AWS structure
    if isinstance(value, Mapping):
        return " ".join(str(entry) for entry in value.values())
    return str(value)
