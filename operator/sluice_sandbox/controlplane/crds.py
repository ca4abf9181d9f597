"""Applying CustomResourceDefinitions so that the next request for their objects works."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sluice_sandbox.controlplane.cluster import Cluster


def crd_files(folder: Path) -> list[Path]:
    """Return the manifests in a folder, in the order of their names; an absent folder has none."""
    return sorted(path for path in folder.glob("*") if path.suffix in {".yaml", ".yml", ".json"})


def apply_crds(cluster: Cluster, paths: Iterable[Path], *, deadline_s: float = 30.0) -> list[str]:
    """Apply these manifests and wait until the API server serves what they define.

    Server-side apply: a CRD with long descriptions does not fit the annotation of the client-side one.
    Returns what was applied as `customresourcedefinition.apiextensions.k8s.io/NAME`.

    Raises:
        CommandFailed: the API server refused one, or it was not Established within `deadline_s` seconds.
    """
    files = [argument for path in paths for argument in ("-f", str(path))]
    if not files:
        return []
    applied = cluster.kubectl("apply", "--server-side", "--force-conflicts", "-o", "name", *files).split()
    definitions = [name for name in applied if name.startswith("customresourcedefinition")]
    if definitions:
        timeout = f"--timeout={deadline_s:g}s"
        cluster.kubectl(
            "wait", "--for=condition=Established", timeout, *definitions, timeout_s=deadline_s + 10
        )
    return applied
