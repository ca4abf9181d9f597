"""The target group of slot a: whose it is, as status knows it, and as AWS shows it."""

from __future__ import annotations

from sluice.plan.deployment.state import TargetGroup
from sluice.plan.deployment.targets import group_name
from unit.deployment.wishes import BACKEND, BALANCER, ELB, HTTP, desired, tagged

WISH = desired(backends=(BACKEND,))
NAME = group_name(WISH, BALANCER, HTTP, slot="a")
ARN = f"{ELB}:targetgroup/{NAME}/1"
KNOWN = TargetGroup(port="http", container_port=8080, load_balancer_arn=BALANCER, name=NAME, arn=ARN)
SEEN = {
    "TargetGroupArn": ARN,
    "TargetGroupName": NAME,
    "HealthCheckPath": "/healthz",
    "HealthCheckIntervalSeconds": 10,
    "Tags": tagged(),
    "Attributes": {"deregistration_delay.timeout_seconds": "30", "stickiness.enabled": "false"},
}
