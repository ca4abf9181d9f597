"""What tracing costs a pass: off, against the same passes of a tree that has none, and on, against off.

    python bench/tracing.py                       # on against off
    git archive COMMIT | tar x -C /tmp/before     # a commit without tracing
    python bench/tracing.py --before /tmp/before  # and off against that

The passes are the simulation's (tests/sim): the real controllers, planners, gateway and caches, with no
network and no API server between them, so a pass is as cheap as it can be and what is added to it as
visible. They look after Deployments with routes at rest, which is what an operator does most. Of each process
the CPU time of a pass in its best round of forty passes counts: whatever else the machine does only adds to
it. Two processes take turns; each pair gives a ratio, printed are their median and quartiles.
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import statistics
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
OBJECTS: Final = 20
_CHILD: Final = """
import io, json, os, sys, time
from sluice.telemetry.log import configure
configure(level="info", stream=io.StringIO())
from sim.universe import Universe, deployment, route
from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key
endpoint, objects, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
tracer = None
if endpoint != "off":
    from sluice.telemetry.otlp import TracingOptions, start
    tracer = start(TracingOptions(endpoint=endpoint, rest_ratio=1))
universe = Universe(seed=7, budgets=False)
names = [f"web-{number}" for number in range(objects)]
for name in names:
    universe.cluster.apply(deployment(name))
    spec = route(name, backends={name: 1})
    spec["spec"]["rules"][0]["matches"] = [{"path": {"value": f"/{name}"}}]
    universe.cluster.apply(spec)
keys = [Key(kind, "shop", name) for kind in (DEPLOYMENT, SERVICE_ROUTE) for name in names]
universe.settle(lambda: universe.ready(*keys))
universe.run(120)
run, best = universe.operator.reconciler.run_one, 1.0
for _ in range(rounds):
    for key in keys:
        universe.operator.queue.add(key)
    passes, began = 0, time.process_time()
    while run(block=False):
        passes += 1
    if tracer:
        tracer.flush()
    best = min(best, (time.process_time() - began) / passes)
    universe.run(0.5)
print(json.dumps(best))
os._exit(0)
"""


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path, help="a tree without tracing, to compare off with")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=60)
    chosen = parser.parse_args(arguments)
    if chosen.before:
        _compare("off", "before", chosen, [(ROOT, "off"), (chosen.before, "off")])
    with _sink() as url:
        _compare("on", "off", chosen, [(ROOT, url), (ROOT, "off")])


def _compare(name: str, other: str, chosen: argparse.Namespace, sides: Sequence[tuple[Path, str]]) -> None:
    ratios, costs = [], []
    for pair in range(chosen.pairs + 1):
        # Whoever goes second finds a warmer machine: they take turns at that, too.
        order = sides if pair % 2 else tuple(reversed(sides))
        taken = {side: _run(*side, rounds=chosen.rounds) for side in order}
        first, second = (taken[side] for side in sides)
        if pair:  # the first is a warm-up
            ratios.append(first / second)
            costs.append((first, second))
            print(f"  {name}/{other} {ratios[-1]:.4f}", file=sys.stderr, flush=True)
    low, middle, high = statistics.quantiles(ratios, n=4)
    ours, theirs = (statistics.median(cost[side] for cost in costs) for side in (0, 1))
    print(
        f"{name}/{other}: median {middle:.4f}, quartiles {low:.4f} to {high:.4f} of {len(ratios)} pairs; "
        f"{ours * 1e6:.0f} against {theirs * 1e6:.0f} us of CPU a pass (median)"
    )


def _run(tree: Path, endpoint: str, *, rounds: int) -> float:
    """Return the seconds of CPU that a pass takes in a new process of this tree."""
    found = subprocess.run(
        [sys.executable, "-c", _CHILD, endpoint, str(OBJECTS), str(rounds)],
        env={**os.environ, "PYTHONPATH": f"{tree / 'operator'}:{tree / 'tests'}", "PYTHONHASHSEED": "0"},
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if found.returncode:
        sys.exit(f"the passes of {tree} failed:\n{found.stderr[-2000:]}")
    return float(json.loads(found.stdout.splitlines()[-1]))


class _sink:  # noqa: N801 - a context manager, read as a function
    """A receiver that takes everything and looks at nothing."""

    def __enter__(self) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


if __name__ == "__main__":
    main(sys.argv[1:])
