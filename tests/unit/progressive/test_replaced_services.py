"""Which services that were replaced must still serve, by what AWS shows of them and of their successor."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.observed import Observed, ServiceId
from sluice.plan.deployment.discovery import Listing
from sluice.plan.deployment.state import Live, Slot, State
from sluice.plan.progressive.look import Look
from sluice.plan.progressive.replaced import needed, serving
from unit.progressive.slots_seen import ADMIN, GROUPS, HTTP, PLACE, SLOT, service

OLD = dataclasses.replace(SLOT, ordinal=2, service_name="web-b2")
STATE = State(
    slot=SLOT,
    retiring=(OLD,),
    target_groups=GROUPS,
    live=Live(slot="b", revision="r1", task_definition="", since=0.0),
)
IDLE = dataclasses.replace(STATE, live=Live(slot="a", revision="r1", task_definition="", since=0.0))
NAMES = Listing(route="corp", mode="Tasks", entries=True, settled=True)
BUSY = dataclasses.replace(NAMES, moving=True)
OWN, BOTH = frozenset({"10.0.0.1", "10.0.0.2"}), frozenset({"10.0.0.1:80", "10.0.0.2:80", "10.0.0.9:80"})
INSTANCES = frozenset({"i-1:1001", "i-1:1002", "i-2:1003"})
CASES: dict[str, tuple[State, dict[str, Any], dict[str, Any], dict[str, Any], tuple[Listing, ...], bool]] = {
    # state, what is other of the old service, of its successor, of what is seen beside, names → still needed
    "every new task is healthy in every group": (STATE, {}, {}, {}, (), False),
    "its addresses were not read": (STATE, {}, {}, {"addresses": None}, (), True),
    "a new task is in no group": (STATE, {}, {}, {"addresses": OWN | {"10.0.0.3"}}, (), True),
    "a new task is not healthy in one group": (
        STATE,
        {},
        {},
        {"healthy": {HTTP: BOTH, ADMIN: frozenset({"10.0.0.1:80"})}},
        (),
        True,
    ),
    "health of one group was not read": (STATE, {}, {}, {"healthy": {HTTP: BOTH}}, (), True),
    "one group is not attached": (
        STATE,
        {},
        {"loadBalancers": [{"targetGroupArn": HTTP}]},
        {"healthy": {HTTP: BOTH}},
        (),
        False,
    ),
    "a new task has yet to run": (STATE, {}, {"desiredCount": 3}, {}, (), True),
    "more run than shall": (STATE, {}, {"desiredCount": 1}, {}, (), False),
    "counts of its successor are left out": (
        STATE,
        {},
        {"desiredCount": None, "runningCount": None},
        {"addresses": frozenset(), "healthy": dict.fromkeys((HTTP, ADMIN), frozenset({"i-1:1001"}))},
        (),
        False,
    ),
    "targets by instance, all there": (
        STATE,
        {},
        {},
        {"addresses": frozenset(), "healthy": {HTTP: INSTANCES, ADMIN: INSTANCES}},
        (),
        False,
    ),
    "targets by instance, one is missing": (
        STATE,
        {},
        {},
        {"addresses": frozenset(), "healthy": {HTTP: INSTANCES, ADMIN: frozenset({"i-1:1", "i-1:2"})}},
        (),
        True,
    ),
    "no group, all run": (STATE, {}, {"loadBalancers": None}, {"addresses": None}, (), False),
    "no group, some run": (STATE, {}, {"loadBalancers": None, "runningCount": 1}, {}, (), True),
    "names have settled": (STATE, {}, {}, {}, (NAMES,), False),
    "names answer with tasks that leave": (STATE, {}, {}, {}, (BUSY,), True),
    "it has no task any more": (STATE, {"runningCount": 0}, {}, {"addresses": None}, (), False),
    "its count is left out": (STATE, {"runningCount": None}, {}, {"addresses": None}, (), False),
    "it is being deleted": (STATE, {"status": "DRAINING"}, {}, {"addresses": None}, (), False),
    "it is gone": (STATE, {"gone": True}, {}, {"addresses": None}, (), False),
    "its successor is not there yet": (STATE, {}, {"gone": True}, {}, (), True),
    "of the idle slot": (IDLE, {}, {}, {"addresses": None}, (), False),
    "nothing was ever live": (dataclasses.replace(STATE, live=None), {}, {}, {"addresses": None}, (), True),
}


def members(found: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any] | None:
    """Return a service with other members: None leaves one out; `gone`: there is no service."""
    if changes.get("gone"):
        return None
    return {name: value for name, value in (found | changes).items() if value is not None}


@pytest.mark.parametrize(("state", "old", "new", "seen", "names", "stays"), CASES.values(), ids=CASES)
def test_a_replaced_service_stays_until_its_successor_serves(
    state: State,
    old: dict[str, Any],
    new: dict[str, Any],
    seen: dict[str, Any],
    names: tuple[Listing, ...],
    *,
    stays: bool,
) -> None:
    """Where requests go: with every task it shall have, each seen healthy wherever it is a target."""
    before = members(service(runningCount=1), old)
    after = members(service(desiredCount=2, pendingCount=0), new)
    observed = Observed(
        services={PLACE: after, ServiceId(OLD.cluster, OLD.service_name): before},
        **({"addresses": OWN, "healthy": {HTTP: BOTH, ADMIN: BOTH}} | seen),
    )
    found = needed(Look(observed=observed), state, {"b": after}, names, count=None)
    assert found == ((OLD,) if stays else ())


def test_requests_go_to_the_live_slot() -> None:
    """To the first one before anything was live; to none where there is none."""
    assert serving(IDLE) == "a"
    assert serving(State(slot=Slot(name="b"))) == "b"
    assert serving(State()) == ""
