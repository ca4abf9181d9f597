"""What a person does in one namespace: kubectl, manifests, looking at conditions and events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from e2e.traffic import Load
from e2e.waiting import until
from e2e.world import World

DEPLOYMENT: Final = "ecsdeployments"
ROUTE: Final = "serviceroutes"
API: Final = "sluice.dev/v1alpha1"
REPOSITORY: Final = "example/web"


class Desk:
    """One namespace, with a host name of its own on the shared listeners."""

    def __init__(self, world: World, namespace: str) -> None:
        """Work in an existing namespace."""
        self.world = world
        self.aws = world.aws
        self.namespace = namespace
        self.host = f"{namespace}.example.com"

    # Manifests.

    def deployment(self, name: str = "web", *, image: str = "1.0.0", **spec: Any) -> dict[str, Any]:
        """Return a Deployment of two tasks; `spec` replaces or adds members of the spec."""
        container = {
            "name": "web",
            "image": f"{REPOSITORY}:{image}",
            "ports": [{"name": "http", "containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 5},
        }
        return {
            "apiVersion": API,
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": self.namespace, "labels": {"app": name}},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"terminationGracePeriodSeconds": 5, "containers": [container]},
                },
                "ecs": {
                    "launchType": "FARGATE",
                    "targetGroups": [{"port": "http", "deregistrationDelaySeconds": 10}],
                },
            }
            | spec,
        }

    def route(
        self,
        name: str = "web",
        *,
        ports: Sequence[int] = (80,),
        backends: Mapping[str, int] | None = None,
        path: str = "/",
    ) -> dict[str, Any]:
        """Return a ServiceRoute of the desk's host to Deployments by weight."""
        refs = [
            {"name": backend, "port": "http", "weight": weight}
            for backend, weight in (backends or {name: 1}).items()
        ]
        balancer = self.aws.estate["loadBalancer"]["name"]
        matches = [{"path": {"type": "PathPrefix", "value": path}}]
        return {
            "apiVersion": API,
            "kind": "ServiceRoute",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "parentRefs": [{"loadBalancerName": balancer, "port": port} for port in ports],
                "hostnames": [self.host],
                "rules": [{"name": "all", "matches": matches, "backendRefs": refs}],
            },
        }

    # kubectl.

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl in the namespace; raises CommandFailed."""
        return self.world.cluster.kubectl("--namespace", self.namespace, *arguments, stdin=stdin)

    def apply(self, *objects: Mapping[str, Any], flags: Sequence[str] = ()) -> str:
        """Apply manifests and return what kubectl prints."""
        return self.kubectl("apply", *flags, "-f", "-", stdin=yaml.safe_dump_all(objects))

    def delete(self, *objects: Mapping[str, Any], seconds: int = 60) -> None:
        """Delete objects, all at once, and wait until they are gone."""
        text = yaml.safe_dump_all(objects)
        self.kubectl("delete", "--wait=true", f"--timeout={seconds}s", "-f", "-", stdin=text)

    # What the API server says.

    def get(self, plural: str, name: str = "web") -> dict[str, Any]:
        """Return an object, {} when it does not exist."""
        path = f"/apis/{API}/namespaces/{self.namespace}/{plural}/{name}"
        status, text = self.world.cluster.exchange("GET", path)
        return dict(json.loads(text)) if status == 200 else {}

    def status(self, plural: str, name: str = "web") -> dict[str, Any]:
        """Return an object's status."""
        return dict(self.get(plural, name).get("status") or {})

    def condition(self, plural: str, name: str = "web", kind: str = "Ready") -> dict[str, Any]:
        """Return a condition of the object's present generation; one that says Unknown when there is none."""
        found = self.get(plural, name)
        for condition in (found.get("status") or {}).get("conditions") or ():
            current = condition["observedGeneration"] == found["metadata"]["generation"]
            if condition["type"] == kind and current:
                return dict(condition)
        return {"status": "Unknown", "reason": "", "message": ""}

    def ready(self, *objects: Mapping[str, Any]) -> bool:
        """Tell whether all objects are Ready at their present generation."""
        plurals = {"Deployment": DEPLOYMENT, "ServiceRoute": ROUTE}
        return all(
            self.condition(plurals[item["kind"]], item["metadata"]["name"])["status"] == "True"
            for item in objects
        )

    def apply_and_wait(self, *objects: Mapping[str, Any], seconds: float = 60.0) -> None:
        """Apply manifests and wait until all are Ready."""
        self.apply(*objects)
        self.wait_ready(*objects, seconds=seconds)

    def wait_ready(self, *objects: Mapping[str, Any], seconds: float = 60.0) -> None:
        """Wait until all are Ready at their present generation."""
        names = ", ".join(f"{item['kind']} {item['metadata']['name']}" for item in objects)
        until(lambda: self.ready(*objects), f"{names}: Ready", seconds=seconds)

    def wait_reason(self, reason: str, plural: str = DEPLOYMENT, name: str = "web") -> dict[str, Any]:
        """Wait until Ready has this reason at the present generation; return the condition."""
        until(lambda: self.condition(plural, name)["reason"] == reason, f"{plural} {name}: {reason}")
        return self.condition(plural, name)

    def events(self, reason: str) -> list[str]:
        """Return the messages of the Events with that reason."""
        text = self.kubectl("get", "events", "--field-selector", f"reason={reason}", "-o", "json")
        return [str(event["message"]) for event in json.loads(text)["items"]]

    def everything(self) -> str:
        """Return the custom resources and Events for a person who looks at a failed test."""
        kinds = f"{DEPLOYMENT},{ROUTE}"
        objects = self.kubectl("get", kinds, "-o", "yaml")
        return objects + self.kubectl("get", "events", "--sort-by=.lastTimestamp")

    # AWS and requests.

    def service(self, name: str = "web") -> dict[str, Any]:
        """Return the ECS service of a Deployment, as ECS describes it."""
        (slot,) = self.status(DEPLOYMENT, name)["slots"]
        ecs = self.aws.ecs
        described = ecs.describe_services(cluster=self.aws.cluster, services=[slot["serviceName"]])
        return dict(described["services"][0])

    def load(self, *, port: int = 80, rate: float = 40.0) -> Load:
        """Begin to send requests to the desk's host; a context manager."""
        return Load(self.aws.url(port), host=self.host, rate=rate)
