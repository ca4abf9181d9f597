"""What people do in the middle of a rollout that must not leave requests on a bad candidate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sim.progressive_stories import QUICK, at_step, production, ready, rolled_back, serves, verb, web
from sim.stories import apply
from sim.universe import WEB, Universe, route
from sim.visitors import Visitors
from sluice_sandbox.aws.ecr.pulls import EcrImages
from sluice_sandbox.aws.ecs.images import Pull

HALF = {
    "type": "Progressive",
    "progressive": {
        "steps": [{"setWeight": 50}, {"pause": {}}, {"setWeight": 100}],
        "analysis": {
            "interval": "60s",
            "metrics": [
                {
                    "name": "errors",
                    "loadBalancer": {"metric": "TargetErrorRate"},
                    "failureCondition": "> 0.05",
                    "minRequests": 5,
                }
            ],
            "onNoData": "Pass",
        },
        "drain": QUICK,
    },
}
FAILING = {"SANDBOX_FAIL_PERCENT": "50"}
Mishap = Callable[[Universe], None]


def half(**spec: Any) -> Universe:
    """Return a universe in which half of the requests go to web:2 and a person has to promote."""
    universe = Universe(seed=7)
    apply(web(strategy=HALF), route())(universe)
    universe.settle(lambda: ready(universe))
    apply(web("web:2", strategy=HALF, **spec))(universe)
    universe.settle(lambda: at_step(1)(universe))
    return universe


def alone(universe: Universe) -> bool:
    """Tell whether production sends to one target group alone, the live slot's."""
    groups = {group["name"]: group["slot"] for group in universe.status()["targetGroups"]}
    return [groups[name] for name in production(universe)] == [universe.status()["live"]["slot"]]


def another_cluster(universe: Universe) -> None:
    """Ask for a cluster that a progressive Deployment cannot move to."""
    universe.cluster.edit(WEB, lambda obj: obj["spec"]["ecs"].update(cluster="second"))


def missing_config_map(universe: Universe) -> None:
    """Refer to a ConfigMap that does not exist."""
    refers = [{"configMapRef": {"name": "nope"}}]
    universe.cluster.edit(
        WEB, lambda obj: obj["spec"]["template"]["spec"]["containers"][0].update(envFrom=refers)
    )


def take_the_service(universe: Universe) -> None:
    """Give the candidate's ECS service to somebody else, by its tags."""
    slot = universe.status()["rollout"]["slot"]
    arn = next(entry["serviceArn"] for entry in universe.status()["slots"] if entry["name"] == slot)
    universe.aws(
        "ecs", "TagResource", resourceArn=arn, tags=[{"key": "sluice.dev/installation", "value": "else"}]
    )


MISHAPS: dict[str, tuple[Mishap, str]] = {
    "another cluster": (another_cluster, "InvalidSpec"),
    "a missing ConfigMap": (missing_config_map, "InvalidSpec"),
    "a service that is not ours any more": (take_the_service, "OwnershipConflict"),
}


@pytest.mark.parametrize(("mishap", "reason"), MISHAPS.values(), ids=MISHAPS)
@pytest.mark.parametrize("restarted", [False, True], ids=["", "restarted"])
def test_what_is_refused_holds_a_rollout_and_an_abort_goes_through(
    mishap: Mishap, reason: str, *, restarted: bool
) -> None:
    """The condition tells it, no step goes forward, and a person's abort is heard."""
    universe = half()
    visitors = Visitors(universe).start()
    mishap(universe)
    if restarted:
        universe.restart()
    universe.settle(lambda: universe.reason() == reason, within=120)
    verb(universe, "promote")
    universe.run(120)
    assert sorted(production(universe).values()) == [50, 50]
    assert universe.reason() == reason
    verb(universe, "abort")
    universe.settle(lambda: alone(universe), within=30)
    assert visitors.stop().bad == []


@pytest.mark.parametrize("mishap", [another_cluster, missing_config_map])
def test_analysis_goes_on_while_the_spec_is_refused(mishap: Mishap) -> None:
    """A mistake in the spec does not blind the metrics: the bad candidate is rolled back by itself."""
    universe = half(env=FAILING)
    visitors = Visitors(universe).start()
    mishap(universe)
    universe.settle(lambda: alone(universe), within=300)
    universe.run(400)
    assert {answer.rsplit(" ", 1)[-1] for answer in visitors.stop().bad} == {"web:2"}
    entry = universe.status()["history"][0]
    assert (entry["outcome"], entry["reason"].split(":")[0]) == ("RolledBack", "Analysis")
    assert universe.reason() == "InvalidSpec"


def test_a_corrected_spec_goes_on_where_it_was() -> None:
    """Nothing was forgotten: the same rollout, the same step."""
    universe = half()
    before = universe.status()["rollout"]["id"]
    missing_config_map(universe)
    universe.settle(lambda: universe.reason() == "InvalidSpec", within=60)
    apply(web("web:2", strategy=HALF))(universe)
    universe.settle(lambda: universe.reason() == "Paused", within=60)
    assert universe.status()["rollout"]["id"] == before
    verb(universe, "promote")
    universe.settle(lambda: serves("web:2")(universe), within=1800)


def test_a_word_that_is_said_while_suspended_is_heard_afterwards() -> None:
    """Suspended does nothing, so nothing was done: the abort is not recorded as handled."""
    universe = half()
    universe.options["settings"] = {"suspended": True}
    universe.restart()
    verb(universe, "abort")
    universe.run(30)
    assert sorted(production(universe).values()) == [50, 50]
    universe.options["settings"] = None
    universe.restart()
    universe.settle(lambda: rolled_back(universe), within=600)


def test_a_revision_that_comes_while_nothing_runs_waits_for_tasks() -> None:
    """At 0 replicas nothing can become healthy: no deadline, nothing rejected; it begins when scaled up."""
    universe = Universe(seed=7)
    apply(web(strategy=HALF, replicas=0), route())(universe)
    universe.run(8000)
    assert universe.reason() == "WaitingForTargets"
    universe.cluster.scale(WEB, 2)
    universe.settle(lambda: serves("web:1")(universe))
    universe.cluster.scale(WEB, 0)
    universe.settle(lambda: ready(universe))
    apply(web("web:2", strategy=HALF, replicas=0))(universe)
    universe.run(8000)
    assert "scaled to 0" in universe.condition("Ready")["message"]
    apply(web("web:2", strategy=HALF))(universe)
    universe.settle(lambda: at_step(1)(universe))


BROKEN: dict[str, dict[str, Any]] = {
    "ECS is down": {"kind": "error", "service": "ecs", "status": 500, "code": "ServerException"},
    "ECS may not be read": {"kind": "deny", "service": "ecs"},
    "ECS throttles": {"kind": "throttle", "service": "ecs"},
    "rules can be written and not read": {"kind": "error", "operation": "DescribeRules", "status": 500},
}


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
def test_an_abort_waits_for_no_read_of_ecs(fault: dict[str, Any]) -> None:
    """The load balancer tells that the source is healthy: the rules are written at once, the rest later."""
    universe = half()
    visitors = Visitors(universe).start()
    universe.fault(**fault)
    universe.run(5)
    counts = universe.status()["readyReplicas"]
    verb(universe, "abort")
    universe.settle(lambda: alone(universe), within=10)
    assert universe.status()["readyReplicas"] == counts
    universe.run(200)
    assert [service["runningCount"] for service in universe.services()] == [2, 2]
    universe.heal()
    universe.settle(lambda: rolled_back(universe), within=900)
    assert visitors.stop().bad == []


def test_analysis_and_its_rollback_wait_for_no_read_of_ecs() -> None:
    """Metrics are asked on while ECS is down, and what they say is done."""
    universe = half(env=FAILING)
    visitors = Visitors(universe).start()
    universe.fault(**BROKEN["ECS is down"])
    universe.settle(lambda: alone(universe), within=200)
    assert {answer.rsplit(" ", 1)[-1] for answer in visitors.stop().bad} == {"web:2"}


def test_nothing_goes_forward_while_ecs_cannot_be_read() -> None:
    """A promote is kept in mind, and done when there is sight again."""
    universe = half()
    universe.fault(**BROKEN["ECS is down"])
    universe.run(5)
    verb(universe, "promote")
    universe.run(300)
    assert sorted(production(universe).values()) == [50, 50]
    universe.heal()
    universe.settle(lambda: serves("web:2")(universe), within=1800)


def test_a_source_of_unknown_health_gets_its_requests_back_when_its_tasks_run() -> None:
    """Without DescribeTargetHealth the rollback waits half a minute, and goes by running tasks then."""
    universe = half()
    universe.fault(kind="error", operation="DescribeTargetHealth", status=500, code="InternalFailure")
    universe.run(5)
    verb(universe, "abort")
    universe.run(20)
    assert sorted(production(universe).values()) == [50, 50]
    assert "health could not be read" in universe.condition("Ready")["message"]
    universe.settle(lambda: alone(universe), within=30)
    universe.heal()
    universe.settle(lambda: alone(universe), within=30)


def test_a_tag_that_is_moved_while_the_candidate_is_analysed_holds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody pushes to the tag and forces a deployment: what runs is not what was analysed, and says so."""
    universe = half()
    slot = next(
        entry for entry in universe.status()["slots"] if entry["name"] == universe.status()["rollout"]["slot"]
    )
    universe.run(70)
    assert len(universe.status()["rollout"]["memory"]["images"]) == 1
    moved = Pull(digest=f"sha256:{'f' * 64}")
    monkeypatch.setattr(EcrImages, "pull", lambda *_: moved)
    universe.aws(
        "ecs", "UpdateService", cluster="sandbox", service=slot["serviceArn"], forceNewDeployment=True
    )
    universe.settle(lambda: universe.reason() == "AnalysisInconclusive", within=300)
    assert "ffffffffffff; its tag was moved" in universe.condition("Stalled")["message"]
    assert sorted(production(universe).values()) == [50, 50]
    verb(universe, "abort")
    universe.settle(lambda: alone(universe), within=60)
    universe.settle(lambda: "rollout" not in universe.status(), within=600)
    evidence = universe.status()["history"][0]["evidence"]
    assert any(line.startswith("image app: ") for line in evidence)
    assert len([line for line in evidence if line.startswith("rule ")]) == 1  # the anchor is none of them


def test_ready_after_a_scale_in_means_that_the_counts_are_true() -> None:
    """What scales by status.replicas must not read tasks that stop for as long as the next look takes."""
    universe = Universe(seed=7)
    apply(web(strategy=HALF, replicas=4), route())(universe)
    universe.settle(lambda: ready(universe) and universe.status()["replicas"] == 4)
    universe.cluster.edit(WEB, lambda obj: obj["spec"].update(replicas=1))
    universe.run(45)
    assert universe.ready(WEB)
    assert (universe.status()["replicas"], universe.status()["readyReplicas"]) == (1, 1)


def test_a_definition_that_came_to_light_after_the_abort_is_not_made_twice() -> None:
    """Its registration was not answered and the rollout given up: the next one to want it has it."""
    universe = Universe(seed=7)
    apply(web(strategy=HALF), route())(universe)
    universe.settle(lambda: ready(universe))
    universe.fault("lost-response", operation="RegisterTaskDefinition", remaining=1)
    universe.fault("reset", operation="ListTaskDefinitions", probability=1, until=universe.clock.now() + 3)
    apply(web("web:2", strategy=HALF))(universe)
    universe.run(0.2)
    assert "registering" in universe.status()
    verb(universe, "abort")
    universe.settle(lambda: rolled_back(universe))
    verb(universe, "retry")
    universe.settle(lambda: at_step(1)(universe))
    assert len(universe.definitions()) == 2


def test_target_groups_are_deleted_while_both_slots_have_weight() -> None:
    """The way back can't be written before the source has one again: that comes before the rules then."""
    universe = half()
    for port in universe.listeners:
        for rule in universe.rules(port):
            universe.aws("elbv2", "DeleteRule", RuleArn=rule["RuleArn"])
    for group in universe.target_groups():
        universe.aws("elbv2", "DeleteTargetGroup", TargetGroupArn=group["TargetGroupArn"])
    universe.settle(lambda: rolled_back(universe), within=900)
    assert alone(universe)
