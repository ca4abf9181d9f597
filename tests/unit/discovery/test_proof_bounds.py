"""What proves published weights: everything wanted is seen, and nobody uses what is not wanted any more."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.discovery import DiscoveryProof
from sluice.plan.discovery.proof import prove
from unit.discovery.steps import BARE, INTENT, NOW, State, motion
from unit.discovery.world import traffic

LIVE, SHARED = {"a": 100, "b": 0}, {"a": 99, "b": 1}
B = {"slot": "b"}
FORMER = {"backend": "old"}


def proof(state: State, weights: dict[str, int], **wanted: Any) -> DiscoveryProof | None:
    """Return what the answers of a state prove of these weights."""
    seen = motion(state)
    seen.wanted = dataclasses.replace(seen.wanted, **wanted)
    return prove(INTENT, traffic(a=weights["a"], b=weights["b"]), seen, generation=4, before=None)


@pytest.mark.parametrize(
    ("state", "weights", "proven"),
    [
        pytest.param(State(listed="t1", wants="t1"), LIVE, True, id="seen healthy"),
        pytest.param(State(listed="t1", wants="t1", seen={"t1": "UNHEALTHY"}), LIVE, False, id="seen ill"),
        pytest.param(State(listed="t1", wants="t1", seen={"t1": None}), LIVE, False, id="not seen"),
        pytest.param(State(listed="t1", wants="t1 t2"), LIVE, False, id="one of two is seen"),
        pytest.param(
            State(listed="t1", wants="t1", service=BARE, seen={"t1": "UNKNOWN"}), LIVE, True, id="no health"
        ),
        pytest.param(
            State(listed="t1", wants="t1", service=BARE, seen={"t1": None}),
            LIVE,
            False,
            id="no health, unseen",
        ),
        pytest.param(
            State(listed="t1", wants="t1", seen={"t1": "UNKNOWN"}), LIVE, False, id="health not known yet"
        ),
        pytest.param(State(listed="t1 t2", wants="t1"), LIVE, True, id="another of the only slot"),
        pytest.param(State(listed="t1 t2", wants="t1"), SHARED, False, id="another of a slot that shares"),
        pytest.param(
            State(listed="t1 t2", wants="t1", tasks={"t2": B}), LIVE, False, id="one without weight answers"
        ),
        pytest.param(
            State(listed="t1 t2", wants="t1", tasks={"t2": FORMER}),
            LIVE,
            False,
            id="a former backend's",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t1", tasks={"t2": None}), LIVE, False, id="nobody's answers"
        ),
        pytest.param(
            State(listed="t1", wants="t1", tasks={"t2": B}, seen={"t2": "HEALTHY"}),
            LIVE,
            False,
            id="removed, and still answered with",
        ),
        pytest.param(
            State(listed="t1", wants="t1", foreign="theirs"), LIVE, True, id="somebody else's entry"
        ),
        pytest.param(
            State(
                listed="t1 t2",
                wants="t1",
                tasks={"t2": B},
                stages={"t2": ("marking", 99.0)},
                seen={"t2": "UNHEALTHY"},
            ),
            LIVE,
            False,
            id="said to be unhealthy",
        ),
        pytest.param(
            State(
                listed="t1 t2",
                wants="t1",
                tasks={"t2": B},
                stages={"t2": ("hidden", 39.0)},
                seen={"t2": "UNHEALTHY"},
            ),
            LIVE,
            False,
            id="hidden for short",
        ),
        pytest.param(
            State(
                listed="t1 t2",
                wants="t1",
                tasks={"t2": B},
                stages={"t2": ("hidden", 40.0)},
                seen={"t2": "UNHEALTHY"},
            ),
            LIVE,
            True,
            id="hidden for long",
        ),
        pytest.param(
            State(listed="t1 t2", wants="t1", tasks={"t2": B}, stages={"t2": ("hidden", 40.0)}),
            LIVE,
            False,
            id="hidden, and seen again",
        ),
        pytest.param(
            State(listed="t2", tasks={"t2": B}, stages={"t2": ("hidden", 40.0)}, seen={"t2": "UNHEALTHY"}),
            LIVE,
            False,
            id="hidden, where nobody is wanted: all are answers",
        ),
        pytest.param(
            State(
                listed="t1",
                wants="t1",
                tasks={"t2": B},
                stages={"t2": ("released", 1.0)},
                seen={"t2": "HEALTHY"},
            ),
            LIVE,
            True,
            id="waited for before, and seen by a late answer",
        ),
        pytest.param(
            State(listed="t1", wants="t1", tasks={"t2": B}, stages={"t2": ("out", 99.0)}),
            LIVE,
            False,
            id="removed, and clients may remember it",
        ),
        pytest.param(
            State(listed="t1", wants="t1", tasks={"t2": B, "t3": B}, stages={"t2": ("out", 1.0)}),
            LIVE,
            False,
            id="one of two is removed, and clients may remember it",
        ),
        pytest.param(
            State(listed="t1", wants="t1", tasks={"t2": FORMER}, stages={"t2": ("out", 1.0)}),
            LIVE,
            False,
            id="the former backend's is removed, and clients may remember it",
        ),
        pytest.param(
            State(listed="t1", wants="t1", tasks={"t2": {}}, stages={"t2": ("out", 1.0)}),
            LIVE,
            True,
            id="a former one of the slot is removed",
        ),
        pytest.param(
            State(listed="t1", wants="t1", tasks={"t2": B}, stages={"t2": ("out", 1.0)}),
            SHARED,
            True,
            id="a former one of a slot with the least weight is removed",
        ),
        pytest.param(
            State(listed="t1", wants="t1", tasks={"t2": B}, stages={"t2": ("released", 1.0)}),
            LIVE,
            True,
            id="removed, and nobody remembers it",
        ),
    ],
)
def test_what_the_answers_prove(state: State, weights: dict[str, int], *, proven: bool) -> None:
    """The Deployment stops tasks on this: what a client may still use is no proof."""
    assert (proof(state, weights) is not None) is proven


@pytest.mark.parametrize("wanted", [{"known": False}, {"short": True}], ids=["not known", "too few tasks"])
def test_what_is_short_or_not_known_proves_nothing(wanted: dict[str, bool]) -> None:
    """All that is wanted may be seen, and yet the weights are others."""
    assert proof(State(listed="t1", wants="t1"), LIVE, **wanted) is None


SAME = traffic(3, verify_after=NOW - 500, a=100, b=0)
BEFORE = DiscoveryProof(
    name="web",
    uid=SAME.uid,
    rollout_id=SAME.rollout_id,
    seq=SAME.seq,
    hash=SAME.hash,
    route_generation=4,
    verified_at=NOW - 500,
)


@pytest.mark.parametrize(
    ("before", "stands"),
    [
        pytest.param(BEFORE, True, id="as it was asked for"),
        pytest.param(dataclasses.replace(BEFORE, verified_at=NOW - 501), False, id="asked for anew since"),
        pytest.param(dataclasses.replace(BEFORE, name="other"), False, id="another backend"),
        pytest.param(dataclasses.replace(BEFORE, uid="other"), False, id="another Deployment of the name"),
        pytest.param(dataclasses.replace(BEFORE, rollout_id="r0"), False, id="another rollout"),
        pytest.param(dataclasses.replace(BEFORE, seq=2), False, id="other weights before"),
        pytest.param(dataclasses.replace(BEFORE, hash="other"), False, id="another text of the weights"),
        pytest.param(dataclasses.replace(BEFORE, route_generation=3), False, id="the route was edited"),
        pytest.param(None, False, id="none"),
    ],
)
def test_a_proof_stands_for_what_it_was_made_for(before: DiscoveryProof | None, *, stands: bool) -> None:
    """It keeps its time, and later answers take nothing from it; else one is made of what is seen now."""
    for seen, anew in (("HEALTHY", dataclasses.replace(BEFORE, verified_at=NOW)), ("UNHEALTHY", None)):
        state = motion(State(listed="t1", wants="t1", seen={"t1": seen}))  # type: ignore[dict-item]
        found = prove(INTENT, SAME, state, generation=4, before=before)
        assert found == (before if stands else anew)
