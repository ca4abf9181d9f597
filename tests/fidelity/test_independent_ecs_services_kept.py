"""CreateService keeps what it is told and fills in what it is not."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from fidelity.outsider import ACCOUNT, REGION, Outsider, fresh, refused
from fidelity.surroundings import http_namespace, registry, slots

CIRCUIT = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
SPREAD = [{"type": "spread", "field": "attribute:ecs.availability-zone"}]
DISTINCT = [{"type": "distinctInstance"}]


def test_service_answers_every_member(aws: Outsider) -> None:
    """A new service is ACTIVE with counts, ARNs in the long form, defaults, and its time and author."""
    name = fresh("svc")
    made = aws.service(serviceName=name, desiredCount=2)
    assert made["serviceArn"] == f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/{aws.cluster}/{name}"
    assert made["clusterArn"] == f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{aws.cluster}"
    assert made["serviceName"] == name
    assert made["status"] == "ACTIVE"
    assert (made["desiredCount"], made["runningCount"]) == (2, 0)
    assert made["taskDefinition"] == aws.plain
    assert made["launchType"] == "FARGATE"
    assert made["platformVersion"] == "LATEST"
    assert made["platformFamily"] == "Linux"
    assert made["schedulingStrategy"] == "REPLICA"
    assert made["deploymentController"] == {"type": "ECS"}
    assert isinstance(made["createdAt"], datetime)
    assert made["createdBy"].startswith(f"arn:aws:iam::{ACCOUNT}:")
    assert made["networkConfiguration"] == aws.network
    assert made["roleArn"].endswith("AWSServiceRoleForECS")
    assert made["enableECSManagedTags"] is False
    assert made["enableExecuteCommand"] is False
    assert made["propagateTags"] == "NONE"
    for empty in (
        "events",
        "loadBalancers",
        "serviceRegistries",
        "placementConstraints",
        "placementStrategy",
    ):
        assert made[empty] == [], empty
    aws.ecs.delete_service(cluster=aws.cluster, service=name, force=True)


def test_first_deployment_is_primary(aws: Outsider) -> None:
    """The deployment of a new service is PRIMARY, IN_PROGRESS, and carries the service's settings."""
    made = aws.service(desiredCount=1)
    (deployment,) = made["deployments"]
    assert deployment["id"].startswith("ecs-svc/")
    assert deployment["status"] == "PRIMARY"
    assert deployment["taskDefinition"] == aws.plain
    assert (deployment["desiredCount"], deployment["pendingCount"], deployment["runningCount"]) in {
        (0, 0, 0),
        (1, 0, 0),
    }
    assert deployment["failedTasks"] == 0
    assert deployment["rolloutState"] == "IN_PROGRESS"
    assert deployment["rolloutStateReason"] == f"ECS deployment {deployment['id']} in progress."
    assert deployment["launchType"] == "FARGATE"
    assert deployment["platformVersion"] == "1.4.0"
    assert deployment["networkConfiguration"] == aws.network
    assert isinstance(deployment["updatedAt"], datetime)
    aws.ecs.delete_service(cluster=aws.cluster, service=made["serviceName"], force=True)


def test_deployment_configuration_has_defaults(aws: Outsider) -> None:
    """Without a wish it is ROLLING with 200 and 100 percent, no circuit breaker, no bake time."""
    found = aws.service()["deploymentConfiguration"]
    assert found["maximumPercent"] == 200
    assert found["minimumHealthyPercent"] == 100
    assert found["deploymentCircuitBreaker"]["enable"] is False
    assert found["deploymentCircuitBreaker"]["rollback"] is False
    assert found["strategy"] == "ROLLING"
    assert found["bakeTimeInMinutes"] == 0


KEPT: dict[str, dict[str, Any]] = {
    "percents": {"deploymentConfiguration": {"maximumPercent": 150, "minimumHealthyPercent": 50}},
    "circuit breaker": {"deploymentConfiguration": CIRCUIT},
    "circuit breaker threshold": {
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {
                "enable": True,
                "rollback": False,
                "resetOnHealthyTask": True,
                "thresholdConfiguration": {"type": "COUNT", "value": 5},
            }
        }
    },
    "alarms": {
        "deploymentConfiguration": {"alarms": {"alarmNames": ["errors"], "rollback": True, "enable": True}}
    },
    "bake time of a rolling deployment": {
        "deploymentConfiguration": {"strategy": "ROLLING", "bakeTimeInMinutes": 5}
    },
    "enableECSManagedTags": {"enableECSManagedTags": True},
    "propagateTags": {"propagateTags": "TASK_DEFINITION"},
    "propagateTags from the service": {"propagateTags": "SERVICE"},
    "platformVersion": {"platformVersion": "1.4.0"},
    "availabilityZoneRebalancing": {"availabilityZoneRebalancing": "ENABLED"},
    "availabilityZoneRebalancing off": {"availabilityZoneRebalancing": "DISABLED"},
    "networkConfiguration with a public address": {},
}


@pytest.mark.parametrize("case", [name for name, wish in KEPT.items() if wish])
def test_create_service_keeps(aws: Outsider, case: str) -> None:
    """Each of these is answered by CreateService and by DescribeServices as it was asked for."""
    wish = KEPT[case]
    made = aws.service(**wish)
    for found in (made, aws.described(made["serviceName"])):
        for member, value in wish.items():
            if isinstance(value, dict):
                told = {name: found[member].get(name) for name in value}
                assert _within(value, told), told
            else:
                assert found[member] == value


def _within(wish: Any, told: Any) -> bool:
    """Tell whether all that was wished is told; AWS may tell more."""
    if isinstance(wish, dict):
        return isinstance(told, dict) and all(
            name in told and _within(wish[name], told[name]) for name in wish
        )
    return bool(wish == told)


def test_public_address_is_kept(aws: Outsider) -> None:
    """AssignPublicIp is kept; without it, it is DISABLED."""
    network = {"awsvpcConfiguration": aws.network["awsvpcConfiguration"] | {"assignPublicIp": "ENABLED"}}
    made = aws.service(networkConfiguration=network)
    assert made["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "ENABLED"


def test_network_without_security_group(aws: Outsider) -> None:
    """Security groups may be left out; the VPC's default group is used."""
    network = {"awsvpcConfiguration": {"subnets": aws.subnets[:1]}}
    made = aws.service(networkConfiguration=network)
    found = made["networkConfiguration"]["awsvpcConfiguration"]
    assert found["subnets"] == aws.subnets[:1]
    assert found["assignPublicIp"] == "DISABLED"


def test_execute_command_is_kept(aws: Outsider) -> None:
    """ECS Exec can be enabled where the definition has a task role."""
    arn = aws.register(taskRoleArn=aws.role)
    made = aws.service(taskDefinition=arn, enableExecuteCommand=True)
    assert aws.described(made["serviceName"])["enableExecuteCommand"] is True


def test_capacity_provider_strategy_is_kept(aws: Outsider) -> None:
    """A strategy takes the launch type's place, in the service and in its deployment."""
    strategy = [
        {"capacityProvider": "FARGATE", "weight": 1, "base": 1},
        {"capacityProvider": "FARGATE_SPOT", "weight": 4, "base": 0},
    ]
    made = aws.service(launchType=None, capacityProviderStrategy=strategy)
    found = aws.described(made["serviceName"])
    assert found["capacityProviderStrategy"] == strategy
    assert "launchType" not in found
    assert found["deployments"][0]["capacityProviderStrategy"] == strategy


def test_clusters_default_strategy_is_used(aws: Outsider) -> None:
    """Without launch type and strategy the cluster's default strategy applies."""
    strategy = [{"capacityProvider": "FARGATE", "weight": 1, "base": 0}]
    cluster = fresh("c")
    aws.ecs.create_cluster(
        clusterName=cluster, capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=strategy
    )
    assert aws.service(cluster=cluster, launchType=None)["capacityProviderStrategy"] == strategy


def test_load_balancer_and_grace_period_are_kept(aws: Outsider) -> None:
    """A target group with a load balancer is kept, and so is the grace period."""
    entry = {"targetGroupArn": aws.attached(), "containerName": "web", "containerPort": 80}
    made = aws.service(loadBalancers=[entry], healthCheckGracePeriodSeconds=45)
    found = aws.described(made["serviceName"])
    assert found["loadBalancers"] == [entry]
    assert found["healthCheckGracePeriodSeconds"] == 45


def test_grace_period_defaults_to_zero(aws: Outsider) -> None:
    """The grace period is 0 when it isn't told, with a load balancer and without (kayac/ecspresso#805)."""
    assert aws.service()["healthCheckGracePeriodSeconds"] == 0
    entry = {"targetGroupArn": aws.attached(), "containerName": "web", "containerPort": 80}
    assert aws.service(loadBalancers=[entry])["healthCheckGracePeriodSeconds"] == 0


def test_five_target_groups_are_kept(aws: Outsider) -> None:
    """A service may have several target groups, up to five."""
    entries = [
        {"targetGroupArn": aws.attached(), "containerName": "web", "containerPort": 80} for _ in range(3)
    ]
    assert aws.service(loadBalancers=entries)["loadBalancers"] == entries


def test_service_registries_are_kept(aws: Outsider) -> None:
    """A Cloud Map service is kept as the registry."""
    arn = registry(aws)
    made = aws.service(serviceRegistries=[{"registryArn": arn}])
    assert aws.described(made["serviceName"])["serviceRegistries"] == [{"registryArn": arn}]


def test_service_connect_is_kept_by_the_deployment(aws: Outsider) -> None:
    """Service Connect's configuration is told by the deployment that has it."""
    namespace = http_namespace(aws)
    wish = {
        "enabled": True,
        "namespace": namespace,
        "services": [
            {
                "portName": "http",
                "discoveryName": fresh("d"),
                "clientAliases": [{"port": 80, "dnsName": "web"}],
            }
        ],
    }
    made = aws.service(serviceConnectConfiguration=wish)
    found = aws.described(made["serviceName"])["deployments"][0]["serviceConnectConfiguration"]
    assert _within({"enabled": True, "services": wish["services"]}, found)


def test_volume_configuration_is_kept_by_the_deployment(aws: Outsider) -> None:
    """An EBS volume configured at launch is told by the deployment that has it."""
    arn = aws.register(
        volumes=[{"name": "data", "configuredAtLaunch": True}],
        container={"mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]},
    )
    volumes = [
        {"name": "data", "managedEBSVolume": {"roleArn": aws.role, "sizeInGiB": 20, "volumeType": "gp3"}}
    ]
    made = aws.service(taskDefinition=arn, volumeConfigurations=volumes)
    found = aws.described(made["serviceName"])["deployments"][0]["volumeConfigurations"]
    assert found[0]["name"] == "data"
    assert _within(volumes[0]["managedEBSVolume"], found[0]["managedEBSVolume"])


def test_lattice_configuration_is_kept_by_the_deployment(aws: Outsider) -> None:
    """A VPC Lattice target group is told by the deployment that has it."""
    group = aws("vpc-lattice").create_target_group(
        name=fresh("lat"),
        type="IP",
        config={"port": 80, "protocol": "HTTP", "vpcIdentifier": aws.vpc},
    )["arn"]
    wish = [{"roleArn": aws.role, "targetGroupArn": group, "portName": "http"}]
    made = aws.service(vpcLatticeConfigurations=wish)
    found = aws.described(made["serviceName"])["deployments"][0]["vpcLatticeConfigurations"]
    assert _within(wish[0], found[0])


def test_placement_is_kept_on_ec2(aws: Outsider) -> None:
    """Placement strategy and constraints of an EC2 service are kept."""
    arn = aws.ecs.register_task_definition(
        family=fresh("ec2"),
        networkMode="bridge",
        containerDefinitions=[{"name": "web", "image": "i", "memory": 64}],
    )["taskDefinition"]["taskDefinitionArn"]
    made = aws.service(
        taskDefinition=arn,
        launchType="EC2",
        networkConfiguration=None,
        placementStrategy=SPREAD,
        placementConstraints=DISTINCT,
    )
    assert made["placementStrategy"] == SPREAD
    assert made["placementConstraints"] == DISTINCT


def test_daemon_on_ec2(aws: Outsider) -> None:
    """A DAEMON service keeps its strategy and has no desired count of its own."""
    arn = aws.ecs.register_task_definition(
        family=fresh("ec2"), containerDefinitions=[{"name": "web", "image": "i", "memory": 64}]
    )["taskDefinition"]["taskDefinitionArn"]
    made = aws.service(
        taskDefinition=arn,
        launchType="EC2",
        networkConfiguration=None,
        schedulingStrategy="DAEMON",
        desiredCount=None,
    )
    assert made["schedulingStrategy"] == "DAEMON"


def test_tags_are_kept_and_described_on_demand(aws: Outsider) -> None:
    """Tags come with the service when they are included."""
    tags = [{"key": "team", "value": "a"}]
    made = aws.service(tags=tags)
    assert aws.described(made["serviceName"], tags=True)["tags"] == tags
    assert not aws.described(made["serviceName"]).get("tags")
    assert aws.ecs.list_tags_for_resource(resourceArn=made["serviceArn"])["tags"] == tags


def test_external_controller_is_kept(aws: Outsider) -> None:
    """A service of the EXTERNAL controller has no definition and no deployment of its own."""
    made = aws.ecs.create_service(
        cluster=aws.cluster,
        serviceName=fresh("ext"),
        desiredCount=1,
        deploymentController={"type": "EXTERNAL"},
    )["service"]
    assert made["deploymentController"] == {"type": "EXTERNAL"}
    assert "taskDefinition" not in made
    assert made["taskSets"] == []
    assert made["deployments"] == []


def test_definition_by_family_becomes_an_arn(aws: Outsider) -> None:
    """A family stands for its newest ACTIVE revision, and the service tells the ARN."""
    family = fresh("app")
    aws.register(family=family)
    newest = aws.register(family=family)
    assert aws.service(taskDefinition=family)["taskDefinition"] == newest
    assert aws.service(taskDefinition=f"{family}:1")["taskDefinition"].endswith(f"{family}:1")


def test_client_token_makes_it_idempotent(aws: Outsider) -> None:
    """The same request with the same token answers the service that exists."""
    wish = {"serviceName": fresh("svc"), "clientToken": fresh("token")}
    first = aws.service(**wish)
    assert aws.service(**wish)["serviceArn"] == first["serviceArn"]


def test_client_token_with_other_settings_is_refused(aws: Outsider) -> None:
    """The same token with another request isn't idempotent."""
    wish = {"serviceName": fresh("svc"), "clientToken": fresh("token")}
    aws.service(**wish)
    with refused("InvalidParameterException", "ClientException", says="idempotent"):
        aws.service(**wish | {"desiredCount": 3})


BLUE_GREEN: dict[str, dict[str, Any]] = {
    "BLUE_GREEN": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1},
    "CANARY": {
        "strategy": "CANARY",
        "bakeTimeInMinutes": 1,
        "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 1},
    },
    "LINEAR": {
        "strategy": "LINEAR",
        "bakeTimeInMinutes": 1,
        "linearConfiguration": {"stepPercent": 25.0, "stepBakeTimeInMinutes": 1},
    },
}


@pytest.mark.parametrize("strategy", list(BLUE_GREEN))
def test_native_strategy_is_kept(aws: Outsider, strategy: str) -> None:
    """Native strategies, their bake times and the alternate target group are kept."""
    entry = slots(aws)
    made = aws.service(deploymentConfiguration=BLUE_GREEN[strategy], loadBalancers=[entry])
    found = aws.described(made["serviceName"])
    assert _within(BLUE_GREEN[strategy], found["deploymentConfiguration"])
    assert found["loadBalancers"] == [entry]


DEFAULTS = {
    "CANARY": {"canaryConfiguration": {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10}},
    "LINEAR": {"linearConfiguration": {"stepPercent": 10.0, "stepBakeTimeInMinutes": 6}},
}


@pytest.mark.parametrize("strategy", list(DEFAULTS))
def test_native_strategy_has_defaults(aws: Outsider, strategy: str) -> None:
    """A shifting strategy without its configuration has the reference's defaults."""
    made = aws.service(deploymentConfiguration={"strategy": strategy}, loadBalancers=[slots(aws)])
    assert _within(DEFAULTS[strategy], made["deploymentConfiguration"]), made["deploymentConfiguration"]


def test_lifecycle_hooks_are_kept(aws: Outsider) -> None:
    """Hooks, by Lambda function and by pause, are kept with their stages."""
    function = aws_function(aws)
    hooks = [
        {
            "targetType": "AWS_LAMBDA",
            "hookTargetArn": function,
            "roleArn": aws.role,
            "lifecycleStages": ["POST_SCALE_UP", "POST_TEST_TRAFFIC_SHIFT"],
        },
        {"targetType": "PAUSE", "lifecycleStages": ["POST_PRODUCTION_TRAFFIC_SHIFT"]},
    ]
    made = aws.service(
        deploymentConfiguration={"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "lifecycleHooks": hooks},
        loadBalancers=[slots(aws)],
    )
    found = made["deploymentConfiguration"]["lifecycleHooks"]
    assert [_within(hook, told) for hook, told in zip(hooks, found, strict=True)] == [True, True]


def aws_function(aws: Outsider) -> str:
    """Name a Lambda function; ECS looks for it only when a deployment reaches its stage."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{fresh('hook')}"
