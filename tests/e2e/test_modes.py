"""Looking without touching: dry run and suspension of the whole operator, and what happens when they end."""

from __future__ import annotations

import pytest

from e2e.desk import DEPLOYMENT, ROUTE, Desk
from e2e.operator_process import Operator
from e2e.waiting import until

pytestmark = pytest.mark.e2e


def test_a_dry_run_logs_what_it_would_do(desk: Desk) -> None:
    """Changes and a new object: AWS hears of no write; log, metrics and conditions tell the first."""
    aws, route = desk.aws, desk.route()
    desk.apply_and_wait(desk.deployment(), route)
    with desk.world.configured(dryRun=True):
        operator = desk.world.operator()
        since = aws.calls_made()
        desk.apply(desk.deployment(replicas=3), desk.deployment("new"), desk.route(path="/shop"))
        until(lambda: withheld(operator) >= {"UpdateService", "RegisterTaskDefinition"}, "both are withheld")
        told = until(lambda: paused(desk, "web", ROUTE), "the route's condition tells")
        assert "dry run; not done: " in told
        assert "Rule of " in told
        logged = [line for line in operator.lines("aws_write") if line["namespace"] == desk.namespace]
        found = {(line["kind"], line["name"], line["operation"], line["outcome"]) for line in logged}
        assert {entry for entry in found if entry[0] == "Deployment"} == {
            ("Deployment", "web", "UpdateService", "dry-run"),
            ("Deployment", "new", "RegisterTaskDefinition", "dry-run"),
        }
        assert {(name, outcome) for kind, name, _, outcome in found if kind == "ServiceRoute"} == {
            ("web", "dry-run")
        }
        assert "dry run; not done: UpdateService" in until(lambda: paused(desk, "web"), "the condition tells")
        assert "dry run; not done: RegisterTaskDefinition" in until(
            lambda: paused(desk, "new"), "the other too"
        )
        # A register intent would have to be looked for later; a revision that never ran is none.
        assert "registering" not in desk.status(DEPLOYMENT, "new")
        assert desk.status(DEPLOYMENT)["live"]
        assert aws.writes(since=since, principal=operator.principal) == []
    desk.wait_ready(desk.deployment())
    assert desk.service()["runningCount"] == 3


def test_a_suspended_operator_only_reports(desk: Desk) -> None:
    """Drift is told and not repaired, new objects and deletions wait; afterwards everything catches up."""
    aws = desk.aws
    desk.apply_and_wait(desk.deployment(), desk.route(), desk.deployment("ledger"))
    with desk.world.configured(suspend=True):
        operator = desk.world.operator()
        since = aws.calls_made()
        aws.ecs.update_service(cluster=aws.cluster, service=desk.service()["serviceName"], desiredCount=3)
        condition = until(lambda: paused(desk, "web"), "the drift is told", seconds=60)
        assert "desiredCount 3 → 2" in condition
        until(lambda: any("desiredCount" in text for text in desk.events("DriftFound")), "an event tells it")
        desk.apply(desk.deployment("new"))
        desk.kubectl("delete", "ecsdeployment", "ledger", "--wait=false")
        until(lambda: paused(desk, "new"), "the new one waits")
        until(lambda: "the deletion waits" in paused(desk, "ledger"), "the deletion waits")
        assert aws.writes(since=since, principal=operator.principal) == []
        assert desk.service()["desiredCount"] == 3
        assert desk.status(ROUTE)["parents"]
    desk.wait_ready(desk.deployment(), desk.deployment("new"), desk.route())
    until(lambda: not desk.get(DEPLOYMENT, "ledger"), "the deleted one is gone", seconds=60)
    assert desk.service()["desiredCount"] == 2


def withheld(operator: Operator) -> set[str]:
    """Return the operations that a dry run has not sent, as its metrics count them."""
    samples = operator.samples("sluice_aws_dry_run_writes_total")
    return {labels["operation"] for labels, value in samples if value}


def paused(desk: Desk, name: str, plural: str = DEPLOYMENT) -> str:
    """Return what an object that is paused says, '' while it says something else."""
    condition = desk.condition(plural, name)
    return str(condition["message"]) if condition["reason"] == "Paused" else ""
