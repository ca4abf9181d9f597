"""What is published of which group, when another seq asks for another proof, and what counts as one."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.conditions import timestamp
from sluice.model.desired import Desired
from sluice.model.observed import Observed
from sluice.model.traffic import Traffic
from sluice.plan.deployment.publish import acknowledgements, moved, publish, unpublished
from sluice.plan.deployment.state import Rollout, Slot, State, TargetGroup
from sluice.plan.deployment.targets import group_name
from unit.deployment.wishes import BACKEND, BALANCER, HTTP, KEY, NOW, OTHER_BALANCER, desired

WISH = desired(backends=(BACKEND,))
LISTED = desired(listed=True)
OWN = group_name(WISH, BALANCER, HTTP, slot="a")
GROUP = TargetGroup(port="http", container_port=8080, load_balancer_arn=BALANCER, name=OWN, arn="own")
OLD = dataclasses.replace(GROUP, name="", arn="old")
"""Of the same port and load balancer, before the protocol version changed: its name sorts before."""
INTERNAL = dataclasses.replace(GROUP, load_balancer_arn=OTHER_BALANCER, name="z", arn="internal")
OTHER_SLOT = dataclasses.replace(GROUP, slot="b", name="other", arn="other")
SLOT = Slot(name="a")
AT_B = Slot(name="b")


def traffic(*groups: TargetGroup, seq: int = 1, slot: str = "a", **changes: Any) -> Traffic:
    """Return what says that one slot has everything, with these groups."""
    return dataclasses.replace(
        Traffic(
            uid="uid-1",
            rollout_id="r",
            seq=seq,
            weights={slot: 100},
            targets=tuple(group.target() for group in groups),
            verify_after=NOW,
        ),
        **changes,
    )


def healthy(*arns: str) -> Observed:
    """Return what is seen when these groups have a healthy target and an unhealthy one was looked at."""
    return Observed(healthy={"bad": frozenset(), **dict.fromkeys(arns, frozenset({"10.0.0.1"}))})


@pytest.mark.parametrize(
    ("wish", "state", "seen", "groups", "expected"),
    [
        pytest.param(WISH, State(slot=SLOT), healthy(), (GROUP,), None, id="no healthy target"),
        pytest.param(WISH, State(slot=SLOT), healthy("own"), (GROUP,), traffic(GROUP), id="the first one"),
        pytest.param(WISH, State(), healthy("own"), (GROUP,), traffic(GROUP), id="before there is a slot"),
        pytest.param(
            WISH,
            State(slot=SLOT, traffic=traffic(GROUP)),
            healthy(),
            (GROUP,),
            traffic(GROUP),
            id="a bad minute takes no group away",
        ),
        pytest.param(
            WISH,
            State(slot=SLOT, traffic=traffic(GROUP, rollout_id="before", verify_after=NOW - 9)),
            healthy("own"),
            (GROUP,),
            traffic(GROUP, rollout_id="before", verify_after=NOW - 9),
            id="another rollout of the same slot wakes no route",
        ),
        pytest.param(
            WISH,
            State(slot=SLOT, traffic=traffic(GROUP, uid="former")),
            healthy(),
            (GROUP,),
            traffic(GROUP, seq=2),
            id="another object of the name",
        ),
        pytest.param(
            WISH,
            State(slot=SLOT, traffic=traffic(GROUP, seq=4)),
            healthy("internal"),
            (GROUP, INTERNAL),
            traffic(INTERNAL, GROUP, seq=5),
            id="a second load balancer",
        ),
        pytest.param(
            WISH,
            State(slot=SLOT, traffic=traffic(OLD)),
            healthy("own"),
            (OLD, GROUP),
            traffic(GROUP, seq=2),
            id="the group of the present protocol takes over",
        ),
        pytest.param(
            WISH,
            State(slot=SLOT, traffic=traffic(OLD)),
            healthy(),
            (OLD, GROUP),
            traffic(OLD),
            id="not before it is healthy",
        ),
        pytest.param(
            WISH,
            State(slot=SLOT),
            healthy("own", "other", ""),
            (dataclasses.replace(INTERNAL, arn=""), OTHER_SLOT, GROUP),
            traffic(GROUP),
            id="not the other slot's, nor one that is not made",
        ),
        pytest.param(
            WISH,
            State(slot=AT_B, target_groups=(OTHER_SLOT, GROUP)),
            healthy("own", "other"),
            (GROUP, OTHER_SLOT),
            traffic(OTHER_SLOT, slot="b"),
            id="of the slot that the Deployment has",
        ),
        pytest.param(LISTED, State(slot=SLOT), healthy(), (), traffic(), id="listed in Cloud Map, no group"),
        pytest.param(
            LISTED,
            State(slot=SLOT, traffic=traffic(GROUP)),
            healthy(),
            (),
            traffic(GROUP),
            id="listed: what was published stays where no group is left",
        ),
        pytest.param(
            WISH,
            State(slot=SLOT, traffic=traffic(GROUP)),
            healthy(),
            (),
            traffic(GROUP),
            id="no group is left",
        ),
    ],
)
def test_what_is_published(
    wish: Desired, state: State, seen: Observed, groups: tuple[TargetGroup, ...], expected: Traffic | None
) -> None:
    """A group with a healthy target, for good; seq rises exactly when routes have something to write."""
    assert publish(wish, state, seen, groups, rollout_id="r", now=NOW + 0.5) == expected


def test_the_group_that_a_route_asks_for_is_preferred_to_one_that_is_kept() -> None:
    """Whatever their names are: the kept one's health check and protocol are yesterday's."""
    late = dataclasses.replace(OLD, name=f"{OWN}-z", arn="late")
    state = State(slot=SLOT, target_groups=(OLD, GROUP, late))
    for groups in ((OLD, GROUP, late), (late, GROUP, OLD)):
        found = publish(WISH, state, healthy("old", "own", "late"), groups, rollout_id="r", now=NOW)
        assert found == traffic(GROUP)


def test_groups_of_ports_that_are_gone_are_published_until_they_go() -> None:
    """The last tasks that have the port may still serve; the present port's group stands beside it."""
    gone = dataclasses.replace(GROUP, port="admin", container_port=9090, name="", arn="gone")
    state = State(slot=SLOT, target_groups=(gone,))
    found = publish(WISH, state, healthy("own", "gone"), (gone, GROUP), rollout_id="r", now=NOW)
    assert found == traffic(gone, GROUP)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(None, ("own", "internal"), id="nothing is published"),
        pytest.param(traffic(GROUP), ("internal",), id="one is"),
        pytest.param(traffic(GROUP, INTERNAL), (), id="all are"),
    ],
)
def test_whose_health_is_not_known_yet(told: Traffic | None, expected: tuple[str, ...]) -> None:
    """Groups that exist and are not published; one without an ARN cannot be asked for."""
    groups = (GROUP, dataclasses.replace(GROUP, name="intended", arn=""), INTERNAL)
    assert unpublished(State(traffic=told), groups) == expected


def ended(at: float) -> tuple[dict[str, Any], ...]:
    """Return a history whose newest rollout began then."""
    return ({"startedAt": timestamp(at)}, {"startedAt": timestamp(NOW + 500)})


REPLACED = State(
    slot=SLOT, retiring=(Slot(ordinal=2),), traffic=traffic(), history=ended(NOW + 1), rollout=None
)


@pytest.mark.parametrize(
    ("wish", "state", "expected"),
    [
        pytest.param(LISTED, REPLACED, True, id="proved before it was replaced"),
        pytest.param(LISTED, dataclasses.replace(REPLACED, history=ended(NOW)), False, id="asked for since"),
        pytest.param(desired(), REPLACED, False, id="no name lists its tasks"),
        pytest.param(LISTED, dataclasses.replace(REPLACED, retiring=()), False, id="nothing was replaced"),
        pytest.param(
            LISTED,
            dataclasses.replace(REPLACED, rollout=Rollout(id="r", candidate="c", started_at=NOW)),
            False,
            id="the rollout goes on",
        ),
        pytest.param(LISTED, dataclasses.replace(REPLACED, history=()), False, id="no rollout"),
        pytest.param(LISTED, dataclasses.replace(REPLACED, traffic=None), False, id="nothing is published"),
    ],
)
def test_a_replaced_service_asks_for_another_proof_once(
    wish: Desired, state: State, *, expected: bool
) -> None:
    """Names must be seen to answer without its tasks after the new ones took over."""
    assert moved(wish, state) is expected
    found = publish(wish, state, healthy(), (), rollout_id="r", now=NOW + 9)
    if state.traffic:
        assert found == (traffic(seq=2, verify_after=NOW + 9) if expected else state.traffic)


# Proofs.

TOLD = traffic(GROUP, seq=3)


def proof(**changes: Any) -> dict[str, Any]:
    """Return a route's acknowledgement of TOLD."""
    return {
        "name": KEY.name,
        "uid": "uid-1",
        "rolloutId": "r",
        "seq": 3,
        "hash": TOLD.hash,
        "routeGeneration": 2,
        "verifiedAt": NOW + 1,
    } | changes


def route(
    *, rules: Any = None, names: Any = None, asked: bool = True, status: Any = True, **metadata: Any
) -> dict[str, Any]:
    """Return a route with rules (`asked`) or names that proves what it is said to."""
    spec: dict[str, Any] = {"rules": [{"backendRefs": [{"name": KEY.name, "port": "http"}]}]} if asked else {}
    found: dict[str, Any] = {"backends": [rules] if rules else None}
    if names is not None:
        spec["discovery"] = {"mode": "Tasks", "backendRef": {"name": KEY.name}}
        found["discovery"] = {"acknowledgement": names}
    return {
        "metadata": {"name": "corp", "generation": 2} | metadata,
        "spec": spec,
        "status": found if status else None,
    }


@pytest.mark.parametrize(
    ("obj", "at"),
    [
        pytest.param(route(rules=proof()), NOW + 1, id="rules"),
        pytest.param(route(rules=proof(seq=2)), None, id="rules, of an older seq"),
        pytest.param(route(rules=proof(routeGeneration=1)), None, id="rules, of an older spec"),
        pytest.param(route(), None, id="rules that proved nothing"),
        pytest.param(route(status=False), None, id="no status"),
        pytest.param(route(names=proof(), asked=False), NOW + 1, id="names"),
        pytest.param(route(names=proof(seq=2), asked=False), None, id="names, of an older seq"),
        pytest.param(route(names={}, asked=False), None, id="names that proved nothing"),
        pytest.param(route(rules=proof(), names=proof(verifiedAt=NOW + 7)), NOW + 7, id="both, names later"),
        pytest.param(route(rules=proof(verifiedAt=NOW + 8), names=proof()), NOW + 8, id="both, rules later"),
        pytest.param(route(names=proof()), None, id="both, rules not yet"),
        pytest.param(route(rules=proof(), names=proof(seq=2)), None, id="both, names not yet"),
        pytest.param(route(rules=proof(), asked=False), NOW + 1, id="rules that are not asked for any more"),
        pytest.param(
            {"metadata": {"name": "corp"}, "status": {"backends": [proof(routeGeneration=0)]}},
            NOW + 1,
            id="a route without a generation",
        ),
    ],
)
def test_when_a_route_proved_the_traffic(obj: dict[str, Any], at: float | None) -> None:
    """In each plane in which it refers to the Deployment, and the later of both."""
    found = acknowledgements(State(), TOLD, [obj], KEY.name)
    assert found == (() if at is None else ({"name": "corp", "uid": "", "seq": 3, "verifiedAt": at},))
    assert acknowledgements(State(), None, [obj], KEY.name) == ()


@pytest.mark.parametrize(
    ("known", "kept"),
    [
        pytest.param({"name": "corp", "uid": "u", "seq": 3, "verifiedAt": NOW}, True, id="the same proof"),
        pytest.param({"name": "corp", "uid": "u", "seq": 2, "verifiedAt": NOW}, False, id="of an older seq"),
        pytest.param({"name": "corp", "uid": "x", "seq": 3, "verifiedAt": NOW}, False, id="another route"),
        pytest.param({"name": "else", "uid": "u", "seq": 3, "verifiedAt": NOW}, False, id="of another name"),
    ],
)
def test_the_first_proof_is_the_one_that_is_told(known: dict[str, Any], *, kept: bool) -> None:
    """A later one of the same is no news, and no status write."""
    later = {"name": "corp", "uid": "u", "seq": 3, "verifiedAt": NOW + 1}
    found = acknowledgements(State(routes=(known,)), TOLD, [route(rules=proof(), uid="u")], KEY.name)
    assert found == (known if kept else later,)
