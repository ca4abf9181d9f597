"""The operator as one process of a simulation: everything real but threads, sockets and time.

The store, the queue, the reconciler, both controllers, the gateway with its budgets, the collectors
and the executor are the product's. Kubernetes is a `Cluster`, AWS a `World` called in process. A
`Crash` at a chosen call ends the process between two calls as SIGKILL would: what it held in memory
is gone, what it wrote is there. The next process starts from a list, as after a restart.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from prometheus_client import CollectorRegistry

from sim.cluster import Cluster, SimKubernetes
from sluice.analysis.cloud_watch import CloudWatchSource
from sluice.analysis.gates import Asked, GateKeeper
from sluice.analysis.load_balancer import LoadBalancerSource
from sluice.analysis.observed import RequestCounter
from sluice.apply.executor import PlanExecutor
from sluice.aws.budget import Budgets
from sluice.aws.gateway import AwsGateway
from sluice.aws.metrics import AwsMetrics
from sluice.aws.transport import Answered, NoAnswer
from sluice.controllers.deployment import DeploymentController
from sluice.controllers.route import RouteController
from sluice.controllers.settings import ControllerSettings
from sluice.hooks.run_task import RunTaskRunner
from sluice.model.binding import Binding
from sluice.model.events import EVENTS
from sluice.model.keys import Key
from sluice.model.tenancy import Tenancy, permissive_rule
from sluice.observe.facts import AwsFacts
from sluice.ports import World as Ports
from sluice.runtime.intake import Intake
from sluice.runtime.queue import Lane, WorkQueue
from sluice.runtime.store import ObjectStore
from sluice.runtime.worker import Reconciler, Sources
from sluice.telemetry.cost import CostMeter
from sluice.telemetry.ledger import Ledger, Surroundings
from sluice.telemetry.metrics import RuntimeMetrics
from sluice.telemetry.objects import Beside, object_metrics, team_of
from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.errors import AwsError, ConnectionLost
from sluice_sandbox.aws.service import Caller

CALLER = Caller(principal="arn:aws:iam::111122223333:role/sandbox-operator")
"""Faults that are meant for the operator alone match this principal."""
BINDING = Binding(account="111122223333", region="eu-west-1")


class Crash(BaseException):
    """The process ends here. A BaseException, as nothing in the product may survive it."""


Hook = Callable[[str, str], None]
"""(`before` | `after`, name of the call)."""


class SimClock:
    """`ports.Clock` over the world's clock: one time for everything."""

    def __init__(self, clock: VirtualClock) -> None:
        """Follow `clock`."""
        self._clock = clock

    def now(self) -> float:
        """Return wall time."""
        return self._clock.now()

    def monotonic(self) -> float:
        """Return the same: nothing jumps here unless a test says so."""
        return self._clock.now()


class SimLease:
    """`aws.gateway.LeaseGuard` that a test can let run out."""

    def __init__(self) -> None:
        """Start as the leader."""
        self.lost = False

    def valid_for(self, seconds: float) -> bool:
        """Tell whether this process leads."""
        return seconds >= 0 and not self.lost


class InProcess(Protocol):
    """A world as the transport sees it: in process, answers as boto3 gives them."""

    def call(
        self, service: str, operation: str, params: Mapping[str, Any], *, caller: Caller
    ) -> Mapping[str, Any]:
        """Make one call."""


class SimTransport:
    """`aws.transport.Transport` over World.call; writes go through the crash hook."""

    def __init__(self, world: InProcess, hook: Hook) -> None:
        """Speak to `world`."""
        self._world = world
        self._hook = hook

    def send(
        self, service: str, operation: str, params: Mapping[str, Any], binding: Binding, *, write: bool
    ) -> Mapping[str, Any]:
        """Call the handler in process."""
        name = f"aws {operation}"
        if write:
            self._hook("before", name)
        try:
            answer = self._world.call(service, operation, dict(params), caller=CALLER)
        except AwsError as error:
            raise Answered(error.code, error.message, status=error.status) from error
        except ConnectionLost as error:
            raise NoAnswer(str(error)) from error
        if write:
            self._hook("after", name)
        return answer


class SimScheduler:
    """`analysis.scheduler.Scheduler` in virtual time: questions are answered a moment later, in order."""

    def __init__(self, clock: VirtualClock) -> None:
        """Follow `clock`."""
        self._clock = clock
        self.dead = False
        """Its process has ended, maybe in one of these jobs: none runs any more."""

    def soon(self, job: Callable[[], None]) -> None:
        """Run the job a hundredth of a second from now."""
        self.later(0.01, job)

    def later(self, seconds: float, job: Callable[[], None]) -> None:
        """Run the job when the world's time has come, unless the process that asked is dead by then."""

        def run() -> None:
            if self.dead:
                return
            try:
                job()
            except Crash:
                self.dead = True

        self._clock.call_later(seconds, run)


@dataclass(slots=True)
class SilentRecorder:
    """`ports.Recorder` that keeps what it was told, for the process's life."""

    events: list[tuple[str, str, str, str]] = field(default_factory=list)

    def event(self, obj: Mapping[str, Any], *, type_: str, reason: str, message: str) -> None:
        """Remember the event; the list of reasons is closed."""
        assert reason in EVENTS, f"{reason} is not in model/events.py"
        self.events.append((obj["metadata"]["name"], type_, reason, message))


class Operator:
    """One process from start to crash."""

    def __init__(
        self,
        cluster: Cluster,
        world: InProcess,
        *,
        clock: VirtualClock,
        hook: Hook = lambda _when, _name: None,
        budgets: bool = True,
        settings: Mapping[str, Any] | None = None,
        epoch: int = 0,
    ) -> None:
        """Start: list everything, as the barrier before the first pass does."""
        self.cluster = cluster
        self.clock = SimClock(clock)
        self.scheduler = SimScheduler(clock)
        self.recorder = SilentRecorder()
        self.lease = SimLease()
        self.epoch = epoch
        self.deaf_until = 0.0
        """Until then the watch delivers nothing: the API server or the network is slow."""
        self.registry = registry = CollectorRegistry()
        self.store = ObjectStore(self.clock)
        self.ledger = Ledger(
            registry,
            Surroundings(
                now=self.clock.now,
                peek=self.store.peek,
                routes_of=self.store.routes_of,
                team=lambda obj: team_of(obj, "team"),
            ),
        )
        cost = CostMeter(self.store.snapshot, shown=lambda: True, now=self.clock.monotonic)
        self.ledger.listen(cost.written)
        registry.register(cost.collector)
        beside = Beside(synced=self.ledger.synced, drifted=self.ledger.drift.drifted)
        registry.register(object_metrics(self.store.snapshot, shown=lambda: True, beside=beside))
        gateway = AwsGateway(
            SimTransport(world, hook),
            budgets=Budgets(share=1.0, enabled=budgets),
            clock=self.clock,
            lease=self.lease,
            metrics=AwsMetrics(registry, hurried=self.ledger.hurried),
        )
        self.facts = AwsFacts(gateway, clock=self.clock)
        self.queue = WorkQueue(self.clock, rng=random.Random(1))
        self.intake = Intake(self.store, self.queue, written=self.ledger.written)
        asked = Asked(
            aws=gateway,
            sources={"loadBalancer": LoadBalancerSource(gateway), "cloudWatch": CloudWatchSource(gateway)},
            hooks={"runTask": RunTaskRunner(gateway)},
        )
        self.gates = GateKeeper(
            asked,
            clock=self.clock,
            scheduler=self.scheduler,
            wake=self.queue.add,
            hurry=lambda key: self.queue.add(key, Lane.ROLLBACK),
        )
        self.requests = RequestCounter(gateway, clock=self.clock, scheduler=self.scheduler)
        ports = Ports(
            store=self.store,
            kubernetes=_Feeding(SimKubernetes(cluster, hook=hook), self.intake),
            facts=self.facts,
            executor=PlanExecutor(gateway, observer=self.facts),
            recorder=self.recorder,
            clock=self.clock,
            gates=self.gates,
            requests=self.requests,
            leader_epoch=lambda: self.epoch,
            ledger=self.ledger,
        )
        tenancy = Tenancy(rules=(permissive_rule(),), default_binding=BINDING)
        options = {"installation_id": "sim", "tenancy": tenancy} | dict(settings or {})
        controller_settings = ControllerSettings(**options)
        self.reconciler = Reconciler(
            self.queue,
            {
                "Deployment": DeploymentController(ports, controller_settings),
                "ServiceRoute": RouteController(ports, controller_settings),
            },
            clock=self.clock,
            sources=Sources(peek=self.store.peek, refresh=self._refresh, passed=self.ledger.passed),
            metrics=RuntimeMetrics(registry),
            rng=random.Random(2),
        )
        cluster.pending.clear()
        for key, obj in sorted(cluster.objects.items()):
            self.intake.seen(key, obj, listed=True)

    def deliver(self) -> None:
        """Let the watch deliver what is pending."""
        if self.clock.now() < self.deaf_until:
            return
        while self.cluster.pending:
            kind, obj = self.cluster.pending.popleft()
            key = Key(obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"])
            if kind == "DELETED":
                self.intake.gone(key, obj["metadata"]["uid"])
            else:
                self.intake.seen(key, obj)

    def turn(self) -> bool:
        """Deliver, then run one pass; False when nothing is due now. Raises Crash in a process that ended."""
        if self.scheduler.dead:
            raise Crash("in a question of the gates")
        self.deliver()
        return self.reconciler.run_one(block=False)

    def _refresh(self, key: Key) -> None:
        obj = self.cluster.objects.get(key)
        if obj is not None:
            self.intake.seen(key, obj)


class _Feeding:
    """SimKubernetes whose answers reach the store, as the production client's do."""

    def __init__(self, kubernetes: SimKubernetes, intake: Intake) -> None:
        self._kubernetes = kubernetes
        self._intake = intake

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kubernetes, name)

    def patch_status(self, obj: Mapping[str, Any], status: Mapping[str, Any]) -> Mapping[str, Any]:
        written = self._kubernetes.patch_status(obj, status)
        self._intake.wrote(_key(obj), written)
        return written

    def set_finalizers(self, obj: Mapping[str, Any], finalizers: list[str]) -> Mapping[str, Any]:
        written = self._kubernetes.set_finalizers(obj, finalizers)
        self._intake.wrote(_key(obj), written)
        return written


def _key(obj: Mapping[str, Any]) -> Key:
    return Key(obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"])
