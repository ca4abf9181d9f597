"""How a place is taken away: its service when nothing is in it, the namespace if it is Sluice's and empty."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sluice.plan.discovery.writes import namespace_tags
from unit.discovery.places import instances, removed
from unit.discovery.steps import INSTALLATION, NAMESPACE, SERVICE

NONE = {"namespace": None, "service": None}
NO = {"service": None}
IN_USE = (
    "InUse: Cloud Map service web still has 1 entries of ECS; "
    "it is deleted when the ECS service no longer registers in it"
)
STAYS = (
    "Cloud Map service web stays: it has 2 instances that Sluice did not register; "
    "delete arn:srv-1 when they are no longer needed"
)
OURS = namespace_tags(INSTALLATION)


def ns(**changes: Any) -> dict[str, Any]:
    """Return the facts of a namespace that Sluice made, without the service."""
    made: dict[str, Any] = {"tags": OURS, "services": 0}
    return {"namespace": replace(NAMESPACE, **(made | changes)), "service": None}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param({"empty": False}, {"moving": True}, id="entries are there"),
        pytest.param({"facts": {"service": replace(SERVICE, tags={})}}, {"finished": True}, id="not ours"),
        pytest.param({"facts": NO}, {"finished": True}, id="no service"),
        pytest.param(
            {"facts": {"registered": None}}, {"moving": True, "wakes": [2.0]}, id="instances were not read"
        ),
        pytest.param(
            {},
            {
                "does": ["DeleteService"],
                "moving": True,
                "operations": {"service": ("service-deletion", "", 0.0)},
                "wakes": [2.0],
            },
            id="no instance",
        ),
        pytest.param(
            {"facts": {"registered": instances("ECS_SERVICE_NAME", "other")}},
            {
                "problem": (IN_USE),
                "moving": True,
                "wakes": [2.0],
            },
            id="instances of ECS",
        ),
        pytest.param(
            {"facts": {"registered": instances("one", "other")}},
            {
                "notes": [(STAYS)],
                "finished": True,
            },
            id="instances of others",
        ),
        pytest.param(
            {"facts": ns(services=1), "operations": {"service": ("service-deletion", "", 9.0)}},
            {"moving": True, "operations": {"service": ("service-deletion", "", 9.0)}, "wakes": [2.0]},
            id="just deleted, and its namespace counts it",
        ),
        pytest.param(
            {"facts": ns(), "operations": {"service": ("service-deletion", "", 9.0)}},
            {
                "does": ["DeleteNamespace"],
                "moving": True,
                "operations": {
                    "service": ("service-deletion", "", 9.0),
                    "namespace": ("namespace-deletion", "", 0.0),
                },
                "wakes": [2.0],
            },
            id="just deleted, and its namespace counts none",
        ),
        pytest.param(
            {"facts": NONE, "operations": {"service": ("service-deletion", "", 9.0)}},
            {
                "moving": True,
                "finished": True,
                "operations": {"service": ("service-deletion", "", 9.0)},
                "wakes": [2.0],
            },
            id="just deleted, and its namespace is gone",
        ),
        pytest.param(
            {"facts": ns(services=1), "operations": {"service": ("service-deletion", "", 10.0)}},
            {"finished": True, "operations": {"service": ("service-deletion", "", 10.0)}},
            id="deleted a while ago, and its namespace counts another",
        ),
        pytest.param(
            {"facts": ns(services=1), "operations": {"service": ("service", "op-1", 9.0)}},
            {"finished": True, "operations": {"service": ("service", "op-1", 9.0)}},
            id="changed just now, and its namespace counts another",
        ),
        pytest.param(
            {"facts": ns()},
            {
                "does": ["DeleteNamespace"],
                "moving": True,
                "operations": {"namespace": ("namespace-deletion", "", 0.0)},
                "wakes": [2.0],
            },
            id="an empty namespace",
        ),
        pytest.param({"facts": ns(services=1)}, {"finished": True}, id="a namespace with one service"),
        pytest.param(
            {"facts": ns(services=None)}, {"finished": True}, id="a namespace of which no count is told"
        ),
        pytest.param(
            {"facts": ns(tags=namespace_tags("blue"))},
            {"finished": True},
            id="a namespace of another installation",
        ),
        pytest.param(
            {"facts": ns(tags={**OURS, "sluice.dev/role": "other"})},
            {"finished": True},
            id="a namespace that is tagged for something else",
        ),
        pytest.param({"facts": NONE}, {"finished": True}, id="no namespace"),
        pytest.param(
            {"facts": ns(), "operations": {"namespace": ("namespace-deletion", "op-1", 9.0)}},
            {
                "moving": True,
                "operations": {"namespace": ("namespace-deletion", "op-1", 9.0)},
                "wakes": [2.0],
            },
            id="the namespace is being deleted",
        ),
        pytest.param(
            {"facts": ns(), "operations": {"namespace": ("namespace-deletion", "", 9.0)}},
            {
                "does": ["DeleteNamespace"],
                "moving": True,
                "operations": {"namespace": ("namespace-deletion", "", 9.0)},
                "wakes": [2.0],
            },
            id="the namespace is to be deleted, without an answer",
        ),
        pytest.param(
            {"facts": ns(), "failing": {"namespace": (1, 7.0)}},
            {"moving": True, "failing": ["namespace"], "wakes": [2.0, 7.0]},
            id="its deletion failed, and waits",
        ),
        pytest.param(
            {"facts": ns(), "failing": {"namespace": (4, 0.0)}},
            {
                "does": ["DeleteNamespace"],
                "moving": True,
                "operations": {"namespace": ("namespace-deletion", "", 0.0)},
                "failing": ["namespace"],
                "wakes": [2.0],
            },
            id="its deletion failed four times",
        ),
        pytest.param(
            {"facts": ns(), "failing": {"namespace": (5, 0.0)}},
            {
                "notes": [
                    ("namespace corp.local could not be deleted and stays: THROTTLED; delete arn:ns-1")
                ],
                "finished": True,
                "failing": ["namespace"],
            },
            id="its deletion failed five times",
        ),
    ],
)
def test_a_place_is_removed(state: dict[str, Any], expected: dict[str, Any]) -> None:
    """What is asked, told and remembered, whether that was all, and when somebody looks again."""
    assert removed(**state) == expected
