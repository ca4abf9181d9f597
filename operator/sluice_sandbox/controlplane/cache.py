"""Where the programs are kept between runs, and how one gets there without a reader seeing half of it.

`${XDG_CACHE_HOME:-~/.cache}/sluice/controlplane/<project>-v<version>/<program>`: one folder per version,
so two checkouts that pin different ones do not fight. A program is written under another name in the same
folder, and renamed: it is either absent or whole. One lock for the whole cache: two builds at once would take
twice as long, and the second finds what the first made.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sluice_sandbox.controlplane.pins import Program


def cache_root() -> Path:
    """The folder of this user's programs (XDG Base Directory Specification); it need not exist yet."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The specification: a relative path in the variable is invalid and to be ignored.
    root = Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache"
    return root / "sluice" / "controlplane"


def cached_path(program: Program) -> Path:
    """Where this program is, or will be, in the cache."""
    return cache_root() / program.folder / program.name


@contextmanager
def cache_lock(say: Callable[[str], None]) -> Iterator[None]:
    """Hold the cache against other processes; says so once when it has to wait.

    A lock of the operating system: it ends with its process, so a killed build blocks nobody.
    """
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process is preparing the control plane's programs: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def install(program: Program) -> Iterator[Path]:
    """Yield a path to write the program to; on leaving without an error it is put in its place.

    Call it under `cache_lock`. Whatever a killed process left unfinished is removed first.
    """
    final = cached_path(program)
    final.parent.mkdir(parents=True, exist_ok=True)
    for left_over in final.parent.glob(f".{program.name}.*"):
        left_over.unlink(missing_ok=True)
    unfinished = final.parent / f".{program.name}.{os.getpid()}"
    try:
        yield unfinished
        unfinished.chmod(0o755)
        unfinished.replace(final)
    finally:
        unfinished.unlink(missing_ok=True)
