"""Services and service networks.

Source: botocore's vpc-lattice model and its documentation strings: a service cannot be deleted while it is
associated with a service network, nor a network while anything is associated with it.
"""

from __future__ import annotations

from collections.abc import Mapping

from sluice_sandbox.aws.lattice.desk import (
    NETWORK,
    SERVICE,
    SERVICE_ASSOCIATION,
    VPC_ASSOCIATION,
    Desk,
    Record,
    conflict,
    invalid,
)
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

_KEPT = ("name", "customDomainName", "certificateArn", "authType", "idleTimeoutSeconds")


class ServiceCalls:
    """The calls about services and service networks."""

    def __init__(self, desk: Desk) -> None:
        """Work on the desk's books."""
        self._desk = desk

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "CreateService": self.create,
            "GetService": self.get,
            "UpdateService": self.update,
            "DeleteService": self.delete,
            "ListServices": self.list_all,
            "CreateServiceNetwork": self.create_network,
            "GetServiceNetwork": self.get_network,
            "UpdateServiceNetwork": self.update_network,
            "DeleteServiceNetwork": self.delete_network,
            "ListServiceNetworks": self.list_networks,
        }

    # --------------------------------------------------------------- services

    def create(self, caller: Caller, params: Params) -> Response:
        """Create a service; authType NONE unless said otherwise."""
        found = self._desk.repeated(caller, SERVICE, params)
        if found is None:
            spec = {"authType": "NONE"} | {key: params[key] for key in _KEPT if key in params}
            found = self._desk.add(caller, SERVICE, spec, params=params)
            found.spec["dnsEntry"] = _dns(caller, found)
        return self._shown(found)

    def get(self, caller: Caller, params: Params) -> Response:
        """Describe a service."""
        found = self._desk.find(caller, SERVICE, params["serviceIdentifier"])
        return self._shown(found) | self._desk.dated(found)

    def update(self, caller: Caller, params: Params) -> Response:
        """Change certificate or authType."""
        found = self._desk.find(caller, SERVICE, params["serviceIdentifier"])
        if params.get("certificateArn") and "customDomainName" not in found.spec:
            raise invalid("A certificate needs a custom domain name", field="certificateArn")
        found.spec |= {key: params[key] for key in _KEPT if key in params}
        self._desk.touch(found)
        return self._shown(found)

    def delete(self, caller: Caller, params: Params) -> Response:
        """Delete a service with its listeners; not while a service network has it."""
        found = self._desk.find(caller, SERVICE, params["serviceIdentifier"])
        for association in self._desk.books(caller).of(SERVICE_ASSOCIATION):
            if association.spec["serviceId"] == found.id:
                raise conflict(association, f"Service {found.id} is associated with a service network")
        self._desk.remove(caller, found)
        return self._desk.summary(found) | {"status": "DELETE_IN_PROGRESS"}

    def list_all(self, caller: Caller, params: Params) -> Response:
        """List services."""

        def show(record: Record) -> Response:
            return self._shown(record) | self._desk.dated(record)

        return self._desk.listed(list(self._desk.books(caller).of(SERVICE)), params, show)

    def _shown(self, record: Record) -> Response:
        return self._desk.summary(record) | record.spec | {"status": self._desk.status(record)}

    # --------------------------------------------------------------- networks

    def create_network(self, caller: Caller, params: Params) -> Response:
        """Create a service network."""
        found = self._desk.repeated(caller, NETWORK, params)
        if found is None:
            spec = {
                "name": params["name"],
                "authType": params.get("authType", "NONE"),
                "sharingConfig": params.get("sharingConfig", {"enabled": True}),
            }
            found = self._desk.add(caller, NETWORK, spec, params=params)
        return self._desk.summary(found) | found.spec

    def get_network(self, caller: Caller, params: Params) -> Response:
        """Describe a service network."""
        return self._network(caller, self._desk.find(caller, NETWORK, params["serviceNetworkIdentifier"]))

    def update_network(self, caller: Caller, params: Params) -> Response:
        """Change a network's authType."""
        found = self._desk.find(caller, NETWORK, params["serviceNetworkIdentifier"])
        found.spec["authType"] = params["authType"]
        self._desk.touch(found)
        return self._desk.summary(found) | found.spec

    def delete_network(self, caller: Caller, params: Params) -> Response:
        """Delete a service network without associations."""
        found = self._desk.find(caller, NETWORK, params["serviceNetworkIdentifier"])
        for kind in (SERVICE_ASSOCIATION, VPC_ASSOCIATION):
            for association in self._associations(caller, found, kind):
                raise conflict(association, f"Service network {found.id} has associations")
        self._desk.remove(caller, found)
        return {}

    def list_networks(self, caller: Caller, params: Params) -> Response:
        """List service networks."""
        networks = list(self._desk.books(caller).of(NETWORK))
        return self._desk.listed(networks, params, lambda record: self._network(caller, record))

    def _network(self, caller: Caller, record: Record) -> Response:
        counts = {
            "numberOfAssociatedServices": len(self._associations(caller, record, SERVICE_ASSOCIATION)),
            "numberOfAssociatedVPCs": len(self._associations(caller, record, VPC_ASSOCIATION)),
            "numberOfAssociatedResourceConfigurations": 0,
        }
        return self._desk.dated(record) | record.spec | counts

    def _associations(self, caller: Caller, network: Record, kind: str) -> list[Record]:
        books = self._desk.books(caller)
        return [record for record in books.of(kind) if record.spec["serviceNetworkId"] == network.id]


def _dns(caller: Caller, record: Record) -> dict[str, str]:
    unique = record.id.partition("-")[2]
    return {
        "domainName": f"{record.name}-{unique}.7d67968.vpc-lattice-svcs.{caller.region}.on.aws",
        "hostedZoneId": "Z09127221KTH2CFUOHIZH",
    }
