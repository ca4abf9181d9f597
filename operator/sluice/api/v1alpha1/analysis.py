"""What a progressive rollout measures, and when a value is a failure."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

import jmespath  # type: ignore[import-untyped]  # comes with boto3, without types
from pydantic import AfterValidator, Field, model_validator

from sluice.api.v1alpha1.choice import Choice, complaint
from sluice.api.v1alpha1.duration import Duration, Interval
from sluice.api.v1alpha1.schema import Cel, Schema, Typed, list_map
from sluice.api.v1alpha1.secret_ref import HttpHeader, Tls, Url
from sluice.api.v1alpha1.steps import Name

CONDITION = r"^(<|<=|>|>=|==|!=) ?-?[0-9]{1,15}(\.[0-9]{1,9})?([eE]-?[0-9]{1,2})?$"
STATISTIC = r"^(Average|Maximum|Minimum|Sum|SampleCount|(p|tm|tc|ts|wm)[0-9]{1,2}(\.[0-9]{1,2})?|IQM)$"
"""CloudWatch's statistics (user guide, "CloudWatch statistics definitions"), without ranges."""
ConditionText = Annotated[str, Field(max_length=32, pattern=CONDITION)]
_STATISTIC_OF: Final = "statistic goes with TargetResponseTime only; remove it"
_METRIC_OR_MATH: Final = (
    "give namespace and metricName (with statistic, dimensions), or expression and queries"
)
_NO_PATH: Final = "is no JMESPath expression; write one as data.errorRate"
_NO_CONDITION: Final = 'a metric needs failureCondition or successCondition, as "> 0.01"'
_LOAD_BALANCER_ONLY: Final = (
    "minRequests and compareTo go with loadBalancer only; put the comparison into the query"
)


def _compiles(expression: str) -> str:
    try:
        jmespath.compile(expression)
    except jmespath.exceptions.JMESPathError:
        raise complaint(_NO_PATH) from None
    return expression


class LoadBalancerMetric(Typed):
    """What the load balancer counts for the candidate's target groups (CloudWatch, AWS/ApplicationELB)."""

    metric: Literal[
        "TargetErrorRate",
        "TargetClientErrorRate",
        "TargetConnectionErrorRate",
        "TargetResponseTime",
        "RequestCount",
    ]
    """TargetErrorRate, TargetClientErrorRate and TargetConnectionErrorRate are 5xx, 4xx and failed
    connections per request (0 to 1), TargetResponseTime is in seconds, RequestCount in requests."""
    statistic: Annotated[str, Field(max_length=8, pattern=STATISTIC)] | None = None
    """Of TargetResponseTime: p99, p50, Average, Maximum; absent: p99."""
    cel = (
        Cel(
            rule="!has(self.statistic) || self.metric == 'TargetResponseTime'",
            message=_STATISTIC_OF,
            field_path=".statistic",
        ),
    )

    @model_validator(mode="after")
    def _statistic_of_times(self) -> LoadBalancerMetric:
        if self.statistic is not None and self.metric != "TargetResponseTime":
            raise complaint(_STATISTIC_OF)
        return self


class CloudWatchQuery(Typed):
    """One input of an expression."""

    id: Annotated[str, Field(max_length=64, pattern="^[a-z][a-zA-Z0-9_]*$")]
    """Name in the expression: a lower-case letter first."""
    namespace: Annotated[str, Field(min_length=1, max_length=255)]
    """Namespace, as AWS/ECS or Shop."""
    metric_name: Annotated[str, Field(min_length=1, max_length=255)]
    """Name of the metric."""
    statistic: Annotated[str, Field(max_length=8, pattern=STATISTIC)] | None = None
    """Statistic; absent: Average."""
    dimensions: (
        Annotated[dict[str, Annotated[str, Field(max_length=1024)]], Schema({"maxProperties": 30})] | None
    ) = None
    """Dimensions by name; values may contain the placeholders of prometheus.query."""


class CloudWatchMetric(Typed):
    """A CloudWatch metric, or an expression over several."""

    namespace: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """Namespace, as AWS/ECS or Shop."""
    metric_name: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """Name of the metric."""
    statistic: Annotated[str, Field(max_length=8, pattern=STATISTIC)] | None = None
    """Average, Sum, Minimum, Maximum, SampleCount, p99 and the like; absent: Average."""
    dimensions: (
        Annotated[dict[str, Annotated[str, Field(max_length=1024)]], Schema({"maxProperties": 30})] | None
    ) = None
    """Dimensions by name; values may contain the placeholders of prometheus.query."""
    expression: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """Metric math over the ids of queries, instead of a metric; its newest value counts."""
    queries: Annotated[list[CloudWatchQuery], list_map("id", most=10)] | None = None
    """Inputs of the expression."""
    cel = (
        Cel(
            rule="has(self.expression) == has(self.queries) && has(self.expression) != "
            "(has(self.namespace) && has(self.metricName)) && (!has(self.expression) || "
            "!has(self.namespace) && !has(self.metricName) && !has(self.statistic) && "
            "!has(self.dimensions))",
            message=_METRIC_OR_MATH,
        ),
    )

    @model_validator(mode="after")
    def _metric_or_math(self) -> CloudWatchMetric:
        single = (self.namespace, self.metric_name, self.statistic, self.dimensions)
        if self.expression is not None and self.queries is not None:
            right = all(member is None for member in single)
        else:
            neither = self.expression is None and self.queries is None
            right = neither and self.namespace is not None and self.metric_name is not None
        if not right:
            raise complaint(_METRIC_OR_MATH)
        return self


class PrometheusMetric(Typed):
    """An instant query."""

    address: Url
    """Base URL of the server."""
    query: Annotated[str, Field(min_length=1, max_length=4096)]
    """PromQL with one value as its result. Placeholders: {{namespace}}, {{name}}, {{revision}},
    {{candidateTargetGroup}}, {{liveTargetGroup}}, {{candidateSlot}}, {{liveSlot}}."""
    headers: Annotated[list[HttpHeader], list_map("name", most=16)] | None = None
    """Headers to send, for instance Authorization."""
    tls: Tls | None = None
    """Whom to trust; absent: the system's authorities."""


class WebMetric(Typed):
    """A number in the JSON answer of a web server."""

    url: Url
    """Where to ask; may contain the placeholders of prometheus.query."""
    method: Literal["GET", "POST"] | None = None
    """Method; absent: GET."""
    headers: Annotated[list[HttpHeader], list_map("name", most=16)] | None = None
    """Headers to send."""
    body: Annotated[str, Field(max_length=8192)] | None = None
    """Body to send with POST."""
    json_path: Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_compiles)]
    """Where the number is, as a JMESPath expression (what `aws --query` takes): data.errorRate."""
    tls: Tls | None = None
    """Whom to trust; absent: the system's authorities."""


class MetricSpec(Choice):
    """One metric: what to ask, and which values are failures."""

    name: Name
    """Identity."""
    load_balancer: LoadBalancerMetric | None = None
    """What the load balancer counts for the candidate. Exactly one of loadBalancer, cloudWatch,
    prometheus, web."""
    cloud_watch: CloudWatchMetric | None = None
    """A CloudWatch metric or expression."""
    prometheus: PrometheusMetric | None = None
    """A Prometheus query."""
    web: WebMetric | None = None
    """A number that a web server answers."""
    failure_condition: ConditionText | None = None
    """Which values are failures: an operator and a number, as "> 0.01"."""
    success_condition: ConditionText | None = None
    """Which values are successes, as ">= 0.99"; with both conditions a value that meets neither is
    inconclusive."""
    interval: Interval | None = None
    """How often to measure, and over how long; absent: analysis.interval."""
    initial_delay: Duration | None = None
    """How long after the first weight to begin; absent: 0s."""
    failure_limit: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Failures that are tolerated; one more rolls back. Absent: 0."""
    consecutive_error_limit: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Measurements in a row that may fail to be taken; one more pauses the rollout. Absent: 4."""
    min_requests: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = None
    """With fewer requests in the interval a measurement counts as no data (loadBalancer); absent: 0."""
    compare_to: Literal["Live"] | None = None
    """Live: the value is the candidate's minus the live slot's at the same time (loadBalancer)."""
    dry_run: bool | None = None
    """Measure and show, decide nothing; absent: false."""
    choices: ClassVar[tuple[str, ...]] = ("load_balancer", "cloud_watch", "prometheus", "web")
    choice_text: ClassVar[str] = (
        "a metric has exactly one of loadBalancer, cloudWatch, prometheus and web; keep one"
    )
    cel = (
        Cel(rule="has(self.failureCondition) || has(self.successCondition)", message=_NO_CONDITION),
        Cel(
            rule="has(self.loadBalancer) || !has(self.minRequests) && !has(self.compareTo)",
            message=_LOAD_BALANCER_ONLY,
        ),
    )

    @model_validator(mode="after")
    def _decides(self) -> MetricSpec:
        if self.failure_condition is None and self.success_condition is None:
            raise complaint(_NO_CONDITION)
        if self.load_balancer is None and (self.min_requests, self.compare_to) != (None, None):
            raise complaint(_LOAD_BALANCER_ONLY)
        return self


class AlarmRef(Typed):
    """A CloudWatch alarm."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    """Name of the alarm, in the account and region of the Deployment."""


class AnalysisSpec(Typed):
    """What is measured from the first weight to the end of bake."""

    interval: Interval | None = None
    """How often metrics are measured that say nothing else; absent: 1m."""
    on_no_data: Literal["Pause", "Fail", "Pass"] | None = None
    """What a metric without data, or an alarm with insufficient data, means at the end of a step;
    absent: Pause."""
    metrics: Annotated[list[MetricSpec], list_map("name", most=32)] | None = None
    """Metrics."""
    alarms: Annotated[list[AlarmRef], list_map("name", most=32)] | None = None
    """Alarms that must be OK at the start and not be in ALARM later."""
