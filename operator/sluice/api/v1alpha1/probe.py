"""Probes of containers, with the answer that each kind has on ECS.

A readiness probe becomes the health check of the container's target groups, an `exec` probe the
container's own health check; ECS has no place for the others, because it replaces a task whose
targets fail. Field names: Kubernetes core/v1 Probe.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sluice.api.v1alpha1.schema import (
    Cel,
    IntOrString,
    Typed,
    accepted,
    atomic,
    refused,
    translated,
    warned,
)

Seconds = Annotated[int, Field(ge=0, le=86_400)]
Count = Annotated[int, Field(ge=1, le=1_000)]


class ExecAction(Typed):
    """Command run inside the container."""

    command: Annotated[
        list[str] | None, atomic(most=256), translated("healthCheck.command, as CMD without a shell")
    ] = None


class HttpHeader(Typed):
    """A header of an HTTP probe."""

    name: str
    """Name."""
    value: str
    """Value."""


class HttpGetAction(Typed):
    """HTTP request of a probe."""

    path: Annotated[str | None, translated("HealthCheckPath")] = None
    port: Annotated[
        IntOrString,
        translated("HealthCheckPort: traffic-port for the target group's own port, else the number"),
    ]
    scheme: Annotated[Literal["HTTP", "HTTPS"] | None, translated("HealthCheckProtocol")] = None
    host: Annotated[str | None, refused("load balancers ask the task itself; remove host (or use exec)")] = (
        None
    )
    http_headers: Annotated[
        list[HttpHeader] | None,
        atomic(most=16),
        warned("load balancers send no headers of yours: the check must pass without them"),
    ] = None
    protocol: Annotated[
        str | None, refused("load balancers choose the protocol of health checks; remove protocol")
    ] = None


class TcpSocketAction(Typed):
    """TCP connection of a probe."""

    port: Annotated[IntOrString, translated("HealthCheckPort")]
    host: Annotated[str | None, refused("load balancers ask the task itself; remove host")] = None


class GrpcAction(Typed):
    """gRPC health request of a probe."""

    port: Annotated[int, Field(ge=1, le=65_535), translated("HealthCheckPort")]
    service: Annotated[
        str | None,
        warned("load balancers ask for the health of the whole server; the service name is not sent"),
    ] = None
    mode: Annotated[str | None, refused("load balancers choose how to connect; remove mode")] = None


_HANDLERS = " + ".join(f"(has(self.{name}) ? 1 : 0)" for name in ("exec", "httpGet", "tcpSocket", "grpc"))


class Probe(Typed):
    """What the three probes have in common."""

    exec: Annotated[ExecAction | None, translated("the container's healthCheck")] = None
    http_get: HttpGetAction | None = None
    tcp_socket: TcpSocketAction | None = None
    grpc: GrpcAction | None = None
    initial_delay_seconds: Annotated[
        Seconds | None, translated("startPeriod (exec), part of healthCheckGracePeriodSeconds (others)")
    ] = None
    period_seconds: Annotated[
        Seconds | None, translated("interval, between 5 and 300 seconds as AWS allows; 10 when absent")
    ] = None
    timeout_seconds: Annotated[
        Seconds | None, translated("timeout, at least AWS's 2 seconds and less than the interval")
    ] = None
    success_threshold: Annotated[
        Count | None, translated("HealthyThresholdCount, between 2 and 10 as AWS allows")
    ] = None
    failure_threshold: Annotated[
        Count | None, translated("UnhealthyThresholdCount (2 to 10) or retries (1 to 10); 3 when absent")
    ] = None
    termination_grace_period_seconds: Annotated[
        Seconds | None, warned("ECS has one stop timeout; the pod's terminationGracePeriodSeconds counts")
    ] = None
    cel = (
        Cel(
            rule=f"{_HANDLERS} == 1",
            message="a probe asks in exactly one way: keep one of exec, httpGet, tcpSocket and grpc",
        ),
    )


class ReadinessProbe(Probe):
    """When a task gets requests."""

    exec: Annotated[
        ExecAction | None,
        warned(
            "becomes the container's healthCheck unless livenessProbe has an exec; ECS replaces a task "
            "that fails it instead of only holding requests back"
        ),
    ] = None
    http_get: Annotated[
        HttpGetAction | None, translated("target-group health check, matcher 200-399 as the kubelet's")
    ] = None
    tcp_socket: Annotated[
        TcpSocketAction | None,
        translated("target-group health check of / that any HTTP answer below 500 passes"),
    ] = None
    grpc: Annotated[
        GrpcAction | None,
        translated(
            "target-group health check of protocol version GRPC, /grpc.health.v1.Health/Check, code 0"
        ),
    ] = None


class LivenessProbe(Probe):
    """When a container is given up."""

    exec: Annotated[ExecAction | None, translated("the container's healthCheck")] = None
    http_get: Annotated[
        HttpGetAction | None,
        warned(
            "ECS can't run it in the container; ECS replaces tasks whose target fails, and it is the "
            "target group's health check when there is no readinessProbe"
        ),
    ] = None
    tcp_socket: Annotated[
        TcpSocketAction | None,
        warned("ECS can't run it in the container; ECS replaces tasks whose target fails"),
    ] = None
    grpc: Annotated[
        GrpcAction | None,
        warned("ECS can't run it in the container; ECS replaces tasks whose target fails"),
    ] = None


class StartupProbe(Probe):
    """How long a container may take to start."""

    exec: Annotated[
        ExecAction | None,
        translated("initialDelay + failureThreshold times period: grace period and startPeriod"),
    ] = None
    http_get: Annotated[
        HttpGetAction | None,
        translated("initialDelay + failureThreshold times period: grace period and startPeriod"),
    ] = None
    tcp_socket: Annotated[
        TcpSocketAction | None,
        translated("initialDelay + failureThreshold times period: grace period and startPeriod"),
    ] = None
    grpc: Annotated[
        GrpcAction | None,
        translated("initialDelay + failureThreshold times period: grace period and startPeriod"),
    ] = None
    timeout_seconds: Annotated[Seconds | None, accepted("only the time to start counts on ECS")] = None
    success_threshold: Annotated[Count | None, accepted("only the time to start counts on ECS")] = None
