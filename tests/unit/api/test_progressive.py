"""A progressive strategy as the machine gets it: presets, defaults, units, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from api_samples import deployment
from progressive_samples import CASES, FULL, MISSPELT, measured, progressive, served, stepped
from sluice.api.v1alpha1.deployment import parse_deployment
from sluice.api.v1alpha1.progressive import from_snapshot, strategy_of
from sluice.api.v1alpha1.progressive_rules import warnings
from sluice.model.errors import Refused
from sluice.model.strategy import (
    Analyse,
    Analysis,
    Condition,
    FreezeWindow,
    Hook,
    Metric,
    Pause,
    Progressive,
    RunHook,
    SetHeaderRoute,
    SetWeight,
    Step,
)

ALL = SetWeight(permille=1000)
TWICE = SetHeaderRoute(header="x", value="1")
SPOT = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
HEADER = {"header": "x-test", "value": "yes"}


def made(**members: Any) -> Progressive:
    """Return the strategy of a Deployment with these members."""
    strategy = strategy_of(parse_deployment(progressive(**members)))
    assert strategy is not None
    return strategy


PRESETS: dict[str, tuple[dict[str, Any], tuple[Step, ...]]] = {
    "blueGreen": ({"blueGreen": {}}, (ALL,)),
    "blueGreen by a person": ({"blueGreen": {"autoPromote": False}}, (Pause(), ALL)),
    "blueGreen after a time, with a header": (
        {"blueGreen": {"autoPromoteAfter": "90s", "testHeader": HEADER}},
        (SetHeaderRoute(header="x-test", value="yes"), Pause(seconds=90.0), ALL),
    ),
    "canary as ECS has it": ({"canary": {}}, (SetWeight(permille=50), Pause(seconds=600.0), ALL)),
    "canary": (
        {"canary": {"weight": 0.5, "duration": "1h"}},
        (SetWeight(permille=5), Pause(seconds=3600.0), ALL),
    ),
    "canary of all": ({"canary": {"weight": 100}}, (ALL,)),
    "linear in thirds and the rest": (
        {"linear": {"stepWeight": 33.3, "stepDuration": "10s"}},
        (
            SetWeight(permille=333),
            Pause(seconds=10.0),
            SetWeight(permille=666),
            Pause(seconds=10.0),
            SetWeight(permille=999),
            Pause(seconds=10.0),
            ALL,
        ),
    ),
    "linear in halves": (
        {"linear": {"stepWeight": 50}},
        (SetWeight(permille=500), Pause(seconds=360.0), ALL),
    ),
    "steps": (
        {"steps": FULL["steps"], "hooks": FULL["hooks"], "analysis": FULL["analysis"]},
        (
            SetHeaderRoute(header="x-canary", value="1"),
            RunHook(name="smoke"),
            SetWeight(permille=5),
            SetHeaderRoute(),
            Pause(seconds=5400.0),
            Analyse(seconds=600.0, metrics=("errors", "p99")),
            Pause(),
            ALL,
        ),
    ),
}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_expands_to_steps(name: str) -> None:
    """The machine knows steps only; percent become permille and durations seconds."""
    members, steps = PRESETS[name]
    strategy = made(**members)
    assert strategy.steps == steps
    assert strategy.preset == ("" if "steps" in members else next(iter(members)))


def test_absent_members_have_the_documented_meaning() -> None:
    """What the reference says of an absent member is what the machine gets."""
    strategy = made(canary={})
    assert strategy == Progressive(
        steps=strategy.steps,
        preset="canary",
        bake=0.0,
        capacity="AheadOfWeight",
        surge=1,
        standby_percent=100,
        standby_seconds=3600.0,
        propagation_delay=30.0,
        on_new_revision="Supersede",
        on_drift="Halt",
        analysis=Analysis(),
        group_timeout=3600.0,
        min_ready=0.0,
        progress_deadline=3600.0,
        snapshot={"canary": {}},
    )


def test_blue_green_is_full_sized_from_the_start() -> None:
    """A candidate that gets everything at once is tested in the size that it will have."""
    assert made(blueGreen={}).capacity == "Full"
    assert made(blueGreen={}, capacity={"mode": "AheadOfWeight"}).capacity == "AheadOfWeight"


def test_every_member_arrives() -> None:
    """A strategy with everything set is read completely."""
    obj = progressive(**FULL)
    obj["spec"] |= {"minReadySeconds": 7, "progressDeadlineSeconds": 90}
    strategy = strategy_of(parse_deployment(obj))
    assert strategy is not None
    errors, p99, orders, ratio, score = strategy.analysis.metrics
    assert errors == Metric(
        name="errors",
        kind="loadBalancer",
        query={"metric": "TargetErrorRate"},
        failure=Condition(operator=">", threshold=0.01),
        interval=30.0,
        failure_limit=2,
        min_requests=200,
        compare_to_live=True,
    )
    assert p99 == Metric(
        name="p99",
        kind="prometheus",
        query=FULL["analysis"]["metrics"][1]["prometheus"],
        failure=Condition(operator=">", threshold=0.8),
        success=Condition(operator="<=", threshold=0.5),
        interval=60.0,
        initial_delay=120.0,
        consecutive_error_limit=0,
        dry_run=True,
    )
    assert (orders.kind, ratio.kind, score.kind) == ("cloudWatch", "cloudWatch", "web")
    assert (orders.failure, orders.consecutive_error_limit) == (Condition(operator="<", threshold=10.0), 4)
    assert ratio.query == FULL["analysis"]["metrics"][3]["cloudWatch"]
    assert ratio.success == Condition(operator="<=", threshold=0.01)
    assert (strategy.analysis.alarms, strategy.analysis.on_no_data) == (("checkout-5xx",), "Fail")
    assert strategy.hooks == (
        Hook(
            name="smoke",
            stage="Step",
            webhook={"url": "https://smoke.internal/run"},
            timeout=60.0,
            retries=2,
            on_failure="Pause",
        ),
        Hook(
            name="migrate",
            stage="PreScaleUp",
            run_task={"container": "app", "command": ["migrate"], "environment": {"A": "b"}},
        ),
    )
    assert strategy.freeze == (
        FreezeWindow(
            name="weekend", schedule="0 18 * * FRI", duration=62 * 3600.0, time_zone="Europe/Berlin"
        ),
    )
    rest = (strategy.bake, strategy.capacity, strategy.surge, strategy.standby_percent)
    assert rest == (900.0, "Full", 2, 50)
    times = (strategy.standby_seconds, strategy.propagation_delay, strategy.group_timeout)
    assert times == (7200.0, 5.0, 1800.0)
    assert (strategy.on_new_revision, strategy.on_drift) == ("Queue", "Reassert")
    assert strategy.release_group == "core"
    assert (strategy.min_ready, strategy.progress_deadline) == (7.0, 90.0)


@pytest.mark.parametrize("members", [FULL, {"canary": {}}, {"blueGreen": {"testHeader": HEADER}}])
def test_a_snapshot_reads_back_as_the_same_strategy(members: dict[str, Any]) -> None:
    """Status keeps what the person wrote, and reading it back changes nothing."""
    strategy = made(**members)
    assert strategy.snapshot == members
    assert from_snapshot(strategy.snapshot) == strategy
    assert from_snapshot(strategy.snapshot, min_ready=3.0, progress_deadline=9.0).progress_deadline == 9.0


def test_a_snapshot_of_another_version_says_so() -> None:
    """A text that this version can't read names its place and what to do."""
    with pytest.raises(
        Refused, match=r"status\.rollout\.memory\.strategy\.mirror: .*run that version until"
    ) as seen:
        from_snapshot({"canary": {}, "mirror": {"percent": 5}})
    assert seen.value.reason == "InvalidSpec"


@pytest.mark.parametrize("kind", ["RollingUpdate", "Recreate"])
def test_other_types_have_no_progressive_strategy(kind: str) -> None:
    """None tells the controllers to go on with one service."""
    assert strategy_of(parse_deployment(deployment(strategy={"type": kind}))) is None
    assert strategy_of(parse_deployment(deployment())) is None


@pytest.mark.parametrize("case", CASES)
def test_the_parser_agrees_with_the_api_server(case: str) -> None:
    """Objects that an older CRD let through are refused in the same words."""
    good, bad, text = CASES[case]
    assert parse_deployment(good).strategy
    with pytest.raises(Refused) as seen:
        parse_deployment(bad)
    assert text in str(seen.value)
    assert "Value error" not in str(seen.value)


@pytest.mark.parametrize("name", [name for name in MISSPELT if name != "same metric twice"])
def test_a_value_out_of_shape_is_refused_with_its_path(name: str) -> None:
    """The parser names the field as the API server does."""
    obj, where = MISSPELT[name]
    with pytest.raises(Refused, match=where.replace("[", r"\[")):
        parse_deployment(obj)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "same metric twice": (
        MISSPELT["same metric twice"][0],
        "spec.strategy.progressive.analysis.metrics: the name errors appears twice; rename one",
    ),
    "time zone": (
        progressive(canary={}, freezeWindows=[FULL["freezeWindows"][0] | {"timeZone": "Mars/Olympus"}]),
        "spec.strategy.progressive.freezeWindows[0].timeZone: is no IANA time zone",
    ),
    "schedule that runs backwards": (
        progressive(canary={}, freezeWindows=[FULL["freezeWindows"][0] | {"schedule": "0 22-2 * * *"}]),
        "spec.strategy.progressive.freezeWindows[0].schedule: range '22-2' in '22-2' runs backwards",
    ),
    "day that never comes": (
        progressive(canary={}, freezeWindows=[FULL["freezeWindows"][0] | {"schedule": "0 0 31 FEB *"}]),
        "spec.strategy.progressive.freezeWindows[0].schedule: no month of 'FEB' has day '31'",
    ),
    "window without a length": (
        progressive(canary={}, freezeWindows=[FULL["freezeWindows"][0] | {"duration": "0s"}]),
        "spec.strategy.progressive.freezeWindows[0].duration: a window of 0s freezes nothing",
    ),
    "JSON path": (
        measured(
            loadBalancer=None,
            minRequests=None,
            compareTo=None,
            web={"url": "http://score", "jsonPath": "$.data[?"},
        ),
        "spec.strategy.progressive.analysis.metrics[0].web.jsonPath: is no JMESPath expression",
    ),
    "same header twice": (
        stepped(
            {"setHeaderRoute": {"header": "x", "value": "1"}},
            {"pause": {}},
            {"setHeaderRoute": {"header": "x", "value": "1"}},
        ),
        "spec.strategy.progressive.steps[2].setHeaderRoute: x: 1 is routed already; remove the step",
    ),
    "no header to take away": (
        stepped({"setHeaderRoute": {}}),
        "spec.strategy.progressive.steps[0].setHeaderRoute: no header route is there to take away",
    ),
    "Service Connect": (
        served(enabled=True, services=[{"portName": "http"}]),
        "spec.ecs.serviceConnectConfiguration.services: Progressive can't shift what Service Connect serves",
    ),
    "DAEMON": (
        deployment(ecs={"schedulingStrategy": "DAEMON"}),
        "spec.ecs.schedulingStrategy: is not a field",
    ),
    "VPC Lattice": (
        deployment(ecs={"vpcLatticeConfigurations": [{}]}),
        "spec.ecs.vpcLatticeConfigurations: is not a field",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_api_server_cannot_see_is_refused_here(name: str) -> None:
    """Rules that need a calendar, an order or another block are the parser's."""
    obj, text = REFUSED[name]
    with pytest.raises(Refused) as seen:
        parse_deployment(obj)
    assert text in str(seen.value)


SPOTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "not Spot": ({}, []),
    "AWS's own delay": ({"capacityProviderStrategy": SPOT}, ["spec.ecs.targetGroups"]),
    "one short, one long": (
        {
            "capacityProviderStrategy": SPOT,
            "targetGroups": [
                {"port": "http", "deregistrationDelaySeconds": 119},
                {"port": "grpc", "deregistrationDelaySeconds": 120},
            ],
        },
        ["spec.ecs.targetGroups[1].deregistrationDelaySeconds"],
    ),
}


@pytest.mark.parametrize("name", SPOTS)
def test_a_drain_longer_than_spots_notice_is_warned_of(name: str) -> None:
    """rollout.md §6: FARGATE_SPOT needs a deregistration delay below 120 s."""
    ecs, paths = SPOTS[name]
    obj = progressive(canary={})
    obj["spec"]["ecs"] |= ecs
    assert [finding.path for finding in warnings(parse_deployment(obj))] == paths


@pytest.mark.parametrize("name", SPOTS)
def test_a_rolling_deployment_is_warned_of_the_groups_that_it_names(name: str) -> None:
    """The same delay is too long whatever the strategy; who names no target group may have none."""
    ecs, paths = SPOTS[name]
    obj = progressive(canary={})
    obj["spec"]["ecs"] |= ecs
    named = [path for path in paths if path != "spec.ecs.targetGroups"]
    for strategy in ("RollingUpdate", "Recreate"):
        obj["spec"]["strategy"] = {"type": strategy}
        assert [finding.path for finding in warnings(parse_deployment(obj))] == named
