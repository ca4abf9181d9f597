"""Wishes, services and answers to write tables with: small, complete, and all alike but for what is said."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jmespath

from sluice.apply.executor import resolved
from sluice.model import ownership
from sluice.model.actions import Action
from sluice.model.desired import Backend, Desired, Port, Strategy
from sluice.model.keys import DEPLOYMENT, Key
from sluice.model.names import family_name, service_name
from sluice.model.observed import Observed, ServiceId
from sluice.plan.deployment import revision
from sluice.plan.deployment.absorb import absorb
from sluice.plan.deployment.planner import DeploymentPlan, plan
from sluice.plan.deployment.state import State

NOW = 1_800_000_000.0
KEY = Key(DEPLOYMENT, "shop", "web")
OTHER = Key(DEPLOYMENT, "shop", "other")
INSTALLATION = "test"
ARN = "arn:aws:ecs:eu-west-1:111122223333"
ELB = "arn:aws:elasticloadbalancing:eu-west-1:111122223333"
BALANCER = f"{ELB}:loadbalancer/app/public/1"
LISTENER = f"{ELB}:listener/app/public/1/80"
OTHER_BALANCER = f"{ELB}:loadbalancer/app/internal/2"
OTHER_LISTENER = f"{ELB}:listener/app/internal/2/80"
SERVICE = service_name(INSTALLATION, KEY, slot="a", ordinal=1)
PLACE = ServiceId("main", SERVICE)
HTTP = Port(
    name="http",
    container_name="app",
    container_port=8080,
    health_check={"HealthCheckPath": "/healthz", "HealthCheckIntervalSeconds": 10},
    attributes={"deregistration_delay.timeout_seconds": "30"},
)
BACKEND = Backend(
    port="http",
    listener_arn=LISTENER,
    load_balancer_arn=BALANCER,
    vpc_id="vpc-1",
    priorities=(1, 50_000),
)


def desired(
    *,
    image: str = "web:1",
    restarted_at: str = "",
    ports: tuple[Port, ...] = (HTTP,),
    service: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Desired:
    """Return a wish: two tasks of `image` in cluster `main`, no route."""
    own = revision.make(
        deployment=KEY.name,
        definition={
            "networkMode": "awsvpc",
            "containerDefinitions": [
                {"name": "app", "image": image, "portMappings": [{"containerPort": 8080}]}
            ],
        },
        service={
            "launchType": "FARGATE",
            "platformVersion": "LATEST",
            "enableExecuteCommand": False,
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1", "subnet-2"]}},
            **(service or {}),
        },
        ports=ports,
        restarted_at=restarted_at,
    )
    wish = Desired(
        key=KEY,
        uid="uid-1",
        installation=INSTALLATION,
        generation=1,
        family=family_name(INSTALLATION, KEY),
        revision=own,
        spec_revision=own.name,
        cluster="main",
        settings={
            "schedulingStrategy": "REPLICA",
            "propagateTags": "SERVICE",
            "healthCheckGracePeriodSeconds": 0,
        },
        tags={"app": "web"},
        replicas=2,
        strategy=Strategy(),
    )
    return dataclasses.replace(wish, **changes)


def answer(action: Action, params: Mapping[str, Any], seen: Observed) -> dict[str, Any]:
    """Return what AWS would answer to an action, as far as the planner looks."""
    found: dict[str, Any] = {}
    match action.operation:
        case "RegisterTaskDefinition":
            digest = ownership.from_ecs(params["tags"])[ownership.DEFINITION_HASH]
            found = {
                "taskDefinition": {"taskDefinitionArn": f"{ARN}:task-definition/{params['family']}:{digest}"}
            }
        case "CreateService" | "UpdateService":
            name = params.get("serviceName") or params["service"]
            before = seen.services.get(ServiceId(params["cluster"], name)) or {}
            found = {"service": service(params, before=before)}
        case "DeleteService":
            before = seen.services[ServiceId(params["cluster"], params["service"])] or {}
            found = {"service": {**before, "status": "DRAINING", "desiredCount": 0}}
        case "CreateTargetGroup":
            group = {name: value for name, value in params.items() if name not in ("Name", "Tags")}
            arn = f"{ELB}:targetgroup/{params['Name']}/1"
            found = {"TargetGroups": [{**group, "TargetGroupName": params["Name"], "TargetGroupArn": arn}]}
        case "ModifyTargetGroup":
            found = {"TargetGroups": [dict(params)]}
        case "ModifyTargetGroupAttributes":
            found = {"Attributes": params["Attributes"]}
        case "CreateRule":
            arn = f"{params['ListenerArn']}/{params['Priority']}".replace(":listener/", ":listener-rule/")
            rule = {name: params[name] for name in ("Conditions", "Actions")}
            found = {"Rules": [{**rule, "RuleArn": arn, "Priority": str(params["Priority"])}]}
        case "ModifyRule":
            found = {"Rules": [dict(params)]}
    return found


def service(params: Mapping[str, Any], *, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the service that Create or UpdateService with `params` leads to, steady at once."""
    name = params.get("serviceName") or params.get("service") or SERVICE
    members = {key: value for key, value in params.items() if key not in _CALL_ONLY}
    base = {
        "serviceName": name,
        "serviceArn": f"{ARN}:service/{params.get('cluster', 'main')}/{name}",
        "status": "ACTIVE",
        "pendingCount": 0,
        "loadBalancers": [],
        **(before or {}),
        **members,
    }
    count = int(base.get("desiredCount", 0))
    number = str(int(str((before or {}).get("deployments_made", "0")) or 0) + 1)
    old = (before or {}).get("deployments") or [{}]
    moved = any(member in params for member in _STARTS) or "forceNewDeployment" in params
    deployment = {
        "id": f"ecs-svc/{number}" if moved else old[0].get("id", ""),
        "status": "PRIMARY",
        "taskDefinition": base["taskDefinition"],
        "desiredCount": count,
        "runningCount": count,
        "rolloutState": "COMPLETED",
    }
    return {**base, "runningCount": count, "deployments": [deployment], "deployments_made": number}


_CALL_ONLY = frozenset({"cluster", "service", "clientToken", "forceNewDeployment"})
_STARTS = frozenset({"taskDefinition", "networkConfiguration", "loadBalancers", "platformVersion"})


def carry_out(seen: Observed, actions: Sequence[Action]) -> Observed:
    """Return what is seen after `actions` were answered one after the other."""
    outputs: dict[str, Any] = {}
    for action in actions:
        params = resolved(action.params, outputs)
        response = answer(action, params, seen)
        found = {name: jmespath.search(path, response) for name, path in action.outputs.items()}
        outputs |= found
        seen = absorb(seen, [dataclasses.replace(action, params=params)], found)
    return seen


def converge(
    wish: Desired, *, state: State | None = None, seen: Observed | None = None, now: float = NOW
) -> tuple[DeploymentPlan, Observed]:
    """Plan and carry out until nothing is left to do; at most ten rounds."""
    present, observed = state or State(), seen or Observed(rules={LISTENER: (), OTHER_LISTENER: ()})
    for _ in range(10):
        done = plan(wish, observed, present, now=now)
        if not done.actions:
            return done, observed
        observed = carry_out(observed, done.actions)
        present = State.read(done.status)
    raise AssertionError(f"no fixpoint: {[action.operation for action in done.actions]}")


def tagged(key: Key = KEY, *, role: str = "", **more: str) -> dict[str, str]:
    """Return the tags with which `key` owns something."""
    return ownership.owner_tags(INSTALLATION, key, role=role, uid="uid-1") | more
