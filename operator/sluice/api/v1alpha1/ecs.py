"""The `ecs` block: what a PodTemplate cannot say, in ECS's own words.

Structures that go to ECS as they are keep ECS's schema (generated from botocore's model); what Sluice
interprets itself is typed here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from sluice.api.v1alpha1.schema import (
    Cel,
    IntOrString,
    Schema,
    Typed,
    ecs_shape,
)

ROLE_ARN = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$"
Arn = Annotated[str, Field(max_length=2048)]
RoleArn = Annotated[str, Field(max_length=2048, pattern=ROLE_ARN)]
Structure = dict[str, Any]
Structures = list[dict[str, Any]]
FARGATE_PROVIDERS = ("FARGATE", "FARGATE_SPOT")


class HealthCheck(Typed):
    """Health check of a target group; what is absent comes from the container's probes."""

    protocol: Literal["HTTP", "HTTPS"] | None = None
    """HealthCheckProtocol."""
    port: IntOrString | None = None
    """HealthCheckPort: a number or traffic-port."""
    path: Annotated[str, Field(pattern="^/", max_length=1024)] | None = None
    """HealthCheckPath."""
    interval_seconds: Annotated[int, Field(ge=5, le=300)] | None = None
    """HealthCheckIntervalSeconds."""
    timeout_seconds: Annotated[int, Field(ge=2, le=120)] | None = None
    """HealthCheckTimeoutSeconds; less than the interval."""
    healthy_threshold_count: Annotated[int, Field(ge=2, le=10)] | None = None
    """Checks in a row that make a target healthy."""
    unhealthy_threshold_count: Annotated[int, Field(ge=2, le=10)] | None = None
    """Checks in a row that make a target unhealthy."""
    matcher: Annotated[str, Field(pattern=r"^[0-9]+([,-][0-9]+)*$", max_length=255)] | None = None
    """HTTP codes (200-299) or, with protocol version GRPC, gRPC codes (0) that count as healthy."""


class TargetGroupSettings(Typed):
    """Refines the target groups of one container port."""

    port: IntOrString
    """Name or number of the container port."""
    health_check: HealthCheck | None = None
    """Health check; what is absent comes from the container's probes."""
    deregistration_delay_seconds: Annotated[int, Field(ge=0, le=3600)] | None = None
    """How long a stopping task may finish its requests; AWS's own default is 300."""
    protocol_version: Literal["HTTP1", "HTTP2", "GRPC"] | None = None
    """Protocol towards the tasks; cannot be changed on an existing target group."""
    attributes: Annotated[dict[str, str], Schema({"maxProperties": 32})] | None = None
    """Other target-group attributes as Elastic Load Balancing names them, for instance
    slow_start.duration_seconds."""


class Logging(Typed):
    """Log configuration of every container."""

    driver: Literal[
        "awslogs", "awsfirelens", "fluentd", "gelf", "json-file", "journald", "splunk", "syslog", "none"
    ]
    """Log driver; `none` leaves the log configuration out."""
    options: Annotated[dict[str, str], Schema({"maxProperties": 64})] | None = None
    """Options of the driver; for awslogs the group, region and stream prefix are filled in where absent."""
    secret_options: Annotated[Structures, ecs_shape("SecretList")] | None = None
    """Options whose values are secrets, as ECS's secretOptions."""


class EcsSettings(Typed):
    """How ECS runs the tasks."""

    cluster: Annotated[str, Field(max_length=512)] | None = None
    """Name or ARN of the ECS cluster; absent: the operator's default for the namespace. Another
    cluster replaces the service."""
    account: Annotated[str, Field(max_length=63)] | None = None
    """Name of an account binding of the operator's configuration. Can't be changed."""
    launch_type: Literal["FARGATE", "EC2", "EXTERNAL", "MANAGED_INSTANCES"] | None = None
    """Launch type; absent, and without capacityProviderStrategy: FARGATE. Another one replaces the
    service."""
    capacity_provider_strategy: (
        Annotated[Structures, ecs_shape("CapacityProviderStrategy"), Schema({"maxItems": 20})] | None
    ) = None
    """Capacity providers with base and weight, instead of launchType."""
    platform_version: Annotated[str, Field(max_length=32)] | None = None
    """Fargate platform version; absent: LATEST."""
    network_configuration: Annotated[Structure, ecs_shape("NetworkConfiguration")] | None = None
    """Subnets, security groups and public address of the tasks; absent: the operator's for the namespace."""
    execution_role_arn: RoleArn | None = None
    """Role that pulls images, reads secrets and writes logs; absent: the operator's default for the
    namespace."""
    task_role_arn: RoleArn | None = None
    """Role of the application; absent: the one of the service account, else none."""
    runtime_platform: Annotated[Structure, ecs_shape("RuntimePlatform")] | None = None
    """Architecture and operating system; absent: X86_64, LINUX."""
    logging: Logging | None = None
    """Logs of every container; absent: awslogs into /ecs/<namespace>/<name> when there is an
    execution role."""
    enable_execute_command: bool | None = None
    """Allow `aws ecs execute-command`; absent: false."""
    availability_zone_rebalancing: Literal["ENABLED", "DISABLED"] | None = None
    """Move tasks when zones are uneven; absent: ENABLED."""
    service_connect_configuration: Annotated[Structure, ecs_shape("ServiceConnectConfiguration")] | None = (
        None
    )
    """Service Connect, as ECS has it."""
    volume_configurations: Annotated[Structures, ecs_shape("ServiceVolumeConfigurations")] | None = None
    """EBS volumes made for each task; a volumeMount refers to one by name."""
    volumes: Annotated[Structures, ecs_shape("VolumeList")] | None = None
    """Task volumes as ECS has them (EFS, for instance); a volumeMount refers to one by name. Only
    with template."""
    placement_constraints: (
        Annotated[Structures, ecs_shape("PlacementConstraints"), Schema({"maxItems": 10})] | None
    ) = None
    """Where tasks may run, on EC2."""
    placement_strategy: (
        Annotated[Structures, ecs_shape("PlacementStrategies"), Schema({"maxItems": 5})] | None
    ) = None
    """How tasks are spread or packed, on EC2."""
    target_groups: (
        Annotated[list[TargetGroupSettings], Schema({"x-kubernetes-list-type": "atomic", "maxItems": 32})]
        | None
    ) = None
    """Refines target groups, per container port."""
    tags: (
        Annotated[dict[str, Annotated[str, Field(max_length=256)]], Schema({"maxProperties": 40})] | None
    ) = None
    """Tags of everything that Sluice makes for this Deployment, beside its own sluice.dev/ ones."""
    propagate_tags: Literal["SERVICE", "TASK_DEFINITION", "NONE"] | None = None
    """Whose tags tasks get; absent: SERVICE."""
    cel = (
        Cel(
            rule="!(has(self.launchType) && has(self.capacityProviderStrategy))",
            message="launchType and capacityProviderStrategy exclude each other; keep one",
        ),
        Cel(
            rule="!has(self.tags) || self.tags.all(k, !k.startsWith('aws:') && !k.startsWith('sluice.dev/'))",
            message="tag keys that start with aws: or sluice.dev/ are reserved; choose others",
            field_path=".tags",
        ),
        Cel(
            rule="!has(self.placementConstraints) && !has(self.placementStrategy) || has(self.launchType) && "
            "self.launchType != 'FARGATE' || has(self.capacityProviderStrategy) && "
            "!self.capacityProviderStrategy.all(c, c.capacityProvider in ['FARGATE', 'FARGATE_SPOT'])",
            message="Fargate takes no placementConstraints or placementStrategy, it spreads over the zones "
            "of the "
            "subnets; remove them or use capacity on EC2",
        ),
    )

    @property
    def fargate(self) -> bool:
        """Tell whether tasks run on Fargate: by launch type, by capacity providers, or by default."""
        if self.launch_type:
            return self.launch_type == "FARGATE"
        providers = self.capacity_provider_strategy or []
        return all(item.get("capacityProvider") in FARGATE_PROVIDERS for item in providers)


FARGATE_CEL = (
    "(!has(self.ecs) || (has(self.ecs.launchType) ? self.ecs.launchType == 'FARGATE' : "
    "(!has(self.ecs.capacityProviderStrategy) || self.ecs.capacityProviderStrategy.all(c, "
    "c.capacityProvider in ['FARGATE', 'FARGATE_SPOT']))))"
)
"""`EcsSettings.fargate` as CEL, at `spec`."""
