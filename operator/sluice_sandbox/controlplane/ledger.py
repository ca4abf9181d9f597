"""Which processes belong to a control plane, and ending exactly those.

A process id alone proves nothing: the number is given to a stranger once its process has ended. So every
process is written down with the time it started (field 22 of /proc/<pid>/stat, proc(5)) and the boot it ran
in, and is signalled only while both still hold. The ledger is a file, so that another process than the one
that started them can end them.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

LEDGER_FILE: Final = "processes.json"
_LOOK_EVERY_S = 0.02
# A killed process goes when the kernel has freed its memory; a disk that hangs is no reason to hang too.
_KILL_S = 10.0


@dataclass(frozen=True, slots=True)
class ProcessEntry:
    """One process of ours. `start_ticks` counts clock ticks since boot; `boot_id` names the boot."""

    name: str
    pid: int
    start_ticks: int
    boot_id: str

    @classmethod
    def of(cls, name: str, pid: int) -> ProcessEntry:
        """Write down a process that was just started and not yet waited for (so its id is still its own)."""
        started = _start_ticks(pid)
        return cls(name=name, pid=pid, start_ticks=-1 if started is None else started, boot_id=_boot_id())

    def alive(self) -> bool:
        """Whether this very process still runs; one that ended and was not reaped yet does not."""
        return _start_ticks(self.pid) == self.start_ticks and _boot_id() == self.boot_id

    def signal(self, number: int) -> bool:
        """Send a signal if the process is still this one; say whether it was sent."""
        if not self.alive():
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True


def spawn(command: list[str], *, log: Path) -> int:
    """Start a program in a session of its own, its output appended to `log`; return its process id.

    `posix_spawn` runs no Python between fork and exec, so it is safe beside other threads. Its own session
    keeps a terminal's Ctrl-C from it: it is ended by `end`, in the right order.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        command[0],
        command,
        dict(os.environ),
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )


def end(entries: Iterable[ProcessEntry], *, grace_s: float) -> None:
    """End these processes one after the other: SIGTERM, and after `grace_s` seconds each SIGKILL.

    Without grace it is SIGKILL at once, as a crash would be. Returns when all have ended; those that are no
    longer ours are left alone.
    """
    for entry in entries:
        if grace_s > 0 and entry.signal(signal.SIGTERM):
            _wait_until_gone(entry, grace_s)
        if entry.signal(signal.SIGKILL):
            _wait_until_gone(entry, _KILL_S)
        reap(entry.pid)


def reap(pid: int) -> int | None:
    """Collect an ended child's status: exit code or minus the signal; None: it runs, or is not our child."""
    try:
        done, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if done == pid else None


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process (VmRSS, proc(5)); 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def write(directory: Path, entries: Iterable[ProcessEntry]) -> None:
    """Replace the ledger of this directory, at once and wholly."""
    unfinished = directory / f".{LEDGER_FILE}.{os.getpid()}"
    unfinished.write_text(json.dumps([asdict(entry) for entry in entries], indent=1), encoding="utf-8")
    unfinished.replace(directory / LEDGER_FILE)


def read(directory: Path) -> list[ProcessEntry]:
    """Return what the ledger of this directory holds, in the order of starting; none means empty."""
    try:
        text = (directory / LEDGER_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return [ProcessEntry(**fields) for fields in json.loads(text)]


def remove(directory: Path) -> None:
    """Forget the processes of this directory."""
    with suppress(FileNotFoundError):
        (directory / LEDGER_FILE).unlink()


def _wait_until_gone(entry: ProcessEntry, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while entry.alive() and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)


def _start_ticks(pid: int) -> int | None:
    """Return when a process started, in ticks since boot, or None when it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The program's name, in parentheses, may hold blanks and parentheses itself: count from the last one.
    state, *fields = text[text.rindex(")") + 2 :].split()
    threads, started = int(fields[16]), int(fields[18])
    # A killed program's first thread is a zombie at once, while the others still hold its sockets.
    return None if state in {"Z", "X"} and threads <= 1 else started


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"
