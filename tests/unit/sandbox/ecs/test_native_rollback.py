"""Native deployments that stop: hooks, people and the circuit breaker, and what becomes of traffic."""

from __future__ import annotations

from typing import Any

import pytest
from native_world import BLUE_GREEN, CANARY, FUNCTION, ROLE

LONG = BLUE_GREEN | {"bakeTimeInMinutes": 60}


def lambda_hook(*stages: str, **changes: Any) -> dict[str, Any]:
    """Return a hook that calls the function."""
    return {"hookTargetArn": FUNCTION, "roleArn": ROLE, "lifecycleStages": list(stages)} | changes


def pause_hook(stage: str, **timeout: Any) -> dict[str, Any]:
    """Return a hook that waits for a person."""
    hook: dict[str, Any] = {"targetType": "PAUSE", "lifecycleStages": [stage]}
    return hook | ({"timeoutConfiguration": timeout} if timeout else {})


def back_to_blue(native: Any) -> None:
    """Fail unless all traffic and only the first deployment's tasks are in the blue group."""
    assert native.weights() == {"blue": 100, "green": 0}
    assert native.weights(native.test) == {"blue": 100, "green": 0}
    assert (native.targets(native.blue), native.targets(native.green)) == (2, 0)
    assert native.service()["taskDefinition"].endswith(":1")
    assert native.statuses() == {200}


@pytest.mark.parametrize(
    "stage",
    [
        "PRE_SCALE_UP",
        "POST_SCALE_UP",
        "TEST_TRAFFIC_SHIFT",
        "POST_TEST_TRAFFIC_SHIFT",
        "PRE_PRODUCTION_TRAFFIC_SHIFT",
        "PRODUCTION_TRAFFIC_SHIFT",
        "POST_PRODUCTION_TRAFFIC_SHIFT",
    ],
)
def test_a_failed_function_rolls_back(native: Any, stage: str) -> None:
    """A hookStatus FAILED at any stage: the traffic is back at once, no request is lost."""
    native.create(BLUE_GREEN)
    native.world.services["ecs"].answer_hooks("*:check", "FAILED")
    arn = native.update(deploymentConfiguration=BLUE_GREEN | {"lifecycleHooks": [lambda_hook(stage)]})
    shown = native.until_ended(arn)
    assert shown["status"] == "ROLLBACK_SUCCESSFUL"
    assert stage in shown["statusReason"]
    assert shown["lifecycleStage"] == stage
    (hook,) = shown["lifecycleHookDetails"]
    assert (hook["status"], hook["targetType"], hook["targetArn"]) == ("FAILED", "AWS_LAMBDA", FUNCTION)
    back_to_blue(native)


def test_a_function_that_takes_its_time_is_waited_for(native: Any) -> None:
    """A hookStatus IN_PROGRESS holds the stage; SUCCEEDED lets it go on."""
    native.create(BLUE_GREEN)
    native.world.services["ecs"].answer_hooks(FUNCTION, "IN_PROGRESS")
    configuration = BLUE_GREEN | {"lifecycleHooks": [lambda_hook("POST_SCALE_UP")]}
    arn = native.update(deploymentConfiguration=configuration)
    native.run(60)
    shown = native.deployment(arn)
    assert (shown["status"], shown["lifecycleStage"]) == ("IN_PROGRESS", "POST_SCALE_UP")
    assert shown["lifecycleHookDetails"][0]["status"] == "IN_PROGRESS"
    native.world.services["ecs"].answer_hooks(FUNCTION, "SUCCEEDED")
    assert native.until_ended(arn)["status"] == "SUCCESSFUL"
    assert native.deployment(arn)["lifecycleHookDetails"][0]["status"] == "SUCCEEDED"


def test_functions_succeed_unless_told_otherwise(native: Any) -> None:
    """One hook at several stages runs at each; before every step of a canary."""
    native.create(CANARY)
    hook = lambda_hook("POST_SCALE_UP", "PRE_PRODUCTION_TRAFFIC_SHIFT")
    arn = native.update(deploymentConfiguration=CANARY | {"lifecycleHooks": [hook]})
    shown = native.until_ended(arn)
    assert shown["status"] == "SUCCESSFUL"
    assert [item["status"] for item in shown["lifecycleHookDetails"]] == ["SUCCEEDED"] * 3
    assert len({item["hookId"] for item in shown["lifecycleHookDetails"]}) == 3


def test_a_function_cannot_answer_nonsense(native: Any) -> None:
    """Only hookStatus's three values."""
    with pytest.raises(ValueError, match="SUCCEEDED"):
        native.world.services["ecs"].answer_hooks("*", "MAYBE")


def paused(native: Any, **timeout: Any) -> tuple[str, dict[str, Any]]:
    """Deploy up to a PAUSE hook before the production shift; return deployment and hook."""
    native.create(BLUE_GREEN)
    hook = pause_hook("POST_TEST_TRAFFIC_SHIFT", **timeout)
    arn = native.update(deploymentConfiguration=BLUE_GREEN | {"lifecycleHooks": [hook]})
    native.until(lambda: native.deployment(arn).get("lifecycleHookDetails"))
    return arn, native.deployment(arn)["lifecycleHookDetails"][0]


def test_a_pause_waits_for_a_person(native: Any) -> None:
    """AWAITING_ACTION with its expiry for hours; CONTINUE, the default action, lets it go on."""
    arn, hook = paused(native)
    assert (hook["targetType"], hook["status"], hook["timeoutAction"]) == (
        "PAUSE",
        "AWAITING_ACTION",
        "ROLLBACK",
    )
    assert "targetArn" not in hook
    assert hook["hookId"].startswith("ecs-pause-")
    told = [event for event in native.world.outside.emitter.recent if "Hook" in event.detail_type]
    assert [(event.detail_type, event.detail["eventName"], event.detail["hookId"]) for event in told] == [
        ("ECS Hook State Change", "HOOK_AWAITING_ACTION", hook["hookId"])
    ]
    assert hook["expiresAt"].timestamp() == pytest.approx(native.clock.now() + 86400, abs=2)
    native.run(3600 * 5)
    assert native.deployment(arn)["lifecycleStage"] == "POST_TEST_TRAFFIC_SHIFT"
    assert native.weights() == {"blue": 100, "green": 0}
    answer = native.ecs("ContinueServiceDeployment", serviceDeploymentArn=arn, hookId=hook["hookId"])
    assert answer == {"serviceDeploymentArn": arn}
    assert native.until_ended(arn)["status"] == "SUCCESSFUL"
    assert native.weights() == {"blue": 0, "green": 100}


def test_a_person_rolls_back(native: Any) -> None:
    """ContinueServiceDeployment with ROLLBACK."""
    arn, hook = paused(native)
    native.ecs(
        "ContinueServiceDeployment", serviceDeploymentArn=arn, hookId=hook["hookId"], action="ROLLBACK"
    )
    assert native.until_ended(arn)["status"] == "ROLLBACK_SUCCESSFUL"
    back_to_blue(native)


@pytest.mark.parametrize(
    ("action", "status"), [("CONTINUE", "SUCCESSFUL"), ("ROLLBACK", "ROLLBACK_SUCCESSFUL")]
)
def test_a_pause_times_out(native: Any, action: str, status: str) -> None:
    """After timeoutInMinutes the hook is TIMED_OUT and its action taken, not before."""
    arn, _ = paused(native, timeoutInMinutes=2, action=action)
    native.run(110)
    assert native.deployment(arn)["lifecycleHookDetails"][0]["status"] == "AWAITING_ACTION"
    shown = native.until_ended(arn)
    assert shown["status"] == status
    assert shown["lifecycleHookDetails"][0]["status"] == "TIMED_OUT"


def test_continue_refuses_what_does_not_wait(native: Any) -> None:
    """Unknown deployment, unknown hook, a function's hook, and one that was answered already."""
    arn, hook = paused(native)
    call = "ContinueServiceDeployment"
    code, _ = native.refusal(call, serviceDeploymentArn=arn + "x", hookId=hook["hookId"])
    assert code == "ServiceDeploymentNotFoundException"
    code, _ = native.refusal(call, serviceDeploymentArn=arn, hookId="nothing")
    assert code == "InvalidParameterException"
    native.ecs(call, serviceDeploymentArn=arn, hookId=hook["hookId"])
    code, text = native.refusal(call, serviceDeploymentArn=arn, hookId=hook["hookId"])
    assert (code, "AWAITING_ACTION" in text) == ("ClientException", True)
    native.until_ended(arn)
    assert native.refusal(call, serviceDeploymentArn=arn, hookId=hook["hookId"])[0] == "ClientException"
    configuration = BLUE_GREEN | {"lifecycleHooks": [lambda_hook("POST_SCALE_UP")]}
    arn = native.update("app:3", deploymentConfiguration=configuration)
    native.until_stage("POST_SCALE_UP")
    (hook,) = native.deployment(arn)["lifecycleHookDetails"]
    code, _ = native.refusal(call, serviceDeploymentArn=arn, hookId=hook["hookId"])
    assert code == "InvalidParameterException"


def test_tasks_that_die_in_a_pause_are_replaced(native: Any) -> None:
    """Waiting for a person looks after the tasks of both revisions."""
    paused(native)
    native.run(30)
    for arn in native.ecs("ListTasks", cluster="main", serviceName="web")["taskArns"]:
        native.ecs("StopTask", cluster="main", task=arn)
    native.until(lambda: (native.targets(native.blue), native.targets(native.green)) == (2, 2))


@pytest.mark.parametrize(
    "stage", ["PRE_SCALE_UP", "SCALE_UP", "POST_TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME"]
)
def test_stop_rolls_back_from_every_stage(native: Any, stage: str) -> None:
    """StopServiceDeployment gives the traffic back first, then takes the new tasks away."""
    native.create(LONG)
    arn = native.update()
    native.until_stage(stage)
    native.ecs("StopServiceDeployment", serviceDeploymentArn=arn)
    assert native.deployment(arn)["status"] == "ROLLBACK_REQUESTED"
    statuses = set()
    while native.deployment(arn)["status"] != "ROLLBACK_SUCCESSFUL":
        statuses |= native.statuses()
        native.run(0.1)
    assert statuses == {200}
    back_to_blue(native)
    assert native.deployment(arn)["rollback"]["reason"]
    assert native.refusal("StopServiceDeployment", serviceDeploymentArn=arn)[0] == "ConflictException"


def test_a_deployment_after_a_rollback_finds_its_way(native: Any) -> None:
    """Green is free again: the next deployment goes there and succeeds."""
    native.create(LONG)
    arn = native.update()
    native.until_stage("BAKE_TIME")
    native.ecs("StopServiceDeployment", serviceDeploymentArn=arn)
    native.until_ended(arn)
    assert native.until_ended(native.update("app:3"))["status"] == "SUCCESSFUL"
    assert native.weights() == {"blue": 0, "green": 100}


def test_the_circuit_breaker_rolls_back_in_scale_up(native: Any) -> None:
    """Tasks that do not start: TRIGGERED at the threshold, production never moved."""
    native.create(BLUE_GREEN)
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    arn = native.update(deploymentConfiguration=BLUE_GREEN | breaker)
    native.until_stage("SCALE_UP")
    while native.deployment(arn)["status"] == "IN_PROGRESS":
        for task in native.ecs("ListTasks", cluster="main", serviceName="web")["taskArns"]:
            shown = native.ecs("DescribeTasks", cluster="main", tasks=[task])["tasks"][0]
            if shown["startedBy"] == native.service()["deployments"][0]["id"]:
                native.world.services["ecs"].crash_task(task)
        native.run(0.05)
    shown = native.until_ended(arn)
    assert shown["status"] == "ROLLBACK_SUCCESSFUL"
    assert shown["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
    back_to_blue(native)


def test_a_first_deployment_has_nothing_to_go_back_to(native: Any) -> None:
    """A failed hook of a creation: FAILED, STOPPED, and no rollback."""
    native.world.services["ecs"].answer_hooks(FUNCTION, "FAILED")
    configuration = BLUE_GREEN | {"lifecycleHooks": [lambda_hook("POST_SCALE_UP")]}
    native.ecs("CreateService", **native.request(configuration))
    arn = native.arns()[0]
    shown = native.until_ended(arn)
    assert shown["status"] == "STOPPED"
    assert native.service()["deployments"][0]["rolloutState"] == "FAILED"
    assert "rollback" not in shown
