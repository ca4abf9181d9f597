"""The operator as the chart runs it: its configuration, its service account, its Lease, and nothing more."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families

from integration.chart.helm import CHART, GROUP_PATH, Helm, deployment, eventually
from sluice_sandbox.controlplane.cluster import Cluster
from sluice_sandbox.controlplane.errors import CommandFailed

pytestmark = pytest.mark.integration
USES = {
    ("GET", "namespaces"),
    ("GET", "configmaps"),
    ("GET", "secrets"),
    ("GET", "ecsdeployments"),  # the list of the barrier
    ("GET", "serviceroutes"),
    ("PATCH", "ecsdeployments"),
    ("PATCH", "serviceroutes"),
    ("PATCH", "ecsdeployments/status"),
    ("PATCH", "serviceroutes/status"),
    ("GET", "controllerrevisions"),
    ("POST", "controllerrevisions"),
    ("DELETE", "controllerrevisions"),
    ("POST", "events"),
    ("GET", "leases"),
    ("POST", "leases"),
    ("PUT", "leases"),
}
"""What the chart's roles allow, as the operator counts it; watches are kopf's and are not counted."""
NOW_AND_THEN = {("GET", "discovery"), ("PATCH", "events")}
"""What everybody may, and what only a repeated event needs."""
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop-AbCdEf"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The AWS stand-in at twenty times real time: its estate, with the endpoint."""
    file = tmp_path_factory.mktemp("aws") / "estate.json"
    command = [sys.executable, "-m", "sluice_sandbox.aws", "--speed", "20", "--estate", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        endpoint = process.stdout.readline().strip()
        yield {"endpoint": endpoint, **json.loads(file.read_text(encoding="utf-8"))}
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


class Operator:
    """A running `sluice operator`."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        """Start it with this environment beside the inherited one."""
        self._log = log
        mine = ("AWS_", "SLUICE_", "KUBE")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        with log.open("w", encoding="utf-8") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-c", "from sluice.cli.main import main; main()", "operator"],
                stdin=subprocess.DEVNULL,
                stderr=stderr,
                env=inherited | environment,
            )

    def text(self) -> str:
        """Return what it logged."""
        return self._log.read_text(encoding="utf-8")

    def port(self) -> int:
        """Return the port of its probes, 0 while it has none."""
        assert self.process.poll() is None, self.text()
        lines = [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]
        return next((int(line["port"]) for line in lines if line["event"] == "http_bound"), 0)

    def requests(self) -> dict[tuple[str, str], set[str]]:
        """Return the status codes that each method on each resource got, from its metrics."""
        port = eventually(self.port, "the operator serves metrics")
        with urllib3.PoolManager() as pool:
            answer = pool.request("GET", f"http://127.0.0.1:{port}/metrics", retries=False, timeout=5)
        found: dict[tuple[str, str], set[str]] = {}
        for family in text_string_to_metric_families(answer.data.decode()):
            for sample in family.samples:
                if sample.name == "sluice_kubernetes_requests_total":
                    labels = sample.labels
                    found.setdefault((labels["verb"], labels["resource"]), set()).add(labels["code"])
        return found

    def end(self) -> int:
        """End it and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)


@pytest.fixture
def installed(
    control_plane: Cluster, helm: Helm, namespace: str, aws: dict[str, Any], tmp_path: Path
) -> Iterator[Operator]:
    """A release for the namespace, and its operator: ConfigMap and service account are the release's."""
    tenancy = [
        {
            "name": "everyone",
            "defaultCluster": aws["cluster"]["name"],
            "taskRoles": ["*"],
            "executionRoles": ["*"],
            "defaultExecutionRole": aws["roles"]["execution"],
            "defaultNetworkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": aws["subnetIds"],
                    "securityGroups": aws["securityGroupIds"],
                }
            },
            "listeners": [{"loadBalancer": "*"}],
            "hostnames": ["*"],
        }
    ]
    values = {
        "installationId": "chart",
        "region": aws["region"],
        "endpointUrl": aws["endpoint"],
        "watchNamespaces": [namespace],
        "driftInterval": "5s",
        "lease": {"retryPeriod": "500ms"},
        "tenancy": tenancy,
        "crds": {"install": False},
    }
    file = tmp_path / "values.json"
    file.write_text(json.dumps(values), encoding="utf-8")
    helm.run("install", "sluice", str(CHART), "--namespace", namespace, "--values", str(file))
    config = control_plane.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/sluice")
    (tmp_path / "config.yaml").write_text(config["data"]["config.yaml"], encoding="utf-8")
    account = control_plane.kubeconfig_for_service_account(
        tmp_path / "kubeconfig", "sluice", namespace=namespace
    )
    operator = Operator(
        {
            "SLUICE_CONFIG": str(tmp_path / "config.yaml"),
            "SLUICE_KUBECONFIG": str(account),
            # What a pod has and this process has not: an address and a namespace of its own.
            "SLUICE_HTTP_ADDRESS": "127.0.0.1",
            "SLUICE_HTTP_PORT": "0",
            "SLUICE_LEASE_NAMESPACE": namespace,
            "AWS_ACCESS_KEY_ID": aws["credentials"]["accessKeyId"],
            "AWS_SECRET_ACCESS_KEY": aws["credentials"]["secretAccessKey"],
        },
        tmp_path / "operator.log",
    )
    yield operator
    if operator.process.poll() is None:
        operator.process.kill()
        operator.process.wait(10)
    if helm.status("sluice", namespace):
        helm.run("uninstall", "sluice", "--namespace", namespace, "--no-hooks")


def shop(namespace: str, *, image: str) -> dict[str, Any]:
    """Return a Deployment that refers to a ConfigMap and a Secret and keeps no old revisions."""
    obj = deployment("shop", namespace=namespace)
    obj["spec"] |= {"revisionHistoryLimit": 0, "ecs": {"launchType": "FARGATE"}}
    (container,) = obj["spec"]["template"]["spec"]["containers"]
    container |= {
        "image": image,
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [
            {"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "shop", "key": "colour"}}},
            {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "password"}}},
        ],
    }
    return obj


def sources() -> list[tuple[str, dict[str, Any]]]:
    """Return the ConfigMap and the Secret that it refers to, by plural."""
    return [
        ("configmaps", {"kind": "ConfigMap", "metadata": {"name": "shop"}, "data": {"colour": "blue"}}),
        (
            "secrets",
            {
                "kind": "Secret",
                "metadata": {"name": "shop", "annotations": {"sluice.dev/value-from": SECRET}},
                "stringData": {"password": "never read"},
            },
        ),
    ]


def absent(cluster: Cluster, path: str) -> bool:
    """Tell whether an object does not exist."""
    return cluster.exchange("GET", path)[0] == 404


def route(namespace: str, load_balancer: str) -> dict[str, Any]:
    """Return a ServiceRoute to it."""
    return {
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "ServiceRoute",
        "metadata": {"name": "shop", "namespace": namespace},
        "spec": {
            "parentRefs": [{"loadBalancerName": load_balancer, "port": 80}],
            "hostnames": ["shop.example.com"],
            "rules": [{"name": "all", "backendRefs": [{"name": "shop", "port": 8080}]}],
        },
    }


def ready(cluster: Cluster, path: str) -> bool:
    """Tell whether an object is Ready at its generation."""
    obj = cluster.request("GET", path)
    wanted = ("Ready", "True", obj["metadata"]["generation"])
    conditions = obj.get("status", {}).get("conditions", [])
    return wanted in [(item["type"], item["status"], item["observedGeneration"]) for item in conditions]


def wait_until_ready(cluster: Cluster, path: str, operator: Operator) -> None:
    """Wait until an object is Ready; says what it is instead when it is not in time."""
    try:
        eventually(lambda: ready(cluster, path), f"{path} is Ready", seconds=60)
    except AssertionError as error:
        status = json.dumps(cluster.request("GET", path).get("status"), indent=1)
        raise AssertionError(f"{error}\n{status}\n{operator.text()[-3000:]}") from error


def note(cluster: Cluster, namespace: str) -> str:
    """Return how many finalizers the leader notes on its Lease."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/sluice"
    status, text = cluster.exchange("GET", path)
    annotations = json.loads(text)["metadata"].get("annotations", {}) if status == 200 else {}
    return str(annotations.get("sluice.dev/finalizers", ""))


def test_the_operator_lives_on_what_the_chart_grants(
    control_plane: Cluster, helm: Helm, namespace: str, aws: dict[str, Any], installed: Operator
) -> None:
    """From the first object to the uninstall: no request is refused, no permission is left unused.

    While its objects exist `helm uninstall` is refused; once they are gone it goes through.
    """
    objects = f"{GROUP_PATH}/namespaces/{namespace}"
    deployment_path, route_path = f"{objects}/ecsdeployments/shop", f"{objects}/serviceroutes/shop"
    for plural, body in sources():
        control_plane.request("POST", f"/api/v1/namespaces/{namespace}/{plural}", body=body)
    control_plane.request("POST", f"{objects}/ecsdeployments", body=shop(namespace, image="shop:1"))
    balancer = aws["loadBalancer"]["name"]
    control_plane.request("POST", f"{objects}/serviceroutes", body=route(namespace, balancer))
    for path in (deployment_path, route_path):
        wait_until_ready(control_plane, path, installed)

    eventually(lambda: note(control_plane, namespace) == "2", "the leader notes both finalizers")
    with pytest.raises(CommandFailed, match=r"2 custom resources of sluice.dev have Sluice's finalizer"):
        helm.run("uninstall", "sluice", "--namespace", namespace)

    for image in ("shop:2", "shop:3"):
        patch = {"spec": shop(namespace, image=image)["spec"]}
        merge = "application/merge-patch+json"
        control_plane.request("PATCH", deployment_path, body=patch, content_type=merge)
        wait_until_ready(control_plane, deployment_path, installed)
    collected = ("DELETE", "controllerrevisions")
    eventually(lambda: collected in installed.requests(), "old revisions are collected", seconds=60)

    for path in (route_path, deployment_path):
        control_plane.request("DELETE", path)
        eventually(partial(absent, control_plane, path), f"{path} is gone", seconds=90)
    made = installed.requests()
    eventually(lambda: note(control_plane, namespace) == "0", "the leader notes that none is left")
    assert {access: codes for access, codes in made.items() if "403" in codes} == {}
    assert USES - set(made) == set()
    assert set(made) - USES - NOW_AND_THEN == set()
    helm.run("uninstall", "sluice", "--namespace", namespace)
