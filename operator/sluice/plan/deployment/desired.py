"""Turns a parsed and translated spec into what it asks of AWS.

Every member that the spec may leave out and that a person may change by hand gets its default here,
so that it is compared; what ECS alone knows (zone rebalancing of a spec that is silent) is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sluice.api.v1alpha1 import progressive_rules
from sluice.api.v1alpha1.deployment import DeploymentSpec
from sluice.api.v1alpha1.ecs import EcsSettings
from sluice.api.v1alpha1.parse import refuse
from sluice.model.desired import Adoption, Backend, Desired, Port, Strategy
from sluice.model.keys import GROUP, Key
from sluice.model.names import family_name
from sluice.plan.deployment import revision, service_connect
from sluice.plan.translation import Translated

RESTARTED_AT = f"{GROUP}/restartedAt"
_T = TypeVar("_T")
_HISTORY_LIMIT = 10
_PROGRESS_DEADLINE = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whose wish it is."""

    key: Key
    uid: str
    generation: int
    installation: str


def build(
    identity: Identity,
    spec: DeploymentSpec,
    translated: Translated,
    *,
    cluster: str,
    raw_spec: Mapping[str, Any],
    backends: tuple[Backend, ...] = (),
    suspended: bool = False,
) -> Desired:
    """Return the wish, with the spec's own revision as the effective one.

    Raises Refused where what ECS takes depends on both the spec and the translated task definition.
    """
    if wrong := service_connect.problems(spec.settings.service_connect_configuration or {}, translated.body):
        raise refuse(wrong)
    size = translated.task_size
    own = revision.make(
        deployment=identity.key.name,
        definition=translated.body,
        service=revision_members(spec.settings),
        ports=tuple(
            Port(
                name=port.name or "",
                container_name=port.container_name,
                container_port=port.container_port,
                protocol_version=port.protocol_version,
                health_check=port.health_check,
                attributes=port.attributes,
            )
            for port in translated.ports
        ),
        restarted_at=restarted_at(spec),
        spec={name: raw_spec[name] for name in ("template", "taskDefinition", "ecs") if name in raw_spec},
    )
    return Desired(
        key=identity.key,
        uid=identity.uid,
        installation=identity.installation,
        generation=identity.generation,
        family=family_name(identity.installation, identity.key),
        revision=own,
        spec_revision=own.name,
        cluster=cluster,
        settings={
            "schedulingStrategy": "REPLICA",
            "propagateTags": spec.settings.propagate_tags or "SERVICE",
            "healthCheckGracePeriodSeconds": translated.health_check_grace_period_seconds or 0,
        },
        tags={**translated.tags, **(spec.settings.tags or {})},
        replicas=spec.replicas,
        strategy=strategy(spec),
        backends=backends,
        history_limit=_or(spec.revision_history_limit, _HISTORY_LIMIT),
        paused=bool(spec.paused),
        suspended=suspended or bool(spec.suspend),
        adopt=Adoption.of(spec.adopt.service_arn) if spec.adopt else None,
        selector=",".join(f"{key}={value}" for key, value in sorted(selector_labels(spec).items())),
        warnings=(
            *(f"{warning.path}: {warning.text}" for warning in translated.warnings),
            *(f"{finding.path}: {finding.text}" for finding in progressive_rules.warnings(spec)),
        ),
        task_size=size.to_status() if size else {},
    )


def revision_members(ecs: EcsSettings) -> dict[str, Any]:
    """Return the members of CreateService whose change is another revision (rollout.md §1)."""
    members: dict[str, Any] = {
        "networkConfiguration": ecs.network_configuration or {},
        "enableExecuteCommand": bool(ecs.enable_execute_command),
        "serviceConnectConfiguration": ecs.service_connect_configuration or {"enabled": False},
        "volumeConfigurations": ecs.volume_configurations or [],
    }
    if ecs.capacity_provider_strategy:
        members["capacityProviderStrategy"] = ecs.capacity_provider_strategy
    else:
        members["launchType"] = ecs.launch_type or "FARGATE"
    if ecs.fargate:
        members["platformVersion"] = ecs.platform_version or "LATEST"
    else:
        members["placementConstraints"] = ecs.placement_constraints or []
        members["placementStrategy"] = ecs.placement_strategy or []
    if ecs.availability_zone_rebalancing:
        members["availabilityZoneRebalancing"] = ecs.availability_zone_rebalancing
    return members


def strategy(spec: DeploymentSpec) -> Strategy:
    """Return how a new revision takes over, with the defaults of api.md."""
    chosen = spec.strategy
    rolling = chosen.rolling_update if chosen else None
    breaker = (rolling.deployment_circuit_breaker if rolling else None) or {}
    return Strategy(
        type=chosen.type if chosen else "RollingUpdate",
        max_surge=_amount(rolling.max_surge if rolling else None, "100%"),
        max_unavailable=_amount(rolling.max_unavailable if rolling else None, 0),
        circuit_breaker={"enable": True, "rollback": True, **breaker},
        alarms=(rolling.alarms if rolling else None) or {},
        min_ready_seconds=spec.min_ready_seconds or 0,
        progress_deadline_seconds=_or(spec.progress_deadline_seconds, _PROGRESS_DEADLINE),
    )


def restarted_at(spec: DeploymentSpec) -> str:
    """Return the template's restart annotation, '' when there is none."""
    metadata = spec.template.metadata if spec.template else None
    return (metadata.annotations or {}).get(RESTARTED_AT, "") if metadata else ""


def selector_labels(spec: DeploymentSpec) -> Mapping[str, str]:
    """Return the labels of the scale subresource's selector."""
    if spec.selector and spec.selector.match_labels:
        return spec.selector.match_labels
    return spec.labels


def _amount(value: int | str | None, default: int | str) -> int | str:
    return default if value is None else value


def _or(value: _T | None, default: _T) -> _T:
    return default if value is None else value
