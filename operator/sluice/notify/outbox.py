"""What is still to be told, and what was: in memory, with a document that survives the process.

The first half of the outbox is status itself (`moments`): it is written before anything is told. So the
document needs no entry per object. It says

- `since`: whatever the statuses date at or before it was told, is pending below, or was given up;
- `recent`: ids that were taken since then, and `standing`: ids that have no time of their own (as digests);
- `pending`: moments with the sinks that have not got them.

A document that is some seconds old makes some moments be told twice, with the same id; it never loses one.
At most `PER_SINK` moments wait for a sink: more, and the oldest are given up of the namespace that has most
of them, so that one that is restless costs no other its news. Thread-safe.
"""

from __future__ import annotations

import json
import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sluice.model.names import short_hash
from sluice.notify.moment import Moment

PER_SINK: Final = 1000
SLACK: Final = 60.0
"""Seconds by which `since` lies behind the clock: times in a status are whole seconds and a pass older than
its write, and the next leader's clock is another one."""
LARGEST: Final = 900_000
"""Bytes of the document; a ConfigMap holds 1 MiB."""
MOST_IDS: Final = 10_000
"""Recent ids in the document, the newest: more in one minute, and some may be told twice after a crash."""
VERSION: Final = 1
_TOKEN: Final = 16  # hex digits: among ten thousand no two are equal

Lost = Literal["expired", "dropped"]


@dataclass(frozen=True, slots=True)
class State:
    """How a sink's queue stands."""

    pending: int
    oldest_at: float | None
    """`Moment.at` of the oldest."""


@dataclass(slots=True)
class _Queue:
    waiting: deque[Moment] = field(default_factory=deque)


class Outbox:
    """See the module."""

    def __init__(
        self,
        sinks: Collection[str],
        *,
        expire_after: float,
        lost: Callable[[str, Moment, Lost], None] = lambda _sink, _moment, _why: None,
    ) -> None:
        """Keep queues for `sinks`; `lost(sink, moment, why)` hears of what is given up."""
        self._expire_after = expire_after
        self._lost = lost
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._queues = {name: _Queue() for name in sinks}
        self._since = 0.0
        self._recent: dict[str, float] = {}
        self._standing: set[str] = set()
        self._closed = False
        self.version = 0
        """Rises with each change that the document would show."""

    # Filling

    def accept(self, moment: Moment, sinks: Iterable[str], *, now: float) -> bool:
        """Take a moment for these sinks; False when it was taken before."""
        with self._lock:
            token = _token(moment.id)
            if token in self._recent or token in self._standing:
                return False
            self._know(moment, now)
            for sink in sinks:
                self._append(sink, moment)
            self._news.notify_all()
            return True

    def settle(self, ids: Iterable[str], *, now: float) -> None:
        """Take note that these stand no more: the same may come again later and is told again."""
        with self._lock:
            self._settle([_token(name) for name in ids], now)

    def settle_others(self, ids: Iterable[str], *, now: float) -> None:
        """Take note that nothing stands but these."""
        with self._lock:
            self._settle(self._standing - {_token(name) for name in ids}, now)

    def dated_before(self, at: float) -> bool:
        """Tell whether what a status dates `at` was taken care of before this document was written."""
        with self._lock:
            return at <= self._since

    # Emptying; one thread per sink

    def head(self, sink: str, *, now: float, timeout: float) -> Moment | None:
        """Return the oldest moment for a sink, after waiting at most `timeout` seconds for one."""
        with self._lock:
            waiting = self._queues[sink].waiting
            if not waiting and not self._closed:
                self._news.wait(timeout)
            while waiting and now - waiting[0].at > self._expire_after:
                self._give_up(sink, waiting.popleft(), "expired")
            return waiting[0] if waiting and not self._closed else None

    def after(self, sink: str, moment: Moment) -> Moment | None:
        """Return the oldest moment for a sink but this one."""
        with self._lock:
            return next((other for other in self._queues[sink].waiting if other != moment), None)

    def done(self, sink: str, moment: Moment) -> None:
        """Take a moment out of a sink's queue: it was delivered, or is given up by the courier."""
        with self._lock:
            waiting = self._queues[sink].waiting
            if moment in waiting:
                waiting.remove(moment)
                self.version += 1

    def behind(self, sink: str, moment: Moment) -> None:
        """Put a moment behind all others of its sink: it is refused, they may not be."""
        with self._lock:
            waiting = self._queues[sink].waiting
            if moment in waiting:
                waiting.remove(moment)
                waiting.append(moment)

    def close(self) -> None:
        """Hand out nothing more; who waits comes back."""
        with self._lock:
            self._closed = True
            self._news.notify_all()

    def states(self) -> Mapping[str, State]:
        """Return how each queue stands."""
        with self._lock:
            return {
                name: State(len(queue.waiting), min((moment.at for moment in queue.waiting), default=None))
                for name, queue in self._queues.items()
            }

    # The document

    def begin(self, *, now: float) -> None:
        """Start without a document; what the statuses tell of already has to be made known (`know`)."""
        with self._lock:
            self._since = now - SLACK
            self.version += 1

    def know(self, moments: Iterable[Moment], *, now: float) -> None:
        """Count moments as told without telling them."""
        with self._lock:
            for moment in moments:
                self._know(moment, now)

    def load(self, text: str, *, now: float) -> Sequence[str]:
        """Add what a document has; return the names of its sinks that are not configured any more.

        Raises ValueError when it is no document of ours. Nothing is forgotten by loading: a second document
        (another leader's) is merged.
        """
        document = _parsed(text)
        pending = [
            (Moment.read(entry["moment"]), [str(sink) for sink in entry["sinks"]])
            for entry in document["pending"]
        ]
        gone: dict[str, None] = {}
        with self._lock:
            self._since = max(self._since, float(document["since"]))
            known = set(self._recent) | self._standing
            self._recent |= {str(name): float(at) for name, at in document["recent"].items()}
            self._standing |= {str(name) for name in document["standing"]} - set(self._recent)
            for moment, sinks in pending:
                token = _token(moment.id)
                if token in known:
                    continue
                if token not in self._standing:
                    self._recent.setdefault(token, now)
                for sink in sinks:
                    if sink in self._queues:
                        self._append(sink, moment)
                    else:
                        gone[sink] = None
            self.version += 1
            self._news.notify_all()
        return tuple(gone)

    def document(self, *, now: float) -> tuple[str, int]:
        """Return the document and the version that it shows.

        When it would be too large for a ConfigMap the oldest pending moments stay in memory alone.
        """
        with self._lock:
            self._since = max(self._since, now - SLACK)
            kept_ids = sorted(
                ((at, name) for name, at in self._recent.items() if at > self._since), reverse=True
            )
            self._recent = {name: at for at, name in kept_ids[:MOST_IDS]}
            body: dict[str, Any] = {
                "version": VERSION,
                "since": round(self._since, 3),
                "standing": sorted(self._standing),
                "recent": {name: round(at) for name, at in self._recent.items()},
            }
            room = LARGEST - len(json.dumps(body))
            kept: list[dict[str, Any]] = []
            for entry in self._pending():
                room -= len(json.dumps(entry, ensure_ascii=True)) + 2
                if room < 0:
                    break
                kept.append(entry)
            body["pending"] = kept[::-1]
            return json.dumps(body), self.version

    # Inside the lock

    def _know(self, moment: Moment, now: float) -> None:
        if moment.standing:
            self._standing.add(_token(moment.id))
        else:
            self._recent[_token(moment.id)] = max(now, moment.at)
        self.version += 1

    def _settle(self, tokens: Iterable[str], now: float) -> None:
        for token in tokens:
            if token in self._standing:
                self._standing.discard(token)
                self._recent[token] = now
                self.version += 1

    def _append(self, sink: str, moment: Moment) -> None:
        waiting = self._queues[sink].waiting
        waiting.append(moment)
        if len(waiting) > PER_SINK:
            loudest = Counter(entry.key.namespace for entry in waiting).most_common(1)[0][0]
            oldest = next(entry for entry in waiting if entry.key.namespace == loudest)
            waiting.remove(oldest)
            self._give_up(sink, oldest, "dropped")

    def _give_up(self, sink: str, moment: Moment, why: Lost) -> None:
        self.version += 1
        self._lost(sink, moment, why)

    def _pending(self) -> Iterable[dict[str, Any]]:
        """Yield the pending moments with their sinks, newest first."""
        found: dict[str, tuple[Moment, list[str]]] = {}
        for sink, queue in self._queues.items():
            for moment in queue.waiting:
                found.setdefault(moment.id, (moment, []))[1].append(sink)
        for moment, sinks in sorted(found.values(), key=lambda entry: entry[0].at)[::-1]:
            yield {"moment": moment.kept(), "sinks": sinks}


def _token(name: str) -> str:
    """Return what stands for an id in the document: they are long, and there may be thousands."""
    return short_hash(name, length=_TOKEN)


def _check(document: dict[str, Any]) -> None:
    if document["version"] != VERSION:
        raise ValueError(f"version {document['version']}")
    for name, kind in (("pending", list), ("standing", list), ("recent", dict), ("since", int | float)):
        if not isinstance(document[name], kind):
            raise TypeError(f"{name} has another shape")
    for at in document["recent"].values():
        float(at)


def _parsed(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
        _check(document)
        for entry in document["pending"]:
            Moment.read(entry["moment"])
            list(entry["sinks"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an outbox: {type(error).__name__}: {error}") from None
    return dict(document)
