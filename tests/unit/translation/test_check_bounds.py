"""Where a probe's numbers meet AWS's bounds: the last that is taken, the first that is changed and told."""

from __future__ import annotations

from typing import Any

import pytest

from api_samples import Json, deployment, with_field
from sluice.api.v1alpha1.deployment import parse_deployment
from sluice.plan.translation import Translated, translate
from translation_cases import CONTAINER, CONTEXT, LIVE, PORT

READINESS = "spec.template.spec.containers[0].readinessProbe"
LIVENESS = "spec.template.spec.containers[0].livenessProbe"
STARTUP = "spec.template.spec.containers[0].startupProbe"


def _translate(obj: Json) -> Translated:
    return translate(parse_deployment(obj), CONTEXT)


def _told(translated: Translated) -> list[tuple[str, str]]:
    return [(warning.path, warning.text) for warning in translated.warnings]


TARGET_NUMBERS: dict[str, tuple[dict[str, int], tuple[int, int, int, int], list[tuple[str, str]]]] = {
    "the least": (
        {"periodSeconds": 5, "timeoutSeconds": 2, "successThreshold": 2, "failureThreshold": 2},
        (5, 2, 2, 2),
        [],
    ),
    "the most": (
        {"periodSeconds": 300, "timeoutSeconds": 120, "successThreshold": 10, "failureThreshold": 10},
        (300, 120, 10, 10),
        [],
    ),
    "above the most": (
        {"periodSeconds": 301, "timeoutSeconds": 121, "successThreshold": 11, "failureThreshold": 11},
        (300, 120, 10, 10),
        [
            ("failureThreshold", "AWS allows 2 to 10: 10 is used"),
            ("periodSeconds", "AWS allows 5 to 300: 300 is used"),
            ("successThreshold", "AWS allows 2 to 10: 10 is used"),
            ("timeoutSeconds", "AWS allows 2 to 120: 120 is used"),
        ],
    ),
    "a timeout that is one less than the period": (
        {"periodSeconds": 20, "timeoutSeconds": 19},
        (20, 19, 2, 3),
        [],
    ),
    "a timeout as long as the period that nobody wrote": (
        {"timeoutSeconds": 10},
        (11, 10, 2, 3),
        [("periodSeconds", "must be more than timeoutSeconds for AWS: 11 is used")],
    ),
}


@pytest.mark.parametrize(("probe", "numbers", "told"), TARGET_NUMBERS.values(), ids=TARGET_NUMBERS)
def test_a_load_balancer_gets_the_numbers_that_it_takes(
    probe: dict[str, int], numbers: tuple[int, ...], told: list[tuple[str, str]]
) -> None:
    """CreateTargetGroup's ranges: 5 to 300 s, 2 to 120 s, 2 to 10 checks, timeout below the interval."""
    translated = _translate(
        with_field(f"{CONTAINER}.readinessProbe", {"httpGet": {"port": 8080}} | probe, PORT)
    )
    assert translated.ports[0].health_check == {
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPath": "/",
        "HealthCheckPort": "traffic-port",
        "Matcher": {"HttpCode": "200-399"},
        "HealthCheckIntervalSeconds": numbers[0],
        "HealthCheckTimeoutSeconds": numbers[1],
        "HealthyThresholdCount": numbers[2],
        "UnhealthyThresholdCount": numbers[3],
    }
    assert _told(translated) == [(f"{READINESS}.{member}", text) for member, text in told]


CONTAINER_NUMBERS: dict[str, tuple[dict[str, int], dict[str, int], list[tuple[str, str]]]] = {
    "nothing written": ({}, {"interval": 10, "timeout": 2, "retries": 3}, []),
    "the least": (
        {"periodSeconds": 5, "timeoutSeconds": 2, "failureThreshold": 1, "initialDelaySeconds": 1},
        {"interval": 5, "timeout": 2, "retries": 1, "startPeriod": 1},
        [],
    ),
    "the most": (
        {"periodSeconds": 300, "timeoutSeconds": 60, "failureThreshold": 10, "initialDelaySeconds": 300},
        {"interval": 300, "timeout": 60, "retries": 10, "startPeriod": 300},
        [],
    ),
    "above the most": (
        {"periodSeconds": 301, "timeoutSeconds": 61, "failureThreshold": 11, "initialDelaySeconds": 301},
        {"interval": 300, "timeout": 60, "retries": 10, "startPeriod": 300},
        [
            ("failureThreshold", "AWS allows 1 to 10: 10 is used"),
            (
                "initialDelaySeconds",
                "startPeriod is 300 seconds at most; the service's grace period covers the rest",
            ),
            ("periodSeconds", "AWS allows 5 to 300: 300 is used"),
            ("timeoutSeconds", "AWS allows 2 to 60: 60 is used"),
        ],
    ),
}


@pytest.mark.parametrize(("probe", "check", "told"), CONTAINER_NUMBERS.values(), ids=CONTAINER_NUMBERS)
def test_ecs_gets_the_numbers_that_it_takes(
    probe: dict[str, int], check: dict[str, int], told: list[tuple[str, str]]
) -> None:
    """HealthCheck's ranges in the ECS API: 5 to 300 s, 2 to 60 s, 1 to 10 retries, 300 s to start."""
    obj = with_field(f"{CONTAINER}.livenessProbe", {"exec": {"command": ["ok"]}} | probe)
    translated = _translate(obj)
    container = translated.body["containerDefinitions"][0]
    assert container["healthCheck"] == {"command": ["CMD", "ok"]} | check
    assert _told(translated) == [(f"{LIVENESS}.{member}", text) for member, text in told]


def test_a_start_that_takes_long_is_told_at_the_probe_that_says_so() -> None:
    """The startup probe, where there is one: its failures times its period make the time."""
    probe = {"exec": {"command": ["ok"]}, "periodSeconds": 10, "failureThreshold": 31}
    translated = _translate(with_field(f"{CONTAINER}.startupProbe", probe, LIVE))
    assert STARTUP in [path for path, text in _told(translated) if text.startswith("startPeriod")]
    assert translated.body["containerDefinitions"][0]["healthCheck"]["startPeriod"] == 300
    assert translated.health_check_grace_period_seconds == 310


WITHOUT_TIME: dict[str, Json] = {
    "no probe": deployment(),
    "a probe without a delay": LIVE,
    "a load balancer's probe without a delay": with_field(
        f"{CONTAINER}.readinessProbe", {"httpGet": {"port": 8080}}, PORT
    ),
}


@pytest.mark.parametrize("obj", WITHOUT_TIME.values(), ids=WITHOUT_TIME)
def test_a_container_that_asks_for_no_time_gets_none(obj: Json) -> None:
    """Neither a grace period of the service nor a start period of the container is made up."""
    translated = _translate(obj)
    assert translated.health_check_grace_period_seconds is None
    check: dict[str, Any] = translated.body["containerDefinitions"][0].get("healthCheck", {})
    assert "startPeriod" not in check


def test_the_grace_period_is_the_longest_start_of_all_containers() -> None:
    """A service has one for all of its containers (ECS API, healthCheckGracePeriodSeconds)."""
    delays = (40, 90, 10)
    containers = [
        {
            "name": f"c{index}",
            "image": "x",
            "livenessProbe": {"exec": {"command": ["ok"]}, "initialDelaySeconds": delay},
        }
        for index, delay in enumerate(delays)
    ]
    obj = deployment(template={"spec": {"containers": containers}})
    assert _translate(obj).health_check_grace_period_seconds == 90


def test_a_number_written_as_text_is_a_port() -> None:
    """IntOrString: "9090" is what exported manifests carry where a name could stand."""
    translated = _translate(with_field(f"{CONTAINER}.readinessProbe.tcpSocket.port", "9090", PORT))
    assert translated.ports[0].health_check["HealthCheckPort"] == "9090"
