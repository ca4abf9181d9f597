"""Adoption: an ECS service that is there already becomes a Deployment's, with its target groups, in peace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sim import console
from sim.legacy import BODY, adopter, make, tasks
from sim.universe import LEDGER, ROUTE, WEB, Universe, route
from sluice.model import ownership
from sluice.model.desired import Adoption

MOVES = {"CreateService", "RegisterTaskDefinition", "CreateTargetGroup", "DeleteService"}
MISSING = "arn:aws:ecs:eu-west-1:111122223333:service/sandbox/legacy"


def adopted(universe: Universe | None = None, **spec: Any) -> Universe:
    """Return a universe in which the legacy service was taken over."""
    universe = universe or Universe()
    arn = make(universe)
    universe.cluster.apply(adopter(arn, **spec))
    universe.settle(lambda: universe.ready(WEB))
    return universe


def service(universe: Universe) -> dict[str, Any]:
    """Return the legacy service."""
    (found,) = [entry for entry in universe.services() if entry["serviceName"] == "legacy"]
    return found


def group(universe: Universe) -> dict[str, str]:
    """Return the tags of the legacy target group."""
    (found,) = [entry for entry in universe.target_groups() if entry["TargetGroupName"] == "legacy-http"]
    return console.elb_tags(universe, found["TargetGroupArn"])


def events(universe: Universe, reason: str) -> list[str]:
    """Return the messages of Events with `reason`."""
    return [text for _, _, why, text in universe.operator.recorder.events if why == reason]


@pytest.mark.parametrize(
    ("arn", "cluster", "name"),
    [
        pytest.param("arn:aws:ecs:eu-west-1:1:service/prod/web", "prod", "web", id="long"),
        pytest.param("arn:aws:ecs:eu-west-1:1:service/web", "", "web", id="short"),
    ],
)
def test_both_forms_of_an_arn(arn: str, cluster: str, name: str) -> None:
    """ARNs from before 2018 name no cluster."""
    assert Adoption.of(arn) == Adoption(arn=arn, cluster=cluster, name=name)


def test_an_equal_spec_replaces_no_task() -> None:
    """Tags, and settings that need no deployment: the same tasks, the same definition, its own names."""
    universe = Universe()
    arn = make(universe)
    before, definitions = tasks(universe), universe.definitions()
    universe.cluster.apply(adopter(arn))
    universe.settle(lambda: universe.ready(WEB))
    universe.run(120)
    assert tasks(universe) == before
    assert universe.definitions() == definitions
    assert len(service(universe)["deployments"]) == 1
    (slot,) = universe.status()["slots"]
    assert (slot["name"], slot["ordinal"], slot["serviceName"]) == ("a", 0, "legacy")
    assert slot["serviceArn"] == arn
    assert universe.status()["live"]["taskDefinition"].endswith("task-definition/legacy:1")
    assert "history" not in universe.status()
    updates = [call for call in universe.writes() if call.startswith("UpdateService")]
    assert len(updates) == 1  # circuit breaker, tags' propagation
    (told,) = events(universe, "ServiceAdopted")
    assert (
        told == "ECS service legacy with target groups legacy-http is taken over; the spec equals what runs"
    )


def test_ownership_is_written_on_service_and_groups() -> None:
    """Both carry the owner's tags, so nothing else can take them; the service also its revision."""
    universe = adopted()
    tags = ownership.from_ecs(service(universe)["tags"])
    assert tags[ownership.NAME] == "web"
    assert tags[ownership.REVISION] == universe.status()["live"]["revision"]
    assert group(universe)[ownership.ROLE] == "target-group"
    (entry,) = universe.status()["targetGroups"]
    assert (entry["name"], entry["port"], entry["protocolVersion"]) == ("legacy-http", "http", "HTTP1")


def test_a_spec_that_differs_is_told_and_rolled_out() -> None:
    """The event names what differs, without values; the tasks are replaced by a rollout like any other."""
    universe = Universe()
    arn = make(universe)
    body = adopter(arn, image="web:2")
    (container,) = body["spec"]["taskDefinition"]["containerDefinitions"]
    container["environment"] = [{"name": "PASSPHRASE", "value": "open sesame"}]
    universe.cluster.apply(body)
    universe.settle(lambda: universe.ready(WEB))
    (told,) = events(universe, "ServiceAdopted")
    assert "differs in containerDefinitions.app.environment.PASSPHRASE.value" in told
    assert "containerDefinitions.app.image" in told
    assert "sesame" not in told
    assert "swordfish" not in told
    assert service(universe)["runningCount"] == 2
    assert not service(universe)["taskDefinition"].endswith("legacy:1")
    assert universe.status()["history"][0]["outcome"] == "Succeeded"


def test_suspended_adoption_is_a_rehearsal() -> None:
    """`suspend: true` says what would be done and writes nothing."""
    universe = Universe()
    universe.cluster.apply(adopter(make(universe), suspend=True))
    universe.settle(lambda: "TagResource: spec.adopt takes it over" in universe.condition("Ready")["message"])
    assert universe.writes() == []


def test_the_next_revision_keeps_name_and_target_group() -> None:
    """An update registers in the Deployment's own family; the foreign definition is never given back."""
    universe = adopted(revisionHistoryLimit=0)
    arn = service(universe)["serviceArn"]
    for number in (2, 3):
        universe.cluster.apply(adopter(arn, image=f"web:{number}", revisionHistoryLimit=0))
        universe.settle(lambda: universe.ready(WEB))
    universe.run(60)
    assert service(universe)["taskDefinition"].split("/")[-1].startswith("web-")
    assert [entry["TargetGroupName"] for entry in universe.target_groups()] == ["legacy-http"]
    assert [entry["serviceName"] for entry in universe.services()] == ["legacy"]
    assert sum("task-definition/legacy:" in found for found in universe.definitions()) == 1


def test_a_route_uses_the_group_that_is_there() -> None:
    """No second target group, no new task: the route's rule and an anchor, beside the rule that was there."""
    universe = adopted()
    before = tasks(universe)
    universe.cluster.apply(route())
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert [entry["TargetGroupName"] for entry in universe.target_groups()] == ["legacy-http"]
    assert tasks(universe) == before
    assert len(universe.rules()) == 3
    forwarded = {entry["TargetGroupArn"] for entry in universe.target_groups()}
    assert {rule["Actions"][0]["TargetGroupArn"] for rule in universe.rules() if _single(rule)} == forwarded


def test_a_route_uses_the_group_that_no_rule_has_any_more() -> None:
    """The old rule was deleted before the adoption: the group is still the one, and no task is replaced."""
    universe = Universe()
    arn = make(universe)
    (rule,) = universe.rules()
    universe.aws("elbv2", "DeleteRule", RuleArn=rule["RuleArn"])
    universe.cluster.apply(adopter(arn))
    universe.settle(lambda: universe.ready(WEB))
    assert "loadBalancerArn" not in universe.status()["targetGroups"][0]
    before = tasks(universe)
    universe.cluster.apply(route())
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert [entry["TargetGroupName"] for entry in universe.target_groups()] == ["legacy-http"]
    assert tasks(universe) == before
    (entry,) = universe.status()["targetGroups"]
    assert entry["loadBalancerArn"] == universe.balancer


def _single(rule: dict[str, Any]) -> bool:
    return "TargetGroupArn" in rule["Actions"][0]


def test_deleting_waits_for_the_rule_that_was_there_and_takes_all() -> None:
    """InUse names the old rule; once it is gone, service and group go, the foreign definition stays."""
    universe = adopted()
    universe.cluster.delete(WEB)
    universe.settle(lambda: universe.reason() == "InUse")
    (rule,) = universe.rules()
    assert rule["RuleArn"] in universe.condition("Stalled")["message"]
    universe.aws("elbv2", "DeleteRule", RuleArn=rule["RuleArn"])
    universe.settle(lambda: universe.gone(WEB))
    assert universe.services() == []
    assert universe.target_groups() == []
    assert [arn.rsplit("/", 1)[-1] for arn in universe.definitions()] == ["legacy:1"]


def test_retain_undoes_an_adoption() -> None:
    """The object goes, the tasks run on, and another Deployment may adopt the service."""
    universe = adopted(deletionPolicy="Retain")
    before = tasks(universe)
    universe.cluster.delete(WEB)
    universe.settle(lambda: universe.gone(WEB))
    assert not any(tag["key"].startswith("sluice.dev/") for tag in service(universe)["tags"])
    assert not any(key.startswith("sluice.dev/") for key in group(universe))
    universe.cluster.apply(adopter(service(universe)["serviceArn"], name="ledger"))
    universe.settle(lambda: universe.ready(LEDGER))
    assert tasks(universe) == before


def test_a_deletion_with_a_lost_status_finds_it() -> None:
    """The ARN in the spec is enough: nothing of ours stays behind under a name that we did not give."""
    universe = adopted()
    (rule,) = universe.rules()
    universe.aws("elbv2", "DeleteRule", RuleArn=rule["RuleArn"])
    universe.cluster.edit(WEB, lambda obj: obj.pop("status"))
    universe.cluster.delete(WEB)
    universe.restart()
    universe.settle(lambda: universe.gone(WEB))
    assert universe.services() == []
    assert universe.target_groups() == []


def test_a_lost_status_is_found_by_the_arn() -> None:
    """No AWS write and no new task: slot, group, definition and traffic are as they were."""
    universe = adopted()
    universe.cluster.apply(route())
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    before, writes, status = tasks(universe), len(universe.writes()), universe.status()
    universe.cluster.edit(WEB, lambda obj: obj.pop("status"))
    universe.restart()
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert universe.writes()[writes:] == []
    assert tasks(universe) == before
    for member in ("slots", "targetGroups", "taskDefinitions", "anchors"):
        assert universe.status()[member] == status[member]


def test_a_service_that_needs_replacing_later_gets_a_name_of_ours() -> None:
    """After the adoption it is an ordinary service: other capacity makes ordinal 1 behind the same group."""
    universe = adopted()
    arn = service(universe)["serviceArn"]
    providers = {"capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}]}
    universe.cluster.apply(adopter(arn, ecs=providers))
    universe.settle(lambda: universe.ready(WEB) and "retiring" not in universe.status())
    universe.run(60)
    (left,) = universe.services()
    assert left["serviceName"].endswith("-a1")
    assert [entry["TargetGroupName"] for entry in universe.target_groups()] == ["legacy-http"]
    assert "spec.adopt: ECS service legacy is not taken over" in universe.condition("Warnings")["message"]
    writes = len(universe.writes())
    universe.cluster.edit(WEB, lambda obj: obj.pop("status"))
    universe.restart()
    universe.settle(lambda: universe.ready(WEB))
    assert set(universe.writes()[writes:]) <= {"TagResource"}
    assert universe.status()["slots"][0]["ordinal"] == 1


def test_a_deployment_with_a_service_of_its_own_adopts_none() -> None:
    """`adopt` added later is without effect, and a warning says so."""
    universe = Universe()
    arn = make(universe)
    own = adopter(arn)
    del own["spec"]["adopt"]
    universe.cluster.apply(own)
    universe.settle(lambda: universe.ready(WEB))
    universe.cluster.apply(adopter(arn))
    universe.settle(lambda: "spec.adopt" in universe.condition("Warnings").get("message", ""))
    assert universe.ready(WEB)
    assert service(universe).get("tags") in (None, [])


def test_an_adopted_service_becomes_slot_a_of_a_progressive_deployment() -> None:
    """Slot a keeps name and target group, the candidate gets slot b; the old rule holds slot a's tasks."""
    universe = adopted()
    arn = service(universe)["serviceArn"]
    (old,) = universe.rules()
    universe.cluster.apply(route())
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    steps = {"steps": [{"setWeight": 50}, {"setWeight": 100}], "standby": {"replicas": "0%"}}
    strategy = {"type": "Progressive", "progressive": steps}
    universe.cluster.apply(adopter(arn, strategy=strategy))
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert [entry["serviceName"] for entry in universe.services()] == ["legacy"]
    universe.cluster.apply(adopter(arn, image="web:2", strategy=strategy))
    universe.settle(lambda: "still gives weight to slot a" in universe.condition("Ready")["message"])
    assert service(universe)["runningCount"] == 2
    universe.aws("elbv2", "DeleteRule", RuleArn=old["RuleArn"])
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert universe.status()["live"]["slot"] == "b"
    names = {entry["serviceName"][-2:] for entry in universe.services()}
    assert names == {"cy", "b1"}
    groups = [entry["TargetGroupName"] for entry in universe.target_groups()]
    assert len(groups) == 2
    assert "legacy-http" in groups


# Refusals: nothing is written, and the condition says what to do.


def _external(universe: Universe) -> str:
    return make(universe, deploymentController={"type": "CODE_DEPLOY"})


def _owned(kind: str) -> Callable[[Universe], str]:
    def build(universe: Universe) -> str:
        arn = make(universe)
        tags = ownership.owner_tags("elsewhere", LEDGER, role="x")
        if kind == "service":
            universe.aws("ecs", "TagResource", resourceArn=arn, tags=ownership.to_ecs(tags))
        else:
            (found,) = universe.target_groups()
            universe.aws(
                "elbv2", "AddTags", ResourceArns=[found["TargetGroupArn"]], Tags=ownership.to_elb(tags)
            )
        return arn

    return build


def _draining(universe: Universe) -> str:
    arn = make(universe)
    universe.aws("ecs", "DeleteService", cluster="sandbox", service="legacy", force=True)
    return arn


PORT_9090 = {
    "containerDefinitions": [BODY["containerDefinitions"][0] | {"portMappings": [{"containerPort": 9090}]}]
}
REFUSALS: dict[str, tuple[Callable[[Universe], str], dict[str, Any], str, str]] = {
    "not there": (lambda _: MISSING, {}, "InvalidSpec", "is not there"),
    "on its way out": (_draining, {}, "InvalidSpec", "name an ACTIVE service"),
    "another Deployment's": (_owned("service"), {}, "OwnershipConflict", "sluice.dev/installation elsewhere"),
    "another's target group": (_owned("group"), {}, "OwnershipConflict", "target group legacy-http"),
    "CodeDeploy's": (_external, {}, "ManagedByECS", "deployed by CODE_DEPLOY"),
    "another launch type": (
        make,
        {"ecs": {"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}},
        "InvalidSpec",
        "launchType FARGATE → capacity providers",
    ),
    "another cluster": (make, {"ecs": {"cluster": "second"}}, "InvalidSpec", "spec.ecs.cluster: is second"),
    "a port less": (make, {"taskDefinition": BODY | PORT_9090}, "InvalidSpec", "container app port 8080"),
    "another protocol": (
        lambda universe: make(universe, group={"ProtocolVersion": "HTTP2"}),
        {},
        "InvalidSpec",
        "protocol version HTTP2, the spec HTTP1",
    ),
    "another region": (
        lambda _: MISSING.replace("eu-west-1", "us-east-1"),
        {},
        "NotPermitted",
        "spec.adopt.serviceArn: service/sandbox/legacy is in account 111122223333, region us-east-1",
    ),
    "progressive at once": (
        make,
        {"strategy": {"type": "Progressive", "progressive": {"steps": [{"setWeight": 100}]}}},
        "InvalidSpec",
        "goes with strategy type RollingUpdate at first",
    ),
}


@pytest.mark.parametrize(("build", "spec", "reason", "text"), REFUSALS.values(), ids=REFUSALS)
def test_what_is_not_taken_over(
    build: Callable[[Universe], str], spec: dict[str, Any], reason: str, text: str
) -> None:
    """Stalled with the reason and the cure; neither the service nor anything else is written."""
    universe = Universe()
    universe.cluster.apply(adopter(build(universe), **spec))
    universe.settle(lambda: universe.reason() == reason)
    assert text in universe.condition("Stalled")["message"]
    universe.run(120)
    assert universe.writes() == []
    universe.cluster.delete(WEB)
    universe.settle(lambda: universe.gone(WEB))
    assert universe.writes() == []


def test_two_that_want_the_same_service() -> None:
    """One has it, the other is refused and writes nothing to it."""
    universe = adopted()
    universe.cluster.apply(adopter(service(universe)["serviceArn"], name="ledger"))
    universe.settle(lambda: universe.reason(LEDGER) == "OwnershipConflict")
    assert universe.ready(WEB)
    assert ownership.from_ecs(service(universe)["tags"])[ownership.NAME] == "web"


@pytest.mark.parametrize("kind", ["lost-response", "deny"])
@pytest.mark.parametrize("operation", ["TagResource", "AddTags"])
def test_a_claim_that_fails_is_made_again(kind: str, operation: str) -> None:
    """Denied or unheard: nothing else is written before, and the next pass goes on from there."""
    universe = Universe()
    arn = make(universe)
    before = tasks(universe)
    universe.fault(kind, operation=operation, remaining=1)
    universe.cluster.apply(adopter(arn))
    universe.settle(lambda: universe.ready(WEB))
    assert tasks(universe) == before
    assert group(universe)[ownership.NAME] == "web"
    assert not set(universe.writes()) & MOVES
