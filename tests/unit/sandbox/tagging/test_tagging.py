"""The Resource Groups Tagging API over our own services: filters, pages, failures by ARN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.estate import SUBNET_IDS, VPC_ID
from sluice_sandbox.aws.world import World

Call = Callable[..., Any]
ECS = "arn:aws:ecs:eu-west-1:111122223333"


@pytest.fixture
def world() -> World:
    """A world with tagged resources of five services."""
    clock = VirtualClock()
    world = World.build(clock=clock)

    def ecs_tags(**tags: str) -> list[dict[str, str]]:
        return [{"key": key, "value": value} for key, value in tags.items()]

    def tags(**tags: str) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in tags.items()]

    world.call("ecs", "CreateCluster", {"clusterName": "a", "tags": ecs_tags(team="x", env="prod")})
    world.call("ecs", "CreateCluster", {"clusterName": "b", "tags": ecs_tags(team="y")})
    world.call("ecs", "CreateCluster", {"clusterName": "bare"})
    container = {"name": "c", "image": "i", "memory": 64}
    world.call(
        "ecs",
        "RegisterTaskDefinition",
        {"family": "f", "containerDefinitions": [container], "tags": ecs_tags(team="x")},
    )
    group = {"Name": "g", "Port": 80, "Protocol": "HTTP", "VpcId": VPC_ID, "Tags": tags(team="x")}
    world.call("elbv2", "CreateTargetGroup", group)
    balancer = {"Name": "l", "Subnets": list(SUBNET_IDS[:2]), "Tags": tags(team="y")}
    world.call("elbv2", "CreateLoadBalancer", balancer)
    world.call("ecr", "CreateRepository", {"repositoryName": "app", "tags": tags(team="x", env="")})
    world.call("servicediscovery", "CreateHttpNamespace", {"Name": "n", "Tags": tags(team="z")})
    clock.advance(60)
    return world


@pytest.fixture
def tagging(world: World) -> Call:
    """Call the API."""

    def call(operation: str, **params: Any) -> Any:
        return world.call("resourcegroupstaggingapi", operation, params)

    return call


def kinds(answer: Any) -> list[str]:
    """Return the service and kind of each resource of an answer."""
    arns = [item["ResourceARN"].split(":", 5) for item in answer["ResourceTagMappingList"]]
    return sorted(f"{arn[2]}:{arn[5].split('/')[0]}" for arn in arns)


def refused(call: Callable[[], Any]) -> AwsError:
    """Return how a call is refused."""
    with pytest.raises(AwsError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize(
    ("params", "found"),
    [
        pytest.param(
            {},
            [
                "ecr:repository",
                "ecs:cluster",
                "ecs:cluster",
                "ecs:task-definition",
                "elasticloadbalancing:loadbalancer",
                "elasticloadbalancing:targetgroup",
                "servicediscovery:namespace",
            ],
            id="all that has tags",
        ),
        pytest.param(
            {"ResourceTypeFilters": ["ecs"]},
            ["ecs:cluster", "ecs:cluster", "ecs:task-definition"],
            id="a service",
        ),
        pytest.param({"ResourceTypeFilters": ["ecs:cluster"]}, ["ecs:cluster", "ecs:cluster"], id="a type"),
        pytest.param(
            {"ResourceTypeFilters": ["elasticloadbalancing:loadbalancer/app", "ecr"]},
            ["ecr:repository", "elasticloadbalancing:loadbalancer"],
            id="two types",
        ),
        pytest.param({"ResourceTypeFilters": ["ecs:clus"]}, [], id="half a type"),
        pytest.param({"TagFilters": [{"Key": "env"}]}, ["ecr:repository", "ecs:cluster"], id="a key"),
        pytest.param({"TagFilters": [{"Key": "env", "Values": ["prod"]}]}, ["ecs:cluster"], id="a value"),
        pytest.param({"TagFilters": [{"Key": "env", "Values": [""]}]}, ["ecr:repository"], id="empty value"),
        pytest.param(
            {"TagFilters": [{"Key": "team", "Values": ["y", "z"]}]},
            ["ecs:cluster", "elasticloadbalancing:loadbalancer", "servicediscovery:namespace"],
            id="either value",
        ),
        pytest.param(
            {"TagFilters": [{"Key": "team", "Values": ["x"]}, {"Key": "env"}]},
            ["ecr:repository", "ecs:cluster"],
            id="both filters",
        ),
        pytest.param(
            {"TagFilters": [{"Key": "team"}], "ResourceTypeFilters": ["ecr"]}, ["ecr:repository"], id="mixed"
        ),
        pytest.param(
            {"ResourceARNList": [f"{ECS}:cluster/a", f"{ECS}:cluster/none", f"{ECS}:cluster/bare"]},
            ["ecs:cluster"],
            id="by arn",
        ),
    ],
)
def test_filters(tagging: Call, params: dict[str, Any], found: list[str]) -> None:
    """Filters narrow the tagged resources as documented; absent ARNs are left out."""
    answer = tagging("GetResources", **params)
    assert kinds(answer) == found
    assert answer["PaginationToken"] == ""


def test_tags_are_told(tagging: Call) -> None:
    """Each resource comes with all of its tags."""
    answer = tagging("GetResources", ResourceARNList=[f"{ECS}:cluster/a"])
    tags = [{"Key": "team", "Value": "x"}, {"Key": "env", "Value": "prod"}]
    assert answer["ResourceTagMappingList"] == [{"ResourceARN": f"{ECS}:cluster/a", "Tags": tags}]


def test_pages(tagging: Call) -> None:
    """Pages follow one another by token and hold every resource once."""
    seen, token = [], ""
    while True:
        answer = tagging("GetResources", ResourcesPerPage=2, PaginationToken=token)
        assert len(answer["ResourceTagMappingList"]) <= 2
        seen += [item["ResourceARN"] for item in answer["ResourceTagMappingList"]]
        token = answer["PaginationToken"]
        if not token:
            break
    assert len(seen) == len(set(seen)) == 7


def test_pages_by_tags(world: World, tagging: Call) -> None:
    """TagsPerPage ends a page before the resource that would break it."""
    tags = [{"key": str(number), "value": ""} for number in range(40)]
    for name in ("p1", "p2", "p3"):
        world.call("ecs", "CreateCluster", {"clusterName": name, "tags": tags})
    only = [{"Key": "1"}]
    first = tagging("GetResources", TagFilters=only, TagsPerPage=100)
    second = tagging(
        "GetResources", TagFilters=only, TagsPerPage=100, PaginationToken=first["PaginationToken"]
    )
    assert [len(page["ResourceTagMappingList"]) for page in (first, second)] == [2, 1]


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"ResourcesPerPage": 0}, id="page of none"),
        pytest.param({"ResourcesPerPage": 101}, id="page too long"),
        pytest.param({"TagsPerPage": 99}, id="tags too few"),
        pytest.param({"TagsPerPage": 501}, id="tags too many"),
        pytest.param({"ResourceARNList": ["arn:a"], "TagFilters": [{"Key": "k"}]}, id="arns and tags"),
        pytest.param({"ResourceARNList": ["arn:a"], "ResourceTypeFilters": ["ecs"]}, id="arns and types"),
        pytest.param({"ResourceARNList": ["arn:a"], "ResourcesPerPage": 5}, id="arns and pages"),
        pytest.param({"ResourceARNList": [f"arn:{n}" for n in range(101)]}, id="101 arns"),
        pytest.param({"ResourceTypeFilters": ["ecs"] * 101}, id="101 types"),
        pytest.param({"TagFilters": [{"Key": str(n)} for n in range(51)]}, id="51 filters"),
        pytest.param({"TagFilters": [{"Key": "k", "Values": [str(n) for n in range(21)]}]}, id="21 values"),
        pytest.param({"TagFilters": [{"Values": ["a"]}]}, id="no key"),
        pytest.param({"ExcludeCompliantResources": True}, id="exclusion without details"),
        pytest.param({"PaginationToken": "bogus"}, id="token"),
    ],
)
def test_refusals(tagging: Call, params: dict[str, Any]) -> None:
    """What the documentation forbids is InvalidParameterException."""
    assert refused(lambda: tagging("GetResources", **params)).code == "InvalidParameterException"


def test_everything_complies(tagging: Call) -> None:
    """There are no tag policies: every resource complies with them."""
    answer = tagging("GetResources", IncludeComplianceDetails=True)
    assert all(item["ComplianceDetails"]["ComplianceStatus"] for item in answer["ResourceTagMappingList"])
    params = {"IncludeComplianceDetails": True, "ExcludeCompliantResources": True}
    assert tagging("GetResources", **params)["ResourceTagMappingList"] == []


def test_keys_and_values(tagging: Call) -> None:
    """Keys in use, and the values in use with one."""
    assert tagging("GetTagKeys") == {"PaginationToken": "", "TagKeys": ["env", "team"]}
    assert tagging("GetTagValues", Key="team")["TagValues"] == ["x", "y", "z"]
    assert tagging("GetTagValues", Key="none")["TagValues"] == []


def test_tagging_and_untagging(world: World, tagging: Call) -> None:
    """Tags reach the resources, what does not exist is among the failures, the rest is done."""
    arns = [f"{ECS}:cluster/b", "arn:aws:ecr:eu-west-1:111122223333:repository/app"]
    absent = f"{ECS}:cluster/none"
    failed = tagging("TagResources", ResourceARNList=[*arns, absent], Tags={"cost": "1"})[
        "FailedResourcesMap"
    ]
    assert list(failed) == [absent]
    assert (failed[absent]["StatusCode"], failed[absent]["ErrorCode"]) == (400, "InvalidParameterException")
    assert world.call("ecs", "ListTagsForResource", {"resourceArn": arns[0]})["tags"] == [
        {"key": "team", "value": "y"},
        {"key": "cost", "value": "1"},
    ]
    answer = tagging("UntagResources", ResourceARNList=arns, TagKeys=["team", "none"])
    assert answer["FailedResourcesMap"] == {}
    found = tagging("GetResources", TagFilters=[{"Key": "cost"}])["ResourceTagMappingList"]
    assert [item["Tags"][0]["Key"] for item in found if item["ResourceARN"] == arns[0]] == ["cost"]


@pytest.mark.parametrize(
    ("arn", "text"),
    [
        pytest.param("not-an-arn", "not a valid ARN", id="no arn"),
        pytest.param("arn:aws:ecs:us-east-1:111122223333:cluster/a", "this account and Region", id="Region"),
        pytest.param("arn:aws:ecs:eu-west-1:444455556666:cluster/a", "this account and Region", id="account"),
        pytest.param("arn:aws:sqs:eu-west-1:111122223333:q", "does not exist", id="no such service here"),
    ],
)
def test_failures_say_why(tagging: Call, arn: str, text: str) -> None:
    """Only resources of the caller's account and Region can be tagged."""
    failed = tagging("TagResources", ResourceARNList=[arn], Tags={"a": "b"})["FailedResourcesMap"]
    assert text in failed[arn]["ErrorMessage"]


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        pytest.param(
            "TagResources",
            {"ResourceARNList": [ECS], "Tags": {"aws:x": "y"}},
            "InvalidParameterException",
            id="aws:",
        ),
        pytest.param(
            "TagResources",
            {"ResourceARNList": [ECS] * 21, "Tags": {"x": "y"}},
            "InvalidParameterException",
            id="21 resources",
        ),
        pytest.param("GetComplianceSummary", {}, "ConstraintViolationException", id="no organization"),
        pytest.param("ListRequiredTags", {}, "UnsupportedOperation", id="not modelled"),
    ],
)
def test_other_refusals(tagging: Call, operation: str, params: dict[str, Any], code: str) -> None:
    """Reserved keys, too many resources, and what needs an organization."""
    assert refused(lambda: tagging(operation, **params)).code == code
