"""Whatever a rule that waits for a backend shows and its others publish: laws of what is done to it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.model.traffic import SlotTarget
from sluice.plan.route.desired import BackendFacts
from unit.route.standing import BALANCER, listener, planned, stands, traffic, wanted

HELD = wanted(weights=None, backends=("web", "led", "wbe"))
GROUPS = ("web-a", "web-b", "web-admin-a", "web-admin-b", "led-a", "led-b", "foreign")
SPLITS = ({"a": 1000}, {"b": 1000}, {"a": 950, "b": 50}, {"a": 335, "b": 665}, {"a": 999, "b": 1})
NEAR = 0.006
"""Five groups, each at least one part of a thousand, may cost the largest share that much."""


def arn(name: str) -> str:
    """Return a target group's ARN."""
    return f"arn:tg/{name}/1"


def group(slot: str, name: str, *, port: str, number: int) -> SlotTarget:
    """Return a target group of a slot."""
    return SlotTarget(
        slot=slot, port=port, container_port=number, load_balancer_arn=BALANCER, target_group_arn=arn(name)
    )


@st.composite
def backends(draw: st.DrawFn, name: str) -> BackendFacts:
    """Return a Deployment with two slots and two ports, whose names may have changed places."""
    names = draw(st.sampled_from([("http", "admin"), ("admin", "http"), ("web", "admin")]))
    groups = (
        group("a", f"{name}-a", port="http", number=8080),
        group("b", f"{name}-b", port=names[0], number=8080),
        group("a", f"{name}-admin-a", port="admin", number=9090),
        group("b", f"{name}-admin-b", port=names[1], number=9090),
    )
    targets = tuple(entry for entry in groups if draw(st.integers(0, 9)) < 9)
    weights = draw(st.sampled_from(SPLITS))
    told = traffic(
        rollback=len(weights) == 1 and draw(st.booleans()),  # it is published to a survivor alone
        weights=weights,
        targets=targets,
        test=draw(st.sampled_from(["", "b"])),
    )
    return BackendFacts(exists=True, traffic=told, groups=groups, going=draw(st.booleans()))


def shows(weights: dict[str, int]) -> list[dict[str, Any]]:
    """Return a rule's actions."""
    groups = [{"TargetGroupArn": name, "Weight": weight} for name, weight in weights.items()]
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]


def share(weights: dict[str, int], name: str) -> float:
    """Return the part that a backend's target groups have of all."""
    return sum(w for key, w in weights.items() if key.startswith(f"arn:tg/{name}")) / sum(weights.values())


@given(
    st.dictionaries(st.sampled_from(GROUPS).map(arn), st.integers(1, 999), min_size=1, max_size=5),
    backends("web"),
    backends("led"),
)
@settings(max_examples=150)
def test_a_held_rule(weights: dict[str, int], web: BackendFacts, led: BackendFacts) -> None:
    """Nothing is written without a rollback; each keeps its share; one write, and it is at rest."""
    known, now = {"web": web, "led": led}, weights
    back = [facts.traffic.rollback for facts in known.values() if facts.traffic]
    for count in range(3):
        done = planned(HELD, on=listener(stands(HELD, 30, Actions=shows(now))), backends=known)
        if not done.actions:
            break
        assert any(back)
        assert count == 0
        (action,) = done.actions
        groups = action.params["Actions"][0]["ForwardConfig"]["TargetGroups"]
        now = {entry["TargetGroupArn"]: entry["Weight"] for entry in groups}
    for name in ("web", "led", "foreign"):
        assert abs(share(now, name) - share(weights, name)) <= NEAR
