"""Steps in words, for status, events and people."""

from __future__ import annotations

from sluice.model.strategy import Analyse, Pause, RunHook, SetHeaderRoute, SetWeight, Step


def describe(step: Step) -> str:
    """Return one step as a person would write it: `setWeight 25`, `pause 10m`, `hook smoke`."""
    match step:
        case SetWeight(permille=permille):
            return f"setWeight {permille / 10:g}"
        case Pause(seconds=seconds):
            return f"pause {span(seconds)}" if seconds is not None else "pause until promoted"
        case Analyse(seconds=seconds, metrics=metrics):
            return f"analysis {span(seconds)}{' of ' + ', '.join(metrics) if metrics else ''}"
        case RunHook(name=name):
            return f"hook {name}"
        case SetHeaderRoute(header=header, value=value):
            return f"setHeaderRoute {header}: {value}" if header else "setHeaderRoute off"
    raise AssertionError(step)  # pragma: no cover - the union is closed


def span(seconds: float) -> str:
    """Return a duration as Go writes it: `90s`, `10m`, `1h30m`."""
    whole = int(seconds)
    if whole != seconds or whole < 60:
        return f"{seconds:g}s"
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "m"), (left, "s"))
    return "".join(f"{value}{unit}" for value, unit in parts if value)
