"""Mutation testing of the pure heart in `make soak`: each change is noticed, or kept with a reason.

`judge.py` does the work, `GROUPS` says which tests judge which modules. Verdicts are kept in the soak's
folder (`soaking.py`), so a run that was ended goes on, and a second one judges only what changed. A survivor
stands in `kept_mutants/` with the reason why no test can or should notice it, or the soak fails and tells
where it is; a line there whose mutant is gone or is noticed now fails, too.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from explore.judge import State, modules
from explore.mutants import Mutant, mutants, mutated
from soaking import folder, minutes, say

ROOT = Path(__file__).parents[2]
UNIT = "tests/unit"
KEPT = Path(__file__).with_name("kept_mutants")


@dataclass(frozen=True)
class Group:
    """Modules and the tests that judge them: all of `quick`, and for survivors `thorough`, too."""

    of: str
    quick: tuple[str, ...]
    thorough: tuple[str, ...] = ()


GROUPS = (
    Group(
        "operator/sluice/rollout",
        (f"{UNIT}/rollout", f"{UNIT}/progressive"),
        ("tests/explore/test_exploration.py",),
    ),
    Group("operator/sluice/plan/progressive", (f"{UNIT}/progressive", f"{UNIT}/rollout")),
    Group("operator/sluice/model", (f"{UNIT}/model",)),
    Group("operator/sluice/plan/translation", (f"{UNIT}/translation",)),
    Group(
        "operator/sluice/plan/canonical.py,operator/sluice/plan/failures.py",
        (f"{UNIT}/canonical", f"{UNIT}/deployment/test_words_of_failures.py"),
    ),
    Group("operator/sluice/plan/route", (f"{UNIT}/route",)),
    Group("operator/sluice/plan/discovery", (f"{UNIT}/discovery",)),
    Group("operator/sluice/plan/deployment", (f"{UNIT}/deployment", f"{UNIT}/progressive")),
    Group(
        "operator/sluice/plan/parents.py,operator/sluice/plan/permit.py",
        (f"{UNIT}/permit", f"{UNIT}/route", f"{UNIT}/deployment/test_parents.py"),
    ),
)


def kept() -> dict[tuple[str, str], str]:
    """Return module and name of each mutant that may survive, with the reason."""
    found = {}
    for line in (line for file in sorted(KEPT.glob("*.txt")) for line in file.read_text().splitlines()):
        if line and not line.startswith("#"):
            module, name, why = (part.strip() for part in line.split(" | "))
            found[f"operator/sluice/{module}", name] = why
    return found


def every(of: str) -> Iterator[tuple[Path, Mutant]]:
    """Return every mutant of these modules."""
    for module in modules(of):
        for mutant in mutants(module.read_text()):
            yield module, mutant


def judge(group: Group, tests: tuple[str, ...], *, seconds: int) -> None:
    """Judge what has no verdict that stands; a mutant may cost `seconds` of tests."""
    command = [sys.executable, "-m", "pytest", "-q", "-s", "--timeout", "0", "-p", "explore.judge"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "tests"),
        "MUTANTS_OF": group.of,
        "MUTANTS_STATE": str(folder() / "mutants.jsonl"),
        "MUTANTS_TESTS": str(seconds),
        "MUTANTS_MINUTES": str(minutes()),
    }
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "-m", "not soak", *tests], cwd=ROOT, env=environment, check=False
    )
    assert done.returncode in (0, 5), (
        f"judging {group.of} ended with {done.returncode}"
    )  # 5: no test was "run"


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.of.split(",")[0].rpartition("sluice/")[2])
def test_mutants_are_noticed(group: Group) -> None:
    """Every mutant of the group has been judged; who survives is kept with a reason."""
    judge(group, group.quick, seconds=6)
    judge(group, (*group.quick, *group.thorough), seconds=90)
    state = State.read(folder() / "mutants.jsonl")
    here = {
        (str(module.relative_to(ROOT)), mutant.name): (module, mutant) for module, mutant in every(group.of)
    }
    noticed = {name for name, (module, mutant) in here.items() if state.stands(module, mutant)}
    alive = {name for name in here if name in state.verdicts and name not in noticed}
    unjudged = len(here) - len(noticed) - len(alive)
    say(f"{group.of}: {len(here)} mutants, {len(noticed)} noticed, {len(alive)} alive, {unjudged} not judged")
    bad = [f"{module}:{here[module, name][1].line}: {name}" for module, name in alive - set(kept())]
    for line in sorted(bad):
        say(f"SURVIVES {line}")
    assert not bad, "\n".join(sorted(bad))
    assert not [name for name in kept() if name in noticed], "kept, but noticed: take the line away"


def test_what_is_kept_exists_and_says_why() -> None:
    """A line whose mutant is gone (the code changed) must go, too; each has a reason."""
    named = ",".join({module for module, _ in kept()})
    there = {(str(module.relative_to(ROOT)), mutant.name) for module, mutant in every(named)}
    assert [name for name in kept() if name not in there] == []
    assert all(len(why) > len("equal") for why in kept().values())


def test_every_module_has_judges() -> None:
    """No module of the pure heart is left out."""
    judged = {module for group in GROUPS for module in modules(group.of)}
    assert judged >= set(modules("operator/sluice/rollout,operator/sluice/plan,operator/sluice/model")) - {
        ROOT / "operator/sluice/plan/__init__.py"
    }


def test_the_mutator_changes_what_it_says() -> None:
    """One of each kind, and each mutant is another program with the same lines."""
    source = (
        "def f(a, b):\n    if not a:\n        return max(a, 1) < b and True\n"
        "    if b:\n        return 0\n    return a + b\n"
    )
    found = {mutant.change.split(" in ")[0]: mutant for mutant in mutants(source)}
    assert {kind: mutant.line for kind, mutant in found.items()} == {
        "not dropped": 2,
        "and ↔ or": 3,
        "Lt → LtE": 3,
        "True → False": 3,
        "max exchanged": 3,
        "1 → 2": 3,
        "not added": 4,
        "0 → 1": 5,
        "+ ↔ -": 6,
    }
    programs = {ast.unparse(mutated(source, mutant)) for mutant in found.values()}
    assert len(programs - {source.rstrip()}) == len(found)


def test_the_judge_tells_what_notices_and_what_survives(tmp_path: Path) -> None:
    """A verdict per mutant, by the tests given; those that were noticed stand in the next run."""
    module = ROOT / "operator/sluice/rollout/group.py"
    test = f"{UNIT}/rollout/test_group.py"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "explore.judge", "-p", "no:cacheprovider", test]
    environment = {"MUTANTS_OF": str(module.relative_to(ROOT)), "MUTANTS_STATE": str(tmp_path / "state")}
    environment |= {"PYTHONPATH": str(ROOT / "tests"), "MUTANTS_PART": "0/20"}
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, check=False
    )
    state = State.read(tmp_path / "state")
    assert len(state.verdicts) == -(-len(list(mutants(module.read_text()))) // 20), done.stdout.decode()
    noticed = [mutant for mutant in mutants(module.read_text()) if state.stands(module, mutant)]
    assert noticed
    assert {entry["by"].partition("::")[0] for entry in state.verdicts.values()} <= {test, ""}
