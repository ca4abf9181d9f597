"""One universe of the stand-in: clock, services, faults and the record of calls, in one thread.

The wire layer (`aws.wire.server`) puts a world behind an HTTP port; simulation uses `World.call`.
Both ways a call passes the same steps: faults, validation by botocore's model, the handler, a copy of
its answer, the record. moto answers for services that are not ours (`aws.moto_bridge`).
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ParamValidationError

from sluice_sandbox.aws.clock import Clock
from sluice_sandbox.aws.errors import AwsError, ConnectionLost
from sluice_sandbox.aws.estate import ACCOUNT, REGION, FixedEstate
from sluice_sandbox.aws.faults import Faults, Verdict
from sluice_sandbox.aws.history import History
from sluice_sandbox.aws.ports import Emitter, Estate
from sluice_sandbox.aws.record import OK, CallLog, is_read
from sluice_sandbox.aws.refusals import unsupported
from sluice_sandbox.aws.service import Caller, Handler, Params, Response, Service
from sluice_sandbox.aws.wire.operation import Operation, operation

if TYPE_CHECKING:
    from sluice_sandbox.aws.ecs.utilization import Utilization
    from sluice_sandbox.aws.identity.gate import Gate
    from sluice_sandbox.aws.moto_bridge import MotoBridge
    from sluice_sandbox.dataplane.network import TaskNetwork
    from sluice_sandbox.dataplane.runtime import InProcessRuntime

OWN_SERVICES = frozenset(
    {
        "application-autoscaling",
        "cloudwatch",
        "ecr",
        "ecs",
        "elbv2",
        "resourcegroupstaggingapi",
        "servicediscovery",
        "vpc-lattice",
    }
)
"""Never answered by moto, whatever is missing here."""


@dataclass(frozen=True, slots=True)
class Route:
    """An operation of an own service with its handler."""

    service: Service
    operation: Operation
    handler: Handler


@dataclass(slots=True, kw_only=True)
class Outside:
    """What a world stands on: the estate, where events go, moto, and the data plane's network.

    `network` and `runtime` are the data plane's; a world of fakes has none. `gate` asks IAM before a
    call; `amended` are single operations of moto's services, by service and name, that are answered here.
    """

    estate: Estate
    emitter: Emitter
    moto: MotoBridge | None = None
    network: TaskNetwork | None = None
    runtime: InProcessRuntime | None = None
    utilization: Utilization | None = None
    """What ECS services show as CPU and memory in CloudWatch."""
    gate: Gate | None = None
    amended: Mapping[tuple[str, str], Handler] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class World:
    """See the module. Build one with `World.build`, or from parts in a test."""

    clock: Clock
    rng: random.Random
    services: dict[str, Service]
    faults: Faults
    outside: Outside
    calls: CallLog = field(default_factory=CallLog)
    caller: Caller = field(default_factory=Caller)
    """Who calls in process when nobody is named."""
    _history: History = field(default_factory=History)
    _baseline: dict[str, Any] = field(default_factory=dict)
    _baseline_tasks: frozenset[str] = frozenset()
    _routes: dict[tuple[str, str], Route] = field(default_factory=dict)

    @classmethod
    def build(
        cls,
        *,
        clock: Clock,
        seed: int = 0,
        account: str = ACCOUNT,
        region: str = REGION,
        moto: MotoBridge | None = None,
    ) -> World:
        """Compose the stand-in's services into a world.

        Without `moto` (a `moto_bridge.MotoBridge`) the estate is the fixed one of `aws.estate` and
        events are only remembered: the quick form that simulation uses, importing no moto.
        """
        from sluice_sandbox.aws import composition  # noqa: PLC0415 - the services import this package

        return composition.compose(cls, clock=clock, seed=seed, account=account, region=region, moto=moto)

    @classmethod
    def of(
        cls, services: Mapping[str, Service], *, clock: Clock, seed: int = 0, outside: Outside | None = None
    ) -> World:
        """Return a world of the given services, with a fixed estate unless `outside` says otherwise."""
        return cls(
            clock=clock,
            rng=random.Random(seed),
            services=dict(services),
            faults=Faults(random.Random(f"{seed}/faults")),
            outside=outside or Outside(estate=FixedEstate(), emitter=Silence()),
        )

    # --------------------------------------------------------------- baseline

    def mark_baseline(self) -> None:
        """Make the present state of the own services what `reset` returns to."""
        self._baseline_tasks = frozenset(self._task_arns())
        self._baseline = {name: copy.deepcopy(service.state) for name, service in self.services.items()}

    def reset(self) -> None:
        """Forget calls, faults and history, and put the own services back to the baseline.

        Tasks started since the baseline end. moto keeps what it has. Without a baseline the state
        is left as it is.
        """
        self.calls.clear()
        self.faults.clear()
        self._history.clear()
        if self.outside.utilization is not None:
            self.outside.utilization.clear()
        for name, state in self._baseline.items():
            self.services[name].state = copy.deepcopy(state)
        if self._baseline:
            self._stop_tasks()

    def _stop_tasks(self) -> None:
        runtime = self.outside.runtime
        if runtime is not None:
            for arn in self._task_arns() - self._baseline_tasks:
                runtime.stop(arn)

    def _task_arns(self) -> set[str]:
        runtime = self.outside.runtime
        return {launch.task_arn for launch in runtime.running()} if runtime is not None else set()

    # ------------------------------------------------------------------ calls

    def call(self, service: str, operation: str, params: Params, *, caller: Caller | None = None) -> Response:
        """Make one call in process.

        Returns what boto3 would (timestamps as aware datetimes), without ResponseMetadata; nothing
        in it is shared with the service. Raises AwsError, ConnectionLost, or botocore's
        ParamValidationError for what boto3 would not send. Latency faults pass no time here:
        `faults.on_latency` hears of them.
        """
        caller = caller or self.caller
        moto = self.outside.moto

        def run() -> Response:
            self.authorize(caller, service, operation, params)
            if moto is not None and service not in self.services and service not in OWN_SERVICES:
                handler = self.outside.amended.get((service, operation))
                if handler is None:
                    return moto.call(caller, service, operation, params)
                return self._amended(handler, caller, service, operation, params)
            return self._run_native(caller, service, operation, params)

        return self._recorded(run, caller=caller, service=service, name=operation, params=params)

    def _run_native(self, caller: Caller, service: str, name: str, params: Params) -> Response:
        route = self.route(service, name)
        checked = route.operation.accept(params)
        response: Response = route.operation.to_python(self.handle(route, caller, checked))
        return response

    def _amended(self, handler: Handler, caller: Caller, service: str, name: str, params: Params) -> Response:
        compiled = operation(service, name)
        response: Response = compiled.to_python(handler(caller, compiled.accept(params)))
        return response

    def authorize(self, caller: Caller, service: str, name: str, params: object) -> None:
        """Ask IAM; raises AwsError when the caller's policies do not allow the call."""
        if self.outside.gate is not None:
            self.outside.gate.check(caller, service, name, params)

    def _recorded(
        self, run: Callable[[], Response], *, caller: Caller, service: str, name: str, params: Params
    ) -> Response:
        at = self.clock.now()
        outcome, took_place, latency = OK, False, 0.0
        try:
            verdict = self.faults.decide(caller, service, name, now=at, params=params)
            if verdict is None:
                response = run()
                took_place = True
                return response
            latency = verdict.latency
            if latency and self.faults.on_latency is not None:
                self.faults.on_latency(latency)
            _let_through(verdict)
            with self.reading(service, name, verdict):
                response = run()
            took_place = True
            _answer(verdict, service, name)
        except AwsError as error:
            outcome = error.code
            raise
        except ConnectionLost:
            outcome = "ConnectionLost"
            raise
        except ParamValidationError:
            outcome = "ParamValidationError"
            raise
        else:
            return response
        finally:
            self.calls.add(
                caller=caller,
                service=service,
                operation=name,
                params=params,
                time=at,
                outcome=outcome,
                took_place=took_place,
                duration=self.clock.now() - at + latency,
            )

    # ------------------------------------------- steps, shared with the wire

    def route(self, service: str, name: str) -> Route:
        """Return the handler of an own service's operation; raises AwsError when there is none."""
        found = self._routes.get((service, name))
        if found is not None:
            return found
        compiled = operation(service, name)
        owner = self.services.get(service)
        handler = owner.operations().get(name) if owner is not None else None
        if owner is None or handler is None:
            raise unsupported(service, name)
        route = self._routes[service, name] = Route(owner, compiled, handler)
        return route

    def handle(self, route: Route, caller: Caller, params: Params) -> Response:
        """Run the handler; its answer may share data with the service's state."""
        if not is_read(route.operation.name):
            horizon = self.faults.stale_horizon
            if horizon:
                self._history.before_write(route.service, now=self.clock.now(), horizon=horizon)
        return route.handler(caller, params)

    def reading(self, service: str, name: str, verdict: Verdict) -> AbstractContextManager[None]:
        """Return a context in which a read under a stale-read fault sees the past."""
        owner = self.services.get(service)
        seconds = verdict.stale_seconds if owner is not None and is_read(name) else 0.0
        if owner is None or not seconds:
            return _NOTHING
        return self._history.as_of(owner, self.clock.now() - seconds)


def _let_through(verdict: Verdict) -> None:
    if verdict.refusal is not None:
        raise verdict.refusal


def _answer(verdict: Verdict, service: str, name: str) -> None:
    if verdict.lose_answer:
        raise ConnectionLost(f"{service} {name}: the answer was lost")


_NOTHING = nullcontext()


class Silence:
    """An emitter that drops every event: for worlds in which nobody listens."""

    def emit(
        self,
        caller: Caller,
        *,
        source: str,
        detail_type: str,
        detail: Mapping[str, object],
        resources: Sequence[str] = (),
    ) -> None:
        """Drop the event."""
