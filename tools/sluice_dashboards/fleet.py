"""Fleet: is everything well, and is the operator itself?"""

from __future__ import annotations

from typing import Final

from sluice_dashboards.model import (
    Dashboard,
    Row,
    annotation,
    figure,
    graph,
    line,
    now,
    quantile,
    rows,
    table,
)
from sluice_dashboards.variables import IN, NAMESPACE

DETAIL: Final = "sluice-deployment"

DASHBOARD: Final = Dashboard(
    uid="sluice-fleet",
    title="Sluice / Fleet",
    text="All custom resources and the operator: what is not well, who waits for a person, what is behind.",
    variables=(NAMESPACE,),
    annotations=(
        annotation(
            "Leader changed",
            "changes(sluice_leader[1m]) > 0",
            color="purple",
        ),
    ),
    rows=(
        Row(
            "Now",
            (
                figure(
                    "Ready",
                    "Custom resources whose Ready condition is True for their present generation, of all.",
                    now(
                        f"sum(max by (kind, namespace, name) (sluice_object_ready{{{IN}}}))"
                        f" / count(max by (kind, namespace, name) (sluice_object_ready{{{IN}}}))"
                    ),
                    unit="percentunit",
                    good_from=1,
                ),
                figure(
                    "Stalled",
                    "Custom resources for which waiting alone will not help (runbook: SluiceStalled).",
                    now(
                        f"count(max by (kind, namespace, name) (sluice_object_stalled{{{IN}}})) or vector(0)"
                    ),
                    bad_from=1,
                ),
                figure(
                    "Rollouts going on",
                    "Deployments, whatever their strategy, in the middle of a rollout.",
                    now(
                        "count(max by (namespace, name)"
                        f" (sluice_rollout_started_timestamp_seconds{{{IN}}})) or vector(0)"
                    ),
                ),
                figure(
                    "Waiting for a person",
                    "Rollouts that a person has to promote, to resume or to abort.",
                    now(f"count(max by (namespace, name) (sluice_rollout_held{{{IN}}})) or vector(0)"),
                    bad_from=1,
                ),
                figure(
                    "Weights not proved",
                    "Backends whose published weights are not what was read back from the listener rules"
                    " (runbook: SluiceWeightsUnproven).",
                    now(
                        "count(min by (namespace, route, backend)"
                        f" (sluice_route_weights_proven{{{IN}}}) == 0) or vector(0)"
                    ),
                    bad_from=1,
                ),
                figure(
                    "Fields drifted",
                    "Fields that somebody changed in AWS and that are not put back yet.",
                    now(
                        "sum(max by (kind, namespace, name)"
                        f" (sluice_object_drifted_fields{{{IN}}})) or vector(0)"
                    ),
                    bad_from=1,
                ),
            ),
        ),
        Row(
            "What is not well",
            (
                table(
                    "Not Ready",
                    "Every custom resource that is not Ready, with the reason of its condition.",
                    rows(f"max by (kind, namespace, name, reason) (sluice_object_ready{{{IN}}}) == 0"),
                    hide=("Value",),
                    to=DETAIL,
                    width=12,
                ),
                table(
                    "Alerts",
                    "Alerts of this chart's rules that fire or are about to.",
                    rows('ALERTS{alertname=~"Sluice.+"}'),
                    hide=("Value", "kind", "endpoint", "service", "container"),
                    width=12,
                ),
                graph(
                    "Ready by kind",
                    "Share of the custom resources that are Ready.",
                    line(
                        f"avg by (kind) (max by (kind, namespace, name) (sluice_object_ready{{{IN}}}))",
                        "{{kind}}",
                    ),
                    unit="percentunit",
                    top=1,
                ),
                graph(
                    "Tasks missing",
                    "Share of the tasks that are asked for and not there to serve: what error budgets count.",
                    line(
                        f"namespace_name:sluice_deployment_unavailable:ratio{{{IN}}} > 0",
                        "{{namespace}}/{{name}}",
                    ),
                    unit="percentunit",
                    top=1,
                ),
            ),
        ),
        Row(
            "The operator",
            (
                figure(
                    "Leaders", "Replicas that hold the Lease: one.", now("sum(sluice_leader)"), good_from=1
                ),
                figure(
                    "Replicas", "Replicas that are scraped.", now("count(sluice_build_info)"), good_from=1
                ),
                figure(
                    "Behind by",
                    "How long the longest waiting object is due (runbook: SluiceQueueBehind).",
                    now("max(sluice_queue_oldest_seconds)"),
                    unit="s",
                    bad_from=120,
                ),
                figure(
                    "Watch silent for",
                    "Since when the watch's event loop has not ticked (runbook: SluiceWatchStale).",
                    now("max(sluice_watch_silence_seconds)"),
                    unit="s",
                    bad_from=60,
                ),
                figure(
                    "Store compared",
                    "Since when the leader's store was not compared with the API server.",
                    now("time() - max(sluice_sweep_timestamp_seconds)"),
                    unit="s",
                    bad_from=1800,
                ),
                figure(
                    "In back-off",
                    "Objects whose last pass failed and will be tried again.",
                    now("sum(sluice_queue_failing)"),
                    bad_from=1,
                ),
                graph(
                    "Passes by how they ended",
                    "Passes of the reconcile loop a second. `error` is a defect of Sluice; the kinds of AWS"
                    " failures are AWS's.",
                    line(
                        "sum by (outcome) (rate(sluice_reconciles_total[$__rate_interval])) > 0",
                        "{{outcome}}",
                    ),
                    unit="ops",
                    stacked=True,
                ),
                graph(
                    "Duration of a pass, p99",
                    "By kind: looking at AWS, planning, writing.",
                    line(
                        quantile(
                            0.99, "rate(sluice_reconcile_duration_seconds_bucket[$__rate_interval])", "kind"
                        ),
                        "{{kind}}",
                    ),
                    unit="s",
                ),
                graph(
                    "Wait in the queue, p99",
                    "From due to the pass, by lane: rollback goes first, then what people changed, then the"
                    " regular look.",
                    line(
                        quantile(0.99, "rate(sluice_queue_wait_seconds_bucket[$__rate_interval])", "lane"),
                        "{{lane}}",
                    ),
                    unit="s",
                ),
                graph(
                    "Queue",
                    "Objects that are due by lane, those with a timer, passes in progress.",
                    line("sum by (lane) (sluice_queue_depth)", "due: {{lane}}"),
                    line("sum(sluice_queue_delayed)", "with a timer"),
                    line("sum(sluice_reconciles_running)", "in progress"),
                    unit="short",
                ),
                graph(
                    "Requests to the API server",
                    "By resource and code; code 0 is no answer.",
                    line(
                        "sum by (resource, code) (rate(sluice_kubernetes_requests_total[$__rate_interval]))",
                        "{{resource}} {{code}}",
                    ),
                    unit="reqps",
                ),
                graph(
                    "What the watch tells",
                    "Objects heard of: new, changed, echo (not newer than known), deleted.",
                    line("sum by (what) (rate(sluice_watch_events_total[$__rate_interval]))", "{{what}}"),
                    line("sum(rate(sluice_watch_restarts_total[$__rate_interval]))", "listed again"),
                    unit="ops",
                ),
                graph(
                    "Memory",
                    "Resident memory of each replica.",
                    line(
                        "process_resident_memory_bytes and on (cluster, job, instance) sluice_build_info",
                        "{{instance}}",
                    ),
                    unit="bytes",
                ),
                graph(
                    "CPU",
                    "Processor seconds a second of each replica.",
                    line(
                        "rate(process_cpu_seconds_total[$__rate_interval])"
                        " and on (cluster, job, instance) sluice_build_info",
                        "{{instance}}",
                    ),
                    unit="percentunit",
                ),
            ),
        ),
        Row(
            "Telling",
            (
                graph(
                    "Decisions",
                    "What a person would ask about, by reason, before Events are limited.",
                    line(
                        "sum by (reason) (increase(sluice_decisions_total[$__rate_interval])) > 0",
                        "{{reason}}",
                    ),
                    unit="short",
                    steps=True,
                ),
                graph(
                    "Kubernetes Events",
                    "By what became of them: sent, limited, dropped, failed.",
                    line("sum by (outcome) (increase(sluice_events_total[$__rate_interval]))", "{{outcome}}"),
                    unit="short",
                    steps=True,
                ),
                graph(
                    "Notifications",
                    "To each sink by what became of them (runbook: SluiceNotificationsStuck). Nothing where"
                    " no sink is configured.",
                    line(
                        "sum by (sink, outcome) (increase(sluice_notifications_total[$__rate_interval])) > 0",
                        "{{sink}} {{outcome}}",
                    ),
                    unit="short",
                    steps=True,
                ),
                graph(
                    "AWS events",
                    "From the optional queue, by what they told of.",
                    line("sum by (what) (rate(sluice_aws_events_total[$__rate_interval]))", "{{what}}"),
                    unit="ops",
                ),
            ),
        ),
    ),
)
