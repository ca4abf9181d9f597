"""Why the folder operator/ is no package."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def test_the_source_folder_is_no_package() -> None:
    """operator/ has no __init__.py: `operator` is a module of the standard library."""
    assert (ROOT / "operator").is_dir()
    assert not (ROOT / "operator" / "__init__.py").exists()


@pytest.mark.parametrize(
    ("is_package", "works"), [(False, True), (True, False)], ids=["as it is", "as a package"]
)
def test_a_package_named_operator_would_break_the_standard_library(
    tmp_path: Path, *, is_package: bool, works: bool
) -> None:
    """From the repository's folder, Python starts and imports collections only without the __init__.py."""
    folder = tmp_path / "operator"
    folder.mkdir()
    (folder / "sluice").symlink_to(ROOT / "operator" / "sluice")
    if is_package:
        (folder / "__init__.py").touch()
    # -S: site would have imported the real module before; this is what an early import sees.
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import collections, operator; operator.itemgetter"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) is works, done.stderr
