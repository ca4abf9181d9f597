"""Random schedules: a person, AWS and the operator's own process do their worst, then all is healed.

Everything comes from one seed: `Chaos(seed).play()` is the same story each time. What it ends in must
not depend on the story (`sim.verdict`).
"""

from __future__ import annotations

import random
from typing import Any

from sim import console
from sim.observer import Observer
from sim.stories import ON_8080
from sim.universe import LEDGER, ROUTE, WEB, Crashes, Universe, deployment, route
from sluice.model import ownership
from sluice.model.keys import SERVICE_ROUTE, Key
from sluice_sandbox.aws.errors import AwsError

SECOND = Key(SERVICE_ROUTE, "shop", "second")
FAULTS = ("throttle", "error", "reset", "lost-response", "stale-read", "deny")
VERBS = ("undo", "retry", "abort", "pause", "resume", "restart", "reconcile_now")
BROKEN = {"SANDBOX_EXIT": "1"}
Manifest = dict[str, Any]


class Chaos:
    """One schedule in one universe."""

    def __init__(self, seed: int) -> None:
        """Prepare; nothing has happened yet."""
        self.rng = random.Random(seed)
        self.hook = Crashes(armed=False)
        self.universe = Universe(seed=seed, hook=self.hook)
        console.add_bystanders(self.universe)
        self.observer = Observer(
            self.universe.world, installation="sim", leads=lambda: not self.universe.operator.lease.lost
        )
        self.universe.seen_world = self.observer
        self.universe.restart()
        self.log: list[str] = []
        """What was done, for a person who replays a seed."""

    def play(self, *, steps: int) -> None:
        """Do `steps` random things, each after a random time."""
        people = (self.apply, self.apply, self.edit_route, self.scale, self.delete, self.annotate)
        aws = (self.fault, self.fault, self.by_hand, self.by_hand, self.crash_task)
        process = (self.crash, self.crash, self.restart, self.deafen, self.lose_lease)
        for manifest in (self.deployment("web"), self.deployment("ledger"), self.route(ROUTE)):
            self.universe.cluster.apply(manifest)
        for _ in range(steps):
            act = self.rng.choice(self.rng.choice((people, aws, process)))
            act()
            self.universe.run(self.rng.choice((0.5, 2, 5, 20, 70)))

    def heal(self, specs: list[Manifest]) -> None:
        """End everything that goes wrong, wait for deletions, apply the final specs and settle."""
        universe = self.universe
        universe.heal()
        self.hook.armed = False
        universe.restart()
        for key in (ROUTE, SECOND):
            universe.cluster.delete(key)
        doomed = [
            key for key, obj in universe.cluster.objects.items() if "deletionTimestamp" in obj["metadata"]
        ]
        # A suspended deletion waits for a person, and so does a name that a suspended Deployment keeps.
        for key, obj in list(universe.cluster.objects.items()):
            if obj["spec"].get("suspend"):
                universe.cluster.edit(key, lambda obj: obj["spec"].pop("suspend", None))
        universe.settle(lambda: universe.gone(*doomed), within=1800)
        for manifest in specs:
            universe.cluster.apply(manifest)
        keys = sorted(universe.cluster.objects)
        universe.settle(lambda: self.whole(*keys), within=3600)
        universe.run(700)  # one look at everything that is rarely read

    def whole(self, *keys: Key) -> bool:
        """Tell whether all is Ready; asked on every turn until it is."""
        return self.universe.ready(*keys)

    # What a person asks for.

    def deployment(self, name: str, **spec: Any) -> Manifest:
        """Return a Deployment with random contents."""
        rng = self.rng
        return deployment(
            name,
            image=f"{name}:{rng.randint(1, 4)}",
            replicas=rng.choice((1, 2, 3, None)),
            env=BROKEN if rng.random() < 0.15 else {},
            ecs={"cluster": rng.choice(("sandbox", "sandbox", "second"))},
            strategy={"type": rng.choice(("RollingUpdate", "RollingUpdate", "Recreate"))},
            paused=rng.random() < 0.1,
            suspend=rng.random() < 0.05,
            revisionHistoryLimit=rng.choice((0, 2, 10)),
            progressDeadlineSeconds=rng.choice((60, 3600)),
            **spec,
        )

    def route(self, key: Key) -> Manifest:
        """Return a route with random contents."""
        rng = self.rng
        backends = rng.choice(({"web": 1}, {"ledger": 1}, {"web": 3, "ledger": 1}, {"web": 0, "ledger": 2}))
        changes = rng.choice(({}, {}, {"hostnames": ["shop.example.com"]}, {"parentRefs": ON_8080}))
        return route(key.name, backends=backends, **changes)

    def apply(self) -> None:
        """Apply a Deployment anew, if it is not on its way out."""
        key = self.rng.choice((WEB, LEDGER))
        self._apply(key, self.deployment(key.name))

    def edit_route(self) -> None:
        """Apply a route anew."""
        key = self.rng.choice((ROUTE, ROUTE, SECOND))
        self._apply(key, self.route(key))

    def _apply(self, key: Key, manifest: Manifest) -> None:
        obj = self.universe.cluster.objects.get(key)
        if obj is None or "deletionTimestamp" not in obj["metadata"]:
            self.note(f"apply {key}: {manifest['spec']}")
            self.universe.cluster.apply(manifest)

    def scale(self) -> None:
        """Scale a Deployment."""
        key = self.rng.choice((WEB, LEDGER))
        if key in self.universe.cluster.objects:
            count = self.rng.randint(0, 4)
            self.note(f"scale {key} to {count}")
            self.universe.cluster.scale(key, count)

    def delete(self) -> None:
        """Delete something."""
        key = self.rng.choice((WEB, LEDGER, ROUTE, SECOND))
        self.note(f"delete {key}")
        self.universe.cluster.delete(key)

    def annotate(self) -> None:
        """Give a verb, with the present id more often than with a stale one."""
        key = self.rng.choice((WEB, LEDGER))
        status = self.universe.status(key)
        ids = [entry["id"] for entry in (*[status.get("rollout") or {}], *status.get("history", ())) if entry]
        value = self.rng.choice(ids) if ids and self.rng.random() < 0.8 else "0000000000"
        verb = self.rng.choice(VERBS)
        if key in self.universe.cluster.objects:
            self.note(f"{verb}={value} on {key}")
            self.universe.cluster.annotate(key, **{verb: value})

    # What AWS does, and people at its console.

    def fault(self) -> None:
        """Let calls go wrong for a while."""
        kind = self.rng.choice(FAULTS)
        now = self.universe.clock.now()
        fields: dict[str, Any] = {"until": now + self.rng.choice((1, 10, 60))}
        if kind == "stale-read":
            fields["seconds"] = self.rng.choice((1, 4))
        else:
            fields["probability"] = self.rng.choice((0.2, 0.5, 1))
        self.note(f"fault {kind} {fields}")
        self.universe.fault(kind, **fields)

    def by_hand(self) -> None:
        """Change or delete something of ours at the console."""
        edit = self.rng.choice((self._edit_service, self._edit_service, self._edit_rule, self._edit_group))
        try:
            edit()
        except AwsError as error:
            self.note(f"... refused: {error.code}")

    def _edit_service(self) -> None:
        found = [
            s for s in self.universe.services() if s["status"] == "ACTIVE" and s["serviceName"] != "theirs"
        ]
        if not found:
            return
        named = self.rng.choice(found)
        where = {"cluster": named["clusterArn"], "service": named["serviceName"]}
        act, params = self.rng.choice(
            (
                ("UpdateService", {"desiredCount": 5}),
                ("UpdateService", {"desiredCount": 0}),
                ("UpdateService", {"enableExecuteCommand": True}),
                ("UpdateService", {"loadBalancers": []}),
                ("DeleteService", {"force": True}),
            )
        )
        self.note(f"by hand: {act} {where['service']} {params}")
        self.universe.aws("ecs", act, **where, **params)

    def _edit_rule(self) -> None:
        found = [rule for port in self.universe.listeners for rule in self.universe.rules(port)]
        ours = [r for r in found if ownership.INSTALLATION in console.elb_tags(self.universe, r["RuleArn"])]
        if not ours:
            return
        arn = self.rng.choice(ours)["RuleArn"]
        if self.rng.random() < 0.5:
            self.note(f"by hand: DeleteRule {arn}")
            self.universe.aws("elbv2", "DeleteRule", RuleArn=arn)
        else:
            priority = self.rng.randint(100, 200)
            self.note(f"by hand: {arn} gets priority {priority}")
            moved = [{"RuleArn": arn, "Priority": priority}]
            self.universe.aws("elbv2", "SetRulePriorities", RulePriorities=moved)

    def _edit_group(self) -> None:
        found = [g for g in self.universe.target_groups() if g["TargetGroupName"] != "theirs"]
        if found:
            arn = self.rng.choice(found)["TargetGroupArn"]
            self.note(f"by hand: health check of {arn}")
            self.universe.aws("elbv2", "ModifyTargetGroup", TargetGroupArn=arn, HealthCheckPath="/else")

    def crash_task(self) -> None:
        """Let a container crash."""
        runtime = self.universe.world.outside.runtime
        launches = runtime.running() if runtime else []
        if runtime and launches:
            launch = self.rng.choice(launches)
            self.note(f"a task of {launch.service_name} crashes")
            runtime.crash(launch.task_arn, launch.containers[0].name)

    # What happens to the operator's process.

    def crash(self) -> None:
        """Let the process die before or after one of its next writes."""
        self.hook.at = len(self.hook.calls) + self.rng.randint(1, 8)
        self.hook.when = self.rng.choice(("before", "after"))
        self.hook.armed = True
        self.note(f"crash {self.hook.when} call {self.hook.at}")

    def restart(self) -> None:
        """Let the process die now."""
        self.note("restart")
        self.universe.restart()

    def deafen(self) -> None:
        """Let the watch be late."""
        seconds = self.rng.choice((1, 10, 60))
        self.note(f"the watch is silent for {seconds} s")
        self.universe.operator.deaf_until = self.universe.clock.now() + seconds

    def lose_lease(self) -> None:
        """Let the Lease run out under a process that works on for a while; then a successor starts."""
        self.note("the Lease is lost")
        self.universe.operator.lease.lost = True
        self.universe.run(self.rng.choice((1, 10)))
        self.universe.restart()

    def note(self, text: str) -> None:
        """Remember what was done, and when."""
        self.log.append(f"{self.universe.clock.now() - 1.8e9:8.1f} {text}")
