"""What the gateway must know of an AWS operation before it is sent: write or read, and its buckets.

The buckets are the published token buckets per account and region, burst and sustained rate: ECS
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html, ELB
https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html (an ELB call
passes the bucket of its category and the account's). CloudWatch's are its quotas of transactions a second
(GetMetricData 500, DescribeAlarms 9;
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html), of which gates may
use a tenth of the large one. Cloud Map publishes DiscoverInstances (2,000 and 1,000 a second) and
DiscoverInstancesRevision (3,000; https://docs.aws.amazon.com/cloud-map/latest/dg/throttling.html,
cloud-map-limits.html). Everything else of it is an assumption: writes and reads of operations and
instances as the Cloud Map controller for Kubernetes limits itself
(aws/aws-cloud-map-mcs-controller-for-k8s: RegisterInstance 50 and 100, GetOperation 100 and 200,
ListServices 2 and 10), reads of single things below the 50 a second that users report
(kubernetes-sigs/external-dns#2505). SNS delivers ten e-mails a second to an account and disables a
subscription that gets more (repost.aws, "sns-email-subscription-disabled"), so notifications are published
no faster; PutEvents takes hundreds a second in the smallest Region (from memory), of which they may use
forty. The bucket of other services is an assumption, too, small enough to be harmless.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_READ_VERBS: Final = ("Describe", "List", "Get", "Discover", "BatchGet", "Search", "Lookup")


def is_write(operation: str) -> bool:
    """Tell whether an operation changes something, by its verb; an unknown verb counts as a write."""
    return not operation.startswith(_READ_VERBS)


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketShape:
    """One published token bucket."""

    name: str
    burst: float
    """Tokens when full."""
    rate: float
    """Tokens a second."""
    reserve: float = 0.0
    """Tokens that only Priority.ROLLBACK may take (decision 7: ten ELB writes; the rest is ours)."""


def _shapes(*shapes: BucketShape) -> dict[str, BucketShape]:
    return {shape.name: shape for shape in shapes}


SHAPES: Final = _shapes(
    BucketShape(name="ecs/task-definition-modify", burst=20, rate=1),
    BucketShape(name="ecs/task-definition-read", burst=50, rate=20),
    BucketShape(name="ecs/task-definition-delete", burst=5, rate=1),
    # A rollback may have to scale a standby up before it moves weight back (rollout.md §5).
    BucketShape(name="ecs/service-modify", burst=50, rate=5, reserve=10),
    BucketShape(name="ecs/service-read", burst=100, rate=20, reserve=5),
    BucketShape(name="ecs/service-deployments", burst=50, rate=20),
    BucketShape(name="ecs/service-revisions", burst=50, rate=20),
    BucketShape(name="ecs/tag-modify", burst=20, rate=10),
    BucketShape(name="ecs/tag-read", burst=50, rate=20),
    BucketShape(name="ecs/cluster-resource-modify", burst=100, rate=40),
    BucketShape(name="ecs/cluster-resource-read", burst=100, rate=20),
    BucketShape(name="ecs/cluster-modify", burst=20, rate=1),
    BucketShape(name="ecs/cluster-read", burst=50, rate=20),
    BucketShape(name="ecs/task-protection", burst=200, rate=80),
    # Ten rule writes of a rollback pass the account bucket as well, and so do their read-backs.
    BucketShape(name="elbv2/account", burst=40, rate=10, reserve=20),
    BucketShape(name="elbv2/read", burst=40, rate=10, reserve=10),
    BucketShape(name="elbv2/write", burst=20, rate=3, reserve=10),
    BucketShape(name="elbv2/registration", burst=20, rate=4),
    BucketShape(name="elbv2/resource-intensive", burst=10, rate=0.2),
    BucketShape(name="cloudwatch/metric-data", burst=50, rate=50),
    BucketShape(name="cloudwatch/alarms", burst=9, rate=9),
    BucketShape(name="sns/publish", burst=10, rate=10),
    BucketShape(name="events/put", burst=40, rate=40),
    BucketShape(name="servicediscovery/discover", burst=2000, rate=1000),
    BucketShape(name="servicediscovery/discover-revision", burst=3000, rate=3000),
    BucketShape(name="servicediscovery/list", burst=10, rate=2),
    BucketShape(name="servicediscovery/read", burst=50, rate=20),
    BucketShape(name="servicediscovery/operations", burst=200, rate=100),
    # A rollback takes a candidate's entries out of the answers (rollout.md §5).
    BucketShape(name="servicediscovery/instances", burst=100, rate=50, reserve=20),
    BucketShape(name="servicediscovery/write", burst=10, rate=2),
)

_ECS: Final = {
    "RegisterTaskDefinition": "task-definition-modify",
    "DeregisterTaskDefinition": "task-definition-modify",
    "DescribeTaskDefinition": "task-definition-read",
    "ListTaskDefinitions": "task-definition-read",
    "ListTaskDefinitionFamilies": "task-definition-read",
    "DeleteTaskDefinitions": "task-definition-delete",
    "CreateService": "service-modify",
    "UpdateService": "service-modify",
    "DeleteService": "service-modify",
    "DescribeServices": "service-read",
    "ListServices": "service-read",
    "DescribeServiceDeployments": "service-deployments",
    "ListServiceDeployments": "service-deployments",
    "DescribeServiceRevisions": "service-revisions",
    "TagResource": "tag-modify",
    "UntagResource": "tag-modify",
    "ListTagsForResource": "tag-read",
    "RunTask": "cluster-resource-modify",
    "StopTask": "cluster-resource-modify",
    "ExecuteCommand": "cluster-resource-modify",
    "DescribeTasks": "cluster-resource-read",
    "ListTasks": "cluster-resource-read",
    "CreateCluster": "cluster-modify",
    "UpdateCluster": "cluster-modify",
    "DeleteCluster": "cluster-modify",
    "DescribeClusters": "cluster-read",
    "ListClusters": "cluster-read",
    "UpdateTaskProtection": "task-protection",
    "GetTaskProtection": "task-protection",
}
_CLOUDWATCH: Final = {"GetMetricData": "metric-data", "DescribeAlarms": "alarms"}
_NOTIFICATIONS: Final = {("sns", "Publish"): "sns/publish", ("events", "PutEvents"): "events/put"}
_CLOUD_MAP: Final = {
    "DiscoverInstances": "discover",
    "DiscoverInstancesRevision": "discover-revision",
    "ListNamespaces": "list",
    "ListServices": "list",
    "GetOperation": "operations",
    "ListOperations": "operations",
    "RegisterInstance": "instances",
    "DeregisterInstance": "instances",
    "UpdateInstanceCustomHealthStatus": "instances",
}
_ELB_REGISTRATION: Final = frozenset({"RegisterTargets", "DeregisterTargets"})
_ELB_INTENSIVE: Final = frozenset({"CreateLoadBalancer", "SetSubnets", "DeleteLoadBalancer"})

# Services without a published bucket that we know: one for reads, one for writes.
_OTHER_READ: Final = BucketShape(name="read", burst=20, rate=5)
_OTHER_WRITE: Final = BucketShape(name="write", burst=10, rate=2)


def buckets(service: str, operation: str) -> tuple[BucketShape, ...]:
    """Return every bucket that a call takes one token of; all of them at once or none.

    `service` is boto3's name. An operation without a published bucket shares one small bucket per
    service and direction.
    """
    if service == "ecs" and operation in _ECS:
        return (SHAPES[f"ecs/{_ECS[operation]}"],)
    if service == "cloudwatch" and operation in _CLOUDWATCH:
        return (SHAPES[f"cloudwatch/{_CLOUDWATCH[operation]}"],)
    if (service, operation) in _NOTIFICATIONS:
        return (SHAPES[_NOTIFICATIONS[service, operation]],)
    if service == "servicediscovery":
        category = _CLOUD_MAP.get(operation) or ("write" if is_write(operation) else "read")
        return (SHAPES[f"servicediscovery/{category}"],)
    if service == "elbv2":
        return SHAPES[f"elbv2/{_elb_category(operation)}"], SHAPES["elbv2/account"]
    other = _OTHER_WRITE if is_write(operation) else _OTHER_READ
    return (BucketShape(name=f"{service}/{other.name}", burst=other.burst, rate=other.rate),)


def _elb_category(operation: str) -> str:
    if operation in _ELB_REGISTRATION:
        return "registration"
    if operation in _ELB_INTENSIVE:
        return "resource-intensive"
    return "write" if is_write(operation) else "read"
