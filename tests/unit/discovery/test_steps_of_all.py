"""One step of all entries: whom it concerns, in which order, and what of the memory nobody needs any more."""

from __future__ import annotations

from typing import Any

import pytest

from unit.discovery.steps import BARE, State, step


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(
            State(listed="t1 t2 t3", wants="t3", departing="t2", least=2),
            {"does": ["hide: UNHEALTHY t2"], "stages": {"t2": ("mark", 0.0)}, "wakes": [2.0], "held": 1},
            id="departing first, and the others wait",
        ),
        pytest.param(
            State(seen={"t1": "UNHEALTHY"}, tasks={}, stages={"t1": ("out", 5.0)}),
            {"stages": {"t1": ("out", 5.0)}, "wakes": [2.0]},
            id="neither listed nor a task, and answered with still",
        ),
        pytest.param(
            State(foreign="sluice-t1", stages={"t1": ("out", 5.0)}),
            {"rests": True},
            id="neither listed nor a task, answered with by another one's",
        ),
        pytest.param(
            State(operations={"t1": ("deregister", "", 5.0)}), {"rests": True}, id="a removal of what is gone"
        ),
        pytest.param(
            State(operations={"t1": ("deregister", "op-1", 5.0)}),
            {"operations": {"t1": ("deregister", "op-1", 5.0)}, "rests": True},
            id="a removal of what is gone, under way",
        ),
        pytest.param(
            State(operations={"t1": ("register", "", 5.0)}),
            {"operations": {"t1": ("register", "", 5.0)}, "rests": True},
            id="a registration of what is gone",
        ),
        pytest.param(
            State(
                operations={"namespace": ("deregister", "", 5.0), "service": ("deregister", "", 5.0)},
                failing={"namespace": 9.0, "service": 9.0},
            ),
            {
                "operations": {"namespace": ("deregister", "", 5.0), "service": ("deregister", "", 5.0)},
                "failing": ["namespace", "service"],
                "rests": True,
            },
            id="operations on the place",
        ),
        pytest.param(
            State(failing={"t1": 9.0, "protect:t1": 9.0}),
            {"failing": ["protect:t1"], "rests": True},
            id="failures of what is gone",
        ),
        pytest.param(
            State(wants="t1", failing={"t1": 9.0}, tasks={"t1": {"protected_until": 0.0}}),
            {"failing": ["t1"], "wakes": [9.0]},
            id="failures of what is wanted",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", service=BARE, failing={"t1": 9.0}),
            {"failing": ["t1"], "wakes": [2.0, 9.0]},
            id="failures of what is listed",
        ),
        pytest.param(
            State(operations={"t1": ("register", "op-1", 5.0)}, failing={"t1": 9.0}),
            {"operations": {"t1": ("register", "op-1", 5.0)}, "failing": ["t1"], "rests": True},
            id="failures of what is under way",
        ),
        pytest.param(
            State(listed="t1", wants="t1", keeps="t1", altered="t1"),
            {
                "does": ["register: register t1"],
                "operations": {"t1": ("register", "", 0.0)},
                "wakes": [2.0],
                "drift": ["sluice-t1 had other values of AWS_INSTANCE_IPV4"],
            },
            id="wanted and kept at once",
        ),
    ],
)
def test_a_step_concerns_all_that_is_known(state: State, expected: dict[str, Any]) -> None:
    """The whole of a step: what is asked, what is remembered, and when somebody looks again."""
    assert step(state) == expected
