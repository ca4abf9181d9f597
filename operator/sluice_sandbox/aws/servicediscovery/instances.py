"""RegisterInstance, DeregisterInstance and the calls that read instances.

Registering is an upsert by instance id. An instance changes when its operation succeeds, not before,
and only one operation works on an instance at a time (botocore: RegisterInstance).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.service import Caller, Handler, Params, Response
from sluice_sandbox.aws.servicediscovery import instance_rules, refusals
from sluice_sandbox.aws.servicediscovery.desk import Desk
from sluice_sandbox.aws.servicediscovery.filters import page
from sluice_sandbox.aws.servicediscovery.operations import OperationEngine
from sluice_sandbox.aws.servicediscovery.records import records
from sluice_sandbox.aws.servicediscovery.state import (
    HEALTHY,
    DiscoveryService,
    Instance,
    Namespace,
    WorkItem,
)


def busy_key(service_id: str, instance_id: str) -> str:
    """Return what the operation engine knows an instance by."""
    return f"instance/{service_id}/{instance_id}"


def _named(key: str) -> tuple[str, str]:
    """Return the service and instance of a key; two empty names for the key of anything else."""
    kind, _, rest = key.partition("/")
    service_id, _, instance_id = rest.partition("/")
    return (service_id, instance_id) if kind == "instance" else ("", "")


def is_busy(desk: Desk, caller: Caller, service_id: str) -> bool:
    """Tell whether an operation works on any instance of a service."""
    return any(key.startswith(f"instance/{service_id}/") for key in desk.region(caller).busy)


class InstanceCalls:
    """The calls about instances."""

    def __init__(self, desk: Desk, engine: OperationEngine) -> None:
        """Work on the desk's books through the engine."""
        self._desk = desk
        self._engine = engine
        engine.on("REGISTER_INSTANCE", self._register)
        engine.on("DEREGISTER_INSTANCE", self._deregister)

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "RegisterInstance": self.register,
            "DeregisterInstance": self.deregister,
            "GetInstance": self.get,
            "ListInstances": self.list,
        }

    # ------------------------------------------------------------------- changes

    def register(self, caller: Caller, params: Params) -> Response:
        """Accept the registration or update of an instance."""
        service = self._desk.service(caller, params["ServiceId"])
        instance_id, attributes = params["InstanceId"], dict(params["Attributes"])
        instance_rules.check(service, instance_id, attributes)
        request_id = params.get("CreatorRequestId", "")
        present = service.instances.get(instance_id)
        key = busy_key(service.id, instance_id)
        if present is None:
            self._check_room(caller, service, key)
        elif self._is_repeated(present, request_id, attributes) and not self._engine.running(caller, key):
            return {"OperationId": present.operation_id}
        return self._engine.submit(
            caller,
            "REGISTER_INSTANCE",
            key=key,
            targets={"INSTANCE": instance_id},
            change={
                "service_id": service.id,
                "namespace_id": service.namespace_id,
                "attributes": attributes,
            },
            seconds=self._desk.settings.pace.instance,
            request_id=request_id,
        )

    def _is_repeated(self, present: Instance, request_id: str, attributes: dict[str, str]) -> bool:
        """Tell a request sent again after its operation had succeeded: it is not carried out twice."""
        return bool(request_id) and (present.creator_request_id, present.attributes) == (
            request_id,
            attributes,
        )

    def _check_room(self, caller: Caller, service: DiscoveryService, key: str) -> None:
        region, quotas = self._desk.region(caller), self._desk.settings.quotas
        if key in region.busy:
            return
        coming = Counter(
            owner
            for owner, instance_id in map(_named, region.busy)
            if owner in region.services and instance_id not in region.services[owner].instances
        )
        siblings = region.services_of(service.namespace_id)
        for limit, counted, what in (
            (quotas.instances_per_service, [service], "instances per service"),
            (quotas.instances_per_namespace, siblings, "instances per namespace"),
        ):
            if sum(len(item.instances) + coming[item.id] for item in counted) >= limit:
                raise refusals.limit_exceeded(what, limit)

    def _register(self, caller: Caller, item: WorkItem) -> None:
        region = self._desk.region(caller)
        service = region.services[item.change["service_id"]]
        namespace = region.namespaces[service.namespace_id]
        attributes = dict(item.change["attributes"])
        before = service.instances.get(item.targets["INSTANCE"])
        instance = Instance(
            id=item.targets["INSTANCE"],
            attributes=attributes,
            creator_request_id=item.request_id,
            created_by=before.created_by if before else caller.account,
            operation_id=item.id,
            checked_from=self._desk.clock.now() + self._desk.settings.pace.health_check,
            # An update makes a new health check: what the old one said is gone (botocore).
            health=attributes.get(instance_rules.INIT_HEALTH, HEALTHY),
            health_change=before.health_change + 1 if before else 0,
        )
        service.instances[instance.id] = instance
        service.revision = region.next_revision()
        self._desk.outlook.zones.change(
            caller,
            namespace.hosted_zone_id,
            remove=records(service, namespace, before) if before else (),
            put=records(service, namespace, instance),
        )
        self._publish(caller, service)

    def _publish(self, caller: Caller, service: DiscoveryService) -> None:
        """Let clients see the instances as they are now, after the time that this takes."""
        after = self._desk.settings.pace.visible
        if not after:
            service.seen, service.seen_revision = dict(service.instances), service.revision
            return
        seen, revision = dict(service.instances), service.revision

        def show() -> None:
            present = self._desk.region(caller).services.get(service.id)
            # A world put back to an older state has not made this change.
            if present is not None and present.seen_revision < revision <= present.revision:
                present.seen, present.seen_revision = seen, revision

        self._desk.clock.call_later(after, show)

    def deregister(self, caller: Caller, params: Params) -> Response:
        """Accept the removal of an instance."""
        service = self._desk.service(caller, params["ServiceId"])
        instance_id = params["InstanceId"]
        key = busy_key(service.id, instance_id)
        if instance_id not in service.instances and self._engine.running(caller, key) is None:
            raise refusals.instance_not_found(instance_id)
        return self._engine.submit(
            caller,
            "DEREGISTER_INSTANCE",
            key=key,
            targets={"INSTANCE": instance_id},
            change={"service_id": service.id, "namespace_id": service.namespace_id},
            seconds=self._desk.settings.pace.instance,
        )

    def _deregister(self, caller: Caller, item: WorkItem) -> None:
        region = self._desk.region(caller)
        service = region.services[item.change["service_id"]]
        namespace = region.namespaces[service.namespace_id]
        instance = service.instances.pop(item.targets["INSTANCE"])
        service.revision = region.next_revision()
        self._forget_records(caller, service, namespace, instance)
        self._publish(caller, service)

    def _forget_records(
        self, caller: Caller, service: DiscoveryService, namespace: Namespace, instance: Instance
    ) -> None:
        gone = records(service, namespace, instance)
        self._desk.outlook.zones.change(caller, namespace.hosted_zone_id, remove=gone, put=())

    # --------------------------------------------------------------------- reads

    def get(self, caller: Caller, params: Params) -> Response:
        """Return one instance."""
        service = self._desk.service(caller, params["ServiceId"])
        instance = service.instances.get(params["InstanceId"])
        if instance is None:
            raise refusals.instance_not_found(params["InstanceId"])
        shown = _summary(instance)
        if instance.creator_request_id:
            shown["CreatorRequestId"] = instance.creator_request_id
        return {"ResourceOwner": caller.account, "Instance": shown}

    def list(self, caller: Caller, params: Params) -> Response:
        """List the instances of a service, in the order of their registration."""
        service = self._desk.service(caller, params["ServiceId"])
        response = page(
            params,
            list(service.instances.values()),
            member="Instances",
            key=lambda instance: instance.id,
            show=_summary,
        )
        return {"ResourceOwner": caller.account, **response}


def _summary(instance: Instance) -> dict[str, Any]:
    return {
        "Id": instance.id,
        "Attributes": dict(instance.attributes),
        "CreatedByAccount": instance.created_by,
    }
