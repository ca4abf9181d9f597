"""What a step does for a task whose entry has left: given back to ECS when no client can use it."""

from __future__ import annotations

from typing import Any

import pytest

from unit.discovery.steps import NOW, State, step


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(
            State(seen={"t1": "UNHEALTHY"}, tasks={"t1": {}}, stages={"t1": ("hidden", 50.0)}),
            {"stages": {"t1": ("hidden", 50.0)}, "wakes": [2.0]},
            id="still answered with",
        ),
        pytest.param(
            State(listed="t2", wants="t2", tasks={"t1": {}}, stages={"t1": ("hidden", 40.0)}),
            {"does": ["release: give back t1"], "stages": {"t1": ("released", 0.0)}, "wakes": [2.0]},
            id="removed after it was hidden for long",
        ),
        pytest.param(
            State(listed="t2", wants="t2", tasks={"t1": {}}, stages={"t1": ("hidden", 39.0)}),
            {"stages": {"t1": ("out", 0.0)}, "wakes": [40.0]},
            id="removed after it was hidden for short",
        ),
        pytest.param(
            State(tasks={"t1": {}}, stages={"t1": ("hidden", 40.0)}),
            {"stages": {"t1": ("out", 0.0)}, "wakes": [40.0]},
            id="hidden for long, with nobody healthy",
        ),
        pytest.param(
            State(listed="t2", wants="t2", tasks={"t1": {}}, stages={"t1": ("marking", 50.0)}),
            {"stages": {"t1": ("out", 0.0)}, "wakes": [40.0]},
            id="removed without having been hidden",
        ),
        pytest.param(
            State(listed="t2", wants="t2", tasks={"t1": {}}, stages={"t1": ("out", 39.0)}),
            {"stages": {"t1": ("out", 39.0)}, "wakes": [1.0]},
            id="out for short",
        ),
        pytest.param(
            State(listed="t2", wants="t2", tasks={"t1": {}}, stages={"t1": ("out", 40.0)}),
            {"does": ["release: give back t1"], "stages": {"t1": ("released", 0.0)}, "wakes": [2.0]},
            id="out for long",
        ),
        pytest.param(
            State(tasks={"t1": {}}, stages={"t1": ("released", 5.0)}),
            {"does": ["release: give back t1"], "stages": {"t1": ("released", 5.0)}, "wakes": [2.0]},
            id="given back before, and protected again",
        ),
        pytest.param(
            State(tasks={"t1": {"protected_until": NOW}}, stages={"t1": ("released", 5.0)}),
            {},
            id="given back",
        ),
        pytest.param(
            State(tasks={"t1": {"protected_until": NOW}}, stages={"t1": ("released", 5.0)}, departing="t1"),
            {"stages": {"t1": ("released", 5.0)}},
            id="given back, ECS is to end it",
        ),
        pytest.param(
            State(tasks={"t1": {"running": False}}, stages={"t1": ("released", 5.0)}), {}, id="ended"
        ),
        pytest.param(
            State(tasks={"t1": {"running": False}}, stages={"t1": ("out", 5.0)}), {}, id="ended while out"
        ),
        pytest.param(
            State(seen={"t1": None}, stages={"t1": ("out", 5.0)}),
            {"rests": True},
            id="no task and no entry any more",
        ),
        pytest.param(
            State(tasks={"t1": {}}, departing="t1"),
            {"stages": {"t1": ("out", 0.0)}, "wakes": [40.0]},
            id="registered in vain, ECS is to end it",
        ),
        pytest.param(State(tasks={"t1": {}}), {"rests": True}, id="registered in vain, ECS keeps it"),
        pytest.param(
            State(tasks={"t1": {"protected_until": NOW}}, departing="t1"),
            {"rests": True},
            id="registered in vain, not protected",
        ),
        pytest.param(
            State(tasks={"t1": {}}, departing="t1", keep_protected=True),
            {"rests": True},
            id="registered in vain, another place answers with it",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t2", departing="t1"),
            {"does": ["hide: UNHEALTHY t1"], "stages": {"t1": ("mark", 0.0)}, "wakes": [2.0]},
            id="not registered in vain: it answers",
        ),
        pytest.param(
            State(tasks={"t1": {}}, stages={"t1": ("out", 40.0)}, keep_protected=True),
            {},
            id="another place answers with the tasks",
        ),
        pytest.param(
            State(tasks={"t1": {}}, stages={"t1": ("out", 40.0)}, departing="t1", keep_protected=True),
            {"stages": {"t1": ("released", 0.0)}},
            id="another place answers with the tasks, ECS is to end it",
        ),
        pytest.param(
            State(tasks={"t1": {"held": "answering"}}, stages={"t1": ("released", 5.0)}),
            {},
            id="another name answers with it",
        ),
        pytest.param(
            State(tasks={"t1": {"held": "answering"}}, stages={"t1": ("released", 119.0)}, departing="t1"),
            {"stages": {"t1": ("released", 119.0)}, "wakes": [2.0]},
            id="another name answers with it, ECS is to end it",
        ),
        pytest.param(
            State(tasks={"t1": {"held": "answering"}}, stages={"t1": ("released", 120.0)}, departing="t1"),
            {"does": ["release: give back t1"], "stages": {"t1": ("released", 120.0)}, "wakes": [2.0]},
            id="another name answers with it for two minutes, ECS is to end it",
        ),
        pytest.param(
            State(tasks={"t1": {"held": "leaving"}}, stages={"t1": ("released", 500.0)}, departing="t1"),
            {"stages": {"t1": ("released", 500.0)}, "wakes": [2.0]},
            id="another name lets it go",
        ),
        pytest.param(
            State(tasks={"t1": {"held": "leaving"}}, stages={"t1": ("released", 500.0)}),
            {"stages": {"t1": ("released", 500.0)}, "wakes": [2.0]},
            id="another name lets it go, ECS keeps it",
        ),
        pytest.param(
            State(
                listed="t2",
                tasks={"t1": {}},
                stages={"t1": ("out", 40.0)},
                departing="t1 t2",
                yielding="t1 t2",
            ),
            {
                "does": ["remove: deregister t2"],
                "stages": {"t1": ("released", 0.0), "t2": ("marking", 0.0)},
                "operations": {"t2": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="ends together, the other is not out",
        ),
        pytest.param(
            State(
                tasks={"t1": {}, "t2": {}},
                stages={"t1": ("released", 40.0), "t2": ("out", 5.0)},
                departing="t1 t2",
                yielding="t1 t2",
            ),
            {"stages": {"t1": ("released", 40.0), "t2": ("out", 5.0)}, "wakes": [2.0, 35.0]},
            id="ends together, the other waits",
        ),
        pytest.param(
            State(
                tasks={"t1": {}, "t2": {}},
                stages={"t1": ("released", 40.0), "t2": ("out", 40.0)},
                departing="t1 t2",
                yielding="t1 t2",
            ),
            {
                "does": ["release: give back t1 t2"],
                "stages": {"t1": ("released", 40.0), "t2": ("released", 0.0)},
                "wakes": [2.0],
            },
            id="ends together, both are ready",
        ),
        pytest.param(
            State(
                tasks={"t1": {}, "t2": {"protected_until": 0.0}},
                stages={"t1": ("released", 40.0)},
                departing="t1 t2",
                yielding="t1 t2",
            ),
            {"does": ["release: give back t1"], "stages": {"t1": ("released", 40.0)}, "wakes": [2.0]},
            id="ends together, the other never answered",
        ),
        pytest.param(
            State(
                listed="t2",
                tasks={"t1": {}, "t2": {}},
                stages={"t1": ("out", 40.0)},
                wants="t2",
                departing="t1",
                yielding="",
            ),
            {"does": ["release: give back t1"], "stages": {"t1": ("released", 0.0)}, "wakes": [2.0]},
            id="ends alone, one of its slot does not end",
        ),
        pytest.param(
            State(
                listed="t2",
                tasks={"t1": {}, "t2": {"slot": "b"}},
                stages={"t1": ("out", 40.0)},
                departing="t1 t2",
                yielding="t1 t2",
            ),
            {
                "does": ["remove: deregister t2", "release: give back t1"],
                "stages": {"t1": ("released", 0.0), "t2": ("marking", 0.0)},
                "operations": {"t2": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="ends, one of another slot yields and is not out",
        ),
        pytest.param(
            State(
                listed="t2",
                tasks={"t1": {}, "t2": {}},
                stages={"t1": ("out", 40.0)},
                departing="t1 t2",
                yielding="t2",
            ),
            {
                "does": ["remove: deregister t2", "release: give back t1"],
                "stages": {"t1": ("released", 0.0), "t2": ("marking", 0.0)},
                "operations": {"t2": ("deregister", "", 0.0)},
                "wakes": [2.0],
            },
            id="ends, a yielding one waits for its own slot",
        ),
        pytest.param(
            State(
                tasks={"t1": {}}, stages={"t1": ("marking", 9.0)}, operations={"t1": ("deregister", "", 9.0)}
            ),
            {
                "stages": {"t1": ("marking", 9.0)},
                "operations": {"t1": ("deregister", "", 9.0)},
                "wakes": [51.0],
            },
            id="a removal that may still happen",
        ),
    ],
)
def test_what_left_is_given_back(state: State, expected: dict[str, Any]) -> None:
    """The whole of a step: what is asked, what is remembered, and when somebody looks again."""
    assert step(state) == expected
