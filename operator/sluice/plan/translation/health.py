"""Probes as ECS's container health check, the service's grace period and target-group health checks.

Ranges: ECS API, HealthCheck; Elastic Load Balancing API, CreateTargetGroup. Kubernetes' defaults
(core/v1 Probe) fill what a probe leaves out; numbers below AWS's least are raised, and a number that a
person wrote and AWS does not allow is told, except the 1 second and 1 success that exported manifests carry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sluice.api.v1alpha1.container import Container
from sluice.api.v1alpha1.probe import LivenessProbe, Probe, ReadinessProbe
from sluice.api.v1alpha1.schema import IntOrString
from sluice.plan.translation.model import Findings, ProtocolVersion

DEFAULT_PERIOD: Final = 10
DEFAULT_FAILURES: Final = 3
GRPC_PATH: Final = "/grpc.health.v1.Health/Check"
ANY_ANSWER: Final = {
    "HealthCheckProtocol": "HTTP",
    "HealthCheckPath": "/",
    "Matcher": {"HttpCode": "200-499"},
}
"""For a port without an HTTP probe: whatever answers below 500 is up, as with a TCP probe."""
_START_PERIOD_MAX: Final = 300


@dataclass(frozen=True, slots=True)
class _Range:
    least: int
    most: int


_INTERVAL: Final = _Range(5, 300)
_ELB_TIMEOUT: Final = _Range(2, 120)
_ECS_TIMEOUT: Final = _Range(2, 60)
_THRESHOLD: Final = _Range(2, 10)
_RETRIES: Final = _Range(1, 10)


def container_check(container: Container, path: str, findings: Findings) -> dict[str, Any]:
    """Return healthCheck from an exec probe: liveness, else readiness; {} when there is none."""
    liveness, readiness = container.liveness_probe, container.readiness_probe
    probe: Probe | None = None
    here = path
    if liveness and liveness.exec:
        probe, here = liveness, f"{path}.livenessProbe"
        if readiness and readiness.exec and readiness.exec.command != liveness.exec.command:
            text = "ECS has one check in a container; livenessProbe's is used"
            findings.warn(f"{path}.readinessProbe.exec", text)
    elif readiness and readiness.exec:
        probe, here = readiness, f"{path}.readinessProbe"
    if probe is None or probe.exec is None:
        return {}
    if not probe.exec.command:
        findings.refuse(f"{here}.exec.command", "needs a command")
    start = max(probe.initial_delay_seconds or 0, _startup_seconds(container))
    if start > _START_PERIOD_MAX:
        findings.warn(
            f"{path}.startupProbe" if container.startup_probe else f"{here}.initialDelaySeconds",
            f"startPeriod is {_START_PERIOD_MAX} seconds at most; the service's grace period covers the rest",
        )
    interval = _within(probe.period_seconds, DEFAULT_PERIOD, _INTERVAL, f"{here}.periodSeconds", findings)
    check: dict[str, Any] = {
        "command": ["CMD", *(probe.exec.command or ())],
        "interval": interval,
        "timeout": _within(probe.timeout_seconds, 1, _ECS_TIMEOUT, f"{here}.timeoutSeconds", findings),
        "retries": _within(
            probe.failure_threshold, DEFAULT_FAILURES, _RETRIES, f"{here}.failureThreshold", findings
        ),
    }
    return check | ({"startPeriod": min(start, _START_PERIOD_MAX)} if start else {})


def grace_period(containers: list[Container]) -> int | None:
    """Return healthCheckGracePeriodSeconds: the longest time a container says it needs to start.

    What probes may say at most is far below what ECS takes (ECS API: 2,147,483,647).
    """
    seconds = [0]
    for container in containers:
        seconds.append(_startup_seconds(container))
        probe = container.readiness_probe or container.liveness_probe
        seconds.append((probe.initial_delay_seconds or 0) if probe else 0)
    return max(seconds) or None


def target_check(
    container: Container, port: int, path: str, findings: Findings
) -> tuple[ProtocolVersion, dict[str, Any]]:
    """Return (protocol version, CreateTargetGroup health-check members) for one port of a container."""
    probe, here = _network_probe(container, path)
    if probe is None:
        return "HTTP1", {**ANY_ANSWER, "HealthCheckPort": "traffic-port"}
    numbers = _numbers(probe, here, findings)
    if probe.grpc:
        if probe.grpc.port == port:
            return "GRPC", {
                "HealthCheckProtocol": "HTTP",
                "HealthCheckPath": GRPC_PATH,
                "HealthCheckPort": "traffic-port",
                "Matcher": {"GrpcCode": "0"},
                **numbers,
            }
        return "HTTP1", {**ANY_ANSWER, "HealthCheckPort": "traffic-port", **numbers}
    if probe.http_get:
        get = probe.http_get
        number = named_port(container, get.port, f"{here}.httpGet.port", findings)
        return "HTTP1", {
            "HealthCheckProtocol": get.scheme or "HTTP",
            "HealthCheckPath": get.path or "/",
            "HealthCheckPort": "traffic-port" if number == port else str(number),
            "Matcher": {"HttpCode": "200-399"},
            **numbers,
        }
    socket = probe.tcp_socket
    number = named_port(container, socket.port if socket else port, f"{here}.tcpSocket.port", findings)
    return "HTTP1", {
        **ANY_ANSWER,
        "HealthCheckPort": "traffic-port" if number == port else str(number),
        **numbers,
    }


def named_port(container: Container, port: IntOrString, path: str, findings: Findings) -> int:
    """Return the number of a port that a probe names; an unknown name is refused."""
    if isinstance(port, int):
        return port
    for entry in container.ports or ():
        if entry.name == port:
            return entry.container_port
    if port.isdecimal():
        return int(port)
    findings.refuse(path, f"container {container.name} has no port of that name")
    return 0


def _network_probe(container: Container, path: str) -> tuple[ReadinessProbe | LivenessProbe | None, str]:
    for probe, name in (
        (container.readiness_probe, "readinessProbe"),
        (container.liveness_probe, "livenessProbe"),
    ):
        if probe and (probe.http_get or probe.tcp_socket or probe.grpc):
            return probe, f"{path}.{name}"
    return None, path


def _numbers(probe: Probe, path: str, findings: Findings) -> dict[str, int]:
    timeout = _within(probe.timeout_seconds, 1, _ELB_TIMEOUT, f"{path}.timeoutSeconds", findings)
    interval = _within(probe.period_seconds, DEFAULT_PERIOD, _INTERVAL, f"{path}.periodSeconds", findings)
    if timeout >= interval:
        findings.warn(
            f"{path}.periodSeconds", f"must be more than timeoutSeconds for AWS: {timeout + 1} is used"
        )
        interval = timeout + 1
    return {
        "HealthCheckIntervalSeconds": interval,
        "HealthCheckTimeoutSeconds": timeout,
        "HealthyThresholdCount": _within(
            probe.success_threshold, 1, _THRESHOLD, f"{path}.successThreshold", findings
        ),
        "UnhealthyThresholdCount": _within(
            probe.failure_threshold, DEFAULT_FAILURES, _THRESHOLD, f"{path}.failureThreshold", findings
        ),
    }


def _startup_seconds(container: Container) -> int:
    probe = container.startup_probe
    if probe is None:
        return 0
    failures = probe.failure_threshold or DEFAULT_FAILURES
    return (probe.initial_delay_seconds or 0) + failures * (probe.period_seconds or DEFAULT_PERIOD)


def _within(value: int | None, default: int, allowed: _Range, path: str, findings: Findings) -> int:
    wanted = default if value is None else value
    result = min(max(wanted, allowed.least), allowed.most)
    if value not in (None, 1) and result != wanted:
        findings.warn(path, f"AWS allows {allowed.least} to {allowed.most}: {result} is used")
    return result
