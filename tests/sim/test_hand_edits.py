"""Whatever a person changes at the console is repaired within the drift interval, or told.

First table: repaired. The second column is the field that the event names; what must not happen is
the same for all: nothing foreign is touched, the object's history has no new rollout. Second table:
told by a condition, nothing written, healed when the cause is gone. Third: none of our business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from sim import console
from sim.console import Edit
from sim.stories import BY_NAME, apply, tell
from sim.universe import ROUTE, WEB, Universe, deployment
from sluice.model import ownership
from sluice.model.keys import Key
from sluice_sandbox.aws.estate import SECURITY_GROUP_ID, SUBNET_IDS

SOON = 95.0
"""Seconds: passes come once a drift interval (60 s), and a read may be half of it old."""
LATE = 1300.0
"""Attributes and tags of target groups are read every ten minutes, twice as rarely as passes look."""
ONE_SUBNET = {"awsvpcConfiguration": {"subnets": [SUBNET_IDS[0]], "securityGroups": [SECURITY_GROUP_ID]}}
OTHER_PATH = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/stolen"]}}]


@dataclass(frozen=True, kw_only=True)
class Repaired:
    """A hand edit and what the event says about its repair."""

    name: str
    edit: Edit
    names: str
    """The field, as the event has it."""
    within: float = SOON


REPAIRED = [
    Repaired(name="desired count", edit=console.update_service(desiredCount=7), names="desiredCount 7 → 2"),
    Repaired(name="count 0", edit=console.update_service(desiredCount=0), names="desiredCount 0 → 2"),
    Repaired(name="task definition", edit=console.another_definition, names="taskDefinition"),
    Repaired(
        name="network",
        edit=console.update_service(networkConfiguration=ONE_SUBNET),
        names="networkConfiguration",
    ),
    Repaired(
        name="percentages",
        edit=console.update_service(
            deploymentConfiguration={"minimumHealthyPercent": 50, "maximumPercent": 150}
        ),
        names="minimumHealthyPercent",
    ),
    Repaired(
        name="circuit breaker",
        edit=console.update_service(
            deploymentConfiguration={"deploymentCircuitBreaker": {"enable": False, "rollback": False}}
        ),
        names="deploymentCircuitBreaker",
    ),
    Repaired(
        name="exec", edit=console.update_service(enableExecuteCommand=True), names="enableExecuteCommand"
    ),
    Repaired(
        name="target groups detached", edit=console.update_service(loadBalancers=[]), names="loadBalancers"
    ),
    Repaired(name="service tag", edit=console.tag_service(revision="nonsense"), names="sluice.dev/revision"),
    Repaired(
        name="health check path",
        edit=console.modify_group(HealthCheckPath="/stolen"),
        names="HealthCheckPath /stolen → /healthz",
        within=LATE,
    ),
    Repaired(
        name="group attribute",
        edit=console.set_attribute("deregistration_delay.timeout_seconds", "300"),
        names="deregistration_delay.timeout_seconds 300 → 17",
        within=LATE,
    ),
    Repaired(name="rule weights", edit=console.forward_to_theirs("rule"), names="weights"),
    Repaired(
        name="rule conditions", edit=console.modify_rule("rule", Conditions=OTHER_PATH), names="conditions"
    ),
    Repaired(
        name="rule redirects",
        edit=console.modify_rule(
            "rule",
            Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}],
        ),
        names="weights",
    ),
    Repaired(name="rule deleted", edit=console.delete_rule("rule"), names="was deleted by somebody else"),
    Repaired(name="anchor forwards", edit=console.forward_to_theirs("anchor"), names="anchor"),
    Repaired(
        name="anchor conditions", edit=console.modify_rule("anchor", Conditions=OTHER_PATH), names="anchor"
    ),
    Repaired(name="anchor deleted", edit=console.delete_rule("anchor"), names="anchor"),
]


def created() -> Universe:
    """Return a universe with a converged Deployment and route, and foreign objects next to them."""
    universe = Universe(seed=7)
    console.add_bystanders(universe)
    spec = deployment(ecs={"targetGroups": [{"port": "http", "deregistrationDelaySeconds": 17}]})
    apply(spec)(universe)
    tell(BY_NAME["create"], universe=universe)
    apply(spec)(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    universe.run(30)
    return universe


def told(universe: Universe, reason: str) -> str:
    """Return the messages of all events of a reason."""
    return "; ".join(text for _, _, why, text in universe.operator.recorder.events if why == reason)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in REPAIRED])
def test_repaired(case: Repaired) -> None:
    """Repaired in time, named in an event, nothing foreign touched, no rollout in the history."""
    universe = created()
    before, history = console.details(universe), universe.status()["history"]
    case.edit(universe)
    assert console.details(universe) != before, "the edit changed nothing"
    universe.settle(lambda: case.names in told(universe, "DriftRepaired"), within=case.within)
    universe.settle(lambda: universe.ready(WEB, ROUTE) and _without_theirs(universe) == _ours(before))
    after = console.details(universe)
    assert after["rules"][80, "40000"] == before["rules"][80, "40000"]
    assert after["target groups"]["theirs"] == before["target groups"]["theirs"]
    assert after["services"]["theirs"] == before["services"]["theirs"]
    assert universe.status()["history"] == history


def _ours(details: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in details.items() if name != "task definitions"}


def _without_theirs(universe: Universe) -> dict[str, object]:
    return _ours(console.details(universe))


@pytest.mark.parametrize(
    ("edit", "reason", "names"),
    [
        pytest.param(console.delete_service, "ServiceReplaced", "was deleted by somebody else", id="service"),
        pytest.param(
            console.delete_group,
            "DriftRepaired",
            "was deleted by somebody else",
            id="target group and its rules",
        ),
    ],
)
def test_deleted_things_are_made_again(edit: Edit, reason: str, names: str) -> None:
    """What was deleted is there again under the same contract, carries traffic, and an event says so."""
    universe = created()
    before = universe.picture()
    edit(universe)
    universe.settle(lambda: names in told(universe, reason), within=SOON)
    universe.settle(lambda: universe.ready(WEB, ROUTE) and _active(universe) == _active_of(before))
    assert universe.picture()["target groups"] == before["target groups"]
    assert universe.picture()["rules"] == before["rules"]
    assert console.own_rule(universe, "rule")["Actions"][0]["ForwardConfig"]["TargetGroups"] == [
        {"TargetGroupArn": console.own_group(universe)["TargetGroupArn"], "Weight": 1}
    ]
    assert universe.healthy(console.own_group(universe)["TargetGroupArn"]) == 2


@pytest.mark.parametrize(
    ("edit", "back", "names", "key"),
    [
        pytest.param(
            console.tag_service(installation="another"),
            console.tag_service(installation="sim"),
            "ECS service",
            WEB,
            id="service claimed by another installation",
        ),
        pytest.param(
            console.tag_service(name="other"),
            console.tag_service(name="web"),
            "ECS service",
            WEB,
            id="service claimed for another object",
        ),
        pytest.param(
            console.tag_group(installation="another"),
            console.tag_group(installation="sim"),
            "target group",
            WEB,
            id="target group claimed",
        ),
    ],
)
def test_what_is_not_ours_any_more_is_told_and_left(edit: Edit, back: Edit, names: str, key: Key) -> None:
    """Ownership tags that somebody changed: Stalled/OwnershipConflict, no write, healed with the tags."""
    universe = created()
    group = console.own_group(universe)["TargetGroupArn"]
    arn = console.service(universe)["serviceArn"]
    edit(universe)
    before = universe.writes()
    universe.settle(lambda: universe.reason(key) == "OwnershipConflict", within=LATE)
    universe.run(300)
    assert names in universe.condition("Stalled", key)["message"]
    assert universe.writes() == before
    _give_back(universe, back, arn=arn, group=group)
    universe.settle(lambda: universe.ready(WEB, ROUTE), within=LATE)


def _give_back(universe: Universe, back: Edit, *, arn: str, group: str) -> None:
    tags = {"sluice.dev/installation": "sim", "sluice.dev/name": "web"}
    universe.aws("ecs", "TagResource", resourceArn=arn, tags=ownership.to_ecs(tags))
    universe.aws("elbv2", "AddTags", ResourceArns=[group], Tags=ownership.to_elb(tags))
    back(universe)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(console.stop_task, id="task stopped"),
        pytest.param(console.deregister, id="task definition deregistered"),
        pytest.param(console.tag_service_freely, id="foreign tag on the service"),
        pytest.param(console.set_attribute("slow_start.duration_seconds", "60"), id="attribute left open"),
        pytest.param(console.edit_bystanders, id="foreign things edited"),
    ],
)
def test_none_of_our_business(edit: Edit) -> None:
    """What the spec leaves open, ECS mends itself or others own leads to no write."""
    universe = created()
    before = universe.writes()
    edit(universe)
    universe.run(LATE)
    assert universe.writes() == before
    assert universe.ready(WEB, ROUTE)
    assert told(universe, "DriftRepaired") == ""


def test_a_deregistered_definition_is_registered_again_when_it_is_needed() -> None:
    """ECS refuses to deploy an INACTIVE definition: a rollout back to it registers it once more."""
    universe = created()
    universe.cluster.apply(deployment(image="web:2"))
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    first = next(arn for arn in universe.definitions() if arn.endswith(":1") and "theirs" not in arn)
    universe.aws("ecs", "DeregisterTaskDefinition", taskDefinition=first)
    universe.cluster.apply(deployment())
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert console.service(universe)["taskDefinition"].endswith(":3")


def test_replicas_left_open_belong_to_whoever_scales() -> None:
    """Without spec.replicas a scaled ECS service is no drift, and status.replicas follows it."""
    universe = Universe(seed=7)
    apply(deployment(replicas=None))(universe)
    universe.settle(lambda: universe.ready(WEB))
    before = universe.writes()
    console.update_service(desiredCount=5)(universe)
    universe.settle(lambda: universe.status().get("readyReplicas") == 5, within=2 * SOON)
    assert universe.writes() == before


@pytest.mark.parametrize(
    ("spec", "settings"),
    [
        pytest.param({"suspend": True}, None, id="Deployment suspended"),
        pytest.param({}, {"suspended": True}, id="operator suspended"),
    ],
)
def test_suspended_reports_and_writes_nothing(
    spec: dict[str, bool], settings: dict[str, bool] | None
) -> None:
    """Drift of a suspended Deployment is told, with the field, and repaired once the suspension ends."""
    universe = Universe(seed=7)
    apply(deployment())(universe)
    universe.settle(lambda: universe.ready(WEB))
    universe.cluster.edit(WEB, lambda obj: obj["spec"].update(spec))
    universe.options["settings"] = settings
    universe.restart()
    universe.run(120)
    before = universe.writes()
    console.update_service(desiredCount=7)(universe)
    universe.settle(lambda: "desiredCount 7 → 2" in told(universe, "DriftFound"), within=SOON)
    assert "desiredCount 7 → 2" in universe.condition("Ready")["message"]
    assert universe.writes() == before
    universe.cluster.edit(WEB, lambda obj: obj["spec"].update(suspend=False))
    universe.options["settings"] = None
    universe.restart()
    universe.settle(lambda: universe.ready(WEB) and console.service(universe)["desiredCount"] == 2)


def test_a_suspended_operator_deletes_nothing() -> None:
    """Objects deleted while the operator is suspended keep their finalizer, and AWS keeps what it has."""
    universe = Universe(seed=7, settings={"suspended": False})
    tell(BY_NAME["create"], universe=universe)
    universe.options["settings"] = {"suspended": True}
    universe.restart()
    before = universe.writes()
    for key in (ROUTE, WEB):
        universe.cluster.delete(key)
    universe.run(300)
    assert universe.writes() == before
    assert universe.reason(WEB) == universe.reason(ROUTE) == "Paused"
    universe.options["settings"] = None
    universe.restart()
    universe.settle(lambda: universe.gone(WEB, ROUTE))


def test_paused_repairs_but_starts_no_rollout() -> None:
    """A paused Deployment keeps its count and its running revision; the new image waits."""
    universe = created()
    universe.cluster.edit(WEB, lambda obj: obj["spec"].update(paused=True))
    universe.cluster.edit(WEB, lambda obj: _set_image(obj, "web:2"))
    universe.run(60)
    before = console.service(universe)
    assert universe.reason() == "Paused"
    console.update_service(desiredCount=7)(universe)
    universe.settle(lambda: "desiredCount 7 → 2" in told(universe, "DriftRepaired"), within=SOON)
    universe.run(120)
    after = console.service(universe)
    assert (after["desiredCount"], after["taskDefinition"]) == (2, before["taskDefinition"])
    assert after["deployments"][0]["id"] == before["deployments"][0]["id"]


def _set_image(obj: dict[str, Any], image: str) -> None:
    obj["spec"]["template"]["spec"]["containers"][0]["image"] = image


def _active(universe: Universe) -> list[tuple[object, ...]]:
    return _active_of(universe.picture())


def _active_of(picture: dict[str, Any]) -> list[tuple[object, ...]]:
    """Return cluster, desired and running of ACTIVE services: a successor has another name."""
    return sorted(
        (cluster, want, runs) for cluster, _, status, want, runs in picture["services"] if status == "ACTIVE"
    )
