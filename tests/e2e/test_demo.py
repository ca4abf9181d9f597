"""The demo as a user runs it, in its short form: it asserts its own story, and has to clean up."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from e2e.waiting import until
from sluice_sandbox.demo.stage import sluice

pytestmark = pytest.mark.e2e
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MARK = "SLUICE_E2E_DEMO"


def descendants(mark: str) -> list[str]:
    """Return the programs that run with our mark in their environment (proc(5)): it is inherited."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            name = (folder / "comm").read_text(encoding="utf-8").strip()
        except OSError:
            continue  # it ended meanwhile
        if f"{MARK}={mark}".encode() in environment:
            found.append(name)
    return found


def test_the_demo_ends_well_and_leaves_nothing(tmp_path: Path) -> None:
    """Exit code 0, no failed request, nothing left of it in the process table or on the disk."""
    mark = str(tmp_path)
    log = tmp_path.with_name(f"{tmp_path.name}.log")
    with log.open("wb") as output:
        demo = subprocess.Popen(
            [*sluice(), "sandbox", "demo", "--quick", "--json", "--dashboard", "--examples", str(EXAMPLES)],
            env={**os.environ, MARK: mark, "TMPDIR": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        running = until(lambda: "kube-apiserver" in descendants(mark), "the demo runs an API server")
        scraped = until(lambda: "prometheus" in descendants(mark), "Prometheus scrapes the operator")
        code = demo.wait(280)
    finally:
        # Its children end with it.
        demo.kill()
    text = log.read_text(encoding="utf-8")
    assert running
    assert scraped
    assert "page: http://127.0.0.1:" in text
    assert code == 0, text
    figures = json.loads(text.splitlines()[-1])
    for act in ("update", "rollback"):
        assert figures[f"{act}: requests sent"] > 100
        assert figures[f"{act}: requests failed"] == 0
    for act in ("canary", "bad revision", "blue/green and undo"):
        assert figures[f"{act}: requests sent"] > 100
        assert figures[f"{act}: requests lost"] == 0
    assert figures["by name: calls"] > 100
    assert figures["by name: DNS answers"] > 10
    assert figures["by name: DNS answers without an address"] == figures["by name: calls to nobody"] == 0
    for leg in ("detection to the rule written", "the rule written to read back"):
        assert 0 < figures[f"bad revision: seconds from {leg}"] < 2
    until(lambda: not descendants(mark), "everything that the demo started has ended", seconds=10)
    assert list(tmp_path.iterdir()) == []
