"""What the calls are made on: a network, a balancer with rules and targets, a cluster with services.

The same for both servers, made with boto3 alone. moto starts no task, so what costs the stand-in its memory
and its CPU at rest (tasks, targets, health checks) moto has not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sluice_bench.stand_in_raw import capture, renamed
from sluice_bench.stand_in_servers import Server

CLUSTER = "bench"
_BALANCERS = 10
_GROUPS_EACH = 10
"""100 groups in all: a group is shared by services (AWS allows it), as a hundred rules fill a listener."""


def definition(family: str) -> dict[str, Any]:
    """Return RegisterTaskDefinition's parameters: a container as an operator sends it."""
    return {
        "family": family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [
            {
                "name": "app",
                "image": "nginx:1.27",
                "essential": True,
                "environment": [
                    {"name": f"NAME_{number}", "value": f"value-{number}"} for number in range(8)
                ],
                "portMappings": [{"containerPort": 80, "protocol": "tcp", "name": "http"}],
            }
        ],
        "tags": [{"key": f"key-{number}", "value": f"value-{number}"} for number in range(4)],
    }


@dataclass(slots=True)
class Scene:
    """The scene on one server."""

    server: Server
    ecs: Any
    elb: Any
    network: dict[str, Any] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)
    listener: str = ""
    rule: str = ""
    polled: str = ""
    """A group of twenty registered targets."""

    @classmethod
    def make(cls, server: Server) -> Scene:
        """Make everything but the services."""
        scene = cls(server=server, ecs=server.client("ecs"), elb=server.client("elbv2"))
        ec2 = server.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.64.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=f"eu-west-1{zone}")["Subnet"][
                "SubnetId"
            ]
            for cidr, zone in (("10.64.0.0/17", "a"), ("10.64.128.0/17", "b"))
        ]
        firewall = ec2.create_security_group(GroupName="bench", Description="bench", VpcId=vpc)["GroupId"]
        scene.network = {
            "awsvpcConfiguration": {
                "subnets": subnets,
                "securityGroups": [firewall],  # moto fails without
                "assignPublicIp": "DISABLED",
            }
        }
        for number in range(_BALANCERS):
            scene._balancer(number, vpc, subnets)
        scene._polled(vpc)
        scene.ecs.create_cluster(clusterName=CLUSTER)
        scene.ecs.register_task_definition(**definition("bench"))
        return scene

    def _polled(self, vpc: str) -> None:
        self.polled = self.elb.create_target_group(
            Name="bench-polled", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip"
        )["TargetGroups"][0]["TargetGroupArn"]
        targets = [{"Id": f"10.64.127.{number + 1}", "Port": 80} for number in range(20)]
        self.elb.register_targets(TargetGroupArn=self.polled, Targets=targets)

    def _balancer(self, number: int, vpc: str, subnets: list[str]) -> None:
        balancer = self.elb.create_load_balancer(Name=f"bench-{number}", Subnets=subnets)["LoadBalancers"][0]
        listener = self.elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
        )["Listeners"][0]["ListenerArn"]
        for place in range(_GROUPS_EACH):
            group = self.elb.create_target_group(
                Name=f"bench-{number}-{place}", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip"
            )["TargetGroups"][0]["TargetGroupArn"]
            rule = self.elb.create_rule(
                ListenerArn=listener,
                Priority=place + 1,
                Conditions=[{"Field": "path-pattern", "Values": [f"/{place}/*"]}],
                Actions=[{"Type": "forward", "TargetGroupArn": group}],
            )["Rules"][0]["RuleArn"]
            self.groups.append(group)
            self.listener, self.rule = self.listener or listener, self.rule or rule

    def services(self, first: int, end: int) -> Iterator[bytes]:
        """Yield the requests that make services first..end-1 of two tasks behind a group each."""
        templates = [capture(self.ecs, "create_service", **self._service(group)) for group in self.groups]
        for number in range(first, end):
            yield renamed(templates[number % len(templates)], "web-00000", f"web-{number:05}")

    def _service(self, group: str) -> dict[str, Any]:
        return {
            "cluster": CLUSTER,
            "serviceName": "web-00000",
            "taskDefinition": "bench:1",
            "desiredCount": 2,
            "launchType": "FARGATE",
            "networkConfiguration": self.network,
            "loadBalancers": [{"targetGroupArn": group, "containerName": "app", "containerPort": 80}],
            "tags": [{"key": f"key-{number}", "value": f"value-{number}"} for number in range(4)],
        }

    def calls(self) -> dict[str, tuple[Any, str, dict[str, Any]]]:
        """Return the measured calls: client, method and parameters by name. Ten services must be there."""
        names = [f"web-{number:05}" for number in range(10)]
        weights = [{"TargetGroupArn": arn, "Weight": 50} for arn in self.groups[:2]]
        forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": weights}}
        return {
            "DescribeServices of 10": (
                self.ecs,
                "describe_services",
                {"cluster": CLUSTER, "services": names, "include": ["TAGS"]},
            ),
            "RegisterTaskDefinition": (self.ecs, "register_task_definition", definition("measured")),
            "ModifyRule": (self.elb, "modify_rule", {"RuleArn": self.rule, "Actions": [forward]}),
            "DescribeRules of 11": (self.elb, "describe_rules", {"ListenerArn": self.listener}),
            "DescribeTargetHealth of 20": (
                self.elb,
                "describe_target_health",
                {"TargetGroupArn": self.polled},
            ),
        }

    def running_tasks(self) -> int:
        """Return how many tasks the cluster runs, by its own count."""
        cluster = self.ecs.describe_clusters(clusters=[CLUSTER])["clusters"][0]
        return int(cluster["runningTasksCount"])
