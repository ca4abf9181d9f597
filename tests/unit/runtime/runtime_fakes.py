"""What the runtime's unit tests share: a clock to turn and raw custom resources."""

from __future__ import annotations

from typing import Any

from sluice.model.keys import API_VERSION, DEPLOYMENT, SERVICE_ROUTE


class TurnedClock:
    """Time that moves when told to."""

    def __init__(self) -> None:
        """Start somewhere."""
        self.time = 1000.0

    def now(self) -> float:
        """Return wall time that moves with the monotonic one."""
        return 1_700_000_000.0 + self.time

    def monotonic(self) -> float:
        """Return the time."""
        return self.time


def deployment(
    name: str = "checkout",
    *,
    version: int | str = 1,
    uid: str = "u1",
    generation: int = 1,
    status: dict[str, Any] | None = None,
    **metadata: Any,
) -> dict[str, Any]:
    """Return a raw Deployment."""
    return _object(DEPLOYMENT, name, version, uid, generation, metadata) | (
        {"status": status} if status else {}
    )


def route(
    name: str = "web",
    *backends: str,
    version: int | str = 1,
    uid: str = "r1",
    generation: int = 1,
    status: dict[str, Any] | None = None,
    **metadata: Any,
) -> dict[str, Any]:
    """Return a raw ServiceRoute that refers to Deployments by name."""
    found = _object(SERVICE_ROUTE, name, version, uid, generation, metadata)
    found["spec"] = {"rules": [{"backendRefs": [{"name": backend} for backend in backends]}]}
    return found | ({"status": status} if status else {})


def _object(
    kind: str, name: str, version: int | str, uid: str, generation: int, metadata: dict[str, Any]
) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {
            "namespace": "shop",
            "name": name,
            "uid": uid,
            "resourceVersion": str(version),
            "generation": generation,
            **metadata,
        },
        "spec": {},
    }
