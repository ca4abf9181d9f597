"""Applying CustomResourceDefinitions so that the next request for their objects works."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sluice_sandbox.controlplane.cluster import Cluster
from sluice_sandbox.controlplane.errors import ControlPlaneError

_PAUSE_S: Final = 0.05


def crd_files(folder: Path) -> list[Path]:
    """Return the manifests in a folder, in the order of their names; an absent folder has none."""
    return sorted(path for path in folder.glob("*") if path.suffix in {".yaml", ".yml", ".json"})


def apply_crds(cluster: Cluster, paths: Iterable[Path], *, deadline_s: float = 30.0) -> list[str]:
    """Apply these manifests and wait until the API server serves what they define.

    Server-side apply: a CRD with long descriptions does not fit the annotation of the client-side one.
    Returns what was applied as `customresourcedefinition.apiextensions.k8s.io/NAME`.

    Raises:
        CommandFailed: the API server refused one.
        ControlPlaneError: one was not Established within `deadline_s` seconds.
    """
    files = [argument for path in paths for argument in ("-f", str(path))]
    if not files:
        return []
    applied = cluster.kubectl("apply", "--server-side", "--force-conflicts", "-o", "name", *files).split()
    end = time.monotonic() + deadline_s
    for definition in applied:
        kind, _, name = definition.partition("/")
        while kind.startswith("customresourcedefinition") and not _established(cluster, name):
            if time.monotonic() > end:
                raise ControlPlaneError(f"{name} is not served {deadline_s:g} s after it was applied")
            time.sleep(_PAUSE_S)
    return applied


def _established(cluster: Cluster, name: str) -> bool:
    """Tell whether the API server serves a definition.

    Not `kubectl wait`: it ends with an error when it looks before the first condition is written.
    """
    definition = cluster.request("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
    conditions = definition.get("status", {}).get("conditions") or ()
    return any(entry["type"] == "Established" and entry["status"] == "True" for entry in conditions)
