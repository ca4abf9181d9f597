"""Laws: whatever is registered and deregistered in whatever order, every way of looking says the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from map_world import A_RECORD, CloudMap

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.dns.message import TYPES, Query
from sluice_sandbox.dns.resolver import answers

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["register", "deregister", "unhealthy", "healthy", "fault", "wait"]),
        st.integers(0, 3),
        st.integers(1, 9),
    ),
    max_size=40,
)


def _step(cloud: CloudMap, service: str, word: str, *, which: int, number: int) -> None:
    instance = f"i-{which}"
    names = {"ServiceId": service, "InstanceId": instance}
    if word == "register":
        cloud.call("RegisterInstance", Attributes={"AWS_INSTANCE_IPV4": f"10.0.{which}.{number}"}, **names)
    elif word == "deregister":
        cloud.call("DeregisterInstance", **names)
    elif word == "fault":
        cloud.fault("throttle", "Operation.*", remaining=1)
    elif word == "wait":
        cloud.clock.advance(number * 4)
    else:
        cloud.call("UpdateInstanceCustomHealthStatus", Status=word.upper(), **names)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_every_view_agrees_at_every_moment(steps: list[tuple[str, int, int]]) -> None:
    """ListInstances, DiscoverInstances, health and DNS agree; the revision never falls; all work ends."""
    cloud = CloudMap()
    service = cloud.make(cloud.private(), DnsConfig=A_RECORD, HealthCheckCustomConfig={})
    resolver = answers(cloud.world, twins=False)
    query = Query(id=1, flags=0, name="ledger.shop.internal", kind=TYPES["A"], klass=1)
    known: dict[str, str] = {}
    revision = 0
    for word, which, number in steps:
        try:
            _step(cloud, service, word, which=which, number=number)
        except AwsError as refusal:
            assert refusal.code in {"DuplicateRequest", "InstanceNotFound"}  # noqa: PT017 - either is right
        listed = cloud.call("ListInstances", ServiceId=service)["Instances"]
        addresses = {item["Id"]: item["Attributes"]["AWS_INSTANCE_IPV4"] for item in listed}
        health = cloud.health(service)
        assert health.keys() == addresses.keys()
        assert cloud.discovered("shop.internal", "ledger", HealthStatus="ALL") == sorted(addresses)
        healthy = [instance for instance, state in health.items() if state == "HEALTHY"] or list(addresses)
        assert cloud.discovered("shop.internal", "ledger") == sorted(healthy)
        resolved = sorted(record.value for record in resolver.answer(query).records)
        assert resolved == sorted(addresses[instance] for instance in healthy)
        now = cloud.call("DiscoverInstancesRevision", NamespaceName="shop.internal", ServiceName="ledger")
        assert now["InstancesRevision"] >= revision
        assert addresses == known or now["InstancesRevision"] > revision
        known, revision = addresses, now["InstancesRevision"]
    cloud.clock.advance(60)
    running = [{"Name": "STATUS", "Values": ["SUBMITTED", "PENDING"], "Condition": "IN"}]
    assert cloud.call("ListOperations", Filters=running)["Operations"] == []
