"""The Route 53 hosted zones that Cloud Map keeps for its DNS namespaces, as a port.

What a client of Route 53's own API sees (GetHostedZone, ListResourceRecordSets) is written here; DNS
answers do not come from it but from Cloud Map's state, so that a world without Route 53 has DNS too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sluice_sandbox.aws.service import Caller

RecordSet = dict[str, Any]
"""botocore's ResourceRecordSet of Route 53."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A hosted zone to create. `vpc_id` is '' for a public one."""

    id: str
    name: str
    vpc_id: str
    soa_ttl: int
    comment: str = "Created by AWS Cloud Map"


class HostedZones(Protocol):
    """Where zones and records are kept. Nothing here blocks or refuses: Cloud Map has checked before."""

    def create(self, caller: Caller, zone: Zone) -> None:
        """Create a zone with its SOA and NS records."""

    def delete(self, caller: Caller, zone_id: str) -> None:
        """Delete a zone with what is in it; an unknown one is a no-op."""

    def change(
        self, caller: Caller, zone_id: str, *, remove: Sequence[RecordSet], put: Sequence[RecordSet]
    ) -> None:
        """Take records away, then put others, by name, type and set identifier."""

    def set_soa(self, caller: Caller, zone_id: str, ttl: int) -> None:
        """Set the TTL of the SOA record, seconds."""


@dataclass(slots=True)
class NoZones:
    """Keeps no zones: for worlds without Route 53."""

    def create(self, caller: Caller, zone: Zone) -> None:
        """Forget the zone."""

    def delete(self, caller: Caller, zone_id: str) -> None:
        """Do nothing."""

    def change(
        self, caller: Caller, zone_id: str, *, remove: Sequence[RecordSet], put: Sequence[RecordSet]
    ) -> None:
        """Do nothing."""

    def set_soa(self, caller: Caller, zone_id: str, ttl: int) -> None:
        """Do nothing."""
