"""What other members of a release group are told of one, from its spec and status."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.controllers.groups import group_facts
from sluice.model.keys import DEPLOYMENT, Key
from sluice.model.rollout import Rollout, Stage
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


def told(status: dict[str, Any]) -> tuple[bool, int, bool, bool]:
    """Return (changing, arrived, failed, finished) of the other member."""
    (found,) = group_facts(Store({ME: member({}), OTHER: member(status)}), ME, "core").members  # type: ignore[arg-type]
    return found.changing, found.arrived, found.failed, found.finished


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param({"observedGeneration": 2}, (False, -1, False, True), id="at rest"),
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


def test_only_members_of_the_same_namespace_and_group_count() -> None:
    """Nor does one that is being deleted, nor the asking one itself."""
    objects = {
        ME: member({}),
        Key(DEPLOYMENT, "elsewhere", "other"): member({}),
        Key(DEPLOYMENT, "shop", "alone"): member({}, group="solo"),
        Key(DEPLOYMENT, "shop", "leaving"): member({}, deletionTimestamp="2026-11-21T10:00:00Z"),
    }
    assert group_facts(Store(objects), ME, "core").members == ()  # type: ignore[arg-type]
