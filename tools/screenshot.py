"""Take the picture of docs/dashboards.md: the demo's page once a bad revision was rolled back.

`python tools/screenshot.py [FILE]` plays `sluice sandbox demo --dashboard` in the repository, waits until
Prometheus knows a verified rollback, lets headless Chromium draw the page, and ends the demo. It needs what
`make demo DASHBOARD=1` needs, and Chromium.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Final

from sluice_sandbox.dashboard.programs import locate
from sluice_sandbox.dashboard.prometheus import query
from sluice_sandbox.demo.stage import sluice

ROOT: Final = Path(__file__).resolve().parents[1]
PICTURE: Final = ROOT / "docs" / "images" / "dashboard.png"
_SIZE: Final = "1280,790"
_DEPLOYMENT: Final = "default/checkout"
_ROLLED_BACK: Final = "sum(sluice_rollback_seconds_count) > 0"
_AFTERWARDS_S: Final = 14
"""What follows the rollback belongs to the picture, too."""
_LONGEST_S: Final = 240


def main(picture: Path) -> None:
    """Write the picture."""
    locate("prometheus", "chromium")
    command = [*sluice(), "sandbox", "demo", "--dashboard"]
    demo = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        assert demo.stdout is not None
        addresses = _addresses(demo.stdout)
        _wait_for_rollback(demo, addresses["Prometheus"])
        take(f"{addresses['page']}?still=1&minutes=1&deployment={_DEPLOYMENT}", picture)
    finally:
        if demo.poll() is None:
            demo.send_signal(signal.SIGINT)
        demo.wait(60)
    print(f"{picture}: {picture.stat().st_size} bytes")


def _addresses(output: IO[str]) -> dict[str, str]:
    """Read the demo's lines until both addresses are told; the rest is read and dropped."""
    found: dict[str, str] = {}
    for line in output:
        print(line, end="")
        _, _, text = line.partition("s  ")
        name, _, url = text.strip().partition(": ")
        if name in ("page", "Prometheus"):
            found[name] = url
        if len(found) == 2:
            threading.Thread(target=lambda: [print(rest, end="") for rest in output], daemon=True).start()
            return found
    raise SystemExit("the demo ended before its page was there")


def _wait_for_rollback(demo: subprocess.Popen[str], prometheus: str) -> None:
    deadline = time.monotonic() + _LONGEST_S
    try:
        while not query(prometheus.rstrip("/"), _ROLLED_BACK):
            if time.monotonic() > deadline:
                raise SystemExit(f"no rollback was verified within {_LONGEST_S} s")
            time.sleep(0.5)
    except OSError:
        demo.wait(60)
        raise SystemExit("the demo ended before its rollback; what it said is above") from None
    time.sleep(_AFTERWARDS_S)


def take(url: str, picture: Path) -> None:
    """Let Chromium draw a page into a file."""
    picture.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        command = [str(locate("chromium")["chromium"]), "--headless=new", "--no-sandbox", "--disable-gpu"]
        command += ["--disable-dev-shm-usage", "--hide-scrollbars", f"--user-data-dir={home}"]
        command += [f"--window-size={_SIZE}", "--virtual-time-budget=10000", f"--screenshot={picture}", url]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE)
