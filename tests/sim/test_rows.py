"""rollout.md §6, row by row: the ECS service (rows of routes are in test_rows_routing.py)."""

from __future__ import annotations

import pytest

from sim import console
from sim.stories import BY_NAME, apply, tell
from sim.universe import LEDGER, ROUTE, WEB, Universe, deployment, route
from sluice.model.names import service_name
from sluice_sandbox.aws.estate import SECURITY_GROUP_ID
from sluice_sandbox.dataplane.behaviour import ImageRule

BREAKS = {"SANDBOX_EXIT": "1"}
NO_SUBNET = {"awsvpcConfiguration": {"subnets": ["subnet-0gone"], "securityGroups": [SECURITY_GROUP_ID]}}


def rolled_back() -> Universe:
    """Return a universe in which ECS has rolled back a revision whose tasks exit at once."""
    universe = tell(BY_NAME["create"])
    apply(deployment(image="web:2", env=BREAKS))(universe)
    universe.settle(lambda: universe.reason() == "RolledBack", within=3600)
    return universe


def image(universe: Universe) -> str:
    """Return the image of the task definition that the service has."""
    arn = console.service(universe)["taskDefinition"]
    answer = universe.aws("ecs", "DescribeTaskDefinition", taskDefinition=arn)
    return str(answer["taskDefinition"]["containerDefinitions"][0]["image"])


def events(universe: Universe, reason: str) -> list[str]:
    """Return the messages of the present process's events of a reason."""
    return [text for _, _, why, text in universe.operator.recorder.events if why == reason]


def test_spec_edited_mid_rollout() -> None:
    """The latest wins: the revision in the middle is superseded and the end is the last one's."""
    universe = tell(BY_NAME["create"])
    apply(deployment(image="web:2"))(universe)
    universe.run(3)
    apply(deployment(image="web:3"))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert image(universe) == "web:3"
    assert [entry["outcome"] for entry in universe.status()["history"]] == [
        "Succeeded",
        "Superseded",
        "Succeeded",
    ]


def test_spec_edited_back_mid_rollout() -> None:
    """Back to the source's spec: the source's own task definition runs, nothing is registered again."""
    universe = tell(BY_NAME["create"])
    apply(deployment(image="web:2"))(universe)
    universe.run(3)
    apply(deployment())(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert console.service(universe)["taskDefinition"].endswith(":1")
    assert len(universe.definitions()) == 2


def test_pause_stops_the_deadlines_clock() -> None:
    """A rollout that is paused for longer than its deadline is not late."""
    universe = tell(BY_NAME["create"])
    apply(deployment(image="web:2", progressDeadlineSeconds=120))(universe)
    universe.run(2)
    universe.cluster.edit(WEB, lambda obj: obj["spec"].update(paused=True))
    universe.run(600)
    assert universe.reason() == "Paused"
    universe.cluster.edit(WEB, lambda obj: obj["spec"].update(paused=False))
    seen = universe.reasons_until_ready()
    assert "ProgressDeadlineExceeded" not in seen


def test_scale_during_a_rollout() -> None:
    """The count follows at once, and the rollout ends with it."""
    universe = tell(BY_NAME["create"])
    apply(deployment(image="web:2"))(universe)
    universe.run(3)
    universe.cluster.scale(WEB, 5)
    universe.settle(lambda: console.service(universe)["desiredCount"] == 5, within=20)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert (image(universe), universe.status()["readyReplicas"]) == ("web:2", 5)


def test_operator_down_for_an_hour() -> None:
    """What changed meanwhile on both sides is one ordinary convergence afterwards."""
    universe = tell(BY_NAME["create"])
    apply(deployment(image="web:2"))(universe)
    universe.step()
    console.update_service(desiredCount=7)(universe)
    console.delete_rule("anchor")(universe)
    universe.cluster.delete(ROUTE)
    universe.clock.advance(3600)
    universe.restart()
    universe.settle(lambda: universe.ready(WEB) and universe.gone(ROUTE))
    assert (image(universe), console.service(universe)["desiredCount"]) == ("web:2", 2)
    assert [rule["Conditions"][0]["Field"] for rule in universe.rules()] == ["host-header"]


def test_rolled_back_by_ecs() -> None:
    """Never success: Stalled/RolledBack with ECS's reason and the tasks' own; what ran before runs."""
    universe = rolled_back()
    message = universe.condition("Stalled")["message"]
    assert "retry" in message
    assert "exit code 1" in message
    assert universe.condition("Ready")["status"] == "False"
    assert image(universe) == "web:1"
    assert universe.status()["rejectedRevision"]["revision"] != universe.status()["live"]["revision"]


def test_rolled_back_scales_and_repairs() -> None:
    """The rejected revision does not stop scaling and repair of what runs instead."""
    universe = rolled_back()
    universe.cluster.scale(WEB, 3)
    universe.settle(lambda: console.service(universe)["runningCount"] == 3)
    console.update_service(desiredCount=1)(universe)
    universe.settle(lambda: console.service(universe)["runningCount"] == 3)
    assert universe.reason() == "RolledBack"
    assert image(universe) == "web:1"


def test_rolled_back_stays_over_restart_and_tries_nothing() -> None:
    """A day and a restart later nothing was written: the same hash needs `retry`."""
    universe = rolled_back()
    universe.run(120)
    before = len(universe.writes())
    universe.restart()
    universe.run(3600)
    assert len(universe.writes()) == before
    assert universe.reason() == "RolledBack"


def test_rolled_back_then_another_hash() -> None:
    """Another revision starts at once, without `retry`."""
    universe = rolled_back()
    apply(deployment(image="web:3"))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE), within=300)
    assert image(universe) == "web:3"
    assert "rejectedRevision" not in universe.status()


def test_rolled_back_then_retry() -> None:
    """`retry` with the id that status shows tries once more; here what was broken outside works again."""
    universe = tell(BY_NAME["create"])
    runtime = universe.world.outside.runtime
    assert runtime is not None
    runtime.set_rules([ImageRule(pattern="web:2", variables=BREAKS)])
    apply(deployment(image="web:2"))(universe)
    universe.settle(lambda: universe.reason() == "RolledBack", within=3600)
    runtime.set_rules([])
    universe.run(120)
    assert universe.reason() == "RolledBack"
    universe.cluster.annotate(WEB, retry=universe.status()["history"][0]["id"])
    universe.settle(lambda: universe.ready(WEB, ROUTE), within=600)
    assert image(universe) == "web:2"
    assert len(universe.definitions()) == 2


def test_first_rollout_fails() -> None:
    """Nothing to go back to: Stalled/FirstRolloutFailed with the tasks' reason, and a fix starts at once."""
    universe = Universe(seed=7)
    apply(deployment(env=BREAKS), route())(universe)
    universe.settle(lambda: universe.reason() == "FirstRolloutFailed", within=3600)
    assert "exit code 1" in universe.condition("Stalled")["message"]
    assert not [rule for rule in universe.rules() if rule["Conditions"][0]["Field"] == "path-pattern"]
    apply(deployment(image="web:2"))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))


def test_replacement_without_capacity_keeps_the_old_service() -> None:
    """A launch type that can place nothing: the old service runs on, ECS says why, and it can be undone."""
    universe = tell(BY_NAME["create"])
    apply(deployment(ecs={"launchType": "EC2"}))(universe)
    universe.run(600)
    assert not universe.ready(WEB)
    assert "unable to place a task" in universe.condition("Ready")["message"]
    assert {(s["launchType"], s["runningCount"]) for s in universe.services()} == {("FARGATE", 2), ("EC2", 0)}
    apply(deployment())(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert console.service(universe)["launchType"] == "FARGATE"


@pytest.mark.parametrize("kind", ["config_map", "secret"])
def test_content_of_a_source_changes(kind: str) -> None:
    """New content of a ConfigMap is a new revision within a drift pass; a Secret's value is never copied."""
    universe = Universe(seed=7)
    where = universe.cluster.config_maps if kind == "config_map" else universe.cluster.secrets
    where["shop", "settings"] = {"metadata": {"name": "settings"}, "data": {"MODE": "c2xvdw=="}}
    manifest = deployment()
    ref = {"configMapKeyRef" if kind == "config_map" else "secretKeyRef": {"name": "settings", "key": "MODE"}}
    manifest["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "MODE", "valueFrom": ref}]
    apply(manifest)(universe)
    if kind == "secret":
        universe.settle(lambda: universe.reason() == "InvalidSpec", within=60)
        assert universe.services() == []
        return
    universe.settle(universe.ready)
    first = universe.status()["live"]["revision"]
    where["shop", "settings"]["data"]["MODE"] = "ZmFzdA=="
    universe.settle(lambda: universe.ready() and universe.status()["live"]["revision"] != first, within=300)


def test_subnets_that_do_not_exist() -> None:
    """Stalled/AWSRejected in AWS's words, and a corrected spec heals it at once."""
    universe = Universe(seed=7)
    apply(deployment(ecs={"networkConfiguration": NO_SUBNET}), route())(universe)
    universe.settle(lambda: universe.reason() == "AWSRejected", within=120)
    message = universe.condition("Stalled")["message"]
    assert "subnet-0gone" in message
    assert message.startswith("ECS service web-")
    assert " in cluster sandbox: AWS answered ecs:CreateService with " in message
    apply(deployment())(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE), within=300)


def test_progress_deadline() -> None:
    """Longer than progressDeadlineSeconds is Stalled/ProgressDeadlineExceeded; a working revision ends it."""
    universe = tell(BY_NAME["create"])
    slow = deployment(image="web:2", env={"SANDBOX_START_DELAY_S": "900"}, progressDeadlineSeconds=120)
    apply(slow)(universe)
    took = universe.settle(lambda: universe.reason() == "ProgressDeadlineExceeded", within=400)
    assert 110 < took < 160
    apply(deployment(image="web:3"))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))


def test_late_is_not_lost() -> None:
    """A rollout that ends after its deadline is Ready all the same."""
    universe = tell(BY_NAME["create"])
    apply(deployment(image="web:2", env={"SANDBOX_START_DELAY_S": "200"}, progressDeadlineSeconds=60))(
        universe
    )
    universe.settle(lambda: universe.ready(WEB, ROUTE), within=1500)
    assert image(universe) == "web:2"


def test_min_ready_seconds() -> None:
    """Ready comes minReadySeconds after the deployment is complete, and not earlier."""
    quick, patient = Universe(seed=7), Universe(seed=7)
    apply(deployment())(quick)
    apply(deployment(minReadySeconds=100))(patient)
    assert patient.settle(patient.ready) - quick.settle(quick.ready) == pytest.approx(100, abs=15)


def test_throttled_for_minutes_is_not_time_against_the_deadline() -> None:
    """Reads that AWS refuses for five minutes are no transition: never late, never failed."""
    universe = tell(BY_NAME["create"])
    apply(deployment(image="web:2", progressDeadlineSeconds=60))(universe)
    universe.run(2)
    universe.fault("throttle", until=universe.clock.now() + 300)
    seen = universe.reasons_until_ready(within=600)
    assert seen <= {"RollingOut", "WaitingForAWSBudget", "Available"}


def test_reads_that_wait_past_the_deadline_do_not_use_it_up() -> None:
    """Tasks take longer than the deadline, but not than it and what AWS kept the passes from seeing."""
    universe = tell(BY_NAME["create"])
    slow = deployment(image="web:2", env={"SANDBOX_START_DELAY_S": "400"}, progressDeadlineSeconds=120)
    apply(slow)(universe)
    universe.run(5)
    universe.fault("throttle", until=universe.clock.now() + 300)
    seen = universe.reasons_until_ready(within=900)
    assert seen <= {"RollingOut", "WaitingForAWSBudget", "Available"}


def test_a_write_that_waits_for_aws_does_not_use_up_the_deadline() -> None:
    """A rollout that AWS did not let begin for five minutes has its whole deadline then, and no more."""
    universe = tell(BY_NAME["create"])
    universe.fault("throttle", operation="UpdateService", until=universe.clock.now() + 300)
    apply(deployment(image="web:2", progressDeadlineSeconds=60))(universe)
    seen = universe.reasons_until_ready(within=600)
    assert seen <= {"RollingOut", "WaitingForAWSBudget", "Available"}
    universe.fault("throttle", operation="UpdateService", until=universe.clock.now() + 300)
    began = universe.clock.now()
    slow = deployment(image="web:3", env={"SANDBOX_START_DELAY_S": "900"}, progressDeadlineSeconds=60)
    apply(slow)(universe)
    universe.settle(lambda: universe.reason() == "ProgressDeadlineExceeded", within=900)
    assert 360 < universe.clock.now() - began < 540  # retries back off


def test_a_status_lost_after_many_replacements() -> None:
    """However often the service was replaced, a restore finds it and makes no second one."""
    universe = Universe(seed=7)
    for number in range(7):
        apply(deployment(ecs={"cluster": ("sandbox", "second")[number % 2]}))(universe)
        universe.settle(universe.ready)
    names = [service["serviceName"] for service in universe.services()]
    before = len(universe.writes())
    universe.cluster.lose_status(WEB)
    universe.restart()
    universe.settle(universe.ready)
    assert [service["serviceName"] for service in universe.services()] == names
    assert set(universe.writes()[before:]) <= {"TagResource"}


@pytest.mark.parametrize("then", ["moves", "goes"])
def test_a_status_lost_together_with_a_moved_cluster(then: str) -> None:
    """The kept revisions tell where the service was: it is replaced as ever, or deleted; nothing stays."""
    universe = tell(BY_NAME["create"])
    universe.cluster.lose_status(WEB)
    apply(deployment(ecs={"cluster": "second"}))(universe)
    if then == "goes":
        universe.cluster.delete(ROUTE)
        universe.cluster.delete(WEB)
    universe.restart()
    if then == "goes":
        universe.settle(lambda: universe.gone(WEB, ROUTE))
        assert universe.services() == []
        return
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    universe.run(60)
    assert [service["clusterArn"].rsplit("/", 1)[1] for service in universe.services()] == ["second"]


@pytest.mark.parametrize("then", ["moves", "goes"])
def test_what_was_given_away_in_the_cluster_before_is_left_alone(then: str) -> None:
    """Without our tags it is somebody else's, and in nobody's way: neither deleted nor waited for."""
    universe = tell(BY_NAME["create"])
    (before,) = universe.services()
    tags = universe.aws("ecs", "ListTagsForResource", resourceArn=before["serviceArn"])["tags"]
    keys = [tag["key"] for tag in tags]
    universe.aws("ecs", "UntagResource", resourceArn=before["serviceArn"], tagKeys=keys)
    universe.cluster.lose_status(WEB)
    apply(deployment(ecs={"cluster": "second"}))(universe)
    if then == "goes":
        universe.cluster.delete(ROUTE)
        universe.cluster.delete(WEB)
    universe.restart()
    universe.settle(lambda: universe.gone(WEB, ROUTE) if then == "goes" else universe.ready(WEB, ROUTE))
    universe.run(60)
    assert before["serviceArn"] in [service["serviceArn"] for service in universe.services()]
    assert len(universe.services()) == (1 if then == "goes" else 2)


def test_a_status_lost_where_the_cluster_is_called_by_its_arn_since() -> None:
    """One service under two names of its cluster is one: it stays, untouched."""
    universe = tell(BY_NAME["create"])
    (before,) = universe.services()
    universe.cluster.lose_status(WEB)
    apply(deployment(ecs={"cluster": before["clusterArn"]}))(universe)
    universe.restart()
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    universe.run(120)
    assert [service["serviceArn"] for service in universe.services()] == [before["serviceArn"]]
    assert "DeleteService" not in universe.writes()


def test_two_services_of_one_name() -> None:
    """A service that somebody made under our name is left alone and told; without it the way is free."""
    universe = Universe(seed=7)
    console.add_bystanders(universe)
    name = service_name("sim", WEB, slot="a", ordinal=1)
    theirs = next(s for s in universe.services() if s["serviceName"] == "theirs")
    members = ("taskDefinition", "networkConfiguration")
    universe.aws(
        "ecs",
        "CreateService",
        cluster="sandbox",
        serviceName=name,
        desiredCount=1,
        launchType="FARGATE",
        **{member: theirs[member] for member in members},
    )
    apply(deployment())(universe)
    universe.settle(lambda: universe.reason() == "OwnershipConflict", within=120)
    assert name in universe.condition("Stalled")["message"]
    squatter = next(s for s in universe.services() if s["serviceName"] == name)
    assert squatter["taskDefinition"] == theirs["taskDefinition"]
    universe.aws("ecs", "DeleteService", cluster="sandbox", service=name, force=True)
    universe.settle(universe.ready, within=900)


def test_an_equal_deployment_of_another_installation() -> None:
    """Two installations with the same object share an account without meeting: other names, other tags."""
    universe = tell(BY_NAME["create"])
    before = console.details(universe)
    universe.options["settings"] = {"installation_id": "other"}
    universe.cluster.lose_status(WEB)
    universe.cluster.lose_status(ROUTE)
    universe.restart()
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    after = console.details(universe)
    assert all(after["services"][name] == before["services"][name] for name in before["services"])
    assert all(after["rules"][place] == before["rules"][place] for place in before["rules"])
    assert len(after["services"]) == 2 * len(before["services"])


def test_a_renamed_object() -> None:
    """A rename is a new object and the deletion of the old one; the route moves between them."""
    universe = tell(BY_NAME["create"])
    apply(deployment("ledger", image="web:1"), route(backends={"ledger": 1}))(universe)
    universe.settle(lambda: universe.ready(LEDGER, ROUTE))
    universe.cluster.delete(WEB)
    universe.settle(lambda: universe.gone(WEB) and universe.ready(LEDGER, ROUTE))
    assert [s["serviceName"].startswith("ledger") for s in universe.services()] == [True]
    assert all("/ledger-" in arn for arn in universe.definitions())
