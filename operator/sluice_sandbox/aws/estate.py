"""The small estate every sandbox has, and the Estate port answered from it or from moto.

FixedEstate knows it by heart, for simulation and unit tests; MotoEstate (`aws.moto_estate`) asks moto,
in which `sluice sandbox up` has made it for real.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sluice_sandbox.aws.ports import SubnetView
from sluice_sandbox.aws.service import Caller

ACCOUNT = "111122223333"
REGION = "eu-west-1"
VPC_CIDR = "10.42.0.0/16"
SUBNET_CIDRS = ("10.42.0.0/20", "10.42.16.0/20", "10.42.32.0/20")
ZONES = ("a", "b", "c")

VPC_ID = "vpc-0a1b2c3d4e5f60718"
SUBNET_IDS = (
    "subnet-0a1b2c3d4e5f60001",
    "subnet-0a1b2c3d4e5f60002",
    "subnet-0a1b2c3d4e5f60003",
)
SECURITY_GROUP_ID = "sg-0a1b2c3d4e5f60718"
EXECUTION_ROLE = f"arn:aws:iam::{ACCOUNT}:role/sandbox-execution"
TASK_ROLE = f"arn:aws:iam::{ACCOUNT}:role/sandbox-task"
OPERATOR_ROLE = f"arn:aws:iam::{ACCOUNT}:role/sandbox-operator"


@dataclass(frozen=True, slots=True)
class FixedEstate:
    """One VPC with three subnets, one security group; every role exists unless `roles` lists them.

    The same in every account, and in every Region with that Region's zones.
    """

    roles: frozenset[str] | None = None

    def subnet(self, caller: Caller, subnet_id: str) -> SubnetView | None:
        """Return one of the three subnets."""
        if subnet_id not in SUBNET_IDS:
            return None
        index = SUBNET_IDS.index(subnet_id)
        return SubnetView(
            subnet_id=subnet_id,
            vpc_id=VPC_ID,
            availability_zone=caller.region + ZONES[index],
            cidr=SUBNET_CIDRS[index],
        )

    def security_group_vpc(self, caller: Caller, group_id: str) -> str | None:  # noqa: ARG002 - the port's
        """Return the VPC of the one security group."""
        return VPC_ID if group_id == SECURITY_GROUP_ID else None

    def default_security_group(self, caller: Caller, vpc_id: str) -> str | None:  # noqa: ARG002 - the port's
        """Return the one security group."""
        return SECURITY_GROUP_ID if vpc_id == VPC_ID else None

    def vpc_exists(self, caller: Caller, vpc_id: str) -> bool:  # noqa: ARG002 - the port's
        """Tell whether it is the one VPC."""
        return vpc_id == VPC_ID

    def vpc_blocks(self, caller: Caller, vpc_id: str) -> Sequence[str]:  # noqa: ARG002 - the port's
        """Return the one VPC's block."""
        return (VPC_CIDR,) if vpc_id == VPC_ID else ()

    def role_exists(self, role_arn: str) -> bool:
        """Tell whether the role is listed; all exist when no list was given."""
        return self.roles is None or role_arn in self.roles
