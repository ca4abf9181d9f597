"""A real Prometheus over the operators of a world, asked what it saw in a span of time."""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from e2e.panels import RULE_FILES
from e2e.waiting import until
from e2e.world import World
from sluice_sandbox.dashboard.prometheus import Prometheus, configuration, get

_STEP_S = 1


class Scrape:
    """A context manager: from its beginning on Prometheus scrapes the replicas that run, every second."""

    def __init__(self, world: World, folder: Path) -> None:
        """Scrape all replicas that run now, with the chart's rules."""
        ports = [o.wait_for("http_bound")["port"] for o in world.operators if o.runs]
        config = configuration([f"127.0.0.1:{port}" for port in ports], rules=RULE_FILES)
        self._prometheus = Prometheus(folder, config)
        self.began = 0.0

    def __enter__(self) -> Self:
        """Start; the first scrape is in when this returns."""
        self._prometheus.__enter__()
        self.began = time.time()
        until(lambda: self.now("sluice_build_info"), "the first scrape")
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._prometheus.__exit__()

    def now(self, expr: str) -> list[tuple[dict[str, str], float]]:
        """Return labels and values of an expression now."""
        return [(series.labels, series.value) for series in self._prometheus.ask(expr)]

    def ever(self, expr: str) -> list[dict[str, Any]]:
        """Return the series that an expression had at any second since the beginning."""
        asked = {"query": expr, "start": f"{self.began:.0f}", "end": f"{time.time():.0f}", "step": _STEP_S}
        found = self._get(f"query_range?{urllib.parse.urlencode(asked)}")["result"]
        # 0 / 0 is no answer.
        return [series for series in found if any(value != "NaN" for _, value in series["values"])]

    def silent(self, wanted: Mapping[str, str], *, seconds: float = 20.0) -> list[str]:
        """Return the names of the expressions that still had nothing after some more scrapes."""
        left = dict(wanted)
        deadline = time.monotonic() + seconds
        while left := {name: expr for name, expr in left.items() if not self.ever(expr)}:
            if time.monotonic() > deadline:
                break
        return sorted(left)

    def values(self, selector: str, label: str) -> list[str]:
        """Return the values of a label, as Grafana asks for a variable's."""
        asked = urllib.parse.urlencode({"match[]": selector})
        return list(self._get(f"label/{label}/values?{asked}"))

    def told(self, alert: str) -> list[str]:
        """Return the summaries of an alert that is pending or fires, as Prometheus renders them."""
        found = self._get("alerts")["alerts"]
        return [a["annotations"]["summary"] for a in found if a["labels"]["alertname"] == alert]

    def unhealthy_rules(self) -> list[str]:
        """Return the rules that Prometheus could not evaluate, with its error."""
        groups = self._get("rules")["groups"]
        found = [rule for group in groups for rule in group["rules"]]
        assert found
        return [f"{rule['name']}: {rule['lastError']}" for rule in found if rule["health"] == "err"]

    def settled(self) -> bool:
        """Tell whether every rule was evaluated."""
        groups = self._get("rules")["groups"]
        return all(rule["health"] != "unknown" for group in groups for rule in group["rules"])

    def _get(self, path: str) -> Any:
        return get(f"{self._prometheus.url}/api/v1/{path}")
