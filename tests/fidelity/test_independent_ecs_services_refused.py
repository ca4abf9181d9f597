"""What CreateService refuses, one wrong thing at a time."""

from __future__ import annotations

from typing import Any

import pytest

from fidelity.outsider import ACCOUNT, REGION, Outsider, fresh, refused

NOWHERE = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/nowhere/0123456789abcdef"
CANARY = {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 1}


def entry(group: str, **members: Any) -> list[dict[str, Any]]:
    """Answer a list of one load balancer entry."""
    return [{"targetGroupArn": group, "containerName": "web", "containerPort": 80} | members]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an illegal name": ({"serviceName": "my service"}, ""),
    "a name too long": ({"serviceName": "s" * 256}, ""),
    "an empty name": ({"serviceName": ""}, ""),
    "a negative count": ({"desiredCount": -1}, ""),
    "no count": ({"desiredCount": None}, ""),
    "no network": (
        {"networkConfiguration": None},
        "Network Configuration must be provided when networkMode 'awsvpc'",
    ),
    "launch type and providers": (
        {"capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}]},
        "launch type",
    ),
    "an unknown provider": (
        {"launchType": None, "capacityProviderStrategy": [{"capacityProvider": "none", "weight": 1}]},
        "capacity provider",
    ),
    "two providers with a base": (
        {
            "launchType": None,
            "capacityProviderStrategy": [
                {"capacityProvider": "FARGATE", "weight": 1, "base": 1},
                {"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 1},
            ],
        },
        "base",
    ),
    "providers without a weight": (
        {
            "launchType": None,
            "capacityProviderStrategy": [
                {"capacityProvider": "FARGATE", "weight": 0},
                {"capacityProvider": "FARGATE_SPOT", "weight": 0},
            ],
        },
        "weight",
    ),
    "an unknown launch type": ({"launchType": "TRAIN"}, ""),
    "an unknown scheduling strategy": ({"schedulingStrategy": "SOMEHOW"}, ""),
    "a daemon on fargate": ({"schedulingStrategy": "DAEMON", "desiredCount": None}, ""),
    "an unknown controller": ({"deploymentController": {"type": "ME"}}, ""),
    "an unknown propagation": ({"propagateTags": "EVERYWHERE"}, ""),
    "an unknown rebalancing": ({"availabilityZoneRebalancing": "MAYBE"}, ""),
    "minimum above 100": ({"deploymentConfiguration": {"minimumHealthyPercent": 150}}, ""),
    "maximum below 100": ({"deploymentConfiguration": {"maximumPercent": 50}}, ""),
    "maximum above 200": ({"deploymentConfiguration": {"maximumPercent": 300}}, ""),
    "100 and 100 percent": (
        {"deploymentConfiguration": {"maximumPercent": 100, "minimumHealthyPercent": 100}},
        "",
    ),
    "a group that doesn't exist": ({"loadBalancers": entry(NOWHERE)}, "target group"),
    "a group by a wrong ARN": ({"loadBalancers": entry("not-an-arn")}, ""),
    "a negative grace period": ({"healthCheckGracePeriodSeconds": -1}, ""),
    "an unknown registry": (
        {
            "serviceRegistries": [
                {"registryArn": f"arn:aws:servicediscovery:{REGION}:{ACCOUNT}:service/srv-none"}
            ]
        },
        "",
    ),
    "two registries": (
        {
            "serviceRegistries": [
                {"registryArn": f"arn:aws:servicediscovery:{REGION}:{ACCOUNT}:service/srv-{n}"} for n in "ab"
            ]
        },
        "",
    ),
    "an unknown subnet": (
        {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0none"]}}},
        "subnet",
    ),
    "no subnet": ({"networkConfiguration": {"awsvpcConfiguration": {"subnets": []}}}, ""),
    "seventeen subnets": (
        {
            "networkConfiguration": {
                "awsvpcConfiguration": {"subnets": [f"subnet-{n:08x}" for n in range(17)]}
            }
        },
        "",
    ),
    "an unknown platform": ({"platformVersion": "9.9.9"}, ""),
    "tags of aws": ({"tags": [{"key": "aws:x", "value": "y"}]}, ""),
    "fifty-one tags": ({"tags": [{"key": f"k{n}", "value": "v"} for n in range(51)]}, ""),
    "two tags of one key": ({"tags": [{"key": "k", "value": "1"}, {"key": "k", "value": "2"}]}, ""),
    "placement on fargate": ({"placementStrategy": [{"type": "random"}]}, ""),
    "constraints on fargate": ({"placementConstraints": [{"type": "distinctInstance"}]}, ""),
    "an unknown strategy": ({"deploymentConfiguration": {"strategy": "YOLO"}}, ""),
    "blue/green without a load balancer's alternate": (
        {"deploymentConfiguration": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1441}},
        "",
    ),
    "canary's configuration on a rolling one": (
        {"deploymentConfiguration": {"strategy": "ROLLING", "canaryConfiguration": CANARY}},
        "",
    ),
    "a bake time beyond a day": (
        {"deploymentConfiguration": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1441}},
        "",
    ),
    "a hook without a stage": (
        {"deploymentConfiguration": {"strategy": "BLUE_GREEN", "lifecycleHooks": [{"targetType": "PAUSE"}]}},
        "",
    ),
    "a Lambda hook without a role": (
        {
            "deploymentConfiguration": {
                "strategy": "BLUE_GREEN",
                "lifecycleHooks": [
                    {
                        "targetType": "AWS_LAMBDA",
                        "hookTargetArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f",
                        "lifecycleStages": ["POST_SCALE_UP"],
                    }
                ],
            }
        },
        "",
    ),
    "a hook at a stage that isn't": (
        {
            "deploymentConfiguration": {
                "strategy": "BLUE_GREEN",
                "lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["SOMETIME"]}],
            }
        },
        "",
    ),
    "alarms without names": (
        {"deploymentConfiguration": {"alarms": {"alarmNames": [], "rollback": True, "enable": True}}},
        "",
    ),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_create_service_refuses(aws: Outsider, case: str) -> None:
    """Each of these requests is refused with the reason, and no service comes of it."""
    change, says = REFUSED[case]
    name = fresh("svc")
    codes = [
        "InvalidParameterException",
        "ClientException",
        "PlatformUnknownException",
        "PlatformTaskDefinitionIncompatibilityException",
    ]
    with refused(*codes, says=says):
        aws.service(**{"serviceName": name} | change)
    if change.get("serviceName") is None:
        assert aws.ecs.describe_services(cluster=aws.cluster, services=[name])["services"] == []


def test_unknown_cluster(aws: Outsider) -> None:
    """A cluster that doesn't exist is ClusterNotFoundException."""
    with refused("ClusterNotFoundException", says="Cluster not found."):
        aws.service(cluster=fresh("none"))


def test_unknown_definition(aws: Outsider) -> None:
    """A definition that doesn't exist is a ClientException."""
    with refused("ClientException", says="TaskDefinition not found."):
        aws.service(taskDefinition=f"{fresh('none')}:1")


def test_no_definition(aws: Outsider) -> None:
    """Only the EXTERNAL controller goes without a definition."""
    with refused("InvalidParameterException", "ClientException", says="TaskDefinition"):
        aws.service(taskDefinition=None)


def test_inactive_definition(aws: Outsider) -> None:
    """A deregistered definition takes no new service."""
    arn = aws.register()
    aws.ecs.deregister_task_definition(taskDefinition=arn)
    with refused("ClientException", says="TaskDefinition is inactive"):
        aws.service(taskDefinition=arn)


def test_duplicate_name(aws: Outsider) -> None:
    """The name of an active service is taken, whatever the settings; the first service stays as it was."""
    name = fresh("svc")
    first = aws.service(serviceName=name)
    with refused("InvalidParameterException", says="Creation of service was not idempotent"):
        aws.service(serviceName=name, desiredCount=1)
    found = aws.described(name)
    assert found["desiredCount"] == 0
    assert found["createdAt"] == first["createdAt"]


def test_name_is_free_in_another_cluster(aws: Outsider) -> None:
    """Names are unique within a cluster."""
    other = fresh("c")
    aws.ecs.create_cluster(clusterName=other)
    name = fresh("svc")
    aws.service(serviceName=name)
    assert aws.service(serviceName=name, cluster=other)["serviceName"] == name


def test_group_without_a_load_balancer(aws: Outsider) -> None:
    """A target group must have a load balancer first."""
    arn = aws.group()
    says = f"The target group with targetGroupArn {arn} does not have an associated load balancer."
    with refused("InvalidParameterException", says=says):
        aws.service(loadBalancers=entry(arn))


def test_group_of_instances(aws: Outsider) -> None:
    """Awsvpc wants a target group of type ip."""
    arn = aws.attached(TargetType="instance")
    with refused("InvalidParameterException", says="incompatible with the awsvpc network mode"):
        aws.service(loadBalancers=entry(arn))


def test_unknown_container(aws: Outsider) -> None:
    """The container must be in the definition."""
    with refused(
        "InvalidParameterException", says="The container ghost does not exist in the task definition."
    ):
        aws.service(loadBalancers=entry(aws.attached(), containerName="ghost"))


def test_unknown_port(aws: Outsider) -> None:
    """The port must be one of the container's."""
    with refused(
        "InvalidParameterException", says="The container web did not have a container port 81 defined."
    ):
        aws.service(loadBalancers=entry(aws.attached(), containerPort=81))


def test_container_without_port(aws: Outsider) -> None:
    """A target group without container and port says nothing that ECS could register."""
    with refused("InvalidParameterException"):
        aws.service(loadBalancers=[{"targetGroupArn": aws.attached()}])


def test_fargate_on_an_ec2_definition(aws: Outsider) -> None:
    """FARGATE wants a definition that is compatible."""
    arn = aws.ecs.register_task_definition(
        family=fresh("ec2"),
        networkMode="awsvpc",
        containerDefinitions=[{"name": "web", "image": "i", "memory": 64}],
    )["taskDefinition"]["taskDefinitionArn"]
    with refused(
        "InvalidParameterException",
        "ClientException",
        says="Task definition does not support launch_type FARGATE",
    ):
        aws.service(taskDefinition=arn)


def test_network_on_a_bridge_definition(aws: Outsider) -> None:
    """Network configuration belongs to awsvpc."""
    arn = aws.ecs.register_task_definition(
        family=fresh("ec2"), containerDefinitions=[{"name": "web", "image": "i", "memory": 64}]
    )["taskDefinition"]["taskDefinitionArn"]
    with refused(
        "InvalidParameterException", says="Network Configuration is not valid for the given networkMode"
    ):
        aws.service(taskDefinition=arn, launchType="EC2")


def test_unknown_service_connect_namespace(aws: Outsider) -> None:
    """Service Connect's namespace must exist."""
    with refused("NamespaceNotFoundException", "InvalidParameterException", "ClientException"):
        aws.service(serviceConnectConfiguration={"enabled": True, "namespace": fresh("none")})


def test_unknown_service_connect_port(aws: Outsider) -> None:
    """Service Connect publishes ports that the definition names."""
    cloudmap = aws("servicediscovery")
    name = fresh("http")
    cloudmap.create_http_namespace(Name=name)
    wish = {"enabled": True, "namespace": name, "services": [{"portName": "ghost"}]}
    with refused("InvalidParameterException", "NamespaceNotFoundException"):
        aws.service(serviceConnectConfiguration=wish)


def test_shifting_without_alternate_group(aws: Outsider) -> None:
    """A shifting strategy with a load balancer wants the alternate group and the rule."""
    with refused("InvalidParameterException"):
        aws.service(
            deploymentConfiguration={"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1},
            loadBalancers=entry(aws.attached()),
        )


@pytest.mark.parametrize(
    "configuration",
    [
        {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 0.0, "canaryBakeTimeInMinutes": 1}},
        {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 100.1, "canaryBakeTimeInMinutes": 1}},
        {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 2.9, "stepBakeTimeInMinutes": 1}},
        {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 25.0, "stepBakeTimeInMinutes": 1441}},
    ],
    ids=["canary of 0", "canary above 100", "steps below 3", "step bakes more than a day"],
)
def test_shifting_out_of_range(aws: Outsider, configuration: dict[str, Any]) -> None:
    """Percentages and bake times have the ranges of the reference."""
    with refused("InvalidParameterException", "ClientException"):
        aws.service(deploymentConfiguration=configuration)


def test_volume_configuration_without_a_volume(aws: Outsider) -> None:
    """A volume configuration belongs to a volume that the definition leaves to the launch."""
    volumes = [{"name": "data", "managedEBSVolume": {"roleArn": aws.role, "sizeInGiB": 20}}]
    with refused("InvalidParameterException", "ClientException"):
        aws.service(volumeConfigurations=volumes)


def test_launch_volume_without_configuration(aws: Outsider) -> None:
    """A volume that is configured at launch wants its configuration."""
    arn = aws.register(volumes=[{"name": "data", "configuredAtLaunch": True}])
    with refused("InvalidParameterException", "ClientException"):
        aws.service(taskDefinition=arn)


def test_external_controller_refuses_a_definition(aws: Outsider) -> None:
    """With the EXTERNAL controller the definition belongs to task sets."""
    with refused("InvalidParameterException"):
        aws.service(deploymentController={"type": "EXTERNAL"})
