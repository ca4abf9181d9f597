"""Bounded exhaustive exploration: every interleaving of a three-step rollout with two routes, all promises.

In `make test` every pair of what may happen (a crash, a lost or late answer, a stale read, a verb, another
revision) is explored with everything else at rest, and crash, answer and stale read together; `make soak`
explores all five at once, for each verb and edit, until each has ended well with this code. Each promise is
shown to fire where its guard is taken away. A violation prints the shortest way to it, call by call.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from explore.controllers import Controllers
from explore.search import Found, ViolationError, explore
from explore.state import Left, Weights
from explore.world import World, start
from sluice.model.rollout import Decision, SlotOrder
from sluice.model.traffic import Acknowledgement, Traffic
from sluice.rollout import machine, orders, proof, rollback, scaling
from soaking import once
from soaking import say as out

NOTHING = Left(crash=0, answer=0, stale=0)
VERBS = ("abort", "promote_full", "undo")
EDITS = ("r1", "r3")
HAPPENS: dict[str, dict[str, Any]] = {
    "crash": {"crash": 1},
    "answer": {"answer": 1},
    "stale": {"stale": 1},
    "verb": {"verbs": VERBS},
    "edit": {"edits": EDITS},
}
SLUICE = Path(machine.__file__).parents[1]
JUDGED = [
    path
    for folder in (SLUICE / "rollout", SLUICE / "plan/progressive", SLUICE / "model", Path(__file__).parent)
    for path in folder.glob("*.py")
]
"""What the search through everything depends on: it is done again when one of these changes."""
PAIRS = [pair for pair in itertools.combinations(HAPPENS, 2) if pair != ("verb", "edit")]


def left(*names: str, **members: Any) -> Left:
    """Return what may happen, by name."""
    merged = {member: value for name in names for member, value in HAPPENS[name].items()}
    return NOTHING._replace(**{**merged, **members})


def say(what: str, found: Found) -> None:
    """Print what was gone through: the number is the evidence."""
    out(
        f"explored {what}: {found.states} states, {found.moves} moves, {found.ends} ends;"
        f" {found.depth} moves deep, all promises hold"
    )


@pytest.mark.parametrize("pair", PAIRS, ids=" and ".join)
def test_every_pair_of_what_may_happen(pair: tuple[str, str]) -> None:
    """Every promise holds in every state, and from each of them the world comes to rest, whole."""
    found = explore(World(), start(left(*pair)))
    say(" and ".join(pair), found)
    assert found.ends


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_and_an_edit_at_any_two_moments(verb: str) -> None:
    """One person says a verb, another asks for the source or a third revision, in any order."""
    found = explore(World(), start(left("edit", verbs=(verb,))))
    say(f"{verb} and edit", found)
    assert found.ends


def test_crash_lost_answer_and_stale_read_together() -> None:
    """One of each, anywhere in a three-step rollout with two routes."""
    found = explore(World(), start(left("crash", "answer", "stale")))
    say("crash, answer and stale", found)
    assert found.ends


def test_no_drain_is_too_short_for_a_late_write() -> None:
    """With a deregistration delay of 0 a write that comes late still meets tasks."""
    found = explore(World(Controllers(drain=0)), start(left("answer", "stale", verbs=("abort",))))
    say("late answers without a drain", found)
    assert found.ends


def test_time_that_passes_in_the_middle() -> None:
    """Ten seconds, once, between any two calls, with a crash."""
    found = explore(World(), start(left("crash", slow=1)))
    say("crash and a slow process", found)
    assert found.ends


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("edit", EDITS)
def test_everything_together(verb: str, edit: str) -> None:
    """One crash, one lost or late answer, one stale read, one verb and one edit."""
    what = left("crash", "answer", "stale", verbs=(verb,), edits=(edit,))

    def run() -> str:
        found = explore(World(), start(what), limit=50_000_000, say=out)
        say(f"everything, {verb}, {edit}", found)
        assert found.ends
        return f"{found.states} states"

    once(f"everything, {verb}, {edit}", JUDGED, run, say=out)


# -- each promise fires when its guard is taken away ------------------------------------------------------


class _Outdated(Controllers):
    def current(self, planned: Traffic, published: Traffic) -> bool:
        del planned, published
        return True


class _Unread(Controllers):
    def verified(self, planned: Traffic, read: Weights) -> bool:
        del planned, read
        return True


class _Hasty(Controllers):
    """Sends what it planned for the slots although a rollback's rules are not verified."""

    def acts(self, decision: Decision, slots: Any) -> Any:
        traffic = dataclasses.replace(decision.traffic, rollback=False)
        return super().acts(dataclasses.replace(decision, traffic=traffic), slots)


class _Forgetful(Controllers):
    """Sends what takes tasks away without saying so first."""

    def leaves(self, act: Any, slots: Any) -> int | None:
        del act, slots
        return None


@dataclass(frozen=True)
class Guard:
    """A guard, how it is taken away, what may happen, and what must be found."""

    name: str
    found: str
    happens: Left = NOTHING
    controllers: Callable[[], Controllers] = Controllers
    without: tuple[Callable[[], Any], ...] = ()


def _away(owner: Any, name: str, value: Any) -> Callable[[], Any]:
    return lambda: mock.patch.object(owner, name, value)


def _says(value: Any) -> Callable[..., Any]:
    return lambda *_, **__: value


def _empty(work: Any) -> SlotOrder:
    return SlotOrder(slot=work.rollout.slot, revision=None, count=0)


PROVES = _away(Acknowledgement, "proves", _says(True))
GONE = _away(rollback, "gone", _says(True))
COUNT = _away(orders, "_count", lambda _work, _name, count: count)
GUARDS = [
    Guard(
        "health before weight",
        "slot b gets more with 0 of 1 healthy",
        # Both: what gets a weight with no healthy target at all is taken back in the same decision.
        without=(_away(scaling, "candidate_ready", _says(True)), _away(machine, "_LOOKS", ())),
    ),
    Guard("weights that sum up", "do not sum up", without=(_away(proof, "FULL", 900),)),
    Guard("an equal acknowledgement", "before 250 was shown", without=(PROVES,)),
    Guard(
        "the sequence number after the wait",
        "older than what is published",
        happens=left(verbs=("abort",)),
        controllers=_Outdated,
    ),
    Guard(
        "reading back",
        "acknowledges what its rule never showed",
        happens=left("stale", verbs=("abort",)),
        controllers=_Unread,
    ),
    Guard(
        "reading the rules before tasks go",
        "loses tasks while a rule sends to it",
        happens=left("answer", verbs=("abort",), slow=2),
        without=(GONE, COUNT),
    ),
    Guard("the live slot's floor", "below its floor", without=(_away(scaling, "source_size", _says(0)),)),
    Guard(
        "rules before anything else",
        "written before the rules of the rollback are",
        happens=left(verbs=("abort",)),
        controllers=_Hasty,
        without=(_away(orders, "_candidate", lambda w: _empty(w) if _back(w) else _CANDIDATE(w)),),
    ),
    Guard(
        "a drain as long as a late write",
        "slot b gets more with 0 of 1 healthy",
        happens=left("answer", "stale", verbs=("abort",)),
        controllers=lambda: Controllers(drain=0),
        without=(_away(rollback, "drain", _says(0.0)),),
    ),
    Guard(
        "no weight while tasks may still go",
        "loses tasks while a rule sends to it",
        happens=left("answer", verbs=("undo",)),
        without=(_away(scaling, "unsettled", _says("")),),
    ),
    Guard(
        "what may go is in status before it is sent",
        "loses tasks while a rule sends to it",
        happens=left("answer", verbs=("undo",)),
        controllers=_Forgetful,
    ),
    Guard(
        "an end",
        "the rollout stands in Draining",
        without=(
            lambda: mock.patch.dict(
                machine._STAGES,  # type: ignore[arg-type]
                Draining=lambda work: work.wait("Draining", "waits for ever"),
            ),
        ),
    ),
]
_CANDIDATE = orders._candidate


def _back(work: Any) -> bool:
    return work.rollout.stage == "RollingBack"


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_promise_fires_without_its_guard(guard: Guard) -> None:
    """The same search that finds nothing finds this where the guard is taken away, and tells the way."""
    with ExitStack() as away:
        for patch in guard.without:
            away.enter_context(patch())
        with pytest.raises(ViolationError, match=guard.found) as caught:
            explore(World(guard.controllers()), start(guard.happens))
    assert "1. D looks" in str(caught.value)


def test_the_same_search_finds_nothing_with_every_guard() -> None:
    """What the guards' tests explore is clean as it is: what they find comes of the missing guard.

    One thing and a verb are part of the pairs above, and not explored again.
    """
    for happens in dict.fromkeys(guard.happens for guard in GUARDS):
        if happens.slow or happens.crash + happens.answer + happens.stale > 1:
            explore(World(), start(happens))
