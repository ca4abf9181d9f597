"""AWS: request budgets, calls, throttles, how long AWS takes."""

from __future__ import annotations

from typing import Final

from sluice_dashboards.model import Dashboard, Row, figure, graph, line, now, quantile, rows, table
from sluice_dashboards.variables import ACCOUNT, AT, REGION

DASHBOARD: Final = Dashboard(
    uid="sluice-aws",
    title="Sluice / AWS budget",
    text="Requests to AWS: what is left of each budget, who waits for it, what AWS refuses or throttles.",
    variables=(ACCOUNT, REGION),
    rows=(
        Row(
            "Now",
            (
                figure(
                    "Calls",
                    "AWS calls a second.",
                    now(f"sum(rate(sluice_aws_calls_total{{{AT}}}[$__rate_interval]))"),
                    unit="reqps",
                ),
                figure(
                    "Throttled",
                    "Calls a second that AWS throttled (runbook: SluiceAWSThrottled).",
                    now(
                        f'sum(rate(sluice_aws_calls_total{{{AT}, outcome="throttled"}}[$__rate_interval]))'
                        " or vector(0)"
                    ),
                    unit="reqps",
                    bad_from=0.001,
                ),
                figure(
                    "Refused",
                    "Calls a second that ended neither well, nor throttled, nor with what is gone.",
                    now(
                        f'sum(rate(sluice_aws_calls_total{{{AT}, outcome!~"ok|throttled|not-found"}}'
                        "[$__rate_interval])) or vector(0)"
                    ),
                    unit="reqps",
                    bad_from=0.001,
                ),
                figure(
                    "Least budget left",
                    "Of the bucket that is emptiest, as a share of its size.",
                    now(f"min(sluice_aws_budget_tokens{{{AT}}} / (sluice_aws_budget_capacity{{{AT}}} > 0))"),
                    unit="percentunit",
                    good_from=0.1,
                    none="no budgets",
                ),
                figure(
                    "Waiting for tokens",
                    "Objects with a place in line (runbook: SluiceAWSBudgetExhausted).",
                    now(f"sum(sluice_aws_budget_waiting{{{AT}}})"),
                    bad_from=50,
                    none="no budgets",
                ),
                figure(
                    "Slowed down to",
                    "The smallest share of its nominal rate that a bucket fills at.",
                    now(f"min(sluice_aws_budget_rate_factor{{{AT}}})"),
                    unit="percentunit",
                    good_from=1,
                    none="no budgets",
                ),
            ),
        ),
        Row(
            "Budgets",
            (
                graph(
                    "Tokens left",
                    "Share of each bucket's size; the last are kept for rollbacks.",
                    line(
                        "min by (bucket, account, region) (sluice_aws_budget_tokens"
                        f"{{{AT}}} / (sluice_aws_budget_capacity{{{AT}}} > 0))",
                        "{{bucket}} {{account}} {{region}}",
                    ),
                    unit="percentunit",
                    top=1,
                ),
                graph(
                    "Waiting",
                    "Objects with a place in line, by bucket.",
                    line(
                        f"max by (bucket, account, region) (sluice_aws_budget_waiting{{{AT}}})",
                        "{{bucket}} {{account}} {{region}}",
                    ),
                    unit="short",
                ),
                graph(
                    "Put off",
                    "Calls that found no token, by priority: rollback, verify, rollout, drift, garbage.",
                    line(
                        "sum by (bucket, priority)"
                        f" (rate(sluice_aws_budget_deferred_total{{{AT}}}[$__rate_interval])) > 0",
                        "{{bucket}} {{priority}}",
                    ),
                    unit="reqps",
                ),
                graph(
                    "Wait for tokens, p99",
                    "For how long calls were put off, by priority.",
                    line(
                        quantile(
                            0.99, "rate(sluice_aws_budget_wait_seconds_bucket[$__rate_interval])", "priority"
                        ),
                        "{{priority}}",
                    ),
                    unit="s",
                ),
            ),
        ),
        Row(
            "Calls",
            (
                graph(
                    "Calls by service",
                    "A second; batched and cached reads count once.",
                    line(
                        f"sum by (service) (rate(sluice_aws_calls_total{{{AT}}}[$__rate_interval]))",
                        "{{service}}",
                    ),
                    unit="reqps",
                    stacked=True,
                ),
                graph(
                    "What did not end well",
                    "Outcomes other than ok, by operation. not-found is an answer, too: something is gone.",
                    line(
                        "sum by (service, operation, outcome)"
                        f' (rate(sluice_aws_calls_total{{{AT}, outcome!="ok"}}[$__rate_interval])) > 0',
                        "{{service}}:{{operation}} {{outcome}}",
                    ),
                    unit="reqps",
                ),
                graph(
                    "Duration of calls, p99",
                    "On the wire, without waits for the budget.",
                    line(
                        quantile(
                            0.99,
                            "rate(sluice_aws_call_duration_seconds_bucket[$__rate_interval])",
                            "service",
                            "operation",
                        ),
                        "{{service}}:{{operation}}",
                    ),
                    unit="s",
                ),
                table(
                    "Calls by operation",
                    "In the time that is shown.",
                    rows(
                        "sort_desc(sum by (service, operation, outcome)"
                        f" (increase(sluice_aws_calls_total{{{AT}}}[$__range])) > 0)"
                    ),
                    names={"Value": "calls"},
                    width=12,
                ),
                graph(
                    "Writes that a dry run withheld",
                    "Nothing unless `dryRun` is on.",
                    line(
                        "sum by (service, operation)"
                        " (increase(sluice_aws_dry_run_writes_total[$__rate_interval])) > 0",
                        "{{service}}:{{operation}}",
                    ),
                    unit="short",
                ),
            ),
        ),
    ),
)
