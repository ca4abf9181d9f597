"""Rules of a listener to write tables with: as a route wants them, and as they stand there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice.model.keys import SERVICE_ROUTE, Key
from sluice.model.ownership import owner_tags
from sluice.model.traffic import SlotTarget, Traffic
from sluice.plan.route.desired import BackendFacts, DesiredRule, Parent
from sluice.plan.route.planner import Memory, RulePlan, plan_rules
from sluice.plan.route.writes import ROLES, own_tags

KEY = Key(SERVICE_ROUTE, "shop", "web")
LISTENER, BALANCER = "arn:listener", "arn:balancer"
NOTHING = Memory(priorities={}, known=frozenset(), settled=False)
A, B = "arn:tg/web-a/1", "arn:tg/web-b/1"


def path(*values: str) -> dict[str, Any]:
    """Return a path condition."""
    return {"Field": "path-pattern", "PathPatternConfig": {"Values": list(values)}}


def wanted(name: str = "main/1", *values: str, order: int = 5, **members: Any) -> DesiredRule:
    """Return a rule to `A` alone; `order` sorts it among those that it can meet."""
    plain: dict[str, Any] = {
        "name": name,
        "listener_arn": LISTENER,
        "conditions": (path(*values or ("/a",)),),
        "precedence": f"2999.3000.1.99.99.1.2027/shop/{order}.0",
        "backends": ("web",),
        "weights": {A: 1},
        "field": "spec.rules[main].priority",
        "may_begin": True,
        "reassert": True,
        "rollback": False,
    }
    return DesiredRule(**plain | members)


def forward(sticky: int = 0, **weights: int) -> list[dict[str, Any]]:
    """Return a rule's actions: slot → weight, and the seconds of its session persistence."""
    groups = [{"TargetGroupArn": f"arn:tg/web-{slot}/1", "Weight": w} for slot, w in weights.items()]
    config: dict[str, Any] = {"TargetGroups": groups}
    if sticky:
        config["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": sticky}
    return [{"Type": "forward", "ForwardConfig": config}]


def stands(rule: DesiredRule, priority: int, **members: Any) -> dict[str, Any]:
    """Return a rule as DescribeRules has it once it was made."""
    tags = owner_tags("i", KEY, role=ROLES[rule.role]) | own_tags(rule)
    seen = {"RuleArn": f"arn:rule/{priority}", "Priority": str(priority), "IsDefault": False, "Tags": tags}
    return seen | {"Conditions": [dict(c) for c in rule.conditions], "Actions": forward(a=1)} | members


def listener(*rules: dict[str, Any], **members: Any) -> Parent:
    """Return a listener with these rules."""
    given: dict[str, Any] = {"name": "sandbox:80", "listener_arn": LISTENER, "load_balancer_arn": BALANCER}
    return Parent(**given | {"reserved": (1, 50_000), "rules": rules} | members)


def planned(
    *rules: DesiredRule,
    on: Parent | None = None,
    memory: Memory = NOTHING,
    backends: Mapping[str, BackendFacts] | None = None,
) -> RulePlan:
    """Plan one listener."""
    parents = (on or listener(),)
    return plan_rules(
        KEY,
        installation="i",
        desired=rules,
        parents=parents,
        former=(),
        memory=memory,
        backends=backends or {},
    )


def traffic(**members: Any) -> Traffic:
    """Return what a Deployment with two slots publishes: everything to slot a."""
    targets = tuple(
        SlotTarget(
            slot=slot,
            port="http",
            container_port=8080,
            load_balancer_arn=BALANCER,
            target_group_arn=f"arn:tg/web-{slot}/1",
        )
        for slot in "ab"
    )
    plain: dict[str, Any] = {
        "uid": "uid-web",
        "rollout_id": "r1",
        "seq": 3,
        "weights": {"a": 1000},
        "targets": targets,
    }
    return Traffic(**plain | {"verify_after": 0.0} | members)
