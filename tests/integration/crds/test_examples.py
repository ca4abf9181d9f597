"""The examples in the real API server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from sluice_sandbox.controlplane.cluster import Cluster

pytestmark = pytest.mark.integration

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
FILES = sorted(file for file in EXAMPLES.rglob("*.yaml") if "aws-events" not in file.parts)


@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
def test_an_example_is_accepted(file: Path, control_plane: Cluster, namespace: str) -> None:
    """`kubectl apply` takes every example, unknown fields being errors."""
    assert "created" in control_plane.kubectl("apply", "-n", namespace, "-f", str(file))


def test_the_web_example_is_a_kubernetes_deployment(control_plane: Cluster, namespace: str) -> None:
    """With its old apiVersion and without the ecs block the same manifest is Kubernetes' own Deployment."""
    obj = yaml.safe_load((EXAMPLES / "web.yaml").read_text(encoding="utf-8"))
    obj["apiVersion"] = "apps/v1"
    del obj["spec"]["ecs"]
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments?dryRun=All&fieldValidation=Strict"
    status, text = control_plane.exchange("POST", path, payload=json.dumps(obj))
    assert status == 201, text
