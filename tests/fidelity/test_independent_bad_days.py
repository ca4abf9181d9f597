"""Bad days on order: every fault from outside, by HTTP, and what each service then says.

The faults hold for the user of another account alone, so that the checks beside these are left in peace.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError

from fidelity.outsider import Outsider, fresh, refused, until

UNLUCKY = "444455556666"
Ask = Callable[[Outsider], Any]


class BadDay:
    """One account's view of the stand-in, and the orders for its bad day."""

    def __init__(self, endpoint: str) -> None:
        """Take the endpoint; nothing is wrong yet."""
        self.endpoint = endpoint
        self.aws = Outsider(endpoint, key=UNLUCKY)

    def order(self, kind: str, **members: Any) -> dict[str, Any]:
        """Add a fault for the unlucky account."""
        return self.control("POST", {"kind": kind, "principal": f"*{UNLUCKY}*"} | members)

    def control(self, method: str, body: Any = None) -> Any:
        """Ask the control API for its faults."""
        request = urllib.request.Request(
            f"{self.endpoint}/_sandbox/faults",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


@pytest.fixture
def day(endpoint: str) -> Iterator[BadDay]:
    """Begin a day; end all that was ordered."""
    today = BadDay(endpoint)
    yield today
    today.control("DELETE")


THROTTLED: dict[str, tuple[str, int, Ask]] = {
    "ecs": ("ThrottlingException", 400, lambda aws: aws.ecs.list_clusters()),
    "elbv2": ("Throttling", 400, lambda aws: aws.elb.describe_load_balancers()),
    "servicediscovery": (
        "ThrottlingException",
        400,
        lambda aws: aws("servicediscovery").list_namespaces(),
    ),
    "application-autoscaling": (
        "ThrottlingException",
        400,
        lambda aws: aws("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs"),
    ),
    "cloudwatch": ("Throttling", 400, lambda aws: aws("cloudwatch").describe_alarms()),
    "ecr": ("ThrottlingException", 400, lambda aws: aws("ecr").describe_repositories()),
    "vpc-lattice": ("ThrottlingException", 429, lambda aws: aws("vpc-lattice").list_services()),
    "resourcegroupstaggingapi": (
        "ThrottledException",
        400,
        lambda aws: aws("resourcegroupstaggingapi").get_resources(),
    ),
    "ec2": ("RequestLimitExceeded", 503, lambda aws: aws("ec2").describe_vpcs()),
    "iam": ("Throttling", 400, lambda aws: aws("iam").list_roles()),
    "sts": ("Throttling", 400, lambda aws: aws("sts").get_caller_identity()),
    "secretsmanager": ("ThrottlingException", 400, lambda aws: aws("secretsmanager").list_secrets()),
    "route53": ("Throttling", 400, lambda aws: aws("route53").list_hosted_zones()),
    "lambda": ("TooManyRequestsException", 429, lambda aws: aws("lambda").list_functions()),
    "s3": ("SlowDown", 503, lambda aws: aws("s3").list_buckets()),
}


@pytest.mark.parametrize("service", THROTTLED)
def test_throttled(day: BadDay, service: str) -> None:
    """Each service says in its own code that it was asked too often, once when one hit was ordered."""
    code, status, ask = THROTTLED[service]
    day.order("throttle", service=service, count=1)
    with refused(code, says="rate exceeded" if service != "s3" else "", status=status):
        ask(day.aws)
    assert ask(day.aws)


def test_discovery_is_throttled_in_its_own_code(day: BadDay) -> None:
    """Cloud Map's discovery calls have RequestLimitExceeded, which its other calls have not."""
    day.order("throttle", service="servicediscovery")
    with refused("RequestLimitExceeded", status=429):
        day.aws("servicediscovery").discover_instances(NamespaceName="a", ServiceName="b")


def test_published_buckets_run_dry(day: BadDay) -> None:
    """DescribeTaskDefinition has a burst of 50; whoever asks faster than it refills is throttled."""
    day.order("buckets", service="ecs")
    passed = 0
    with refused("ThrottlingException"):
        for _ in range(600):
            try:
                day.aws.ecs.describe_task_definition(taskDefinition="none")
            except ClientError as error:
                if error.response["Error"]["Code"] == "ThrottlingException":
                    raise
            passed += 1
    assert passed >= 50


@pytest.mark.parametrize(
    ("service", "members", "code", "status"),
    [
        ("ecs", {}, "ServerException", 500),
        ("elbv2", {"status": 503}, "ServiceUnavailable", 503),
        ("ecs", {"code": "ClusterNotFoundException", "status": 400}, "ClusterNotFoundException", 400),
    ],
    ids=["500", "503", "any code"],
)
def test_server_error(day: BadDay, service: str, members: dict[str, Any], code: str, status: int) -> None:
    """A server error is the service's own shape, or what was ordered."""
    day.order("error", service=service, **members)
    ask = day.aws.ecs.list_clusters if service == "ecs" else day.aws.elb.describe_load_balancers
    with refused(code, status=status):
        ask()


def test_slow_answer(day: BadDay) -> None:
    """The answer comes later, and is right."""
    day.order("latency", service="ecs", seconds=0.3)
    began = time.monotonic()
    day.aws.ecs.list_clusters()
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize(("kind", "made"), [("reset", 0), ("lost-response", 1)])
def test_connection_lost(day: BadDay, kind: str, made: int) -> None:
    """No answer: before the call it did nothing, after it the cluster is there."""
    day.order(kind, service="ecs", operation="CreateCluster", count=1)
    name = fresh("c")
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        day.aws.ecs.create_cluster(clusterName=name)
    assert len(day.aws.ecs.describe_clusters(clusters=[name])["clusters"]) == made


def test_stale_read(day: BadDay) -> None:
    """A write is not seen at once, and then it is."""
    day.order("stale-read", service="ecs", seconds=1.5)
    name = fresh("c")
    day.aws.ecs.create_cluster(clusterName=name)
    assert day.aws.ecs.describe_clusters(clusters=[name])["clusters"] == []
    until(lambda: day.aws.ecs.describe_clusters(clusters=[name])["clusters"], within=10)


def test_denied_by_action(day: BadDay) -> None:
    """One action is denied in IAM's words, the others are not."""
    day.order("deny", service="ecs", operation="CreateCluster")
    with refused("AccessDeniedException", says="is not authorized to perform: ecs:CreateCluster on resource"):
        day.aws.ecs.create_cluster(clusterName=fresh("c"))
    day.aws.ecs.list_clusters()


def test_fault_ends_with_its_time(day: BadDay) -> None:
    """A fault ordered for three seconds is over after them (one was over before a busy machine asked)."""
    day.order("throttle", service="ecs", **{"for": 3})

    def passes() -> bool:
        try:
            day.aws.ecs.list_clusters()
        except ClientError:
            return False
        return True

    assert not passes()
    until(passes, within=10)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "needs a kind"),
        ({"kind": "nope"}, "there are throttle"),
        ({"kind": "throttle", "probability": 2}, "between 0 and 1"),
        ({"kind": "latency"}, "seconds above 0"),
        ({"kind": "error", "status": 200}, "between 400 and 599"),
        ({"kind": "throttle", "foo": 1}, "has no foo"),
        ({"kind": "throttle", "for": "soon"}, "for is a number"),
        ({"kind": "zone-loss"}, "needs a zone"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_fault_that_means_nothing(day: BadDay, body: dict[str, Any], says: str) -> None:
    """An order that can't be carried out is refused, and says why."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        day.control("POST", body)
    with caught.value as answer:
        assert answer.code == 400
        assert says in json.load(answer)["error"]
