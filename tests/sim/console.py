"""What a person at the AWS console (or another tool) sees and changes behind the operator's back.

`details` is everything Sluice decides about, with ARNs replaced by names, so that an object that was
deleted and made again equals its predecessor. The edits are plain functions of a universe that has
told the story `create`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sim.universe import Universe
from sluice.model import ownership
from sluice_sandbox.aws.estate import SECURITY_GROUP_ID, SUBNET_IDS, VPC_ID

Edit = Callable[[Universe], None]
_HEALTH = (
    "HealthCheckPath",
    "HealthCheckPort",
    "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
    "Matcher",
)
_SERVICE = (
    "serviceName",
    "status",
    "desiredCount",
    "taskDefinition",
    "networkConfiguration",
    "deploymentConfiguration",
    "launchType",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
)


# Looking.


def service(universe: Universe) -> dict[str, Any]:
    """Return the only ACTIVE service of ours."""
    found = [
        entry
        for entry in universe.services()
        if entry["status"] == "ACTIVE" and ownership.INSTALLATION in ownership.from_ecs(entry["tags"])
    ]
    assert len(found) == 1, f"{len(found)} services"
    return found[0]


def elb_tags(universe: Universe, arn: str) -> dict[str, str]:
    """Return the tags of a rule or target group."""
    answer = universe.aws("elbv2", "DescribeTags", ResourceArns=[arn])
    return ownership.from_elb(answer["TagDescriptions"][0]["Tags"])


def own_rule(universe: Universe, role: str) -> dict[str, Any]:
    """Return our only rule of a role (`rule`, `anchor`) on listener 80."""
    found = [
        rule for rule in universe.rules() if elb_tags(universe, rule["RuleArn"]).get(ownership.ROLE) == role
    ]
    assert len(found) == 1, f"{len(found)} rules of role {role}"
    return found[0]


def own_group(universe: Universe) -> dict[str, Any]:
    """Return our only target group."""
    found = [
        group
        for group in universe.target_groups()
        if ownership.INSTALLATION in elb_tags(universe, group["TargetGroupArn"])
    ]
    assert len(found) == 1, f"{len(found)} target groups"
    return found[0]


def details(universe: Universe) -> dict[str, Any]:
    """Return all that Sluice decides about, and everything foreign, without ARNs."""
    groups = universe.target_groups()
    names = {group["TargetGroupArn"]: group["TargetGroupName"] for group in groups}
    return {
        "services": {
            entry["serviceName"]: {member: entry.get(member) or None for member in _SERVICE}
            | {
                "tags": ownership.from_ecs(entry["tags"]),
                "loadBalancers": [names[lb["targetGroupArn"]] for lb in entry["loadBalancers"]],
            }
            for entry in universe.services()
            if entry["status"] == "ACTIVE"
        },
        "rules": {
            (port, rule["Priority"]): {
                "conditions": rule["Conditions"],
                "forward": _forward(rule, names),
                "tags": elb_tags(universe, rule["RuleArn"]),
            }
            for port in universe.listeners
            for rule in universe.rules(port)
        },
        "target groups": {
            group["TargetGroupName"]: {member: group.get(member) for member in _HEALTH}
            | {
                "attributes": _attributes(universe, group["TargetGroupArn"]),
                "tags": elb_tags(universe, group["TargetGroupArn"]),
            }
            for group in groups
        },
        "task definitions": sorted(universe.definitions()),
    }


def _forward(rule: Mapping[str, Any], names: Mapping[str, str]) -> list[tuple[str, int]]:
    action = rule["Actions"][0]
    if action["Type"] != "forward":
        return [(action["Type"], 0)]
    groups = action["ForwardConfig"]["TargetGroups"]
    return sorted((names[group["TargetGroupArn"]], group["Weight"]) for group in groups)


def _attributes(universe: Universe, arn: str) -> dict[str, str]:
    answer = universe.aws("elbv2", "DescribeTargetGroupAttributes", TargetGroupArn=arn)
    return ownership.from_elb(answer["Attributes"])


# Bystanders: foreign objects next to ours.


def add_bystanders(universe: Universe) -> None:
    """Put a foreign rule, target group and service next to ours; `details` then holds them, too."""
    group = universe.aws(
        "elbv2", "CreateTargetGroup", Name="theirs", Protocol="HTTP", Port=80, VpcId=VPC_ID, TargetType="ip"
    )["TargetGroups"][0]["TargetGroupArn"]
    universe.aws(
        "elbv2",
        "CreateRule",
        ListenerArn=universe.listeners[80],
        Priority=40_000,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/theirs"]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    universe.aws(
        "ecs",
        "CreateService",
        cluster="sandbox",
        serviceName="theirs",
        taskDefinition=register_theirs(universe),
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration={
            "awsvpcConfiguration": {"subnets": [SUBNET_IDS[0]], "securityGroups": [SECURITY_GROUP_ID]}
        },
    )


def register_theirs(universe: Universe, image: str = "theirs:1") -> str:
    """Register a task definition of the family `theirs`, with our container's name and port."""
    answer = universe.aws(
        "ecs",
        "RegisterTaskDefinition",
        family="theirs",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[
            {"name": "app", "image": image, "essential": True, "portMappings": [{"containerPort": 8080}]}
        ],
    )
    return str(answer["taskDefinition"]["taskDefinitionArn"])


# Editing services.


def update_service(**members: Any) -> Edit:
    """Return the edit of members of the service."""

    def edit(universe: Universe) -> None:
        found = service(universe)
        universe.aws(
            "ecs", "UpdateService", cluster=found["clusterArn"], service=found["serviceName"], **members
        )

    return edit


def another_definition(universe: Universe) -> None:
    """Deploy another task definition to our service."""
    update_service(taskDefinition=register_theirs(universe, "theirs:2"))(universe)


def tag_service(**tags: str) -> Edit:
    """Return the edit of tags under `sluice.dev/` of the service."""

    def edit(universe: Universe) -> None:
        arn = service(universe)["serviceArn"]
        named = {f"sluice.dev/{key}": value for key, value in tags.items()}
        universe.aws("ecs", "TagResource", resourceArn=arn, tags=ownership.to_ecs(named))

    return edit


def tag_service_freely(universe: Universe) -> None:
    """Put a tag that nobody asked for on our service."""
    arn = service(universe)["serviceArn"]
    universe.aws("ecs", "TagResource", resourceArn=arn, tags=[{"key": "cost-centre", "value": "42"}])


def edit_bystanders(universe: Universe) -> None:
    """Change what is foreign: rule, service and target group."""
    theirs = next(g for g in universe.target_groups() if g["TargetGroupName"] == "theirs")
    universe.aws(
        "elbv2", "ModifyTargetGroup", TargetGroupArn=theirs["TargetGroupArn"], HealthCheckPath="/else"
    )
    universe.aws("ecs", "UpdateService", cluster="sandbox", service="theirs", desiredCount=2)
    rule = next(rule for rule in universe.rules() if rule["Priority"] == "40000")
    universe.aws(
        "elbv2",
        "SetRulePriorities",
        RulePriorities=[{"RuleArn": rule["RuleArn"], "Priority": 40_001}],
    )


def delete_service(universe: Universe) -> None:
    """Delete our service with its tasks."""
    found = service(universe)
    universe.aws(
        "ecs", "DeleteService", cluster=found["clusterArn"], service=found["serviceName"], force=True
    )


def stop_task(universe: Universe) -> None:
    """Stop one of our tasks."""
    found = service(universe)
    tasks = universe.aws("ecs", "ListTasks", cluster="sandbox", serviceName=found["serviceName"])
    universe.aws("ecs", "StopTask", cluster="sandbox", task=tasks["taskArns"][0])


def deregister(universe: Universe) -> None:
    """Deregister the task definition that runs."""
    universe.aws("ecs", "DeregisterTaskDefinition", taskDefinition=service(universe)["taskDefinition"])


# Editing the load balancer.


def modify_rule(role: str, **members: Any) -> Edit:
    """Return the edit of conditions or actions of our rule of a role."""

    def edit(universe: Universe) -> None:
        universe.aws("elbv2", "ModifyRule", RuleArn=own_rule(universe, role)["RuleArn"], **members)

    return edit


def forward_to_theirs(role: str) -> Edit:
    """Return the edit that lets our rule forward to the foreign target group beside ours."""

    def edit(universe: Universe) -> None:
        theirs = next(g for g in universe.target_groups() if g["TargetGroupName"] == "theirs")
        groups = [
            {"TargetGroupArn": own_group(universe)["TargetGroupArn"], "Weight": 50},
            {"TargetGroupArn": theirs["TargetGroupArn"], "Weight": 50},
        ]
        actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]
        modify_rule(role, Actions=actions)(universe)

    return edit


def move_rule(priority: int) -> Edit:
    """Return the edit of our production rule's priority."""

    def edit(universe: Universe) -> None:
        arn = own_rule(universe, "rule")["RuleArn"]
        universe.aws("elbv2", "SetRulePriorities", RulePriorities=[{"RuleArn": arn, "Priority": priority}])

    return edit


def delete_rule(role: str) -> Edit:
    """Return the deletion of our rule of a role."""

    def edit(universe: Universe) -> None:
        universe.aws("elbv2", "DeleteRule", RuleArn=own_rule(universe, role)["RuleArn"])

    return edit


def modify_group(**members: Any) -> Edit:
    """Return the edit of our target group's health check."""

    def edit(universe: Universe) -> None:
        arn = own_group(universe)["TargetGroupArn"]
        universe.aws("elbv2", "ModifyTargetGroup", TargetGroupArn=arn, **members)

    return edit


def set_attribute(key: str, value: str) -> Edit:
    """Return the edit of one attribute of our target group."""

    def edit(universe: Universe) -> None:
        arn = own_group(universe)["TargetGroupArn"]
        universe.aws(
            "elbv2",
            "ModifyTargetGroupAttributes",
            TargetGroupArn=arn,
            Attributes=[{"Key": key, "Value": value}],
        )

    return edit


def tag_group(**tags: str) -> Edit:
    """Return the edit of tags under `sluice.dev/` of our target group."""

    def edit(universe: Universe) -> None:
        arn = own_group(universe)["TargetGroupArn"]
        named = {f"sluice.dev/{key}": value for key, value in tags.items()}
        universe.aws("elbv2", "AddTags", ResourceArns=[arn], Tags=ownership.to_elb(named))

    return edit


def delete_group(universe: Universe) -> None:
    """Delete our target group together with the rules that hold it."""
    arn = own_group(universe)["TargetGroupArn"]
    for role in ("rule", "anchor"):
        delete_rule(role)(universe)
    universe.aws("elbv2", "DeleteTargetGroup", TargetGroupArn=arn)
