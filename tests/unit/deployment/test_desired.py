"""From a spec to a wish: defaults that are compared, and what makes another revision."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.api.v1alpha1.deployment import DeploymentSpec, parse_deployment
from sluice.model.desired import Desired
from sluice.plan.deployment import revision
from sluice.plan.deployment.desired import Identity, build
from sluice.plan.translation import TranslationContext, translate
from unit.deployment.wishes import INSTALLATION, KEY

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}


def spec_of(**changes: Any) -> dict[str, Any]:
    """Return a raw spec."""
    spec: dict[str, Any] = {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web", "tier": "front"}},
            "spec": {"containers": [{"name": "app", "image": "web:1", "ports": [{"containerPort": 8080}]}]},
        },
        "ecs": {"cluster": "main", "networkConfiguration": NETWORK},
    }
    ecs = {**spec["ecs"], **changes.pop("ecs", {})}
    return {**spec, **changes, "ecs": ecs}


def parsed(raw: dict[str, Any]) -> DeploymentSpec:
    """Return the typed spec."""
    return parse_deployment({"metadata": {"name": "web", "namespace": "shop"}, "spec": raw})


def wish(**changes: Any) -> Desired:
    """Return the wish of a spec."""
    raw = spec_of(**changes)
    spec = parsed(raw)
    translated = translate(
        spec, TranslationContext(namespace="shop", name="web", family="web-1", region="eu-west-1")
    )
    identity = Identity(key=KEY, uid="uid-1", generation=3, installation=INSTALLATION)
    return build(identity, spec, translated, cluster="main", raw_spec=raw)


def template(**changes: Any) -> dict[str, Any]:
    """Return the template with another container member or annotation."""
    raw = spec_of()["template"]
    annotations = changes.pop("annotations", None)
    container = {**raw["spec"]["containers"][0], **changes}
    metadata = {**raw["metadata"], **({"annotations": annotations} if annotations else {})}
    return {"metadata": metadata, "spec": {"containers": [container]}}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"template": template(image="web:2")}, id="image"),
        pytest.param({"template": template(env=[{"name": "A", "value": "1"}])}, id="environment"),
        pytest.param({"template": template(annotations={"sluice.dev/restartedAt": "1"})}, id="restart"),
        pytest.param({"ecs": {"enableExecuteCommand": True}}, id="exec"),
        pytest.param({"ecs": {"launchType": "EC2"}}, id="launch-type"),
        pytest.param({"ecs": {"platformVersion": "1.4.0"}}, id="platform"),
        pytest.param(
            {"ecs": {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-2"]}}}},
            id="network",
        ),
        pytest.param(
            {"ecs": {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]}}, id="capacity"
        ),
        pytest.param({"ecs": {"availabilityZoneRebalancing": "DISABLED"}}, id="zones"),
    ],
)
def test_another_revision(changes: dict[str, Any]) -> None:
    """Whatever would start an ECS deployment or change what runs has another name."""
    assert wish(**changes).revision.name != wish().revision.name


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"replicas": 7}, id="replicas"),
        pytest.param({"ecs": {"tags": {"team": "shop"}}}, id="tags"),
        pytest.param({"ecs": {"propagateTags": "NONE"}}, id="propagate"),
        pytest.param({"ecs": {"enableExecuteCommand": False}}, id="default-written-out"),
        pytest.param({"ecs": {"launchType": "FARGATE"}}, id="default-launch-type"),
        pytest.param(
            {"ecs": {"targetGroups": [{"port": 8080, "healthCheck": {"path": "/x"}}]}}, id="health-check"
        ),
        pytest.param({"strategy": {"type": "Recreate"}}, id="strategy"),
        pytest.param({"paused": True, "minReadySeconds": 5}, id="progress"),
        pytest.param({"template": template(annotations={"team": "x"})}, id="other-annotation"),
    ],
)
def test_the_same_revision(changes: dict[str, Any]) -> None:
    """Counts, tags, health checks and how to roll out are no part of a revision."""
    assert wish(**changes).revision.name == wish().revision.name


def test_names_follow_the_deployment() -> None:
    """`<deployment>-<10 hex>`."""
    name = wish().revision.name
    assert name.startswith("web-")
    assert len(name) == len("web-") + 10


def test_a_restart_keeps_the_definition() -> None:
    """The restart annotation changes the revision's hash and not the definition's."""
    restarted = wish(template=template(annotations={"sluice.dev/restartedAt": "1"}))
    assert restarted.revision.definition_hash == wish().revision.definition_hash


def test_defaults_that_are_compared() -> None:
    """A silent spec still says what a hand edit is repaired to."""
    found = wish()
    assert found.revision.service["launchType"] == "FARGATE"
    assert found.revision.service["platformVersion"] == "LATEST"
    assert found.revision.service["enableExecuteCommand"] is False
    assert found.settings["propagateTags"] == "SERVICE"
    assert (found.strategy.max_surge, found.strategy.max_unavailable) == ("100%", 0)
    assert found.strategy.circuit_breaker == {"enable": True, "rollback": True}
    assert (found.strategy.progress_deadline_seconds, found.history_limit) == (3600, 10)
    assert "availabilityZoneRebalancing" not in found.revision.service


def test_labels_become_tags_and_selector() -> None:
    """Template labels and ecs.tags are the service's tags; the selector is the scale subresource's."""
    found = wish(ecs={"tags": {"team": "shop", "tier": "overridden"}})
    assert found.tags == {"app": "web", "team": "shop", "tier": "overridden"}
    assert found.selector == "app=web"


def test_a_revision_survives_its_controller_revision() -> None:
    """What a ControllerRevision keeps is all that an undo needs."""
    own = wish().revision
    assert revision.from_data(own.name, revision.to_data(own)) == own
