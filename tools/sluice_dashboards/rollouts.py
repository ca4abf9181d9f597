"""Rollouts and rollbacks: how many, how fast, what is in motion."""

from __future__ import annotations

from typing import Final

from sluice_dashboards.model import Dashboard, Row, figure, graph, line, now, quantile, rows, table
from sluice_dashboards.variables import DEPLOYMENT, NAMESPACE, OF

_DETAIL: Final = "sluice-deployment"


def _quantile(share: float, metric: str, *labels: str) -> str:
    return quantile(share, f"increase({metric}_bucket[$__range])", *labels)


DASHBOARD: Final = Dashboard(
    uid="sluice-rollouts",
    title="Sluice / Rollouts and rollbacks",
    text="What is in motion, how long steps and proofs take, how fast a rollback was written and proved.",
    variables=(NAMESPACE, DEPLOYMENT),
    since="now-24h",
    rows=(
        Row(
            "In motion",
            (
                table(
                    "Rollouts going on",
                    "Age of each rollout in seconds, whatever its strategy.",
                    rows(
                        "time() - max by (namespace, name)"
                        f" (sluice_rollout_started_timestamp_seconds{{{OF}}})"
                    ),
                    names={"Value": "seconds"},
                    unit="s",
                    to=_DETAIL,
                    width=8,
                ),
                table(
                    "Stage",
                    "Where each progressive rollout is.",
                    rows(f"max by (namespace, name, kind, stage, slot) (sluice_rollout_stage_info{{{OF}}})"),
                    hide=("Value",),
                    to=_DETAIL,
                    width=8,
                ),
                table(
                    "Waiting for a person",
                    "What to promote, to resume or to abort (runbook: SluiceRolloutWaitsForPerson).",
                    rows(f"max by (namespace, name, reason) (sluice_rollout_held{{{OF}}})"),
                    hide=("Value",),
                    to=_DETAIL,
                    width=8,
                ),
                graph(
                    "Weight of the candidates",
                    "Desired by the step, and proved.",
                    line(
                        f"max by (namespace, name, kind) (sluice_rollout_weight{{{OF}}})",
                        "{{namespace}}/{{name}} {{kind}}",
                    ),
                    unit="percentunit",
                    top=1,
                    steps=True,
                ),
                graph(
                    "Steps done",
                    "Of each progressive rollout, as a share of its steps.",
                    line(
                        f"max by (namespace, name) (sluice_rollout_step{{{OF}}})"
                        f" / max by (namespace, name) (sluice_rollout_steps{{{OF}}})",
                        "{{namespace}}/{{name}}",
                    ),
                    unit="percentunit",
                    top=1,
                    steps=True,
                ),
            ),
        ),
        Row(
            "Rollbacks",
            (
                figure(
                    "Rollbacks",
                    "Verified in the time that is shown.",
                    now('sum(increase(sluice_rollback_seconds_count{plane!="discovery"}[$__range]))'),
                ),
                figure(
                    "Decision to proof, p50",
                    "From the decision to the last rule that was read back as written.",
                    now(_quantile(0.5, "sluice_rollback_seconds", "plane")),
                    unit="s",
                    bad_from=10,
                ),
                figure(
                    "Decision to proof, p99",
                    "The goal is two seconds (runbook: SluiceRollbackSlow).",
                    now(_quantile(0.99, "sluice_rollback_seconds", "plane")),
                    unit="s",
                    bad_from=10,
                ),
                figure(
                    "Decision to written, p99",
                    "Until AWS took the last write.",
                    now(_quantile(0.99, "sluice_rollback_written_seconds", "plane")),
                    unit="s",
                    bad_from=10,
                ),
                figure(
                    "Proof of a write, p99",
                    "From published weights to rules that were read back, rollbacks alone.",
                    now(
                        quantile(
                            0.99,
                            'increase(sluice_route_verification_seconds_bucket{rollback="true"}[$__range])',
                        )
                    ),
                    unit="s",
                    bad_from=10,
                ),
                figure(
                    "Put off for tokens",
                    "Calls of rollbacks that found no AWS token (runbook: SluiceRollbackPutOff).",
                    now(
                        'sum(increase(sluice_aws_budget_deferred_total{priority="rollback"}[$__range]))'
                        " or vector(0)"
                    ),
                    bad_from=1,
                ),
                graph(
                    "Rollbacks by reason",
                    "Why it went back: an analysis, an alarm, a hook, crashing tasks, a deadline, a person.",
                    line(
                        "sum by (plane, reason)"
                        " (increase(sluice_rollback_seconds_count[$__rate_interval])) > 0",
                        "{{plane}}: {{reason}}",
                    ),
                    unit="short",
                    steps=True,
                ),
                graph(
                    "Mean seconds from decision to proof",
                    "By plane: load balancer rules, Cloud Map.",
                    line(
                        "sum by (plane) (increase(sluice_rollback_seconds_sum[$__range]))"
                        " / sum by (plane) (increase(sluice_rollback_seconds_count[$__range]) > 0)",
                        "{{plane}}",
                    ),
                    unit="s",
                ),
            ),
        ),
        Row(
            "How long it takes",
            (
                graph(
                    "Duration of rollouts, p90",
                    "From start to end, whatever the strategy, by how they ended.",
                    line(_quantile(0.9, "sluice_rollout_duration_seconds", "outcome"), "{{outcome}}"),
                    unit="s",
                ),
                graph(
                    "Duration of steps, p90",
                    "By what the step does.",
                    line(_quantile(0.9, "sluice_rollout_step_duration_seconds", "step"), "{{step}}"),
                    unit="s",
                ),
                graph(
                    "Proof of weights",
                    "From published weights to rules that were read back: p50 and p99.",
                    line(_quantile(0.5, "sluice_route_verification_seconds"), "p50"),
                    line(_quantile(0.99, "sluice_route_verification_seconds"), "p99"),
                    unit="s",
                ),
                graph(
                    "Rollouts by outcome",
                    "Ended in each interval.",
                    line(
                        "sum by (outcome)"
                        " (increase(sluice_rollout_duration_seconds_count[$__rate_interval]))",
                        "{{outcome}}",
                    ),
                    unit="short",
                    steps=True,
                ),
            ),
        ),
        Row(
            "Drift",
            (
                graph(
                    "Drift found and repaired",
                    "Fields that somebody changed in AWS, and that Sluice put back.",
                    line(
                        "sum by (field) (increase(sluice_drift_found_total[$__rate_interval])) > 0",
                        "{{field}} found",
                    ),
                    line(
                        "sum by (field) (increase(sluice_drift_repaired_total[$__rate_interval])) > 0",
                        "{{field}} repaired",
                    ),
                    unit="short",
                    steps=True,
                ),
                table(
                    "The last rollout of each Deployment",
                    "How it ended, and how long it took.",
                    rows(
                        "max by (namespace, name, outcome)"
                        f" (sluice_deployment_last_rollout_duration_seconds{{{OF}}})"
                    ),
                    names={"Value": "seconds"},
                    unit="s",
                    to=_DETAIL,
                    width=12,
                ),
            ),
        ),
    ),
)
