"""What tasks take: added up over time, by slot and use, with prices of the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key
from sluice.telemetry.cost import CostMeter, Price, Prices, rates

WEB = Key(DEPLOYMENT, "shop", "web")
NAMED = {"namespace": "shop", "name": "web"}
SIZE = {"cpu": "512", "memory": "1024"}
GB = 2**30
PRICES = Prices(
    currency="EUR",
    fargate=Price(vcpu_hour=0.04, gb_hour=0.004),
    fargate_arm64=Price(vcpu_hour=0.03, gb_hour=0.003),
    fargate_spot=Price(vcpu_hour=0.01, gb_hour=0.001),
)


def slot(name: str = "a", *, running: int = 2, desired: int = 2, launch: str = "FARGATE") -> dict[str, Any]:
    """Return an entry of status.slots."""
    return {"name": name, "running": running, "desired": desired, "launchType": launch}


def obj(*slots: dict[str, Any], uid: str = "u", arm: bool = False, **status: Any) -> dict[str, Any]:
    """Return a Deployment of half a vCPU and a GB per task."""
    spec = {"ecs": {"runtimePlatform": {"cpuArchitecture": "ARM64"}}} if arm else {}
    known = {"taskSize": SIZE, "slots": list(slots), "live": {"slot": "a"}}
    return {"metadata": {"uid": uid}, "spec": spec, "status": known | status}


@dataclass
class Desk:
    """A meter over objects, and its time."""

    objects: dict[Key, Any] = field(default_factory=dict)
    at: float = 1000.0
    leads: bool = True

    def __post_init__(self) -> None:
        """Register."""
        self.registry = CollectorRegistry()
        self.meter = CostMeter(
            lambda: self.objects, shown=lambda: self.leads, now=lambda: self.at, prices=PRICES
        )
        self.registry.register(self.meter.collector)

    def value(self, metric: str, **labels: str) -> float | None:
        """Scrape, and return a sample of the Deployment."""
        return self.registry.get_sample_value(f"sluice_deployment_{metric}_total", NAMED | labels)

    def after(self, seconds: float, metric: str, **labels: str) -> float | None:
        """Scrape, let time pass, and return a sample."""
        self.value(metric, **labels)
        self.at += seconds
        return self.value(metric, **labels)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        pytest.param(obj(slot()), {("a", "serving"): 2}, id="at rest"),
        pytest.param(
            obj(slot(), slot("b", running=1), rollout={"stage": "Stepping"}),
            {("a", "serving"): 2, ("b", "rollout"): 1},
            id="the candidate is extra",
        ),
        pytest.param(
            obj(slot("a", running=1), slot("b"), live={"slot": "b"}, rollout={"stage": "Draining"}),
            {("a", "rollout"): 1, ("b", "serving"): 2},
            id="the old slot is extra until it is gone",
        ),
        pytest.param(
            obj(slot(), slot("b")), {("a", "serving"): 2, ("b", "standby"): 2}, id="the standby of an undo"
        ),
        pytest.param(
            obj(slot(running=4), rollout={"id": "r"}),
            {("a", "serving"): 2, ("a", "rollout"): 2},
            id="what a rolling deployment runs beyond its count",
        ),
        pytest.param(obj(slot(running=4)), {("a", "serving"): 4}, id="more than desired without a rollout"),
        pytest.param(
            obj(slot("b"), live=None, rollout={"stage": "ScalingUp"}),
            {("b", "serving"): 2},
            id="the first slot",
        ),
        pytest.param(
            obj(slot(), retiring=[slot(running=1)]),
            {("a", "serving"): 2, ("a", "rollout"): 1},
            id="a service that is replaced",
        ),
        pytest.param(obj(slot(running=0)), {}, id="nothing runs"),
        pytest.param(obj(slot(), taskSize=None), {}, id="size not known"),
        pytest.param({"status": {"slots": "x", "taskSize": {"cpu": {}, "memory": []}}}, {}, id="malformed"),
    ],
)
def test_what_is_reserved_now(given_: dict[str, Any], expected: dict[tuple[str, str], int]) -> None:
    """Tasks by slot and use, times the size of one."""
    found = rates(given_)
    assert found == {place: (0.5 * count, float(GB * count)) for place, count in expected.items()}


def test_seconds_are_added_up() -> None:
    """Two tasks of half a vCPU and a GB for a minute; a standby before shows nothing."""
    desk = Desk({WEB: obj(slot())})
    place = {"slot": "a", "use": "serving"}
    assert desk.after(60, "vcpu_seconds", **place) == 60
    assert desk.value("memory_byte_seconds", **place) == 2 * 60 * GB
    desk.leads = False
    assert desk.value("vcpu_seconds", **place) is None


def test_a_status_write_between_two_scrapes_counts_from_then() -> None:
    """Twenty seconds of two tasks, forty of four: no scrape was needed in between."""
    desk = Desk({WEB: obj(slot())})
    desk.value("vcpu_seconds", slot="a", use="serving")
    desk.at += 20
    desk.objects[WEB] = obj(slot(running=4, desired=4))
    desk.meter.written(WEB, desk.objects[WEB])
    desk.at += 40
    assert desk.value("vcpu_seconds", slot="a", use="serving") == 20 * 1 + 40 * 2


@pytest.mark.parametrize(
    ("one", "vcpu", "gb"),
    [
        pytest.param(obj(slot()), 0.04, 0.004, id="Fargate"),
        pytest.param(obj(slot(), arm=True), 0.03, 0.003, id="Arm"),
        pytest.param(obj(slot(launch="FARGATE_SPOT")), 0.01, 0.001, id="Spot"),
        pytest.param(
            obj(slot(launch="FARGATE,FARGATE_SPOT")), 0.04, 0.004, id="a mix costs at most the full price"
        ),
    ],
)
def test_prices(one: dict[str, Any], vcpu: float, gb: float) -> None:
    """An hour of one vCPU and two GB at the price of where it runs."""
    desk = Desk({WEB: one})
    cost = desk.after(3600, "cost", use="serving", currency="EUR")
    assert cost == pytest.approx(vcpu + 2 * gb)


@pytest.mark.parametrize("launch", ["EC2", "my-instances", ""])
def test_what_has_no_price_has_no_cost(launch: str) -> None:
    """Instances are paid, not the tasks on them; the seconds are counted all the same."""
    desk = Desk({WEB: obj(slot(launch=launch))})
    assert desk.after(3600, "cost", use="serving", currency="EUR") is None
    assert desk.value("vcpu_seconds", slot="a", use="serving") == 3600


def test_counters_go_with_their_object() -> None:
    """A deleted one's vanish, a successor of the same name begins at 0, a route has none."""
    desk = Desk({WEB: obj(slot()), Key(SERVICE_ROUTE, "shop", "web"): obj(slot())})
    place = {"slot": "a", "use": "serving"}
    assert desk.after(60, "vcpu_seconds", **place) == 60
    desk.objects[WEB] = obj(slot(), uid="another")
    assert desk.value("vcpu_seconds", **place) is None
    del desk.objects[WEB]
    desk.at += 60
    assert desk.value("vcpu_seconds", **place) is None


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_counters_never_fall_and_miss_nothing(moves: list[tuple[int, int, int]]) -> None:
    """Whatever is written and scraped when: the sum over slots is the integral of all running tasks."""
    desk, expected, last = Desk({WEB: obj(slot(running=0))}), 0.0, 0.0
    desk.meter.written(WEB, desk.objects[WEB])
    before = 0
    for seconds, live, other in moves:
        desk.at += seconds
        expected += seconds * before * 0.5
        before = live + other
        desk.objects[WEB] = obj(slot(running=live), slot("b", running=other), rollout={"stage": "Stepping"})
        desk.meter.written(WEB, desk.objects[WEB])
        found = sum(
            sample.value
            for family in desk.registry.collect()
            for sample in family.samples
            if sample.name == "sluice_deployment_vcpu_seconds_total"
        )
        assert found == pytest.approx(expected)
        assert found >= last
        last = found
