"""What names in AWS Cloud Map cost: calls of N routes that converge and rest, and how long an update takes.

A world of its own (real kube-apiserver, the stand-in at AWS's own pace, the operator as a process), N
Deployments of two tasks, each with a route that has nothing but a name. The harness asks DiscoverInstances
as a client would, and its own calls are in no figure. What each figure is:
docs/bench.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config
from sluice_bench.objects import NAMESPACE, deployment, route
from sluice_bench.operator_process import BenchFailed
from sluice_bench.report import machine
from sluice_bench.world import Plan, World

_OUT: Final = Path(__file__).resolve().parent / "out"
_DOMAIN: Final = f"{NAMESPACE}.internal"
_TTL: Final = 10
_TASKS: Final = 2
_WITHIN: Final = 600.0
"""Seconds for an update, and for names to converge plus one for each."""
_ASKED: Final = "servicediscovery DiscoverInstances"

Json = dict[str, Any]


def objects(count: int, estate: Json, *, ttl: int) -> list[Json]:
    """Return Deployments, and routes that give each a name whose answers are kept for `ttl` seconds."""
    made = []
    for number in range(count):
        name = f"named-{number:04d}"
        backend, names = deployment(name, estate), route(name, estate)
        backend["spec"]["replicas"] = _TASKS
        names["spec"] = {
            "discovery": {
                "mode": "Tasks",
                "backendRef": {"name": name, "port": "http"},
                "serviceName": name,
                "namespaceRef": {
                    "name": _DOMAIN,
                    "create": {"type": "DNS_PRIVATE", "vpc": estate["vpcId"]},
                },
                "dns": {"records": [{"type": "A", "ttlSeconds": ttl}]},
            }
        }
        made += [backend, names]
    return made


def measure(count: int, *, rest_seconds: float, quick: bool) -> Json:
    """Return the figures of `count` names; `quick` lets AWS hurry and clients be told at once."""
    with World(Plan(speed=8.0 if quick else 1.0), say=_say) as world:
        settings = world.operator.settings
        settings["tenancy"][0] |= {"cloudMapNamespaces": ["*"], "createCloudMapNamespaces": True}
        world.operator.settings = {**settings, "discoveryPropagation": "1s" if quick else "30s"}
        world.operator.start()
        world.settle()
        before = _calls(world)
        began, _ = world.api.create_all(objects(count, world.estate, ttl=1 if quick else _TTL))
        _until_ready(world, count, within=_WITHIN + count)
        found: Json = {"names": count, "tasks": _TASKS * count, "readySeconds": round(time.time() - began, 1)}
        world.settle(quiet=1.0 if quick else 3.0)
        found["callsToConverge"] = dict(sorted((_calls(world) - before).items()))
        found["cpuSeconds"] = round(world.operator.cpu_seconds(), 1)
        _say(f"{count} names are Ready")
        before = _calls(world)
        time.sleep(rest_seconds)
        at_rest = (_calls(world) - before).items()
        found["restSeconds"] = rest_seconds
        found["callsAtRest"] = dict(sorted(at_rest))
        found["update"] = _update(world, quiet=1.0 if quick else 3.0)
        found["memoryMb"] = round(world.operator.memory_mb(), 1)
    return found


def _update(world: World, *, quiet: float) -> Json:
    """Return when an update's entries came, were hidden and left, seconds after the PATCH."""
    name = "named-0000"
    plain = Config(inject_host_prefix=False)  # loopback has no data-… names
    client = boto3.client("servicediscovery", config=plain, **world.aws_client())
    old = set(_answers(client, name))
    body = world.api.get("ecsdeployments", name)
    [container] = body["spec"]["template"]["spec"]["containers"]
    container["image"] = "example/web:2.0.0"
    before, began = _calls(world), time.time()
    world.api.patch("ecsdeployments", name, {"spec": {"template": body["spec"]["template"]}})
    moments: dict[str, float] = {}
    asked = 0

    def done() -> bool:
        nonlocal asked
        now, seen = time.time(), _answers(client, name)
        asked += 1
        healthy = {one for one, health in seen.items() if health == "HEALTHY"}
        if not healthy:
            raise BenchFailed(f"{name}.{_DOMAIN} was empty {now - began:.1f} s after the update began")
        states = {
            "firstNewSeen": bool(healthy - old),
            "allNewSeen": len(healthy - old) == _TASKS,
            "oldHidden": not healthy & old,
            "oldGone": not seen.keys() & old,
            "ready": not seen.keys() & old and world.api.ready("ecsdeployments") == _all(world),
        }
        moments.update(
            {what: round(now - began, 1) for what, so in states.items() if so and what not in moments}
        )
        return len(moments) == len(states)

    world.operator.wait("the update is in the name", done, within=_WITHIN, every=0.2)
    world.settle(quiet=quiet)
    calls = _calls(world) - before
    calls[_ASKED] -= asked
    client.close()
    return {"secondsAfterPatch": moments, "calls": dict(sorted((+calls).items()))}


def _all(world: World) -> tuple[int, int]:
    _, total = world.api.ready("ecsdeployments")
    return total, total


def _answers(client: Any, name: str) -> dict[str, str]:  # noqa: ANN401 - a boto3 client
    found = client.discover_instances(NamespaceName=_DOMAIN, ServiceName=name, HealthStatus="ALL")
    return {item["InstanceId"]: item["HealthStatus"] for item in found["Instances"]}


def _calls(world: World) -> Counter[str]:
    """Return every call that the stand-in has had, by operation, whatever its outcome."""
    return sum(world.aws.counts().values(), Counter())


def _until_ready(world: World, count: int, *, within: float) -> None:
    def done() -> bool:
        return all(
            world.api.ready(plural) == (count, count) for plural in ("ecsdeployments", "serviceroutes")
        )

    world.operator.wait(f"{count} names are Ready", done, within=within, every=0.5)


def table(found: Json) -> str:
    """Return the figures as aligned text: calls by operation, then the update."""
    columns = ("callsToConverge", "callsAtRest")
    update = found["update"]
    operations = sorted({name for column in columns for name in found[column]} | update["calls"].keys())
    rows = [("operation", "converge", f"at rest, {found['restSeconds']:g} s", "one update")]
    rows += [
        (name, *(str(found[column].get(name, 0)) for column in columns), str(update["calls"].get(name, 0)))
        for name in operations
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    moments = ", ".join(f"{what} {seconds} s" for what, seconds in update["secondsAfterPatch"].items())
    head = f"{found['names']} names of {found['tasks']} tasks: all Ready after {found['readySeconds']} s"
    return "\n".join((head, *lines, f"update of one: {moments}"))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench/discovery.py", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="names")
    parser.add_argument("--quick", action="store_true", help="a smoke test of three names")
    parser.add_argument("--out", type=Path, default=_OUT, help="directory of the JSON file")
    options = parser.parse_args(arguments)
    count, rest = (3, 2.0) if options.quick else (options.count, 60.0)
    found = measure(count, rest_seconds=rest, quick=options.quick)
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"discovery-{time.strftime('%Y-%m-%dT%H%M%S')}.json"
    file.write_text(json.dumps({"machine": machine(), "discovery": found}, indent=2) + "\n", encoding="utf-8")
    print(table(found))
    _say(f"everything else: {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
