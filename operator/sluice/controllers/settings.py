"""What the operator's configuration tells the controllers; `app.py` fills it."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.model.discovery import PROPAGATION
from sluice.model.tenancy import Tenancy


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerSettings:
    """The same for the whole process; times in seconds."""

    installation_id: str
    tenancy: Tenancy
    drift_interval: float = 60.0
    """How old a read of services and rules may be at rest, and how often rest is looked at."""
    attributes_interval: float = 600.0
    """The same for target groups with their attributes."""
    discovery_propagation: float = PROPAGATION
    """How long an answer of Cloud Map may be on its way after it changed."""
    suspended: bool = False
    """The switch for the whole operator: observe and report drift, write nothing to AWS."""
    dry_run: bool = False
    """AWS writes are logged and withheld by the gateway: say what would be done and keep no intent."""
    rules_per_listener: int = 100
    """Quota "Rules per Application Load Balancer" (default of the account)."""
