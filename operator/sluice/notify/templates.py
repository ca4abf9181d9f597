"""Templates of what sinks say: JSON whose texts may hold `{{namespace}}`, `{{title}}` and the like.

Only facts of the moment can be named. A template is filled once with made-up ones when the operator starts,
so that a wrong one ends the start instead of a notification in the night.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sluice.analysis.placeholders import UnknownPlaceholderError, fill
from sluice.notify.moment import FACTS


def filled(template: Any, facts: Mapping[str, str]) -> Any:  # noqa: ANN401 - any JSON
    """Return the template with the placeholders of all its texts replaced; names of members stay."""
    if isinstance(template, str):
        return fill(template, facts)
    if isinstance(template, Mapping):
        return {name: filled(value, facts) for name, value in template.items()}
    if isinstance(template, list | tuple):
        return [filled(value, facts) for value in template]
    return template


def problems(template: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON
    """Yield (path inside the template, what is wrong) for each text that can't be filled."""
    yield from _problems(template, "", lambda text: fill(text, dict.fromkeys(FACTS, "")))


def _problems(template: Any, path: str, attempt: Callable[[str], object]) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    if isinstance(template, str):
        try:
            attempt(template)
        except UnknownPlaceholderError as error:
            yield path, str(error)
    elif isinstance(template, Mapping):
        for name, value in template.items():
            yield from _problems(value, f"{path}.{name}", attempt)
    elif isinstance(template, list | tuple):
        for number, value in enumerate(template):
            yield from _problems(value, f"{path}.{number}", attempt)
