"""rollout.md §7 on the route's side, point by point: each test is shown to fail without the point.

A guard is taken away by replacing the one function that is the guard; the same check must then find
what the guard prevents. So a test that passes says something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from sim import console
from sim.stories import apply
from sim.universe import ROUTE, WEB, Crashes, Universe, deployment, route
from sluice.controllers.record import Record
from sluice.controllers.route import RouteController
from sluice.controllers.route_looks import RouteLooks
from sluice.model.errors import WriteConflict
from sluice.model.traffic import Acknowledgement, SlotTarget, Traffic
from sluice.ports import Result

CONTROLLER = "ServiceRoute"


def created() -> Universe:
    """Return a universe with a Deployment and a route at rest, whose watch says nothing from now on."""
    universe = Universe(seed=7, hook=Crashes())
    apply(deployment(), route())(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    universe.operator.deaf_until = float("inf")
    return universe


def publish(universe: Universe, **members: Any) -> None:
    """Let the Deployment publish other traffic: status, store, no pass."""
    obj = universe.obj(WEB)
    published = Traffic.from_status(obj["status"]["traffic"])
    assert published is not None
    traffic = replace(published, seq=published.seq + 1, **members)
    written = universe.cluster.patch_status(obj, obj["status"] | {"traffic": traffic.to_status()})
    universe.operator.intake.wrote(WEB, written)


def both_slots(universe: Universe) -> tuple[SlotTarget, ...]:
    """Return the live target and one of a slot b that a person made."""
    (live,) = Traffic.from_status(universe.status()["traffic"]).targets  # type: ignore[union-attr]
    theirs = universe.aws(
        "elbv2",
        "CreateTargetGroup",
        Name="candidate",
        Protocol="HTTP",
        Port=8080,
        VpcId=universe.target_groups()[0]["VpcId"],
        TargetType="ip",
    )
    arn = theirs["TargetGroups"][0]["TargetGroupArn"]
    return live, replace(live, slot="b", target_group_arn=arn)


def reconcile(universe: Universe) -> Result:
    """Run one pass over the route."""
    controller = universe.operator.reconciler._controllers[CONTROLLER]
    return controller.reconcile(ROUTE)


def split(universe: Universe) -> dict[str, int]:
    """Return target group's name → weight of the production rule."""
    groups = console.own_rule(universe, "rule")["Actions"][0]["ForwardConfig"]["TargetGroups"]
    return {group["TargetGroupArn"].split("/")[1]: group["Weight"] for group in groups}


# Point 1.

TARGET = SlotTarget(slot="a", port="http", container_port=80, load_balancer_arn="lb", target_group_arn="tg")
TRAFFIC = Traffic(
    uid="u", rollout_id="r", seq=3, weights={"a": 900, "b": 100}, targets=(TARGET,), verify_after=7.0
)
PROVEN = Acknowledgement(
    name="web",
    uid="u",
    rollout_id="r",
    seq=3,
    hash=TRAFFIC.hash,
    route_generation=2,
    configured={"a": 900, "b": 100},
    verified_at=7.0,
)


@pytest.mark.parametrize(
    "member",
    [
        pytest.param({"uid": "restored"}, id="uid"),
        pytest.param({"rollout_id": "older"}, id="rolloutId"),
        pytest.param({"seq": 2}, id="older seq"),
        pytest.param({"seq": 4}, id="newer seq"),
        pytest.param({"hash": "other"}, id="hash"),
        pytest.param({"route_generation": 1}, id="older generation"),
        pytest.param({"route_generation": 3}, id="newer generation"),
        pytest.param({"verified_at": 6.9}, id="proof before verifyAfter"),
    ],
)
def test_point_1_only_an_equal_acknowledgement_counts(member: Mapping[str, Any]) -> None:
    """Every member must be equal: the same acknowledgement with one other member proves nothing."""
    assert PROVEN.proves(TRAFFIC, route_generation=2)
    assert not replace(PROVEN, **member).proves(TRAFFIC, route_generation=2)


OTHER_TRAFFIC = {
    "weights": {"weights": {"a": 800, "b": 200}},
    "a target": {"targets": (replace(TARGET, target_group_arn="new"),)},
    "test slot": {"test": "b"},
    "the way back": {"weights": {"a": 1000}},
}


@pytest.mark.parametrize("name", OTHER_TRAFFIC)
def test_point_1_the_hash_is_of_all_that_routes_write(name: str) -> None:
    """What a route has to write differently has another hash, even under the same seq."""
    members: Any = OTHER_TRAFFIC[name]
    assert not PROVEN.proves(replace(TRAFFIC, **members), route_generation=2)


def test_point_1_an_edited_route_proves_again() -> None:
    """A new generation of the route is no proof until its rules were read under it."""
    universe = created()
    universe.cluster.apply(route(hostnames=["shop.example.com"]))
    universe.operator.intake.seen(ROUTE, universe.obj(ROUTE))
    traffic = Traffic.from_status(universe.status()["traffic"])
    assert traffic is not None

    def proven() -> bool:
        entry = Acknowledgement.from_status(universe.status(ROUTE)["backends"][0])
        return entry.proves(traffic, route_generation=universe.obj(ROUTE)["metadata"]["generation"])

    assert not proven()
    reconcile(universe)
    assert proven()


# Point 2.


def overtaken(universe: Universe) -> dict[str, int]:
    """Let a rollback be published while the route's worker waits for its token; return what was written."""
    targets = both_slots(universe)
    publish(universe, weights={"a": 500, "b": 500}, targets=targets, reassert=False)
    gateway: Any = universe.operator.facts._services._source.aws
    original = gateway.reserve

    def waits(*args: Any, **kwargs: Any) -> Any:
        gateway.reserve = original
        publish(universe, weights={"a": 1000}, targets=targets, rollback=True)
        return original(*args, **kwargs)

    gateway.reserve = waits
    reconcile(universe)
    gateway.reserve = original
    return split(universe)


def test_point_2_a_worker_that_waited_writes_no_old_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    """The snapshot is compared after the token is there; without that the old weight goes out."""
    universe = created()
    assert "candidate" not in overtaken(universe)
    assert reconcile(universe).rollback
    monkeypatch.setattr(RouteLooks, "still_current", lambda *_: True)
    assert "candidate" in overtaken(created())


# Point 7.


def intended_before_create(universe: Universe) -> bool:
    """Tell whether the number of every rule that is made was in status before the call."""
    seen: list[bool] = []
    hook = universe.hook

    def watching(when: str, name: str) -> None:
        hook(when, name)
        if (when, name) == ("before", "aws CreateRule") and "backends" in universe.status(ROUTE):
            rules = [rule for p in universe.status(ROUTE)["parents"] for rule in p["rules"]]
            seen.append(any("ruleArn" not in rule and rule["priority"] > 0 for rule in rules))

    universe.hook = watching
    universe.operator = universe.start()
    console.delete_rule("rule")(universe)
    universe.cluster.annotate(ROUTE, reconcile_now="1")
    universe.settle(lambda: bool(seen), within=200)
    return all(seen)


def test_point_7_a_priority_is_in_status_before_createrule(monkeypatch: pytest.MonkeyPatch) -> None:
    """CreateRule has no token: the number is known before, so the rule is found again after a crash."""
    assert intended_before_create(created())
    unguarded = created()
    original = Record.save

    def late(self: Record, status: Mapping[str, Any]) -> bool:
        intends = any(
            "ruleArn" not in rule for parent in status.get("parents", ()) for rule in parent["rules"]
        )
        return False if intends else original(self, status)

    monkeypatch.setattr(Record, "save", late)
    assert not intended_before_create(unguarded)


def test_point_7_a_rule_whose_creation_was_not_answered_is_adopted() -> None:
    """Killed right after CreateRule: the next process finds the rule by tag, and makes no second one."""
    universe = Universe(seed=7, hook=Crashes())
    apply(deployment())(universe)
    universe.settle(universe.ready)
    crashes = universe.hook
    assert isinstance(crashes, Crashes)
    apply(route())(universe)
    while not universe.crashes or "aws CreateRule" not in crashes.calls[-3:]:
        crashes.at, crashes.when, crashes.armed = len(crashes.calls) + 1, "after", True
        universe.run(1)
        assert len(crashes.calls) < 200
    crashes.armed = False
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    tags = [console.elb_tags(universe, rule["RuleArn"]) for rule in universe.rules()]
    assert [t.get("sluice.dev/role") for t in tags].count("rule") == 1


# Point 8.


def writes_after_conflict(universe: Universe) -> list[str]:
    """Return the AWS writes of a pass whose status write fails."""
    publish(universe, weights={"a": 500, "b": 500}, targets=both_slots(universe))
    kubernetes: Any = universe.operator.reconciler._controllers[CONTROLLER]._world.kubernetes
    before = len(universe.writes())

    def refuses(*_: Any) -> Any:
        raise WriteConflict("somebody else wrote it")

    kubernetes.patch_status = refuses
    with pytest.raises(WriteConflict):
        reconcile(universe)
    return universe.writes()[before:]


def test_point_8_no_call_follows_a_status_write_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A conflict ends the pass before AWS is written; with the intent write left out, AWS is."""
    assert writes_after_conflict(created()) == []
    original = RouteController._write_status

    def without_intent(self: RouteController, *args: Any, **kwargs: Any) -> None:
        if kwargs["done"]:
            original(self, *args, **kwargs)

    monkeypatch.setattr(RouteController, "_write_status", without_intent)
    assert writes_after_conflict(created()) == ["ModifyRule"]


def test_point_8_ready_is_not_carried_across_generations() -> None:
    """The intent write sets observedGeneration, Ready and Reconciling at once."""
    universe = created()
    universe.cluster.apply(route(hostnames=["shop.example.com"]))
    universe.operator.intake.seen(ROUTE, universe.obj(ROUTE))
    seen: list[tuple[Any, ...]] = []
    kubernetes: Any = universe.operator.reconciler._controllers[CONTROLLER]._world.kubernetes
    original: Callable[..., Any] = kubernetes.patch_status

    def watching(obj: Any, status: Mapping[str, Any]) -> Any:
        said = {condition["type"]: condition["status"] for condition in status["conditions"]}
        seen.append((status["observedGeneration"], said["Ready"], said.get("Reconciling")))
        return original(obj, status)

    kubernetes.patch_status = watching
    reconcile(universe)
    assert seen == [(2, "False", "True"), (2, "True", seen[1][2])]


# Point 9.


def test_point_9_the_deployment_is_told_in_process() -> None:
    """The watch says nothing: the acknowledgement's pass hands the Deployment over, fast in a rollback."""
    universe = created()
    targets = both_slots(universe)
    publish(universe, weights={"a": 500, "b": 500}, targets=targets, reassert=False)
    done = reconcile(universe)
    assert (done.urgent, done.rollback) == ((WEB,), False)
    publish(universe, weights={"a": 1000}, targets=targets, rollback=True)
    done = reconcile(universe)
    assert (done.urgent, done.rollback) == ((WEB,), True)
    again = reconcile(universe)
    assert again.urgent == ()


def test_a_rollback_reads_no_listing_first() -> None:
    """What is known of the rules is enough to write them by ARN; they are read back by ARN."""
    universe = created()
    targets = both_slots(universe)
    publish(universe, weights={"a": 500, "b": 500}, targets=targets, reassert=False)
    reconcile(universe)
    universe.clock.advance_to(universe.clock.now() + 20)
    publish(universe, weights={"a": 1000}, targets=targets, rollback=True)
    before = len(universe.writes())
    calls: list[str] = []
    gateway: Any = universe.operator.facts._services._source.aws
    send = gateway._transport.send

    def noted(service: str, operation: str, *args: Any, **kwargs: Any) -> Any:
        calls.append(operation)
        return send(service, operation, *args, **kwargs)

    gateway._transport.send = noted
    reconcile(universe)
    assert universe.writes()[before:] == ["ModifyRule"]
    assert calls[0] == "ModifyRule"
