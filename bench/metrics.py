"""What a scrape of many custom resources costs: series, bytes, seconds, memory. `make bench` runs it.

A process of its own has the operator's registry over a store of that many Deployments and ServiceRoutes and
serves it as the operator does; this one asks over loopback. The objects' own memory is told apart from
what scraping them adds. The figures and what they are: docs/bench.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from prometheus_client import disable_created_metrics
from sluice_bench.operator_process import cpu_seconds
from sluice_bench.report import machine
from sluice_bench.scrape_scene import store

from sluice.aws.metrics import AwsMetrics
from sluice.model.binding import Binding
from sluice.runtime.health import HealthServer
from sluice.telemetry.cost import CostMeter, Price, Prices
from sluice.telemetry.ledger import Ledger, Surroundings
from sluice.telemetry.metrics import RuntimeMetrics, new_registry
from sluice.telemetry.objects import Beside, object_metrics, team_of

_OUT: Final = Path(__file__).resolve().parent / "out"
_FORMATS: Final = {"text": "", "OpenMetrics": "application/openmetrics-text;version=1.0.0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scraped:
    """Of one format."""

    series: int
    megabytes: float
    seconds: float
    """Median, from the request to the last byte."""
    cpu_seconds: float
    """Mean, of the process that is scraped."""


def serve(count: int) -> None:
    """Be the process that is scraped: say the port and the memory, then wait until standard input ends."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # as the operator does
    before = _resident(0)
    objects = store(count)
    filled = _resident(0)
    registry = new_registry("bench")
    RuntimeMetrics(registry)
    AwsMetrics(registry).begin((Binding(account="", region="eu-west-1"),))
    around = Surroundings(
        now=time.time, peek=objects.get, routes_of=lambda _key: (), team=lambda obj: team_of(obj, "team")
    )
    ledger = Ledger(registry, around)
    for key in objects:
        ledger.passed(key)
    registry.register(
        object_metrics(lambda: objects, shown=lambda: True, beside=Beside(synced=ledger.synced))
    )
    prices = Prices(fargate=Price(vcpu_hour=0.04, gb_hour=0.004))
    registry.register(
        CostMeter(lambda: objects, shown=lambda: True, now=time.monotonic, prices=prices).collector
    )
    server = HealthServer(address="127.0.0.1", port=0, registry=registry, checks={})
    server.start()
    print(json.dumps({"port": server.port, "empty": before, "filled": filled}), flush=True)
    sys.stdin.read()
    server.stop()


def measure(count: int, *, scrapes: int) -> dict[str, Any]:
    """Return the figures of a store of `count` Deployments and as many routes."""
    command = [sys.executable, str(Path(__file__).resolve()), "--serve", str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        if child.stdin is None or child.stdout is None:
            raise SystemExit("bench: the child has no pipes")
        said = json.loads(child.stdout.readline())
        found: dict[str, Any] = {
            "objects": 2 * count,
            "megabytesOfObjects": round(said["filled"] - said["empty"], 1),
        }
        for name, accept in _FORMATS.items():
            found[name] = asdict(_scraped(said["port"], child.pid, accept, scrapes=scrapes))
        found["megabytesOfScrapes"] = round(_resident(child.pid) - said["filled"], 1)
        child.stdin.close()
        child.wait(20)
    return found


def _scraped(port: int, pid: int, accept: str, *, scrapes: int) -> Scraped:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept": accept})
    seconds, body = [], b""
    before = cpu_seconds(pid)
    for _ in range(scrapes + 1):  # the first one makes the cost's counters begin
        began = time.perf_counter()
        with urllib.request.urlopen(request, timeout=60) as answer:
            body = answer.read()
        seconds.append(time.perf_counter() - began)
    return Scraped(
        series=sum(not line.startswith(b"#") for line in body.splitlines()),
        megabytes=round(len(body) / 1e6, 2),
        seconds=round(statistics.median(seconds[1:]), 3),
        cpu_seconds=round((cpu_seconds(pid) - before) / len(seconds), 3),
    )


def _resident(pid: int) -> float:
    """Return the resident set in MB (10^6 bytes) of a process, 0 for this one (proc(5), VmRSS)."""
    text = Path(f"/proc/{pid or 'self'}/status").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024 / 1e6


def table(found: Sequence[dict[str, Any]]) -> str:
    """Return the figures as aligned text."""
    head = ("objects", "format", "series", "MB", "seconds", "CPU s", "MB of objects", "MB of scrapes")
    rows: list[tuple[str, ...]] = [head]
    for one in found:
        for name in _FORMATS:
            of = one[name]
            cells = (one["objects"], name, of["series"], of["megabytes"], of["seconds"], of["cpu_seconds"])
            rows.append((*map(str, cells), str(one["megabytesOfObjects"]), str(one["megabytesOfScrapes"])))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench/metrics.py", description=__doc__)
    parser.add_argument("--serve", type=int, metavar="COUNT", help="be the process that is scraped")
    parser.add_argument("--count", type=int, action="append", help="Deployments; default 1000 and 5000")
    parser.add_argument("--scrapes", type=int, default=5, help="of each format")
    parser.add_argument("--out", type=Path, default=_OUT, help="directory of the JSON file")
    options = parser.parse_args(arguments)
    if options.serve is not None:
        serve(options.serve)
        return 0
    found = [measure(count, scrapes=options.scrapes) for count in options.count or (1000, 5000)]
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"metrics-{time.strftime('%Y-%m-%dT%H%M%S')}.json"
    file.write_text(json.dumps({"machine": machine(), "scrapes": found}, indent=2) + "\n", encoding="utf-8")
    print(table(found))
    print(f"everything else: {file}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
