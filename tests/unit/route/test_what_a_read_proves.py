"""What a read of the rules proves: which rules are wrong, and which backends that acknowledges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sluice.plan.route.desired import BackendFacts, DesiredRule
from sluice.plan.route.planner import PlannedRule
from sluice.plan.route.proof import Proof, acknowledgements, verify
from unit.route.standing import LISTENER, A, B, forward, path, stands, traffic, wanted

SPLIT = {A: 90, B: 10}
RULE = wanted(weights=SPLIT)
SEEN = stands(RULE, 30, Actions=forward(a=90, b=10))


def planned(rule: DesiredRule = RULE, **members: Any) -> PlannedRule:
    """Return a rule that stands at 30."""
    plain: dict[str, Any] = {"desired": rule, "priority": 30, "arn": "arn:rule/30"}
    return PlannedRule(**plain | members)


@pytest.mark.parametrize(
    ("rule", "seen", "wrong"),
    [
        pytest.param(planned(), SEEN, "", id="as planned"),
        pytest.param(planned(), None, "is not there", id="nothing there"),
        pytest.param(planned(arn=""), SEEN, "is not there", id="never made"),
        pytest.param(
            planned(), SEEN | {"Actions": forward(a=1)}, "has other weights than were written", id="weights"
        ),
        pytest.param(planned(), {"RuleArn": "x"}, "has other weights than were written", id="no actions"),
        pytest.param(
            planned(),
            SEEN | {"Actions": forward(a=1), "Conditions": []},
            "has other weights than were written",
            id="weights and conditions",
        ),
        pytest.param(
            planned(),
            SEEN | {"Conditions": [path("/b")]},
            "has other conditions than were written",
            id="conditions",
        ),
        pytest.param(
            planned(foreign="somebody's"), SEEN | {"Actions": forward(a=1)}, "", id="weights that are left"
        ),
        pytest.param(
            planned(foreign="somebody's"),
            SEEN | {"Actions": forward(a=1), "Conditions": []},
            "has other conditions than were written",
            id="conditions beside weights that are left",
        ),
        pytest.param(
            planned(replace(RULE, weights=None)), SEEN | {"Actions": forward(b=1)}, "", id="no weights wanted"
        ),
        pytest.param(
            planned(replace(RULE, weights=None)),
            SEEN | {"Conditions": []},
            "has other conditions than were written",
            id="no weights wanted, but other conditions",
        ),
        pytest.param(
            planned(replace(RULE, sticky=300)),
            SEEN | {"Actions": forward(300, a=90, b=10)},
            "",
            id="sessions as asked for",
        ),
        pytest.param(
            planned(replace(RULE, sticky=300)),
            SEEN,
            "keeps sessions otherwise than was written",
            id="no sessions",
        ),
        pytest.param(planned(), SEEN | {"Actions": forward(60, a=90, b=10)}, "", id="a person's sessions"),
    ],
)
def test_what_is_wrong_with_a_rule(rule: PlannedRule, seen: dict[str, Any] | None, wrong: str) -> None:
    """The first thing that is not as written, in words."""
    proof = verify([rule], {} if seen is None else {"arn:rule/30": seen}, at=7.0)
    told = {f"{LISTENER}|main/1": f"rule main/1 {wrong}"} if wrong else {}
    assert proof == Proof(wrong=told, at=7.0)


# Acknowledgements.

OLD = {"name": "web", "seq": 2, "hash": "old", "desired": {"a": 1}, "foreign": "was so", "verifiedAt": 1.0}
KEPT = {"name": "web", "seq": 2, "hash": "old", "desired": {"a": 900, "b": 100}, "verifiedAt": 1.0}
PUBLISHED = traffic(weights={"b": 100, "a": 900})
NEW = {
    "name": "web",
    "uid": "uid-web",
    "rolloutId": "r1",
    "seq": 3,
    "hash": PUBLISHED.hash,
    "routeGeneration": 4,
    "desired": {"a": 900, "b": 100},
    "configured": {"a": 900, "b": 100},
    "verifiedAt": 7.0,
}
FINE, BAD = Proof(wrong={}, at=7.0), Proof(wrong={f"{LISTENER}|main/1": "rule main/1 is not there"}, at=7.0)
OTHER = wanted("main/2", "/b")
TEST = replace(RULE, name="main/3", role="test", weights=None)


def told(
    rules: list[PlannedRule],
    proof: Proof | None,
    *,
    desired: list[DesiredRule] | None = None,
    previous: dict[str, Any] | None = None,
    **members: Any,
) -> list[dict[str, Any]]:
    """Return `status.backends`, with `previous` the one before."""
    return acknowledgements(
        {"backends": [previous]} if previous else {},
        generation=4,
        backends={"web": BackendFacts(exists=True, traffic=replace(PUBLISHED, **members))},
        desired=[rule.desired for rule in rules] if desired is None else desired,
        rules=rules,
        proof=proof,
    )


@pytest.mark.parametrize(
    ("rules", "proof", "members", "expected"),
    [
        pytest.param([planned()], FINE, {}, [NEW], id="read back as planned"),
        pytest.param([planned(), planned(OTHER)], FINE, {}, [NEW], id="all of two rules"),
        pytest.param([planned()], None, {"previous": OLD}, [KEPT], id="not read: the last one stays"),
        pytest.param([planned()], None, {}, [], id="not read, and none before"),
        pytest.param([planned()], BAD, {"previous": OLD}, [KEPT], id="wrong"),
        pytest.param([planned(), planned(OTHER)], BAD, {"previous": OLD}, [KEPT], id="one of two is wrong"),
        pytest.param(
            [planned()],
            Proof(wrong={f"{LISTENER}|main/2": "x"}, at=7.0),
            {},
            [NEW],
            id="a rule of another backend is wrong",
        ),
        pytest.param([], FINE, {"previous": OLD}, [KEPT], id="no rule of it"),
        pytest.param(
            [planned()], FINE, {"desired": [RULE, OTHER], "previous": OLD}, [KEPT], id="one was not planned"
        ),
        pytest.param([planned(replace(RULE, weights=None))], FINE, {}, [], id="one has no weights"),
        pytest.param(
            [planned(), planned(replace(OTHER, weights=None))], FINE, {}, [], id="one of two has no weights"
        ),
        pytest.param(
            [planned()],
            FINE,
            {"desired": [RULE, replace(OTHER, backends=("pay",))]},
            [NEW],
            id="another's rule",
        ),
        pytest.param([planned(), planned(TEST)], FINE, {}, [], id="a test rule counts"),
    ],
)
def test_what_acknowledges_a_backend(
    rules: list[PlannedRule], proof: Proof | None, members: dict[str, Any], expected: list[dict[str, Any]]
) -> None:
    """Every rule that sends to it was planned with weights and read back so; else the last one stays."""
    assert told(rules, proof, **members) == expected


@pytest.mark.parametrize("role", ["test", "header"])
def test_a_rollback_waits_for_production_alone(role: Any) -> None:
    """Neither for a test listener nor for a header rule."""
    beside = planned(replace(TEST, role=role))
    back = NEW | {"hash": replace(PUBLISHED, rollback=True).hash}
    assert told([planned(), beside], FINE, rollback=True) == [back]
    assert told([beside], FINE, rollback=True) == []


def test_foreign_weights_make_an_acknowledgement_not_count() -> None:
    """It names the rules; the next proof takes the words away."""
    two = [planned(foreign="one is so"), planned(OTHER), planned(OTHER, foreign="two is so")]
    halted = KEPT | {"hash": "", "foreign": "one is so; two is so"}
    assert told(two, FINE, previous=OLD) == [halted]
    assert told(two, FINE) == [
        {"name": "web", "desired": KEPT["desired"], "hash": "", "foreign": "one is so; two is so"}
    ]
    assert told([planned()], FINE, previous=halted) == [NEW]


def test_only_what_publishes_is_acknowledged() -> None:
    """By name; who publishes nothing has nothing to be proven."""
    backends = {
        "web": BackendFacts(exists=True, traffic=PUBLISHED),
        "none": BackendFacts(exists=True),
        "pay": BackendFacts(exists=True, traffic=replace(PUBLISHED, uid="uid-pay")),
    }
    rules = [planned(replace(RULE, backends=("web", "none", "pay")))]
    entries = acknowledgements(
        {}, generation=4, backends=backends, desired=[rules[0].desired], rules=rules, proof=FINE
    )
    assert [(entry["name"], entry["uid"]) for entry in entries] == [("pay", "uid-pay"), ("web", "uid-web")]
