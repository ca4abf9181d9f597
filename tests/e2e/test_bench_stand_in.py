"""The stand-in's benchmark runs beside moto and its counts are sound; nothing here looks at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.e2e
@pytest.mark.timeout(280)
def test_a_quick_run_takes_every_figure_of_both_servers(tmp_path: Path) -> None:
    """Five calls in four ways, all tasks of fifty services (moto has none), and a table with goals."""
    done = subprocess.run(
        [sys.executable, str(_ROOT / "bench/stand_in.py"), "--quick", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=270,
    )
    assert done.returncode == 0, done.stderr
    [file] = tmp_path.glob("*.json")
    results = json.loads(file.read_text(encoding="utf-8"))
    for server, tasks in (("stand-in", 100), ("moto", 0)):
        calls, crowd = results[server]["calls"], results[server]["crowd"]
        assert len(calls) == 5
        assert all(set(ways) == {"boto3", "raw1", "raw4", "raw16"} for ways in calls.values())
        assert all(figure["calls"] > 0 for ways in calls.values() for figure in ways.values())
        assert [(step["services"], step["tasks"]) for step in crowd["steps"]] == [(50, tasks)]
        assert crowd["memoryEmptyMb"] > 0
    assert "goal" in done.stdout
    assert "moto" in done.stdout
