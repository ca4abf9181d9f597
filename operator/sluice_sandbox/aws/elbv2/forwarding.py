"""What a load balancer decides for one request: the rule, the group, the target, the cookies.

The proxy asks here for every request it reads, simulated traffic asks here without a socket, so both
count and behave alike. Sources: "Target groups for your Application Load Balancers" (round robin,
least outstanding requests, slow start, fail-open when too few targets are healthy), "Troubleshoot
your Application Load Balancers" (503 when a group has no target to offer). Zones are not modelled: a load
balancer here is one node.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sluice_sandbox.aws.elbv2 import cookies, replies, routing
from sluice_sandbox.aws.elbv2.counters import Counters
from sluice_sandbox.aws.elbv2.desk import Desk
from sluice_sandbox.aws.elbv2.ledger import Place
from sluice_sandbox.aws.elbv2.replies import Reply, error_reply
from sluice_sandbox.aws.elbv2.state import Region, Rule, Target, TargetGroup
from sluice_sandbox.aws.ports import HttpRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """Send the request to a target."""

    listener_arn: str
    rule_arn: str
    group_arn: str
    ip: str
    port: int
    protocol: str
    host: str
    """The Host header to send, after the rule's transforms."""
    target: str
    """The request target (path with query) to send, after the rule's transforms."""
    set_cookies: tuple[str, ...] = ()
    zone: str = ""
    """The target's Availability Zone."""
    app_cookie: tuple[str, str] = ("", "")
    """An application's cookie, and what to set beside it once the target sets it."""
    failed_open: bool = False
    """Whether too few targets were healthy, so that every one was a candidate."""

    @property
    def place(self) -> Place:
        """Return where the request is counted."""
        return Place(self.listener_arn, self.group_arn, self.zone)


@dataclass(slots=True)
class _Turns:
    """What the choice of a target remembers about a group."""

    turn: int = 0
    outstanding: Counter[tuple[str, int]] = field(default_factory=Counter)


class Router:
    """Decides and counts."""

    def __init__(self, desk: Desk, *, rng: random.Random) -> None:
        """Decide by the desk's books; draws come from `rng`."""
        self._desk = desk
        self._rng = rng
        self._version = -1
        self._tables: dict[str, list[tuple[routing.Predicate, Rule]]] = {}
        self._turns: dict[str, _Turns] = {}
        self.counters = Counters()

    def decide(self, listener_arn: str, request: HttpRequest, *, target: str = "") -> Forward | Reply:
        """Return what happens to a request, and count it when the load balancer answers itself.

        `target` is the raw request target; without it, path and query of the request are used. The
        request's header names must be in lower case.
        """
        region = self._desk.state.of_arn(listener_arn)
        rule = routing.first(self._table(region, listener_arn), request)
        if rule is None:
            return error_reply(503, listener_arn=listener_arn)
        action = rule.actions[-1]
        kind = action["Type"]
        listener = region.listeners[listener_arn]
        if len(rule.actions) > 1:
            refused = replies.unauthenticated(listener, rule, request)
            if refused is not None:
                self.counters.failed(Place(listener_arn), status=refused.status)
                return refused
        if kind == "forward":
            return self._forward(region, listener_arn, rule, request, target or _target_of(request))
        reply = (
            replies.redirect(listener, rule, request) if kind == "redirect" else replies.fixed(listener, rule)
        )
        self.counters.replied(listener_arn, status=reply.status, kind=kind)
        return reply

    def begin(self, forward: Forward) -> None:
        """Count a request as under way at its target."""
        self._of(forward.group_arn).outstanding[forward.ip, forward.port] += 1

    def finish(
        self,
        forward: Forward,
        *,
        status: int,
        seconds: float,
        by_target: bool = True,
        connected: bool = True,
    ) -> None:
        """Count a request as answered: by the target, or by the load balancer in its place.

        `connected` tells whether the target had accepted a connection for it.
        """
        outstanding = self._of(forward.group_arn).outstanding
        outstanding[forward.ip, forward.port] -= 1
        if outstanding[forward.ip, forward.port] <= 0:
            del outstanding[forward.ip, forward.port]
        if by_target:
            self.counters.answered(
                forward.place, status=status, seconds=seconds, failed_open=forward.failed_open
            )
        else:
            self.counters.failed(forward.place, status=status, connected=connected)

    def reset(self) -> None:
        """Forget counts and turns."""
        self.counters.reset()
        self._turns.clear()

    def _of(self, group_arn: str) -> _Turns:
        found = self._turns.get(group_arn)
        if found is None:
            found = self._turns[group_arn] = _Turns()
        return found

    def _table(self, region: Region, listener_arn: str) -> list[tuple[routing.Predicate, Rule]]:
        if self._version != self._desk.version:
            self._tables.clear()
            self._version = self._desk.version
        compiled = self._tables.get(listener_arn)
        if compiled is None:
            listener = region.listeners.get(listener_arn)
            rules = [region.rules[arn] for arn in listener.rule_arns] if listener is not None else []
            compiled = self._tables[listener_arn] = routing.table(rules)
        return compiled

    def _forward(
        self, region: Region, listener_arn: str, rule: Rule, request: HttpRequest, target: str
    ) -> Forward | Reply:
        config = rule.actions[-1]["ForwardConfig"]
        given = cookies.parsed(request.headers.get("cookie", ""))
        group_arn = routing.pick_group(
            config, self._rng, sticky_to=cookies.opened(given.get(cookies.GROUP), now=self._now())
        )
        group = region.target_groups.get(group_arn or "")
        chosen = self._pick_target(group, given) if group is not None else None
        if group is None or chosen is None:
            self.counters.failed(Place(listener_arn, group_arn or ""), status=503)
            return error_reply(503, listener_arn=listener_arn, rule_arn=rule.arn, group_arn=group_arn or "")
        host, sent = request.host, target
        if rule.transforms:
            host, sent = routing.rewritten(rule.transforms, host=host, target=target)
        return Forward(
            listener_arn=listener_arn,
            rule_arn=rule.arn,
            group_arn=group.arn,
            ip=chosen.id,
            port=chosen.port,
            protocol=group.settings.get("Protocol", "HTTP"),
            host=host,
            target=sent,
            set_cookies=self._set_cookies(config, group, chosen),
            zone=chosen.zone,
            app_cookie=cookies.application_cookie(group, chosen, now=self._now()),
            failed_open=chosen.state not in ("healthy", "unavailable"),
        )

    def _pick_target(self, group: TargetGroup, given: dict[str, str]) -> Target | None:
        candidates = _candidates(group)
        if not candidates:
            return None
        turns = self._of(group.arn)
        wanted = cookies.wanted_target(group, given, now=self._now())
        if wanted is not None:
            for target in candidates:
                if wanted == f"{target.id}:{target.port}":
                    return target
        algorithm = group.attributes.get("load_balancing.algorithm.type", "round_robin")
        if algorithm == "least_outstanding_requests":
            # Equals in turn, or one target would get every request of a quiet group.
            turns.turn += 1
            rotated = [candidates[(turns.turn + index) % len(candidates)] for index in range(len(candidates))]
            return min(rotated, key=lambda target: turns.outstanding[target.id, target.port])
        if algorithm == "weighted_random":
            return self._rng.choice(candidates)
        slow_start = float(group.attributes.get("slow_start.duration_seconds", "0"))
        if slow_start:
            shares = [
                min(1.0, max(0.02, (self._now() - item.healthy_since) / slow_start)) for item in candidates
            ]
            if min(shares) < 1.0:
                return self._rng.choices(candidates, shares)[0]
        turns.turn += 1
        return candidates[turns.turn % len(candidates)]

    def _set_cookies(self, config: dict[str, Any], group: TargetGroup, target: Target) -> tuple[str, ...]:
        made: list[str] = []
        stickiness = config.get("TargetGroupStickinessConfig") or {}
        if stickiness.get("Enabled"):
            seconds = float(stickiness["DurationSeconds"])
            made += cookies.made(cookies.GROUP, group.arn, seconds=seconds, now=self._now())
        if cookies.stickiness(group) == "lb_cookie":
            seconds = float(group.attributes["stickiness.lb_cookie.duration_seconds"])
            place = f"{target.id}:{target.port}"
            made += cookies.made(cookies.TARGET, place, seconds=seconds, now=self._now())
        return tuple(made)

    def decide_flow(self, listener_arn: str) -> Forward | None:
        """Return where a new connection to a network load balancer goes, None when there is no target.

        Weights choose the group and turns the target, like requests do; AWS hashes the flow instead.
        """
        region = self._desk.state.of_arn(listener_arn)
        listener = region.listeners.get(listener_arn)
        if listener is None:
            return None
        rule = region.rules[listener.default_rule_arn]
        group_arn = routing.pick_group(rule.actions[-1]["ForwardConfig"], self._rng) or ""
        group = region.target_groups.get(group_arn)
        chosen = self._pick_target(group, {}) if group is not None else None
        if chosen is None:
            return None
        return Forward(
            listener_arn=listener_arn,
            rule_arn=rule.arn,
            group_arn=group_arn,
            ip=chosen.id,
            port=chosen.port,
            protocol="TCP",
            host="",
            target="",
            zone=chosen.zone,
        )

    def _now(self) -> float:
        return self._desk.clock.now()


def _candidates(group: TargetGroup) -> list[Target]:
    """Return the targets a new request may go to: the healthy ones, or all when too few are (fail-open).

    Draining and unused targets never get new requests; one whose registration is still in progress
    neither (from memory).
    """
    healthy, eligible = [], []
    for target in group.targets.values():
        if target.state in ("healthy", "unavailable"):
            healthy.append(target)
            eligible.append(target)
        elif target.state == "unhealthy" or target.reason == "Elb.InitialHealthChecking":
            eligible.append(target)
    attribute = "target_group_health.unhealthy_state_routing.minimum_healthy_targets."
    wanted = int(group.attributes[attribute + "count"])
    percentage = group.attributes[attribute + "percentage"]
    if percentage != "off":
        wanted = max(wanted, -(-int(percentage) * len(eligible) // 100))
    return healthy if len(healthy) >= wanted else eligible


def _target_of(request: HttpRequest) -> str:
    query = "&".join(f"{key}={value}" for key, value in request.query)
    return f"{request.path}?{query}" if query else request.path
