"""Clusters, tags and account settings of ECS, as its reference describes them."""

from __future__ import annotations

from datetime import datetime

import pytest
from botocore.exceptions import ParamValidationError

from fidelity.outsider import ACCOUNT, REGION, Outsider, fresh, refused


def test_create_cluster_answers_every_member(aws: Outsider) -> None:
    """A new cluster is ACTIVE with zero counts and its ARN; lists are present, though empty."""
    name = fresh("c")
    cluster = aws.ecs.create_cluster(clusterName=name)["cluster"]
    assert cluster["clusterArn"] == f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{name}"
    assert cluster["clusterName"] == name
    assert cluster["status"] == "ACTIVE"
    for count in (
        "registeredContainerInstancesCount",
        "runningTasksCount",
        "pendingTasksCount",
        "activeServicesCount",
    ):
        assert cluster[count] == 0
    for empty in ("statistics", "tags", "capacityProviders", "defaultCapacityProviderStrategy"):
        assert cluster[empty] == [], empty
    assert cluster["settings"] == [{"name": "containerInsights", "value": "disabled"}]


def test_create_cluster_is_idempotent(aws: Outsider) -> None:
    """Creating a cluster that exists answers the existing one; its tags stay."""
    name = fresh("c")
    aws.ecs.create_cluster(clusterName=name, tags=[{"key": "team", "value": "a"}])
    again = aws.ecs.create_cluster(clusterName=name)["cluster"]
    assert again["clusterName"] == name
    found = aws.ecs.describe_clusters(clusters=[name], include=["TAGS"])["clusters"]
    assert [cluster["tags"] for cluster in found] == [[{"key": "team", "value": "a"}]]


def test_create_cluster_without_a_name_makes_default(aws: Outsider) -> None:
    """A cluster without a name is called `default`."""
    assert aws.ecs.create_cluster()["cluster"]["clusterName"] == "default"


@pytest.mark.parametrize("name", ["with space", "ünïcode", "a/b", "x" * 256])
def test_create_cluster_refuses_a_name(aws: Outsider, name: str) -> None:
    """Up to 255 letters, numbers, underscores and hyphens are allowed."""
    with refused("InvalidParameterException"):
        aws.ecs.create_cluster(clusterName=name)


def test_create_cluster_refuses_an_unknown_provider(aws: Outsider) -> None:
    """A capacity provider must exist."""
    with refused("InvalidParameterException", "ClientException"):
        aws.ecs.create_cluster(clusterName=fresh("c"), capacityProviders=["no-such-provider"])


def test_describe_clusters_tells_missing_ones(aws: Outsider) -> None:
    """A cluster that doesn't exist is a failure with the reason MISSING and its ARN."""
    name = fresh("missing")
    answer = aws.ecs.describe_clusters(clusters=[name])
    assert answer["clusters"] == []
    assert answer["failures"] == [
        {"arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{name}", "reason": "MISSING"}
    ]


def test_describe_clusters_includes_on_demand(aws: Outsider) -> None:
    """Statistics and settings are told when they are included; tags are not without being asked for."""
    name = fresh("c")
    aws.ecs.create_cluster(
        clusterName=name,
        tags=[{"key": "k", "value": "v"}],
        settings=[{"name": "containerInsights", "value": "enabled"}],
    )
    bare = aws.ecs.describe_clusters(clusters=[name])["clusters"][0]
    assert bare["tags"] == []
    assert bare["statistics"] == []
    full = aws.ecs.describe_clusters(clusters=[name], include=["TAGS", "STATISTICS", "SETTINGS"])["clusters"][
        0
    ]
    assert full["tags"] == [{"key": "k", "value": "v"}]
    assert full["settings"] == [{"name": "containerInsights", "value": "enabled"}]
    statistics = {each["name"]: each["value"] for each in full["statistics"]}
    assert statistics["runningFargateTasksCount"] == "0"
    assert statistics["activeFargateServiceCount"] == "0"


def test_list_clusters_pages(aws: Outsider) -> None:
    """Pages of maxResults chain by nextToken and hold each cluster once."""
    made = {aws.ecs.create_cluster(clusterName=fresh("page"))["cluster"]["clusterArn"] for _ in range(3)}
    first = aws.ecs.list_clusters(maxResults=1)
    assert len(first["clusterArns"]) == 1
    assert first["nextToken"]
    arns = [
        arn
        for page in aws.ecs.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 2})
        for arn in page["clusterArns"]
    ]
    assert len(arns) == len(set(arns))
    assert made <= set(arns)


def test_list_clusters_refuses_a_foreign_token(aws: Outsider) -> None:
    """A token that no call has answered is an invalid parameter."""
    with refused("InvalidParameterException", says="token"):
        aws.ecs.list_clusters(nextToken="bogus")


def test_delete_cluster_with_a_service_is_refused(aws: Outsider) -> None:
    """A cluster with an active service can't be deleted."""
    name = fresh("c")
    aws.ecs.create_cluster(clusterName=name)
    aws.service(cluster=name)
    with refused(
        "ClusterContainsServicesException", says="The Cluster cannot be deleted while Services are active."
    ):
        aws.ecs.delete_cluster(cluster=name)
    assert aws.ecs.describe_clusters(clusters=[name])["clusters"][0]["activeServicesCount"] == 1


def test_delete_cluster_with_a_task_is_refused(aws: Outsider) -> None:
    """A cluster with a running task can't be deleted."""
    name = fresh("c")
    aws.ecs.create_cluster(clusterName=name)
    task = aws.ecs.run_task(
        cluster=name, taskDefinition=aws.plain, launchType="FARGATE", networkConfiguration=aws.network
    )["tasks"][0]
    with refused(
        "ClusterContainsTasksException", says="The Cluster cannot be deleted while Tasks are active."
    ):
        aws.ecs.delete_cluster(cluster=name)
    aws.ecs.stop_task(cluster=name, task=task["taskArn"])


def test_deleted_cluster_is_inactive(aws: Outsider) -> None:
    """A deleted cluster answers INACTIVE, isn't listed, and takes no service."""
    name = fresh("c")
    aws.ecs.create_cluster(clusterName=name)
    gone = aws.ecs.delete_cluster(cluster=name)["cluster"]
    assert gone["status"] == "INACTIVE"
    pages = aws.ecs.get_paginator("list_clusters").paginate()
    assert gone["clusterArn"] not in [arn for page in pages for arn in page["clusterArns"]]
    found = aws.ecs.describe_clusters(clusters=[name])["clusters"]
    assert [cluster["status"] for cluster in found] == ["INACTIVE"]
    with refused("ClusterNotFoundException", "InvalidParameterException", "ClientException"):
        aws.service(cluster=name)


def test_delete_unknown_cluster_is_refused(aws: Outsider) -> None:
    """Deleting what doesn't exist is ClusterNotFoundException."""
    with refused("ClusterNotFoundException", says="Cluster not found."):
        aws.ecs.delete_cluster(cluster=fresh("none"))


def test_put_cluster_capacity_providers(aws: Outsider) -> None:
    """Providers and default strategy are replaced and told."""
    name = fresh("c")
    aws.ecs.create_cluster(clusterName=name)
    strategy = [
        {"capacityProvider": "FARGATE", "weight": 1, "base": 1},
        {"capacityProvider": "FARGATE_SPOT", "weight": 3, "base": 0},
    ]
    aws.ecs.put_cluster_capacity_providers(
        cluster=name,
        capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=strategy,
    )
    found = aws.ecs.describe_clusters(clusters=[name])["clusters"][0]
    assert sorted(found["capacityProviders"]) == ["FARGATE", "FARGATE_SPOT"]
    assert found["defaultCapacityProviderStrategy"] == strategy


def test_update_cluster_settings(aws: Outsider) -> None:
    """Container Insights can be switched; another value is refused."""
    name = fresh("c")
    aws.ecs.create_cluster(clusterName=name)
    aws.ecs.update_cluster_settings(
        cluster=name, settings=[{"name": "containerInsights", "value": "enhanced"}]
    )
    found = aws.ecs.describe_clusters(clusters=[name], include=["SETTINGS"])["clusters"][0]
    assert found["settings"] == [{"name": "containerInsights", "value": "enhanced"}]
    with refused("InvalidParameterException"):
        aws.ecs.update_cluster_settings(
            cluster=name, settings=[{"name": "containerInsights", "value": "loud"}]
        )


def test_tag_resource_adds_and_replaces(aws: Outsider) -> None:
    """Tags are merged by key; untagging an absent key succeeds."""
    arn = aws.ecs.create_cluster(clusterName=fresh("c"), tags=[{"key": "a", "value": "1"}])["cluster"][
        "clusterArn"
    ]
    aws.ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "2"}, {"key": "b", "value": ""}])
    tags = aws.ecs.list_tags_for_resource(resourceArn=arn)["tags"]
    assert {tag["key"]: tag["value"] for tag in tags} == {"a": "2", "b": ""}
    aws.ecs.untag_resource(resourceArn=arn, tagKeys=["a", "zzz"])
    assert aws.ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": ""}]


def test_tag_resource_has_a_limit_of_50(aws: Outsider) -> None:
    """A resource holds at most 50 tags."""
    arn = aws.ecs.create_cluster(clusterName=fresh("c"))["cluster"]["clusterArn"]
    aws.ecs.tag_resource(resourceArn=arn, tags=[{"key": f"k{n}", "value": "v"} for n in range(50)])
    with refused("InvalidParameterException", "ClientException", "LimitExceededException"):
        aws.ecs.tag_resource(resourceArn=arn, tags=[{"key": "k50", "value": "v"}])


def test_tags_of_aws_are_reserved(aws: Outsider) -> None:
    """A key that begins with aws: is refused."""
    arn = aws.ecs.create_cluster(clusterName=fresh("c"))["cluster"]["clusterArn"]
    with refused("InvalidParameterException", "ClientException"):
        aws.ecs.tag_resource(resourceArn=arn, tags=[{"key": "aws:owner", "value": "me"}])


def test_account_settings_default_and_change(aws: Outsider) -> None:
    """A setting that was put is listed; effective settings tell defaults too."""
    put = aws.ecs.put_account_setting(name="containerInsights", value="disabled")["setting"]
    assert put["name"] == "containerInsights"
    assert put["value"] == "disabled"
    assert put["principalArn"].startswith(f"arn:aws:iam::{ACCOUNT}:")
    listed = aws.ecs.list_account_settings(name="containerInsights")["settings"]
    assert [setting["value"] for setting in listed] == ["disabled"]
    effective = {
        each["name"]: each["value"]
        for each in aws.ecs.list_account_settings(effectiveSettings=True)["settings"]
    }
    assert effective["serviceLongArnFormat"] == "enabled"
    assert effective["taskLongArnFormat"] == "enabled"


def test_account_setting_refuses_a_value(aws: Outsider) -> None:
    """A setting takes enabled, disabled, or what its name allows."""
    with refused("InvalidParameterException", "ClientException"):
        aws.ecs.put_account_setting(name="awsvpcTrunking", value="maybe")


def test_boto_itself_wants_required_members(aws: Outsider) -> None:
    """What the model requires is refused before it is sent."""
    with pytest.raises(ParamValidationError):
        aws.ecs.delete_cluster()


def test_time_stamps_are_times(aws: Outsider) -> None:
    """Times are numbers on the wire, which boto reads as aware datetimes."""
    registered = aws.ecs.describe_task_definition(taskDefinition=aws.plain)["taskDefinition"]["registeredAt"]
    assert isinstance(registered, datetime)
    assert registered.tzinfo is not None
