"""Whom a name is to answer with: of tasks, by their health, their slots' weights, and what they have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sluice.model.discovery import DnsRecord
from unit.discovery.choices import chosen, wishes
from unit.discovery.steps import BARE, INTENT, SERVICE, State
from unit.discovery.world import traffic

ILL, OLD, B = {"healthy": False}, {"revision": "old"}, {"slot": "b"}
SRV = replace(SERVICE, records=(DnsRecord(type="SRV", ttl=10),))
NO_PORT = "spec.discovery.backendRef.port: no container of Deployment web has port http; name one that it has"
NO_ADDRESS = "tasks of web lack an IPv4 address, which the records of the service need"
TOO_LONG = "spec.discovery.attributes: keys and values exceed 5000 characters"


@pytest.mark.parametrize(
    ("state", "changes", "expected"),
    [
        pytest.param(
            State(listed="t1", tasks={"t2": {}}),
            {},
            {"entries": "t1 t2", "counts": {"a": 2}, "least": 2},
            id="all that run",
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t1": ILL}),
            {},
            {"entries": "t2", "kept": "-t1", "counts": {"a": 1}, "least": 1},
            id="one is ill",
        ),
        pytest.param(
            State(listed="t2", tasks={"t1": ILL}),
            {},
            {"entries": "t2", "counts": {"a": 1}, "least": 1},
            id="one is ill and has no entry",
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t1": ILL}, service=BARE),
            {},
            {"entries": "t2", "counts": {"a": 1}, "least": 1},
            id="one is ill, where clients cannot be told",
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t1": {"running": False}}),
            {},
            {"entries": "t2", "counts": {"a": 1}, "least": 1},
            id="one is being stopped",
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t1": {"running": False, "healthy": False}}),
            {},
            {"entries": "t2", "counts": {"a": 1}, "least": 1},
            id="one is being stopped and ill",
        ),
        pytest.param(
            State(listed="t1 t2"),
            {"slots": wishes(a=(1, 1, 2))},
            {"entries": "t1", "departing": "t2", "counts": {"a": 1}, "least": 1},
            id="fewer are wanted",
        ),
        pytest.param(
            State(listed="t1 t2"),
            {"slots": wishes(a=(0, 0, 0))},
            {"departing": "t1 t2", "yielding": "t1 t2", "counts": {"a": 0}, "least": 2},
            id="none is wanted",
        ),
        pytest.param(
            State(listed="t1 t2"),
            {"slots": None},
            {"entries": "t1 t2", "counts": {"a": 2}, "least": 2},
            id="nobody knows what is wanted",
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t1": {"backend": "old"}, "t2": {"backend": "web"}}),
            {},
            {"entries": "t2", "counts": {"a": 1}, "least": 1},
            id="another backend's",
        ),
        pytest.param(State(listed="t1 t2"), {"tasks": None}, None, id="nothing is read"),
        pytest.param(State(listed="t1 t2"), {"suspended_until_seen": True}, None, id="just begun"),
        pytest.param(State(listed="t1 t2"), {"deleting": True}, {}, id="the route goes"),
        pytest.param(State(listed="t1 t2"), {"backend_going": True}, {}, id="the backend goes"),
        pytest.param(State(listed="t1 t2"), {"backend_exists": False}, {}, id="the backend is not there"),
        pytest.param(
            State(
                listed="t1 t2 t3 t4 lb-x", tasks={"t2": ILL, "t3": {"running": False}, "t4": None, "t5": {}}
            ),
            {"rolling": False},
            {"kept": "lb-x t1 -t2", "unknown": True},
            id="no weights yet",
        ),
        pytest.param(
            State(listed="t1 t2", stages={"t1": ("mark", 1.0)}),
            {"rolling": False},
            {"kept": "t2", "unknown": True},
            id="no weights yet, one leaves",
        ),
        pytest.param(
            State(listed="t1"),
            {"rolling": False, "suspended_until_seen": True},
            None,
            id="no weights yet, just begun",
        ),
        pytest.param(
            State(listed="t1"),
            {"traffic": traffic(a=0)},
            {"kept": "t1", "unknown": True},
            id="weights for nobody",
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t2": B}),
            {"traffic": traffic(a=100, b=0)},
            {"entries": "t1", "counts": {"a": 1}, "least": 1},
            id="weights of a rolling one",
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t2": B}),
            {"traffic": traffic(a=100, b=0), "rolling": False},
            {"entries": "t1", "counts": {"a": 1}, "least": 1},
            id="weights",
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t2": B}),
            {"traffic": traffic(a=99, b=1), "rolling": False},
            {"entries": "t1 t2", "counts": {"a": 1, "b": 1}, "least": 2},
            id="the least weight",
        ),
        pytest.param(
            State(listed="t1 t2"),
            {"traffic": traffic(a=100), "slots": wishes(a=(5, 5, 10))},
            {"entries": "t1 t2", "counts": {"a": 2}, "least": 5},
            id="fewer than are desired",
        ),
        pytest.param(
            State(listed="t1 t2"),
            {"traffic": traffic(a=0, b=100)},
            {"counts": {"b": 0}, "least": 2},
            id="nobody of the slot with weight",
        ),
        pytest.param(
            State(listed="t1 t2"),
            {"traffic": traffic(a=0, b=100), "slots": wishes(a=(2, 2, 4), b=(3, 3, 6))},
            {"counts": {"b": 0}, "short": True, "least": 3},
            id="nobody of the slot with weight, some are desired",
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t2": B}),
            {"traffic": traffic(a=50, b=50), "slots": wishes(a=(1, 1, 2))},
            {"entries": "t1 t2", "counts": {"a": 1, "b": 1}, "least": 2},
            id="a slot of which nobody knows the wish",
        ),
        pytest.param(
            State(
                listed="t1 t2 t3 t9",
                tasks={"t9": B},
                seen={"t1": "UNHEALTHY"},
                stages={"t3": ("marking", 1.0)},
            ),
            {"traffic": traffic(a=50, b=50), "slots": wishes(a=(2, 2, 4), b=(1, 1, 2))},
            {"entries": "t1 t9", "departing": "t3", "counts": {"a": 1, "b": 1}, "least": 2},
            id="two slots share, and few are seen",
        ),
        pytest.param(
            State(listed="t1 t2 t3", seen={"t1": "UNHEALTHY"}, stages={"t3": ("marking", 1.0)}),
            {"traffic": traffic(a=100), "slots": wishes(a=(2, 2, 4))},
            {"entries": "t1 t2 t3", "counts": {"a": 3}, "least": 3},
            id="one slot has all, and few are seen",
        ),
        pytest.param(
            State(
                listed="t1 t2 t3 t9",
                tasks={"t9": B},
                seen={"t1": "UNHEALTHY"},
                stages={"t3": ("marking", 1.0)},
            ),
            {"slots": wishes(a=(2, 2, 4), b=(1, 1, 2))},
            {"entries": "t1 t2 t3 t9", "counts": {"a": 3, "b": 1}, "least": 4},
            id="two slots of a rolling one, and few are seen",
        ),
        pytest.param(
            State(
                tasks={"t3": {}}, listed="t1 t2", seen={"t1": "UNHEALTHY"}, stages={"t3": ("released", 1.0)}
            ),
            {"slots": wishes(a=(2, 2, 4))},
            {"entries": "t1 t2", "departing": "t3", "counts": {"a": 2}, "least": 2},
            id="given back, and few are seen",
        ),
        pytest.param(
            State(listed="t2 t9", tasks={"t1": {}, "t9": B}),
            {"traffic": traffic(a=50, b=50)},
            {"entries": "t2 t9", "counts": {"a": 1, "b": 1}, "least": 2},
            id="a place for those that have one",
        ),
        pytest.param(
            State(listed="t1 t2 t9", tasks={"t9": B}, stages={"t1": ("mark", 1.0)}),
            {"traffic": traffic(a=50, b=50)},
            {"entries": "t2 t9", "counts": {"a": 1, "b": 1}, "least": 2},
            id="a place for those that do not leave",
        ),
        pytest.param(
            State(listed="t1 t9", tasks={"t1": OLD, "t2": {}, "t9": B}),
            {"traffic": traffic(a=50, b=50), "slots": wishes(a=(2, 2, 4), b=(1, 1, 2))},
            {"entries": "t2 t9", "counts": {"a": 1, "b": 1}, "least": 2},
            id="a place for the current ones",
        ),
        pytest.param(
            State(listed="t1 t2 t9", tasks={"t1": {"started_at": 5.0}, "t2": {"started_at": 4.0}, "t9": B}),
            {"traffic": traffic(a=50, b=50)},
            {"entries": "t2 t9", "counts": {"a": 1, "b": 1}, "least": 2},
            id="a place for the oldest",
        ),
        pytest.param(
            State(listed="t1 t9", tasks={"t1": OLD, "t2": {}, "t9": B}),
            {"traffic": traffic(a=50, b=50), "slots": ()},
            {"entries": "t1 t9", "counts": {"a": 1, "b": 1}, "least": 2},
            id="no wish is known: a place for those that have one",
        ),
        pytest.param(
            State(listed="t1", tasks={"t2": {"ipv4": ""}}),
            {"traffic": traffic(a=100)},
            {"entries": "t1", "counts": {"a": 1}, "short": True, "least": 2, "unfit": [NO_ADDRESS]},
            id="no address",
        ),
        pytest.param(
            State(listed="t1", tasks={"t2": {"ipv4": "", "healthy": False}}),
            {},
            {"entries": "t1", "counts": {"a": 1}, "least": 1},
            id="ill without an address",
        ),
        pytest.param(
            State(listed="t1", tasks={"t2": {"ipv4": "", "running": False}}),
            {},
            {"entries": "t1", "counts": {"a": 1}, "least": 1},
            id="being stopped without an address",
        ),
        pytest.param(
            State(tasks={"t1": {"port": 0}}, service=SRV),
            {},
            {"counts": {"a": 0}, "short": True, "unfit": [NO_PORT]},
            id="no port",
        ),
        pytest.param(
            State(listed="t1", tasks={"t2": {"port": 0}}, service=SRV),
            {},
            {"entries": "t1", "counts": {"a": 1}, "short": True, "least": 1, "unfit": [NO_PORT]},
            id="one of two without the port",
        ),
        pytest.param(
            State(tasks={"t1": {"port": 0}}),
            {},
            {"entries": "t1", "counts": {"a": 1}, "short": True, "least": 1, "unfit": [NO_PORT]},
            id="no port, and none is needed",
        ),
        pytest.param(
            State(listed="t1", tasks={"t1": {"port": 0}}, service=SRV),
            {},
            {"counts": {"a": 0}, "short": True, "least": 1, "unfit": [NO_PORT]},
            id="no port of that name any more",
        ),
        pytest.param(
            State(tasks={"t1": {**OLD, "port": 0}, "t2": {}}, service=SRV),
            {"slots": wishes(a=(2, 2, 4))},
            {"entries": "t2", "counts": {"a": 1}, "least": 1},
            id="a former one without the port",
        ),
        pytest.param(
            State(tasks={"t1": {"backend": "old", "port": 0}, "t2": {}}, service=SRV),
            {},
            {"entries": "t2", "counts": {"a": 1}, "least": 1},
            id="another backend's without the port",
        ),
        pytest.param(
            State(tasks={"t1": {"running": False, "port": 0}, "t2": {}}, service=SRV),
            {},
            {"entries": "t2", "counts": {"a": 1}, "least": 1},
            id="one being stopped without the port",
        ),
        pytest.param(
            State(tasks={"t1": {"port": 0}}),
            {"intent": replace(INTENT, port="")},
            {"entries": "t1", "counts": {"a": 1}, "least": 1},
            id="no port is named",
        ),
        pytest.param(
            State(tasks={"t1": {"port": 0}}, service=SRV),
            {"slots": None},
            {"counts": {"a": 0}, "short": True, "unfit": [NO_PORT]},
            id="no port, and no wish is known",
        ),
        pytest.param(
            State(tasks={"t1": {"revision": "r" * 5000}, "t2": {}}),
            {"traffic": traffic(a=100)},
            {"entries": "t2", "counts": {"a": 2}, "short": True, "least": 2, "unfit": [TOO_LONG]},
            id="attributes too long for one",
        ),
        pytest.param(
            State(listed="t2", tasks={"t1": {**ILL, **OLD}}),
            {},
            {"entries": "t2", "departing": "t1", "counts": {"a": 1}, "least": 1},
            id="former and ill, without an entry",
        ),
        pytest.param(
            State(listed="t1 t2", tasks={"t1": {**ILL, **OLD}}),
            {},
            {"entries": "t2", "kept": "-t1", "counts": {"a": 1}, "least": 1},
            id="former and ill",
        ),
        pytest.param(
            State(listed="t2", tasks={"t1": ILL}),
            {"slots": wishes(a=(1, 1, 2))},
            {"entries": "t2", "departing": "t1", "counts": {"a": 1}, "least": 1},
            id="one too many, ill, without an entry",
        ),
        pytest.param(
            State(listed="t2", tasks={"t1": {**OLD, "healthy": False, "running": False}}),
            {},
            {"entries": "t2", "counts": {"a": 1}, "least": 1},
            id="former and ill, being stopped",
        ),
        pytest.param(
            State(listed="t2", tasks={"t1": {**ILL, **OLD}}),
            {"slots": None},
            {"entries": "t2", "counts": {"a": 1}, "least": 1},
            id="former and ill, no wish is known",
        ),
    ],
)
def test_who_is_to_answer(state: State, changes: dict[str, Any], expected: dict[str, Any] | None) -> None:
    """Entries, those that are kept, those that ECS is to end, and what the proof and the guard go by."""
    assert chosen(state, **changes) == expected
