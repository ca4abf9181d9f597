"""A load balancer in virtual time, with tasks that can be started by hand."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import botocore.loaders
import botocore.model
import pytest

from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.elbv2.desk import Elbv2Settings
from sluice_sandbox.aws.elbv2.service import Elbv2Service
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.estate import SECURITY_GROUP_ID, SUBNET_IDS, VPC_ID, FixedEstate
from sluice_sandbox.aws.ports import ContainerLaunch, TaskLaunch
from sluice_sandbox.aws.service import Caller
from sluice_sandbox.dataplane.network import TaskNetwork
from sluice_sandbox.dataplane.runtime import InProcessRuntime

NOT_FOUND = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
CERTIFICATE = "arn:aws:acm:eu-west-1:111122223333:certificate/one"


@cache
def _model() -> botocore.model.ServiceModel:
    return botocore.model.ServiceModel(
        botocore.loaders.Loader().load_service_model("elbv2", "service-2"), "elbv2"
    )


def _check(shape: Any, value: Any, where: str) -> None:
    """Fail when an answer has what botocore's model does not know."""
    if shape.type_name == "structure":
        assert set(value) <= set(shape.members), f"{where}: {set(value) - set(shape.members)}"
        for name, item in value.items():
            _check(shape.members[name], item, f"{where}.{name}")
    elif shape.type_name == "list":
        for item in value:
            _check(shape.member, item, where)
    elif shape.type_name == "string":
        assert isinstance(value, str), f"{where} is {value!r}"
        assert not shape.enum or value in shape.enum, f"{where} is {value!r}"


class Elb:
    """The service under test, with short forms of the calls that every test needs."""

    def __init__(self, settings: Elbv2Settings | None = None, *, clock: Any = None) -> None:
        """Start with no load balancers, on virtual time unless another clock is given."""
        self.clock = clock or VirtualClock()
        self.caller = Caller()
        self.network = TaskNetwork()
        rng = random.Random(7)
        self.runtime = InProcessRuntime(self.clock, self.network, rng=rng)
        self.exits: list[tuple[str, str, int]] = []
        self.service = Elbv2Service(
            self.clock, estate=FixedEstate(), network=self.network, rng=rng, settings=settings
        )
        self.services = {"elbv2": self.service}

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Call a handler; the answer must fit botocore's model."""
        answer = self.service.operations()[operation](self.caller, params)
        shape = _model().operation_model(operation).output_shape
        if shape is not None:
            _check(shape, answer, operation)
        return answer

    def refusal(self, operation: str, **params: Any) -> AwsError:
        """Call a handler that must refuse, and return its refusal."""
        with pytest.raises(AwsError) as caught:
            self.call(operation, **params)
        return caught.value

    def attributes(self, what: str, **params: Any) -> dict[str, str]:
        """Return the attributes of a LoadBalancer, Listener or TargetGroup as a dict."""
        answer = self.call(f"Describe{what}Attributes", **params)
        return {item["Key"]: item["Value"] for item in answer["Attributes"]}

    def load_balancer(self, name: str = "web", **params: Any) -> str:
        """Create a load balancer and return its ARN."""
        wanted = {"Subnets": list(SUBNET_IDS), "SecurityGroups": [SECURITY_GROUP_ID]} | params
        return str(
            self.call("CreateLoadBalancer", Name=name, **wanted)["LoadBalancers"][0]["LoadBalancerArn"]
        )

    def group(self, name: str = "app", **params: Any) -> str:
        """Create an IP target group and return its ARN."""
        wanted = {"Protocol": "HTTP", "Port": 8080, "VpcId": VPC_ID, "TargetType": "ip"} | params
        return str(self.call("CreateTargetGroup", Name=name, **wanted)["TargetGroups"][0]["TargetGroupArn"])

    def listener(self, load_balancer: str, *, port: int = 80, actions: list[Any] | None = None) -> str:
        """Create an HTTP listener, by default with a fixed 404, and return its ARN."""
        fixed = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]
        answer = self.call(
            "CreateListener",
            LoadBalancerArn=load_balancer,
            Port=port,
            Protocol="HTTP",
            DefaultActions=actions or fixed,
        )
        return str(answer["Listeners"][0]["ListenerArn"])

    def rule(self, listener: str, priority: int, actions: list[Any], **params: Any) -> str:
        """Create a rule, by default for every path, and return its ARN."""
        wanted = {"Conditions": [{"Field": "path-pattern", "Values": ["*"]}]} | params
        answer = self.call("CreateRule", ListenerArn=listener, Priority=priority, Actions=actions, **wanted)
        return str(answer["Rules"][0]["RuleArn"])

    def serve(self, *groups: str, port: int = 80) -> str:
        """Make a load balancer whose listener forwards evenly to groups; return the listener."""
        actions = [forward(*((group, 1) for group in groups))]
        return self.listener(self.load_balancer(), port=port, actions=actions)

    def task(self, ip: str, *, port: int = 8080, image: str = "app:v1", **environment: str) -> str:
        """Start a task of one container and return its ARN."""
        arn = f"arn:aws:ecs:eu-west-1:111122223333:task/sandbox/{ip.replace('.', '')}"
        self.runtime.start(
            TaskLaunch(
                task_arn=arn,
                ip=ip,
                task_definition_arn="arn:aws:ecs:eu-west-1:111122223333:task-definition/app:3",
                containers=(
                    ContainerLaunch(name="app", image=image, ports=(port,), environment=environment),
                ),
                tags={"sluice.dev/role": "slot-a"},
                service_name="app",
            ),
            on_exit=lambda *exited: self.exits.append(exited),
        )
        return arn

    def target(self, group: str, ip: str, *, port: int = 8080, zone: str = "eu-west-1a", **env: str) -> str:
        """Start a task and register it."""
        arn = self.task(ip, port=port, **env)
        self.service.register(self.caller, group, ip=ip, port=port, zone=zone)
        return arn

    def state(self, group: str, ip: str, *, port: int = 8080) -> tuple[str, str]:
        """Return a target's state and reason as DescribeTargetHealth tells them."""
        answer = self.call("DescribeTargetHealth", TargetGroupArn=group, Targets=[{"Id": ip, "Port": port}])
        health = answer["TargetHealthDescriptions"][0]["TargetHealth"]
        return health["State"], health.get("Reason", "")


def forward(*weighted: tuple[str, int], **stickiness: Any) -> dict[str, Any]:
    """Return a forward action to groups with weights."""
    config: dict[str, Any] = {
        "TargetGroups": [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weighted]
    }
    if stickiness:
        config["TargetGroupStickinessConfig"] = stickiness
    return {"Type": "forward", "ForwardConfig": config}


def listener_params(elb: Elb, kind: str = "application", **params: Any) -> dict[str, Any]:
    """Return the parameters of a CreateListener on a new load balancer of that kind."""
    actions = [NOT_FOUND]
    if kind == "network":
        actions = [forward((elb.group("tcp", Protocol="TCP"), 1))]
    wanted = {
        "LoadBalancerArn": elb.load_balancer(Type=kind),
        "Port": 443,
        "DefaultActions": actions,
    }
    return wanted | params


def secure_listener(elb: Elb) -> str:
    """Create an HTTPS listener on a new load balancer and return its ARN."""
    made = elb.call(
        "CreateListener",
        **listener_params(elb, Protocol="HTTPS", Certificates=[{"CertificateArn": CERTIFICATE}]),
    )
    return str(made["Listeners"][0]["ListenerArn"])
