"""Containers in process: who listens, who exits when, and what health commands find."""

from __future__ import annotations

import pytest
from elb_world import Elb

from sluice_sandbox.aws.ports import ContainerLaunch, HttpRequest, TaskLaunch
from sluice_sandbox.dataplane.behaviour import ImageRule

IP = "10.42.0.10"
REQUEST = HttpRequest(host="h", path="/p")


@pytest.fixture
def elb() -> Elb:
    """Return a world in virtual time."""
    return Elb()


def test_a_task_answers_who_it_is(elb: Elb) -> None:
    """Image, tag, revision, task, slot and the request itself are in the echo."""
    elb.task(IP, image="repo/app:v7")
    answer = elb.network.respond(IP, 8080, REQUEST)
    assert answer is not None
    assert answer.status == 200
    assert answer.body == {
        "image": "repo/app:v7",
        "tag": "v7",
        "revision": "app:3",
        "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/app:3",
        "task": "1042010",
        "slot": "slot-a",
        "service": "app",
        "container": "app",
        "requests": 1,
        "method": "GET",
        "path": "/p",
        "host": "h",
        "headers": {},
    }


def test_a_stopped_task_listens_no_more_and_its_exit_is_not_told(elb: Elb) -> None:
    """stop() is quiet and can be repeated."""
    task = elb.task(IP, SANDBOX_CRASH_AFTER_S="5")
    elb.runtime.stop(task)
    elb.runtime.stop(task)
    elb.clock.advance(10)
    assert elb.network.respond(IP, 8080, REQUEST) is None
    assert elb.exits == []


@pytest.mark.parametrize(
    ("environment", "seconds", "code"),
    [
        pytest.param({"SANDBOX_EXIT": "3"}, 0.0, 3, id="exit-at-start"),
        pytest.param({"SANDBOX_CRASH_AFTER_S": "5"}, 5.0, 1, id="crash-later"),
    ],
)
def test_exits_are_told_on_the_clock(
    elb: Elb, environment: dict[str, str], seconds: float, code: int
) -> None:
    """Never from inside start(), exactly once, and nothing listens afterwards."""
    task = elb.task(IP, **environment)
    assert elb.exits == []
    elb.clock.advance(seconds)
    elb.clock.advance(100)
    assert elb.exits == [(task, "app", code)]
    assert elb.network.respond(IP, 8080, REQUEST) is None


def test_the_share_of_failures_is_kept(elb: Elb) -> None:
    """A quarter of a thousand requests fail, within five percent; health checks do not."""
    elb.task(IP, SANDBOX_FAIL_PERCENT="25")
    answers = [elb.network.respond(IP, 8080, REQUEST) for _ in range(1000)]
    failed = sum(answer is not None and answer.status == 500 for answer in answers)
    assert 200 < failed < 300
    assert {elb.network.probe(IP, 8080, path="/", timeout=5).status for _ in range(50)} == {200}


def test_start_delay_is_the_longest_of_the_containers(elb: Elb) -> None:
    """ECS asks once for the whole task."""
    containers = tuple(
        ContainerLaunch(name=name, image="a", environment={"SANDBOX_START_DELAY_S": delay})
        for name, delay in (("one", "2"), ("two", "7"))
    )
    launch = TaskLaunch(task_arn="t", ip=IP, task_definition_arn="d", containers=containers)
    assert elb.runtime.start_delay(launch) == 7.0


def test_health_commands_follow_the_behaviour(elb: Elb) -> None:
    """UNKNOWN without a command, else HEALTHY or UNHEALTHY."""
    elb.runtime.start(
        TaskLaunch(
            task_arn="t",
            ip=IP,
            task_definition_arn="d",
            containers=(
                ContainerLaunch(name="plain", image="a"),
                ContainerLaunch(name="checked", image="a", health_command=("CMD", "true")),
            ),
        ),
        on_exit=lambda *_: None,
    )
    assert elb.runtime.container_health("t", "plain") == "UNKNOWN"
    assert elb.runtime.container_health("t", "checked") == "HEALTHY"
    elb.runtime.change("t", "checked", {"SANDBOX_UNHEALTHY": "1"})
    assert elb.runtime.container_health("t", "checked") == "UNHEALTHY"


def test_image_rules_reach_running_containers(elb: Elb) -> None:
    """A new rule is followed at once, its removal too, and subscribers are told of both."""
    announced: list[str] = []
    elb.task(IP, image="app:v2")
    elb.network.on_change(announced.append)
    elb.runtime.set_rules([ImageRule(pattern="app:v2", variables={"SANDBOX_FAIL_PERCENT": "100"})])
    failing = elb.network.respond(IP, 8080, REQUEST)
    elb.runtime.set_rules([])
    healed = elb.network.respond(IP, 8080, REQUEST)
    assert failing is not None
    assert healed is not None
    assert (failing.status, healed.status) == (500, 200)
    assert announced == [IP, IP]


def test_two_tasks_cannot_have_one_address(elb: Elb) -> None:
    """The second listener on an address is an error of the caller."""
    elb.task(IP)
    with pytest.raises(ValueError, match="in use"):
        elb.runtime.start(
            TaskLaunch(
                task_arn="other",
                ip=IP,
                task_definition_arn="d",
                containers=(ContainerLaunch(name="app", image="a", ports=(8080,)),),
            ),
            on_exit=lambda *_: None,
        )
