"""Getting the programs: found if they are there, else fetched, else built, once per machine.

The order is world.md's: what `resolve` finds; then the official archives; then Go. A way that does not work
is told in one line, and the next is tried; when none works, the error lists each and what would help.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from sluice_sandbox.controlplane import gobuild
from sluice_sandbox.controlplane.archives import ReleaseArchives, Unavailable
from sluice_sandbox.controlplane.cache import cache_lock, cache_root, cached_path, install
from sluice_sandbox.controlplane.errors import MissingProgram
from sluice_sandbox.controlplane.pins import PROGRAMS, REQUIRED, Program
from sluice_sandbox.controlplane.resolve import find

Say = Callable[[str], None]


def say_on_stderr(line: str) -> None:
    """Tell one line of progress; whole lines, so that it reads well in a log too."""
    print(f"[control plane] {line}", file=sys.stderr, flush=True)  # noqa: T201 - progress for a person


def ensure(names: Iterable[str] = REQUIRED, *, say: Say = say_on_stderr) -> dict[str, Path]:
    """Return the files of these programs, making those that are not on this machine.

    Quick and silent when all are there. Safe to call from several processes at once: one works, the others
    wait and find what it made.

    Raises:
        MissingProgram: no way led to one of them.
        KeyError: a name that is not in `pins.PROGRAMS`.
    """
    wanted = set(names)
    if unknown := wanted - PROGRAMS.keys():
        raise KeyError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(PROGRAMS)}")
    programs = [program for name, program in PROGRAMS.items() if name in wanted]
    paths = {program.name: hit.path for program in programs if (hit := find(program)) is not None}
    missing = [program for program in programs if program.name not in paths]
    if missing:
        began = time.monotonic()
        say(f"to be made once, kept in {cache_root()}: {', '.join(program.name for program in missing)}")
        with cache_lock(say):
            archives = ReleaseArchives()
            for program in missing:
                paths[program.name] = _make(program, archives=archives, say=say)
        say(f"ready after {time.monotonic() - began:.0f} s")
    return paths


def _make(program: Program, *, archives: ReleaseArchives, say: Say) -> Path:
    hit = find(program)
    if hit is not None:
        # Another process made it while this one waited for the lock.
        return hit.path
    with install(program) as target:
        try:
            archives.fetch(program, target)
            say(f"{program.name} {program.version}: fetched from its official release, checksum verified")
        except Unavailable as no_archive:
            say(f"{program.name} {program.version}: no release archive: {no_archive}")
            reason = gobuild.why_not(program)
            if reason is not None:
                raise MissingProgram(_advice(program, str(no_archive), reason)) from no_archive
            gobuild.build(program, target, say)
    return cached_path(program)


def _advice(program: Program, no_archive: str, no_build: str) -> str:
    minor = program.version.rsplit(".", 1)[0]
    return "\n".join(
        (
            f"{program.name} {program.version} is needed and no way led to it:",
            "  $KUBEBUILDER_ASSETS  is not set to a folder that has it",
            f"  PATH                 has none within one minor version of {minor}",
            f"  cache                {cached_path(program)} does not exist",
            f"  release archive      {no_archive}",
            f"  go build             {no_build}",
            "Any one of these helps:",
            f"  - install {gobuild.NEEDS_GO}",
            f"  - put {program.name} {minor}.x in PATH, or in a folder named by KUBEBUILDER_ASSETS",
            f"  - copy it from another machine to {cached_path(program)}",
        )
    )
