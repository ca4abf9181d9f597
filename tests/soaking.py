"""What `make soak` remembers between its runs, so that it goes on where it was stopped.

`$SOAK_STATE`, or `sluice/soak` in the user's cache (`$XDG_CACHE_HOME`, else `~/.cache`), has a file per kind
of schedule: the next seed, how many were played, and the seeds that failed. A new run begins with those that
failed: the soak is green again when they pass. `SOAK_MINUTES` (120) is how long all kinds together draw new
schedules; `SEEDS=7,8` plays these and no others, and leaves the files alone. A seed is printed before it is
played, and what fails names the one command that plays it again. What has an end of its own (`once`) is not
gone through again while the code that it judges is the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final


def say(text: str) -> None:
    """Print for whoever watches (`pytest -s`) and for the report of a failure."""
    print(text, flush=True)  # noqa: T201 - a seed that nobody sees cannot be replayed


KINDS: Final = 4
"""Who share the minutes: the schedules rolling, progressive and names, and the mutants."""


def folder() -> Path:
    """Return where a soak's files are; it exists then."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    found = Path(os.environ.get("SOAK_STATE") or cache / "sluice" / "soak")
    found.mkdir(parents=True, exist_ok=True)
    return found


def minutes() -> float:
    """Return for how long one kind of schedule may draw new seeds."""
    return float(os.environ.get("SOAK_MINUTES") or 120) / KINDS


@dataclass(slots=True)
class Kept:
    """What is known of one kind of schedule."""

    next: int
    """The seed that is drawn next; the first is the time at which the first soak began."""
    played: int = 0
    failed: list[int] = field(default_factory=list)
    """Seeds that failed and have not passed since, also one in whose middle the process was killed."""


@dataclass(frozen=True, slots=True)
class Soak:
    """The schedules of one kind; `test` is the node that plays a seed again."""

    kind: str
    test: str
    say: Callable[[str], None] = say
    clock: Callable[[], float] = time.monotonic

    @property
    def path(self) -> Path:
        """The file of this kind."""
        return folder() / f"{self.kind}.json"

    def read(self) -> Kept:
        """Return what is remembered; the first time a new beginning."""
        if not self.path.exists():
            return Kept(next=int(time.time()))
        return Kept(**json.loads(self.path.read_text()))

    def replay(self, seed: int) -> str:
        """Return the command that plays a seed again."""
        return f"SEEDS={seed} make soak PYTEST_ARGS='{self.test}'"

    def play(self, one: Callable[[int], object]) -> int:
        """Play schedules until the time is over; return how many. What fails is kept and raised."""
        given = [int(seed) for seed in os.environ.get("SEEDS", "").split(",") if seed]
        kept, until, number = self.read(), self.clock() + 60 * minutes(), 0
        if not given:
            again = f"{len(kept.failed)} to be played again"
            self.say(f"{self.kind}: {kept.played} played before, {again} ({self.path})")
        for number, seed in enumerate(given or self._seeds(kept, until), 1):
            self.say(f"{self.kind} schedule {number}: seed {seed}; again: {self.replay(seed)}")
            try:
                one(seed)
            except Exception as error:
                error.add_note(f"again: {self.replay(seed)}")
                raise
            if not given:
                kept.failed.remove(seed)
                kept.played += 1
                self._write(kept)
        self.say(f"{self.kind}: {number} schedules played, none failed")
        return number

    def _seeds(self, kept: Kept, until: float) -> Iterator[int]:
        """Return those that failed, then new ones; each counts as failed until it has passed."""
        yield from list(kept.failed)
        while self.clock() < until:
            kept.failed.append(kept.next)
            kept.next += 1
            self._write(kept)
            yield kept.failed[-1]

    def _write(self, kept: Kept) -> None:
        beside = self.path.with_suffix(".new")
        beside.write_text(json.dumps(asdict(kept)))
        beside.replace(self.path)  # whole or not at all, whenever the process ends


def once(name: str, judged: Iterable[Path], run: Callable[[], str], *, say: Callable[[str], None]) -> None:
    """Run what has an end, unless it ended well with the same texts of the modules that it judges."""
    text = b"".join(path.read_bytes() for path in sorted(judged))
    digest, path = hashlib.sha256(text).hexdigest(), folder() / "ended.json"
    ended = json.loads(path.read_text()) if path.exists() else {}
    if ended.get(name, {}).get("code") == digest:
        say(f"{name}: ended well before, with the same code: {ended[name]['told']} ({path})")
        return
    ended[name] = {"code": digest, "told": run()}
    path.write_text(json.dumps(ended))
