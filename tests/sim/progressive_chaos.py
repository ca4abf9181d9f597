"""Random schedules of progressive rollouts, and an observer who asks the stand-in after each write.

`ProgressiveChaos(seed)` is `Chaos` with progressive Deployments: verbs, steps of all kinds, candidates that
break, weights edited by hand, tasks that die, jumps of the clock, routes that are misspelt and mended. With
`calm` nobody damages AWS's objects or kills tasks, and the requests of visitors are judged too: no answer of
500 and above is the load balancer's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from sim import console
from sim.chaos import FAULTS, SECOND, Chaos, Manifest
from sim.observer import Forbidden, Observer
from sim.progressive_stories import production
from sim.universe import LEDGER, ROUTE, WEB, Universe, deployment, route
from sim.verdict import litter
from sim.visitors import Visitors
from sluice.model import ownership
from sluice.model.keys import Key
from sluice_sandbox.aws.errors import AwsError

VERBS = ("promote", "promote", "promote_full", "abort", "undo", "retry", "pause", "resume", "resume")
STEPS: tuple[tuple[dict[str, Any], ...], ...] = (
    (),
    ({"setWeight": 5}, {"pause": {"duration": "20s"}}, {"setWeight": 50}),
    ({"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {"duration": "5s"}}),
    (
        {"setHeaderRoute": {"header": "x-canary", "value": "1"}},
        {"pause": {"duration": "10s"}},
        {"setWeight": 0.5},
    ),
)
BROKEN = {"SANDBOX_EXIT": "1"}
TAKEN = 40_000
"""The number of a bystander's rule."""
MEMORY = 15.0
"""Seconds for which targets that were healthy count: rollout.md lets a rollback go by health of 10 s ago."""

ROUNDED = 0.01
"""By how much a slot's part of its Deployment's share may differ after a change of that: integers."""


class ProgressiveObserver(Observer):
    """Judges weights and tasks by what AWS itself says at that moment."""

    def __init__(self, universe: Universe) -> None:
        """Stand between the operator and the world of `universe`."""
        super().__init__(universe.world, installation="sim", leads=lambda: not universe.operator.lease.lost)
        self._universe = universe
        self._healthy: dict[str, float] = {}
        self.deceived_until = 0.0
        """Until then reads may be stale: what the operator could not know is not held against it."""
        self.raised = self.shrunk = 0
        """Judged: rule writes that gave a group more, service writes that took tasks or changed them."""
        universe.clock.call_later(1.0, self._watch)

    def _watch(self) -> None:
        for group in self._universe.target_groups():
            if self._universe.healthy(group["TargetGroupArn"]):
                self._healthy[group["TargetGroupArn"]] = self._universe.clock.now()
        self._universe.clock.call_later(1.0, self._watch)

    def _judge(self, service: str, operation: str, params: Mapping[str, Any]) -> None:
        super()._judge(service, operation, params)
        if operation in ("ModifyRule", "CreateRule"):
            self._judge_weights(operation, params)
        elif (
            operation in ("UpdateService", "DeleteService")
            and self._universe.clock.now() > self.deceived_until
        ):
            self._judge_tasks(operation, params)

    def _judge_weights(self, operation: str, params: Mapping[str, Any]) -> None:
        """No group gets more than it has while none of its targets was healthy for `MEMORY` seconds.

        What a Deployment gets of a rule is the route's word, and a person's: only how its slots divide it is
        judged, and which slot begins.
        """
        new = _shares(params.get("Actions") or ())
        if not new or ".anchor.sluice.invalid" in str(params.get("Conditions") or ()):
            return
        before: Mapping[str, float] = {}
        if operation == "ModifyRule":
            (rule,) = self._ask("elbv2", "DescribeRules", {"RuleArns": [params["RuleArn"]]})["Rules"]
            if ".anchor.sluice.invalid" in str(rule["Conditions"]):
                return
            before = _shares(rule["Actions"])
        for group, share in new.items():
            if share <= before.get(group, 0.0):
                continue
            self.raised += 1
            seen = self._healthy.get(group, 0.0)
            well = self._universe.healthy(group) or self._universe.clock.now() - seen <= MEMORY
            other = any(self._universe.healthy(name) for name in before if name != group)
            if not well and other and not self._as_divided(group, before=before, after=new):
                raise Forbidden(f"{operation}: {group} gets {share:g} with no healthy target: {dict(params)}")

    def _as_divided(self, group: str, *, before: Mapping[str, float], after: Mapping[str, float]) -> bool:
        """Tell whether a group's part of what its Deployment gets stays, or the live slot's begins."""
        for status in map(self._universe.status, (WEB, LEDGER)):
            slots = {entry.get("arn"): entry.get("slot") for entry in status.get("targetGroups", ())}
            if group in slots:
                had, gets = (sum(shares.get(arn, 0.0) for arn in slots) for shares in (before, after))
                if not had:
                    return bool(slots[group] == (status.get("live") or {}).get("slot"))
                part = before.get(group, 0.0) / had
                return part > 0 and after[group] / gets <= part + ROUNDED
        return False

    def _judge_tasks(self, operation: str, params: Mapping[str, Any]) -> None:
        """No slot loses or changes tasks under weight, and the live one never while a rollout is on."""
        named = {"cluster": params["cluster"], "services": [params["service"]], "include": ["TAGS"]}
        found = self._ask("ecs", "DescribeServices", named)["services"]
        if not found or found[0]["status"] != "ACTIVE":
            return
        service = found[0]
        count = params.get("desiredCount", service["desiredCount"])
        fewer = operation == "DeleteService" or count < service["desiredCount"]
        other = params.get("taskDefinition", service["taskDefinition"]) != service["taskDefinition"]
        tags = ownership.from_ecs(service["tags"])
        owner = next((k for k in (WEB, LEDGER) if k.name == tags.get(ownership.NAME)), None)
        status = self._universe.status(owner) if owner else {}
        spec = (
            self._universe.cluster.objects[owner]["spec"] if owner in self._universe.cluster.objects else {}
        )
        if not (fewer or other) or spec.get("strategy", {}).get("type") != "Progressive":
            return
        self.shrunk += 1
        rollout, live = status.get("rollout"), (status.get("live") or {}).get("slot")
        slot = next(
            (s["name"] for s in status.get("slots", ()) if s["serviceName"] == service["serviceName"]), ""
        )
        if slot == live and (rollout or {}).get("stage", "Starting") == "Starting":
            return  # the spec asks for it, and nothing is touched
        others = {e.get("taskDefinition") for e in status.get("slots", ()) if e["name"] != slot}
        if slot == live and not fewer and params["taskDefinition"] not in others:
            return  # ECS's circuit breaker had taken its own from it: put back in place, at 100 % healthy
        if slot == live and rollout and not other and operation == "UpdateService":
            meant = max(spec.get("replicas", 1), rollout.get("memory", {}).get("liveFloor", 0))
            if count >= meant:
                return  # somebody had scaled it by hand: what it was meant to have since the start stays
        weight = self._weight({part["targetGroupArn"] for part in service["loadBalancers"]})
        if weight and (rollout or {}).get("kind") != "First":
            raise Forbidden(f"{operation} takes tasks of slot {slot} under weight {weight}: {dict(params)}")

    def _weight(self, groups: set[str]) -> float:
        return sum(
            share
            for port in self._universe.listeners
            for rule in self._universe.rules(port)
            if ".anchor.sluice.invalid" not in str(rule["Conditions"])
            for group, share in _shares(rule["Actions"]).items()
            if group in groups
        )


def _shares(actions: Any) -> dict[str, float]:
    for action in actions:
        groups = action.get("ForwardConfig", {}).get("TargetGroups") or ()
        total = sum(int(group.get("Weight", 1)) for group in groups)
        if total:
            return {
                g["TargetGroupArn"]: int(g.get("Weight", 1)) / total for g in groups if g.get("Weight", 1)
            }
    return {}


class ProgressiveChaos(Chaos):
    """See the module."""

    def __init__(self, seed: int, *, calm: bool = False) -> None:
        """Prepare; nothing has happened yet."""
        super().__init__(seed)
        self.calm = calm
        self.watcher = ProgressiveObserver(self.universe)
        self.observer = self.watcher
        self.universe.seen_world = self.watcher
        self.universe.restart()
        self.visitors = Visitors(self.universe)
        self.rollouts: set[str] = set()

    def play(self, *, steps: int) -> None:
        """Do `steps` random things, each after a random time."""
        universe = self.universe
        for manifest in (self.deployment("web"), self.deployment("ledger"), self.route(ROUTE)):
            universe.cluster.apply(manifest)
        universe.run(60)
        people = (self.apply, self.apply, self.apply, self.annotate, self.annotate, self.scale)
        process = (self.crash, self.crash, self.restart, self.deafen, self.lose_lease, self.jump)
        aws: tuple[Callable[[], None], ...] = (self.fault, self.fault, self.edit_route)
        if not self.calm:
            aws = (self.fault, self.by_hand, self.by_hand, self.crash_task, self.delete, self.edit_route)
        for _ in range(steps):
            self.rng.choice(self.rng.choice((people, people, people, aws, process)))()
            universe.run(self.rng.choice((0.5, 2, 5, 20, 70)))
            self._listen()
            for key in (WEB, LEDGER):
                if rollout := universe.status(key).get("rollout"):
                    self.rollouts.add(rollout["id"])

    def _listen(self) -> None:
        """Let visitors begin once everything serves; what there is before that is the first rollout's."""
        if self.calm and not self.visitors.answers and self.universe.ready(ROUTE, WEB):
            self.visitors.start()

    def bad_answers(self) -> list[str]:
        """Return the answers of 500 and above that the load balancer made."""
        return [text for text in self.visitors.bad if text[0] == "5" and "the load balancer" in text]

    def heal(self, specs: list[Manifest]) -> None:
        """Abort what waits for a person (a queue behind it would wait too), then as `Chaos` does.

        A first rollout that is live has nothing to go back to: abort is refused, and it is resumed.
        """
        universe = self.universe
        universe.heal()
        self.hook.armed = False
        universe.restart()
        self._abort_all()
        self._judge_way_back()
        for key in (ROUTE, SECOND):
            universe.cluster.delete(key)  # a way back is not proved while one of them is broken
        self._abort_all()
        super().heal(specs)

    def whole(self, *keys: Key) -> bool:
        """As `Chaos` does; a person says what is asked of one.

        A live slot that can't be mended holds the cure: promote it. The last edit was first seen when the
        heal began, and the final spec came in the middle of its rollout (`onNewRevision: Reject`): retry.
        """
        universe = self.universe
        for key in (WEB, LEDGER):
            status = universe.status(key)
            rollout = status.get("rollout")
            if not rollout and universe.reason(key) == "NotPermitted":
                universe.cluster.annotate(key, retry=status["history"][0]["id"])
            if rollout and "promote-full if" in str(universe.condition("Ready", key)["message"]):
                universe.cluster.annotate(key, promote_full=rollout["id"])
        return super().whole(*keys)

    def _abort_all(self) -> None:
        """Let every rollout end, in twenty minutes."""
        universe = self.universe
        for _ in range(20):
            moving = [key for key in (WEB, LEDGER) if "rollout" in universe.status(key)]
            if not moving:
                break
            for key in moving:
                status = universe.status(key)
                rollout = status["rollout"]
                word = "resume" if rollout.get("kind") == "First" and status.get("live") else "abort"
                universe.cluster.annotate(key, **{word: rollout["id"]})
            universe.run(60)

    def _judge_way_back(self) -> None:
        """No rule sends to a slot that is not live, whatever is wrong with a route by then."""
        universe = self.universe
        rules = [r for r in universe.rules() if ".anchor.sluice.invalid" not in str(r["Conditions"])]
        sent = {arn for rule in rules for arn in _shares(rule["Actions"])}
        for key in (WEB, LEDGER):
            status = universe.status(key)
            live = (status.get("live") or {}).get("slot")
            if live and status.get("rollout", {}).get("stage", "RollingBack") in (
                "RollingBack",
                "CleaningUp",
            ):
                groups = {g.get("arn"): g["slot"] for g in status.get("targetGroups", ())}
                failed = [arn for arn in sent & groups.keys() if groups[arn] != live]
                assert failed == [], f"{key} is back on slot {live}, and rules send to {failed}"

    # What is asked for.

    def deployment(self, name: str, **spec: Any) -> Manifest:
        """Return a progressive Deployment with random contents, sometimes a rolling one."""
        rng = self.rng
        body: dict[str, Any] = {
            "steps": [*rng.choice(STEPS), {"setWeight": 100}],
            "bake": {"duration": rng.choice(("0s", "15s"))},
            "drain": {"propagationDelaySeconds": rng.choice((0, 5))},
            "capacity": {"mode": rng.choice(("AheadOfWeight", "Full"))},
            "standby": {"replicas": rng.choice(("0%", "50%", "100%")), "duration": rng.choice(("30s", "1h"))},
            "onNewRevision": rng.choice(("Supersede", "Supersede", "Queue", "Reject")),
            "onDrift": rng.choice(("Halt", "Reassert")),
        }
        progressive: dict[str, Any] = {"type": "Progressive", "progressive": body}
        rolling = not self.calm and rng.random() < 0.1
        return deployment(
            name,
            image=f"{name}:{rng.randint(1, 4)}",
            replicas=rng.choice((1, 2, 3)),
            env=BROKEN if rng.random() < 0.2 and self.universe.status(WEB).get("live") else {},
            strategy={"type": "RollingUpdate"} if rolling else progressive,
            paused=rng.random() < 0.1,
            revisionHistoryLimit=rng.choice((2, 10)),
            progressDeadlineSeconds=rng.choice((60, 3600)),
            **spec,
        )

    def route(self, key: Any) -> Manifest:
        """Return a route to one or both."""
        both = {"web": 3, "ledger": 1}
        return route(key.name, backends=self.rng.choice(({"web": 1}, both)) if not self.calm else both)

    def edit_route(self) -> None:
        """Apply a route anew; as often as not so that a rule can't be as it says, until the next edit."""
        key = ROUTE if self.calm else self.rng.choice((ROUTE, ROUTE, SECOND))
        manifest = self.route(key)
        refs = manifest["spec"]["rules"][0]["backendRefs"]
        nobody = {"name": "nobody", "port": "http"}
        broken = self.rng.choice(("", "", "", "beside", "instead", "match", "refused"))
        if broken in ("beside", "match"):
            refs.append(nobody)
        if broken == "instead":
            self.rng.choice(refs)["name"] = "nobody"
        if broken == "match":
            manifest["spec"]["rules"][0]["matches"].append({"path": {"value": "/more"}})
        if broken == "refused":
            more = {"name": "more", "matches": [{"path": {"value": "/more"}}], "priority": TAKEN}
            manifest["spec"]["rules"].append(more | {"backendRefs": [nobody | {"name": "web"}]})
        self._apply(key, manifest)

    def scale(self) -> None:
        """Scale a Deployment, never to nothing."""
        key = self.rng.choice((WEB, LEDGER))
        if key in self.universe.cluster.objects:
            count = self.rng.randint(1, 4)
            self.note(f"scale {key} to {count}")
            self.universe.cluster.scale(key, count)

    def annotate(self) -> None:
        """Give a verb for the present rollout."""
        key = self.rng.choice((WEB, LEDGER))
        status = self.universe.status(key)
        ids = [entry["id"] for entry in (*[status.get("rollout") or {}], *status.get("history", ())) if entry]
        if key not in self.universe.cluster.objects or not ids:
            return
        name, value = self.rng.choice(VERBS), ids[0]
        if name == "promote" and "stepIndex" in (status.get("rollout") or {}):
            value = f"{value}/{status['rollout']['stepIndex']}"
        self.note(f"{name}={value} on {key}")
        self.universe.cluster.annotate(key, **{name: value})

    def fault(self) -> None:
        """Let calls go wrong for a while."""
        kind = self.rng.choice(FAULTS)
        now = self.universe.clock.now()
        fields: dict[str, Any] = {"until": now + self.rng.choice((1, 10, 60))}
        if kind == "stale-read":
            fields["seconds"] = self.rng.choice((1, 4))
            self.watcher.deceived_until = max(
                self.watcher.deceived_until, fields["until"] + fields["seconds"]
            )
        else:
            fields["probability"] = self.rng.choice((0.2, 0.5, 1))
        self.note(f"fault {kind} {fields}")
        self.universe.fault(kind, **fields)

    def by_hand(self) -> None:
        """Change weights at the console, or what `Chaos` changes."""
        if self.rng.random() < 0.5:
            super().by_hand()
            return
        rules = [
            rule
            for port in self.universe.listeners
            for rule in self.universe.rules(port)
            if console.elb_tags(self.universe, rule["RuleArn"]).get(ownership.ROLE) == "rule"
        ]
        if not rules:
            return
        rule = self.rng.choice(rules)
        groups = [
            g["TargetGroupArn"] for g in rule["Actions"][0].get("ForwardConfig", {}).get("TargetGroups", ())
        ]
        weights = [{"TargetGroupArn": arn, "Weight": self.rng.randint(1, 9)} for arn in groups]
        self.note(f"by hand: {rule['RuleArn']} gets {[w['Weight'] for w in weights]}")
        try:
            actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": weights}}]
            self.universe.aws("elbv2", "ModifyRule", RuleArn=rule["RuleArn"], Actions=actions)
        except AwsError as error:
            self.note(f"... refused: {error.code}")

    def jump(self) -> None:
        """Let the wall clock leave the monotonic one, as a step of NTP does."""
        seconds = self.rng.choice((-30.0, 30.0, 3600.0))
        self.note(f"the clock jumps by {seconds:g} s")
        clock, wall = self.universe.operator.clock, self.universe.clock
        clock.monotonic = lambda: wall.now() - seconds  # type: ignore[method-assign]


def judge(chaos: ProgressiveChaos, *, seed: int) -> None:
    """Heal the world, ask for a last revision of both, and check that it is whole.

    Slots, history and which rollouts there were depend on the schedule; what serves does not.
    """
    rng, universe = random.Random(seed), chaos.universe
    strategy = {"type": "Progressive", "progressive": {"steps": [{"setWeight": 100}]}}
    counts = {name: rng.randint(1, 4) for name in ("web", "ledger")}
    specs = [deployment(n, image=f"{n}:final", replicas=c, strategy=strategy) for n, c in counts.items()]
    bystander = str([rule for rule in universe.rules() if rule["Priority"] == "40000"])
    chaos.heal([*specs, route(backends={"web": 1, "ledger": 3})])
    for key in (WEB, LEDGER):
        status = universe.status(key)
        (live,) = [slot for slot in status["slots"] if slot["name"] == status["live"]["slot"]]
        (service,) = [s for s in universe.services() if s["serviceName"] == live["serviceName"]]
        assert (service["desiredCount"], service["runningCount"]) == (counts[key.name], counts[key.name])
        body = universe.aws("ecs", "DescribeTaskDefinition", taskDefinition=service["taskDefinition"])
        assert body["taskDefinition"]["containerDefinitions"][0]["image"] == f"{key.name}:final"
    assert sorted(production(universe).values()) == [25, 75]
    assert litter(universe) == []
    universe.settle(lambda: not any("standby" in universe.status(key) for key in (WEB, LEDGER)), within=9000)
    universe.run(700)
    written = len(universe.writes())
    universe.run(200)
    assert universe.writes()[written:] == [], "rest is not at rest"
    assert str([rule for rule in universe.rules() if rule["Priority"] == "40000"]) == bystander
