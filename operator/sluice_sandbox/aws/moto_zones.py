"""The HostedZones port answered from moto's Route 53, where clients of that API look.

Writes moto's backends directly, under moto's lock, as `moto_estate` reads them: Cloud Map makes zones
with ids of its own, and several private zones in one VPC, which moto's own Cloud Map does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from sluice_sandbox.aws.service import Caller
from sluice_sandbox.aws.servicediscovery.zones import RecordSet, Zone

_NS_TTL = 172_800
_SOA_VALUE = "{server}. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 {ttl}"
_SERVERS = ("ns-1536.awsdns-00.co.uk", "ns-0.awsdns-00.com", "ns-1024.awsdns-00.org", "ns-512.awsdns-00.net")
"""The name servers that Route 53 names in private zones (Route 53 developer guide, from memory)."""


class MotoZones:
    """Zones and records in moto's Route 53."""

    def __init__(self, lock: AbstractContextManager[bool]) -> None:
        """Share moto's lock."""
        self._lock = lock

    def create(self, caller: Caller, zone: Zone) -> None:
        """Create a zone with its SOA and NS records."""
        from moto.route53.models import DelegationSet, FakeZone  # noqa: PLC0415 - imported on first use

        with self._lock:
            servers = DelegationSet(zone.id, list(_SERVERS), "")
            made = FakeZone(
                f"{zone.name.removesuffix('.')}.",
                zone.id,
                private_zone=bool(zone.vpc_id),
                caller_reference=zone.id,
                comment=zone.comment,
                delegation_set=servers,
            )
            if zone.vpc_id:
                made.add_vpc(zone.vpc_id, caller.region)
            for record in (
                {"Type": "NS", "TTL": _NS_TTL, "ResourceRecords": [f"{name}." for name in _SERVERS]},
                {"Type": "SOA", **_soa(zone.soa_ttl)},
            ):
                made.add_rrset({"Name": made.name, **record})
            _backend(caller).zones[zone.id] = made

    def delete(self, caller: Caller, zone_id: str) -> None:
        """Delete a zone with what is in it."""
        with self._lock:
            _backend(caller).zones.pop(zone_id, None)

    def change(
        self, caller: Caller, zone_id: str, *, remove: Sequence[RecordSet], put: Sequence[RecordSet]
    ) -> None:
        """Take records away, then put others; a zone that somebody deleted by hand stays away."""
        if not (remove or put):
            return
        with self._lock:
            zone = _backend(caller).zones.get(zone_id)
            if zone is None:
                return
            gone = {_key(record) for record in (*remove, *put)}
            zone.rrsets = [
                record
                for record in zone.rrsets
                if (record.name, record.type, record.set_identifier or "") not in gone
            ]
            for record in put:
                values = [item["Value"] for item in record.get("ResourceRecords", ())]
                zone.add_rrset(record | {"ResourceRecords": values})

    def set_soa(self, caller: Caller, zone_id: str, ttl: int) -> None:
        """Set the TTL of the SOA record."""
        with self._lock:
            zone = _backend(caller).zones.get(zone_id)
            if zone is not None:
                zone.upsert_rrset({"Name": zone.name, "Type": "SOA", **_soa(ttl)})


def _key(record: RecordSet) -> tuple[str, str, str]:
    return record["Name"], record["Type"], record.get("SetIdentifier", "")


def _soa(ttl: int) -> RecordSet:
    return {"TTL": ttl, "ResourceRecords": [_SOA_VALUE.format(server=_SERVERS[0], ttl=ttl)]}


def _backend(caller: Caller) -> Any:  # noqa: ANN401 - moto's backend
    from moto.route53.models import route53_backends  # noqa: PLC0415 - moto is imported on first use

    return route53_backends[caller.account]["aws"]
