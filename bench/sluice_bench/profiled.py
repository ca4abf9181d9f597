"""`python -m sluice_bench.profiled operator …`: the command `sluice` with a profiler in every thread.

cProfile counts the calls of each function and the CPU time of its thread (so waiting weighs nothing); the
threads' profiles are added up at the end. It makes everything slower, small functions most: call counts and
proportions are what it is for, not times.
"""

from __future__ import annotations

import atexit
import cProfile
import io
import os
import pstats
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

_TOP: Final = 90
_ROOTS: Final = re.compile(r"/\S*/(?:site-packages|operator|python3\.\d+)/")


class Profiles:
    """One profile per thread, by the thread's name without its number."""

    def __init__(self) -> None:
        """Start with none."""
        self._lock = threading.Lock()
        self._found: list[tuple[str, cProfile.Profile]] = []

    def begin(self, name: str) -> None:
        """Profile the calling thread from here on."""
        profile = cProfile.Profile(time.thread_time)
        with self._lock:
            self._found.append((re.sub(r"[-_ (]*\d+.*", "", name), profile))
        profile.enable()

    def follow(self, run: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
        """Return `Thread.run` that begins a profile."""

        def profiled(thread: threading.Thread) -> None:
            self.begin(thread.name)
            run(thread)

        return profiled

    def report(self) -> str:
        """Return the groups' tables, the busiest first."""
        groups: dict[str, Any] = {}
        for name, profile in self._found:
            if not profile.getstats():
                continue
            if name in groups:
                groups[name].add(profile)
            else:
                groups[name] = pstats.Stats(profile, stream=io.StringIO())
        parts = []
        for name, stats in sorted(groups.items(), key=lambda item: -item[1].total_tt):
            stats.stream = stream = io.StringIO()
            for order in ("cumulative", "tottime"):
                stats.sort_stats(order).print_stats(_TOP if stats.total_tt > 0.5 else 5)
            parts.append(f"===== thread {name}\n{_ROOTS.sub('', stream.getvalue())}")
        return "\n".join(parts)


def main() -> None:
    """Run `sluice` with the arguments given, profiled."""
    target = Path(os.environ.pop("SLUICE_BENCH_PROFILE"))
    profiles = Profiles()
    atexit.register(lambda: target.write_text(profiles.report(), encoding="utf-8"))
    threading.Thread.run = profiles.follow(threading.Thread.run)  # type: ignore[assignment, method-assign]
    profiles.begin("MainThread")
    from sluice.cli.main import main as sluice  # noqa: PLC0415 - its import is profiled too

    sluice()


if __name__ == "__main__":
    main()
