"""The benchmark of names runs and its counts are sound; nothing here looks at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_MAP = "servicediscovery"


@pytest.mark.e2e
def test_a_quick_run_takes_every_figure(tmp_path: Path) -> None:
    """Each task is registered once; no entry is touched at rest; an update replaces them one by one."""
    command = [sys.executable, str(_ROOT / "bench/discovery.py"), "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    [file] = tmp_path.glob("*.json")
    found = json.loads(file.read_text(encoding="utf-8"))["discovery"]
    assert found["callsToConverge"][f"{_MAP} RegisterInstance"] == found["tasks"] == 6
    assert found["callsToConverge"][f"{_MAP} CreateService"] == found["names"] == 3
    assert not any("Instance" in name and "Discover" not in name for name in found["callsAtRest"])
    update = found["update"]
    for operation in ("RegisterInstance", "UpdateInstanceCustomHealthStatus", "DeregisterInstance"):
        assert update["calls"][f"{_MAP} {operation}"] == 2
    moments = update["secondsAfterPatch"]
    order = ["firstNewSeen", "allNewSeen", "oldHidden", "oldGone", "ready"]
    assert sorted(order, key=lambda moment: (moments[moment], order.index(moment))) == order
    assert "update of one" in done.stdout
