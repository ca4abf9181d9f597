"""One Deployment: where its requests go, what runs, how its rollout stands, what it costs."""

from __future__ import annotations

from typing import Final

from sluice_dashboards.model import Dashboard, Row, annotation, figure, graph, line, now, rows, states, table
from sluice_dashboards.variables import IN, OF, ONE_DEPLOYMENT, ONE_NAMESPACE, TO

DASHBOARD: Final = Dashboard(
    uid="sluice-deployment",
    title="Sluice / Deployment",
    text="One Deployment: readiness, weights desired, configured and observed, tasks by slot, the rollout.",
    variables=(ONE_NAMESPACE, ONE_DEPLOYMENT),
    since="now-1h",
    annotations=(
        annotation(
            "Rollout ended",
            "changes(max by (namespace, name)"
            f" (sluice_deployment_last_rollout_timestamp_seconds{{{OF}}})[1m:15s]) > 0",
            color="blue",
        ),
    ),
    rows=(
        Row(
            "Now",
            (
                figure(
                    "Ready",
                    "1 when Ready is True for the present generation.",
                    now(f'max(sluice_object_ready{{kind="Deployment", {OF}}})'),
                    good_from=1,
                ),
                figure(
                    "Healthy of wanted",
                    "Tasks that serve, of those that the larger slot asks for.",
                    now(f"1 - max(namespace_name:sluice_deployment_unavailable:ratio{{{OF}}})"),
                    unit="percentunit",
                    good_from=1,
                ),
                figure(
                    "Step",
                    "Steps of the rollout that are done, of all.",
                    now(f"max(sluice_rollout_step{{{OF}}}) / max(sluice_rollout_steps{{{OF}}})"),
                    unit="percentunit",
                    none="at rest",
                ),
                figure(
                    "In this step for",
                    "Since the present step's weights were proved.",
                    now(f"time() - max(sluice_rollout_step_started_timestamp_seconds{{{OF}}})"),
                    unit="s",
                    none="at rest",
                ),
                figure(
                    "Weights proved",
                    "1 while what is published is what was read back from every route's rules.",
                    now(f"min(sluice_route_weights_proven{{{TO}}})"),
                    good_from=1,
                    none="no route",
                ),
                figure(
                    "Looked at",
                    "Since the last pass that ended well.",
                    now(f'time() - max(sluice_object_synced_timestamp_seconds{{kind="Deployment", {OF}}})'),
                    unit="s",
                    bad_from=3600,
                ),
            ),
        ),
        Row(
            "Where requests go",
            (
                graph(
                    "Weights",
                    "Share of the backend's requests by slot: desired by the rollout, configured in the rules"
                    " as read back, observed by the load balancer's counts (a minute late, between two"
                    " weights).",
                    line(
                        f"max by (route, slot, kind) (sluice_route_weight{{{TO}}})",
                        "{{route}} {{slot}} {{kind}}",
                    ),
                    unit="percentunit",
                    top=1,
                    steps=True,
                    width=16,
                    height=9,
                ),
                graph(
                    "Proof",
                    "0 while published weights are not read back, or requests do not follow them.",
                    line(f"min by (route) (sluice_route_weights_proven{{{TO}}})", "{{route}} proved"),
                    line(
                        f"min by (route) (sluice_route_observed_as_configured{{{TO}}})",
                        "{{route}} observed as configured",
                    ),
                    unit="short",
                    top=1,
                    steps=True,
                    width=8,
                    height=9,
                ),
                graph(
                    "The candidate's weight",
                    "Of the rollout that goes on, desired and proved, with or without routes.",
                    line(f"max by (kind) (sluice_rollout_weight{{{OF}}})", "{{kind}}"),
                    unit="percentunit",
                    top=1,
                    steps=True,
                ),
                graph(
                    "Cloud Map",
                    "Instances of the namespace's routes with discovery, and operations that are not over.",
                    line(
                        f"sum by (route, state) (sluice_discovery_instances{{{IN}}})", "{{route}} {{state}}"
                    ),
                    line(
                        f"sum by (route) (sluice_discovery_pending_operations{{{IN}}})", "{{route}} pending"
                    ),
                    unit="short",
                ),
            ),
        ),
        Row(
            "What runs",
            (
                graph(
                    "Tasks by slot",
                    "Desired, running, and healthy where the load balancer's health is read.",
                    line(f"max by (slot, state) (sluice_deployment_tasks{{{OF}}})", "{{slot}} {{state}}"),
                    unit="short",
                    steps=True,
                ),
                graph(
                    "Tasks missing, averaged",
                    "What the error budget's alerts look at: 5 minutes, 1 hour, 6 hours, 3 days.",
                    line(f"namespace_name:sluice_deployment_unavailable:avg5m{{{OF}}}", "5 minutes"),
                    line(f"namespace_name:sluice_deployment_unavailable:avg1h{{{OF}}}", "1 hour"),
                    line(f"namespace_name:sluice_deployment_unavailable:avg6h{{{OF}}}", "6 hours"),
                    line(f"namespace_name:sluice_deployment_unavailable:avg3d{{{OF}}}", "3 days"),
                    unit="percentunit",
                ),
            ),
        ),
        Row(
            "How it stands",
            (
                states(
                    "Reason of Ready",
                    "Which reason the Ready condition had when: yes where it was True.",
                    line(
                        f'max by (reason) (sluice_object_ready{{kind="Deployment", {OF}}})',
                        "{{reason}}",
                    ),
                ),
                states(
                    "Stage of the rollout",
                    "Where a progressive rollout was when.",
                    line(f"max by (stage) (sluice_rollout_stage_info{{{OF}}})", "{{stage}}"),
                ),
                table(
                    "Gates",
                    "What must say yes before the rollout goes on.",
                    rows(f"max by (gate, state) (sluice_rollout_gate_info{{{OF}}})"),
                    hide=("Value",),
                    width=12,
                ),
                table(
                    "The last rollout",
                    "How it ended and how long it took.",
                    rows(f"max by (outcome) (sluice_deployment_last_rollout_duration_seconds{{{OF}}})"),
                    names={"Value": "seconds"},
                    width=12,
                ),
            ),
        ),
        Row(
            "What it costs",
            (
                graph(
                    "vCPU by use",
                    "What tasks reserve: serving, the extra of rollouts, warm standby.",
                    line(
                        "sum by (use)"
                        f" (rate(sluice_deployment_vcpu_seconds_total{{{OF}}}[$__rate_interval]))",
                        "{{use}}",
                    ),
                    unit="short",
                    stacked=True,
                ),
                graph(
                    "Memory by use",
                    "What tasks reserve: serving, the extra of rollouts, warm standby.",
                    line(
                        "sum by (use)"
                        f" (rate(sluice_deployment_memory_byte_seconds_total{{{OF}}}[$__rate_interval]))",
                        "{{use}}",
                    ),
                    unit="bytes",
                    stacked=True,
                ),
            ),
        ),
    ),
)
