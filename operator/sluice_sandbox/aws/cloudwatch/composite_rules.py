"""The grammar of a composite alarm's rule, and what a rule says of its children's states. Pure.

Source: botocore's PutCompositeAlarm, AlarmRule: ALARM(), OK(), INSUFFICIENT_DATA() of an alarm's name or
ARN with or without double quotes, TRUE, FALSE, AND, OR, NOT and parentheses; at most 100 children and 500
elements. NOT binds closest, then AND, then OR (user guide, "Create a composite alarm").
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sluice_sandbox.aws.cloudwatch.refusals import validation_error

MAX_CHILDREN, MAX_ELEMENTS = 100, 500
STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")
_TOKEN = re.compile(
    r"\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"(?P<quoted>[^\"]+)\"|(?P<bare>[^\s()\"]+))\s*\)"
    r"|(?P<word>AND|OR|NOT|TRUE|FALSE)\b|(?P<sign>[()]))"
)


@dataclass(frozen=True, slots=True)
class InState:
    """`ALARM(name)` and its like."""

    state: str
    alarm: str
    """The name, also where the rule has an ARN."""


@dataclass(frozen=True, slots=True)
class Constant:
    """TRUE or FALSE."""

    value: bool


@dataclass(frozen=True, slots=True)
class Not:
    """NOT of a rule."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class Both:
    """AND or OR of two rules."""

    word: str
    left: Rule
    right: Rule


Rule = InState | Constant | Not | Both


def parse(text: str) -> Rule:
    """Return the rule; raises ValidationError for what is none."""
    return _Parser(text).whole()


def children(rule: Rule) -> list[str]:
    """Return the names of the alarms that a rule refers to, once each, in its order."""
    if isinstance(rule, InState):
        return [rule.alarm]
    if isinstance(rule, Not):
        return children(rule.rule)
    if isinstance(rule, Both):
        return list(dict.fromkeys(children(rule.left) + children(rule.right)))
    return []


def holds(rule: Rule, state_of: Callable[[str], str | None]) -> bool:
    """Tell whether a rule holds for the children's states; an alarm that is gone is in no state."""
    if isinstance(rule, InState):
        return state_of(rule.alarm) == rule.state
    if isinstance(rule, Constant):
        return rule.value
    if isinstance(rule, Not):
        return not holds(rule.rule, state_of)
    left, right = holds(rule.left, state_of), holds(rule.right, state_of)
    return (left and right) if rule.word == "AND" else (left or right)


def alarm_name(name_or_arn: str) -> str:
    """Return the name of an alarm given by name or ARN."""
    return name_or_arn.partition(":alarm:")[2] if name_or_arn.startswith("arn:") else name_or_arn


class _Parser:
    """Recursive descent; the rule is never deeper than its 500 elements."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_split(text))
        self._at = 0
        elements = sum(1 for kind, _, _ in self._tokens if kind in {"state", "sign"})
        elements += sum(1 for kind, word, _ in self._tokens if kind == "word" and word in {"TRUE", "FALSE"})
        if elements > MAX_ELEMENTS:
            raise validation_error(f"AlarmRule must not have more than {MAX_ELEMENTS} elements")

    def whole(self) -> Rule:
        rule = self._any()
        if self._at < len(self._tokens):
            raise _wrong(f"unexpected '{self._tokens[self._at][1]}'")
        if len(children(rule)) > MAX_CHILDREN:
            raise validation_error(f"AlarmRule must not refer to more than {MAX_CHILDREN} alarms")
        return rule

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at][:2] if self._at < len(self._tokens) else ("end", "")

    def _any(self) -> Rule:
        rule = self._all()
        while self._peek() == ("word", "OR"):
            self._at += 1
            rule = Both("OR", rule, self._all())
        return rule

    def _all(self) -> Rule:
        rule = self._one()
        while self._peek() == ("word", "AND"):
            self._at += 1
            rule = Both("AND", rule, self._one())
        return rule

    def _one(self) -> Rule:
        kind, text = self._peek()
        if kind == "end":
            raise _wrong("it ends too early")
        self._at += 1
        if kind == "state":
            return InState(text, alarm_name(self._tokens[self._at - 1][2]))
        if kind == "word" and text in {"TRUE", "FALSE"}:
            return Constant(text == "TRUE")
        if kind == "word" and text == "NOT":
            return Not(self._one())
        if text != "(":
            raise _wrong(f"unexpected '{text}'")
        rule = self._any()
        if self._peek() != ("sign", ")"):
            raise _wrong("a parenthesis is not closed")
        self._at += 1
        return rule


def _split(text: str) -> list[tuple[str, str, str]]:
    tokens, at = [], 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _wrong(f"near '{text[at : at + 20].strip()}'")
        kind = str(match.lastgroup) if match["state"] is None else "state"
        tokens.append((kind, match[kind], match["quoted"] or match["bare"] or ""))
        at = match.end()
    return tokens


def _wrong(why: str) -> Exception:
    return validation_error(f"AlarmRule is invalid: {why}.")
