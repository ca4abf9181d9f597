"""Write the chart's Grafana dashboards (helm/sluice/dashboards) from tools/sluice_dashboards.

`python tools/dashboards.py` (make generate); a test compares what is committed with what this writes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from sluice_dashboards import aws, delivery, deployment, fleet, rollouts

FOLDER: Final = Path(__file__).resolve().parents[1] / "helm" / "sluice" / "dashboards"
DASHBOARDS: Final = (
    fleet.DASHBOARD,
    deployment.DASHBOARD,
    rollouts.DASHBOARD,
    aws.DASHBOARD,
    delivery.DASHBOARD,
)


def texts() -> dict[str, str]:
    """Return the files' texts by name."""
    return {
        f"{dashboard.uid}.json": json.dumps(dashboard.json(), indent=1, ensure_ascii=False) + "\n"
        for dashboard in DASHBOARDS
    }


def main() -> None:
    """Write the files; one that has no dashboard any more goes."""
    FOLDER.mkdir(exist_ok=True)
    wanted = texts()
    for file in FOLDER.glob("*.json"):
        if file.name not in wanted:
            file.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
