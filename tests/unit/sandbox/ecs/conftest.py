"""The stand-in's ECS among small fakes, in virtual time, with botocore's model watching both ways.

Every request goes through botocore's own validator and every answer is checked to have only members
that botocore's output shape knows: a handler cannot answer what a client would never see.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape
from botocore.validate import ParamValidator

from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.ecs.service import EcsService
from sluice_sandbox.aws.ecs.settings import EcsSettings
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.estate import SECURITY_GROUP_ID, SUBNET_IDS, VPC_ID, FixedEstate
from sluice_sandbox.aws.ports import RegistryView, SubnetView, TargetGroupView, TargetHealth, TaskLaunch
from sluice_sandbox.aws.service import Caller

sys.path.insert(0, str(Path(__file__).parent))  # test folders are no packages

from native_world import NativeWorld

MODEL = ServiceModel(Loader().load_service_model("ecs", "service-2"), "ecs")
OTHER_VPC_GROUP, OTHER_VPC_SUBNET = "sg-0f0f0f0f0f0f0f0f0", "subnet-0f0f0f0f0f0f0f0f0"
GROUP = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/0123456789abcdef"
LOOSE = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/loose/0123456789abcdef"
BY_INSTANCE = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/old/0123456789abcdef"
FOREIGN = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/far/0123456789abcdef"


class TwoVpcEstate(FixedEstate):
    """The sandbox's estate and one subnet and security group of another VPC."""

    def subnet(self, caller: Caller, subnet_id: str) -> SubnetView | None:
        """Know one subnet more."""
        if subnet_id == OTHER_VPC_SUBNET:
            return SubnetView(
                subnet_id=subnet_id, vpc_id="vpc-other", availability_zone="eu-west-1a", cidr="10.43.0.0/28"
            )
        return super().subnet(caller, subnet_id)

    def security_group_vpc(self, caller: Caller, group_id: str) -> str | None:
        """Know one group more."""
        return "vpc-other" if group_id == OTHER_VPC_GROUP else super().security_group_vpc(caller, group_id)


@dataclass
class FakeTargetGroups:
    """Targets are healthy at once unless `sick` says otherwise of the task's address."""

    delay: float = 0.0
    registered: dict[tuple[str, str, int], str] = field(default_factory=dict)
    sick: Callable[[str], str] = lambda ip: "healthy"
    gone: set[str] = field(default_factory=set)

    def group(self, caller: Caller, arn: str) -> TargetGroupView | None:
        """Know four groups."""
        kinds = {GROUP: "ip", LOOSE: "ip", BY_INSTANCE: "instance", FOREIGN: "ip"}
        if arn not in kinds or arn in self.gone:
            return None
        return TargetGroupView(
            arn=arn,
            name=arn.split("/")[1],
            target_type=kinds[arn],
            vpc_id="vpc-other" if arn == FOREIGN else VPC_ID,
            port=80,
            load_balancer_arns=() if arn == LOOSE else ("arn:alb",),
            deregistration_delay_seconds=self.delay,
        )

    def register(self, caller: Caller, arn: str, *, ip: str, port: int, zone: str) -> None:
        """Keep the target."""
        self.registered[(arn, ip, port)] = zone

    def deregister(self, caller: Caller, arn: str, *, ip: str, port: int) -> None:
        """Forget the target."""
        self.registered.pop((arn, ip, port), None)

    def health(self, caller: Caller, arn: str, *, ip: str, port: int) -> TargetHealth | None:
        """Answer for registered targets."""
        if (arn, ip, port) not in self.registered:
            return None
        return TargetHealth(state=self.sick(ip))


@dataclass
class FakeRuntime:
    """Containers run until told otherwise; images named `exit...` end at once with code 3."""

    running: dict[str, TaskLaunch] = field(default_factory=dict)
    exits: dict[str, Callable[[str, str, int], None]] = field(default_factory=dict)
    health: str = "UNKNOWN"
    delay: float = 0.0

    def start_delay(self, launch: TaskLaunch) -> float:
        """Return the set delay."""
        return self.delay

    def start(self, launch: TaskLaunch, *, on_exit: Callable[[str, str, int], None]) -> None:
        """Run the containers."""
        self.running[launch.task_arn] = launch
        self.exits[launch.task_arn] = on_exit
        for container in launch.containers:
            if container.image.startswith("exit"):
                on_exit(launch.task_arn, container.name, 3)

    def stop(self, task_arn: str) -> None:
        """End them."""
        self.running.pop(task_arn, None)

    def container_health(self, task_arn: str, container_name: str) -> str:
        """Return the set health."""
        return self.health

    def crash(self, task_arn: str, exit_code: int = 1) -> None:
        """Let the task's first container exit."""
        self.exits[task_arn](task_arn, self.running[task_arn].containers[0].name, exit_code)


@dataclass
class FakeEmitter:
    """Remembers events."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def emit(
        self,
        caller: Caller,
        *,
        source: str,
        detail_type: str,
        detail: Mapping[str, object],
        resources: Sequence[str] = (),
    ) -> None:
        """Keep type and detail."""
        assert source == "aws.ecs"
        self.events.append((detail_type, dict(detail)))


@dataclass
class FakeRegistries:
    """A Cloud Map of four services by the kind of their records, and the namespace `ns`."""

    registered: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    health: dict[str, bool] = field(default_factory=dict)

    def service(self, caller: Caller, arn: str) -> RegistryView | None:
        """Know srv-a, srv-srv, srv-both and srv-http."""
        kinds = {"srv-a": {"A"}, "srv-srv": {"SRV"}, "srv-both": {"A", "SRV"}, "srv-http": set()}
        name = arn.rsplit("/", 1)[1]
        if name not in kinds:
            return None
        return RegistryView(
            arn=arn,
            service_id=name,
            namespace_id="ns-1",
            name=name,
            record_types=frozenset(kinds[name]),
            custom_health=True,
        )

    def namespace_exists(self, caller: Caller, name_or_arn: str) -> bool:
        """Know one namespace."""
        return name_or_arn in {"ns", "arn:aws:servicediscovery:eu-west-1:111122223333:namespace/ns-1"}

    def register(self, caller: Caller, arn: str, *, instance_id: str, attributes: Mapping[str, str]) -> None:
        """Keep the instance."""
        self.registered[(arn.rsplit("/", 1)[1], instance_id)] = dict(attributes)

    def deregister(self, caller: Caller, arn: str, *, instance_id: str) -> None:
        """Forget the instance."""
        self.registered.pop((arn.rsplit("/", 1)[1], instance_id), None)

    def set_health(self, caller: Caller, arn: str, *, instance_id: str, healthy: bool) -> None:
        """Keep the health."""
        self.health[instance_id] = healthy


class Ecs:
    """One stand-in with everything around it."""

    def __init__(self, seed: int = 7) -> None:
        """Start in an empty account."""
        self.registries = FakeRegistries()
        self.clock = VirtualClock()
        self.groups = FakeTargetGroups()
        self.runtime = FakeRuntime()
        self.emitter = FakeEmitter()
        self.caller = Caller()
        self.service = EcsService(
            self.clock,
            estate=TwoVpcEstate(roles=frozenset({"arn:aws:iam::111122223333:role/known"})),
            target_groups=self.groups,
            runtime=self.runtime,
            emitter=self.emitter,
            rng=random.Random(seed),
            settings=EcsSettings(),
            registries=self.registries,
        )

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Call as a boto3 client would; botocore watches both ways."""
        model = MODEL.operation_model(operation)
        report = ParamValidator().validate(params, model.input_shape)
        assert not report.has_errors(), report.generate_report()
        answer = self.service.operations()[operation](self.caller, params)
        check_shape(answer, model.output_shape, operation)
        return dict(answer)

    def refusal(self, operation: str, **params: Any) -> tuple[str, str]:
        """Call and return code and text of the refusal."""
        with pytest.raises(AwsError) as caught:
            self.call(operation, **params)
        return caught.value.code, caught.value.message

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    def until(self, fact: Callable[[], bool], *, within: float = 120.0, step: float = 0.05) -> float:
        """Let time pass until `fact` holds; return the seconds it took."""
        start = self.clock.now()
        while not fact():
            assert self.clock.now() - start < within, "did not come true in time"
            self.clock.advance(step)
        return self.clock.now() - start

    def register(self, family: str = "web", **changes: Any) -> str:
        """Register a small Fargate definition; return its ARN."""
        return str(
            self.call("RegisterTaskDefinition", **definition(family, **changes))["taskDefinition"][
                "taskDefinitionArn"
            ]
        )

    def create(self, name: str = "web", **changes: Any) -> dict[str, Any]:
        """Create a service behind GROUP in cluster `main`."""
        return dict(self.call("CreateService", **service(name, **changes))["service"])

    def describe(self, name: str = "web") -> dict[str, Any]:
        """Describe one service."""
        return dict(self.call("DescribeServices", cluster="main", services=[name])["services"][0])

    def tasks(self, name: str = "web", desired: str = "RUNNING") -> list[dict[str, Any]]:
        """Describe the tasks of a service."""
        arns = self.call("ListTasks", cluster="main", serviceName=name, desiredStatus=desired)["taskArns"]
        return list(self.call("DescribeTasks", cluster="main", tasks=arns)["tasks"]) if arns else []

    def stable(self, name: str = "web") -> bool:
        """Tell what boto3's services_stable waiter tells."""
        shown = self.describe(name)
        return len(shown["deployments"]) == 1 and shown["runningCount"] == shown["desiredCount"]

    def completed(self, name: str = "web") -> bool:
        """Tell whether the only deployment is COMPLETED and the tasks are there."""
        return self.stable(name) and self.describe(name)["deployments"][0]["rolloutState"] == "COMPLETED"

    def messages(self, name: str = "web") -> list[str]:
        """Return service events, oldest first."""
        return [event["message"] for event in reversed(self.describe(name)["events"])]


def check_shape(value: Any, shape: Shape, where: str) -> None:
    """Fail on members that botocore's output shape does not have."""
    if shape.type_name == "structure":
        unknown = set(value) - set(shape.members)
        assert not unknown, f"{where}: {unknown}"
        for key, item in value.items():
            check_shape(item, shape.members[key], f"{where}.{key}")
    elif shape.type_name == "list":
        for item in value:
            check_shape(item, shape.member, f"{where}[]")
    elif shape.type_name == "string":
        assert isinstance(value, str), f"{where}: {value!r}"
    elif shape.type_name in {"integer", "long"}:
        assert isinstance(value, int), f"{where}: {value!r}"
    elif shape.type_name == "boolean":
        assert isinstance(value, bool), f"{where}: {value!r}"


def definition(family: str = "web", **changes: Any) -> dict[str, Any]:
    """Return RegisterTaskDefinition's parameters; `changes` replace members (None removes one)."""
    family = changes.pop("family", family)
    container = {"name": "app", "image": "app:1", "portMappings": [{"containerPort": 8080}]}
    container |= changes.pop("container", {})
    base = {
        "family": family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [{k: v for k, v in container.items() if v is not None}],
    }
    return {key: value for key, value in (base | changes).items() if value is not None}


def service(name: str = "web", **changes: Any) -> dict[str, Any]:
    """Return CreateService's parameters; `changes` replace members (None removes one)."""
    base = {
        "cluster": "main",
        "serviceName": name,
        "taskDefinition": "web",
        "desiredCount": 2,
        "launchType": "FARGATE",
        "networkConfiguration": {
            "awsvpcConfiguration": {"subnets": list(SUBNET_IDS), "securityGroups": [SECURITY_GROUP_ID]}
        },
        "loadBalancers": [{"targetGroupArn": GROUP, "containerName": "app", "containerPort": 8080}],
    }
    return {key: value for key, value in (base | changes).items() if value is not None}


@pytest.fixture
def ecs() -> Ecs:
    """Give a stand-in with cluster `main` and definition `web:1`."""
    world = Ecs()
    world.call("CreateCluster", clusterName="main")
    world.register()
    return world


@pytest.fixture
def register() -> Callable[..., dict[str, Any]]:
    """Give the maker of RegisterTaskDefinition's parameters."""
    return definition


@pytest.fixture
def request_of() -> Callable[..., dict[str, Any]]:
    """Give the maker of CreateService's parameters."""
    return service


@pytest.fixture(scope="session")
def new_ecs() -> type[Ecs]:
    """Give the maker of stand-ins, for laws that need a fresh one per example."""
    return Ecs


@pytest.fixture
def native() -> NativeWorld:
    """Give a whole stand-in with a load balancer of two groups, for native deployments."""
    return NativeWorld()
