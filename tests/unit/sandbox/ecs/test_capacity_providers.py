"""Capacity providers: kept, described, associated, used in strategies, deleted when nobody has them."""

from __future__ import annotations

from typing import Any

import pytest

INVALID, CLIENT = "InvalidParameterException", "ClientException"
GROUP = {"autoScalingGroupArn": "arn:aws:autoscaling:eu-west-1:111122223333:autoScalingGroup:x:y"}
MANAGED = {
    "infrastructureRoleArn": "arn:aws:iam::111122223333:role/infra",
    "instanceLaunchTemplate": {
        "ec2InstanceProfileArn": "arn:aws:iam::111122223333:instance-profile/x",
        "networkConfiguration": {"subnets": ["subnet-1"]},
    },
}


def make(ecs: Any, name: str = "asg", **changes: Any) -> dict[str, Any]:
    """Create a provider of an Auto Scaling group."""
    params = {"name": name, "autoScalingGroupProvider": GROUP} | changes
    return dict(ecs.call("CreateCapacityProvider", **params)["capacityProvider"])


def test_defaults(ecs: Any) -> None:
    """What AutoScalingGroupProvider and ManagedScaling say of absent members (botocore)."""
    made = make(ecs, tags=[{"key": "a", "value": "b"}])
    assert made == {
        "capacityProviderArn": "arn:aws:ecs:eu-west-1:111122223333:capacity-provider/asg",
        "name": "asg",
        "status": "ACTIVE",
        "updateStatus": "CREATE_COMPLETE",
        "type": "EC2_AUTOSCALING",
        "tags": [{"key": "a", "value": "b"}],
        "autoScalingGroupProvider": GROUP
        | {
            "managedScaling": {
                "status": "DISABLED",
                "targetCapacity": 100,
                "minimumScalingStepSize": 1,
                "maximumScalingStepSize": 10000,
                "instanceWarmupPeriod": 300,
            },
            "managedTerminationProtection": "DISABLED",
            "managedDraining": "ENABLED",
        },
    }


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "aws-in-front": ({"name": "aws-x"}, INVALID, "Invalid capacity provider name"),
    "ecs-in-front": ({"name": "Ecs"}, INVALID, "Invalid capacity provider name"),
    "fargate-in-front": ({"name": "FARGATE_X"}, INVALID, "Invalid capacity provider name"),
    "name-256": ({"name": "x" * 256}, INVALID, "Invalid capacity provider name"),
    "neither-kind": ({"autoScalingGroupProvider": None}, INVALID, "Specify either"),
    "both-kinds": ({"managedInstancesProvider": MANAGED}, INVALID, "Specify either"),
    "managed-without-cluster": (
        {"autoScalingGroupProvider": None, "managedInstancesProvider": MANAGED},
        INVALID,
        "needs a cluster",
    ),
    "managed-in-unknown-cluster": (
        {"autoScalingGroupProvider": None, "managedInstancesProvider": MANAGED, "cluster": "nope"},
        "ClusterNotFoundException",
        "Cluster not found.",
    ),
    "protected-without-scaling": (
        {"autoScalingGroupProvider": GROUP | {"managedTerminationProtection": "ENABLED"}},
        CLIENT,
        "requires managed scaling",
    ),
    "steps-upside-down": (
        {
            "autoScalingGroupProvider": GROUP
            | {"managedScaling": {"minimumScalingStepSize": 9, "maximumScalingStepSize": 2}}
        },
        CLIENT,
        "must not be greater",
    ),
    "there-already": ({"name": "there"}, CLIENT, "The specified capacity provider already exists."),
    "reserved-tag": ({"tags": [{"key": "aws:x", "value": ""}]}, INVALID, "reserved"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(ecs: Any, case: str) -> None:
    """Botocore's limits on names and kinds, and a name that is taken."""
    make(ecs, "there")
    change, code, text = REFUSED[case]
    params = {"name": "asg", "autoScalingGroupProvider": GROUP} | change
    refused = ecs.refusal("CreateCapacityProvider", **{k: v for k, v in params.items() if v is not None})
    assert refused[0] == code
    assert text in refused[1]


def test_described_by_name_by_cluster_and_in_pages(ecs: Any) -> None:
    """Everybody has Fargate's two; unknown names are failures; ten a page at most; tags when asked for."""
    for number in range(12):
        make(ecs, f"asg{number:02}", tags=[{"key": "n", "value": str(number)}])
    first = ecs.call("DescribeCapacityProviders")
    assert [item["name"] for item in first["capacityProviders"][:3]] == ["FARGATE", "FARGATE_SPOT", "asg00"]
    assert len(first["capacityProviders"]) == 10
    rest = ecs.call("DescribeCapacityProviders", nextToken=first["nextToken"])
    assert len(rest["capacityProviders"]) == 4
    assert ecs.refusal("DescribeCapacityProviders", maxResults=11)[0] == INVALID
    named = ecs.call("DescribeCapacityProviders", capacityProviders=["asg01", "ghost"], include=["TAGS"])
    assert named["capacityProviders"][0]["tags"] == [{"key": "n", "value": "1"}]
    assert named["failures"] == [{"arn": "ghost", "reason": "MISSING"}]
    ecs.call(
        "PutClusterCapacityProviders",
        cluster="main",
        capacityProviders=["asg02", "FARGATE"],
        defaultCapacityProviderStrategy=[],
    )
    of = ecs.call("DescribeCapacityProviders", cluster="main")["capacityProviders"]
    assert [item["name"] for item in of] == ["FARGATE", "asg02"]
    assert of[0]["type"] == "FARGATE"
    assert of[1]["tags"] == []


def test_update_keeps_the_rest(ecs: Any) -> None:
    """UpdateCapacityProvider changes what it names."""
    make(
        ecs, autoScalingGroupProvider=GROUP | {"managedScaling": {"status": "ENABLED", "targetCapacity": 80}}
    )
    change = {"managedScaling": {"targetCapacity": 90}, "managedTerminationProtection": "ENABLED"}
    shown = ecs.call("UpdateCapacityProvider", name="asg", autoScalingGroupProvider=change)
    group = shown["capacityProvider"]["autoScalingGroupProvider"]
    assert (group["managedScaling"]["targetCapacity"], group["managedScaling"]["status"]) == (90, "ENABLED")
    assert group["managedTerminationProtection"] == "ENABLED"
    assert shown["capacityProvider"]["updateStatus"] == "UPDATE_COMPLETE"
    assert ecs.refusal("UpdateCapacityProvider", name="ghost", autoScalingGroupProvider=change)[0] == CLIENT


def test_delete(ecs: Any) -> None:
    """Reserved, unknown, associated and used ones are refused; a deleted one is INACTIVE, its name free."""
    made = make(ecs)
    assert ecs.refusal("DeleteCapacityProvider", capacityProvider="FARGATE")[0] == CLIENT
    assert ecs.refusal("DeleteCapacityProvider", capacityProvider="ghost")[0] == CLIENT
    put = {"cluster": "main", "defaultCapacityProviderStrategy": []}
    ecs.call("PutClusterCapacityProviders", capacityProviders=["asg"], **put)
    assert ecs.refusal("DeleteCapacityProvider", capacityProvider="asg") == (
        CLIENT,
        "The specified capacity provider is in use and cannot be removed.",
    )
    ecs.call("PutClusterCapacityProviders", capacityProviders=[], **put)
    gone = ecs.call("DeleteCapacityProvider", capacityProvider=made["capacityProviderArn"])
    assert gone["capacityProvider"]["updateStatus"] == "DELETE_IN_PROGRESS"
    ecs.run(5)
    (shown,) = ecs.call("DescribeCapacityProviders", capacityProviders=["asg"])["capacityProviders"]
    assert (shown["status"], shown["updateStatus"]) == ("INACTIVE", "DELETE_COMPLETE")
    assert make(ecs)["status"] == "ACTIVE"


STRATEGIES: dict[str, tuple[list[dict[str, Any]], str]] = {
    "mixed": (
        [{"capacityProvider": "FARGATE", "weight": 1}, {"capacityProvider": "asg"}],
        "cannot contain a mix",
    ),
    "unknown": ([{"capacityProvider": "ghost"}], "The specified capacity provider 'ghost' was not found."),
    "twice": ([{"capacityProvider": "FARGATE", "weight": 1}] * 2, "twice"),
    "weight-1001": ([{"capacityProvider": "FARGATE", "weight": 1001}], "between 0 and 1000"),
    "base-100001": ([{"capacityProvider": "FARGATE", "base": 100001}], "between 0 and 100000"),
    "21": ([{"capacityProvider": "FARGATE"}] * 21, "maximum of 20"),
}


@pytest.mark.parametrize("case", STRATEGIES)
@pytest.mark.parametrize("operation", ["CreateService", "RunTask"])
def test_impossible_strategies(ecs: Any, request_of: Any, operation: str, case: str) -> None:
    """The rules of CapacityProviderStrategyItem (botocore), for services and for tasks.

    Values outside botocore's ranges are stopped by the model before the handler on the wire.
    """
    make(ecs)
    strategy, text = STRATEGIES[case]
    params = request_of(launchType=None)
    if operation == "RunTask":
        params = {key: params[key] for key in ("cluster", "taskDefinition", "networkConfiguration")}
    params["capacityProviderStrategy"] = strategy
    code, message = ecs.refusal(operation, **params)
    assert code == INVALID
    assert text in message


def test_a_service_on_a_group_waits_for_instances(ecs: Any) -> None:
    """Its launch type is EC2's, nothing is placed, and the event says why; the service is kept as asked."""
    make(ecs)
    strategy = [{"capacityProvider": "asg", "weight": 1, "base": 0}]
    ecs.register("ec2", requiresCompatibilities=["EC2"])
    shown = ecs.create(launchType=None, taskDefinition="ec2", capacityProviderStrategy=strategy)
    assert shown["capacityProviderStrategy"] == strategy
    assert "platformVersion" not in shown
    ecs.run(30)
    assert ecs.describe()["runningCount"] == 0
    assert "no container instance met all of its requirements" in ecs.messages()[-1]
    assert ecs.refusal("DeleteCapacityProvider", capacityProvider="asg")[0] == CLIENT


def test_a_provider_in_use_stays_with_its_cluster(ecs: Any) -> None:
    """PutClusterCapacityProviders cannot drop what tasks run on (botocore: ResourceInUseException)."""
    put = {"cluster": "main", "defaultCapacityProviderStrategy": []}
    ecs.call("PutClusterCapacityProviders", capacityProviders=["FARGATE", "FARGATE_SPOT"], **put)
    ecs.create(launchType=None, capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}])
    ecs.until(ecs.completed)
    refused = ecs.refusal("PutClusterCapacityProviders", capacityProviders=["FARGATE"], **put)
    assert refused[0] == "ResourceInUseException"
    ecs.call("PutClusterCapacityProviders", capacityProviders=["FARGATE_SPOT"], **put)


def test_a_cluster_with_managed_instances_is_not_deleted(ecs: Any) -> None:
    """ClusterContainsCapacityProviderException until the provider is deleted (botocore)."""
    ecs.call("CreateCluster", clusterName="managed")
    answer = ecs.call(
        "CreateCapacityProvider", name="mi", managedInstancesProvider=MANAGED, cluster="managed"
    )
    made = answer["capacityProvider"]
    assert (made["type"], made["cluster"]) == ("MANAGED_INSTANCES", "managed")
    code, _ = ecs.refusal("DeleteCluster", cluster="managed")
    assert code == "ClusterContainsCapacityProviderException"
    ecs.call("DeleteCapacityProvider", capacityProvider="mi", cluster="managed")
    ecs.run(5)
    assert ecs.call("DeleteCluster", cluster="managed")["cluster"]["status"] == "INACTIVE"
