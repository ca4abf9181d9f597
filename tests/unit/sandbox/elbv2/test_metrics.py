"""What a load balancer publishes to CloudWatch, read from the port it publishes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from elb_world import Elb
from hypothesis import given
from hypothesis import strategies as st

from sluice_sandbox.aws.elbv2.ledger import KEPT_MINUTES, Level
from sluice_sandbox.aws.ports import HttpRequest
from sluice_sandbox.aws.service import Caller


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One call of `publish`."""

    caller: Caller
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    values: Sequence[float]
    counts: Sequence[float]
    unit: str
    at: float | None

    @property
    def total(self) -> float:
        """Return what the statistic Sum adds up to."""
        return sum(value * count for value, count in zip(self.values, self.counts, strict=True))


@dataclass
class FakeMetrics:
    """A CloudWatch that only remembers."""

    samples: list[Sample] = field(default_factory=list)
    flushes: list[Callable[[], None]] = field(default_factory=list)

    def publish(
        self,
        caller: Caller,
        *,
        namespace: str,
        metric: str,
        dimensions: Mapping[str, str],
        values: Sequence[float],
        counts: Sequence[float] = (),
        unit: str = "None",
        at: float | None = None,
    ) -> None:
        """Remember a sample."""
        assert len(set(values)) == len(values), "a value must be named once, with its count"
        self.samples.append(
            Sample(
                caller=caller,
                namespace=namespace,
                metric=metric,
                dimensions=dimensions,
                values=values,
                counts=counts,
                unit=unit,
                at=at,
            )
        )

    def on_flush(self, callback: Callable[[], None]) -> None:
        """Remember whom to ask."""
        self.flushes.append(callback)

    def read(self, metric: str, **dimensions: str) -> list[Sample]:
        """Flush, and return all samples of one metric with exactly these dimensions."""
        for flush in self.flushes:
            flush()
        return [item for item in self.samples if item.metric == metric and item.dimensions == dimensions]


@pytest.fixture
def metrics(elb: Elb) -> FakeMetrics:
    """Let the world publish to a fake."""
    fake = FakeMetrics()
    elb.service.publish_to(fake)
    elb.clock.advance_to((elb.clock.now() // 60 + 1) * 60)
    return fake


def _balancer(arn: str) -> str:
    return "/".join(arn.split(":")[5].split("/")[1:4])


def _group(arn: str) -> str:
    return arn.split(":")[5]


def _get(elb: Elb, listener: str, times: int = 1) -> None:
    for _ in range(times):
        elb.service.route(elb.caller, listener, HttpRequest(host="shop.example", path="/"))


def test_each_request_is_one_sample_of_the_value_one(elb: Elb, metrics: FakeMetrics) -> None:
    """RequestCount and HTTPCode_Target_2XX_Count: Sum counts, Average is 1, under the minute's start."""
    group = elb.group()
    listener = elb.serve(group)
    elb.target(group, "10.0.0.1")
    elb.clock.advance(40)
    minute = elb.clock.now() // 60 * 60
    _get(elb, listener, 7)
    for metric in ("RequestCount", "HTTPCode_Target_2XX_Count"):
        [sample] = metrics.read(metric, LoadBalancer=_balancer(listener))
        assert (sample.values, sample.counts, sample.unit, sample.at) == ([1.0], [7.0], "Count", minute)
        assert sample.namespace == "AWS/ApplicationELB"
        assert sample.caller.account == "111122223333"
        assert sample.caller.region == "eu-west-1"


DIMENSIONS: dict[str, Callable[[str, str], dict[str, str]]] = {
    "load-balancer": lambda balancer, _: {"LoadBalancer": balancer},
    "zone": lambda balancer, _: {"LoadBalancer": balancer, "AvailabilityZone": "eu-west-1a"},
    "group": lambda balancer, group: {"LoadBalancer": balancer, "TargetGroup": group},
    "group-and-zone": lambda balancer, group: {
        "LoadBalancer": balancer,
        "TargetGroup": group,
        "AvailabilityZone": "eu-west-1a",
    },
}


@pytest.mark.parametrize("metric", ["RequestCount", "HTTPCode_Target_2XX_Count", "TargetResponseTime"])
@pytest.mark.parametrize("of", DIMENSIONS.values(), ids=DIMENSIONS)
def test_traffic_is_published_with_each_set_of_dimensions(
    elb: Elb, metrics: FakeMetrics, metric: str, of: Callable[[str, str], dict[str, str]]
) -> None:
    """The four combinations that AWS lists for what targets answered."""
    group = elb.group()
    listener = elb.serve(group)
    elb.target(group, "10.0.0.1")
    elb.clock.advance(5)
    _get(elb, listener, 3)
    samples = metrics.read(metric, **of(_balancer(listener), _group(group)))
    assert sum(sum(sample.counts) for sample in samples) == 3


def test_response_times_are_values_with_counts(elb: Elb, metrics: FakeMetrics) -> None:
    """TargetResponseTime is in seconds, and a statistic like p99 sees each value as often as it was."""
    group = elb.group()
    listener = elb.serve(group)
    elb.target(group, "10.0.0.1", SANDBOX_LATENCY_MS="250")
    elb.clock.advance(5)
    _get(elb, listener, 4)
    [sample] = metrics.read("TargetResponseTime", LoadBalancer=_balancer(listener), TargetGroup=_group(group))
    assert (sample.values, sample.counts, sample.unit) == ([0.25], [4.0], "Seconds")


def test_each_minute_has_samples_of_its_own(elb: Elb, metrics: FakeMetrics) -> None:
    """What is flushed late is published under the minute in which it happened; nothing twice."""
    group = elb.group()
    listener = elb.serve(group)
    elb.target(group, "10.0.0.1")
    elb.clock.advance(5)
    first = elb.clock.now() // 60 * 60
    _get(elb, listener, 2)
    elb.clock.advance(60)
    _get(elb, listener, 1)
    where = {"LoadBalancer": _balancer(listener)}
    assert [(item.at, item.total) for item in metrics.read("RequestCount", **where)] == [
        (first, 2.0),
        (first + 60, 1.0),
    ]
    _get(elb, listener, 1)
    assert [item.total for item in metrics.read("RequestCount", **where)] == [2.0, 1.0, 1.0]
    assert len(metrics.read("RequestCount", **where)) == 3


def test_what_the_load_balancer_answers_itself(elb: Elb, metrics: FakeMetrics) -> None:
    """A 503 counts as HTTPCode_ELB_503_Count and 5XX, not as a request, and under no target group."""
    group = elb.group()
    listener = elb.serve(group)
    _get(elb, listener, 2)
    where = {"LoadBalancer": _balancer(listener)}
    assert [item.total for item in metrics.read("HTTPCode_ELB_503_Count", **where)] == [2.0]
    assert [item.total for item in metrics.read("HTTPCode_ELB_5XX_Count", **where)] == [2.0]
    zoned = metrics.read("HTTPCode_ELB_5XX_Count", **where, AvailabilityZone="eu-west-1a")
    assert [item.total for item in zoned] == [2.0]
    assert metrics.read("RequestCount", **where) == []
    assert metrics.read("HTTPCode_ELB_5XX_Count", **where, TargetGroup=_group(group)) == []


def test_fixed_responses_and_redirects_are_counted(elb: Elb, metrics: FakeMetrics) -> None:
    """HTTP_Fixed_Response_Count for what a rule answers, with its 4XX beside it."""
    listener = elb.listener(elb.load_balancer())
    _get(elb, listener, 3)
    for metric in ("HTTP_Fixed_Response_Count", "HTTPCode_ELB_4XX_Count"):
        assert [item.total for item in metrics.read(metric, LoadBalancer=_balancer(listener))] == [3.0]


def test_requests_per_target(elb: Elb, metrics: FakeMetrics) -> None:
    """The Sum of RequestCountPerTarget is the requests divided by the healthy targets."""
    group = elb.group()
    listener = elb.serve(group)
    elb.target(group, "10.0.0.1")
    elb.target(group, "10.0.0.2")
    elb.clock.advance(5)
    _get(elb, listener, 10)
    for extra in ({}, {"LoadBalancer": _balancer(listener)}):
        samples = metrics.read("RequestCountPerTarget", TargetGroup=_group(group), **extra)
        assert [item.total for item in samples] == [5.0]


def test_a_refused_connection_counts_as_target_connection_error(elb: Elb, metrics: FakeMetrics) -> None:
    """A target that listened and does not any more: 502, under the group and the load balancer."""
    group = elb.group()
    listener = elb.serve(group)
    task = elb.target(group, "10.0.0.1")
    elb.clock.advance(5)
    elb.runtime.stop(task)
    _get(elb, listener)
    balancer = _balancer(listener)
    for where in ({"LoadBalancer": balancer}, {"LoadBalancer": balancer, "TargetGroup": _group(group)}):
        assert [item.total for item in metrics.read("TargetConnectionErrorCount", **where)] == [1.0]
    assert [item.total for item in metrics.read("HTTPCode_ELB_502_Count", LoadBalancer=balancer)] == [1.0]


def _hosts(
    metrics: FakeMetrics, metric: str, listener: str, group: str, **more: str
) -> dict[float, list[float]]:
    found: dict[float, list[float]] = {}
    for item in metrics.read(metric, LoadBalancer=_balancer(listener), TargetGroup=_group(group), **more):
        found.setdefault(item.at or 0.0, []).extend(item.values)
    return found


def test_host_counts_are_reported_every_minute_they_last(elb: Elb, metrics: FakeMetrics) -> None:
    """HealthyHostCount of each minute, its lowest and highest value included, without a timer of its own."""
    group = elb.group()
    listener = elb.serve(group)
    elb.target(group, "10.0.0.1")
    elb.target(group, "10.0.0.2", zone="eu-west-1b")
    start = elb.clock.now() // 60 * 60
    elb.clock.advance(150)
    assert elb.clock.next_due() is None
    healthy = _hosts(metrics, "HealthyHostCount", listener, group)
    assert healthy == {start: [0.0, 1.0, 2.0], start + 60: [2.0], start + 120: [2.0]}
    zoned = _hosts(metrics, "HealthyHostCount", listener, group, AvailabilityZone="eu-west-1b")
    assert zoned[start + 60] == [1.0]
    assert _hosts(metrics, "UnHealthyHostCount", listener, group)[start + 120] == [0.0]


def test_host_counts_are_published_once_a_minute_however_often_one_asks(
    elb: Elb, metrics: FakeMetrics
) -> None:
    """A second flush in the same minute adds no sample; a change in that minute does."""
    group = elb.group()
    listener = elb.serve(group)
    elb.target(group, "10.0.0.1")
    elb.clock.advance(70)
    minute = elb.clock.now() // 60 * 60
    for _ in range(3):
        assert _hosts(metrics, "HealthyHostCount", listener, group)[minute] == [1.0]
    elb.target(group, "10.0.0.2")
    elb.clock.advance(2)
    assert _hosts(metrics, "HealthyHostCount", listener, group)[minute] == [1.0, 2.0]


def test_unhealthy_hosts_are_counted(elb: Elb, metrics: FakeMetrics) -> None:
    """A target that fails its checks moves from one count to the other."""
    group = elb.group(HealthCheckIntervalSeconds=10)
    listener = elb.serve(group)
    task = elb.target(group, "10.0.0.1")
    elb.target(group, "10.0.0.2")
    elb.clock.advance(60)
    elb.runtime.stop(task)
    elb.clock.advance(120)
    minute = elb.clock.now() // 60 * 60
    assert _hosts(metrics, "HealthyHostCount", listener, group)[minute] == [1.0]
    assert _hosts(metrics, "UnHealthyHostCount", listener, group)[minute] == [1.0]


def test_without_registered_targets_no_host_count_is_reported(elb: Elb, metrics: FakeMetrics) -> None:
    """Once the last target is deregistered the metric ends, it does not fall to zero for ever."""
    group = elb.group()
    listener = elb.serve(group)
    elb.target(group, "10.0.0.1")
    elb.clock.advance(5)
    elb.service.deregister(elb.caller, group, ip="10.0.0.1", port=8080)
    gone = elb.clock.now() // 60 * 60
    elb.clock.advance(600)
    assert max(_hosts(metrics, "HealthyHostCount", listener, group)) == gone


def test_a_group_that_no_load_balancer_uses_reports_nothing(elb: Elb, metrics: FakeMetrics) -> None:
    """Host counts have a LoadBalancer dimension, so there must be one."""
    group = elb.group()
    elb.target(group, "10.0.0.1")
    elb.clock.advance(120)
    for flush in metrics.flushes:
        flush()
    assert metrics.samples == []


def test_targets_that_were_there_before_are_counted(elb: Elb) -> None:
    """A CloudWatch that comes later still sees how many hosts there are."""
    group = elb.group()
    listener = elb.serve(group)
    elb.target(group, "10.0.0.1")
    elb.clock.advance(5)
    late = FakeMetrics()
    elb.service.publish_to(late)
    assert list(_hosts(late, "HealthyHostCount", listener, group).values()) == [[1.0]]


def test_a_network_load_balancer_has_a_namespace_of_its_own(elb: Elb, metrics: FakeMetrics) -> None:
    """AWS/NetworkELB, with the same dimensions."""
    group = elb.group(Protocol="TCP")
    balancer = elb.load_balancer(Type="network")
    elb.call(
        "CreateListener",
        LoadBalancerArn=balancer,
        Port=80,
        Protocol="TCP",
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    elb.target(group, "10.0.0.1")
    elb.clock.advance(5)
    samples = metrics.read("HealthyHostCount", LoadBalancer=_balancer(balancer), TargetGroup=_group(group))
    assert {item.namespace for item in samples} == {"AWS/NetworkELB"}


def test_a_reset_forgets_what_was_pending(elb: Elb, metrics: FakeMetrics) -> None:
    """Nothing of the world before is published after a reset."""
    group = elb.group()
    listener = elb.serve(group)
    elb.target(group, "10.0.0.1")
    elb.clock.advance(5)
    _get(elb, listener)
    elb.service.reset()
    for flush in metrics.flushes:
        flush()
    assert metrics.samples == []


def test_requests_in_fail_open_are_counted(elb: Elb, metrics: FakeMetrics) -> None:
    """UnhealthyRoutingRequestCount: every target is unhealthy and the request goes to one all the same."""
    group = elb.group(HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2)
    listener = elb.serve(group)
    elb.target(group, "10.0.0.1", SANDBOX_UNHEALTHY="true")
    elb.clock.advance(60)
    _get(elb, listener, 2)
    samples = metrics.read("UnhealthyRoutingRequestCount", LoadBalancer=_balancer(listener))
    assert [item.total for item in samples] == [2.0]


def test_a_level_nobody_read_is_filled_in_for_three_hours() -> None:
    """The last KEPT_MINUTES minutes have the value; those before are left out, as documented."""
    level = Level(0)
    level.change(2.0, minute=0)
    taken = level.take(minute=10 * KEPT_MINUTES)
    assert sorted(taken) == [0, *range(9 * KEPT_MINUTES + 1, 10 * KEPT_MINUTES + 1)]
    assert set(map(frozenset, taken.values())) == {frozenset({2.0})}


STEPS = st.lists(
    st.tuples(st.sampled_from(["change", "take", "pass"]), st.sampled_from([None, 0.0, 1.0, 2.0])),
    max_size=40,
)


@given(STEPS)
def test_levels_tell_every_value_of_every_minute_once(steps: list[tuple[str, float | None]]) -> None:
    """Whenever it is read: each minute's values are all told, none twice, none that was not so."""
    level, minute, present = Level(0), 0, None
    held: dict[int, set[float]] = {}
    told: dict[int, list[float]] = {}

    def take() -> None:
        for when, values in level.take(minute=minute).items():
            told.setdefault(when, []).extend(values)

    for step, value in steps:
        if step == "pass":
            minute += 1
        elif step == "take":
            take()
        else:
            level.change(value, minute=minute)
            present = value
        if present is not None:
            held.setdefault(minute, set()).add(present)
    take()
    assert {when: set(values) for when, values in told.items()} == held
    assert all(len(values) == len(set(values)) for values in told.values())


@given(st.lists(st.sampled_from(["get", "minute", "flush"]), max_size=60))
def test_published_sums_are_what_was_counted(steps: list[str]) -> None:
    """However often and late it is flushed, the Sum of RequestCount is the number of requests."""
    elb, metrics = Elb(), FakeMetrics()
    elb.service.publish_to(metrics)
    group = elb.group()
    listener = elb.serve(group)
    elb.target(group, "10.0.0.1")
    elb.clock.advance(5)
    for step in steps:
        if step == "get":
            _get(elb, listener)
        elif step == "minute":
            elb.clock.advance(60)
        else:
            metrics.flushes[0]()
    wanted = steps.count("get")
    for where in (
        {"LoadBalancer": _balancer(listener)},
        {"LoadBalancer": _balancer(listener), "TargetGroup": _group(group)},
    ):
        samples = metrics.read("RequestCount", **where)
        assert sum(item.total for item in samples) == wanted
    assert elb.service.counters()["listeners"].get(listener, {}).get("RequestCount", 0) == wanted


def test_open_connections_are_one_sample_a_minute(elb: Elb, metrics: FakeMetrics) -> None:
    """ActiveConnectionCount is the most that were open, told once a minute is over, not when none is."""
    listener = elb.listener(elb.load_balancer())
    counters = elb.service.router.counters
    start = elb.clock.now()
    for _ in range(3):
        counters.connected(listener)
    counters.disconnected(listener)
    where = {"LoadBalancer": _balancer(listener)}
    assert metrics.read("ActiveConnectionCount", **where) == []
    elb.clock.advance(60)
    counters.disconnected(listener)
    counters.disconnected(listener)
    elb.clock.advance(120)
    samples = metrics.read("ActiveConnectionCount", **where)
    assert [(item.at, item.values) for item in samples] == [(start, [3.0]), (start + 60, [2.0])]
    [opened] = metrics.read("NewConnectionCount", **where)
    assert opened.total == 3


TAGGED: list[tuple[str, Callable[[Elb], str]]] = [
    ("elasticloadbalancing:loadbalancer", lambda elb: elb.load_balancer()),
    ("elasticloadbalancing:listener", lambda elb: elb.listener(elb.load_balancer())),
    ("elasticloadbalancing:targetgroup", lambda elb: elb.group()),
    (
        "elasticloadbalancing:listener-rule",
        lambda elb: elb.rule(
            elb.listener(elb.load_balancer()),
            7,
            [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
        ),
    ),
]


@pytest.mark.parametrize(("kind", "make"), TAGGED, ids=[kind for kind, _ in TAGGED])
def test_the_tagging_api_sees_and_changes_tags_of_every_kind(
    elb: Elb, kind: str, make: Callable[[Elb], str]
) -> None:
    """Untagged resources are not listed; one whose tags are gone still is, without tags."""
    arn = make(elb)
    assert elb.service.tagged_resources(elb.caller) == []
    assert elb.service.change_tags(elb.caller, arn, put={"team": "shop", "stage": "prod"})
    [resource] = elb.service.tagged_resources(elb.caller)
    assert (resource.arn, resource.resource_type) == (arn, kind)
    assert resource.tags == {"team": "shop", "stage": "prod"}
    shown: list[Any] = elb.call("DescribeTags", ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
    assert {"Key": "team", "Value": "shop"} in shown
    assert elb.service.change_tags(elb.caller, arn, put={}, remove=["team", "stage"])
    [resource] = elb.service.tagged_resources(elb.caller)
    assert resource.tags == {}


def test_the_tagging_api_is_told_of_arns_that_do_not_exist(elb: Elb) -> None:
    """False, whatever kind of ARN it is; nothing is listed for another account."""
    elb.call("AddTags", ResourceArns=[elb.group()], Tags=[{"Key": "team", "Value": "shop"}])
    unknown = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/none/0123456789abcdef"
    assert not elb.service.change_tags(elb.caller, unknown, put={"a": "b"})
    assert not elb.service.change_tags(elb.caller, "arn:aws:ecs:eu-west-1:1:cluster/x", put={"a": "b"})
    assert elb.service.tagged_resources(Caller(account="999988887777")) == []
