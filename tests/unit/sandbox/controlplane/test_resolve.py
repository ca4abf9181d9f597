"""Finding programs: the order of the ways, told apart by fake programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice_sandbox.controlplane.cache import cached_path
from sluice_sandbox.controlplane.errors import MissingProgram
from sluice_sandbox.controlplane.pins import ETCD, HELM, KUBECTL
from sluice_sandbox.controlplane.resolve import find, locate


def fake_program(path: Path, *, says: str = "etcd Version: 3.6.8", status: int = 0) -> Path:
    """Write a program that prints `says` whatever it is asked."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {status}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on it: folders `assets`, `path` and `xdg`, all empty."""
    for name in ("assets", "path", "xdg"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    return tmp_path


@pytest.mark.parametrize(
    ("present", "origin"),
    [
        pytest.param({"assets", "path", "cache"}, "$KUBEBUILDER_ASSETS", id="assets-first"),
        pytest.param({"path", "cache"}, "PATH", id="path-second"),
        pytest.param({"cache"}, "cache", id="cache-third"),
        pytest.param(set(), None, id="nothing"),
    ],
)
def test_the_first_way_that_has_the_program_wins(
    machine: Path, present: set[str], origin: str | None
) -> None:
    """KUBEBUILDER_ASSETS, then PATH, then the cache."""
    places = {
        "assets": machine / "assets" / "etcd",
        "path": machine / "path" / "etcd",
        "cache": cached_path(ETCD),
    }
    for name in present:
        fake_program(places[name])
    hit = find(ETCD)
    assert (hit.origin if hit else None) == origin
    assert hit is None or hit.path in places.values()


@pytest.mark.parametrize(
    ("says", "status"),
    [
        pytest.param("Client Version: v1.32.4-dispatcher", 0, id="too-old"),
        pytest.param("Client Version: v1.36.3", 1, id="fails"),
        pytest.param("hello", 0, id="no-version"),
    ],
)
def test_a_program_in_path_that_does_not_fit_is_passed_over(machine: Path, says: str, status: int) -> None:
    """A kubectl of another age in PATH does not shadow the one in the cache."""
    fake_program(machine / "path" / "kubectl", says=says, status=status)
    fake_program(cached_path(KUBECTL), says="never asked")
    hit = find(KUBECTL)
    assert hit is not None
    assert hit.origin == "cache"


def test_assets_are_taken_whatever_their_version(machine: Path) -> None:
    """Who sets KUBEBUILDER_ASSETS has chosen the version."""
    path = fake_program(machine / "assets" / "etcd", says="etcd Version: 3.4.0")
    hit = find(ETCD)
    assert hit is not None
    assert hit.path == path


def test_a_file_that_cannot_be_executed_is_no_program(machine: Path) -> None:
    """A half-copied file without its execute bit is passed over."""
    fake_program(machine / "assets" / "etcd").chmod(0o644)
    assert find(ETCD) is None


def test_a_relative_cache_home_is_ignored(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """XDG: all paths in these variables must be absolute; a relative one is invalid and to be ignored."""
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")
    monkeypatch.setenv("HOME", str(machine))
    assert cached_path(ETCD).parent.parent == machine / ".cache" / "sluice" / "controlplane"


def test_locate_names_what_is_missing_and_the_command_that_brings_it(machine: Path) -> None:
    """The error is enough to go on: names, command with its option."""
    fake_program(cached_path(ETCD))
    with pytest.raises(MissingProgram, match=r"helm.*controlplane ensure --with helm`") as caught:
        locate(["etcd", "helm"])
    assert "etcd" not in str(caught.value)
    fake_program(cached_path(HELM))
    assert locate(["etcd", "helm"]) == {"etcd": cached_path(ETCD), "helm": cached_path(HELM)}
