"""The grammar of metric math: text to a tree.

Source: "Metric math syntax and functions" of the CloudWatch user guide: arithmetic (`+ - * / ^`, unary
minus), comparisons (`== != <= >= < >`), AND/&&, OR/||, functions in capitals, ids that begin with a lower
case letter, arrays in brackets, numbers, strings. Precedence is the usual one (not stated there).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sluice_sandbox.aws.cloudwatch.refusals import validation_error

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)"
    r"|(?P<string>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^<>()\[\],]))"
)
_MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A string."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """The id of another query, or a word such as REPEAT or DESC."""

    value: str


@dataclass(frozen=True, slots=True)
class Array:
    """Time series in brackets."""

    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments."""

    function: str
    arguments: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator with two sides; unary minus is `0 -` with `neg`."""

    sign: str
    left: Tree
    right: Tree


Tree = Number | Text | Name | Array | Call | Operation


def parse(expression: str, text: str) -> Tree:
    """Return the tree of `text`; raises ValidationError that names the query `expression`."""
    if text.lstrip().upper().startswith("SELECT"):
        return Text(text)
    return _Parser(expression, text).whole()


def names(tree: Tree) -> set[str]:
    """Return the ids that a tree refers to."""
    if isinstance(tree, Name):
        return {tree.value} if tree.value[:1].islower() else set()
    if isinstance(tree, Operation):
        return names(tree.left) | names(tree.right)
    if isinstance(tree, Call):
        return set().union(*(names(item) for item in tree.arguments))
    if isinstance(tree, Array):
        return set().union(*(names(item) for item in tree.items))
    return set()


def functions(tree: Tree) -> set[str]:
    """Return the names of the functions in a tree."""
    if isinstance(tree, Operation):
        return functions(tree.left) | functions(tree.right)
    if isinstance(tree, Call):
        return {tree.function}.union(*(functions(item) for item in tree.arguments))
    if isinstance(tree, Array):
        return set().union(*(functions(item) for item in tree.items))
    return set()


_LEVELS = (("OR", "||"), ("AND", "&&"), ("==", "!=", "<=", ">=", "<", ">"), ("+", "-"), ("*", "/"))
_SAME = {"||": "OR", "&&": "AND"}


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, expression: str, text: str) -> None:
        self._expression = expression
        self._tokens = list(self._split(text))
        self._at = 0
        self._depth = 0

    def whole(self) -> Tree:
        tree = self._level(0)
        if self._at < len(self._tokens):
            raise self._wrong()
        return tree

    def _split(self, text: str) -> list[tuple[str, str]]:
        tokens, at = [], 0
        text = text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise validation_error(
                    f"Error in expression '{self._expression}': Unexpected token '{text[at:].strip()[:1]}'"
                )
            tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
            at = match.end()
        return tokens

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _expect(self, sign: str) -> None:
        if self._peek() != ("sign", sign):
            raise self._wrong()
        self._at += 1

    def _wrong(self) -> Exception:
        kind, text = self._peek()
        found = f"Unexpected token '{text}'" if kind != "end" else "Unexpected end of the expression"
        return validation_error(f"Error in expression '{self._expression}': {found}")

    def _level(self, level: int) -> Tree:
        if level == len(_LEVELS):
            return self._unary()
        tree = self._level(level + 1)
        while self._peek()[1] in _LEVELS[level] and self._peek()[0] in {"sign", "word"}:
            sign = self._next()[1]
            tree = Operation(_SAME.get(sign, sign), tree, self._level(level + 1))
        return tree

    def _unary(self) -> Tree:
        if self._peek() == ("sign", "-"):
            self._at += 1
            return Operation("neg", Number(0.0), self._unary())
        tree = self._atom()
        if self._peek() == ("sign", "^"):
            self._at += 1
            return Operation("^", tree, self._unary())
        return tree

    def _atom(self) -> Tree:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise validation_error(f"Error in expression '{self._expression}': nested too deeply")
        try:
            return self._simple()
        finally:
            self._depth -= 1

    def _simple(self) -> Tree:
        kind, text = self._peek()
        if kind == "number":
            self._at += 1
            return Number(float(text))
        if kind == "string":
            self._at += 1
            return Text(re.sub(r"\\(.)", r"\1", text[1:-1]))
        if kind == "word":
            self._at += 1
            if self._peek() == ("sign", "("):
                return Call(text, self._items("(", ")"))
            return Name(text)
        if text == "(":
            self._at += 1
            tree = self._level(0)
            self._expect(")")
            return tree
        if text == "[":
            return Array(self._items("[", "]"))
        raise self._wrong()

    def _items(self, opening: str, closing: str) -> tuple[Tree, ...]:
        self._expect(opening)
        items: list[Tree] = []
        if self._peek() != ("sign", closing):
            items.append(self._level(0))
            while self._peek() == ("sign", ","):
                self._at += 1
                items.append(self._level(0))
        self._expect(closing)
        return tuple(items)
