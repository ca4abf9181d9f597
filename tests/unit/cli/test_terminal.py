"""`sluice status --watch` on a terminal: one picture that is redrawn, and the end below it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from unit.cli import samples
from unit.cli.fake_api import DEPLOYMENTS, FakeApi

_PROGRAM = "from sluice.cli.main import main; main()"
_UP = "\x1b[1A"


def test_the_tree_is_redrawn(api: FakeApi, tmp_path: Path) -> None:
    """The second look overwrites the first one; the last picture stays, with the outcome."""
    looks = [samples.moving(gates=[]), samples.moving(gates=[]), samples.resting()]

    def following(method: str, path: str) -> int | None:
        if path == f"{DEPLOYMENTS}/checkout" and looks:
            api.put(samples.deployment(looks.pop(0)))
        return None

    api.before.append(following)
    environment = {name: value for name, value in os.environ.items() if name != "KUBERNETES_SERVICE_HOST"}
    environment |= {
        "KUBECONFIG": str(api.kubeconfig(tmp_path / "kubeconfig")),
        "TERM": "xterm-256color",
        "COLUMNS": "120",
        "LINES": "50",
    }
    arguments = ["status", "checkout", "--watch", "--wait", "--interval", "100ms"]
    reader, writer = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM, *arguments], stdout=writer, env=environment)
    os.close(writer)
    shown = _read_all(reader)
    assert process.wait(60) == 0, shown
    assert _UP in shown
    assert shown.count("▶ 4. pause until promoted") == 2
    last = shown.rpartition(_UP)[2]
    assert "▶" not in last
    assert "slot a   live   checkout-old" in last
    assert "Ready: Available" in last


def _read_all(reader: int) -> str:
    """Read a terminal until nobody writes to it any more (Linux answers EIO then)."""
    found = b""
    while True:
        try:
            part = os.read(reader, 65_536)
        except OSError:
            part = b""
        if not part:
            os.close(reader)
            return found.decode("utf-8")
        found += part
