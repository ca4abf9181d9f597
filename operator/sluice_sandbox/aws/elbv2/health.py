"""Health checks: which targets a load balancer may send requests to, and why not.

Sources: "Health checks for Application Load Balancer target groups" (a new target must pass one
check to become healthy; thresholds count consecutive results; draining lasts the whole delay),
botocore's shape TargetHealth for states and reasons; descriptions from memory.

Cost follows change, not size: while every target of a group is settled, and the network promises to
announce when an address starts, stops or changes its behaviour, the group has no timer at all. An
announcement wakes it at the very moment its next check would have been due, so results are the
same as if it had been checked all along.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, runtime_checkable

from sluice_sandbox.aws.clock import Timer
from sluice_sandbox.aws.elbv2.desk import Desk
from sluice_sandbox.aws.elbv2.health_settings import codes
from sluice_sandbox.aws.elbv2.state import Region, Target, TargetGroup
from sluice_sandbox.aws.ports import Network, Probe

Key = tuple[str, int]
OnHealth = Callable[[str, Target], None]

_DEFAULT_GRPC_PATH = "/AWS.ALB/healthcheck"
_UNIMPLEMENTED, _OK, _UNAVAILABLE = 12, 0, 14

REGISTERING = "Elb.RegistrationInProgress", "Target registration is in progress"
CHECKING = "Elb.InitialHealthChecking", "Initial health checks in progress"
NOT_IN_USE = (
    "Target.NotInUse",
    "Target group is not configured to receive traffic from the load balancer",
)
ZONE_NOT_ENABLED = (
    "Target.NotInUse",
    "Target is in an Availability Zone that is not enabled for the load balancer",
)
DRAINING = "Target.DeregistrationInProgress", "Target deregistration is in progress"
NOT_REGISTERED = "Target.NotRegistered", "Target is not registered to the target group"
DISABLED = "Target.HealthCheckDisabled", "Health checks are disabled for this target group"


@runtime_checkable
class AnnouncingNetwork(Protocol):
    """A network that tells when an answer to a probe may have changed."""

    def on_change(self, callback: Callable[[str], None]) -> None:
        """Call back with the IP address whose listening or behaviour changed."""


class HealthChecker:
    """Moves targets between initial, healthy, unhealthy, draining and unused."""

    def __init__(self, desk: Desk, *, network: Network) -> None:
        """Check through `network`; poll only when it does not announce changes."""
        self._desk = desk
        self._network = network
        self._timers: dict[str, Timer] = {}
        self._anchors: dict[str, float] = {}
        self._groups_of_ip: defaultdict[str, set[str]] = defaultdict(set)
        self._watchers: list[OnHealth] = []
        self._announces = isinstance(network, AnnouncingNetwork)
        if isinstance(network, AnnouncingNetwork):
            network.on_change(self._address_changed)

    def watch(self, callback: OnHealth) -> None:
        """Call back with a group's ARN and the target after each change of its state."""
        self._watchers.append(callback)

    def register(
        self, group: TargetGroup, *, target_id: str, port: int, zone: str, server_id: str = ""
    ) -> None:
        """Register a target; one that is draining comes back, one that is there stays as it is."""
        present = group.targets.get((target_id, port))
        if present is not None and present.state != "draining":
            return
        target = Target(id=target_id, port=port, zone=zone, state="unused", server_id=server_id)
        group.targets[target_id, port] = target
        self._groups_of_ip[target_id].add(group.arn)
        self._enter(group, target)

    def deregister(self, group: TargetGroup, *, target_id: str, port: int) -> None:
        """Start draining a target; an unknown one is a no-op."""
        target = group.targets.get((target_id, port))
        if target is None or target.state == "draining":
            return
        delay = group.deregistration_delay
        # A target that no load balancer uses has nothing to drain (from memory).
        if target.state in ("unused", "unavailable") or delay == 0:
            self._remove(group, target)
            return
        target.drain_until = self._desk.clock.now() + delay
        self._move(group, target, "draining", DRAINING)
        self._desk.clock.call_later(delay, partial(self._drained, group.arn, (target_id, port)))

    def use_changed(self, arn: str) -> None:
        """Start or end health checks after a rule took up or gave up the group."""
        group = self._group(arn)
        if group is None:
            return
        in_use = bool(group.rule_arns)
        for target in list(group.targets.values()):
            # A draining target keeps its whole delay: requests under way do not hang on any rule.
            if target.state != "draining" and (
                (self._unusable(group, target) is None) != (target.state not in ("unused", "unavailable"))
            ):
                self._enter(group, target)
        if not in_use:
            self._stop(arn)

    def checks_changed(self, arn: str) -> None:
        """Follow new health-check settings, or forget a group that is gone."""
        self._stop(arn)
        group = self._group(arn)
        if group is not None:
            self._wake(group, told=True)

    def rebuild(self) -> None:
        """Start anew after the books were exchanged (reset): timers follow what is written there."""
        for arn in list(self._timers):
            self._stop(arn)
        self._groups_of_ip.clear()
        for region in self._desk.state.regions.values():
            for group in region.target_groups.values():
                for target in list(group.targets.values()):
                    self._groups_of_ip[target.id].add(group.arn)
                    if target.state == "draining":
                        delay = target.drain_until - self._desk.clock.now()
                        self._desk.clock.call_later(
                            delay, partial(self._drained, group.arn, (target.id, target.port))
                        )
                    elif target.state == "initial":
                        self._enter(group, target)
                self._wake(group)

    def _enter(self, group: TargetGroup, target: Target) -> None:
        """Take a target into service, or say why it is unused."""
        target.successes = target.failures = 0
        unusable = self._unusable(group, target)
        if unusable is not None:
            self._move(group, target, "unused", unusable)
            return
        if not group.settings["HealthCheckEnabled"]:
            self._move(group, target, "unavailable", DISABLED)
            return
        self._move(group, target, "initial", REGISTERING)
        self._desk.clock.call_later(
            self._desk.settings.pace.registration, partial(self._first, group.arn, (target.id, target.port))
        )

    def _unusable(self, group: TargetGroup, target: Target) -> tuple[str, str] | None:
        arns = group.load_balancer_arns
        if not arns:
            return NOT_IN_USE
        load_balancer = self._desk.state.of_arn(group.arn).load_balancers.get(arns[0])
        zones = [zone["ZoneName"] for zone in load_balancer.zones] if load_balancer is not None else []
        if target.zone not in ("", "all") and target.zone not in zones:
            return ZONE_NOT_ENABLED
        return None

    def _first(self, arn: str, key: Key) -> None:
        """Make the first check of a new target, outside the group's rhythm, as AWS does."""
        group = self._group(arn)
        target = group.targets.get(key) if group is not None else None
        if group is None or target is None or (target.state, target.reason) != ("initial", REGISTERING[0]):
            return
        self._move(group, target, "initial", CHECKING)
        # The group's rhythm starts with its first check ever, whether or not it sleeps after it.
        self._anchors.setdefault(arn, self._desk.clock.now())
        self._check(group, target)
        self._wake(group)

    def _drained(self, arn: str, key: Key) -> None:
        group = self._group(arn)
        target = group.targets.get(key) if group is not None else None
        if group is None or target is None or target.state != "draining":
            return
        if target.drain_until <= self._desk.clock.now() + 1e-6:
            self._remove(group, target)

    def _remove(self, group: TargetGroup, target: Target) -> None:
        del group.targets[target.id, target.port]
        if not any(other.id == target.id for other in group.targets.values()):
            self._groups_of_ip[target.id].discard(group.arn)
            if not self._groups_of_ip[target.id]:
                del self._groups_of_ip[target.id]
        target.state, (target.reason, target.description) = "unused", NOT_REGISTERED
        self._tell(group, target)

    def _pass(self, arn: str) -> None:
        """Check all targets of one group, then sleep if nothing can change by itself."""
        self._timers.pop(arn, None)
        group = self._group(arn)
        if group is None:
            self._anchors.pop(arn, None)
            return
        for target in list(group.targets.values()):
            if target.state in ("healthy", "unhealthy") or target.reason == CHECKING[0]:
                self._check(group, target)
        self._wake(group)

    def _wake(self, group: TargetGroup, *, told: bool = False) -> None:
        """Make sure that a group which can change by itself (or was told to) is checked on time."""
        if group.arn in self._timers or not group.rule_arns:
            return
        restless = any(not _settled(target) for target in group.targets.values())
        checked = any(target.state in ("healthy", "unhealthy") for target in group.targets.values())
        if not (restless or (checked and (told or not self._announces))):
            return
        now = self._desk.clock.now()
        interval = float(group.settings["HealthCheckIntervalSeconds"])
        anchor = self._anchors.setdefault(group.arn, now)
        delay = interval - (now - anchor) % interval
        self._timers[group.arn] = self._desk.clock.call_later(delay, partial(self._pass, group.arn))

    def _stop(self, arn: str) -> None:
        timer = self._timers.pop(arn, None)
        if timer is not None:
            timer.cancel()
        self._anchors.pop(arn, None)

    def _address_changed(self, ip: str) -> None:
        for arn in sorted(self._groups_of_ip.get(ip, ())):
            group = self._group(arn)
            if group is not None:
                self._wake(group, told=True)

    def _check(self, group: TargetGroup, target: Target) -> None:
        settings = group.settings
        port = settings.get("HealthCheckPort", "traffic-port")
        probe = self._network.probe(
            target.id,
            target.port if port == "traffic-port" else int(port),
            path=settings.get("HealthCheckPath", "/"),
            timeout=float(settings["HealthCheckTimeoutSeconds"]),
        )
        problem = _problem(settings, probe)
        if problem is None:
            target.successes, target.failures = target.successes + 1, 0
            if target.state == "initial" or (
                target.state == "unhealthy" and target.successes >= settings["HealthyThresholdCount"]
            ):
                target.healthy_since = self._desk.clock.now()
                self._move(group, target, "healthy", ("", ""))
            return
        target.successes, target.failures = 0, target.failures + 1
        if target.state == "unhealthy" or target.failures >= settings["UnhealthyThresholdCount"]:
            self._move(group, target, "unhealthy", problem)

    def _move(self, group: TargetGroup, target: Target, state: str, why: tuple[str, str]) -> None:
        before = target.state, target.reason
        target.state, (target.reason, target.description) = state, why
        if before != (state, why[0]):
            self._tell(group, target)

    def _tell(self, group: TargetGroup, target: Target) -> None:
        for watcher in list(self._watchers):
            watcher(group.arn, target)

    def _group(self, arn: str) -> TargetGroup | None:
        region: Region = self._desk.state.of_arn(arn)
        return region.target_groups.get(arn)


def _settled(target: Target) -> bool:
    """Tell whether repeating the last check with the same answer would change nothing."""
    if target.state == "healthy":
        return target.failures == 0
    if target.state == "unhealthy":
        return target.successes == 0
    # Registering, draining and unused targets have timers of their own or none.
    return target.reason != CHECKING[0]


def _problem(settings: dict[str, Any], probe: Probe) -> tuple[str, str] | None:
    """Return reason and description of a failed check, None when it passed."""
    if probe.failure == "timeout":
        return "Target.Timeout", "Request timed out"
    if probe.failure or (probe.status is None and settings["HealthCheckProtocol"] != "TCP"):
        return "Target.FailedHealthChecks", "Health checks failed"
    if settings["HealthCheckProtocol"] == "TCP":
        return None
    matcher = settings["Matcher"]
    status = probe.status or 0
    if "GrpcCode" in matcher:
        is_default = settings["HealthCheckPath"] == _DEFAULT_GRPC_PATH
        status = (_UNIMPLEMENTED if is_default else _OK) if status == 200 else _UNAVAILABLE
    text = matcher.get("GrpcCode") or matcher["HttpCode"]
    if any(first <= status <= last for first, last in codes(text, low=0, high=599, noun="")):
        return None
    return "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{status}]"
