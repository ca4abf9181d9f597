"""How far clients are told that an entry is not healthy, and what a removal waits for."""

from __future__ import annotations

from typing import Any

import pytest

from unit.discovery.steps import BARE, State, step


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(
            State(listed="t1 t2", wants="t2", stages={"t1": ("mark", 9.0)}),
            {"does": ["hide: UNHEALTHY t1"], "stages": {"t1": ("mark", 9.0)}, "wakes": [2.0]},
            id="marked, not sent",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", stages={"t1": ("mark", 9.0)}, seen={"t1": "UNHEALTHY"}),
            {"stages": {"t1": ("hidden", 0.0)}, "wakes": [2.0, 40.0]},
            id="marked, not sent, seen UNHEALTHY all the same",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", stages={"t1": ("mark", 99.0)}, seen={"t1": None}),
            {"does": ["hide: UNHEALTHY t1"], "stages": {"t1": ("mark", 99.0)}, "wakes": [2.0]},
            id="marked, in no answer",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", stages={"t1": ("marking", 59.0)}),
            {"stages": {"t1": ("marking", 59.0)}, "wakes": [2.0]},
            id="accepted, not seen for 59 s",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", stages={"t1": ("marking", 60.0)}),
            {"does": ["hide: UNHEALTHY t1"], "stages": {"t1": ("mark", 0.0)}, "wakes": [2.0]},
            id="accepted, not seen for 60 s",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", stages={"t1": ("marking", 59.0)}, seen={"t1": None}),
            {"stages": {"t1": ("marking", 59.0)}, "wakes": [2.0]},
            id="accepted, in no answer for 59 s",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", stages={"t1": ("marking", 60.0)}, seen={"t1": None}),
            {"stages": {"t1": ("hidden", 0.0)}, "wakes": [2.0, 40.0]},
            id="accepted, in no answer for 60 s",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", stages={"t1": ("hidden", 50.0)}),
            {"does": ["hide: UNHEALTHY t1"], "stages": {"t1": ("mark", 0.0)}, "wakes": [2.0]},
            id="hidden, and seen HEALTHY again",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", stages={"t1": ("hidden", 40.0)}, seen={"t1": None}),
            {
                "does": ["remove: deregister t1"],
                "stages": {"t1": ("hidden", 40.0)},
                "operations": {"t1": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="hidden for long, in no answer any more",
        ),
        pytest.param(
            State(
                listed="t1 t2",
                keeps="t1",
                wants="t2",
                tasks={"t1": {"healthy": False}},
                seen={"t1": "UNHEALTHY"},
            ),
            {"stages": {"t1": ("hidden", 0.0)}, "wakes": [2.0, 40.0]},
            id="seen UNHEALTHY at once",
        ),
        pytest.param(
            State(
                listed="t1 t2",
                wants="t2",
                stages={"t1": ("hidden", 40.0)},
                seen={"t1": "UNHEALTHY"},
                failing={"t1": 7.0},
            ),
            {"stages": {"t1": ("hidden", 40.0)}, "failing": ["t1"], "wakes": [2.0, 7.0]},
            id="removal failed before",
        ),
        pytest.param(
            State(
                listed="t1 t2",
                wants="t2",
                stages={"t1": ("hidden", 40.0)},
                seen={"t1": "UNHEALTHY"},
                failing={"t1": 0.0},
            ),
            {
                "does": ["remove: deregister t1"],
                "stages": {"t1": ("hidden", 40.0)},
                "operations": {"t1": ("deregister", "", 0.0)},
                "failing": ["t1"],
                "wakes": [2.0],
            },
            id="removal may be tried again",
        ),
        pytest.param(
            State(listed="t1", wants="t2", tasks={"t1": {"running": False}, "t2": {"protected_until": 0.0}}),
            {
                "does": ["rescue: UNHEALTHY t1", "register: register t2"],
                "stages": {"t1": ("mark", 0.0)},
                "operations": {"t2": ("register", "", 0.0)},
                "wakes": [2.0],
                "held": 1,
            },
            id="the only answer of all",
        ),
        pytest.param(
            State(listed="t1", tasks={"t1": {"running": False}}),
            {
                "does": ["rescue: deregister t1"],
                "stages": {"t1": ("marking", 0.0)},
                "operations": {"t1": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="the only answer of all, nobody is awaited",
        ),
        pytest.param(
            State(
                listed="t1",
                wants="t2",
                service=BARE,
                tasks={"t1": {"running": False}, "t2": {"protected_until": 0.0}},
            ),
            {
                "does": ["register: register t2"],
                "operations": {"t2": ("register", "", 0.0)},
                "wakes": [2.0],
                "held": 1,
            },
            id="the only answer of all, no custom health",
        ),
        pytest.param(
            State(
                listed="lb-x",
                wants="t2",
                departing="lb-x",
                stages={"lb-x": ("marking", 9.0)},
                tasks={"t2": {"protected_until": 0.0}},
            ),
            {
                "does": ["register: register t2"],
                "stages": {"lb-x": ("marking", 9.0)},
                "operations": {"t2": ("register", "", 0.0)},
                "wakes": [2.0],
                "held": 1,
            },
            id="the only answer of all, a load balancer",
        ),
    ],
)
def test_hiding_and_removing_go_by_what_clients_see(state: State, expected: dict[str, Any]) -> None:
    """The whole of a step: what is asked, what is remembered, and when somebody looks again."""
    assert step(state) == expected
