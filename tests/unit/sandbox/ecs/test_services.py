"""CreateService, UpdateService, DeleteService, DescribeServices, ListServices: answers and refusals."""

from __future__ import annotations

from typing import Any

import pytest

from sluice_sandbox.aws.estate import SECURITY_GROUP_ID, SUBNET_IDS

TG = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/"
GROUP, LOOSE, BY_INSTANCE, FOREIGN, GHOST = (
    f"{TG}{name}/0123456789abcdef" for name in ("web", "loose", "old", "far", "ghost")
)
OTHER_GROUP, OTHER_SUBNET = "sg-0f0f0f0f0f0f0f0f0", "subnet-0f0f0f0f0f0f0f0f0"


def balancer(group: str = GROUP, name: str = "app", port: int = 8080) -> dict[str, Any]:
    """Return the change that sets one load balancer."""
    return {"loadBalancers": [{"targetGroupArn": group, "containerName": name, "containerPort": port}]}


def network(subnets: list[str], groups: list[str]) -> dict[str, Any]:
    """Return the change that sets the network configuration."""
    return {"networkConfiguration": {"awsvpcConfiguration": {"subnets": subnets, "securityGroups": groups}}}


INVALID = "InvalidParameterException"
SUBNETS, GROUPS = list(SUBNET_IDS), [SECURITY_GROUP_ID]
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown-definition": ({"taskDefinition": "nope"}, "ClientException", "TaskDefinition not found."),
    "no-definition": ({"taskDefinition": None}, INVALID, "TaskDefinition cannot be blank."),
    "no-count": ({"desiredCount": None}, INVALID, "desiredCount is required"),
    "negative-count": ({"desiredCount": -1}, INVALID, "desiredCount cannot be negative."),
    "odd-name": ({"serviceName": "a b"}, INVALID, "Invalid service name."),
    "long-name": ({"serviceName": "a" * 256}, INVALID, "Invalid service name."),
    "long-token": ({"clientToken": "t" * 37}, INVALID, "clientToken must be at most 36"),
    "unknown-group": (balancer(GHOST), INVALID, "The specified target group does not exist."),
    "group-without-load-balancer": (
        balancer(LOOSE),
        INVALID,
        f"The target group with targetGroupArn {LOOSE} does not have an associated load balancer.",
    ),
    "group-of-instances": (
        balancer(BY_INSTANCE),
        INVALID,
        "has target type instance, which is incompatible with the awsvpc network mode",
    ),
    "group-of-another-vpc": (balancer(FOREIGN), INVALID, "not in the same VPC"),
    "unknown-container": (
        balancer(name="ghost"),
        INVALID,
        "The container ghost does not exist in the task definition.",
    ),
    "unknown-port": (
        balancer(port=9),
        INVALID,
        "The container app did not have a container port 9 defined.",
    ),
    "group-and-classic-name": (
        {
            "loadBalancers": [
                {
                    "targetGroupArn": GROUP,
                    "loadBalancerName": "x",
                    "containerName": "app",
                    "containerPort": 8080,
                }
            ]
        },
        INVALID,
        "loadBalancerName and targetGroupArn cannot both be specified.",
    ),
    "same-group-twice": ({"loadBalancers": balancer()["loadBalancers"] * 2}, INVALID, "duplicate"),
    "six-groups": ({"loadBalancers": balancer()["loadBalancers"] * 6}, INVALID, "at most 5 items"),
    "no-network": (
        {"networkConfiguration": None},
        INVALID,
        "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
    ),
    "no-subnets": (network([], GROUPS), INVALID, "subnets can not be empty."),
    "unknown-subnet": (
        network(["subnet-nope"], GROUPS),
        INVALID,
        "The subnet ID 'subnet-nope' does not exist (ErrorCode: InvalidSubnetID.NotFound)",
    ),
    "unknown-security-group": (network(SUBNETS, ["sg-nope"]), INVALID, "'sg-nope' does not exist"),
    "security-group-of-another-vpc": (
        network(SUBNETS, [OTHER_GROUP]),
        INVALID,
        "Security groups and subnets must be from the same VPC.",
    ),
    "subnets-of-two-vpcs": (network([SUBNETS[0], OTHER_SUBNET], []), INVALID, "same VPC"),
    "six-security-groups": (network(SUBNETS, GROUPS * 6), INVALID, "at most 5 items"),
    "seventeen-subnets": (network(SUBNETS * 6, GROUPS), INVALID, "at most 16 items"),
    "launch-type-and-strategy": (
        {"capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}]},
        INVALID,
        "Specifying both a launch type and capacity provider strategy is not supported.",
    ),
    "unknown-provider": (
        {"launchType": None, "capacityProviderStrategy": [{"capacityProvider": "asg", "weight": 1}]},
        INVALID,
        "The specified capacity provider 'asg' was not found.",
    ),
    "two-bases": (
        {
            "launchType": None,
            "capacityProviderStrategy": [
                {"capacityProvider": "FARGATE", "base": 1},
                {"capacityProvider": "FARGATE_SPOT", "base": 1, "weight": 1},
            ],
        },
        INVALID,
        "Only one capacity provider",
    ),
    "all-weights-zero": (
        {
            "launchType": None,
            "capacityProviderStrategy": [
                {"capacityProvider": "FARGATE"},
                {"capacityProvider": "FARGATE_SPOT"},
            ],
        },
        INVALID,
        "weight greater than zero",
    ),
    "external-on-awsvpc": (
        {"launchType": "EXTERNAL"},
        INVALID,
        "Task definition does not support launch_type EXTERNAL.",
    ),
    "unknown-platform": ({"platformVersion": "9.9.9"}, "PlatformUnknownException", "does not exist"),
    "platform-on-ec2": (
        {"launchType": "EC2", "platformVersion": "1.4.0"},
        INVALID,
        "The platform version must be null when specifying an EC2 launch type.",
    ),
    "daemon-on-fargate": (
        {"schedulingStrategy": "DAEMON", "desiredCount": None},
        INVALID,
        "daemon scheduling strategy",
    ),
    "daemon-with-count": (
        {"schedulingStrategy": "DAEMON", "launchType": "EC2"},
        INVALID,
        "does not support a desired count",
    ),
    "minimum-150": (
        {"deploymentConfiguration": {"minimumHealthyPercent": 150}},
        INVALID,
        "minimumHealthyPercent",
    ),
    "maximum-50": ({"deploymentConfiguration": {"maximumPercent": 50}}, INVALID, "maximumPercent"),
    "maximum-201": ({"deploymentConfiguration": {"maximumPercent": 201}}, INVALID, "maximumPercent"),
    "100-and-100": (
        {"deploymentConfiguration": {"minimumHealthyPercent": 100, "maximumPercent": 100}},
        INVALID,
        "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.",
    ),
    "breaker-with-code-deploy": (
        {
            "deploymentController": {"type": "CODE_DEPLOY"},
            "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
        },
        INVALID,
        "only valid with the ECS deployment controller",
    ),
    "alarms-without-names": (
        {"deploymentConfiguration": {"alarms": {"enable": True, "rollback": True, "alarmNames": []}}},
        INVALID,
        "alarmNames",
    ),
    "two-registries": (
        {"serviceRegistries": [{"registryArn": "a"}, {"registryArn": "b"}]},
        INVALID,
        "one service registry",
    ),
    "odd-registry": ({"serviceRegistries": [{"registryArn": "a"}]}, INVALID, "Invalid registryArn"),
    "unknown-connect-port": (
        {"serviceConnectConfiguration": {"enabled": True, "services": [{"portName": "http"}]}},
        INVALID,
        "The portName http does not exist",
    ),
    "ghost-volume": (
        {"volumeConfigurations": [{"name": "v", "managedEBSVolume": {"roleArn": "arn:aws:iam::1:role/x"}}]},
        INVALID,
        "configuredAtLaunch",
    ),
    "placement-on-fargate": (
        {"placementStrategy": [{"type": "random"}]},
        INVALID,
        "Placement constraints and strategies",
    ),
    "negative-grace": ({"healthCheckGracePeriodSeconds": -1}, INVALID, "between 0 and 2147483647"),
    "endless-grace": ({"healthCheckGracePeriodSeconds": 2**31}, INVALID, "between 0 and 2147483647"),
    "role-with-awsvpc": (
        {"role": "ecsServiceRole"},
        INVALID,
        "You cannot specify an IAM role for services that require a service linked role.",
    ),
    "gateway-not-modelled": (
        {"gatewayConnectors": [{"portName": "http"}]},
        "UnsupportedFeatureException",
        "not modelled by this stand-in",
    ),
    "reserved-tag": ({"tags": [{"key": "aws:x", "value": "y"}]}, INVALID, "reserved"),
    "external-with-definition": ({"deploymentController": {"type": "EXTERNAL"}}, INVALID, "task sets"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_impossible_services_are_refused(ecs: Any, request_of: Any, case: str) -> None:
    """What AWS refuses, with its code and the heart of its text, and nothing is created."""
    change, code, text = REFUSED[case]
    refused = ecs.refusal("CreateService", **request_of(**change))
    assert refused[0] == code
    assert text in refused[1]
    assert ecs.call("ListServices", cluster="main")["serviceArns"] == []


def test_inactive_definition_is_refused_but_scaled(ecs: Any) -> None:
    """Nothing new runs on an INACTIVE revision; what runs on it still scales (botocore)."""
    ecs.create()
    ecs.until(ecs.completed)
    ecs.call("DeregisterTaskDefinition", taskDefinition="web:1")
    code, text = ecs.refusal(
        "CreateService", cluster="main", serviceName="b", taskDefinition="web:1", desiredCount=1
    )
    assert (code, text) == ("ClientException", "TaskDefinition is inactive")
    assert (
        ecs.refusal("UpdateService", cluster="main", service="web", taskDefinition="web:1")[0]
        == "ClientException"
    )
    ecs.call("UpdateService", cluster="main", service="web", desiredCount=3)
    ecs.until(ecs.completed)


def test_defaults_are_ecs_own(ecs: Any) -> None:
    """What DescribeServices shows of a minimal service."""
    shown = ecs.create(loadBalancers=None)
    expected = {
        "status": "ACTIVE",
        "launchType": "FARGATE",
        "platformVersion": "LATEST",
        "platformFamily": "Linux",
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "enableECSManagedTags": False,
        "enableExecuteCommand": False,
        "propagateTags": "NONE",
        "availabilityZoneRebalancing": "ENABLED",
        "loadBalancers": [],
        "serviceRegistries": [],
        "placementConstraints": [],
        "placementStrategy": [],
        "createdBy": "arn:aws:iam::111122223333:user/sandbox",
        "roleArn": "arn:aws:iam::111122223333:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
        "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:1",
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {"enable": False, "rollback": False},
            "maximumPercent": 200,
            "minimumHealthyPercent": 100,
            "strategy": "ROLLING",
            "bakeTimeInMinutes": 0,
        },
    }
    assert {key: shown[key] for key in expected} == expected
    assert shown["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "DISABLED"
    assert shown["createdAt"] == ecs.clock.now()
    assert shown["healthCheckGracePeriodSeconds"] == 0


KEPT: dict[str, Any] = {
    "platformVersion": "1.4.0",
    "healthCheckGracePeriodSeconds": 30,
    "enableECSManagedTags": True,
    "propagateTags": "SERVICE",
    "enableExecuteCommand": True,
    "availabilityZoneRebalancing": "DISABLED",
    "serviceRegistries": [
        {
            "registryArn": "arn:aws:servicediscovery:eu-west-1:111122223333:service/srv-srv",
            "containerName": "app",
            "containerPort": 8080,
        }
    ],
}


@pytest.mark.parametrize("member", KEPT)
def test_members_are_kept_by_create_and_by_update(ecs: Any, member: str) -> None:
    """A member given at creation, or later, is described as given."""
    assert ecs.create("made", **{member: KEPT[member]})[member] == KEPT[member]
    ecs.create("changed")
    ecs.call("UpdateService", cluster="main", service="changed", **{member: KEPT[member]})
    assert ecs.describe("changed")[member] == KEPT[member]


def test_service_connect_and_volumes_are_in_the_deployment(ecs: Any) -> None:
    """Members that Service does not have are told by its deployments (botocore, Deployment)."""
    connect = {"enabled": True, "namespace": "ns"}
    deployment = ecs.create(serviceConnectConfiguration=connect)["deployments"][0]
    assert deployment["serviceConnectConfiguration"] == connect


TRIGGERS: dict[str, tuple[dict[str, Any], bool]] = {
    "definition": ({"taskDefinition": "web:2"}, True),
    "same-definition": ({"taskDefinition": "web:1"}, False),
    "forced": ({"forceNewDeployment": True}, True),
    "network": (network(SUBNETS[:1], GROUPS), True),
    "same-network": (network(SUBNETS, GROUPS), False),
    "platform": ({"platformVersion": "1.4.0"}, True),
    "load-balancers": ({"loadBalancers": []}, True),
    "strategy": ({"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}, True),
    "count": ({"desiredCount": 5}, False),
    "percentages": ({"deploymentConfiguration": {"maximumPercent": 150, "minimumHealthyPercent": 50}}, False),
    "tags-propagation": ({"propagateTags": "SERVICE"}, False),
    "exec": ({"enableExecuteCommand": True}, False),
    "grace": ({"healthCheckGracePeriodSeconds": 5}, False),
    "zones": ({"availabilityZoneRebalancing": "DISABLED"}, False),
    "nothing": ({}, False),
}


@pytest.mark.parametrize("case", TRIGGERS)
def test_what_opens_a_deployment(ecs: Any, case: str) -> None:
    """As botocore says of each member of UpdateService, and only where it differs."""
    ecs.create()
    ecs.until(ecs.completed)
    ecs.register()
    change, opens = TRIGGERS[case]
    before = ecs.describe()["deployments"][0]["id"]
    shown = ecs.call("UpdateService", cluster="main", service="web", **change)["service"]
    assert (shown["deployments"][0]["id"] != before) is opens
    assert shown["taskDefinition"].startswith("arn:aws:ecs:")
    ecs.until(ecs.completed)


def test_partial_configuration_keeps_the_rest(ecs: Any) -> None:
    """UpdateService merges deploymentConfiguration member by member."""
    ecs.create(deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}})
    ecs.call("UpdateService", cluster="main", service="web", deploymentConfiguration={"maximumPercent": 150})
    shown = ecs.describe()["deploymentConfiguration"]
    assert shown["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert (shown["maximumPercent"], shown["minimumHealthyPercent"]) == (150, 100)


@pytest.mark.parametrize(
    "change",
    [network(["subnet-nope"], GROUPS), balancer(LOOSE), {"desiredCount": -1}, {"taskDefinition": "nope"}],
    ids=["subnet", "group", "count", "definition"],
)
def test_a_refused_update_changes_nothing(ecs: Any, change: dict[str, Any]) -> None:
    """The service is described as before."""
    ecs.create()
    ecs.until(ecs.completed)
    before = ecs.describe()
    ecs.refusal("UpdateService", cluster="main", service="web", **change)
    assert ecs.describe() == before


def test_scaling_does_not_look_at_what_is_gone(ecs: Any) -> None:
    """A service whose target group lost its load balancer still scales; giving the group again is refused."""
    ecs.create()
    ecs.until(ecs.completed)
    ecs.groups.gone.add(GROUP)
    ecs.call("UpdateService", cluster="main", service="web", desiredCount=1)
    assert ecs.refusal("UpdateService", cluster="main", service="web", **balancer())[0] == INVALID


def test_removing_load_balancers_removes_the_grace_period(ecs: Any) -> None:
    """An empty list ends the grace period that only they gave a meaning."""
    ecs.create(healthCheckGracePeriodSeconds=30)
    shown = ecs.call("UpdateService", cluster="main", service="web", loadBalancers=[])["service"]
    assert shown["loadBalancers"] == []
    assert shown["healthCheckGracePeriodSeconds"] == 0


def test_duplicates_and_tokens(ecs: Any, request_of: Any) -> None:
    """A name there is refused; the same token and request is answered with the service there."""
    first = ecs.create(clientToken="t-1")
    again = ecs.call("CreateService", **request_of(clientToken="t-1"))["service"]
    assert again["deployments"][0]["id"] == first["deployments"][0]["id"]
    for change in ({}, {"clientToken": "t-2"}, {"clientToken": "t-1", "desiredCount": 3}):
        assert ecs.refusal("CreateService", **request_of(**change)) == (
            INVALID,
            "Creation of service was not idempotent.",
        )


def test_describe_limits_and_failures(ecs: Any) -> None:
    """Ten names at most; unknown ones, and ARNs of elsewhere, are MISSING; tags only when asked for."""
    ecs.create(tags=[{"key": "a", "value": "b"}])
    arn = ecs.describe()["serviceArn"]
    answer = ecs.call("DescribeServices", cluster="main", services=[arn, "nope"], include=["TAGS"])
    assert answer["services"][0]["tags"] == [{"key": "a", "value": "b"}]
    assert answer["failures"] == [
        {"arn": "arn:aws:ecs:eu-west-1:111122223333:service/main/nope", "reason": "MISSING"}
    ]
    assert "tags" not in ecs.describe()
    foreign = arn.replace("111122223333", "999988887777")
    assert ecs.call("DescribeServices", cluster="main", services=[foreign])["failures"][0]["arn"] == foreign
    assert ecs.refusal("DescribeServices", cluster="main", services=["x"] * 11)[0] == INVALID
    assert ecs.refusal("DescribeServices", cluster="main", services=[])[0] == INVALID


def test_list_pages_of_ten_and_filters(ecs: Any) -> None:
    """Ten a page unless said; launch type and scheduling strategy filter."""
    for number in range(12):
        ecs.create(f"s{number}", desiredCount=0)
    ecs.create("ec2", desiredCount=0, launchType="EC2")
    first = ecs.call("ListServices", cluster="main")
    assert len(first["serviceArns"]) == 10
    rest = ecs.call("ListServices", cluster="main", nextToken=first["nextToken"])
    assert len(rest["serviceArns"]) == 3
    assert "nextToken" not in rest
    only = ecs.call("ListServices", cluster="main", launchType="EC2")["serviceArns"]
    assert [arn.rsplit("/", 1)[1] for arn in only] == ["ec2"]
    assert ecs.call("ListServices", cluster="main", schedulingStrategy="DAEMON")["serviceArns"] == []


def test_delete_is_refused_while_scaled(ecs: Any) -> None:
    """force, or a desired count of zero, is needed; INACTIVE and unknown services are not found."""
    ecs.create()
    ecs.until(ecs.completed)
    assert ecs.refusal("DeleteService", cluster="main", service="web") == (
        INVALID,
        "The service cannot be stopped while the primary deployment is scaled above 0.",
    )
    ecs.call("UpdateService", cluster="main", service="web", desiredCount=0)
    ecs.call("DeleteService", cluster="main", service="web")
    ecs.until(lambda: ecs.describe()["status"] == "INACTIVE")
    for operation in ("DeleteService", "UpdateService"):
        code, _ = ecs.refusal(operation, cluster="main", service="web")
        assert code in {"ServiceNotFoundException", "ServiceNotActiveException"}
    assert ecs.refusal("DeleteService", cluster="main", service="nope")[0] == "ServiceNotFoundException"
    ecs.run(4000)
    assert ecs.call("DescribeServices", cluster="main", services=["web"])["failures"]


def test_code_deploy_services_are_not_updated(ecs: Any) -> None:
    """Their tasks run, but a new definition is CodeDeploy's to deploy."""
    ecs.create(deploymentController={"type": "CODE_DEPLOY"})
    ecs.until(ecs.completed)
    code, text = ecs.refusal("UpdateService", cluster="main", service="web", forceNewDeployment=True)
    assert code == INVALID
    assert "CODE_DEPLOY deployment controller" in text
    ecs.call("UpdateService", cluster="main", service="web", desiredCount=1)
    ecs.until(ecs.completed)


def test_external_services_have_no_deployment(ecs: Any) -> None:
    """The EXTERNAL controller has task sets only, and none at first."""
    shown = ecs.create(
        deploymentController={"type": "EXTERNAL"},
        taskDefinition=None,
        networkConfiguration=None,
        loadBalancers=None,
        launchType=None,
    )
    assert (shown["deployments"], shown["taskSets"]) == ([], [])


def test_tags_are_propagated_to_tasks(ecs: Any) -> None:
    """From the service or the definition, with ECS's own where asked for (botocore)."""
    ecs.register(tags=[{"key": "from", "value": "definition"}])
    ecs.create(
        "a", tags=[{"key": "from", "value": "service"}], propagateTags="SERVICE", enableECSManagedTags=True
    )
    ecs.create("b", taskDefinition="web:2", propagateTags="TASK_DEFINITION")
    ecs.create("c", tags=[{"key": "from", "value": "service"}])
    ecs.until(lambda: all(ecs.completed(name) for name in "abc"))

    def tags(name: str) -> dict[str, str]:
        (arn, *_) = ecs.call("ListTasks", cluster="main", serviceName=name)["taskArns"]
        shown = ecs.call("DescribeTasks", cluster="main", tasks=[arn], include=["TAGS"])["tasks"][0]
        return {item["key"]: item["value"] for item in shown["tags"]}

    assert tags("a") == {"from": "service", "aws:ecs:clusterName": "main", "aws:ecs:serviceName": "a"}
    assert tags("b") == {"from": "definition"}
    assert tags("c") == {}
