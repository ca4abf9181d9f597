"""Task definitions, service deployments and tasks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest

ARN = "arn:aws:ecs:eu-west-1:1:task-definition/checkout:7"


def test_a_task_definition_is_read_once_with_its_tags(rig: Any) -> None:
    """Its body never changes, so an hour later it is still the same."""
    rig.aws.table["DescribeTaskDefinition"] = lambda params: {
        "taskDefinition": {"taskDefinitionArn": params["taskDefinition"], "status": "ACTIVE"},
        "tags": [{"key": "k", "value": "v"}],
    }
    for _ in range(3):
        found = rig.facts.task_definition(rig.context, ARN)
        rig.clock.seconds += 600
    assert (found["status"], found["tags"]) == ("ACTIVE", [{"key": "k", "value": "v"}])
    assert rig.aws.calls == [("DescribeTaskDefinition", {"taskDefinition": ARN, "include": ["TAGS"]})]


def test_its_status_is_read_again_on_demand(rig: Any) -> None:
    """Who must know whether it is still ACTIVE forgets it first."""
    rig.aws.table["DescribeTaskDefinition"] = lambda _p: {"taskDefinition": {"status": "ACTIVE"}}
    rig.facts.task_definition(rig.context, ARN)
    rig.facts.forget(rig.binding, ARN)
    rig.facts.task_definition(rig.context, ARN)
    assert len(rig.aws.calls) == 2


def test_a_task_definition_that_does_not_exist_is_none(rig: Any) -> None:
    """The gateway's not-found is absence, and nothing is remembered of it."""

    def refuse(_params: object) -> dict[str, Any]:
        raise rig.fail("ClientException", "not-found")

    rig.aws.table["DescribeTaskDefinition"] = refuse
    assert rig.facts.task_definition(rig.context, ARN) is None


def test_a_registered_definition_is_known_without_a_read(rig: Any) -> None:
    """The response carries the body, the request or the response the tags."""
    params = {"family": "checkout", "tags": [{"key": "k", "value": "v"}]}
    response = {"taskDefinition": {"taskDefinitionArn": ARN, "status": "ACTIVE"}}
    rig.facts.wrote(rig.binding, "RegisterTaskDefinition", params, response)
    assert rig.facts.task_definition(rig.context, ARN)["tags"] == params["tags"]
    assert rig.aws.calls == []


def test_a_registration_outlives_a_stale_read_and_a_forget(rig: Any) -> None:
    """Not found a moment after our own registration is a stale read; five seconds later it is believed."""

    def refuse(_params: object) -> dict[str, Any]:
        raise rig.fail("ClientException", "not-found")

    rig.aws.table["DescribeTaskDefinition"] = refuse
    response = {"taskDefinition": {"taskDefinitionArn": ARN, "status": "ACTIVE"}, "tags": [{"key": "k"}]}
    rig.facts.wrote(rig.binding, "RegisterTaskDefinition", {"family": "checkout"}, response)
    rig.facts.forget(rig.binding, ARN)
    assert rig.facts.task_definition(rig.context, ARN)["status"] == "ACTIVE"
    rig.clock.seconds += 5
    assert rig.facts.task_definition(rig.context, ARN) is None


def test_a_deregistered_definition_is_inactive_at_once_and_keeps_its_tags(rig: Any) -> None:
    """Our own write is the newest status there is."""
    active = {"taskDefinition": {"taskDefinitionArn": ARN, "status": "ACTIVE"}, "tags": [{"key": "k"}]}
    rig.aws.table["DescribeTaskDefinition"] = lambda _p: active
    rig.facts.task_definition(rig.context, ARN)
    inactive = {"taskDefinition": {"taskDefinitionArn": ARN, "status": "INACTIVE"}}
    rig.facts.wrote(rig.binding, "DeregisterTaskDefinition", {"taskDefinition": ARN}, inactive)
    found = rig.facts.task_definition(rig.context, ARN)
    assert (found["status"], found["tags"]) == ("INACTIVE", [{"key": "k"}])
    assert len(rig.aws.calls) == 1


def test_a_family_is_listed_newest_first_and_bodies_are_cached(rig: Any) -> None:
    """Looking twice for an unfinished registration costs one list more."""
    arns = [f"checkout:{number}" for number in (9, 8)]
    rig.aws.table["ListTaskDefinitions"] = lambda _p: {"taskDefinitionArns": arns}
    rig.aws.table["DescribeTaskDefinition"] = lambda params: {
        "taskDefinition": {"taskDefinitionArn": params["taskDefinition"]}
    }
    for _ in range(2):
        found = rig.facts.find_task_definitions(rig.context, "checkout", limit=2)
    assert [item["taskDefinitionArn"] for item in found] == arns
    assert rig.aws.operations() == [
        "ListTaskDefinitions",
        "DescribeTaskDefinition",
        "DescribeTaskDefinition",
        "ListTaskDefinitions",
    ]
    assert rig.aws.calls[0][1] == {
        "familyPrefix": "checkout",
        "status": "ACTIVE",
        "sort": "DESC",
        "maxResults": 2,
    }


def deployments(rig: Any, *, digest: str) -> None:
    """Prepare two deployments of one service, oldest first."""
    at = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    briefs = [
        {"serviceDeploymentArn": f"d{number}", "createdAt": at + dt.timedelta(hours=number)}
        for number in (1, 2)
    ]
    rig.aws.table["ListServiceDeployments"] = lambda _p: {"serviceDeployments": briefs}
    rig.aws.table["DescribeServiceDeployments"] = lambda params: {
        "serviceDeployments": [
            brief
            | {"status": "SUCCESSFUL", "targetServiceRevision": {"arn": f"r{brief['serviceDeploymentArn']}"}}
            for brief in briefs
            if brief["serviceDeploymentArn"] in params["serviceDeploymentArns"]
        ]
    }
    rig.aws.table["DescribeServiceRevisions"] = lambda params: {
        "serviceRevisions": [
            {"serviceRevisionArn": arn, "taskDefinition": "td", "containerImages": [{"imageDigest": digest}]}
            for arn in params["serviceRevisionArns"]
        ]
    }


def test_deployments_come_newest_first_with_the_revision_they_aim_at(rig: Any) -> None:
    """Whose deployment it is shows in the revision's task definition."""
    deployments(rig, digest="sha256:1")
    found = rig.facts.service_deployments(rig.context, cluster="prod", service="a")
    assert [item["serviceDeploymentArn"] for item in found] == ["d2", "d1"]
    assert found[0]["targetServiceRevision"]["arn"] == "rd2"
    assert found[0]["targetServiceRevision"]["taskDefinition"] == "td"


@pytest.mark.parametrize(("digest", "reads"), [("sha256:1", 1), ("", 2)], ids=["complete", "open"])
def test_a_service_revision_is_read_once_it_is_complete(rig: Any, digest: str, reads: int) -> None:
    """Digests may come later than the revision; without them it is read again."""
    deployments(rig, digest=digest)
    for _ in range(2):
        rig.facts.service_deployments(rig.context, cluster="prod", service="a")
    assert rig.aws.operations().count("DescribeServiceRevisions") == reads


@pytest.mark.parametrize("code", ["ServiceNotFoundException", "ClusterNotFoundException"])
def test_what_does_not_exist_has_neither_deployments_nor_tasks(rig: Any, code: str) -> None:
    """Absence of the service or its cluster is an empty answer."""

    def refuse(_params: object) -> dict[str, Any]:
        raise rig.fail(code, "not-found" if code.startswith("Service") else "rejected")

    rig.aws.table |= {"ListServiceDeployments": refuse, "ListTasks": refuse}
    assert rig.facts.service_deployments(rig.context, cluster="prod", service="a") == ()
    assert rig.facts.tasks(rig.context, cluster="prod", service="a", status="RUNNING", max_age=0) == ()


def test_tasks_are_listed_by_pages_and_described_by_the_hundred(rig: Any) -> None:
    """A service of 150 tasks costs two lists and two describes, and its age is respected."""
    arns = [f"t{number}" for number in range(150)]

    def listed(params: Mapping[str, Any]) -> dict[str, Any]:
        assert (params["serviceName"], params["desiredStatus"]) == ("a", "STOPPED")
        second = params.get("nextToken") == "more"
        return {"taskArns": arns[100:]} if second else {"taskArns": arns[:100], "nextToken": "more"}

    rig.aws.table["ListTasks"] = listed
    rig.aws.table["DescribeTasks"] = lambda params: {"tasks": [{"taskArn": arn} for arn in params["tasks"]]}
    for _ in range(2):
        found = rig.facts.tasks(rig.context, cluster="prod", service="a", status="STOPPED", max_age=5)
    assert len(found) == 150
    assert rig.aws.operations() == ["ListTasks", "ListTasks", "DescribeTasks", "DescribeTasks"]
