"""`sluice sandbox up`, `status` and `down`: what is written, what runs, and that exactly that ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

VERBS = [sys.executable, "-m", "sluice_sandbox.cli"]
READY_S = 120.0


def run(*arguments: str, code: int = 0) -> str:
    """Run a verb to its end and return what it printed."""
    done = subprocess.run([*VERBS, *arguments], capture_output=True, text=True, timeout=READY_S, check=False)
    assert done.returncode == code, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def processes(directory: Path) -> dict[str, int]:
    """Return the process ids of a sandbox by name."""
    done = subprocess.run(
        [*VERBS, "status", "--json", "--dir", str(directory)], capture_output=True, text=True, check=False
    )
    found: dict[str, int] = json.loads(done.stdout)["processes"]
    return found


def alive(pid: int) -> bool:
    """Tell whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pids: list[int], seconds: float = 30.0) -> None:
    """Wait until no process is left."""
    deadline = time.monotonic() + seconds
    while any(map(alive, pids)):
        assert time.monotonic() < deadline, f"still alive: {[pid for pid in pids if alive(pid)]}"


def status_of(url: str) -> int:
    """Return the HTTP status of a listener's answer; its certificate is its own."""
    try:
        with urllib.request.urlopen(url, timeout=10, context=ssl._create_unverified_context()) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A directory whose sandbox ends with the test."""
    yield tmp_path / "box"
    run("down", "--dir", str(tmp_path / "box"))


def estate_of(directory: Path) -> dict[str, Any]:
    """Return estate.json."""
    estate: dict[str, Any] = json.loads((directory / "estate.json").read_text())
    return estate


def test_detached_from_up_to_down(directory: Path, tmp_path: Path) -> None:
    """`up` writes what it promises, twice is once, another directory is another sandbox, `down` ends one."""
    other = tmp_path / "other"
    run("up", "--detach", "--dir", str(directory))
    try:
        run("up", "--detach", "--dir", str(other))
        estate = estate_of(directory)
        assert [listener["port"] for listener in estate["loadBalancer"]["listeners"]] == [80, 443, 8080]
        for listener in estate["loadBalancer"]["listeners"]:
            assert listener["url"].startswith(("http://127.0.0.1:", "https://127.0.0.1:"))
            assert status_of(listener["url"]) == 404
        assert len(estate["subnetIds"]) == 3
        script = f". {directory}/env && echo $AWS_ENDPOINT_URL $AWS_REGION $SANDBOX_VPC_ID $KUBECONFIG"
        told = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.split()
        assert told == [estate["endpoint"], "eu-west-1", estate["vpcId"], str(directory / "kubeconfig")]
        assert estate_of(other)["endpoint"] != estate["endpoint"]
        before = processes(directory)
        assert {"aws", "etcd", "kube-apiserver"} <= before.keys()
        assert "running already" in run("up", "--detach", "--dir", str(directory))
        assert processes(directory) == before
        assert "running" in run("status", "--dir", str(directory))
        ended = run("down", "--dir", str(directory))
        assert all(name in ended for name in before)
        wait_until_gone(list(before.values()))
        assert all(map(alive, processes(other).values()))
        assert not (directory / "env").exists()
        assert "No sandbox runs" in run("down", "--dir", str(directory))
        assert "not running" in run("status", "--dir", str(directory), code=1)
    finally:
        run("down", "--dir", str(other))


def test_after_a_crash_up_starts_cleanly(directory: Path) -> None:
    """With one process dead the sandbox is broken; `up` ends the rest and starts anew."""
    run("up", "--detach", "--dir", str(directory))
    before = processes(directory)
    os.kill(before["aws"], signal.SIGKILL)
    wait_until_gone([before["aws"]])
    assert "broken" in run("status", "--dir", str(directory), code=1)
    run("up", "--detach", "--dir", str(directory))
    after = processes(directory)
    assert {"aws", "etcd", "kube-apiserver"} <= after.keys()
    assert not set(before.values()) & set(after.values())
    wait_until_gone(list(before.values()))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_attached_everything_ends_with_it(directory: Path, number: signal.Signals) -> None:
    """In the foreground a signal, even one that runs no code, leaves no process behind."""
    foreground = subprocess.Popen([*VERBS, "up", "--dir", str(directory)], stdout=subprocess.PIPE, text=True)
    assert foreground.stdout is not None
    with foreground.stdout:
        assert "is ready" in foreground.stdout.readline()
        pids = list(processes(directory).values())
        foreground.send_signal(number)
        assert foreground.wait(timeout=30) == (0 if number == signal.SIGTERM else -number)
    wait_until_gone(pids)


def test_a_foreign_folder_is_not_touched(tmp_path: Path) -> None:
    """A directory that holds someone else's `kubernetes` folder is refused in one line."""
    (tmp_path / "kubernetes").mkdir()
    (tmp_path / "kubernetes" / "precious").touch()
    assert "was not made by a sandbox" in run("up", "--detach", "--dir", str(tmp_path), code=1)
    assert (tmp_path / "kubernetes" / "precious").exists()


def test_a_taken_port_is_one_clear_line(directory: Path) -> None:
    """An AWS port that belongs to someone else is said so, and nothing is left running."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        text = run("up", "--detach", "--dir", str(directory), "--port", port, code=1)
    assert "address already in use" in text
    with suppress(FileNotFoundError):
        assert processes(directory) == {}
