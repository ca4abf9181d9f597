"""The rules' half of a route's pass: a pure plan, the writes, a read of what was written, the proof.

It has no status write of its own: the route's pass writes `status` before `send` (the intent) and after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sluice.apply.errors import ApplyFailed
from sluice.controllers.route_looks import RouteLooks, RoutePass
from sluice.controllers.settings import ControllerSettings
from sluice.model.binding import Priority
from sluice.model.errors import Refused
from sluice.plan.route.desired import BackendFacts, DesiredRule, Problem, desired_rules
from sluice.plan.route.observed import watched, with_observed
from sluice.plan.route.planner import PlannedRule, RulePlan, plan_rules, plan_way_back
from sluice.plan.route.proof import Proof, acknowledgements, verify
from sluice.plan.route.status import parents_status, summary
from sluice.plan.route.twins import with_headers
from sluice.ports import World
from sluice.telemetry import tracing

_REWRITE_SECONDS: Final = 1.0
"""How soon to look again at rules that are not as they were written."""
_LEFT_SECONDS: Final = 5.0
"""How soon to look again at what a Deployment publishes that the spec names no more: nobody wakes us then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is to be written on the listeners in this pass, or what became of it."""

    seen: RoutePass
    desired: Sequence[DesiredRule]
    plan: RulePlan
    rules: Sequence[PlannedRule]
    """With the ARNs that are known by now."""
    problem: Problem | None
    proof: Proof | None = None
    refused: bool = False
    """ALB can't have what the spec wants: the plan has the way back alone, and status keeps what it has."""
    superseded: bool = False
    """The snapshot went stale before the last write."""


class RuleKeeper:
    """Plans, sends and proves a route's rules; one for the process. Thread-safe."""

    def __init__(self, world: World, settings: ControllerSettings, looks: RouteLooks) -> None:
        """Work with `world` under `settings`."""
        self._world = world
        self._settings = settings
        self._looks = looks

    def plan(self, seen: RoutePass) -> Rules:
        """Return what has to be written; raises Refused for what ALB cannot have, once nothing goes back."""
        try:
            return self._plan(seen)
        except Refused as refused:
            seen = replace(seen, left=self._looks.left(seen))
            plan = plan_way_back(
                seen.key,
                installation=self._settings.installation_id,
                parents=(*seen.parents, *seen.former),
                backends=_concerned(seen),
            )
            if not plan.actions:
                raise
            problem = Problem(reason=refused.reason, message=refused.message)
            return Rules(seen=seen, desired=(), plan=plan, rules=(), problem=problem, refused=True)

    def _plan(self, seen: RoutePass) -> Rules:
        parents, backends = seen.parents, seen.backends
        plain, problems = desired_rules(seen.key, seen.intent, parents=parents, backends=backends)
        desired, untwinned = with_headers(plain, seen.intent, parents=parents, backends=backends)
        self._world.requests.watch(seen.context, watched(backends))
        stays = bool(seen.lost or problems)
        if stays:
            seen = replace(seen, left=self._looks.left(seen))
        with tracing.span("plan") as span:
            plan = plan_rules(
                seen.key,
                installation=self._settings.installation_id,
                desired=desired,
                parents=parents,
                # Rules of a listener that is to be left go last, and not while another one is missing.
                former=() if stays else seen.former,
                staying=seen.former if stays else (),
                memory=seen.memory,
                backends=_concerned(seen),
            )
            if span.recording:
                span.put({tracing.ACTIONS: len(plan.actions)})
        tracing.in_rollout(*_served(seen))
        problem = next(iter((*seen.lost, *problems, *plan.problems, *untwinned)), None)
        return Rules(seen=seen, desired=desired, plan=plan, rules=plan.rules, problem=problem)

    def send(self, planned: Rules) -> Rules:
        """Send the writes, read them back, and return what became of them; raises what stopped the plan."""
        seen = planned.seen
        rules = self._apply(seen, planned.plan)
        if rules is None:
            return replace(planned, superseded=True)
        proof = self._prove(seen, planned.plan, rules)
        problem = planned.problem
        if proof is not None and proof.wrong:
            wrong = next(iter(proof.wrong.values()))
            problem = problem or Problem(reason="RollingOut", message=f"{wrong}; writing it again")
            self._world.facts.forget(seen.context.binding, *(parent.listener_arn for parent in seen.parents))
        return replace(planned, rules=rules, proof=proof, problem=problem)

    def again(self, done: Rules) -> float | None:
        """Return when to look again whatever happens; None where the resync is soon enough."""
        now = self._world.clock.now()
        times = []
        if done.proof is not None and done.proof.wrong:
            times.append(now + _REWRITE_SECONDS)
        if any(facts.traffic and len(facts.traffic.weights) > 1 for facts in done.seen.left.values()):
            times.append(now + _LEFT_SECONDS)
        if done.seen.moving:
            times.append(now + self._settings.drift_interval / 4)
        traffics = [facts.traffic for facts in done.seen.backends.values() if facts.traffic]
        # A proof that is only valid later is given later (§7 point 4).
        times += [traffic.verify_after for traffic in traffics if traffic.verify_after > now]
        return min(times, default=None)

    def _apply(self, seen: RoutePass, plan: RulePlan) -> tuple[PlannedRule, ...] | None:
        """Send the writes and return the rules with the ARNs that are known now; None if outdated."""
        if not plan.actions:
            return plan.rules
        try:
            applied = self._world.executor.run(
                plan.actions,
                key=seen.key,
                binding=seen.context.binding,
                still_current=lambda: self._looks.still_current(seen),
            )
        except ApplyFailed as failed:
            raise failed.cause from failed
        if applied.superseded:
            return None
        return tuple(
            rule if rule.arn else replace(rule, arn=str(applied.outputs.get(rule.output, "")))
            for rule in plan.rules
        )

    def _prove(self, seen: RoutePass, plan: RulePlan, rules: Sequence[PlannedRule]) -> Proof | None:
        """Read the rules back when something was written or is not proven yet; None otherwise."""
        if seen.memory.settled and not plan.actions:
            return None
        at = self._world.clock.now()
        # Without the proof a rollback is not over: its reads may take the reserve, as its writes do.
        priority = Priority.ROLLBACK if seen.rollback else Priority.VERIFY
        context = replace(seen.context, priority=priority)
        with tracing.span("prove"):
            found = self._world.facts.rules_by_arn(context, [rule.arn for rule in rules if rule.arn])
            return verify(rules, found, at=at)

    def status(self, done: Rules, previous: Mapping[str, Any], *, failed: bool) -> dict[str, Any]:
        """Return parents, backends and summary; listeners that were left stay in it after a problem."""
        if done.refused:
            return {name: previous[name] for name in ("parents", "backends", "summary") if name in previous}
        seen = done.seen
        own = {parent.listener_arn for parent in seen.parents}
        acknowledged = acknowledgements(
            previous,
            generation=seen.generation,
            backends=seen.backends,
            desired=done.desired,
            rules=done.rules,
            proof=done.proof,
        )
        entries = with_observed(
            acknowledged,
            backends=seen.backends,
            intent=seen.intent,
            tested=any(parent.test for parent in seen.parents),
            counted=lambda name, since: self._world.requests.counted(seen.key, name, since=since),
        )
        return {
            "parents": parents_status(seen.parents, done.rules, previous=previous, proof=done.proof)
            + [
                dict(parent)
                for parent in seen.previous.get("parents", ())
                if failed and parent["listenerArn"] not in own
            ],
            "backends": entries,
            "summary": summary(
                seen.intent,
                done.rules,
                seen.backends,
                listeners=[parent.name for parent in seen.parents],
                named=seen.previous.get("discovery") or {},
            ),
        }


def _concerned(seen: RoutePass) -> dict[str, BackendFacts]:
    """Return all whose slots rules send to; who is the spec's no more has a say only in how they share."""
    left = {
        name: replace(facts, traffic=replace(facts.traffic, rollback=True))
        for name, facts in seen.left.items()
        if facts.traffic
    }
    return {**left, **seen.backends}


def _served(seen: RoutePass) -> list[tuple[str, str]]:
    """Return uid and rollout of each backend that has published what this route has not acknowledged yet."""
    known = {
        entry.get("name"): (entry.get("rolloutId"), entry.get("seq"))
        for entry in seen.previous.get("backends", ())
    }
    return [
        (facts.traffic.uid, facts.traffic.rollout_id)
        for name, facts in seen.backends.items()
        if facts.traffic and known.get(name) != (facts.traffic.rollout_id, facts.traffic.seq)
    ]
