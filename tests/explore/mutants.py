"""Small mutations of pure modules: one operator, constant or condition at a time, as text that can be run.

No kept tool of the lock does this, so it is the little that is needed: comparisons shifted by one,
and / or exchanged, `not` dropped, numbers moved by one, True and False exchanged, min and max exchanged.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Mutant:
    """A module with one change."""

    line: int
    change: str
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """Return every mutant of a module's source; annotations and docstrings are left alone."""
    tree = ast.parse(source)
    for index, node in enumerate(ast.walk(tree)):
        for change, _ in _changes(node):
            mutated = copy.deepcopy(tree)
            twin = next(n for place, n in enumerate(ast.walk(mutated)) if place == index)
            dict(_changes(twin))[change]()
            yield Mutant(line=getattr(node, "lineno", 0), change=change, source=ast.unparse(mutated))


def _changes(node: ast.AST) -> list[tuple[str, _Change]]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        other = _COMPARED[type(node.ops[0])]
        text = f"{type(node.ops[0]).__name__} → {other.__name__} in {ast.unparse(node)}"
        return [(text, _Change(node, "ops", [other()]))]
    if isinstance(node, ast.BoolOp):
        swapped = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return [(f"and ↔ or in {ast.unparse(node)}", _Change(node, "op", swapped))]
    if isinstance(node, ast.If) and isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not):
        return [(f"not dropped in if {ast.unparse(node.test)}", _Change(node, "test", node.test.operand))]
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        other_value = not node.value if isinstance(node.value, bool) else node.value + 1
        return [(f"{node.value} → {other_value}", _Change(node, "value", other_value))]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _NAMES:
        return [
            (
                f"{node.func.id} exchanged in {ast.unparse(node)}",
                _Change(node.func, "id", _NAMES[node.func.id]),
            )
        ]
    return []


@dataclass(frozen=True)
class _Change:
    node: ast.AST
    member: str
    value: object

    def __call__(self) -> None:
        """Change the node in place."""
        setattr(self.node, self.member, self.value)
