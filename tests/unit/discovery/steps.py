"""One step of every entry, from a state that is written down: what is asked, remembered, and waited for.

`step` builds the state of `plan.discovery.motion` as the planner does, takes the step and tells its outcome
in words, so that a table can say the whole of it. Times are seconds before now (ages) or from now (wakes).
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sluice.model.actions import Action
from sluice.model.discovery import (
    AliasTarget,
    DiscoveryFacts,
    DiscoveryIntent,
    DnsRecord,
    Health,
    Instance,
    NamespaceFacts,
    NamespaceIntent,
    SeenTask,
    ServiceFacts,
    SlotWish,
)
from sluice.model.keys import SERVICE_ROUTE, Key
from sluice.model.ownership import owner_tags
from sluice.plan.discovery.entries import Entry, alias_entry, instance_id, task_entry
from sluice.plan.discovery.guard import Guard
from sluice.plan.discovery.ledger import Ledger
from sluice.plan.discovery.look import is_being_removed, look
from sluice.plan.discovery.memory import Memory, Pending, short
from sluice.plan.discovery.motion import Motion, task_instances
from sluice.plan.discovery.planner import DiscoveryPlan, plan_discovery
from sluice.plan.discovery.steps import run
from sluice.plan.discovery.wanted import Wanted

NOW = 10_000.0
WAIT = 40.0
KEY = Key(SERVICE_ROUTE, "shop", "web")
INSTALLATION = "prod"
INTENT = DiscoveryIntent(
    mode="Tasks",
    namespace=NamespaceIntent(name="corp.local"),
    service="web",
    backend="web",
    port="http",
    records=(DnsRecord(type="A", ttl=10),),
)
NAMESPACE = NamespaceFacts(id="ns-1", name="corp.local", arn="arn:ns-1", type="DNS_PRIVATE", tags={})
SERVICE = ServiceFacts(
    id="srv-1",
    arn="arn:srv-1",
    name="web",
    namespace_id="ns-1",
    tags=owner_tags(INSTALLATION, KEY, role="discovery-service"),
    records=INTENT.records,
    routing="MULTIVALUE",
    custom_health=True,
)
BARE = dataclasses.replace(SERVICE, custom_health=False)
"""One without custom health."""


def seen_task(name: str, **changes: Any) -> SeenTask:
    """Return a healthy, protected task."""
    made: dict[str, Any] = {
        "id": name,
        "arn": f"arn:aws:ecs:eu-west-1:1:task/main/{name}",
        "cluster": "main",
        "slot": "a",
        "revision": "new",
        "ipv4": "10.0.0.1",
        "port": 8080,
        "healthy": True,
        "protected_until": NOW + 3000,
    }
    return SeenTask(**(made | changes))


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is seen and remembered; names without `sluice-`, several with blanks between."""

    listed: str = ""
    """Registered instances of ours; `lb-…` is a load balancer's."""
    foreign: str = ""
    """Registered instances of nobody."""
    seen: Mapping[str, Health | None] = field(default_factory=dict)
    """What clients see of each; the others that are listed are HEALTHY, None is not answered with."""
    tasks: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    """What is special about the task of a name; None: it is not found."""
    stages: Mapping[str, tuple[Any, float]] = field(default_factory=dict)
    """Stage and its age."""
    operations: Mapping[str, tuple[Any, str, float]] = field(default_factory=dict)
    """Kind, id and age."""
    failing: Mapping[str, float] = field(default_factory=dict)
    """Seconds until the next attempt."""
    wants: str = ""
    keeps: str = ""
    altered: str = ""
    """Of those that are listed: with another address than the task has."""
    departing: str = ""
    yielding: str = ""
    least: int = 0
    awaited: bool | None = None
    service: ServiceFacts | None = SERVICE
    everything: bool = False
    urgent: bool = False
    keep_protected: bool = False
    gives_up: bool = False


def facts(state: State, **changes: Any) -> DiscoveryFacts:
    """Return what is seen; of each slot as many tasks are wanted as run."""
    names = f"{state.listed} {state.wants} {state.keeps}".split()
    given: dict[str, Mapping[str, Any] | None] = {name: {} for name in names if not name.startswith("lb-")}
    given |= state.tasks
    tasks = {name: seen_task(name, **special) for name, special in given.items() if special is not None}
    registered = {instance_id(name): _instance(name, tasks, state) for name in state.listed.split()}
    registered |= {name: Instance(id=name, attributes={}) for name in state.foreign.split()}
    seen: dict[str, Health | None] = {
        **dict.fromkeys(registered, "HEALTHY"),
        **{instance_id(name): health for name, health in state.seen.items()},
    }
    running = Counter(task.slot for task in tasks.values() if task.running)
    found = DiscoveryFacts(
        namespace=NAMESPACE,
        service=state.service,
        registered=registered,
        discovered={name: health for name, health in seen.items() if health is not None},
        tasks=tuple(tasks.values()),
        slots=tuple(
            SlotWish(slot=slot, desired=count, revision="new", minimum_healthy=count, maximum=2 * count)
            for slot, count in running.items()
        ),
    )
    return dataclasses.replace(found, **changes)


def remembered(state: State) -> Ledger:
    """Return the memory as it is while a plan is made."""
    return Ledger(
        now=NOW,
        stages={name: (stage, NOW - age) for name, (stage, age) in state.stages.items()},
        operations={
            name: Pending(kind=kind, target=name, id=number, since=NOW - age)
            for name, (kind, number, age) in state.operations.items()
        },
        failing={name: (1, NOW + until) for name, until in state.failing.items()},
    )


def motion(state: State) -> Motion:
    """Return the state of a step."""
    there, ledger = facts(state), remembered(state)
    tasks = {task.id: task for task in there.tasks or ()}
    discovered = there.discovered or {}
    answering = look(
        there, there.registered or {}, discovered, installation=INSTALLATION, key=KEY, ledger=ledger
    )
    entries = {entry.id: entry for entry in (_entry(name, tasks) for name in state.wants.split())}
    kept = {entry.id: entry for entry in (_entry(name, tasks) for name in state.keeps.split())}
    return Motion(
        service=state.service,
        answering=answering,
        wanted=Wanted(
            entries=entries,
            kept=kept,
            departing=frozenset(map(instance_id, state.departing.split())),
            yielding=frozenset(map(instance_id, state.yielding.split())),
        ),
        discovered=discovered,
        tasks=task_instances(tasks.values()),
        ledger=ledger,
        guard=Guard(
            visible=set(answering.visible),
            answers={name for name in discovered if not is_being_removed(name, ledger)},
            floor=state.least,
            awaited=bool(entries) if state.awaited is None else state.awaited,
            off=state.everything,
        ),
        wait=WAIT,
        everything=state.everything,
        urgent=state.urgent,
        keep_protected=state.keep_protected,
        gives_up=state.gives_up,
    )


def _instance(name: str, tasks: Mapping[str, SeenTask], state: State) -> Instance:
    entry = _entry(name, tasks)
    other = {"AWS_INSTANCE_IPV4": "10.9.9.9"} if name in state.altered.split() else {}
    return Instance(id=entry.id, attributes={**entry.attributes, **other})


def _entry(name: str, tasks: Mapping[str, SeenTask]) -> Entry:
    if name.startswith("lb-"):
        target = AliasTarget(name=name.removeprefix("lb-"), dns_name=f"{name}.elb.amazonaws.com")
        return alias_entry(target, INTENT, installation=INSTALLATION, key=KEY)
    return task_entry(tasks.get(name) or seen_task(name), INTENT, installation=INSTALLATION, key=KEY)


HERE = Memory(
    mode="Tasks",
    namespace="corp.local",
    namespace_id="ns-1",
    namespace_arn="arn:ns-1",
    service="web",
    service_id="srv-1",
    backend="web",
    port="http",
    generation=1,
    settled=True,
)
"""What is remembered of a name at rest."""


def planned(
    state: State,
    *,
    intent: DiscoveryIntent | None = INTENT,
    memory: Memory = HERE,
    generation: int = 1,
    **changes: Any,
) -> DiscoveryPlan:
    """Return the plan of a state; `changes` are those of the facts."""
    return plan_discovery(
        KEY,
        installation=INSTALLATION,
        intent=intent,
        former=None,
        facts=facts(state, **changes),
        memory=remembered(state).close(memory),
        route_generation=generation,
        now=NOW,
    )


def calls(plan: DiscoveryPlan) -> list[str]:
    """Return what a plan asks of AWS, in order."""
    return [_told("", action).removeprefix(": ") for action in plan.actions]


def outcome(taken: Motion) -> dict[str, Any]:
    """Return what a step came to; what is empty is absent."""
    found = {
        "does": [_told(phase, action) for phase, actions in taken.actions.items() for action in actions],
        "stages": {name: (stage, NOW - since) for name, (stage, since) in taken.ledger.stages.items()},
        "operations": {
            name: (one.kind, one.id, NOW - one.since) for name, one in taken.ledger.operations.items()
        },
        "failing": sorted(taken.ledger.failing),
        "wakes": sorted({round(at - NOW, 3) for at in taken.ledger.wakes}),
        "held": taken.held,
        "drift": taken.drift,
        "rests": not taken.moving,
    }
    return {name: value for name, value in found.items() if value}


def step(state: State) -> dict[str, Any]:
    """Take the step, and return what it came to."""
    taken = motion(state)
    run(taken)
    return outcome(taken)


def _told(phase: str, action: Action) -> str:
    params = action.params
    if action.operation == "UpdateTaskProtection":
        verb = "protect" if params["protectionEnabled"] else "give back"
        return f"{phase}: {verb} " + " ".join(arn.rpartition("/")[2] for arn in params["tasks"])
    if "InstanceId" not in params:
        return f"{phase}: {action.operation}"
    verbs = {"RegisterInstance": "register", "DeregisterInstance": "deregister"}
    verb = verbs.get(action.operation) or params["Status"]
    return f"{phase}: {verb} {short(params['InstanceId'])}"
