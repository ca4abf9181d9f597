"""The research table's rows for clusters and settings, over boto3."""

from __future__ import annotations

from typing import Any

import pytest

from integration.sandbox_ecs.ecs_port import code_of, fresh, until

INVALID = "InvalidParameterException"


def test_create_is_idempotent_and_keeps_tags(ecs: Any) -> None:
    """The same name again answers the same cluster with its tags."""
    name = fresh("c")
    made = ecs.create_cluster(clusterName=name, tags=[{"key": "a", "value": "b"}])["cluster"]
    again = ecs.create_cluster(clusterName=name)["cluster"]
    assert again["clusterArn"] == made["clusterArn"]
    (shown,) = ecs.describe_clusters(clusters=[name], include=["TAGS"])["clusters"]
    assert shown["tags"] == [{"key": "a", "value": "b"}]
    assert shown["status"] == "ACTIVE"


def test_settings_configuration_and_statistics_are_included_when_asked_for(ecs: Any) -> None:
    """DescribeClusters shows each only with its `include`."""
    name = fresh("c")
    configuration = {"executeCommandConfiguration": {"logging": "DEFAULT"}}
    ecs.create_cluster(
        clusterName=name,
        settings=[{"name": "containerInsights", "value": "enhanced"}],
        configuration=configuration,
        capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1, "base": 0}],
    )
    (plain,) = ecs.describe_clusters(clusters=[name])["clusters"]
    assert plain["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    assert plain["defaultCapacityProviderStrategy"][0]["capacityProvider"] == "FARGATE"
    assert (plain["settings"], plain["tags"], plain["statistics"]) == ([], [], [])
    (full,) = ecs.describe_clusters(
        clusters=[name], include=["SETTINGS", "CONFIGURATIONS", "STATISTICS", "TAGS", "ATTACHMENTS"]
    )["clusters"]
    assert full["settings"] == [{"name": "containerInsights", "value": "enhanced"}]
    assert full["configuration"] == configuration
    assert {item["name"] for item in full["statistics"]} == {
        "runningEC2TasksCount",
        "runningFargateTasksCount",
        "pendingEC2TasksCount",
        "pendingFargateTasksCount",
        "activeEC2ServiceCount",
        "activeFargateServiceCount",
        "drainingEC2ServiceCount",
        "drainingFargateServiceCount",
    }


def test_delete_with_content_is_refused(ecs: Any, request_of: Any, cluster: str) -> None:
    """Services first, then their tasks; the empty cluster is INACTIVE and described as such."""
    ecs.create_service(**request_of())
    assert code_of(ecs.delete_cluster, cluster=cluster) == "ClusterContainsServicesException"
    until(lambda: ecs.list_tasks(cluster=cluster)["taskArns"])
    ecs.delete_service(cluster=cluster, service="web", force=True)
    assert code_of(ecs.delete_cluster, cluster=cluster) == "ClusterContainsTasksException"
    until(
        lambda: (
            ecs.describe_services(cluster=cluster, services=["web"])["services"][0]["status"] == "INACTIVE"
        )
    )
    until(lambda: not _live(ecs, cluster))
    assert ecs.delete_cluster(cluster=cluster)["cluster"]["status"] == "INACTIVE"
    assert ecs.describe_clusters(clusters=[cluster])["clusters"][0]["status"] == "INACTIVE"
    assert code_of(ecs.list_tasks, cluster=cluster) == "ClusterNotFoundException"


def _live(ecs: Any, cluster: str) -> list[str]:
    arns = ecs.list_tasks(cluster=cluster, desiredStatus="STOPPED")["taskArns"]
    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    return [task["taskArn"] for task in tasks if task["lastStatus"] != "STOPPED"]


def test_lists_are_paged(ecs: Any) -> None:
    """ListClusters with maxResults walks through all of them once."""
    names = {fresh("page") for _ in range(5)}
    for name in names:
        ecs.create_cluster(clusterName=name)
    pages = list(ecs.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 2}))
    assert all(len(page["clusterArns"]) <= 2 for page in pages)
    arns = [arn for page in pages for arn in page["clusterArns"]]
    assert len(arns) == len(set(arns))
    assert names <= {arn.rsplit("/", 1)[1] for arn in arns}


@pytest.mark.parametrize(
    ("call", "params"),
    [
        ("list_clusters", {"maxResults": 0}),
        ("list_clusters", {"maxResults": 101}),
        ("list_clusters", {"nextToken": "nonsense"}),
        ("create_cluster", {"clusterName": "a b"}),
        ("create_cluster", {"clusterName": "a" * 256}),
        ("create_cluster", {"clusterName": "x", "capacityProviders": ["nope"]}),
        ("create_cluster", {"clusterName": "x", "settings": [{"name": "containerInsights", "value": "no"}]}),
        ("create_cluster", {"clusterName": "x", "tags": [{"key": "aws:x", "value": "y"}]}),
        ("describe_clusters", {"clusters": ["x"] * 101}),
        ("put_account_setting", {"name": "containerInsights", "value": "perhaps"}),
        ("put_account_setting", {"name": "nope", "value": "enabled"}),
        ("list_account_settings", {"value": "enabled"}),
        ("list_account_settings", {"maxResults": 11}),
        ("list_tags_for_resource", {"resourceArn": "nonsense"}),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value)[:50],
)
def test_impossible_calls_are_refused(ecs: Any, call: str, params: dict[str, Any]) -> None:
    """Limits, names, pages, enumerations: InvalidParameterException."""
    assert code_of(getattr(ecs, call), **params) == INVALID


def test_account_settings(ecs: Any) -> None:
    """PutAccountSetting answers and lists the value; the effective view has every name."""
    answer = ecs.put_account_setting(name="awsvpcTrunking", value="enabled")["setting"]
    assert (answer["name"], answer["value"], answer["type"]) == ("awsvpcTrunking", "enabled", "user")
    assert answer["principalArn"].startswith("arn:aws:iam::")
    listed = ecs.list_account_settings(name="awsvpcTrunking")["settings"]
    assert [item["value"] for item in listed] == ["enabled"]
    pages = ecs.get_paginator("list_account_settings").paginate(effectiveSettings=True)
    names = [item["name"] for page in pages for item in page["settings"]]
    assert {"containerInsights", "serviceLongArnFormat", "tagResourceAuthorization"} <= set(names)
    ecs.delete_account_setting(name="awsvpcTrunking")
    assert ecs.list_account_settings(name="awsvpcTrunking")["settings"] == []


def test_tags(ecs: Any, request_of: Any, family: str) -> None:
    """TagResource, ListTagsForResource and UntagResource on cluster, service and definition."""
    service = ecs.create_service(**request_of(tags=[{"key": "from", "value": "create"}]))["service"]
    definition = ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]["taskDefinitionArn"]
    for arn in (service["serviceArn"], service["clusterArn"], definition):
        ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
        ecs.untag_resource(resourceArn=arn, tagKeys=["a", "never"])
        tags = {item["key"]: item["value"] for item in ecs.list_tags_for_resource(resourceArn=arn)["tags"]}
        assert tags.pop("b") == "2"
        assert tags == ({"from": "create"} if arn == service["serviceArn"] else {})


@pytest.mark.parametrize(
    "operation",
    ["create_daemon", "discover_poll_endpoint", "list_gateways", "submit_task_state_change"],
)
def test_what_is_not_modelled_says_so(ecs: Any, operation: str) -> None:
    """Agents' calls, daemons, gateways: a clear error, never an empty success."""
    params = {
        "create_daemon": {
            "daemonName": "d",
            "daemonTaskDefinitionArn": "arn:aws:ecs:eu-central-1:111122223333:daemon-task-definition/x:1",
            "capacityProviderArns": ["x"],
        }
    }.get(operation, {})
    with pytest.raises(ecs.exceptions.ClientError) as caught:
        getattr(ecs, operation)(**params)
    assert caught.value.response["Error"]["Code"] == "UnsupportedOperation"
    assert "does not model" in caught.value.response["Error"]["Message"]
