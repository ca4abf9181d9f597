"""Service discovery and Service Connect: refusals, registration with ECS's attributes, health."""

from __future__ import annotations

from typing import Any

import pytest

INVALID = "InvalidParameterException"
PREFIX = "arn:aws:servicediscovery:eu-west-1:111122223333:service/"
NAMESPACE = "arn:aws:servicediscovery:eu-west-1:111122223333:namespace/ns-1"
PORT = {"containerName": "app", "containerPort": 8080}


def registry(name: str, **members: Any) -> dict[str, Any]:
    """Return the change that sets one registry."""
    return {"serviceRegistries": [{"registryArn": PREFIX + name, **members}], "loadBalancers": None}


def connect(**members: Any) -> dict[str, Any]:
    """Return the change that sets Service Connect on port `http`."""
    return {
        "taskDefinition": "named",
        "serviceConnectConfiguration": {
            key: value
            for key, value in ({"enabled": True, "namespace": "ns"} | members).items()
            if value is not None
        },
    }


def served(**members: Any) -> dict[str, Any]:
    """Return the change that serves port `http`."""
    return connect(services=[{"portName": "http", **members}])


def alias(**members: Any) -> dict[str, Any]:
    """Return the change that serves port `http` under an alias."""
    return served(clientAliases=[{"port": 80, **members}])


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown-registry": (registry("srv-ghost"), INVALID, "The specified service registry does not exist."),
    "port-for-an-address-record": (
        registry("srv-a", **PORT),
        INVALID,
        "The values specified for serviceRegistries do not require a value for 'containerPort'.",
    ),
    "bare-port-for-an-address-record": (registry("srv-a", port=80), INVALID, "do not require a value for"),
    "service-record-without-port": (registry("srv-srv"), INVALID, "Specify a value for either 'port' or the"),
    "both-kinds-of-port": (registry("srv-srv", port=80, **PORT), INVALID, "but not both. Remove one"),
    "impossible-port": (registry("srv-srv", port=0), INVALID, "Invalid port '0'"),
    "unknown-container": (
        registry("srv-srv", containerName="ghost", containerPort=8080),
        INVALID,
        "The container ghost does not exist in the task definition.",
    ),
    "unknown-port": (
        registry("srv-srv", containerName="app", containerPort=1),
        INVALID,
        "did not have a container port 1 defined",
    ),
    "unknown-namespace": (
        connect(namespace="ghost"),
        "NamespaceNotFoundException",
        "Failed to retrieve namespace for ghost",
    ),
    "no-namespace": (connect(namespace=""), INVALID, "A namespace must be specified"),
    "unknown-port-name": (
        connect(services=[{"portName": "grpc"}]),
        INVALID,
        "The portName grpc does not exist in the task definition's port mappings.",
    ),
    "discovery-name": (served(discoveryName="Up"), INVALID, "Invalid discoveryName"),
    "two-aliases": (served(clientAliases=[{"port": 1}, {"port": 2}]), INVALID, "at most one client alias"),
    "alias-port": (served(clientAliases=[{"port": 0}]), INVALID, "Invalid port '0' in a client alias"),
    "alias-name": (alias(dnsName="-x"), INVALID, "Invalid dnsName"),
    "served-twice": (connect(services=[{"portName": "http"}] * 2), INVALID, "discovery names"),
    "access-log-alone": (
        connect(accessLogConfiguration={"format": "JSON"}),
        INVALID,
        "Access logs require a logConfiguration",
    ),
}


@pytest.fixture(autouse=True)
def named(ecs: Any) -> None:
    """Register a definition whose port has a name."""
    ecs.register("named", container={"portMappings": [{"containerPort": 8080, "name": "http"}]})


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_create_and_by_update(ecs: Any, request_of: Any, case: str) -> None:
    """The same refusal for a new service and for a change of one."""
    change, code, text = REFUSED[case]
    refused = ecs.refusal("CreateService", **request_of(**change))
    assert refused[0] == code
    assert text in refused[1]
    ecs.create("there")
    update = {key: value for key, value in change.items() if value is not None}
    assert ecs.refusal("UpdateService", cluster="main", service="there", **update) == refused


@pytest.mark.parametrize(
    ("change", "port"),
    [
        pytest.param(registry("srv-a"), None, id="address record"),
        pytest.param(registry("srv-srv", **PORT), "8080", id="service record by container"),
        pytest.param(registry("srv-both", port=9), "9", id="service record by port"),
        pytest.param(registry("srv-http", **PORT), "8080", id="http namespace"),
    ],
)
def test_running_tasks_are_registered(ecs: Any, change: dict[str, Any], port: str | None) -> None:
    """Instance id is the task id; address, port and ECS's own attributes are there (developer guide)."""
    ecs.create(**change)
    assert ecs.registries.registered == {}
    ecs.until(ecs.completed)
    tasks = {task["taskArn"].rsplit("/", 1)[1]: task for task in ecs.tasks()}
    assert {instance for _, instance in ecs.registries.registered} == set(tasks)
    for (_, instance), attributes in ecs.registries.registered.items():
        details = {item["name"]: item["value"] for item in tasks[instance]["attachments"][0]["details"]}
        expected = {
            "AWS_INSTANCE_IPV4": details["privateIPv4Address"],
            "AWS_INIT_HEALTH_STATUS": "HEALTHY",
            "AVAILABILITY_ZONE": tasks[instance]["availabilityZone"],
            "REGION": "eu-west-1",
            "ECS_CLUSTER_NAME": "main",
            "ECS_SERVICE_NAME": "web",
            "ECS_TASK_DEFINITION_FAMILY": "web",
        }
        assert attributes == expected | ({"AWS_INSTANCE_PORT": port} if port else {})


def test_stopped_tasks_are_gone_before_they_drain(ecs: Any) -> None:
    """A stopping task leaves Cloud Map at once; its successor comes."""
    ecs.create(**registry("srv-a"))
    ecs.until(ecs.completed)
    victim = ecs.tasks()[0]["taskArn"]
    ecs.call("StopTask", cluster="main", task=victim)
    assert ("srv-a", victim.rsplit("/", 1)[1]) not in ecs.registries.registered
    ecs.until(lambda: len(ecs.registries.registered) == 2)
    ecs.call("DeleteService", cluster="main", service="web", force=True)
    ecs.until(lambda: not ecs.registries.registered)


def test_a_changed_registry_rolls_the_tasks(ecs: Any) -> None:
    """Updating serviceRegistries deploys; an empty list takes all tasks out (botocore)."""
    ecs.create(**registry("srv-a"))
    ecs.until(ecs.completed)
    ecs.call("UpdateService", cluster="main", service="web", **registry("srv-http") | {"loadBalancers": []})
    ecs.until(ecs.completed)
    assert {name for name, _ in ecs.registries.registered} == {"srv-http"}
    ecs.call("UpdateService", cluster="main", service="web", serviceRegistries=[])
    ecs.until(ecs.completed)
    assert ecs.registries.registered == {}


def test_health_checks_of_containers_are_told(ecs: Any) -> None:
    """With a container health check an instance begins UNHEALTHY and follows the task's healthStatus."""
    ecs.register("checked", container={"healthCheck": {"command": ["CMD", "x"], "interval": 5}})
    ecs.create(taskDefinition="checked", **registry("srv-a"))
    ecs.until(lambda: len(ecs.registries.registered) == 2)
    states = {item["AWS_INIT_HEALTH_STATUS"] for item in ecs.registries.registered.values()}
    assert states == {"UNHEALTHY"}
    ecs.until(ecs.completed)
    assert set(ecs.registries.health.values()) == {True}
    first = set(ecs.registries.health)
    ecs.runtime.health = "UNHEALTHY"
    ecs.until(lambda: any(not ecs.registries.health[instance] for instance in first))


def test_task_sets_tell_their_external_id(ecs: Any) -> None:
    """ECS_TASK_SET_EXTERNAL_ID is the set's externalId (botocore, CreateTaskSet)."""
    base = {"taskDefinition": None, "networkConfiguration": None, "loadBalancers": None, "launchType": None}
    made = ecs.create("ext", deploymentController={"type": "EXTERNAL"}, **base)
    ecs.call(
        "CreateTaskSet",
        cluster="main",
        service="ext",
        taskDefinition="web",
        launchType="FARGATE",
        externalId="d-1",
        scale={"value": 100, "unit": "PERCENT"},
        serviceRegistries=[{"registryArn": PREFIX + "srv-a"}],
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": ecs.create("other")["networkConfiguration"]["awsvpcConfiguration"]["subnets"]
            }
        },
    )
    assert made["serviceRegistries"] == []
    ecs.until(lambda: len(ecs.registries.registered) == 2)
    told = {item["ECS_TASK_SET_EXTERNAL_ID"] for item in ecs.registries.registered.values()}
    assert told == {"d-1"}


def test_services_by_namespace(ecs: Any) -> None:
    """Of all clusters, by the service's own namespace or its cluster's default; ten a page."""
    ecs.call("CreateCluster", clusterName="other", serviceConnectDefaults={"namespace": "ns"})
    ecs.create("a", desiredCount=0, **served())
    ecs.create("b", cluster="other", desiredCount=0, **connect(namespace=None))
    ecs.create("off", desiredCount=0, serviceConnectConfiguration={"enabled": False})
    ecs.create("plain", desiredCount=0)
    page = ecs.call("ListServicesByNamespace", namespace="ns")
    assert [arn.rsplit("/", 2)[1:] for arn in page["serviceArns"]] == [["main", "a"], ["other", "b"]]
    first = ecs.call("ListServicesByNamespace", namespace="ns", maxResults=1)
    assert len(first["serviceArns"]) == 1
    rest = ecs.call("ListServicesByNamespace", namespace="ns", nextToken=first["nextToken"])
    assert rest["serviceArns"] == page["serviceArns"][1:]
    assert ecs.call("ListServicesByNamespace", namespace=NAMESPACE)["serviceArns"] == []
    assert ecs.refusal("ListServicesByNamespace", namespace="ghost")[0] == "NamespaceNotFoundException"


def test_clusters_know_their_namespace(ecs: Any) -> None:
    """An unknown ARN is refused, the default is described, an empty string ends it (botocore)."""
    assert (
        ecs.refusal("CreateCluster", clusterName="x", serviceConnectDefaults={"namespace": NAMESPACE + "x"})[
            0
        ]
        == "NamespaceNotFoundException"
    )
    made = ecs.call("CreateCluster", clusterName="x", serviceConnectDefaults={"namespace": NAMESPACE})
    assert made["cluster"]["serviceConnectDefaults"] == {"namespace": NAMESPACE}
    shown = ecs.call("UpdateCluster", cluster="x", serviceConnectDefaults={"namespace": ""})["cluster"]
    assert "serviceConnectDefaults" not in shown
