"""`python -m sluice_sandbox.controlplane.beside [NAMES] -- COMMAND`: get the programs while COMMAND runs.

Building the control plane takes minutes and needs nothing but Go, setting up the Python environment needs pip
and a package index: `make setup` does both at once. It runs with the Python that is there before any
environment is, so nothing beyond the standard library is imported. NAMES, comma-separated, are optional
programs to get besides the required ones.

Both write lines of progress. A COMMAND that fails ends the build (Go keeps what it compiled), and its exit
status is this one's. Where the programs can't be had, COMMAND is still let finish, and then it is said why.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Final, NoReturn

from sluice_sandbox.controlplane.errors import ControlPlaneError
from sluice_sandbox.controlplane.pins import OPTIONAL, REQUIRED
from sluice_sandbox.controlplane.provision import ensure, say_on_stderr

_BY_SIGNAL: Final = 128
"""What shells add to a signal's number when it ended a process."""
_USAGE: Final = "usage: python -m sluice_sandbox.controlplane.beside [NAMES] -- COMMAND..."


class _Ended(Exception):  # noqa: N818 - an event, raised in the main thread by a signal
    """The command failed, or somebody ends this process: there is nothing to build for."""


class _Beside(threading.Thread):
    """Runs the command and, when it fails, interrupts the build in the main thread."""

    def __init__(self, command: Sequence[str]) -> None:
        super().__init__(name="command", daemon=True)
        self._lock = threading.Lock()
        self._building = True
        self.process = subprocess.Popen(list(command))  # noqa: S603 - what the Makefile asks for

    def run(self) -> None:
        """Wait for the command."""
        if self.process.wait() != 0:
            with self._lock:
                if self._building:
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    def built(self) -> None:
        """Say that there is nothing left to interrupt."""
        with self._lock:
            self._building = False


def main(arguments: Sequence[str]) -> int:
    """Do both and return the exit status; 2 for arguments that make no sense."""
    names, command = _parse(arguments)
    if names is None or not command:
        print(_USAGE, f"NAMES: {','.join(OPTIONAL)}", sep="\n", file=sys.stderr)  # noqa: T201 - to a person
        return 2
    for number in (signal.SIGUSR1, signal.SIGTERM):
        signal.signal(number, _end)
    beside = _Beside(command)
    beside.start()
    trouble = ""
    try:
        try:
            ensure((*REQUIRED, *names))
        except ControlPlaneError as error:
            trouble = str(error)
        beside.built()
        if trouble and beside.is_alive():
            say_on_stderr("the programs can't be had; the reason follows when the rest of the set-up is done")
        beside.join()
    except (_Ended, KeyboardInterrupt) as end:
        return _ended(beside, interrupted=isinstance(end, KeyboardInterrupt))
    if trouble:
        say_on_stderr(trouble)
        return beside.process.returncode or 1
    return beside.process.returncode


def _ended(beside: _Beside, *, interrupted: bool) -> int:
    """Leave no process behind and say what ended it."""
    beside.built()
    failed = beside.process.poll()
    if failed is None:
        if not interrupted:  # on Ctrl-C the terminal has told the command already
            beside.process.terminate()
        beside.process.wait()
        return _BY_SIGNAL + (signal.SIGINT if interrupted else signal.SIGTERM)
    say_on_stderr(f"not prepared further: the other part of the set-up failed (status {failed}), see above")
    return failed or 1


def _parse(arguments: Sequence[str]) -> tuple[tuple[str, ...] | None, Sequence[str]]:
    if "--" not in arguments:
        return None, ()
    at = arguments.index("--")
    names = tuple(name for part in arguments[:at] for name in part.split(",") if name)
    return (names if set(names) <= set(OPTIONAL) else None), arguments[at + 1 :]


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _Ended


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
