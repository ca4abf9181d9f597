"""Applying manifests: several managers of one object, misspelt fields, specs that cannot be."""

from __future__ import annotations

import json

import pytest

from e2e.desk import DEPLOYMENT, REPOSITORY, Desk
from sluice_sandbox.controlplane.errors import CommandFailed

pytestmark = pytest.mark.e2e


def test_two_managers_share_an_object(desk: Desk) -> None:
    """Git owns the template, an autoscaler the replicas: neither takes the other's field, a conflict is told.

    Members of lists with keys (containers, their ports) belong to managers one by one.
    """
    whole = desk.deployment()
    replicas = {
        **{key: whole[key] for key in ("apiVersion", "kind")},
        "metadata": {"name": "web", "namespace": desk.namespace},
        "spec": {"replicas": 3},
    }
    mine = json.loads(json.dumps(whole))
    del mine["spec"]["replicas"]
    git = ("--server-side", "--field-manager=git")
    scaler = ("--server-side", "--field-manager=scaler")
    desk.apply(mine, flags=git)
    desk.apply(replicas, flags=scaler)
    desk.wait_ready(whole)
    assert desk.service()["runningCount"] == 3

    mine["spec"]["template"]["spec"]["containers"][0]["image"] = f"{REPOSITORY}:2.0.0"
    desk.apply(mine, flags=git)
    desk.wait_ready(whole)
    found = desk.get(DEPLOYMENT)
    assert found["spec"]["replicas"] == 3
    assert found["status"]["images"][0]["tag"] == f"{REPOSITORY}:2.0.0"

    with pytest.raises(CommandFailed) as refused:
        desk.apply(whole, flags=git)
    assert 'conflict with "scaler"' in refused.value.stderr
    assert ".spec.replicas" in refused.value.stderr
    managers = {
        entry["manager"]
        for entry in json.loads(desk.kubectl("get", "ecsd", "web", "-o", "json", "--show-managed-fields"))[
            "metadata"
        ]["managedFields"]
    }
    assert {"git", "scaler", "sluice"} <= managers


def test_a_misspelt_field_is_refused_with_its_path(desk: Desk) -> None:
    """The strict validation names the field; nothing is created."""
    obj = desk.deployment(strategy={"rollingUpdate": {"maxSurge": "100%", "maxUnavailabel": 0}})
    with pytest.raises(CommandFailed) as refused:
        desk.apply(obj)
    assert 'strict decoding error: unknown field "spec.strategy.rollingUpdate.maxUnavailabel"' in (
        refused.value.stderr
    )
    assert desk.get(DEPLOYMENT) == {}


def test_a_field_that_ecs_cannot_have_is_refused_with_what_to_use(desk: Desk) -> None:
    """The API server says at once what would be dropped otherwise."""
    obj = desk.deployment()
    obj["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
    with pytest.raises(CommandFailed) as refused:
        desk.apply(obj)
    assert "spec.template.spec" in refused.value.stderr
    assert "nodeSelector" in refused.value.stderr
    assert "ecs.placementConstraints" in refused.value.stderr


def test_what_only_the_operator_can_see_is_a_condition(desk: Desk) -> None:
    """A ConfigMap that does not exist stalls the object with its name, and heals when it appears."""
    obj = desk.deployment()
    (container,) = obj["spec"]["template"]["spec"]["containers"]
    source = {"configMapKeyRef": {"name": "colours", "key": "main"}}
    container["env"] = [{"name": "COLOUR", "valueFrom": source}]
    desk.apply(obj)
    condition = desk.wait_reason("InvalidSpec")
    assert "colours" in condition["message"]
    desk.kubectl("create", "configmap", "colours", "--from-literal=main=blue")
    desk.wait_ready(obj)
    definition = desk.aws.ecs.describe_task_definition(
        taskDefinition=desk.status(DEPLOYMENT)["live"]["taskDefinition"]
    )["taskDefinition"]
    assert {"name": "COLOUR", "value": "blue"} in definition["containerDefinitions"][0]["environment"]
