"""One control plane for several processes that come and go, as pytest-xdist's workers do.

Starting takes seconds and 320 MB, so the processes of a test session share one, and keep apart by namespace.
The first to come starts it, the last to leave ends it; whoever is killed in between counts as having left
(see `keeper`).
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sluice_sandbox.controlplane import keeper, ledger
from sluice_sandbox.controlplane.cluster import Cluster
from sluice_sandbox.controlplane.plane import ControlPlane, stop_in


def _nothing(_cluster: Cluster) -> None:
    """Prepare nothing."""


@contextmanager
def shared_control_plane(
    directory: Path, *, prepare: Callable[[Cluster], None] = _nothing, controller_manager: bool = False
) -> Iterator[Cluster]:
    """Yield the control plane in `directory`, started if nobody has one there.

    Whoever starts it runs `prepare` before anybody uses it (CRDs, say). It starts empty, whatever an earlier
    session left in `directory`.

    Raises:
        MissingProgram: a program is not on this machine.
        NotStarted: it did not become ready.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _coming_or_leaving(directory):
        use = keeper.Use(directory)
        try:
            if not _runs(directory):
                _begin(directory, prepare=prepare, controller_manager=controller_manager)
        except BaseException:
            use.release()
            raise
    try:
        yield Cluster(directory)
    finally:
        with _coming_or_leaving(directory):
            if use.release():
                stop_in(directory)
                shutil.rmtree(directory / "etcd", ignore_errors=True)


def _begin(directory: Path, *, prepare: Callable[[Cluster], None], controller_manager: bool) -> None:
    stop_in(directory)
    shutil.rmtree(directory / "etcd", ignore_errors=True)
    plane = ControlPlane(directory, controller_manager=controller_manager)
    plane.start()
    try:
        prepare(plane.cluster)
    except BaseException:
        plane.stop()
        raise
    plane.leave()


def _runs(directory: Path) -> bool:
    entries = ledger.read(directory)
    return bool(entries) and all(entry.alive() for entry in entries)


@contextmanager
def _coming_or_leaving(directory: Path) -> Iterator[None]:
    with (directory / "door").open("w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
