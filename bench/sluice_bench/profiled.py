"""`python -m sluice_bench.profiled operator …`: the command `sluice` with a sampling profiler inside.

Every few milliseconds each thread's stack is noted and given the CPU time that this thread used since the
last look (its own CPU clock, so waiting threads weigh nothing). The report, at the end of the process or at
SIGUSR2, has CPU by thread group, by function with its callees, and by function alone. It costs some percent
of a core; times of a profiled run are not figures.
"""

from __future__ import annotations

import atexit
import os
import re
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Final

INTERVAL: Final = 0.004
_TOP: Final = 70
_DEPTH: Final = 60
_ROOTS: Final = re.compile(r".*/(?:site-packages|operator|python3\.\d+)/")


class Sampler:
    """Collects; `report` may be asked at any time."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._groups: Counter[str] = Counter()
        self._own: Counter[str] = Counter()
        self._within: Counter[str] = Counter()
        self._clocks: dict[int, float] = {}
        self._lines: Counter[str] = Counter()

    def run(self) -> None:
        """Sample for ever; for a thread of its own."""
        me = threading.get_ident()
        while True:
            time.sleep(INTERVAL)
            names = {thread.ident: thread.name for thread in threading.enumerate()}
            for ident, frame in sys._current_frames().items():  # noqa: SLF001 - the documented way to see other threads
                if ident != me:
                    self._note(ident, names.get(ident, "?"), frame)

    def _note(self, ident: int, name: str, frame: FrameType) -> None:
        try:
            clock = time.clock_gettime(time.pthread_getcpuclockid(ident))
        except OSError:
            return
        used = clock - self._clocks.get(ident, 0.0)
        self._clocks[ident] = clock
        if used <= 0:
            return
        self._groups[re.sub(r"[-_ (]*\d+.*", "", name)] += used
        self._lines[f"{_place(frame)}:{frame.f_lineno}"] += used
        seen: set[str] = set()
        current: FrameType | None = frame
        for depth in range(_DEPTH):
            if current is None:
                break
            place = _place(current)
            if depth == 0:
                self._own[place] += used
            if place not in seen:
                seen.add(place)
                self._within[place] += used
            current = current.f_back

    def report(self) -> str:
        """Return the tables."""
        everything = sum(self._groups.values()) or 1.0
        parts = [f"CPU seconds seen: {everything:.2f}"]
        tables = (
            ("by thread", self._groups),
            ("within (with callees)", self._within),
            ("alone", self._own),
            ("by line", self._lines),
        )
        for title, table in tables:
            parts.append(f"\n{title}")
            parts += [
                f"{used:8.3f} s {used / everything:6.1%}  {place}"
                for place, used in Counter(table).most_common(_TOP)
            ]
        return "\n".join(parts) + "\n"


def _place(frame: FrameType) -> str:
    code = frame.f_code
    return f"{_ROOTS.sub('', code.co_filename)} {code.co_qualname}:{code.co_firstlineno}"


def main() -> None:
    """Run `sluice` with the arguments given, sampled."""
    target = Path(os.environ.pop("SLUICE_BENCH_PROFILE"))
    sampler = Sampler()

    def write(*_: object) -> None:
        target.write_text(sampler.report(), encoding="utf-8")

    atexit.register(write)
    signal.signal(signal.SIGUSR2, write)
    threading.Thread(target=sampler.run, name="sampler", daemon=True).start()
    from sluice.cli.main import main as sluice  # noqa: PLC0415 - its import is sampled too

    sluice()


if __name__ == "__main__":
    main()
