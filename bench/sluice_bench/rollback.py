"""Rollbacks of 1, 10 and 30 rules, alone and among others, and what a rollout costs in calls and time.

One world for all of it, with the published budgets on both sides. First one rollout with timed steps
alone: its AWS calls by operation, and how late each step is. Then each subject is aborted at its first
weight, alone and with full buckets; then again while the others roll out and the buckets are empty.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import boto3

from sluice_bench.objects import Json, deployment
from sluice_bench.world import World

Figure = dict[str, Any]
Say = Callable[[str], None]
SUBJECTS: Final[Mapping[str, tuple[int, int]]] = {
    "rules-1": (1, 1),
    "rules-10": (10, 1),
    "rules-30": (10, 3),
}
"""Deployment → (routes, rules of each)."""
PAUSE_SECONDS: Final = 5.0
_TIMED: Final = "timed"
_WEIGHTS: Final = (5, 10, 20, 40, 60)
_WRITE_BURST, _WRITE_RATE = 20, 3.0  # aws/buckets.py of the stand-in: ELB writes
_REFILL: Final = 10.0
_DEPLOYMENTS: Final = "ecsdeployments"
_BALANCERS: Final = ("bench-2", "bench-3")
"""A load balancer has a hundred rules: the others' are on these."""


def rollbacks(world: World, *, others: int, say: Say) -> Figure:
    """Take all figures; raises BenchFailed when a rollout does not come where it is wanted."""
    world.operator.start()
    plan = _strategy({"setWeight": 20}, {"pause": {}})
    steps = [
        step for weight in _WEIGHTS for step in ({"setWeight": weight}, {"pause": _seconds(PAUSE_SECONDS)})
    ]
    objects = [_deployment(_TIMED, world, _strategy(*steps)), *_routes(_TIMED, world, routes=1, each=1)]
    for name, (routes, each) in SUBJECTS.items():
        objects += [_deployment(name, world, plan), *_routes(name, world, routes=routes, each=each)]
    world.api.create_all(objects)
    _ready(world, [_TIMED, *SUBJECTS], say)
    timed = _timed(world)
    say(f"a step is {timed['stepLateMs']['max']} ms late at most")
    alone = []
    for name in SUBJECTS:
        _to_its_pause(world, [name], version=2)
        time.sleep(_REFILL)
        alone.append(_abort(world, name))
        say(f"{name} alone: {alone[-1]['seconds']} s")
    among = _among(world, others, say=say) if others else []
    return {"others": others, "alone": alone, "among": among, **timed}


def _among(world: World, others: int, *, say: Say) -> list[Figure]:
    balancers = [_balancer(world, name) for name in _BALANCERS]
    # As many as a strategy may have: long enough to be in motion until the last abort.
    steps = [step for weight in range(1, 32) for step in ({"setWeight": weight}, {"pause": _seconds(3)})]
    names = [f"other-{number:02}" for number in range(others)]
    objects = []
    for number, name in enumerate(names):
        objects += [
            _deployment(name, world, _strategy(*steps)),
            *_routes(name, world, routes=1, each=1, balancer=balancers[number % 2]),
        ]
    world.api.create_all(objects)
    _ready(world, names, say)
    _to_its_pause(world, list(SUBJECTS), version=3)
    for name in names:
        _change(world, name, version=2)
    world.operator.wait(
        "all others roll out",
        lambda: all(_status(world, name).get("rollout") for name in names),
        within=300,
        every=1.0,
    )
    found = []
    for name in SUBJECTS:
        found.append(_abort(world, name))
        say(f"{name} among {others}: {found[-1]['seconds']} s")
    return found


# One measurement.


def _abort(world: World, name: str) -> Figure:
    """Abort a rollout and return the seconds to the decision and from there to the last proof."""
    rollout = _status(world, name)["rollout"]
    refused = _refused(world)
    seen = world.aws.total()
    began = time.time()
    body = {"metadata": {"annotations": {"sluice.dev/abort": rollout["id"]}}}
    world.api.patch(_DEPLOYMENTS, name, body)
    memory: Json = {}

    def verified() -> bool:
        memory.update((_status(world, name).get("rollout") or {}).get("memory") or {})
        return bool(memory.get("verifiedAt"))

    world.operator.wait(f"the rollback of {name}", verified, within=120, every=0.1)
    rules = SUBJECTS[name][0] * SUBJECTS[name][1]
    calls = Counter(
        call["operation"]
        for call in world.aws.calls(since=str(seen))
        if call["time"] <= memory["verifiedAt"] + 0.05
    )
    return {
        "rules": rules,
        "routes": SUBJECTS[name][0],
        "hearingSeconds": round(memory["decidedAt"] - began, 3),
        "seconds": round(memory["verifiedAt"] - memory["decidedAt"], 3),
        "floorSeconds": round(max(0.0, (rules - _WRITE_BURST) / _WRITE_RATE), 2),
        "awsCallsMeanwhile": dict(calls.most_common()),
        "throttledAnswers": _refused(world) - refused,
    }


def _timed(world: World) -> Figure:
    """Roll the timed Deployment out alone; return its calls and by how much each step was late."""
    world.settle(quiet=3.0, within=30)
    seen, before = world.aws.total(), sum(world.aws.counts().values(), Counter[str]())
    _change(world, _TIMED, version=2)
    length = len(_WEIGHTS) * (PAUSE_SECONDS + 5) + 60

    def live() -> bool:
        # From here on it only waits for connections to end.
        return (_status(world, _TIMED).get("rollout") or {}).get("stage") in ("Baking", "Draining")

    world.operator.wait("the timed rollout", live, within=length, every=0.5)
    calls = sum(world.aws.counts().values(), Counter[str]()) - before
    late = _late(world.aws.calls(since=str(seen)))
    return {
        "steps": len(late),
        "stepLateMs": {"max": max(late, default=0), "min": min(late, default=0)},
        "stepLateMsEach": late,
        "rolloutAwsCalls": calls.total(),
        "rolloutAwsCallsByOperation": dict(calls.most_common()),
    }


def _late(calls: Sequence[Json]) -> list[int]:
    """Return for each weight but the first by how many ms it was written after its time.

    Its time is the proof of the weight before (a read of the rule by its ARN) and the pause.
    """
    late: list[int] = []
    proof: dict[str, float] = {}
    written: set[str] = set()
    for call in calls:
        params = call["params"] or {}
        if call["operation"] == "DescribeRules":
            # Before its first weight a rule is read for other reasons.
            for arn in written & set(params.get("RuleArns") or ()):
                proof.setdefault(arn, call["time"])
        elif call["operation"] == "ModifyRule" and params.get("Actions"):
            arn = params["RuleArn"]
            if arn in proof and len(late) < len(_WEIGHTS):
                late.append(round((call["time"] - proof.pop(arn) - PAUSE_SECONDS) * 1000))
            proof.pop(arn, None)
            written.add(arn)
    return late


# Making objects, and where they stand.


def _deployment(name: str, world: World, strategy: Json) -> Json:
    found = deployment(name, world.estate)
    found["spec"]["strategy"] = strategy
    # Five minutes by default: nobody holds a connection here, and the next figure waits for it.
    found["spec"]["ecs"]["targetGroups"] = [{"port": "http", "deregistrationDelaySeconds": 2}]
    return found


def _strategy(*steps: Json) -> Json:
    drain = {"propagationDelaySeconds": 1}
    return {"type": "Progressive", "progressive": {"steps": [*steps, {"setWeight": 100}], "drain": drain}}


def _seconds(seconds: float) -> Json:
    return {"duration": f"{seconds:g}s"}


def _routes(name: str, world: World, *, routes: int, each: int, balancer: str = "") -> list[Json]:
    parent = {"loadBalancerName": balancer or world.estate["loadBalancer"]["name"], "port": 80}
    return [
        {
            "apiVersion": "sluice.dev/v1alpha1",
            "kind": "ServiceRoute",
            "metadata": {"name": f"{name}-{number}", "namespace": "bench"},
            "spec": {
                "parentRefs": [parent],
                "hostnames": [f"{name}-{number}.example.com"],
                "rules": [
                    {
                        "name": f"r{rule}",
                        "matches": [{"path": {"value": f"/{rule}"}}],
                        "backendRefs": [{"name": name, "port": "http", "weight": 1}],
                    }
                    for rule in range(each)
                ],
            },
        }
        for number in range(routes)
    ]


def _balancer(world: World, name: str) -> str:
    """Make another load balancer with a listener on port 80 beside the estate's; return its name."""
    client = boto3.client("elbv2", **world.aws_client())
    made = client.create_load_balancer(
        Name=name, Subnets=world.estate["subnetIds"], SecurityGroups=world.estate["securityGroupIds"]
    )
    client.create_listener(
        LoadBalancerArn=made["LoadBalancers"][0]["LoadBalancerArn"],
        Port=80,
        Protocol="HTTP",
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )
    client.close()
    return name


def _change(world: World, name: str, *, version: int) -> None:
    """Give the Deployment's container another variable: another revision."""
    container = deployment(name, world.estate)["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "VERSION", "value": str(version)}]
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    world.api.patch(_DEPLOYMENTS, name, body)


def _to_its_pause(world: World, names: Sequence[str], *, version: int) -> None:
    for name in names:
        _change(world, name, version=version)
    for name in names:

        def waits(name: str = name) -> bool:
            rollout = _status(world, name).get("rollout") or {}
            return rollout.get("stepIndex") == 1 and rollout.get("provenWeight") == 200

        world.operator.wait(f"{name} at its pause", waits, within=180, every=0.25)


def _ready(world: World, names: Sequence[str], say: Say) -> None:
    """Wait until these Deployments and all routes are Ready; what was aborted before is not, on purpose."""

    def all_are() -> bool:
        if len(set(world.api.ready("serviceroutes"))) != 1:
            return False
        return all(_is_ready(_status(world, name)) for name in names)

    world.operator.wait("everything is Ready", all_are, within=600, every=1.0)
    say("everything is Ready")


def _is_ready(status: Json) -> bool:
    found = {one["type"]: one["status"] for one in status.get("conditions") or ()}
    return found.get("Ready") == "True"


def _status(world: World, name: str) -> Json:
    return dict(world.api.get(_DEPLOYMENTS, name).get("status") or {})


def _refused(world: World) -> int:
    return sum(found.total() for outcome, found in world.aws.counts().items() if "Throttl" in outcome)
