"""How a container behaves: read from its `SANDBOX_*` variables and from rules about its image.

Any image answers as an echo server that tells which image, revision, task and slot it is. What makes
it slow, failing, unhealthy, short-lived or late is said by the container's environment, or by a rule
that gives such variables to all images of a pattern (a rule yields to the environment).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

FAIL_PERCENT = "SANDBOX_FAIL_PERCENT"
LATENCY_MS = "SANDBOX_LATENCY_MS"
UNHEALTHY = "SANDBOX_UNHEALTHY"
CRASH_AFTER_S = "SANDBOX_CRASH_AFTER_S"
EXIT = "SANDBOX_EXIT"
START_DELAY_S = "SANDBOX_START_DELAY_S"
COOKIE = "SANDBOX_COOKIE"
VARIABLES = (FAIL_PERCENT, LATENCY_MS, UNHEALTHY, CRASH_AFTER_S, EXIT, START_DELAY_S, COOKIE)

CRASH_CODE = 1
_FALSE = ("", "0", "false", "no", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a container does besides echoing; the defaults are a healthy server."""

    fail_percent: float = 0.0
    """Share of requests answered with 500, 0 to 100. Health checks are not among them."""
    latency_seconds: float = 0.0
    """How long each answer takes, health checks included."""
    unhealthy: bool = False
    """Health checks (load balancer's and container's) fail; other requests are answered."""
    crash_after_seconds: float | None = None
    exit_code: int | None = None
    """The container exits at its start with this code and never listens."""
    start_delay_seconds: float = 0.0
    cookie: str = ""
    """Name of a session cookie that every answer over a socket sets; '' for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRule:
    """`SANDBOX_*` variables for every image that a shell pattern (`*/app:bad-*`) matches."""

    pattern: str
    variables: Mapping[str, str]


def behaviour(image: str, environment: Mapping[str, str], rules: Sequence[ImageRule] = ()) -> Behaviour:
    """Return how a container of `image` behaves. A value that is no number counts as not given."""
    variables: dict[str, str] = {}
    for rule in rules:
        if fnmatchcase(image, rule.pattern):
            variables |= rule.variables
    variables |= {name: environment[name] for name in VARIABLES if name in environment}
    crash_after = _number(variables.get(CRASH_AFTER_S))
    exit_code = _number(variables.get(EXIT))
    return Behaviour(
        fail_percent=min(100.0, max(0.0, _number(variables.get(FAIL_PERCENT)) or 0.0)),
        latency_seconds=max(0.0, _number(variables.get(LATENCY_MS)) or 0.0) / 1000,
        unhealthy=variables.get(UNHEALTHY, "").strip().lower() not in _FALSE,
        crash_after_seconds=None if crash_after is None else max(0.0, crash_after),
        exit_code=None if exit_code is None else int(exit_code),
        start_delay_seconds=max(0.0, _number(variables.get(START_DELAY_S)) or 0.0),
        cookie=variables.get(COOKIE, ""),
    )


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    return number if number is not None and math.isfinite(number) else None


def tag_of(image: str) -> str:
    """Return an image's tag: 'latest' when it names none, '' when it is pinned by digest alone."""
    name, _, digest = image.partition("@")
    _, separator, tag = name.rpartition("/")[2].partition(":")
    if separator:
        return tag
    return "" if digest else "latest"
