"""A store full of custom resources as they are in production, for the figures of a scrape.

Each Deployment is progressive, with both slots, ten entries of history and its route; some are in a rollout
with gates. Statuses are of the shape that the operator writes, so that as many series come of them.
"""

from __future__ import annotations

from typing import Any, Final

from sluice.model.conditions import timestamp
from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key

NOW: Final = 1_800_000_000.0
MOVING: Final = 50
"""One of so many Deployments is in a rollout."""
_PER_NAMESPACE: Final = 50
_ARN: Final = "arn:aws:ecs:eu-west-1:111122223333:service/prod/"
Json = dict[str, Any]


def store(count: int) -> dict[Key, Json]:
    """Return `count` Deployments and as many routes."""
    objects: dict[Key, Json] = {}
    for number in range(count):
        namespace, name = f"team-{number // _PER_NAMESPACE}", f"service-{number}"
        moving = number % MOVING == 0
        objects[Key(DEPLOYMENT, namespace, name)] = _deployment(namespace, name, moving=moving)
        objects[Key(SERVICE_ROUTE, namespace, name)] = _route(namespace, name, moving=moving)
    return objects


def _metadata(namespace: str, name: str) -> Json:
    return {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-{namespace}-{name}",
        "generation": 3,
        "resourceVersion": "1",
        "labels": {"app": name, "team": namespace},
    }


def _conditions(*, moving: bool) -> list[Json]:
    reason = "Paused" if moving else "Available"
    ready = {"type": "Ready", "status": "False" if moving else "True", "reason": reason}
    shared = {"observedGeneration": 3, "message": "2 of 2 tasks run", "lastTransitionTime": timestamp(NOW)}
    held = {"type": "Reconciling", "status": "True", "reason": reason}
    return [ready | shared, *([held | shared] if moving else [])]


def _slot(name: str, *, live: bool, moving: bool) -> Json:
    count = 2 if live or moving else 0
    return {
        "name": name,
        "ordinal": 1,
        "cluster": "prod",
        "serviceName": f"s-{name}",
        "serviceArn": f"{_ARN}s-{name}",
        "desired": count,
        "running": count,
        "healthy": count,
        "launchType": "FARGATE",
    }


def _deployment(namespace: str, name: str, *, moving: bool) -> Json:
    history = [
        {
            "id": f"{number:010x}",
            "revision": f"{name}-{number:010x}",
            "outcome": "Succeeded",
            "startedAt": timestamp(NOW - 86400 * (number + 1)),
            "durationSeconds": 600,
            "by": "spec",
        }
        for number in range(10)
    ]
    status: Json = {
        "observedGeneration": 3,
        "phase": "Paused" if moving else "Healthy",
        "replicas": 2,
        "readyReplicas": 2,
        "updatedReplicas": 2,
        "live": {"slot": "a", "revision": f"{name}-{0:010x}", "since": timestamp(NOW)},
        "slots": [_slot("a", live=True, moving=moving), _slot("b", live=False, moving=moving)],
        "taskSize": {"cpu": "512", "memory": "1024"},
        "traffic": _traffic(name, moving=moving) | {"uid": f"uid-{namespace}-{name}"},
        "conditions": _conditions(moving=moving),
        "history": history,
    }
    if moving:
        status["rollout"] = {
            "id": "aaaaaaaaaa",
            "kind": "Rollout",
            "stage": "Stepping",
            "slot": "b",
            "startedAt": timestamp(NOW),
            "stepStartedAt": timestamp(NOW),
            "stepIndex": 1,
            "steps": ["setWeight 5%", "pause", "setWeight 100%"],
            "weight": 50,
            "provenWeight": 50,
            "gates": [{"name": gate, "state": "Waiting"} for gate in ("promote", "metric errors", "alarms")],
        }
    spec = {"strategy": {"type": "Progressive"}}
    return {"kind": DEPLOYMENT, "metadata": _metadata(namespace, name), "spec": spec, "status": status}


def _traffic(name: str, *, moving: bool) -> Json:
    weights = {"a": 950, "b": 50} if moving else {"a": 1000}
    return {"rolloutId": "aaaaaaaaaa", "seq": 9, "hash": name, "weights": weights}


def _route(namespace: str, name: str, *, moving: bool) -> Json:
    traffic = _traffic(name, moving=moving)
    weights = traffic.pop("weights")
    backend = traffic | {
        "name": name,
        "uid": f"uid-{namespace}-{name}",
        "routeGeneration": 3,
        "desired": weights,
        "configured": weights,
        "verifiedAt": NOW,
    }
    status = {"observedGeneration": 3, "conditions": _conditions(moving=False), "backends": [backend]}
    return {"kind": SERVICE_ROUTE, "metadata": _metadata(namespace, name), "spec": {}, "status": status}
