"""Making programs: once, whole, with progress, and with advice when no way is left. Go is a fake here."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice_sandbox.controlplane import gobuild
from sluice_sandbox.controlplane.cache import cache_lock, cached_path, install
from sluice_sandbox.controlplane.errors import BuildFailed, MissingProgram
from sluice_sandbox.controlplane.pins import ETCD, KUBECTL
from sluice_sandbox.controlplane.provision import ensure

# Writes what it was asked for to `calls`, and the file after -o.
_GO = """#!/bin/sh
[ "$1" = version ] && exit {version_status}
echo "$CGO_ENABLED $GOFLAGS $GOWORK $PWD $*" >> {calls}
while [ "$1" != -o ]; do shift; done
{sleep}
echo built > "$2"
echo "some output of the compiler"
exit {status}
"""

Go = Callable[..., Path]


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Go:
    """A machine with an empty cache, no way to download, and the Go that the test puts there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sh", "sleep"):
        real = shutil.which(tool)
        assert real is not None
        (folder / tool).symlink_to(real)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SLUICE_NO_DOWNLOAD", "1")
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    calls = tmp_path / "calls"
    calls.touch()

    def install_go(*, status: int = 0, version_status: int = 0, sleep: str = "") -> Path:
        program = folder / "go"
        text = _GO.format(calls=calls, status=status, version_status=version_status, sleep=sleep)
        program.write_text(text, encoding="utf-8")
        program.chmod(0o755)
        return calls

    return install_go


def test_a_missing_program_is_built_and_the_second_time_is_silent(go: Go) -> None:
    """The build's result is in the cache, executable; asked again nothing is said or run."""
    calls, said = go(), list[str]()
    assert ensure(["etcd"], say=said.append) == {"etcd": cached_path(ETCD)}
    assert cached_path(ETCD).read_text(encoding="utf-8") == "built\n"
    assert os.access(cached_path(ETCD), os.X_OK)
    assert any("built in" in line for line in said)
    before = len(said)
    ensure(["etcd"], say=said.append)
    assert len(said) == before
    assert len(calls.read_text(encoding="utf-8").splitlines()) == 1


def test_the_build_does_not_depend_on_the_persons_go_settings(
    go: Go, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GOFLAGS and GOWORK of other work are replaced; the pinned module is the working folder."""
    calls = go()
    monkeypatch.setenv("GOFLAGS", "-mod=mod")
    monkeypatch.setenv("GOWORK", "elsewhere")
    ensure(["kubectl"], say=lambda _line: None)
    call = calls.read_text(encoding="utf-8")
    assert call.startswith(f"0 -mod=readonly off {gobuild.module_folder('controlplane')} build -trimpath")
    assert f"version.gitVersion=v{KUBECTL.version}" in call
    assert call.rstrip().endswith("k8s.io/kubernetes/cmd/kubectl")


def test_two_at_once_build_once(go: Go) -> None:
    """The second waits for the first one's lock and takes what it made."""
    calls, said = go(sleep="sleep 0.3"), list[str]()
    threads = [
        threading.Thread(target=ensure, args=(["etcd"],), kwargs={"say": said.append}) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(calls.read_text(encoding="utf-8").splitlines()) == 1
    assert any("another process" in line for line in said)


def test_a_long_build_tells_that_it_goes_on(go: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line with the elapsed seconds now and then."""
    go(sleep="sleep 0.5")
    monkeypatch.setattr(gobuild, "_TELL_EVERY_S", 0.05)
    said: list[str] = []
    ensure(["etcd"], say=said.append)
    assert any("still building" in line for line in said)


def test_a_failed_build_shows_its_output_and_leaves_nothing(go: Go) -> None:
    """The compiler's last lines are in the error; the cache has neither the program nor half of it."""
    go(status=3)
    with pytest.raises(BuildFailed, match=r"status 3(.|\n)*some output of the compiler"):
        ensure(["etcd"], say=lambda _line: None)
    assert list(cached_path(ETCD).parent.iterdir()) == []


@pytest.mark.parametrize("too_old", [True, False], ids=["go-too-old", "no-go"])
def test_when_no_way_is_left_the_error_says_what_to_install(go: Go, too_old: bool) -> None:  # noqa: FBT001
    """Every way with its reason, and what would help."""
    if too_old:
        go(version_status=1)
    with pytest.raises(MissingProgram) as caught:
        ensure(["etcd"], say=lambda _line: None)
    text = str(caught.value)
    for expected in ("KUBEBUILDER_ASSETS", "PATH", str(cached_path(ETCD)), "SLUICE_NO_DOWNLOAD", "Go 1.26"):
        assert expected in text


def test_a_module_that_is_not_there_is_told(go: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel without the Go modules says so instead of failing in Go."""
    go()
    monkeypatch.setattr(gobuild, "module_folder", lambda _name: None)
    with pytest.raises(MissingProgram, match="tools/controlplane is neither in this installation"):
        ensure(["etcd"], say=lambda _line: None)


def test_unknown_names_are_refused(go: Go) -> None:
    """A typing error is not taken for something that was built."""
    with pytest.raises(KeyError, match="kubelet"):
        ensure(["kubelet"])


def test_install_puts_a_whole_file_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader never sees half a program, and what a killed process left is removed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    final = cached_path(ETCD)
    final.parent.mkdir(parents=True)
    (final.parent / ".etcd.99999").write_text("of a killed process", encoding="utf-8")

    def fail_half_way() -> None:
        with install(ETCD) as target:
            target.write_text("half", encoding="utf-8")
            assert not final.exists()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert list(final.parent.iterdir()) == []


def test_a_lock_ends_with_its_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is the operating system's: once left, the next one does not wait."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    said: list[str] = []
    for _ in range(2):
        with cache_lock(said.append):
            pass
    assert said == []
