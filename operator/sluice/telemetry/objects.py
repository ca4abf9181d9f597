"""Metric series per custom resource, made from the store at each scrape.

Nothing is kept: a deleted object's series are gone at the next scrape, and what is shown is what the
status says. Only the leader shows them, so that sums over replicas count each object once. How many
series that makes is in docs/metrics.md, how long a scrape of 5,000 objects takes in docs/bench.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.core import Metric

from sluice.model.conditions import READY, STALLED
from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key
from sluice.telemetry.deployments import DEPLOYMENT_SERIES, ROLLOUT_SERIES, deployment
from sluice.telemetry.metrics import Measured
from sluice.telemetry.raw import Raw, condition, member, number, status_of, text
from sluice.telemetry.routes import DISCOVERY_SERIES, ROUTE_SERIES, route
from sluice.telemetry.series import Families, Series

_NAMED: Final = ("kind", "namespace", "name")
_NOTHING: Final[Mapping[str, int]] = {}
COUNT: Final = Series("sluice_objects", "Custom resources by kind.", ("kind",))
OBJECT_READY: Final = Series(
    "sluice_object_ready",
    "1 when the Ready condition is True for the present generation; reason as in the condition.",
    (*_NAMED, "reason"),
)
OBJECT_STALLED: Final = Series(
    "sluice_object_stalled",
    "1 while the Stalled condition is True: waiting alone will not help; reason as in the condition.",
    (*_NAMED, "reason"),
)
LAG: Final = Series(
    "sluice_object_generation_lag",
    "Generations of the spec that the status does not speak of yet; 0 at rest.",
    _NAMED,
)
SYNCED: Final = Series(
    "sluice_object_synced_timestamp_seconds",
    "When this leader's last pass of the object ended well, epoch seconds.",
    _NAMED,
)
DRIFTED: Final = Series(
    "sluice_object_drifted_fields",
    "Fields that somebody changed in AWS and that were not repaired yet; absent where there are none.",
    _NAMED,
)
REPAIRED: Final = Series(
    "sluice_object_drift_repaired",
    "Fields of an object that are as they should be again after somebody else had changed them, since this"
    " leader began; absent where nothing was changed.",
    (*_NAMED, "field"),
    "counter",
)
OBJECT_SERIES: Final = (COUNT, OBJECT_READY, OBJECT_STALLED, LAG, SYNCED, DRIFTED, REPAIRED)
EVERY_SERIES: Final = (
    *OBJECT_SERIES, *DEPLOYMENT_SERIES, *ROLLOUT_SERIES, *ROUTE_SERIES, *DISCOVERY_SERIES,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What is known of objects beside their status."""

    synced: dict[Key, float] = field(default_factory=dict)
    """When a pass last ended well, epoch seconds; what is gone is dropped from it at each scrape."""
    drifted: Callable[[Key], int] = lambda _key: 0
    """How many fields differ and are not repaired."""
    repaired: Callable[[Key], Mapping[str, int]] = lambda _key: _NOTHING
    """How many times each field that was changed in AWS was put back."""
    team_label: str = "team"
    """Key of the label whose value says whose a Deployment is."""


def object_metrics(
    objects: Callable[[], Mapping[Key, Raw]], *, shown: Callable[[], bool], beside: Beside | None = None
) -> Measured:
    """Return a collector over `objects()`; empty while `shown()` is false."""
    known = beside or Beside()

    def collect() -> Iterable[Metric]:
        families = Families(EVERY_SERIES)
        everything = objects() if shown() else {}
        for kind in (DEPLOYMENT, SERVICE_ROUTE):
            families.add(COUNT, (kind,), sum(key.kind == kind for key in everything))
        for gone in [key for key in known.synced.copy() if key not in everything]:
            known.synced.pop(gone, None)
        for key, obj in everything.items():
            _any(families, key, obj, known)
            if key.kind == DEPLOYMENT:
                deployment(families, key, obj, team=team_of(obj, known.team_label))
            else:
                route(families, key, obj, objects=everything)
        return families

    return Measured("objects", collect)


def team_of(obj: Raw, label: str) -> str:
    """Return whose a Deployment is: the value of a label of it, '' where it has none."""
    return text(member(member(obj, "metadata"), "labels").get(label))


def _any(families: Families, key: Key, obj: Raw, known: Beside) -> None:
    status, named = status_of(obj), (key.kind, key.namespace, key.name)
    generation = number(member(obj, "metadata").get("generation"))
    ready, stalled = condition(status, READY), condition(status, STALLED)
    current = number(ready.get("observedGeneration")) == generation
    good = ready.get("status") == "True" and current
    families.add(OBJECT_READY, (*named, text(ready.get("reason"))), float(good))
    if stalled.get("status") == "True":
        families.add(OBJECT_STALLED, (*named, text(stalled.get("reason"))), 1)
    if generation is not None:
        seen = number(status.get("observedGeneration")) or 0.0
        families.add(LAG, named, max(0.0, generation - seen))
    if (at := known.synced.get(key)) is not None:
        families.add(SYNCED, named, at)
    if drifted := known.drifted(key):
        families.add(DRIFTED, named, drifted)
    for field_, count in known.repaired(key).items():
        families.add(REPAIRED, (*named, field_), count)
