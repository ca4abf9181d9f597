"""Service Connect's Cloud Map services and a cluster's default namespace, in a world with both services."""

from __future__ import annotations

from typing import Any

import pytest

from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.estate import SUBNET_IDS
from sluice_sandbox.aws.world import World

CONTAINER = {
    "name": "web",
    "image": "example/web:1",
    "portMappings": [{"containerPort": 80, "name": "http"}, {"containerPort": 81, "name": "admin"}],
}


class Mesh:
    """A cluster whose default namespace is `mesh`."""

    def __init__(self) -> None:
        """Wait until the namespace is there."""
        self.clock = VirtualClock()
        self.world = World.build(clock=self.clock)
        made = self.ecs("CreateCluster", clusterName="shop", serviceConnectDefaults={"namespace": "mesh"})
        self.namespace: str = made["cluster"]["serviceConnectDefaults"]["namespace"]
        self.clock.advance(120)
        self.ecs(
            "RegisterTaskDefinition",
            family="web",
            cpu="256",
            memory="512",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            containerDefinitions=[CONTAINER],
        )

    def ecs(self, operation: str, **params: Any) -> Any:
        """Call ECS."""
        return self.world.call("ecs", operation, params)

    def serve(self, name: str, *ports: str) -> list[dict[str, str]]:
        """Create a service that offers some ports; answer its deployment's serviceConnectResources."""
        made = self.ecs(
            "CreateService",
            cluster="shop",
            serviceName=name,
            taskDefinition="web",
            desiredCount=0,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": [SUBNET_IDS[0]]}},
            serviceConnectConfiguration={"enabled": True, "services": [{"portName": port} for port in ports]},
        )["service"]
        found: list[dict[str, str]] = made["deployments"][0].get("serviceConnectResources", [])
        return found

    def delete(self, name: str) -> None:
        """Delete a service and wait until it is INACTIVE."""
        self.ecs("DeleteService", cluster="shop", service=name)
        self.clock.advance(120)

    def discovered(self) -> dict[str, str]:
        """Answer Cloud Map's services: ARN by name."""
        listed = self.world.call("servicediscovery", "ListServices", {})["Services"]
        return {item["Name"]: item["Arn"] for item in listed}


@pytest.fixture
def mesh() -> Mesh:
    """Give a mesh of its own."""
    return Mesh()


def test_each_discovery_name_is_told_with_its_arn(mesh: Mesh) -> None:
    """In the order of the request; a client without services has none."""
    told = mesh.serve("both", "http", "admin")
    assert [item["discoveryName"] for item in told] == ["http", "admin"]
    assert {item["discoveryName"]: item["discoveryArn"] for item in told} == mesh.discovered()
    assert mesh.serve("client") == []


def test_the_last_service_of_a_name_takes_it_away(mesh: Mesh) -> None:
    """Two services share a name; the namespace can be deleted after both are gone."""
    assert mesh.serve("one", "http") == mesh.serve("two", "http")
    mesh.delete("one")
    assert list(mesh.discovered()) == ["http"]
    mesh.delete("two")
    assert mesh.discovered() == {}
    assert mesh.world.call("servicediscovery", "DeleteNamespace", {"Id": mesh.namespace.rsplit("/", 1)[1]})


def test_an_update_adds_a_name(mesh: Mesh) -> None:
    """The new deployment tells both, the one before it what it had."""
    mesh.serve("one", "http")
    services = [{"portName": "http"}, {"portName": "admin"}]
    updated = mesh.ecs(
        "UpdateService",
        cluster="shop",
        service="one",
        serviceConnectConfiguration={"enabled": True, "services": services},
    )["service"]
    told = [
        [item["discoveryName"] for item in deployment["serviceConnectResources"]]
        for deployment in updated["deployments"]
    ]
    assert told == [["http", "admin"], ["http"]]


def test_a_namespace_that_exists_is_no_second_one(mesh: Mesh) -> None:
    """Another cluster with the same default, by name or by ARN, has the same ARN; a new name another."""
    for name in ("mesh", mesh.namespace):
        again = mesh.ecs("CreateCluster", clusterName="x", serviceConnectDefaults={"namespace": name})
        assert again["cluster"]["serviceConnectDefaults"] == {"namespace": mesh.namespace}
        mesh.ecs("DeleteCluster", cluster="x")
    with pytest.raises(AwsError, match="NamespaceNotFoundException"):
        mesh.ecs("UpdateCluster", cluster="shop", serviceConnectDefaults={"namespace": mesh.namespace + "x"})
