"""Deployments in the stand-in, in virtual time: what a person does, and what `kubectl get` says then.

The pure planner is proven by its tables; these stories prove it together with the controller, the
collectors and the stand-in's scheduler. Crashes are tests/sim's subject.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from sim.universe import ROUTE, WEB, Universe, deployment, route
from sluice.model import ownership
from sluice.model.binding import Binding
from sluice.model.tenancy import Tenancy, permissive_rule
from sluice_sandbox.aws.faults import Fault

BROKEN = {"SANDBOX_EXIT": "1"}


def started(*manifests: dict[str, Any]) -> Universe:
    """Return a universe in which `manifests` (default: a Deployment and its route) are Ready."""
    universe = Universe()
    for manifest in manifests or (deployment(), route()):
        universe.cluster.apply(manifest)
    keys = (WEB, ROUTE) if len(manifests) != 1 else (WEB,)
    universe.settle(lambda: universe.ready(*keys))
    return universe


def service(universe: Universe) -> dict[str, Any]:
    """Return the one service that is there."""
    (found,) = [entry for entry in universe.services() if entry["status"] == "ACTIVE"]
    return found


def edit(universe: Universe, **params: Any) -> None:
    """Change the service as a person at the console would."""
    found = service(universe)
    params = {"cluster": found["clusterArn"], "service": found["serviceName"], **params}
    universe.world.call("ecs", "UpdateService", params)


def says(universe: Universe, reason: str) -> Callable[[], bool]:
    """Return the condition that Ready's reason is `reason`."""
    return lambda: universe.reason() == reason


def annotate(universe: Universe, verb: str, value: str) -> None:
    """Annotate the Deployment with a verb."""
    universe.cluster.edit(
        WEB, lambda obj: obj["metadata"].setdefault("annotations", {}).update({f"sluice.dev/{verb}": value})
    )


def events(universe: Universe, reason: str) -> list[str]:
    """Return the messages of Events with `reason`."""
    return [text for _, _, why, text in universe.operator.recorder.events if why == reason]


def test_a_broken_image_is_rolled_back_and_told() -> None:
    """Stalled/RolledBack with ECS's reason and the task's; scaling and repair go on; a fix starts at once."""
    universe = started()
    universe.cluster.apply(deployment(image="web:2", env=BROKEN))
    universe.settle(says(universe, "RolledBack"))
    told = universe.condition("Stalled")["message"]
    assert "circuit breaker" in told
    assert "Essential container in task exited" in told
    assert "exit code 1" in told
    first = universe.status()["history"][0]
    assert (first["outcome"], first["by"]) == ("RolledBack", "ECS")
    universe.cluster.scale(WEB, 4)
    universe.settle(lambda: service(universe)["runningCount"] == 4)
    edit(universe, desiredCount=1)
    universe.settle(lambda: service(universe)["runningCount"] == 4)
    assert universe.reason() == "RolledBack"
    universe.cluster.apply(deployment(image="web:3", replicas=4))
    universe.settle(lambda: universe.ready(WEB))
    assert "rejectedRevision" not in universe.status()


def test_retry_tries_a_rejected_revision_again() -> None:
    """The same hash needs `retry`; without it nothing is sent, with it the rollout starts once more."""
    universe = started()
    universe.cluster.apply(deployment(image="web:2", env=BROKEN))
    universe.settle(says(universe, "RolledBack"))
    before = len(universe.writes())
    universe.run(300)
    assert universe.writes()[before:] == []
    annotate(universe, "retry", universe.status()["history"][0]["id"])
    universe.settle(lambda: len(universe.status()["history"]) == 3)
    assert [entry["outcome"] for entry in universe.status()["history"]][:2] == ["RolledBack", "RolledBack"]


def test_a_failed_first_rollout_is_told_and_a_fix_heals_it() -> None:
    """Nothing to roll back to: FirstRolloutFailed, no further write, until the spec changes."""
    universe = Universe()
    universe.cluster.apply(deployment(env=BROKEN))
    universe.settle(says(universe, "FirstRolloutFailed"))
    before = len(universe.writes())
    universe.run(300)
    assert universe.writes()[before:] == []
    universe.cluster.apply(deployment())
    universe.settle(lambda: universe.ready(WEB))


def test_undo_and_retry_by_annotation() -> None:
    """Undo runs the previous revision and says so as Stalled; retry goes forward again."""
    universe = started()
    old = universe.status()["live"]["revision"]
    universe.cluster.apply(deployment(image="web:2"))
    universe.settle(lambda: universe.ready(WEB))
    new = universe.status()["live"]["revision"]
    annotate(universe, "undo", universe.status()["history"][0]["id"])
    universe.settle(lambda: universe.status()["live"]["revision"] == old)
    assert universe.reason() == "RolledBack"
    annotate(universe, "retry", universe.status()["history"][0]["id"])
    universe.settle(lambda: universe.ready(WEB))
    assert universe.status()["live"]["revision"] == new
    assert len(universe.definitions()) == 2


def test_abort_returns_to_the_source_at_once() -> None:
    """A slow rollout is aborted: the source revision runs again, nothing was registered for it."""
    universe = started()
    old = universe.status()["live"]["revision"]
    universe.cluster.apply(deployment(image="web:2", env={"SANDBOX_START_DELAY_S": "60"}))
    universe.run(5)
    annotate(universe, "abort", universe.status()["rollout"]["id"])
    universe.settle(lambda: "rollout" not in universe.status())
    assert universe.status()["live"]["revision"] == old
    assert universe.reason() == "RolledBack"
    assert [entry["outcome"] for entry in universe.status()["history"]][:2] == ["Succeeded", "Aborted"]


def test_an_unknown_revision_is_refused_with_the_known_ones() -> None:
    """spec.rollback.toRevision must be kept; the text lists what is."""
    universe = started()
    universe.cluster.edit(WEB, lambda obj: obj["spec"].update(rollback={"toRevision": "web-nope"}))
    universe.settle(says(universe, "InvalidSpec"))
    assert universe.status()["live"]["revision"] in universe.condition("Stalled")["message"]


@pytest.mark.parametrize(
    ("params", "member"),
    [
        pytest.param({"desiredCount": 5}, "desiredCount 5 → 2", id="count"),
        pytest.param({"enableExecuteCommand": True}, "enableExecuteCommand True → False", id="exec"),
        pytest.param(
            {"deploymentConfiguration": {"maximumPercent": 150, "minimumHealthyPercent": 50}},
            "maximumPercent 150 → 200",
            id="percentages",
        ),
        pytest.param({"propagateTags": "NONE"}, "propagateTags NONE → SERVICE", id="propagate"),
    ],
)
def test_drift_is_repaired_with_an_event_that_names_the_field(params: dict[str, Any], member: str) -> None:
    """A hand edit is gone within two drift intervals."""
    universe = started()
    edit(universe, **params)
    universe.settle(lambda: any(member in text for text in events(universe, "DriftRepaired")), within=120)
    assert universe.ready(WEB)


def test_a_service_deleted_by_hand_comes_back() -> None:
    """Deleted at the console: made again, and Ready."""
    universe = started()
    found = service(universe)
    universe.world.call(
        "ecs",
        "DeleteService",
        {"cluster": found["clusterArn"], "service": found["serviceName"], "force": True},
    )
    universe.run(120)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert service(universe)["runningCount"] == 2


def test_a_target_group_deleted_by_hand_comes_back_and_the_service_gets_it() -> None:
    """Group and rules deleted at the console: all are made again and the route sends to them."""
    universe = started()
    for rule in universe.rules():
        universe.aws("elbv2", "DeleteRule", RuleArn=rule["RuleArn"])
    (group,) = universe.target_groups()
    universe.aws("elbv2", "DeleteTargetGroup", TargetGroupArn=group["TargetGroupArn"])
    universe.run(120)
    universe.settle(lambda: universe.ready(WEB, ROUTE) and len(universe.rules()) == 2)
    (made,) = universe.target_groups()
    assert made["TargetGroupArn"] != group["TargetGroupArn"]
    assert service(universe)["loadBalancers"][0]["targetGroupArn"] == made["TargetGroupArn"]


def test_a_lost_status_costs_no_aws_write() -> None:
    """A restore without status: everything is found by name and proved by tags."""
    universe = started()
    before = len(universe.writes())
    universe.cluster.edit(WEB, lambda obj: obj.pop("status"))
    universe.restart()
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert universe.writes()[before:] == []


def test_a_foreign_service_of_our_name_is_never_written() -> None:
    """OwnershipConflict as long as it is there; Ready after it went."""
    first = started(deployment())
    name = service(first)["serviceName"]
    universe = Universe()
    arn = first.aws(
        "ecs", "DescribeTaskDefinition", taskDefinition=first.definitions()[0].rsplit("/", 1)[-1]
    )["taskDefinition"]
    universe.aws(
        "ecs",
        "RegisterTaskDefinition",
        family="foreign",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "app", "image": arn["containerDefinitions"][0]["image"]}],
    )
    network = deployment()["spec"]["ecs"]["networkConfiguration"]
    universe.aws(
        "ecs",
        "CreateService",
        cluster="sandbox",
        serviceName=name,
        taskDefinition="foreign",
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration=network,
    )
    universe.cluster.apply(deployment())
    universe.settle(says(universe, "OwnershipConflict"))
    before = len(universe.writes())
    universe.run(200)
    assert universe.writes()[before:] == []
    assert not ownership.from_ecs(service(universe).get("tags") or ())
    universe.world.call("ecs", "DeleteService", {"cluster": "sandbox", "service": name, "force": True})
    universe.settle(lambda: universe.ready(WEB))


def test_pause_holds_a_revision_while_scale_and_repair_go_on() -> None:
    """spec.paused: no new deployment, but the count and hand edits are still looked after."""
    universe = started(deployment())
    universe.cluster.apply(deployment(image="web:2", paused=True, replicas=3))
    universe.settle(lambda: service(universe)["runningCount"] == 3)
    assert universe.condition("Ready")["status"] == "False"
    assert universe.reason() == "Paused"
    edit(universe, enableExecuteCommand=True)
    universe.settle(lambda: not service(universe)["enableExecuteCommand"])
    assert len(universe.definitions()) == 1
    universe.cluster.apply(deployment(image="web:2", paused=False, replicas=3))
    universe.settle(lambda: universe.ready(WEB))
    assert len(universe.definitions()) == 2


def test_suspend_is_hands_off() -> None:
    """Suspended: drift is reported and nothing is written; afterwards it is repaired."""
    universe = started(deployment())
    universe.cluster.apply(deployment(suspend=True, replicas=5))
    universe.settle(lambda: "desiredCount 2 → 5" in universe.condition("Ready")["message"])
    before = len(universe.writes())
    universe.run(300)
    assert universe.writes()[before:] == []
    universe.cluster.apply(deployment(replicas=5))
    universe.settle(lambda: universe.ready(WEB))


def test_old_definitions_and_revisions_are_collected() -> None:
    """RevisionHistoryLimit 2: the live one and two old ones stay, of both."""
    universe = started(deployment(revisionHistoryLimit=2))
    for number in range(2, 6):
        universe.cluster.apply(deployment(image=f"web:{number}", revisionHistoryLimit=2))
        universe.settle(lambda: universe.ready(WEB))
    universe.run(60)
    assert len(universe.definitions()) == 3
    assert len(universe.cluster.revisions) == 3
    assert len(universe.status()["taskDefinitions"]) == 3


def test_retain_leaves_a_running_service_without_our_tags() -> None:
    """DeletionPolicy Retain: the object goes, the tasks run on, nothing carries our tags."""
    universe = started(deployment(deletionPolicy="Retain"))
    universe.cluster.delete(WEB)
    universe.settle(lambda: universe.gone(WEB))
    found = service(universe)
    assert found["runningCount"] == 2
    assert not any(tag["key"].startswith("sluice.dev/") for tag in found["tags"])


def test_a_deployment_in_use_waits_for_its_route() -> None:
    """Deleted before its route: InUse names the rule; once the route goes, everything goes."""
    universe = started()
    universe.cluster.delete(WEB)
    universe.settle(says(universe, "InUse"))
    assert service(universe)["runningCount"] == 2
    universe.cluster.delete(ROUTE)
    universe.settle(lambda: universe.gone(WEB, ROUTE))
    assert (universe.definitions(), universe.target_groups(), universe.rules()) == ([], [], [])


@pytest.mark.parametrize("seconds", [0.0, 1.0, 3.0])
def test_deleted_while_it_is_created(seconds: float) -> None:
    """Whenever the deletion comes, nothing is left."""
    universe = Universe()
    universe.cluster.apply(deployment(env={"SANDBOX_START_DELAY_S": "20"}))
    universe.cluster.apply(route())
    universe.run(seconds)
    universe.cluster.delete(WEB)
    universe.cluster.delete(ROUTE)
    universe.settle(lambda: universe.gone(WEB, ROUTE))
    assert (universe.definitions(), universe.target_groups(), universe.rules()) == ([], [], [])


@pytest.mark.parametrize(
    ("kind", "operation", "reason", "text"),
    [
        pytest.param(
            "deny", "RegisterTaskDefinition", "AccessDenied", "ecs:RegisterTaskDefinition", id="denied"
        ),
        pytest.param("throttle", "CreateService", "WaitingForAWSBudget", "ecs", id="throttled"),
    ],
)
def test_a_refused_call_is_told_and_heals(kind: str, operation: str, reason: str, text: str) -> None:
    """The condition says what AWS refused; when the cause is gone the Deployment gets Ready, once."""
    universe = Universe()
    universe.world.faults.add(Fault(kind=kind, service="ecs", operation=operation))
    universe.cluster.apply(deployment())
    universe.settle(says(universe, reason))
    assert text in universe.condition("Ready")["message"]
    universe.world.faults.clear()
    universe.settle(lambda: universe.ready(WEB))
    assert len(universe.definitions()) == 1


def test_a_throttled_minute_at_rest_does_not_steal_ready() -> None:
    """A drift read that AWS throttles is no news about the Deployment."""
    universe = started()
    universe.world.faults.add(Fault(kind="throttle"))
    universe.run(90)
    assert universe.ready(WEB, ROUTE)


@pytest.mark.parametrize(
    "operation", ["RegisterTaskDefinition", "CreateTargetGroup", "CreateRule", "CreateService"]
)
def test_a_lost_answer_makes_no_duplicate(operation: str) -> None:
    """The call took place and its answer never came: exactly one of everything in the end."""
    universe = Universe()
    universe.world.faults.add(Fault(kind="lost-response", operation=operation, remaining=1))
    universe.cluster.apply(deployment())
    universe.cluster.apply(route())
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    counts = [len(universe.definitions()), len(universe.target_groups()), len(universe.services())]
    assert (counts, len(universe.rules())) == ([1, 1, 1], 2)


def test_subnets_that_do_not_exist() -> None:
    """AWSRejected with AWS's text; a corrected spec heals without a second definition."""
    universe = Universe()
    wrong = {"awsvpcConfiguration": {"subnets": ["subnet-0123456789abcdef0"]}}
    universe.cluster.apply(deployment(ecs={"networkConfiguration": wrong}))
    universe.settle(says(universe, "AWSRejected"))
    assert "subnet-0123456789abcdef0" in universe.condition("Stalled")["message"]
    universe.cluster.apply(deployment())
    universe.settle(lambda: universe.ready(WEB))
    assert len(universe.definitions()) == 1


def test_target_groups_that_ecs_detached_are_not_attached_for_ever() -> None:
    """A route to tasks that are never healthy: ECS rolls back, the condition says so, no endless loop."""
    universe = started(deployment(env={"SANDBOX_UNHEALTHY": "1"}))
    universe.cluster.apply(route())
    universe.settle(says(universe, "RolledBack"), within=1800)
    assert "detached the target groups" in universe.condition("Stalled")["message"]
    before = len(universe.writes())
    universe.run(600)
    assert universe.writes()[before:] == []
    universe.cluster.apply(deployment(image="web:2"))
    universe.settle(lambda: universe.ready(WEB, ROUTE))


def test_another_launch_kind_replaces_the_service_behind_the_same_target_group() -> None:
    """Capacity providers instead of launchType: next ordinal, same group, the old service goes last."""
    universe = started()
    (group,) = universe.target_groups()
    providers = {"capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}]}
    universe.cluster.apply(deployment(ecs=providers))
    universe.settle(lambda: universe.ready(WEB) and "retiring" not in universe.status())
    assert universe.status()["slots"][0]["ordinal"] == 2
    assert [entry["TargetGroupArn"] for entry in universe.target_groups()] == [group["TargetGroupArn"]]
    universe.run(60)
    assert [entry["serviceName"][-3:] for entry in universe.services()] == ["-a2"]


def test_progress_deadline_and_min_ready_seconds() -> None:
    """Too slow is Stalled and heals by itself; minReadySeconds delay Ready by that long."""
    universe = Universe()
    slow = {"SANDBOX_START_DELAY_S": "60"}
    universe.cluster.apply(deployment(env=slow, progressDeadlineSeconds=30))
    universe.settle(says(universe, "ProgressDeadlineExceeded"))
    universe.settle(lambda: universe.ready(WEB))
    universe.cluster.apply(deployment(image="web:2", minReadySeconds=30))
    assert universe.settle(lambda: universe.ready(WEB)) >= 30


def test_at_most_two_status_writes_a_pass() -> None:
    """Intent and outcome, whatever the pass does: create, update, scale, fail, delete (decision 11)."""
    universe = Universe()
    most = 0

    def step() -> bool:
        nonlocal most
        before = len(universe.calls())
        went_on = Universe.step(universe)
        most = max(most, universe.calls()[before:].count("kube PatchStatus"))
        return went_on

    universe.step = step  # type: ignore[method-assign]
    universe.cluster.apply(deployment())
    universe.cluster.apply(route())
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    universe.world.faults.add(Fault(kind="deny", operation="UpdateService", remaining=1))
    universe.cluster.apply(deployment(image="web:2", replicas=3))
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    universe.cluster.delete(ROUTE)
    universe.cluster.delete(WEB)
    universe.settle(lambda: universe.gone(WEB, ROUTE))
    assert most == 2


def test_waiting_for_a_budget_costs_no_status_writes() -> None:
    """Refused again and again by the pace of AWS: told once, then silence until it goes on."""
    universe = Universe()
    universe.world.faults.add(Fault(kind="throttle", operation="RegisterTaskDefinition"))
    universe.cluster.apply(deployment())
    universe.settle(says(universe, "WaitingForAWSBudget"))
    before = universe.calls().count("kube PatchStatus")
    tries = universe.calls().count("aws RegisterTaskDefinition")
    universe.run(120)
    assert universe.calls().count("aws RegisterTaskDefinition") > tries
    assert universe.calls().count("kube PatchStatus") == before
    universe.world.faults.clear()
    assert universe.settle(lambda: universe.ready(WEB)) < 90
    assert len(universe.definitions()) == 1


def test_a_refused_call_keeps_the_warnings() -> None:
    """A failure is told beside what a person has been warned of."""
    universe = Universe()
    universe.world.faults.add(Fault(kind="deny", operation="CreateService"))
    manifest = deployment()
    manifest["spec"]["template"]["spec"]["serviceAccountName"] = "web"
    universe.cluster.apply(manifest)
    universe.settle(says(universe, "AccessDenied"))
    warned = universe.condition("Warnings")["message"]
    assert "serviceAccountName" in warned
    universe.run(100)
    assert universe.condition("Warnings")["message"] == warned


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        pytest.param({"clusters": ("prod-*",)}, "may not use cluster sandbox", id="cluster"),
        pytest.param({"execution_roles": ()}, "may not use execution role", id="role"),
        pytest.param({"namespaces": ("other",)}, "no tenancy rule", id="namespace"),
    ],
)
def test_what_the_tenancy_does_not_allow(rule: dict[str, Any], text: str) -> None:
    """NotPermitted names what is not allowed, and AWS is not called at all."""
    allowed = dataclasses.replace(permissive_rule(), **rule)
    tenancy = Tenancy(rules=(allowed,), default_binding=Binding(account="", region="eu-west-1"))
    universe = Universe(settings={"tenancy": tenancy})
    universe.cluster.apply(deployment())
    universe.settle(says(universe, "NotPermitted"))
    assert text in universe.condition("Stalled")["message"]
    assert universe.writes() == []


def test_a_role_inside_the_task_definition_is_permitted_too() -> None:
    """TaskDefinition may name roles of its own: they pass the same gate."""
    allowed = dataclasses.replace(permissive_rule(), task_roles=("arn:aws:iam::111122223333:role/app-*",))
    tenancy = Tenancy(rules=(allowed,), default_binding=Binding(account="", region="eu-west-1"))
    universe = Universe(settings={"tenancy": tenancy})
    manifest = deployment()
    del manifest["spec"]["template"]
    del manifest["spec"]["selector"]
    manifest["spec"]["taskDefinition"] = {
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "taskRoleArn": "arn:aws:iam::111122223333:role/admin",
        "containerDefinitions": [{"name": "app", "image": "web:1"}],
    }
    universe.cluster.apply(manifest)
    universe.settle(says(universe, "NotPermitted"))
    assert "role/admin" in universe.condition("Stalled")["message"]
    assert universe.writes() == []
