"""What the scheduler costs when nothing happens: timers, not services, are what a world at rest pays for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from native_world import BLUE_GREEN

SWEEP_SECONDS = 2.0


def timers(clock: Any, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the list that every timer of the clock is added to from now on, by its time."""
    made: list[float] = []
    real: Callable[..., Any] = clock.call_at

    def call_at(when: float, callback: Callable[[], None]) -> Any:
        made.append(when)
        return real(when, callback)

    monkeypatch.setattr(clock, "call_at", call_at)
    return made


def test_services_at_rest_share_one_timer(ecs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty services behind target groups for ten minutes: one sweep every two seconds for all of them."""
    for number in range(30):
        ecs.create(f"web-{number}")
    ecs.until(lambda: all(ecs.completed(f"web-{number}") for number in range(30)))
    ecs.run(10)
    made = timers(ecs.clock, monkeypatch)
    ecs.run(600)
    assert len(made) <= 600 / SWEEP_SECONDS + 1
    assert not ecs.service.scheduler.busy()


def test_services_without_checks_cost_nothing_at_rest(ecs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without target groups and container checks there is no timer at all."""
    ecs.create(loadBalancers=[])
    ecs.until(ecs.completed)
    ecs.run(10)
    made = timers(ecs.clock, monkeypatch)
    ecs.run(600)
    assert made == []


def test_waiting_for_a_person_costs_what_rest_costs(native: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A native deployment at a PAUSE hook is not polled: the sweep and its one deadline."""
    native.create(BLUE_GREEN)
    hook = {"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]}
    native.update(deploymentConfiguration=BLUE_GREEN | {"lifecycleHooks": [hook]})
    native.until(lambda: native.deployment().get("lifecycleHookDetails"))
    native.run(10)
    made = timers(native.clock, monkeypatch)
    native.run(600)
    assert len(made) <= 600 / SWEEP_SECONDS + 2
