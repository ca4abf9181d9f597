"""How long things take in the stand-in's ECS, in seconds of the world's clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EcsSettings:
    """Delays and retention; the defaults are short so that a demo is quick, `faithful()` is not.

    A delay of AWS that users choose themselves (grace period, deregistration delay, stop timeout,
    container health interval) is honoured up to the cap beside it.
    """

    provisioning_seconds: float = 0.3
    """PROVISIONING: the ENI is made and attached."""
    pending_seconds: float = 0.4
    """PENDING: the image is pulled; the runtime's own start delay comes on top."""
    activating_seconds: float = 0.2
    """ACTIVATING: targets are registered."""
    stopping_seconds: float = 0.2
    """STOPPING: from SIGTERM to the exit of the containers."""
    deprovisioning_seconds: float = 0.2
    """DEPROVISIONING: the ENI is detached."""
    drain_cap_seconds: float = 5.0
    """At most this much of a target group's deregistration delay is waited before SIGTERM."""
    container_interval_cap_seconds: float = 1.0
    """At most this much of a container health check's interval is waited between checks."""
    inactive_seconds: float = 0.1
    """From the last task's stop to INACTIVE of a deleted service."""
    watch_seconds: float = 0.25
    """How often a service that is not steady is looked at beside its events."""
    sweep_seconds: float = 2.0
    """How often the health of tasks at rest is read (all services together, in process)."""
    stopped_retention_seconds: float = 3600.0
    """Stopped tasks stay describable for about an hour (ECS developer guide, stopped tasks)."""
    inactive_retention_seconds: float = 3600.0
    """INACTIVE services stay describable for a while (botocore: DeleteService)."""
    backoff_base_seconds: float = 1.0
    backoff_cap_seconds: float = 60.0
    """Restarts of tasks that never reach RUNNING are spaced out (ECS: service throttle logic)."""

    stage_seconds: float = 0.5
    """How long a native deployment stays in each stage at least, so that a poll can see it."""
    bake_cap_seconds: float = 5.0
    """At most this much of each bake time (bakeTimeInMinutes, of a step, of a canary) is waited."""
    alarm_bake_seconds: float = 2.0
    """How long a rolling deployment with alarms is monitored after its last old task has gone; ECS
    computes it from the alarms (ECS developer guide, deployment alarms)."""

    @classmethod
    def faithful(cls) -> EcsSettings:
        """Return delays in the order of AWS's own on Fargate (from memory, not measured)."""
        return cls(
            provisioning_seconds=10.0,
            pending_seconds=15.0,
            activating_seconds=5.0,
            stopping_seconds=5.0,
            deprovisioning_seconds=15.0,
            drain_cap_seconds=3600.0,
            container_interval_cap_seconds=300.0,
            inactive_seconds=5.0,
            watch_seconds=5.0,
            sweep_seconds=10.0,
            backoff_cap_seconds=900.0,
            stage_seconds=10.0,
            bake_cap_seconds=1440 * 60.0,
            alarm_bake_seconds=300.0,
        )
