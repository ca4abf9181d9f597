"""The stand-in's figures beside moto's and the goals, as one text table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice_bench.stand_in_servers import NAMES

_GOAL_CPU = "<= 1 ms CPU"
_GOALS = {"rest": "< 5 %", "memory": "<= 1000 MB at 5000 services"}

Cells = tuple[str, ...]


def table(results: Mapping[str, Any]) -> str:
    """Return the aligned table of the servers that were measured."""
    names = [name for name in NAMES if name in results]
    rows: list[Cells] = [("figure", *names, "goal")]
    rows += _call_rows(results, names)
    rows += _crowd_rows(results, names)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    where = results["machine"]
    title = (
        f"Stand-ins for AWS, {where['date']}, {where['cores']} cores, Python {where['python']}, "
        f"load {where['loadAtStart']} before, {results['loadAtEnd']} after"
    )
    return "\n".join([title, "", *lines])


def _call_rows(results: Mapping[str, Any], names: list[str]) -> list[Cells]:
    rows: list[Cells] = []
    for call in results[names[0]]["calls"]:
        found = [results[name]["calls"][call] for name in names]
        rows.append((call, *("" for _ in names), ""))
        rows.append(("  boto3, 1 thread", *(_boto3(item["boto3"]) for item in found), ""))
        for way in (key for key in found[0] if key != "boto3"):
            goal = _GOAL_CPU if way == "raw1" else ""
            rows.append(
                (f"  raw, {way.removeprefix('raw')} open", *(_raw(item[way]) for item in found), goal)
            )
    return rows


def _boto3(figure: Mapping[str, Any]) -> str:
    return (
        f"{figure['perSecond']}/s, p50 {figure['p50Ms']:g} p99 {figure['p99Ms']:g} ms, "
        f"client {figure['clientCpuMs']:g} ms CPU"
    )


def _raw(figure: Mapping[str, Any]) -> str:
    return (
        f"{figure['perSecond']}/s, p50 {figure['p50Ms']:g} p99 {figure['p99Ms']:g} ms, "
        f"server {figure['serverCpuMs']:g} (best {figure['serverCpuMsBest']:g}) ms CPU"
    )


def _crowd_rows(results: Mapping[str, Any], names: list[str]) -> list[Cells]:
    found = [results[name]["crowd"] for name in names]
    rows: list[Cells] = [("memory, no service", *(f"{item['memoryEmptyMb']} MB" for item in found), "")]
    for at, step in enumerate(found[0]["steps"]):
        cells = [_step(item["steps"][at]) for item in found]
        rows.append((f"memory, {step['services']} services", *cells, _GOALS["memory"]))
    rests = [item["rest"] for item in found]
    rows.append(
        (
            f"at rest, {rests[0]['services']} services",
            *(f"{rest['cpuPercentOfACore']:g} % of a core, {rest['tasks']} tasks" for rest in rests),
            _GOALS["rest"],
        )
    )
    return rows


def _step(step: Mapping[str, Any]) -> str:
    return f"{step['memoryMb']} MB, {step['tasks']} tasks, {step['serverCpuMsPerService']:g} ms CPU each"
