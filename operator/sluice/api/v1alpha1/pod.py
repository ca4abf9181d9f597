"""PodTemplateSpec: every field that Kubernetes knows, with the answer that each has on ECS.

The field names are Kubernetes' (core/v1 PodSpec of the release that the locked Python client knows; a
test compares, so a new Kubernetes field shows up as one without an answer).
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from sluice.api.v1alpha1.container import Container, InitContainer, ResourceRequirements
from sluice.api.v1alpha1.meta import TemplateMetadata
from sluice.api.v1alpha1.schema import (
    OPEN,
    OPEN_LIST,
    Cel,
    Schema,
    Typed,
    accepted,
    atomic,
    list_map,
    refused,
    translated,
    warned,
)
from sluice.api.v1alpha1.security import PodSecurityContext
from sluice.api.v1alpha1.volume import Volume

_PLACE = (
    "ECS places tasks by ecs.placementConstraints and ecs.placementStrategy (EC2); Fargate spreads over "
    "the zones "
    "of the subnets by itself"
)
_NAME = "names come from a ServiceRoute or Service Connect"
_ADDRESS = "use a ServiceRoute or Service Connect"


class Affinity(Typed):
    """Where pods may run."""

    node_affinity: Annotated[dict[str, Any] | None, OPEN, refused(_PLACE)] = None
    pod_affinity: Annotated[dict[str, Any] | None, OPEN, refused(_PLACE)] = None
    pod_anti_affinity: Annotated[dict[str, Any] | None, OPEN, refused(_PLACE)] = None


class LocalObjectReference(Typed):
    """Name of an object of the same namespace."""

    name: Annotated[str, Field(max_length=253), translated("see imagePullSecrets")]


class PodOS(Typed):
    """Operating system of the pod."""

    name: Annotated[str, refused("use ecs.runtimePlatform.operatingSystemFamily", unless=("linux",))]


class PodSpec(Typed):
    """What a task runs."""

    containers: Annotated[
        list[Container],
        Schema({"minItems": 1}),
        list_map("name", most=10),
        translated("containerDefinitions, essential: true; ECS runs at most 10 with the init containers"),
    ]
    init_containers: Annotated[
        list[InitContainer] | None,
        list_map("name", most=10),
        translated("containerDefinitions, essential: false, tied together by dependsOn"),
    ] = None
    volumes: Annotated[list[Volume] | None, list_map("name", most=32), translated("volumes")] = None
    security_context: Annotated[PodSecurityContext | None, translated("see its fields")] = None
    service_account_name: Annotated[
        str | None,
        Field(max_length=253),
        translated("taskRoleArn, by ecs.taskRoleArn or the operator's role map"),
        warned(
            "no AWS role belongs to it: set ecs.taskRoleArn or ask for serviceAccountRoles",
            when="where no role belongs to it",
        ),
    ] = None
    service_account: Annotated[
        str | None, Field(max_length=253), accepted("the old spelling of serviceAccountName")
    ] = None
    automount_service_account_token: Annotated[
        bool | None, accepted("a task has no Kubernetes token either way")
    ] = None
    termination_grace_period_seconds: Annotated[
        int | None,
        Field(ge=0),
        translated("stopTimeout of every container, at least 2 seconds"),
        refused(
            "Fargate waits 120 seconds at most; set 120 or less, or use capacity on EC2",
            when="above 120 on Fargate",
        ),
    ] = None
    image_pull_secrets: Annotated[
        list[LocalObjectReference] | None,
        atomic(most=8),
        translated(
            "repositoryCredentials: the ARN in the Secret's annotation sluice.dev/value-from; not needed "
            "for ECR"
        ),
    ] = None
    share_process_namespace: Annotated[bool | None, translated("pidMode task")] = None
    resources: Annotated[
        ResourceRequirements | None, translated("the task size, instead of the containers' sum")
    ] = None
    host_network: Annotated[
        bool | None,
        translated("networkMode host, on EC2"),
        refused("Fargate tasks have their own address; remove hostNetwork", when="on Fargate"),
    ] = None
    host_pid: Annotated[
        bool | None,
        Field(alias="hostPID"),
        translated("pidMode host, on EC2"),
        refused("Fargate shares no host; remove hostPID", when="on Fargate"),
    ] = None
    host_ipc: Annotated[
        bool | None,
        Field(alias="hostIPC"),
        translated("ipcMode host, on EC2"),
        refused("Fargate shares no host; remove hostIPC", when="on Fargate"),
    ] = None
    restart_policy: Annotated[
        str | None,
        refused(
            "a service keeps its tasks running: only Always; for a task that ends use RunTask",
            unless=("Always",),
        ),
    ] = None
    dns_policy: Annotated[
        str | None,
        refused(
            "ECS takes name servers only in taskDefinition; remove dnsPolicy",
            unless=("ClusterFirst", "Default", "ClusterFirstWithHostNet"),
        ),
    ] = None
    dns_config: Annotated[
        dict[str, Any] | None,
        OPEN,
        refused("ECS takes dnsServers only in taskDefinition; tasks use the VPC's resolver"),
    ] = None
    enable_service_links: Annotated[bool | None, accepted("ECS sets no variables for services")] = None
    scheduler_name: Annotated[str | None, accepted("ECS schedules")] = None
    priority_class_name: Annotated[str | None, warned("ECS has no priorities between tasks")] = None
    priority: Annotated[int | None, warned("ECS has no priorities between tasks")] = None
    preemption_policy: Annotated[str | None, accepted("ECS has no priorities between tasks")] = None
    os: Annotated[PodOS | None, accepted("see its field")] = None
    affinity: Annotated[Affinity | None, accepted("only when empty, see its fields")] = None
    node_selector: Annotated[
        dict[str, str] | None,
        Schema({"maxProperties": 32}),
        refused(f"{_PLACE}; architecture and system: ecs.runtimePlatform"),
    ] = None
    node_name: Annotated[str | None, refused(_PLACE)] = None
    tolerations: Annotated[list[dict[str, Any]] | None, OPEN_LIST, refused(_PLACE)] = None
    topology_spread_constraints: Annotated[list[dict[str, Any]] | None, OPEN_LIST, refused(_PLACE)] = None
    ephemeral_containers: Annotated[
        list[dict[str, Any]] | None, OPEN_LIST, refused("use ecs.enableExecuteCommand to look into a task")
    ] = None
    host_aliases: Annotated[
        list[dict[str, Any]] | None, OPEN_LIST, refused("awsvpc tasks take no extra hosts; use private DNS")
    ] = None
    hostname: Annotated[str | None, refused(f"awsvpc tasks take no host name; {_NAME}")] = None
    hostname_override: Annotated[str | None, refused(f"awsvpc tasks take no host name; {_NAME}")] = None
    subdomain: Annotated[str | None, refused(_ADDRESS)] = None
    set_hostname_as_fqdn: Annotated[bool | None, Field(alias="setHostnameAsFQDN"), refused(_NAME)] = None
    host_users: Annotated[
        bool | None, refused("ECS has no user namespaces; remove hostUsers", unless=(True,))
    ] = None
    active_deadline_seconds: Annotated[
        int | None, refused("a service's tasks have no deadline; remove activeDeadlineSeconds")
    ] = None
    readiness_gates: Annotated[
        list[dict[str, Any]] | None,
        OPEN_LIST,
        refused("readiness is what load balancers and health checks say"),
    ] = None
    runtime_class_name: Annotated[
        str | None, refused("Fargate isolates each task by itself; on EC2 the instances decide: remove it")
    ] = None
    overhead: Annotated[dict[str, Any] | None, OPEN, refused("goes with runtimeClassName; remove it")] = None
    scheduling_gates: Annotated[
        list[dict[str, Any]] | None, OPEN_LIST, refused("use spec.paused or replicas: 0")
    ] = None
    scheduling_group: Annotated[
        dict[str, Any] | None, OPEN, refused("ECS has no gang scheduling; remove it")
    ] = None
    resource_claims: Annotated[
        list[dict[str, Any]] | None,
        OPEN_LIST,
        refused("ECS has no resource claims; use nvidia.com/gpu on EC2"),
    ] = None
    eviction_responders: Annotated[
        list[dict[str, Any]] | None, OPEN_LIST, refused("ECS evicts nothing; remove it")
    ] = None
    cel = (
        Cel(
            rule="size(self.containers) + (has(self.initContainers) ? size(self.initContainers) : 0) <= 10",
            message="ECS runs at most 10 containers in a task, init containers included; merge some or "
            "split the Deployment",
        ),
        Cel(
            rule="!has(self.initContainers) || "
            "self.initContainers.all(i, self.containers.all(c, c.name != i.name))",
            message="containers and initContainers share one list in ECS; give them different names",
        ),
        Cel(
            rule="!has(self.initContainers) || self.initContainers.all(i, has(i.restartPolicy) || "
            "!(has(i.readinessProbe) || has(i.livenessProbe) || has(i.startupProbe)))",
            message="an init container that ends takes no probes; set restartPolicy: Always (a sidecar) "
            "or remove them",
            field_path=".initContainers",
        ),
    )


class PodTemplateSpec(Typed):
    """What each task looks like, as in a Kubernetes Deployment."""

    metadata: TemplateMetadata | None = None
    """Labels become tags."""
    spec: PodSpec
    """Containers and volumes."""
