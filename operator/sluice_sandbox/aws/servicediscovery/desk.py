"""What the handlers of Cloud Map share: the books, the time, the quotas, ids.

One constructor parameter instead of six. Also the look-ups that every handler needs: AWS takes a
namespace's or service's id and its ARN alike (botocore: "The ID or Amazon Resource Name").
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import dataclass, field

from sluice_sandbox.aws.clock import Clock
from sluice_sandbox.aws.faults import Verdict
from sluice_sandbox.aws.ports import Estate, Network
from sluice_sandbox.aws.service import Caller
from sluice_sandbox.aws.servicediscovery import refusals
from sluice_sandbox.aws.servicediscovery.settings import CloudMapSettings
from sluice_sandbox.aws.servicediscovery.state import DiscoveryService, Namespace, Region, State
from sluice_sandbox.aws.servicediscovery.zones import HostedZones, NoZones

_LOWER = string.ascii_lowercase + string.digits
_UPPER = string.ascii_uppercase + string.digits

Mishap = Callable[[Caller, str], Verdict | None]
"""Asked when an operation is to be carried out, by its type: what refuses or delays it, None for nothing."""


def no_mishap(_caller: Caller, _kind: str) -> Verdict | None:
    """Let every operation succeed in its time."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What Cloud Map sees beyond itself."""

    estate: Estate
    network: Network
    zones: HostedZones = field(default_factory=NoZones)
    mishap: Mishap = no_mishap


class Desk:
    """The shared surroundings of all handlers."""

    def __init__(
        self, clock: Clock, *, outlook: Outlook, rng: random.Random, settings: CloudMapSettings
    ) -> None:
        """Start with empty books."""
        self.clock = clock
        self.outlook = outlook
        self.settings = settings
        self.rng = rng
        self.state = State()

    def region(self, caller: Caller) -> Region:
        """Return the caller's part of the books."""
        return self.state.region(caller)

    # ------------------------------------------------------------------ look-ups

    def namespace(self, caller: Caller, identifier: str) -> Namespace:
        """Return a namespace by id or ARN, or refuse with NamespaceNotFound."""
        found = self.region(caller).namespaces.get(identifier.rsplit("/", 1)[-1])
        if found is None or not found.ready or (identifier.startswith("arn:") and found.arn != identifier):
            raise refusals.namespace_not_found(identifier)
        return found

    def service(self, caller: Caller, identifier: str) -> DiscoveryService:
        """Return a service by id or ARN, or refuse with ServiceNotFound."""
        found = self.region(caller).services.get(identifier.rsplit("/", 1)[-1])
        if found is None or (identifier.startswith("arn:") and found.arn != identifier):
            raise refusals.service_not_found(identifier)
        return found

    # ----------------------------------------------------------------------- ids

    def resource_id(self, prefix: str) -> str:
        """Return an id as `ns-ylexjili4cdxy3xm` (botocore's examples)."""
        return f"{prefix}-{self._draw(_LOWER, 16)}"

    def operation_id(self) -> str:
        """Return an id as `gv4g5meo7ndmeh4fqskygvk23d2fijwa-k9302yzd` (botocore's examples)."""
        return f"{self._draw(_LOWER, 32)}-{self._draw(_LOWER, 8)}"

    def zone_id(self) -> str:
        """Return an id as `Z06752353VBUDTC32S84S` (botocore's examples)."""
        return "Z" + self._draw(_UPPER, 20)

    def arn(self, caller: Caller, kind: str, identifier: str) -> str:
        """Return `arn:aws:servicediscovery:<region>:<account>:<kind>/<id>`."""
        return f"arn:aws:servicediscovery:{caller.region}:{caller.account}:{kind}/{identifier}"

    def _draw(self, alphabet: str, length: int) -> str:
        return "".join(self.rng.choices(alphabet, k=length))
