"""Starting and ending real control planes: in one directory each, and never more or less than our own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice_sandbox.controlplane import ledger
from sluice_sandbox.controlplane.errors import NotStarted, PortTaken
from sluice_sandbox.controlplane.plane import ControlPlane, free_port, stop_in

pytestmark = pytest.mark.integration

# Starts a control plane in argv[1] and waits; `detached` in argv[2] makes it outlive the process.
_OWNER = """
import pathlib, sys, time
from sluice_sandbox.controlplane.plane import ControlPlane
plane = ControlPlane(pathlib.Path(sys.argv[1]), detached=sys.argv[2] == "detached").start()
print("ready", flush=True)
time.sleep(600)
"""


def wait_for(condition: Callable[[], bool], *, seconds: float = 30.0) -> bool:
    """Return whether the condition came true before the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def start_owner(directory: Path, mode: str) -> subprocess.Popen[str]:
    """Start another process that runs a control plane, and return it when that is ready."""
    command = [sys.executable, "-c", _OWNER, str(directory), mode]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "ready\n"
    owner.stdout.close()
    return owner


def kill(owner: subprocess.Popen[str]) -> None:
    """End a process as nothing can prepare for."""
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()


def test_two_run_at_once_apart_and_stop_leaves_nothing(tmp_path: Path) -> None:
    """Own ports, own data; after the block no process and no ledger is left, and the data is still there."""
    with ControlPlane(tmp_path / "one") as one, ControlPlane(tmp_path / "two") as two:
        assert one.cluster.server != two.cluster.server
        one.cluster.kubectl("create", "configmap", "only-here")
        assert "only-here" in one.cluster.kubectl("get", "configmaps")
        assert "only-here" not in two.cluster.kubectl("get", "configmaps")
        entries = [*ledger.read(one.directory), *ledger.read(two.directory)]
        assert all(entry.alive() for entry in entries)
        assert all(size > 0 for size in one.resident_bytes().values())
    assert len(entries) == 6
    assert not [entry for entry in entries if entry.alive()]
    assert ledger.read(tmp_path / "one") == []
    with ControlPlane(tmp_path / "one") as again:
        assert "only-here" in again.cluster.kubectl("get", "configmaps")


def test_kill_of_the_owner_leaves_nothing(tmp_path: Path) -> None:
    """Kill -9 of the process that started it ends all of it."""
    owner = start_owner(tmp_path, "attached")
    entries = ledger.read(tmp_path)
    assert {entry.name for entry in entries} == {"keeper", "etcd", "kube-apiserver"}
    kill(owner)
    assert wait_for(lambda: not any(entry.alive() for entry in entries))
    assert wait_for(lambda: ledger.read(tmp_path) == [])


def test_a_detached_one_outlives_its_owner_until_it_is_stopped(tmp_path: Path) -> None:
    """Another process, by the directory alone, uses it and ends exactly what was started."""
    kill(start_owner(tmp_path, "detached"))
    entries = ledger.read(tmp_path)
    plane = ControlPlane(tmp_path)
    assert plane.cluster.ready()
    with pytest.raises(NotStarted, match="already has running processes: etcd, kube-apiserver"):
        plane.start()
    assert stop_in(tmp_path) == ["kube-apiserver", "etcd"]
    assert not [entry for entry in entries if entry.alive()]
    assert stop_in(tmp_path) == []


def test_the_end_of_the_starting_thread_ends_nothing(tmp_path: Path) -> None:
    """A control plane belongs to the process: a worker thread may start it and end."""
    plane = ControlPlane(tmp_path)
    thread = threading.Thread(target=plane.start)
    thread.start()
    thread.join(90)
    try:
        assert plane.cluster.ready()
        assert plane.cluster.request("GET", "/version")["major"] == "1"
    finally:
        plane.stop()
    assert not plane.cluster.ready()


def test_a_taken_port_is_left_for_another_one(tmp_path: Path) -> None:
    """Whoever takes a port between the look and the listening costs one attempt, not the start."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        given: list[int] = []

        def pick() -> int:
            given.append(taken if not given else free_port())
            return given[-1]

        with ControlPlane(tmp_path, pick_port=pick) as plane:
            assert plane.cluster.ready()
            assert f":{taken}" not in plane.cluster.server
        assert given[0] == taken


def test_a_taken_port_that_was_asked_for_is_an_error(tmp_path: Path) -> None:
    """A port chosen by a person is not replaced: the error has the process's own words, nothing runs on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"127\.0\.0\.1:{port}.*address already in use"):
            ControlPlane(tmp_path, port=port).start()
    assert ledger.read(tmp_path) == []


def test_a_process_that_ends_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    """Data that etcd cannot read: the error names process, status, log file and its last lines."""
    (tmp_path / "etcd").write_text("not a directory", encoding="utf-8")
    with pytest.raises(NotStarted, match=r"etcd ended with status 1 while starting(.|\n)*not a directory"):
        ControlPlane(tmp_path).start()
    assert ledger.read(tmp_path) == []


def test_an_api_server_that_crashes_comes_back_with_its_objects(tmp_path: Path) -> None:
    """kill, then revive: same address, same objects; in between nobody answers."""
    with ControlPlane(tmp_path) as plane:
        server = plane.cluster.server
        plane.cluster.kubectl("create", "configmap", "kept")
        plane.kill("kube-apiserver")
        assert not plane.cluster.ready()
        plane.revive("kube-apiserver")
        assert plane.cluster.server == server
        assert "kept" in plane.cluster.kubectl("get", "configmaps")


def test_with_the_controller_manager_namespaces_and_owned_objects_go(tmp_path: Path) -> None:
    """Deleting a namespace removes it with its contents; an object goes with its owner."""
    with ControlPlane(tmp_path, controller_manager=True) as plane:
        cluster = plane.cluster
        cluster.kubectl("create", "namespace", "gone")
        assert wait_for(lambda: "default" in cluster.kubectl("get", "serviceaccounts", "-n", "gone"))
        cluster.kubectl("create", "configmap", "content", "-n", "gone")
        cluster.kubectl("delete", "namespace", "gone", "--timeout=30s")
        assert "gone" not in cluster.kubectl("get", "namespaces")

        owner = cluster.request(
            "POST",
            "/api/v1/namespaces/default/configmaps",
            body={"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}},
        )
        reference = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": "owner",
            "uid": owner["metadata"]["uid"],
        }
        owned = {"name": "owned", "ownerReferences": [reference]}
        cluster.request(
            "POST",
            "/api/v1/namespaces/default/configmaps",
            body={"apiVersion": "v1", "kind": "ConfigMap", "metadata": owned},
        )
        cluster.kubectl("delete", "configmap", "owner")
        assert wait_for(lambda: "owned" not in cluster.kubectl("get", "configmaps"))
