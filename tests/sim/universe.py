"""A whole universe in virtual time: cluster, AWS, one operator process after another.

`settle` runs passes while there is something to do now, and otherwise moves the clock to the next
thing that is due, on either side. Nothing here sleeps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sim.cluster import Cluster
from sim.operator_process import CALLER, Crash, InProcess, Operator
from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key
from sluice.model.ownership import INSTALLATION
from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.estate import EXECUTION_ROLE, SECURITY_GROUP_ID, SUBNET_IDS
from sluice_sandbox.aws.faults import Fault
from sluice_sandbox.aws.world import World

WEB = Key(DEPLOYMENT, "shop", "web")
ROUTE = Key(SERVICE_ROUTE, "shop", "web")
LEDGER = Key(DEPLOYMENT, "shop", "ledger")
CLUSTERS = ("sandbox", "second")
_NOT_FOUND = {"StatusCode": "404", "ContentType": "text/plain"}


def deployment(
    name: str = "web", *, image: str = "web:1", replicas: int | None = 2, **spec: Any
) -> dict[str, Any]:
    """Return a Deployment as a person would write it for the estate."""
    ecs = {
        "cluster": "sandbox",
        "networkConfiguration": {
            "awsvpcConfiguration": {"subnets": list(SUBNET_IDS), "securityGroups": [SECURITY_GROUP_ID]}
        },
        "executionRoleArn": EXECUTION_ROLE,
    } | spec.pop("ecs", {})
    environment = [{"name": n, "value": v} for n, v in spec.pop("env", {}).items()]
    container = {
        "name": "app",
        "image": image,
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 5},
    } | ({"env": environment} if environment else {})
    return {
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": ({} if replicas is None else {"replicas": replicas})
        | {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [container]},
            },
            "ecs": ecs,
        }
        | spec,
    }


def route(name: str = "web", *, backends: Mapping[str, int] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a ServiceRoute to Deployments, by default all of `/web` to `web`."""
    refs = [{"name": b, "port": "http", "weight": w} for b, w in (backends or {"web": 1}).items()]
    rule = {"name": "main", "matches": [{"path": {"value": "/web"}}], "backendRefs": refs}
    return {
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "ServiceRoute",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"parentRefs": [{"loadBalancerName": "sandbox", "port": 80}], "rules": [rule]} | spec,
    }


@dataclass
class Crashes:
    """Ends the process at the n-th call (counted over all processes), before or after it takes place."""

    at: int = 0
    when: str = "before"
    calls: list[str] = field(default_factory=list)
    armed: bool = True

    def __call__(self, when: str, name: str) -> None:
        """Count the call; raise Crash at the chosen one, once."""
        if when == "before":
            self.calls.append(name)
        if self.armed and self.at and len(self.calls) == self.at and when == self.when:
            self.armed = False
            raise Crash(f"{when} call {self.at}: {name}")


class Universe:
    """See the module."""

    def __init__(
        self,
        *,
        seed: int = 0,
        hook: Callable[[str, str], None] | None = None,
        budgets: bool = True,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Make the estate (cluster and load balancer `sandbox`) and start the first process."""
        self.clock = VirtualClock()
        self.world = World.build(clock=self.clock, seed=seed)
        self.cluster = Cluster(now=self.clock.now)
        self.hook = hook or Crashes()
        self.seen_world: InProcess = self.world
        """The world as the operator's calls reach it: an observer may stand in between."""
        self.options: dict[str, Any] = {"budgets": budgets, "settings": settings}
        self.crashes = 0
        for name in CLUSTERS:
            self.aws("ecs", "CreateCluster", clusterName=name)
        self.balancer = ""
        self.listeners: dict[int, str] = {}
        self.make_balancer()
        self.operator = self.start()

    def make_balancer(self) -> None:
        """Create the load balancer `sandbox` and its listeners (again, once it was deleted)."""
        balancer = self.aws(
            "elbv2",
            "CreateLoadBalancer",
            Name="sandbox",
            Subnets=list(SUBNET_IDS),
            SecurityGroups=[SECURITY_GROUP_ID],
        )
        self.balancer = str(balancer["LoadBalancers"][0]["LoadBalancerArn"])
        self.listeners = {port: self.make_listener(port) for port in (80, 8080)}

    def add_balancer(self, name: str) -> None:
        """Create another load balancer, with a listener on port 80 that answers 404 by default."""
        made = self.aws(
            "elbv2",
            "CreateLoadBalancer",
            Name=name,
            Subnets=list(SUBNET_IDS),
            SecurityGroups=[SECURITY_GROUP_ID],
        )
        self.aws(
            "elbv2",
            "CreateListener",
            LoadBalancerArn=made["LoadBalancers"][0]["LoadBalancerArn"],
            Port=80,
            Protocol="HTTP",
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": _NOT_FOUND}],
        )

    def make_listener(self, port: int) -> str:
        """Create a listener that answers 404 by default; return its ARN."""
        made = self.aws(
            "elbv2",
            "CreateListener",
            LoadBalancerArn=self.balancer,
            Port=port,
            Protocol="HTTP",
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": _NOT_FOUND}],
        )
        return str(made["Listeners"][0]["ListenerArn"])

    def aws(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        """Call AWS as a person at the console would: neither recorded as ours nor crashed."""
        return dict(self.world.call(service, operation, params))

    def start(self) -> Operator:
        """Start an operator process."""
        return Operator(self.cluster, self.seen_world, clock=self.clock, hook=self.hook, **self.options)

    def fault(self, kind: str, **fields: Any) -> str:
        """Let something go wrong for the operator's calls alone; return the fault's id."""
        return self.world.faults.add(Fault(kind=kind, principal=CALLER.principal, **fields)).id

    def heal(self) -> None:
        """End all faults."""
        self.world.faults.clear()

    def restart(self) -> None:
        """End the process without a word and start another."""
        self.operator.scheduler.dead = True
        self.operator = self.start()

    def step(self) -> bool:
        """Run one pass, restarting after a crash; False when nothing is due now."""
        try:
            return self.operator.turn()
        except Crash:
            self.crashes += 1
            self.restart()
            return True

    def settle(self, done: Callable[[], bool], *, within: float = 900.0) -> float:
        """Run until `done` and nothing is due within two seconds; return the virtual seconds it took.

        Raises AssertionError with what the objects say when it takes longer.
        """
        started = self.clock.now()
        calm_since: float | None = None
        while True:
            if self.step():
                continue
            now = self.clock.now()
            if done():
                calm_since = now if calm_since is None else calm_since
                if now - calm_since >= 2:
                    return calm_since - started
            else:
                calm_since = None
            assert now - started < within, f"not settled after {within:g} s: {self.told()}"
            self._advance(now)

    def run(self, seconds: float) -> None:
        """Let `seconds` pass, with passes where they are due."""
        until = self.clock.now() + seconds
        while True:
            if self.step():
                continue
            if self.clock.now() >= until:
                return
            self._advance(self.clock.now(), latest=until)

    def _advance(self, now: float, *, latest: float | None = None) -> None:
        due = [t for t in (self.operator.queue.next_due(), self.clock.next_due()) if t is not None]
        target = min([*due, now + 1.0])
        self.clock.advance_to(min(max(target, now + 0.001), latest or float("inf")))

    # Looking.

    def obj(self, key: Key = WEB) -> dict[str, Any]:
        """Return an object as the API server has it."""
        return self.cluster.objects[key]

    def status(self, key: Key = WEB) -> dict[str, Any]:
        """Return an object's status, empty when there is none."""
        return dict(self.cluster.objects.get(key, {}).get("status") or {})

    def condition(self, kind: str, key: Key = WEB) -> dict[str, Any]:
        """Return a condition, empty when it is absent."""
        found = [c for c in self.status(key).get("conditions", ()) if c["type"] == kind]
        return dict(found[0]) if found else {}

    def ready(self, *keys: Key) -> bool:
        """Tell whether all of `keys` are Ready for their present generation."""
        return all(
            key in self.cluster.objects
            and self.condition("Ready", key).get("status") == "True"
            and self.condition("Ready", key)["observedGeneration"] == self.obj(key)["metadata"]["generation"]
            for key in keys or (WEB,)
        )

    def reason(self, key: Key = WEB) -> str:
        """Return the reason of Ready."""
        return str(self.condition("Ready", key).get("reason", ""))

    def reasons_until_ready(self, *keys: Key, within: float = 900.0) -> set[str]:
        """Settle until `keys` are Ready; return every reason that WEB's Ready had meanwhile."""
        seen: set[str] = set()

        def done() -> bool:
            seen.add(self.reason())
            return self.ready(*keys)

        self.settle(done, within=within)
        return seen

    def gone(self, *keys: Key) -> bool:
        """Tell whether none of `keys` exists."""
        return not any(key in self.cluster.objects for key in keys)

    def told(self) -> str:
        """Return what every object says, for failures."""
        return "; ".join(
            f"{key}: {self.reason(key)}: {self.condition('Ready', key).get('message')}"
            for key in self.cluster.objects
        )

    def services(self) -> list[dict[str, Any]]:
        """Return every service that is not INACTIVE, DRAINING ones included."""
        scopes = self.world.services["ecs"].state.scopes.values()
        names = sorted({service.name for scope in scopes for service in scope.services.values()})
        found: list[dict[str, Any]] = []
        for cluster in CLUSTERS:
            for at in range(0, len(names), 10):
                answer = self.aws(
                    "ecs", "DescribeServices", cluster=cluster, services=names[at : at + 10], include=["TAGS"]
                )
                found += [service for service in answer["services"] if service["status"] != "INACTIVE"]
        return found

    def rules(self, port: int = 80) -> list[dict[str, Any]]:
        """Return the rules of a listener but the default one."""
        answer = self.aws("elbv2", "DescribeRules", ListenerArn=self.listeners[port])
        return [rule for rule in answer["Rules"] if not rule["IsDefault"]]

    def target_groups(self) -> list[dict[str, Any]]:
        """Return all target groups."""
        return list(self.aws("elbv2", "DescribeTargetGroups")["TargetGroups"])

    def healthy(self, group: str) -> int:
        """Return the number of healthy targets of a group."""
        answer = self.aws("elbv2", "DescribeTargetHealth", TargetGroupArn=group)
        return sum(
            1 for entry in answer["TargetHealthDescriptions"] if entry["TargetHealth"]["State"] == "healthy"
        )

    def definitions(self) -> list[str]:
        """Return the ARNs of all ACTIVE task definitions."""
        return list(self.aws("ecs", "ListTaskDefinitions", status="ACTIVE")["taskDefinitionArns"])

    def writes(self) -> list[str]:
        """Return the operations of the AWS writes that were made, in order."""
        return [call.removeprefix("aws ") for call in self.calls() if call.startswith("aws ")]

    def calls(self) -> list[str]:
        """Return all writes, to AWS and to Kubernetes, in order."""
        return list(getattr(self.hook, "calls", ()))

    def picture(self) -> dict[str, Any]:
        """Return everything that must not depend on crashes: AWS and what the objects say."""
        families = [re.sub(r":\d+$", "", arn.rsplit("/", 1)[-1]) for arn in self.definitions()]
        return {
            "services": sorted(
                (s["clusterArn"], s["serviceName"], s["status"], s["desiredCount"], s["runningCount"])
                for s in self.services()
            ),
            "rules": sorted(
                (
                    port,
                    len(rule["Conditions"]),
                    len(rule["Actions"][0].get("ForwardConfig", {}).get("TargetGroups", ())),
                )
                for port in self.listeners
                for rule in self.rules(port)
            ),
            "target groups": sorted(group["TargetGroupName"] for group in self.target_groups()),
            "task definitions": sorted(families),
            "objects": {
                str(key): (self.reason(key), self.condition("Ready", key).get("status"))
                for key in sorted(self.cluster.objects)
            },
            "revisions": sorted(name for _, name in self.cluster.revisions),
        }


def _forwarded(rule: Mapping[str, Any]) -> list[str]:
    config = rule["Actions"][0].get("ForwardConfig", {})
    return [group["TargetGroupArn"] for group in config.get("TargetGroups", ())]


def ours(tags: Mapping[str, str]) -> bool:
    """Tell whether tags carry an installation of Sluice."""
    return INSTALLATION in tags
