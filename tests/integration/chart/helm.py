"""Running Helm in tests, and waiting for what the API server says."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from sluice_sandbox.controlplane.cluster import Cluster
from sluice_sandbox.controlplane.errors import CommandFailed, RequestRefused
from sluice_sandbox.controlplane.resolve import locate

ROOT: Final = Path(__file__).resolve().parents[3]
CHART: Final = ROOT / "helm" / "sluice"
GROUP_PATH: Final = "/apis/sluice.dev/v1alpha1"
CRD_PATH: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
FINALIZER: Final = "sluice.dev/finalizer"
PASSING: Final = (404, 429)
"""What the API server answers for a kind whose definition comes or goes."""
T = TypeVar("T")


class Helm:
    """Helm as the administrator of one cluster."""

    def __init__(self, cluster: Cluster, home: Path) -> None:
        """Keep Helm's own files in `home`."""
        self.cluster = cluster
        self._program = locate(["helm"])["helm"]
        folders = ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")
        self._environment = {name: str(home / name.lower()) for name in folders}

    def run(self, *arguments: str) -> str:
        """Run Helm and return what it prints; raises CommandFailed."""
        done = subprocess.run(
            [str(self._program), *arguments],
            env={**os.environ, **self._environment, "KUBECONFIG": str(self.cluster.kubeconfig)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode != 0:
            raise CommandFailed(
                ["helm", *arguments], status=done.returncode, stdout=done.stdout, stderr=done.stderr
            )
        return done.stdout

    def status(self, release: str, namespace: str) -> str:
        """Return a release's status, '' when it does not exist."""
        listed = json.loads(
            self.run("list", "--all", "--namespace", namespace, "--filter", f"^{release}$", "-o", "json")
        )
        return str(listed[0]["status"]) if listed else ""

    def clean(self) -> None:
        """Remove all releases, custom resources (without asking their finalizers) and definitions."""
        for item in json.loads(self.run("list", "--all", "--all-namespaces", "-o", "json")):
            self.run("uninstall", item["name"], "--namespace", item["namespace"], "--no-hooks")
        # Objects first: the API server looks every five seconds, for a minute at most, whether a deleted
        # definition has any left (apiextensions, finalizer controller), and then begins anew.
        for name in definitions(self.cluster):
            eventually(lambda name=name: self._emptied(name), f"no {name} are left")  # type: ignore[misc]
            self.cluster.request("DELETE", f"{CRD_PATH}/{name}.sluice.dev")
        eventually(self._forgotten, "the definitions are gone", seconds=150.0)

    def _forgotten(self) -> bool:
        """Free what waits for a finalizer; tell whether no definition is left."""
        left = definitions(self.cluster)
        for name in left:
            self._emptied(name)
        return not left

    def _emptied(self, plural: str) -> bool:
        """Delete the objects of a kind without asking their finalizers; tell whether there were none."""
        try:
            items = self.cluster.request("GET", f"{GROUP_PATH}/{plural}")["items"]
            for item in items:
                path = f"{GROUP_PATH}/namespaces/{item['metadata']['namespace']}/{plural}"
                path = f"{path}/{item['metadata']['name']}"
                if item["metadata"].get("finalizers"):
                    remove_finalizer(self.cluster, path)
                self.cluster.request("DELETE", path)
        except RequestRefused as refused:
            if refused.status not in PASSING:
                raise
            return False
        return not items


def definitions(cluster: Cluster) -> list[str]:
    """Return the plurals of our definitions that the cluster has."""
    items = cluster.request("GET", CRD_PATH)["items"]
    return [item["spec"]["names"]["plural"] for item in items if item["spec"]["group"] == "sluice.dev"]


def remove_finalizer(cluster: Cluster, path: str) -> None:
    """Take all finalizers from an object."""
    patch = {"metadata": {"finalizers": None}}
    cluster.request("PATCH", path, body=patch, content_type="application/merge-patch+json")


def deployment(name: str, **metadata: Any) -> dict[str, Any]:
    """Return a small Deployment of ours."""
    return {
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": name, **metadata},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "shop:1"}]},
            },
        },
    }


def eventually(probe: Callable[[], T], what: str, *, seconds: float = 20.0) -> T:
    """Return the first true answer of `probe`; fails with `what` when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := probe()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)
    return answer
