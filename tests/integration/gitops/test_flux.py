"""Flux's health expressions, evaluated by the API server's own CEL on every recorded status.

A ValidatingAdmissionPolicy that refuses every status and says in its message which expressions are true is
the interpreter; dry runs are the input. Flux names the object's members (`status`), admission the object
(`object.status`): that is the one difference. The policy knows the types of the definitions, so a field that
does not exist fails here and not in somebody's cluster.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.chart.helm import GROUP_PATH, deployment, eventually
from sluice.model.keys import PLURALS, Kind
from sluice_sandbox.controlplane.cluster import Cluster

pytestmark = pytest.mark.integration
GITOPS = Path(__file__).resolve().parents[3] / "gitops"
RECORDED = GITOPS / "argo-cd" / "resource_customizations" / "sluice.dev"
POLICIES = "/apis/admissionregistration.k8s.io/v1"
FLUX = yaml.safe_load((GITOPS / "flux" / "kustomization.yaml").read_text(encoding="utf-8"))
NAMES = ("current", "failed", "inProgress")
MEANT = {"Healthy": "current", "Degraded": "failed", "Progressing": "inProgress", "Suspended": "inProgress"}
"""Argo CD's word for a status → the expression that is true of it, where a person's pause is no end."""


def expressions(kind: str) -> dict[str, str]:
    """Return a kind's expressions about `object`."""
    (entry,) = [entry for entry in FLUX["spec"]["healthCheckExprs"] if entry["kind"] == kind]
    assert entry["apiVersion"] == "sluice.dev/v1alpha1"
    return {name: re.sub(r"(?<![\w.])(status|metadata)\.", r"object.\1.", entry[name]) for name in NAMES}


@pytest.fixture(params=["Deployment", "ServiceRoute"])
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind."""
    return str(request.param)


@pytest.fixture
def judge(control_plane: Cluster, namespace: str, kind: Kind) -> Iterator[str]:
    """A policy that tells which expressions of the kind are true; the path of an object to ask about."""
    name = f"flux-{uuid.uuid4().hex[:8]}"
    told = " + ".join(f"(({text}) ? '{name} ' : '')" for name, text in expressions(kind).items())
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": ["sluice.dev"],
                        "apiVersions": ["*"],
                        "operations": ["UPDATE"],
                        "resources": [f"{PLURALS[kind]}/status"],
                    }
                ],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            },
            "validations": [{"expression": "1 == 2", "messageExpression": f"'true: ' + {told}"}],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
    control_plane.request("POST", f"{POLICIES}/validatingadmissionpolicies", body=policy)
    control_plane.request("POST", f"{POLICIES}/validatingadmissionpolicybindings", body=binding)
    objects = f"{GROUP_PATH}/namespaces/{namespace}/{PLURALS[kind]}"
    control_plane.request("POST", objects, body=deployment("web") if kind == "Deployment" else route())
    path = f"{objects}/web"
    eventually(lambda: true_of(control_plane, path, {"observedGeneration": 0}), "the policy counts")
    yield path
    control_plane.request("DELETE", f"{POLICIES}/validatingadmissionpolicybindings/{name}")
    control_plane.request("DELETE", f"{POLICIES}/validatingadmissionpolicies/{name}")


def route() -> dict[str, Any]:
    """Return a small ServiceRoute."""
    backend = {"name": "web", "port": "http", "weight": 1}
    rule = {"name": "main", "matches": [{"path": {"value": "/"}}], "backendRefs": [backend]}
    return {
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "ServiceRoute",
        "metadata": {"name": "web"},
        "spec": {"parentRefs": [{"loadBalancerName": "shop", "port": 80}], "rules": [rule]},
    }


def true_of(cluster: Cluster, path: str, status: Mapping[str, Any]) -> list[str]:
    """Return the expressions that are true of an object (generation 1) with this status; [] unjudged."""
    body = {**cluster.request("GET", path), "status": status}
    code, text = cluster.exchange("PUT", f"{path}/status?dryRun=All", payload=json.dumps(body))
    if code == 200:
        return []
    message = str(json.loads(text)["message"])
    found = re.search(r"true: ([\w ]*)", message)
    assert found, message
    return found.group(1).split()


def shifted(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recorded status as if its object were of generation 1."""
    by = 1 - obj["metadata"]["generation"]
    status = dict(obj.get("status") or {})
    if "observedGeneration" in status and status["observedGeneration"] != -1:
        status["observedGeneration"] += by
    status["conditions"] = [
        {**condition, "observedGeneration": condition["observedGeneration"] + by}
        for condition in status.get("conditions", ())
    ]
    return {name: value for name, value in status.items() if value != []}


def test_exactly_one_expression_is_true_of_each_status(
    control_plane: Cluster, judge: str, kind: Kind
) -> None:
    """And it is the one that means what Argo CD's recorded health means."""
    tests = yaml.safe_load((RECORDED / kind / "health_test.yaml").read_text(encoding="utf-8"))["tests"]
    judged = {}
    for case in tests:
        obj = yaml.safe_load((RECORDED / kind / case["inputPath"]).read_text(encoding="utf-8"))
        if "deletionTimestamp" in obj["metadata"]:
            continue  # Flux asks about what it applied
        wanted = [MEANT[case["healthStatus"]["status"]]]
        judged[case["inputPath"]] = (true_of(control_plane, judge, shifted(obj)), wanted)
    assert {path: found for path, (found, wanted) in judged.items() if found != wanted} == {}
    assert {wanted[0] for _, wanted in judged.values()} == set(NAMES)
