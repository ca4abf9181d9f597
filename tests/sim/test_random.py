"""Whatever happens in whatever order: healed, the world is the one that the specs alone would have made.

A schedule is a seed. Its failure prints the seed and what was done; the soak's prints the command that plays
it again.
"""

from __future__ import annotations

import random

import pytest

from sim.chaos import Chaos
from sim.verdict import expected, final_specs, litter, picture
from soaking import Soak, say

SHORT = 60
"""Schedules in `make test`."""
STEPS = 25
BATCHES = 6


def one(seed: int, *, steps: int = STEPS) -> int:
    """Play one schedule and check all laws; return the number of AWS writes it made."""
    chaos = Chaos(seed)
    specs = final_specs(random.Random(seed))
    universe = chaos.universe
    before = str(universe.rules())
    try:
        chaos.play(steps=steps)
        chaos.heal(specs)
        assert picture(universe) == expected(specs, seed=seed)
        assert litter(universe) == []
        written = len(universe.writes())
        universe.run(200)
        assert universe.writes()[written:] == [], "rest is not at rest"
        assert next(rule for rule in universe.rules() if rule["Priority"] == "40000")["RuleArn"] in before
    except BaseException as error:
        story = "\n".join(chaos.log)
        raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}\n{story}") from error
    return chaos.observer.writes


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_schedules(batch: int) -> None:
    """A few schedules of each length; the seeds are fixed, so a failure is a failure again."""
    seeds = range(batch * SHORT // BATCHES, (batch + 1) * SHORT // BATCHES)
    writes = sum(one(seed) for seed in seeds)
    say(f"explored {seeds}: {len(seeds)} schedules, {len(seeds) * STEPS} events, {writes} AWS writes")
    assert writes > 0


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_soak() -> None:
    """Schedules with new seeds, or those of SEEDS; it goes on where the last soak stopped."""
    soak = Soak(kind="rolling", test="tests/sim/test_random.py::test_soak")
    assert soak.play(lambda seed: one(seed, steps=STEPS * (1 + seed % 4)))
