"""Release archives: only what the publisher's checksum confirms, and no waiting for a host that is away."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from pathlib import Path
from typing import IO
from urllib.error import URLError

import pytest

from sluice_sandbox.controlplane import archives
from sluice_sandbox.controlplane.archives import ReleaseArchives, Unavailable
from sluice_sandbox.controlplane.pins import ETCD, HELM, KUBE_APISERVER, KUBECTL, Program

PROGRAM = b"\x7fELF the program"


class FakeInternet:
    """Answers by the last part of the address; anything else cannot be reached."""

    def __init__(self, files: dict[str, bytes]) -> None:
        """Serve these files."""
        self.files = files
        self.asked: list[str] = []

    def open(self, url: str, stall_s: float) -> IO[bytes]:
        """Open as `archives.open_url` does."""
        self.asked.append(url)
        content = self.files.get(url.rsplit("/", 1)[1])
        if content is None:
            raise URLError("Name or service not known")
        return io.BytesIO(content)


@pytest.fixture(autouse=True)
def linux_amd64(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same platform wherever the tests run, downloads allowed."""
    monkeypatch.setattr(archives.platform, "system", lambda: "Linux")
    monkeypatch.setattr(archives.platform, "machine", lambda: "x86_64")
    monkeypatch.delenv("SLUICE_NO_DOWNLOAD", raising=False)


def sha256(content: bytes) -> str:
    """Return the digest as publishers write it."""
    return hashlib.sha256(content).hexdigest()


def tar_gz(member: str) -> bytes:
    """Return an archive that holds the program as `member`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        entry = tarfile.TarInfo(member)
        entry.size = len(PROGRAM)
        tar.addfile(entry, io.BytesIO(PROGRAM))
    return buffer.getvalue()


ETCD_NAME = f"etcd-v{ETCD.version}-linux-amd64"
HELM_NAME = f"helm-v{HELM.version}-linux-amd64.tar.gz"
ETCD_TAR = tar_gz(f"{ETCD_NAME}/etcd")
HELM_TAR = tar_gz("linux-amd64/helm")


@pytest.mark.parametrize(
    ("program", "files"),
    [
        pytest.param(
            KUBECTL, {"kubectl": PROGRAM, "kubectl.sha256": sha256(PROGRAM).encode()}, id="bare-digest"
        ),
        pytest.param(
            ETCD,
            {
                f"{ETCD_NAME}.tar.gz": ETCD_TAR,
                "SHA256SUMS": f"{'0' * 64}  other.zip\n{sha256(ETCD_TAR)}  {ETCD_NAME}.tar.gz\n".encode(),
            },
            id="list-of-digests",
        ),
        pytest.param(
            HELM,
            {HELM_NAME: HELM_TAR, f"{HELM_NAME}.sha256sum": f"{sha256(HELM_TAR)}  {HELM_NAME}\n".encode()},
            id="sha256sum-file",
        ),
    ],
)
def test_a_release_with_the_right_checksum_is_unpacked(
    tmp_path: Path, program: Program, files: dict[str, bytes]
) -> None:
    """Each publisher's form of checksum file and archive leads to the program's own bytes."""
    target = tmp_path / "program"
    ReleaseArchives(opener=FakeInternet(files).open).fetch(program, target)
    assert target.read_bytes() == PROGRAM


@pytest.mark.parametrize(
    ("files", "message"),
    [
        pytest.param(
            {"kubectl": b"tampered", "kubectl.sha256": sha256(PROGRAM).encode()},
            "not used",
            id="wrong-digest",
        ),
        pytest.param({"kubectl": PROGRAM, "kubectl.sha256": b"<html>"}, "no SHA-256", id="no-digest"),
        pytest.param({"kubectl.sha256": sha256(PROGRAM).encode()}, "not known", id="file-away"),
        pytest.param({}, "cannot be reached", id="host-away"),
    ],
)
def test_anything_else_is_unavailable_and_writes_nothing(
    tmp_path: Path, files: dict[str, bytes], message: str
) -> None:
    """A file whose checksum is missing or wrong never reaches the target."""
    with pytest.raises(Unavailable, match=message):
        ReleaseArchives(opener=FakeInternet(files).open).fetch(KUBECTL, tmp_path / "program")
    assert list(tmp_path.iterdir()) == []


def test_a_silent_host_is_asked_once(tmp_path: Path) -> None:
    """The second program of the same host fails without waiting again."""
    internet = FakeInternet({})
    releases = ReleaseArchives(opener=internet.open)
    for program in (KUBE_APISERVER, KUBECTL):
        with pytest.raises(Unavailable):
            releases.fetch(program, tmp_path / "program")
    assert len(internet.asked) == 1


def test_a_look_up_that_hangs_is_given_up(tmp_path: Path) -> None:
    """The limit holds for what Python cannot interrupt: a resolver that does not answer."""
    for_ever = threading.Event()

    def hang(url: str, stall_s: float) -> IO[bytes]:
        for_ever.wait(60)
        raise URLError("too late")

    try:
        with pytest.raises(Unavailable, match=r"no answer in 0\.05 s"):
            ReleaseArchives(opener=hang, first_answer_s=0.05).fetch(KUBECTL, tmp_path / "program")
    finally:
        for_ever.set()


def test_downloads_can_be_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SLUICE_NO_DOWNLOAD=1: no request at all."""
    monkeypatch.setenv("SLUICE_NO_DOWNLOAD", "1")
    internet = FakeInternet({})
    with pytest.raises(Unavailable, match="SLUICE_NO_DOWNLOAD"):
        ReleaseArchives(opener=internet.open).fetch(KUBECTL, tmp_path / "program")
    assert internet.asked == []


def test_another_system_has_no_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """kube-apiserver is released for Linux only; the text names the machine."""
    monkeypatch.setattr(archives.platform, "system", lambda: "Darwin")
    with pytest.raises(Unavailable, match="Darwin"):
        ReleaseArchives(opener=FakeInternet({}).open).fetch(KUBECTL, tmp_path / "program")
