"""What tasks take, as counters: vCPU-seconds and byte-seconds by slot, and what a rollout takes beside that.

Tasks times the size that the task definition reserves, integrated over time from what statuses say: at each
own status write of a Deployment and at each scrape. It is what Fargate bills by
(https://aws.amazon.com/fargate/pricing/), without its rounding, its minimum of a minute and the time of an
image pull. On EC2 it is what is reserved, and has no price of its own.

Counters begin at 0 with each leader, as Prometheus' `increase` expects; the seconds between the last scrape
of one leader and the start of the next are in none. The counters of a deleted object vanish with it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from prometheus_client.core import Metric

from sluice.model.keys import DEPLOYMENT, Key
from sluice.telemetry.metrics import Measured
from sluice.telemetry.raw import Raw, entries, member, number, status_of, text
from sluice.telemetry.series import Families, Series

_UNITS: Final = 1024  # CPU units of a vCPU; MiB of what AWS bills as a GB
_MEBI: Final = 1024 * 1024
_HOUR: Final = 3600.0
_NAMED: Final = ("namespace", "name")
Use = Literal["serving", "rollout", "standby"]
VCPU: Final = Series(
    "sluice_deployment_vcpu_seconds",
    "vCPU-seconds that tasks reserved: serving, beside that for a rollout, or ready for an undo.",
    (*_NAMED, "slot", "use"),
    "counter",
)
MEMORY: Final = Series(
    "sluice_deployment_memory_byte_seconds",
    "Byte-seconds of memory that tasks reserved; 2^30 of them are a second of what AWS bills as a GB.",
    (*_NAMED, "slot", "use"),
    "counter",
)
COST: Final = Series(
    "sluice_deployment_cost",
    "What that costs by the prices of the configuration, in their currency.",
    (*_NAMED, "use", "currency"),
    "counter",
)
COST_SERIES: Final = (VCPU, MEMORY, COST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Of an hour, in the currency of the configuration; 0 is not known."""

    vcpu_hour: float = 0.0
    gb_hour: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Prices of Fargate; EC2 has none, because instances are paid and not tasks."""

    currency: str = "USD"
    fargate: Price = field(default_factory=Price)
    fargate_arm64: Price = field(default_factory=Price)
    fargate_spot: Price = field(default_factory=Price)


@dataclass(slots=True)
class _Meter:
    uid: str
    at: float
    price: Price | None = None
    rates: dict[tuple[str, Use], tuple[float, float]] = field(default_factory=dict)
    """(slot, use) → vCPU and bytes at the moment."""
    totals: dict[tuple[str, Use], tuple[float, float]] = field(default_factory=dict)
    costs: dict[Use, float] = field(default_factory=dict)


class CostMeter:
    """Integrates; thread-safe. `collector` is what a registry asks."""

    def __init__(
        self,
        objects: Callable[[], Mapping[Key, Raw]],
        *,
        shown: Callable[[], bool],
        now: Callable[[], float],
        prices: Prices | None = None,
    ) -> None:
        """Measure `objects()` while `shown()`; `now` is monotonic time, seconds."""
        self._objects = objects
        self._shown = shown
        self._now = now
        self._prices = prices or Prices()
        self._lock = threading.Lock()
        self._meters: dict[Key, _Meter] = {}
        self.collector = Measured("cost", self._collect)

    def written(self, key: Key, after: Raw) -> None:
        """Take a Deployment after an own status write: from here on it counts as that says."""
        if key.kind == DEPLOYMENT:
            with self._lock:
                self._settle(key, after, self._now())

    def _collect(self) -> Iterable[Metric]:
        families = Families(COST_SERIES)
        objects = self._objects() if self._shown() else {}
        with self._lock:
            for gone in [key for key in self._meters if key not in objects]:
                del self._meters[gone]
            now = self._now()
            for key, obj in objects.items():
                if key.kind == DEPLOYMENT:
                    self._show(families, key, self._settle(key, obj, now))
        return families

    def _show(self, families: Families, key: Key, meter: _Meter) -> None:
        named = (key.namespace, key.name)
        for place, (vcpu, memory) in meter.totals.items():
            families.add(VCPU, (*named, *place), vcpu)
            families.add(MEMORY, (*named, *place), memory)
        for use, cost in meter.costs.items():
            families.add(COST, (*named, use, self._prices.currency), cost)

    def _settle(self, key: Key, obj: Raw, now: float) -> _Meter:
        """Add the time since the last look at the rates of then, and take the rates of now."""
        uid = text(member(obj, "metadata").get("uid"))
        meter = self._meters.get(key)
        if meter is None or meter.uid != uid:
            meter = self._meters[key] = _Meter(uid=uid, at=now)
        seconds = max(0.0, now - meter.at)
        meter.at = now
        for place, (vcpu, memory) in meter.rates.items():
            before = meter.totals.get(place, (0.0, 0.0))
            meter.totals[place] = (before[0] + vcpu * seconds, before[1] + memory * seconds)
            if price := meter.price:
                hourly = vcpu * price.vcpu_hour + memory / _MEBI / _UNITS * price.gb_hour
                use = place[1]
                meter.costs[use] = meter.costs.get(use, 0.0) + hourly * seconds / _HOUR
        meter.rates = rates(obj)
        meter.price = self._price(obj)
        return meter

    def _price(self, obj: Raw) -> Price | None:
        status = status_of(obj)
        kinds = {text(slot.get("launchType")) for slot in entries(status, "slots")} - {""}
        names = {name for kind in kinds for name in kind.split(",")}
        if not names or not names <= {"FARGATE", "FARGATE_SPOT"}:
            return None
        if names == {"FARGATE_SPOT"}:
            found = self._prices.fargate_spot
        else:
            arm = _architecture(member(obj, "spec")) == "ARM64"
            found = self._prices.fargate_arm64 if arm else self._prices.fargate
        return found if found.vcpu_hour or found.gb_hour else None


def rates(obj: Raw) -> dict[tuple[str, Use], tuple[float, float]]:
    """Return vCPU and bytes that are reserved now, by slot and use; {} where the task's size is not known."""
    status = status_of(obj)
    size = member(status, "taskSize")
    cpu, memory = _whole(size.get("cpu")), _whole(size.get("memory"))
    if cpu is None or memory is None:
        return {}
    each = (cpu / _UNITS, memory * _MEBI)
    found: dict[tuple[str, Use], tuple[float, float]] = {}
    for slot, use, count in _tasks(status):
        if count:
            before = found.get((slot, use), (0.0, 0.0))
            found[slot, use] = (before[0] + each[0] * count, before[1] + each[1] * count)
    return found


def _tasks(status: Raw) -> Iterable[tuple[str, Use, float]]:
    """Return the running tasks by slot and what they are for.

    The live slot serves; of a rolling deployment what runs beyond the desired count is the rollout's. The
    other slot belongs to a rollout while one goes on, else it stands by. What is replaced is extra, too.
    """
    rollout, live = member(status, "rollout"), text(member(status, "live").get("slot"))
    slots = entries(status, "slots")
    serving = live or text(slots[0].get("name") if slots else "")
    for slot in slots:
        name, running = text(slot.get("name")), number(slot.get("running")) or 0.0
        if name != serving:
            yield name, "rollout" if rollout else "standby", running
        elif rollout and not rollout.get("stage"):
            desired = number(slot.get("desired")) or 0.0
            yield name, "serving", min(running, desired)
            yield name, "rollout", max(0.0, running - desired)
        else:
            yield name, "serving", running
    for slot in entries(status, "retiring"):
        yield text(slot.get("name")), "rollout", number(slot.get("running")) or 0.0


def _architecture(spec: Raw) -> str:
    for parent in (member(spec, "ecs"), member(spec, "taskDefinition")):
        if found := text(member(parent, "runtimePlatform").get("cpuArchitecture")):
            return found
    return "X86_64"


def _whole(value: Any) -> float | None:  # noqa: ANN401 - raw JSON
    return float(value) if isinstance(value, str) and value.isdecimal() else number(value)
