"""The ledger: who is counted under which name, and that counting never stops doing."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key
from sluice.telemetry.ledger import Ledger, Surroundings, key_of

WEB = Key(DEPLOYMENT, "shop", "web")
READY = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}


class Desk:
    """A ledger over one object."""

    def __init__(self) -> None:
        """Begin with a Deployment that is Ready."""
        self.registry = CollectorRegistry()
        self.obj: dict[str, Any] | None = READY
        around = Surroundings(
            now=lambda: 5.0, peek=lambda _key: self.obj, routes_of=lambda _key: (), team=lambda _obj: ""
        )
        self.ledger = Ledger(self.registry, around)

    def decisions(self, reason: str) -> float | None:
        """Return how many decisions of a reason were counted."""
        labels = {"kind": "Deployment", "reason": reason}
        return self.registry.get_sample_value("sluice_decisions_total", labels)


@pytest.fixture
def desk() -> Desk:
    """A desk."""
    return Desk()


@pytest.mark.parametrize(
    ("reason", "label"),
    [("Promoted", "Promoted"), ("RolledBack", "RolledBack"), ("SomethingNew", "other")],
)
def test_decisions_are_counted_by_reason(desk: Desk, reason: str, label: str) -> None:
    """Labels are the closed list, whatever is told."""
    desk.ledger.told(WEB, reason, "text")
    assert desk.decisions(label) == 1


def test_a_good_pass_is_remembered_as_long_as_its_object(desk: Desk) -> None:
    """When it was, and nothing of what is gone."""
    desk.ledger.told(WEB, "DriftFound", "desiredCount 1 → 2")
    desk.ledger.passed(WEB)
    assert desk.ledger.synced == {WEB: 5.0}
    assert desk.ledger.drift.drifted(WEB) == 0
    desk.ledger.told(WEB, "DriftFound", "desiredCount 1 → 2")
    desk.obj = None
    desk.ledger.passed(WEB)
    assert desk.ledger.synced == {}
    assert desk.ledger.drift.drifted(WEB) == 0


def test_a_defect_in_counting_ends_no_pass(desk: Desk) -> None:
    """It is logged; who listens beside it makes no difference."""

    def broken(_key: Key, _obj: Any) -> None:
        raise ZeroDivisionError

    desk.ledger.listen(broken)
    desk.ledger.written(None, {"kind": "Deployment", "metadata": {"namespace": "shop", "name": "web"}})


@pytest.mark.parametrize(
    ("obj", "key"),
    [
        ({"kind": "Deployment", "metadata": {"namespace": "shop", "name": "web"}}, WEB),
        ({"kind": "ServiceRoute", "metadata": {"namespace": "s", "name": "r"}}, Key(SERVICE_ROUTE, "s", "r")),
        ({"kind": "Pod", "metadata": {"namespace": "shop", "name": "web"}}, None),
        ({}, None),
    ],
)
def test_whose_write_it_was(obj: dict[str, Any], key: Key | None) -> None:
    """By kind and name, as the API server answers."""
    assert key_of(obj) == key
