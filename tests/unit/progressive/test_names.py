"""Progressive Deployments and names in Cloud Map: traffic without groups, planes, what status tells."""

from __future__ import annotations

import dataclasses
from typing import Any

from sluice.model.observed import Observed
from sluice.model.rollout import Rollout, TrafficOrder
from sluice.model.traffic import Traffic
from sluice.plan.deployment.state import Slot, State
from sluice.plan.progressive.facts import slot_facts, traffic_facts
from sluice.plan.progressive.look import Look
from sluice.plan.progressive.memory import write_rollout
from sluice.plan.progressive.publish import compose
from unit.deployment import wishes
from unit.deployment.test_discovery import known, route

NOW = wishes.NOW
TOLD = Traffic(uid="uid-1", rollout_id="r", seq=3, weights={"a": 750, "b": 250}, targets=(), verify_after=NOW)
STATE = State(
    slot=Slot(name="a", cluster="main", service_name="web-a", desired=4, running=4),
    others=(Slot(name="b", cluster="main", service_name="web-b", desired=2, running=2),),
    traffic=TOLD,
)


def acknowledged(traffic: Traffic, **changes: Any) -> dict[str, Any]:
    """Return an acknowledgement by a route of generation 2."""
    return {
        "name": "web",
        "uid": traffic.uid,
        "rolloutId": traffic.rollout_id,
        "seq": traffic.seq,
        "hash": traffic.hash,
        "routeGeneration": 2,
        "verifiedAt": NOW + 5,
    } | changes


def both(*, rules: bool, names: bool) -> dict[str, Any]:
    """Return a route with rules and discovery, of which some proved what is published."""
    obj = route(discovery=known(acknowledgement=acknowledged(TOLD, seq=3 if names else 2)))
    obj["spec"]["rules"] = [{"backendRefs": [{"name": "web", "port": "http"}]}]
    obj["status"]["backends"] = [acknowledged(TOLD, seq=3 if rules else 2, verifiedAt=NOW + 1)]
    return obj


def test_weights_are_published_without_any_group_where_a_route_lists_the_tasks() -> None:
    """And not where none does: nobody could follow them."""
    wish, order = wishes.desired(), TrafficOrder(weights={"a": 1000})
    assert compose(wish, State(), Observed(), order, rollout_id="r") is None
    listed = dataclasses.replace(wish, listed=True)
    traffic = compose(listed, State(), Observed(), order, rollout_id="r")
    assert traffic is not None
    assert (traffic.seq, dict(traffic.weights), traffic.targets) == (1, {"a": 1000}, ())


def test_a_route_with_both_is_two_that_prove() -> None:
    """Each plane by itself: rules go first in a rollback, names keep tasks."""
    found = traffic_facts(STATE, [both(rules=True, names=False)], "web")
    assert [(entry.label, entry.plane, entry.proven) for entry in found.routes] == [
        ("corp (discovery)", "discovery", False),
        ("corp", "rules", True),
    ]
    assert (found.proven_at("rules"), found.proven_at("discovery"), found.proven_at()) == (
        NOW + 1,
        None,
        None,
    )
    found = traffic_facts(STATE, [both(rules=True, names=True)], "web")
    assert (found.proven_at("rules"), found.proven_at()) == (NOW + 1, NOW + 5)


def test_names_alone_are_a_route_and_mode_ecs_is_none() -> None:
    """With names weights are no shares of tasks; what ECS registers by itself follows no weight."""
    assert [entry.plane for entry in traffic_facts(STATE, [route()], "web").routes] == ["discovery"]
    assert traffic_facts(STATE, [route(mode="ECS")], "web").routes == ()


def test_a_slot_is_free_once_the_names_let_it_go() -> None:
    """Proved weights without it; until then its tasks stay, and are told whose entries they wait for."""
    look = Look(observed=Observed(), proof={})
    only_a = dataclasses.replace(TOLD, weights={"a": 1000})
    state = dataclasses.replace(STATE, traffic=only_a)
    before = slot_facts(wishes.desired(), state, look, [both(rules=True, names=True)])
    assert before["b"].listed == "ServiceRoute corp", "the proof is of other weights"
    proved = route(discovery=known(acknowledgement=acknowledged(only_a)))
    after = slot_facts(wishes.desired(), state, look, [proved])
    assert (after["a"].listed, after["b"].listed) == ("ServiceRoute corp", "")
    assert after["b"].free


def test_status_tells_how_long_each_plane_took() -> None:
    """While the way back goes on; nothing before it was decided."""
    rollout = Rollout(id="r", kind="Rollout", candidate="r2", slot="b", source="r1")
    assert "rollback" not in write_rollout(rollout, wake_at=None)
    back = dataclasses.replace(rollout, decided_at=NOW, verified_at=NOW + 0.75)
    assert write_rollout(back, wake_at=None)["rollback"] == {
        "decidedAt": "2027-01-15T08:00:00Z",
        "rulesSeconds": 0.75,
    }
    done = dataclasses.replace(back, discovered_at=NOW + 91)
    assert write_rollout(done, wake_at=None)["rollback"]["discoverySeconds"] == 91
