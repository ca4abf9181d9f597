"""Alerts about the operator's replicas and about AWS's request budgets."""

from __future__ import annotations

from typing import Final

from integration.rules.promtool import Case

_POD: Final = 'job="sluice", namespace="sluice-system", instance="1"'
_OTHER: Final = 'job="sluice", namespace="sluice-system", instance="2"'
_JOB: Final = {"job": "sluice", "namespace": "sluice-system"}
_POINTED: Final = {**_JOB, "instance": "1"}
_BUCKET: Final = 'bucket="elbv2-write", account="default", region="eu-west-1"'
_SPENT: Final = {"bucket": "elbv2-write", "account": "default", "region": "eu-west-1"}
_ELB: Final = 'service="elbv2", operation="ModifyRule", account="default", region="eu-west-1"'

CASES: Final = {
    "a budget is spent": Case(
        alert="SluiceAWSBudgetExhausted",
        at="12m",
        labels=_SPENT,
        fires={
            f"sluice_aws_budget_tokens{{{_BUCKET}}}": "0.2x15",
            f"sluice_aws_budget_waiting{{{_BUCKET}}}": "7x15",
        },
        # Spent, and nobody minds.
        quiet={
            f"sluice_aws_budget_tokens{{{_BUCKET}}}": "0.2x15",
            f"sluice_aws_budget_waiting{{{_BUCKET}}}": "0x15",
        },
    ),
    "AWS throttles": Case(
        alert="SluiceAWSThrottled",
        at="25m",
        labels={"service": "elbv2", "account": "default", "region": "eu-west-1"},
        fires={f"sluice_aws_calls_total{{{_ELB}, outcome='throttled'}}": "0+1x30"},
        quiet={f"sluice_aws_calls_total{{{_ELB}, outcome='throttled'}}": "0x5 1x25"},
    ),
    "a rollback has no token": Case(
        alert="SluiceRollbackPutOff",
        at="7m",
        labels=_SPENT,
        # The counter begins with the event.
        fires={f"sluice_aws_budget_deferred_total{{{_BUCKET}, priority='rollback'}}": "_x5 1x5"},
        quiet={f"sluice_aws_budget_deferred_total{{{_BUCKET}, priority='drift'}}": "_x5 1x5"},
    ),
    "a rollback had no token long ago": Case(
        alert="SluiceRollbackPutOff",
        at="14m",
        labels=_SPENT,
        fires={f"sluice_aws_budget_deferred_total{{{_BUCKET}, priority='rollback'}}": "1x12 2x5"},
        quiet={f"sluice_aws_budget_deferred_total{{{_BUCKET}, priority='rollback'}}": "_x2 1x15"},
    ),
    "no operator": Case(
        alert="SluiceOperatorDown",
        at="5m",
        fires={"up{job='sluice'}": "0x9", f"sluice_build_info{{{_POD}}}": "1 stale"},
        quiet={f"sluice_build_info{{{_POD}}}": "1 stale", f"sluice_build_info{{{_OTHER}}}": "1x9"},
    ),
    "no leader": Case(
        alert="SluiceNoLeader",
        at="4m",
        labels=_JOB,
        fires={f"sluice_leader{{{_POD}}}": "0x9", f"sluice_leader{{{_OTHER}}}": "0x9"},
        # It takes some seconds until the next one leads.
        quiet={f"sluice_leader{{{_POD}}}": "1 0x9", f"sluice_leader{{{_OTHER}}}": "0 0 0 1x9"},
    ),
    "two leaders": Case(
        alert="SluiceTwoLeaders",
        at="3m",
        labels=_JOB,
        value="2",
        fires={f"sluice_leader{{{_POD}}}": "1x5", f"sluice_leader{{{_OTHER}}}": "1x5"},
        # Two releases, each with one.
        quiet={
            f"sluice_leader{{{_POD}}}": "1x5",
            "sluice_leader{job='sluice', namespace='other-system', instance='9'}": "1x5",
        },
    ),
    "the watch stands still": Case(
        alert="SluiceWatchStale",
        at="4m",
        labels=_POINTED,
        fires={f"sluice_watch_silence_seconds{{{_POD}}}": "90x9"},
        quiet={f"sluice_watch_silence_seconds{{{_POD}}}": "90 0.4x9"},
    ),
    "nobody compares": Case(
        alert="SluiceWatchStale",
        at="33m",
        labels=_POINTED,
        fires={f"sluice_sweep_timestamp_seconds{{{_POD}}}": "0x40"},
        # A standby does not sweep and has no such series.
        quiet={
            f"sluice_sweep_timestamp_seconds{{{_POD}}}": "0+60x40",
            f"sluice_watch_silence_seconds{{{_OTHER}}}": "0.1x40",
        },
    ),
    "the watch misses objects": Case(
        alert="SluiceWatchMissedObjects",
        at="62m",
        labels=_POINTED,
        value="30",
        fires={f"sluice_sweep_repairs_total{{{_POD}}}": "0+1x70"},
        quiet={f"sluice_sweep_repairs_total{{{_POD}}}": "0x10 1x60"},
    ),
    "behind": Case(
        alert="SluiceQueueBehind",
        at="12m",
        labels=_JOB,
        value="3m 20s",
        fires={f"sluice_queue_oldest_seconds{{{_POD}}}": "200x15"},
        quiet={f"sluice_queue_oldest_seconds{{{_POD}}}": "200x5 40x10"},
    ),
    "a dead sink": Case(
        alert="SluiceNotificationsStuck",
        at="6m",
        labels={"sink": "slack"},
        value="15m 0s",
        fires={"sluice_notifications_oldest_seconds{sink='slack'}": "900x9"},
        # Retried, and through.
        quiet={"sluice_notifications_oldest_seconds{sink='slack'}": "900x3 0x9"},
    ),
    "a sink that refuses": Case(
        alert="SluiceNotificationsLost",
        at="8m",
        labels={"sink": "slack", "outcome": "rejected"},
        value="3",
        fires={"sluice_notifications_total{sink='slack', event='promoted', outcome='rejected'}": "_x5 1 3x9"},
        # It will be tried again.
        quiet={"sluice_notifications_total{sink='slack', event='promoted', outcome='failed'}": "_x5 1 3x9"},
    ),
    "a defect": Case(
        alert="SluiceDefect",
        at="7m",
        labels={"kind": "Deployment"},
        value="2",
        fires={f"sluice_reconciles_total{{{_POD}, kind='Deployment', outcome='error'}}": "_x5 1 2x5"},
        # AWS or a spec is to blame.
        quiet={f"sluice_reconciles_total{{{_POD}, kind='Deployment', outcome='denied'}}": "_x5 1 2x5"},
    ),
    "a part of the metrics fails": Case(
        alert="SluiceScrapeIncomplete",
        at="12m",
        labels={"part": "objects"},
        fires={f"sluice_scrape_errors_total{{{_POD}, part='objects'}}": "0 0 0+1x20"},
        quiet={f"sluice_scrape_errors_total{{{_POD}, part='objects'}}": "0x30"},
    ),
}
