"""Each member of a wish as the spec says it, and its default where the spec is silent."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.model.desired import Adoption, Desired, Port, Strategy
from sluice.plan.deployment.desired import Identity, build, selector_labels
from sluice.plan.translation import TranslationContext, translate
from unit.deployment.test_desired import NETWORK, parsed, spec_of, template, wish
from unit.deployment.wishes import ARN, INSTALLATION, KEY

OFF = {"enabled": False}
CONNECT = {"enabled": True, "namespace": "internal"}
VOLUMES = [{"name": "data", "managedEBSVolume": {"roleArn": "arn:aws:iam::111122223333:role/ebs"}}]
PROVIDERS = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
OWN = [{"capacityProvider": "mine", "weight": 1}]
DISTINCT = [{"type": "distinctInstance"}]
SPREAD = [{"type": "spread", "field": "attribute:ecs.availability-zone"}]
SILENT = {
    "networkConfiguration": NETWORK,
    "enableExecuteCommand": False,
    "serviceConnectConfiguration": OFF,
    "volumeConfigurations": [],
}
FARGATE = {"launchType": "FARGATE", "platformVersion": "LATEST"}
NOT_PLACED: dict[str, Any] = {"placementConstraints": [], "placementStrategy": []}


@pytest.mark.parametrize(
    ("ecs", "members"),
    [
        pytest.param({}, FARGATE, id="silent: Fargate"),
        pytest.param(
            {
                "platformVersion": "1.4.0",
                "enableExecuteCommand": True,
                "availabilityZoneRebalancing": "ENABLED",
            },
            FARGATE
            | {
                "platformVersion": "1.4.0",
                "enableExecuteCommand": True,
                "availabilityZoneRebalancing": "ENABLED",
            },
            id="Fargate, in full",
        ),
        pytest.param(
            {"capacityProviderStrategy": PROVIDERS},
            {"capacityProviderStrategy": PROVIDERS, "platformVersion": "LATEST"},
            id="Fargate by capacity provider",
        ),
        pytest.param({"launchType": "EC2"}, {"launchType": "EC2"} | NOT_PLACED, id="EC2"),
        pytest.param(
            {"launchType": "EC2", "placementConstraints": DISTINCT, "placementStrategy": SPREAD},
            {"launchType": "EC2", "placementConstraints": DISTINCT, "placementStrategy": SPREAD},
            id="EC2, placed",
        ),
        pytest.param(
            {"capacityProviderStrategy": OWN},
            {"capacityProviderStrategy": OWN} | NOT_PLACED,
            id="EC2 by capacity provider",
        ),
        pytest.param(
            {"serviceConnectConfiguration": CONNECT},
            FARGATE | {"serviceConnectConfiguration": CONNECT},
            id="Service Connect",
        ),
    ],
)
def test_what_of_the_service_is_a_revision(ecs: dict[str, Any], members: dict[str, Any]) -> None:
    """What nobody asks for is said as ECS's own default, so that a hand edit is seen and put back."""
    assert wish(ecs=ecs).revision.service == SILENT | members


def built(raw: dict[str, Any], **changes: Any) -> Desired:
    """Return the wish of a raw spec."""
    spec = parsed(raw)
    translated = translate(spec, TranslationContext(namespace="shop", name="web", family="web-1", region="x"))
    identity = Identity(key=KEY, uid="uid-1", generation=3, installation=INSTALLATION)
    return build(identity, spec, translated, cluster="main", raw_spec=raw, **changes)


def verbatim(ecs: dict[str, Any], **members: Any) -> Desired:
    """Return the wish of a spec that has a task definition in ECS's words."""
    raw = spec_of(ecs=ecs)
    del raw["template"]
    del raw["selector"]
    container = {"name": "app", "image": "web:1", "memory": 128}
    raw["taskDefinition"] = {"networkMode": "awsvpc", "containerDefinitions": [container]} | members
    return built(raw)


def test_volumes_that_ecs_makes_are_part_of_a_revision() -> None:
    """As the spec has them; and what it was made from is kept for people."""
    found = verbatim(
        {"volumeConfigurations": VOLUMES},
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        volumes=[{"name": "data", "configuredAtLaunch": True}],
    )
    assert found.revision.service == SILENT | FARGATE | {"volumeConfigurations": VOLUMES}
    assert set(found.revision.spec) == {"taskDefinition", "ecs"}


PROBE = {"httpGet": {"path": "/", "port": 8080}, "failureThreshold": 6, "periodSeconds": 10}


def test_settings_beside_the_revision() -> None:
    """They change without new tasks, and have a default that a hand edit is put back to."""
    silent = {"schedulingStrategy": "REPLICA", "propagateTags": "SERVICE", "healthCheckGracePeriodSeconds": 0}
    assert wish().settings == silent
    told = wish(ecs={"propagateTags": "NONE"}, template=template(startupProbe=PROBE, readinessProbe=PROBE))
    assert told.settings == silent | {"propagateTags": "NONE", "healthCheckGracePeriodSeconds": 60}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, Strategy(), id="silent"),
        pytest.param({"strategy": {"type": "Recreate"}}, Strategy(type="Recreate"), id="recreate"),
        pytest.param(
            {"minReadySeconds": 7, "progressDeadlineSeconds": 90},
            Strategy(min_ready_seconds=7, progress_deadline_seconds=90),
            id="times",
        ),
        pytest.param(
            {
                "strategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {
                        "maxSurge": 0,
                        "maxUnavailable": "25%",
                        "deploymentCircuitBreaker": {"rollback": False},
                        "alarms": {"alarmNames": ["errors"], "enable": True, "rollback": True},
                    },
                }
            },
            Strategy(
                max_surge=0,
                max_unavailable="25%",
                circuit_breaker={"enable": True, "rollback": False},
                alarms={"alarmNames": ["errors"], "enable": True, "rollback": True},
            ),
            id="in full",
        ),
    ],
)
def test_how_a_new_revision_takes_over(spec: dict[str, Any], expected: Strategy) -> None:
    """With the defaults of apps/v1 where it has them, and ECS's own safety on."""
    found = wish(**spec).strategy
    assert found == expected
    assert Strategy() == Strategy(
        max_surge="100%",
        max_unavailable=0,
        circuit_breaker={"enable": True, "rollback": True},
        alarms={},
        min_ready_seconds=0,
        progress_deadline_seconds=3600,
    )


@pytest.mark.parametrize("limit", [None, 0, 3])
def test_how_many_old_revisions_are_kept(limit: int | None) -> None:
    """Ten; 0 is a number."""
    spec = {} if limit is None else {"revisionHistoryLimit": limit}
    assert wish(**spec).history_limit == (10 if limit is None else limit)


@pytest.mark.parametrize(
    ("installation", "spec", "expected"),
    [(False, False, False), (True, False, True), (False, True, True), (True, True, True)],
)
def test_either_suspends(*, installation: bool, spec: bool, expected: bool) -> None:
    """The whole installation, or the object."""
    assert built(spec_of(suspend=spec), suspended=installation).suspended is expected
    assert built(spec_of(suspend=spec)).suspended is spec


def test_ports_are_called_as_the_spec_calls_them() -> None:
    """By name, or by number where they have none."""
    ports = [{"name": "http", "containerPort": 8080}, {"containerPort": 9090}]
    found = wish(template=template(ports=ports)).revision.ports
    assert [(port.name, port.label, port.container_name) for port in found] == [
        ("http", "http", "app"),
        ("", "9090", "app"),
    ]
    assert all(isinstance(port, Port) for port in found)


def test_the_size_of_a_task_is_told_where_there_is_one() -> None:
    """On Fargate always; on EC2 only what somebody asks for."""
    limits = {"resources": {"requests": {"cpu": "300m", "memory": "600Mi"}}}
    size = wish(template=template(**limits)).task_size
    assert size == {"cpu": "512", "memory": "1024", "requestedCpu": "308", "requestedMemory": "600"}
    assert verbatim({"launchType": "EC2"}).task_size == {}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        pytest.param({"matchLabels": {"app": "web"}}, {"app": "web"}, id="as the spec says"),
        pytest.param({"matchLabels": {}}, {"app": "web", "tier": "front"}, id="an empty one"),
        pytest.param(None, {"app": "web", "tier": "front"}, id="none: the template's labels"),
    ],
)
def test_what_the_scale_subresource_selects(selector: Any, expected: dict[str, str]) -> None:
    """Autoscalers refuse an empty selector."""
    raw = spec_of(selector=selector)
    if selector is None:
        del raw["selector"]
    assert selector_labels(parsed(raw)) == expected


def test_what_is_taken_over() -> None:
    """The service of the ARN; none where the spec names none."""
    arn = f"{ARN}:service/main/legacy"
    assert wish(adopt={"serviceArn": arn}).adopt == Adoption(arn=arn, cluster="main", name="legacy")
    assert wish().adopt is None
