"""`make bench`: every figure of the architecture's "Figures to beat" that this product has so far.

A full run takes some minutes on two cores; --quick about one (50 Deployments, no crash, no budgets). The
result is bench/out/<date>.json and a table on standard output; progress goes to standard error. What each
figure is and is not: docs/bench.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sluice_bench import figures, rollback
from sluice_bench.operator_process import BenchFailed
from sluice_bench.report import machine, table
from sluice_bench.world import Plan, World

_OUT = Path(__file__).resolve().parent / "out"
_BEGAN = time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """How much is measured. Latencies are seconds that the stand-in adds to every call."""

    singles: int = 60
    single_latencies: tuple[float, ...] = (0.0, 0.05)
    converge: tuple[tuple[int, float], ...] = ((300, 0.0), (300, 0.05), (1_000, 0.0), (1_000, 0.05))
    """Deployments and latency."""
    restart: tuple[int, float] = (1_000, 0.0)
    """After which of them the operator is restarted, killed and watched at rest."""
    rest_seconds: float = 60.0
    crash: bool = True
    budgeted: int = 60
    """0: not measured."""
    rollbacks: int | None = 50
    """Rollouts in motion beside the one that goes back; None: not measured."""


def quick(count: int) -> Scope:
    """Return the smoke test's scope."""
    return Scope(
        singles=min(10, count),
        single_latencies=(0.0,),
        converge=((count, 0.0),),
        restart=(count, 0.0),
        rest_seconds=5.0,
        crash=False,
        budgeted=0,
        rollbacks=None,
    )


def nothing() -> dict[str, Any]:
    """Return the results of a run that has measured nothing yet."""
    return {
        "machine": machine(),
        "firstWrite": [],
        "converge": [],
        "restart": [],
        "rest": [],
        "budgeted": [],
        "rollbacks": [],
    }


def run(
    results: dict[str, Any], scope: Scope, *, say: Callable[[str], None], profile: Path | None = None
) -> None:
    """Take the figures of a scope and add each to `results` as it is taken; raises BenchFailed."""
    for latency in scope.single_latencies:
        heard = _prefixed(say, f"first write, {latency * 1000:g} ms")
        plan = Plan(latency_seconds=latency, profile=_named(profile, "first"))
        with World(plan, say=heard) as world, _noted(results["firstWrite"], world, latency) as found:
            found.update(figures.first_write(world, count=scope.singles, say=heard))
    for count, latency in scope.converge:
        heard = _prefixed(say, f"{count:,} Deployments, {latency * 1000:g} ms")
        plan = Plan(latency_seconds=latency, profile=_named(profile, f"converge-{count}"))
        with World(plan, say=heard) as world:
            with _noted(results["converge"], world, latency) as found:
                found.update(figures.converge(world, count=count, say=heard))
            if (count, latency) == scope.restart:
                _afterwards(world, results, scope, say=heard)
    if scope.budgeted:
        heard = _prefixed(say, f"{scope.budgeted} with budgets")
        with (
            World(Plan(budgets=True), say=heard) as world,
            _noted(results["budgeted"], world, 0.0) as found,
        ):
            found.update(figures.budgeted(world, count=scope.budgeted, say=heard))
    if scope.rollbacks is not None:
        heard = _prefixed(say, f"rollbacks, {scope.rollbacks} others")
        with World(Plan(budgets=True), say=heard) as world, _noted(results["rollbacks"], world, 0.0) as found:
            found.update(rollback.rollbacks(world, others=scope.rollbacks, say=heard))


def _afterwards(world: World, results: dict[str, Any], scope: Scope, *, say: Callable[[str], None]) -> None:
    count, latency = scope.restart
    say(f"at rest for {scope.rest_seconds:g} s")
    with _noted(results["rest"], world, latency) as found:
        found.update(figures.at_rest(world, seconds=scope.rest_seconds, count=count))
    for kill in (False, True) if scope.crash else (False,):
        say("killed and started" if kill else "restarted")
        with _noted(results["restart"], world, latency) as found:
            found.update(figures.restart(world, count=count, kill=kill))


@contextmanager
def _noted(into: list[dict[str, Any]], world: World, latency: float) -> Iterator[dict[str, Any]]:
    """Add a figure with its latency, and with what share of the machine others took meanwhile."""
    found: dict[str, Any] = {"latencyMs": latency * 1000}
    began, (machine, own) = time.monotonic(), world.busy()
    yield found
    machine_after, own_after = world.busy()
    room = (time.monotonic() - began) * (os.cpu_count() or 1)
    others = max(0.0, (machine_after - machine) - (own_after - own))
    found["othersPercentOfMachine"] = round(others / room * 100, 1)
    into.append(found)


def _named(profile: Path | None, name: str) -> Path | None:
    return None if profile is None else profile / name


def _prefixed(say: Callable[[str], None], what: str) -> Callable[[str], None]:
    say(f"{what}: starting a world")
    return lambda text: say(f"{what}: {text}")


def _say(text: str) -> None:
    print(f"[{time.monotonic() - _BEGAN:5.0f} s] {text}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 when every figure could be taken, whatever it says."""
    parser = argparse.ArgumentParser(prog="bench/run.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="50 Deployments, about a minute")
    parser.add_argument("--count", type=int, default=50, help="Deployments of a quick run")
    parser.add_argument("--out", type=Path, default=_OUT, help="directory of the JSON file")
    parser.add_argument("--profile", type=Path, help="directory for sampled profiles of the operator")
    parser.add_argument("--only", help="COUNT@MS: one convergence with restart and rest, e.g. 1000@50")
    parser.add_argument("--rollbacks", type=int, metavar="OTHERS", help="only rollbacks, among OTHERS")
    options = parser.parse_args(arguments)
    scope = quick(options.count) if options.quick else Scope()
    if options.only:
        count, _, millis = options.only.partition("@")
        one = (int(count), float(millis or 0) / 1000)
        scope = Scope(
            single_latencies=(), converge=(one,), restart=one, rest_seconds=20, crash=False, budgeted=0
        )
        scope = replace(scope, rollbacks=None)
    if options.rollbacks is not None:
        scope = Scope(singles=0, single_latencies=(), converge=(), budgeted=0, rollbacks=options.rollbacks)
    if options.profile:
        options.profile.mkdir(parents=True, exist_ok=True)
    results = nothing()
    try:
        run(results, scope, say=_say, profile=options.profile and options.profile.resolve())
    except (BenchFailed, RuntimeError, OSError) as failed:
        # What was measured until then took a quarter of an hour: it is kept and shown.
        results["failed"] = f"{type(failed).__name__}: {failed}"
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"{time.strftime('%Y-%m-%dT%H%M%S')}.json"
    file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(table(results))
    print(f"everything else: {file}", file=sys.stderr)
    if "failed" in results:
        print(f"bench: {results['failed']}", file=sys.stderr)
    return int("failed" in results)


if __name__ == "__main__":
    sys.exit(main())
