"""The stand-in for AWS beside moto, measured in one run: `bench/stand_in.py` (about six minutes), `--quick`.

Each server is a process of its own on loopback. They take turns; at no time are both asked. The result is
bench/out/stand-in-<date>.json and a table. What each figure is: docs/bench.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from sluice_bench.operator_process import BenchFailed
from sluice_bench.report import machine
from sluice_bench.stand_in_figures import QUICK, Scope, calls, crowd
from sluice_bench.stand_in_report import table
from sluice_bench.stand_in_servers import NAMES, Server

_OUT = Path(__file__).resolve().parent / "out"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 when every figure could be taken, whatever it says."""
    parser = argparse.ArgumentParser(prog="bench/stand_in.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke test: 50 services, half a minute")
    parser.add_argument("--only", choices=NAMES, help="one server instead of both")
    parser.add_argument("--out", type=Path, default=_OUT, help="directory of the JSON file")
    options = parser.parse_args(arguments)
    scope = QUICK if options.quick else Scope()
    results: dict[str, object] = {"machine": machine()}
    try:
        results |= _measured([options.only] if options.only else list(NAMES), scope)
    except BenchFailed as failed:
        print(f"bench: {failed}", file=sys.stderr)
        return 1
    results["loadAtEnd"] = round(os.getloadavg()[0], 2)
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"stand-in-{time.strftime('%Y-%m-%dT%H%M%S')}.json"
    file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(table(results))
    print(f"everything else: {file}", file=sys.stderr)
    return 0


def _measured(names: list[str], scope: Scope) -> dict[str, object]:
    def say(text: str) -> None:
        print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)

    with ExitStack() as stack:
        found = calls(
            [stack.enter_context(Server(name)) for name in names], seconds=scope.call_seconds, say=say
        )
    crowds = {}
    for name in names:
        with Server(name) as server:
            crowds[name] = crowd(server, scope, say=say)
    return {name: {"calls": found[name], "crowd": crowds[name]} for name in names}


if __name__ == "__main__":
    sys.exit(main())
