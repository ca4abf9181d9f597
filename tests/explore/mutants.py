"""Small mutations of pure modules: one operator, constant or condition at a time, as a tree that compiles.

No kept tool of the lock does this, so it is the little that is needed: comparisons shifted by one or turned
round, and / or exchanged, `not` dropped or added to a bare condition, + and - exchanged, numbers moved by
one, True and False exchanged, min / max and any / all exchanged.
Annotations and the arguments of `@dataclass` (frozen, slots: no behaviour) are left alone.
"""

from __future__ import annotations

import ast
from collections import Counter
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
_BARE = (ast.Name, ast.Attribute, ast.Call, ast.Subscript)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Mutant:
    """One change of a module, told so that it is found again when lines above it come or go."""

    function: str
    """Qualified name of the outermost function it is in; '' for what runs when the module is imported."""
    change: str
    number: int
    """Which of the equal changes in this function it is, from 1."""
    line: int
    lines: tuple[int, int]
    """First and last line of the statement, without the body of a compound one."""
    place: int
    """Which of the module's changes it is: `mutated` finds it by this."""

    @property
    def name(self) -> str:
        """Function and change: what stays when the module grows."""
        again = f" (no. {self.number})" if self.number > 1 else ""
        return f"{self.function or '<module>'}: {self.change}{again}"


@dataclass(frozen=True)
class _Change:
    text: str
    node: ast.AST
    member: str
    value: object

    def __call__(self) -> None:
        """Change the node in place."""
        setattr(self.node, self.member, self.value)


@dataclass(frozen=True)
class _Place:
    change: _Change
    function: str
    line: int
    lines: tuple[int, int]


def mutants(source: str) -> Iterator[Mutant]:
    """Return every mutant of a module's source."""
    seen: Counter[tuple[str, str]] = Counter()
    for number, place in enumerate(_places(ast.parse(source))):
        seen[place.function, place.change.text] += 1
        yield Mutant(
            function=place.function,
            change=place.change.text,
            number=seen[place.function, place.change.text],
            line=place.line,
            lines=place.lines,
            place=number,
        )


def mutated(source: str, mutant: Mutant) -> ast.Module:
    """Return the module with the change; lines are where they were."""
    tree = ast.parse(source)
    place = next(place for number, place in enumerate(_places(tree)) if number == mutant.place)
    place.change()
    return ast.fix_missing_locations(tree)


def _places(tree: ast.Module) -> list[_Place]:
    found: list[_Place] = []

    def walk(node: ast.AST, scope: tuple[str, ...], function: str, lines: tuple[int, int]) -> None:
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
            lines = (node.lineno, max(node.lineno, last))
        line = getattr(node, "lineno", lines[0])
        found.extend(_Place(change, function, line, lines) for change in _changes(node))
        for member, value in ast.iter_fields(node):
            if member in ("annotation", "returns") or (member == "decorator_list" and _plain(node)):
                continue
            inner, within = scope, function
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                inner = (*scope, node.name)
            if isinstance(node, _FUNCTIONS) and member == "body" and not function:
                within = ".".join(inner)
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    walk(child, inner, within, lines)

    walk(tree, (), "", (1, 1))
    return found


def _plain(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef)


def _changes(node: ast.AST) -> Iterator[_Change]:
    if isinstance(node, ast.Compare):
        for number, op in enumerate(node.ops):
            other = _COMPARED[type(op)]
            ops = [*node.ops[:number], other(), *node.ops[number + 1 :]]
            yield _Change(f"{type(op).__name__} → {other.__name__} in {ast.unparse(node)}", node, "ops", ops)
    elif isinstance(node, ast.BoolOp):
        swapped = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield _Change(f"and ↔ or in {ast.unparse(node)}", node, "op", swapped)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        # Texts and lists that are put together would only raise TypeError: those without a number are left.
        if not _joins(node):
            other_op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
            yield _Change(f"+ ↔ - in {ast.unparse(node)}", node, "op", other_op)
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        yield from _condition(node)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        moved = not node.value if isinstance(node.value, bool) else node.value + 1
        yield _Change(f"{node.value} → {moved}", node, "value", moved)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _NAMES:
        yield _Change(
            f"{node.func.id} exchanged in {ast.unparse(node)}", node.func, "id", _NAMES[node.func.id]
        )


def _condition(node: ast.If | ast.IfExp | ast.While) -> Iterator[_Change]:
    test, word = node.test, "while" if isinstance(node, ast.While) else "if"
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield _Change(f"not dropped in {word} {ast.unparse(test)}", node, "test", test.operand)
    elif isinstance(test, _BARE):
        turned = ast.UnaryOp(op=ast.Not(), operand=test)
        yield _Change(f"not added in {word} {ast.unparse(test)}", node, "test", turned)


def _joins(node: ast.BinOp) -> bool:
    texts = (ast.JoinedStr, ast.List, ast.Tuple, ast.ListComp)
    return any(
        isinstance(side, texts) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in (node.left, node.right)
    )
