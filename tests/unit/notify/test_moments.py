"""What a status tells of: each event, its identity, and what is no news."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.model.keys import SERVICE_ROUTE
from sluice.notify.moment import EVENTS, Moment
from sluice.notify.moments import drift, moments, news
from unit.notify.told import NOW, UID, condition, deployment, ended, rollout, seen

PAUSE = {"name": "promote", "state": "Waiting", "since": "2026-11-18T11:05:00Z"}
PERSON = {"name": "person", "state": "Waiting", "since": "2026-11-18T11:05:00Z"}


@pytest.mark.parametrize(
    ("status", "spec", "expected"),
    [
        pytest.param({}, {}, [], id="nothing"),
        pytest.param({"rollout": rollout("Starting")}, {}, [], id="waits-for-its-gates"),
        pytest.param({"rollout": rollout("ScalingUp")}, {}, ["r1/Started"], id="started"),
        pytest.param(
            {"rollout": {"id": "r1", "candidate": "checkout-2", "startedAt": "2026-11-18T11:00:00Z"}},
            {},
            ["r1/Started"],
            id="rolling-started",
        ),
        pytest.param(
            {"rollout": rollout(gates=[PAUSE])},
            {},
            ["r1/Started", "r1/Paused/step-1"],
            id="waits-for-promotion",
        ),
        pytest.param(
            {"rollout": rollout(), "conditions": [condition("Ready", "Paused", message="pause of 60 s")]},
            {},
            ["r1/Started"],
            id="a-timed-pause-waits-for-nobody",
        ),
        pytest.param(
            {"rollout": rollout(paused=True)}, {}, ["r1/Started", "r1/Paused/verb"], id="paused-by-a-verb"
        ),
        pytest.param(
            {"rollout": rollout()}, {"paused": True}, ["r1/Started", "r1/Paused/spec"], id="paused-by-spec"
        ),
        pytest.param({}, {"paused": True}, [], id="paused-at-rest"),
        pytest.param(
            {"rollout": rollout("Baking", provenWeight=1000)},
            {},
            ["r1/Started", "r1/Promoted"],
            id="promoted",
        ),
        pytest.param(
            {"rollout": rollout("Stepping", provenWeight=1000)},
            {},
            ["r1/Started"],
            id="not-through-its-steps",
        ),
        pytest.param(
            {"rollout": rollout("PostTraffic", kind="First", provenWeight=1000)},
            {},
            ["r1/Started"],
            id="a-first-rollout-is-not-promoted",
        ),
        pytest.param(
            {"rollout": rollout("RollingBack", provenWeight=1000)},
            {},
            ["r1/Started", "r1/RollingBack"],
            id="rolling-back",
        ),
        pytest.param(
            {"rollout": rollout("CleaningUp", memory={"outcome": "Superseded"})},
            {},
            ["r1/Started"],
            id="superseded-is-no-rollback",
        ),
        pytest.param(
            {"rollout": rollout("RollingBack", gates=[PERSON])},
            {},
            ["r1/Started", "r1/RollingBack", "r1/Stalled/person"],
            id="both-slots-unhealthy",
        ),
        pytest.param({"history": [ended()]}, {}, ["r1/Started", "r1/Succeeded"], id="succeeded"),
        pytest.param(
            {"history": [ended("Failed", id="r2"), ended()]},
            {},
            ["r1/Started", "r1/Succeeded", "r2/Started", "r2/Failed"],
            id="oldest-first",
        ),
        pytest.param(
            {"history": [ended("RolledBack")], "conditions": [condition("Stalled", "RolledBack")]},
            {},
            ["r1/Started", "r1/RolledBack"],
            id="the-outcome-says-what-stalled-says",
        ),
        pytest.param(
            {"history": [ended()], "conditions": [condition("Stalled", "RolledBack")]},
            {},
            ["r1/Started", "r1/Succeeded"],
            id="after-an-undo-the-spec-is-refused",
        ),
        pytest.param(
            {"history": [ended()], "conditions": [condition("Stalled", "ProgressDeadlineExceeded")]},
            {},
            ["r1/Started", "r1/Succeeded", "r1/Stalled/ProgressDeadlineExceeded/1794999900"],
            id="too-late-without-a-rollout",
        ),
        pytest.param(
            {"history": [ended()], "conditions": [condition("Stalled", "AccessDenied")]},
            {},
            ["r1/Started", "r1/Succeeded", "r1/Stalled/AccessDenied/1794999900"],
            id="stalled",
        ),
        pytest.param(
            {"conditions": [condition("Stalled", "FirstRolloutFailed")]},
            {},
            ["/Stalled/FirstRolloutFailed/1794999900"],
            id="stalled-without-history",
        ),
        pytest.param(
            {"conditions": [condition("Reconciling", "RollingOut")]}, {}, [], id="reconciling-is-no-news"
        ),
    ],
)
def test_what_a_status_tells(status: dict[str, Any], spec: dict[str, Any], expected: list[str]) -> None:
    """Each event follows from the status alone, so a crash can't lose it and a second look finds the same."""
    assert seen(moments, deployment(status, **spec)) == expected


def test_outcomes_are_dated_by_the_status() -> None:
    """A history entry says when the rollout began and ended, whenever it is read."""
    started, over = moments(
        deployment({"history": [ended("RolledBack", reason="Analysis: errors")]}), now=NOW + 99
    )
    assert (started.at, over.at, over.standing) == (NOW - 400, NOW, False)
    assert (over.revision, over.by, over.message) == ("checkout-2", "spec", "Analysis: errors")


@pytest.mark.parametrize(
    ("message", "told"),
    [("slot a can't take the requests back", "slot a can't take the requests back"), (None, "both slots")],
)
def test_a_held_rollback_says_who_is_dead(message: str | None, told: str) -> None:
    """In the machine's words; those of an operator of before had none."""
    gate = PERSON if message is None else {**PERSON, "message": message}
    found = moments(deployment({"rollout": rollout("RollingBack", gates=[gate])}), now=NOW)
    (held,) = (moment for moment in found if moment.reason == "BothUnhealthy")
    assert held.message.startswith(told)
    assert held.message.endswith(": no weight is moved, a person has to decide")


def test_persons_are_named() -> None:
    """Who promoted or aborted is told with the outcome."""
    entry = ended(persons=["promote by jane", "abort by kim"])
    assert moments(deployment({"history": [entry]}), now=NOW)[-1].by == "spec; promote by jane; abort by kim"


def test_what_stands_is_dated_by_who_looks() -> None:
    """A status has no time for a pause or a promotion."""
    (started,) = moments(deployment({"rollout": rollout()}), now=NOW)
    assert (started.at, started.standing, started.source, started.weight) == (NOW, True, "checkout-1", "25%")


@pytest.mark.parametrize(
    ("before", "after", "fresh", "over"),
    [
        pytest.param({}, {"rollout": rollout()}, ["r1/Started"], [], id="begins"),
        pytest.param(
            {"rollout": rollout("Draining", provenWeight=1000)},
            {"history": [ended()]},
            ["r1/Succeeded"],
            ["r1/Started", "r1/Promoted"],
            id="ends",
        ),
        pytest.param({}, {"history": [ended()]}, ["r1/Started", "r1/Succeeded"], [], id="begins-and-ends"),
        pytest.param({"rollout": rollout()}, {"rollout": rollout(share="50%")}, [], [], id="goes-on"),
        pytest.param(
            {"rollout": rollout(gates=[PAUSE])},
            {"rollout": rollout(stepIndex=3, gates=[PAUSE])},
            ["r1/Paused/step-3"],
            ["r1/Paused/step-1"],
            id="the-next-pause-is-another-one",
        ),
        pytest.param(
            {"conditions": [condition("Stalled", "AccessDenied")]},
            {"conditions": [condition("Stalled", "QuotaExceeded")]},
            ["/Stalled/QuotaExceeded/1794999900"],
            ["/Stalled/AccessDenied/1794999900"],
            id="stalled-for-another-reason",
        ),
    ],
)
def test_news(before: dict[str, Any], after: dict[str, Any], fresh: list[str], over: list[str]) -> None:
    """News is what the new status tells and the old one did not; what stood and stands no more is over."""
    found = news(deployment(before), deployment(after), now=NOW)
    assert [[moment.id.removeprefix(f"{UID}/") for moment in part] for part in found] == [fresh, over]


def test_an_object_that_appears_brings_no_news() -> None:
    """A restored object's history happened long ago."""
    assert news(None, deployment({"history": [ended()]}), now=NOW) == ((), ())


def test_a_pause_by_spec_is_news_without_a_status() -> None:
    """`spec.paused` holds a rollout before any status says so."""
    status = {"rollout": rollout()}
    (paused,), _ = news(deployment(status), deployment(status, paused=True), now=NOW)
    assert paused.id == f"{UID}/r1/Paused/spec"


def test_a_second_pause_by_the_verb_is_another_one() -> None:
    """A person pauses again with another value of the annotation, and receivers must not drop it."""
    first, second = (
        seen(moments, deployment({"rollout": rollout(paused=True), "intents": {"pause": value}}))[-1]
        for value in ("r1", "r1#2")
    )
    assert first.startswith("r1/Paused/verb-")
    assert first != second


def test_routes_tell_of_stalls_alone() -> None:
    """A ServiceRoute has no rollout of its own."""
    route = deployment({"conditions": [condition("Stalled", "ListenerNotFound")]}, kind=SERVICE_ROUTE)
    (stalled,) = moments(route, now=NOW)
    assert (stalled.event, stalled.key.kind) == ("Stalled", SERVICE_ROUTE)
    assert stalled.title == "route shop/checkout: stalled: ListenerNotFound"


def test_drift_is_one_an_hour() -> None:
    """Somebody who changes the same thing again and again is told of once an hour; another change at once."""
    obj = deployment({"history": [ended()]})
    hour = NOW - NOW % 3600
    first = drift(obj, reason="DriftRepaired", message="desiredCount 3 → 2", now=hour)
    again = drift(obj, reason="DriftRepaired", message="desiredCount 3 → 2", now=hour + 3599)
    later = drift(obj, reason="DriftRepaired", message="desiredCount 3 → 2", now=hour + 3600)
    other = drift(obj, reason="DriftRepaired", message="weights", now=hour)
    assert first.id == again.id
    assert len({first.id, later.id, other.id}) == 3
    assert first.id.startswith(f"{UID}/r1/Drift/")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "stage",
                    "gates",
                    "name",
                    "state",
                    "type",
                    "status",
                    "reason",
                    "outcome",
                    "startedAt",
                    "memory",
                    "paused",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    status=st.dictionaries(st.sampled_from(["rollout", "history", "conditions", "slots"]), _JSON, max_size=4),
    other=st.dictionaries(st.sampled_from(["rollout", "history", "conditions"]), _JSON, max_size=3),
)
def test_no_status_is_too_odd(status: dict[str, Any], other: dict[str, Any]) -> None:
    """Whatever stands in a status, nobody's pass fails over it, and ids are unique in it."""
    found = moments(deployment(status), now=NOW)
    assert len({moment.id for moment in found}) == len(found)
    news(deployment(status), deployment(other), now=NOW)


@given(
    stage=st.sampled_from(
        ["Starting", "ScalingUp", "Stepping", "PostTraffic", "Baking", "RollingBack", "CleaningUp"]
    ),
    entries=st.lists(
        st.sampled_from(["Succeeded", "RolledBack", "Failed", "Aborted", "Superseded"]), max_size=10
    ),
)
def test_every_moment_survives_the_outbox(stage: str, entries: list[str]) -> None:
    """What is written to the shelf is read back as it was."""
    history = [ended(outcome, id=f"h{number}") for number, outcome in enumerate(entries)]
    for found in moments(deployment({"rollout": rollout(stage), "history": history}), now=NOW):
        assert Moment.read(found.kept()) == found
        assert found.title
        assert found.event in EVENTS
