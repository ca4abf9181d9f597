"""Every status that the stories publish, as kstatus and `kubectl wait` read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import pytest

from sim.histories import histories
from sluice.model.conditions import RECONCILING_REASONS, STALLED_REASONS
from sluice.model.keys import DEPLOYMENT
from unit.gitops.kstatus import kstatus

Obj = Mapping[str, Any]


def everything() -> Iterator[Obj]:
    """Yield every version of every object."""
    for versions in histories().values():
        yield from versions


def conditions(obj: Obj) -> dict[str, Mapping[str, Any]]:
    """Return the conditions by type."""
    return {condition["type"]: condition for condition in obj["status"].get("conditions", ())}


def lives() -> Iterator[list[Obj]]:
    """Yield the versions of one object, in order."""
    for versions in histories().values():
        for uid in dict.fromkeys(obj["metadata"]["uid"] for obj in versions):
            yield [obj for obj in versions if obj["metadata"]["uid"] == uid]


def test_an_object_that_was_just_applied_is_in_progress() -> None:
    """Before the operator's first look, as after it: nobody takes it for done."""
    firsts = [versions[0] for versions in lives()]
    assert len(firsts) > 10
    assert {kstatus(obj) for obj in firsts} == {"InProgress"}


def test_a_changed_spec_is_in_progress_at_once() -> None:
    """The very version that `kubectl apply` returns is not Current, whatever the status still says."""
    changed = 0
    for versions in lives():
        for before, after in pairwise(versions):
            newer = after["metadata"]["generation"] > before["metadata"]["generation"]
            if newer and "deletionTimestamp" not in after["metadata"]:
                changed += 1
                assert kstatus(after) == "InProgress"
    assert changed > 5


def test_current_means_that_aws_runs_what_the_spec_says() -> None:
    """No rollout goes on, nothing is rejected, Ready is True and about this very generation."""
    current = [obj for obj in everything() if kstatus(obj) == "Current"]
    assert len(current) > 10
    for obj in current:
        ready = conditions(obj)["Ready"]
        assert ready["status"] == "True"
        assert ready["observedGeneration"] == obj["metadata"]["generation"]
        if obj["kind"] == DEPLOYMENT:
            assert "rollout" not in obj["status"]
            assert "registering" not in obj["status"]
            assert obj["status"]["live"]["revision"]
            assert obj["status"]["replicas"] == obj["status"]["readyReplicas"] == obj["spec"]["replicas"]


def test_failed_means_that_waiting_is_of_no_use() -> None:
    """Exactly the reasons of docs/conditions.md's part Stalled, for the present generation."""
    failed = {conditions(obj)["Ready"]["reason"] for obj in everything() if kstatus(obj) == "Failed"}
    assert {"RolledBack", "FirstRolloutFailed", "InvalidSpec", "BackendNotFound", "DriftHalted"} <= failed
    assert failed <= STALLED_REASONS


def test_conditions_contradict_nobody() -> None:
    """Ready once and always; of Reconciling and Stalled one while it is not True, none while it is."""
    seen: Counter[str] = Counter()
    for obj in everything():
        if not obj["status"].get("conditions"):
            continue
        found = [condition["type"] for condition in obj["status"]["conditions"]]
        assert len(found) == len(set(found))
        named = conditions(obj)
        ready = named["Ready"]
        abnormal = {"Reconciling", "Stalled"} & set(named)
        assert all(named[kind]["status"] == "True" for kind in abnormal)
        assert len(abnormal) == (0 if ready["status"] == "True" else 1), named
        for kind in abnormal:
            assert named[kind]["reason"] == ready["reason"]
            reasons = RECONCILING_REASONS if kind == "Reconciling" else STALLED_REASONS
            assert ready["reason"] in reasons
            seen[kind] += 1
    assert set(seen) == {"Reconciling", "Stalled"}


def test_observed_generations_never_run_ahead_nor_back() -> None:
    """Of status and of each condition: at most the spec's, never less than before."""
    for versions in lives():
        for before, after in pairwise(versions):
            old, new = before["status"]["observedGeneration"], after["status"]["observedGeneration"]
            assert old <= new <= after["metadata"]["generation"]
            for kind, condition in conditions(after).items():
                earlier = conditions(before).get(kind, {}).get("observedGeneration", 0)
                assert earlier <= condition["observedGeneration"] <= after["metadata"]["generation"]


def test_transition_times_move_only_with_the_status() -> None:
    """`since when` stays true however often reason and message change."""
    kept = 0
    for versions in lives():
        for before, after in pairwise(versions):
            for kind, condition in conditions(after).items():
                old = conditions(before).get(kind)
                if old and old["status"] == condition["status"]:
                    kept += old["message"] != condition["message"]
                    assert old["lastTransitionTime"] == condition["lastTransitionTime"]
    assert kept > 10


@pytest.mark.parametrize("story", ["rolling", "canary", "aborted"])
def test_kubectl_wait_cannot_end_early(story: str) -> None:
    """`kubectl wait --for=condition=Ready` asks for a True of at least the present generation.

    (kubectl's wait compares the condition's observedGeneration, else the status's, with the object's.)
    """
    ended = 0
    for obj in histories()[story]:
        ready = conditions(obj).get("Ready", {})
        waited = ready.get("status") == "True" and (
            ready["observedGeneration"] >= obj["metadata"]["generation"]
        )
        ended += waited
        if waited and "deletionTimestamp" not in obj["metadata"]:
            assert kstatus(obj) == "Current"
    assert ended
