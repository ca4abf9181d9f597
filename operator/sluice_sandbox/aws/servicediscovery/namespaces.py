"""Namespaces: made, changed and deleted by operations, each with its hosted zone if it has DNS.

Source: botocore's Create*Namespace, Update*Namespace, DeleteNamespace, GetNamespace, ListNamespaces. A
name is taken from the request on, so that a second request is refused while the first is carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sluice_sandbox.aws.service import Caller, Handler, Params, Response
from sluice_sandbox.aws.servicediscovery import refusals
from sluice_sandbox.aws.servicediscovery.desk import Desk
from sluice_sandbox.aws.servicediscovery.filters import Rule, matching, page
from sluice_sandbox.aws.servicediscovery.operations import OperationEngine, OperationFailed
from sluice_sandbox.aws.servicediscovery.state import (
    DNS_PRIVATE,
    DNS_PUBLIC,
    HTTP,
    Namespace,
    WorkItem,
)
from sluice_sandbox.aws.servicediscovery.tags import TagCalls
from sluice_sandbox.aws.servicediscovery.zones import Zone

SOA_TTL = 15
"""Seconds: the SOA record's TTL where none is given (from memory of GetNamespace's answers)."""
_MAX_LABEL = 63


class NamespaceCalls:
    """The calls about namespaces."""

    def __init__(self, desk: Desk, engine: OperationEngine, tags: TagCalls) -> None:
        """Work on the desk's books through the engine."""
        self._desk = desk
        self._engine = engine
        self._tags = tags
        engine.on("CREATE_NAMESPACE", self._create, on_failure=self._release)
        engine.on("UPDATE_NAMESPACE", self._update)
        engine.on("DELETE_NAMESPACE", self._delete)

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "CreateHttpNamespace": self._creating(HTTP),
            "CreatePrivateDnsNamespace": self._creating(DNS_PRIVATE),
            "CreatePublicDnsNamespace": self._creating(DNS_PUBLIC),
            "UpdateHttpNamespace": self._updating(HTTP),
            "UpdatePrivateDnsNamespace": self._updating(DNS_PRIVATE),
            "UpdatePublicDnsNamespace": self._updating(DNS_PUBLIC),
            "DeleteNamespace": self.delete,
            "GetNamespace": self.get,
            "ListNamespaces": self.list,
        }

    # -------------------------------------------------------------------- create

    def _creating(self, kind: str) -> Callable[[Caller, Params], Response]:
        return lambda caller, params: self.create(caller, params, kind)

    def create(self, caller: Caller, params: Params, kind: str) -> Response:
        """Accept the creation of a namespace of one kind."""
        region, pace = self._desk.region(caller), self._desk.settings.pace
        name, vpc_id = params["Name"], params.get("Vpc", "")
        tags = self._tags.new(params)
        if kind != HTTP:
            _check_domain(name)
        request_id = params.get("CreatorRequestId", "")
        taken = self._taken(caller, name, kind, vpc_id)
        if taken is not None:
            operation = region.operations.get(taken.operation_id)
            if request_id and taken.creator_request_id == request_id and operation is not None:
                return {"OperationId": operation.id}
            raise refusals.namespace_already_exists(
                namespace_id=taken.id, creator_request_id=taken.creator_request_id, name=name
            )
        limit = self._desk.settings.quotas.namespaces
        if len(region.namespaces) >= limit:
            raise refusals.limit_exceeded("namespaces per Region", limit)
        namespace_id = self._desk.resource_id("ns")
        namespace = Namespace(
            id=namespace_id,
            arn=self._desk.arn(caller, "namespace", namespace_id),
            name=name,
            kind=kind,
            http_name=self._http_name(caller, name),
            created=self._desk.clock.now(),
            creator_request_id=request_id,
            description=params.get("Description"),
            tags=tags,
            vpc_id=vpc_id,
            hosted_zone_id="" if kind == HTTP else self._desk.zone_id(),
            soa_ttl=0 if kind == HTTP else _soa_ttl(params.get("Properties"), SOA_TTL),
        )
        region.namespaces[namespace_id] = namespace
        answer = self._engine.submit(
            caller,
            "CREATE_NAMESPACE",
            key=f"namespace/{namespace_id}",
            targets={"NAMESPACE": namespace_id},
            change={"namespace_id": namespace_id},
            seconds=pace.http_namespace if kind == HTTP else pace.dns_namespace,
            request_id=request_id,
        )
        namespace.operation_id = answer["OperationId"]
        return answer

    def _taken(self, caller: Caller, name: str, kind: str, vpc_id: str) -> Namespace | None:
        """Return the namespace that keeps another of this name from being made.

        HTTP and public names are unique among their kind; a private one may be used once in a VPC.
        """
        folded = name if kind == HTTP else _folded(name)
        for known in self._desk.region(caller).namespaces.values():
            other = known.name if kind == HTTP else _folded(known.name)
            if (known.kind, known.vpc_id, other) == (kind, vpc_id, folded):
                return known
        return None

    def _http_name(self, caller: Caller, name: str) -> str:
        """Return the name for DiscoverInstances: with a hash if the name is in use (its request's docs)."""
        used = {namespace.http_name for namespace in self._desk.region(caller).namespaces.values()}
        return name if name not in used else f"{name}-{self._desk.rng.getrandbits(32):08x}"

    def _create(self, caller: Caller, item: WorkItem) -> None:
        region = self._desk.region(caller)
        namespace = region.namespaces[item.change["namespace_id"]]
        if namespace.kind == DNS_PRIVATE and not self._desk.outlook.estate.vpc_exists(
            caller, namespace.vpc_id
        ):
            # The text as aws/aws-app-mesh-examples#432 quotes it.
            raise OperationFailed(
                "CANNOT_CREATE_HOSTED_ZONE",
                f"The VPC: {namespace.vpc_id} in region {caller.region} that you provided is not authorized "
                "to make the association. (Service: AmazonRoute53; Status Code: 400; "
                "Error Code: InvalidVPCId)",
            )
        namespace.ready = True
        if namespace.kind != HTTP:
            zone = Zone(
                id=namespace.hosted_zone_id,
                name=namespace.name,
                vpc_id=namespace.vpc_id,
                soa_ttl=namespace.soa_ttl,
            )
            self._desk.outlook.zones.create(caller, zone)

    def _release(self, caller: Caller, item: WorkItem) -> None:
        """Give the name free again of a namespace that could not be created."""
        self._desk.region(caller).namespaces.pop(item.change["namespace_id"], None)

    # -------------------------------------------------------------------- update

    def _updating(self, kind: str) -> Callable[[Caller, Params], Response]:
        return lambda caller, params: self.update(caller, params, kind)

    def update(self, caller: Caller, params: Params, kind: str) -> Response:
        """Accept a change of a namespace's description or SOA record."""
        namespace = self._desk.namespace(caller, params["Id"])
        if namespace.kind != kind:
            raise refusals.invalid_input(f"Namespace {namespace.id} is of type {namespace.kind}, not {kind}.")
        change = params["Namespace"]
        return self._engine.submit(
            caller,
            "UPDATE_NAMESPACE",
            key=f"namespace/{namespace.id}",
            targets={"NAMESPACE": namespace.id},
            change={
                "namespace_id": namespace.id,
                "description": change.get("Description", namespace.description),
                "soa_ttl": _soa_ttl(change.get("Properties"), namespace.soa_ttl),
            },
            seconds=self._desk.settings.pace.http_namespace,
            request_id=params.get("UpdaterRequestId", ""),
        )

    def _update(self, caller: Caller, item: WorkItem) -> None:
        namespace = self._desk.region(caller).namespaces[item.change["namespace_id"]]
        namespace.description = item.change["description"]
        if namespace.soa_ttl != item.change["soa_ttl"]:
            namespace.soa_ttl = item.change["soa_ttl"]
            self._desk.outlook.zones.set_soa(caller, namespace.hosted_zone_id, namespace.soa_ttl)

    # -------------------------------------------------------------------- delete

    def delete(self, caller: Caller, params: Params) -> Response:
        """Accept the deletion of an empty namespace."""
        namespace = self._desk.namespace(caller, params["Id"])
        if self._desk.region(caller).services_of(namespace.id):
            raise refusals.resource_in_use(
                "Namespace contains services; delete the services before deleting the namespace"
            )
        pace = self._desk.settings.pace
        return self._engine.submit(
            caller,
            "DELETE_NAMESPACE",
            key=f"namespace/{namespace.id}",
            targets={"NAMESPACE": namespace.id},
            change={"namespace_id": namespace.id},
            seconds=pace.http_namespace if namespace.kind == HTTP else pace.dns_namespace,
        )

    def _delete(self, caller: Caller, item: WorkItem) -> None:
        namespace = self._desk.region(caller).namespaces.pop(item.change["namespace_id"])
        if namespace.hosted_zone_id:
            self._desk.outlook.zones.delete(caller, namespace.hosted_zone_id)

    # --------------------------------------------------------------------- reads

    def get(self, caller: Caller, params: Params) -> Response:
        """Return one namespace."""
        namespace = self._desk.namespace(caller, params["Id"])
        shown = self._summary(caller, namespace)
        if namespace.creator_request_id:
            shown["CreatorRequestId"] = namespace.creator_request_id
        return {"Namespace": shown}

    def list(self, caller: Caller, params: Params) -> Response:
        """List namespaces in order of creation."""
        keep = matching(params.get("Filters") or [], _RULES)
        return page(
            params,
            [item for item in self._desk.region(caller).namespaces.values() if item.ready],
            member="Namespaces",
            key=lambda namespace: namespace.id,
            show=lambda namespace: self._summary(caller, namespace),
            keep=keep,
        )

    def _summary(self, caller: Caller, namespace: Namespace) -> dict[str, Any]:
        dns: dict[str, Any] = {}
        if namespace.kind != HTTP:
            dns = {"HostedZoneId": namespace.hosted_zone_id, "SOA": {"TTL": namespace.soa_ttl}}
        shown = {
            "Id": namespace.id,
            "Arn": namespace.arn,
            "ResourceOwner": caller.account,
            "Name": namespace.name,
            "Type": namespace.kind,
            "ServiceCount": len(self._desk.region(caller).services_of(namespace.id)),
            "Properties": {"DnsProperties": dns, "HttpProperties": {"HttpName": namespace.http_name}},
            "CreateDate": namespace.created,
        }
        if namespace.description is not None:
            shown["Description"] = namespace.description
        return shown


def _folded(domain: str) -> str:
    return domain.lower().removesuffix(".")


def _check_domain(name: str) -> None:
    labels = name.removesuffix(".").split(".")
    if any(not label or len(label) > _MAX_LABEL for label in labels):
        raise refusals.invalid_input(f"'{name}' is not a valid DNS name.")


def _soa_ttl(properties: dict[str, Any] | None, otherwise: int) -> int:
    return int(properties["DnsProperties"]["SOA"]["TTL"]) if properties else otherwise


_RULES: dict[str, Rule[Namespace]] = {
    "TYPE": Rule(
        read=lambda namespace: namespace.kind,
        conditions=("EQ", "BEGINS_WITH"),
        values=frozenset({HTTP, DNS_PRIVATE, DNS_PUBLIC}),
    ),
    "NAME": Rule(read=lambda namespace: namespace.name, conditions=("EQ", "BEGINS_WITH")),
    "HTTP_NAME": Rule(read=lambda namespace: namespace.http_name, conditions=("EQ", "BEGINS_WITH")),
    # Nothing is shared between accounts here, so everything is the caller's own.
    "RESOURCE_OWNER": Rule(
        read=lambda _: "SELF", conditions=("EQ",), values=frozenset({"SELF", "OTHER_ACCOUNTS"})
    ),
}
