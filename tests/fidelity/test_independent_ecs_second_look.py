"""What a second independent list found: defaults, tokens, controllers, small members of services and tasks.

Written in November 2026 from botocore's reference without a look at the stand-in or the first list; the
checks that were misses then, and their neighbours.
"""

from __future__ import annotations

from typing import Any

import pytest

from fidelity.outsider import ACCOUNT, REGION, Outsider, fresh, refused, until
from fidelity.surroundings import http_namespace, slots


def test_a_strategy_is_told_with_weight_and_base(aws: Outsider) -> None:
    """Both are 0 unless given, of a service, of its deployment and of a cluster."""
    name = fresh("base")
    given = [{"capacityProvider": "FARGATE"}]
    made = aws.ecs.create_cluster(
        clusterName=name, capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=given
    )["cluster"]
    filled = [{"capacityProvider": "FARGATE", "weight": 0, "base": 0}]
    assert made["defaultCapacityProviderStrategy"] == filled
    service = aws.service(cluster=name, launchType=None)
    assert service["capacityProviderStrategy"] == filled
    assert service["deployments"][0]["capacityProviderStrategy"] == filled
    assert "launchType" not in service
    given = [{"capacityProvider": "FARGATE", "weight": 2}]
    updated = aws.ecs.update_service(
        cluster=name, service=service["serviceName"], capacityProviderStrategy=given
    )["service"]
    assert updated["capacityProviderStrategy"] == [given[0] | {"base": 0}]


def test_a_run_tasks_token_stands_for_one_request(aws: Outsider) -> None:
    """The same request again answers the same tasks, another one ConflictException with their ARNs."""
    token = fresh("token")
    first = aws.run(clientToken=token)["tasks"][0]["taskArn"]
    assert aws.run(clientToken=token)["tasks"][0]["taskArn"] == first
    with pytest.raises(aws.ecs.exceptions.ConflictException) as caught:
        aws.run(clientToken=token, count=2)
    assert caught.value.response["resourceIds"] == [first]
    aws.ecs.stop_task(cluster=aws.cluster, task=first)


def test_a_tasks_version_begins_at_one(aws: Outsider) -> None:
    """RunTask answers version 1 (AWS CLI, example of run-task); every event after it counts on."""
    made = aws.run()["tasks"][0]
    assert made["version"] == 1
    stopped = aws.ecs.stop_task(cluster=aws.cluster, task=made["taskArn"])["task"]
    assert stopped["version"] > 1


def external(aws: Outsider) -> str:
    """Create a service of no task with the EXTERNAL controller; answer its name."""
    name = fresh("external")
    aws.ecs.create_service(
        cluster=aws.cluster, serviceName=name, desiredCount=0, deploymentController={"type": "EXTERNAL"}
    )
    return name


def test_a_task_set_wants_nothing_until_it_is_scaled(aws: Outsider) -> None:
    """Without `scale` it is 0 percent (AWS CLI, example of create-task-set)."""
    made = aws.ecs.create_task_set(
        cluster=aws.cluster,
        service=external(aws),
        taskDefinition=aws.plain,
        launchType="FARGATE",
        networkConfiguration=aws.network,
    )["taskSet"]
    assert made["scale"] == {"value": 0.0, "unit": "PERCENT"}
    assert made["computedDesiredCount"] == 0


@pytest.mark.parametrize("token", ["x" * 37, "with space"])
def test_a_task_sets_token_has_its_characters(aws: Outsider, token: str) -> None:
    """Up to 36 of ASCII's 33 to 126."""
    with refused("InvalidParameterException"):
        aws.ecs.create_task_set(
            cluster=aws.cluster, service=external(aws), taskDefinition=aws.plain, clientToken=token
        )


def test_an_external_controllers_service_is_not_deployed(aws: Outsider) -> None:
    """Nor is forceNewDeployment among what UpdateService changes of it."""
    with refused("InvalidParameterException", says="EXTERNAL"):
        aws.ecs.update_service(cluster=aws.cluster, service=external(aws), forceNewDeployment=True)


def test_code_deploy_wants_a_load_balancer(aws: Outsider) -> None:
    """The service is required to use one."""
    with refused("InvalidParameterException", says="load balancer"):
        aws.service(deploymentController={"type": "CODE_DEPLOY"})


@pytest.mark.parametrize(("metric", "seconds"), [("Requests", 20), ("CPUUtilization", 30)])
def test_monitoring_has_two_metrics_and_two_resolutions(aws: Outsider, metric: str, seconds: int) -> None:
    """CPUUtilization and MemoryUtilization, each 20 or 60 seconds."""
    wish = {"metricConfigurations": [{"metricNames": [metric], "resolutionSeconds": seconds}]}
    with refused("InvalidParameterException"):
        aws.service(monitoring=wish)


def test_the_role_of_a_shifted_load_balancer_is_an_arn(aws: Outsider) -> None:
    """AdvancedConfiguration.roleArn."""
    balancer = slots(aws)
    balancer["advancedConfiguration"]["roleArn"] = "just-a-name"
    with refused("InvalidParameterException", says="role"):
        aws.service(
            loadBalancers=[balancer],
            deploymentConfiguration={"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0},
        )


HOOKS: list[dict[str, Any]] = [
    {"targetType": "PAUSE", "lifecycleStages": ["PRODUCTION_TRAFFIC_SHIFT"]},
    {"targetType": "PAUSE", "lifecycleStages": ["TEST_TRAFFIC_SHIFT"]},
    {"targetType": "PAUSE", "lifecycleStages": ["SOON"]},
    {"targetType": "PAUSE", "lifecycleStages": []},
    {"targetType": "SOMEHOW", "lifecycleStages": ["PRE_SCALE_UP"]},
    {"roleArn": "$role", "lifecycleStages": ["PRE_SCALE_UP"]},
    {"hookTargetArn": "just-a-name", "roleArn": "$role", "lifecycleStages": ["PRE_SCALE_UP"]},
    {"hookTargetArn": "arn:aws:lambda:eu-west-1:111122223333:function:f", "roleArn": "$role"},
]


@pytest.mark.parametrize("hook", HOOKS, ids="-".join)
def test_a_lifecycle_hook_refuses(aws: Outsider, hook: dict[str, Any]) -> None:
    """Stages that no PAUSE has, no target, no stage, no Lambda function."""
    hook = {key: aws.role if value == "$role" else value for key, value in hook.items()}
    with refused("InvalidParameterException", "ClientException"):
        aws.service(
            loadBalancers=[slots(aws)],
            deploymentConfiguration={
                "strategy": "BLUE_GREEN",
                "bakeTimeInMinutes": 0,
                "lifecycleHooks": [hook],
            },
        )


def test_a_clusters_default_namespace_is_made_and_told_by_its_arn(aws: Outsider) -> None:
    """A new name makes an HTTP namespace; the services in it are found by its name and by its ARN."""
    name, cluster = fresh("mesh"), fresh("mesh")
    made = aws.ecs.create_cluster(clusterName=cluster, serviceConnectDefaults={"namespace": name})["cluster"]
    arn = made["serviceConnectDefaults"]["namespace"]
    assert arn.startswith("arn:aws:servicediscovery:")
    cloudmap = aws("servicediscovery")
    (found,) = until(
        lambda: [item for item in cloudmap.list_namespaces()["Namespaces"] if item["Name"] == name]
    )
    assert (found["Arn"], found["Type"]) == (arn, "HTTP")
    service = aws.service(cluster=cluster, serviceConnectConfiguration={"enabled": True})
    for known_as in (name, arn):
        assert aws.ecs.list_services_by_namespace(namespace=known_as)["serviceArns"] == [
            service["serviceArn"]
        ]
    again = aws.ecs.update_cluster(cluster=cluster, serviceConnectDefaults={"namespace": name})["cluster"]
    assert again["serviceConnectDefaults"] == {"namespace": arn}


def test_a_clusters_default_namespace_by_arn_exists(aws: Outsider) -> None:
    """An unknown ARN is NamespaceNotFoundException: only a name makes one."""
    arn = f"arn:aws:servicediscovery:{REGION}:{ACCOUNT}:namespace/ns-ghostghostghost0"
    with refused("NamespaceNotFoundException"):
        aws.ecs.create_cluster(clusterName=fresh("mesh"), serviceConnectDefaults={"namespace": arn})


def test_service_connect_keeps_a_cloud_map_service_for_each_discovery_name(aws: Outsider) -> None:
    """The deployment tells it as serviceConnectResources; it is gone with the service."""
    cloudmap, discovery = aws("servicediscovery"), fresh("found")
    wish = {
        "enabled": True,
        "namespace": http_namespace(aws),
        "services": [{"portName": "http", "discoveryName": discovery, "clientAliases": [{"port": 80}]}],
    }
    made = aws.service(serviceConnectConfiguration=wish)
    (resource,) = made["deployments"][0]["serviceConnectResources"]
    assert resource["discoveryName"] == discovery
    (found,) = [item for item in cloudmap.list_services()["Services"] if item["Name"] == discovery]
    assert found["Arn"] == resource["discoveryArn"]
    aws.ecs.delete_service(cluster=aws.cluster, service=made["serviceName"])
    until(lambda: not [item for item in cloudmap.list_services()["Services"] if item["Name"] == discovery])
