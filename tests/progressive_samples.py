"""Progressive strategies for tests: one with every member, and each rule of the type kept and broken.

The same table goes through the real API server (tests/integration/crds) and through the parser
(tests/unit/api), so that the two cannot disagree.
"""

from __future__ import annotations

from typing import Any

from api_samples import deployment

Json = dict[str, Any]
RATE: Json = {
    "name": "errors",
    "loadBalancer": {"metric": "TargetErrorRate"},
    "failureCondition": "> 0.01",
    "failureLimit": 2,
    "minRequests": 200,
    "compareTo": "Live",
}
SMOKE: Json = {"name": "smoke", "stage": "Step", "webhook": {"url": "https://smoke.internal/run"}}
FULL: Json = {
    "steps": [
        {"setHeaderRoute": {"header": "x-canary", "value": "1"}},
        {"hook": {"name": "smoke"}},
        {"setWeight": 0.5},
        {"setHeaderRoute": {}},
        {"pause": {"duration": "1h30m"}},
        {"analysis": {"duration": "10m", "metrics": ["errors", "p99"]}},
        {"pause": {}},
        {"setWeight": 100},
    ],
    "bake": {"duration": "15m"},
    "capacity": {"mode": "Full", "surge": 2},
    "standby": {"replicas": "50%", "duration": "2h"},
    "drain": {"propagationDelaySeconds": 5},
    "onNewRevision": "Queue",
    "onDrift": "Reassert",
    "analysis": {
        "interval": "30s",
        "onNoData": "Fail",
        "metrics": [
            RATE,
            {
                "name": "p99",
                "prometheus": {
                    "address": "http://prometheus:9090",
                    "query": "p99{group='{{candidateTargetGroup}}'}",
                    "headers": [{"name": "Authorization", "secretKeyRef": {"name": "s", "key": "k"}}],
                },
                "failureCondition": "> 0.8",
                "successCondition": "<= 0.5",
                "interval": "1m",
                "initialDelay": "2m",
                "consecutiveErrorLimit": 0,
                "dryRun": True,
            },
            {
                "name": "orders",
                "cloudWatch": {"namespace": "Shop", "metricName": "Orders", "statistic": "Sum"},
                "failureCondition": "< 10",
            },
            {
                "name": "ratio",
                "cloudWatch": {
                    "expression": "e / r",
                    "queries": [
                        {"id": "e", "namespace": "Shop", "metricName": "Errors"},
                        {"id": "r", "namespace": "Shop", "metricName": "Requests"},
                    ],
                },
                "successCondition": "<= 1e-2",
            },
            {
                "name": "score",
                "web": {"url": "https://score.internal/{{name}}", "jsonPath": "data.score"},
                "successCondition": ">= 90",
            },
        ],
        "alarms": [{"name": "checkout-5xx"}],
    },
    "hooks": [
        SMOKE | {"timeout": "1m", "retries": 2, "onFailure": "Pause"},
        {
            "name": "migrate",
            "stage": "PreScaleUp",
            "runTask": {"container": "app", "command": ["migrate"], "environment": {"A": "b"}},
        },
    ],
    "freezeWindows": [
        {
            "name": "weekend",
            "schedule": "0 18 * * FRI",
            "duration": "62h",
            "timeZone": "Europe/Berlin",
        }
    ],
    "releaseGroup": {"name": "core", "timeout": "30m"},
}
LAST: Json = {"setWeight": 100}


def progressive(**members: Any) -> Json:
    """Return a Deployment with these members of `spec.strategy.progressive`."""
    return deployment(strategy={"type": "Progressive", "progressive": members})


def stepped(*steps: Json, **members: Any) -> Json:
    """Return a Deployment with these steps before the last."""
    return progressive(steps=[*steps, LAST], **members)


def measured(**members: Any) -> Json:
    """Return a Deployment with one metric that is `RATE` but for these members; None takes one away."""
    metric = {name: value for name, value in (RATE | members).items() if value is not None}
    return progressive(canary={}, analysis={"metrics": [metric]})


def watched(**members: Any) -> Json:
    """Return a Deployment with one CloudWatch metric."""
    return measured(loadBalancer=None, minRequests=None, compareTo=None, cloudWatch=members)


def hooked(**members: Any) -> Json:
    """Return a Deployment with one hook; None takes a member away."""
    hook = SMOKE | {"stage": "PreTraffic"} | members
    hook = {name: value for name, value in hook.items() if value is not None}
    return progressive(blueGreen={}, hooks=[hook])


def served(**members: Any) -> Json:
    """Return a Progressive Deployment with a Service Connect configuration."""
    obj = progressive(canary={})
    obj["spec"]["ecs"]["serviceConnectConfiguration"] = members
    return obj


# id: (object that passes, object that is refused, what a person reads)
CASES: dict[str, tuple[Json, Json, str]] = {
    "progressive and its type": (
        progressive(**FULL),
        deployment(strategy={"type": "Progressive"}),
        "type Progressive and progressive go together; add the one that is missing or remove both",
    ),
    "one of the presets": (
        progressive(linear={"stepWeight": 12.5, "stepDuration": "90s"}),
        progressive(linear={}, canary={}),
        "exactly one of blueGreen, canary, linear and steps is needed; keep one",
    ),
    "one key a step": (
        stepped({"pause": {}}),
        stepped({"pause": {}, "setWeight": 5}),
        "a step has exactly one of setWeight, pause, analysis, hook and setHeaderRoute; make a step of each",
    ),
    "tenths of a percent": (
        stepped({"setWeight": 0.1}, {"setWeight": 33.3}, {"setWeight": 66.7}, {"setWeight": 99.9}),
        stepped({"setWeight": 0.25}),
        "a weight has one decimal at most, as 0.5 or 12",
    ),
    "canary of nothing": (
        progressive(canary={"weight": 0.1}),
        progressive(canary={"weight": 0}),
        "a canary needs a weight of 0.1 at least",
    ),
    "the last step": (
        progressive(steps=[{"setWeight": 50}, {"setWeight": 10}, LAST]),
        progressive(steps=[LAST, {"pause": {}}]),
        "the last step is setWeight: 100; add it",
    ),
    "header and value": (
        stepped({"setHeaderRoute": {"header": "x", "value": "1"}}, {"setHeaderRoute": {}}),
        stepped({"setHeaderRoute": {"header": "x"}}),
        "header and value go together; give both, or neither to take the header route away",
    ),
    "a hook step": (
        stepped({"hook": {"name": "smoke"}}, hooks=[SMOKE]),
        stepped({"hook": {"name": "smoke"}}, hooks=[SMOKE | {"stage": "PostBake"}]),
        "a hook step names a hook of progressive.hooks with stage Step; add it there",
    ),
    "a hook that no step names": (
        hooked(stage="OnRollback"),
        hooked(stage="Step"),
        "a hook of stage Step runs only where a step names it; add the step or choose another stage",
    ),
    "an analysis step": (
        stepped({"analysis": {"duration": "1m"}}, analysis={"metrics": [RATE]}),
        stepped({"analysis": {"duration": "1m", "metrics": ["p99"]}}, analysis={"metrics": [RATE]}),
        "an analysis step needs metrics in progressive.analysis, and names only those; add them",
    ),
    "autoPromote": (
        progressive(blueGreen={"autoPromoteAfter": "5m", "testHeader": {"header": "x-test", "value": "yes"}}),
        progressive(blueGreen={"autoPromote": False, "autoPromoteAfter": "5m"}),
        "autoPromote false waits for a person; remove autoPromoteAfter",
    ),
    "longest duration": (
        progressive(canary={"duration": "336h"}),
        progressive(canary={"duration": "336h1s"}),
        "a duration is at most 336h (14 days)",
    ),
    "shortest interval": (
        measured(interval="10s"),
        measured(interval="9s"),
        "an interval is at least 10s",
    ),
    "one provider": (
        watched(namespace="Shop", metricName="Orders"),
        measured(cloudWatch={"namespace": "Shop", "metricName": "Orders"}),
        "a metric has exactly one of loadBalancer, cloudWatch, prometheus and web; keep one",
    ),
    "metric or expression": (
        watched(expression="a", queries=[{"id": "a", "namespace": "Shop", "metricName": "Orders"}]),
        watched(expression="a", namespace="Shop", metricName="Orders"),
        "give namespace and metricName (with statistic, dimensions), or expression and queries",
    ),
    "a condition": (
        measured(failureCondition=None, successCondition="< 0.01"),
        measured(failureCondition=None),
        'a metric needs failureCondition or successCondition, as "> 0.01"',
    ),
    "statistic": (
        measured(loadBalancer={"metric": "TargetResponseTime", "statistic": "p99.9"}),
        measured(loadBalancer={"metric": "TargetErrorRate", "statistic": "p99"}),
        "statistic goes with TargetResponseTime only; remove it",
    ),
    "compare to live": (
        measured(compareTo="Live"),
        measured(loadBalancer=None, cloudWatch={"namespace": "Shop", "metricName": "Orders"}),
        "minRequests and compareTo go with loadBalancer only; put the comparison into the query",
    ),
    "one kind of hook": (
        hooked(webhook=None, runTask={"container": "app"}),
        hooked(runTask={"container": "app"}),
        "a hook has exactly one of webhook and runTask; keep one",
    ),
    "header's value": (
        hooked(
            webhook={
                "url": "http://a/b",
                "headers": [{"name": "A", "value": "b"}],
                "tls": {"caSecretKeyRef": {"name": "ca", "key": "ca.crt"}},
            }
        ),
        hooked(webhook={"url": "http://a/b", "headers": [{"name": "A"}]}),
        "exactly one of value and secretKeyRef is needed; keep one",
    ),
    "Service Connect": (
        served(enabled=True),
        served(enabled=True, services=[{"portName": "http"}]),
        "Progressive can't shift what Service Connect serves",
    ),
}
# id: (object, where the API server says it is wrong)
_AT = "spec.strategy.progressive"
MISSPELT: dict[str, tuple[Json, str]] = {
    "type": (deployment(strategy={"type": "BlueGreen"}), "spec.strategy.type"),
    "weight above 100": (stepped({"setWeight": 100.5}), f"{_AT}.steps[0].setWeight"),
    "duration without unit": (stepped({"pause": {"duration": "10"}}), f"{_AT}.steps[0].pause.duration"),
    "stage": (hooked(stage="PreBake"), f"{_AT}.hooks[0].stage"),
    "condition": (measured(failureCondition="result > 0.01"), f"{_AT}.analysis.metrics[0].failureCondition"),
    "same metric twice": (
        progressive(canary={}, analysis={"metrics": [RATE, RATE]}),
        f"{_AT}.analysis.metrics[1]",
    ),
    "url": (hooked(webhook={"url": "smoke.internal"}), f"{_AT}.hooks[0].webhook.url"),
    "cron": (
        progressive(canary={}, freezeWindows=[{"name": "a", "schedule": "60 * * * *", "duration": "1h"}]),
        f"{_AT}.freezeWindows[0].schedule",
    ),
    "standby": (progressive(canary={}, standby={"replicas": "110%"}), f"{_AT}.standby.replicas"),
    "adopted ARN": (deployment(adopt={"serviceArn": "web"}), "spec.adopt.serviceArn"),
}
