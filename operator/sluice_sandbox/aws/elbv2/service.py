"""The `elbv2` service as a whole: its operations, the port ECS uses, and traffic in process.

Handlers live beside their nouns; this module puts them together in the order in which they depend
on each other and adds what the rest of the world asks for: routing without sockets, counters, and
word of changes for whoever opens the sockets.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from sluice_sandbox.aws.clock import Clock
from sluice_sandbox.aws.composed import ComposedService
from sluice_sandbox.aws.elbv2.capacity import CapacityHandlers
from sluice_sandbox.aws.elbv2.desk import Desk, Elbv2Settings
from sluice_sandbox.aws.elbv2.ecs_rules import EcsRules
from sluice_sandbox.aws.elbv2.forwarding import Forward, Router
from sluice_sandbox.aws.elbv2.health import HealthChecker
from sluice_sandbox.aws.elbv2.limits import LimitHandlers
from sluice_sandbox.aws.elbv2.listeners import ListenerHandlers
from sluice_sandbox.aws.elbv2.load_balancers import LoadBalancerHandlers
from sluice_sandbox.aws.elbv2.metrics import MetricsPublisher
from sluice_sandbox.aws.elbv2.replies import Reply, error_reply
from sluice_sandbox.aws.elbv2.routing import normalised
from sluice_sandbox.aws.elbv2.rules import RuleHandlers
from sluice_sandbox.aws.elbv2.state import State, Target
from sluice_sandbox.aws.elbv2.tags import TagHandlers
from sluice_sandbox.aws.elbv2.target_groups import TargetGroupHandlers
from sluice_sandbox.aws.elbv2.targets import TargetHandlers
from sluice_sandbox.aws.elbv2.trust_stores import TrustStoreHandlers
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.ports import (
    Estate,
    HttpRequest,
    Metrics,
    Network,
    TaggedResource,
    TargetGroupView,
    TargetHealth,
)
from sluice_sandbox.aws.service import Caller

OnHealth = Callable[[str, TargetHealth, str, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a task answers to a request, as `RespondingNetwork` tells it."""

    status: int
    body: Mapping[str, Any]
    seconds: float = 0.0
    """How long the task takes, in world seconds."""


@runtime_checkable
class RespondingNetwork(Protocol):
    """A network whose tasks can answer in process."""

    def respond(self, ip: str, port: int, request: HttpRequest) -> Answer | None:
        """Return the task's answer, None when nothing listens there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteResult:
    """What became of a simulated request."""

    status: int
    rule_arn: str
    target_group_arn: str = ""
    target_ip: str = ""
    target_port: int = 0
    seconds: float = 0.0
    body: Mapping[str, Any] | None = None
    headers: tuple[tuple[str, str], ...] = ()
    set_cookies: tuple[str, ...] = ()


class Elbv2Service(ComposedService[State]):
    """Elastic Load Balancing v2: a `Service`, and the `TargetGroups` port of ECS."""

    name = "elbv2"

    def __init__(
        self,
        clock: Clock,
        *,
        estate: Estate,
        network: Network,
        rng: random.Random,
        settings: Elbv2Settings | None = None,
    ) -> None:
        """Start with no load balancers. `settings` holds quotas and delays."""
        self._desk = Desk(clock, estate=estate, rng=rng, settings=settings or Elbv2Settings())
        self.network = network
        self.checker = HealthChecker(self._desk, network=network)
        # Draws of its own: how much traffic passes must not change anybody's ids.
        self.router = Router(self._desk, rng=random.Random(rng.getrandbits(64)))
        rules = RuleHandlers(self._desk, on_use=self.checker.use_changed)
        self.traffic_rules = EcsRules(self._desk, rules)
        listeners = ListenerHandlers(self._desk, rules=rules)
        load_balancers = LoadBalancerHandlers(
            self._desk, delete_listener=listeners.remove, on_use=self.checker.use_changed
        )
        groups = TargetGroupHandlers(self._desk, on_health_change=self.checker.checks_changed)
        self._targets = TargetHandlers(self._desk, health=self.checker)
        self._tags = TagHandlers(self._desk)
        self._publishers: list[MetricsPublisher] = []
        super().__init__(
            self._desk,
            load_balancers,
            listeners,
            rules,
            groups,
            self._targets,
            self._tags,
            LimitHandlers(self._desk),
            CapacityHandlers(self._desk),
            TrustStoreHandlers(self._desk),
        )

    def reset(self) -> None:
        """Forget everything; timers of what was there find nothing and end."""
        self._desk.state = State()
        self.checker.rebuild()
        self.router.reset()
        for publisher in self._publishers:
            publisher.reset()

    # The TargetGroups port.

    def group(self, caller: Caller, arn: str) -> TargetGroupView | None:
        """Return what ECS checks of a target group; see `ports.TargetGroups`."""
        return self._targets.group(caller, arn)

    def register(self, caller: Caller, arn: str, *, ip: str, port: int, zone: str) -> None:
        """Register one IP target for ECS."""
        self._targets.register(caller, arn, ip=ip, port=port, zone=zone)

    def deregister(self, caller: Caller, arn: str, *, ip: str, port: int) -> None:
        """Start draining one target for ECS."""
        self._targets.deregister(caller, arn, ip=ip, port=port)

    def health(self, caller: Caller, arn: str, *, ip: str, port: int) -> TargetHealth | None:
        """Return one target's health, None once it is drained."""
        return self._targets.health(caller, arn, ip=ip, port=port)

    # The Tagged port.

    def tagged_resources(self, caller: Caller) -> Sequence[TaggedResource]:
        """Return the caller's load balancers, listeners, rules and target groups; see `ports.Tagged`."""
        return self._tags.tagged_resources(caller)

    def change_tags(
        self, caller: Caller, arn: str, *, put: Mapping[str, str], remove: Sequence[str] = ()
    ) -> bool:
        """Change one resource's tags; False when the caller has no resource of that ARN."""
        return self._tags.change_tags(caller, arn, put=put, remove=remove)

    # What the world may listen to.

    def publish_to(self, metrics: Metrics) -> None:
        """Publish traffic and host counts to CloudWatch whenever it flushes."""
        self._publishers.append(
            MetricsPublisher(self._desk, counters=self.router.counters, checker=self.checker, metrics=metrics)
        )

    def watch_health(self, callback: OnHealth) -> None:
        """Call back `(target group ARN, health, id, port)` after each change of a target's state.

        A target that is gone is told once as unused, Target.NotRegistered.
        """

        def told(arn: str, target: Target) -> None:
            health = TargetHealth(state=target.state, reason=target.reason, description=target.description)
            callback(arn, health, target.id, target.port)

        self.checker.watch(told)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back after each change of listeners, rules, groups or attributes."""
        self._desk.on_change(callback)

    # Traffic and its counts.

    def route(self, caller: Caller, listener_arn: str, request: HttpRequest) -> RouteResult:
        """Carry one request in process: no socket, the same decisions and counts as the proxy's.

        Raises AwsError (ListenerNotFound) for a listener that does not exist.
        """
        self._desk.region(caller).listener(listener_arn)
        decision = self.router.decide(listener_arn, normalised(request))
        if isinstance(decision, Reply):
            return RouteResult(
                status=decision.status,
                rule_arn=decision.rule_arn,
                target_group_arn=decision.group_arn,
                headers=decision.headers,
            )
        self.router.begin(decision)
        answer = self._answer(decision, request)
        if answer is None:
            self.router.finish(decision, status=502, seconds=0.0, by_target=False, connected=False)
            return self._unanswered(decision, 502)
        idle = self._idle_timeout(decision)
        if answer.seconds > idle:
            self.router.finish(decision, status=504, seconds=idle, by_target=False)
            return self._unanswered(decision, 504, seconds=idle)
        self.router.finish(decision, status=answer.status, seconds=answer.seconds)
        return RouteResult(
            status=answer.status,
            rule_arn=decision.rule_arn,
            target_group_arn=decision.group_arn,
            target_ip=decision.ip,
            target_port=decision.port,
            seconds=answer.seconds,
            body=answer.body,
            set_cookies=decision.set_cookies,
        )

    def counters(self) -> dict[str, Any]:
        """Return all counts as JSON can carry them: by target group and by listener ARN."""
        groups: dict[str, Any] = {}
        for region in self.state.regions.values():
            for group in region.target_groups.values():
                states = [target.state for target in group.targets.values()]
                groups[group.arn] = {
                    "HealthyHostCount": states.count("healthy"),
                    "UnHealthyHostCount": states.count("unhealthy"),
                }
        for arn, tally in self.router.counters.groups.items():
            groups[arn] = groups.get(arn, {}) | tally.shown()
        listeners = {arn: tally.shown() for arn, tally in self.router.counters.listeners.items()}
        return {"targetGroups": groups, "listeners": listeners}

    def idle_timeout(self, listener_arn: str) -> float:
        """Return `idle_timeout.timeout_seconds` of a listener's load balancer, in world seconds."""
        region = self.state.of_arn(listener_arn)
        listener = region.listeners.get(listener_arn)
        if listener is None:
            raise AwsError("ListenerNotFound", "One or more listeners not found")
        return float(
            region.load_balancers[listener.load_balancer_arn].attributes["idle_timeout.timeout_seconds"]
        )

    def _idle_timeout(self, decision: Forward) -> float:
        return self.idle_timeout(decision.listener_arn)

    def _answer(self, decision: Forward, request: HttpRequest) -> Answer | None:
        if not isinstance(self.network, RespondingNetwork):
            return None
        return self.network.respond(decision.ip, decision.port, request)

    def _unanswered(self, decision: Forward, status: int, *, seconds: float = 0.0) -> RouteResult:
        page = error_reply(status)
        return RouteResult(
            status=status,
            rule_arn=decision.rule_arn,
            target_group_arn=decision.group_arn,
            target_ip=decision.ip,
            target_port=decision.port,
            seconds=seconds,
            headers=page.headers,
        )
