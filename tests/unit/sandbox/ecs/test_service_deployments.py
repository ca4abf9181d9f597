"""Service deployments and service revisions, through success, rollback and a stop by hand."""

from __future__ import annotations

from typing import Any

import pytest

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


def listed(ecs: Any, **filters: Any) -> list[dict[str, Any]]:
    """Return ListServiceDeployments of `web`."""
    return list(
        ecs.call("ListServiceDeployments", cluster="main", service="web", **filters)["serviceDeployments"]
    )


def described(ecs: Any, arn: str) -> dict[str, Any]:
    """Return one service deployment."""
    return dict(ecs.call("DescribeServiceDeployments", serviceDeploymentArns=[arn])["serviceDeployments"][0])


def revision(ecs: Any, arn: str) -> dict[str, Any]:
    """Return one service revision."""
    return dict(ecs.call("DescribeServiceRevisions", serviceRevisionArns=[arn])["serviceRevisions"][0])


def test_a_deployment_is_told_from_start_to_success(ecs: Any) -> None:
    """PENDING, IN_PROGRESS with its target and sources, then SUCCESSFUL with times and counts."""
    ecs.create()
    ecs.until(ecs.completed)
    ecs.register(container={"image": "app:2"})
    ecs.call("UpdateService", cluster="main", service="web", taskDefinition="web:2")
    shown = ecs.describe()
    record = described(ecs, shown["currentServiceDeployment"])
    first, second = (item["arn"] for item in reversed(shown["currentServiceRevisions"]))
    assert record["status"] == "PENDING"
    ecs.run(0.1)
    record = described(ecs, record["serviceDeploymentArn"])
    assert record["status"] == "IN_PROGRESS"
    assert record["targetServiceRevision"]["arn"] == second
    assert [item["arn"] for item in record["sourceServiceRevisions"]] == [first]
    assert record["sourceServiceRevisions"][0]["runningTaskCount"] == 2
    ecs.until(ecs.completed)
    record = described(ecs, record["serviceDeploymentArn"])
    assert record["status"] == "SUCCESSFUL"
    assert record["finishedAt"] >= record["startedAt"] >= record["createdAt"]
    assert record["targetServiceRevision"]["runningTaskCount"] == 2
    assert "currentServiceDeployment" not in ecs.describe()


def test_a_revision_tells_definition_and_digests(ecs: Any) -> None:
    """Its containerImages name each container's image and the digest its tasks run."""
    ecs.create()
    ecs.until(ecs.completed)
    shown = revision(ecs, ecs.describe()["currentServiceRevisions"][0]["arn"])
    (image,) = shown["containerImages"]
    assert shown["taskDefinition"].endswith(":task-definition/web:1")
    assert (image["containerName"], image["image"]) == ("app", "app:1")
    assert image["imageDigest"] == ecs.tasks()[0]["containers"][0]["imageDigest"]
    assert shown["launchType"] == "FARGATE"
    assert shown["loadBalancers"][0]["containerPort"] == 8080


def test_a_rollback_is_told_in_the_same_deployment(ecs: Any) -> None:
    """ROLLBACK_IN_PROGRESS, then ROLLBACK_SUCCESSFUL; breaker TRIGGERED, and the revision gone back to."""
    ecs.create(deploymentConfiguration=BREAKER)
    ecs.until(ecs.completed)
    good = ecs.describe()["currentServiceRevisions"][0]["arn"]
    ecs.register(container={"image": "exit:1"})
    ecs.call("UpdateService", cluster="main", service="web", taskDefinition="web:2")
    arn = ecs.describe()["currentServiceDeployment"]
    target = described(ecs, arn)["targetServiceRevision"]["arn"]
    seen = set()

    def ended() -> bool:
        status = described(ecs, arn)["status"]
        seen.add(status)
        return status == "ROLLBACK_SUCCESSFUL"

    ecs.until(ended)
    record = described(ecs, arn)
    assert {"IN_PROGRESS", "ROLLBACK_IN_PROGRESS"} <= seen
    assert record["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
    assert record["deploymentCircuitBreaker"]["threshold"] == 3
    assert record["deploymentCircuitBreaker"]["failureCount"] >= 3
    assert record["rollback"]["serviceRevisionArn"] == good
    assert record["targetServiceRevision"]["arn"] == target != good
    assert ecs.describe()["currentServiceRevisions"][0]["arn"] == good


def test_stop_rolls_back(ecs: Any) -> None:
    """StopServiceDeployment: ROLLBACK_REQUESTED, then back to the completed revision."""
    ecs.create()
    ecs.until(ecs.completed)
    survivors = {task["taskArn"] for task in ecs.tasks()}
    ecs.register()
    ecs.call("UpdateService", cluster="main", service="web", taskDefinition="web:2")
    arn = ecs.describe()["currentServiceDeployment"]
    ecs.call("StopServiceDeployment", serviceDeploymentArn=arn, stopType="ROLLBACK")
    assert described(ecs, arn)["status"] == "ROLLBACK_REQUESTED"
    ecs.until(lambda: described(ecs, arn)["status"] == "ROLLBACK_SUCCESSFUL")
    assert ecs.describe()["taskDefinition"].endswith(":1")
    assert survivors == {task["taskArn"] for task in ecs.tasks()}
    assert ecs.refusal("StopServiceDeployment", serviceDeploymentArn=arn)[0] == "ConflictException"


def test_stop_refuses_what_cannot_be_stopped(ecs: Any) -> None:
    """An unknown one, ABORT, and a first deployment with nothing before it."""
    ecs.create()
    arn = ecs.describe()["currentServiceDeployment"]
    assert ecs.refusal("StopServiceDeployment", serviceDeploymentArn=arn)[0] == "ClientException"
    code, _ = ecs.refusal("StopServiceDeployment", serviceDeploymentArn=arn, stopType="ABORT")
    assert code == "InvalidParameterException"
    assert ecs.refusal("StopServiceDeployment", serviceDeploymentArn=arn + "x")[0] == (
        "ServiceDeploymentNotFoundException"
    )


def test_a_rollback_that_fails_too_ends_there(ecs: Any) -> None:
    """When the old revision's tasks no longer start either: ROLLBACK_FAILED, and no third attempt."""
    ecs.register(container={"image": "app:2"})
    ecs.create(
        desiredCount=1,
        taskDefinition="web:1",
        deploymentConfiguration=BREAKER | {"minimumHealthyPercent": 0, "maximumPercent": 100},
    )
    ecs.until(ecs.completed)
    families = ecs.service.state.scope(ecs.caller).families["web"].revisions
    for number in (1, 2):
        families[number].spec["containerDefinitions"][0]["image"] = "exit:1"
    ecs.call("UpdateService", cluster="main", service="web", taskDefinition="web:2")
    arn = ecs.describe()["currentServiceDeployment"]
    ecs.until(lambda: described(ecs, arn)["status"] == "ROLLBACK_FAILED")
    started = sum("has started" in text for text in ecs.messages())
    ecs.run(60)
    assert sum("has started" in text for text in ecs.messages()) == started


def test_lists_filter_by_status_and_time_newest_first(ecs: Any) -> None:
    """Filters and pages of ListServiceDeployments; unknown ARNs are failures of the Describe calls."""
    ecs.create()
    ecs.until(ecs.completed)
    ecs.run(100)
    for _ in range(2):
        ecs.call("UpdateService", cluster="main", service="web", forceNewDeployment=True)
        ecs.until(ecs.completed)
    found = listed(ecs)
    assert [item["createdAt"] for item in found] == sorted((i["createdAt"] for i in found), reverse=True)
    assert len(listed(ecs, status=["SUCCESSFUL"])) == 3
    assert listed(ecs, status=["STOPPED"]) == []
    assert len(listed(ecs, createdAt={"after": found[1]["createdAt"]})) == 2
    assert ecs.refusal("ListServiceDeployments", cluster="main", service="x")[0] == "ServiceNotFoundException"
    page = ecs.call("ListServiceDeployments", cluster="main", service="web", maxResults=2)
    assert len(page["serviceDeployments"]) == 2
    assert "nextToken" in page
    missing = ecs.call("DescribeServiceRevisions", serviceRevisionArns=["arn:x"])["failures"]
    assert missing == [{"arn": "arn:x", "reason": "MISSING"}]
    code, _ = ecs.refusal("DescribeServiceDeployments", serviceDeploymentArns=["x"] * 21)
    assert code == "InvalidParameterException"


DESCRIBE = {
    "DescribeServiceDeployments": "serviceDeploymentArns",
    "DescribeServiceRevisions": "serviceRevisionArns",
}


@pytest.mark.parametrize("operation", DESCRIBE)
@pytest.mark.parametrize("number", [0, 21])
def test_describing_takes_one_to_twenty(ecs: Any, operation: str, number: int) -> None:
    """None and twenty-one ARNs are refused, twenty unknown ones are twenty failures."""
    member = DESCRIBE[operation]
    code, text = ecs.refusal(operation, **{member: ["arn:x"] * number})
    assert (code, member in text) == ("InvalidParameterException", True)
    answer = ecs.call(operation, **{member: [f"arn:{n}" for n in range(20)]})
    assert [item["reason"] for item in answer["failures"]] == ["MISSING"] * 20
    assert answer[member.removesuffix("Arns") + "s"] == []


def test_listing_comes_in_pages_of_twenty(ecs: Any) -> None:
    """Twenty unless maxResults says otherwise (1 to 100); tokens lead through all of them once."""
    ecs.create(desiredCount=0)
    for _ in range(24):
        ecs.call("UpdateService", cluster="main", service="web", forceNewDeployment=True)
    first = ecs.call("ListServiceDeployments", cluster="main", service="web")
    assert len(first["serviceDeployments"]) == 20
    rest = ecs.call("ListServiceDeployments", cluster="main", service="web", nextToken=first["nextToken"])
    assert len(rest["serviceDeployments"]) == 5
    assert "nextToken" not in rest
    arns = {i["serviceDeploymentArn"] for i in [*first["serviceDeployments"], *rest["serviceDeployments"]]}
    assert len(arns) == 25
    assert len(listed(ecs, maxResults=100)) == 25
    for wrong in (0, 101):
        call = {"cluster": "main", "service": "web", "maxResults": wrong}
        assert ecs.refusal("ListServiceDeployments", **call)[0] == "InvalidParameterException"
    call = {"cluster": "main", "service": "web", "nextToken": "nonsense"}
    assert ecs.refusal("ListServiceDeployments", **call)[0] == "InvalidParameterException"


def test_listing_names_the_service_by_arn_and_needs_its_cluster(ecs: Any) -> None:
    """Service and cluster by name or ARN; an unknown cluster is ClusterNotFoundException."""
    ecs.create()
    shown = ecs.describe()
    call = {"cluster": shown["clusterArn"], "service": shown["serviceArn"]}
    assert len(ecs.call("ListServiceDeployments", **call)["serviceDeployments"]) == 1
    assert ecs.refusal("ListServiceDeployments", cluster="nowhere", service="web")[0] == (
        "ClusterNotFoundException"
    )


def test_a_superseded_deployment_is_stopped_with_its_reason(ecs: Any) -> None:
    """STOPPED with stoppedAt; the filter by status finds exactly it."""
    ecs.create()
    ecs.until(ecs.completed)
    for _ in range(2):
        ecs.call("UpdateService", cluster="main", service="web", forceNewDeployment=True)
        ecs.run(0.1)
    (stopped,) = listed(ecs, status=["STOPPED", "ROLLBACK_FAILED"])
    assert "superseded" in stopped["statusReason"]
    assert described(ecs, stopped["serviceDeploymentArn"])["stoppedAt"] == stopped["finishedAt"]
    assert len(listed(ecs, status=["IN_PROGRESS"])) == 1


def test_counts_of_an_ended_deployment_stay(ecs: Any) -> None:
    """What it had at its end, whatever runs now; until then the threshold follows desiredCount."""
    ecs.create(deploymentConfiguration=BREAKER)
    arn = listed(ecs)[0]["serviceDeploymentArn"]
    assert described(ecs, arn)["deploymentCircuitBreaker"] == {
        "status": "MONITORING",
        "failureCount": 0,
        "threshold": 3,
    }
    ecs.call("UpdateService", cluster="main", service="web", desiredCount=8)
    assert described(ecs, arn)["deploymentCircuitBreaker"]["threshold"] == 4
    ecs.until(ecs.completed)
    ecs.call("UpdateService", cluster="main", service="web", desiredCount=1)
    ecs.until(ecs.completed)
    record = described(ecs, arn)
    assert record["targetServiceRevision"]["runningTaskCount"] == 8
    assert record["targetServiceRevision"]["requestedProductionTrafficWeight"] == 100.0
    assert record["deploymentCircuitBreaker"]["status"] == "MONITORING_COMPLETE"
    assert "lifecycleStage" not in record


def test_traffic_of_a_rollback_is_the_old_revisions(ecs: Any) -> None:
    """After ROLLBACK_SUCCESSFUL the target has no production traffic."""
    ecs.create()
    ecs.until(ecs.completed)
    ecs.register()
    ecs.call("UpdateService", cluster="main", service="web", taskDefinition="web:2")
    arn = ecs.describe()["currentServiceDeployment"]
    ecs.call("StopServiceDeployment", serviceDeploymentArn=arn)
    ecs.until(lambda: described(ecs, arn)["status"] == "ROLLBACK_SUCCESSFUL")
    record = described(ecs, arn)
    assert record["targetServiceRevision"]["requestedProductionTrafficWeight"] == 0.0
    assert record["sourceServiceRevisions"][0]["requestedProductionTrafficWeight"] == 100.0
    assert record["rollback"]["serviceRevisionArn"] == record["sourceServiceRevisions"][0]["arn"]


@pytest.mark.parametrize("action", ["CONTINUE", "ROLLBACK"])
def test_a_rolling_deployment_has_nothing_to_continue(ecs: Any, action: str) -> None:
    """ContinueServiceDeployment without a PAUSE hook is refused."""
    ecs.create()
    arn = listed(ecs)[0]["serviceDeploymentArn"]
    call = {"serviceDeploymentArn": arn, "hookId": "x", "action": action}
    assert ecs.refusal("ContinueServiceDeployment", **call)[0] == "InvalidParameterException"
