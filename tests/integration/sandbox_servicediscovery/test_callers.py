"""The demo's clients of a name notice what they are there to notice: no answer, and nobody at an address."""

from __future__ import annotations

from typing import Any

from integration.sandbox_ecs.ecs_port import definition, fresh, until
from integration.sandbox_servicediscovery.map_port import Map
from sluice_sandbox.demo.callers import Callers

PORT = 8080
CONTAINER = {
    "name": "app",
    "image": "example/ledger:1.0.0",
    "essential": True,
    "portMappings": [{"containerPort": PORT, "name": "http"}],
}


def _service(cloud: Map) -> tuple[dict[str, Any], str]:
    """Return a new Cloud Map service and its DNS name."""
    namespace, zone = cloud.namespace()
    config = {"DnsRecords": [{"Type": "A", "TTL": 1}]}
    made = cloud.client.create_service(Name="ledger", NamespaceId=namespace, DnsConfig=config)
    return made["Service"], f"ledger.{zone}"


def _callers(cloud: Map, name: str) -> Callers:
    dns = cloud.side.side.dns
    assert dns is not None
    return Callers((dns.host, dns.port), name, port=PORT, clients=3, every=0.05).start()


def test_calls_reach_tasks_and_tell_their_image(cloud: Map) -> None:
    """Every answer has an address, a task answers there, and an answer is kept for its TTL."""
    service, name = _service(cloud)
    ecs, cluster, family = cloud.side.client("ecs"), fresh("cluster"), fresh("family")
    ecs.create_cluster(clusterName=cluster)
    ecs.register_task_definition(**definition(family, containerDefinitions=[CONTAINER]))
    ecs.create_service(
        cluster=cluster,
        serviceName="ledger",
        taskDefinition=family,
        desiredCount=2,
        launchType="FARGATE",
        networkConfiguration=cloud.side.network,
        serviceRegistries=[{"registryArn": service["Arn"]}],
    )
    until(lambda: len(cloud.ask(name).answers) == 2)
    callers = _callers(cloud, name)
    until(lambda: callers.seen().calls > 30)
    assert callers.latest() == {"example/ledger:1.0.0"}
    seen = callers.stop()
    assert (seen.empty, seen.dead, seen.first) == (0, 0, [])
    assert set(seen.images) == {"example/ledger:1.0.0"}
    assert seen.calls > seen.resolved


def test_a_name_without_entries_is_empty(cloud: Map) -> None:
    """No such record is counted at each question, with the code; nobody is called."""
    _, name = _service(cloud)
    callers = _callers(cloud, name)
    until(lambda: callers.seen().empty > 3)
    seen = callers.stop()
    assert seen.empty == seen.resolved
    assert (seen.calls, seen.first[0]) == (0, f"{name}: code 3, no address")


def test_an_address_where_nobody_is_is_dead(cloud: Map) -> None:
    """The connection is refused, and that is told with the address."""
    service, name = _service(cloud)
    cloud.register(service["Id"], "ghost", AWS_INSTANCE_IPV4="10.9.9.9")
    callers = _callers(cloud, name)
    until(lambda: callers.seen().dead > 3)
    seen = callers.stop()
    assert (seen.empty, dict(seen.images)) == (0, {})
    assert seen.first[0].startswith("127.9.9.9: ")
