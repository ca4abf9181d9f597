"""What the machine's values say by themselves, bare and filled: slots, routes, metrics, rollouts, wishes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sluice.model import actions, desired, discovery, observed, rollout, situation, strategy
from sluice.model.desired import Adoption, Port, Registry
from sluice.model.discovery import DiscoveryIntent, DnsRecord, NamespaceIntent
from sluice.model.rollout import Rollout
from sluice.model.situation import Plane, RouteFacts, SlotFacts, TrafficFacts
from sluice.model.strategy import FULL, Analysis, Condition, Metric, Operator
from unit.model.bare import said

FREE: dict[str, tuple[bool | None, str, int, bool]] = {
    "no weight, no name": (False, "", 2, True),
    "weight": (True, "", 2, False),
    "weight that nobody read": (None, "", 2, False),
    "a name": (False, "web.shop", 2, False),
    "a name for no task": (False, "web.shop", 0, True),
    "weight, without a task": (True, "", 0, False),
    "weight that nobody read, and a name": (None, "web.shop", 0, False),
}


@pytest.mark.parametrize(("weight", "listed", "running", "free"), FREE.values(), ids=FREE)
def test_a_slot_is_free_when_it_is_proved(
    weight: bool | None,  # noqa: FBT001 - a table's cell
    listed: str,
    running: int,
    *,
    free: bool,
) -> None:
    """Neither a rule nor a name leads to its tasks: they may go. What was not read is no proof."""
    assert SlotFacts(name="a", carries_weight=weight, listed=listed, running=running).free is free


WEB = RouteFacts(name="web", proven=True, verified_at=5.0)
API = RouteFacts(name="api", proven=True, verified_at=9.0)
NAME = RouteFacts(name="web", plane="discovery", proven=True, verified_at=7.0)
NEW = RouteFacts(name="new", proven=False)
PROVEN: dict[str, tuple[tuple[RouteFacts, ...], Plane | None, tuple[str, ...], float | None]] = {
    "no route": ((), None, (), None),
    "each": ((WEB, API, NAME), None, ("web", "api", "web (discovery)"), 9.0),
    "the rules": ((WEB, API, NAME), "rules", ("web", "api"), 9.0),
    "the names": ((WEB, API, NAME), "discovery", ("web (discovery)",), 7.0),
    "a plane without a route": ((WEB,), "discovery", (), None),
    "one that did not yet": ((replace(WEB, proven=False), API), None, ("web", "api"), None),
    "one that never did is not waited for": ((WEB, NEW), None, ("web",), 5.0),
    "where none ever did all are waited for": ((NEW,), None, ("new",), None),
}


@pytest.mark.parametrize(("routes", "plane", "provers", "at"), PROVEN.values(), ids=PROVEN)
def test_who_must_prove_and_when_all_have(
    routes: tuple[RouteFacts, ...], plane: Plane | None, provers: tuple[str, ...], at: float | None
) -> None:
    """Every route that once proved, or all while none has; the last one's time is the proof's."""
    traffic = TrafficFacts(routes=routes)
    assert tuple(route.label for route in traffic.provers_of(plane)) == provers
    assert traffic.proven_at(plane) == at


def test_facts_that_nobody_read_say_nothing() -> None:
    """A release group's member has arrived nowhere; routes move requests by rules."""
    assert said(situation) == {
        "RouteFacts.plane": "rules",
        "MemberFacts.arrived": -1,
        "Situation.traffic": TrafficFacts(),
        "Situation.gates": situation.GateFacts(),
        "Situation.person": situation.Person(),
    }
    assert TrafficFacts().provers == ()


HOLDS: dict[Operator, tuple[bool, bool, bool]] = {
    "<": (True, False, False),
    "<=": (True, True, False),
    ">": (False, False, True),
    ">=": (False, True, True),
    "==": (False, True, False),
    "!=": (True, False, True),
}


@pytest.mark.parametrize(("operator", "holds"), HOLDS.items(), ids=HOLDS)
def test_a_condition_below_at_and_above_its_threshold(
    operator: Operator, holds: tuple[bool, bool, bool]
) -> None:
    """The six comparisons, as they are written."""
    condition = Condition(operator=operator, threshold=0.5)
    assert tuple(condition.holds(value) for value in (0.4, 0.5, 0.6)) == holds
    assert str(condition) == f"{operator} 0.5"


LOW, HIGH = Condition(operator="<", threshold=1), Condition(operator=">", threshold=9)
MEANS: dict[str, tuple[Condition | None, Condition | None, tuple[bool | None, ...]]] = {
    "neither": (None, None, (True, True, True)),
    "failure alone": (HIGH, None, (True, True, False)),
    "success alone": (None, LOW, (True, False, False)),
    "both": (HIGH, LOW, (True, None, False)),
    "both hold": (LOW, LOW, (False, None, None)),
}


@pytest.mark.parametrize(("failure", "success", "expected"), MEANS.values(), ids=MEANS)
def test_what_a_value_means(
    failure: Condition | None, success: Condition | None, expected: tuple[bool | None, ...]
) -> None:
    """Failure first; with both conditions, what meets neither is inconclusive."""
    metric = Metric(name="m", kind="web", query={}, failure=failure, success=success)
    assert tuple(metric.means(value) for value in (0, 5, 10)) == expected


def test_a_strategy_that_says_only_its_steps() -> None:
    """The defaults of docs/progressive.md: seconds, permille and percent."""
    assert Metric(name="m", kind="web", query={}).means(0.0)
    assert FULL == 1000
    assert said(strategy) == {
        "Metric.interval": 60.0,
        "Metric.consecutive_error_limit": 4,
        "Analysis.on_no_data": "Pause",
        "Hook.timeout": 300.0,
        "Hook.on_failure": "Rollback",
        "FreezeWindow.time_zone": "UTC",
        "Progressive.capacity": "AheadOfWeight",
        "Progressive.surge": 1,
        "Progressive.standby_percent": 100,
        "Progressive.standby_seconds": 3600.0,
        "Progressive.propagation_delay": 30.0,
        "Progressive.on_new_revision": "Supersede",
        "Progressive.on_drift": "Halt",
        "Progressive.analysis": Analysis(),
        "Progressive.group_timeout": 3600.0,
        "Progressive.progress_deadline": 3600.0,
    }


def test_a_rollout_that_has_just_begun() -> None:
    """By the spec, in its first stage, and otherwise as if nothing had happened."""
    bare = Rollout(id="r1", kind="Rollout", candidate="web-2", slot="b")
    assert (bare.returned_at, bare.moved_tags) == (0.0, ())
    assert said(rollout) == {
        "HookRun.state": "Running",
        "Rollout.stage": "Starting",
        "Rollout.by": "spec",
        "TrafficOrder.reassert": True,
    }


BACK = {"by rules": (5.0, 0.0, 5.0), "by names": (0.0, 7.0, 7.0), "by both": (5.0, 7.0, 5.0)}


@pytest.mark.parametrize(("rules", "names", "back"), BACK.values(), ids=BACK)
def test_when_requests_went_back(rules: float, names: float, back: float) -> None:
    """The rules say it where there are any: names follow within their TTL."""
    bare = Rollout(id="r1", kind="Rollout", candidate="web-2", slot="b")
    assert replace(bare, verified_at=rules, discovered_at=names).returned_at == back


def test_a_tag_that_was_moved_is_told_with_its_digests() -> None:
    """Twelve digits of each tell them apart; a container with one image is not told."""
    one, two = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
    images = (f"app@{one}", f"side@{one}", f"app@{two}")
    seen = Rollout(id="r1", kind="Rollout", candidate="web-2", slot="b", images=images)
    assert seen.moved_tags == ("app: sha256:111111111111 then sha256:222222222222",)


def test_a_wish_that_says_only_what_it_must() -> None:
    """ECS's own rolling deployment, with its circuit breaker."""
    assert Port(name="", container_name="app", container_port=80).label == "80"
    assert Port(name="http", container_name="app", container_port=80).label == "http"
    assert said(desired) == {
        "Port.protocol_version": "HTTP1",
        "Strategy.type": "RollingUpdate",
        "Strategy.max_surge": "100%",
        "Strategy.circuit_breaker": {"enable": True, "rollback": True},
        "Strategy.progress_deadline_seconds": 3600,
        "Desired.strategy": desired.Strategy(),
        "Desired.history_limit": 10,
    }


def test_a_registry_names_a_port_where_its_records_have_one() -> None:
    """ECS refuses a container and port beside records of addresses alone."""
    assert Registry(arn="arn:registry", container_name="app").member() == {"registryArn": "arn:registry"}
    assert Registry(arn="arn:registry", container_name="app", container_port=80).member() == {
        "registryArn": "arn:registry",
        "containerName": "app",
        "containerPort": 80,
    }


ARN = "arn:aws:ecs:eu-west-1:111122223333:service"
ARNS = {"long": (f"{ARN}/shop/web", "shop", "web"), "short": (f"{ARN}/web", "", "web")}


@pytest.mark.parametrize(("arn", "cluster", "name"), ARNS.values(), ids=ARNS)
def test_the_service_that_is_taken_over(arn: str, cluster: str, name: str) -> None:
    """An ARN of the short form does not say the cluster (ECS guide, account settings)."""
    assert Adoption.of(arn) == Adoption(arn=arn, cluster=cluster, name=name)


def test_a_name_that_says_only_what_it_must() -> None:
    """Answers are of use as long as the longest of the records says, where there are records."""
    bare = DiscoveryIntent(mode="Tasks", namespace=NamespaceIntent(), service="web")
    assert bare.ttl == 0
    records = (DnsRecord(type="A", ttl=10), DnsRecord(type="AAAA", ttl=60), DnsRecord(type="SRV", ttl=5))
    assert replace(bare, records=records).ttl == 60
    assert said(discovery) == {
        "DiscoveryIntent.routing": "MULTIVALUE",
        "SeenTask.running": True,
        "DiscoveryFacts.backend_exists": True,
        "DiscoveryFacts.rolling": True,
        "DiscoveryFacts.propagation": 30.0,
    }


def test_what_was_not_looked_at_is_nothing() -> None:
    """An action is a rollout's unless it says how urgent it is; no plan is finished by itself."""
    assert said(observed) == {}
    assert said(actions) == {"Action.priority": actions.Priority.ROLLOUT}


NEVER = replace(NEW, problem="Deployment shop/wbe does not exist")
NO_NAME = replace(NEVER, plane="discovery")


@pytest.mark.parametrize(
    ("routes", "unproved"),
    [
        pytest.param((), False, id="no route"),
        pytest.param((NEVER,), True, id="never"),
        pytest.param((NEW,), True, id="never, and it does not say why"),
        pytest.param((NEVER, NO_NAME), True, id="neither rules nor names"),
        pytest.param((API,), False, id="once"),
        pytest.param((NEVER, API), False, id="another route once"),
        pytest.param((NEVER, NAME), False, id="its names once"),
        pytest.param((NEVER, replace(NEW, plane="discovery")), False, id="a name that may come"),
        pytest.param((replace(NEW, plane="discovery"),), False, id="nothing but a name that may come"),
    ],
)
def test_what_never_proved_anything(routes: tuple[RouteFacts, ...], *, unproved: bool) -> None:
    """One proof of one plane is enough: then routes tell what there is; without routes nobody has to.

    Rules can be read instead. A name can't: its route has to say that it can't be had.
    """
    assert TrafficFacts(routes=routes).unproved is unproved
