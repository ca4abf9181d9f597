"""Clusters, tags, account settings and pages."""

from __future__ import annotations

from typing import Any

import pytest


def test_create_cluster_is_idempotent(ecs: Any) -> None:
    """The same name returns the same cluster, with its tags and content."""
    first = ecs.call("CreateCluster", clusterName="c", tags=[{"key": "a", "value": "b"}])["cluster"]
    again = ecs.call("CreateCluster", clusterName="c")["cluster"]
    assert again == first
    assert again["tags"] == [{"key": "a", "value": "b"}]
    assert again["status"] == "ACTIVE"


def test_default_cluster_is_named_default(ecs: Any) -> None:
    """Without a name the cluster is `default` (botocore)."""
    assert ecs.call("CreateCluster")["cluster"]["clusterArn"].endswith(":cluster/default")
    assert ecs.call("DescribeClusters")["clusters"][0]["clusterName"] == "default"


def test_statistics_count_by_launch_type(ecs: Any) -> None:
    """include=STATISTICS gives the eight named counts, as strings."""
    ecs.create()
    ecs.until(ecs.completed)
    (cluster,) = ecs.call("DescribeClusters", clusters=["main"], include=["STATISTICS"])["clusters"]
    statistics = {item["name"]: item["value"] for item in cluster["statistics"]}
    assert statistics["runningFargateTasksCount"] == "2"
    assert statistics["activeFargateServiceCount"] == "1"
    assert statistics["runningEC2TasksCount"] == "0"
    assert (cluster["runningTasksCount"], cluster["activeServicesCount"]) == (2, 1)
    assert ecs.call("DescribeClusters", clusters=["main"])["clusters"][0]["statistics"] == []


def test_unknown_clusters_are_failures(ecs: Any) -> None:
    """DescribeClusters answers MISSING and the ARN, not an error."""
    answer = ecs.call("DescribeClusters", clusters=["main", "nope"])
    assert [item["clusterName"] for item in answer["clusters"]] == ["main"]
    assert answer["failures"] == [
        {"arn": "arn:aws:ecs:eu-west-1:111122223333:cluster/nope", "reason": "MISSING"}
    ]


def test_delete_is_refused_with_content(ecs: Any) -> None:
    """Services, then tasks, keep a cluster; an empty one becomes INACTIVE and unusable."""
    ecs.create()
    ecs.until(ecs.completed)
    assert ecs.refusal("DeleteCluster", cluster="main")[0] == "ClusterContainsServicesException"
    ecs.call("DeleteService", cluster="main", service="web", force=True)
    assert ecs.refusal("DeleteCluster", cluster="main")[0] == "ClusterContainsTasksException"
    ecs.run(10)
    assert ecs.call("DeleteCluster", cluster="main")["cluster"]["status"] == "INACTIVE"
    assert ecs.call("DescribeClusters", clusters=["main"])["clusters"][0]["status"] == "INACTIVE"
    assert ecs.call("ListClusters")["clusterArns"] == []
    assert ecs.refusal("ListServices", cluster="main") == (
        "ClusterNotFoundException",
        "The referenced cluster was inactive.",
    )


@pytest.mark.parametrize(
    "operation",
    ["ListServices", "ListTasks", "DeleteCluster", "DescribeServices", "RunTask", "CreateService"],
)
def test_unknown_cluster_is_refused(ecs: Any, operation: str) -> None:
    """Every call on an unknown cluster: ClusterNotFoundException."""
    extra = {
        "DescribeServices": {"services": ["web"]},
        "RunTask": {"taskDefinition": "web"},
        "CreateService": {"serviceName": "x"},
    }.get(operation, {})
    assert ecs.refusal(operation, cluster="nope", **extra) == (
        "ClusterNotFoundException",
        "Cluster not found.",
    )


def test_capacity_providers(ecs: Any) -> None:
    """Only Fargate's two exist here; a default strategy must be of the cluster's own."""
    ecs.call(
        "PutClusterCapacityProviders",
        cluster="main",
        capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
    )
    assert ecs.create(launchType=None)["capacityProviderStrategy"][0]["capacityProvider"] == "FARGATE_SPOT"
    for providers, strategy in (
        (["asg"], []),
        (["FARGATE"], [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]),
    ):
        code, _ = ecs.refusal(
            "PutClusterCapacityProviders",
            cluster="main",
            capacityProviders=providers,
            defaultCapacityProviderStrategy=strategy,
        )
        assert code == "InvalidParameterException"


def test_lists_are_paged(ecs: Any) -> None:
    """The members maxResults and nextToken walk through everything once, in order."""
    names = [f"c{number:02}" for number in range(25)]
    for name in names:
        ecs.call("CreateCluster", clusterName=name)
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = ecs.call("ListClusters", maxResults=10, **token)
        assert len(answer["clusterArns"]) <= 10
        seen += answer["clusterArns"]
        if "nextToken" not in answer:
            break
        token = {"nextToken": answer["nextToken"]}
    assert [arn.rsplit("/", 1)[1] for arn in seen] == ["main", *names]


@pytest.mark.parametrize(
    "arguments", [{"maxResults": 0}, {"maxResults": 101}, {"nextToken": "bogus"}], ids=str
)
def test_impossible_pages_are_refused(ecs: Any, arguments: dict[str, Any]) -> None:
    """A page has 1 to 100 items and tokens are AWS's own."""
    assert ecs.refusal("ListClusters", **arguments)[0] == "InvalidParameterException"


def test_tags_of_every_kind_of_resource(ecs: Any) -> None:
    """Tag, list and untag a cluster, a service, a task and a task definition."""
    ecs.create()
    ecs.until(ecs.completed)
    arns = [
        "arn:aws:ecs:eu-west-1:111122223333:cluster/main",
        ecs.describe()["serviceArn"],
        ecs.tasks()[0]["taskArn"],
        ecs.describe()["taskDefinition"],
    ]
    for arn in arns:
        ecs.call(
            "TagResource", resourceArn=arn, tags=[{"key": "k", "value": "1"}, {"key": "l", "value": "2"}]
        )
        ecs.call("UntagResource", resourceArn=arn, tagKeys=["k", "never"])
        assert ecs.call("ListTagsForResource", resourceArn=arn)["tags"] == [{"key": "l", "value": "2"}]


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        pytest.param([{"key": "aws:x", "value": ""}], "InvalidParameterException", id="reserved-prefix"),
        pytest.param([{"key": "AWS:x", "value": ""}], "InvalidParameterException", id="in-any-case"),
        pytest.param([{"key": "k" * 129, "value": ""}], "InvalidParameterException", id="long-key"),
        pytest.param([{"key": "k", "value": "v" * 257}], "InvalidParameterException", id="long-value"),
        pytest.param([{"key": "k"}, {"key": "k"}], "InvalidParameterException", id="twice"),
        pytest.param([{"key": f"k{n}"} for n in range(51)], "InvalidParameterException", id="51"),
    ],
)
def test_impossible_tags_are_refused(ecs: Any, tags: list[dict[str, str]], code: str) -> None:
    """The limits botocore documents beside every `tags` member."""
    assert ecs.refusal("CreateCluster", clusterName="x", tags=tags)[0] == code


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        ("arn:aws:ecs:eu-west-1:111122223333:cluster/nope", "ClusterNotFoundException"),
        ("arn:aws:ecs:eu-west-1:111122223333:service/main/nope", "ResourceNotFoundException"),
        ("nonsense", "InvalidParameterException"),
    ],
)
def test_tags_of_nothing(ecs: Any, arn: str, code: str) -> None:
    """Unknown resources and no ARNs at all are refused."""
    assert ecs.refusal("ListTagsForResource", resourceArn=arn)[0] == code


def test_account_settings(ecs: Any) -> None:
    """Own values, the account's default beneath, and the effective view."""
    ecs.call("PutAccountSettingDefault", name="containerInsights", value="enabled")
    ecs.call("PutAccountSetting", name="awsvpcTrunking", value="enabled")
    own = ecs.call("ListAccountSettings")["settings"]
    assert [item["name"] for item in own] == ["awsvpcTrunking"]
    effective = ecs.call("ListAccountSettings", effectiveSettings=True, name="containerInsights")["settings"]
    assert effective[0]["value"] == "enabled"
    ecs.call("DeleteAccountSetting", name="awsvpcTrunking")
    assert ecs.call("ListAccountSettings")["settings"] == []
    assert (
        ecs.refusal("PutAccountSetting", name="containerInsights", value="maybe")[0]
        == "InvalidParameterException"
    )


def test_accounts_and_regions_are_apart(ecs: Any) -> None:
    """Another account sees nothing of this one."""
    ecs.caller = type(ecs.caller)(account="999988887777", region="eu-west-1")
    assert ecs.call("ListClusters")["clusterArns"] == []
    ecs.call("CreateCluster", clusterName="main")
    assert ecs.call("ListClusters")["clusterArns"] == ["arn:aws:ecs:eu-west-1:999988887777:cluster/main"]
