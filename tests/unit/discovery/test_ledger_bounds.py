"""How long operations are waited for, when failures are tried again and told, and what a status may hold."""

from __future__ import annotations

import pytest

from sluice.model.discovery import Operation
from sluice.plan.discovery.ledger import Ledger
from sluice.plan.discovery.memory import Leaving, Memory, Pending

NOW = 50_000.0


def pending(target: str = "t", *, id_: str = "op-1", age: float = 0.0) -> Pending:
    """Return an operation that was meant a while ago."""
    return Pending(kind="register", target=target, id=id_, since=NOW - age)


@pytest.mark.parametrize(
    ("status", "id_", "effect", "seconds"),
    [
        pytest.param("SUCCESS", "op-1", False, 60.0, id="ended, its effect is not seen"),
        pytest.param("SUCCESS", "op-1", None, 60.0, id="ended, its effect was not read"),
        pytest.param(None, "op-1", True, 60.0, id="cannot be read, its effect is seen"),
        pytest.param(None, "op-1", False, 300.0, id="cannot be read, its effect is not seen"),
        pytest.param(None, "", False, 60.0, id="no answer came, its effect is not seen"),
    ],
)
def test_an_operation_is_waited_for_so_long(
    status: str | None, id_: str, seconds: float, *, effect: bool | None
) -> None:
    """At the bound it still counts, a moment later it is forgotten."""
    told = {"op-1": Operation(id="op-1", status=status)} if status else {}  # type: ignore[arg-type]
    for age, left in ((seconds, True), (seconds + 0.5, False)):
        ledger = Ledger(now=NOW, operations={"t": pending(id_=id_, age=age)})
        ledger.track(told, has=lambda _: effect)
        assert ("t" in ledger.operations) is left


@pytest.mark.parametrize("status", ["SUBMITTED", "PENDING"])
def test_an_operation_under_way_is_waited_for_whatever_is_seen(status: str) -> None:
    """Another one on the same instance would be refused."""
    ledger = Ledger(now=NOW, operations={"t": pending(age=1e4)})
    ledger.track({"op-1": Operation(id="op-1", status=status)}, has=lambda _: True)  # type: ignore[arg-type]
    assert "t" in ledger.operations


def test_what_succeeds_ends_a_row_of_failures() -> None:
    """The next failure is the first one again."""
    ledger = Ledger(now=NOW, operations={"t": pending()}, failing={"t": (7, NOW)})
    ledger.track({"op-1": Operation(id="op-1", status="SUCCESS")}, has=lambda _: True)
    assert (ledger.operations, ledger.failing) == ({}, {})


def test_failures_are_told_together_by_what_cloud_map_says() -> None:
    """One note for each reason, with how many of which kind."""
    one = pending("a", id_="op-1")
    two = pending("b", id_="op-2")
    three = Pending(kind="deregister", target="c", id="op-3", since=NOW)
    four = pending("d", id_="op-4")
    ledger = Ledger(now=NOW, operations={one.target: one for one in (one, two, three, four)})
    errors = {"op-1": "THROTTLED", "op-2": "THROTTLED", "op-3": "THROTTLED", "op-4": ""}
    ledger.track(
        {id_: Operation(id=id_, status="FAIL", error=error) for id_, error in errors.items()},
        has=lambda _: False,
    )
    assert [note.message for note in ledger.notes] == [
        "Cloud Map could not carry out 1 deregister, 2 register: THROTTLED; tried again with back-off",
        "Cloud Map could not carry out 1 register: no reason given; tried again with back-off",
    ]
    assert ledger.failing == dict.fromkeys("abcd", (1, NOW + 5))


def test_attempts_come_ever_more_seldom_up_to_five_minutes() -> None:
    """Five seconds, twice as long each time, and never overflowing."""
    ledger = Ledger(now=NOW)
    waits = []
    for _ in range(2_000):
        ledger.attempt("t")
        waits.append(ledger.failing["t"][1] - NOW)
    assert waits[:8] == [5, 10, 20, 40, 80, 160, 300, 300]
    assert waits[-1] == 300
    assert ledger.failures("t") == 2_000
    assert ledger.failures("another") == 0


def test_an_edited_spec_lets_nothing_wait() -> None:
    """Maybe it mends what fails; how often it failed is not forgotten, and nothing moves into the future."""
    ledger = Ledger(now=NOW, failing={"t": (4, NOW + 200), "u": (2, NOW - 30)})
    ledger.hurry()
    assert ledger.failing == {"t": (4, NOW), "u": (2, NOW - 30)}


@pytest.mark.parametrize(
    ("failing", "waits", "wakes"),
    [
        pytest.param({}, False, [], id="never failed"),
        pytest.param({"t": (1, NOW)}, False, [], id="its time has come"),
        pytest.param({"t": (1, NOW + 0.5)}, True, [NOW + 0.5], id="its time is to come"),
    ],
)
def test_what_failed_waits_until_its_time(
    failing: dict[str, tuple[int, float]], wakes: list[float], *, waits: bool
) -> None:
    """Somebody looks then."""
    ledger = Ledger(now=NOW, failing=failing)
    assert (ledger.waits("t"), ledger.wakes) == (waits, wakes)


@pytest.mark.parametrize(
    ("before", "same"),
    [
        pytest.param(pending(id_="", age=9.0), True, id="meant before, without an answer"),
        pytest.param(pending(id_="op-1", age=9.0), False, id="asked for before, with an answer"),
        pytest.param(
            Pending(kind="deregister", target="t", since=NOW - 9), False, id="the opposite was meant before"
        ),
        pytest.param(None, False, id="nothing was meant before"),
    ],
)
def test_what_is_meant_again_is_the_same_request(before: Pending | None, *, same: bool) -> None:
    """Its time is part of the creator request id: Cloud Map answers the same request once."""
    ledger = Ledger(now=NOW, operations={"t": before} if before else {})
    meant = ledger.mean("register", "t")
    assert meant == (before if same else Pending(kind="register", target="t", since=NOW))
    assert ledger.operations == {"t": meant}


DENIED = "ACCESS_DENIED: route53"
SUPPORT = "ask AWS support if they do not end"
AGAIN = "; they are tried again every few minutes"


@pytest.mark.parametrize(
    ("operations", "failing", "failure", "told"),
    [
        pytest.param([], {}, "", None, id="all goes well"),
        pytest.param([pending(age=600.0)], {}, "", None, id="under way for ten minutes"),
        pytest.param(
            [pending("a", id_="op-7", age=600.5), pending("b", id_="op-8", age=700.0), pending("c")],
            {},
            "",
            (
                "AWSRejected",
                f"2 operations of Cloud Map are under way for more than ten minutes: op-7 …; {SUPPORT}",
            ),
            id="under way for longer",
        ),
        pytest.param([pending(id_="", age=900.0)], {}, "", None, id="never answered"),
        pytest.param([], {"t": (2, 0.0)}, "x", None, id="failed twice"),
        pytest.param([], {"protect:t": (9, 0.0)}, "x", None, id="ECS refuses to protect"),
        pytest.param(
            [],
            {"t": (3, 0.0), "u": (1, 0.0)},
            "THROTTLED",
            (
                "AWSRejected",
                f"operations of Cloud Map keep failing (1): THROTTLED{AGAIN}",
            ),
            id="failed three times",
        ),
        pytest.param(
            [pending(age=900.0)],
            {"t": (3, 0.0), "u": (4, 0.0)},
            "",
            (
                "AWSRejected",
                f"operations of Cloud Map keep failing (2): no reason given{AGAIN}",
            ),
            id="failures before what does not end",
        ),
        pytest.param(
            [],
            {"t": (3, 0.0)},
            DENIED,
            (
                "AccessDenied",
                f"operations of Cloud Map keep failing (1): {DENIED}{AGAIN}",
            ),
            id="denied",
        ),
    ],
)
def test_what_does_not_get_on_is_told(
    operations: list[Pending],
    failing: dict[str, tuple[int, float]],
    failure: str,
    told: tuple[str, str] | None,
) -> None:
    """After the third failure in a row, or ten minutes under way; what went wrong once is no condition."""
    ledger = Ledger(
        now=NOW, operations={one.target: one for one in operations}, failing=failing, failure=failure
    )
    assert ledger.stuck() == told


def test_the_words_of_a_failure_are_kept_while_something_fails() -> None:
    """Two thousand characters of them; with the last success they are forgotten."""
    ledger = Ledger(now=NOW, operations={"t": pending()})
    ledger.track({"op-1": Operation(id="op-1", status="FAIL", error="x" * 9_999)}, has=lambda _: False)
    assert ledger.close(Memory()).failure == "x" * 2_000
    ledger.failing.clear()
    assert ledger.close(Memory()).failure == ""


def test_a_stage_keeps_its_time_and_another_begins_anew() -> None:
    """Time in a stage is what is waited for."""
    ledger = Ledger(now=NOW, stages={"t": ("marking", NOW - 9)})
    ledger.put("t", "marking")
    assert ledger.stages == {"t": ("marking", NOW - 9)}
    ledger.put("t", "hidden")
    ledger.put("u", "out")
    assert ledger.stages == {"t": ("hidden", NOW), "u": ("out", NOW)}


def test_a_hundred_times_are_kept_as_they_are() -> None:
    """A status holds a hundred groups; names of one stage and time are one."""
    times = [NOW + 0.25 * number for number in range(100)]
    ledger = Ledger(now=NOW, stages={f"t{time}": ("out", time) for time in times})
    ledger.stages["u"] = ("out", NOW)
    closed = ledger.close(Memory()).leaving
    assert [group.since for group in closed] == times
    assert closed[0] == Leaving(stage="out", since=NOW, instances=(f"t{NOW}", "u"))


@pytest.mark.parametrize(
    ("apart", "grain"),
    [(0.5, 1), (1, 5), (5, 30), (30, 120), (120, 600), (600, 3_600), (3_600, 86_400), (86_400, 86_400)],
)
def test_more_times_are_rounded_up_as_little_as_is_enough(apart: float, grain: int) -> None:
    """To whole seconds, else to five … else to days: what leaves waits a little longer, never shorter."""
    times = {f"t{number}": apart * number for number in range(101)}
    ledger = Ledger(now=NOW, stages={name: ("hidden", time) for name, time in times.items()})
    for group in ledger.close(Memory()).leaving:
        assert group.since % grain == 0
        assert all(0 <= group.since - times[name] < grain for name in group.instances)
