"""Three numbers for one weight: what a step asks for, what the rule says, what the load balancer counted.

They are read from three places, so that none can vouch for another: the Deployment's status, the route's
status (what was read back from the rule), and the counts that the stand-in's load balancer keeps.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from sluice_sandbox.demo.scene import Scene

_SEEN_S = 2.0
"""The observed share is that of the last two seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A Deployment's rollout at one moment. Shares are the candidate's, in percent; None: nobody says."""

    name: str
    phase: str
    ready: bool
    step: str = ""
    doing: str = ""
    """Text of the present step, or what the rollout waits for."""
    slot: str = ""
    desired: float | None = None
    configured: float | None = None
    observed: float | None = None
    requests: int = 0
    """What observed was counted from."""
    gates: tuple[str, ...] = ()
    reason: str = ""


class Watcher:
    """Looks at one Deployment with a route of the same name."""

    def __init__(self, scene: Scene, name: str) -> None:
        """Watch the rollout of `name`, from now on."""
        self._scene = scene
        self._name = name
        self._slot = ""
        self._counts: deque[tuple[float, dict[str, int]]] = deque()

    def look(self) -> Look:
        """Return how it stands."""
        deployment = self._scene.status("Deployment", self._name)
        route = self._scene.status("ServiceRoute", self._name)
        rollout = deployment.get("rollout") or {}
        self._slot = str(rollout.get("slot") or self._slot or (deployment.get("live") or {}).get("slot", ""))
        slot = self._slot
        backend: dict[str, Any] = next(iter(route.get("backends") or ()), {})
        observed, requests = self._observed(deployment.get("targetGroups") or (), slot)
        conditions = {item["type"]: item for item in deployment.get("conditions") or ()}
        ready: dict[str, Any] = conditions.get("Ready", {})
        steps = rollout.get("steps") or []
        index = int(rollout.get("stepIndex") or 0)
        stepping = rollout.get("stage") == "Stepping" and index < len(steps)
        return Look(
            name=self._name,
            phase=str(deployment.get("phase", "")),
            ready=ready.get("status") == "True",
            step=str(rollout.get("step") or ""),
            doing=steps[index] if stepping else str(rollout.get("stage") or "at rest"),
            slot=slot,
            desired=_percent((deployment.get("traffic") or {}).get("weights"), slot),
            configured=_percent(backend.get("configured"), slot),
            observed=observed,
            requests=requests,
            gates=tuple(
                f"{gate['name']}: {gate['state']}"
                + (f", {gate['message']}" if gate.get("message") and "metric" in gate["name"] else "")
                for gate in rollout.get("gates") or ()
                if gate["name"].startswith(("metric", "pause", "alarm", "hook", "person"))
            ),
            reason=str(ready.get("reason", "")),
        )

    def _observed(self, groups: Any, slot: str) -> tuple[float | None, int]:  # noqa: ANN401 - of status
        """Return the slot's share of the requests that the load balancer counted lately."""
        by_arn = {str(group["arn"]): str(group["slot"]) for group in groups if group.get("arn")}
        now, counted = time.monotonic(), self._scene.stage.counted()
        totals: dict[str, int] = {}
        for arn, name in by_arn.items():
            totals[name] = totals.get(name, 0) + counted.get(arn, 0)
        self._counts.append((now, totals))
        while len(self._counts) > 2 and self._counts[1][0] <= now - _SEEN_S:
            self._counts.popleft()
        before = self._counts[0][1]
        came = {name: total - before.get(name, 0) for name, total in totals.items()}
        requests = sum(came.values())
        return (100 * came.get(slot, 0) / requests if requests else None), requests


def _percent(parts: dict[str, int] | None, slot: str) -> float | None:
    total = sum((parts or {}).values())
    return 100 * (parts or {}).get(slot, 0) / total if total else None
