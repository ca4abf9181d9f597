"""Native deployments that succeed: stages, tasks, rules and what DescribeServiceDeployments says of them."""

from __future__ import annotations

from typing import Any

import pytest
from native_world import BLUE_GREEN, CANARY, LINEAR

SEQUENCES = {
    "blue-green": (BLUE_GREEN, [0, 100]),
    "canary": (CANARY, [0, 20, 100]),
    "linear": (LINEAR, [0, 40, 80, 100]),
}


def test_the_first_deployment_takes_the_own_group_and_all_traffic(native: Any) -> None:
    """Nothing is beside it: no bake, weights 100 and 0 over both groups, the test rule follows."""
    native.create(BLUE_GREEN)
    assert native.weights() == {"blue": 100, "green": 0}
    assert native.weights(native.test) == {"blue": 100, "green": 0}
    assert (native.targets(native.blue), native.targets(native.green)) == (2, 0)
    shown = native.deployment()
    assert (shown["status"], shown["lifecycleStage"]) == ("SUCCESSFUL", "CLEAN_UP")
    assert shown["sourceServiceRevisions"] == []
    assert shown["targetServiceRevision"]["requestedProductionTrafficWeight"] == 100.0


@pytest.mark.parametrize("case", SEQUENCES)
def test_traffic_moves_to_the_other_group_step_by_step(native: Any, case: str) -> None:
    """The rule's weights pass through the strategy's steps, never losing a request, and end swapped."""
    configuration, expected = SEQUENCES[case]
    native.create(configuration)
    arn = native.update()
    seen: list[int] = []
    while native.deployment(arn)["status"] != "SUCCESSFUL":
        share = native.weights()["green"]
        shown = native.deployment(arn)
        assert shown["targetServiceRevision"]["requestedProductionTrafficWeight"] == share
        assert shown["sourceServiceRevisions"][0]["requestedProductionTrafficWeight"] == 100 - share
        if share not in seen:
            seen.append(share)
        assert native.statuses() == {200}
        native.run(0.1)
    assert seen == expected
    assert (native.targets(native.blue), native.targets(native.green)) == (0, 2)
    assert [item["status"] for item in native.service()["deployments"]] == ["PRIMARY"]


def test_the_old_revision_keeps_its_tasks_until_clean_up(native: Any) -> None:
    """Through the bake both revisions run in full; in CLEAN_UP the old one goes."""
    native.create(BLUE_GREEN)
    arn = native.update()
    native.until_stage("BAKE_TIME")
    shown = native.deployment(arn)
    assert shown["targetServiceRevision"]["runningTaskCount"] == 2
    assert shown["sourceServiceRevisions"][0]["runningTaskCount"] == 2
    assert [item["status"] for item in native.service()["deployments"]] == ["PRIMARY", "ACTIVE"]
    native.until_stage("CLEAN_UP")
    native.run(0.2)
    assert native.service()["deployments"][1]["desiredCount"] == 0


def test_nothing_starts_before_scale_up(native: Any) -> None:
    """In PRE_SCALE_UP the new revision has no tasks and no traffic; in SCALE_UP it has tasks alone."""
    native.create(BLUE_GREEN)
    arn = native.update()
    native.until_stage("PRE_SCALE_UP")
    assert native.deployment(arn)["targetServiceRevision"]["requestedTaskCount"] == 0
    native.until_stage("POST_SCALE_UP")
    assert native.targets(native.green) == 2
    assert native.weights() == {"blue": 100, "green": 0}
    assert native.weights(native.test) == {"blue": 100, "green": 0}


def test_test_traffic_moves_first(native: Any) -> None:
    """In POST_TEST_TRAFFIC_SHIFT the test rule leads to the new revision, production to the old one."""
    native.create(BLUE_GREEN)
    arn = native.update()
    native.until_stage("POST_TEST_TRAFFIC_SHIFT")
    assert native.weights(native.test) == {"blue": 0, "green": 100}
    assert native.weights() == {"blue": 100, "green": 0}
    shown = native.deployment(arn)
    assert shown["targetServiceRevision"]["requestedTestTrafficWeight"] == 100.0
    assert shown["sourceServiceRevisions"][0]["requestedTestTrafficWeight"] == 0.0


def test_a_revision_tells_the_group_that_serves_it(native: Any) -> None:
    """Its resolvedConfiguration names the group in use and the production rule; loadBalancers stays."""
    native.create(BLUE_GREEN)
    native.until_ended(native.update())
    arn = native.service()["currentServiceRevisions"][0]["arn"]
    shown = native.ecs("DescribeServiceRevisions", serviceRevisionArns=[arn])["serviceRevisions"][0]
    assert shown["resolvedConfiguration"]["loadBalancers"] == [
        {"targetGroupArn": native.green, "productionListenerRule": native.production}
    ]
    assert shown["loadBalancers"][0]["targetGroupArn"] == native.blue
    assert native.service()["loadBalancers"][0]["targetGroupArn"] == native.blue


def test_every_deployment_takes_the_group_that_is_free(native: Any) -> None:
    """Blue, green, blue: the rule swings back and forth."""
    native.create(BLUE_GREEN)
    native.until_ended(native.update("app:2"))
    native.until_ended(native.update("app:3"))
    assert native.weights() == {"blue": 100, "green": 0}
    assert (native.targets(native.blue), native.targets(native.green)) == (2, 0)


def test_a_newer_deployment_replaces_one_on_its_way(native: Any) -> None:
    """The former is STOPPED, RECONCILE_SERVICE takes its tasks away, production never left the old one."""
    native.create(BLUE_GREEN)
    first = native.update("app:2")
    native.until_stage("POST_SCALE_UP")
    second = native.update("app:3")
    assert native.deployment(first)["status"] == "STOPPED"
    native.until_stage("RECONCILE_SERVICE")
    assert native.weights() == {"blue": 100, "green": 0}
    native.until_stage("PRE_SCALE_UP")
    assert native.targets(native.green) == 0
    assert native.until_ended(second)["status"] == "SUCCESSFUL"
    assert native.weights() == {"blue": 0, "green": 100}
    assert native.targets(native.green) == 2


def test_a_newer_deployment_takes_over_after_the_shift(native: Any) -> None:
    """Superseded in its bake: traffic goes back to the completed revision before anything else."""
    native.create(BLUE_GREEN)
    native.update("app:2")
    native.until_stage("BAKE_TIME")
    assert native.weights() == {"blue": 0, "green": 100}
    second = native.update("app:3")
    statuses = set()
    while native.deployment(second)["status"] != "SUCCESSFUL":
        statuses |= native.statuses()
        native.run(0.1)
    assert statuses == {200}
    assert native.weights() == {"blue": 0, "green": 100}


def test_a_rolling_deployment_takes_over_after_the_shift(native: Any) -> None:
    """Superseded in its bake by ROLLING: traffic returns to the completed revision's group at once."""
    native.create(BLUE_GREEN)
    native.update("app:2")
    native.until_stage("BAKE_TIME")
    arn = native.update("app:3", deploymentConfiguration={"strategy": "ROLLING"})
    assert native.weights() == {"blue": 100, "green": 0}
    statuses = set()
    while native.deployment(arn)["status"] != "SUCCESSFUL":
        statuses |= native.statuses()
        native.run(0.1)
    assert statuses == {200}
    assert (native.targets(native.blue), native.targets(native.green)) == (2, 0)


def test_a_service_without_load_balancers_is_deployed_without_traffic(native: Any) -> None:
    """A headless service passes all stages; there is no rule to write (ECS developer guide)."""
    request = native.request(BLUE_GREEN) | {"loadBalancers": []}
    native.ecs("CreateService", **request)
    native.until(lambda: native.deployment()["status"] == "SUCCESSFUL")
    assert native.until_ended(native.update())["status"] == "SUCCESSFUL"
    assert native.service()["runningCount"] == 2


def test_zero_tasks_deploy_too(native: Any) -> None:
    """A service scaled to zero passes all stages at once."""
    native.ecs("CreateService", **(native.request(BLUE_GREEN) | {"desiredCount": 0}))
    native.until(lambda: native.deployment()["status"] == "SUCCESSFUL")
    assert native.until_ended(native.update())["status"] == "SUCCESSFUL"


def test_both_revisions_follow_a_new_desired_count(native: Any) -> None:
    """Scaling in the middle scales the old and the new revision."""
    native.create(BLUE_GREEN)
    native.update(deploymentConfiguration=BLUE_GREEN | {"bakeTimeInMinutes": 10})
    native.until_stage("POST_TEST_TRAFFIC_SHIFT")
    native.ecs("UpdateService", cluster="main", service="web", desiredCount=3)
    native.until(lambda: (native.targets(native.blue), native.targets(native.green)) == (3, 3))


def test_a_rolling_deployment_stays_in_the_group_that_has_production(native: Any) -> None:
    """After a blue/green one, ROLLING replaces tasks in the green group: the rule leads there."""
    native.create(BLUE_GREEN)
    native.until_ended(native.update("app:2"))
    native.until_ended(native.update("app:3", deploymentConfiguration={"strategy": "ROLLING"}))
    assert (native.targets(native.blue), native.targets(native.green)) == (0, 2)
    assert native.statuses() == {200}
    assert "bakeTimeInMinutes" in native.service()["deploymentConfiguration"]


def test_a_missing_rule_holds_the_deployment_and_says_so(native: Any) -> None:
    """Deleted by hand, the production rule cannot be written: an event, and no traffic claimed."""
    native.create(BLUE_GREEN)
    arn = native.update()
    native.until_stage("POST_SCALE_UP")
    native.elbv2("DeleteRule", RuleArn=native.production)
    native.run(30)
    shown = native.deployment(arn)
    assert shown["status"] == "IN_PROGRESS"
    assert shown["targetServiceRevision"]["requestedProductionTrafficWeight"] == 0.0
    assert sum("failed to modify (listener-rule" in text for text in native.messages()) == 1


def test_hand_set_weights_are_overwritten_at_the_next_shift(native: Any) -> None:
    """ECS does not ask what stood in the rule (aws/containers-roadmap#2853); stickiness stays."""
    native.create(BLUE_GREEN)
    entries = [
        {"TargetGroupArn": native.blue, "Weight": 7},
        {"TargetGroupArn": native.green, "Weight": 3},
    ]
    sticky = {"Enabled": True, "DurationSeconds": 60}
    action = {
        "Type": "forward",
        "ForwardConfig": {"TargetGroups": entries, "TargetGroupStickinessConfig": sticky},
    }
    native.elbv2("ModifyRule", RuleArn=native.production, Actions=[action])
    native.until_ended(native.update())
    rule = native.elbv2("DescribeRules", RuleArns=[native.production])["Rules"][0]
    assert native.weights() == {"blue": 0, "green": 100}
    assert rule["Actions"][0]["ForwardConfig"]["TargetGroupStickinessConfig"] == sticky


def test_a_service_deleted_on_its_way_leaves_nothing(native: Any) -> None:
    """Both revisions' tasks go, and its service deployment is STOPPED."""
    native.create(BLUE_GREEN)
    arn = native.update()
    native.until_stage("BAKE_TIME")
    native.ecs("DeleteService", cluster="main", service="web", force=True)
    native.until(lambda: native.service()["status"] == "INACTIVE")
    assert (native.targets(native.blue), native.targets(native.green)) == (0, 0)
    assert native.deployment(arn)["status"] == "STOPPED"


def test_a_canary_of_half_a_percent_is_exact(native: Any) -> None:
    """Tenths of a percent become weights of a thousand."""
    shape = {"canaryPercent": 0.5, "canaryBakeTimeInMinutes": 1}
    native.create({"strategy": "CANARY", "canaryConfiguration": shape})
    native.update()
    native.until_stage("PRODUCTION_TRAFFIC_SHIFT")
    assert native.weights() == {"blue": 995, "green": 5}


def test_a_new_deployment_during_a_rollback_wins(native: Any) -> None:
    """The deployment that was rolling back is STOPPED, the new one takes the free group."""
    native.create(BLUE_GREEN)
    first = native.update()
    native.until_stage("BAKE_TIME")
    native.ecs("StopServiceDeployment", serviceDeploymentArn=first)
    native.run(0.05)
    second = native.update("app:3")
    assert native.until_ended(second)["status"] == "SUCCESSFUL"
    assert native.deployment(first)["status"] == "STOPPED"
    assert (native.targets(native.blue), native.targets(native.green)) == (0, 2)


def test_a_dead_task_of_either_side_is_replaced_meanwhile(native: Any) -> None:
    """Through a long bake both revisions keep their count."""
    native.create(BLUE_GREEN)
    native.update()
    native.until_stage("BAKE_TIME")
    native.world.faults.clear()
    tasks = native.ecs("ListTasks", cluster="main", serviceName="web")["taskArns"]
    assert len(tasks) == 4
    native.ecs("StopTask", cluster="main", task=tasks[0])
    native.until(lambda: native.targets(native.blue) + native.targets(native.green) == 4)
