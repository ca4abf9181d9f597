"""Delivery: the four DORA figures from the resources themselves, and what rollouts cost."""

from __future__ import annotations

from typing import Final

from sluice_dashboards.model import Dashboard, Row, figure, graph, line, now, quantile
from sluice_dashboards.variables import NAMESPACE, TEAM

_OF: Final = 'namespace=~"$namespace", team=~"$team"'
_DONE: Final = f'sluice_delivery_deployments_total{{{_OF}, outcome!="Superseded"}}'
_FAILED: Final = f"sluice_delivery_failed_changes_total{{{_OF}}}"


def _median(metric: str, *labels: str) -> str:
    return quantile(0.5, f"increase({metric}_bucket{{{_OF}}}[$__range])", *labels)


DASHBOARD: Final = Dashboard(
    uid="sluice-delivery",
    title="Sluice / Delivery",
    text="Deployment frequency, lead time, change failure rate and time to restore (DORA), by team; cost.",
    variables=(NAMESPACE, TEAM),
    since="now-30d",
    rows=(
        Row(
            "The four figures",
            (
                figure(
                    "Deployments a day",
                    "Rollouts that are over, those that a newer one superseded left out.",
                    now(f"sum(increase({_DONE}[$__range])) / ($__range_s / 86400)"),
                    width=6,
                ),
                figure(
                    "Lead time, median",
                    "From the commit (annotation sluice.dev/commit-time) to 100 % of the requests.",
                    now(_median("sluice_delivery_lead_time_seconds")),
                    unit="s",
                    width=6,
                    none="no commit times",
                ),
                figure(
                    "Change failure rate",
                    "Rolled back, failed, aborted, or undone after success, of all that are over.",
                    now(
                        f"(sum(increase({_FAILED}[$__range])) or vector(0))"
                        f" / (sum(increase({_DONE}[$__range])) > 0)"
                    ),
                    unit="percentunit",
                    width=6,
                ),
                figure(
                    "Time to restore, median",
                    "From the start of the change that failed until the service was as before.",
                    now(_median("sluice_delivery_restore_seconds")),
                    unit="s",
                    width=6,
                    none="nothing failed",
                ),
            ),
        ),
        Row(
            "By team and namespace",
            (
                graph(
                    "Deployments by team",
                    "Over the time that is shown, by outcome.",
                    line(
                        "sum by (team, outcome)"
                        f" (increase(sluice_delivery_deployments_total{{{_OF}}}[$__range]))",
                        "{{team}} {{outcome}}",
                    ),
                    unit="short",
                ),
                graph(
                    "Change failure rate by namespace",
                    "Of all rollouts that are over in the time that is shown.",
                    line(
                        f"sum by (namespace) (increase({_FAILED}[$__range]))"
                        f" / (sum by (namespace) (increase({_DONE}[$__range])) > 0)",
                        "{{namespace}}",
                    ),
                    unit="percentunit",
                    top=1,
                ),
                graph(
                    "Lead time by team, median",
                    "Over the time that is shown.",
                    line(_median("sluice_delivery_lead_time_seconds", "team"), "{{team}}"),
                    unit="s",
                ),
                graph(
                    "Time to restore by team, median",
                    "Over the time that is shown.",
                    line(_median("sluice_delivery_restore_seconds", "team"), "{{team}}"),
                    unit="s",
                ),
            ),
        ),
        Row(
            "What it costs",
            (
                graph(
                    "vCPU by use",
                    "What all tasks reserve: serving, the extra of rollouts, warm standby.",
                    line(
                        "sum by (use) (rate(sluice_deployment_vcpu_seconds_total"
                        '{namespace=~"$namespace"}[$__rate_interval]))',
                        "{{use}}",
                    ),
                    unit="short",
                    stacked=True,
                ),
                graph(
                    "Cost a day",
                    "By currency and use; needs prices in the operator's configuration.",
                    line(
                        "86400 * sum by (currency, use) (rate(sluice_deployment_cost_total"
                        '{namespace=~"$namespace"}[$__rate_interval]))',
                        "{{currency}} {{use}}",
                    ),
                    unit="short",
                    stacked=True,
                ),
            ),
        ),
    ),
)
