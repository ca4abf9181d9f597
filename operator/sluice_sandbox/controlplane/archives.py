"""The official release archives: fetched, checked against the publisher's SHA-256, unpacked.

Many machines that build software reach only package registries. So the first request, for the small file
of checksums, has a few seconds in all (name look-up included, which has no time limit of its own), and a host
that did not answer is not asked again by this process. `SLUICE_NO_DOWNLOAD=1` says not to try at all.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tarfile
import tempfile
import threading
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

from sluice_sandbox.controlplane.pins import Program

FIRST_ANSWER_S: Final = 6.0
_STALL_S = 20.0
_BLOCK = 1 << 20
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}

OpenUrl = Callable[[str, float], IO[bytes]]


class Unavailable(Exception):  # noqa: N818 - an outcome that leads to the next way, not a failure
    """This way does not lead to the program; the text is one line and says why."""


def open_url(url: str, stall_s: float) -> IO[bytes]:
    """Open `url` for reading, through the proxy that the environment names, if any."""
    answer: IO[bytes] = urllib.request.urlopen(url, timeout=stall_s)  # noqa: S310 - https constants of pins
    return answer


class ReleaseArchives:
    """One process's attempts at the release archives; remembers the hosts that did not answer."""

    def __init__(self, *, opener: OpenUrl = open_url, first_answer_s: float = FIRST_ANSWER_S) -> None:
        """Fetch with `opener`; give the first answer of a host `first_answer_s` seconds."""
        self._open = opener
        self._first_answer_s = first_answer_s
        self._silent: set[str] = set()

    def fetch(self, program: Program, target: Path) -> None:
        """Write the program's file to `target`, its archive's SHA-256 checked before anything is unpacked.

        Raises:
            Unavailable: switched off, no release for this machine, unreachable, or a wrong checksum.
        """
        if os.environ.get("SLUICE_NO_DOWNLOAD", "") not in {"", "0"}:
            raise Unavailable("downloads are switched off by SLUICE_NO_DOWNLOAD")
        place = _platform()
        url = program.archive.url.format(**place)
        expected = self._checksum(program.archive.checksums.format(**place), url.rsplit("/", 1)[1])
        with tempfile.TemporaryFile(dir=target.parent) as archive:
            try:
                digest = _copy(self._open(url, _STALL_S), archive)
            except (OSError, HTTPException) as error:
                raise Unavailable(f"{url}: {error}") from error
            if digest != expected:
                raise Unavailable(f"{url}: SHA-256 is {digest}, its publisher says {expected}: not used")
            archive.seek(0)
            member = program.archive.member
            _extract(archive, member.format(**place) if member else None, target)

    def _checksum(self, url: str, file_name: str) -> str:
        host = urlsplit(url).hostname or url
        if host in self._silent:
            raise Unavailable(f"{host} did not answer before")
        try:
            text = _within(self._first_answer_s, lambda: self._open(url, self._first_answer_s).read(1 << 16))
        except OSError as error:
            self._silent.add(host)
            reason = getattr(error, "reason", None) or error
            raise Unavailable(f"{host} cannot be reached ({reason})") from error
        return _find_checksum(text.decode("utf-8", "replace"), file_name, url)


def _find_checksum(text: str, file_name: str, url: str) -> str:
    """Read either a bare digest (Kubernetes) or `sha256sum`'s lines (etcd, helm)."""
    for line in text.splitlines():
        words = line.split()
        if words and len(words[0]) == 64 and (len(words) == 1 or words[1].lstrip("*") == file_name):
            return words[0].lower()
    raise Unavailable(f"{url} has no SHA-256 of {file_name}")


def _within(seconds: float, read: Callable[[], bytes]) -> bytes:
    """Run `read` with a limit that also covers the name look-up, which Python cannot interrupt."""
    outcome: list[bytes | OSError] = []

    def attempt() -> None:
        try:
            outcome.append(read())
        except OSError as error:
            outcome.append(error)

    # A daemon: a look-up that hangs must not keep the process from ending.
    thread = threading.Thread(target=attempt, daemon=True, name="checksum")
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise TimeoutError(f"no answer in {seconds:g} s")
    if isinstance(outcome[0], OSError):
        raise outcome[0]
    return outcome[0]


def _copy(source: IO[bytes], target: IO[bytes]) -> str:
    digest = hashlib.sha256()
    with source:
        while block := source.read(_BLOCK):
            digest.update(block)
            target.write(block)
    return digest.hexdigest()


def _extract(archive: IO[bytes], member: str | None, target: Path) -> None:
    with target.open("wb") as out:
        if member is None:
            shutil.copyfileobj(archive, out, _BLOCK)
            return
        try:
            with tarfile.open(fileobj=archive, mode="r:gz") as tar:
                content = tar.extractfile(member)
                if content is None:
                    raise Unavailable(f"{member} in the archive is not a file")
                shutil.copyfileobj(content, out, _BLOCK)
        except (tarfile.TarError, KeyError, EOFError) as error:
            raise Unavailable(f"the archive cannot be unpacked: {error}") from error


def _platform() -> dict[str, str]:
    arch = _ARCHITECTURES.get(platform.machine().lower())
    if platform.system() != "Linux" or arch is None:
        raise Unavailable(f"kube-apiserver is not released for {platform.system()} {platform.machine()}")
    return {"os": "linux", "arch": arch}
