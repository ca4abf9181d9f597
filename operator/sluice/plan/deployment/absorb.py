"""What was seen, after actions took place: so that planning again needs no second look at AWS.

An action's outputs are named by what they tell about:

| output | holds |
|---|---|
| `definition:<hash>` | ARN of the registered task definition |
| `service:<cluster>:<name>` | the service as Create, Update or DeleteService answered |
| `target-group-arn:<name>`, `target-group:<name>` | ARN, the whole group |
| `target-group-attributes:<name>` | `[{Key, Value}]` |
| `anchor:<listener>:<port>`, `rule:<arn>` | the rule |

Tags that the call itself set are taken from its parameters: not every answer repeats them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from sluice.model import ownership
from sluice.model.actions import Action
from sluice.model.observed import Observed, ServiceId, Structure


def absorb(observed: Observed, actions: Sequence[Action], outputs: Mapping[str, Any]) -> Observed:
    """Return `observed` with the effects of `actions`, all of which took place."""
    for action in actions:
        for name in action.outputs:
            if name in outputs:
                observed = _output(observed, action, name, outputs[name])
        observed = _effect(observed, action)
    return observed


def _output(observed: Observed, action: Action, name: str, value: Any) -> Observed:  # noqa: ANN401
    kind, _, rest = name.partition(":")
    match kind:
        case "definition":
            return dataclasses.replace(observed, definitions={**observed.definitions, rest: value})
        case "service":
            cluster, _, service = rest.rpartition(":")
            key = ServiceId(cluster, service)
            before = observed.services.get(key) or {}
            tags = action.params.get("tags") or value.get("tags") or before.get("tags") or []
            return dataclasses.replace(observed, services={**observed.services, key: {**value, "tags": tags}})
        case "target-group":
            before = observed.target_groups.get(rest) or {}
            tags = before.get("Tags") or ownership.from_elb(action.params.get("Tags") or ())
            group = {"Attributes": {}, **before, **value, "Tags": tags}
            return dataclasses.replace(observed, target_groups={**observed.target_groups, rest: group})
        case "target-group-attributes":
            return _group_attributes(observed, rest, value)
        case "anchor" | "rule":
            return _rule(observed, action, value)
    return observed


def _effect(observed: Observed, action: Action) -> Observed:
    params = action.params
    match action.operation:
        case "TagResource":
            added = ownership.from_ecs(params["tags"])
            services = {
                key: {
                    **service,
                    "tags": ownership.to_ecs({**ownership.from_ecs(service.get("tags") or ()), **added}),
                }
                if service and service.get("serviceArn") == params["resourceArn"]
                else service
                for key, service in observed.services.items()
            }
            return dataclasses.replace(observed, services=services)
        case "AddTags":
            more = ownership.from_elb(params["Tags"])
            groups = {
                name: {**group, "Tags": {**group.get("Tags", {}), **more}}
                if group and group["TargetGroupArn"] in params["ResourceArns"]
                else group
                for name, group in observed.target_groups.items()
            }
            return dataclasses.replace(observed, target_groups=groups)
        case "DeregisterTaskDefinition":
            gone = params["taskDefinition"]
            return dataclasses.replace(
                observed,
                inactive=observed.inactive | {gone},
                definitions={key: arn for key, arn in observed.definitions.items() if arn != gone},
            )
        case "DeleteRule":
            rules = {
                listener: tuple(rule for rule in found if rule["RuleArn"] != params["RuleArn"])
                for listener, found in observed.rules.items()
            }
            return dataclasses.replace(observed, rules=rules)
        case "DeleteTargetGroup":
            groups = {
                name: None if group and group["TargetGroupArn"] == params["TargetGroupArn"] else group
                for name, group in observed.target_groups.items()
            }
            return dataclasses.replace(observed, target_groups=groups)
    return observed


def _group_attributes(observed: Observed, name: str, value: Any) -> Observed:  # noqa: ANN401
    group = observed.target_groups.get(name)
    if not group:
        return observed
    attributes = {**group.get("Attributes", {}), **ownership.from_elb(value)}
    return dataclasses.replace(
        observed, target_groups={**observed.target_groups, name: {**group, "Attributes": attributes}}
    )


def _rule(observed: Observed, action: Action, value: Structure) -> Observed:
    arn = value["RuleArn"]
    listener = action.params.get("ListenerArn") or next(
        (key for key, rules in observed.rules.items() if any(rule["RuleArn"] == arn for rule in rules)), ""
    )
    present = observed.rules.get(listener, ())
    old = next((rule for rule in present if rule["RuleArn"] == arn), {})
    tags = old.get("Tags") or ownership.from_elb(action.params.get("Tags") or ())
    rest = tuple(rule for rule in present if rule["RuleArn"] != arn)
    return dataclasses.replace(
        observed, rules={**observed.rules, listener: (*rest, {**old, **value, "Tags": tags})}
    )
