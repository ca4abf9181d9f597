"""The ECS service: whose it is, how it differs from what it should be, and exactly what is sent."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import pytest

from sluice.model import ownership
from sluice.model.actions import Ref
from sluice.model.desired import Strategy
from sluice.model.errors import Refused
from sluice.plan.deployment import service as ecs
from sluice.plan.deployment.percentages import deployment_configuration
from sluice.plan.deployment.service import Difference
from sluice.plan.deployment.state import Slot
from unit.deployment.wishes import OTHER, desired, tagged

SLOT = Slot(name="a", cluster="main", service_name="web-a1")
OUTPUTS = {"service:main:web-a1": "service"}
WISH = desired()
OURS = ownership.to_ecs(tagged())


# Whose it is.


@pytest.mark.parametrize(
    ("service", "refused"),
    [
        pytest.param({"tags": OURS}, "", id="ours"),
        pytest.param({"tags": []}, "OwnershipConflict", id="nobody's"),
        pytest.param({}, "OwnershipConflict", id="ECS tells no tags"),
        pytest.param({"tags": ownership.to_ecs(tagged(OTHER))}, "OwnershipConflict", id="another object's"),
        pytest.param({"tags": OURS, "deploymentController": {"type": "ECS"}}, "", id="ECS's controller"),
        pytest.param(
            {"tags": OURS, "deploymentController": {"type": "CODE_DEPLOY"}}, "ManagedByECS", id="CodeDeploy"
        ),
        pytest.param({"tags": OURS, "deploymentConfiguration": {"strategy": "ROLLING"}}, "", id="rolling"),
        pytest.param(
            {"tags": OURS, "deploymentConfiguration": {"strategy": "CANARY"}}, "ManagedByECS", id="a strategy"
        ),
        pytest.param(
            {
                "deploymentController": {"type": "EXTERNAL"},
                "deploymentConfiguration": {"strategy": "CANARY"},
                "tags": OURS,
            },
            "ManagedByECS",
            id="both",
        ),
    ],
)
def test_whose_a_service_is(service: dict[str, Any], refused: str) -> None:
    """Tags prove it; what CodeDeploy or a strategy of ECS's own drives is nobody's to change beside them."""
    assert ecs.ours(WISH, service) is (refused != "OwnershipConflict")
    with contextlib.nullcontext() if not refused else pytest.raises(Refused) as error:
        ecs.check_ours(WISH, service)
    assert (error.value.reason if error else "") == refused


# What only a new service can have.


def wish(launch: str = "", providers: tuple[str, ...] = (), scheduling: str = "") -> Any:
    """Return a wish with these create-only settings."""
    strategy = [{"capacityProvider": name} for name in providers]
    members = {"launchType": launch, "capacityProviderStrategy": strategy}
    made = desired()
    revision = dataclasses.replace(made.revision, service={k: v for k, v in members.items() if v})
    settings = {"schedulingStrategy": scheduling} if scheduling else {}
    return dataclasses.replace(made, revision=revision, settings=settings)


SPOT = {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]}


@pytest.mark.parametrize(
    ("wanted", "cluster", "service", "why"),
    [
        pytest.param(wish("FARGATE"), "main", {"launchType": "FARGATE"}, "", id="equal"),
        pytest.param(
            wish("EC2"), "main", {"launchType": "FARGATE"}, "launchType FARGATE → EC2", id="launch type"
        ),
        pytest.param(wish("EC2"), "main", {}, "", id="ECS tells no launch type"),
        pytest.param(
            wish("FARGATE"),
            "main",
            SPOT,
            "launchType capacity providers FARGATE_SPOT → FARGATE",
            id="providers to launch type",
        ),
        pytest.param(
            wish("FARGATE"),
            "main",
            SPOT | {"launchType": "FARGATE"},
            "launchType capacity providers FARGATE_SPOT → FARGATE",
            id="providers beside a launch type",
        ),
        pytest.param(
            wish(providers=("FARGATE",)),
            "main",
            {"launchType": "FARGATE"},
            "launchType FARGATE → capacity providers",
            id="launch type to providers",
        ),
        pytest.param(wish(providers=("FARGATE",)), "main", SPOT, "", id="other providers"),
        pytest.param(
            wish(providers=("FARGATE",)),
            "main",
            SPOT | {"launchType": "FARGATE"},
            "",
            id="providers, both told",
        ),
        pytest.param(wish(providers=("FARGATE",)), "main", {}, "", id="providers, nothing told"),
        pytest.param(wish(), "main", {"launchType": "EC2"}, "", id="neither is asked for"),
        pytest.param(wish("FARGATE"), "second", {}, "cluster second → main", id="cluster"),
        pytest.param(wish("FARGATE"), "arn:aws:ecs:x:1:cluster/main", {}, "", id="the cluster by its ARN"),
        pytest.param(
            wish("EC2"),
            "main",
            {"launchType": "EC2", "schedulingStrategy": "DAEMON"},
            "schedulingStrategy DAEMON → REPLICA",
            id="a daemon",
        ),
        pytest.param(
            wish("EC2", scheduling="REPLICA"), "main", {"schedulingStrategy": "REPLICA"}, "", id="replicas"
        ),
    ],
)
def test_what_only_a_new_service_can_have(
    wanted: Any, cluster: str, service: dict[str, Any], why: str
) -> None:
    """ECS API, UpdateService takes neither cluster, launchType nor schedulingStrategy."""
    assert ecs.replaced_by(wanted, dataclasses.replace(SLOT, cluster=cluster), service) == why


# How it differs.

GROUP = {"targetGroupArn": "arn:group", "containerName": "app", "containerPort": 8080}
REGISTRY = {"registryArn": "arn:registry", "containerName": "app", "containerPort": 8080, "port": 80}
MANY = {"subnets": ["s1"], "securityGroups": ["g1"], "assignPublicIp": "ENABLED"}


@pytest.mark.parametrize(
    ("service", "body", "found"),
    [
        pytest.param({"desiredCount": 2}, {"desiredCount": 2}, {}, id="count, equal"),
        pytest.param(
            {"desiredCount": 2}, {"desiredCount": 3}, {"desiredCount": "desiredCount 2 → 3"}, id="count"
        ),
        pytest.param(
            {"taskDefinition": "arn:x:task-definition/web:1"},
            {"taskDefinition": "arn:x:task-definition/web:2"},
            {"taskDefinition": "taskDefinition web:1 → web:2"},
            id="definition, shortened for people",
        ),
        pytest.param(
            {"taskDefinition": "arn:1"},
            {"taskDefinition": Ref("definition:d")},
            {"taskDefinition": "taskDefinition changes"},
            id="definition that is registered in this pass",
        ),
        pytest.param({"loadBalancers": [GROUP]}, {"loadBalancers": [GROUP]}, {}, id="groups, equal"),
        pytest.param({}, {"loadBalancers": []}, {}, id="no groups, not told"),
        pytest.param(
            {},
            {"loadBalancers": [GROUP]},
            {"loadBalancers": "loadBalancers changed"},
            id="a group that is new",
        ),
        pytest.param(
            {"loadBalancers": [GROUP | {"containerPort": 9090}]},
            {"loadBalancers": [GROUP]},
            {"loadBalancers": "loadBalancers changed"},
            id="another port",
        ),
        pytest.param(
            {"loadBalancers": [GROUP]},
            {"loadBalancers": [GROUP, GROUP | {"targetGroupArn": Ref("target-group-arn:g")}]},
            {"loadBalancers": "loadBalancers changes"},
            id="a group that is made in this pass",
        ),
        pytest.param({}, {"serviceRegistries": []}, {}, id="no registry, not told"),
        pytest.param(
            {"serviceRegistries": [REGISTRY]}, {"serviceRegistries": [REGISTRY]}, {}, id="registry, equal"
        ),
        pytest.param(
            {"serviceRegistries": [REGISTRY]},
            {"serviceRegistries": [REGISTRY | {"port": 81}]},
            {"serviceRegistries": "serviceRegistries changed"},
            id="another registry",
        ),
        pytest.param(
            {"placementConstraints": [{"type": "distinctInstance"}]},
            {"placementConstraints": []},
            {"placementConstraints": "placementConstraints set → absent"},
            id="taken away",
        ),
        pytest.param({}, {"placementConstraints": []}, {}, id="nothing asked for, nothing there"),
        pytest.param(
            {"networkConfiguration": {"awsvpcConfiguration": MANY}},
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s2"], "securityGroups": ["g2"]}}},
            {
                "networkConfiguration": "networkConfiguration.awsvpcConfiguration.assignPublicIp ENABLED → "
                "DISABLED, networkConfiguration.awsvpcConfiguration.securityGroups ['g1'] → ['g2'], "
                "networkConfiguration.awsvpcConfiguration.subnets ['s1'] → ['s2']"
            },
            id="three parts of one member",
        ),
        pytest.param(
            {
                "serviceConnectConfiguration": {
                    "enabled": True,
                    "namespace": "n",
                    "services": [1],
                    "x": 1,
                    "y": 1,
                }
            },
            {"serviceConnectConfiguration": {"enabled": True}},
            {
                "serviceConnectConfiguration": "serviceConnectConfiguration.namespace n → None, "
                "serviceConnectConfiguration.services [1] → None, serviceConnectConfiguration.x 1 → None"
            },
            id="three of four parts are told",
        ),
    ],
)
def test_differences(service: dict[str, Any], body: dict[str, Any], found: dict[str, str]) -> None:
    """Member by member, what the spec decides alone; the text is the Event's."""
    expected = tuple(Difference(member=member, text=text) for member, text in sorted(found.items()))
    assert ecs.differences(service, body) == expected


CONFIGURATION = deployment_configuration(Strategy(), 2)


@pytest.mark.parametrize(
    ("seen", "differs"),
    [
        pytest.param(CONFIGURATION, False, id="equal"),
        pytest.param({**CONFIGURATION, "bakeTimeInMinutes": 5}, False, id="what ECS keeps beside ours"),
        pytest.param({**CONFIGURATION, "maximumPercent": 150}, True, id="another"),
        pytest.param(None, True, id="ECS tells none"),
    ],
)
def test_the_deployment_configuration(seen: dict[str, Any] | None, *, differs: bool) -> None:
    """Compared in the members that Sluice gives: UpdateService keeps the others."""
    found = ecs.differences({"deploymentConfiguration": seen}, {"deploymentConfiguration": CONFIGURATION})
    assert [entry.member for entry in found] == (["deploymentConfiguration"] if differs else [])


@pytest.mark.parametrize(
    ("members", "force"),
    [
        pytest.param((), True, id="a restart"),
        pytest.param(("taskDefinition",), False, id="a definition"),
        pytest.param(("capacityProviderStrategy",), True, id="capacity providers"),
        pytest.param(("enableExecuteCommand",), True, id="exec: for later tasks alone"),
        pytest.param(
            ("capacityProviderStrategy", "taskDefinition"), False, id="one that begins a deployment"
        ),
        pytest.param(("placementStrategy",), False, id="in place"),
        pytest.param(
            ("availabilityZoneRebalancing", "placementConstraints", "placementStrategy"),
            False,
            id="all in place",
        ),
        pytest.param(("placementStrategy", "enableExecuteCommand"), True, id="in place and not"),
        pytest.param(("desiredCount",), True, id="a restart beside another count"),
        pytest.param(("loadBalancers",), True, id="a restart beside target groups"),
    ],
)
def test_what_takes_effect_only_by_force(members: tuple[str, ...], *, force: bool) -> None:
    """ECS API, UpdateService: which members trigger a new service deployment, and which need none."""
    assert ecs.needs_force(tuple(Difference(member=name, text="") for name in members)) is force


# What is sent.


def body(**changes: Any) -> dict[str, Any]:
    """Return the members of UpdateService for the wish."""
    given: dict[str, Any] = {
        "task_definition": "arn:1",
        "load_balancers": [GROUP],
        "deployment_configuration": {"maximumPercent": 200},
        "count": 2,
    }
    return ecs.update_body(changes.pop("wanted", WISH), **(given | changes))


OWN = {
    "platformVersion": "LATEST",
    "enableExecuteCommand": False,
    "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1", "subnet-2"]}},
    "propagateTags": "SERVICE",
    "taskDefinition": "arn:1",
    "deploymentConfiguration": {"maximumPercent": 200},
}
GRACE = {"healthCheckGracePeriodSeconds": 0}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, OWN | GRACE | {"loadBalancers": [GROUP], "desiredCount": 2}, id="whole"),
        pytest.param(
            {"load_balancers": []},
            OWN | {"loadBalancers": [], "desiredCount": 2},
            id="no load balancer: no grace",
        ),
        pytest.param({"count": None}, OWN | GRACE | {"loadBalancers": [GROUP]}, id="somebody else's count"),
        pytest.param(
            {"count": 0}, OWN | GRACE | {"loadBalancers": [GROUP], "desiredCount": 0}, id="a count of zero"
        ),
        pytest.param(
            {"registries": []},
            OWN | GRACE | {"loadBalancers": [GROUP], "desiredCount": 2, "serviceRegistries": []},
            id="registry taken away",
        ),
    ],
)
def test_what_is_ours_to_decide(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    """Neither what only CreateService takes, nor what somebody else owns."""
    assert body(**changes) == expected


def test_create_sends_what_is_set() -> None:
    """Empty members are left to ECS's defaults, a Service Connect that is off is not sent; 0 tasks are."""
    connect = {"serviceConnectConfiguration": {"enabled": False}}
    wanted = desired(service={"placementStrategy": [], "platformVersion": "", **connect})
    action = ecs.create(wanted, SLOT, body(wanted=wanted, load_balancers=[]), count=0, attempt="r1")
    given = dict(action.params)
    token = given.pop("clientToken")
    assert given == {
        "launchType": "FARGATE",
        "schedulingStrategy": "REPLICA",
        "enableExecuteCommand": False,
        "networkConfiguration": OWN["networkConfiguration"],
        "propagateTags": "SERVICE",
        "taskDefinition": "arn:1",
        "deploymentConfiguration": {"maximumPercent": 200},
        "cluster": "main",
        "serviceName": "web-a1",
        "desiredCount": 0,
        "tags": ownership.to_ecs(ecs.service_tags(wanted, SLOT)),
    }
    assert len(token) == 36, "the most that ECS takes"
    assert action.outputs == OUTPUTS


def test_a_service_connect_that_is_on_is_sent() -> None:
    """A client needs no more than to be enabled."""
    wanted = desired(service={"serviceConnectConfiguration": {"enabled": True}})
    action = ecs.create(wanted, SLOT, body(wanted=wanted), count=1, attempt="r1")
    assert action.params["serviceConnectConfiguration"] == {"enabled": True}


def test_create_only_members_that_are_empty_are_not_sent() -> None:
    """With capacity providers there is no launch type."""
    wanted = desired(service={"launchType": ""})
    assert "launchType" not in ecs.create(wanted, SLOT, {}, count=1, attempt="r1").params


COUNT = Difference(member="desiredCount", text="desiredCount 1 → 2")


@pytest.mark.parametrize(
    ("found", "force", "reason", "sent", "told"),
    [
        pytest.param((COUNT,), False, "", {"desiredCount": 2}, "desiredCount 1 → 2", id="a difference"),
        pytest.param(
            (), True, "", {"forceNewDeployment": True, "taskDefinition": "arn:1"}, "restart", id="a restart"
        ),
        pytest.param((COUNT,), False, "why", {"desiredCount": 2}, "why", id="a reason of its own"),
    ],
)
def test_update_sends_what_differs(
    found: tuple[Difference, ...],
    force: bool,  # noqa: FBT001 - a table's column
    reason: str,
    sent: dict[str, Any],
    told: str,
) -> None:
    """And the definition with a forced deployment, which would else be whatever the service has."""
    action = ecs.update(SLOT, body(), found, force=force, reason=reason)
    assert action.params == {"cluster": "main", "service": "web-a1", **sent}
    assert (action.operation, action.reason, action.outputs) == ("UpdateService", told, OUTPUTS)


def test_only_wrong_tags_are_written() -> None:
    """What is right is left, what nobody asked for stays."""
    want = ecs.service_tags(WISH, SLOT)
    seen = {**want, "app": "other", "cost": "7"}
    service = {"serviceArn": "arn:s", "tags": ownership.to_ecs(seen)}
    (action,) = ecs.tag_actions(WISH, SLOT, service)
    assert action.params == {"resourceArn": "arn:s", "tags": [{"key": "app", "value": "web"}]}
    assert action.reason == "tags app"
    assert ecs.tag_actions(WISH, SLOT, service | {"tags": ownership.to_ecs(want)}) == []


def test_delete_lets_the_tasks_drain() -> None:
    """By force: ECS API, DeleteService of a service that has not been scaled to 0."""
    action = ecs.delete(SLOT, reason="why")
    assert action.params == {"cluster": "main", "service": "web-a1", "force": True}
    assert action.already == {"ServiceNotFoundException", "ServiceNotActiveException"}


@pytest.mark.parametrize(
    ("service", "id_"),
    [
        pytest.param({}, "", id="none told"),
        pytest.param({"deployments": [{"status": "ACTIVE", "id": "old"}]}, "", id="none is PRIMARY"),
        pytest.param(
            {"deployments": [{"status": "ACTIVE", "id": "old"}, {"status": "PRIMARY", "id": "new"}]},
            "new",
            id="beside an old one",
        ),
    ],
)
def test_the_primary_deployment(service: dict[str, Any], id_: str) -> None:
    """The one that ECS goes to."""
    assert ecs.primary(service).get("id", "") == id_
