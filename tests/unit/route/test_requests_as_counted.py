"""What a route's status tells of counted requests: only where they can be compared, and only to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sluice.model.traffic import HeaderRoute
from sluice.plan.route.desired import BackendFacts
from sluice.plan.route.intent import Backend, RouteIntent, RuleIntent
from sluice.plan.route.observed import remark, watched, with_observed, without_observed
from unit.route.standing import traffic

SPLIT = {"a": 900, "b": 100}
AS_CONFIGURED = {"a": 902, "b": 98}
PROVEN = {"name": "web", "seq": 3, "hash": "x", "verifiedAt": 60.5}


def publishes(**members: Any) -> BackendFacts:
    """Return a Deployment between two slots."""
    return BackendFacts(exists=True, traffic=traffic(**{"weights": SPLIT} | members))


def route(*rules: tuple[str, int]) -> RouteIntent:
    """Return a route: each rule's backend, and the seconds of its sessions."""
    made = tuple(
        RuleIntent(
            name=f"r{number}",
            matches=(),
            backends=(Backend(name="idle", port="http"), Backend(name=name, port="http")),
            session_seconds=seconds,
        )
        for number, (name, seconds) in enumerate(rules)
    )
    return RouteIntent(hostnames=(), rules=made, age="2027")


def told(
    entry: Mapping[str, Any],
    facts: BackendFacts,
    *,
    counts: Mapping[str, int] | None = AS_CONFIGURED,
    intent: RouteIntent | None = None,
    tested: bool = False,
) -> tuple[dict[str, Any], list[tuple[str, float]]]:
    """Return an entry of `status.backends` with what was counted, and what was asked to be counted."""
    asked: list[tuple[str, float]] = []

    def counted(name: str, since: float) -> Mapping[str, int] | None:
        asked.append((name, since))
        return counts

    (found,) = with_observed(
        [entry], backends={"web": facts}, intent=intent or route(("web", 0)), tested=tested, counted=counted
    )
    return found, asked


def test_requests_are_counted_from_the_proof_on() -> None:
    """Slots, requests and a verdict stand beside the acknowledgement, which stays what it was."""
    found, asked = told(PROVEN, publishes())
    assert found == PROVEN | {"observed": AS_CONFIGURED, "observedVerdict": "as configured"}
    assert asked == [("web", 60.5)]
    assert without_observed(found) == PROVEN


@pytest.mark.parametrize(
    ("entry", "facts"),
    [
        pytest.param(PROVEN, BackendFacts(exists=True), id="nothing is published"),
        pytest.param(PROVEN, publishes(weights={"a": 1000}), id="one slot"),
        pytest.param(PROVEN, publishes(weights={"a": 1000, "b": 0}), id="a slot without a share"),
        pytest.param(PROVEN | {"seq": 2}, publishes(), id="not proven for these weights"),
        pytest.param({"name": "web"}, publishes(), id="never proven"),
        pytest.param(PROVEN | {"foreign": "rule main has other weights"}, publishes(), id="foreign weights"),
    ],
)
def test_nothing_is_counted_without_a_split_that_was_proven(
    entry: dict[str, Any], facts: BackendFacts
) -> None:
    """What was told before goes: it was about other weights."""
    found, asked = told(entry | {"observed": {"a": 1}, "observedVerdict": "as configured"}, facts)
    assert (found, asked) == (entry, [])


def test_a_proof_without_a_time_counts_from_the_beginning() -> None:
    """A status of an older version has none."""
    found, asked = told({"name": "web", "seq": 3}, publishes())
    assert asked == [("web", 0.0)]
    assert "observed" in found


@pytest.mark.parametrize("counts", [None, {}], ids=["not known yet", "nothing there"])
def test_without_numbers_nothing_is_said(counts: dict[str, int] | None) -> None:
    """Late numbers are no verdict."""
    assert told(PROVEN, publishes(), counts=counts)[0] == PROVEN


KEEPS = "not comparable: clients keep their slot"


@pytest.mark.parametrize(
    ("rules", "members", "tested", "verdict"),
    [
        pytest.param([("web", 300)], {}, False, KEEPS, id="sessions"),
        pytest.param([("web", 0), ("web", 300)], {}, False, KEEPS, id="sessions in one of its rules"),
        pytest.param([("web", 0), ("pay", 300)], {}, False, "as configured", id="sessions of others"),
        pytest.param(
            [("web", 0)],
            {"header": HeaderRoute(name="X-Canary", value="1", slot="b")},
            True,
            "not comparable: the header X-Canary chooses a slot",
            id="a header",
        ),
        pytest.param(
            [("web", 0)],
            {},
            True,
            "not comparable: the test listener's requests are counted, too",
            id="a test listener",
        ),
    ],
)
def test_what_cannot_be_compared(
    rules: list[tuple[str, int]], members: dict[str, Any], *, tested: bool, verdict: str
) -> None:
    """Chance is not what decides there; the numbers are told all the same."""
    found, _ = told(PROVEN, publishes(**members), intent=route(*rules), tested=tested)
    assert (found["observed"], found["observedVerdict"]) == (AS_CONFIGURED, verdict)


def test_a_person_is_told_of_requests_that_do_not_follow() -> None:
    """By name, and of nothing else."""
    found, _ = told(PROVEN, publishes(), counts={"a": 500, "b": 500})
    fine, _ = told(PROVEN, publishes())
    pay = found | {"name": "pay"}
    verdict = "a has 50.0% of 1000 requests instead of 90.0%; b has 50.0% of 1000 requests instead of 10.0%"
    assert remark([found, fine, PROVEN]) == f"web: {verdict}"
    assert remark([found, pay]) == f"web: {verdict}; pay: {verdict}"
    assert remark([fine]) == ""


def test_whose_requests_are_to_be_counted() -> None:
    """Backends between two slots, by name, with all of their target groups."""
    backends = {
        "web": publishes(),
        "pay": publishes(),
        "still": publishes(weights={"a": 1000, "b": 0}),
        "new": BackendFacts(exists=True),
    }
    targets = traffic().targets
    assert list(watched(backends).items()) == [("pay", targets), ("web", targets)]
