"""One listener's plan, line by line: what is made, moved, taken over, left alone and told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sluice.model.binding import Priority
from sluice.model.ownership import ROLE, from_elb
from sluice.plan.route.intent import PRECEDENCE
from sluice.plan.route.planner import Memory, RulePlan
from unit.route.standing import LISTENER, NOTHING, A, B, forward, listener, planned, stands, wanted

OLD, NEW = wanted("main/old", "/a", "/a/*"), wanted("main/new", "/a/b")
SPLIT = {A: 90, B: 10}
PLACE = (LISTENER, "main/1")


def operations(done: RulePlan) -> list[str]:
    """Return the operations of a plan."""
    return [action.operation for action in done.actions]


def another_routes(*, order: int, at: int) -> dict[str, Any]:
    """Return a rule of another route that meets the same requests."""
    seen = stands(wanted("other/1", order=order), at)
    return seen | {"Tags": seen["Tags"] | {"sluice.dev/name": "other"}}


def numbers(done: RulePlan) -> dict[str, int]:
    """Return where each rule is or will be."""
    return {rule.desired.name: rule.priority for rule in done.rules}


# What goes, and when.


@pytest.mark.parametrize(
    ("rules", "seen", "expected"),
    [
        pytest.param([NEW], [], ["CreateRule", "DeleteRule"], id="the new one takes its requests"),
        pytest.param([replace(NEW, weights=None)], [], [], id="the new one would, but has no weights yet"),
        pytest.param([replace(NEW, may_begin=False)], [], [], id="the new one would, but its backend goes"),
        pytest.param(
            [wanted("main/new", "/b", weights=None)], [], ["DeleteRule"], id="the new one never meets it"
        ),
        pytest.param(
            [replace(NEW, weights=None)],
            [stands(NEW, 11)],
            ["DeleteRule"],
            id="the new one is there, whatever its backend says now",
        ),
        pytest.param([], [], ["DeleteRule"], id="there is no new one"),
    ],
)
def test_a_rule_goes_once_its_requests_have_another(
    rules: list[Any], seen: list[dict[str, Any]], expected: list[str]
) -> None:
    """It stays while a rule that could take over its requests is still to come."""
    assert operations(planned(*rules, on=listener(stands(OLD, 21), *seen))) == expected


def test_a_rule_without_conditions_is_not_kept_for_anybody() -> None:
    """Everything meets what has no condition: it waits for the rule that is to come."""
    bare = stands(OLD, 21)
    del bare["Conditions"]
    assert operations(planned(replace(NEW, weights=None), on=listener(bare))) == []


# Numbers.


def test_two_rules_change_places() -> None:
    """Each wants the number of the other: one call for both, as ALB gives a number once."""
    one, two = wanted("main/1", "/a", priority=30), wanted("main/2", "/b", priority=20)
    done = planned(one, two, on=listener(stands(one, 20), stands(two, 30)))
    (action,) = done.actions
    assert (action.operation, numbers(done)) == ("SetRulePriorities", {"main/1": 30, "main/2": 20})
    assert {entry["RuleArn"]: entry["Priority"] for entry in action.params["RulePriorities"]} == {
        "arn:rule/20": 30,
        "arn:rule/30": 20,
    }
    assert action.subject == "rule main/1, rule main/2 of sandbox:80"
    assert action.reason == "priority main/1 → 30, main/2 → 20"


@pytest.mark.parametrize(
    ("rule", "others", "number"),
    [
        pytest.param(wanted(), [], 400, id="in order where it stands"),
        pytest.param(wanted(priority=400), [], 400, id="at the number that the spec asks for"),
        pytest.param(wanted(priority=500), [], 500, id="at another one"),
        pytest.param(wanted(), [another_routes(order=1, at=49_998)], 50_000, id="before what goes first"),
        pytest.param(wanted(), [another_routes(order=9, at=600)], 400, id="before what goes after it"),
    ],
)
def test_a_rule_that_stands_moves_only_when_it_has_to(
    rule: Any, others: list[dict[str, Any]], number: int
) -> None:
    """Out of order, or by the spec's word."""
    done = planned(rule, on=listener(stands(rule, 400), *others))
    assert numbers(done) == {"main/1": number}
    assert operations(done) == ([] if number == 400 else ["SetRulePriorities"])


def test_a_number_that_stays_is_never_given_away() -> None:
    """A rule that stands where it should is not in the way, and nobody gets its number."""
    stay = wanted("main/1", "/a")
    at = numbers(planned(stay))["main/1"]
    seen = stands(stay, at)
    for other in (wanted("main/2", "/b", order=4), wanted("main/2", "/b", order=6)):
        assert numbers(planned(stay, other, on=listener(seen)))["main/2"] != at
    fixed = wanted("main/2", "/b", priority=at)
    taken = planned(replace(stay, priority=at), on=listener(seen))
    assert (taken.actions, numbers(taken)) == ((), {"main/1": at})
    with pytest.raises(Exception, match="is taken by another rule"):
        planned(stay, fixed, on=listener(seen))


@pytest.mark.parametrize(
    ("others", "number"),
    [
        pytest.param([], 40_000, id="free and in order"),
        pytest.param([another_routes(order=9, at=40_000)], 39_998, id="taken by now"),
        pytest.param([another_routes(order=1, at=49_998)], 50_000, id="out of order by now"),
    ],
)
def test_an_intended_number_is_taken_where_it_still_can(others: list[dict[str, Any]], number: int) -> None:
    """Status had it before the crash; a rule that came since has its say."""
    memory = Memory(priorities={PLACE: 40_000}, known=frozenset(), settled=False)
    assert numbers(planned(wanted(), on=listener(*others), memory=memory)) == {"main/1": number}


@pytest.mark.parametrize("reserved", [(1_000, 1_999), (5_000, 5_999)], ids=["down", "up"])
def test_a_range_that_moved_takes_all_rules_along(reserved: tuple[int, int]) -> None:
    """The tenancy's rule was edited: each rule goes to its place in the new range, in order as before."""
    first, second = wanted("main/1", order=1), wanted("main/2", order=2)
    seen = listener(stands(first, 3_100), stands(second, 3_500), reserved=reserved)
    places = numbers(planned(first, second, on=seen))
    assert reserved[0] <= places["main/1"] < places["main/2"] <= reserved[1]


# A number of its own passes from the rule that goes to the one that comes.


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param({}, ["ModifyRule", "AddTags"], id="can be made"),
        pytest.param({"weights": None}, [], id="without weights yet"),
        pytest.param({"may_begin": False}, [], id="to a backend that goes"),
    ],
)
def test_a_fixed_number_is_taken_over(members: dict[str, Any], expected: list[str]) -> None:
    """Its conditions and tags become the new rule's: no moment without a rule, no number given twice."""
    new = replace(NEW, priority=30, **members)
    done = planned(new, on=listener(stands(OLD, 30)))
    assert operations(done) == expected
    if expected:
        assert done.actions[0].params["Conditions"] == [dict(c) for c in NEW.conditions]
        assert from_elb(done.actions[1].params["Tags"])["sluice.dev/route-rule"] == "main/new"


def test_a_rule_that_stands_takes_nothing_over() -> None:
    """It moves to its number once the rule that goes has left it."""
    rule = replace(NEW, priority=31)
    done = planned(rule, replace(OLD, priority=30), on=listener(stands(rule, 31), stands(OLD, 30)))
    assert done.actions == ()


# Header rules.

TWIN = wanted("main/twin", role="header", twin="main/1", weights={B: 1})


@pytest.mark.parametrize(
    ("seen", "intended", "number"),
    [
        pytest.param([], None, 399, id="right before its rule"),
        pytest.param([], 250, 250, id="where status meant it to be"),
        pytest.param([], 401, 399, id="status meant it after its rule"),
        pytest.param([{"Priority": "250", "Tags": {}, "RuleArn": "x"}], 250, 399, id="taken by now"),
        pytest.param([stands(TWIN, 250)], None, 250, id="stands before its rule"),
        pytest.param([stands(TWIN, 450)], None, 399, id="stands after its rule"),
    ],
)
def test_a_twin_stands_before_its_rule(seen: list[dict[str, Any]], intended: int | None, number: int) -> None:
    """Wherever there was room, but never after; it moves with one call."""
    priorities = {} if intended is None else {(LISTENER, "main/twin"): intended}
    memory = Memory(priorities=priorities, known=frozenset(), settled=False)
    rule = wanted(priority=400)
    done = planned(TWIN, rule, on=listener(stands(rule, 400), *seen), memory=memory)
    assert numbers(done) == {"main/1": 400, "main/twin": number}
    assert done.problems == ()


def test_a_twin_without_its_rule_waits() -> None:
    """Its production rule has no weights and is not there: nothing is made, one that stands is left."""
    rule = wanted(weights=None)
    assert planned(TWIN, rule).actions == ()
    stays = planned(TWIN, rule, on=listener(stands(TWIN, 250, Actions=forward(b=1))))
    assert (stays.actions, numbers(stays)) == ((), {"main/twin": 250})


def test_a_twin_has_the_tag_of_its_role_and_no_place_in_the_order() -> None:
    """A precedence tag would put it into production's order."""
    done = planned(TWIN, wanted())
    tags = {tags[ROLE]: tags.get(PRECEDENCE) for tags in (from_elb(a.params["Tags"]) for a in done.actions)}
    assert tags == {"rule": wanted().precedence, "header-rule": None}
    edited = stands(TWIN, 250, Actions=forward(b=1))
    edited["Tags"][ROLE] = "rule"
    rule = wanted(priority=400)
    (action,) = planned(TWIN, rule, on=listener(stands(rule, 400), edited)).actions
    assert (action.operation, from_elb(action.params["Tags"])) == ("AddTags", {ROLE: "header-rule"})
    assert action.priority is Priority.DRIFT


# Sessions.


@pytest.mark.parametrize(
    ("wish", "ours", "seen", "left"),
    [
        pytest.param(None, True, 300, {"Enabled": False}, id="ours, and no longer asked for"),
        pytest.param(None, False, 300, None, id="a person's"),
        pytest.param(60, True, 300, {"Enabled": True, "DurationSeconds": 60}, id="ours, and other seconds"),
        pytest.param(300, True, 300, None, id="as asked for"),
        pytest.param(0, True, 300, {"Enabled": False}, id="a survivor alone"),
        pytest.param(None, True, 0, None, id="ended already"),
    ],
)
def test_sessions_that_are_ours_end(wish: int | None, ours: bool, seen: int, left: Any) -> None:  # noqa: FBT001 - a table's column
    """What Sluice began it ends, what a person began it leaves."""
    memory = replace(NOTHING, sticky=frozenset({PLACE} if ours else ()))
    rule = wanted(weights=SPLIT, sticky=wish, priority=30)
    on = listener(stands(rule, 30, Actions=forward(seen, a=90, b=10)))
    done = planned(rule, on=on, memory=memory)
    written = [
        action.params["Actions"][0]["ForwardConfig"]["TargetGroupStickinessConfig"] for action in done.actions
    ]
    assert written == ([left] if left else [])


def test_a_rule_is_made_with_sessions_only_where_there_are_any() -> None:
    """A rule that begins with a survivor alone says nothing of sessions."""
    for sticky, written in ((300, {"Enabled": True, "DurationSeconds": 300}), (0, None), (None, None)):
        (action,) = planned(wanted(weights=SPLIT, sticky=sticky)).actions
        config = action.params["Actions"][0]["ForwardConfig"]
        assert config.get("TargetGroupStickinessConfig") == written


# What is told.


@pytest.mark.parametrize(
    ("known", "settled", "told"),
    [
        pytest.param(True, True, True, id="it was there and all was proven"),
        pytest.param(False, True, False, id="it is new"),
        pytest.param(True, False, False, id="a pass was cut short"),
    ],
)
def test_a_rule_that_was_deleted_by_hand_is_told(known: bool, settled: bool, told: bool) -> None:  # noqa: FBT001 - a table's columns
    """Made again in any case; an event only where somebody else must have deleted it."""
    memory = Memory(priorities={}, known=frozenset({PLACE} if known else ()), settled=settled)
    done = planned(wanted(), memory=memory)
    assert operations(done) == ["CreateRule"]
    text = "rule main/1 of sandbox:80 was deleted by somebody else; created again"
    assert [note.message for note in done.notes] == ([text] if told else [])


WRITTEN = Memory(
    priorities={}, known=frozenset({PLACE}), settled=False, written={PLACE: frozenset({"web-a=1"})}
)
EDITED = "rule main/1 of sandbox:80 was changed by somebody else; repaired: "


@pytest.mark.parametrize(
    ("rule", "seen", "memory", "note"),
    [
        pytest.param({}, {}, replace(WRITTEN, settled=True), "", id="nothing differs"),
        pytest.param(
            {"weights": SPLIT},
            {},
            replace(WRITTEN, settled=True),
            f"{EDITED}weights web-a=1 → web-a=90, web-b=10",
            id="weights after all was proven",
        ),
        pytest.param({"weights": SPLIT}, {}, WRITTEN, "", id="our own weights, on the way"),
        pytest.param(
            {"weights": SPLIT},
            {"Actions": forward(b=1)},
            WRITTEN,
            f"{EDITED}weights web-b=1 → web-a=90, web-b=10",
            id="weights that we never wrote",
        ),
        pytest.param({"weights": SPLIT}, {"Actions": forward(b=1)}, NOTHING, "", id="nothing is remembered"),
        pytest.param(
            {"weights": SPLIT, "reassert": False},
            {"Actions": forward(b=1)},
            WRITTEN,
            "",
            id="left as they are",
        ),
        pytest.param({}, {"Conditions": []}, WRITTEN, "", id="conditions, on the way"),
        pytest.param(
            {"weights": None},
            {"Conditions": []},
            replace(WRITTEN, settled=True),
            f"{EDITED}conditions differ from the spec's",
            id="conditions while weights are not known",
        ),
        pytest.param(
            {"weights": None}, {"Conditions": [], "Actions": forward(b=1)}, WRITTEN, "", id="weights unknown"
        ),
        pytest.param(
            {"priority": 40},
            {},
            replace(WRITTEN, settled=True),
            f"{EDITED}priority 30 → 40",
            id="its number",
        ),
    ],
)
def test_an_edit_by_somebody_else_is_told(
    rule: dict[str, Any], seen: dict[str, Any], memory: Memory, note: str
) -> None:
    """An event says what was put back; what Sluice itself was about to write is no edit."""
    wish = wanted(**{"priority": 30} | rule)
    done = planned(wish, on=listener(stands(wish, 30, **seen)), memory=memory)
    assert [entry.message for entry in done.notes] == ([note] if note else [])


@pytest.mark.parametrize(
    ("members", "seen", "foreign"),
    [
        pytest.param({}, forward(b=1), True, id="weights that we never wrote"),
        pytest.param({}, forward(a=1), False, id="weights that we wrote"),
        pytest.param({}, forward(a=90, b=10), False, id="weights that we want"),
        pytest.param({"reassert": True}, forward(b=1), False, id="overwritten"),
        pytest.param({"role": "test"}, forward(b=1), False, id="a test rule is ours to write"),
        pytest.param({"weights": None}, forward(b=1), False, id="we want nothing yet"),
    ],
)
def test_whose_weights_they_are(
    members: dict[str, Any], seen: list[dict[str, Any]], *, foreign: bool
) -> None:
    """Only production's weights that are none of ours halt a rollout, and only when it asks for that."""
    plain: dict[str, Any] = {"weights": SPLIT, "reassert": False, "priority": 30}
    rule = wanted(**plain | members)
    done = planned(rule, on=listener(stands(rule, 30, Actions=seen)), memory=WRITTEN)
    assert [problem.reason for problem in done.problems] == (["DriftHalted"] if foreign else [])
    text = "rule main/1 of sandbox:80 has web-b=1 instead of web-a=90, web-b=10"
    assert [rule.foreign for rule in done.rules] == [text if foreign else ""]


@pytest.mark.parametrize(
    ("members", "urgency", "independent"),
    [
        pytest.param({"rollback": True}, Priority.ROLLBACK, True, id="production in a rollback"),
        pytest.param({"rollback": True, "role": "test"}, Priority.ROLLOUT, False, id="a test rule in one"),
        pytest.param({}, Priority.ROLLOUT, False, id="production in a rollout"),
    ],
)
def test_a_rollback_is_written_first_and_rule_by_rule(
    members: dict[str, Any], urgency: Priority, *, independent: bool
) -> None:
    """One production rule that cannot be written keeps no other from going back."""
    rule = wanted(weights={B: 1}, priority=30, **members)
    (action,) = planned(rule, on=listener(stands(rule, 30))).actions
    assert (action.operation, action.priority, action.independent) == ("ModifyRule", urgency, independent)
    (action,) = planned(rule).actions
    assert (action.operation, action.priority) == ("CreateRule", urgency)
