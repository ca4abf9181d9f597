"""Finding a program that is already on this machine, in the order that people expect.

1. `$KUBEBUILDER_ASSETS`, the folder that envtest's users set: taken as it is, whatever the version;
2. `PATH`, if the program says a version within one minor of the pinned one;
3. the user's cache folder.

Nothing here writes, fetches or builds: see `provision`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sluice_sandbox.controlplane.cache import cached_path
from sluice_sandbox.controlplane.errors import MissingProgram
from sluice_sandbox.controlplane.pins import PROGRAMS, REQUIRED, Program

# A program that hangs on --version is not one to run.
_VERSION_DEADLINE_S = 20.0


@dataclass(frozen=True, slots=True)
class Found:
    """A program's file and which of the ways led to it, as words for a person."""

    path: Path
    origin: str


def find(program: Program) -> Found | None:
    """Return the first of the ways that has the program, or None."""
    assets = os.environ.get("KUBEBUILDER_ASSETS", "")
    if assets and _is_program(path := Path(assets).absolute() / program.name):
        return Found(path, "$KUBEBUILDER_ASSETS")
    on_path = shutil.which(program.name)
    if on_path is not None and _version_fits(program, on_path):
        return Found(Path(on_path).absolute(), "PATH")
    if _is_program(path := cached_path(program)):
        return Found(path, "cache")
    return None


def locate(names: Iterable[str] = REQUIRED) -> dict[str, Path]:
    """Return the files of these programs, all of which must be on this machine already.

    Raises:
        MissingProgram: one is not; the text says which command provides it.
    """
    found = {name: find(PROGRAMS[name]) for name in names}
    missing = [name for name, hit in found.items() if hit is None]
    if missing:
        raise MissingProgram(
            f"not on this machine: {', '.join(missing)}. "
            f"`python -m sluice_sandbox.controlplane ensure{_with(missing)}` provides them "
            "(`make setup` runs it); the first time takes some minutes."
        )
    return {name: hit.path for name, hit in found.items() if hit is not None}


def _with(missing: Iterable[str]) -> str:
    optional = [name for name in missing if name not in REQUIRED]
    return f" --with {','.join(optional)}" if optional else ""


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _version_fits(program: Program, path: str) -> bool:
    try:
        asked = subprocess.run(  # noqa: S603 - a program of this name from the person's own PATH
            [path, *program.version_command],
            capture_output=True,
            text=True,
            timeout=_VERSION_DEADLINE_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env=_quiet(os.environ),
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0 and program.accepts(asked.stdout)


def _quiet(environment: Mapping[str, str]) -> dict[str, str]:
    # A kubectl asked for its own version has no business with the person's cluster.
    return {**environment, "KUBECONFIG": os.devnull}
