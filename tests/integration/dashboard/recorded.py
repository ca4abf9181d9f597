"""A rollout and its rollback as Prometheus has recorded it: made by promtool, over by now, and stays so."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from sluice_sandbox.dashboard.programs import locate

SECONDS: Final = 100
"""How long it lasted; the rollback was at 80."""
STAYS: Final = 240
"""Seconds from now on for which the end is recorded, too: what is older than five seconds Prometheus does not
show as present here (`--query.lookback-delta`), and a busy machine needs longer to start it and a browser."""
_W: Final = 'namespace="shop",name="web"'
_B: Final = 'namespace="shop",route="web",backend="web"'


def _canary(second: int) -> float:
    """Return the candidate's share: 5, 25 and 50 percent, then nothing."""
    for begin, share in ((80, 0.0), (50, 0.5), (35, 0.25), (20, 0.05)):
        if second >= begin:
            return share
    return 0.0


_AlwaysOrNot = Callable[[int], float | None]
SERIES: Final[dict[str, _AlwaysOrNot]] = {
    f'sluice_deployment_info{{{_W},phase="Progressing",revision="web-1"}}': lambda _: 1,
    f'sluice_route_weight{{{_B},slot="a",kind="desired"}}': lambda at: 1 - _canary(at),
    f'sluice_route_weight{{{_B},slot="a",kind="configured"}}': lambda at: 1 - _canary(at - 1),
    f'sluice_route_weight{{{_B},slot="b",kind="desired"}}': lambda at: _canary(at) or None,
    f'sluice_route_weight{{{_B},slot="b",kind="configured"}}': lambda at: _canary(at - 1) or None,
    f"sluice_route_weights_proven{{{_B}}}": lambda _: 1,
    f'sluice_deployment_tasks{{{_W},slot="a",state="desired"}}': lambda _: 3,
    f'sluice_deployment_tasks{{{_W},slot="a",state="running"}}': lambda _: 3,
    f'sluice_deployment_tasks{{{_W},slot="a",state="healthy"}}': lambda _: 3,
    f'sluice_deployment_tasks{{{_W},slot="b",state="desired"}}': lambda at: 2 if 5 <= at < 90 else 0,
    f'sluice_deployment_tasks{{{_W},slot="b",state="running"}}': lambda at: 2 if 15 <= at < 90 else 0,
    f'sluice_object_ready{{kind="Deployment",{_W},reason="Available"}}': lambda at: 1 if at < 5 else None,
    f'sluice_object_ready{{kind="Deployment",{_W},reason="RollingOut"}}': lambda at: (
        0 if 5 <= at < 80 else None
    ),
    f'sluice_object_ready{{kind="Deployment",{_W},reason="RolledBack"}}': lambda at: 0 if at >= 80 else None,
    f'sluice_object_stalled{{kind="Deployment",{_W},reason="RolledBack"}}': lambda at: (
        1 if at >= 80 else None
    ),
    f'sluice_rollout_stage_info{{{_W},kind="Rollout",stage="Stepping",slot="b"}}': lambda at: (
        1 if 20 <= at < 80 else None
    ),
    f'sluice_rollout_stage_info{{{_W},kind="Rollout",stage="RollingBack",slot="b"}}': lambda at: (
        1 if 80 <= at < 84 else None
    ),
    f"sluice_rollout_step{{{_W}}}": lambda at: 5 if at >= 50 else 3,
    f"sluice_rollout_steps{{{_W}}}": lambda _: 7,
    'sluice_rollback_seconds_count{plane="rules",reason="AnalysisFailed"}': lambda at: (
        1 if at >= 81 else None
    ),
    'sluice_rollback_seconds_sum{plane="rules",reason="AnalysisFailed"}': lambda at: (
        0.37 if at >= 81 else None
    ),
    'ALERTS{alertname="SluiceRolledBack",alertstate="firing",namespace="shop",name="web"}': lambda at: (
        1 if at >= 82 else None
    ),
}


def record(folder: Path) -> None:
    """Write the recording as a Prometheus data folder."""
    folder.mkdir(parents=True)
    file = folder.with_suffix(".txt")
    file.write_text("\n".join([*_lines(time.time()), "# EOF", ""]), encoding="utf-8")
    command = [str(locate("promtool")["promtool"]), "tsdb", "create-blocks-from", "openmetrics"]
    subprocess.run([*command, "--quiet", str(file), str(folder)], check=True, capture_output=True, timeout=60)


def _lines(now: float) -> Iterator[str]:
    for name, value in SERIES.items():
        for second in range(SECONDS + STAYS + 1):
            if (number := value(second)) is not None:
                yield f"{name} {number} {now - SECONDS + second:.3f}"
