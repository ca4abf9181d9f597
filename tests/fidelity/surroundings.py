"""What stands beside an ECS service: Cloud Map's registries and namespaces, and two slots behind a rule."""

from __future__ import annotations

import itertools
from typing import Any

from fidelity.outsider import Outsider, fresh, until

_priorities = itertools.count(5000)


def registry(aws: Outsider) -> str:
    """Make a Cloud Map service in a private namespace with A records."""
    cloudmap = aws("servicediscovery")
    operation = cloudmap.create_private_dns_namespace(Name=f"{fresh('ns')}.internal", Vpc=aws.vpc)[
        "OperationId"
    ]
    done = until(
        lambda: cloudmap.get_operation(OperationId=operation)["Operation"],
        lambda found: found["Status"] == "SUCCESS",
    )
    arn: str = cloudmap.create_service(
        Name=fresh("reg"),
        NamespaceId=done["Targets"]["NAMESPACE"],
        DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 10}]},
        HealthCheckCustomConfig={"FailureThreshold": 1},
    )["Service"]["Arn"]
    return arn


def http_namespace(aws: Outsider) -> str:
    """Make an HTTP namespace; answer its name."""
    cloudmap = aws("servicediscovery")
    name = fresh("http")
    operation = cloudmap.create_http_namespace(Name=name)["OperationId"]
    until(lambda: cloudmap.get_operation(OperationId=operation)["Operation"]["Status"] == "SUCCESS")
    return name


def slots(aws: Outsider) -> dict[str, Any]:
    """Make two target groups behind one rule, as a shifting strategy wants them."""
    blue, green = aws.group(), aws.group()
    rule = aws.rule({blue: 1, green: 0}, priority=next(_priorities))
    return {
        "targetGroupArn": blue,
        "containerName": "web",
        "containerPort": 80,
        "advancedConfiguration": {
            "alternateTargetGroupArn": green,
            "productionListenerRule": rule,
            "roleArn": aws.role,
        },
    }
