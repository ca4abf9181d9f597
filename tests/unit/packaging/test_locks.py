"""The image's locks: part of the one lock, complete, without tests and without an index."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LOCKS = ("requirements.lock", "requirements-runtime.lock", "requirements-build.lock")
IMAGE_LOCKS = LOCKS[1:]


def pins(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Return what a lock pins: normalised name to version (with markers) and hashes."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)==(.*?)((?:\s+--hash=\S+)*)\s*$", line):
            hashes = frozenset(match[3].split())
            found[normal(match[1])] = (match[2].strip(), hashes)
    return found


def normal(name: str) -> str:
    """Return a distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> set[str]:
    """Return the normalised names of requirements."""
    return {normal(re.split(r"[^A-Za-z0-9._-]", requirement)[0]) for requirement in requirements}


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", IMAGE_LOCKS)
def test_the_image_is_built_from_what_is_tested(name: str) -> None:
    """Every pin of the image's locks is, version and hashes, one of the lock that the tests run with."""
    tested = pins("requirements.lock")
    mine = pins(name)
    assert mine
    assert {key: tested.get(key) for key in mine} == mine


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_hashes(name: str) -> None:
    """Nothing is installed that was not there when the lock was made."""
    assert [key for key, (_version, hashes) in pins(name).items() if not hashes] == []


@pytest.mark.parametrize("name", LOCKS)
def test_no_index_address(name: str) -> None:
    """A lock says what, not from where: no machine's registry is in it."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|file:", text)


def test_the_runtime_lock_has_every_dependency_and_nothing_of_the_tests() -> None:
    """It covers pyproject's dependencies; tools of the tests and of the sandbox are not in it."""
    runtime = set(pins("requirements-runtime.lock"))
    assert names(PROJECT["project"]["dependencies"]) <= runtime
    groups = names(PROJECT["dependency-groups"]["dev"]) | {"moto", "cryptography", "uv"}
    assert runtime & groups == set()


def test_the_build_lock_has_the_build_system() -> None:
    """The wheel is built without isolation, so the build backend comes from the lock."""
    assert names(PROJECT["build-system"]["requires"]) <= set(pins("requirements-build.lock"))
