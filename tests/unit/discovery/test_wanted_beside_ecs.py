"""In mode ECS, whose service registers its tasks itself: ours stay until its own can replace them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from unit.discovery.choices import chosen, wishes
from unit.discovery.steps import INTENT, State

ECS = replace(INTENT, mode="ECS")
ILL, B, IP1, IP2 = {"healthy": False}, {"slot": "b"}, {"ipv4": "10.0.0.1"}, {"ipv4": "10.0.0.2"}
NO_PORT = "spec.discovery.backendRef.port: no container of Deployment web has port http; name one that it has"


@pytest.mark.parametrize(
    ("state", "changes", "expected"),
    [
        pytest.param(State(listed="t1 t2"), {"intent": ECS}, {"kept": "t1 t2"}, id="nothing by ECS yet"),
        pytest.param(
            State(listed="t1 t2", tasks={"t1": IP1, "t2": IP2}),
            {"intent": ECS, "ecs": {"10.0.0.2": "HEALTHY"}},
            {"kept": "t1"},
            id="ECS answers with one",
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t1": IP1, "t2": IP2}),
            {"intent": ECS, "ecs": {"10.0.0.2": "UNHEALTHY"}},
            {"kept": "t1 t2"},
            id="ECS answers with one, not seen healthy",
        ),
        pytest.param(
            State(listed="t1", tasks={"t1": IP1, "t2": IP2}),
            {"intent": ECS, "ecs": {"10.0.0.2": "HEALTHY"}, "slots": wishes(a=(1, 1, 2))},
            {"departing": "t1"},
            id="ECS answers with a new one",
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t1": IP1, "t2": IP2}),
            {"intent": ECS, "ecs": {"10.0.0.1": "HEALTHY", "10.0.0.2": "HEALTHY"}},
            {},
            id="ECS answers with all",
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t1": IP1, "t2": IP2}),
            {
                "intent": ECS,
                "ecs": {"10.0.0.1": "HEALTHY", "10.0.0.2": "HEALTHY"},
                "slots": wishes(a=(1, 1, 2)),
            },
            {"departing": "t2"},
            id="ECS answers with more than are wanted",
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t1": {"running": False}}),
            {"intent": ECS},
            {"kept": "t2"},
            id="one is being stopped",
        ),
        pytest.param(
            State(listed="t1", tasks={"t2": {}}),
            {"intent": ECS},
            {"kept": "t1"},
            id="one has no entry of ours",
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t1": ILL}), {"intent": ECS}, {"kept": "-t1 t2"}, id="one is ill"
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t1": {"backend": "old"}}),
            {"intent": ECS},
            {"kept": "t2"},
            id="another backend's",
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t1": IP1, "t2": IP2}),
            {"intent": ECS, "ecs": {"10.0.0.2": "HEALTHY"}, "slots": None},
            {"kept": "t1"},
            id="nobody knows what is wanted",
        ),
        pytest.param(
            State(listed="t1 t2"),
            {"intent": ECS, "slots": wishes(a=(2, 0, 2))},
            {"departing": "t1 t2", "yielding": "t1 t2"},
            id="no task has to stay",
        ),
        pytest.param(
            State(listed="t1", tasks={"t1": {"port": 0}}),
            {"intent": ECS},
            {"kept": "t1", "unfit": [NO_PORT]},
            id="no port of that name",
        ),
        pytest.param(State(listed="t1"), {"intent": ECS, "tasks": None}, None, id="tasks are not read"),
        pytest.param(
            State(listed="t1 t2", tasks={"t1": IP1, "t2": {**IP2, **B}}),
            {"intent": ECS, "ecs": {"10.0.0.2": "HEALTHY"}, "slots": wishes(a=(1, 1, 2), b=(1, 1, 2))},
            {"kept": "t1"},
            id="two slots",
        ),
        pytest.param(
            State(listed="t1", tasks={"t1": IP1, "t2": IP2}, stages={"t1": ("marking", 1.0)}),
            {"intent": ECS, "ecs": {"10.0.0.2": "HEALTHY"}, "slots": wishes(a=(2, 2, 4))},
            {"kept": "t1"},
            id="fewer are seen than are wanted: who was leaving comes back",
        ),
    ],
)
def test_ours_stay_until_ecss_own_are_seen(
    state: State, changes: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    """Those that are kept, and those that ECS is to end: where its own entry is not seen they are former."""
    assert chosen(state, **changes) == expected
