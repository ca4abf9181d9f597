"""What every schedule must end in: the picture that a calm world gives, and no litter."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any

from sim import console
from sim.universe import Universe, deployment, route
from sluice.model import ownership

Manifest = dict[str, Any]


def final_specs(rng: random.Random) -> list[Manifest]:
    """Return the specs that every schedule ends with: both Deployments, one route to both."""
    return [
        deployment("web", image="web:final", replicas=rng.randint(1, 4)),
        deployment("ledger", image="ledger:final", replicas=rng.randint(1, 4)),
        route(backends={"web": rng.randint(1, 9), "ledger": rng.randint(1, 9)}),
    ]


def picture(universe: Universe) -> dict[str, Any]:
    """Return what must be equal to a calm world's: all but ordinals, history and rule numbers."""
    names = {g["TargetGroupArn"]: g["TargetGroupName"] for g in universe.target_groups()}
    rules = [
        (port, rule, console.elb_tags(universe, rule["RuleArn"]))
        for port in universe.listeners
        for rule in universe.rules(port)
    ]
    return {
        "services": sorted(
            (
                s["clusterArn"],
                re.sub(r"\d+$", "", s["serviceName"]),
                s["desiredCount"],
                s["runningCount"],
                tuple(sorted(names[lb["targetGroupArn"]] for lb in s["loadBalancers"])),
            )
            for s in universe.services()
        ),
        "rules": sorted(
            (port, tags.get(ownership.ROUTE_RULE, ""), str(rule["Conditions"]), _weights(rule, names))
            for port, rule, tags in rules
            if tags.get(ownership.ROLE) != "anchor"
        ),
        "anchors": sorted(
            _weights(rule, names) for _, rule, tags in rules if tags.get(ownership.ROLE) == "anchor"
        ),
        "target groups": sorted(names.values()),
        "objects": {str(key): universe.reason(key) for key in sorted(universe.cluster.objects)},
    }


def _weights(rule: Mapping[str, Any], names: Mapping[str, str]) -> str:
    groups = rule["Actions"][0].get("ForwardConfig", {}).get("TargetGroups", ())
    return str(sorted((names[group["TargetGroupArn"]], group["Weight"]) for group in groups))


def expected(specs: list[Manifest], *, seed: int) -> dict[str, Any]:
    """Return the picture of a calm universe with these specs; names depend on its seed."""
    universe = Universe(seed=seed)
    console.add_bystanders(universe)
    for manifest in specs:
        universe.cluster.apply(manifest)
    keys = sorted(universe.cluster.objects)
    universe.settle(lambda: universe.ready(*keys))
    return picture(universe)


def litter(universe: Universe) -> list[str]:
    """Return what is wrong with ownership: orphans and duplicates."""
    owners = {(key.kind, key.namespace, key.name) for key in universe.cluster.objects}
    tagged = [(s["serviceArn"], ownership.from_ecs(s["tags"])) for s in universe.services()]
    tagged += [
        (g["TargetGroupArn"], console.elb_tags(universe, g["TargetGroupArn"]))
        for g in universe.target_groups()
    ]
    tagged += [
        (rule["RuleArn"], console.elb_tags(universe, rule["RuleArn"]))
        for port in universe.listeners
        for rule in universe.rules(port)
    ]
    hashes: list[str] = []
    for arn in universe.definitions():
        answer = universe.aws("ecs", "DescribeTaskDefinition", taskDefinition=arn, include=["TAGS"])
        tags = ownership.from_ecs(answer["tags"])
        tagged.append((arn, tags))
        if ownership.DEFINITION_HASH in tags:
            hashes.append(f"{tags[ownership.NAME]} {tags[ownership.DEFINITION_HASH]}")
    problems = [
        f"orphan {arn}"
        for arn, tags in tagged
        if ownership.INSTALLATION in tags
        and (tags[ownership.KIND], tags[ownership.NAMESPACE], tags[ownership.NAME]) not in owners
    ]
    return problems + [f"registered twice: {name}" for name in sorted(set(hashes)) if hashes.count(name) > 1]
