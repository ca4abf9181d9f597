"""What is published and what routes say of it: from the acknowledgements and conditions of raw routes."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.situation import RouteFacts, TrafficFacts
from sluice.model.traffic import HeaderRoute, SlotTarget, Traffic
from sluice.plan.deployment.state import State
from sluice.plan.progressive.facts import traffic_facts
from unit.deployment.test_discovery import route as discovery_route

TARGETS = tuple(
    SlotTarget(
        slot=slot,
        port="http",
        container_port=8080,
        load_balancer_arn="lb",
        target_group_arn=f"group-{slot}",
    )
    for slot in "ab"
)
TOLD = Traffic(
    uid="uid-1",
    rollout_id="r",
    seq=3,
    weights={"a": 2, "b": 1},
    targets=TARGETS,
    verify_after=50.0,
    test="b",
    header=HeaderRoute(name="x-canary", value="1", slot="b"),
)
STALLED = {"type": "Stalled", "status": "True", "reason": "QuotaExceeded", "message": "no rule is left"}
READY = {"type": "Ready", "status": "False", "reason": "QuotaExceeded", "message": "not ready"}


def proof(**changes: Any) -> dict[str, Any]:
    """Return the acknowledgement of TOLD by a route of generation 4."""
    return {
        "name": "web",
        "uid": "uid-1",
        "rolloutId": "r",
        "seq": 3,
        "hash": TOLD.hash,
        "routeGeneration": 4,
        "verifiedAt": 60.0,
    } | changes


def route(
    *backends: dict[str, Any], conditions: tuple[dict[str, Any], ...] = (), **metadata: Any
) -> dict[str, Any]:
    """Return a raw route with a rule that sends to `web`, and these entries of status.backends."""
    return {
        "metadata": {"name": "shop", "generation": 4} | metadata,
        "spec": {"rules": [{"backendRefs": [{"name": "web", "port": "http"}]}]},
        "status": {"backends": list(backends), "conditions": list(conditions)},
    }


LACKS = {"type": "Ready", "status": "False", "reason": "WaitingForTargets", "message": "no target group yet"}
PROVEN = RouteFacts(name="shop", proven=True, verified_at=60.0)
UNPROVEN = RouteFacts(name="shop", proven=False)
ROUTES: dict[str, tuple[dict[str, Any], RouteFacts]] = {
    "proven": (route(proof()), PROVEN),
    "beside another backend": (
        route(proof(name="other", seq=2, foreign="rule 1"), proof()),
        PROVEN,
    ),
    "an older answer": (route(proof(seq=2)), dataclasses.replace(PROVEN, proven=False)),
    "an answer of an older spec": (
        route(proof(), generation=5),
        dataclasses.replace(PROVEN, proven=False),
    ),
    "an older look": (
        route(proof(verifiedAt=49.0)),
        dataclasses.replace(PROVEN, proven=False, verified_at=49.0),
    ),
    "no answer": (route(), UNPROVEN),
    "the answer of another backend": (route(proof(name="other", foreign="rule 1")), UNPROVEN),
    "no status yet": (
        {name: value for name, value in route().items() if name != "status"},
        UNPROVEN,
    ),
    "foreign weights": (
        route(proof(foreign="rule 7 gives 9 to x")),
        dataclasses.replace(PROVEN, foreign="rule 7 gives 9 to x"),
    ),
    "no foreign weights any more": (route(proof(foreign=None)), PROVEN),
    "in trouble": (
        route(proof(), conditions=(READY, STALLED)),
        dataclasses.replace(PROVEN, problem="no rule is left", problem_reason="QuotaExceeded"),
    ),
    "not ready, but not in trouble": (route(proof(), conditions=(READY,)), PROVEN),
    "it lacks a backend": (
        route(conditions=(LACKS,)),
        dataclasses.replace(UNPROVEN, problem="no target group yet", problem_reason="WaitingForTargets"),
    ),
    "it lacks one and is in trouble": (
        route(conditions=(LACKS, STALLED)),
        dataclasses.replace(UNPROVEN, problem="no rule is left", problem_reason="QuotaExceeded"),
    ),
    "it lacks one, and does not say which": (
        route(conditions=({name: LACKS[name] for name in ("type", "status", "reason")},)),
        dataclasses.replace(UNPROVEN, problem_reason="WaitingForTargets"),
    ),
    "it lacked one": (route(proof(), conditions=(LACKS | {"status": "True"},)), PROVEN),
    "conditions were never written": (
        route(proof()) | {"status": {"backends": [proof()], "conditions": None}},
        PROVEN,
    ),
}


@pytest.mark.parametrize(("obj", "expected"), ROUTES.values(), ids=ROUTES)
def test_what_a_route_proves(obj: dict[str, Any], expected: RouteFacts) -> None:
    """An acknowledgement counts for what is published, by the route as it is now, looked at late enough."""
    assert traffic_facts(State(traffic=TOLD), [obj], "web").routes == (expected,)


def test_a_route_whose_generation_is_not_told_proves_nothing_of_another() -> None:
    """Generation 0 is no object's: an answer for generation 1 is not its."""
    bare = route(proof(routeGeneration=1))
    del bare["metadata"]["generation"]
    assert not traffic_facts(State(traffic=TOLD), [bare], "web").routes[0].proven
    assert (
        traffic_facts(State(traffic=TOLD), [route(proof(routeGeneration=1), generation=1)], "web")
        .routes[0]
        .proven
    )


def test_what_is_published_is_told_in_permille() -> None:
    """Of all parts; slots without any are left out; with what else routes were asked for."""
    three = dataclasses.replace(TOLD, weights={"a": 2, "b": 1, "c": 0})
    assert traffic_facts(State(traffic=three), [], "web") == TrafficFacts(
        seq=3,
        weights={"a": 666, "b": 333},
        test="b",
        header=("x-canary", "1"),
        verify_after=50.0,
        published_slots=frozenset("ab"),
    )
    plain = dataclasses.replace(TOLD, header=None, test="", targets=TARGETS[:1], weights={"a": 1000})
    found = traffic_facts(State(traffic=plain), [], "web")
    assert (dict(found.weights), found.header, found.published_slots) == (
        {"a": 1000},
        None,
        frozenset("a"),
    )


def test_before_anything_is_published_no_answer_proves_anything() -> None:
    """A route that answered an earlier object of the same name is still one that will have to."""
    found = traffic_facts(State(), [route(proof())], "web")
    assert found == TrafficFacts(routes=(dataclasses.replace(PROVEN, proven=False),))


def test_a_route_that_goes_is_none_and_the_others_are_told_by_name() -> None:
    """It proves nothing any more and is waited for by nobody."""
    going = route(proof(), deletionTimestamp="2026-11-21T00:00:00Z")
    later, sooner = route(proof(), name="zoo"), route(proof(), name="all")
    found = traffic_facts(State(traffic=TOLD), [later, going, sooner], "web")
    assert [entry.name for entry in found.routes] == ["all", "zoo"]


def names(**discovery: Any) -> dict[str, Any]:
    """Return a raw route, generation 2, that only lists the tasks of `web`."""
    return discovery_route(discovery={"backend": "web", "instances": 2} | discovery, conditions=(STALLED,))


NAMES: dict[str, tuple[dict[str, Any], tuple[RouteFacts, ...]]] = {
    "proven": (
        names(acknowledgement=proof(routeGeneration=2)),
        (
            RouteFacts(
                name="corp",
                plane="discovery",
                proven=True,
                verified_at=60.0,
                problem="no rule is left",
                problem_reason="QuotaExceeded",
            ),
        ),
    ),
    "never proven": (
        names(),
        (
            RouteFacts(
                name="corp",
                plane="discovery",
                proven=False,
                problem="no rule is left",
                problem_reason="QuotaExceeded",
            ),
        ),
    ),
    "rules that name it by something else": (
        {"metadata": {"name": "shop", "generation": 4}},
        (UNPROVEN,),
    ),
}


@pytest.mark.parametrize(("obj", "expected"), NAMES.values(), ids=NAMES)
def test_what_names_prove(obj: dict[str, Any], expected: tuple[RouteFacts, ...]) -> None:
    """Names are a plane of their own; a route that refers to the Deployment otherwise does by rules."""
    assert traffic_facts(State(traffic=TOLD), [obj], "web").routes == expected
