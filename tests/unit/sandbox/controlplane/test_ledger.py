"""Ending exactly our own processes. The processes here are `sleep`s."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sluice_sandbox.controlplane import keeper, ledger
from sluice_sandbox.controlplane.ledger import ProcessEntry

# A process that holds a share until it is killed.
_HOLDER = """
import pathlib, sys, time
from sluice_sandbox.controlplane.keeper import Use
use = Use(pathlib.Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""

Spawn = Callable[[list[str]], ProcessEntry]


def wait_for(condition: Callable[[], bool], *, seconds: float = 20.0) -> bool:
    """Return whether the condition came true before the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Start processes that are gone when the test ends."""
    entries: list[ProcessEntry] = []

    def start(command: list[str]) -> ProcessEntry:
        program = shutil.which(command[0])
        assert program is not None
        pid = ledger.spawn([program, *command[1:]], log=tmp_path / "log")
        entries.append(ProcessEntry.of(command[0], pid))
        return entries[-1]

    yield start
    ledger.end(entries, grace_s=0.0)


def test_a_running_process_is_alive_and_an_ended_one_is_not(spawn: Spawn) -> None:
    """`end` returns when the process is gone, and its status was collected (no zombie stays)."""
    entry = spawn(["sleep", "60"])
    assert entry.alive()
    assert ledger.resident_bytes(entry.pid) > 0
    ledger.end([entry], grace_s=5.0)
    assert not entry.alive()
    assert not Path(f"/proc/{entry.pid}").exists()
    assert ledger.resident_bytes(entry.pid) == 0


@pytest.mark.parametrize(
    "stranger",
    [
        pytest.param(lambda entry: replace(entry, start_ticks=entry.start_ticks - 1), id="other-start-time"),
        pytest.param(lambda entry: replace(entry, boot_id="another boot"), id="other-boot"),
    ],
)
def test_a_recycled_process_id_is_left_alone(
    spawn: Spawn, stranger: Callable[[ProcessEntry], ProcessEntry]
) -> None:
    """Same number, other process: no signal is sent."""
    entry = spawn(["sleep", "60"])
    recycled = stranger(entry)
    assert not recycled.alive()
    ledger.end([recycled], grace_s=5.0)
    assert not recycled.signal(signal.SIGKILL)
    assert entry.alive()


def test_a_process_that_ignores_sigterm_is_killed(spawn: Spawn, tmp_path: Path) -> None:
    """SIGKILL after the grace period."""
    entry = spawn(["sh", "-c", f"trap '' TERM; echo set > {tmp_path / 'ready'}; while :; do sleep 60; done"])
    assert wait_for((tmp_path / "ready").exists)
    began = time.monotonic()
    ledger.end([entry], grace_s=0.2)
    assert time.monotonic() - began >= 0.2
    assert not entry.alive()


def test_a_name_with_blanks_and_parentheses_does_not_confuse(tmp_path: Path, spawn: Spawn) -> None:
    """/proc/<pid>/stat puts the name in parentheses without escaping it."""
    odd = tmp_path / "a ) R 1 (b"
    odd.symlink_to(shutil.which("sleep") or "")
    entry = spawn([str(odd), "60"])
    assert wait_for(lambda: "a ) R 1" in Path(f"/proc/{entry.pid}/stat").read_text(encoding="ascii"))
    assert entry.alive()


def test_the_ledger_is_read_as_written(tmp_path: Path) -> None:
    """Another process sees the same entries; an absent ledger is empty; removing is idempotent."""
    entries = [ProcessEntry("etcd", 1, 2, "boot"), ProcessEntry("kube-apiserver", 3, 4, "boot")]
    assert ledger.read(tmp_path) == []
    ledger.write(tmp_path, entries)
    assert ledger.read(tmp_path) == entries
    assert json.loads((tmp_path / ledger.LEDGER_FILE).read_text(encoding="utf-8"))[0]["pid"] == 1
    ledger.remove(tmp_path)
    ledger.remove(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_end_all_ends_what_the_ledger_holds_and_forgets_it(tmp_path: Path, spawn: Spawn) -> None:
    """The names of those that ran are returned; a stranger with a listed id survives."""
    ours, other = spawn(["sleep", "60"]), spawn(["sleep", "61"])
    ledger.write(tmp_path, [ours, replace(other, name="recycled", start_ticks=1)])
    assert keeper.end_all(tmp_path, grace_s=5.0) == ["sleep"]
    assert not ours.alive()
    assert other.alive()
    assert ledger.read(tmp_path) == []


def test_only_the_last_share_says_it_was_the_last(tmp_path: Path) -> None:
    """Shares count users; giving one back twice changes nothing."""
    first, second = keeper.Use(tmp_path), keeper.Use(tmp_path)
    assert first.release() is False
    assert first.release() is False
    assert second.release() is True


def test_the_keeper_acts_when_its_last_user_is_killed(tmp_path: Path, spawn: Spawn) -> None:
    """Kill -9 of the process that holds the only share ends what the ledger holds."""
    ours = spawn(["sleep", "60"])
    ledger.write(tmp_path, [ours])
    user = subprocess.Popen([sys.executable, "-c", _HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert user.stdout is not None
    assert user.stdout.readline() == "held\n"
    guard = spawn([sys.executable, "-m", "sluice_sandbox.controlplane.keeper", str(tmp_path)])
    os.kill(user.pid, signal.SIGKILL)
    user.wait()
    user.stdout.close()
    assert wait_for(lambda: not ours.alive())
    assert wait_for(lambda: not guard.alive())
    assert ledger.read(tmp_path) == []
