"""Figures of delivery from the resources themselves: how often, how fast, how often wrong, how soon mended.

The four that DORA asks for (https://dora.dev/guides/dora-metrics-four-keys/), made from what the
operator writes into `status.history`, so every strategy counts and nobody has to report anything:

| figure | made of |
|---|---|
| deployment frequency | rollouts that succeeded; the way back to an older revision is no deployment |
| lead time | the annotation `sluice.dev/commit-time`, else (`aws.imageTimes`) the push of the newest image |
|   | → the end of the rollout, everything on the revision |
| change failure rate | rollouts rolled back, failed or aborted, and successes that were undone later |
| time to restore | the start of the change that failed → the old revision proved alone, or the next success |

When an image was pushed is asked of ECR alone and beside the passes (`telemetry.image_leads`); it says when
something was built, not when it was committed, so an annotation goes before it. Restoring is counted from the
start of the change, because nobody knows when users began to suffer; it is an upper bound. What follows the
decision is in `sluice_rollback_seconds`.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from sluice.model.keys import DEPLOYMENT, GROUP, Key
from sluice.telemetry.born import born
from sluice.telemetry.ended import FAILED, Ended, ended, is_open
from sluice.telemetry.image_leads import Question
from sluice.telemetry.log import logger
from sluice.telemetry.raw import Raw, entries, member, moment, status_of, text
from sluice.telemetry.remembered import Remembered
from sluice.telemetry.rollouts import OUTCOMES, of_rollout

COMMIT_TIME: Final = f"{GROUP}/commit-time"
"""Annotation of a Deployment: when the change was committed, RFC 3339."""
LEAD_BUCKETS: Final = tuple(
    hours * 3600 for hours in (1 / 12, 1 / 4, 1 / 2, 1, 2, 4, 8, 24, 48, 7 * 24, 30 * 24)
)
RESTORE_BUCKETS: Final = (1, 10, 30, 60, 180, 600, 1800, 3600, 4 * 3600, 24 * 3600)
MOST_TEAMS: Final = 200
"""Values of the team label that have series of their own; later ones are counted together."""
OTHER_TEAMS: Final = "(other)"
MOST_SERIES: Final = 1_000
"""Pairs of namespace and team that have series of their own: namespaces may come and go with each branch of a
repository, and counters of those that went can't be taken away without falsifying sums."""
_LONGEST: Final = 365 * 86400.0  # a commit older than a year is a default that nobody changed
_log = logger(__name__)


class DeliveryMetrics:
    """Counters and histograms per namespace and team; thread-safe."""

    def __init__(
        self, registry: CollectorRegistry, *, now: Callable[[], float], team: Callable[[Raw], str]
    ) -> None:
        """Register on `registry`; `team` tells whose a Deployment is."""
        self._now = now
        self._team = team
        self._lock = threading.Lock()
        self._teams: set[str] = set()
        self._pairs: set[tuple[str, str]] = set()
        self._timed: set[tuple[str, str]] = set()
        self._commits: Remembered[Key, tuple[str, str]] = Remembered()
        self._images: Remembered[Key, tuple[str, tuple[str, ...]]] = Remembered()
        self._ask: Callable[[Question], None] | None = None
        self._delivered: Remembered[Key, str] = Remembered()
        whose = ["namespace", "team"]
        self.deployments = Counter(
            "sluice_delivery_deployments",
            "Rollouts that are over, by how they ended; the way back to an older revision is none.",
            [*whose, "outcome"],
            registry=registry,
        )
        self.failed = Counter(
            "sluice_delivery_failed_changes",
            "Changes that were rolled back, failed or aborted, or undone after they had succeeded.",
            whose,
            registry=registry,
        )
        self.lead_seconds = Histogram(
            "sluice_delivery_lead_time_seconds",
            "From the commit (annotation sluice.dev/commit-time), else from the push of the image, to "
            "everything on its revision.",
            whose,
            buckets=LEAD_BUCKETS,
            registry=registry,
        )
        self.restore_seconds = Histogram(
            "sluice_delivery_restore_seconds",
            "From the start of a change that failed to the end of its consequences.",
            whose,
            buckets=RESTORE_BUCKETS,
            registry=registry,
        )

    def ask_images(self, ask: Callable[[Question], None]) -> None:
        """Have `ask(question)` find out when images were made, where no commit is annotated."""
        self._ask = ask

    def expect(self, key: Key, obj: Raw) -> None:
        """Make the series of a Deployment's namespace and team, unless they are there (`telemetry.born`).

        Those of the lead time only where a commit is annotated or images are asked for.
        """
        if key.kind != DEPLOYMENT:
            return
        with self._lock:
            before = len(self._pairs)
            whose = self._paired(key.namespace, self._bounded(self._team(obj)))
            if len(self._pairs) > before:
                self._begin(whose)
            if whose not in self._timed and (_annotated(obj) or self._ask):
                self._timed.add(whose)
                self.lead_seconds.labels(*whose)

    def written(self, key: Key, before: Raw | None, after: Raw) -> None:
        """Take a Deployment before and after an own status write."""
        if key.kind != DEPLOYMENT:
            return
        with self._lock:
            self._note_begin(key, before, after)
            for over in ended(before, after):
                self._count(key, after, over)

    # Inside the lock

    def _begin(self, whose: tuple[str, str]) -> None:
        namespace, team = ([text] for text in whose)
        born(self.deployments, namespace, team, OUTCOMES)
        born(self.failed, namespace, team)
        born(self.restore_seconds, namespace, team)

    def _note_begin(self, key: Key, before: Raw | None, after: Raw) -> None:
        """Keep the commit and the new images that a rollout began with: others may come before it ends."""
        id_ = text(member(status_of(after), "rollout").get("id"))
        if not id_ or self._commits.get(key, ("", ""))[0] == id_:
            return
        self._commits[key] = (id_, _annotated(after))
        if before is not None and member(status_of(before), "rollout").get("id") != id_:
            old = _images(before)
            self._images[key] = (id_, tuple(image for image in _images(after) if image not in old))

    def _count(self, key: Key, obj: Raw, over: Ended) -> None:
        whose = self._paired(key.namespace, self._bounded(self._team(obj)))
        exemplar = of_rollout(over.id)
        if not over.way_back:
            self.deployments.labels(*whose, over.outcome).inc(exemplar=exemplar)
        if over.outcome in FAILED and not over.way_back:
            self.failed.labels(*whose).inc(exemplar=exemplar)
        if over.way_back and over.outcome == "Succeeded" and _undoes_a_success(over):
            self.failed.labels(*whose).inc(exemplar=exemplar)
        restored = _restored(over)
        if restored is not None:
            self.restore_seconds.labels(*whose).observe(max(0.0, restored), exemplar)
        if over.outcome == "Succeeded" and not over.way_back:
            self._lead(key, obj, over, whose)

    def _lead(self, key: Key, obj: Raw, over: Ended, whose: tuple[str, str]) -> None:
        id_, noted = self._commits.get(key, ("", ""))
        commit = noted if id_ == over.id else _annotated(obj)
        if not commit:
            self._lead_of_images(key, over, whose)
        if not commit or self._delivered.get(key) == commit:
            return  # nothing is said, or another change of the same commit (replicas of it, a restart)
        self._delivered[key] = commit
        at = _instant(commit)
        seconds = None if at is None else self._now() - at
        if seconds is None or not 0 <= seconds <= _LONGEST:
            _log.warning(
                "commit_time_unusable",
                namespace=key.namespace,
                name=key.name,
                detail=f"metadata.annotations[{COMMIT_TIME}]: {commit!r} is no RFC 3339 time of the last "
                "year; this rollout has no lead time",
            )
            return
        self.lead_seconds.labels(*whose).observe(seconds, of_rollout(over.id))

    def _lead_of_images(self, key: Key, over: Ended, whose: tuple[str, str]) -> None:
        """Ask when the newest of the images was made that the rollout brought; none, no lead time."""
        id_, images = self._images.get(key, ("", ()))
        if id_ != over.id or not images or self._ask is None:
            return
        end, exemplar = self._now(), of_rollout(over.id)

        def answer(pushed: float) -> None:
            if 0 <= end - pushed <= _LONGEST:
                self.lead_seconds.labels(*whose).observe(end - pushed, exemplar)

        self._ask(Question(key=key, images=images, answer=answer))

    def _bounded(self, team: str) -> str:
        if team in self._teams or len(self._teams) < MOST_TEAMS:
            self._teams.add(team)
            return team
        return OTHER_TEAMS

    def _paired(self, namespace: str, team: str) -> tuple[str, str]:
        pair = (namespace, team)
        if pair in self._pairs or len(self._pairs) < MOST_SERIES:
            self._pairs.add(pair)
            return pair
        return OTHER_TEAMS, team


def _undoes_a_success(over: Ended) -> bool:
    newest = next(iter(over.older), {})
    return newest.get("outcome") == "Succeeded"


def _restored(over: Ended) -> float | None:
    """Return the seconds from the start of a failed change to the end of what it led to, if this ends it."""
    if over.outcome == "Succeeded":
        begun = _open_since(over.older)
        if begun is not None:
            return over.end - begun
        if over.way_back and _undoes_a_success(over):
            return (over.verified or over.end) - over.started
        return None
    if over.outcome in FAILED and not over.open_failure and not over.way_back:
        return (over.verified or over.end) - over.started
    return None


def _open_since(older: tuple[Raw, ...]) -> float | None:
    """Return when the first of the failures began that were still open, epoch seconds; None: none was."""
    since = None
    for place, entry in enumerate(older):
        outcome = text(entry.get("outcome"))
        first = not any(earlier.get("outcome") == "Succeeded" for earlier in older[place + 1 :])
        if outcome not in FAILED or not (first or is_open(outcome, text(entry.get("by")))):
            break
        since = moment(entry.get("startedAt")) or since
    return since


def _annotated(obj: Raw) -> str:
    return text(member(member(obj, "metadata"), "annotations").get(COMMIT_TIME)).strip()


def _images(obj: Raw) -> list[str]:
    return [text(image.get("tag")) for image in entries(status_of(obj), "images")]


def _instant(value: str) -> float | None:
    try:
        found = dt.datetime.fromisoformat(value)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp()
