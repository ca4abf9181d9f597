"""Whoever lacks a program of the system's packages is told which package, before anything has begun."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from sluice_sandbox.controlplane.errors import MissingProgram
from sluice_sandbox.dashboard.__main__ import main
from sluice_sandbox.dashboard.programs import PROGRAMS, locate


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the whole PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def put(folder: Path, name: str) -> Path:
    """Put a program there."""
    file = folder / name
    file.write_text("#!/bin/sh\n", encoding="utf-8")
    file.chmod(0o755)
    return file


@pytest.mark.parametrize(
    ("names", "packages"),
    [
        (("promtool",), "prometheus"),
        (("prometheus", "promtool"), "prometheus"),
        (("chromium",), "chromium"),
        (tuple(PROGRAMS), "chromium prometheus"),
    ],
    ids=["one", "two of one package", "browser", "all"],
)
def test_the_package_is_named(path: Path, names: tuple[str, ...], packages: str) -> None:
    """The error names what is missing, and one command that brings it."""
    with pytest.raises(MissingProgram) as missing:
        locate(*names)
    assert f"not in PATH: {', '.join(sorted(names))}." in str(missing.value)
    assert f"apt-get install --no-install-recommends {packages}`" in str(missing.value)


def test_only_what_is_missing_is_named(path: Path) -> None:
    """What is there is not asked for again."""
    put(path, "prometheus")
    put(path, "promtool")
    with pytest.raises(MissingProgram, match=r"not in PATH: chromium\."):
        locate(*PROGRAMS)


def test_chrome_is_a_chromium(path: Path) -> None:
    """The browser goes by several names; the first in the list counts."""
    chrome = put(path, "google-chrome")
    assert locate("chromium") == {"chromium": chrome}
    chromium = put(path, "chromium")
    assert locate("chromium") == {"chromium": chromium}


def test_set_up_fails_in_one_line(path: Path) -> None:
    """`make programs`, and so `make test`, ends with 1 and the advice, without a trace."""
    result = CliRunner().invoke(main, ["ensure"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: not in PATH: chromium, prometheus, promtool.")
    assert len(result.output.strip().splitlines()) == 1


def test_set_up_says_where_they_are(path: Path) -> None:
    """When all are there, each is listed with its file."""
    files = {name: put(path, name) for name in PROGRAMS}
    result = CliRunner().invoke(main, ["ensure"])
    assert result.exit_code == 0
    assert result.output.splitlines() == [f"{name}\t{file}" for name, file in files.items()]
