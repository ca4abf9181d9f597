"""Targets and their health, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest
from elb_world import Elb, forward

from sluice_sandbox.aws.estate import SUBNET_IDS
from sluice_sandbox.aws.ports import Probe

QUICK = {
    "HealthCheckIntervalSeconds": 10,
    "HealthCheckTimeoutSeconds": 2,
    "HealthyThresholdCount": 3,
    "UnhealthyThresholdCount": 2,
}
IP = "10.42.0.10"


def _serving(elb: Elb, **params: Any) -> str:
    group = elb.group(**(QUICK | params))
    elb.serve(group)
    return group


def test_one_passing_check_makes_a_new_target_healthy(elb: Elb) -> None:
    """Registration, then the first check, then healthy: no threshold for a new target."""
    group = _serving(elb)
    elb.target(group, IP)
    assert elb.state(group, IP) == ("initial", "Elb.RegistrationInProgress")
    elb.clock.advance(0.6)
    assert elb.state(group, IP) == ("healthy", "")


def test_a_target_that_never_passes_turns_unhealthy_at_the_threshold(elb: Elb) -> None:
    """Until then it is initial, with the reason that checks go on."""
    group = _serving(elb)
    elb.target(group, IP, SANDBOX_UNHEALTHY="1")
    elb.clock.advance(0.6)
    assert elb.state(group, IP) == ("initial", "Elb.InitialHealthChecking")
    elb.clock.advance(10)
    assert elb.state(group, IP) == ("unhealthy", "Target.ResponseCodeMismatch")
    shown = elb.call("DescribeTargetHealth", TargetGroupArn=group)["TargetHealthDescriptions"][0]
    assert shown["TargetHealth"]["Description"] == "Health checks failed with these codes: [503]"
    assert shown["HealthCheckPort"] == "8080"


def test_thresholds_count_consecutive_results(elb: Elb) -> None:
    """A healthy target falls after two failures and comes back after three passes."""
    group = _serving(elb)
    task = elb.target(group, IP)
    elb.clock.advance(1)
    elb.runtime.change(task, "app", {"SANDBOX_UNHEALTHY": "1"})
    elb.clock.advance(10)
    assert elb.state(group, IP)[0] == "healthy"
    elb.clock.advance(10)
    assert elb.state(group, IP)[0] == "unhealthy"
    elb.runtime.change(task, "app", {"SANDBOX_UNHEALTHY": "0"})
    elb.clock.advance(20)
    assert elb.state(group, IP)[0] == "unhealthy"
    elb.clock.advance(10)
    assert elb.state(group, IP)[0] == "healthy"


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        pytest.param({"SANDBOX_LATENCY_MS": "2001"}, "Target.Timeout", id="timeout"),
        pytest.param({"SANDBOX_UNHEALTHY": "true"}, "Target.ResponseCodeMismatch", id="status"),
        pytest.param({"SANDBOX_EXIT": "1"}, "Target.FailedHealthChecks", id="nobody-listens"),
    ],
)
def test_the_reason_tells_what_failed(elb: Elb, environment: dict[str, str], reason: str) -> None:
    """Time-out, status and refused connection have reasons of their own."""
    group = _serving(elb)
    elb.target(group, IP, **environment)
    elb.clock.advance(20)
    assert elb.state(group, IP) == ("unhealthy", reason)


def test_a_group_that_no_rule_names_checks_nothing(elb: Elb) -> None:
    """Its targets are unused; they start when a rule takes the group up, and end when it lets go."""
    group = elb.group(**QUICK)
    elb.target(group, IP)
    elb.clock.advance(60)
    assert elb.state(group, IP) == ("unused", "Target.NotInUse")
    listener = elb.listener(elb.load_balancer())
    rule = elb.rule(listener, 1, [forward((group, 0))])
    elb.clock.advance(1)
    assert elb.state(group, IP)[0] == "healthy"
    elb.call("DeleteRule", RuleArn=rule)
    assert elb.state(group, IP) == ("unused", "Target.NotInUse")


def test_a_target_in_a_zone_that_is_not_enabled_is_unused(elb: Elb) -> None:
    """Enabling the zone's subnet takes it into service."""
    group = elb.group(**QUICK)
    load_balancer = elb.load_balancer(Subnets=list(SUBNET_IDS[:2]))
    elb.listener(load_balancer, actions=[forward((group, 1))])
    elb.target(group, IP, zone="eu-west-1c")
    elb.clock.advance(20)
    assert elb.state(group, IP) == ("unused", "Target.NotInUse")
    elb.call("SetSubnets", LoadBalancerArn=load_balancer, Subnets=list(SUBNET_IDS))
    elb.clock.advance(1)
    assert elb.state(group, IP)[0] == "healthy"


def test_draining_lasts_the_deregistration_delay(elb: Elb) -> None:
    """Then the target is gone: unused, Target.NotRegistered, and None for ECS."""
    group = _serving(elb)
    elb.call(
        "ModifyTargetGroupAttributes",
        TargetGroupArn=group,
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}],
    )
    elb.target(group, IP)
    elb.clock.advance(1)
    elb.call("DeregisterTargets", TargetGroupArn=group, Targets=[{"Id": IP}])
    elb.clock.advance(29)
    assert elb.state(group, IP) == ("draining", "Target.DeregistrationInProgress")
    elb.clock.advance(1)
    assert elb.state(group, IP) == ("unused", "Target.NotRegistered")
    assert elb.service.health(elb.caller, group, ip=IP, port=8080) is None
    assert elb.call("DescribeTargetHealth", TargetGroupArn=group)["TargetHealthDescriptions"] == []


def test_a_draining_target_can_come_back(elb: Elb) -> None:
    """Registering it again ends the draining; the old delay does not end it later."""
    group = _serving(elb)
    elb.target(group, IP)
    elb.clock.advance(1)
    elb.service.deregister(elb.caller, group, ip=IP, port=8080)
    elb.clock.advance(100)
    elb.service.register(elb.caller, group, ip=IP, port=8080, zone="")
    elb.clock.advance(1)
    assert elb.state(group, IP)[0] == "healthy"
    elb.clock.advance(300)
    assert elb.state(group, IP)[0] == "healthy"


def test_one_address_on_two_ports_is_two_targets(elb: Elb) -> None:
    """Identity is id and port; each has its own health."""
    group = _serving(elb)
    elb.task(IP)
    elb.call("RegisterTargets", TargetGroupArn=group, Targets=[{"Id": IP}, {"Id": IP, "Port": 9090}])
    elb.clock.advance(20)
    assert elb.state(group, IP)[0] == "healthy"
    assert elb.state(group, IP, port=9090) == ("unhealthy", "Target.FailedHealthChecks")


@pytest.mark.parametrize(
    ("target", "code"),
    [
        pytest.param({"Id": "8.8.8.8"}, "InvalidTarget", id="public-address"),
        pytest.param({"Id": "i-0123456789abcdef0"}, "ValidationError", id="instance-in-ip-group"),
    ],
)
def test_register_refuses(elb: Elb, target: dict[str, Any], code: str) -> None:
    """A refused call registers none of its targets."""
    group = _serving(elb)
    refusal = elb.refusal("RegisterTargets", TargetGroupArn=group, Targets=[{"Id": IP}, target])
    assert refusal.code == code
    assert elb.call("DescribeTargetHealth", TargetGroupArn=group)["TargetHealthDescriptions"] == []


def test_unknown_targets_can_be_deregistered_and_described(elb: Elb) -> None:
    """DeregisterTargets succeeds on what is not there; its health is unused, NotRegistered."""
    group = _serving(elb)
    elb.call("DeregisterTargets", TargetGroupArn=group, Targets=[{"Id": IP}])
    assert elb.state(group, IP) == ("unused", "Target.NotRegistered")
    unknown = group + "0"
    assert elb.refusal("DescribeTargetHealth", TargetGroupArn=unknown).code == "TargetGroupNotFound"


def test_the_zone_of_a_registered_address_is_found(elb: Elb) -> None:
    """An address of a load balancer's subnet is shown with that subnet's zone."""
    group = _serving(elb)
    elb.call("RegisterTargets", TargetGroupArn=group, Targets=[{"Id": "10.42.17.5"}])
    shown = elb.call("DescribeTargetHealth", TargetGroupArn=group)["TargetHealthDescriptions"][0]
    assert shown["Target"] == {"Id": "10.42.17.5", "Port": 8080, "AvailabilityZone": "eu-west-1b"}


def test_a_group_at_rest_has_no_timer(elb: Elb) -> None:
    """Nothing is scheduled while all targets are settled, for hours."""
    group = _serving(elb)
    elb.target(group, IP)
    elb.target(group, "10.42.0.11", SANDBOX_UNHEALTHY="1")
    elb.clock.advance(60)
    assert {elb.state(group, IP)[0], elb.state(group, "10.42.0.11")[0]} == {"healthy", "unhealthy"}
    assert elb.clock.next_due() is None
    checks = [endpoint.health_checks for endpoint in elb.network.endpoints()]
    elb.clock.advance(86_400)
    assert [endpoint.health_checks for endpoint in elb.network.endpoints()] == checks


class _Polled:
    """A network that announces nothing."""

    def __init__(self, answers: dict[float, Probe]) -> None:
        self.answers = answers
        self.now = lambda: 0.0

    def probe(self, ip: str, port: int, *, path: str, timeout: float) -> Probe:
        """Answer by the time."""
        return next(
            answer for when, answer in sorted(self.answers.items(), reverse=True) if when <= self.now()
        )

    def address(self, ip: str, port: int) -> None:
        """Have no socket."""


@pytest.mark.parametrize("moment", [1.0, 3.9, 10.0, 14.2, 27.5, 200.1])
def test_sleeping_and_polling_see_the_same(elb: Elb, moment: float) -> None:
    """A change at any moment turns a target unhealthy when a checker without sleep would have."""
    group = _serving(elb)
    task = elb.target(group, IP)
    start = elb.clock.now()
    elb.clock.advance_to(start + moment)
    elb.runtime.change(task, "app", {"SANDBOX_UNHEALTHY": "1"})
    while elb.state(group, IP)[0] == "healthy":
        elb.clock.advance(0.5)
    slept = elb.clock.now() - start

    polled = Elb()
    answers = _Polled({0.0: Probe(status=200), moment: Probe(status=503)})
    polled.service = type(polled.service)(
        polled.clock,
        estate=polled.service._desk.estate,
        network=answers,  # type: ignore[arg-type]
        rng=polled.service._desk._rng,
    )
    origin = polled.clock.now()
    answers.now = lambda: polled.clock.now() - origin
    group = _serving(polled)
    polled.service.register(polled.caller, group, ip=IP, port=8080, zone="")
    polled.clock.advance(max(0.6, moment))
    while polled.state(group, IP)[0] == "healthy":
        polled.clock.advance(0.5)
    assert abs(slept - (polled.clock.now() - origin)) <= 0.6


def test_watchers_hear_of_every_change_once(elb: Elb) -> None:
    """ECS can wait for changes instead of asking."""
    group = _serving(elb)
    heard: list[tuple[str, str]] = []
    elb.service.watch_health(lambda _arn, health, _id, _port: heard.append((health.state, health.reason)))
    task = elb.target(group, IP)
    elb.clock.advance(1)
    elb.runtime.crash(task, "app")
    elb.clock.advance(60)
    elb.service.deregister(elb.caller, group, ip=IP, port=8080)
    elb.clock.advance(400)
    assert heard == [
        ("initial", "Elb.RegistrationInProgress"),
        ("initial", "Elb.InitialHealthChecking"),
        ("healthy", ""),
        ("unhealthy", "Target.FailedHealthChecks"),
        ("draining", "Target.DeregistrationInProgress"),
        ("unused", "Target.NotRegistered"),
    ]


def test_a_reset_forgets_targets_and_timers_find_nothing(elb: Elb) -> None:
    """After reset the old timers run into the void and the same names can be made again."""
    group = _serving(elb)
    elb.target(group, IP)
    elb.service.reset()
    elb.clock.advance(1000)
    assert elb.call("DescribeTargetGroups")["TargetGroups"] == []
    _serving(elb)


def test_new_health_checks_wake_a_sleeping_group(elb: Elb) -> None:
    """A matcher that the tasks do not meet turns them unhealthy, although nothing else changed."""
    group = _serving(elb)
    elb.target(group, IP)
    elb.clock.advance(60)
    elb.call("ModifyTargetGroup", TargetGroupArn=group, Matcher={"HttpCode": "201-299"})
    elb.clock.advance(21)
    assert elb.state(group, IP) == ("unhealthy", "Target.ResponseCodeMismatch")
