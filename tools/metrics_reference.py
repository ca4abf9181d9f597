"""Writes the tables of docs/metrics.md from the metrics that the operator registers; --check only compares.

Names, types, labels and meanings are the code's. What is said here, because the code cannot know it, is how
many series each metric makes: a metric without that line, or a line without a metric, ends the run.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from prometheus_client import disable_created_metrics
from prometheus_client.registry import Collector

from sluice.aws.metrics import AwsMetrics
from sluice.aws_events.metrics import AwsEventMetrics
from sluice.model.keys import DEPLOYMENT, Key
from sluice.notify.metrics import NotificationMetrics
from sluice.telemetry.cost import CostMeter
from sluice.telemetry.ledger import Ledger, Surroundings
from sluice.telemetry.metrics import RuntimeMetrics, new_registry
from sluice.telemetry.objects import object_metrics
from sluice.telemetry.registry import ScrapeRegistry
from sluice.telemetry.series import Rows

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"
SECTIONS: Final = {
    "loop": ("sluice_build", "sluice_leader", "sluice_scrape", "sluice_reconcile", "sluice_queue"),
    "decisions": ("sluice_decisions", "sluice_drift", "sluice_events"),
    "kubernetes": ("sluice_kubernetes", "sluice_watch", "sluice_sweep"),
    "aws": ("sluice_aws",),
    "objects": ("sluice_object",),
    "deployments": ("sluice_deployment",),
    "rollouts": ("sluice_rollout", "sluice_rollback"),
    "routes": ("sluice_route", "sluice_discovery"),
    "notifications": ("sluice_notification",),
    "events": ("sluice_aws_events",),
    "delivery": ("sluice_delivery",),
    "cost": (
        "sluice_deployment_vcpu_seconds",
        "sluice_deployment_memory_byte_seconds",
        "sluice_deployment_cost",
    ),
}
"""Heading of the table in the page → the beginnings of names; the longest that fits decides."""
SERIES: Final = {
    "sluice_build_info": "1",
    "sluice_leader": "1",
    "sluice_scrape_errors_total": "7 parts",
    "sluice_reconciles_total": "2 kinds x 16 outcomes",
    "sluice_reconcile_duration_seconds": "2 kinds x 3 lanes x 15",
    "sluice_reconciles_running": "1",
    "sluice_queue_depth": "3 lanes",
    "sluice_queue_delayed": "1",
    "sluice_queue_failing": "1",
    "sluice_queue_oldest_seconds": "1",
    "sluice_queue_wait_seconds": "3 lanes x 13",
    "sluice_decisions_total": "2 kinds x 44 reasons",
    "sluice_drift_found_total": "2 kinds x 39 fields",
    "sluice_drift_repaired_total": "2 kinds x 39 fields",
    "sluice_events_total": "4",
    "sluice_kubernetes_requests_total": "about 40: verbs and codes of 8 resources",
    "sluice_kubernetes_request_duration_seconds": "5 verbs x 12",
    "sluice_watch_events_total": "2 kinds x 4",
    "sluice_watch_restarts_total": "2 kinds",
    "sluice_watch_silence_seconds": "1",
    "sluice_sweep_timestamp_seconds": "1",
    "sluice_sweep_repairs_total": "1",
    "sluice_aws_calls_total": "per account and Region: operations in use, 13 to about 70, x 9 outcomes",
    "sluice_aws_call_duration_seconds": "operations in use x 13",
    "sluice_aws_budget_tokens": "per account and Region: the buckets in use, at most 30",
    "sluice_aws_budget_capacity": "as above",
    "sluice_aws_budget_rate_factor": "as above",
    "sluice_aws_budget_waiting": "as above",
    "sluice_aws_budget_deferred_total": "as above x 5 priorities",
    "sluice_aws_budget_wait_seconds": "buckets in use x 5 priorities x 13",
    "sluice_aws_dry_run_writes_total": "about 40 operations, in a dry run",
    "sluice_objects": "2 kinds",
    "sluice_object_ready": "1 per object",
    "sluice_object_stalled": "1 per stalled object",
    "sluice_object_generation_lag": "1 per object",
    "sluice_object_synced_timestamp_seconds": "1 per object",
    "sluice_object_drifted_fields": "1 per object with open drift",
    "sluice_object_drift_repaired_total": "1 per object and field that was changed",
    "sluice_deployment_info": "1 per Deployment",
    "sluice_deployment_replicas": "1 per Deployment",
    "sluice_deployment_ready_replicas": "1 per Deployment",
    "sluice_deployment_updated_replicas": "1 per Deployment",
    "sluice_deployment_tasks": "2 or 3 per slot",
    "sluice_deployment_last_rollout_duration_seconds": "1 per Deployment",
    "sluice_deployment_last_rollout_timestamp_seconds": "1 per Deployment",
    "sluice_rollout_started_timestamp_seconds": "1 per rollout",
    "sluice_rollout_step_started_timestamp_seconds": "1 per progressive rollout",
    "sluice_rollout_step": "1 per progressive rollout",
    "sluice_rollout_steps": "1 per progressive rollout",
    "sluice_rollout_stage_info": "1 per progressive rollout",
    "sluice_rollout_gate_info": "1 per gate of a rollout: at most 128",
    "sluice_rollout_weight": "2 per progressive rollout",
    "sluice_rollout_held": "1 per rollout that waits for a person",
    "sluice_rollout_duration_seconds": "5 outcomes x 14",
    "sluice_rollout_step_duration_seconds": "6 kinds of steps x 13",
    "sluice_rollback_seconds": "2 planes x 10 reasons x 14",
    "sluice_rollback_written_seconds": "2 planes x 10 reasons x 14",
    "sluice_route_verification_seconds": "2 x 14",
    "sluice_route_weight": "2 per slot of a backend, 3 where requests are counted",
    "sluice_route_verified_timestamp_seconds": "1 per backend",
    "sluice_route_weights_proven": "1 per backend",
    "sluice_route_observed_as_configured": "1 per backend between two weights",
    "sluice_discovery_instances": "2 per route with discovery",
    "sluice_discovery_pending_operations": "1 per route with discovery",
    "sluice_notifications_total": "sinks x 11 events x 6 outcomes",
    "sluice_notifications_pending": "1 per sink",
    "sluice_notifications_oldest_seconds": "1 per sink",
    "sluice_notification_outbox_writes_total": "3",
    "sluice_aws_events_total": "6",
    "sluice_aws_events_receives_total": "9",
    "sluice_aws_events_lag_seconds": "11",
    "sluice_aws_events_flowing": "1 per account and Region",
    "sluice_delivery_deployments_total": "namespaces x teams x 5 outcomes",
    "sluice_delivery_failed_changes_total": "namespaces x teams",
    "sluice_delivery_lead_time_seconds": "namespaces x teams x 14",
    "sluice_delivery_restore_seconds": "namespaces x teams x 13",
    "sluice_deployment_vcpu_seconds_total": "1 per slot and use: 1 to 4 per Deployment",
    "sluice_deployment_memory_byte_seconds_total": "as above",
    "sluice_deployment_cost_total": "1 per use: 1 to 3 per Deployment, with prices",
}
"""Metric → how many series it makes; a histogram's bounds, sum and count are series, too."""
_SUFFIX: Final = {"counter": "_total", "info": "_info"}
_TABLE: Final = re.compile(r"<!-- metrics: (\w+) -->\n.*?<!-- end -->", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Described:
    """A metric as the page shows it."""

    name: str
    type: str
    labels: tuple[str, ...]
    text: str

    @property
    def row(self) -> str:
        """Return its line of a table."""
        series = SERIES[self.name].replace(" x ", " \u00d7 ")
        return f"| `{self.name}` | {self.type} | {', '.join(self.labels)} | {self.text} | {series} |"


def _times(text: str) -> str:
    return text.replace(" x ", " \u00d7 ")


class _Recording(ScrapeRegistry):
    """A registry that tells who registered."""

    def __init__(self) -> None:
        self.collectors: list[Collector] = []
        super().__init__()

    def register(self, collector: Collector) -> None:
        self.collectors.append(collector)
        super().register(collector)


def described() -> dict[str, Described]:
    """Return every metric of the operator's own, by name."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # as the operator does
    registry = _Recording()
    new_registry("", registry)
    runtime = RuntimeMetrics(registry)
    runtime.watch_queue(depth=dict, delayed=int, failing=int, oldest=float, running=int)
    runtime.watch_watch(float)
    AwsMetrics(registry).watch_budgets(tuple)
    around = Surroundings(now=float, peek=lambda _key: None, routes_of=lambda _key: (), team=lambda _obj: "")
    Ledger(registry, around)
    nothing: dict[Key, dict[str, Any]] = {Key(DEPLOYMENT, "shop", "web"): {}}
    registry.register(object_metrics(lambda: nothing, shown=lambda: True))
    registry.register(CostMeter(lambda: nothing, shown=lambda: True, now=float).collector)
    NotificationMetrics(registry).watch(dict, now=float)
    AwsEventMetrics(registry).watch(dict)
    return {found.name: found for collector in registry.collectors for found in _of(collector)}


def _of(collector: Collector) -> Iterator[Described]:
    for family in collector.collect():
        if not family.name.startswith("sluice_"):
            continue
        # Neither an instrument nor a family has a public way to ask for its label names.
        labels = getattr(family, "_labelnames", ()) or getattr(collector, "_labelnames", ())
        if isinstance(family, Rows):
            labels = family.series.labels
        if family.type == "info":
            labels = ("version",)
        kind = "gauge" if family.type == "info" else family.type
        name = family.name + _SUFFIX.get(family.type, "")
        yield Described(name, kind, tuple(labels), family.documentation)


def section_of(name: str) -> str:
    """Return the section of the page that a metric belongs to."""
    fits = [
        (len(prefix), key) for key, some in SECTIONS.items() for prefix in some if name.startswith(prefix)
    ]
    if not fits:
        raise SystemExit(f"tools/metrics_reference.py: no section of SECTIONS is for {name}")
    return max(fits)[1]


def page(text: str) -> str:
    """Return the page with its tables made anew."""
    found = described()
    if wrong := sorted(set(found) ^ set(SERIES)):
        raise SystemExit(f"tools/metrics_reference.py: SERIES and the code differ in {', '.join(wrong)}")
    rows: dict[str, list[str]] = {key: [] for key in SECTIONS}
    for name, metric in found.items():
        rows[section_of(name)].append(metric.row)
    shown = [match.group(1) for match in _TABLE.finditer(text)]
    if sorted(shown) != sorted(SECTIONS):
        raise SystemExit(f"docs/metrics.md: the tables are {shown}, they must be {list(SECTIONS)}")

    def table(match: re.Match[str]) -> str:
        key = match.group(1)
        head = "| metric | type | labels | meaning | series |\n|---|---|---|---|---|"
        return "\n".join((f"<!-- metrics: {key} -->", head, *rows[key], "<!-- end -->"))

    return _TABLE.sub(table, text)


def main() -> int:
    """Write or check; 1 when the page is not what the code says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when something differs")
    options = parser.parse_args()
    before = PAGE.read_text(encoding="utf-8")
    after = page(before)
    if options.check:
        return int(before != after)
    PAGE.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
