"""The audit: every operation of botocore's model is modelled or told apart, and every member is kept.

A new botocore with new operations or members fails here until somebody decides what they mean.
"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from sluice_sandbox.aws.estate import SECURITY_GROUP_ID, SUBNET_IDS

MODEL = ServiceModel(Loader().load_service_model("ecs", "service-2"), "ecs")
ROLE = "arn:aws:iam::111122223333:role/known"
PREFIX = "arn:aws:ecs:eu-west-1:111122223333:"
ELB = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:"

NOT_MODELLED = {
    "agents' own calls": {
        "DiscoverPollEndpoint",
        "SubmitAttachmentStateChanges",
        "SubmitContainerStateChange",
        "SubmitTaskStateChange",
    },
    "daemons": {
        "CreateDaemon",
        "DeleteDaemon",
        "DeleteDaemonTaskDefinition",
        "DescribeDaemon",
        "DescribeDaemonDeployments",
        "DescribeDaemonRevisions",
        "DescribeDaemonTaskDefinition",
        "ListDaemonDeployments",
        "ListDaemonTaskDefinitions",
        "ListDaemons",
        "RegisterDaemonTaskDefinition",
        "UpdateDaemon",
    },
    "gateways": {
        "AssociateGatewayWithCluster",
        "CreateGateway",
        "DeleteGateway",
        "DescribeGateway",
        "DescribeGatewayResources",
        "DescribeGatewayRoute",
        "DisassociateGatewayFromCluster",
        "ListGatewayClusterAssociations",
        "ListGatewayRoutes",
        "ListGateways",
        "UpdateGateway",
    },
    "express services": {
        "CreateExpressGatewayService",
        "DeleteExpressGatewayService",
        "DescribeExpressGatewayService",
        "UpdateExpressGatewayService",
    },
}
"""Each answers UnsupportedOperation (`aws.refusals.unsupported`); docs/sandbox.md lists them."""


def test_every_operation_is_modelled_or_told_apart(ecs: Any) -> None:
    """88 operations in botocore 1.44.5: nothing is forgotten, nothing is both.

    ContinueServiceDeployment belongs to the native strategies, and is counted with them.
    """
    apart = {name for names in NOT_MODELLED.values() for name in names}
    modelled = set(ecs.service.operations()) | {"ContinueServiceDeployment"}
    assert modelled | apart == set(MODEL.operation_names)
    assert not modelled & apart


SERVICE: dict[str, tuple[dict[str, Any], str]] = {
    "cluster": ({"cluster": "main"}, "clusterArn"),
    "serviceName": ({"serviceName": "other"}, "serviceName"),
    "taskDefinition": ({"taskDefinition": "web:1"}, "taskDefinition"),
    "availabilityZoneRebalancing": ({"availabilityZoneRebalancing": "DISABLED"}, ""),
    "loadBalancers": ({}, "loadBalancers"),
    "serviceRegistries": (
        {
            "serviceRegistries": [
                {"registryArn": "arn:aws:servicediscovery:eu-west-1:111122223333:service/srv-a"}
            ]
        },
        "",
    ),
    "desiredCount": ({"desiredCount": 4}, ""),
    "clientToken": ({"clientToken": "t"}, "-"),
    "launchType": ({"launchType": "FARGATE"}, ""),
    "capacityProviderStrategy": (
        {
            "launchType": None,
            "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1, "base": 0}],
        },
        "",
    ),
    "platformVersion": ({"platformVersion": "1.4.0"}, ""),
    "role": (
        {"role": ROLE, "taskDefinition": "bridge", "networkConfiguration": None, "launchType": "EC2"},
        "roleArn",
    ),
    "deploymentConfiguration": ({"deploymentConfiguration": {"maximumPercent": 150}}, ""),
    "placementConstraints": (
        {"placementConstraints": [{"type": "distinctInstance"}], "launchType": "EC2"},
        "",
    ),
    "placementStrategy": ({"placementStrategy": [{"type": "random"}], "launchType": "EC2"}, ""),
    "networkConfiguration": (
        {
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": list(SUBNET_IDS[:1]),
                    "securityGroups": [SECURITY_GROUP_ID],
                    "assignPublicIp": "ENABLED",
                }
            }
        },
        "",
    ),
    "healthCheckGracePeriodSeconds": ({"healthCheckGracePeriodSeconds": 7, "loadBalancers": None}, ""),
    "schedulingStrategy": ({"schedulingStrategy": "REPLICA"}, ""),
    "deploymentController": ({"deploymentController": {"type": "CODE_DEPLOY"}}, ""),
    "tags": ({"tags": [{"key": "a", "value": "b"}]}, ""),
    "enableECSManagedTags": ({"enableECSManagedTags": True}, ""),
    "propagateTags": ({"propagateTags": "SERVICE"}, ""),
    "enableExecuteCommand": ({"enableExecuteCommand": True}, ""),
    "serviceConnectConfiguration": (
        {"serviceConnectConfiguration": {"enabled": True, "namespace": "ns"}},
        "deployments.0.serviceConnectConfiguration",
    ),
    "volumeConfigurations": (
        {
            "taskDefinition": "disk",
            "volumeConfigurations": [
                {"name": "data", "managedEBSVolume": {"roleArn": ROLE, "sizeInGiB": 10}}
            ],
        },
        "deployments.0.volumeConfigurations",
    ),
    "vpcLatticeConfigurations": (
        {
            "vpcLatticeConfigurations": [
                {"roleArn": ROLE, "targetGroupArn": "arn:aws:vpc-lattice:x", "portName": "http"}
            ]
        },
        "deployments.0.vpcLatticeConfigurations",
    ),
    "gatewayConnectors": ({"gatewayConnectors": [{"portName": "http"}]}, "refused"),
    "monitoring": (
        {
            "monitoring": {
                "metricConfigurations": [{"metricNames": ["CPUUtilization"], "resolutionSeconds": 20}]
            }
        },
        "revision.monitoring",
    ),
}
"""CreateService member by member: a request and where the answer tells it.

'' is the member of the same name; '-' is told nowhere (by botocore's Service shape); `revision.` is told
by DescribeServiceRevisions alone.
"""


def test_the_audit_of_create_service_is_complete() -> None:
    """Each member of botocore's CreateServiceRequest has its row."""
    assert set(SERVICE) == set(MODEL.operation_model("CreateService").input_shape.members)


def walk(value: Any, path: str) -> Any:
    """Follow `deployments.0.member` into an answer."""
    for step in path.split("."):
        value = value[int(step)] if step.isdecimal() else value[step]
    return value


@pytest.mark.parametrize("member", SERVICE)
def test_create_service_keeps_the_member(ecs: Any, request_of: Any, member: str) -> None:
    """Answered and described where botocore's shapes have a place for it; or refused, never dropped."""
    ecs.register("disk", volumes=[{"name": "data", "configuredAtLaunch": True}])
    bridge = {"networkMode": "bridge", "requiresCompatibilities": ["EC2"], "cpu": None, "memory": None}
    ecs.register("bridge", **bridge, container={"memory": 64})
    change, where = SERVICE[member]
    params = request_of(**change)
    if where == "refused":
        assert ecs.refusal("CreateService", **params)[0] == "UnsupportedFeatureException"
        return
    answer = ecs.call("CreateService", **params)["service"]
    described = ecs.call(
        "DescribeServices", cluster="main", services=[answer["serviceName"]], include=["TAGS"]
    )["services"][0]
    if where == "-":
        return
    if where.startswith("revision."):
        (revision,) = ecs.call(
            "DescribeServiceRevisions", serviceRevisionArns=[answer["currentServiceRevisions"][0]["arn"]]
        )["serviceRevisions"]
        assert revision[member] == params[member]
        return
    sent = {
        "cluster": PREFIX + "cluster/main",
        "taskDefinition": PREFIX + "task-definition/web:1",
    }.get(member, params[member])
    for told in (answer, described):
        found = walk(told, where or member)
        if member == "deploymentConfiguration":
            assert sent.items() <= found.items()
        else:
            assert found == sent


UPDATE = {
    "desiredCount": 5,
    "platformVersion": "1.4.0",
    "availabilityZoneRebalancing": "DISABLED",
    "propagateTags": "TASK_DEFINITION",
    "enableECSManagedTags": True,
    "enableExecuteCommand": True,
    "healthCheckGracePeriodSeconds": 9,
    "loadBalancers": [],
    "serviceRegistries": SERVICE["serviceRegistries"][0]["serviceRegistries"],
    "networkConfiguration": SERVICE["networkConfiguration"][0]["networkConfiguration"],
    "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}],
    "serviceConnectConfiguration": {"enabled": True, "namespace": "ns"},
    "vpcLatticeConfigurations": SERVICE["vpcLatticeConfigurations"][0]["vpcLatticeConfigurations"],
}


@pytest.mark.parametrize("member", UPDATE)
def test_update_service_keeps_the_member(ecs: Any, member: str) -> None:
    """What UpdateService changes is described, at once and once deployed."""
    ecs.create()
    ecs.until(ecs.completed)
    ecs.call("UpdateService", cluster="main", service="web", **{member: UPDATE[member]})

    def told() -> Any:
        shown = ecs.describe()
        return shown[member] if member in shown else shown["deployments"][0].get(member)

    assert told() == UPDATE[member]
    ecs.until(ecs.completed)
    assert told() == UPDATE[member]


TASK_DEFINITION_ONLY = {"tags"}


def test_register_task_definition_drops_no_member(ecs: Any) -> None:
    """Every member of the request is a member of TaskDefinition, except tags, which stand beside it."""
    request = set(MODEL.operation_model("RegisterTaskDefinition").input_shape.members)
    shape = set(MODEL.shape_for("TaskDefinition").members)
    assert request - shape == TASK_DEFINITION_ONLY
    kept = {"trustedExecutionConfiguration", "inferenceAccelerators"}
    bridge = {"networkMode": "bridge", "requiresCompatibilities": ["EC2"], "cpu": None, "memory": None}
    accelerators = [{"deviceName": "d", "deviceType": "eia2.medium"}]
    arn = ecs.register("full", **bridge, container={"memory": 64}, inferenceAccelerators=accelerators)
    shown = ecs.call("DescribeTaskDefinition", taskDefinition=arn)["taskDefinition"]
    assert shown["inferenceAccelerators"] == accelerators
    assert kept <= shape


PAGED = [
    name for name in MODEL.operation_names if "nextToken" in MODEL.operation_model(name).input_shape.members
]
"""The operations that page."""

PAGE_ARGUMENTS: dict[str, dict[str, Any]] = {
    "ListAttributes": {"cluster": "main", "targetType": "container-instance"},
    "ListContainerInstances": {"cluster": "main"},
    "ListServices": {"cluster": "main"},
    "ListServicesByNamespace": {"namespace": "ns"},
    "ListTasks": {"cluster": "main"},
    "ListServiceDeployments": {"cluster": "main", "service": "web"},
}


@pytest.mark.parametrize("operation", PAGED)
def test_every_list_refuses_impossible_pages(ecs: Any, operation: str) -> None:
    """A page of none, of too many, and a token that is not AWS's: InvalidParameterException."""
    if operation not in ecs.service.operations():
        assert any(operation in names for names in NOT_MODELLED.values())
        return
    ecs.create()
    arguments = PAGE_ARGUMENTS.get(operation, {})
    for odd in ({"maxResults": 0}, {"maxResults": 101}, {"nextToken": "nonsense"}):
        assert ecs.refusal(operation, **arguments, **odd)[0] == "InvalidParameterException"


TASK: dict[str, tuple[dict[str, Any], str]] = {
    "capacityProviderStrategy": (
        {"launchType": None, "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]},
        "capacityProviderName=FARGATE_SPOT",
    ),
    "cluster": ({"cluster": "main"}, f"clusterArn={PREFIX}cluster/main"),
    "count": ({"count": 3}, "3 tasks"),
    "enableECSManagedTags": (
        {"enableECSManagedTags": True},
        "tags=[{'key': 'aws:ecs:clusterName', 'value': 'main'}]",
    ),
    "enableExecuteCommand": (
        {"enableExecuteCommand": True, "overrides": {"taskRoleArn": ROLE}},
        "enableExecuteCommand=True",
    ),
    "group": ({"group": "g"}, "group=g"),
    "launchType": ({"launchType": "FARGATE"}, "launchType=FARGATE"),
    "networkConfiguration": ({}, f"attachments.0.details.0.value={SUBNET_IDS[0]}"),
    "overrides": ({"overrides": {"cpu": "512", "memory": "1024"}}, "cpu=512"),
    "placementConstraints": ({"placementConstraints": [{"type": "distinctInstance"}]}, "refused on Fargate"),
    "placementStrategy": ({"placementStrategy": [{"type": "random"}]}, "refused on Fargate"),
    "platformVersion": ({"platformVersion": "1.3.0"}, "platformVersion=1.3.0"),
    "propagateTags": (
        {"propagateTags": "TASK_DEFINITION"},
        "tags=[{'key': 'from', 'value': 'definition'}]",
    ),
    "referenceId": ({"referenceId": "x"}, "nowhere"),
    "startedBy": ({"startedBy": "me"}, "startedBy=me"),
    "tags": ({"tags": [{"key": "a", "value": "b"}]}, "tags=[{'key': 'a', 'value': 'b'}]"),
    "taskDefinition": ({"taskDefinition": "web:1"}, f"taskDefinitionArn={PREFIX}task-definition/web:1"),
    "clientToken": ({"clientToken": "t"}, "nowhere"),
    "volumeConfigurations": (
        SERVICE["volumeConfigurations"][0],
        "attachments.1.type=AmazonElasticBlockStorage",
    ),
}
"""RunTask member by member: a request and what the task then tells; botocore keeps two for ECS itself."""


def test_the_audit_of_run_task_is_complete() -> None:
    """Each member of botocore's RunTaskRequest has its row."""
    assert set(TASK) == set(MODEL.operation_model("RunTask").input_shape.members)


@pytest.mark.parametrize("member", TASK)
def test_run_task_takes_the_member(ecs: Any, request_of: Any, member: str) -> None:
    """The answer and DescribeTasks tell it alike, or the call is refused."""
    ecs.register("tagged", tags=[{"key": "from", "value": "definition"}])
    ecs.register("disk", volumes=[{"name": "data", "configuredAtLaunch": True}])
    base = {"cluster": "main", "taskDefinition": "tagged", "launchType": "FARGATE"}
    change, told = TASK[member]
    params = base | {"networkConfiguration": request_of()["networkConfiguration"]} | change
    params = {key: value for key, value in params.items() if value is not None}
    if told.startswith("refused"):
        assert ecs.refusal("RunTask", **params)[0] == "InvalidParameterException"
        return
    tasks = ecs.call("RunTask", **params)["tasks"]
    if told == "3 tasks":
        assert len(tasks) == 3
    if "=" not in told:
        return
    path, _, expected = told.partition("=")
    described = ecs.call("DescribeTasks", cluster="main", tasks=[tasks[0]["taskArn"]], include=["TAGS"])
    assert str(walk(tasks[0], path)) == str(walk(described["tasks"][0], path)) == expected


CLUSTER: dict[str, Any] = {
    "clusterName": "c",
    "tags": [{"key": "a", "value": "b"}],
    "settings": [{"name": "containerInsights", "value": "enhanced"}],
    "configuration": {
        "executeCommandConfiguration": {"logging": "OVERRIDE", "logConfiguration": {"s3BucketName": "b"}},
        "managedStorageConfiguration": {"kmsKeyId": "k"},
    },
    "capacityProviders": ["FARGATE"],
    "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1, "base": 2}],
    "serviceConnectDefaults": {"namespace": "ns"},
}


def test_create_cluster_keeps_every_member(ecs: Any) -> None:
    """All of CreateClusterRequest, told again by DescribeClusters with everything included."""
    assert set(CLUSTER) == set(MODEL.operation_model("CreateCluster").input_shape.members)
    made = ecs.call("CreateCluster", **CLUSTER)["cluster"]
    (shown,) = ecs.call("DescribeClusters", clusters=["c"], include=["TAGS", "SETTINGS", "CONFIGURATIONS"])[
        "clusters"
    ]
    for told in (made, shown):
        assert {key: told[key] for key in CLUSTER} == CLUSTER


SET: dict[str, Any] = {
    "externalId": "d-1",
    "taskDefinition": f"{PREFIX}task-definition/web:1",
    "networkConfiguration": SERVICE["networkConfiguration"][0]["networkConfiguration"],
    "loadBalancers": [
        {
            "targetGroupArn": ELB + "targetgroup/web/0123456789abcdef",
            "containerName": "app",
            "containerPort": 8080,
        }
    ],
    "serviceRegistries": SERVICE["serviceRegistries"][0]["serviceRegistries"],
    "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}],
    "platformVersion": "1.4.0",
    "scale": {"value": 25.0, "unit": "PERCENT"},
    "tags": [{"key": "a", "value": "b"}],
}


def test_create_task_set_keeps_every_member(ecs: Any) -> None:
    """All of CreateTaskSetRequest but the names it is found by, told again by DescribeTaskSets."""
    found_by = {"cluster", "service", "clientToken", "launchType"}
    assert set(SET) == set(MODEL.operation_model("CreateTaskSet").input_shape.members) - found_by
    gone = ("taskDefinition", "networkConfiguration", "loadBalancers", "launchType")
    ecs.create("ext", deploymentController={"type": "EXTERNAL"}, **dict.fromkeys(gone))
    where = {"cluster": "main", "service": "ext"}
    made = ecs.call("CreateTaskSet", **where, clientToken="t", **SET)["taskSet"]
    again = ecs.call("CreateTaskSet", **where, clientToken="t", **SET)["taskSet"]
    assert again["taskSetArn"] == made["taskSetArn"]
    (shown,) = ecs.call("DescribeTaskSets", **where, include=["TAGS"])["taskSets"]
    for told in (made, shown):
        assert {key: told[key] for key in SET} == SET
    assert "launchType" not in made


def test_a_task_set_falls_back_on_the_cluster_s_strategy(ecs: Any) -> None:
    """Neither launch type nor strategy: the cluster's default (botocore, CreateTaskSetRequest)."""
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]
    ecs.call(
        "PutClusterCapacityProviders",
        cluster="main",
        capacityProviders=["FARGATE_SPOT"],
        defaultCapacityProviderStrategy=strategy,
    )
    gone = ("taskDefinition", "networkConfiguration", "loadBalancers", "launchType")
    ecs.create("ext", deploymentController={"type": "EXTERNAL"}, **dict.fromkeys(gone))
    members = {key: SET[key] for key in ("taskDefinition", "networkConfiguration")}
    made = ecs.call("CreateTaskSet", cluster="main", service="ext", **members)["taskSet"]
    assert made["capacityProviderStrategy"] == strategy
