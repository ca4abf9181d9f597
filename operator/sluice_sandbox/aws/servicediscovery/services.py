"""Cloud Map services: created, listed and deleted at once, updated by an operation.

Source: botocore's CreateService, UpdateService, DeleteService, GetService, ListServices and the calls
about service attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.service import Caller, Handler, Params, Response
from sluice_sandbox.aws.servicediscovery import refusals, service_rules
from sluice_sandbox.aws.servicediscovery.desk import Desk
from sluice_sandbox.aws.servicediscovery.filters import Rule, matching, page
from sluice_sandbox.aws.servicediscovery.instances import is_busy
from sluice_sandbox.aws.servicediscovery.operations import OperationEngine
from sluice_sandbox.aws.servicediscovery.records import records
from sluice_sandbox.aws.servicediscovery.state import HTTP, DiscoveryService, Namespace, WorkItem
from sluice_sandbox.aws.servicediscovery.tags import TagCalls


class ServiceCalls:
    """The calls about services."""

    def __init__(self, desk: Desk, engine: OperationEngine, tags: TagCalls) -> None:
        """Work on the desk's books; updates go through the engine."""
        self._desk = desk
        self._engine = engine
        self._tags = tags
        engine.on("UPDATE_SERVICE", self._update)

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "CreateService": self.create,
            "UpdateService": self.update,
            "DeleteService": self.delete,
            "GetService": self.get,
            "ListServices": self.list,
            "GetServiceAttributes": self.get_attributes,
            "UpdateServiceAttributes": self.update_attributes,
            "DeleteServiceAttributes": self.delete_attributes,
        }

    # ------------------------------------------------------------------- changes

    def create(self, caller: Caller, params: Params) -> Response:
        """Create a service; the same request once more returns the same service."""
        namespace = self._namespace_of(caller, params)
        dns = service_rules.dns_config(params, namespace)
        types = frozenset(record["Type"] for record in dns["DnsRecords"]) if dns else frozenset()
        service_id = self._desk.resource_id("srv")
        region = self._desk.region(caller)
        service = DiscoveryService(
            id=service_id,
            arn=self._desk.arn(caller, "service", service_id),
            name=params["Name"],
            namespace_id=namespace.id,
            kind="DNS_HTTP" if dns else HTTP,
            created=self._desk.clock.now(),
            creator_request_id=params.get("CreatorRequestId", ""),
            created_by=caller.account,
            description=params.get("Description"),
            dns=dns,
            custom_health=service_rules.custom_health(params),
            health_check=service_rules.health_check(params.get("HealthCheckConfig"), namespace, types),
            tags=self._tags.new(params),
            revision=0,
        )
        taken = self._taken(caller, service)
        if taken is not None:
            if _is_same_request(taken, service):
                return {"Service": self._shown(taken)}
            raise refusals.service_already_exists(
                service_id=taken.id, service_arn=taken.arn, creator_request_id=taken.creator_request_id
            )
        service.revision = service.seen_revision = region.next_revision()
        region.services[service_id] = service
        return {"Service": self._shown(service)}

    def _namespace_of(self, caller: Caller, params: Params) -> Namespace:
        identifier = params.get("NamespaceId")
        older = (params.get("DnsConfig") or {}).get("NamespaceId")
        given = identifier or older
        if not given:
            raise refusals.invalid_input("You must specify a value for NamespaceId.")
        namespace = self._desk.namespace(caller, given)
        if identifier and older and self._desk.namespace(caller, older).id != namespace.id:
            raise refusals.invalid_input("NamespaceId and DnsConfig.NamespaceId must be the same.")
        work = self._engine.running(caller, f"namespace/{namespace.id}")
        if work is not None and work.kind == "DELETE_NAMESPACE":
            raise refusals.namespace_not_found(namespace.id)
        return namespace

    def _taken(self, caller: Caller, wanted: DiscoveryService) -> DiscoveryService | None:
        """Return the service of the same name; in DNS, names that differ by case are the same."""
        for service in self._desk.region(caller).services_of(wanted.namespace_id):
            if service.name == wanted.name:
                return service
            if service.dns and wanted.dns and service.name.lower() == wanted.name.lower():
                return service
        return None

    def update(self, caller: Caller, params: Params) -> Response:
        """Accept a change of description, TTLs and Route 53 health check."""
        service = self._desk.service(caller, params["Id"])
        namespace = self._desk.region(caller).namespaces[service.namespace_id]
        change = params["Service"]
        made = service_rules.changed(service, namespace, change)
        return self._engine.submit(
            caller,
            "UPDATE_SERVICE",
            key=f"service/{service.id}",
            targets={"SERVICE": service.id},
            change={
                "service_id": service.id,
                "namespace_id": namespace.id,
                "description": change.get("Description", service.description),
                **made,
            },
            seconds=self._desk.settings.pace.service,
        )

    def _update(self, caller: Caller, item: WorkItem) -> None:
        region = self._desk.region(caller)
        service = region.services[item.change["service_id"]]
        namespace = region.namespaces[service.namespace_id]
        instances = service.instances.values()
        before = [record for instance in instances for record in records(service, namespace, instance)]
        service.description = item.change["description"]
        service.dns = item.change["dns"]
        service.kind = "DNS_HTTP" if service.dns else HTTP
        service.health_check = item.change["health_check"]
        after = [record for instance in instances for record in records(service, namespace, instance)]
        self._desk.outlook.zones.change(caller, namespace.hosted_zone_id, remove=before, put=after)

    def delete(self, caller: Caller, params: Params) -> Response:
        """Delete a service without instances, at once."""
        service = self._desk.service(caller, params["Id"])
        if service.instances or is_busy(self._desk, caller, service.id):
            # The text as hashicorp/terraform-provider-aws#4853 quotes it.
            raise refusals.resource_in_use(
                "Service contains registered instances; delete the instances before deleting the service"
            )
        if self._engine.running(caller, f"service/{service.id}") is not None:
            raise refusals.resource_in_use("Service is being updated; wait for the operation to complete")
        del self._desk.region(caller).services[service.id]
        return {}

    # --------------------------------------------------------------------- reads

    def get(self, caller: Caller, params: Params) -> Response:
        """Return one service."""
        return {"Service": self._shown(self._desk.service(caller, params["Id"]))}

    def list(self, caller: Caller, params: Params) -> Response:
        """List services in order of creation."""
        keep = matching(params.get("Filters") or [], _RULES)
        return page(
            params,
            list(self._desk.region(caller).services.values()),
            member="Services",
            key=lambda service: service.id,
            show=_summary,
            keep=keep,
        )

    def _shown(self, service: DiscoveryService) -> dict[str, Any]:
        shown = _summary(service) | {"NamespaceId": service.namespace_id}
        if service.dns is not None:
            shown["DnsConfig"] = {"NamespaceId": service.namespace_id, **shown["DnsConfig"]}
        if service.creator_request_id:
            shown["CreatorRequestId"] = service.creator_request_id
        return shown

    # ---------------------------------------------------------------- attributes

    def get_attributes(self, caller: Caller, params: Params) -> Response:
        """Return a service's own attributes."""
        service = self._desk.service(caller, params["ServiceId"])
        return {
            "ServiceAttributes": {
                "ServiceArn": service.arn,
                "ResourceOwner": caller.account,
                "Attributes": dict(service.attributes),
            }
        }

    def update_attributes(self, caller: Caller, params: Params) -> Response:
        """Put attributes over the present ones."""
        service = self._desk.service(caller, params["ServiceId"])
        limit = self._desk.settings.quotas.service_attributes
        result = service.attributes | params["Attributes"]
        if len(result) > limit:
            raise refusals.too_many_service_attributes(limit)
        service.attributes = result
        return {}

    def delete_attributes(self, caller: Caller, params: Params) -> Response:
        """Remove attributes; a key that is not there is no error."""
        service = self._desk.service(caller, params["ServiceId"])
        for key in params["Attributes"]:
            service.attributes.pop(key, None)
        return {}


def _is_same_request(present: DiscoveryService, wanted: DiscoveryService) -> bool:
    """Tell a CreateService sent again (same CreatorRequestId, same settings) from another of that name."""
    return bool(wanted.creator_request_id) and all(
        getattr(present, member) == getattr(wanted, member)
        for member in ("creator_request_id", "name", "description", "dns", "health_check", "custom_health")
    )


def _summary(service: DiscoveryService) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Id": service.id,
        "Arn": service.arn,
        "ResourceOwner": service.arn.split(":")[4],
        "Name": service.name,
        "Type": service.kind,
        "InstanceCount": len(service.instances),
        "CreateDate": service.created,
        "CreatedByAccount": service.created_by,
    }
    optional = {
        "Description": service.description,
        "HealthCheckConfig": service.health_check,
        "HealthCheckCustomConfig": service.custom_health,
    }
    shown |= {member: value for member, value in optional.items() if value is not None}
    if service.dns is not None:
        shown["DnsConfig"] = {
            "RoutingPolicy": service.policy,
            "DnsRecords": [dict(record) for record in service.dns["DnsRecords"]],
        }
    return shown


def _namespace_id(identifier: str) -> str:
    """Return the id that an id or ARN names (botocore: ServiceFilter.Values)."""
    return identifier.rsplit("/", 1)[-1]


_RULES: dict[str, Rule[DiscoveryService]] = {
    "NAMESPACE_ID": Rule(read=lambda service: service.namespace_id, conditions=("EQ",), spell=_namespace_id),
    "RESOURCE_OWNER": Rule(
        read=lambda _: "SELF", conditions=("EQ",), values=frozenset({"SELF", "OTHER_ACCOUNTS"})
    ),
}
