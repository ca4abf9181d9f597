"""Release groups: several worlds whose members see each other."""

from __future__ import annotations

import dataclasses

import pytest

from sluice.model.rollout import HookRun, Rollout, Stage
from sluice.model.situation import GroupFacts, MemberFacts, Person
from sluice.model.strategy import Hook, Pause, Progressive, SetWeight
from sluice.rollout import group
from sluice.rollout.work import whole
from unit.rollout.world import CANARY, World, live

GROUPED = dataclasses.replace(CANARY, release_group="core", group_timeout=300)
LONGER = Progressive(
    steps=(SetWeight(permille=100), SetWeight(permille=500), Pause(seconds=20), SetWeight(permille=1000)),
    bake=30,
    release_group="core",
    snapshot={"y": 1},
)


def member(name: str, world: World) -> MemberFacts:
    """Return what the others see of a world."""
    rollout, motion = world.motion.rollout, world.motion
    at_live = motion.live is not None and motion.live.revision == world.wanted
    rejected = motion.rejected
    return MemberFacts(
        name=name,
        changing=not at_live or rollout is not None,
        arrived=group.arrived(rollout, world.strategy) if rollout else group.NOT_READY,
        failed=rejected is not None and rejected.revision == world.wanted and rejected.cause != "Group",
        finished=at_live and rollout is None,
        strategy_steps=len(whole(world.strategy.steps)),
    )


def tick(worlds: dict[str, World], seconds: float = 2.0) -> None:
    """Let every world decide once, seeing the others as they are."""
    for name, world in worlds.items():
        others = tuple(member(other, them) for other, them in worlds.items() if other != name)
        world.group = GroupFacts(name="core", members=others)
        world.pass_time(seconds)
        world.decide()


def release(**strategies: Progressive) -> dict[str, World]:
    """Return worlds whose specs ask for r2 now."""
    worlds = {name: live(strategy=strategy) for name, strategy in strategies.items()}
    for world in worlds.values():
        world.wanted = "r2"
    return worlds


def test_members_step_together_and_all_succeed() -> None:
    """Nobody gets a weight before everybody's candidate is ready, and nobody drains before all baked."""
    worlds = release(one=GROUPED, two=LONGER)
    worlds["two"].boot = 100
    for _ in range(400):
        tick(worlds)
        ready = [
            world.motion.rollout is None or world.motion.rollout.stage != "ScalingUp"
            for world in worlds.values()
        ]
        if not all(ready):
            assert all(world.traffic.weights == {"a": 1000} for world in worlds.values())
        stages = [world.motion.rollout.stage if world.motion.rollout else "" for world in worlds.values()]
        if "Draining" in stages:
            assert not {"ScalingUp", "Stepping", "Baking"} & set(stages)
        if not any(stages):
            break
    assert [world.history for world in worlds.values()] == [[("r2", "Succeeded")]] * 2


def test_members_fall_back_together_and_come_again_when_the_cause_is_mended() -> None:
    """One fails: the others roll back with reason Group, and begin again once its spec is another."""
    worlds = release(one=GROUPED, two=GROUPED, three=GROUPED)
    for _ in range(20):
        tick(worlds)
    worlds["two"].crashing = {"r2"}
    for _ in range(100):
        tick(worlds)
    assert all(world.history == [("r2", "RolledBack")] for world in worlds.values())
    causes = {name: world.motion.rejected and world.motion.rejected.cause for name, world in worlds.items()}
    assert causes == {"one": "Group", "two": "CrashLoop", "three": "Group"}
    cures = {name: world.decide().message.rpartition("; ")[2] for name, world in worlds.items()}
    assert cures["one"] == "it begins again by itself when that member is mended"
    assert "sluice.dev/retry" in cures["two"]
    worlds["two"].wanted = "r3"
    for _ in range(300):
        tick(worlds)
    assert [world.motion.live and world.motion.live.revision for world in worlds.values()] == [
        "r2",
        "r3",
        "r2",
    ]


def test_a_member_that_failed_keeps_others_from_starting() -> None:
    """They wait for it, and say for which."""
    world = live(strategy=GROUPED)
    world.group = GroupFacts(name="core", members=(MemberFacts(name="two", changing=True, failed=True),))
    world.wanted = "r2"
    decision = world.run(60)
    assert (decision.reason, "two fell back" in decision.message) == ("WaitingForGate", True)
    assert not world.slots["b"].exists


@pytest.mark.parametrize(
    "members",
    [
        pytest.param((), id="missing member"),
        pytest.param((MemberFacts(name="two", changing=False),), id="member without change"),
        pytest.param((MemberFacts(name="two", changing=True, finished=True),), id="member that is through"),
        pytest.param((MemberFacts(name="two", changing=True, arrived=9),), id="member that is ahead"),
    ],
)
def test_who_is_not_waited_for(members: tuple[MemberFacts, ...]) -> None:
    """Nobody could tell when it would come."""
    world = live(strategy=GROUPED)
    world.group = GroupFacts(name="core", members=members)
    world.wanted = "r2"
    world.until("", limit=600)
    assert world.history == [("r2", "Succeeded")]


def test_after_the_timeout_a_member_stalls_and_holds() -> None:
    """Its candidate is well: it holds what it has, says for whom, and goes on when the other comes."""
    world = live(strategy=GROUPED)
    late = MemberFacts(name="two", changing=True, strategy_steps=3)
    world.group = GroupFacts(name="core", members=(dataclasses.replace(late, trouble="Paused"),))
    world.wanted = "r2"
    decision = world.run(200)
    assert (decision.reason, "waiting for two (Paused)" in decision.message) == ("WaitingForGate", True)
    world.group = GroupFacts(name="core", members=(late,))
    decision = world.run(4000, tick=20)
    assert (decision.reason, decision.phase) == ("ProgressDeadlineExceeded", "Degraded")
    assert "two did not come to the next step in 300 s" in decision.message
    world.group = GroupFacts(name="core", members=(dataclasses.replace(late, arrived=9),))
    world.until("", limit=600)
    assert world.history == [("r2", "Succeeded")]


def test_a_waiting_member_can_be_aborted() -> None:
    """The barrier never blocks the way back."""
    world = live(strategy=GROUPED)
    world.group = GroupFacts(name="core", members=(MemberFacts(name="two", changing=True),))
    world.wanted = "r2"
    world.run(60)
    world.person = Person(abort=True)
    world.until("", limit=100)
    assert world.history == [("r2", "Aborted")]


@pytest.mark.parametrize(
    ("stage", "step", "hooks", "expected"),
    [
        ("Starting", 0, (), -1),
        ("PreTraffic", 0, (), -1),
        ("Stepping", 0, (), 0),
        ("Stepping", 2, (), 2),
        ("Baking", 3, (), 3),
        ("PostBake", 3, (), 3),
        ("PostBake", 3, (HookRun(id="PostBake/last", state="Succeeded"),), 4),
        ("Draining", 3, (), 4),
        ("RollingBack", 2, (), -1),
    ],
)
def test_how_far_a_member_has_come(
    stage: Stage, step: int, hooks: tuple[HookRun, ...], expected: int
) -> None:
    """-1 before the first step, one more than there are steps when bake and its hooks are over."""
    strategy = dataclasses.replace(GROUPED, hooks=(Hook(name="last", stage="PostBake"),))
    rollout = Rollout(id="x", kind="Rollout", candidate="r2", slot="b", stage=stage, step=step, hooks=hooks)
    assert group.arrived(rollout, strategy) == expected
