"""Mutation testing of the pure heart in `make soak`: what survives is told, line by line.

Each mutant of `rollout/` and `plan/progressive/` is a copy of the product with one change; the unit tests of
both and the short explorations run against it in a process of their own. A share of the mutants is drawn by
a seed that is printed (`SEEDS=7` replays it, `MUTANTS=0` takes all).
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from explore.mutants import mutants

ROOT = Path(__file__).parents[2]
MODULES = ("operator/sluice/rollout", "operator/sluice/plan/progressive")
TESTS = ("tests/unit/rollout", "tests/unit/progressive", "tests/explore/test_exploration.py")
DRAWN = int(os.environ.get("MUTANTS", "40"))
MOST_SURVIVORS = 0.35
"""Share of survivors that is tolerated: texts for people, wake-up times and equal changes among them."""


def survives(tree: Path, module: Path, source: str) -> bool:
    """Tell whether no test notices `source` in place of a module of the copy in `tree`."""
    target = tree / module.relative_to(ROOT)
    before = target.read_text()
    target.write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not soak", *TESTS]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(tree / "operator")},
            capture_output=True,
            timeout=1800,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False  # goes round for ever: noticed
    finally:
        target.write_text(before)
    return done.returncode == 0


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_mutants_are_noticed(tmp_path: Path) -> None:
    """The drawn mutants, one process each; the survivors are printed with file, line and change."""
    seed = int(os.environ.get("SEEDS", "").split(",")[0] or time.time())
    shutil.copytree(ROOT / "operator", tmp_path / "operator")
    every = [
        (module, mutant)
        for folder in MODULES
        for module in sorted((ROOT / folder).glob("*.py"))
        for mutant in mutants(module.read_text())
    ]
    drawn = random.Random(seed).sample(every, min(DRAWN, len(every))) if DRAWN else every
    _say(f"mutation: seed {seed}, {len(drawn)} of {len(every)} mutants")
    alive = []
    for number, (module, mutant) in enumerate(drawn, 1):
        where = f"{module.relative_to(ROOT)}:{mutant.line}: {mutant.change}"
        found = survives(tmp_path, module, mutant.source)
        _say(f"{number} {'SURVIVES' if found else 'noticed '} {where}")
        alive += [where] if found else []
    _say(f"mutation: {len(alive)} of {len(drawn)} survive")
    assert len(alive) <= MOST_SURVIVORS * len(drawn), "\n".join(alive)


def test_the_mutator_changes_what_it_says() -> None:
    """One of each kind, and each mutant is another program."""
    source = "def f(a, b):\n    if not a:\n        return max(a, 1) < b and True\n    return 0\n"
    found = {mutant.change.split(" in ")[0]: mutant.source for mutant in mutants(source)}
    assert set(found) == {
        "not dropped",
        "and ↔ or",
        "Lt → LtE",
        "True → False",
        "max exchanged",
        "1 → 2",
        "0 → 1",
    }
    assert len(set(found.values())) == len(found)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the list of survivors is the result
