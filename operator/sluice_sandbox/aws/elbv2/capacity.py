"""Capacity reservations, IP pools and resource policies: what surrounds a load balancer here.

Sources: botocore's DescribeCapacityReservation, ModifyCapacityReservation ("you must include at least
one MinimumLoadBalancerCapacity or ResetCapacityReservation"), ModifyIpPools, GetResourcePolicy. From
memory: at least 100 capacity units for an application load balancer, two decreases a day, capacity
units in all zones together. A reservation changes no traffic here: it is kept and shown, provisioned
at once. There is no IPAM and no sharing, so pools are refused and no resource has a policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.elbv2.desk import Desk, invalid_configuration, validation_error
from sluice_sandbox.aws.elbv2.state import LoadBalancer
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MIN_UNITS = 100
MAX_UNITS = 1_500
"""Per zone (quotas page, from memory)."""
DECREASES_A_DAY = 2
DAY = 86_400.0


class CapacityHandlers:
    """Reservations, IP pools and resource policies."""

    def __init__(self, desk: Desk) -> None:
        """Work on the desk's books."""
        self._desk = desk

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "DescribeCapacityReservation": self.describe,
            "ModifyCapacityReservation": self.modify,
            "ModifyIpPools": self.modify_ip_pools,
            "GetResourcePolicy": self.resource_policy,
        }

    def describe(self, caller: Caller, params: Params) -> Response:
        """Return the reservation; without one there are only the decreases left today."""
        return self._shown(self._desk.region(caller).load_balancer(params["LoadBalancerArn"]))

    def modify(self, caller: Caller, params: Params) -> Response:
        """Reserve capacity or give it back."""
        found = self._desk.region(caller).load_balancer(params["LoadBalancerArn"])
        wanted, reset = params.get("MinimumLoadBalancerCapacity"), params.get("ResetCapacityReservation")
        if bool(wanted) == bool(reset):
            raise validation_error(
                "You must specify either MinimumLoadBalancerCapacity or ResetCapacityReservation"
            )
        units = 0 if reset else int((wanted or {}).get("CapacityUnits") or 0)
        if not reset and units < MIN_UNITS:
            raise invalid_configuration(f"Capacity units '{units}' must be at least '{MIN_UNITS}'")
        limit = MAX_UNITS * len(found.zones)
        if units > limit:
            raise AwsError(
                "CapacityUnitsLimitExceeded", f"Capacity units '{units}' exceed the limit of '{limit}'"
            )
        now = self._desk.clock.now()
        if units < found.capacity_units:
            if self._decreases_left(found) == 0:
                raise AwsError(
                    "CapacityDecreaseRequestLimitExceeded",
                    f"The limit of '{DECREASES_A_DAY}' capacity decreases a day has been reached",
                )
            found.capacity_decreases.append(now)
        found.capacity_units, found.capacity_changed = units, now
        return self._shown(found)

    def modify_ip_pools(self, caller: Caller, params: Params) -> Response:
        """Refuse a pool, as there is no IPAM; removing what was never there succeeds."""
        self._desk.region(caller).load_balancer(params["LoadBalancerArn"])
        pool = (params.get("IpamPools") or {}).get("Ipv4IpamPoolId")
        if pool:
            raise no_ipam(pool)
        return {"IpamPools": {}}

    def resource_policy(self, caller: Caller, params: Params) -> Response:
        """Refuse: nothing is shared between accounts here, so no resource has a policy."""
        arn = params["ResourceArn"]
        known = arn in self._desk.region(caller).trust_stores
        reason = "has no resource policy" if known else "does not exist"
        raise AwsError("ResourceNotFound", f"Resource '{arn}' {reason}")

    def _decreases_left(self, found: LoadBalancer) -> int:
        since = self._desk.clock.now() // DAY * DAY
        found.capacity_decreases = [when for when in found.capacity_decreases if when >= since]
        return max(0, DECREASES_A_DAY - len(found.capacity_decreases))

    def _shown(self, found: LoadBalancer) -> Response:
        answer: dict[str, Any] = {"DecreaseRequestsRemaining": self._decreases_left(found)}
        if found.capacity_changed:
            answer["LastModifiedTime"] = found.capacity_changed
        if found.capacity_units:
            answer["MinimumLoadBalancerCapacity"] = {"CapacityUnits": found.capacity_units}
            answer["CapacityReservationState"] = [
                {
                    "State": {"Code": "provisioned"},
                    "AvailabilityZone": zone["ZoneName"],
                    "EffectiveCapacityUnits": found.capacity_units / len(found.zones),
                }
                for zone in found.zones
            ]
        return answer


def no_ipam(pool: str) -> AwsError:
    """Return the refusal of an IPAM pool: the stand-in has none."""
    return invalid_configuration(f"The IPAM pool '{pool}' does not exist: this stand-in does not model IPAM")
