"""Steps in words: what people read in status, events and notifications is what they wrote in the spec."""

from __future__ import annotations

import pytest

from sluice.model.strategy import Analyse, Pause, RunHook, SetHeaderRoute, SetWeight, Step
from sluice.plan.progressive.steps import describe, span

STEPS: dict[str, Step] = {
    "setWeight 5": SetWeight(permille=50),
    "setWeight 0.5": SetWeight(permille=5),
    "setWeight 100": SetWeight(permille=1000),
    "pause 10m": Pause(seconds=600),
    "pause 0s": Pause(seconds=0),
    "pause until promoted": Pause(),
    "analysis 5m": Analyse(seconds=300),
    "analysis 30s of errors, latency": Analyse(seconds=30, metrics=("errors", "latency")),
    "hook smoke": RunHook(name="smoke"),
    "setHeaderRoute x-canary: 1": SetHeaderRoute(header="x-canary", value="1"),
    "setHeaderRoute off": SetHeaderRoute(),
}


@pytest.mark.parametrize(("text", "step"), STEPS.items(), ids=STEPS)
def test_a_step_reads_as_it_was_written(text: str, step: Step) -> None:
    """Weights in percent, times as Go writes them."""
    assert describe(step) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.25, "0.25s"),
        (59, "59s"),
        (60, "1m"),
        (60.5, "60.5s"),
        (61, "1m1s"),
        (90, "1m30s"),
        (3599, "59m59s"),
        (3600, "1h"),
        (3601, "1h1s"),
        (5400, "1h30m"),
        (7322, "2h2m2s"),
        (86400, "24h"),
    ],
)
def test_a_duration_reads_as_go_writes_it(seconds: float, text: str) -> None:
    """Without units of zero; a fraction stays in seconds (Go, time.Duration.String, but for those)."""
    assert span(seconds) == text
