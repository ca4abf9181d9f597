"""The figures of a server that stands in for AWS: calls, memory, and what it costs to leave it alone.

Units are in the names: seconds, ms, MB (10^6 bytes). CPU is user and system time of the process.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sluice_bench.operator_process import BenchFailed
from sluice_bench.stand_in_raw import capture, replay
from sluice_bench.stand_in_scene import Scene
from sluice_bench.stand_in_servers import Server

Figure = dict[str, Any]
Say = Callable[[str], None]
CONNECTIONS = (1, 4, 16)
_WINDOWS = 5
"""Parts that a measurement of raw calls is taken in. CPU time tells what a busy neighbour on the same core
takes of its speed, too: the best part is the nearest to a quiet machine."""
_START = 300.0
"""Seconds that the tasks of a thousand services may take to run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """How much is measured: seconds for each way of each call, sizes of the memory's steps, rest."""

    call_seconds: float = 1.5
    services: tuple[int, ...] = (1_000, 5_000)
    rest_seconds: float = 20.0


QUICK = Scope(call_seconds=0.1, services=(50,), rest_seconds=1.0)


def calls(servers: Sequence[Server], *, seconds: float, say: Say) -> dict[str, Figure]:
    """Return each call's cost by boto3 in one thread and by pre-signed bytes, with ten services there.

    The servers take turns at each call, so what else the machine does falls on all of them.
    """
    scenes = [Scene.make(server) for server in servers]
    for scene in scenes:
        replay(scene.server.url, scene.services(0, 10))
        _tasks_run(scene, 10)
    found: dict[str, Figure] = {server.name: {} for server in servers}
    for name in scenes[0].calls():
        for scene in scenes:
            figure = found[scene.server.name][name] = _call(scene, name, seconds=seconds)
            raw = figure["raw1"]
            say(f"{scene.server.name}: {name}: {raw['perSecond']} calls/s, {raw['serverCpuMs']} ms CPU each")
    return found


def _call(scene: Scene, name: str, *, seconds: float) -> Figure:
    client, method, params = scene.calls()[name]
    request = capture(client, method, **params)
    replay(scene.server.url, [request] * 3)
    figure: Figure = {"boto3": _boto3(client, method, params, seconds=seconds)}
    for connections in CONNECTIONS:
        figure[f"raw{connections}"] = _raw(scene.server, request, seconds=seconds, connections=connections)
    return figure


def _boto3(client: Any, method: str, params: dict[str, Any], *, seconds: float) -> Figure:  # noqa: ANN401
    call, each = getattr(client, method), []
    cpu, began = time.process_time(), time.perf_counter()
    while time.perf_counter() - began < seconds:
        at = time.perf_counter()
        call(**params)
        each.append(time.perf_counter() - at)
    passed, used = time.perf_counter() - began, time.process_time() - cpu
    return _rate(each, passed) | {"clientCpuMs": round(used / len(each) * 1000, 2)}


def _raw(server: Server, request: bytes, *, seconds: float, connections: int) -> Figure:
    each: list[float] = []
    passed, costs = 0.0, []
    began = server.cpu_seconds()
    for _ in range(_WINDOWS):
        cpu = server.cpu_seconds()
        wall, found = replay(server.url, _during(seconds / _WINDOWS, request), connections=connections)
        costs.append((server.cpu_seconds() - cpu) / len(found))
        each += found
        passed += wall
    used = server.cpu_seconds() - began
    return _rate(each, passed) | {
        "serverCpuMs": round(used / len(each) * 1000, 3),
        "serverCpuMsBest": round(min(costs) * 1000, 3),
    }


def _during(seconds: float, request: bytes) -> Iterator[bytes]:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        yield request


def _rate(each: list[float], passed: float) -> Figure:
    hundredths = statistics.quantiles(each, n=100, method="inclusive") if len(each) > 1 else each * 99
    return {
        "calls": len(each),
        "perSecond": round(len(each) / passed),
        "p50Ms": round(hundredths[49] * 1000, 2),
        "p99Ms": round(hundredths[98] * 1000, 2),
    }


def crowd(server: Server, scope: Scope, *, say: Say) -> Figure:
    """Return memory after each number of services of two tasks, and the CPU at rest after the first."""
    scene = Scene.make(server)
    steps: list[Figure] = []
    result: Figure = {"memoryEmptyMb": round(server.memory_mb()), "steps": steps}
    there = 0
    for count in scope.services:
        cpu = server.cpu_seconds()
        passed, _ = replay(server.url, scene.services(there, count), connections=4)
        tasks = _tasks_run(scene, count)
        used = server.cpu_seconds() - cpu
        steps.append(
            {
                "services": count,
                "tasks": tasks,
                "memoryMb": round(server.memory_mb()),
                "createdPerSecond": round((count - there) / passed),
                "serverCpuMsPerService": round(used / (count - there) * 1000, 2),
            }
        )
        say(f"{server.name}: {count} services, {tasks} tasks: {steps[-1]['memoryMb']} MB")
        if there == 0:
            result["rest"] = {"services": count, "tasks": tasks} | _rest(server, scope.rest_seconds)
            say(f"{server.name}: at rest: {result['rest']['cpuPercentOfACore']} % of a core")
        there = count
    return result


def _tasks_run(scene: Scene, services: int) -> int:
    """Wait until all tasks run, where there are tasks; return how many there are."""
    deadline = time.monotonic() + _START
    while scene.server.name != "moto" and scene.running_tasks() < 2 * services:
        if time.monotonic() > deadline:
            raise BenchFailed(f"{scene.running_tasks()} of {2 * services} tasks run after {_START:g} s")
        time.sleep(0.5)
    return scene.running_tasks()


def _rest(server: Server, seconds: float) -> Figure:
    _quiet(server)
    cpu, began = server.cpu_seconds(), time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    return {
        "seconds": round(passed, 1),
        "cpuPercentOfACore": round((server.cpu_seconds() - cpu) / passed * 100, 2),
    }


def _quiet(server: Server) -> None:
    """Wait until the server has used less than a quarter of a core for two seconds, for a minute at most.

    The last tasks run before their targets are healthy and their deployments complete.
    """
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        before = server.cpu_seconds()
        time.sleep(2.0)
        if server.cpu_seconds() - before < 0.5:
            return
