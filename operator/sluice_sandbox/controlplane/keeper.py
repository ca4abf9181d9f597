"""Ends a control plane when the last process that uses it is gone, however it went.

`kill -9` runs no clean-up, and a death signal (prctl's PR_SET_PDEATHSIG) follows the *thread* that started a
process, which may end long before the user does. So each user of a control plane holds a shared lock on the
file `users` in its directory, and this process waits for the exclusive one: the operating system grants it
when the last holder has let go or died. That also counts users that come and go, as test workers do.

Run as `python -m sluice_sandbox.controlplane.keeper DIR`; it imports little, as one runs beside each of them.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sluice_sandbox.controlplane import ledger

KEEPER = "keeper"
USERS_FILE = "users"
# A control plane without users keeps nothing worth a slow farewell.
GRACE_S = 3.0


class Use:
    """One process's share in a control plane's directory, held until `release` or the process's end."""

    def __init__(self, directory: Path) -> None:
        """Take the share; waits while the last user's leaving is still being tidied up."""
        self._descriptor: int | None = os.open(directory / USERS_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def release(self) -> bool:
        """Give the share back; True if nobody else has one. Harmless a second time."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True


@contextmanager
def after_the_last(directory: Path) -> Iterator[None]:
    """Wait until nobody has a share in `directory`, and keep newcomers waiting for the block's length."""
    descriptor = os.open(directory / USERS_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def end_all(directory: Path, *, grace_s: float) -> list[str]:
    """End every process in the directory's ledger, the latest started first; return the names that ran.

    The keeper goes before the rest, or it would do the same at the same time; from within the keeper it is
    left out.
    """
    entries = [entry for entry in reversed(ledger.read(directory)) if entry.pid != os.getpid()]
    running = [entry.name for entry in entries if entry.alive()]
    ledger.end([entry for entry in entries if entry.name == KEEPER], grace_s=grace_s)
    ledger.end([entry for entry in entries if entry.name != KEEPER], grace_s=grace_s)
    ledger.remove(directory)
    return running


def main(directory: Path) -> None:
    """Wait for the last user, then end what the ledger holds by then."""
    with after_the_last(directory):
        end_all(directory, grace_s=GRACE_S)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
