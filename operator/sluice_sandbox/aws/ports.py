"""What the services need of each other, named as ports so that each can be read and tested alone.

ECS registers and deregisters targets and reads their health; the load balancer and the health
checker reach tasks through the network; ECS starts tasks on the runtime. Addresses are a task's ENI
addresses (10.a.b.c); the network alone knows their loopback twins (127.a.b.c).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sluice_sandbox.aws.service import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetView:
    """A subnet as DescribeSubnets tells it."""

    subnet_id: str
    vpc_id: str
    availability_zone: str
    cidr: str


class Estate(Protocol):
    """What EC2 and IAM (moto's) know and the other services must check."""

    def subnet(self, caller: Caller, subnet_id: str) -> SubnetView | None:
        """Return the subnet, None when DescribeSubnets would not find it."""

    def security_group_vpc(self, caller: Caller, group_id: str) -> str | None:
        """Return the VPC of a security group, None when it does not exist."""

    def default_security_group(self, caller: Caller, vpc_id: str) -> str | None:
        """Return the security group named `default` that came with a VPC."""

    def vpc_exists(self, caller: Caller, vpc_id: str) -> bool:
        """Tell whether DescribeVpcs would find it."""

    def vpc_blocks(self, caller: Caller, vpc_id: str) -> Sequence[str]:
        """Return the CIDR blocks of a VPC, none when it does not exist."""

    def role_exists(self, role_arn: str) -> bool:
        """Tell whether IAM has the role."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGroupView:
    """What ECS checks before it uses a target group."""

    arn: str
    name: str
    target_type: str
    vpc_id: str
    port: int
    load_balancer_arns: tuple[str, ...]
    deregistration_delay_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetHealth:
    """DescribeTargetHealth's State and Reason of one target, '' when there is no reason."""

    state: str
    reason: str = ""
    description: str = ""


class TargetGroups(Protocol):
    """What ECS needs of Elastic Load Balancing. Calls by ECS do not count against API budgets."""

    def group(self, caller: Caller, arn: str) -> TargetGroupView | None:
        """Return the target group, None when it does not exist."""

    def register(self, caller: Caller, arn: str, *, ip: str, port: int, zone: str) -> None:
        """Register one IP target; a second time is a no-op."""

    def deregister(self, caller: Caller, arn: str, *, ip: str, port: int) -> None:
        """Start draining one target; an unknown target or group is a no-op."""

    def health(self, caller: Caller, arn: str, *, ip: str, port: int) -> TargetHealth | None:
        """Return the target's health; None once it is no longer registered (drained)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficRuleView:
    """A listener's rule as ECS sees it before it shifts traffic."""

    arn: str
    load_balancer_arn: str
    weights: Mapping[str, int]
    """By target group; empty where the rule forwards to none."""


class TrafficRules(Protocol):
    """What native deployments of ECS need of listener rules. An ARN of a listener means its default rule."""

    def rule(self, caller: Caller, arn: str) -> TrafficRuleView | None:
        """Return the rule, None when there is none of that ARN."""

    def set_weights(self, caller: Caller, arn: str, weights: Mapping[str, int]) -> str:
        """Let the rule forward by these weights; return why it could not be done, '' when it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerLaunch:
    """One container of a task to start."""

    name: str
    image: str
    ports: tuple[int, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    essential: bool = True
    command: tuple[str, ...] = ()
    health_command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLaunch:
    """A task to start: what its containers answer with is decided from this alone."""

    task_arn: str
    ip: str
    task_definition_arn: str
    containers: tuple[ContainerLaunch, ...]
    tags: Mapping[str, str] = field(default_factory=dict)
    service_name: str = ""


class TaskRuntime(Protocol):
    """Where containers run. Behaviour comes from `SANDBOX_*` variables and image rules."""

    def start_delay(self, launch: TaskLaunch) -> float:
        """Return the seconds from PENDING to RUNNING that the task's behaviour adds."""

    def start(self, launch: TaskLaunch, *, on_exit: Callable[[str, str, int], None]) -> None:
        """Start the containers; `on_exit(task_arn, container_name, exit_code)` on each exit."""

    def stop(self, task_arn: str) -> None:
        """End the task's containers at once, without `on_exit`; an unknown task is a no-op."""

    def container_health(self, task_arn: str, container_name: str) -> str:
        """Return HEALTHY or UNHEALTHY as the container's health command would; UNKNOWN if none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The result of one health-check request: a status (HTTP code or gRPC code) or a failure."""

    status: int | None
    failure: str = ""
    """'' or 'refused' or 'timeout'."""


class Network(Protocol):
    """Who listens on which task address."""

    def probe(self, ip: str, port: int, *, path: str, timeout: float) -> Probe:
        """Answer a health check in process, without a socket (HTTP, HTTPS, TCP alike)."""

    def address(self, ip: str, port: int) -> tuple[str, int] | None:
        """Return the loopback twin to connect to, None when nothing listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """What a load balancer's rule conditions can see."""

    host: str
    path: str
    method: str = "GET"
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    source_ip: str = "127.0.0.1"
    repeated: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Each value of the headers that came more than once (`headers` has them joined)."""


class Emitter(Protocol):
    """Where state-change events go (EventBridge, by moto)."""

    def emit(
        self,
        caller: Caller,
        *,
        source: str,
        detail_type: str,
        detail: Mapping[str, object],
        resources: Sequence[str] = (),
    ) -> None:
        """Publish one event; never raises, never blocks."""


class Metrics(Protocol):
    """Where services publish what CloudWatch shows; calls by AWS services cost no API budget."""

    def publish(
        self,
        caller: Caller,
        *,
        namespace: str,
        metric: str,
        dimensions: Mapping[str, str],
        values: Sequence[float],
        counts: Sequence[float] = (),
        unit: str = "None",
        at: float | None = None,
    ) -> None:
        """Add samples at the time `at` (epoch seconds, the clock's now when absent).

        `counts` says how often each value was seen, once each when absent; never raises.
        """

    def on_flush(self, callback: Callable[[], None]) -> None:
        """Call `callback` before metrics are read or alarms are evaluated: publish what is pending then."""


class Alarms(Protocol):
    """What ECS deployments and scaling policies need of CloudWatch alarms."""

    def state(self, caller: Caller, name: str) -> str | None:
        """Return OK, ALARM or INSUFFICIENT_DATA; None when no alarm has the name."""

    def watch(self, callback: Callable[[Caller, str, str], None]) -> None:
        """Call `callback(owner, alarm name, new state)` after each change of an alarm's state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryView:
    """What ECS checks of a Cloud Map service before it registers tasks in it."""

    arn: str
    service_id: str
    namespace_id: str
    name: str
    record_types: frozenset[str]
    """A, AAAA, SRV, CNAME; empty in an HTTP namespace."""
    custom_health: bool


class Registries(Protocol):
    """What ECS needs of Cloud Map. What it registers becomes visible with Cloud Map's own delays."""

    def service(self, caller: Caller, arn: str) -> RegistryView | None:
        """Return the Cloud Map service, None when it does not exist."""

    def namespace_exists(self, caller: Caller, name_or_arn: str) -> bool:
        """Tell whether a namespace of that name or ARN exists (Service Connect)."""

    def register(self, caller: Caller, arn: str, *, instance_id: str, attributes: Mapping[str, str]) -> None:
        """Register or update an instance; an unknown service is a no-op."""

    def deregister(self, caller: Caller, arn: str, *, instance_id: str) -> None:
        """Take an instance away; an unknown one is a no-op."""

    def set_health(self, caller: Caller, arn: str, *, instance_id: str, healthy: bool) -> None:
        """Set the custom health; a no-op without custom health or instance."""


class ScalableServices(Protocol):
    """What Application Auto Scaling needs of ECS."""

    def desired_count(self, caller: Caller, cluster: str, service: str) -> int | None:
        """Return desiredCount of an ACTIVE service, None when there is none."""

    def set_desired_count(self, caller: Caller, cluster: str, service: str, count: int) -> None:
        """Set desiredCount as UpdateService would; a missing service is a no-op."""

    def deploying(self, caller: Caller, cluster: str, service: str) -> bool:
        """Tell whether a deployment is in progress: scale-in waits then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedResource:
    """A resource as the Resource Groups Tagging API lists it."""

    arn: str
    resource_type: str
    """`ecs:service`, `elasticloadbalancing:targetgroup`, ..."""
    tags: Mapping[str, str]


class Tagged(Protocol):
    """A service whose resources carry tags that the Resource Groups Tagging API reads and writes."""

    def tagged_resources(self, caller: Caller) -> Sequence[TaggedResource]:
        """Return the caller's resources that have, or ever had, tags."""

    def change_tags(
        self, caller: Caller, arn: str, *, put: Mapping[str, str], remove: Sequence[str] = ()
    ) -> bool:
        """Change tags as the service's own API would; False when no resource has the ARN; raises AwsError."""
