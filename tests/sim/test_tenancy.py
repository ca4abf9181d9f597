"""Tenancy over an object's whole life: what was taken from a namespace is not had by any detour."""

from __future__ import annotations

import dataclasses

from sim.operator_process import BINDING
from sim.stories import apply
from sim.universe import Universe, deployment
from sluice.model.tenancy import Tenancy, permissive_rule

ADMIN = "arn:aws:iam::111122223333:role/admin"


def narrowed(**fields: object) -> Tenancy:
    """Return the permissive tenancy with some fields set."""
    rule = dataclasses.replace(permissive_rule(), **fields)  # type: ignore[arg-type]
    return Tenancy(rules=(rule,), default_binding=BINDING)


def test_an_undo_does_not_bring_back_a_role() -> None:
    """A kept revision with a role that the tenancy no longer allows is refused, and nothing changes."""
    universe = Universe(seed=7)
    apply(deployment(ecs={"taskRoleArn": ADMIN}))(universe)
    universe.settle(universe.ready)
    first = universe.status()["live"]["revision"]
    apply(deployment(image="web:2"))(universe)
    universe.settle(universe.ready)
    universe.options["settings"] = {"tenancy": narrowed(task_roles=())}
    universe.restart()
    before = len(universe.writes())
    apply(deployment(image="web:2", rollback={"toRevision": first}))(universe)
    universe.settle(lambda: universe.reason() == "NotPermitted", within=120)
    assert ADMIN in universe.condition("Stalled")["message"]
    assert universe.writes()[before:] == []
    apply(deployment(image="web:3"))(universe)
    universe.settle(universe.ready)


def test_a_volume_does_not_bring_in_a_role() -> None:
    """The role of an EBS volume is permitted like an execution role."""
    universe = Universe(seed=7, settings={"tenancy": narrowed(execution_roles=("*/sandbox-execution",))})
    volume = {"name": "data", "managedEBSVolume": {"roleArn": ADMIN, "sizeInGiB": 1}}
    apply(deployment(ecs={"volumeConfigurations": [volume]}))(universe)
    universe.settle(lambda: universe.reason() == "NotPermitted", within=120)
    assert universe.writes() == []
