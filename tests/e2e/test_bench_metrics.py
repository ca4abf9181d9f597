"""The benchmark of scrapes runs and its counts are sound; nothing here looks at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.e2e
def test_a_small_run_takes_every_figure(tmp_path: Path) -> None:
    """Both formats have the same series, and more objects have proportionally more of them."""
    command = [sys.executable, str(_ROOT / "bench/metrics.py"), "--scrapes", "1", "--out", str(tmp_path)]
    done = subprocess.run(
        [*command, "--count", "50", "--count", "100"],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    [file] = tmp_path.glob("*.json")
    small, large = json.loads(file.read_text(encoding="utf-8"))["scrapes"]
    for found in (small, large):
        assert found["text"]["series"] == found["OpenMetrics"]["series"]
        assert found["text"]["megabytes"] > 0
    grown = large["text"]["series"] - small["text"]["series"]
    assert 20 * 50 < grown < 30 * 50
    assert "MB of objects" in done.stdout
