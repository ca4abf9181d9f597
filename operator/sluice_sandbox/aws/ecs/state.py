"""All that the stand-in's ECS remembers: plain data, deep-copyable, no clocks and no callbacks.

Keyed by (account, region), then by name or ARN. Members that ECS only keeps and returns stay in
botocore's own spelling inside `spec` dictionaries; what the scheduler reasons about has fields.
Times are epoch seconds of the world's clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from sluice_sandbox.aws.service import Caller

Tags = dict[str, str]


@dataclass(slots=True, kw_only=True)
class Cluster:
    """One cluster. A deleted one stays describable as INACTIVE."""

    arn: str
    name: str
    status: str = "ACTIVE"
    tags: Tags = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)
    """settings, configuration, capacityProviders, defaultCapacityProviderStrategy, ..."""
    service_arns: dict[str, None] = field(default_factory=dict)
    """ACTIVE services, in the order of creation."""


@dataclass(slots=True, kw_only=True)
class CapacityProvider:
    """A capacity provider of the account's own; FARGATE and FARGATE_SPOT are not kept."""

    arn: str
    name: str
    spec: dict[str, Any]
    """autoScalingGroupProvider or managedInstancesProvider, with ECS's defaults."""
    cluster: str = ""
    """The cluster a managed-instances provider belongs to."""
    status: str = "ACTIVE"
    update_status: str = "CREATE_COMPLETE"
    tags: Tags = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Instance:
    """One container instance; nothing runs on it, for the stand-in has no agents."""

    arn: str
    id: str
    cluster_arn: str
    ec2_id: str
    registered_at: float
    spec: dict[str, Any]
    """versionInfo, registeredResources."""
    attributes: dict[str, str | None] = field(default_factory=dict)
    custom: dict[str, str | None] = field(default_factory=dict)
    """Attributes that PutAttributes made."""
    status: str = "ACTIVE"
    version: int = 1
    tags: Tags = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Definition:
    """One revision of a task definition."""

    arn: str
    family: str
    revision: int
    status: str
    registered_at: float
    registered_by: str
    spec: dict[str, Any]
    """Everything else in TaskDefinition's spelling, with ECS's defaults filled in."""
    tags: Tags = field(default_factory=dict)
    deregistered_at: float | None = None
    delete_requested_at: float | None = None


@dataclass(slots=True, kw_only=True)
class Family:
    """All revisions of a name; the counter outlives deleted revisions."""

    revisions: dict[int, Definition] = field(default_factory=dict)
    last_revision: int = 0


@dataclass(slots=True, kw_only=True)
class Deployment:
    """One entry of Service.deployments."""

    id: str
    status: str
    revision_arn: str
    service_deployment_arn: str
    spec: dict[str, Any]
    """taskDefinition (ARN) and what else a service revision fixes, in botocore's spelling."""
    desired_count: int
    created_at: float
    updated_at: float
    rollout_state: str = "IN_PROGRESS"
    rollout_state_reason: str = ""
    failed_tasks: int = 0
    rolls_back: bool = False
    """A rollback: when it fails too, nothing is left to go back to."""
    impaired_starts: int = 0
    """Consecutive tasks that did not reach RUNNING: what the restart back-off counts."""
    not_before: float = 0.0
    """No new task before this time (restart back-off)."""
    groups: dict[str, str] = field(default_factory=dict)
    """Of load balancers with an alternate target group: the group in use, by targetGroupArn."""


@dataclass(slots=True, kw_only=True)
class ServiceRevision:
    """What DescribeServiceRevisions tells."""

    arn: str
    deployment_id: str
    service_arn: str
    cluster_arn: str
    created_at: float
    spec: dict[str, Any]
    container_images: list[dict[str, str]]
    groups: dict[str, str] = field(default_factory=dict)
    """See `Deployment.groups`."""


@dataclass(slots=True, kw_only=True)
class HookRun:
    """One lifecycle hook of a deployment that was begun."""

    id: str
    at: int
    """The index of its stop on the deployment's path."""
    stage: str
    kind: str
    """AWS_LAMBDA or PAUSE."""
    target_arn: str
    status: str
    expires_at: float
    timeout_action: str


@dataclass(slots=True, kw_only=True)
class NativeProgress:
    """How far a BLUE_GREEN, LINEAR or CANARY deployment is on its path (`stages.path`)."""

    sources: int
    """How many revisions were active when it began."""
    at: int = 0
    stage: str = ""
    """The stage it is in, '' before the first."""
    entered: bool = False
    until: float = 0.0
    """Not before this time does it leave the stop."""
    production: float = 0.0
    test: float = 0.0
    """Percent of traffic that the target revision has."""
    tested: bool = False
    """Whether there is test traffic at all."""
    hooks: list[HookRun] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class ServiceDeployment:
    """What DescribeServiceDeployments tells."""

    arn: str
    service_arn: str
    cluster_arn: str
    target_revision_arn: str
    source_revision_arns: list[str]
    created_at: float
    updated_at: float
    configuration: dict[str, Any]
    status: str = "PENDING"
    status_reason: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    stopped_at: float | None = None
    rollback: dict[str, Any] = field(default_factory=dict)
    breaker_status: str = "DISABLED"
    failure_count: int = 0
    threshold: int = 0
    alarm_status: str = "DISABLED"
    triggered_alarms: list[str] = field(default_factory=list)
    bake_until: float | None = None
    """Of a ROLLING deployment that bakes: when it may complete."""
    native: NativeProgress | None = None
    production_revision_arn: str = ""
    """The revision whose production traffic a native deployment takes over, '' if none."""
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    """The task counts of each revision when the deployment ended; empty while it runs."""


@dataclass(slots=True, kw_only=True)
class TaskSet:
    """One task set of an EXTERNAL service; `placed_as` is what its tasks are started from."""

    arn: str
    placed_as: Deployment
    scale: float
    stability_at: float
    status: str = "ACTIVE"
    stability: str = "STABILIZING"
    external_id: str = ""
    tags: Tags = field(default_factory=dict)
    client_token: str = ""

    def computed_count(self, desired: int) -> int:
        """Return computedDesiredCount: the scale's share of the service's, rounded up (botocore)."""
        return math.ceil(desired * self.scale / 100)


@dataclass(slots=True, kw_only=True)
class Service:
    """One service."""

    arn: str
    name: str
    cluster_arn: str
    status: str
    desired_count: int
    created_at: float
    created_by: str
    spec: dict[str, Any]
    tags: Tags = field(default_factory=dict)
    client_token: str = ""
    request: dict[str, Any] = field(default_factory=dict)
    """The CreateService request, to recognise its repetition by clientToken."""
    deployments: list[Deployment] = field(default_factory=list)
    """PRIMARY first, then the ACTIVE ones, newest first."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """Newest first, at most 100 (botocore: Service.events)."""
    live: dict[str, None] = field(default_factory=dict)
    """Tasks whose lastStatus is not STOPPED."""
    stopped: dict[str, None] = field(default_factory=dict)
    task_sets: dict[str, TaskSet] = field(default_factory=dict)
    deployment_arns: list[str] = field(default_factory=list)
    """Service deployments, oldest first."""
    completed_revision_arn: str = ""
    """The revision of the last COMPLETED deployment: where a rollback goes."""
    completed_deployment_id: str = ""
    steady: bool = False
    connected: dict[str, str] = field(default_factory=dict)
    """Service Connect: the Cloud Map service's ARN by discovery name."""
    remarks: dict[str, str] = field(default_factory=dict)
    """Events that are said once per occurrence, not at every pass."""


@dataclass(slots=True, kw_only=True)
class Container:
    """One container of a task."""

    arn: str
    name: str
    image: str
    digest: str
    cpu: str
    memory: str | None
    memory_reservation: str | None
    essential: bool
    runtime_id: str = ""
    last_status: str = "PENDING"
    exit_code: int | None = None
    reason: str = ""
    health: str = "UNKNOWN"
    health_check: dict[str, Any] | None = None
    unhealthy_since: float | None = None


@dataclass(slots=True, kw_only=True)
class Target:
    """A registration that the task has or will have: which container port in which group."""

    group_arn: str
    port: int
    registered: bool = False


@dataclass(slots=True, kw_only=True)
class Registration:
    """A Cloud Map service that the task is or will be in, with its port (SRV records)."""

    arn: str
    port: int | None = None
    registered: bool = False


@dataclass(slots=True, kw_only=True)
class Task:
    """One task."""

    arn: str
    id: str
    cluster_arn: str
    definition_arn: str
    group: str
    launch_type: str
    created_at: float
    containers: list[Container]
    service_arn: str = ""
    deployment_id: str = ""
    revision_arn: str = ""
    started_by: str = ""
    capacity_provider: str = ""
    platform_version: str = ""
    platform_family: str = ""
    cpu: str = ""
    memory: str = ""
    architecture: str = "x86_64"
    ephemeral_gib: int = 20
    enable_execute_command: bool = False
    overrides: dict[str, Any] = field(default_factory=dict)
    tags: Tags = field(default_factory=dict)
    client_token: str = ""
    request: dict[str, Any] = field(default_factory=dict)
    """The RunTask call that a client token stands for; empty without token."""
    volumes: list[dict[str, Any]] = field(default_factory=list)
    """volumeConfigurations: the EBS volumes made for the task."""

    subnet_id: str = ""
    subnet_cidr: str = ""
    zone: str = ""
    ip: str = ""
    eni_id: str = ""
    mac: str = ""
    attachment_id: str = ""

    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    version: int = 0
    """Counted up with every state-change event (botocore, Task.version); RunTask answers 1."""
    pull_started_at: float | None = None
    pull_stopped_at: float | None = None
    connectivity_at: float | None = None
    started_at: float | None = None
    stopping_at: float | None = None
    execution_stopped_at: float | None = None
    stopped_at: float | None = None
    stop_code: str = ""
    stopped_reason: str = ""

    targets: list[Target] = field(default_factory=list)
    registrations: list[Registration] = field(default_factory=list)
    told_health: str = ""
    """The healthStatus that Cloud Map was told last."""
    settled: bool = False
    """It was healthy once: its later end is no failure of the deployment."""
    protected_until: float = 0.0


@dataclass(slots=True, kw_only=True)
class Scope:
    """Everything of one account in one region."""

    clusters: dict[str, Cluster] = field(default_factory=dict)
    families: dict[str, Family] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    service_deployments: dict[str, ServiceDeployment] = field(default_factory=dict)
    service_revisions: dict[str, ServiceRevision] = field(default_factory=dict)
    capacity_providers: dict[str, CapacityProvider] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    settings: dict[tuple[str, str], str] = field(default_factory=dict)
    """Account settings by (principal ARN, name); the account's default has principal ''."""


@dataclass(slots=True, kw_only=True)
class Addresses:
    """ENI addresses of one subnet's CIDR: the next never used one and those given back."""

    cursor: int
    returned: list[int] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class EcsState:
    """The whole of it."""

    scopes: dict[tuple[str, str], Scope] = field(default_factory=dict)
    addresses: dict[str, Addresses] = field(default_factory=dict)
    """By CIDR, across accounts: two worlds' tasks never share an address of the machine."""
    capacity: dict[str, str] = field(default_factory=dict)
    """Faults: reason of a shortage by 'FARGATE', 'FARGATE_SPOT' or a zone; absent: capacity."""
    hook_answers: dict[str, str] = field(default_factory=dict)
    """hookStatus by pattern of the Lambda function's ARN, first match wins; absent: SUCCEEDED."""

    def scope(self, caller: Caller) -> Scope:
        """Return the caller's account and region, made on first use."""
        key = (caller.account, caller.region)
        found = self.scopes.get(key)
        if found is None:
            found = self.scopes[key] = Scope()
        return found
