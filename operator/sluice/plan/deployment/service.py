"""The ECS service: what it should be, how it differs, and the calls that make it so.

Compared field by field over canonical forms, and only what the spec (or a default that Sluice states)
decides: what nobody asked for is ECS's to fill in. Sources: ECS API reference, CreateService and
UpdateService ("This parameter triggers a new service deployment" tells the two kinds apart).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sluice.model import ownership
from sluice.model.actions import Action, Ref
from sluice.model.desired import Desired
from sluice.model.errors import Refused
from sluice.model.names import short_hash
from sluice.model.observed import Structure
from sluice.plan.canonical import canonical_service, diff
from sluice.plan.deployment.state import Slot

TRIGGERING: Final = frozenset(
    {
        "taskDefinition",
        "networkConfiguration",
        "platformVersion",
        "loadBalancers",
        "serviceRegistries",
        "serviceConnectConfiguration",
        "volumeConfigurations",
    }
)
"""A change of these starts an ECS deployment by itself."""
REVISION_MEMBERS: Final = frozenset(
    {
        "taskDefinition",
        "networkConfiguration",
        "platformVersion",
        "capacityProviderStrategy",
        "serviceConnectConfiguration",
        "volumeConfigurations",
        "enableExecuteCommand",
        "availabilityZoneRebalancing",
        "placementConstraints",
        "placementStrategy",
    }
)
"""A change of these is another revision (rollout.md §1); launchType is, too, but replaces the service."""
_IN_PLACE: Final = frozenset({"availabilityZoneRebalancing", "placementConstraints", "placementStrategy"})
"""Take effect without new tasks."""
_CREATE_ONLY: Final = frozenset({"launchType", "schedulingStrategy"})
_TOKEN_LENGTH: Final = 36  # CreateService, clientToken
_PARTS_SHOWN: Final = 3  # differences inside one member that an event names
_SCALARS: Final = frozenset({"taskDefinition", "desiredCount"})
_EMPTY: Final[tuple[Any, ...]] = (None, [], {}, "", {"enabled": False})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One member of a service that is not what it should be."""

    member: str
    text: str
    """For people: `desiredCount 2 → 3`."""

    @property
    def of_revision(self) -> bool:
        """Tell whether it makes the service run another revision."""
        return self.member in REVISION_MEMBERS


def primary(service: Structure) -> Structure:
    """Return the PRIMARY deployment, {} when there is none."""
    for deployment in service.get("deployments") or ():
        if deployment.get("status") == "PRIMARY":
            return dict(deployment)
    return {}


def tags_of(service: Structure) -> dict[str, str]:
    """Return a described service's tags."""
    return ownership.from_ecs(service.get("tags") or ())


def ours(desired: Desired, service: Structure) -> bool:
    """Tell whether a described service's tags prove that it is this Deployment's."""
    return ownership.ownership(tags_of(service), desired.installation, desired.key) == "ours"


def check_ours(desired: Desired, service: Structure) -> None:
    """Refuse a service that is not ours, or whose deployments something else drives."""
    owner = ownership.ownership(tags_of(service), desired.installation, desired.key)
    name = service.get("serviceName", "")
    if owner != "ours":
        raise Refused(
            "OwnershipConflict",
            f"ECS service {name} exists and is not owned by this Deployment ({owner}); "
            "delete it or give it this Deployment's sluice.dev tags",
        )
    check_driver(service)


def check_driver(service: Structure) -> None:
    """Refuse a service whose deployments something else drives."""
    name = service.get("serviceName", "")
    controller = service.get("deploymentController", {}).get("type", "ECS")
    strategy = service.get("deploymentConfiguration", {}).get("strategy", "ROLLING")
    if controller != "ECS" or strategy != "ROLLING":
        raise Refused(
            "ManagedByECS",
            f"ECS service {name} is deployed by {controller} with strategy {strategy}; "
            "set its deployment controller to ECS and its strategy to ROLLING",
        )


def replaced_by(desired: Desired, slot: Slot, service: Structure) -> str:
    """Return why the service cannot be updated to what is desired, '' when it can."""
    if _cluster_name(slot.cluster) != _cluster_name(desired.cluster):
        return f"cluster {slot.cluster} → {desired.cluster}"
    want = desired.revision.service
    launch = service.get("launchType")
    providers = [entry.get("capacityProvider") for entry in service.get("capacityProviderStrategy") or ()]
    if want.get("launchType"):
        seen = launch if not providers else f"capacity providers {', '.join(map(str, providers))}"
        if seen and seen != want["launchType"]:
            return f"launchType {seen} → {want['launchType']}"
    elif want.get("capacityProviderStrategy") and launch and not providers:
        return f"launchType {launch} → capacity providers"
    scheduling = service.get("schedulingStrategy", "REPLICA")
    if scheduling != desired.settings.get("schedulingStrategy", "REPLICA"):
        return f"schedulingStrategy {scheduling} → REPLICA"
    return ""


def differences(service: Structure, body: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Compare a described service with `body` (UpdateService members; values may be Refs)."""
    found: list[Difference] = []
    plain: dict[str, Any] = {}
    for member, value in sorted(body.items()):
        if _holds_ref(value):
            found.append(Difference(member=member, text=f"{member} changes"))
        elif member == "loadBalancers":
            if _balancers(value) != _balancers(service.get(member) or []):
                found.append(Difference(member=member, text="loadBalancers changed"))
        elif member == "serviceRegistries":
            if _registries(value) != _registries(service.get(member) or []):
                found.append(Difference(member=member, text="serviceRegistries changed"))
        elif member in _SCALARS:
            if value != service.get(member):
                found.append(_plain(member, _short(service.get(member)), _short(value)))
        else:
            plain[member] = value
    return tuple(sorted([*found, *_canonical_differences(service, plain)], key=lambda entry: entry.member))


def needs_force(found: tuple[Difference, ...]) -> bool:
    """Tell whether a new revision with these differences needs forceNewDeployment to take effect.

    Nothing differs (a restart), or only members that ECS applies to later tasks alone.
    """
    members = {entry.member for entry in found if entry.of_revision}
    return not members & TRIGGERING and not (members and members <= _IN_PLACE)


def update_body(
    desired: Desired,
    *,
    task_definition: str | Ref,
    load_balancers: list[dict[str, Any]],
    deployment_configuration: Mapping[str, Any],
    count: int | None,
    registries: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return the members of UpdateService that are ours to decide; what is None is left alone."""
    body: dict[str, Any] = {
        **desired.revision.service,
        **desired.settings,
        "taskDefinition": task_definition,
        "deploymentConfiguration": deployment_configuration,
        "loadBalancers": load_balancers,
    }
    if not load_balancers:
        body.pop("healthCheckGracePeriodSeconds", None)  # ECS refuses it without a load balancer
    if count is not None:
        body["desiredCount"] = count
    if registries is not None:
        body["serviceRegistries"] = registries
    return {member: value for member, value in body.items() if member not in _CREATE_ONLY}


def create(desired: Desired, slot: Slot, body: Mapping[str, Any], *, count: int, attempt: str) -> Action:
    """Return CreateService for `slot`; its output is the whole service, `service:<cluster>:<name>`.

    `attempt` is the rollout's id: the same after a crash, another one when a service that was deleted
    by hand has to be made again under the same name.
    """
    params = {
        **{member: value for member, value in body.items() if value not in _EMPTY},
        **{
            member: value
            for member, value in {**desired.revision.service, **desired.settings}.items()
            if member in _CREATE_ONLY and value not in _EMPTY
        },
        "cluster": slot.cluster,
        "serviceName": slot.service_name,
        "desiredCount": count,
        "clientToken": short_hash(
            desired.installation,
            str(desired.key),
            desired.uid,
            slot.cluster,
            slot.service_name,
            attempt,
            length=_TOKEN_LENGTH,
        ),
        "tags": ownership.to_ecs(service_tags(desired, slot)),
    }
    return Action(
        service="ecs",
        operation="CreateService",
        params=params,
        subject=f"ECS service {slot.service_name} in cluster {slot.cluster}",
        reason=f"revision {desired.revision.name} has no service",
        outputs={output_name(slot): "service"},
    )


def update(
    slot: Slot, body: Mapping[str, Any], found: tuple[Difference, ...], *, force: bool, reason: str = ""
) -> Action:
    """Return UpdateService with the members that differ."""
    params: dict[str, Any] = {
        "cluster": slot.cluster,
        "service": slot.service_name,
        **{entry.member: body[entry.member] for entry in found},
    }
    if force:
        params["forceNewDeployment"] = True
        params.setdefault("taskDefinition", body["taskDefinition"])
    return Action(
        service="ecs",
        operation="UpdateService",
        params=params,
        subject=f"ECS service {slot.service_name} in cluster {slot.cluster}",
        reason=reason or ", ".join(entry.text for entry in found) or "restart",
        outputs={output_name(slot): "service"},
    )


def service_tags(desired: Desired, slot: Slot) -> dict[str, str]:
    """Return the tags of the service: a person's, the owner's, and the revision."""
    owner = ownership.owner_tags(desired.installation, desired.key, role=f"slot-{slot.name}", uid=desired.uid)
    return {**desired.tags, **owner, ownership.REVISION: desired.revision.name}


def tag_actions(desired: Desired, slot: Slot, service: Structure) -> list[Action]:
    """Return TagResource for tags that are missing or wrong.

    Tags that nobody asked for stay: cost allocation and other tools put them there. Sluice removes
    only tags of a person's that it had set before, which it cannot know; so it removes none.
    """
    want, seen = service_tags(desired, slot), tags_of(service)
    wrong = {key: value for key, value in want.items() if seen.get(key) != value}
    if not wrong:
        return []
    return [
        Action(
            service="ecs",
            operation="TagResource",
            params={"resourceArn": service["serviceArn"], "tags": ownership.to_ecs(wrong)},
            subject=f"ECS service {slot.service_name}",
            reason=f"tags {', '.join(sorted(wrong))}",
        )
    ]


def delete(slot: Slot, *, reason: str) -> Action:
    """Return DeleteService with force: tasks drain as in a scale to 0 (ECS API, DeleteService)."""
    return Action(
        service="ecs",
        operation="DeleteService",
        params={"cluster": slot.cluster, "service": slot.service_name, "force": True},
        subject=f"ECS service {slot.service_name} in cluster {slot.cluster}",
        reason=reason,
        outputs={output_name(slot): "service"},
        already=frozenset({"ServiceNotFoundException", "ServiceNotActiveException"}),
    )


def output_name(slot: Slot) -> str:
    """Return the output under which an action's answer about this service is found."""
    return f"service:{slot.cluster}:{slot.service_name}"


def _canonical_differences(service: Structure, body: Mapping[str, Any]) -> list[Difference]:
    found: list[Difference] = []
    want, seen = canonical_service(body), dict(canonical_service(service))
    if isinstance(asked := body.get("deploymentConfiguration"), Mapping):
        # UpdateService keeps what is not given (a bake time, hooks): nobody's wish, and never to be undone.
        present = seen.get("deploymentConfiguration") or {}
        seen["deploymentConfiguration"] = {name: present[name] for name in present if name in asked}
    for member in sorted(body):
        if member in want:
            parts = diff({member: want[member]}, seen)
            if parts:
                texts = [f"{part.path} {part.seen} → {part.desired}" for part in parts[:_PARTS_SHOWN]]
                found.append(Difference(member=member, text=", ".join(texts)))
        elif seen.get(member) is not None:  # the spec asks for nothing, and something is there
            found.append(Difference(member=member, text=f"{member} set → absent"))
    return found


def _balancers(entries: list[Mapping[str, Any]]) -> set[tuple[Any, Any, Any]]:
    return {
        (entry.get("targetGroupArn"), entry.get("containerName"), entry.get("containerPort"))
        for entry in entries
    }


def _registries(entries: list[Mapping[str, Any]]) -> set[tuple[Any, ...]]:
    members = ("registryArn", "containerName", "containerPort", "port")
    return {tuple(entry.get(member) for member in members) for entry in entries}


def _holds_ref(value: Any) -> bool:  # noqa: ANN401 - any parameter
    if isinstance(value, str):  # nearly everything; asking Mapping costs ten times as much
        return False
    if isinstance(value, Ref):
        return True
    if isinstance(value, Mapping):
        return any(_holds_ref(entry) for entry in value.values())
    return isinstance(value, list) and any(_holds_ref(entry) for entry in value)


def _plain(member: str, seen: object, want: object) -> Difference:
    return Difference(member=member, text=f"{member} {seen} → {want}")


def _short(arn: object) -> str:
    return str(arn).rpartition("/")[2]


def _cluster_name(cluster: str) -> str:
    return cluster.rpartition("/")[2]
