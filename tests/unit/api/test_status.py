"""What the controllers write into status is in the schema: the API server would prune the rest."""

from __future__ import annotations

import dataclasses
from typing import Any

from sluice.api.v1alpha1.status import DeploymentStatus, ServiceRouteStatus
from sluice.model.conditions import LONGEST, conditions
from sluice.model.discovery import DiscoveryProof
from sluice.model.traffic import HeaderRoute, SlotTarget, Traffic
from sluice.plan.deployment.history import entry
from sluice.plan.deployment.state import (
    Anchor,
    Live,
    Registering,
    Rejected,
    Rollout,
    Slot,
    State,
    TargetGroup,
)
from sluice.plan.discovery.memory import Failing, Leaving, Memory, Pending

NOW = 1_790_000_000.0


def filled(kind: type[Any], **members: Any) -> Any:
    """Return a dataclass with a value in every field."""
    samples = {"str": "x", "int": 7, "float": NOW, "bool": True}
    values = {
        field.name: members.get(
            field.name, samples.get(str(field.type).split(" |", maxsplit=1)[0], "Starting")
        )
        for field in dataclasses.fields(kind)
    }
    return kind(**values)


def test_a_full_deployment_status_is_in_the_schema() -> None:
    """Every member that the planner's state can hold has a field, and no list has too many items."""
    target = filled(SlotTarget)
    rollout = filled(Rollout)
    state = State(
        observed_generation=3,
        live=filled(Live),
        slot=filled(Slot),
        retiring=(filled(Slot),),
        rollout=rollout,
        registering=filled(Registering),
        definitions=(("hash", "arn"),),
        traffic=Traffic(
            uid="u",
            rollout_id="r",
            seq=1,
            weights={"a": 100},
            targets=(target,),
            verify_after=NOW,
            test="b",
            header=HeaderRoute(name="x-canary", value="1", slot="b"),
            reassert=False,
            rollback=True,
        ),
        target_groups=(filled(TargetGroup),),
        anchors=(filled(Anchor), filled(Anchor)),
        routes=({"name": "web", "uid": "u", "seq": 1, "verifiedAt": NOW},),
        intents={"promote": "r"},
        rejected=filled(Rejected),
        history=(entry(rollout, outcome="Failed", reason="r", by="ECS", evidence=("e",), now=NOW),),
        conditions=tuple(conditions(ready=True, reason="Available", message="m", generation=3, now=NOW)),
    )
    parsed = DeploymentStatus.model_validate(state.write())
    assert parsed.model_dump(by_alias=True, exclude_none=True) == state.write()


def test_a_full_route_status_is_in_the_schema() -> None:
    """The members of interfaces and of the traffic contract are fields of the type."""
    status = {
        "observedGeneration": 2,
        "conditions": conditions(ready=False, reason="RollingOut", message="m", generation=2, now=NOW),
        "parents": [
            {
                "name": "sandbox:80",
                "listenerArn": "arn",
                "loadBalancerArn": "arn",
                "rules": [
                    {
                        "name": "main/0",
                        "ruleArn": "arn",
                        "priority": 7,
                        "role": "production",
                        "weights": "a=95,b=5",
                        "intended": ["a=75,b=25"],
                        "stickySeconds": 300,
                    },
                    {"name": "main/0/header", "priority": 6, "role": "header"},
                    {"name": "test/main/0", "priority": 8, "role": "test"},
                ],
            }
        ],
        "backends": [
            {
                "name": "web",
                "uid": "u",
                "rolloutId": "r",
                "seq": 1,
                "hash": "h",
                "routeGeneration": 2,
                "desired": {"a": 100},
                "configured": {"a": 100},
                "verifiedAt": NOW,
                "observed": {"a": 950, "b": 47},
                "observedVerdict": "as configured",
                "foreign": "rule main/0 on sandbox:80 has weights that nobody of us wrote: a=1",
            }
        ],
        "intents": {"reconcile-now": "1"},
        "summary": {"hosts": "*", "backends": "web", "weights": "web=100"},
    }
    parsed = ServiceRouteStatus.model_validate(status)
    assert parsed.model_dump(by_alias=True, exclude_none=True) == status


def test_a_progressive_rollout_is_in_the_schema() -> None:
    """What people read of a progressive rollout is typed; the machine's memory is kept as it is."""
    status = {
        "rollout": {
            "id": "r",
            "kind": "Rollout",
            "source": "web-1",
            "candidate": "web-2",
            "slot": "b",
            "stage": "Stepping",
            "by": "spec",
            "startedAt": "2026-11-21T10:00:00Z",
            "step": "2/3",
            "share": "5%",
            "steps": ["setWeight 5", "pause 10m", "setWeight 100"],
            "stepIndex": 1,
            "stepStartedAt": "2026-11-21T10:01:00Z",
            "wakeAt": "2026-11-21T10:11:00Z",
            "weight": 50,
            "provenWeight": 50,
            "paused": False,
            "held": "AnalysisInconclusive",
            "reason": "Person",
            "message": "m",
            "gates": [{"name": "pause", "state": "Waiting", "since": "2026-11-21T10:01:00Z", "message": "m"}],
            "leaderEpoch": 3,
            "memory": {"anything": [{"at": 1.5}]},
        },
        "standby": {"slot": "a", "revision": "web-1", "until": NOW, "count": 3},
    }
    parsed = DeploymentStatus.model_validate(status)
    assert parsed.model_dump(by_alias=True, exclude_none=True) == status


def test_a_full_discovery_status_is_in_the_schema() -> None:
    """Every member that the planner's memory can hold has a field, in a place that is left, too."""
    place = filled(
        Memory,
        mode="Tasks",
        operations=(Pending(kind="register", target="0a1b", id="op", since=NOW),),
        leaving=(Leaving(stage="hidden", since=NOW, instances=("0a1b",)),),
        failing=(filled(Failing, targets=("0a1b",)),),
        acknowledgement=filled(DiscoveryProof),
        left=(),
    )
    status = {"discovery": dataclasses.replace(place, left=(place,)).write()}
    parsed = ServiceRouteStatus.model_validate(status)
    assert parsed.model_dump(by_alias=True, exclude_none=True) == status
    assert Memory.read(status["discovery"]) == dataclasses.replace(place, left=(place,))


def test_no_message_is_longer_than_the_api_server_takes() -> None:
    """A hundred refusals of AWS in one message must not cost the whole status."""
    for condition in conditions(
        ready=False, reason="AccessDenied", message="x" * 100_000, generation=1, now=NOW, warnings="y" * 9_000
    ):
        assert len(condition["message"]) == LONGEST < 32_768
        assert condition["message"].endswith("x…" if condition["type"] != "Warnings" else "y…")
