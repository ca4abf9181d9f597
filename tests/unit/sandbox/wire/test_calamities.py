"""Calamities of the estate: shortage, zone loss, spent addresses, crash loops, edits by hand; each ends."""

from __future__ import annotations

from typing import Any

import pytest

from sluice_sandbox.aws.calamities import CALAMITIES, Calamities, Calamity
from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.estate import SUBNET_CIDRS, SUBNET_IDS
from sluice_sandbox.aws.world import World


class Bench:
    """A world with a service of three tasks in three zones."""

    def __init__(self, seed: int = 0) -> None:
        """Bring the service up."""
        self.clock = VirtualClock()
        self.world = World.build(clock=self.clock, seed=seed)
        self.calamities = Calamities(self.world)
        call = self.world.call
        call("ecs", "CreateCluster", {})
        call(
            "ecs",
            "RegisterTaskDefinition",
            {
                "family": "web",
                "cpu": "256",
                "memory": "512",
                "networkMode": "awsvpc",
                "requiresCompatibilities": ["FARGATE"],
                "containerDefinitions": [{"name": "a", "image": "example/web:1"}],
            },
        )
        call(
            "ecs",
            "CreateService",
            {
                "serviceName": "web",
                "taskDefinition": "web",
                "desiredCount": 3,
                "launchType": "FARGATE",
                "networkConfiguration": {"awsvpcConfiguration": {"subnets": list(SUBNET_IDS)}},
            },
        )
        self.clock.advance(60)

    def tasks(self, status: str = "RUNNING") -> list[dict[str, Any]]:
        """Return the tasks of a desired status."""
        arns = self.world.call("ecs", "ListTasks", {"desiredStatus": status})["taskArns"]
        found: list[dict[str, Any]] = (
            self.world.call("ecs", "DescribeTasks", {"tasks": arns})["tasks"] if arns else []
        )
        return [task for task in found if status == "STOPPED" or task["lastStatus"] == "RUNNING"]

    def scale(self, count: int) -> None:
        """Ask for so many tasks and wait a minute."""
        self.world.call("ecs", "UpdateService", {"service": "web", "desiredCount": count})
        self.clock.advance(60)

    def events(self) -> str:
        """Return the service's events as one text."""
        service = self.world.call("ecs", "DescribeServices", {"services": ["web"]})["services"][0]
        return " ".join(event["message"] for event in service["events"])


@pytest.fixture
def bench() -> Bench:
    """A service of three tasks."""
    bench = Bench()
    assert len(bench.tasks()) == 3
    return bench


@pytest.mark.parametrize("kind", ["capacity-shortage", "ip-exhaustion"])
def test_no_task_can_be_placed_until_it_ends(bench: Bench, kind: str) -> None:
    """Running tasks stay, new ones find no place and ECS says so; afterwards they come."""
    calamity = bench.calamities.begin(Calamity(kind=kind))
    bench.scale(5)
    assert len(bench.tasks()) == 3
    assert "was unable to place a task" in bench.events()
    assert bench.calamities.end(calamity.id)
    bench.clock.advance(120)
    assert len(bench.tasks()) == 5


def test_one_subnet_can_run_out(bench: Bench) -> None:
    """With one subnet spent the others take its tasks."""
    bench.calamities.begin(Calamity(kind="ip-exhaustion", where=SUBNET_CIDRS[0]))
    bench.scale(6)
    zones = [task["availabilityZone"] for task in bench.tasks()]
    assert (len(zones), zones.count("eu-west-1a")) == (6, 1)


def test_a_lost_zone_moves_its_tasks(bench: Bench) -> None:
    """Its tasks end and come up elsewhere; after `until` the zone is used again."""
    until = bench.clock.now() + 300
    bench.calamities.begin(Calamity(kind="zone-loss", where="eu-west-1a", until=until))
    bench.clock.advance(60)
    zones = [task["availabilityZone"] for task in bench.tasks()]
    assert (len(zones), "eu-west-1a" in zones) == (3, False)
    bench.clock.advance(300)
    assert bench.calamities.active() == ()
    bench.scale(6)
    assert "eu-west-1a" in [task["availabilityZone"] for task in bench.tasks()]


def test_a_crash_loop_ends_task_after_task(bench: Bench) -> None:
    """Tasks of the service crash after a time, their successors too, until it ends."""
    before = {task["taskArn"] for task in bench.tasks()}
    calamity = bench.calamities.begin(Calamity(kind="crash-loop", where="we?", seconds=5))
    bench.clock.advance(60)
    stopped = bench.tasks("STOPPED")
    assert before < {task["taskArn"] for task in stopped}
    assert {task["stopCode"] for task in stopped} == {"EssentialContainerExited"}
    assert {task["containers"][0]["exitCode"] for task in stopped} == {1}
    bench.calamities.end(calamity.id)
    bench.clock.advance(120)
    count = len(bench.tasks("STOPPED"))
    bench.clock.advance(120)
    assert len(bench.tasks("STOPPED")) == count
    assert len(bench.tasks()) == 3


def test_other_services_are_spared(bench: Bench) -> None:
    """A loop of services with another name touches nothing."""
    bench.calamities.begin(Calamity(kind="crash-loop", where="api"))
    bench.clock.advance(60)
    assert bench.tasks("STOPPED") == []


def test_dice_are_the_worlds() -> None:
    """The same seed crashes the same tasks."""
    ended = []
    for _ in range(2):
        bench = Bench(seed=7)
        bench.calamities.begin(Calamity(kind="crash-loop", where="web", probability=0.5))
        bench.clock.advance(120)
        ended.append(sorted(task["taskArn"] for task in bench.tasks("STOPPED")))
    assert ended[0] == ended[1]


def test_edits_by_hand_are_recorded_as_somebodys(bench: Bench) -> None:
    """A call by hand takes place and is told apart from the operator's by its principal."""
    answer = bench.calamities.edit("ecs", "UpdateService", {"service": "web", "desiredCount": 1})
    assert answer["service"]["desiredCount"] == 1
    last = list(bench.world.calls.find(operation="UpdateService"))[-1]
    assert last.principal == "arn:aws:iam::111122223333:user/console"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        pytest.param({"kind": "flood"}, "no calamity is called 'flood'", id="kind"),
        pytest.param({"kind": "zone-loss"}, "needs a zone", id="zone"),
        pytest.param({"kind": "crash-loop", "probability": 3}, "between 0 and 1", id="probability"),
        pytest.param({"kind": "crash-loop", "seconds": 0}, "above 0", id="seconds"),
    ],
)
def test_nonsense_is_refused(fields: dict[str, Any], text: str) -> None:
    """What can mean nothing is refused when it is made."""
    with pytest.raises(ValueError, match=text):
        Calamity(**fields)


def test_all_can_be_ended_at_once(bench: Bench) -> None:
    """`clear` ends every kind, and an id that is gone is told."""
    for kind in CALAMITIES:
        bench.calamities.begin(Calamity(kind=kind, where="eu-west-1a" if kind == "zone-loss" else ""))
    assert len(bench.calamities.active()) == 4
    bench.calamities.clear()
    assert bench.calamities.active() == ()
    assert not bench.calamities.end("calamity-1")
