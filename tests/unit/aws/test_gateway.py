"""The gateway: what is sent, how often, and what stands in the way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
import structlog

from sluice.aws.errors import WriteWithheld
from sluice.aws.gateway import _API_NAMES
from sluice.aws.transport import Answered, NoAnswer, NotSent
from sluice.model.binding import Priority
from sluice.model.errors import AwsFailure, Deferred, LeadershipLost

Build = Callable[..., Any]


def test_a_response_comes_back_as_it_is(rig: Build) -> None:
    """The gateway adds nothing to what AWS says."""
    world = rig({"services": []})
    got = world.gateway.call("ecs", "DescribeServices", {"services": ["a"]}, context=world.context())
    assert got == {"services": []}
    assert world.transport.sent == [("ecs", "DescribeServices", {"services": ["a"]})]


def test_a_read_is_repeated_until_aws_answers(rig: Build) -> None:
    """Two lost answers and a third that comes: the caller sees only the last."""
    world = rig(NotSent("refused"), NoAnswer("reset"), {"services": []})
    world.gateway.call("ecs", "DescribeServices", {}, context=world.context())
    assert len(world.transport.sent) == 3


def test_a_read_gives_up_after_three_attempts(rig: Build) -> None:
    """A fourth would only hold the thread."""
    world = rig(*[Answered("ServerException", "", status=500)] * 5)
    with pytest.raises(AwsFailure, match="ServerException"):
        world.gateway.call("ecs", "DescribeServices", {}, context=world.context())
    assert len(world.transport.sent) == 3


def test_a_slow_read_is_not_repeated(rig: Build) -> None:
    """One deadline holds for all attempts together."""
    world = rig()

    def slow(_params: object) -> object:
        world.clock.seconds += 10
        raise NoAnswer("read timeout")

    world.transport.answers = [slow, slow]
    with pytest.raises(AwsFailure, match="read timeout"):
        world.gateway.call("ecs", "DescribeServices", {}, context=world.context())
    assert len(world.transport.sent) == 1


@pytest.mark.parametrize(
    "error", [NotSent("refused"), NoAnswer("reset"), Answered("ServerException", "", status=500)], ids=repr
)
def test_a_write_is_sent_once(rig: Build, error: Exception) -> None:
    """Whatever happens to a write, a second one is somebody else's decision."""
    world = rig(error)
    with pytest.raises(AwsFailure):
        world.gateway.call("ecs", "CreateService", {}, context=world.context())
    assert len(world.transport.sent) == 1


def test_a_missing_token_is_told_in_wall_time_and_nothing_is_sent(rig: Build) -> None:
    """The queue sleeps until then; no thread waits."""
    world = rig()
    for number in range(20):
        world.gateway.call("ecs", "RegisterTaskDefinition", {}, context=world.context(f"d{number}"))
    with pytest.raises(Deferred) as told:
        world.gateway.call("ecs", "RegisterTaskDefinition", {}, context=world.context("late"))
    assert told.value.until == pytest.approx(world.clock.now() + 1)
    assert told.value.bucket == "ecs/task-definition-modify of 111122223333/eu-west-1"
    assert len(world.transport.sent) == 20
    name = "sluice_aws_budget_deferred_total"
    labels = {"account": "111122223333", "region": "eu-west-1", "priority": "rollout"}
    assert world.registry.get_sample_value(name, {"bucket": "ecs/task-definition-modify", **labels}) == 1


def test_a_throttled_call_slows_the_budget_and_is_not_repeated(rig: Build) -> None:
    """Repeating at once is what throttling asks not to do."""
    world = rig(Answered("ThrottlingException", "Rate exceeded"))
    with pytest.raises(AwsFailure) as failed:
        world.gateway.call("ecs", "DescribeServices", {}, context=world.context())
    assert failed.value.kind == "throttled"
    assert len(world.transport.sent) == 1
    (state,) = world.budgets.states(world.clock.monotonic())
    assert (state.tokens, state.factor) == (0.0, 0.5)


def test_no_write_starts_that_the_lease_may_not_outlive(rig: Build) -> None:
    """Ten seconds of lease are needed: the longest a write takes. Reads need none."""
    world = rig()
    world.lease.seconds = 9.9
    with pytest.raises(LeadershipLost):
        world.gateway.call("ecs", "UpdateService", {}, context=world.context())
    world.gateway.call("ecs", "DescribeServices", {}, context=world.context())
    assert [operation for _, operation, _ in world.transport.sent] == ["DescribeServices"]
    states = {state.bucket: state for state in world.budgets.states(world.clock.monotonic())}
    assert states["ecs/service-modify"].tokens == states["ecs/service-modify"].capacity


def test_a_dry_run_reads_and_never_writes(rig: Build) -> None:
    """Writes are counted and refused with their own outcome, without a token."""
    world = rig(dry_run=True)
    with pytest.raises(WriteWithheld):
        world.gateway.call("ecs", "UpdateService", {}, context=world.context())
    world.gateway.call("ecs", "DescribeServices", {}, context=world.context())
    assert len(world.transport.sent) == 1
    labels = {"service": "ecs", "operation": "UpdateService"}
    assert world.registry.get_sample_value("sluice_aws_dry_run_writes_total", labels) == 1


def test_every_write_leaves_one_line_without_secrets(rig: Build) -> None:
    """The audit line says what, why and for whom; environment values never appear in it."""
    world = rig({}, Answered("AccessDeniedException", "not authorized"))
    container = {"name": "app", "environment": [{"name": "TOKEN", "value": "s3cr3t"}], "command": ["s3cr3t"]}
    with structlog.testing.capture_logs() as lines:
        world.gateway.call(
            "ecs",
            "RegisterTaskDefinition",
            {"family": "checkout", "containerDefinitions": [container]},
            context=world.context(),
        )
        with pytest.raises(AwsFailure):
            world.gateway.call("ecs", "UpdateService", {"service": "s"}, context=world.context())
    assert [(line["operation"], line["outcome"]) for line in lines] == [
        ("RegisterTaskDefinition", "ok"),
        ("UpdateService", "denied"),
    ]
    assert lines[0]["params"] == {"family": "checkout"}
    assert (lines[0]["key"], lines[0]["reason"]) == ("Deployment/shop/checkout", "because")
    assert "s3cr3t" not in str(lines)


def test_the_audit_line_names_the_request_and_its_subject(rig: Build) -> None:
    """CloudTrail finds the call by it, whether AWS accepted or refused; callers never see it."""
    accepted = {"service": {}, "ResponseMetadata": {"RequestId": "r-1", "HTTPStatusCode": 200}}
    refusal = Answered("AccessDeniedException", "no", status=403, request_id="r-2")
    world = rig(accepted, refusal, NoAnswer("reset"))
    context = dataclasses.replace(world.context(), subject="ECS service checkout")
    with structlog.testing.capture_logs() as lines:
        assert world.gateway.call("ecs", "UpdateService", {}, context=context) == {"service": {}}
        for _ in range(2):
            with pytest.raises(AwsFailure):
                world.gateway.call("ecs", "UpdateService", {}, context=context)
    assert [line.get("request_id") for line in lines] == ["r-1", "r-2", None]
    assert {line["subject"] for line in lines} == {"ECS service checkout"}


def test_the_audit_line_of_a_rule_shows_its_weights(rig: Build) -> None:
    """Who asks where traffic went finds it in the log."""
    world = rig()
    groups = [{"TargetGroupArn": "a", "Weight": 9}, {"TargetGroupArn": "b", "Weight": 1}]
    actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]
    with structlog.testing.capture_logs() as lines:
        world.gateway.call(
            "elbv2", "ModifyRule", {"RuleArn": "r", "Actions": actions}, context=world.context()
        )
    assert lines[0]["params"] == {"RuleArn": "r", "weights": {"a": 9, "b": 1}}


def test_calls_are_counted_by_outcome(rig: Build) -> None:
    """Metrics tell successes from each kind of failure."""
    world = rig({}, Answered("AccessDeniedException", ""))
    world.gateway.call("ecs", "DescribeServices", {}, context=world.context())
    with pytest.raises(AwsFailure):
        world.gateway.call("ecs", "DescribeServices", {}, context=world.context())
    for outcome in ("ok", "denied"):
        labels = {
            "service": "ecs",
            "operation": "DescribeServices",
            "outcome": outcome,
            "account": "111122223333",
            "region": "eu-west-1",
        }
        assert world.registry.get_sample_value("sluice_aws_calls_total", labels) == 1


def test_tokens_left_are_exported_at_each_scrape(rig: Build) -> None:
    """The gauge follows the bucket, including what time has refilled."""
    world = rig()
    world.gateway.call("ecs", "UpdateService", {}, context=world.context())
    labels = {"bucket": "ecs/service-modify", "account": "111122223333", "region": "eu-west-1"}
    assert world.registry.get_sample_value("sluice_aws_budget_tokens", labels) == 49
    world.clock.seconds += 1
    assert world.registry.get_sample_value("sluice_aws_budget_tokens", labels) == 50


def test_a_reserved_call_can_be_given_back(rig: Build) -> None:
    """The token of a write that was not made is there for the next one."""
    world = rig()
    for number in range(20):
        context = world.context(f"d{number}")
        permit = world.gateway.reserve("ecs", "RegisterTaskDefinition", context=context)
        world.gateway.release(permit)
    context = world.context(priority=Priority.GARBAGE)
    assert world.gateway.reserve("ecs", "RegisterTaskDefinition", context=context)
    assert world.transport.sent == []


def test_spans_name_services_as_other_sdks_do() -> None:
    """By the serviceId of AWS's own models, which is what the semantic conventions ask for."""
    models = botocore.session.get_session()
    for service, name in _API_NAMES.items():
        assert models.get_service_model(service).metadata["serviceId"] == name
