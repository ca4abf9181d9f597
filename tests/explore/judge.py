"""A pytest plugin that judges mutants of the product: which tests notice a change of one line?

`MUTANTS_OF=FOLDER,FOLDER MUTANTS_STATE=FILE python -m pytest -p explore.judge TESTS`

1. The tests are collected once and run once in a forked child whose functions mark the statements that each
   test executes.
2. For each mutant the process forks: the child exchanges the code of the mutant's function (no import, no
   collection again), runs the tests that execute its statement, the quickest first, and ends at the first
   that fails. What changes while a module is imported has no function: a pytest of its own runs on a copy.
3. One line of JSON per verdict goes to the state file. A verdict stands while the module's text, and the text
   of the file of the test that noticed, are what they were; so a run that was ended goes on where it stopped.
   Survivors are judged again by each run: tests may have come.

Hypothesis neither shrinks nor stores what a mutant makes fail, and draws the same examples each time.
"""

from __future__ import annotations

import ast
import gc
import hashlib
import json
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType
from typing import Final

import pytest
from hypothesis import Phase, settings

from explore.mutants import Mutant, mutants, mutated
from soaking import say

ROOT: Final = Path(__file__).parents[2]
MEMORY: Final = 4 << 30
"""Bytes that a mutant's process may map: some collect for ever."""
LONGEST: Final = float(os.environ.get("MUTANTS_TESTS", "6"))
"""Seconds of tests (as they lasted unchanged) that one mutant may cost; the quickest come first."""


@dataclass(slots=True)
class Seen:
    """What each test executes, and how long it lasts."""

    lines: dict[tuple[str, int], set[int]] = field(default_factory=lambda: defaultdict(set))
    seconds: dict[int, float] = field(default_factory=dict)

    def of(self, path: str, lines: tuple[int, int]) -> list[int]:
        """Return the tests that execute one of these lines, quickest first."""
        found = {test for line in range(lines[0], lines[1] + 1) for test in self.lines.get((path, line), ())}
        return sorted(found, key=lambda test: self.seconds[test])


@dataclass(slots=True)
class State:
    """The verdicts so far, and the file that keeps them."""

    path: Path
    verdicts: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> State:
        """Return what the file tells; a line that was cut by the end of a process is left out."""
        state = cls(path)
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            state.verdicts[entry["module"], entry["mutant"]] = entry
        return state

    def stands(self, module: Path, mutant: Mutant) -> dict[str, str] | None:
        """Return the verdict that still holds, None where there is none."""
        entry = self.verdicts.get((str(module.relative_to(ROOT)), mutant.name))
        if entry is None or entry["text"] != digest(module) or not entry["by"]:
            return None
        judge = ROOT / entry["by"].partition("::")[0]
        return entry if entry["judge"] == digest(judge) else None

    def tell(self, module: Path, mutant: Mutant, by: str) -> None:
        """Keep a verdict: `by` is the test that noticed, '' for none."""
        judge = ROOT / by.partition("::")[0]
        entry = {
            "module": str(module.relative_to(ROOT)),
            "mutant": mutant.name,
            "line": str(mutant.line),
            "text": digest(module),
            "by": by,
            "judge": digest(judge) if by else "",
        }
        self.verdicts[entry["module"], entry["mutant"]] = entry
        with self.path.open("a") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")


_DIGESTS: Final[dict[Path, str]] = {}


def digest(path: Path) -> str:
    """Return what tells a file's text from another; '' for a folder or no file."""
    if path not in _DIGESTS:
        _DIGESTS[path] = hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else ""
    return _DIGESTS[path]


def modules(folders: str) -> list[Path]:
    """Return the modules of folders (or single files) named with commas between."""
    named = [ROOT / name for name in folders.split(",") if name]
    return sorted(path for at in named for path in ([at] if at.is_file() else at.rglob("*.py")))


# -- hooks ------------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    """Settle hypothesis before the tests are imported: their settings are made of the profile then."""
    phases = (Phase.explicit, Phase.generate)
    default = settings.get_profile("sluice")
    settings.register_profile("mutants", parent=default, database=None, derandomize=True, phases=phases)
    settings.load_profile("mutants")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    """Judge instead of testing."""
    if session.testsfailed:
        raise session.Interrupted(f"{session.testsfailed} errors while collecting")
    chosen = modules(os.environ["MUTANTS_OF"])
    state = State.read(Path(os.environ["MUTANTS_STATE"]))
    todo = [
        (module, mutant)
        for module in chosen
        for mutant in mutants(module.read_text())
        if state.stands(module, mutant) is None
    ]
    todo.sort(key=lambda entry: not entry[1].function)  # those that cost a process of pytest come last
    say(f"mutants: {len(todo)} to be judged, in {len(chosen)} modules, by {len(session.items)} tests")
    if todo:
        _judge(session, state, todo)
    return True


def _judge(session: pytest.Session, state: State, todo: Sequence[tuple[Path, Mutant]]) -> None:
    until = time.monotonic() + 60 * float(os.environ.get("MUTANTS_MINUTES", "1e9"))
    chosen = list(dict.fromkeys(module for module, _ in todo))
    functions = _functions({str(module) for module in chosen})
    gc.collect()
    gc.freeze()  # what a child does not touch is not copied for it
    begun = time.monotonic()
    seen = _watched(session, chosen, functions)
    say(f"mutants: the tests took {time.monotonic() - begun:.1f} s unchanged")
    part, parts = (int(number) for number in os.environ.get("MUTANTS_PART", "0/1").split("/"))
    for number, (module, mutant) in enumerate(todo):
        if number % parts != part:
            continue
        if time.monotonic() > until:
            say(f"mutants: time is over, {len(todo) - number} are left")
            return
        begun = time.monotonic()
        if mutant.function:
            by = _forked(session, seen, functions, module, mutant)
        else:
            by = _apart(session, seen, module, mutant)
        state.tell(module, mutant, by)
        where = f"{module.relative_to(ROOT)}:{mutant.line}: {mutant.name}"
        took = time.monotonic() - begun
        say(f"{number + 1}/{len(todo)} {'noticed ' if by else 'SURVIVES'} {took:.1f} s {where}")


# -- what each test executes ------------------------------------------------------------------------------


def _watched(session: pytest.Session, chosen: Sequence[Path], functions: Functions) -> Seen:
    """Run every test once, unchanged, in a child whose functions mark their statements; all must pass."""
    with tempfile.NamedTemporaryFile() as file:
        child = os.fork()
        if child == 0:
            _quiet()
            failed = "the first test"
            try:
                seen, failed = _marked(session, chosen, functions)
                Path(file.name).write_bytes(pickle.dumps((failed, dict(seen.lines), seen.seconds)))
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        failed, lines, seconds = pickle.loads(Path(file.name).read_bytes())
        if failed:
            raise session.Interrupted(f"{failed} fails without any mutant: run it first")
        return Seen(lines=lines, seconds=seconds)


def _marked(session: pytest.Session, chosen: Sequence[Path], functions: Functions) -> tuple[Seen, str]:
    seen, marks = Seen(), set[tuple[str, int]]()
    for module in chosen:
        tree = _Marker(str(module)).visit(ast.parse(module.read_text()))
        code = compile(ast.fix_missing_locations(tree), str(module), "exec", dont_inherit=True)
        for new in _exchanged(code, str(module), functions):
            new.__globals__["__seen__"] = marks
    for number, item in enumerate(session.items):
        marks.clear()
        begun = time.process_time()  # a busy machine makes no test dearer
        _run(item, session.items[number + 1] if number + 1 < len(session.items) else None)
        seen.seconds[number] = time.process_time() - begun
        for mark in marks:
            seen.lines[mark].add(number)
        if session.testsfailed:
            return seen, item.nodeid
    return seen, ""


class _Marker(ast.NodeTransformer):
    """Puts `__seen__.add((path, line))` before each statement of a function."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.inside = False

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Mark what is in the body."""
        outside, self.inside = self.inside, True
        self.generic_visit(node)
        self.inside = outside
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Mark the statements of each list of statements."""
        super().generic_visit(node)
        for member in ("body", "orelse", "finalbody"):
            statements = getattr(node, member, None)
            if self.inside and isinstance(statements, list) and not isinstance(node, ast.ClassDef):
                setattr(node, member, [new for old in statements for new in (self._mark(old), old)])
        return node

    def _mark(self, statement: ast.stmt) -> ast.stmt:
        mark = ast.parse(f"__seen__.add(({self.path!r}, {statement.lineno}))").body[0]
        return ast.copy_location(mark, statement)


# -- one mutant -------------------------------------------------------------------------------------------

Functions = Mapping[tuple[str, str, int], list[FunctionType]]


def _functions(paths: set[str]) -> Functions:
    """Return every function of the modules by path, qualified name and first line."""
    found: dict[tuple[str, str, int], list[FunctionType]] = defaultdict(list)
    for thing in gc.get_objects():
        if isinstance(thing, FunctionType) and thing.__code__.co_filename in paths:
            code = thing.__code__
            found[code.co_filename, code.co_qualname, code.co_firstlineno].append(thing)
    return found


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _exchanged(code: CodeType, path: str, functions: Functions) -> list[FunctionType]:
    """Give the functions of a module the code of its changed twin; return them."""
    found = []
    for new in _codes(code):
        for function in functions.get((path, new.co_qualname, new.co_firstlineno), ()):
            function.__code__ = new
            found.append(function)
    return found


def _forked(session: pytest.Session, seen: Seen, functions: Functions, module: Path, mutant: Mutant) -> str:
    tests = seen.of(str(module), mutant.lines)
    if not tests:
        return ""
    source = module.read_text()
    code = compile(mutated(source, mutant), str(module), "exec", dont_inherit=True)
    limit = 120 + 60 * min(LONGEST, sum(seen.seconds[test] for test in tests))
    with tempfile.NamedTemporaryFile() as file:
        child = os.fork()
        if child == 0:
            _quiet()
            try:
                resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
                # What goes round for ever ends, too, when the judge was ended before it.
                resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit)))
                _exchanged(code, str(module), functions)
                by = _first_failure(session, seen, tests)
                Path(file.name).write_text(by)
            finally:
                os._exit(0)
        if not _ended(child, limit):
            return session.items[tests[0]].nodeid  # goes round for ever: noticed
        by = Path(file.name).read_text() or session.items[tests[0]].nodeid  # nothing: it died of the change
        return "" if by == "-" else by


def _first_failure(session: pytest.Session, seen: Seen, tests: list[int]) -> str:
    spent = 0.0
    for number, test in enumerate(tests):
        spent += seen.seconds[test]
        if number and spent > LONGEST:
            break
        following = tests[number + 1] if number + 1 < len(tests) else None
        _run(session.items[test], None if following is None else session.items[following])
        if session.testsfailed:
            return session.items[test].nodeid
    return "-"


def _ended(child: int, limit: float) -> bool:
    until = time.monotonic() + limit
    while time.monotonic() < until:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        time.sleep(0.003)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _apart(session: pytest.Session, seen: Seen, module: Path, mutant: Mutant) -> str:
    """Judge what changes on import: a copy of the tree, a pytest of its own, tests that use the module."""
    source = module.read_text()
    everywhere = (1, source.count("\n") + 1)
    use = seen.of(str(module), everywhere) or sorted(seen.seconds, key=seen.seconds.__getitem__)
    tests, spent = list[str](), 0.0
    for test in use:
        spent += seen.seconds[test]
        if tests and spent > LONGEST / 2:
            break
        tests.append(session.items[test].nodeid)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "operator", Path(folder) / "operator")
        target = Path(folder) / module.relative_to(ROOT)
        target.write_text(ast.unparse(mutated(source, mutant)))
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "-m",
            "not soak",
            *tests,
        ]
        environment = {**os.environ, "PYTHONPATH": f"{folder}/operator", "COLUMNS": "400"}
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False
            )
        except subprocess.TimeoutExpired:
            return tests[0]
    if done.returncode == 0:
        return ""
    failed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0] if failed else tests[0]


# -- processes --------------------------------------------------------------------------------------------


def _run(item: pytest.Item, following: pytest.Item | None) -> None:
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)


def _quiet() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
