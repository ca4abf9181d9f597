"""The objects that the benchmark makes, and how it makes them: over the API server's own protocol, fast.

The Deployment is a small ordinary one: a container with a port, resources, a readiness probe and a few
variables. The harness shares two cores with what it measures, so it keeps its connections, encodes
ahead of time, and reads readiness as a table of printer columns instead of whole objects.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from sluice_sandbox.controlplane.pki import KeyFiles

NAMESPACE: Final = "bench"
API: Final = "sluice.dev/v1alpha1"
_GROUP: Final = f"/apis/{API}"
_CREATORS: Final = 8
_BUSY: Final = 429  # also right after a CRD was established: "storage is (re)initializing"
_PATIENCE: Final = 50
_TABLE: Final = "application/json;as=Table;v=v1;g=meta.k8s.io"

Json = dict[str, Any]


def deployment(name: str, estate: Json) -> Json:
    """Return a Deployment `name` with one replica in the sandbox's network."""
    network = {
        "subnets": estate["subnetIds"],
        "securityGroups": estate["securityGroupIds"],
        "assignPublicIp": "DISABLED",
    }
    container = {
        "name": "app",
        "image": "example/web:1.0.0",
        "ports": [{"name": "http", "containerPort": 8080}],
        "resources": {
            "requests": {"cpu": "250m", "memory": "512Mi"},
            "limits": {"cpu": "250m", "memory": "512Mi"},
        },
        "env": [{"name": "MODE", "value": "bench"}, {"name": "NAME", "value": name}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 5},
    }
    return {
        "apiVersion": API,
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": name}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
            "ecs": {
                "cluster": estate["cluster"]["name"],
                "launchType": "FARGATE",
                "networkConfiguration": {"awsvpcConfiguration": network},
            },
        },
    }


def route(name: str, estate: Json) -> Json:
    """Return a ServiceRoute that sends the host `<name>.example.com` to the Deployment `name`."""
    return {
        "apiVersion": API,
        "kind": "ServiceRoute",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "parentRefs": [{"loadBalancerName": estate["loadBalancer"]["name"], "port": 80}],
            "hostnames": [f"{name}.example.com"],
            "rules": [{"name": "main", "backendRefs": [{"name": name, "port": "http", "weight": 1}]}],
        },
    }


class ApiServer:
    """The API server as the harness uses it; `folder` is the control plane's directory."""

    def __init__(self, folder: Path, server: str) -> None:
        """Use the administrator's certificate in `folder`."""
        self._address = urlsplit(server)
        keys = KeyFiles(folder / "pki")
        self._context = ssl.create_default_context(cafile=str(keys.authority))
        self._context.load_cert_chain(*map(str, keys.admin))
        self._local = threading.local()

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        accept: str = "application/json",
        content: str = "application/json",
    ) -> bytes:
        """Send one request on this thread's connection; a 429 is tried again for some seconds.

        Raises RuntimeError unless the status is 2xx.
        """
        for _ in range(_PATIENCE):
            status, text = self._exchange(method, path, body, {"Accept": accept, "Content-Type": content})
            if status != _BUSY:
                break
            time.sleep(0.2)
        if not 200 <= status < 300:
            raise RuntimeError(f"{method} {path}: {status} {text[:500].decode()}")
        return text

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPSConnection(
                self._address.hostname or "", self._address.port, context=self._context, timeout=60
            )
            self._local.connection = connection
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def create_namespace(self) -> None:
        """Make the namespace that everything goes into."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        self.request("POST", "/api/v1/namespaces", json.dumps(body).encode())

    def create(self, obj: Json) -> float:
        """Create one object; return the wall-clock time right before the request was sent."""
        path, body = path_of(obj), json.dumps(obj).encode()
        began = time.time()
        self.request("POST", path, body)
        return began

    def create_all(self, objects: Sequence[Json]) -> tuple[float, float]:
        """Create objects as fast as the API server takes them; return begin and end, epoch seconds."""
        encoded = [(path_of(obj), json.dumps(obj).encode()) for obj in objects]
        with ThreadPoolExecutor(_CREATORS) as pool:
            began = time.time()
            for _ in pool.map(lambda item: self.request("POST", *item), encoded):
                pass
            return began, time.time()

    def get(self, plural: str, name: str) -> Json:
        """Return an object."""
        return dict(json.loads(self.request("GET", f"{_GROUP}/namespaces/{NAMESPACE}/{plural}/{name}")))

    def patch(self, plural: str, name: str, body: Json) -> None:
        """Merge `body` into an object (JSON merge patch)."""
        path = f"{_GROUP}/namespaces/{NAMESPACE}/{plural}/{name}"
        self.request("PATCH", path, json.dumps(body).encode(), content="application/merge-patch+json")

    def ready(self, plural: str) -> tuple[int, int]:
        """Return how many objects of a kind have Ready True, and how many there are."""
        path = f"{_GROUP}/namespaces/{NAMESPACE}/{plural}?resourceVersion=0&includeObject=None"
        table = json.loads(self.request("GET", path, accept=_TABLE))
        column = [definition["name"] for definition in table["columnDefinitions"]].index("Ready")
        rows = table.get("rows") or []
        return sum(row["cells"][column] == "True" for row in rows), len(rows)

    def reasons(self, plural: str) -> dict[str, int]:
        """Return how many objects of a kind have each reason of the Ready condition."""
        path = f"{_GROUP}/namespaces/{NAMESPACE}/{plural}?resourceVersion=0&includeObject=None"
        table = json.loads(self.request("GET", path, accept=_TABLE))
        column = [definition["name"] for definition in table["columnDefinitions"]].index("Reason")
        found: dict[str, int] = {}
        for row in table.get("rows") or []:
            reason = str(row["cells"][column])
            found[reason] = found.get(reason, 0) + 1
        return found

    def metrics(self) -> str:
        """Return the API server's own metrics."""
        return self.request("GET", "/metrics", accept="text/plain").decode()


def path_of(obj: Json) -> str:
    """Return the collection that an object of ours is created in."""
    plural = {"Deployment": "ecsdeployments", "ServiceRoute": "serviceroutes"}[obj["kind"]]
    return f"{_GROUP}/namespaces/{NAMESPACE}/{plural}"
