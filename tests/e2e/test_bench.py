"""The benchmark runs and its counts are sound; nothing here looks at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.e2e
@pytest.mark.timeout(280)
def test_a_tiny_benchmark_takes_every_figure_of_a_quick_run(tmp_path: Path) -> None:
    """Five Deployments converge, a restart mutates nothing in AWS, and the table has goals beside results."""
    done = subprocess.run(
        [sys.executable, str(_ROOT / "bench/run.py"), "--quick", "--count", "5", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=270,
    )
    assert done.returncode == 0, done.stderr
    [file] = tmp_path.glob("*.json")
    results = json.loads(file.read_text(encoding="utf-8"))
    [first], [converged], [restart] = results["firstWrite"], results["converge"], results["restart"]
    assert first["firstWrite"] == {"RegisterTaskDefinition": 5}
    assert converged["unready"] == {}
    assert converged["awsCallsByOperation"]["ecs CreateService"] == 5
    assert converged["awsCallsByOperation"]["ecs RegisterTaskDefinition"] == 5
    assert restart["mutatingCalls"] == 0
    assert restart["passes"] >= 10
    assert "goal" in done.stdout
    assert "best peer" in done.stdout
