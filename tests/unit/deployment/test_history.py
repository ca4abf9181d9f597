"""History, ids of rollouts, and what is old enough to be collected."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sluice.plan.deployment import history
from sluice.plan.deployment.progress import rolled_back, stopped_reasons
from sluice.plan.deployment.state import State
from unit.deployment.wishes import NOW

NAMES = st.lists(st.text("abcdef", min_size=1, max_size=3), max_size=12, unique=True)


@given(kept=NAMES, needed=st.frozensets(st.text("abcdef", min_size=1, max_size=3)), limit=st.integers(0, 5))
def test_what_is_needed_is_never_surplus(kept: list[str], needed: frozenset[str], limit: int) -> None:
    """Never the live one or one that may still run; at most `limit` old ones beside those."""
    current = kept[-1] if kept else ""
    surplus = history.surplus_revisions(kept, current=current, needed=needed, limit=limit)
    assert current not in surplus
    assert not needed & set(surplus)
    left = [name for name in kept if name not in surplus and name != current and name not in needed]
    assert len(left) <= max(limit, 0) or not surplus
    assert list(surplus) == [name for name in kept if name in surplus]


@given(
    arns=st.lists(st.integers(0, 99), max_size=12, unique=True), limit=st.integers(0, 5), running=st.data()
)
def test_running_definitions_are_never_surplus(arns: list[int], limit: int, running: st.DataObject) -> None:
    """By hash or by ARN: what something runs stays, and exactly `limit` others do."""
    definitions = [(f"hash{number}", f"arn{number}") for number in arns]
    needed = (
        frozenset(running.draw(st.lists(st.sampled_from(definitions), max_size=3))) if definitions else ()
    )
    marks = frozenset(entry[0] for entry in needed)
    surplus = history.surplus_definitions(definitions, needed=marks, limit=limit)
    assert not {arn for key, arn in definitions if key in marks} & set(surplus)
    assert len(surplus) == max(0, len(definitions) - len(marks) - limit)


def test_entries_are_bounded_and_newest_first() -> None:
    """status.history keeps ten."""
    entries: history.Entries = ()
    for number in range(15):
        entries = history.add(entries, {"id": str(number)})
    assert [entry["id"] for entry in entries] == [str(number) for number in range(14, 4, -1)]


def test_two_rollouts_to_the_same_revision_in_one_second_differ() -> None:
    """A verb must name one rollout: ids follow each other, even within a second."""
    first = history.begin(State(), candidate="web-1", deadline=60, now=NOW)
    entry = history.entry(first, outcome="RolledBack", now=NOW)
    second = history.begin(State(history=(entry,)), candidate="web-1", deadline=60, now=NOW)
    assert first.id != second.id


def test_stopped_reasons_are_the_newest_ones_without_scale_ins() -> None:
    """A person reads why tasks failed: newest first, once each, with the container's own reason."""
    tasks = [
        {"stoppedAt": 1, "stoppedReason": "Scaling activity initiated by (deployment ecs-svc/1)"},
        {
            "stoppedAt": 3,
            "stoppedReason": "Essential container in task exited",
            "containers": [{"name": "app", "exitCode": 1}],
        },
        {
            "stoppedAt": 2,
            "stoppedReason": "Task failed to start",
            "containers": [{"name": "app", "reason": "CannotPullContainerError: no such image"}],
        },
        {
            "stoppedAt": 4,
            "stoppedReason": "Essential container in task exited",
            "containers": [{"name": "app", "exitCode": 1}],
        },
    ]
    assert stopped_reasons(tasks) == (
        "Essential container in task exited (container app: exit code 1)",
        "Task failed to start (container app: CannotPullContainerError: no such image)",
    )


def test_an_older_attempt_is_no_rollback_of_this_one() -> None:
    """Before the service got the revision, only a service deployment younger than the rollout counts."""
    old = {
        "status": "ROLLBACK_SUCCESSFUL",
        "createdAt": NOW - 600,
        "targetServiceRevision": {"taskDefinition": "arn:1"},
    }
    new = {**old, "createdAt": NOW + 1}
    assert rolled_back([old], task_definition="arn:1", given=False, since=NOW) is None
    assert rolled_back([new], task_definition="arn:1", given=False, since=NOW) == new
    assert rolled_back([old], task_definition="arn:1", given=True, since=None) == old


def test_the_newest_attempt_decides() -> None:
    """A service deployment of ours that goes on is no rollback, whatever an earlier one became."""
    target = {"targetServiceRevision": {"taskDefinition": "arn:1"}}
    running = {"status": "IN_PROGRESS", **target}
    failed = {"status": "ROLLBACK_SUCCESSFUL", **target}
    other = {"status": "SUCCESSFUL", "targetServiceRevision": {"taskDefinition": "arn:0"}}
    assert rolled_back([other, running, failed], task_definition="arn:1", given=True, since=None) is None
    assert rolled_back([other, failed], task_definition="arn:1", given=True, since=None) == failed


def test_the_first_rollout_leaves_the_other_slot_clean() -> None:
    """What ended last matters for a slot that served before: not so after the very first rollout."""
    first = history.entry(
        history.begin(State(), candidate="web-1", deadline=60, now=NOW), outcome="Succeeded", now=NOW + 9
    )
    assert history.ended(State(history=(first,))) == 0
    second = history.entry(
        history.begin(State(history=(first,)), candidate="web-2", deadline=60, now=NOW + 20),
        outcome="RolledBack",
        now=NOW + 50,
    )
    assert NOW + 50 <= history.ended(State(history=(second, first))) <= NOW + 52
