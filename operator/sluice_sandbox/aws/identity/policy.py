"""IAM's policy language, evaluated: pure, from documents and a request to a decision.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html: an explicit
deny wins, then an allow is needed, and what nothing allows is denied. Elements:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sluice_sandbox.aws.identity import conditions

ALLOWED, EXPLICIT_DENY, IMPLICIT_DENY = "allowed", "explicitDeny", "implicitDeny"

Context = Mapping[str, Sequence[str]]
"""Condition keys, lower case, each with its values; a key without values is absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked: one action on one resource."""

    action: str
    """`ecs:UpdateService`."""
    resource: str = "*"
    context: Context = field(default_factory=dict)
    principals: frozenset[str] = frozenset()
    """What a Principal element may call the caller (trust and resource policies only)."""


@dataclass(frozen=True, slots=True)
class Document:
    """A policy with its name, as the simulator tells which one matched."""

    name: str
    text: str
    kind: str = "user"

    def statements(self) -> Sequence[dict[str, Any]]:
        """Return the statements; a text that is no JSON object has none."""
        return _statements(self.text)


@dataclass(frozen=True, slots=True)
class Decision:
    """ALLOWED, EXPLICIT_DENY or IMPLICIT_DENY, and the policies whose statements decided."""

    effect: str
    matched: tuple[Document, ...] = ()

    @property
    def allowed(self) -> bool:
        """Tell whether the request may pass."""
        return self.effect == ALLOWED


@lru_cache(maxsize=1_000)
def _statements(text: str) -> Sequence[dict[str, Any]]:
    try:
        found = json.loads(text).get("Statement", [])
    except (ValueError, AttributeError):
        return ()
    return tuple(item for item in as_list(found) if isinstance(item, dict))


def as_list(value: Any) -> list[Any]:  # noqa: ANN401 - policy elements are one thing or a list of them
    """Return an element's values: policies may write one value without its list."""
    return value if isinstance(value, list) else [value]


def evaluate(documents: Iterable[Document], request: Request) -> Decision:
    """Return what the policies of one kind, together, say about the request."""
    allows: list[Document] = []
    denies: list[Document] = []
    for document in documents:
        for statement in document.statements():
            if _applies(statement, request):
                (denies if statement.get("Effect") == "Deny" else allows).append(document)
    if denies:
        return Decision(EXPLICIT_DENY, tuple(denies))
    return Decision(ALLOWED, tuple(allows)) if allows else Decision(IMPLICIT_DENY)


def _applies(statement: Mapping[str, Any], request: Request) -> bool:
    def fill(text: str) -> str:
        return _filled(text, request.context)

    return (
        _listed(statement, "Action", lambda pattern: like(pattern.lower(), request.action.lower()))
        and _listed(statement, "Resource", lambda pattern: like(fill(pattern), request.resource))
        and _principal(statement, request)
        and conditions.hold(statement.get("Condition", {}), request.context, fill)
    )


def _listed(statement: Mapping[str, Any], element: str, fits: Callable[[str], bool]) -> bool:
    """Tell whether an element names the request; an element that is absent (Resource in trust) does."""
    if f"Not{element}" in statement:
        return not any(fits(str(item)) for item in as_list(statement[f"Not{element}"]))
    return element not in statement or any(fits(str(item)) for item in as_list(statement[element]))


def _principal(statement: Mapping[str, Any], request: Request) -> bool:
    if "NotPrincipal" in statement:
        return not request.principals & _named(statement["NotPrincipal"])
    if "Principal" not in statement:
        return True
    named = _named(statement["Principal"])
    return "*" in named or bool(request.principals & named)


def _named(element: Any) -> frozenset[str]:  # noqa: ANN401 - `*` or a map of lists
    if not isinstance(element, dict):
        return frozenset(str(item) for item in as_list(element))
    return frozenset(str(item) for values in element.values() for item in as_list(values))


def _filled(text: str, context: Context) -> str:
    """Put values in place of policy variables; one without a value matches nothing."""
    if "${" not in text:
        return text

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        if name in {"*", "?", "$"}:
            return f"[{name}]" if name != "$" else "$"
        values = context.get(name.lower(), ())
        return values[0] if values else "\0"

    return re.sub(r"\$\{([^}]+)\}", value, text)


def like(pattern: str, value: str) -> bool:
    """Tell whether `value` fits a pattern with `*` and `?` (and nothing else special)."""
    if "*" not in pattern and "?" not in pattern:
        return pattern == value
    return _compiled(pattern).fullmatch(value) is not None


@lru_cache(maxsize=5_000)
def _compiled(pattern: str) -> re.Pattern[str]:
    # `[*]` and `[?]` stand for the escaped variables ${*} and ${?}: the characters themselves.
    parts = re.split(r"(\[[*?]\]|[*?])", pattern)
    said = {"*": ".*", "?": ".", "[*]": r"\*", "[?]": r"\?"}
    return re.compile("".join(said.get(part, re.escape(part)) for part in parts), re.DOTALL)
