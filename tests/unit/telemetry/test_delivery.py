"""Figures of delivery: what each end of a rollout adds to them, and what it does not."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from sluice.model.conditions import timestamp
from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key
from sluice.telemetry.delivery import COMMIT_TIME, MOST_SERIES, MOST_TEAMS, OTHER_TEAMS, DeliveryMetrics
from sluice.telemetry.image_leads import Question

WEB = Key(DEPLOYMENT, "shop", "web")
NOW = 1_800_000_000.0
WHOSE = {"namespace": "shop", "team": "pay"}
Entry = dict[str, Any]


def entry(
    outcome: str, *, start: float = NOW - 60, seconds: float = 60, id_: str = "r2", **more: Any
) -> Entry:
    """Return a history entry."""
    over = {"id": id_, "outcome": outcome, "startedAt": timestamp(start), "durationSeconds": seconds}
    return over | {"by": "spec"} | more


def obj(*history: Entry, rollout: Entry | None = None, commit: str = "", team: str = "pay") -> Entry:
    """Return a Deployment with that history, newest first."""
    annotations = {COMMIT_TIME: commit} if commit else {}
    return {
        "metadata": {"labels": {"team": team}, "annotations": annotations},
        "status": {"history": list(history), "rollout": rollout},
    }


class Desk:
    """Metrics on a registry of their own."""

    def __init__(self) -> None:
        """Begin with nothing counted."""
        self.registry = CollectorRegistry()
        self.metrics = DeliveryMetrics(
            self.registry, now=lambda: NOW, team=lambda one: str(one["metadata"]["labels"]["team"])
        )

    def end(self, *history: Entry, rollout: Entry | None = None, commit: str = "", team: str = "pay") -> None:
        """Let the newest entry of `history` be written; `rollout` is status.rollout before that."""
        before = obj(*history[1:], rollout=rollout, commit=commit, team=team)
        self.metrics.written(WEB, before, obj(*history, commit=commit, team=team))

    def value(self, name: str, **labels: str) -> float | None:
        """Return a sample of a `sluice_delivery_` metric of the team."""
        return self.registry.get_sample_value(f"sluice_delivery_{name}", WHOSE | labels)


@pytest.fixture
def desk() -> Desk:
    """A desk."""
    return Desk()


OLD = entry("Succeeded", id_="r1", start=NOW - 9000)
NEVER_UP = entry("Aborted", id_="a", start=NOW - 900)
FIRST = {"id": "r2", "kind": "First", "memory": {}}
PROGRESSIVE = {"id": "r2", "kind": "Rollout", "memory": {"verifiedAt": NOW - 35}}
UNDO = {"id": "r2", "kind": "Undo", "memory": {"verifiedAt": NOW - 58}}


@pytest.mark.parametrize(
    ("history", "rollout", "deployed", "failed", "restored"),
    [
        pytest.param([entry("Succeeded"), OLD], None, 1, None, None, id="a success"),
        pytest.param([entry("Superseded"), OLD], PROGRESSIVE, 1, None, None, id="superseded: no failure"),
        pytest.param(
            [entry("RolledBack"), OLD], PROGRESSIVE, 1, 1, 25.0, id="rolled back: until the proof"
        ),
        pytest.param(
            [entry("RolledBack", by="ECS"), OLD], None, 1, 1, 60.0, id="rolled back by ECS: until it was over"
        ),
        pytest.param([entry("Aborted"), OLD], PROGRESSIVE, 1, 1, 25.0, id="aborted by a person"),
        pytest.param(
            [entry("Failed", by="ECS"), OLD], None, 1, 1, None, id="failed without a way back: open"
        ),
        pytest.param([entry("Failed")], FIRST, 1, 1, None, id="the first rollout failed: open until mended"),
        pytest.param(
            [entry("Aborted", by="abort"), OLD], None, 1, 1, None, id="a rolling deployment ended by a person"
        ),
        pytest.param(
            [entry("Succeeded"), entry("Failed", id_="r1", start=NOW - 600, by="ECS"), OLD],
            None, 1, None, 600.0, id="the success after a failure mends it",
        ),
        pytest.param(
            [entry("Succeeded"), entry("Failed", id_="b", start=NOW - 600), NEVER_UP],
            None, 1, None, 900.0, id="several failures before any success: from the first",
        ),
        pytest.param(
            [entry("Succeeded", by="rollback"), entry("Aborted", id_="r1", start=NOW - 100, by="abort"), OLD],
            None, None, None, 100.0, id="the way back of a rolling deployment mends and is no deployment",
        ),
        pytest.param(
            [entry("Succeeded", by="undo"), OLD], UNDO, None, 1, 2.0, id="an undo tells of a failed change"
        ),
        pytest.param([entry("RolledBack", by="undo"), OLD], UNDO, None, None, None, id="an undo that failed"),
    ],
)  # fmt: skip
def test_what_an_end_counts(
    desk: Desk,
    history: list[Entry],
    rollout: Entry | None,
    deployed: float | None,
    failed: float | None,
    restored: float | None,
) -> None:
    """Deployments, failed changes and the seconds until all was well again, for each way to end."""
    desk.end(*history, rollout=rollout)
    assert desk.value("deployments_total", outcome=history[0]["outcome"]) == deployed
    assert desk.value("failed_changes_total") == failed
    assert desk.value("restore_seconds_count") == (None if restored is None else 1)
    if restored is not None:
        assert desk.value("restore_seconds_sum") == pytest.approx(restored, abs=1)


def test_a_write_that_ends_nothing_counts_nothing(desk: Desk) -> None:
    """Neither later writes with the same history nor an object of another replica's past."""
    same = obj(entry("Succeeded"), OLD)
    desk.metrics.written(WEB, same, same)
    desk.metrics.written(WEB, None, same)
    desk.metrics.written(Key(SERVICE_ROUTE, "shop", "web"), obj(), same)
    assert desk.value("deployments_total", outcome="Succeeded") is None


def iso(seconds_ago: float) -> str:
    """Return a time as Git writes it, with an offset."""
    zone = dt.timezone(dt.timedelta(hours=2))
    return dt.datetime.fromtimestamp(NOW - seconds_ago, zone).isoformat()


def test_lead_time_is_from_the_commit_to_the_end(desk: Desk) -> None:
    """The annotation with any offset, until now."""
    desk.end(entry("Succeeded"), OLD, commit=iso(3600))
    assert desk.value("lead_time_seconds_sum") == pytest.approx(3600, abs=1)


def test_lead_time_is_that_of_the_commit_that_began(desk: Desk) -> None:
    """A newer commit that was annotated meanwhile is the next rollout's."""
    moving = {"id": "r2"}
    desk.metrics.written(WEB, obj(OLD, commit=iso(600)), obj(OLD, rollout=moving, commit=iso(600)))
    desk.metrics.written(
        WEB, obj(OLD, rollout=moving, commit=iso(5)), obj(entry("Succeeded"), OLD, commit=iso(5))
    )
    assert desk.value("lead_time_seconds_sum") == pytest.approx(600, abs=1)


@pytest.mark.parametrize(
    ("history", "rollout", "commit"),
    [
        pytest.param([entry("RolledBack"), OLD], PROGRESSIVE, iso(60), id="what did not arrive"),
        pytest.param([entry("Succeeded", by="undo"), OLD], UNDO, iso(60), id="the way back"),
        pytest.param([entry("Succeeded"), OLD], None, "", id="nothing said"),
        pytest.param([entry("Succeeded"), OLD], None, "yesterday", id="no time"),
        pytest.param([entry("Succeeded"), OLD], None, iso(-3600), id="the future"),
        pytest.param([entry("Succeeded"), OLD], None, "1970-01-01T00:00:00Z", id="a default"),
    ],
)
def test_no_lead_time(desk: Desk, history: list[Entry], rollout: Entry | None, commit: str) -> None:
    """Only changes that arrived, with a commit that can be believed, have one."""
    desk.end(*history, rollout=rollout, commit=commit)
    assert desk.value("lead_time_seconds_count") is None


def test_the_same_commit_counts_once(desk: Desk) -> None:
    """A restart of the same commit is no further delivery of it."""
    desk.end(entry("Succeeded"), OLD, commit=iso(60))
    desk.end(entry("Succeeded", id_="r3"), entry("Succeeded"), OLD, commit=iso(60))
    assert desk.value("lead_time_seconds_count") == 1
    assert desk.value("deployments_total", outcome="Succeeded") == 2


def test_teams_are_bounded(desk: Desk) -> None:
    """Whatever people write into the label, at most so many values have series."""
    for number in range(MOST_TEAMS + 5):
        desk.end(entry("Succeeded"), OLD, team=f"t{number}")
    labels = {"namespace": "shop", "team": OTHER_TEAMS, "outcome": "Succeeded"}
    assert desk.registry.get_sample_value("sluice_delivery_deployments_total", labels) == 5


def test_namespaces_that_come_and_go_are_bounded(desk: Desk) -> None:
    """One for each branch of a repository does not fill Prometheus: later ones are counted together."""
    for number in range(MOST_SERIES + 5):
        key = Key(DEPLOYMENT, f"branch-{number}", "web")
        desk.metrics.written(key, obj(OLD), obj(entry("Succeeded"), OLD))
    labels = {"namespace": OTHER_TEAMS, "team": "pay", "outcome": "Succeeded"}
    assert desk.registry.get_sample_value("sluice_delivery_deployments_total", labels) == 5


@pytest.mark.parametrize(
    "status", [None, {}, {"history": "x"}, {"history": [{"outcome": 1}]}, {"rollout": []}]
)
def test_a_malformed_status_counts_nothing(desk: Desk, status: Any) -> None:
    """What has not the shape is passed over."""
    one = {"metadata": {"labels": {"team": "pay"}}, "status": status}
    desk.metrics.written(WEB, {"metadata": {}, "status": {}}, one)
    assert not [s for family in desk.registry.collect() for s in family.samples]


def brought(*images: str, id_: str = "", history: tuple[Entry, ...] = ()) -> Entry:
    """Return a Deployment of these images, with a rollout or without."""
    made = obj(*history, rollout={"id": id_} if id_ else None)
    made["status"]["images"] = [{"name": "c", "tag": image} for image in images]
    return made


@pytest.mark.parametrize(
    ("commit", "asked"), [("", [("web:2",)]), (timestamp(NOW - 600), [])], ids=["nobody says", "annotated"]
)
def test_a_lead_time_begins_with_the_image_where_no_commit_is_annotated(
    desk: Desk, commit: str, asked: list[tuple[str, ...]]
) -> None:
    """With the images that the rollout brought, not with those that were there before."""
    questions: list[Question] = []
    desk.metrics.ask_images(questions.append)
    begun, over = (
        brought("web:2", "proxy:1", id_="r2"),
        brought("web:2", "proxy:1", history=(entry("Succeeded"),)),
    )
    if commit:
        begun["metadata"]["annotations"] = over["metadata"]["annotations"] = {COMMIT_TIME: commit}
    desk.metrics.written(WEB, brought("web:1", "proxy:1"), begun)
    desk.metrics.written(WEB, begun, over)
    assert [question.images for question in questions] == asked
    for question in questions:
        question.answer(NOW - 600)
    assert desk.value("lead_time_seconds_sum") == 600
    assert desk.value("lead_time_seconds_count") == 1


@pytest.mark.parametrize(
    ("before", "first"),
    [
        pytest.param(brought("web:2"), brought("web:2", id_="r2"), id="the same image"),
        pytest.param(brought("web:1", id_="r2"), brought("web:2", id_="r2"), id="begun before this leader"),
    ],
)
def test_a_rollout_that_brings_no_image_asks_for_none(desk: Desk, before: Entry, first: Entry) -> None:
    """An image of last year would make a change of an environment variable a year late."""
    desk.metrics.ask_images(lambda question: pytest.fail(str(question)))
    desk.metrics.written(WEB, before, first)
    desk.metrics.written(WEB, first, brought("web:2", history=(entry("Succeeded"),)))
    assert desk.value("deployments_total", outcome="Succeeded") == 1


def test_an_image_of_the_future_has_no_lead_time(desk: Desk) -> None:
    """Clocks differ, and tags move."""
    questions: list[Question] = []
    desk.metrics.ask_images(questions.append)
    begun = brought("web:2", id_="r2")
    desk.metrics.written(WEB, brought("web:1"), begun)
    desk.metrics.written(WEB, begun, brought("web:2", history=(entry("Succeeded"),)))
    questions[0].answer(NOW + 5)
    assert desk.value("lead_time_seconds_count") is None
