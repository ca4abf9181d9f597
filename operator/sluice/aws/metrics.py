"""Prometheus metrics of the gateway: calls, seconds, throttles, budget tokens and waits.

Cardinality is bounded by operations that the product uses times outcomes, and by buckets times accounts. The
series of an operation begin at 0 before its first call (`telemetry.born`): those of what a leader does in its
first seconds (`FIRST`) with the process, others when they are first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from sluice.aws.budget import BucketState
from sluice.aws.operations import buckets, is_write
from sluice.model.binding import Binding, Priority
from sluice.model.errors import AwsErrorKind
from sluice.model.keys import Key
from sluice.telemetry.born import born
from sluice.telemetry.metrics import Measured

WAIT_BUCKETS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 90)
"""Seconds until a token; nobody is sent away for much more than a minute (aws.budget)."""
OUTCOMES: Final = ("ok", *get_args(AwsErrorKind))
PRIORITIES: Final = tuple(priority.name.lower() for priority in Priority)
FIRST: Final = (
    ("ecs", "DescribeServices"),
    ("ecs", "ListServiceDeployments"),
    ("ecs", "DescribeServiceDeployments"),
    ("ecs", "DescribeTaskDefinition"),
    ("ecs", "ListTasks"),
    ("ecs", "DescribeTasks"),
    ("ecs", "RegisterTaskDefinition"),
    ("ecs", "CreateService"),
    ("ecs", "UpdateService"),
    ("elbv2", "DescribeRules"),
    ("elbv2", "DescribeTargetGroups"),
    ("elbv2", "DescribeTargetHealth"),
    ("elbv2", "ModifyRule"),
)
"""Operations (service, operation) whose series are there before anybody leads: a new leader may spend their
budgets, and be throttled, between two scrapes."""


class AwsMetrics:
    """What the gateway counts; `registry` is the process's or a test's own."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        hurried: Callable[[Key, str], None] = lambda _key, _service: None,
    ) -> None:
        """Register every metric; `hurried(key, service)` hears of writes of rollbacks that AWS took."""
        self._registry = registry
        self.hurried = hurried
        self.calls = Counter(
            "sluice_aws_calls",
            "AWS API calls by outcome: ok, or the kind of the failure.",
            ("service", "operation", "outcome", "account", "region"),
            registry=registry,
        )
        self.seconds = Histogram(
            "sluice_aws_call_duration_seconds",
            "Time of one AWS API call on the wire, budget waits excluded.",
            ("service", "operation"),
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=registry,
        )
        self.deferred = Counter(
            "sluice_aws_budget_deferred",
            "Calls that were put off because a token bucket was empty for their priority.",
            ("bucket", "priority", "account", "region"),
            registry=registry,
        )
        self.wait_seconds = Histogram(
            "sluice_aws_budget_wait_seconds",
            "For how long a call was put off because a token bucket was empty for its priority.",
            ("bucket", "priority"),
            buckets=WAIT_BUCKETS,
            registry=registry,
        )
        self.withheld = Counter(
            "sluice_aws_dry_run_writes",
            "Writes that a dry run did not send.",
            ("service", "operation"),
            registry=registry,
        )
        self._expected: set[tuple[str, str, str, str]] = set()

    def begin(self, bindings: Iterable[Binding], *, dry_run: bool = False) -> None:
        """Make the series of what is done FIRST, in each of these accounts and Regions."""
        for binding in bindings:
            for service, operation in FIRST:
                self.expect(service, operation, binding)
        if dry_run:
            for service, operation in FIRST:
                if is_write(operation):
                    born(self.withheld, [service], [operation])

    def expect(self, service: str, operation: str, binding: Binding) -> None:
        """Make the series of an operation and of the buckets that it passes, unless they are there."""
        account, region = binding.account or "default", binding.region
        what = (service, operation, account, region)
        if what in self._expected:
            return
        names = [shape.name for shape in buckets(service, operation)]
        born(self.calls, [service], [operation], OUTCOMES, [account], [region])
        born(self.seconds, [service], [operation])
        born(self.deferred, names, PRIORITIES, [account], [region])
        born(self.wait_seconds, names, PRIORITIES)
        self._expected.add(what)

    def called(self, service: str, operation: str, *, outcome: str, binding: Binding, seconds: float) -> None:
        """Count one call that was made."""
        self.expect(service, operation, binding)
        account = binding.account or "default"
        self.calls.labels(service, operation, outcome, account, binding.region).inc()
        self.seconds.labels(service, operation).observe(seconds)

    def put_off(self, bucket: str, priority: Priority, binding: Binding, *, seconds: float) -> None:
        """Count one call that found no token and was told to come back in `seconds`."""
        self.wait_seconds.labels(bucket, priority.name.lower()).observe(seconds)
        self.deferred.labels(
            bucket, priority.name.lower(), binding.account or "default", binding.region
        ).inc()

    def watch_budgets(self, states: Callable[[], Iterable[BucketState]]) -> None:
        """Export the buckets as they are at the time of each scrape."""
        self._registry.register(Measured("budgets", lambda: _budgets(states())))


def _budgets(states: Iterable[BucketState]) -> Iterable[Metric]:
    labels = ("bucket", "account", "region")
    tokens = GaugeMetricFamily("sluice_aws_budget_tokens", "Tokens left.", labels=labels)
    capacity = GaugeMetricFamily("sluice_aws_budget_capacity", "Tokens when full.", labels=labels)
    factor = GaugeMetricFamily(
        "sluice_aws_budget_rate_factor", "Share of the nominal rate, below 1 after throttling.", labels=labels
    )
    waiting = GaugeMetricFamily("sluice_aws_budget_waiting", "Callers with a place in line.", labels=labels)
    for state in states:
        values = (state.bucket, state.account or "default", state.region)
        tokens.add_metric(values, state.tokens)
        capacity.add_metric(values, state.capacity)
        factor.add_metric(values, state.factor)
        waiting.add_metric(values, state.waiting)
    return tokens, capacity, factor, waiting
