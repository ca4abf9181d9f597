"""SEARCH of metric math, in its usual form: a schema in braces, then terms.

Source: "CloudWatch search expression syntax" of the user guide: `{Namespace, Dimension, ...} terms`, where a
term is a word that must occur, a quoted exact string, or `MetricName="..."`, `Dimension="..."`, and terms are
joined by AND (or nothing), OR, NOT and parentheses. Without a schema all metrics are searched.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable

from sluice_sandbox.aws.cloudwatch.refusals import validation_error
from sluice_sandbox.aws.cloudwatch.series import Series

MAX_RESULTS = 100
_SCHEMA = re.compile(r"\s*\{([^}]*)\}\s*")
_TOKEN = re.compile(
    r"\s*(?:(?P<field>[\w./:-]+|\"[^\"]+\")\s*=\s*|(?P<quoted>\"[^\"]*\")|(?P<sign>[()])|(?P<word>[^\s()\"=]+))"
)
Test = Callable[[Series], bool]


def matching(metrics: Iterable[Series], pattern: str) -> list[Series]:
    """Return at most 100 metrics that fit the search expression, by key."""
    schema = _SCHEMA.match(pattern)
    fits_schema = _schema(schema[1]) if schema else lambda _: True
    terms = pattern[schema.end() :] if schema else pattern
    test = _Terms(terms).whole()
    found = [series for series in metrics if fits_schema(series) and test(series)]
    return sorted(found, key=lambda series: series.key)[:MAX_RESULTS]


def label(series: Series) -> str:
    """Return what tells a found metric from its like: its dimensions' values and its name."""
    return " ".join([*(item["Value"] for item in series.dimensions), series.key.name])


def _schema(text: str) -> Test:
    namespace, *dimensions = (part.strip().strip('"') for part in text.split(","))
    wanted = sorted(dimensions)
    return lambda series: (
        series.key.namespace == namespace and [name for name, _ in series.key.dimensions] == wanted
    )


class _Terms:
    """Reads terms into a test."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at, text = 0, text.strip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise validation_error(f"SEARCH cannot be read near '{text[at : at + 20]}'")
            self._tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
            at = match.end()
        self._at = 0

    def whole(self) -> Test:
        if not self._tokens:
            return lambda _: True
        test = self._any()
        if self._at < len(self._tokens):
            raise validation_error("SEARCH has a parenthesis too many")
        return test

    def _any(self) -> Test:
        tests = [self._all()]
        while self._word("OR"):
            tests.append(self._all())
        return lambda series: any(test(series) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._at < len(self._tokens) and self._tokens[self._at] not in {("word", "OR"), ("sign", ")")}:
            self._word("AND")
            tests.append(self._one())
        return lambda series: all(test(series) for test in tests)

    def _word(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == ("word", word):
            self._at += 1
            return True
        return False

    def _one(self) -> Test:
        if self._word("NOT"):
            inner = self._one()
            return lambda series: not inner(series)
        if self._at >= len(self._tokens):
            raise validation_error("SEARCH ends too early")
        kind, text = self._tokens[self._at]
        self._at += 1
        if text == "(" and kind == "sign":
            test = self._any()
            if self._at >= len(self._tokens) or self._tokens[self._at] != ("sign", ")"):
                raise validation_error("SEARCH has a parenthesis that is not closed")
            self._at += 1
            return test
        if kind == "field":
            return self._field(text.strip('"'))
        if kind == "sign":
            raise validation_error("SEARCH has a parenthesis too many")
        return _anywhere(text)

    def _field(self, name: str) -> Test:
        """Read `name=value` or `name=(value OR value)`."""
        if self._at >= len(self._tokens):
            raise validation_error(f"SEARCH has no value for {name}")
        inner = self._one_value()
        return lambda series: any(inner(value) for value in _values(series, name))

    def _one_value(self) -> Callable[[str], bool]:
        kind, text = self._tokens[self._at]
        self._at += 1
        if (kind, text) != ("sign", "("):
            return _value(text)
        tests = [self._one_value()]
        while self._word("OR"):
            tests.append(self._one_value())
        if self._at >= len(self._tokens) or self._tokens[self._at] != ("sign", ")"):
            raise validation_error("SEARCH has a parenthesis that is not closed")
        self._at += 1
        return lambda value: any(test(value) for test in tests)


def _value(text: str) -> Callable[[str], bool]:
    """Return a test: quoted text is exact, a bare word a part regardless of case."""
    if text.startswith('"'):
        return lambda value: value == text.strip('"')
    return lambda value: text.lower() in value.lower()


def _anywhere(text: str) -> Test:
    fits = _value(text)

    def test(series: Series) -> bool:
        key = series.key
        return any(fits(part) for part in (key.namespace, key.name, *itertools.chain(*key.dimensions)))

    return test


def _values(series: Series, name: str) -> list[str]:
    if name == "MetricName":
        return [series.key.name]
    if name == "Namespace":
        return [series.key.namespace]
    return [value for dimension, value in series.key.dimensions if dimension == name]
