"""The programs that come from the system's packages: Prometheus, promtool and, for pictures, Chromium.

They are not fetched or built as the control plane's are: every distribution has them, and only monitoring
needs them. Whoever misses one is told the package, before anything else has begun: `make test` asks
`python -m sluice_sandbox.dashboard.programs` before there is an environment, on the standard library alone.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sluice_sandbox.controlplane.errors import MissingProgram


@dataclass(frozen=True, slots=True, kw_only=True)
class Packaged:
    """A program, the names it goes by, the first that is found counts, and Debian's package of it."""

    names: tuple[str, ...]
    package: str


PROGRAMS: Final = {
    "prometheus": Packaged(names=("prometheus",), package="prometheus"),
    "promtool": Packaged(names=("promtool",), package="prometheus"),
    "chromium": Packaged(
        names=("chromium", "chromium-browser", "google-chrome-stable", "google-chrome"),
        package="chromium",
    ),
}


def locate(*names: str) -> dict[str, Path]:
    """Return the files of these programs.

    Raises:
        MissingProgram: one is not in PATH; the text names the packages that bring all that are missing.
        KeyError: a name that is not in `PROGRAMS`.
    """
    found = {name: _which(PROGRAMS[name].names) for name in names}
    if missing := [name for name, path in found.items() if path is None]:
        raise MissingProgram(advice(missing))
    return {name: path for name, path in found.items() if path is not None}


def advice(missing: Iterable[str]) -> str:
    """Return what to do about programs that are not there."""
    names = sorted(missing)
    packages = " ".join(dict.fromkeys(PROGRAMS[name].package for name in names))
    return (
        f"not in PATH: {', '.join(names)}. Debian and Ubuntu have {'it' if len(names) == 1 else 'them'}: "
        f"`apt-get install --no-install-recommends {packages}` (as root); elsewhere install {packages} "
        "with your system's package manager, or unpack a release (https://prometheus.io/download/) into PATH."
    )


def _which(names: Iterable[str]) -> Path | None:
    hits = (shutil.which(name) for name in names)
    return next((Path(hit).absolute() for hit in hits if hit), None)


if __name__ == "__main__":
    try:
        for _name, _path in locate(*PROGRAMS).items():
            print(f"{_name}\t{_path}")  # noqa: T201 - the answer
    except MissingProgram as error:
        sys.exit(f"Error: {error}")
