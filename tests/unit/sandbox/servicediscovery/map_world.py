"""Cloud Map in virtual time, at AWS's own pace, with short forms of what every test needs."""

from __future__ import annotations

from typing import Any

import pytest

from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.estate import VPC_ID
from sluice_sandbox.aws.faults import Fault
from sluice_sandbox.aws.servicediscovery.service import ServiceDiscovery
from sluice_sandbox.aws.world import World

A_RECORD = {"DnsRecords": [{"Type": "A", "TTL": 10}]}
SRV_RECORD = {"DnsRecords": [{"Type": "SRV", "TTL": 10}]}
CNAME_RECORD = {"RoutingPolicy": "WEIGHTED", "DnsRecords": [{"Type": "CNAME", "TTL": 10}]}
ALIAS_RECORD = {"RoutingPolicy": "WEIGHTED", "DnsRecords": [{"Type": "A", "TTL": 10}]}
LOAD_BALANCER = "sandbox-1234567890.eu-west-1.elb.amazonaws.com"


class CloudMap:
    """The service under test."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.clock = VirtualClock()
        self.world = World.build(clock=self.clock)
        service = self.world.services["servicediscovery"]
        assert isinstance(service, ServiceDiscovery)
        self.service = service

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Make a call, checked by botocore's model both ways."""
        return self.world.call("servicediscovery", operation, params)

    def refused(self, operation: str, **params: Any) -> AwsError:
        """Make a call that must be refused."""
        with pytest.raises(AwsError) as caught:
            self.call(operation, **params)
        return caught.value

    def operation(self, operation_id: str) -> dict[str, Any]:
        """Return an operation as it is now."""
        found: dict[str, Any] = self.call("GetOperation", OperationId=operation_id)["Operation"]
        return found

    def done(self, answer: dict[str, Any], *, status: str = "SUCCESS") -> dict[str, Any]:
        """Let an operation end, and return it."""
        for _ in range(100):
            found = self.operation(answer["OperationId"])
            if found["Status"] in {"SUCCESS", "FAIL"}:
                assert found["Status"] == status, found
                return found
            self.clock.advance(1)
        raise AssertionError(f"the operation does not end: {found}")

    def http(self, name: str = "api", **more: Any) -> str:
        """Return the id of a new HTTP namespace."""
        made = self.done(self.call("CreateHttpNamespace", Name=name, **more))
        return str(made["Targets"]["NAMESPACE"])

    def private(self, name: str = "shop.internal", **more: Any) -> str:
        """Return the id of a new private namespace."""
        made = self.done(self.call("CreatePrivateDnsNamespace", **{"Name": name, "Vpc": VPC_ID, **more}))
        return str(made["Targets"]["NAMESPACE"])

    def public(self, name: str = "shop.example.com") -> str:
        """Return the id of a new public namespace."""
        made = self.done(self.call("CreatePublicDnsNamespace", Name=name))
        return str(made["Targets"]["NAMESPACE"])

    def make(self, namespace: str, name: str = "ledger", **more: Any) -> str:
        """Return the id of a new service."""
        return str(self.call("CreateService", Name=name, NamespaceId=namespace, **more)["Service"]["Id"])

    def register(self, service: str, instance: str = "i-1", **attributes: str) -> None:
        """Register an instance and wait until that is done."""
        self.done(
            self.call("RegisterInstance", ServiceId=service, InstanceId=instance, Attributes=attributes)
        )

    def deregister(self, service: str, instance: str = "i-1") -> None:
        """Deregister an instance and wait until that is done."""
        self.done(self.call("DeregisterInstance", ServiceId=service, InstanceId=instance))

    def health(self, service: str) -> dict[str, str]:
        """Return the health of a service's instances."""
        found: dict[str, str] = self.call("GetInstancesHealthStatus", ServiceId=service)["Status"]
        return found

    def discovered(self, namespace: str, service: str, **more: Any) -> list[str]:
        """Return the sorted ids that DiscoverInstances finds."""
        found = self.call("DiscoverInstances", NamespaceName=namespace, ServiceName=service, **more)
        return sorted(instance["InstanceId"] for instance in found["Instances"])

    def fault(self, kind: str, operation: str, **more: Any) -> None:
        """Activate a fault."""
        self.world.faults.add(Fault(kind=kind, service="servicediscovery", operation=operation, **more))
