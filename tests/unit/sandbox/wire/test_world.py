"""A call in process passes validation, faults, handler, copy and record as one over HTTP does."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
import wire_fakes
from botocore.exceptions import ParamValidationError

from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.errors import AwsError, ConnectionLost
from sluice_sandbox.aws.faults import Fault
from sluice_sandbox.aws.service import Caller
from sluice_sandbox.aws.world import World


def test_answers_as_boto3_does(world: World) -> None:
    """Timestamps are aware datetimes; unset and unmodelled members do not appear."""
    created = world.call("ecs", "CreateService", {"serviceName": "web"})["service"]
    assert created["createdAt"] == datetime.fromtimestamp(1_800_000_000.25, UTC)
    described = world.call("ecs", "DescribeServices", {"services": ["web", "ghost"]})
    assert described == {"services": [created], "failures": [{"arn": "ghost", "reason": "MISSING"}]}


def test_an_answer_shares_nothing_with_the_service(world: World) -> None:
    """Changing what was returned, or what was sent, changes nothing in the service."""
    actions = [{"Type": "forward", "TargetGroupArn": "a"}]
    answer = world.call("elbv2", "ModifyRule", {"RuleArn": "r", "Actions": actions})
    actions[0]["TargetGroupArn"] = "b"
    answer["Rules"][0]["Actions"].clear()
    seen = world.call("elbv2", "DescribeRules", {})["Rules"][0]["Actions"]
    assert seen == [{"Type": "forward", "TargetGroupArn": "a"}]


def test_the_caller_decides_account_and_region(world: World) -> None:
    """Handlers see who calls; without a name it is the world's own caller."""
    other = Caller(account="444455556666", region="us-west-2")
    arn = world.call("ecs", "CreateService", {"serviceName": "web"}, caller=other)["service"]["serviceArn"]
    assert arn == "arn:aws:ecs:us-west-2:444455556666:service/default/web"


@pytest.mark.parametrize(
    ("params", "text"),
    [
        pytest.param(
            {"serviceName": "a", "colour": "red"}, 'Unknown parameter in input: "colour"', id="unknown"
        ),
        pytest.param({}, 'Missing required parameter in input: "serviceName"', id="required"),
        pytest.param({"serviceName": 3}, "Invalid type for parameter serviceName", id="type"),
        pytest.param({"serviceName": None}, "Invalid type for parameter serviceName", id="none"),
    ],
)
def test_refuses_what_boto3_would_not_send(world: World, params: dict[str, object], text: str) -> None:
    """boto3's own validation error is raised in process too: no test passes what a client would not send."""
    with pytest.raises(ParamValidationError, match=text):
        world.call("ecs", "CreateService", params)


@pytest.mark.parametrize(
    ("operation", "params", "code", "text"),
    [
        pytest.param(
            "CreateService",
            {"serviceName": "a", "launchType": "MOON"},
            "InvalidParameterException",
            "1 validation error detected: Value 'MOON' at 'launchType' failed to satisfy constraint: "
            "Member must satisfy enum value set: [EC2, FARGATE, EXTERNAL",
            id="enum",
        ),
        pytest.param(
            "RegisterTaskDefinition",
            {
                "family": "f",
                "containerDefinitions": [
                    {"name": "a"},
                    {"dependsOn": [{"containerName": "a", "condition": "X"}]},
                ],
            },
            "InvalidParameterException",
            "at 'containerDefinitions.2.member.dependsOn.1.member.condition'",
            id="path",
        ),
    ],
)
def test_refuses_what_only_the_service_checks(
    world: World, operation: str, params: dict[str, object], code: str, text: str
) -> None:
    """Enumerations are refused by the service, in its code, naming the member's path."""
    with pytest.raises(AwsError) as caught:
        world.call("ecs", operation, params)
    assert caught.value.code == code
    assert text in caught.value.message


def test_never_pretends(world: World) -> None:
    """An operation without a handler, or of an own service that is absent, is refused by name."""
    with pytest.raises(AwsError, match="The sandbox does not model ecs RunTask") as caught:
        world.call("ecs", "RunTask", {"taskDefinition": "f"})
    assert caught.value.status == 501
    without = World.of({}, clock=VirtualClock())
    with pytest.raises(AwsError, match="does not model elbv2 DescribeRules"):
        without.call("elbv2", "DescribeRules", {})
    with pytest.raises(AwsError, match="ecs has no operation Dance"):
        world.call("ecs", "Dance", {})


def test_records_each_call_with_its_outcome(world: World) -> None:
    """The record tells what was asked and what came of it, in order, with counts."""
    world.call("ecs", "CreateService", {"serviceName": "web"})
    with pytest.raises(AwsError):
        world.call("ecs", "CreateService", {"serviceName": "web"})
    outcomes = [(call.number, call.operation, call.params, call.outcome) for call in world.calls.find()]
    assert outcomes == [
        (1, "CreateService", {"serviceName": "web"}, "OK"),
        (2, "CreateService", {"serviceName": "web"}, "InvalidParameterException"),
    ]
    assert world.calls.counts()["ecs", "CreateService", "OK"] == 1


def test_a_lost_answer_took_place(world: World) -> None:
    """After a lost response the caller knows nothing, yet the service exists."""
    world.faults.add(Fault(kind="lost-response", operation="CreateService", remaining=1))
    with pytest.raises(ConnectionLost):
        world.call("ecs", "CreateService", {"serviceName": "web"})
    assert world.call("ecs", "DescribeServices", {"services": ["web"]})["services"]
    assert [call.took_place for call in world.calls.find(outcome="ConnectionLost")] == [True]


def test_a_reset_connection_did_not_take_place(world: World) -> None:
    """A connection reset before the call leaves nothing behind."""
    world.faults.add(Fault(kind="reset", operation="CreateService", remaining=1))
    with pytest.raises(ConnectionLost):
        world.call("ecs", "CreateService", {"serviceName": "web"})
    assert not world.call("ecs", "DescribeServices", {"services": ["web"]})["services"]
    assert [call.took_place for call in world.calls.find(outcome="ConnectionLost")] == [False]


def test_stale_reads_miss_the_latest_writes() -> None:
    """A read under the fault sees the state of some seconds ago; once time has passed it sees the write."""
    clock = VirtualClock()
    world = wire_fakes.world(clock=clock)
    world.faults.add(Fault(kind="stale-read", seconds=5))
    world.call("ecs", "CreateService", {"serviceName": "old"})
    clock.advance(10)
    world.call("ecs", "CreateService", {"serviceName": "new"})

    def visible() -> list[str]:
        answer = world.call("ecs", "DescribeServices", {"services": ["old", "new"]})
        return [service["serviceName"] for service in answer["services"]]

    clock.advance(4)
    assert visible() == ["old"]
    clock.advance(2)
    assert visible() == ["old", "new"]


def test_latency_is_told_but_not_waited_for(world: World) -> None:
    """In process no time passes; the hook hears of it and the record counts it."""
    heard: list[float] = []
    world.faults.on_latency = heard.append
    world.faults.add(Fault(kind="latency", seconds=2.5))
    before = world.clock.now()
    world.call("elbv2", "DescribeRules", {})
    assert heard == [2.5]
    assert world.clock.now() == before
    assert next(world.calls.find()).duration == 2.5


def test_reset_returns_to_the_baseline(world: World) -> None:
    """After a reset the services are what they were at the baseline, and calls and faults are gone."""
    world.call("ecs", "CreateService", {"serviceName": "kept"})
    world.mark_baseline()
    world.call("ecs", "CreateService", {"serviceName": "lost"})
    world.faults.add(Fault(kind="throttle", operation="RunTask"))
    world.reset()
    answer = world.call("ecs", "DescribeServices", {"services": ["kept", "lost"]})
    assert [service["serviceName"] for service in answer["services"]] == ["kept"]
    assert world.faults.active() == ()
    assert world.calls.total == 1


def test_same_seed_same_story() -> None:
    """Two worlds of one seed refuse the same calls under a random fault; another seed refuses others."""

    def story(seed: int) -> str:
        world = wire_fakes.world(seed=seed)
        world.faults.add(Fault(kind="throttle", probability=0.5))
        for _ in range(64):
            with suppress(AwsError):
                world.call("elbv2", "DescribeRules", {})
        return json.dumps([call.outcome for call in world.calls.find()])

    assert story(1) == story(1)
    assert story(1) != story(2)
