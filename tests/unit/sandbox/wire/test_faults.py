"""Fault rules: which calls they hit, when, how often, and in whose words."""

from __future__ import annotations

import random

import pytest

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.faults import Fault, Faults
from sluice_sandbox.aws.service import Caller

CALLER = Caller()
OTHER = Caller(principal="arn:aws:sts::111122223333:assumed-role/team-a/s")


def refused(
    faults: Faults, service: str, operation: str, *, caller: Caller = CALLER, now: float = 0.0
) -> bool:
    """Tell whether a call is refused."""
    verdict = faults.decide(caller, service, operation, now=now)
    return verdict is not None and verdict.refusal is not None


@pytest.mark.parametrize(
    ("rule", "service", "operation", "caller", "hit"),
    [
        pytest.param({}, "ecs", "CreateService", CALLER, True, id="everything"),
        pytest.param({"service": "ecs"}, "elbv2", "DescribeRules", CALLER, False, id="other service"),
        pytest.param({"operation": "Describe*"}, "ecs", "DescribeTasks", CALLER, True, id="glob"),
        pytest.param({"operation": "Describe*"}, "ecs", "CreateService", CALLER, False, id="glob misses"),
        pytest.param({"principal": "*team-a*"}, "ecs", "CreateService", OTHER, True, id="role"),
        pytest.param({"principal": "*team-a*"}, "ecs", "CreateService", CALLER, False, id="other role"),
        pytest.param({"probability": 0.0}, "ecs", "CreateService", CALLER, False, id="never"),
    ],
)
def test_matching(
    rule: dict[str, object], service: str, operation: str, caller: Caller, *, hit: bool
) -> None:
    """A rule hits the calls that its globs name."""
    faults = Faults(random.Random(0))
    faults.add(Fault(kind="throttle", **rule))  # type: ignore[arg-type] - a table of fields
    assert refused(faults, service, operation, caller=caller) is hit


def test_a_count_ends_the_rule() -> None:
    """After its hits are used up the rule is gone."""
    faults = Faults(random.Random(0))
    faults.add(Fault(kind="error", remaining=2))
    assert [refused(faults, "ecs", "ListTasks") for _ in range(3)] == [True, True, False]
    assert faults.active() == ()


def test_a_window_opens_and_closes() -> None:
    """A rule works from `since` until before `until`."""
    faults = Faults(random.Random(0))
    faults.add(Fault(kind="error", since=10, until=20))
    assert [refused(faults, "ecs", "ListTasks", now=now) for now in (9.9, 10, 19.9, 20)] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("rule", "service", "code", "status"),
    [
        pytest.param({"kind": "throttle"}, "ecs", "ThrottlingException", 400, id="ecs throttle"),
        pytest.param({"kind": "throttle"}, "elbv2", "Throttling", 400, id="elbv2 throttle"),
        pytest.param(
            {"kind": "throttle"}, "servicediscovery", "ThrottlingException", 400, id="cloud map throttle"
        ),
        pytest.param({"kind": "throttle"}, "sqs", "RequestThrottled", 400, id="sqs throttle"),
        pytest.param({"kind": "throttle"}, "lambda", "TooManyRequestsException", 429, id="lambda throttle"),
        pytest.param({"kind": "error"}, "ecs", "ServerException", 500, id="ecs 500"),
        pytest.param({"kind": "error"}, "elbv2", "InternalFailure", 500, id="elbv2 500"),
        pytest.param({"kind": "error", "status": 503}, "elbv2", "ServiceUnavailable", 503, id="503"),
        pytest.param({"kind": "error", "code": "Odd", "status": 418}, "ecs", "Odd", 418, id="any error"),
        pytest.param({"kind": "deny"}, "ecs", "AccessDeniedException", 400, id="ecs denial"),
        pytest.param({"kind": "deny"}, "elbv2", "AccessDenied", 403, id="elbv2 denial"),
        pytest.param({"kind": "deny"}, "s3", "AccessDenied", 403, id="s3 denial"),
    ],
)
def test_each_service_refuses_in_its_own_code(
    rule: dict[str, object], service: str, code: str, status: int
) -> None:
    """The same fault has another code and status in each service, as in AWS."""
    faults = Faults(random.Random(0))
    faults.add(Fault(**rule))  # type: ignore[arg-type] - a table of fields
    verdict = faults.decide(CALLER, service, "DescribeThings", now=0)
    assert verdict is not None
    assert isinstance(verdict.refusal, AwsError)
    assert (verdict.refusal.code, verdict.refusal.status) == (code, status)


@pytest.mark.parametrize("operation", ["DiscoverInstances", "DiscoverInstancesRevision"])
def test_cloud_maps_discovery_throttles_by_its_own_shape(operation: str) -> None:
    """RequestLimitExceeded (429) belongs to the data plane, which alone declares it."""
    faults = Faults(random.Random(0))
    faults.add(Fault(kind="throttle", service="servicediscovery"))
    verdict = faults.decide(CALLER, "servicediscovery", operation, now=0)
    assert verdict is not None
    assert isinstance(verdict.refusal, AwsError)
    assert (verdict.refusal.code, verdict.refusal.status) == ("RequestLimitExceeded", 429)


def test_denial_names_who_and_what() -> None:
    """The text has IAM's form, with the IAM prefix of the service."""
    faults = Faults(random.Random(0))
    faults.add(Fault(kind="deny"))
    verdict = faults.decide(OTHER, "elbv2", "ModifyRule", now=0)
    assert verdict is not None
    assert isinstance(verdict.refusal, AwsError)
    assert verdict.refusal.message.startswith(
        "User: arn:aws:sts::111122223333:assumed-role/team-a/s is not authorized to perform: "
        "elasticloadbalancing:ModifyRule on resource: * because no identity-based policy allows"
    )


@pytest.mark.parametrize(
    ("service", "params", "resource"),
    [
        pytest.param(
            "ecs",
            {"cluster": "arn:aws:ecs:eu-west-1:111122223333:cluster/c", "serviceName": "web"},
            "arn:aws:ecs:eu-west-1:111122223333:service/c/web",
            id="service by name",
        ),
        pytest.param("elbv2", {"RuleArn": "arn:aws:rule", "Actions": []}, "arn:aws:rule", id="arn"),
        pytest.param("ecs", {"family": "f"}, "*", id="none"),
        pytest.param("s3", None, "*", id="unknown"),
    ],
)
def test_denial_names_the_resource(service: str, params: object, resource: str) -> None:
    """The resource is the ARN that the call is about, as IAM names it."""
    faults = Faults(random.Random(0))
    faults.add(Fault(kind="deny"))
    verdict = faults.decide(CALLER, service, "Do", now=0, params=params)
    assert verdict is not None
    assert isinstance(verdict.refusal, AwsError)
    assert f" on resource: {resource} because " in verdict.refusal.message


def test_faults_add_up() -> None:
    """Latencies add, the longest staleness counts, the first refusal wins."""
    faults = Faults(random.Random(0))
    for fault in (
        Fault(kind="latency", seconds=1),
        Fault(kind="latency", seconds=2),
        Fault(kind="stale-read", seconds=3),
        Fault(kind="stale-read", seconds=9),
        Fault(kind="throttle"),
        Fault(kind="deny"),
        Fault(kind="lost-response"),
    ):
        faults.add(fault)
    verdict = faults.decide(CALLER, "ecs", "ListTasks", now=0)
    assert verdict is not None
    assert isinstance(verdict.refusal, AwsError)
    assert (verdict.latency, verdict.stale_seconds, verdict.lose_answer) == (3, 9, True)
    assert verdict.refusal.code == "ThrottlingException"


@pytest.mark.parametrize(
    ("operation", "burst", "per_second"),
    [
        pytest.param("RegisterTaskDefinition", 20, 1, id="definitions"),
        pytest.param("UpdateService", 50, 5, id="service writes"),
        pytest.param("DescribeServices", 100, 20, id="service reads"),
        pytest.param("DeleteTaskDefinitions", 5, 1, id="definition deletes"),
    ],
)
def test_published_ecs_buckets(operation: str, burst: int, per_second: int) -> None:
    """A burst as long as the page says passes, one more is throttled, and a second refills the rate."""
    faults = Faults(random.Random(0))
    faults.add(Fault(kind="buckets"))
    assert not any(refused(faults, "ecs", operation, now=0) for _ in range(burst))
    assert refused(faults, "ecs", operation, now=0)
    passed = [not refused(faults, "ecs", operation, now=1) for _ in range(per_second + 1)]
    assert passed == [True] * per_second + [False]


def test_elb_calls_share_the_account_bucket() -> None:
    """Reads and writes of Elastic Load Balancing draw on one account bucket of forty."""
    faults = Faults(random.Random(0))
    faults.add(Fault(kind="buckets"))
    assert not any(refused(faults, "elbv2", "ModifyRule") for _ in range(20))
    assert refused(faults, "elbv2", "ModifyRule")
    assert not any(refused(faults, "elbv2", "DescribeRules") for _ in range(20))
    assert refused(faults, "elbv2", "DescribeRules")


def test_buckets_are_per_account_and_region() -> None:
    """One account's storm does not throttle another account or Region."""
    faults = Faults(random.Random(0))
    faults.add(Fault(kind="buckets"))
    while not refused(faults, "ecs", "DeleteTaskDefinitions"):
        pass
    for caller in (Caller(account="444455556666"), Caller(region="us-east-1")):
        assert not refused(faults, "ecs", "DeleteTaskDefinitions", caller=caller)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        pytest.param({"kind": "earthquake"}, "no fault is called 'earthquake'", id="kind"),
        pytest.param({"kind": "error", "probability": 2}, "between 0 and 1", id="probability"),
        pytest.param({"kind": "latency"}, "needs seconds", id="seconds"),
        pytest.param({"kind": "error", "status": 200}, "between 400 and 599", id="status"),
    ],
)
def test_nonsense_is_refused(fields: dict[str, object], text: str) -> None:
    """A rule that can mean nothing is refused when it is made."""
    with pytest.raises(ValueError, match=text):
        Fault(**fields)  # type: ignore[arg-type] - a table of fields
