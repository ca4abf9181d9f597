"""The published API token buckets, per account and Region.

ECS: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html; Elastic Load
Balancing: https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html;
Cloud Map, whose discovery calls alone have figures (that the revision's burst is its rate is a guess):
https://docs.aws.amazon.com/cloud-map/latest/dg/throttling.html, .../cloud-map-limits.html.
A call must pass every bucket that it belongs to: for Elastic Load Balancing its category's and the
account's. Services without published figures have no bucket. Calls that ECS makes on a user's behalf
have buckets of their own and are not counted here (same page).
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from sluice_sandbox.aws.service import Caller


@dataclass(frozen=True, slots=True)
class Bucket:
    """Size and refill of one bucket; `members` are operation globs, first matching bucket wins."""

    name: str
    burst: float
    per_second: float
    members: tuple[str, ...]


_ECS = (
    Bucket("task-definition-delete", 5, 1, ("DeleteTaskDefinitions",)),
    Bucket("task-definition-modify", 20, 1, ("RegisterTaskDefinition", "DeregisterTaskDefinition")),
    Bucket("task-definition-read", 50, 20, ("DescribeTaskDefinition", "ListTaskDefinition*")),
    Bucket("service-modify", 50, 5, ("CreateService", "UpdateService", "DeleteService")),
    Bucket("services-by-namespace", 10, 1, ("ListServicesByNamespace",)),
    Bucket(
        "service-deployments",
        50,
        20,
        (
            "DescribeServiceDeployments",
            "ListServiceDeployments",
            "StopServiceDeployment",
            "ContinueServiceDeployment",
        ),
    ),
    Bucket("service-revisions", 50, 20, ("DescribeServiceRevisions",)),
    Bucket("service-read", 100, 20, ("DescribeServices", "ListServices")),
    Bucket("tag-modify", 20, 10, ("TagResource", "UntagResource")),
    Bucket("tag-read", 50, 20, ("ListTagsForResource",)),
    Bucket("cluster-resource-modify", 100, 40, ("RunTask", "StartTask", "StopTask", "ExecuteCommand")),
    Bucket("cluster-resource-read", 100, 20, ("DescribeTasks", "ListTasks")),
    Bucket("cluster-modify", 20, 1, ("CreateCluster", "UpdateCluster*", "DeleteCluster", "PutCluster*")),
    Bucket("cluster-read", 50, 20, ("DescribeClusters", "ListClusters")),
    Bucket("task-protection", 200, 80, ("*TaskProtection",)),
)
_ELBV2 = (
    Bucket(
        "resource-intensive", 10, 0.2, ("CreateLoadBalancer", "DeleteLoadBalancer", "SetSubnets")
    ),  # CreateLoadBalancer and SetSubnets are the page's examples; DeleteLoadBalancer from memory
    Bucket("registration", 20, 4, ("RegisterTargets", "DeregisterTargets")),
    Bucket("non-mutating", 40, 10, ("Describe*", "Get*")),
    Bucket("mutating", 20, 3, ("*",)),
)
_CLOUD_MAP = (
    Bucket("discover", 2_000, 1_000, ("DiscoverInstances",)),
    Bucket("discover-revision", 3_000, 3_000, ("DiscoverInstancesRevision",)),
)
_ACCOUNT = {"elbv2": Bucket("account", 40, 10, ("*",))}
_CATEGORIES = {"ecs": _ECS, "elbv2": _ELBV2, "servicediscovery": _CLOUD_MAP}


class TokenBuckets:
    """The fill of every bucket in use; time is the world's."""

    def __init__(self) -> None:
        """Start with full buckets."""
        self._fill: dict[tuple[str, str, str, str], tuple[float, float]] = {}

    def take(self, caller: Caller, service: str, operation: str, *, now: float) -> bool:
        """Take a token from each of the call's buckets; False, and none taken, if one is empty."""
        buckets = [
            bucket for bucket in (_category(service, operation), _ACCOUNT.get(service)) if bucket is not None
        ]
        fills = []
        for bucket in buckets:
            key = (caller.account, caller.region, service, bucket.name)
            level, at = self._fill.get(key, (bucket.burst, now))
            level = min(bucket.burst, level + max(now - at, 0.0) * bucket.per_second)
            if level < 1:
                return False
            fills.append((key, level))
        for key, level in fills:
            self._fill[key] = (level - 1, now)
        return True


def _category(service: str, operation: str) -> Bucket | None:
    for bucket in _CATEGORIES.get(service, ()):
        if any(fnmatchcase(operation, member) for member in bucket.members):
            return bucket
    return None
