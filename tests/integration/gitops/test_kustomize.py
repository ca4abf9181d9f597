"""Kustomize, as kubectl has it, on Sluice's kinds: images, counts, generated names, prefixes reach them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice_sandbox.controlplane.resolve import locate

pytestmark = pytest.mark.integration
NAMES = Path(__file__).resolve().parents[3] / "gitops" / "kustomize" / "names.yaml"
MANIFESTS = """
apiVersion: sluice.dev/v1alpha1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: app
          image: example/web:1
          ports: [{name: http, containerPort: 8080}]
          envFrom: [{configMapRef: {name: settings}}]
          env: [{name: KEY, valueFrom: {secretKeyRef: {name: keys, key: key}}}]
---
apiVersion: sluice.dev/v1alpha1
kind: ServiceRoute
metadata: {name: web, namespace: shop}
spec:
  parentRefs: [{loadBalancerName: sandbox, port: 80}]
  rules: [{name: main, backendRefs: [{name: web, port: http}]}]
  discovery:
    backendRef: {name: web, port: http}
    namespaceRef: {name: corp.internal}
    serviceName: web
"""
KUSTOMIZATION = """
namespace: shop
namePrefix: dev-
resources: [manifests.yaml]
images: [{name: example/web, newTag: "9"}]
replicas: [{name: web, count: 4}]
configMapGenerator: [{name: settings, literals: [MODE=dev]}]
secretGenerator: [{name: keys, literals: [key=x]}]
configurations: [names.yaml]
"""


@pytest.fixture
def built(tmp_path: Path) -> dict[str, Any]:
    """What `kubectl kustomize` makes of it, by kind."""
    (tmp_path / "manifests.yaml").write_text(MANIFESTS, encoding="utf-8")
    (tmp_path / "kustomization.yaml").write_text(KUSTOMIZATION, encoding="utf-8")
    shutil.copy(NAMES, tmp_path)
    command = [str(locate(["kubectl"])["kubectl"]), "kustomize", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return {entry["kind"]: entry for entry in yaml.safe_load_all(done.stdout)}


def test_every_reference_follows(built: dict[str, Any]) -> None:
    """A prefix renames the Deployment and whoever names it; generated names have their hash."""
    web, route = built["Deployment"], built["ServiceRoute"]["spec"]
    (container,) = web["spec"]["template"]["spec"]["containers"]
    assert web["metadata"]["name"] == "dev-web"
    assert route["rules"][0]["backendRefs"][0]["name"] == "dev-web"
    assert route["discovery"]["backendRef"]["name"] == "dev-web"
    assert container["image"] == "example/web:9"
    assert web["spec"]["replicas"] == 4
    assert container["envFrom"][0]["configMapRef"]["name"] == built["ConfigMap"]["metadata"]["name"]
    assert container["env"][0]["valueFrom"]["secretKeyRef"]["name"] == built["Secret"]["metadata"]["name"]
    assert built["ConfigMap"]["metadata"]["name"].startswith("dev-settings-")
