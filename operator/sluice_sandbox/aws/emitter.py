"""Where state-change events go: moto's EventBridge, or a short memory when there is no moto.

Events are a by-product: emitting one never raises into the service that changed, and never makes the
loop wait for moto.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sluice_sandbox.aws.service import Caller

if TYPE_CHECKING:
    from sluice_sandbox.aws.moto_bridge import MotoBridge

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event as EventBridge would deliver it."""

    account: str
    region: str
    source: str
    detail_type: str
    detail: Mapping[str, object]
    resources: tuple[str, ...]


@dataclass(slots=True)
class RememberingEmitter:
    """Keeps the newest events for tests and the control API."""

    recent: deque[Event] = field(default_factory=lambda: deque(maxlen=1_000))

    def emit(
        self,
        caller: Caller,
        *,
        source: str,
        detail_type: str,
        detail: Mapping[str, object],
        resources: Sequence[str] = (),
    ) -> None:
        """Remember the event."""
        self.recent.append(
            Event(
                account=caller.account,
                region=caller.region,
                source=source,
                detail_type=detail_type,
                detail=detail,
                resources=tuple(resources),
            )
        )


class MotoEmitter(RememberingEmitter):
    """Also puts the events into moto's EventBridge, from moto's own thread."""

    def __init__(self, moto: MotoBridge) -> None:
        """Publish through `moto` (a `moto_bridge.MotoBridge`)."""
        super().__init__()
        self._moto = moto

    def emit(
        self,
        caller: Caller,
        *,
        source: str,
        detail_type: str,
        detail: Mapping[str, object],
        resources: Sequence[str] = (),
    ) -> None:
        """Publish one event; never raises, never blocks.

        Nothing can be subscribed before a client has used EventBridge, so until then the event
        is only remembered and moto's `events` is not even imported.
        """
        super().emit(caller, source=source, detail_type=detail_type, detail=detail, resources=resources)
        try:
            if not self._moto.used("events"):
                return
            entry = {
                "Source": source,
                "DetailType": detail_type,
                "Detail": json.dumps(detail, default=str),
                "Resources": list(resources),
            }
            self._moto.submit(lambda: self._moto.put_event(caller, entry))
        except Exception:  # noqa: BLE001 - whatever moto does, the service that changed goes on
            _log.exception("an event of %s was dropped", source)
