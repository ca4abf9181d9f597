"""A lost status: which slot is live, and what is known of both, as rules, services and tags show it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.observed import Observed, ServiceId
from sluice.model.ownership import owner_tags, to_ecs
from sluice.plan.deployment import slots
from sluice.plan.deployment.service import service_tags
from sluice.plan.deployment.state import Live, Slot, State, TargetGroup
from sluice.plan.deployment.targets import group_name
from sluice.plan.progressive.look import Look
from sluice.plan.progressive.recovery import recovered
from unit.deployment import wishes

WISH = wishes.desired(backends=(wishes.BACKEND,))
NAMES = {slot: group_name(WISH, wishes.BALANCER, wishes.HTTP, slot=slot) for slot in "ab"}
ARNS = {slot: f"{wishes.ELB}:targetgroup/{name}/1" for slot, name in NAMES.items()}


def place(slot: str) -> ServiceId:
    """Return where the first service of a slot is."""
    made = slots.numbered(WISH, slot, 1)
    return ServiceId(made.cluster, made.service_name)


def service(slot: str, running: int, *, tagged: bool = True) -> dict[str, Any]:
    """Return the slot's service, which runs the revision; without its tag: made by a person's hand."""
    own = slots.numbered(WISH, slot, 1)
    tags = service_tags(WISH, own) if tagged else owner_tags(WISH.installation, WISH.key, role="slot")
    return {
        "serviceName": own.service_name,
        "serviceArn": f"arn-{slot}",
        "status": "ACTIVE",
        "taskDefinition": f"definition-{slot}",
        "desiredCount": 9,
        "runningCount": running,
        "launchType": "FARGATE",
        "deployments": [{"id": f"ecs-svc/{slot}", "status": "PRIMARY"}],
        "tags": to_ecs(tags),
    }


def rule(anchor: bool = False, **weights: int) -> dict[str, Any]:  # noqa: FBT001, FBT002 - a table
    """Return a rule that gives weights to slots, or to somebody else's group."""
    groups = [{"TargetGroupArn": ARNS.get(slot, slot), "Weight": weight} for slot, weight in weights.items()]
    tags = wishes.tagged(role="anchor") if anchor else wishes.tagged(role="rule")
    return {"Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}], "Tags": tags}


def look(
    *, a: int | None = 2, b: int | None = 2, tagged: bool = True, rules: Any = None, groups: str = "ab"
) -> Look:
    """Return what AWS shows: services with this many tasks (None: no service), rules by listener."""
    found = {
        place(slot): None if count is None else service(slot, count, tagged=tagged)
        for slot, count in (("a", a), ("b", b))
    }
    targets = {
        name: {"TargetGroupArn": ARNS[slot]} if slot in groups else None for slot, name in NAMES.items()
    }
    definitions = {"newest": "definition-b", "older": "definition-a"}
    observed = Observed(services=found, target_groups=targets, definitions=definitions)
    return Look(observed=observed, proof=rules)


def slot_of(name: str, running: int, *, tagged: bool = True) -> Slot:
    """Return what is known of a slot afterwards."""
    return dataclasses.replace(
        slots.numbered(WISH, name, 1),
        service_arn=f"arn-{name}",
        revision=WISH.revision.name if tagged else "",
        task_definition=f"definition-{name}",
        desired=9,
        running=running,
        deployment_id=f"ecs-svc/{name}",
        launch_type="FARGATE",
    )


def group_of(slot: str) -> TargetGroup:
    """Return the slot's group."""
    return TargetGroup(
        slot=slot,
        port="http",
        container_port=8080,
        load_balancer_arn=wishes.BALANCER,
        name=NAMES[slot],
        arn=ARNS[slot],
    )


LIVE: dict[str, tuple[dict[str, Any], str]] = {
    "the one with weight": ({"a": 5, "rules": {"l": [rule(b=1)]}}, "b"),
    "the one with more weight": ({"b": 5, "rules": {"l": [rule(a=51, b=49)]}}, "a"),
    "the one with more weight in all": (
        {"a": 5, "rules": {"l": [rule(a=51, b=49)], "m": [rule(a=49, b=51), rule(b=1)]}},
        "b",
    ),
    "somebody else's group is no weight of ours": ({"rules": {"l": [rule(x=1000), rule(b=1, x=99)]}}, "b"),
    "an anchor's weight is none": ({"rules": {"l": [rule(anchor=True, a=1000), rule(b=1)]}}, "b"),
    "equal weight: the one with more tasks": (
        {"a": 1, "b": 2, "rules": {"l": [rule(a=50, b=50)]}},
        "b",
    ),
    "no weight: the one with more tasks": ({"a": 3, "b": 2, "rules": {"l": []}}, "a"),
    "no rule was read": ({"a": 1, "b": 2}, "b"),
    "nothing tells them apart": ({}, "a"),
}


@pytest.mark.parametrize(("seen", "live"), LIVE.values(), ids=LIVE)
def test_which_slot_is_live_is_read_from_the_rules(seen: dict[str, Any], live: str) -> None:
    """Never the one that happens to be first: what production requests reach keeps them."""
    found = recovered(WISH, State(observed_generation=7), look(**seen), now=1234.5)
    counts = {slot: seen.get(slot, 2) for slot in "ab"}
    other = "b" if live == "a" else "a"
    assert found == State(
        observed_generation=7,
        slot=slot_of(live, counts[live]),
        others=(slot_of(other, counts[other]),),
        live=Live(
            slot=live,
            revision=WISH.revision.name,
            task_definition=f"definition-{live}",
            since=1234.0,
        ),
        target_groups=(group_of("a"), group_of("b")),
        definitions=(("older", "definition-a"), ("newest", "definition-b")),
    )


def test_one_slot_alone_is_live() -> None:
    """Whatever its name; of the other, only its target group is left."""
    found = recovered(WISH, State(), look(a=None, b=0), now=1.0)
    assert (found.slot, found.others) == (slot_of("b", 0), ())
    assert [group.slot for group in found.target_groups] == ["a", "b"]


def test_the_older_of_two_services_of_a_slot_is_on_its_way_out() -> None:
    """A create-only setting was changed just before the status was lost: nobody else would ever delete it."""
    newer = dataclasses.replace(place("a"), name=slots.numbered(WISH, "a", 2).service_name)
    found = look()
    services = {
        **found.observed.services,
        place("a"): service("a", 2) | {"createdAt": 1.0},
        newer: service("a", 1) | {"serviceName": newer.name, "serviceArn": "arn-newer", "createdAt": 2.0},
    }
    both = dataclasses.replace(found, observed=dataclasses.replace(found.observed, services=services))
    state = recovered(WISH, State(), both, now=1.0)
    assert state.slot == slot_of("b", 2), "more tasks run there"
    assert [slot.service_name for slot in state.others] == [newer.name]
    assert [(slot.name, slot.service_name, slot.running) for slot in state.retiring] == [
        ("a", place("a").name, 2)
    ]


def test_groups_that_are_not_there_are_not_remembered() -> None:
    """They will be made when they are needed."""
    assert recovered(WISH, State(), look(groups="b"), now=1.0).target_groups == (group_of("b"),)


def test_a_service_whose_revision_nobody_knows_is_not_called_live() -> None:
    """Its tag is gone: the machine then finds out what runs, and no status claims it."""
    found = recovered(WISH, State(), look(tagged=False), now=1.0)
    assert (found.slot, found.live) == (slot_of("a", 2, tagged=False), None)


def test_without_any_service_there_is_nothing_to_recover() -> None:
    """A new object: its state stays as it is."""
    state = State(observed_generation=7)
    assert recovered(WISH, state, look(a=None, b=None), now=1.0) is state
