"""Calamities on purpose: what befalls tasks and addresses rather than calls, until it is ended.

`faults` does to calls what AWS does on a bad day; here are the days on which the estate itself is bad. Each
is deterministic: what it touches is chosen in the order of ECS's books, its dice are the faults' own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from sluice_sandbox.aws.clock import Timer
from sluice_sandbox.aws.ecs.placement import NO_CAPACITY
from sluice_sandbox.aws.ecs.service import EcsService
from sluice_sandbox.aws.ecs.state import Addresses
from sluice_sandbox.aws.service import Caller, Response
from sluice_sandbox.aws.world import World

CALAMITIES = (
    "capacity-shortage",  # no task can be placed in `where`: FARGATE (default), FARGATE_SPOT or a zone
    "zone-loss",  # the tasks of zone `where` end, and none can be placed there
    "ip-exhaustion",  # the subnet whose CIDR is `where` (default: all in use) has no free address
    "crash-loop",  # tasks of services that fit `where` crash `seconds` after they are found running
)
_CRASH_AFTER_S = 5.0
_LOOK_EVERY_S = 1.0
CONSOLE_USER = "console"


@dataclass(slots=True, kw_only=True)
class Calamity:
    """One of CALAMITIES; `until` is world time, None for until it is ended."""

    kind: str
    where: str = ""
    seconds: float = _CRASH_AFTER_S
    probability: float = 1.0
    until: float | None = None
    id: str = ""

    def __post_init__(self) -> None:
        """Refuse what can mean nothing."""
        if self.kind not in CALAMITIES:
            raise ValueError(f"no calamity is called {self.kind!r}; there are {', '.join(CALAMITIES)}")
        if self.kind == "zone-loss" and not self.where:
            raise ValueError("zone-loss needs a zone, for example where=eu-west-1a")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability is between 0 and 1, not {self.probability}")
        if self.seconds <= 0:
            raise ValueError(f"seconds must be above 0, not {self.seconds}")


@dataclass(slots=True)
class Calamities:
    """The calamities of one world with the stand-in's own ECS."""

    world: World
    _active: dict[str, Calamity] = field(default_factory=dict)
    _ends: dict[str, Callable[[], None]] = field(default_factory=dict)
    _count: int = 0

    def begin(self, calamity: Calamity) -> Calamity:
        """Let it happen, and return it with its id; raises LookupError in a world without the own ECS."""
        start: dict[str, Callable[[EcsService, Calamity], Callable[[], None]]] = {
            "capacity-shortage": _shortage,
            "zone-loss": _zone_loss,
            "ip-exhaustion": self._exhaustion,
            "crash-loop": self._crash_loop,
        }
        ecs = self._ecs()
        self._count += 1
        calamity.id = calamity.id or f"calamity-{self._count}"
        self._active[calamity.id] = calamity
        self._ends[calamity.id] = start[calamity.kind](ecs, calamity)
        if calamity.until is not None:
            self.world.clock.call_at(calamity.until, partial(self._over, calamity.id))
        return calamity

    def end(self, calamity_id: str) -> bool:
        """End one; False when there is none with this id."""
        if self._active.pop(calamity_id, None) is None:
            return False
        self._ends.pop(calamity_id)()
        return True

    def _over(self, calamity_id: str) -> None:
        self.end(calamity_id)

    def clear(self) -> None:
        """End all."""
        for calamity_id in list(self._active):
            self.end(calamity_id)

    def active(self) -> tuple[Calamity, ...]:
        """Return those that have not ended."""
        return tuple(self._active.values())

    def edit(self, service: str, operation: str, params: Mapping[str, Any]) -> Response:
        """Make a call by hand, as a person in the console would: recorded under a user of its own.

        Raises what the call raises.
        """
        own = self.world.caller
        principal = f"arn:aws:iam::{own.account}:user/{CONSOLE_USER}"
        caller = Caller(account=own.account, region=own.region, principal=principal)
        return self.world.call(service, operation, dict(params), caller=caller)

    def _ecs(self) -> EcsService:
        ecs = self.world.services.get("ecs")
        if not isinstance(ecs, EcsService):
            raise LookupError("this world has no ECS of the stand-in's own")  # noqa: TRY004 - told as a 404
        return ecs

    def _exhaustion(self, ecs: EcsService, calamity: Calamity) -> Callable[[], None]:
        """Take all free addresses away; those that ending tasks give back are free again, as in AWS."""
        cidrs = [calamity.where] if calamity.where else list(ecs.state.addresses)
        taken: dict[str, Addresses] = {}
        for cidr in cidrs:
            pool = ecs.state.addresses.setdefault(cidr, Addresses(cursor=4))
            taken[cidr] = Addresses(cursor=pool.cursor, returned=list(pool.returned))
            pool.cursor, pool.returned = ipaddress.ip_network(cidr).num_addresses, []

        def end() -> None:
            for cidr, before in taken.items():
                pool = ecs.state.addresses.get(cidr)
                if pool is not None:
                    pool.cursor = before.cursor
                    pool.returned += before.returned

        return end

    def _crash_loop(self, ecs: EcsService, calamity: Calamity) -> Callable[[], None]:
        spared: set[str] = set()
        timers: list[Timer] = []

        def look() -> None:
            now = self.world.clock.now()
            for arn, started in _running(ecs, calamity.where or "*"):
                if arn in spared or now < started + calamity.seconds:
                    continue
                if calamity.probability < 1 and self.world.faults.rng.random() >= calamity.probability:
                    spared.add(arn)
                else:
                    ecs.crash_task(arn, exit_code=1)
            timers[:] = [self.world.clock.call_later(_LOOK_EVERY_S, look)]

        def end() -> None:
            timers[0].cancel()  # the newest: each look makes the next one

        look()
        return end


def _running(ecs: EcsService, pattern: str) -> list[tuple[str, float]]:
    """Return ARN and start of the running tasks of services whose name fits a glob."""
    return [
        (task.arn, task.started_at)
        for scope in ecs.state.scopes.values()
        for task in scope.tasks.values()
        if task.last_status == "RUNNING"
        and task.started_at is not None
        and fnmatchcase(task.service_arn.rsplit("/", 1)[-1], pattern)
    ]


def _shortage(ecs: EcsService, calamity: Calamity) -> Callable[[], None]:
    where = calamity.where or "FARGATE"
    ecs.limit_capacity(where, reason=NO_CAPACITY)
    return lambda: ecs.limit_capacity(where, reason=None)


def _zone_loss(ecs: EcsService, calamity: Calamity) -> Callable[[], None]:
    ecs.lose_zone(calamity.where)
    return lambda: ecs.limit_capacity(calamity.where, reason=None)
