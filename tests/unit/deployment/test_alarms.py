"""Deployment alarms of a rolling Deployment: handed to ECS, kept so, and told by name when one goes off."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sim.universe import WEB, Universe, deployment
from sluice.model.desired import Strategy
from sluice.plan.deployment.percentages import NO_ALARMS, deployment_configuration
from sluice.plan.deployment.planner import plan
from sluice.plan.deployment.progress import with_alarms
from sluice.plan.deployment.state import State
from unit.deployment.wishes import NOW, PLACE, carry_out, converge, desired

ALARMS: dict[str, Any] = {"alarmNames": ["web-5xx", "web-slow"], "enable": True, "rollback": True}


def alarmed(image: str = "web:1", **changes: Any) -> dict[str, Any]:
    """Return the Deployment with alarms."""
    return deployment(
        image=image, strategy={"type": "RollingUpdate", "rollingUpdate": {"alarms": ALARMS | changes}}
    )


def started(**changes: Any) -> Universe:
    """Return a universe in which the two alarms are OK and the Deployment with alarms is Ready."""
    universe = Universe()
    for name in ALARMS["alarmNames"]:
        universe.aws(
            "cloudwatch",
            "PutMetricAlarm",
            AlarmName=name,
            Namespace="Shop",
            MetricName=name,
            Statistic="Sum",
            Period=86_400,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="ignore",
        )
        goes(universe, name, "OK")
    universe.cluster.apply(alarmed(**changes))
    universe.settle(lambda: universe.ready(WEB))
    return universe


def goes(universe: Universe, name: str, state: str) -> None:
    """Set an alarm's state."""
    universe.aws("cloudwatch", "SetAlarmState", AlarmName=name, StateValue=state, StateReason="test")


def service(universe: Universe) -> dict[str, Any]:
    """Return the one service that is there."""
    (found,) = universe.services()
    return found


def watched(universe: Universe) -> bool:
    """Tell whether all tasks are new and ECS only waits for the alarms."""
    return "ECS watches CloudWatch alarms web-5xx, web-slow" in universe.condition("Ready")["message"]


# Plans.


def test_what_ecs_is_given() -> None:
    """The alarms as they are; none is said by name, because UpdateService keeps what it is not given."""
    assert deployment_configuration(Strategy(alarms=ALARMS), 2)["alarms"] == ALARMS
    assert deployment_configuration(Strategy(), 2)["alarms"] == NO_ALARMS


def test_the_circuit_breaker_is_handed_on_whole() -> None:
    """A threshold of the spec is not dropped, and enable and rollback default to true."""
    threshold = {"thresholdConfiguration": {"type": "COUNT", "value": 3}}
    given = deployment_configuration(Strategy(circuit_breaker={"rollback": False, **threshold}), 2)
    assert given["deploymentCircuitBreaker"] == {"enable": True, "rollback": False, **threshold}


@pytest.mark.parametrize(
    ("alarms", "seen", "written"),
    [
        pytest.param(ALARMS, ALARMS, False, id="equal"),
        pytest.param(ALARMS, ALARMS | {"alarmNames": ["web-slow", "web-5xx"]}, False, id="other-order"),
        pytest.param(ALARMS, None, True, id="added"),
        pytest.param(ALARMS, ALARMS | {"alarmNames": ["web-5xx"]}, True, id="one-taken-away-by-hand"),
        pytest.param(ALARMS, ALARMS | {"rollback": False}, True, id="rollback-off-by-hand"),
        pytest.param({}, ALARMS, True, id="removed"),
        pytest.param({}, NO_ALARMS, False, id="none"),
        pytest.param({}, None, False, id="absent"),
    ],
)
def test_alarms_are_compared(alarms: dict[str, Any], seen: dict[str, Any] | None, *, written: bool) -> None:
    """A change by hand or of the spec is one UpdateService of deploymentConfiguration; no rollout begins."""
    wish = desired(strategy=Strategy(alarms=alarms))
    done, observed = converge(wish)
    found = dict(observed.services[PLACE] or {})
    present = {name: value for name, value in found["deploymentConfiguration"].items() if name != "alarms"}
    found["deploymentConfiguration"] = present | ({"alarms": seen} if seen else {})
    edited = dataclasses.replace(observed, services={PLACE: found})
    after = plan(wish, edited, State.read(done.status), now=NOW)
    assert [action.operation for action in after.actions] == (["UpdateService"] if written else [])
    assert State.read(after.status).rollout is None
    if written:
        assert set(after.actions[0].params) == {"cluster", "service", "deploymentConfiguration"}


def test_what_nobody_asked_of_ecs_is_not_fought_over() -> None:
    """A bake time set by hand stays: an update that leaves it out would not take it away, for ever."""
    done, observed = converge(desired())
    found = dict(observed.services[PLACE] or {})
    found["deploymentConfiguration"] = {**found["deploymentConfiguration"], "bakeTimeInMinutes": 5}
    edited = dataclasses.replace(observed, services={PLACE: found})
    assert plan(desired(), edited, State.read(done.status), now=NOW).actions == ()


@pytest.mark.parametrize(
    ("rollback", "breaker", "reason"),
    [
        pytest.param(False, True, "ProgressDeadlineExceeded", id="alarm-leaves-it"),
        pytest.param(True, False, "RollingOut", id="ecs-rolls-back-at-once"),
    ],
)
def test_the_alarm_and_not_the_breaker_decides(*, rollback: bool, breaker: bool, reason: str) -> None:
    """What an alarm failed is final when the alarms don't roll back, whatever the breaker would do."""
    strategy = Strategy(
        alarms=ALARMS | {"rollback": rollback}, circuit_breaker={"enable": True, "rollback": breaker}
    )
    done, seen = converge(desired(strategy=strategy))
    wish = desired(image="web:2", strategy=strategy, generation=2)
    first = plan(wish, seen, State.read(done.status), now=NOW)
    after = carry_out(seen, first.actions)
    found = dict(after.services[PLACE] or {})
    found["deployments"] = [{**found["deployments"][0], "rolloutState": "FAILED"}]
    broken = dataclasses.replace(
        after,
        services={PLACE: found},
        deployments=(
            {
                "status": "STOPPED",
                "targetServiceRevision": {"taskDefinition": found["taskDefinition"]},
                "alarms": {"status": "TRIGGERED", "triggeredAlarmNames": ["web-5xx"]},
            },
        ),
    )
    told = plan(wish, broken, State.read(first.status), now=NOW)
    (ready,) = [entry for entry in told.status["conditions"] if entry["type"] == "Ready"]
    assert ready["reason"] == reason
    assert "web-5xx" in ready["message"]
    assert told.actions == ()


@pytest.mark.parametrize(
    ("why", "alarms", "text"),
    [
        pytest.param("it broke.", (), "it broke.", id="none"),
        pytest.param("it broke.", ("a",), "it broke: CloudWatch alarm a", id="one"),
        pytest.param("", ("a", "b"), "CloudWatch alarms a, b", id="no-reason"),
        pytest.param("alarm a went off", ("a",), "alarm a went off", id="named-already"),
    ],
)
def test_alarms_are_named_once(why: str, alarms: tuple[str, ...], text: str) -> None:
    """ECS's reason says that an alarm was detected, not always which."""
    assert with_alarms(why, alarms) == text


# Stories in the stand-in.


def test_an_alarm_rolls_back_and_is_named() -> None:
    """Stalled/RolledBack names the alarm; the old image serves; the same spec is not tried again."""
    universe = started()
    first = service(universe)["taskDefinition"]
    universe.cluster.apply(alarmed("web:2"))
    universe.run(2)
    goes(universe, "web-5xx", "ALARM")
    universe.settle(lambda: universe.reason() == "RolledBack", within=120)
    assert "CloudWatch alarm web-5xx" in universe.condition("Stalled")["message"]
    assert service(universe)["taskDefinition"] == first
    entry = universe.status()["history"][0]
    assert (entry["outcome"], entry["by"]) == ("RolledBack", "ECS")
    before = len(universe.writes())
    universe.run(300)
    assert universe.writes()[before:] == []
    goes(universe, "web-5xx", "OK")
    universe.cluster.apply(alarmed("web:3"))
    universe.settle(lambda: universe.ready(WEB))


def test_ready_waits_until_ecs_has_watched_the_alarms() -> None:
    """All tasks are new and run; Ready comes when ECS ends its watch, and the condition says so before."""
    universe = started()
    universe.cluster.apply(alarmed("web:2"))
    seen: list[bool] = []
    universe.settle(lambda: bool(seen.append(watched(universe))) or universe.ready(WEB))
    assert True in seen


def test_alarms_that_a_person_takes_away_come_back() -> None:
    """Drift, with an event that names the field; taking them out of the spec takes them out of ECS."""
    universe = started()
    found = service(universe)
    place = {"cluster": found["clusterArn"], "service": found["serviceName"]}
    universe.aws("ecs", "UpdateService", **place, deploymentConfiguration={"alarms": dict(NO_ALARMS)})
    universe.settle(lambda: service(universe)["deploymentConfiguration"]["alarms"] == ALARMS, within=120)
    told = [text for _, _, why, text in universe.operator.recorder.events if why == "DriftRepaired"]
    assert any("deploymentConfiguration.alarms" in text for text in told)
    universe.cluster.apply(deployment())
    universe.settle(lambda: universe.ready(WEB))
    assert service(universe)["deploymentConfiguration"]["alarms"]["enable"] is False
