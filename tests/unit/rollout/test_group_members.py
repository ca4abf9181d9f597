"""What other members of a release group are told of one, from its spec and status."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sluice.controllers.groups import group_facts
from sluice.controllers.progressive import Progressives
from sluice.model.errors import Refused
from sluice.model.keys import DEPLOYMENT, Key
from sluice.model.rollout import Rollout, Stage
from sluice.model.situation import MemberFacts
from sluice.plan.progressive.memory import write_rollout

ME, OTHER = Key(DEPLOYMENT, "shop", "me"), Key(DEPLOYMENT, "shop", "other")
SPEC = {"steps": [{"setWeight": 25}, {"setWeight": 100}], "releaseGroup": {"name": "core"}}


class Store:
    """The part of the store that is asked."""

    def __init__(self, objects: dict[Key, dict[str, Any]]) -> None:
        """Hold `objects`."""
        self._objects = objects

    def keys(self, _kind: str) -> list[Key]:
        """Return every key."""
        return list(self._objects)

    def get(self, key: Key) -> dict[str, Any] | None:
        """Return an object."""
        return self._objects.get(key)


def member(status: dict[str, Any], *, group: str = "core", **metadata: Any) -> dict[str, Any]:
    """Return a Deployment of the group."""
    spec = {"strategy": {"type": "Progressive", "progressive": {**SPEC, "releaseGroup": {"name": group}}}}
    return {"metadata": {"generation": 2, **metadata}, "spec": spec, "status": status}


def moving(stage: Stage, **members: Any) -> dict[str, Any]:
    """Return the status of a member whose rollout is in a stage."""
    rollout = Rollout(id="x", kind="Rollout", candidate="r2", slot="b", stage=stage, strategy=SPEC, **members)
    entry = write_rollout(rollout, steps=("setWeight 25", "setWeight 100"), wake_at=None)
    return {"observedGeneration": 2, "rollout": entry}


def stalled(reason: str, cause: str, generation: int = 2) -> dict[str, Any]:
    """Return the status of a member at rest whose spec's revision was rejected."""
    condition = {"type": "Stalled", "status": "True", "reason": reason, "observedGeneration": generation}
    return {
        "observedGeneration": generation,
        "rejectedRevision": {"revision": "r2", "cause": cause},
        "conditions": [condition],
    }


def resting(reason: str, live: str = "r1", ready: str = "False") -> dict[str, Any]:
    """Return the status of a member without a rollout, of the present generation."""
    condition = {"type": "Ready", "status": ready, "reason": reason, "observedGeneration": 2}
    return {"observedGeneration": 2, "live": {"revision": live}, "conditions": [condition]}


def seen(status: dict[str, Any], *, asks: str | None = "r2", replicas: int | None = None) -> MemberFacts:
    """Return what is told of the other member, whose spec asks for `asks`."""
    other = member(status)
    if replicas is not None:
        other["spec"]["replicas"] = replicas
    store: Any = Store({ME: member({}), OTHER: other})
    (found,) = group_facts(store, ME, "core", asks=lambda _key, _obj: asks).members
    return found


def told(status: dict[str, Any]) -> tuple[bool, int, bool, bool]:
    """Return (changing, arrived, failed, finished) of the other member."""
    found = seen(status)
    return found.changing, found.arrived, found.failed, found.finished


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(resting("Available", ready="True"), (False, -1, False, True), id="at rest"),
        pytest.param({"observedGeneration": 1}, (True, -1, False, False), id="spec not looked at yet"),
        pytest.param({}, (True, -1, False, False), id="new"),
        pytest.param(moving("ScalingUp"), (True, -1, False, False), id="not ready"),
        pytest.param(moving("Stepping", step=1), (True, 1, False, False), id="one step done"),
        pytest.param(moving("Baking", step=2), (True, 2, False, False), id="all steps done"),
        pytest.param(moving("PostBake", step=2), (True, 3, False, False), id="baked"),
        pytest.param(moving("RollingBack", reason="Alarm"), (True, -1, True, False), id="falls back"),
        pytest.param(moving("RollingBack", reason="Group"), (True, -1, False, False), id="is taken back"),
        pytest.param(moving("CleaningUp", reason="Superseded"), (True, -1, False, False), id="superseded"),
        pytest.param(stalled("RolledBack", "CrashLoop"), (False, -1, True, True), id="fell back"),
        pytest.param(stalled("RolledBack", "Group"), (False, -1, False, True), id="was taken back"),
        pytest.param(stalled("RolledBack", "Alarm", 1), (True, -1, False, False), id="has another spec now"),
        pytest.param(stalled("NotPermitted", "Person"), (False, -1, False, True), id="refused a revision"),
    ],
)
def test_what_is_told_of_a_member(status: dict[str, Any], expected: tuple[bool, int, bool, bool]) -> None:
    """(changing, arrived, failed, finished)."""
    assert told(status) == expected


@pytest.mark.parametrize(
    ("reason", "live", "asks", "waited_for", "trouble"),
    [
        pytest.param("WaitingForTargets", "r2", "r2", False, "", id="its live tasks are not healthy"),
        pytest.param("WaitingForAWSBudget", "r1", "r2", True, "", id="AWS throttled its first pass"),
        pytest.param("AccessDenied", "r1", "r2", True, "AccessDenied", id="AWS denied its first pass"),
        pytest.param("AccessDenied", "r2", "r2", False, "AccessDenied", id="denied a look, through already"),
        pytest.param("InvalidSpec", "r1", None, True, "InvalidSpec", id="its spec is refused"),
        pytest.param("Paused", "r1", "r2", True, "Paused", id="suspended before it began"),
        pytest.param("Paused", "r2", "r2", False, "Paused", id="suspended without a change"),
    ],
)
def test_a_member_that_could_not_begin_is_waited_for(
    reason: str, live: str, asks: str | None, *, waited_for: bool, trouble: str
) -> None:
    """It saw its spec and has no rollout, yet it is not through: the others must not go on without it."""
    found = seen(resting(reason, live), asks=asks)
    assert (found.changing, found.finished, found.trouble) == (waited_for, not waited_for, trouble)


@pytest.mark.parametrize(
    ("stage", "replicas", "count", "waited_for"),
    [
        pytest.param("Starting", 0, 3, False, id="scaled to 0"),
        pytest.param("Starting", None, 0, False, id="its autoscaler has no task"),
        pytest.param("Starting", None, 3, True, id="its autoscaler has some"),
        pytest.param("Starting", 2, 0, True, id="waits for something else"),
        pytest.param("Stepping", 0, 3, True, id="scaled to 0 in the middle: it goes on"),
    ],
)
def test_a_member_scaled_to_0_before_it_began_is_not_waited_for(
    stage: Stage, replicas: int | None, count: int, *, waited_for: bool
) -> None:
    """It begins when there are to be tasks again, and nobody can tell when that is."""
    found = seen({**moving(stage), "replicas": count}, replicas=replicas)
    assert found.changing is waited_for


def test_only_members_of_the_same_namespace_and_group_count() -> None:
    """Nor does one that is being deleted, nor the asking one itself."""
    objects = {
        ME: member({}),
        Key(DEPLOYMENT, "elsewhere", "other"): member({}),
        Key(DEPLOYMENT, "shop", "alone"): member({}, group="solo"),
        Key(DEPLOYMENT, "shop", "leaving"): member({}, deletionTimestamp="2026-11-21T10:00:00Z"),
    }
    store: Any = Store(objects)
    assert group_facts(store, ME, "core", asks=lambda _key, _obj: "r2").members == ()


def test_what_a_member_asks_for_is_made_once_in_a_while() -> None:
    """Fifty members that wait would read each other's ConfigMaps and Secrets with every pass of each."""
    made: list[Key] = []

    def wish(key: Key, _obj: Any) -> Any:
        made.append(key)
        if key == ME:
            raise Refused("InvalidSpec", "x")
        return SimpleNamespace(wanted=f"r{len(made)}"), None

    clock = SimpleNamespace(at=100.0)
    world: Any = SimpleNamespace(
        clock=SimpleNamespace(now=lambda: clock.at), gates=SimpleNamespace(forget=lambda _: None)
    )
    members = Progressives(world, settings=None, wishes=SimpleNamespace(wish=wish))  # type: ignore[arg-type]
    first = member({}, uid="1")
    assert [members._asks(OTHER, first) for _ in range(3)] == ["r1"] * 3
    assert [members._asks(ME, first) for _ in range(3)] == [None] * 3
    assert members._asks(OTHER, member({}, uid="1", generation=3)) == "r3"
    assert members._asks(OTHER, member({}, uid="2", generation=3)) == "r4"
    clock.at += 15
    assert members._asks(OTHER, member({}, uid="2", generation=3)) == "r5"
    members.forget(OTHER)
    assert members._asks(OTHER, member({}, uid="2", generation=3)) == "r6"
