"""The runtime's pieces, wired as `sluice.app` wires them, against a real API server."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry

from sluice.model.keys import API_VERSION, DEPLOYMENT, PLURALS, SERVICE_ROUTE, Key, Kind
from sluice.runtime.apiserver import ApiServer, configuration
from sluice.runtime.clock import SystemClock
from sluice.runtime.intake import Intake, Sweep
from sluice.runtime.kopf_glue import Informer
from sluice.runtime.kube import KubernetesApi
from sluice.runtime.queue import WorkQueue
from sluice.runtime.store import ObjectStore
from sluice.telemetry.metrics import RuntimeMetrics
from sluice_sandbox.controlplane.cluster import Cluster

IMAGE = "public.ecr.aws/docker/library/nginx:1.27"


def until(condition: Callable[[], Any], what: str, *, seconds: float = 30.0) -> Any:
    """Wait for a condition with a deadline and return what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)
    return found


def deployment_body(name: str, **metadata: Any) -> dict[str, Any]:
    """Return a small valid Deployment."""
    return {
        "apiVersion": API_VERSION,
        "kind": DEPLOYMENT,
        "metadata": {"name": name, **metadata},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "web", "image": IMAGE}]},
            },
            "ecs": {
                "cluster": "sandbox",
                "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
            },
        },
    }


class Desk:
    """Store, queue, intake, client, sweep, and an informer on demand; objects of one namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        """Connect; nothing watches yet."""
        self.cluster = cluster
        self.namespace = namespace
        self.clock = SystemClock()
        self.metrics = RuntimeMetrics(CollectorRegistry())
        self._clients: list[ApiServer] = []
        self.server = self.connect()
        self.store = ObjectStore(self.clock)
        self.queue = WorkQueue(self.clock)
        self.heard: list[tuple[str, str]] = []
        self.intake = Intake(self.store, self.queue, heard=lambda kind, what: self.heard.append((kind, what)))
        self.api = KubernetesApi(self.server, clock=self.clock, journal=self.intake)
        self.sweep = Sweep(
            self.store, self.intake, list_keys=lambda: self.api.list_keys((namespace,)), read=self.api.read
        )
        self.ended: list[str] = []
        self._informers: list[Informer] = []

    def connect(self) -> ApiServer:
        """Return another client, closed with the desk."""
        client = ApiServer(configuration(str(self.cluster.kubeconfig)), pool=4, metrics=self.metrics)
        self._clients.append(client)
        return client

    def watch(self) -> Informer:
        """Start an informer on the namespace."""
        informer = Informer(
            self.intake,
            login=lambda: configuration(str(self.cluster.kubeconfig)),
            clock=self.clock,
            on_end=self.ended.append,
            namespaces=[self.namespace],
        )
        informer.start()
        self._informers.append(informer)
        return informer

    def close(self) -> None:
        """Stop what was started."""
        for informer in self._informers:
            informer.stop(10)
        for client in self._clients:
            client.close()

    def key(self, name: str, kind: Kind = DEPLOYMENT) -> Key:
        """Return a key of the namespace."""
        return Key(kind, self.namespace, name)

    def path(self, name: str = "", kind: Kind = DEPLOYMENT) -> str:
        """Return the path of an object or of its collection."""
        base = f"/apis/{API_VERSION}/namespaces/{self.namespace}/{PLURALS[kind]}"
        return f"{base}/{name}" if name else base

    def create(self, name: str, **metadata: Any) -> dict[str, Any]:
        """Create a small valid Deployment."""
        body = deployment_body(name, **metadata)
        created: dict[str, Any] = self.cluster.request("POST", self.path(), body=body)
        return created

    def create_route(self, name: str, backend: str) -> dict[str, Any]:
        """Create a small valid ServiceRoute."""
        body = {
            "apiVersion": API_VERSION,
            "kind": SERVICE_ROUTE,
            "metadata": {"name": name},
            "spec": {
                "parentRefs": [{"loadBalancerName": "sandbox", "port": 80}],
                "hostnames": ["shop.example.com"],
                "rules": [
                    {
                        "name": "main",
                        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                        "backendRefs": [{"name": backend, "port": "http", "weight": 100}],
                    }
                ],
            },
        }
        created: dict[str, Any] = self.cluster.request("POST", self.path(kind=SERVICE_ROUTE), body=body)
        return created

    def read(self, name: str) -> dict[str, Any]:
        """Read a Deployment as the administrator."""
        found: dict[str, Any] = self.cluster.request("GET", self.path(name))
        return found

    def delete(self, name: str) -> None:
        """Delete a Deployment as the administrator."""
        self.cluster.request("DELETE", self.path(name))
