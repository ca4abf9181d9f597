"""What is told of whole rollouts, by the product's own statuses: in order, once, whatever call it dies at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from sim import universe as universe_module
from sim.deaths import Mortal, every_death
from sim.operator_process import Operator
from sim.progressive_stories import BY_NAME, tell
from sim.stories import BY_NAME as ROLLING
from sim.test_progressive_crashes import lived
from sim.universe import WEB, Universe
from sluice.notify.audience import Audience, Membership
from sluice.notify.courier import Courier
from sluice.notify.metrics import NotificationMetrics
from sluice.notify.moment import Moment
from sluice.notify.notifier import Notifier, Surroundings
from sluice.notify.outbox import Outbox
from unit.notify.told import Board, FakeSink, Shelf


class Telling(Operator):
    """A process that tells; the board and the receiver outlive it."""

    board: Board
    sink: FakeSink

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Lead at once, as soon as everything is listed."""
        super().__init__(*arguments, **options)
        metrics = NotificationMetrics(CollectorRegistry())
        outbox = Outbox(["chat"], expire_after=86_400)
        self._courier = Courier(self.sink, outbox, clock=self.clock, metrics=metrics)
        self._notifier = Notifier(
            Surroundings(
                audience=Audience([Membership(sink="chat")]),
                outbox=outbox,
                shelf=Shelf(self.board),
                couriers=[self._courier],
                snapshot=self.store.snapshot,
                recorder=self.recorder,
                clock=self.clock,
                metrics=metrics,
            )
        )
        self.intake._changed = self._notifier.changed
        self._notifier.listen()
        assert self._notifier.load()

    def turn(self) -> bool:
        """Run a pass, then do what the notifier's threads do."""
        ran = super().turn()
        while self._notifier.step() or self._courier.step() is not None:
            pass
        return ran


@pytest.fixture
def telling(monkeypatch: pytest.MonkeyPatch) -> Callable[[], FakeSink]:
    """Let every process of the next universes tell; return a new receiver for each universe."""
    monkeypatch.setattr(universe_module, "Operator", Telling)

    def fresh() -> FakeSink:
        Telling.board, Telling.sink = Board(), FakeSink()
        return Telling.sink

    return fresh


def names(told: list[Moment]) -> list[str]:
    """Return the events by rollout: `2 Started` is the second one's."""
    rollouts = list(dict.fromkeys(moment.rollout_id for moment in told))
    return [f"{rollouts.index(moment.rollout_id) + 1} {moment.event}" for moment in told]


STRIDE = 4
"""Of some sixty deaths: each is a story of its own."""
FIRST = ["1 Started", "1 Succeeded"]
SEQUENCES = {
    "first rollout": FIRST,
    "canary promoted twice": [
        *FIRST,
        "2 Started",
        "2 Paused",
        "2 Paused",
        "2 Promoted",
        "2 Succeeded",
    ],
    "crash loop": [*FIRST, "2 Started", "2 RolledBack"],
    "abort": [*FIRST, "2 Started", "2 Paused", "2 RollingBack", "2 Aborted"],
    "undo from standby": [
        *FIRST,
        "2 Started",
        "2 Promoted",
        "2 Succeeded",
        "3 Started",
        "3 Promoted",
        "3 Succeeded",
    ],
    "supersede": [
        *FIRST,
        "2 Started",
        "2 Paused",
        "2 Superseded",
        "3 Started",
        "3 Paused",
        "3 Promoted",
        "3 Succeeded",
    ],
}
"""Where requests never reached the candidate, the way back is over before a status could show it."""


@pytest.mark.parametrize("name", SEQUENCES)
def test_each_step_is_told_once_and_in_order(name: str, telling: Callable[[], FakeSink]) -> None:
    """Whatever the machine writes on its way, a person hears of each decision once."""
    sink = telling()
    tell(BY_NAME[name])
    assert names(sink.told) == SEQUENCES[name]
    assert len({moment.id for moment in sink.told}) == len(sink.told)


def test_a_rolling_update_is_told(telling: Callable[[], FakeSink]) -> None:
    """A rolling change has a start and an end."""
    sink = telling()
    universe = Universe(seed=7)
    for change, done in ROLLING["update"].steps:
        change(universe)
        universe.settle(lambda done=done: done(universe))  # type: ignore[misc]
    assert names(sink.told) == [*FIRST, "2 Started", "2 Succeeded"]


@pytest.mark.parametrize("name", ["abort"])
def test_no_death_loses_anything(name: str, telling: Callable[[], FakeSink]) -> None:
    """Killed before or after any write: every rollout of the history was told from start to end, in order.

    What is told twice has the same id, and nothing is told twice unless somebody died in between.
    """

    def live(hook: Mortal) -> tuple[int, list[tuple[str, str, list[str]]]]:
        sink = telling()
        universe = lived(BY_NAME[name], hook)
        once = list({moment.id: moment for moment in sink.told}.values())
        return universe.crashes, [
            (entry["id"], entry["outcome"], [m.event for m in once if m.rollout_id == entry["id"]])
            for entry in universe.status(WEB)["history"]
        ]

    _, deaths, _ = every_death(live, stride=STRIDE)
    assert deaths, "a story without writes proves nothing"
    for death in deaths:
        crashes, history = death.verdict
        assert crashes == 1, str(death)
        for _, outcome, events in history:
            assert (events[0], events[-1]) == ("Started", outcome), str(death)
