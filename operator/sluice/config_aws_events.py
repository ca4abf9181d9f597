"""The settings of AWS's events: an SQS queue that EventBridge feeds."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from sluice.config_section import Seconds, Section

QUEUE_URL: Final = r"^(https?://[^/]+/(.+/)?\d{12}/[A-Za-z0-9_-]{1,80})?$"


class AwsEventsSettings(Section):
    """How ECS's state changes are heard of."""

    queue_url: str = Field(default="", pattern=QUEUE_URL)
    """URL of the queue; '' is none: everything is found by looking."""
    account: str = ""
    """Name of an entry of accounts whose role reads the queue; '' is the operator's own."""
    drift_factor: float = Field(default=5, ge=1, le=60)
    """By how much Deployments at rest are looked at more seldom while events flow."""
    quiet_after: Seconds = 900
    """For how long no event of an account and region may come until they count as not flowing."""
