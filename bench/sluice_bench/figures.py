"""The figures themselves: each function runs one experiment in a world and returns what it measured.

Nothing is asserted by time. A figure fails (BenchFailed) only when what it waits for does not happen.
Units are in the names: seconds, ms, MB (10^6 bytes).
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from sluice_bench.objects import deployment, route
from sluice_bench.operator_process import Samples, by, total
from sluice_bench.world import World, mutating

Figure = dict[str, Any]
Say = Callable[[str], None]
ROUTED: Final = 30
"""Deployments that a ServiceRoute refers to; the rest run behind nothing."""
_QUIET: Final = 3.0
_NO_PROGRESS: Final = 30.0
"""Seconds without another Ready object until a figure says what hangs, and goes on."""
_CREATE: Final = "ecs CreateService"
_REGISTER: Final = "ecs RegisterTaskDefinition"
# Published buckets (aws/buckets.py of the stand-in has the pages): burst and tokens a second.
_REGISTER_BUCKET: Final = (20, 1.0)
_SERVICE_BUCKET: Final = (50, 5.0)


def first_write(world: World, *, count: int, say: Say) -> Figure:
    """Time from right before the POST of a Deployment to its first mutating AWS call, one at a time.

    The operator idles in between: a Deployment is made only when the last one has converged and AWS has
    not been called for a moment. One Deployment ahead of all is not counted: it opens connections.
    """
    operator, api, aws = world.operator, world.api, world.aws
    operator.start()
    api.create(deployment("warm-up", world.estate))
    operator.wait("the first service", lambda: aws.count(_CREATE) == 1, within=60)
    world.settle()
    seen = aws.total()
    begins: dict[str, float] = {}
    for number in range(count):
        name = f"single-{number:03}"
        begins[name] = api.create(deployment(name, world.estate))
        operator.wait(f"the service of {name}", lambda done=number + 2: aws.count(_CREATE) >= done, within=60)  # type: ignore[misc]
        _still(world)
        if (number + 1) % 20 == 0:
            say(f"{number + 1} of {count}")
    millis = []
    writes = [call for call in aws.calls(since=str(seen)) if mutating({f" {call['operation']}": 1})]
    for name, began in begins.items():
        first = min(call["time"] for call in writes if _is_of(call["params"], name))
        millis.append((first - began) * 1000)
    operator.end()
    return {
        "count": count,
        "firstWriteMs": _spread(millis),
        "firstWrite": dict(Counter(_first_operation(writes, name) for name in begins)),
        "allMs": [round(value, 2) for value in millis],
    }


def _still(world: World) -> None:
    """Wait until everything is Ready and nothing is called: the operator idles."""
    world.operator.wait(
        "Ready", lambda: len(set(world.api.ready("ecsdeployments"))) == 1, within=60, every=0.1
    )
    world.settle(quiet=0.3, within=5)


def converge(world: World, *, count: int, say: Say) -> Figure:
    """Create `count` Deployments and the routes of the first ROUTED at once; wait until all is Ready.

    The operator stays, for what follows.
    """
    operator, api, aws = world.operator, world.api, world.aws
    operator.start()
    time.sleep(1.0)  # its threads have started; the process idles
    idle_memory, cpu_before, samples_before = operator.memory_mb(), operator.cpu_seconds(), operator.samples()
    counts_before, others_before = aws.counts(), world.processes()
    routed = min(ROUTED, count)
    names = [f"web-{number:04}" for number in range(count)]
    objects = [deployment(name, world.estate) for name in names]
    objects += [route(name, world.estate) for name in names[:routed]]
    began, created = api.create_all(objects)
    say(f"{len(objects)} objects created in {created - began:.1f} s")
    limit = 120 + count * 1.5
    operator.wait("all services are created", lambda: aws.count(_CREATE) >= count, within=limit, every=0.25)
    last = max(call["time"] for call in aws.calls(operation="CreateService", outcome="OK"))
    say(f"last CreateService after {last - began:.1f} s")

    unready = _until_ready(world, {"ecsdeployments": count, "serviceroutes": routed})
    ready = time.time()
    said = f"NOT everything is Ready: {unready}" if unready else "everything Ready"
    say(f"{said} after {ready - began:.1f} s")
    world.settle(quiet=_QUIET, within=20)
    cpu, others = operator.cpu_seconds() - cpu_before, world.processes()
    calls = _minus(aws.counts(), counts_before)
    samples = operator.samples()
    everything = sum(calls.values(), Counter[str]())
    return {
        "count": count,
        "routed": routed,
        "createdSeconds": round(created - began, 2),
        "lastCreateServiceSeconds": round(last - began, 2),
        "allReadySeconds": None if unready else round(ready - began, 2),
        "unready": unready,
        "awsCalls": everything.total(),
        "awsCallsPerService": round(everything.total() / count, 2),
        "awsCallsByOperation": dict(everything.most_common()),
        "awsRefusals": {outcome: dict(found) for outcome, found in calls.items() if outcome != "OK"},
        "cpuSeconds": round(cpu, 2),
        "cpuMsPerService": round(cpu / count * 1000, 1),
        "othersCpuMsPerService": {
            name: round((used - others_before[name]) / count * 1000, 1) for name, used in others.items()
        },
        "memoryIdleMb": round(idle_memory),
        "memoryMb": round(operator.memory_mb()),
        "memoryPeakMb": round(operator.peak_memory_mb()),
        **_operator_side(samples, samples_before),
    }


def _until_ready(world: World, wanted: Mapping[str, int]) -> dict[str, Any]:
    """Wait until all objects are Ready; return what is left, by kind, once nothing more becomes Ready."""
    best, since = -1, time.monotonic()
    while time.monotonic() - since < _NO_PROGRESS:
        ready = {plural: world.api.ready(plural)[0] for plural in wanted}
        if ready == wanted:
            return {}
        if sum(ready.values()) > best:
            best, since = sum(ready.values()), time.monotonic()
        time.sleep(0.5)
    return {plural: world.api.reasons(plural) for plural in wanted if ready[plural] < wanted[plural]}


def at_rest(world: World, *, seconds: float, count: int) -> Figure:
    """Watch a converged world for a while: nothing changes, only drift is looked for."""
    operator, aws = world.operator, world.aws
    world.settle(quiet=_QUIET, within=20)
    cpu, calls, samples, began = operator.cpu_seconds(), aws.counts(), operator.samples(), time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    used, made = operator.cpu_seconds() - cpu, sum(_minus(aws.counts(), calls).values(), Counter[str]())
    return {
        "count": count,
        "seconds": round(passed, 1),
        "awsCallsPerMinute": round(made.total() * 60 / passed, 1),
        "awsCallsByOperation": dict(made.most_common()),
        "mutatingCalls": sum(mutating(made).values()),
        "cpuPercentOfACore": round(used / passed * 100, 2),
        "memoryMb": round(operator.memory_mb()),
        **_operator_side(operator.samples(), samples),
    }


def restart(world: World, *, count: int, kill: bool) -> Figure:
    """End the operator (SIGTERM, or SIGKILL as a crash) and start it; wait until each object had its pass.

    At its start the queue gets every object once: the passes are through when as many as there are
    objects have ended and nothing is due or running.
    """
    operator, aws = world.operator, world.aws
    objects = count + min(ROUTED, count)
    operator.end(kill=kill)
    before = aws.counts()
    began = operator.spawn()
    led = 0.0

    def looked_at() -> bool:
        nonlocal led
        samples = operator.samples()
        led = led or (time.time() if total(samples, "sluice_leader") else 0.0)
        busy = total(samples, "sluice_queue_depth") + total(samples, "sluice_reconciles_running")
        return total(samples, "sluice_reconciles_total") >= objects and not busy

    operator.wait("each object had its pass", looked_at, within=180, every=0.1)
    done, cpu = time.time(), operator.cpu_seconds()
    calls = sum(_minus(aws.counts(), before).values(), Counter[str]())
    samples = operator.samples()
    world.settle(quiet=_QUIET, within=30)
    until_quiet = sum(_minus(aws.counts(), before).values(), Counter[str]())
    return {
        "count": count,
        "signal": "SIGKILL" if kill else "SIGTERM",
        "leadsAfterSeconds": round(led - began, 2),
        "seconds": round(done - began, 2),
        "awsCalls": calls.total(),
        "awsCallsByOperation": dict(calls.most_common()),
        "mutatingCalls": sum(mutating(until_quiet).values()),
        "awsCallsUntilQuiet": until_quiet.total(),
        "cpuSeconds": round(cpu, 2),
        "memoryMb": round(operator.memory_mb()),
        **_operator_side(samples, {}),
    }


def budgeted(world: World, *, count: int, say: Say) -> Figure:
    """Converge with the published rates kept by the operator and enforced by the stand-in."""
    result = converge(world, count=count, say=say)
    throttled = {outcome: found for outcome, found in result["awsRefusals"].items() if "Throttl" in outcome}
    samples = world.operator.samples()
    return {
        **result,
        "floorSeconds": floor_seconds(count),
        "throttledAnswers": sum(sum(found.values()) for found in throttled.values()),
        "deferredByBucket": by(samples, "sluice_aws_budget_deferred_total", "bucket"),
    }


def floor_seconds(count: int) -> float:
    """Return the earliest moment of the last CreateService that the published buckets allow.

    Each Deployment needs one RegisterTaskDefinition (20 at once, then 1 a second) and one CreateService
    (50 at once, then 5 a second) after it, from full buckets and with calls that take no time.
    """
    return max(max(0.0, (count - burst) / rate) for burst, rate in (_REGISTER_BUCKET, _SERVICE_BUCKET))


# Reading what there is.


def _operator_side(now: Samples, before: Samples) -> Figure:
    """Return passes and Kubernetes requests between two scrapes."""
    passes = _less(
        by(now, "sluice_reconciles_total", "kind", "outcome"),
        by(before, "sluice_reconciles_total", "kind", "outcome"),
    )
    requests = _less(
        by(now, "sluice_kubernetes_requests_total", "verb", "resource"),
        by(before, "sluice_kubernetes_requests_total", "verb", "resource"),
    )
    requests = {name: value for name, value in requests.items() if "leases" not in name}
    writes = {
        name: value for name, value in requests.items() if name.split(" ")[0] not in {"GET", "get", "list"}
    }
    return {
        "passes": sum(passes.values()),
        "passesByOutcome": passes,
        "kubernetesWrites": sum(writes.values()),
        "kubernetesRequests": requests,
    }


def _minus(now: Mapping[str, Counter[str]], before: Mapping[str, Counter[str]]) -> dict[str, Counter[str]]:
    found = {outcome: counter - before.get(outcome, Counter()) for outcome, counter in now.items()}
    return {outcome: counter for outcome, counter in found.items() if counter}


def _less(now: Mapping[str, float], before: Mapping[str, float]) -> dict[str, int]:
    found = {name: int(value - before.get(name, 0)) for name, value in now.items()}
    return dict(sorted((item for item in found.items() if item[1]), key=lambda item: -item[1]))


def _is_of(params: object, name: str) -> bool:
    """Tell whether a call is about the Deployment `name`: every AWS name of it begins with that."""
    if not isinstance(params, Mapping):
        return False
    return any(
        str(params.get(field, "")).startswith(f"{name}-") for field in ("family", "serviceName", "Name")
    )


def _first_operation(writes: list[dict[str, Any]], name: str) -> str:
    return str(next(call["operation"] for call in writes if _is_of(call["params"], name)))


def _spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    if len(ordered) < 2:
        return {"p50": round(ordered[0], 1), "p95": round(ordered[0], 1), "max": round(ordered[0], 1)}
    twentieths = statistics.quantiles(ordered, n=20, method="inclusive")
    return {
        "p50": round(statistics.median(ordered), 1),
        "p95": round(twentieths[18], 1),
        "max": round(ordered[-1], 1),
    }
