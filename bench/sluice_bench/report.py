"""The figures beside what they are held against: goals, a floor and the best peer, as one text table.

The three columns come from the architecture's "Figures to beat". The floor is a prototype that decides
nothing (watch, queue, sixteen threads, four calls), the peer is the best of two operators written in Go,
both measured on two cores against an endpoint that answers in 0.4 ms.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One line of the table."""

    figure: str
    result: str
    goal: str = ""
    floor: str = ""
    peer: str = ""


_HEAD = Row("figure", "result", "goal", "floor", "best peer")


def machine() -> dict[str, Any]:
    """Return what the figures depend on besides the code."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": model,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "loadAtStart": round(os.getloadavg()[0], 2),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def table(results: Mapping[str, Any]) -> str:
    """Return the aligned table of the figures that were taken."""
    rows = [_HEAD, *_rows(results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    where = results["machine"]
    title = (
        f"Sluice benchmark, {where['date']}, {where['cores']} cores, Python {where['python']}, "
        f"load before the start {where['loadAtStart']}"
    )
    others = [
        figure["othersPercentOfMachine"]
        for figures in results.values()
        if isinstance(figures, list)
        for figure in figures
    ]
    noise = (
        f"Other processes took {min(others)} to {max(others)} % of the machine meanwhile." if others else ""
    )
    return "\n".join([title, noise, "", *(line.rstrip() for line in lines)]) + "\n"


def _rows(results: Mapping[str, Any]) -> Iterable[Row]:
    for figure in results.get("firstWrite", []):
        yield from _first_write(figure)
    for figure in results.get("converge", []):
        yield from _converge(figure)
    for figure in results.get("restart", []):
        yield from _restart(figure)
    for figure in results.get("rest", []):
        name = f"at rest, {figure['count']:,}"
        yield Row(f"{name}: AWS calls a minute", f"{figure['awsCallsPerMinute']:g}")
        yield Row(f"{name}: mutating calls", str(figure["mutatingCalls"]), "0")
        yield Row(f"{name}: CPU", f"{figure['cpuPercentOfACore']:g} % of a core")
    for figure in results.get("budgeted", []):
        name = f"{figure['count']:,} with budgets, buckets enforced"
        floor = f"{figure['floorSeconds']:.0f} s (buckets)"
        yield Row(f"{name}: last CreateService", f"{figure['lastCreateServiceSeconds']:.1f} s", "", floor)
        yield Row(f"{name}: throttled answers", str(figure["throttledAnswers"]), "0")

    for figure in results.get("rollbacks", []):
        yield from _rollbacks(figure)


def _rollbacks(figure: Mapping[str, Any]) -> Iterable[Row]:
    places = (("alone", figure["alone"]), (f"among {figure['others']} rollouts", figure["among"]))
    for place, found in places:
        for one in found:
            rules = f"{one['rules']} rule{'s' * (one['rules'] > 1)}"
            yield Row(
                f"rollback of {rules}, {place}: decision → verified",
                f"{one['seconds']:.2f} s",
                "2 s" if one["rules"] <= 10 else f"{one['floorSeconds']:.1f} s + 1",
                f"{one['floorSeconds']:.1f} s (buckets)",
            )
            yield Row(f"rollback of {rules}, {place}: abort → decision", f"{one['hearingSeconds']:.2f} s")
            yield Row(f"rollback of {rules}, {place}: throttled", str(one["throttledAnswers"]), "0")
    late = figure["stepLateMs"]
    yield Row(f"timed steps, n={figure['steps']}: late by", f"{late['min']} to {late['max']} ms")
    calls = figure["rolloutAwsCallsByOperation"]
    yield Row("a rollout of 6 weights: AWS calls", str(figure["rolloutAwsCalls"]))
    for name, count in list(calls.items())[:6]:
        yield Row(f"  {name}", str(count))


def _first_write(figure: Mapping[str, Any]) -> Iterable[Row]:
    spread = figure["firstWriteMs"]
    name = f"create → first AWS write, idle, {_latency(figure)}, n={figure['count']}"
    goals = ("15 ms p50, 30 p95", "11.5 ms p50, 19 p95", "15 ms p50, 19 p95")
    yield Row(
        name,
        f"{spread['p50']:.1f} ms p50, {spread['p95']:.1f} p95, {spread['max']:.1f} max",
        *(goals if not figure["latencyMs"] else ()),
    )


def _converge(figure: Mapping[str, Any]) -> Iterable[Row]:
    count = figure["count"]
    known = count == 1_000 and not figure["latencyMs"]
    name = f"{count:,} ({figure['routed']} routed), {_latency(figure)}"
    yield Row(
        f"{name}: last CreateService",
        f"{figure['lastCreateServiceSeconds']:.1f} s",
        *(("15 s", "8.9 s", "90 s (225 as shipped)") if known else ()),
    )
    ready = figure["allReadySeconds"]
    yield Row(f"{name}: everything Ready", f"{ready:.1f} s" if ready else f"no: {figure['unready']}", "all")
    yield Row(f"{name}: AWS calls per service", f"{figure['awsCallsPerService']:g}", "3", "2", "9")
    yield Row(f"{name}: CPU per service", f"{figure['cpuMsPerService']:g} ms", "15 ms", "7 ms", "39 ms")
    server = figure["othersCpuMsPerService"]["kube-apiserver"]
    yield Row(f"{name}: CPU of kube-apiserver per service", f"{server:g} ms")
    yield Row(
        f"{name}: memory, and its peak",
        f"{figure['memoryMb']} MB, {figure['memoryPeakMb']} MB",
        *(("150 MB", "127 MB", "85 MB") if count == 1_000 else ()),
    )
    yield Row(f"{name}: passes", f"{figure['passes']:,} ({figure['passes'] / count:.1f} each)")
    writes = figure["kubernetesWrites"]
    yield Row(f"{name}: API server writes", f"{writes:,} ({writes / count:.1f} each)")


def _restart(figure: Mapping[str, Any]) -> Iterable[Row]:
    how = "crash (SIGKILL)" if figure["signal"] == "SIGKILL" else "restart (SIGTERM)"
    name = f"{how} with {figure['count']:,}, {_latency(figure)}"
    known = figure["count"] == 1_000 and figure["signal"] == "SIGTERM"
    yield Row(
        f"{name}: until all looked at",
        f"{figure['seconds']:.1f} s (leads after {figure['leadsAfterSeconds']:.1f})",
        *(("5 s", "-", "99 s") if known else ()),
    )
    yield Row(f"{name}: AWS calls", str(figure["awsCalls"]), *(("150", "-", "3,001") if known else ()))
    yield Row(f"{name}: mutating calls", str(figure["mutatingCalls"]), "0", "-", "1,000" if known else "")
    yield Row(f"{name}: API server writes", str(figure["kubernetesWrites"]), "0")


def _latency(figure: Mapping[str, Any]) -> str:
    return f"{figure['latencyMs']:g} ms"
