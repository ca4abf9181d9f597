"""What a process shows before anything happened: every series whose labels are known, at 0."""

from __future__ import annotations

import ast
import inspect
from types import ModuleType
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from sluice.aws.metrics import FIRST, AwsMetrics
from sluice.aws_events.metrics import AwsEventMetrics
from sluice.model.binding import Binding
from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key
from sluice.notify.metrics import NotificationMetrics
from sluice.notify.outbox import State
from sluice.rollout import clocks, finishing, machine, stepping, verbs
from sluice.runtime import worker
from sluice.runtime.queue import Lane
from sluice.runtime.store import Seen
from sluice.telemetry.delivery import COMMIT_TIME
from sluice.telemetry.ledger import Ledger, Surroundings
from sluice.telemetry.metrics import HEARD, LANES, OUTCOMES, RuntimeMetrics
from sluice.telemetry.rollouts import REASONS

HOME = Binding(account="", region="eu-west-1")
OTHER = Binding(account="222233334444", region="us-east-1")
WEB = Key(DEPLOYMENT, "shop", "web")


def ledger(registry: CollectorRegistry, obj: dict[str, Any] | None = None) -> Ledger:
    """Return a ledger over one object of the team `pay`."""
    around = Surroundings(
        now=float, peek=lambda _key: obj, routes_of=lambda _key: (), team=lambda _obj: "pay"
    )
    return Ledger(registry, around)


@pytest.fixture
def registry() -> CollectorRegistry:
    """What a replica shows that has done nothing yet."""
    found = CollectorRegistry()
    RuntimeMetrics(found)
    aws = AwsMetrics(found)
    aws.begin((HOME, OTHER), dry_run=True)
    ledger(found)
    NotificationMetrics(found).watch(lambda: {"hook": State(0, None)}, now=float)
    AwsEventMetrics(found)
    return found


AWS = {"account": "default", "region": "eu-west-1"}
RULE = {"service": "elbv2", "operation": "ModifyRule"}


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("reconciles_total", {"kind": "Deployment", "outcome": "error"}),
        ("queue_wait_seconds_count", {"lane": "rollback"}),
        ("reconcile_duration_seconds_count", {"kind": "ServiceRoute", "lane": "resync"}),
        ("watch_restarts_total", {"kind": "Deployment"}),
        ("events_total", {"outcome": "dropped"}),
        ("decisions_total", {"kind": "Deployment", "reason": "RollbackStarted"}),
        ("drift_found_total", {"kind": "ServiceRoute", "field": "weights"}),
        ("drift_repaired_total", {"kind": "Deployment", "field": "desiredCount"}),
        ("rollback_seconds_count", {"plane": "rules", "reason": "Alarm"}),
        ("rollback_written_seconds_bucket", {"plane": "discovery", "reason": "Undo", "le": "2.0"}),
        ("rollout_duration_seconds_count", {"outcome": "RolledBack"}),
        ("rollout_step_duration_seconds_count", {"step": "analysis"}),
        ("route_verification_seconds_count", {"rollback": "true"}),
        ("aws_calls_total", RULE | AWS | {"outcome": "throttled"}),
        ("aws_calls_total", RULE | {"outcome": "ok", "account": "222233334444", "region": "us-east-1"}),
        ("aws_call_duration_seconds_count", RULE),
        ("aws_budget_deferred_total", AWS | {"bucket": "elbv2/account", "priority": "rollback"}),
        ("aws_budget_wait_seconds_count", {"bucket": "elbv2/write", "priority": "garbage"}),
        ("aws_dry_run_writes_total", RULE),
        ("notifications_total", {"sink": "hook", "event": "RolledBack", "outcome": "expired"}),
        ("notification_outbox_writes_total", {"outcome": "conflict"}),
        ("aws_events_total", {"what": "malformed"}),
        ("aws_events_receives_total", {"outcome": "denied"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_counter_is_there_before_its_first_event(
    registry: CollectorRegistry, name: str, labels: dict[str, str]
) -> None:
    """A series that appears with its first event shows no increase, ever."""
    assert registry.get_sample_value(f"sluice_{name}", labels) == 0


def test_a_replica_that_stands_by_shows_a_bounded_number_of_series(registry: CollectorRegistry) -> None:
    """Two accounts and a sink: docs/metrics.md says how many."""
    assert sum(len(family.samples) for family in registry.collect()) < 4_000


def test_an_operation_brings_its_own_series_before_its_first_call() -> None:
    """All outcomes, all priorities of all its buckets; asked for twice, nothing is counted anew."""
    registry = CollectorRegistry()
    metrics = AwsMetrics(registry)
    metrics.expect("ecr", "DescribeImages", OTHER)
    where = {"account": "222233334444", "region": "us-east-1"}
    call = where | {"service": "ecr", "operation": "DescribeImages"}
    bucket = where | {"bucket": "ecr/read", "priority": "drift"}
    assert registry.get_sample_value("sluice_aws_calls_total", call | {"outcome": "denied"}) == 0
    assert registry.get_sample_value("sluice_aws_budget_deferred_total", bucket) == 0
    metrics.called("ecr", "DescribeImages", outcome="denied", binding=OTHER, seconds=0.1)
    metrics.expect("ecr", "DescribeImages", OTHER)
    assert registry.get_sample_value("sluice_aws_calls_total", call | {"outcome": "denied"}) == 1


def test_what_is_withheld_has_series_only_in_a_dry_run() -> None:
    """Elsewhere they would say that something is withheld."""
    registry = CollectorRegistry()
    AwsMetrics(registry).begin((HOME,))
    assert registry.get_sample_value("sluice_aws_dry_run_writes_total", RULE) is None
    assert {service for service, _ in FIRST} == {"ecs", "elbv2"}


WHOSE = {"namespace": "shop", "team": "pay"}


@pytest.mark.parametrize("commit", [True, False], ids=["a commit is annotated", "none is"])
def test_delivery_of_a_namespace_and_team_begins_with_a_pass(*, commit: bool) -> None:
    """A rollout a week is an increase only where the series was there before; no commit, no lead time."""
    registry = CollectorRegistry()
    metadata = {"annotations": {COMMIT_TIME: "2026-11-21T10:00:00Z"}} if commit else {}
    ledger(registry, {"metadata": metadata}).passed(WEB)
    value = registry.get_sample_value
    assert value("sluice_delivery_deployments_total", WHOSE | {"outcome": "RolledBack"}) == 0
    assert value("sluice_delivery_failed_changes_total", WHOSE) == 0
    assert value("sluice_delivery_restore_seconds_count", WHOSE) == 0
    assert value("sluice_delivery_lead_time_seconds_count", WHOSE) == (0 if commit else None)


def test_a_route_delivers_nothing() -> None:
    """Only Deployments have rollouts."""
    registry = CollectorRegistry()
    ledger(registry, {}).passed(Key(SERVICE_ROUTE, "shop", "web"))
    assert (
        registry.get_sample_value("sluice_delivery_deployments_total", WHOSE | {"outcome": "Failed"}) is None
    )


# The closed lists are those of the code that counts.


def _reasons(module: ModuleType) -> set[str]:
    """Return the reasons, as they are written, with which a module turns a rollout back."""
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Call)]
    back = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "fall_back"]
    given = [call.args[1] for call in back]
    return {str(reason.value) for reason in given if isinstance(reason, ast.Constant)}


def test_the_reasons_of_rollbacks_are_the_machines() -> None:
    """One that is missing would have no series before its first rollback."""
    written = set().union(*(_reasons(module) for module in (machine, clocks, finishing, stepping, verbs)))
    looked_for = {reason for reason, _ in machine._LOOKS}
    assert written >= {"Deadline", "Hook", "Person", "Superseded"}
    assert written | looked_for | {"Undo"} == set(REASONS)


def test_the_outcomes_of_passes_are_the_workers() -> None:
    """The words that its methods return are all known, beside the kinds of AWS failures."""
    returned: set[str] = set()
    for method in (worker.Reconciler._outcome, worker.Reconciler._failed):
        tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(method)))
        for node in ast.walk(tree):
            if isinstance(node, ast.Return) and node.value is not None:
                values = (v for v in ast.walk(node.value) if isinstance(v, ast.Constant))
                returned |= {str(value.value) for value in values}
    assert {"ok", "error", "withheld", "conflict"} <= returned
    assert returned | worker._NO_FAILURES <= set(OUTCOMES)


def test_lanes_and_what_is_heard_are_the_queues_and_the_stores() -> None:
    """In their words."""
    assert set(LANES) == {lane.name.lower() for lane in Lane}
    assert set(HEARD) == {seen.value for seen in Seen} | {"deleted"}
