"""What binds services and VPCs to service networks.

Source: botocore's vpc-lattice model: a service is associated with a network once, a VPC with one network at
a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.lattice.desk import (
    NETWORK,
    SERVICE,
    SERVICE_ASSOCIATION,
    VPC_ASSOCIATION,
    Desk,
    Record,
    conflict,
    invalid,
    not_found,
)
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

_SERVICE_ID, _VPC_ID = "serviceNetworkServiceAssociationIdentifier", "serviceNetworkVpcAssociationIdentifier"


class AssociationCalls:
    """The calls about associations."""

    def __init__(self, desk: Desk) -> None:
        """Work on the desk's books."""
        self._desk = desk

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""

        def get(kind: str, member: str) -> Handler:
            return lambda caller, params: self._shown(self._desk.find(caller, kind, params[member]))

        def delete(kind: str, member: str) -> Handler:
            return lambda caller, params: self._delete(caller, kind, params[member])

        return {
            "CreateServiceNetworkServiceAssociation": self.create_service,
            "GetServiceNetworkServiceAssociation": get(SERVICE_ASSOCIATION, _SERVICE_ID),
            "DeleteServiceNetworkServiceAssociation": delete(SERVICE_ASSOCIATION, _SERVICE_ID),
            "ListServiceNetworkServiceAssociations": self.list_services,
            "CreateServiceNetworkVpcAssociation": self.create_vpc,
            "GetServiceNetworkVpcAssociation": get(VPC_ASSOCIATION, _VPC_ID),
            "UpdateServiceNetworkVpcAssociation": self.update_vpc,
            "DeleteServiceNetworkVpcAssociation": delete(VPC_ASSOCIATION, _VPC_ID),
            "ListServiceNetworkVpcAssociations": self.list_vpcs,
        }

    def create_service(self, caller: Caller, params: Params) -> Response:
        """Associate a service with a network."""
        found = self._desk.repeated(caller, SERVICE_ASSOCIATION, params)
        if found is None:
            service = self._desk.find(caller, SERVICE, params["serviceIdentifier"])
            spec = {
                **self._network(caller, params["serviceNetworkIdentifier"]),
                "serviceId": service.id,
                "serviceArn": service.arn,
                "serviceName": service.name,
                "dnsEntry": service.spec["dnsEntry"],
                "createdBy": caller.account,
            }
            for other in self._desk.books(caller).of(SERVICE_ASSOCIATION):
                if (other.spec["serviceId"], other.spec["serviceNetworkId"]) == (
                    service.id,
                    spec["serviceNetworkId"],
                ):
                    raise conflict(other, "The service is already associated with the service network")
            found = self._desk.add(caller, SERVICE_ASSOCIATION, spec, params=params)
        return self._shown(found)

    def create_vpc(self, caller: Caller, params: Params) -> Response:
        """Associate a VPC with a network."""
        found = self._desk.repeated(caller, VPC_ASSOCIATION, params)
        if found is None:
            vpc = params["vpcIdentifier"]
            if not self._desk.estate.vpc_exists(caller, vpc):
                raise not_found("VPC", vpc)
            groups = params.get("securityGroupIds", [])
            self._check_groups(caller, vpc, groups)
            for other in self._desk.books(caller).of(VPC_ASSOCIATION):
                if other.spec["vpcId"] == vpc:
                    raise conflict(other, f"VPC {vpc} is already associated with a service network")
            spec: dict[str, Any] = {
                **self._network(caller, params["serviceNetworkIdentifier"]),
                "vpcId": vpc,
                "securityGroupIds": groups,
                "privateDnsEnabled": params.get("privateDnsEnabled", False),
                "dnsOptions": params.get("dnsOptions"),
                "createdBy": caller.account,
            }
            found = self._desk.add(caller, VPC_ASSOCIATION, spec, params=params)
        return self._shown(found)

    def update_vpc(self, caller: Caller, params: Params) -> Response:
        """Change an association's security groups and DNS."""
        found = self._desk.find(caller, VPC_ASSOCIATION, params[_VPC_ID])
        if "securityGroupIds" in params:
            self._check_groups(caller, found.spec["vpcId"], params["securityGroupIds"])
        found.spec |= {
            key: params[key]
            for key in ("securityGroupIds", "privateDnsEnabled", "dnsOptions")
            if key in params
        }
        self._desk.touch(found)
        return self._shown(found)

    def list_services(self, caller: Caller, params: Params) -> Response:
        """List service associations of a network, of a service, or of both."""
        return self._list(caller, SERVICE_ASSOCIATION, params, "serviceIdentifier", "serviceId")

    def list_vpcs(self, caller: Caller, params: Params) -> Response:
        """List VPC associations of a network, of a VPC, or of both."""
        return self._list(caller, VPC_ASSOCIATION, params, "vpcIdentifier", "vpcId")

    def _list(self, caller: Caller, kind: str, params: Params, *of: str) -> Response:
        member, key = of
        wanted = {
            name: params[given].rsplit("/", 1)[-1]
            for given, name in (("serviceNetworkIdentifier", "serviceNetworkId"), (member, key))
            if params.get(given)
        }
        if not wanted:
            raise invalid(f"serviceNetworkIdentifier or {member} is needed", field="serviceNetworkIdentifier")
        found = [
            record
            for record in self._desk.books(caller).of(kind)
            if all(record.spec[name] == value for name, value in wanted.items())
        ]
        return self._desk.listed(found, params, self._shown)

    def _delete(self, caller: Caller, kind: str, identifier: str) -> Response:
        found = self._desk.find(caller, kind, identifier)
        self._desk.remove(caller, found)
        return self._desk.summary(found) | {"status": "DELETE_IN_PROGRESS"}

    def _shown(self, record: Record) -> Response:
        return self._desk.dated(record) | record.spec | {"status": self._desk.status(record)}

    def _network(self, caller: Caller, identifier: str) -> dict[str, str]:
        network = self._desk.find(caller, NETWORK, identifier)
        return {
            "serviceNetworkId": network.id,
            "serviceNetworkArn": network.arn,
            "serviceNetworkName": network.name,
        }

    def _check_groups(self, caller: Caller, vpc: str, groups: list[str]) -> None:
        for group in groups:
            if self._desk.estate.security_group_vpc(caller, group) != vpc:
                raise invalid(f"Security group {group} is not in VPC {vpc}", field="securityGroupIds")
