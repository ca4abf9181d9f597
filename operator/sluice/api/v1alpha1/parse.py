"""From an object of the API server to a typed spec, with refusals that a person can act on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from sluice.api.v1alpha1.schema import Typed, findings
from sluice.model.errors import Refused

S = TypeVar("S", bound=Typed)
IN_FULL: Final = 3
_PLAIN: Final = {
    "missing": "is required",
    "extra_forbidden": "is not a field that this version of Sluice knows; remove it",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a spec: where, and what to do."""

    path: str
    text: str

    def __str__(self) -> str:
        """Return `spec.template.spec.nodeName: ECS places tasks by …`."""
        return f"{self.path}: {self.text}"

    @staticmethod
    def none_or_refuse(spec: S | None, problems: list[Problem]) -> S:
        """Return the spec when nothing is wrong with it, else refuse with all problems."""
        if problems or spec is None:
            raise refuse(problems)
        return spec


def refuse(problems: Iterable[Problem]) -> Refused:
    """Return the refusal of a spec: every problem counted, the first three in full, no values."""
    unique = list(dict.fromkeys(str(problem) for problem in problems))
    rest = len(unique) - IN_FULL
    more = f"; and {rest} more" if rest > 0 else ""
    return Refused("InvalidSpec", "; ".join(unique[:IN_FULL]) + more)


def parse_spec(kind: type[S], obj: Mapping[str, Any]) -> tuple[S | None, list[Problem]]:
    """Parse `obj["spec"]`; return it, or None, and what is wrong with it.

    Values are never part of a problem's text: a person may have put a secret in the wrong place.
    """
    try:
        spec = kind.model_validate(obj.get("spec") or {})
    except ValidationError as error:
        return None, [
            Problem(_path(item["loc"]), _PLAIN.get(item["type"], item["msg"]))
            for item in error.errors(include_url=False, include_context=False, include_input=False)
        ]
    refusals = findings(spec, "spec", lambda answer: answer.kind == "refused")
    return spec, [Problem(finding.path, finding.text) for finding in refusals]


def _path(location: tuple[int | str, ...]) -> str:
    path = "spec"
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part not in {"int", "str"}:  # branches of IntOrString are no fields
            path += f".{part}"
    return path
