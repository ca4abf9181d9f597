"""What a step does for an entry that nobody wants: hidden first, removed when nobody uses it any more."""

from __future__ import annotations

from typing import Any

import pytest

from unit.discovery.steps import BARE, State, step


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(
            State(listed="t1 t2", wants="t2", least=1),
            {"does": ["hide: UNHEALTHY t1"], "stages": {"t1": ("mark", 0.0)}, "wakes": [2.0]},
            id="begins",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", least=2, departing="t1"),
            {"does": ["hide: UNHEALTHY t1"], "stages": {"t1": ("mark", 0.0)}, "wakes": [2.0]},
            id="begins, ECS is to end it",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", least=2), {"wakes": [2.0], "held": 1}, id="too few others"
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", least=2, urgent=True),
            {"does": ["hide: UNHEALTHY t1"], "stages": {"t1": ("mark", 0.0)}, "wakes": [2.0]},
            id="too few others, rollback",
        ),
        pytest.param(
            State(listed="t1", wants="t2", least=1, departing="t1"),
            {
                "does": ["register: register t2"],
                "operations": {"t2": ("register", "", 0.0)},
                "wakes": [2.0],
                "held": 1,
                "drift": ["sluice-t2 was removed"],
            },
            id="the last one",
        ),
        pytest.param(
            State(
                listed="t1",
                wants="t2",
                tasks={"t2": {"healthy": False}},
                stages={"t1": ("heal", 9.0)},
                seen={"t1": "UNHEALTHY"},
            ),
            {"does": ["rescue: HEALTHY t1"], "stages": {"t1": ("heal", 0.0)}, "wakes": [2.0], "held": 1},
            id="the last one, was to heal",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", stages={"t1": ("heal", 9.0)}),
            {"does": ["hide: UNHEALTHY t1"], "stages": {"t1": ("mark", 0.0)}, "wakes": [2.0]},
            id="heals, others answer",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", stages={"t1": ("healing", 9.0)}),
            {"does": ["hide: UNHEALTHY t1"], "stages": {"t1": ("mark", 0.0)}, "wakes": [2.0]},
            id="healing, others answer",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", operations={"t1": ("register", "", 9.0)}),
            {
                "does": ["hide: UNHEALTHY t1"],
                "stages": {"t1": ("mark", 0.0)},
                "operations": {"t1": ("register", "", 9.0)},
                "wakes": [2.0],
            },
            id="registration without answer",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", operations={"t1": ("register", "op-1", 9.0)}),
            {"operations": {"t1": ("register", "op-1", 9.0)}, "wakes": [2.0]},
            id="registration under way",
        ),
        pytest.param(
            State(tasks={"t1": {}}, operations={"t1": ("register", "", 9.0)}),
            {"operations": {"t1": ("register", "", 9.0)}, "wakes": [2.0]},
            id="registration without answer, not listed",
        ),
        pytest.param(
            State(tasks={"t1": {}}, operations={"t1": ("register", "op-1", 9.0)}),
            {"operations": {"t1": ("register", "op-1", 9.0)}, "wakes": [2.0]},
            id="registration under way, not listed",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", service=BARE),
            {
                "does": ["remove: deregister t1"],
                "stages": {"t1": ("marking", 0.0)},
                "operations": {"t1": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="no custom health",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", service=BARE, departing="t1"),
            {
                "does": ["remove: deregister t1"],
                "stages": {"t1": ("marking", 0.0)},
                "operations": {"t1": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="no custom health, ECS is to end it",
        ),
        pytest.param(
            State(listed="lb-x t2", wants="t2"),
            {
                "does": ["remove: deregister lb-x"],
                "stages": {"lb-x": ("marking", 0.0)},
                "operations": {"lb-x": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="a load balancer",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", operations={"t1": ("deregister", "", 9.0)}),
            {
                "does": ["remove: deregister t1"],
                "stages": {"t1": ("marking", 0.0)},
                "operations": {"t1": ("deregister", "", 9.0)},
                "wakes": [2.0],
            },
            id="removal without answer",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", operations={"t1": ("deregister", "op-1", 9.0)}),
            {"operations": {"t1": ("deregister", "op-1", 9.0)}, "wakes": [2.0]},
            id="removal under way",
        ),
        pytest.param(
            State(
                listed="t2",
                wants="t2",
                tasks={"t1": {}},
                operations={"t1": ("deregister", "", 9.0)},
                stages={"t1": ("hidden", 50.0)},
            ),
            {
                "stages": {"t1": ("hidden", 50.0)},
                "operations": {"t1": ("deregister", "", 9.0)},
                "wakes": [51.0],
            },
            id="removed, no answer",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", tasks={"t1": {"running": False, "healthy": False}}),
            {
                "does": ["rescue: deregister t1"],
                "stages": {"t1": ("marking", 0.0)},
                "operations": {"t1": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="stops",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", tasks={"t1": {"healthy": False}}),
            {"does": ["rescue: UNHEALTHY t1"], "stages": {"t1": ("mark", 0.0)}, "wakes": [2.0]},
            id="ill",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", tasks={"t1": None}),
            {"does": ["rescue: UNHEALTHY t1"], "stages": {"t1": ("mark", 0.0)}, "wakes": [2.0]},
            id="not found",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", tasks={"t1": None}, stages={"t1": ("mark", 9.0)}),
            {"does": ["rescue: UNHEALTHY t1"], "stages": {"t1": ("mark", 9.0)}, "wakes": [2.0]},
            id="not found, said so",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", tasks={"t1": None}, stages={"t1": ("mark", 10.0)}),
            {
                "does": ["rescue: deregister t1"],
                "stages": {"t1": ("mark", 10.0)},
                "operations": {"t1": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="not found for ten seconds",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", service=BARE, tasks={"t1": None}),
            {"stages": {"t1": ("marking", 0.0)}, "wakes": [10.0]},
            id="not found, no custom health",
        ),
        pytest.param(
            State(
                listed="t1 t2", wants="t2", service=BARE, tasks={"t1": None}, stages={"t1": ("marking", 9.0)}
            ),
            {"stages": {"t1": ("marking", 9.0)}, "wakes": [1.0]},
            id="not found for nine seconds, no custom health",
        ),
        pytest.param(
            State(
                listed="t1 t2", wants="t2", service=BARE, tasks={"t1": None}, stages={"t1": ("marking", 10.0)}
            ),
            {
                "does": ["rescue: deregister t1"],
                "stages": {"t1": ("marking", 10.0)},
                "operations": {"t1": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="not found for ten seconds, no custom health",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", service=BARE, tasks={"t1": {"healthy": False}}),
            {
                "does": ["rescue: deregister t1"],
                "stages": {"t1": ("marking", 0.0)},
                "operations": {"t1": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="ill, no custom health",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", stages={"t1": ("marking", 9.0)}),
            {"stages": {"t1": ("marking", 9.0)}, "wakes": [2.0]},
            id="marking",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", stages={"t1": ("marking", 9.0)}, seen={"t1": "UNHEALTHY"}),
            {"stages": {"t1": ("hidden", 0.0)}, "wakes": [2.0, 40.0]},
            id="seen UNHEALTHY",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", stages={"t1": ("hidden", 39.0)}, seen={"t1": "UNHEALTHY"}),
            {"stages": {"t1": ("hidden", 39.0)}, "wakes": [1.0]},
            id="hidden",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", stages={"t1": ("hidden", 40.0)}, seen={"t1": "UNHEALTHY"}),
            {
                "does": ["remove: deregister t1"],
                "stages": {"t1": ("hidden", 40.0)},
                "operations": {"t1": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="hidden long enough",
        ),
        pytest.param(
            State(
                listed="t1",
                wants="t2",
                tasks={"t2": {"healthy": False}},
                stages={"t1": ("hidden", 40.0)},
                seen={"t1": "UNHEALTHY"},
            ),
            {"does": ["rescue: HEALTHY t1"], "stages": {"t1": ("heal", 0.0)}, "wakes": [2.0]},
            id="hidden, and nobody else answers",
        ),
        pytest.param(
            State(
                listed="t1 t2",
                stages={"t1": ("hidden", 40.0), "t2": ("hidden", 40.0)},
                seen={"t1": "UNHEALTHY", "t2": "UNHEALTHY"},
            ),
            {
                "does": ["rescue: HEALTHY t1"],
                "stages": {"t1": ("heal", 0.0), "t2": ("hidden", 40.0)},
                "wakes": [2.0],
            },
            id="hidden, two of them, nobody else answers",
        ),
        pytest.param(
            State(listed="t1", tasks={"t1": {"healthy": False}}, wants="t2"),
            {
                "does": ["rescue: UNHEALTHY t1", "register: register t2"],
                "stages": {"t1": ("mark", 0.0)},
                "operations": {"t2": ("register", "", 0.0)},
                "wakes": [2.0],
                "drift": ["sluice-t2 was removed"],
            },
            id="ill and nobody else answers",
        ),
        pytest.param(
            State(listed="t1", everything=True),
            {
                "does": ["remove: deregister t1"],
                "stages": {"t1": ("marking", 0.0)},
                "operations": {"t1": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="everything goes",
        ),
        pytest.param(
            State(
                listed="t1",
                everything=True,
                gives_up=True,
                stages={"t1": ("marking", 119.0)},
                operations={"t1": ("deregister", "", 9.0)},
            ),
            {
                "does": ["remove: deregister t1"],
                "stages": {"t1": ("marking", 119.0)},
                "operations": {"t1": ("deregister", "", 9.0)},
                "wakes": [2.0],
            },
            id="everything goes, asked before",
        ),
        pytest.param(
            State(listed="t1", everything=True, gives_up=True, stages={"t1": ("marking", 120.0)}),
            {
                "does": ["remove: deregister t1", "release: give back t1"],
                "stages": {"t1": ("marking", 120.0)},
                "operations": {"t1": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="everything goes, in vain for two minutes",
        ),
        pytest.param(
            State(listed="t1", everything=True, stages={"t1": ("marking", 120.0)}),
            {
                "does": ["remove: deregister t1"],
                "stages": {"t1": ("marking", 120.0)},
                "operations": {"t1": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="the backend goes, in vain for two minutes",
        ),
        pytest.param(
            State(listed="t1 t2", departing="t1 t2", yielding="t1 t2"),
            {
                "does": ["remove: deregister t1", "remove: deregister t2"],
                "stages": {"t1": ("marking", 0.0), "t2": ("marking", 0.0)},
                "operations": {"t1": ("deregister", "", 0.0), "t2": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="all yield",
        ),
        pytest.param(
            State(listed="t1 t2 t3", departing="t1", yielding="t1", wants="t2 t3"),
            {"does": ["hide: UNHEALTHY t1"], "stages": {"t1": ("mark", 0.0)}, "wakes": [2.0]},
            id="one yields, another answers",
        ),
        pytest.param(
            State(
                listed="t1 t2",
                departing="t1 t2",
                yielding="t1 t2",
                stages={"t1": ("hidden", 5.0)},
                seen={"t1": "UNHEALTHY"},
            ),
            {
                "does": ["remove: deregister t1", "remove: deregister t2"],
                "stages": {"t1": ("marking", 0.0), "t2": ("marking", 0.0)},
                "operations": {"t1": ("deregister", "", 0.0), "t2": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="all yield, one is hidden",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", service=BARE, stages={"t1": ("marking", 9.0)}),
            {
                "does": ["remove: deregister t1"],
                "stages": {"t1": ("marking", 9.0)},
                "operations": {"t1": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="its removal failed",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", least=2, service=BARE, stages={"t1": ("marking", 9.0)}),
            {"stages": {"t1": ("marking", 9.0)}, "wakes": [2.0], "held": 1},
            id="its removal failed, and too few others answer now",
        ),
        pytest.param(
            State(listed="lb-x t2", wants="t2", stages={"lb-x": ("marking", 99.0)}),
            {
                "does": ["remove: deregister lb-x"],
                "stages": {"lb-x": ("marking", 99.0)},
                "operations": {"lb-x": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="a load balancer whose removal failed",
        ),
        pytest.param(
            State(
                listed="t1 t2",
                wants="t2",
                service=BARE,
                tasks={"t1": {"healthy": False}},
                stages={"t1": ("marking", 9.0)},
            ),
            {
                "does": ["rescue: deregister t1"],
                "stages": {"t1": ("marking", 9.0)},
                "operations": {"t1": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="ill, no custom health, removal failed",
        ),
        pytest.param(
            State(
                listed="t1 t2",
                wants="t2",
                tasks={"t1": {"running": False}},
                operations={"t1": ("register", "", 9.0)},
            ),
            {
                "does": ["rescue: deregister t1"],
                "stages": {"t1": ("marking", 0.0)},
                "operations": {"t1": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="stops, and was to be registered",
        ),
        pytest.param(
            State(
                listed="t1 t2",
                wants="t2",
                stages={"t1": ("marking", 9.0)},
                operations={"t1": ("register", "", 9.0)},
            ),
            {"stages": {"t1": ("marking", 9.0)}, "wakes": [2.0]},
            id="hidden, its registration without answer",
        ),
        pytest.param(
            State(
                listed="t1",
                everything=True,
                gives_up=True,
                keep_protected=True,
                stages={"t1": ("marking", 120.0)},
            ),
            {
                "does": ["remove: deregister t1"],
                "stages": {"t1": ("marking", 120.0)},
                "operations": {"t1": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="everything goes, refused for two minutes, another place answers with the tasks",
        ),
    ],
)
def test_what_nobody_wants_leaves(state: State, expected: dict[str, Any]) -> None:
    """The whole of a step: what is asked, what is remembered, and when somebody looks again."""
    assert step(state) == expected
