"""Reconcile one ServiceRoute: rules that carry the weights its Deployments publish, and the proof.

The pass: listeners and backends, the rules as they are, a pure plan, the intent (priorities before
CreateRule, weights before they are sent), the writes, a read of what was written, the
acknowledgement. A backend's key is urgent when its acknowledgement changed, so that a rollout does not
wait for two watch round trips (rollout.md §7 point 9), and goes through the rollback's lane in a rollback.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sluice.apply.errors import ApplyFailed
from sluice.controllers.record import Record
from sluice.controllers.route_looks import RouteLooks, RoutePass
from sluice.controllers.route_removal import RouteRemover
from sluice.controllers.settings import ControllerSettings
from sluice.model.binding import Priority
from sluice.model.errors import SluiceError, WriteConflict
from sluice.model.keys import DEPLOYMENT, Key
from sluice.plan.failures import failure_of
from sluice.plan.route.desired import DesiredRule, Problem, desired_rules
from sluice.plan.route.observed import remark, watched, with_observed, without_observed
from sluice.plan.route.planner import PlannedRule, RulePlan, plan_rules
from sluice.plan.route.proof import Proof, acknowledgements, verify
from sluice.plan.route.status import is_ready, parents_status, summary, with_conditions
from sluice.plan.route.twins import with_headers
from sluice.ports import Result, World
from sluice.telemetry import tracing

_REWRITE_SECONDS: Final = 1.0
"""How soon to look again at rules that are not as they were written."""


class RouteController:
    """`ports.Controller` of the kind ServiceRoute."""

    def __init__(self, world: World, settings: ControllerSettings) -> None:
        """Work with `world` under `settings`."""
        self._world = world
        self._settings = settings
        self._looks = RouteLooks(world, settings)
        self._remover = RouteRemover(world, settings, self._looks, self._tell_problem)

    def reconcile(self, key: Key) -> Result:
        """Make the route's rules equal to its spec and to what its Deployments publish."""
        obj = self._world.store.get(key)
        if obj is None:
            self._looks.forget(key)
            return Result()
        record = Record(self._world, key, obj)
        try:
            if "deletionTimestamp" in obj["metadata"]:
                return self._remover.remove(record)
            record.hold()
            with tracing.span("observe"):
                now_seen = self._looks.look(record)
            return self._converge(now_seen)
        except WriteConflict:
            raise
        except SluiceError as error:
            self._tell(record, error)
            raise

    def _converge(self, now_seen: RoutePass) -> Result:
        parents, backends = now_seen.parents, now_seen.backends
        plain, problems = desired_rules(now_seen.key, now_seen.intent, parents=parents, backends=backends)
        desired, untwinned = with_headers(plain, now_seen.intent, parents=parents, backends=backends)
        self._world.requests.watch(now_seen.context, watched(backends))
        with tracing.span("plan") as span:
            plan = plan_rules(
                now_seen.key,
                installation=self._settings.installation_id,
                desired=desired,
                parents=parents,
                # Rules of a listener that is to be left go last, and not while another one is missing.
                former=() if now_seen.lost or problems else now_seen.former,
                memory=now_seen.memory,
            )
            if span.recording:
                span.put({tracing.ACTIONS: len(plan.actions)})
        tracing.in_rollout(*_served(now_seen))
        problem = next(iter((*now_seen.lost, *problems, *plan.problems, *untwinned)), None)
        if self._settings.suspended:
            return self._report_only(now_seen, plan)
        if plan.actions:
            working = Problem(
                reason="RollingOut", message=f"writing {len(plan.actions)} listener rule changes"
            )
            self._write_status(now_seen, desired, plan.rules, proof=None, problem=problem or working)
        for note in plan.notes:
            now_seen.record.note(type_=note.type, reason=note.reason, message=note.message)
        rules = self._apply(now_seen, plan)
        if rules is None:
            return Result(wake_at=self._world.clock.now(), rollback=now_seen.rollback)
        proof = self._prove(now_seen, plan, rules)
        if proof is not None and proof.wrong:
            wrong = next(iter(proof.wrong.values()))
            problem = problem or Problem(reason="RollingOut", message=f"{wrong}; writing it again")
            self._world.facts.forget(now_seen.context.binding, *(parent.listener_arn for parent in parents))
        before = [without_observed(entry) for entry in now_seen.previous.get("backends", ())]
        self._write_status(now_seen, desired, rules, proof=proof, problem=problem)
        after = [without_observed(entry) for entry in now_seen.record.status.get("backends", ())]
        changed = after != before
        urgent = tuple(Key(DEPLOYMENT, now_seen.key.namespace, name) for name in backends)
        return Result(
            wake_at=self._again(now_seen, proof),
            urgent=urgent if changed else (),
            rollback=now_seen.rollback,
        )

    def _again(self, now_seen: RoutePass, proof: Proof | None) -> float | None:
        """Return when to look again whatever happens; None where the resync is soon enough."""
        now = self._world.clock.now()
        times = []
        if proof is not None and proof.wrong:
            times.append(now + _REWRITE_SECONDS)
        if now_seen.moving:
            times.append(now + self._settings.drift_interval / 4)
        traffics = [facts.traffic for facts in now_seen.backends.values() if facts.traffic]
        # A proof that is only valid later is given later (§7 point 4).
        times += [traffic.verify_after for traffic in traffics if traffic.verify_after > now]
        return min(times, default=None)

    def _apply(self, now_seen: RoutePass, plan: RulePlan) -> tuple[PlannedRule, ...] | None:
        """Send the writes and return the rules with the ARNs that are known now; None if outdated."""
        if not plan.actions:
            return plan.rules
        try:
            applied = self._world.executor.run(
                plan.actions,
                key=now_seen.key,
                binding=now_seen.context.binding,
                still_current=lambda: self._looks.still_current(now_seen),
            )
        except ApplyFailed as failed:
            raise failed.cause from failed
        if applied.superseded:
            return None
        return tuple(
            rule if rule.arn else replace(rule, arn=str(applied.outputs.get(rule.output, "")))
            for rule in plan.rules
        )

    def _prove(self, now_seen: RoutePass, plan: RulePlan, rules: Sequence[PlannedRule]) -> Proof | None:
        """Read the rules back when something was written or is not proven yet; None otherwise."""
        if now_seen.memory.settled and not plan.actions:
            return None
        at = self._world.clock.now()
        # Without the proof a rollback is not over: its reads may take the reserve, as its writes do.
        priority = Priority.ROLLBACK if now_seen.rollback else Priority.VERIFY
        context = replace(now_seen.context, priority=priority)
        with tracing.span("prove"):
            seen = self._world.facts.rules_by_arn(context, [rule.arn for rule in rules if rule.arn])
            return verify(rules, seen, at=at)

    def _report_only(self, now_seen: RoutePass, plan: RulePlan) -> Result:
        for action in plan.actions:
            now_seen.record.note(
                type_="Warning",
                reason="DriftFound",
                message=f"suspended; would send {action.operation} for {action.subject}: {action.reason}",
            )
        return Result()

    # Status.

    def _write_status(
        self,
        now_seen: RoutePass,
        desired: Sequence[DesiredRule],
        rules: Sequence[PlannedRule],
        *,
        proof: Proof | None,
        problem: Problem | None,
    ) -> None:
        own = {parent.listener_arn for parent in now_seen.parents}
        previous = now_seen.record.status
        acknowledged = acknowledgements(
            previous,
            generation=now_seen.generation,
            backends=now_seen.backends,
            desired=desired,
            rules=rules,
            proof=proof,
        )
        entries = with_observed(
            acknowledged,
            backends=now_seen.backends,
            intent=now_seen.intent,
            tested=any(parent.test for parent in now_seen.parents),
            counted=lambda name, since: self._world.requests.counted(now_seen.key, name, since=since),
        )
        body: dict[str, Any] = {
            "intents": dict(now_seen.previous.get("intents", {})),
            "parents": parents_status(now_seen.parents, rules, previous=previous, proof=proof)
            + [
                dict(parent)
                for parent in now_seen.previous.get("parents", ())
                if problem is not None and parent["listenerArn"] not in own
            ],
            "backends": entries,
            "summary": summary(
                now_seen.intent,
                rules,
                now_seen.backends,
                listeners=[parent.name for parent in now_seen.parents],
            ),
        }
        status = with_conditions(
            body,
            # The pass's own intent is no transition: what was Ready and is again never ceased to be.
            previous=now_seen.previous,
            generation=now_seen.generation,
            now=self._world.clock.now(),
            problem=problem,
            remark=remark(entries),
        )
        now_seen.record.save(status)

    def _tell(self, record: Record, error: SluiceError) -> None:
        """Put an error into the conditions; what worked and is only slow stays Ready."""
        failure = failure_of(error)
        if failure is None:
            return
        if failure.passing and is_ready(record.status, generation=record.generation):
            return
        self._tell_problem(record, Problem(reason=failure.reason, message=failure.message))

    def _tell_problem(self, record: Record, problem: Problem) -> None:
        """Put a problem into the conditions and leave the rest of the status as it is."""
        status = with_conditions(
            record.status,
            previous=record.status,
            generation=record.generation,
            now=self._world.clock.now(),
            problem=problem,
        )
        record.save(status)


def _served(now_seen: RoutePass) -> list[tuple[str, str]]:
    """Return uid and rollout of each backend that has published what this route has not acknowledged yet."""
    known = {
        entry.get("name"): (entry.get("rolloutId"), entry.get("seq"))
        for entry in now_seen.previous.get("backends", ())
    }
    return [
        (facts.traffic.uid, facts.traffic.rollout_id)
        for name, facts in now_seen.backends.items()
        if facts.traffic and known.get(name) != (facts.traffic.rollout_id, facts.traffic.seq)
    ]
