"""Which numbers of its range a rule gets: to the very ends, between what it can meet, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.model.errors import Refused
from sluice.plan.route.intent import HostClass, Match, PathType, precedence
from sluice.plan.route.priorities import Ladder, Taken

WIDE = (1, 48_001)
"""Seven eighths of it are 42,000 numbers: a third of them for each class of hosts."""


def taken(order: int, path: str = "/a") -> Taken:
    """Return a rule for every host and any path before and after which others sort by `order`."""
    conditions = ({"Field": "path-pattern", "PathPatternConfig": {"Values": [path]}},)
    return Taken(f"2999.3000.1.99.99.1.2027/shop/{order}.0", conditions)


def ladder(rules: dict[int, Taken], reserved: tuple[int, int] = (10, 20)) -> Ladder:
    """Return a listener with these rules."""
    return Ladder(rules, reserved=reserved, listener="sandbox:80")


def placed(rules: dict[int, Taken], order: int = 5, **members: Any) -> int | str:
    """Return the number that a new rule gets, or what its refusal tells of the numbers in between."""
    try:
        return ladder(rules, **members).place(taken(order))
    except Refused as refused:
        return f"{refused.reason}: {refused.message.partition('between ')[2].partition(' (')[0]}"


@pytest.mark.parametrize(
    ("others", "number", "kept"),
    [
        pytest.param({}, 9, False, id="below the range"),
        pytest.param({}, 10, True, id="the first number"),
        pytest.param({}, 20, True, id="the last number"),
        pytest.param({}, 21, False, id="above the range"),
        pytest.param({15: taken(1)}, 16, True, id="right after what comes before it"),
        pytest.param({15: taken(1)}, 14, False, id="before what comes before it"),
        pytest.param({15: taken(9)}, 14, True, id="right before what comes after it"),
        pytest.param({15: taken(9)}, 16, False, id="after what comes after it"),
        pytest.param({15: taken(9, "/b")}, 16, True, id="after what it never meets"),
        pytest.param({12: taken(1), 14: taken(2)}, 13, False, id="the last of two before it counts"),
        pytest.param({12: taken(8), 14: taken(9)}, 13, False, id="the first of two after it counts"),
        pytest.param({10: taken(1), 20: taken(9)}, 15, True, id="both ends taken"),
        pytest.param({10: taken(5), 20: taken(5)}, 15, True, id="an equal has no order"),
        pytest.param({12: taken(9), 16: taken(1)}, 18, True, id="of a contradiction the rule before wins"),
        pytest.param({1: taken(9), 30: taken(1)}, 15, True, id="what stands outside of the range"),
        pytest.param({15: taken(1)}, 15, True, id="its own number with the tag that it had before"),
    ],
)
def test_a_rule_stays_where_it_is_in_order(others: dict[int, Taken], number: int, *, kept: bool) -> None:
    """In the range, after all that goes before it and before all that goes after it."""
    ground = ladder(others)
    vacant = ground.vacant(number)
    assert ground.keeps(number, taken(5)) is kept
    assert ground.vacant(number) is (vacant and not kept)  # what is kept is noted for those that come next


@pytest.mark.parametrize(
    ("others", "number"),
    [
        pytest.param({}, 17, id="every path of every host belongs near the end"),
        pytest.param({17: Taken()}, 19, id="the next one up"),
        pytest.param({17: Taken(), 19: Taken()}, 15, id="the next one down"),
        pytest.param({n: Taken() for n in range(12, 21)}, 11, id="the first production number"),
        pytest.param({13: taken(9)}, 11, id="before what comes after it"),
        pytest.param({17: taken(1)}, 19, id="after what comes before it"),
        pytest.param({18: taken(1)}, 19, id="never right after: a twin has to fit in between"),
        pytest.param({11: taken(1), 15: taken(9)}, 13, id="between the two"),
        pytest.param(
            {11: taken(1), 13: taken(9)},
            "QuotaExceeded: 12 and 12",
            id="no production number between the two",
        ),
        pytest.param({10: taken(9)}, "QuotaExceeded: 10 and 9", id="nothing before the first number"),
        pytest.param({20: taken(1)}, "QuotaExceeded: 21 and 20", id="nothing after the last one"),
        pytest.param({n: Taken() for n in range(10, 21)}, "QuotaExceeded: 10 and 20", id="all taken"),
        pytest.param({30: taken(1)}, 17, id="what goes before it stands above the range"),
        pytest.param({1: taken(9)}, 17, id="what goes after it stands below the range"),
    ],
)
def test_a_new_rule_gets_a_production_number_in_order(others: dict[int, Taken], number: int | str) -> None:
    """Every second number from the second on; a refusal names the numbers that were looked at."""
    assert placed(others) == number


def test_another_tenants_range_does_not_stall_a_route() -> None:
    """A rule of a range further up goes before ours by precedence, ALB goes by number: ours stays."""
    theirs = {30: taken(1)}
    assert ladder(theirs).keeps(15, taken(5))
    assert placed(theirs) == 17


def test_the_place_of_a_rule_in_the_first_number() -> None:
    """A range that begins with ALB's first number is no other than the rest."""
    assert placed({1: taken(9)}, reserved=(1, 9)) == "QuotaExceeded: 1 and 0"
    assert placed({n: Taken() for n in range(3, 10)}, reserved=(1, 9)) == 2


@pytest.mark.parametrize(
    ("number", "text"),
    [
        pytest.param(9, "outside of the range 10-20", id="below"),
        pytest.param(10, "", id="first"),
        pytest.param(20, "", id="last"),
        pytest.param(21, "outside of the range 10-20", id="above"),
    ],
)
def test_a_fixed_priority_may_be_any_of_the_range(number: int, text: str) -> None:
    """Both ends are ours."""
    if text:
        with pytest.raises(Refused, match=text):
            ladder({}).claim(number, taken(5), field="spec.rules[main].priority")
    else:
        assert ladder({}).claim(number, taken(5), field="spec.rules[main].priority") == number


# Twins.


@pytest.mark.parametrize(
    ("others", "number"),
    [
        pytest.param({}, 14, id="right before"),
        pytest.param({14: Taken()}, 13, id="the next free one"),
        pytest.param({n: Taken() for n in range(11, 15)}, 10, id="the first number of the range"),
        pytest.param({n: Taken() for n in range(10, 15)}, "between 10 and 14", id="none of the range"),
        pytest.param({12: taken(1), 13: Taken(), 14: Taken()}, "between 13 and 14", id="not before ours"),
        pytest.param({10: taken(1), 14: Taken()}, 13, id="after ours at the first number"),
        pytest.param(
            {10: taken(1)} | {n: Taken() for n in range(11, 15)}, "between 11 and 14", id="ours is the first"
        ),
        pytest.param({11: taken(1), 13: taken(2), 14: Taken()}, "between 14 and 14", id="the last of ours"),
        pytest.param({12: taken(9), 13: Taken(), 14: Taken()}, 11, id="before ours that comes after it"),
        pytest.param({13: taken(5), 14: Taken()}, 12, id="before an equal"),
        pytest.param({13: taken(1, "/b"), 14: Taken()}, 12, id="before what it never meets"),
        pytest.param({9: taken(1), 17: taken(1)}, 14, id="what is not in between has no say"),
        pytest.param({15: taken(1)}, 14, id="its production rule may have another's tag yet"),
    ],
)
def test_a_twin_goes_right_before_its_rule(others: dict[int, Taken], number: int | str) -> None:
    """The nearest free number down to the range's first, but never before ours that goes first."""
    ground = ladder({15: taken(5)} | others)
    if isinstance(number, int):
        assert ground.twin(15, taken(5)) == number
        assert not ground.vacant(number)
    else:
        with pytest.raises(Refused, match=f"{number} for the header rule before rule 15;"):
            ground.twin(15, taken(5))


@pytest.mark.parametrize(
    ("others", "number", "kept"),
    [
        pytest.param({}, 14, True, id="right before"),
        pytest.param({}, 10, True, id="the first number"),
        pytest.param({}, 9, False, id="below the range"),
        pytest.param({}, 15, False, id="at its rule's number"),
        pytest.param({}, 16, False, id="after it"),
        pytest.param({12: taken(1)}, 13, True, id="after ours that goes first"),
        pytest.param({12: taken(1)}, 11, False, id="before ours that goes first"),
    ],
)
def test_a_twin_stays_where_it_is_in_order(others: dict[int, Taken], number: int, *, kept: bool) -> None:
    """Before its rule, wherever a free number was found; what is kept is noted for those that come next."""
    ground = ladder({15: taken(5)} | others)
    vacant = ground.vacant(number)
    assert ground.keeps_twin(number, 15, taken(5)) is kept
    assert ground.vacant(number) is (vacant and not kept)


# Where a rule belongs on a listener that is empty.

JITTER = 128
"""Equal kinds begin within as many numbers: 0.55 / 180 of the 42,000."""


@pytest.mark.parametrize(
    ("hosts", "path", "first"),
    [
        pytest.param("exact", ("Exact", "/"), 3_442, id="the shortest exact path"),
        pytest.param("exact", ("Exact", "/" * 30), 1_750, id="an exact path"),
        pytest.param("exact", ("Exact", "/" * 60), 0, id="the longest exact path"),
        pytest.param("exact", ("Exact", "/" * 90), 0, id="longer ones share its place"),
        pytest.param("exact", ("PathPrefix", "/a"), 10_943, id="a short prefix"),
        pytest.param("exact", ("PathPrefix", "/" * 30), 7_350, id="a prefix"),
        pytest.param("exact", ("PathPrefix", "/" * 59), 3_628, id="a long prefix"),
        pytest.param("exact", ("PathPrefix", "/" * 60), 3_500, id="the longest prefix"),
        pytest.param("exact", ("RegularExpression", "/" * 30), 11_900, id="a regular expression"),
        pytest.param("exact", None, 12_600, id="any path"),
        pytest.param("exact", ("PathPrefix", "/"), 12_600, id="the prefix of every path"),
        pytest.param("wildcard", ("Exact", "/" * 60), 14_000, id="wildcards: the second third"),
        pytest.param("none", ("Exact", "/" * 60), 28_000, id="every host: the last third"),
        pytest.param("none", None, 40_600, id="everything: before the top eighth"),
    ],
)
def test_bands(hosts: HostClass, path: tuple[PathType, str] | None, first: int) -> None:
    """Hosts in thirds, kinds of paths inside them, longer paths first: room for what will come between."""
    match = Match(path=path)
    found = set()
    for number in range(40):
        age = f"2027/shop/{number}"
        rank = precedence(match, host=hosts, longest_host=4, age=age, order="0")
        found.add(ladder({}, WIDE).place(Taken(rank, ({"Field": "none"},))) - WIDE[0])
    assert min(found) >= first
    assert max(found) <= first + JITTER
    assert len(found) > 20, "routes that are made at once begin at different places"


def test_a_small_range_begins_where_its_kinds_belong() -> None:
    """Too few numbers to spread equal kinds: each gets the one next to its place."""
    kinds: list[tuple[HostClass, Match]] = [
        ("exact", Match(path=("Exact", "/x"))),
        ("wildcard", Match(path=("Exact", "/x"))),
        ("none", Match()),
    ]
    ranks = [precedence(match, host=hosts, longest_host=4, age="2027", order="0") for hosts, match in kinds]
    assert [ladder({}, (100, 200)).place(Taken(rank)) for rank in ranks] == [107, 137, 185]
