"""The Deployment resource: spec as a person writes it, and how it is parsed.

`parse_deployment` is the only way in for the controllers; after it the object has the shape that
these types promise. The API server has checked the same rules before (the CRD is generated from
here), so a refusal at this point means an older CRD or a rule that needs more than the object.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from sluice.api.v1alpha1 import progressive_rules
from sluice.api.v1alpha1.ecs import FARGATE_CEL, EcsSettings
from sluice.api.v1alpha1.meta import LabelSelector
from sluice.api.v1alpha1.parse import Problem, parse_spec
from sluice.api.v1alpha1.pod import PodTemplateSpec
from sluice.api.v1alpha1.schema import Cel, Typed, ecs_shape
from sluice.api.v1alpha1.strategy import TOGETHER, Strategy

SERVICE_ARN = r"^arn:aws[a-z-]*:ecs:[a-z0-9-]+:[0-9]{12}:service/.+$"


class Rollback(Typed):
    """Declarative undo."""

    to_revision: Annotated[str, Field(max_length=253)] = ""
    """Name of a revision in status.history to run instead of what template or taskDefinition says;
    '' for none."""


class Adopt(Typed):
    """An ECS service that is there already."""

    service_arn: Annotated[str, Field(max_length=2048, pattern=SERVICE_ARN)]
    """ARN of the service."""


class DeploymentSpec(Typed):
    """What should run on ECS."""

    replicas: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """Number of tasks; absent: 1 at creation, then whoever scales the ECS service owns it."""
    selector: LabelSelector | None = None
    """Accepted from Kubernetes manifests and checked against the template's labels; otherwise unused."""
    template: PodTemplateSpec | None = None
    """A Kubernetes PodTemplate, translated to a task definition (docs/translation.md). This or
    taskDefinition."""
    task_definition: Annotated[dict[str, Any], ecs_shape("RegisterTaskDefinitionRequest")] | None = None
    """The body of ECS's RegisterTaskDefinition, complete. This or template. The family is Sluice's own."""
    ecs: EcsSettings | None = None
    """How ECS runs the tasks."""
    strategy: Strategy | None = None
    """How a new revision takes over."""
    paused: bool | None = None
    """Start no new deployment; scaling and repair go on."""
    suspend: bool | None = None
    """Change nothing at all: observe and report drift only."""
    min_ready_seconds: Annotated[int, Field(ge=0, le=86_400)] | None = None
    """How long a new task must run before the deployment counts as complete; absent: 0."""
    progress_deadline_seconds: Annotated[int, Field(ge=1, le=1_209_600)] | None = None
    """When a deployment that goes on counts as stalled; absent: 3600."""
    revision_history_limit: Annotated[int, Field(ge=0, le=100)] | None = None
    """Old revisions (and task definitions) to keep; absent: 10."""
    rollback: Rollback | None = None
    """Declarative undo."""
    deletion_policy: Literal["Delete", "Retain"] | None = None
    """What happens in AWS when this object is deleted; absent: Delete. Retain leaves all and drops
    our tags."""
    adopt: Adopt | None = None
    """Take an existing ECS service over instead of making one; refused when somebody else's owner tag
    is on it."""
    cel = (
        Cel(
            rule="has(self.template) != has(self.taskDefinition)",
            message="exactly one of template and taskDefinition is needed; keep one",
        ),
        Cel(
            rule="!has(self.selector) || !has(self.selector.matchLabels) || !has(self.template) || "
            "self.selector.matchLabels.all(k, has(self.template.metadata) && "
            "has(self.template.metadata.labels) && "
            "k in self.template.metadata.labels && self.template.metadata.labels[k] == "
            "self.selector.matchLabels[k])",
            message="selector does not match the labels of template.metadata; make them equal or remove "
            "selector",
            field_path=".selector",
        ),
        Cel(
            rule="!has(self.template) || !has(self.template.spec.hostNetwork) || "
            "!self.template.spec.hostNetwork || "
            f"!{FARGATE_CEL}",
            message="Fargate tasks have their own address; remove template.spec.hostNetwork or use "
            "capacity on EC2",
        ),
        Cel(
            rule="!has(self.template) || !(has(self.template.spec.hostPID) && self.template.spec.hostPID || "
            f"has(self.template.spec.hostIPC) && self.template.spec.hostIPC) || !{FARGATE_CEL}",
            message="Fargate shares no host; remove template.spec.hostPID and hostIPC or use capacity on EC2",
        ),
        Cel(
            rule="!has(self.template) || !has(self.template.spec.terminationGracePeriodSeconds) || "
            f"self.template.spec.terminationGracePeriodSeconds <= 120 || !{FARGATE_CEL}",
            message="Fargate waits 120 seconds at most; set template.spec.terminationGracePeriodSeconds to "
            "120 or less, "
            "or use capacity on EC2",
        ),
        Cel(
            rule="!has(self.template) || self.template.spec.containers.all(c, !has(c.securityContext) || "
            "!has(c.securityContext.privileged) || !c.securityContext.privileged) && "
            "(!has(self.template.spec.initContainers) || self.template.spec.initContainers.all(c, "
            "!has(c.securityContext) || !has(c.securityContext.privileged) || "
            "!c.securityContext.privileged)) || "
            f"!{FARGATE_CEL}",
            message="Fargate runs no privileged containers; remove securityContext.privileged or use "
            "capacity on EC2",
        ),
        Cel(
            rule="!has(self.taskDefinition) || !has(self.ecs) || !has(self.ecs.volumes)",
            message="ecs.volumes goes with template; taskDefinition has volumes of its own",
        ),
        progressive_rules.SERVICE_CONNECT,
    )

    @property
    def settings(self) -> EcsSettings:
        """Return the `ecs` block, empty when there is none."""
        return self.ecs or EcsSettings()

    @property
    def labels(self) -> dict[str, str]:
        """Return the template's labels."""
        metadata = self.template.metadata if self.template else None
        return dict(metadata.labels or {}) if metadata else {}


def parse_deployment(obj: Mapping[str, Any]) -> DeploymentSpec:
    """Return the spec of a Deployment object as the API server gives it.

    Raises Refused("InvalidSpec") with one message for all problems: field path, what is wrong, what to
    use; the first three in full.
    """
    spec, problems = parse_spec(DeploymentSpec, obj)
    if spec is not None:
        problems.extend(_across_fields(spec))
    return Problem.none_or_refuse(spec, problems)


def _across_fields(spec: DeploymentSpec) -> list[Problem]:
    """Check what the CEL rules of `spec` check, for objects that an older CRD let through."""
    problems = []
    if (spec.template is None) == (spec.task_definition is None):
        problems.append(Problem("spec", "exactly one of template and taskDefinition is needed; keep one"))
    if spec.selector and spec.template and not spec.selector.matches(spec.labels):
        text = "does not match the labels of template.metadata; make them equal or remove selector"
        problems.append(Problem("spec.selector", text))
    ecs = spec.settings
    if ecs.launch_type and ecs.capacity_provider_strategy:
        text = "launchType and capacityProviderStrategy exclude each other; keep one"
        problems.append(Problem("spec.ecs", text))
    if spec.task_definition is not None and ecs.volumes:
        problems.append(
            Problem("spec.ecs.volumes", "goes with template; taskDefinition has volumes of its own")
        )
    rolling = spec.strategy.rolling_update if spec.strategy else None
    if rolling and str(rolling.max_surge) in {"0", "0%"} and str(rolling.max_unavailable) in {"0", "0%"}:
        text = "maxSurge and maxUnavailable can't both be 0: no task could be replaced; raise one"
        problems.append(Problem("spec.strategy.rollingUpdate", text))
    if rolling and rolling.alarms and rolling.alarms.get("enable") and not rolling.alarms.get("alarmNames"):
        text = "enable needs at least one name; add one or set enable to false"
        problems.append(Problem("spec.strategy.rollingUpdate.alarms.alarmNames", text))
    strategy = spec.strategy
    if strategy and (strategy.type == "Progressive") != (strategy.progressive is not None):
        problems.append(Problem("spec.strategy", TOGETHER))
    return problems + progressive_rules.problems(spec)
