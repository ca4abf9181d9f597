"""Building the control plane beside the rest of the set-up: both, one of them, or neither comes to an end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
# A compiler that never ends by itself: a test that waits for it fails by its deadline.
ENDLESS = 'echo "$$" > {pid}\nwhile :; do sleep 1; done\n'
QUICK = 'while [ "$1" != -o ]; do shift; done\necho built > "$2"\n'


class Machine:
    """A user's machine with nothing but a shell, an empty cache and the Go that a test puts there."""

    def __init__(self, folder: Path) -> None:
        """Use `folder` for its PATH, its cache and what the command leaves."""
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []
        self.path = folder / "bin"
        self.path.mkdir()
        for tool in ("sh", "sleep"):
            (self.path / tool).symlink_to(shutil.which(tool) or tool)

    def go(self, body: str) -> None:
        """Install a Go whose `build` is this shell script."""
        program = self.path / "go"
        program.write_text(f'#!/bin/sh\n[ "$1" = version ] && exit 0\n{body}', encoding="utf-8")
        program.chmod(0o755)

    def start(self, *command: str, names: str = "") -> subprocess.Popen[str]:
        """Run it as the Makefile does: no site-packages at all (-S), nothing of this environment."""
        arguments = ["-S", "-m", "sluice_sandbox.controlplane.beside", *filter(None, [names]), "--", *command]
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env={
                "PATH": str(self.path),
                "XDG_CACHE_HOME": str(self.folder / "cache"),
                "SLUICE_NO_DOWNLOAD": "1",
                "PYTHONPATH": str(ROOT / "operator"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def run(self, *command: str, names: str = "") -> tuple[int, str]:
        """Run it to its end and return its status and what a person reads."""
        process = self.start(*command, names=names)
        out, err = process.communicate(timeout=30)
        return process.returncode, out + err

    def built(self) -> set[str]:
        """Return what is in the cache."""
        return {file.name for file in (self.folder / "cache").rglob("*") if file.is_file()} - {"lock"}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine of its own, on which nothing is left running.

    Whoever starts the tests in the background may ignore Ctrl-C, and a process hands that on to those that it
    starts: a handler of ours is not handed on.
    """
    machine = Machine(tmp_path)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield machine
    signal.signal(signal.SIGINT, before)
    for process in machine.started:
        process.terminate()
        process.communicate(timeout=20)


def test_both_come_to_their_end(machine: Machine) -> None:
    """Exit 0 with the required programs, the optional ones that were asked for, and the command's work."""
    machine.go(QUICK)
    done = machine.folder / "done"
    status, text = machine.run("sh", "-c", f"echo yes > {done}", names="helm")
    assert status == 0, text
    assert done.read_text(encoding="utf-8") == "yes\n"
    assert machine.built() == {"etcd", "kube-apiserver", "kubectl", "helm"}
    assert "[control plane] etcd" in text


def test_they_run_at_the_same_time(machine: Machine) -> None:
    """The build waits for what the command does, and the command for what the build does."""
    one, other = machine.folder / "one", machine.folder / "other"
    wait = 'while [ ! -e "{}" ]; do sleep 0.05; done\n'
    machine.go(f"echo > {one}\n{wait.format(other)}{QUICK}")
    status, text = machine.run("sh", "-c", f"{wait.format(one)}echo > {other}")
    assert status == 0, text


def test_a_command_that_fails_ends_the_build(machine: Machine) -> None:
    """Its status is told, and no compiler is left running behind the person's back."""
    pid = machine.folder / "pid"
    machine.go(ENDLESS.format(pid=pid))
    status, text = machine.run("sh", "-c", f'while [ ! -s "{pid}" ]; do sleep 0.05; done; exit 7')
    assert status == 7
    assert "the other part of the set-up failed (status 7)" in text
    assert gone(int(pid.read_text(encoding="utf-8")))
    assert machine.built() == set()


def test_without_the_programs_the_command_is_let_finish(machine: Machine) -> None:
    """The last lines say what is missing and what would help; the status is an error's."""
    done = machine.folder / "done"
    status, text = machine.run("sh", "-c", f"sleep 0.2; echo yes > {done}")
    assert status == 1
    assert done.exists()
    assert "the reason follows when the rest of the set-up is done" in text
    assert "etcd 3.6.8 is needed and no way led to it" in text
    assert "install Go 1.26 or newer" in text.splitlines()[-3]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ending_it_ends_both(machine: Machine, number: signal.Signals) -> None:
    """Neither compiler nor command outlives it. A terminal tells the command of Ctrl-C itself."""
    pid = machine.folder / "pid"
    machine.go(ENDLESS.format(pid=pid))
    seconds = "30" if number is signal.SIGTERM else "0.5"
    process = machine.start("sleep", seconds)
    deadline = time.monotonic() + 20
    while not (pid.exists() and pid.read_text(encoding="utf-8")) and time.monotonic() < deadline:
        os.sched_yield()
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert gone(int(pid.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "arguments",
    [["helm"], ["helm", "--"], ["nginx", "--", "true"]],
    ids=["no --", "no command", "unknown name"],
)
def test_arguments_that_make_no_sense(arguments: list[str]) -> None:
    """Exit 2 with the usage and the names, before anything is begun."""
    command = [sys.executable, "-m", "sluice_sandbox.controlplane.beside", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert "usage:" in done.stderr
    assert "kube-controller-manager" in done.stderr


def gone(pid: int) -> bool:
    """Tell whether a process has ended within ten seconds (a zombie counts: nobody may have waited yet)."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        os.sched_yield()
    return False
