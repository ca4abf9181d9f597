"""What tracing costs a pass: off, against the same passes of a tree that has none, and on, against off.

    python bench/tracing.py                       # on against off
    git archive COMMIT | tar x -C /tmp/before     # a commit without tracing
    python bench/tracing.py --before /tmp/before  # and off against that

The passes are the simulation's (tests/sim): the real controllers, planners, gateway and caches, with no
network and no API server between them, so a pass is as cheap as it can be and what is added to it as
visible. They look after Deployments with routes at rest, which is what an operator does most. Two processes
live side by side and take turns at rounds of forty passes, some 25 ms each, so that what else the machine
does falls on both; a pair's figure is the median of the ratios of CPU time of neighbouring rounds. Where a
process lies in memory makes some percent, so there are several pairs, and a tree against itself as a control.
Off is also counted, in bytecode instructions, which no neighbour disturbs.
"""

from __future__ import annotations

import argparse
import http.server
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
_WARM_UP: Final = 10  # rounds
_CHILD: Final = """
import io, os, sys, time
from sluice.telemetry.log import configure
configure(level="info", stream=io.StringIO())
from sim.universe import Universe, deployment, route
from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key
endpoint, objects = sys.argv[1], int(sys.argv[2])
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
run = universe.operator.reconciler.run_one
if sys.argv[3:] == ["count"]:
    counted = {"opcode": 0, "call": 0}
    def trace(frame, event, argument):
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event in counted:
            counted[event] += 1
        return trace
    for key in keys:
        universe.operator.queue.add(key)
    sys.settrace(trace)
    while run(block=False):
        pass
    sys.settrace(None)
    print(counted["opcode"] / len(keys), counted["call"] / len(keys), flush=True)
    os._exit(0)
print("ready", flush=True)
for _ in sys.stdin:
    for key in keys:
        universe.operator.queue.add(key)
    passes, began = 0, time.process_time()
    while run(block=False):
        passes += 1
    if tracer:
        tracer.flush()
    print((time.process_time() - began) / passes, flush=True)
    universe.run(0.5)
os._exit(0)
"""


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path, help="a tree without tracing, to compare off with")
    parser.add_argument("--pairs", type=int, default=10, help="pairs of processes")
    parser.add_argument("--rounds", type=int, default=60, help="rounds of each")
    chosen = parser.parse_args(arguments)
    if chosen.before:
        before, off = (chosen.before, "off"), (ROOT, "off")
        _count(chosen.before)
        _compare("before/before, the noise", chosen, before, before)
        _compare("off/before", chosen, off, before)
    with _sink() as url:
        _compare("on/off", chosen, (ROOT, url), (ROOT, "off"))


def _count(before: Path) -> None:
    """Print what no neighbour can disturb: the bytecode instructions and Python calls of a pass."""
    counted = []
    for tree in (before, ROOT):
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, "off", str(OBJECTS), "count"],
            env=_environment(tree),
            cwd=tree,
            capture_output=True,
            text=True,
            check=True,
        )
        counted.append([float(number) for number in done.stdout.split()])
    (old, old_calls), (new, new_calls) = counted
    print(
        f"off/before, counted: {new / old:.4f}: {new:,.0f} against {old:,.0f} bytecode instructions and "
        f"{new_calls:,.0f} against {old_calls:,.0f} Python calls a pass",
        flush=True,
    )


def _environment(tree: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{tree / 'operator'}:{tree / 'tests'}", "PYTHONHASHSEED": "0"}


def _compare(name: str, chosen: argparse.Namespace, ours: tuple[Path, str], theirs: tuple[Path, str]) -> None:
    ratios, costs = [], []
    for _ in range(chosen.pairs):
        pair = _Passes(*ours), _Passes(*theirs)
        try:
            rounds = [_round(pair, number) for number in range(chosen.rounds + _WARM_UP)][_WARM_UP:]
        finally:
            for passes in pair:
                passes.end()
        ratios.append(statistics.median(mine / other for mine, other in rounds))
        costs += rounds
    low, middle, high = statistics.quantiles(ratios, n=4)
    mine, other = (min(cost[side] for cost in costs) * 1e6 for side in (0, 1))
    print(
        f"{name}: median {middle:.4f}, quartiles {low:.4f} to {high:.4f} of {len(ratios)} pairs, "
        f"{chosen.rounds} rounds each; best round {mine:.0f} against {other:.0f} us of CPU a pass",
        flush=True,
    )


def _round(pair: tuple[_Passes, _Passes], number: int) -> tuple[float, float]:
    # Whoever goes second finds a warmer machine: they take turns at that, too.
    if number % 2:
        mine, other = pair[0].round(), pair[1].round()
    else:
        other, mine = pair[1].round(), pair[0].round()
    return mine, other


class _Passes:
    """A process that runs a round of passes whenever it is asked."""

    def __init__(self, tree: Path, endpoint: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CHILD, endpoint, str(OBJECTS)],
            env=_environment(tree),
            cwd=tree,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if self._line() != "ready":
            sys.exit(f"the passes of {tree} failed")

    def round(self) -> float:
        """Return the seconds of CPU that a pass of the next round takes."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._line())

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


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
