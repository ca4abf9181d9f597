"""Why a name is not as the spec wants it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A condition's reason (of the closed list) and message."""

    reason: str
    message: str
