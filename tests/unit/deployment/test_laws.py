"""Laws of the planner over many wishes: fixpoint, no order, nothing foreign, no shrink, no rewriting."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.api.v1alpha1.status import DeploymentStatus
from sluice.model import ownership
from sluice.model.actions import Action
from sluice.model.desired import Backend, Desired, Port, Strategy
from sluice.model.errors import Refused
from sluice.model.observed import Observed
from sluice.plan.deployment.planner import plan
from sluice.plan.deployment.state import State
from unit.deployment.wishes import (
    BALANCER,
    KEY,
    LISTENER,
    NOW,
    OTHER,
    OTHER_BALANCER,
    OTHER_LISTENER,
    converge,
    desired,
    tagged,
)

PORTS = st.lists(
    st.builds(
        Port,
        name=st.sampled_from(["http", "admin", ""]),
        container_name=st.just("app"),
        container_port=st.sampled_from([8080, 9090]),
        protocol_version=st.sampled_from(["HTTP1", "GRPC"]),
        health_check=st.sampled_from([{}, {"HealthCheckPath": "/a"}, {"Matcher": {"HttpCode": "200"}}]),
        attributes=st.sampled_from([{}, {"deregistration_delay.timeout_seconds": "5"}]),
    ),
    max_size=2,
    unique_by=lambda port: port.container_port,
).map(tuple)
BACKENDS = st.lists(
    st.builds(
        lambda port, place: Backend(
            port=port,
            listener_arn=place[0],
            load_balancer_arn=place[1],
            vpc_id="vpc-1",
            priorities=(100, 120),
        ),
        st.sampled_from(["http", "9090", "", "nowhere"]),
        st.sampled_from([(LISTENER, BALANCER), (OTHER_LISTENER, OTHER_BALANCER)]),
    ),
    max_size=4,
    unique=True,
).map(tuple)


@st.composite
def wishes(draw: st.DrawFn) -> Desired:
    """Draw a wish."""
    return desired(
        image=draw(st.sampled_from(["web:1", "web:2", "web:3"])),
        restarted_at=draw(st.sampled_from(["", "", "monday"])),
        ports=draw(PORTS),
        service={
            "enableExecuteCommand": draw(st.booleans()),
            "launchType": draw(st.sampled_from(["FARGATE", "FARGATE", "EC2"])),
        },
        backends=draw(BACKENDS),
        replicas=draw(st.sampled_from([None, 0, 1, 5])),
        strategy=Strategy(type=draw(st.sampled_from(["RollingUpdate", "RollingUpdate", "Recreate"]))),
        tags=draw(st.sampled_from([{}, {"app": "web"}])),
        cluster=draw(st.sampled_from(["main", "main", "second"])),
        history_limit=draw(st.integers(0, 2)),
    )


def gone(seen: Observed) -> Observed:
    """Let services that are being deleted become INACTIVE, and all targets healthy."""
    services = {
        place: None if service and service["status"] == "DRAINING" else service
        for place, service in seen.services.items()
    }
    arns = [group["TargetGroupArn"] for group in seen.target_groups.values() if group]
    return dataclasses.replace(
        seen,
        services=services,
        addresses=frozenset({"10.0.0.1"}),
        healthy=dict.fromkeys(arns, frozenset({"10.0.0.1"})),
    )


@given(st.lists(wishes(), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_planning_again_after_applying_gives_no_actions(story: list[Desired]) -> None:
    """Fixpoint, for every wish after every other; the status is one that the CRD's types accept."""
    state, seen = State(), Observed(rules={LISTENER: (), OTHER_LISTENER: ()})
    for number, wish in enumerate(story, start=1):
        current = dataclasses.replace(wish, generation=number)
        done, seen = converge(current, state=state, seen=seen)
        done, seen = converge(current, state=State.read(done.status), seen=gone(seen))
        again = plan(current, seen, State.read(done.status), now=NOW + 30)
        assert again.actions == ()
        DeploymentStatus.model_validate(json.loads(json.dumps(again.status)))
        state = State.read(again.status)


@given(wishes(), wishes())
@settings(max_examples=40, deadline=None)
def test_the_plan_does_not_depend_on_the_order_of_lists(first: Desired, second: Desired) -> None:
    """Rules, tags, subnets, deployments and backends in reverse give the same actions."""
    done, seen = converge(first)
    state = State.read(done.status)
    wish = dataclasses.replace(second, generation=2)
    turned = dataclasses.replace(wish, backends=tuple(reversed(wish.backends)))
    assert plan(wish, seen, state, now=NOW).actions == plan(turned, _reversed(seen), state, now=NOW).actions


@given(wishes(), wishes(), st.sampled_from([{}, tagged(OTHER), {"owner": "team"}]))
@settings(max_examples=40, deadline=None)
def test_foreign_things_are_never_written(first: Desired, second: Desired, tags: dict[str, str]) -> None:
    """With somebody else's tags on everything, a plan is refused or touches none of it."""
    done, seen = converge(first)
    taken = _owned(seen, tags)
    names = {place.name for place in seen.services} | {
        str(group["TargetGroupArn"]) for group in seen.target_groups.values() if group
    }
    names |= {str(rule["RuleArn"]) for rules in seen.rules.values() for rule in rules}
    actions: tuple[Action, ...] = ()
    with contextlib.suppress(Refused):
        actions = plan(
            dataclasses.replace(second, generation=2), taken, State.read(done.status), now=NOW
        ).actions
    for action in actions:
        if action.operation.startswith(("Update", "Modify", "Delete", "Tag")):
            assert not names & {str(value) for value in action.params.values()}


@given(wishes())
@settings(max_examples=40, deadline=None)
def test_status_survives_a_round_trip(wish: Desired) -> None:
    """What a status holds is read back as it was written: a restart changes nothing."""
    done, _ = converge(wish)
    state = State.read(done.status)
    assert State.read(state.write()) == state
    assert state.write() == {name: done.status[name] for name in state.write()}


@given(wishes())
@settings(max_examples=30, deadline=None)
def test_a_lost_status_finds_everything_again(wish: Desired) -> None:
    """Without status the same services, groups, rules and definitions are found by name and tag."""
    done, seen = converge(wish)
    found = dataclasses.replace(seen, family_read=True)
    again = plan(wish, found, State(), now=NOW + 100)
    assert again.actions == ()
    assert again.status["slots"] == done.status["slots"]
    assert again.status.get("targetGroups") == done.status.get("targetGroups")
    assert again.status.get("anchors") == done.status.get("anchors")
    assert again.status["taskDefinitions"] == done.status["taskDefinitions"]


def _reversed(seen: Observed) -> Observed:
    return dataclasses.replace(
        seen,
        services={place: _turn(service) for place, service in reversed(seen.services.items())},
        target_groups=dict(reversed(seen.target_groups.items())),
        rules={listener: tuple(reversed(rules)) for listener, rules in reversed(seen.rules.items())},
    )


def _turn(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _turn(entry) for name, entry in reversed(value.items())}
    if isinstance(value, list):
        return [_turn(entry) for entry in reversed(value)]
    return value


def _owned(seen: Observed, tags: dict[str, str]) -> Observed:
    return dataclasses.replace(
        seen,
        services={
            place: {**service, "tags": ownership.to_ecs(tags)} if service else None
            for place, service in seen.services.items()
        },
        target_groups={
            name: {**group, "Tags": tags} if group else None for name, group in seen.target_groups.items()
        },
        rules={
            listener: tuple({**rule, "Tags": tags} for rule in rules)
            for listener, rules in seen.rules.items()
        },
    )


def test_ownership_is_by_key_and_installation() -> None:
    """The tags of these laws prove what they say."""
    assert ownership.ownership(tagged(), "test", KEY) == "ours"
    assert ownership.ownership(tagged(OTHER), "test", KEY) == "other-object"
