"""What CreateService refuses of native strategies, their hooks, steps and load balancers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from native_world import BLUE_GREEN, CANARY, FUNCTION, LINEAR, ROLE

HOOK = {"hookTargetArn": FUNCTION, "roleArn": ROLE, "lifecycleStages": ["POST_SCALE_UP"]}
PAUSE = {"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]}
EARLY = {"enable": True, "healthyPercent": 100, "sourceServiceRevisionCleanup": "DEFERRED"}


def without(hook: dict[str, Any], member: str) -> dict[str, Any]:
    """Return the hook less one member."""
    return {key: value for key, value in hook.items() if key != member}


def linear(**changes: Any) -> dict[str, Any]:
    """Return a LINEAR configuration."""
    return {"strategy": "LINEAR", "linearConfiguration": changes}


def canary(**changes: Any) -> dict[str, Any]:
    """Return a CANARY configuration."""
    return {"strategy": "CANARY", "canaryConfiguration": changes}


def hooked(*hooks: dict[str, Any]) -> dict[str, Any]:
    """Return a BLUE_GREEN configuration with hooks."""
    return BLUE_GREEN | {"lifecycleHooks": list(hooks)}


CONFIGURATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "no-bake-time": ({"strategy": "BLUE_GREEN"}, "bakeTimeInMinutes is required"),
    "bake-time-negative": (BLUE_GREEN | {"bakeTimeInMinutes": -1}, "between 0 and 1440"),
    "bake-time-beyond-a-day": (BLUE_GREEN | {"bakeTimeInMinutes": 1441}, "between 0 and 1440"),
    "linear-step-too-small": (linear(stepPercent=2.9), "stepPercent"),
    "linear-step-too-large": (linear(stepPercent=100.1), "stepPercent"),
    "linear-step-not-a-tenth": (linear(stepPercent=10.05), "multiple of 0.1"),
    "linear-bake-too-long": (linear(stepBakeTimeInMinutes=1441), "stepBakeTimeInMinutes"),
    "linear-bake-negative": (linear(stepBakeTimeInMinutes=-1), "stepBakeTimeInMinutes"),
    "canary-zero": (canary(canaryPercent=0.0), "canaryPercent"),
    "canary-too-large": (canary(canaryPercent=101.0), "canaryPercent"),
    "canary-not-a-tenth": (canary(canaryPercent=0.25), "multiple of 0.1"),
    "canary-bake-too-long": (canary(canaryBakeTimeInMinutes=1441), "canaryBakeTimeInMinutes"),
    "linear-steps-of-a-canary": (
        CANARY | {"linearConfiguration": {"stepPercent": 10.0}},
        "only valid with the LINEAR",
    ),
    "canary-steps-of-blue-green": (
        BLUE_GREEN | {"canaryConfiguration": {"canaryPercent": 10.0}},
        "only valid with the CANARY",
    ),
    "canary-steps-of-rolling": ({"canaryConfiguration": {"canaryPercent": 10.0}}, "only valid"),
    "hooks-of-rolling": ({"lifecycleHooks": [HOOK]}, "lifecycleHooks are only supported"),
    "hook-without-stages": (hooked(without(HOOK, "lifecycleStages")), "lifecycleStages"),
    "hook-with-no-stages": (hooked(HOOK | {"lifecycleStages": []}), "lifecycleStages"),
    "hook-stage-twice": (hooked(HOOK | {"lifecycleStages": ["POST_SCALE_UP"] * 2}), "duplicates"),
    "hook-without-function": (hooked(without(HOOK, "hookTargetArn")), "hookTargetArn must be"),
    "hook-of-a-queue": (hooked(HOOK | {"hookTargetArn": "arn:aws:sqs:eu-west-1:1:q"}), "Lambda"),
    "hook-without-role": (hooked(without(HOOK, "roleArn")), "roleArn"),
    "pause-with-function": (hooked(PAUSE | {"hookTargetArn": FUNCTION}), "not applicable to PAUSE"),
    "pause-in-test-shift": (
        hooked(PAUSE | {"lifecycleStages": ["TEST_TRAFFIC_SHIFT"]}),
        "cannot be configured at TEST_TRAFFIC_SHIFT",
    ),
    "pause-in-production-shift": (
        hooked(PAUSE | {"lifecycleStages": ["POST_SCALE_UP", "PRODUCTION_TRAFFIC_SHIFT"]}),
        "cannot be configured at PRODUCTION_TRAFFIC_SHIFT",
    ),
    "early-success-of-blue-green": (BLUE_GREEN | {"earlySuccessCriteria": EARLY}, "ROLLING"),
    "early-success-incomplete": ({"earlySuccessCriteria": {"enable": True}}, "must be specified"),
    "early-success-below-minimum": (
        {"earlySuccessCriteria": EARLY | {"healthyPercent": 50}, "minimumHealthyPercent": 60},
        "greater than or equal to minimumHealthyPercent",
    ),
    "alarm-twice": (
        {"alarms": {"alarmNames": ["a", "a"], "enable": True, "rollback": True}},
        "duplicates",
    ),
}


@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_impossible_configurations_are_refused(native: Any, case: str) -> None:
    """InvalidParameterException that names the member; nothing is created."""
    configuration, text = CONFIGURATIONS[case]
    code, message = native.refusal("CreateService", **native.request(configuration))
    assert code == "InvalidParameterException"
    assert text in message
    assert native.ecs("ListServices", cluster="main")["serviceArns"] == []


BALANCERS: dict[str, tuple[Callable[[Any], dict[str, Any]], str]] = {
    "no-alternate": (lambda _: {"alternateTargetGroupArn": None}, "alternateTargetGroupArn must be"),
    "no-production-rule": (lambda _: {"productionListenerRule": None}, "productionListenerRule must be"),
    "no-role": (lambda _: {"roleArn": None}, "roleArn must be"),
    "same-group-twice": (lambda n: {"alternateTargetGroupArn": n.blue}, "must be different"),
    "alternate-unknown": (lambda n: {"alternateTargetGroupArn": n.green + "0"}, "does not exist"),
    "alternate-unattached": (
        lambda n: {"alternateTargetGroupArn": n._group("loose")},
        "does not have an associated load balancer",
    ),
    "production-rule-unknown": (lambda n: {"productionListenerRule": n.production + "0"}, "does not exist"),
    "test-rule-unknown": (lambda n: {"testListenerRule": n.test + "0"}, "does not exist"),
    "rule-elsewhere": (lambda n: {"productionListenerRule": n.listener}, "does not forward to"),
    "one-rule-for-both": (lambda n: {"testListenerRule": n.production}, "must be different"),
}


@pytest.mark.parametrize("configuration", [BLUE_GREEN, CANARY, LINEAR], ids=lambda c: c["strategy"])
@pytest.mark.parametrize("case", BALANCERS)
def test_impossible_load_balancers_are_refused(native: Any, case: str, configuration: Any) -> None:
    """Both groups must be behind a load balancer and the rules must lead to them."""
    make, text = BALANCERS[case]
    code, message = native.refusal("CreateService", **native.request(configuration, **make(native)))
    assert code == "InvalidParameterException"
    assert text in message


def test_a_load_balancer_without_advanced_configuration_is_refused(native: Any) -> None:
    """Each load balancer of a native service needs one; a rolling service does not."""
    request = native.request(BLUE_GREEN)
    del request["loadBalancers"][0]["advancedConfiguration"]
    code, message = native.refusal("CreateService", **request)
    assert (code, "advancedConfiguration is required" in message) == ("InvalidParameterException", True)
    request["deploymentConfiguration"] = {"strategy": "ROLLING"}
    native.ecs("CreateService", **request)


@pytest.mark.parametrize("controller", ["CODE_DEPLOY", "EXTERNAL"])
def test_native_strategies_are_of_the_ecs_controller(native: Any, controller: str) -> None:
    """Another controller brings its own deployments."""
    request = native.request(BLUE_GREEN) | {"deploymentController": {"type": controller}}
    if controller == "EXTERNAL":
        for member in ("taskDefinition", "loadBalancers", "networkConfiguration", "launchType"):
            request.pop(member)
    assert native.refusal("CreateService", **request)[0] == "InvalidParameterException"


def test_an_update_is_checked_like_a_creation(native: Any) -> None:
    """A rolling service becomes blue/green only with all that it takes; then its next deployment is."""
    request = native.request({"strategy": "ROLLING"})
    balancers = request.pop("loadBalancers")
    native.ecs("CreateService", **request)
    native.until(lambda: native.deployment()["status"] == "SUCCESSFUL")
    plain = [{key: value for key, value in balancers[0].items() if key != "advancedConfiguration"}]
    change = {"cluster": "main", "service": "web", "deploymentConfiguration": BLUE_GREEN}
    code, _ = native.refusal("UpdateService", **change, loadBalancers=plain)
    assert code == "InvalidParameterException"
    assert native.service()["deploymentConfiguration"]["strategy"] == "ROLLING"
    native.ecs("UpdateService", **change, loadBalancers=balancers)
    assert native.until_ended(native.arns()[0])["status"] == "SUCCESSFUL"
    assert native.weights() == {"blue": 100, "green": 0}
    assert native.deployment()["lifecycleStage"] == "CLEAN_UP"


KEPT = {
    "blue-green": (BLUE_GREEN, {}),
    "linear": (
        {"strategy": "LINEAR"},
        {"linearConfiguration": {"stepPercent": 10.0, "stepBakeTimeInMinutes": 6}, "bakeTimeInMinutes": 0},
    ),
    "canary": (
        {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 12.5}},
        {"canaryConfiguration": {"canaryPercent": 12.5, "canaryBakeTimeInMinutes": 10}},
    ),
    "hooks": (
        hooked(HOOK, PAUSE | {"timeoutConfiguration": {"timeoutInMinutes": 5, "action": "CONTINUE"}}),
        {},
    ),
    "alarms": (
        BLUE_GREEN | {"alarms": {"alarmNames": ["nobody-made-it"], "enable": True, "rollback": True}},
        {},
    ),
    "breaker": (
        {
            "deploymentCircuitBreaker": {
                "enable": True,
                "rollback": True,
                "resetOnHealthyTask": False,
                "thresholdConfiguration": {"type": "COUNT", "value": 7},
            }
        },
        {"strategy": "ROLLING"},
    ),
    "early-success": ({"earlySuccessCriteria": EARLY}, {"strategy": "ROLLING"}),
}


@pytest.mark.parametrize("case", KEPT)
def test_what_was_sent_is_kept_and_completed(native: Any, case: str) -> None:
    """DescribeServices and DescribeServiceDeployments give all members back, with ECS's defaults."""
    sent, more = KEPT[case]
    native.ecs("CreateService", **native.request(sent))
    for shown in (native.service(), native.deployment()):
        configuration = shown["deploymentConfiguration"]
        assert {**configuration, **sent, **more} == configuration
        assert configuration["maximumPercent"] == 200
    assert native.service()["loadBalancers"][0]["advancedConfiguration"]["roleArn"] == ROLE


def test_a_new_strategy_drops_what_belonged_to_the_old_one(native: Any) -> None:
    """From canary to linear: no canaryConfiguration left; to BLUE_GREEN: the bake time must be given."""
    native.create(CANARY)
    change = {"cluster": "main", "service": "web"}
    native.ecs("UpdateService", **change, deploymentConfiguration={"strategy": "LINEAR"})
    shown = native.service()["deploymentConfiguration"]
    assert "canaryConfiguration" not in shown
    assert shown["linearConfiguration"]["stepPercent"] == 10.0
    code, _ = native.refusal("UpdateService", **change, deploymentConfiguration={"strategy": "BLUE_GREEN"})
    assert code == "InvalidParameterException"
    assert len(native.arns()) == 1
