"""What a step does for an entry that is to be there: it comes, is mended, and says how its task is."""

from __future__ import annotations

from typing import Any

import pytest

from unit.discovery.steps import BARE, NOW, State, step


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(
            State(wants="t1", tasks={"t1": {"protected_until": 0.0}}),
            {"does": ["register: register t1"], "operations": {"t1": ("register", "", 0.0)}, "wakes": [2.0]},
            id="comes",
        ),
        pytest.param(
            State(wants="t1", tasks={"t1": {"protected_until": NOW}}),
            {"does": ["register: register t1"], "operations": {"t1": ("register", "", 0.0)}, "wakes": [2.0]},
            id="comes, protection ends now",
        ),
        pytest.param(
            State(wants="t1"),
            {
                "does": ["register: register t1"],
                "operations": {"t1": ("register", "", 0.0)},
                "wakes": [2.0],
                "drift": ["sluice-t1 was removed"],
            },
            id="removed by hand",
        ),
        pytest.param(
            State(wants="t1", stages={"t1": ("released", 5.0)}),
            {"does": ["register: register t1"], "operations": {"t1": ("register", "", 0.0)}, "wakes": [2.0]},
            id="comes back after leaving",
        ),
        pytest.param(
            State(wants="lb-x"),
            {
                "does": ["register: register lb-x"],
                "operations": {"lb-x": ("register", "", 0.0)},
                "wakes": [2.0],
            },
            id="alias comes",
        ),
        pytest.param(State(keeps="t1"), {"rests": True}, id="kept but not listed"),
        pytest.param(
            State(wants="t1", operations={"t1": ("register", "op-1", 5.0)}),
            {"operations": {"t1": ("register", "op-1", 5.0)}, "wakes": [2.0]},
            id="under way",
        ),
        pytest.param(
            State(
                wants="t1", tasks={"t1": {"protected_until": 0.0}}, operations={"t1": ("register", "", 5.0)}
            ),
            {"does": ["register: register t1"], "operations": {"t1": ("register", "", 5.0)}, "wakes": [2.0]},
            id="asked, no answer",
        ),
        pytest.param(
            State(wants="t1", listed="t1", operations={"t1": ("deregister", "", 5.0)}),
            {"operations": {"t1": ("deregister", "", 5.0)}, "wakes": [2.0]},
            id="removal may still happen",
        ),
        pytest.param(
            State(wants="t1", listed="t1", operations={"t1": ("deregister", "op-1", 5.0)}),
            {"operations": {"t1": ("deregister", "op-1", 5.0)}, "wakes": [2.0]},
            id="removal under way",
        ),
        pytest.param(
            State(wants="t1", listed="t1", altered="t1"),
            {
                "does": ["register: register t1"],
                "operations": {"t1": ("register", "", 0.0)},
                "wakes": [2.0],
                "drift": ["sluice-t1 had other values of AWS_INSTANCE_IPV4"],
            },
            id="altered",
        ),
        pytest.param(
            State(wants="t1", listed="t1", altered="t1", operations={"t1": ("register", "", 5.0)}),
            {"does": ["register: register t1"], "operations": {"t1": ("register", "", 5.0)}, "wakes": [2.0]},
            id="altered, being put right",
        ),
        pytest.param(State(keeps="t1", listed="t1", altered="t1"), {"rests": True}, id="altered, kept"),
        pytest.param(State(wants="t1", listed="t1"), {"rests": True}, id="as wanted"),
        pytest.param(
            State(wants="t1", listed="t1", operations={"t1": ("register", "", 5.0)}, failing={"t1": 30.0}),
            {"rests": True},
            id="answer lost, took place",
        ),
        pytest.param(
            State(wants="t1", listed="t1", service=BARE, seen={"t1": "UNKNOWN"}),
            {"rests": True},
            id="no custom health: as wanted",
        ),
        pytest.param(
            State(wants="t1", listed="t1", service=BARE, seen={"t1": None}),
            {"wakes": [2.0]},
            id="no custom health: not seen yet",
        ),
        pytest.param(
            State(
                wants="t1", listed="t1", service=BARE, seen={"t1": "UNKNOWN"}, stages={"t1": ("marking", 5.0)}
            ),
            {"rests": True},
            id="no custom health: was leaving",
        ),
        pytest.param(State(wants="t1", service=None), {"drift": ["sluice-t1 was removed"]}, id="no place"),
        pytest.param(
            State(wants="t1", failing={"t1": 30.0}, tasks={"t1": {"protected_until": 0.0}}),
            {"failing": ["t1"], "wakes": [30.0]},
            id="failed before",
        ),
        pytest.param(State(wants="t1", listed="t1", seen={"t1": None}), {"wakes": [2.0]}, id="not seen yet"),
        pytest.param(
            State(wants="t1", listed="t1", seen={"t1": "UNHEALTHY"}),
            {
                "does": ["rescue: HEALTHY t1"],
                "stages": {"t1": ("heal", 0.0)},
                "wakes": [2.0],
                "drift": ["sluice-t1 was said to be UNHEALTHY"],
            },
            id="UNHEALTHY by hand",
        ),
        pytest.param(
            State(keeps="t1", listed="t1", tasks={"t1": {"healthy": False}}),
            {"does": ["rescue: UNHEALTHY t1"], "stages": {"t1": ("mark", 0.0)}, "wakes": [2.0]},
            id="ill",
        ),
        pytest.param(
            State(
                keeps="t1",
                listed="t1",
                tasks={"t1": {"healthy": False}},
                seen={"t1": "UNHEALTHY"},
                stages={"t1": ("hidden", 39.0)},
            ),
            {"stages": {"t1": ("hidden", 39.0)}, "wakes": [1.0], "rests": True},
            id="ill, hidden short",
        ),
        pytest.param(
            State(
                keeps="t1",
                listed="t1",
                tasks={"t1": {"healthy": False}},
                seen={"t1": "UNHEALTHY"},
                stages={"t1": ("hidden", 40.0)},
            ),
            {"does": ["release: give back t1"], "stages": {"t1": ("hidden", 40.0)}, "rests": True},
            id="ill, hidden long",
        ),
        pytest.param(
            State(wants="t1", listed="t1", stages={"t1": ("marking", 5.0)}),
            {"does": ["rescue: HEALTHY t1"], "stages": {"t1": ("heal", 0.0)}, "wakes": [2.0]},
            id="was marked",
        ),
        pytest.param(
            State(wants="t1", listed="t1", seen={"t1": "UNHEALTHY"}, stages={"t1": ("hidden", 5.0)}),
            {"does": ["rescue: HEALTHY t1"], "stages": {"t1": ("heal", 0.0)}, "wakes": [2.0]},
            id="was hidden",
        ),
        pytest.param(
            State(wants="t1", listed="t1", seen={"t1": "UNHEALTHY"}, stages={"t1": ("heal", 5.0)}),
            {"does": ["rescue: HEALTHY t1"], "stages": {"t1": ("heal", 0.0)}, "wakes": [2.0]},
            id="heal",
        ),
        pytest.param(
            State(wants="t1", listed="t1", stages={"t1": ("healing", 34.0)}),
            {"stages": {"t1": ("healing", 34.0)}, "wakes": [2.0]},
            id="healing young",
        ),
        pytest.param(
            State(wants="t1", listed="t1", stages={"t1": ("healing", 35.0)}),
            {"rests": True},
            id="healing done",
        ),
        pytest.param(
            State(wants="t1", listed="t1", seen={"t1": "UNHEALTHY"}, stages={"t1": ("healing", 59.0)}),
            {"stages": {"t1": ("healing", 59.0)}, "wakes": [2.0]},
            id="healing unseen",
        ),
        pytest.param(
            State(wants="t1", listed="t1", seen={"t1": "UNHEALTHY"}, stages={"t1": ("healing", 60.0)}),
            {"does": ["rescue: HEALTHY t1"], "stages": {"t1": ("heal", 0.0)}, "wakes": [2.0]},
            id="healing in vain",
        ),
        pytest.param(
            State(wants="t1", listed="t1", seen={"t1": None}, stages={"t1": ("healing", 60.0)}),
            {"does": ["rescue: HEALTHY t1"], "stages": {"t1": ("heal", 0.0)}, "wakes": [2.0]},
            id="healing, not answered with, long",
        ),
    ],
)
def test_what_is_wanted_comes_and_stays(state: State, expected: dict[str, Any]) -> None:
    """The whole of a step: what is asked, what is remembered, and when somebody looks again."""
    assert step(state) == expected
