"""The pure decision: how many tasks start, which stop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice_sandbox.aws.ecs.rollout_plan import (
    HEALTHY,
    RUNNING,
    STARTING,
    UNHEALTHY,
    Bounds,
    TaskFact,
    breaker_threshold,
    plan,
)

LETTERS = {"s": STARTING, "r": RUNNING, "h": HEALTHY, "u": UNHEALTHY}


def facts(text: str) -> list[TaskFact]:
    """Read `old/new` letters: `hh/s` is two healthy old tasks and a starting new one; `!` protects."""
    old, _, new = text.partition("/")
    found = []
    for primary, letters in ((False, old), (True, new)):
        for letter in letters.replace("!", ""):
            found.append(
                TaskFact(
                    arn=f"{'new' if primary else 'old'}{len(found)}",
                    primary=primary,
                    state=LETTERS[letter],
                    protected="!" in letters,
                    zone="abc"[len(found) % 3],
                    created=float(len(found)),
                )
            )
    return found


@pytest.mark.parametrize(
    ("tasks", "desired", "percents", "at_rest", "start", "stop"),
    [
        pytest.param("/", 3, (100, 200), False, 3, 0, id="first-deployment-starts-all"),
        pytest.param("hhhh/", 4, (100, 200), False, 4, 0, id="100-200-doubles-first"),
        pytest.param("hhhh/ssss", 4, (100, 200), False, 0, 0, id="waits-while-they-start"),
        pytest.param("hhhh/hsss", 4, (100, 200), False, 0, 1, id="one-healthy-lets-one-go"),
        pytest.param("hhhh/hhhh", 4, (100, 200), False, 0, 4, id="all-healthy-lets-all-go"),
        pytest.param("hhhh/", 4, (50, 100), False, 0, 2, id="50-100-frees-room-down-to-min"),
        pytest.param("hh/", 4, (50, 100), False, 2, 0, id="50-100-then-starts"),
        pytest.param("hh/hh", 4, (50, 100), False, 0, 2, id="50-100-second-half"),
        pytest.param("hh/", 2, (100, 150), False, 1, 0, id="100-150-rounds-down"),
        pytest.param("h/", 1, (0, 100), False, 0, 1, id="0-100-stops-first"),
        pytest.param("sss/", 3, (100, 200), False, 3, 3, id="old-that-never-ran-stops-at-once"),
        pytest.param("hh/uu", 2, (100, 200), False, 0, 2, id="failed-new-ones-stop"),
        pytest.param("/hhhh", 2, (100, 200), True, 0, 2, id="scale-in"),
        pytest.param("/hhs", 2, (100, 200), True, 0, 1, id="scale-in-takes-the-starting-one"),
        pytest.param("/hh", 4, (100, 200), True, 2, 0, id="scale-out"),
        pytest.param("/hh", 0, (100, 200), True, 0, 2, id="to-zero"),
        pytest.param("/hu", 2, (100, 200), True, 1, 0, id="unhealthy-replaced-first"),
        pytest.param("/hus", 2, (100, 200), True, 0, 0, id="unhealthy-kept-until-settled"),
        pytest.param("/huh", 2, (100, 200), True, 0, 1, id="unhealthy-goes-when-settled"),
        pytest.param("/hu", 2, (50, 100), True, 0, 1, id="no-room-stops-unhealthy-first"),
        pytest.param("hh!/hh", 2, (100, 200), False, 0, 0, id="protected-old-stay"),
        pytest.param("/hhh!", 1, (100, 200), True, 0, 0, id="protected-stay-in-scale-in"),
    ],
)
def test_table(
    tasks: str, desired: int, percents: tuple[int, int], *, at_rest: bool, start: int, stop: int
) -> None:
    """Each row of the module's table, by example."""
    bounds = Bounds.of(desired, minimum_percent=percents[0], maximum_percent=percents[1])
    found = plan(facts(tasks), bounds, launching=True, replace_first=at_rest)
    assert (found.start, len(found.stop)) == (start, stop)


def test_blocked_is_said_when_the_percentages_allow_nothing() -> None:
    """One task with 50/100: min rounds up to 1 and max down to 1, so nothing can ever move."""
    bounds = Bounds.of(1, minimum_percent=50, maximum_percent=100)
    found = plan(facts("h/"), bounds, launching=True, replace_first=False)
    assert found.blocked
    assert (found.start, found.stop) == (0, ())


def test_failed_deployment_starts_nothing_and_leaves_the_old_alone() -> None:
    """A FAILED deployment doesn't launch (botocore, Deployment.rolloutState)."""
    bounds = Bounds.of(2, minimum_percent=100, maximum_percent=200)
    found = plan(facts("hh/"), bounds, launching=False, replace_first=False)
    assert (found.start, found.stop, found.blocked) == (0, (), False)


def test_scale_in_keeps_zones_balanced() -> None:
    """Healthy tasks leave the fullest zone first."""
    tasks = [
        TaskFact(arn=f"t{i}", primary=True, state=HEALTHY, zone=zone, created=float(i))
        for i, zone in enumerate("aaabc")
    ]
    bounds = Bounds.of(3, minimum_percent=100, maximum_percent=200)
    assert set(plan(tasks, bounds, launching=True, replace_first=True).stop) == {"t2", "t1"}


states = st.sampled_from([STARTING, RUNNING, HEALTHY, UNHEALTHY])
some_tasks = st.lists(
    st.tuples(st.booleans(), states, st.booleans(), st.sampled_from("abc")), max_size=12
).map(
    lambda rows: [
        TaskFact(arn=f"t{i}", primary=p, state=s, protected=k, zone=z, created=float(i))
        for i, (p, s, k, z) in enumerate(rows)
    ]
)


@given(
    tasks=some_tasks,
    desired=st.integers(0, 6),
    low=st.integers(0, 100),
    high=st.integers(100, 200),
    launching=st.booleans(),
    at_rest=st.booleans(),
)
def test_laws(
    tasks: list[TaskFact], desired: int, low: int, high: int, *, launching: bool, at_rest: bool
) -> None:
    """Never above max by starting, never below min by stopping, never stops a protected healthy one."""
    bounds = Bounds.of(desired, minimum_percent=low, maximum_percent=high)
    found = plan(tasks, bounds, launching=launching, replace_first=at_rest)
    assert len(tasks) + found.start <= max(bounds.maximum, len(tasks))
    healthy = {task.arn for task in tasks if task.state == HEALTHY}
    left = healthy - set(found.stop)
    assert len(left) >= min(bounds.minimum, len(healthy))
    assert not [task for task in tasks if task.protected and task.state == HEALTHY and task.arn in found.stop]
    assert len(set(found.stop)) == len(found.stop)
    if not launching:
        assert found.start == 0


@given(st.integers(1, 8), st.integers(0, 100), st.integers(100, 200))
def test_a_rollout_always_ends_unless_blocked(desired: int, low: int, high: int) -> None:
    """Repeating the plan with tasks that become healthy replaces all of the old, or says blocked."""
    bounds = Bounds.of(desired, minimum_percent=low, maximum_percent=high)
    tasks = [TaskFact(arn=f"old{i}", primary=False, state=HEALTHY, created=float(i)) for i in range(desired)]
    for step in range(10 * desired + 10):
        found = plan(tasks, bounds, launching=True, replace_first=False)
        if found.blocked:
            assert bounds.minimum == bounds.maximum == desired
            return
        tasks = [task for task in tasks if task.arn not in found.stop]
        tasks += [
            TaskFact(arn=f"new{step}.{i}", primary=True, state=HEALTHY, created=100.0 + step)
            for i in range(found.start)
        ]
        if not found.start and not found.stop:
            break
    assert all(task.primary for task in tasks)
    assert len(tasks) == desired


@pytest.mark.parametrize(
    ("desired", "configuration", "threshold"),
    [
        pytest.param(1, None, 3, id="at-least-3"),
        pytest.param(10, None, 5, id="half"),
        pytest.param(25, None, 13, id="rounded-up"),
        pytest.param(5000, None, 200, id="at-most-200"),
        pytest.param(10, {"type": "COUNT", "value": 1}, 1, id="count"),
        pytest.param(10, {"type": "UNBOUNDED_PERCENT", "value": 10}, 1, id="unbounded"),
        pytest.param(10, {"type": "BOUNDED_PERCENT", "value": 10}, 3, id="bounded"),
    ],
)
def test_breaker_threshold(desired: int, configuration: dict[str, object] | None, threshold: int) -> None:
    """The thresholds that botocore documents."""
    assert breaker_threshold(desired, configuration) == threshold
