"""Tenancy over an object's whole life: what was taken from a namespace is not had by any detour."""

from __future__ import annotations

import dataclasses

import pytest

from sim.operator_process import BINDING
from sim.stories import BY_NAME, apply, delete_both, tell
from sim.universe import ROUTE, WEB, Universe, deployment
from sluice.model.binding import Binding
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


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(dataclasses.replace(BINDING, region="us-east-1"), id="region"),
        pytest.param(dataclasses.replace(BINDING, account="999999999999"), id="account"),
        pytest.param(
            Binding(account="", region="eu-west-1", role_arn="arn:aws:iam::999999999999:role/sluice"),
            id="role",
        ),
    ],
)
def test_another_account_leaves_nothing_behind(other: Binding) -> None:
    """In another account nothing would be found: a deletion waits, told why, until the old one is back."""
    universe = tell(BY_NAME["create"])
    universe.options["settings"] = {"tenancy": Tenancy(rules=(permissive_rule(),), default_binding=other)}
    universe.restart()
    universe.settle(lambda: {universe.reason(key) for key in (WEB, ROUTE)} == {"NotPermitted"}, within=120)
    before = list(universe.world.calls.find())
    delete_both(universe)
    universe.run(300)
    assert not universe.gone(WEB)
    assert not universe.gone(ROUTE)
    assert list(universe.world.calls.find()) == before
    universe.options["settings"] = None
    universe.restart()
    universe.settle(lambda: universe.gone(WEB, ROUTE))
    assert universe.picture()["target groups"] == []
