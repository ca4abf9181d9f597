"""Health, and what DiscoverInstances makes of it."""

from __future__ import annotations

import dataclasses

import pytest
from map_world import A_RECORD, CloudMap

from sluice_sandbox.aws.ports import ContainerLaunch, TaskLaunch

UNHEALTHY = {"Status": "UNHEALTHY"}
HEALTHY = {"Status": "HEALTHY"}


def _checked(cloud: CloudMap, *instances: str) -> str:
    """Return a service with custom health and instances."""
    service = cloud.make(cloud.http(), HealthCheckCustomConfig={})
    for instance in instances:
        cloud.register(service, instance)
    return service


def _set(cloud: CloudMap, service: str, instance: str, status: dict[str, str]) -> None:
    cloud.call("UpdateInstanceCustomHealthStatus", ServiceId=service, InstanceId=instance, **status)


def test_custom_health_is_seen_after_half_a_minute(cloud: CloudMap) -> None:
    """Not before, and the same request again does not delay it."""
    service = _checked(cloud, "a", "b")
    assert cloud.health(service) == {"a": "HEALTHY", "b": "HEALTHY"}
    _set(cloud, service, "a", UNHEALTHY)
    cloud.clock.advance(20)
    _set(cloud, service, "a", UNHEALTHY)
    cloud.clock.advance(9)
    assert cloud.health(service)["a"] == "HEALTHY"
    cloud.clock.advance(2)
    assert cloud.health(service) == {"a": "UNHEALTHY", "b": "HEALTHY"}


def test_a_change_of_mind_is_no_change(cloud: CloudMap) -> None:
    """HEALTHY within the half minute takes UNHEALTHY back; asked anew, it counts anew."""
    service = _checked(cloud, "a")
    _set(cloud, service, "a", UNHEALTHY)
    cloud.clock.advance(10)
    _set(cloud, service, "a", HEALTHY)
    cloud.clock.advance(10)
    _set(cloud, service, "a", UNHEALTHY)
    cloud.clock.advance(20)
    assert cloud.health(service)["a"] == "HEALTHY"
    cloud.clock.advance(11)
    assert cloud.health(service)["a"] == "UNHEALTHY"


def test_registering_again_starts_health_anew(cloud: CloudMap) -> None:
    """An update makes a new check: what the old one said, or was about to say, is gone."""
    service = _checked(cloud, "a")
    cloud.register(service, "b", AWS_INIT_HEALTH_STATUS="UNHEALTHY")
    assert cloud.health(service) == {"a": "HEALTHY", "b": "UNHEALTHY"}
    _set(cloud, service, "a", UNHEALTHY)
    cloud.register(service, "a", x="1")
    cloud.clock.advance(60)
    assert cloud.health(service)["a"] == "HEALTHY"


def test_custom_health_needs_a_custom_check(cloud: CloudMap) -> None:
    """CustomHealthNotFound (404); an unknown instance or service has its own refusal."""
    plain = cloud.make(cloud.http())
    cloud.register(plain, "a")
    checked = cloud.make(cloud.http("other"), HealthCheckCustomConfig={})
    for service, instance, code in (
        (plain, "a", "CustomHealthNotFound"),
        (checked, "a", "InstanceNotFound"),
        ("srv-none", "a", "ServiceNotFound"),
    ):
        refusal = cloud.refused(
            "UpdateInstanceCustomHealthStatus", ServiceId=service, InstanceId=instance, Status="HEALTHY"
        )
        assert (refusal.code, refusal.status) == (code, 404)
    odd = cloud.refused("UpdateInstanceCustomHealthStatus", ServiceId=checked, InstanceId="a", Status="OK")
    assert odd.code == "InvalidInput"


def test_health_of_named_instances(cloud: CloudMap) -> None:
    """Only those; an unknown one is InstanceNotFound; without a check health is UNKNOWN."""
    service = _checked(cloud, "a", "b")
    asked = cloud.call("GetInstancesHealthStatus", ServiceId=service, Instances=["b"])
    assert asked["Status"] == {"b": "HEALTHY"}
    missing = cloud.refused("GetInstancesHealthStatus", ServiceId=service, Instances=["b", "c"])
    assert missing.code == "InstanceNotFound"
    plain = cloud.make(cloud.http("other"))
    cloud.register(plain, "a")
    assert cloud.health(plain) == {"a": "UNKNOWN"}


def test_a_route_53_check_asks_the_endpoint(cloud: CloudMap) -> None:
    """UNKNOWN until the first interval is over, then what answers there."""
    service = cloud.make(cloud.public(), DnsConfig=A_RECORD, HealthCheckConfig={"Type": "HTTP"})
    launch = TaskLaunch(
        task_arn="arn:task",
        ip="10.1.2.3",
        task_definition_arn="arn:definition",
        containers=(ContainerLaunch(name="web", image="web:1", ports=(80,)),),
    )
    runtime = cloud.world.outside.runtime
    assert runtime is not None
    runtime.start(launch, on_exit=lambda *_: None)
    cloud.clock.advance(5)
    cloud.register(service, "up", AWS_INSTANCE_IPV4="10.1.2.3", AWS_INSTANCE_PORT="80")
    cloud.register(service, "down", AWS_INSTANCE_IPV4="10.1.2.4", AWS_INSTANCE_PORT="80")
    assert cloud.health(service) == {"up": "UNKNOWN", "down": "UNKNOWN"}
    cloud.clock.advance(31)
    assert cloud.health(service) == {"up": "HEALTHY", "down": "UNHEALTHY"}
    runtime.stop("arn:task")
    assert cloud.health(service) == {"up": "UNHEALTHY", "down": "UNHEALTHY"}


def test_what_a_route_53_check_cannot_ask_is_unknown(cloud: CloudMap) -> None:
    """An instance registered without a port before the service had a check; DNS answers with it still."""
    service = cloud.make(cloud.public(), DnsConfig=A_RECORD)
    cloud.register(service, "a", AWS_INSTANCE_IPV4="10.1.2.3")
    change = {"DnsConfig": A_RECORD, "HealthCheckConfig": {"Type": "HTTP"}}
    cloud.done(cloud.call("UpdateService", Id=service, Service=change))
    cloud.clock.advance(60)
    assert cloud.health(service) == {"a": "UNKNOWN"}
    assert cloud.discovered("shop.example.com", "ledger") == ["a"]


@pytest.mark.parametrize(
    ("asked", "some", "none"),
    [
        pytest.param({"HealthStatus": "HEALTHY"}, ["a"], [], id="healthy"),
        pytest.param({"HealthStatus": "UNHEALTHY"}, ["b"], ["a", "b"], id="unhealthy"),
        pytest.param({"HealthStatus": "ALL"}, ["a", "b"], ["a", "b"], id="all"),
        pytest.param({"HealthStatus": "HEALTHY_OR_ELSE_ALL"}, ["a"], ["a", "b"], id="fail open"),
        pytest.param({}, ["a"], ["a", "b"], id="by default"),
    ],
)
def test_discovery_by_health(
    cloud: CloudMap, asked: dict[str, str], some: list[str], none: list[str]
) -> None:
    """With one of two instances healthy, then with none."""
    service = _checked(cloud, "a", "b")
    _set(cloud, service, "b", UNHEALTHY)
    cloud.clock.advance(31)
    assert cloud.discovered("api", "ledger", **asked) == some
    _set(cloud, service, "a", UNHEALTHY)
    cloud.clock.advance(31)
    assert cloud.discovered("api", "ledger", **asked) == none


@pytest.mark.parametrize("asked", ["HEALTHY", "UNHEALTHY"])
def test_without_a_check_health_is_ignored(cloud: CloudMap, asked: str) -> None:
    """botocore: "ignored for services that don't have a health check configured"."""
    service = cloud.make(cloud.http())
    cloud.register(service, "a")
    assert cloud.discovered("api", "ledger", HealthStatus=asked) == ["a"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param({}, ["a", "b", "c"], id="all"),
        pytest.param({"QueryParameters": {"version": "1"}}, ["a", "b"], id="query"),
        pytest.param({"QueryParameters": {"version": "1", "zone": "x"}}, ["a"], id="two of query"),
        pytest.param({"QueryParameters": {"version": "3"}}, [], id="query without match"),
        pytest.param({"OptionalParameters": {"zone": "x"}}, ["a", "c"], id="optional"),
        pytest.param({"OptionalParameters": {"zone": "z"}}, ["a", "b", "c"], id="optional without match"),
        pytest.param(
            {"QueryParameters": {"version": "1"}, "OptionalParameters": {"zone": "y"}}, ["b"], id="both"
        ),
        pytest.param(
            {"QueryParameters": {"version": "1"}, "OptionalParameters": {"zone": "z"}},
            ["a", "b"],
            id="query alone, for want of optional",
        ),
    ],
)
def test_discovery_by_attributes(
    cloud: CloudMap, asked: dict[str, dict[str, str]], expected: list[str]
) -> None:
    """All pairs of QueryParameters must match; OptionalParameters only if anything does."""
    service = cloud.make(cloud.http())
    cloud.register(service, "a", version="1", zone="x")
    cloud.register(service, "b", version="1", zone="y")
    cloud.register(service, "c", version="2", zone="x")
    assert cloud.discovered("api", "ledger", **asked) == expected


def test_what_discovery_tells_of_an_instance(cloud: CloudMap) -> None:
    """Ids, names, health and attributes; no more than MaxResults, in an order that changes."""
    service = _checked(cloud, *(f"i-{number}" for number in range(8)))
    cloud.register(service, "one", version="1")
    found = cloud.call(
        "DiscoverInstances",
        NamespaceName="api",
        ServiceName="ledger",
        QueryParameters={"version": "1"},
    )["Instances"]
    assert found == [
        {
            "InstanceId": "one",
            "NamespaceName": "api",
            "ServiceName": "ledger",
            "HealthStatus": "HEALTHY",
            "Attributes": {"version": "1"},
        }
    ]
    assert len(cloud.discovered("api", "ledger", MaxResults=3)) == 3
    orders = {
        tuple(
            item["InstanceId"]
            for item in cloud.call("DiscoverInstances", NamespaceName="api", ServiceName="ledger")[
                "Instances"
            ]
        )
        for _ in range(10)
    }
    assert len(orders) > 1


@pytest.mark.parametrize("call", ["DiscoverInstances", "DiscoverInstancesRevision"])
@pytest.mark.parametrize(
    ("asked", "code"),
    [
        pytest.param({"NamespaceName": "x", "ServiceName": "ledger"}, "NamespaceNotFound", id="namespace"),
        pytest.param({"NamespaceName": "api", "ServiceName": "x"}, "ServiceNotFound", id="service"),
        pytest.param(
            {"NamespaceName": "api", "ServiceName": "ledger", "OwnerAccount": "999988887777"},
            "NamespaceNotFound",
            id="another account's",
        ),
    ],
)
def test_discovery_of_what_is_not_there(cloud: CloudMap, call: str, asked: dict[str, str], code: str) -> None:
    """404, for either call."""
    _checked(cloud)
    refusal = cloud.refused(call, **asked)
    assert (refusal.code, refusal.status) == (code, 404)


def test_the_revision_only_grows(cloud: CloudMap) -> None:
    """With every change of instances, not with health; a service made anew begins above the old one's."""

    def revision() -> int:
        answer = cloud.call("DiscoverInstancesRevision", NamespaceName="api", ServiceName="ledger")
        same = cloud.call("DiscoverInstances", NamespaceName="api", ServiceName="ledger")
        assert same["InstancesRevision"] == answer["InstancesRevision"]
        return int(answer["InstancesRevision"])

    namespace = cloud.http()
    service = cloud.make(namespace, HealthCheckCustomConfig={})
    seen = [revision()]
    for instance in ("a", "b", "a"):
        cloud.register(service, instance)
        seen.append(revision())
    _set(cloud, service, "a", UNHEALTHY)
    cloud.clock.advance(60)
    assert revision() == seen[-1]
    for instance in ("a", "b"):
        cloud.deregister(service, instance)
        seen.append(revision())
    cloud.call("DeleteService", Id=service)
    cloud.make(namespace)
    seen.append(revision())
    assert seen == sorted(set(seen))


def test_clients_may_see_changes_later(cloud: CloudMap) -> None:
    """With `Pace.visible` the books are right at SUCCESS, and clients' view and revision follow in order."""
    pace = dataclasses.replace(cloud.service.settings.pace, visible=20.0)
    cloud.service.settings = dataclasses.replace(cloud.service.settings, pace=pace)
    names = {"NamespaceName": "shop.internal", "ServiceName": "ledger"}
    service = cloud.make(cloud.private(), DnsConfig=A_RECORD, HealthCheckCustomConfig={})
    revisions = [cloud.call("DiscoverInstancesRevision", **names)["InstancesRevision"]]
    cloud.register(service, "a", AWS_INSTANCE_IPV4="10.0.0.1")
    assert [item["Id"] for item in cloud.call("ListInstances", ServiceId=service)["Instances"]] == ["a"]
    for seconds, seen in ((19.0, []), (1.5, ["a"])):
        cloud.clock.advance(seconds)
        assert cloud.discovered("shop.internal", "ledger") == seen
        revisions.append(cloud.call("DiscoverInstancesRevision", **names)["InstancesRevision"])
    cloud.register(service, "b", AWS_INSTANCE_IPV4="10.0.0.2")
    cloud.deregister(service, "a")
    assert cloud.discovered("shop.internal", "ledger") == ["a"]
    cloud.clock.advance(15.5)
    assert cloud.discovered("shop.internal", "ledger") == ["a", "b"]
    cloud.clock.advance(5)
    assert cloud.discovered("shop.internal", "ledger") == ["b"]
    assert revisions[0] == revisions[1] < revisions[2]
