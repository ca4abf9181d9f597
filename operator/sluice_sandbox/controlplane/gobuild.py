"""Building a program with Go from a pinned module of this repository.

The way for machines that reach a Go module proxy and nothing else. The modules under tools/ hold only go.mod
and go.sum: every dependency by version and checksum, the programs named by `tool` directives. A wheel carries
them as package data (`gomodules/`); a source tree has them in tools/.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from sluice_sandbox.controlplane.errors import BuildFailed
from sluice_sandbox.controlplane.pins import Program

NEEDS_GO: Final = "Go 1.26 or newer (https://go.dev/dl/) with a reachable module proxy"
_TELL_EVERY_S = 15.0
_LAST_LINES = 20
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""SIGUSR1 is `beside`'s."""


def module_folder(name: str) -> Path | None:
    """Return the folder with the module's go.mod, in an installed package or in a source tree."""
    here = Path(__file__).resolve().parent
    candidates = [here / "gomodules" / name]
    if len(here.parents) > 2:
        candidates.append(here.parents[2] / "tools" / name)
    for folder in candidates:
        go_mod = folder / "go.mod"
        # Above an installed package anything may be called tools/: the module's own name decides.
        if go_mod.is_file() and f"module sluice.dev/tools/{name}\n" in go_mod.read_text(encoding="utf-8"):
            return folder
    return None


def why_not(program: Program) -> str | None:
    """Say in one line why Go cannot build this program here, or None if it can be tried."""
    folder = module_folder(program.module)
    if folder is None:
        return f"the Go module tools/{program.module} is neither in this installation nor beside the source"
    go = shutil.which("go")
    if go is None:
        return "Go is not installed (no `go` in PATH)"
    # Asked inside the module: Go itself knows whether it, or a toolchain it may fetch, satisfies go.mod.
    asked = subprocess.run(  # noqa: S603 - the person's own Go
        [go, "version"], cwd=folder, env=_environment(), capture_output=True, text=True, check=False
    )
    return None if asked.returncode == 0 else (asked.stderr.strip() or "`go version` failed")


def build(program: Program, target: Path, say: Callable[[str], None]) -> None:
    """Build `program` into the file `target`, with a line of progress now and then.

    Raises:
        BuildFailed: Go ended with an error; the text has the end of its output.
    """
    go, folder = shutil.which("go"), module_folder(program.module)
    if go is None or folder is None:
        raise BuildFailed(f"{program.name}: {why_not(program)}")
    flags = " ".join(("-s", "-w", *program.link_flags))
    command = [go, "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", str(target)]
    command.append(program.package)
    say(f"{program.name} {program.version}: building with Go ({program.minutes} the first time, on 2 cores)")
    began = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        status = _run(command, folder, output=output, tick=lambda: _tell(program, began, say))
        if status != 0:
            output.seek(0)
            lines = output.read().splitlines()[-_LAST_LINES:]
            what = f"`go build {program.package}` in {folder} ended with status {status}"
            raise BuildFailed("\n  ".join((f"{what}:", *lines)))
    say(f"{program.name} {program.version}: built in {time.monotonic() - began:.0f} s")


def _tell(program: Program, began: float, say: Callable[[str], None]) -> None:
    say(f"{program.name} {program.version}: still building, {time.monotonic() - began:.0f} s")


def _run(command: list[str], folder: Path, *, output: IO[str], tick: Callable[[], None]) -> int:
    process = None
    try:
        with _signals_later():
            process = subprocess.Popen(  # noqa: S603 - the person's own Go, arguments from pins
                command,
                cwd=folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A group of its own: an interrupted build ends with its compilers.
                start_new_session=True,
            )
        while True:
            try:
                return process.wait(timeout=_TELL_EVERY_S)
            except subprocess.TimeoutExpired:
                tick()
    except BaseException:
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()
        raise


@contextmanager
def _signals_later() -> Iterator[None]:
    """Hold back what would end the build until it has a process that can be ended."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python runs handlers in the main thread alone
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda got, _: came.append(got)) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for got in came[:1]:
            signal.raise_signal(got)


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        # Programs without C libraries run on any Linux, and need no C compiler.
        "CGO_ENABLED": "0",
        # go.sum is complete; a build that wants to change it is a defect. Replaces flags that this person
        # set for other work, as GOWORK=off does for a go.work above the source tree.
        "GOFLAGS": "-mod=readonly",
        "GOWORK": "off",
    }
