"""Times as people read them: how long ago, how long still."""

from __future__ import annotations

from sluice.model.conditions import parse_timestamp


def age(text: str, now: float) -> str:
    """Return how long a status time is ago: `45s`, `12m`, `3h5m`, `8d`; '' for none."""
    return length(now - parse_timestamp(text)) if text else ""


def left(text: str, now: float) -> str:
    """Return how long a status time is ahead, '' when it is over or none."""
    ahead = parse_timestamp(text) - now if text else 0.0
    return length(ahead) if ahead > 0 else ""


def length(seconds: float) -> str:
    """Return a length in at most two units, as kubectl shows ages; below 0 is 0s."""
    whole = max(0, int(seconds))
    for unit, name, below, small, most in (
        (86_400, "d", 3600, "h", 8),
        (3600, "h", 60, "m", 10),
        (60, "m", 1, "s", 10),
    ):
        if whole >= unit:
            big, rest = divmod(whole, unit)
            part = rest // below
            return f"{big}{name}{part}{small}" if part and big < most else f"{big}{name}"
    return f"{whole}s"
