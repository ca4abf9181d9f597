"""rollout.md §7 on the Deployment's side; each test is shown to fail without the point.

R is `test_contract_routes.py`, E the guards of `explore/test_exploration.py`, O `test_progressive_random.py`.

| point | test | how it is taken away there |
|---|---|---|
| 1 equal acknowledgement | R (three), E | `proves` is always true |
| 2 compare after the token | R, E | `still_current` is always true |
| 3 AWS is read before tasks go | here, E, O | `gone` is always true |
| 4 an old proof is no proof | here | `verifyAfter` is not renewed after the drain |
| 5 the larger of two weights | here | only the published weight counts |
| 6 a new leader waits | here | a call takes no time |
| 7 priority before CreateRule | R (two) | the intent is not saved |
| 8 no call after a failed status write | R (two) | the intent is not written |
| 9 the seq is handed over in process | here; the way back: R | nobody is woken |
| 10 resourceVersions that are no numbers | here | every version is taken for a newer one |
| 11 only the operator writes /status | `integration/chart/test_permissions.py` | no simulation has RBAC |
"""

from __future__ import annotations

from typing import Any

import pytest

from sim.progressive_stories import THREE_STEPS, at_step, production, ready, verb, web
from sim.stories import apply
from sim.universe import WEB, Universe, route
from sluice.controllers.deployment import DeploymentController
from sluice.ports import Result
from sluice.rollout import clocks, rollback, scaling
from sluice.rollout.work import CALL_BUDGET, Work
from sluice.runtime import store
from sluice.runtime.intake import Intake

AT_ONCE = {
    "type": "Progressive",
    "progressive": {"steps": [{"setWeight": 100}], "drain": {"propagationDelaySeconds": 1}},
}
DOWN = {
    "type": "Progressive",
    "progressive": {
        "steps": [{"setWeight": 50}, {"pause": {}}, {"setWeight": 5}, {"pause": {}}, {"setWeight": 100}],
    },
}
FULL = {
    "type": "Progressive",
    "progressive": {
        "steps": [{"setWeight": 5}, {"pause": {}}, {"setWeight": 100}],
        "capacity": {"mode": "Full"},
    },
}


def live(strategy: dict[str, Any], **spec: Any) -> Universe:
    """Return a universe in which web:1 is live and at rest."""
    universe = Universe(seed=7)
    apply(web(strategy=strategy, **spec), route())(universe)
    universe.settle(lambda: ready(universe))
    return universe


def moving(strategy: dict[str, Any], *, index: int = 1, **spec: Any) -> Universe:
    """Return a universe in which web:2 stands at a step."""
    universe = live(strategy, **spec)
    apply(web("web:2", strategy=strategy, **spec))(universe)
    universe.settle(lambda: at_step(index)(universe))
    return universe


def counts(universe: Universe) -> list[int]:
    """Return the desired counts of the services, oldest slot first."""
    return [service["desiredCount"] for service in by_age(universe)]


def by_age(universe: Universe) -> list[dict[str, Any]]:
    """Return the services in the order in which they were made: slot a, slot b."""
    return sorted(universe.services(), key=lambda service: service["createdAt"])


def mute(universe: Universe) -> None:
    """Let the routes' controller do nothing from now on: it hangs, and nobody knows."""
    controllers: Any = universe.operator.reconciler._controllers
    controllers["ServiceRoute"].reconcile = lambda *_: Result()


def draining() -> Universe:
    """Return a universe in which web:2 has everything and web:1 drains."""
    universe = live(AT_ONCE)
    apply(web("web:2", strategy=AT_ONCE))(universe)
    universe.settle(lambda: (universe.status().get("rollout") or {}).get("stage") == "Draining")
    return universe


# Point 3.


def under_a_foreign_rule() -> Universe:
    """Let somebody else's rule send to the old slot while it drains: no status tells of it."""
    universe = draining()
    old = next(name for name in production(universe) if production(universe)[name])
    group = next(group for group in universe.target_groups() if group["TargetGroupName"] != old)
    universe.aws(
        "elbv2",
        "CreateRule",
        ListenerArn=universe.listeners[80],
        Priority=49_000,
        Conditions=[{"Field": "path-pattern", "Values": ["/theirs"]}],
        Actions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
    )
    universe.run(300)
    return universe


def test_point_3_no_task_goes_while_any_rule_sends_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every acknowledgement is there, and the rules themselves say otherwise: the rollout waits."""
    universe = under_a_foreign_rule()
    assert universe.status()["rollout"]["stage"] == "Draining"
    assert counts(universe) == [2, 2]
    monkeypatch.setattr(rollback, "gone", lambda *_: True)
    assert "rollout" not in under_a_foreign_rule().status()


# Point 4.


def without_a_new_proof() -> Universe:
    """Let the routes' controller hang from the drain on: what it proved before is all there is."""
    universe = draining()
    mute(universe)
    universe.run(300)
    return universe


def test_point_4_a_proof_from_before_the_drain_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules are read again by Deployment and route: the old slot stays until both have."""
    universe = without_a_new_proof()
    assert universe.status()["rollout"]["stage"] == "Draining"
    assert counts(universe) == [2, 2]
    change = Work.change

    def never_renewed(self: Work, **members: Any) -> None:
        if self.rollout.stage == "Draining":
            members.pop("verify_after", None)
        change(self, **members)

    monkeypatch.setattr(Work, "change", never_renewed)
    assert "rollout" not in without_a_new_proof().status()


# Point 5.


def lowered() -> int:
    """Ask for 5 % where every rule still shows 50 %, let a person stop tasks; return slot b's count."""
    universe = moving(DOWN, replicas=10)
    universe.fault("error", operation="ModifyRule", code="AccessDenied")
    verb(universe, "promote")
    universe.settle(lambda: universe.status()["traffic"]["weights"]["b"] == 50)
    candidate = by_age(universe)[1]
    universe.aws("ecs", "UpdateService", cluster="sandbox", service=candidate["serviceName"], desiredCount=2)
    universe.cluster.annotate(WEB, reconcile_now="1")
    universe.run(60)
    return counts(universe)[1]


def test_point_5_a_slot_is_sized_for_the_larger_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of ten and one more, while a route that cannot be written sends half of the requests."""
    assert lowered() == 6

    def published(work: Work) -> int:
        size = scaling.needed(work, max(work.rollout.weight, scaling.coming(work)))
        return max(size, work.candidate.desired)

    monkeypatch.setattr(scaling, "candidate_size", published)
    assert lowered() == 2


# Point 6.


def seconds_until_the_next_weight() -> float:
    """Let another leader take over a rollout that a person promoted; return when it publishes the weight."""
    universe = moving(FULL)
    verb(universe, "promote")
    universe.operator = universe.start()
    universe.operator.epoch = 1
    begun = universe.clock.now()
    universe.settle(lambda: universe.status()["traffic"]["weights"] == {"b": 1000})
    return universe.clock.now() - begun


def test_point_6_a_new_leader_goes_on_when_the_dead_ones_calls_are_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the dead one sent may still land for a call's time: nothing is raised before a proof after it."""
    assert seconds_until_the_next_weight() >= CALL_BUDGET
    monkeypatch.setattr(clocks, "CALL_BUDGET", 0.0)
    assert seconds_until_the_next_weight() < CALL_BUDGET


# Point 9.


def rules_after_an_abort() -> dict[str, int]:
    """Let the watch deliver a person's abort and then nothing more; return the rules five seconds later."""
    universe = moving(THREE_STEPS)
    verb(universe, "abort")
    universe.operator.deliver()
    universe.operator.deaf_until = float("inf")
    universe.run(5)
    return production(universe)


def test_point_9_the_routes_are_told_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rollback's rules are written although the watch says nothing of what the Deployment published."""
    assert len(rules_after_an_abort()) == 1
    monkeypatch.setattr(Intake, "_wake_others", lambda *_, **__: None)
    monkeypatch.setattr(DeploymentController, "_routes", lambda *_: ())
    assert len(rules_after_an_abort()) == 2


# Point 10.


def after_a_late_event() -> str:
    """Deliver what the object was before an own write, under versions that are no numbers; what is known?"""
    universe = live(AT_ONCE)
    universe.operator.deaf_until = float("inf")
    old = universe.obj()
    old = {**old, "metadata": {**old["metadata"], "resourceVersion": "rv-old"}}
    new = {**old, "metadata": {**old["metadata"], "resourceVersion": "rv-new"}}
    intake = universe.operator.intake
    universe.operator.store._objects[WEB] = old
    intake.wrote(WEB, new)
    intake.seen(WEB, {**old, "metadata": {**old["metadata"], "resourceVersion": "rv-older"}})
    known = universe.operator.store.peek(WEB)
    assert known is not None
    return str(known["metadata"]["resourceVersion"])


def test_point_10_an_object_does_not_go_back_where_versions_are_no_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After an own write everything but the written version waits for the watch."""
    assert after_a_late_event() == "rv-new"
    monkeypatch.setattr(store, "older", lambda *_: False)
    assert after_a_late_event() == "rv-older"
