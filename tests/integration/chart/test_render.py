"""What the chart makes of its values, and how it refuses those that can't work."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.chart.helm import CHART, Helm
from sluice.config import load
from sluice_sandbox.controlplane.cluster import Cluster
from sluice_sandbox.controlplane.errors import CommandFailed

pytestmark = pytest.mark.integration
GOLDEN = Path(__file__).parent / "golden" / "defaults.yaml"
SAY = "--set=installationId=demo"


@pytest.fixture
def offline(tmp_path: Path, helm_home: Path) -> Helm:
    """Helm without a cluster: rendering asks nobody."""
    return Helm(Cluster(tmp_path), helm_home)


def rendered(helm: Helm, *values: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the documents by kind and name."""
    text = helm.run("template", "sluice", str(CHART), "--namespace=sluice-system", *values)
    documents = [document for document in yaml.safe_load_all(text) if document]
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


@pytest.mark.parametrize("values", [(), ("--set=installationId=demo",)], ids=["as it is", "installed"])
def test_lint_finds_nothing(offline: Helm, values: tuple[str, ...]) -> None:
    """`helm lint --strict` accepts the chart."""
    assert "0 chart(s) failed" in offline.run("lint", "--strict", str(CHART), *values)


def test_the_defaults_are_those_of_the_golden_file(offline: Helm) -> None:
    """Everything but what is generated from the types (definitions, warnings) is written out and reviewed.

    After a change on purpose: UPDATE_GOLDEN=1 pytest tests/integration/chart/test_render.py
    """
    text = offline.run("template", "sluice", str(CHART), "--namespace=sluice-system", SAY)
    parts = [part for part in text.split("---\n") if part.strip() and "/crds.yaml" not in part]
    kept = "---\n".join(part for part in parts if "/policy-warnings.yaml" not in part)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(kept, encoding="utf-8")
    assert kept == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], "installationId is mandatory"),
        (["--set=installationId=Shop"], "'/installationId'"),
        ([SAY, "--set=driftIntervall=60s"], "additional properties 'driftIntervall' not allowed"),
        ([SAY, "--set=aws.budgetShare=2"], "'/aws/budgetShare'"),
        ([SAY, "--set=driftInterval=soon"], "'/driftInterval'"),
        ([SAY, "--set=lease.enabled=false"], "set replicaCount to 1 or lease.enabled to true"),
        ([SAY, "--set=serviceAccount.create=false"], "serviceAccount.name is mandatory"),
        ([SAY, "--set=terminationGracePeriodSeconds=10"], "'/terminationGracePeriodSeconds'"),
    ],
    ids=[
        "no installationId",
        "capital letters",
        "misspelt",
        "out of range",
        "no duration",
        "two without a Lease",
        "no service account",
        "too short an end",
    ],
)
def test_values_that_cannot_work_are_refused(offline: Helm, values: list[str], text: str) -> None:
    """The error names the value; installationId's says what it is for."""
    with pytest.raises(CommandFailed) as failure:
        rendered(offline, *values)
    assert text in failure.value.stderr


def test_the_operator_reads_the_config_map(offline: Helm, tmp_path: Path) -> None:
    """The ConfigMap's text is the operator's configuration file, and the values arrive in it."""
    file = tmp_path / "config.yaml"
    documents = rendered(
        offline,
        SAY,
        "--set=region=eu-west-1,driftInterval=90s,aws.budgetShare=0.25",
        '--set-json=accounts={"pay":{"accountId":"111122223333","roleArn":"arn:aws:iam::111122223333:role/s"}}',
        '--set-json=tenancy=[{"name":"pay","namespaces":["pay-*"],"account":"pay",'
        '"listeners":[{"loadBalancer":"shared","ports":[443],"priorities":[100,200]}]}]',
    )
    file.write_text(documents["ConfigMap", "sluice"]["data"]["config.yaml"], encoding="utf-8")
    settings = load(file=file, environment={})
    assert settings.installation_id == "demo"
    assert (settings.region, settings.drift_interval, settings.aws.budget_share) == ("eu-west-1", 90, 0.25)
    assert settings.tenancy.accounts["pay"].region == "eu-west-1"
    assert settings.tenancy.rules[0].listeners[0].priorities == (100, 200)


def test_a_change_of_configuration_is_a_rollout(offline: Helm) -> None:
    """The pods carry a checksum of the configuration, because the operator reads it at its start."""

    def checksum(*values: str) -> str:
        template = rendered(offline, SAY, *values)["Deployment", "sluice"]["spec"]["template"]
        return str(template["metadata"]["annotations"]["checksum/config"])

    assert checksum() == checksum("--set=replicaCount=3")
    assert checksum() != checksum("--set=driftInterval=61s")


def test_definitions_stay_with_the_objects(offline: Helm) -> None:
    """Both definitions are in the release, as crds/ has them, and are kept when it goes."""
    documents = rendered(offline, SAY)
    for file in sorted((CHART.parents[1] / "crds").iterdir()):
        wanted = yaml.safe_load(file.read_text(encoding="utf-8"))
        found = documents["CustomResourceDefinition", wanted["metadata"]["name"]]
        assert found["spec"] == wanted["spec"]
        assert found["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    without = rendered(offline, SAY, "--set=crds.install=false")
    assert not [name for kind, name in without if kind == "CustomResourceDefinition"]


def test_a_release_for_some_namespaces_has_no_cluster_wide_permission(offline: Helm) -> None:
    """With watchNamespaces the role is bound in those namespaces, and policies look at those alone."""
    documents = rendered(offline, SAY, '--set-json=watchNamespaces=["shop","pay"]')
    assert not [name for kind, name in documents if kind == "ClusterRoleBinding"]
    bindings = [
        document["metadata"]["namespace"]
        for (kind, _name), document in documents.items()
        if kind == "RoleBinding" and document["roleRef"]["kind"] == "ClusterRole"
    ]
    text = offline.run("template", "sluice", str(CHART), SAY, '--set-json=watchNamespaces=["shop","pay"]')
    assert text.count("request.namespace in ['shop', 'pay']") == 2
    # Equal names in two namespaces: the dictionary has the last, the text both.
    assert bindings == ["pay"]
    assert text.count("namespace: shop\n") == text.count("namespace: pay\n") == 1


def test_the_pod_is_restricted(offline: Helm) -> None:
    """It meets Kubernetes' "restricted" Pod Security Standard with a read-only root file system."""
    pod = rendered(offline, SAY)["Deployment", "sluice"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert {"configMap", "emptyDir"} == {
        kind for volume in pod["volumes"] for kind in volume if kind != "name"
    }
