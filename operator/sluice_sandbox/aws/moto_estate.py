"""The Estate port answered from moto's EC2 and IAM, in which the sandbox's estate is made.

Reads moto's backends directly, under moto's lock: a lookup in a dict instead of a call that would cost
milliseconds on every CreateService.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from sluice_sandbox.aws.ports import SubnetView
from sluice_sandbox.aws.service import Caller


class MotoEstate:
    """What moto's EC2 and IAM know."""

    def __init__(self, lock: AbstractContextManager[bool]) -> None:
        """Share moto's lock."""
        self._lock = lock

    def subnet(self, caller: Caller, subnet_id: str) -> SubnetView | None:
        """Return a subnet."""
        with self._lock:
            for zone in _ec2(caller).subnets.values():
                found = zone.get(subnet_id)
                if found is not None:
                    return SubnetView(
                        subnet_id=subnet_id,
                        vpc_id=found.vpc_id,
                        availability_zone=found.availability_zone,
                        cidr=str(found.cidr_block),
                    )
        return None

    def security_group_vpc(self, caller: Caller, group_id: str) -> str | None:
        """Return the VPC of a security group."""
        with self._lock:
            for vpc_id, groups in _ec2(caller).groups.items():
                if group_id in groups:
                    return str(vpc_id) if vpc_id else None
        return None

    def default_security_group(self, caller: Caller, vpc_id: str) -> str | None:
        """Return the security group named `default` of a VPC."""
        with self._lock:
            groups = _ec2(caller).groups.get(vpc_id, {})
            return next((str(key) for key, group in groups.items() if group.name == "default"), None)

    def vpc_exists(self, caller: Caller, vpc_id: str) -> bool:
        """Tell whether a VPC exists."""
        with self._lock:
            return vpc_id in _ec2(caller).vpcs

    def vpc_blocks(self, caller: Caller, vpc_id: str) -> Sequence[str]:
        """Return a VPC's blocks, the associated ones included."""
        with self._lock:
            found = _ec2(caller).vpcs.get(vpc_id)
            if found is None:
                return ()
            blocks = [str(item["cidr_block"]) for item in found.get_cidr_block_association_set()]
            return tuple(dict.fromkeys([str(found.cidr_block), *blocks]))

    def role_exists(self, role_arn: str) -> bool:
        """Tell whether the role exists in the account its ARN names."""
        parts = role_arn.split(":", 5)
        if len(parts) != 6 or parts[2] != "iam":
            return False
        from moto.iam.models import iam_backends  # noqa: PLC0415 - moto is imported on first use

        with self._lock:
            roles = iam_backends[parts[4]][parts[1]].roles
            return any(role.arn == role_arn for role in roles.values())


def _ec2(caller: Caller) -> Any:  # noqa: ANN401 - moto's backend
    from moto.ec2.models import ec2_backends  # noqa: PLC0415 - moto is imported on first use

    return ec2_backends[caller.account][caller.region]
