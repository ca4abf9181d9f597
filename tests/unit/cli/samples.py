"""A Deployment in the middle of a canary, its route and its revisions, as the API server has them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
NOW = 1_795_000_000.0
"""2026-11-18T11:06:40Z."""
STEPS = ["setWeight 5", "pause 10m", "setWeight 25", "pause until promoted", "setWeight 100"]


def condition(
    status: str, reason: str, message: str = "", *, kind: str = "Ready", generation: int = 7
) -> Json:
    """Return a condition."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": "2026-11-18T11:00:00Z",
    }


def stalled(reason: str, message: str = "", *, generation: int = 7) -> list[Json]:
    """Return the conditions of a Deployment that is stalled."""
    return [
        condition("False", reason, message, generation=generation),
        condition("True", reason, message, kind="Stalled", generation=generation),
    ]


def deployment(status: Json | None = None, **spec: Any) -> Json:
    """Return Deployment shop/checkout, generation 7."""
    return {
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": "checkout", "namespace": "shop", "generation": 7, "uid": "u-1"},
        "spec": {
            "template": {"spec": {"containers": [{"name": "app", "image": "checkout:1.5.0"}]}},
            "strategy": {"type": "Progressive", "progressive": {}},
            **spec,
        },
        "status": resting() if status is None else status,
    }


def resting(**members: Any) -> Json:
    """Return the status at rest: Ready, revision old live, one rollout in the history."""
    return {
        "observedGeneration": 7,
        "phase": "Healthy",
        "live": {"slot": "a", "revision": "checkout-old", "since": "2026-11-18T10:00:00Z"},
        "slots": [slot("a", "checkout-old", 6)],
        "history": [
            {
                "id": "r1",
                "revision": "checkout-old",
                "outcome": "Succeeded",
                "startedAt": "2026-11-18T09:30:00Z",
                "durationSeconds": 1800,
                "by": "spec",
            },
            {
                "id": "r0",
                "revision": "checkout-older",
                "outcome": "Succeeded",
                "startedAt": "2026-11-17T09:30:00Z",
                "durationSeconds": 95,
            },
        ],
        "conditions": [
            condition("True", "Available", "revision checkout-old in slot a: 6 of 6 tasks healthy")
        ],
        **members,
    }


def moving(*, index: int = 3, stage: str = "Stepping", **members: Any) -> Json:
    """Return the status of a canary from old to new at a step (the fourth waits for a person)."""
    rollout = {
        "id": "r2",
        "kind": "Rollout",
        "candidate": "checkout-new",
        "source": "checkout-old",
        "slot": "b",
        "stage": stage,
        "startedAt": "2026-11-18T10:50:00Z",
        "by": "spec",
        "step": f"{index + 1}/5",
        "share": "25%",
        "steps": STEPS,
        "stepIndex": index,
        "stepStartedAt": "2026-11-18T11:04:00Z",
        "weight": 250,
        "provenWeight": 250,
        "gates": [
            {
                "name": "promote",
                "state": "Waiting",
                "since": "2026-11-18T11:04:00Z",
                "message": "a person promotes",
            }
        ],
        "memory": {"id": "r2", "steps": "not an interface"},
        **members,
    }
    return resting(
        phase="Paused",
        rollout=rollout,
        slots=[slot("a", "checkout-old", 6), slot("b", "checkout-new", 3)],
        conditions=[
            condition("False", "Paused", "step 4 of 5: weight 25 %: waits for a person to promote"),
            condition("True", "Paused", "step 4 of 5", kind="Reconciling"),
        ],
        traffic={
            "uid": "u-1",
            "rolloutId": "r2",
            "seq": 4,
            "hash": "h4",
            "weights": {"a": 750, "b": 250},
            "targetGroups": [],
            "verifyAfter": 100.0,
        },
    )


def slot(name: str, revision: str, count: int) -> Json:
    """Return an entry of status.slots, all well."""
    return {
        "name": name,
        "ordinal": 0,
        "cluster": "prod",
        "serviceName": f"checkout-{name}",
        "revision": revision,
        "desired": count,
        "running": count,
        "healthy": count,
    }


def route(**backend: Any) -> Json:
    """Return the route that sends to checkout, with its proof of seq 4."""
    return {
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "ServiceRoute",
        "metadata": {"name": "shop", "namespace": "shop", "generation": 2},
        "spec": {
            "hostnames": ["shop.example.com"],
            "rules": [{"name": "main", "backendRefs": [{"name": "checkout", "port": "http"}]}],
        },
        "status": {
            "observedGeneration": 2,
            "conditions": [
                condition("True", "Available", "1 listener rule is as the spec says", generation=2)
            ],
            "parents": [
                {
                    "name": "shop-public:443",
                    "listenerArn": "arn:l",
                    "rules": [
                        {"name": "main.0", "priority": 1200, "role": "production", "weights": "a=75,b=25"}
                    ],
                }
            ],
            "backends": [
                {
                    "name": "checkout",
                    "uid": "u-1",
                    "rolloutId": "r2",
                    "seq": 4,
                    "hash": "h4",
                    "routeGeneration": 2,
                    "desired": {"a": 750, "b": 250},
                    "configured": {"a": 750, "b": 250},
                    "observed": {"a": 1510, "b": 490},
                    "observedVerdict": "Fits",
                    "verifiedAt": 200.0,
                    **backend,
                }
            ],
        },
    }


def revision(name: str, image: str, **data: Any) -> Json:
    """Return a kept ControllerRevision."""
    return {
        "metadata": {"name": name},
        "revision": 1,
        "data": {
            "definitionHash": "0" * 8,
            "definition": {
                "cpu": "256",
                "containerDefinitions": [{"name": "app", "image": image, "environment": []}],
            },
            "service": {"launchType": "FARGATE"},
            "ports": [],
            "restartedAt": "",
            "spec": {"template": {}},
            **data,
        },
    }
