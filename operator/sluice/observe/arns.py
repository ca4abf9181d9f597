"""Names inside ARNs, where one object's ARN tells another's.

Formats: the AWS service authorization reference.
"""

from __future__ import annotations


def short_name(name_or_arn: str) -> str:
    """Return the last path segment: the name of a cluster or an ECS service."""
    return name_or_arn.rsplit("/", 1)[-1]


def service_of(arn: str) -> tuple[str, str]:
    """Return (cluster, service) of an ECS service's ARN; the cluster is '' in the old short format."""
    parts = arn.split(":", 5)[-1].split("/")
    return (parts[1] if len(parts) > 2 else ""), parts[-1]


def listener_of(rule_arn: str) -> str:
    """Return the ARN of the listener that a rule belongs to."""
    return rule_arn.replace(":listener-rule/", ":listener/", 1).rsplit("/", 1)[0]


def load_balancer_of(listener_arn: str) -> str:
    """Return the ARN of the load balancer that a listener belongs to."""
    return listener_arn.replace(":listener/", ":loadbalancer/", 1).rsplit("/", 1)[0]
