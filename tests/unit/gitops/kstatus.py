"""kstatus: how Helm, Flux and kpt read a resource that they know nothing about.

The rules, in their order, of cli-utils' pkg/kstatus (Compute, checkGenericProperties) for a custom resource.
What `observedGeneration` of the status says comes before any condition; conditions' own is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

KStatus = Literal["Terminating", "InProgress", "Failed", "Current"]


def kstatus(obj: Mapping[str, Any]) -> KStatus:
    """Return what kstatus makes of an object."""
    status = obj.get("status") or {}
    if "deletionTimestamp" in obj["metadata"]:
        return "Terminating"
    if "observedGeneration" in status and status["observedGeneration"] != obj["metadata"]["generation"]:
        return "InProgress"
    true = {c["type"] for c in status.get("conditions") or () if c["status"] == "True"}
    if "Reconciling" in true:
        return "InProgress"
    if "Stalled" in true:
        return "Failed"
    if any(c["type"] == "Ready" and c["status"] != "True" for c in status.get("conditions") or ()):
        return "InProgress"
    return "Current"
