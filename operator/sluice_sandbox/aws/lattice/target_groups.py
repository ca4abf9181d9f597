"""Target groups and their targets; health is asked of the network when targets are listed.

Source: botocore's vpc-lattice model and its documentation strings (defaults of health checks, what a LAMBDA
group may not have, deletion refused while in use).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from sluice_sandbox.aws.lattice.desk import (
    GROUP,
    LISTENER,
    RULE,
    SERVICE,
    Desk,
    Record,
    Target,
    conflict,
    invalid,
    not_found,
)
from sluice_sandbox.aws.pages import page
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

DRAIN_SECONDS = 1.0
"""World seconds that a deregistered target is DRAINING (minutes in AWS; shortened here)."""
_CHECK = {
    "enabled": True,
    "protocol": "HTTP",
    "protocolVersion": "HTTP1",
    "path": "/",
    "healthCheckIntervalSeconds": 30,
    "healthCheckTimeoutSeconds": 5,
    "healthyThresholdCount": 5,
    "unhealthyThresholdCount": 2,
    "matcher": {"httpCode": "200"},
}


class TargetGroupCalls:
    """The calls about target groups and targets."""

    def __init__(self, desk: Desk) -> None:
        """Work on the desk's books."""
        self._desk = desk

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "CreateTargetGroup": self.create,
            "GetTargetGroup": self.get,
            "UpdateTargetGroup": self.update,
            "DeleteTargetGroup": self.delete,
            "ListTargetGroups": self.list_all,
            "RegisterTargets": self.register,
            "DeregisterTargets": self.deregister,
            "ListTargets": self.list_targets,
        }

    def create(self, caller: Caller, params: Params) -> Response:
        """Create a target group with the defaults of its type."""
        found = self._desk.repeated(caller, GROUP, params)
        if found is None:
            config = self._config(caller, params["type"], params.get("config", {}))
            spec = {"name": params["name"], "type": params["type"], "config": config}
            found = self._desk.add(caller, GROUP, spec, params=params)
        return self._shown(found)

    def _config(self, caller: Caller, kind: str, config: dict[str, Any]) -> dict[str, Any]:
        if kind == "LAMBDA":
            if set(config) - {"lambdaEventStructureVersion"}:
                raise invalid(
                    "A LAMBDA target group has no port, protocol, VPC or health check", field="config"
                )
            return {"lambdaEventStructureVersion": "V1"} | config
        for member in ("protocol", "vpcIdentifier"):
            if member not in config:
                raise invalid(f"A target group of type {kind} needs {member}", field=f"config.{member}")
        if not self._desk.estate.vpc_exists(caller, config["vpcIdentifier"]):
            raise not_found("VPC", config["vpcIdentifier"])
        defaults: dict[str, Any] = {"port": 443 if config["protocol"] == "HTTPS" else 80}
        if config["protocol"] != "TCP":
            defaults["protocolVersion"] = "HTTP1"
        if kind == "IP":
            defaults["ipAddressType"] = "IPV4"
        if kind == "ALB" and config.get("healthCheck", {}).get("enabled"):
            raise invalid("An ALB target group has no health check", field="config.healthCheck")
        enabled = config["protocol"] != "TCP" and kind != "ALB"
        check: dict[str, Any] = (_CHECK if enabled else {"enabled": False}) | config.get("healthCheck", {})
        return {**defaults, **config, "healthCheck": check}

    def get(self, caller: Caller, params: Params) -> Response:
        """Describe a target group with the services that use it."""
        found = self._desk.find(caller, GROUP, params["targetGroupIdentifier"])
        return self._shown(found) | self._desk.dated(found) | {"serviceArns": self._users(caller, found)}

    def update(self, caller: Caller, params: Params) -> Response:
        """Change the health check; what is not named stays."""
        found = self._desk.find(caller, GROUP, params["targetGroupIdentifier"])
        if "healthCheck" not in found.spec["config"]:
            raise invalid("A LAMBDA target group has no health check", field="healthCheck")
        found.spec["config"]["healthCheck"] |= params["healthCheck"]
        self._desk.touch(found)
        return self._shown(found)

    def delete(self, caller: Caller, params: Params) -> Response:
        """Delete a target group that no listener and no rule names."""
        found = self._desk.find(caller, GROUP, params["targetGroupIdentifier"])
        if self._users(caller, found):
            raise conflict(found, f"Target group {found.id} is used by a listener or rule")
        self._desk.remove(caller, found)
        return {"id": found.id, "arn": found.arn, "status": "DELETE_IN_PROGRESS"}

    def list_all(self, caller: Caller, params: Params) -> Response:
        """List target groups, of one VPC or type if asked."""
        vpc, kind = params.get("vpcIdentifier"), params.get("targetGroupType")
        found = [
            record
            for record in self._desk.books(caller).of(GROUP)
            if (not vpc or record.spec["config"].get("vpcIdentifier") == vpc)
            and (not kind or record.spec["type"] == kind)
        ]

        def show(record: Record) -> Response:
            config: Response = record.spec["config"]
            users = {"serviceArns": self._users(caller, record)}
            return {**self._shown(record), **self._desk.dated(record), **config, **users}

        return self._desk.listed(found, params, show)

    def _shown(self, record: Record) -> Response:
        return self._desk.summary(record) | record.spec | {"status": self._desk.status(record)}

    def _users(self, caller: Caller, group: Record) -> list[str]:
        """Return the ARNs of the services whose listeners or rules forward to a group."""
        books = self._desk.books(caller)
        users: dict[str, None] = {}
        for record in (*books.of(LISTENER), *books.of(RULE)):
            action = record.spec.get("defaultAction") or record.spec.get("action") or {}
            named = action.get("forward", {}).get("targetGroups", ())
            if any(item["targetGroupIdentifier"] == group.id for item in named):
                listener = record if record.kind == LISTENER else books.records[record.parent]
                users[self._desk.find(caller, SERVICE, listener.parent).arn] = None
        return list(users)

    # ---------------------------------------------------------------- targets

    def register(self, caller: Caller, params: Params) -> Response:
        """Register targets; one that cannot belong to the group is told as unsuccessful."""
        group = self._desk.find(caller, GROUP, params["targetGroupIdentifier"])
        done, failed = [], []
        for item in params["targets"]:
            port = self._port(group, item)
            problem = _problem(group, item["id"])
            if problem:
                failed.append(
                    _told(item["id"], port) | {"failureCode": "InvalidTarget", "failureMessage": problem}
                )
                continue
            group.targets[item["id"], port] = Target(id=item["id"], port=port)
            done.append(_told(item["id"], port))
        return {"successful": done, "unsuccessful": failed}

    def deregister(self, caller: Caller, params: Params) -> Response:
        """Let targets drain; one that is not registered is told as unsuccessful."""
        group = self._desk.find(caller, GROUP, params["targetGroupIdentifier"])
        done, failed = [], []
        for item in params["targets"]:
            port = self._port(group, item)
            target = group.targets.get((item["id"], port))
            if target is None:
                failed.append(
                    _told(item["id"], port)
                    | {"failureCode": "TargetNotFound", "failureMessage": "The target is not registered"}
                )
                continue
            target.drain_until = self._desk.clock.now() + DRAIN_SECONDS
            done.append(_told(item["id"], port))
        return {"successful": done, "unsuccessful": failed}

    def list_targets(self, caller: Caller, params: Params) -> Response:
        """List targets with their health, those named if any are."""
        group = self._desk.find(caller, GROUP, params["targetGroupIdentifier"])
        wanted = {(item["id"], self._port(group, item)) for item in params.get("targets", ())}
        found = [
            target for target in self._present(group) if not wanted or (target.id, target.port) in wanted
        ]
        in_use = bool(self._users(caller, group))
        chosen, token = page(
            found,
            params.get("nextToken"),
            size=params.get("maxResults", 100),
            key=lambda target: f"{target.id}:{target.port}",
            refusal=invalid("nextToken is not one that this API gave out", field="nextToken"),
        )
        items = [
            _told(target.id, target.port) | self._health(group, target, in_use=in_use) for target in chosen
        ]
        answer: Response = {"items": items}
        return answer | ({"nextToken": token} if token else {})

    def _present(self, group: Record) -> Iterator[Target]:
        now = self._desk.clock.now()
        for key, target in list(group.targets.items()):
            if target.drain_until is not None and now >= target.drain_until:
                del group.targets[key]
            else:
                yield target

    def _port(self, group: Record, item: Mapping[str, Any]) -> int | None:
        if group.spec["type"] == "LAMBDA":
            return None
        port = item.get("port", group.spec["config"]["port"])
        return int(port)

    def _health(self, group: Record, target: Target, *, in_use: bool) -> dict[str, str]:
        if target.drain_until is not None:
            return {"status": "DRAINING"}
        if not in_use:
            return {"status": "UNUSED"}
        check = group.spec["config"].get("healthCheck", {"enabled": False})
        if not check["enabled"] or target.port is None:
            return {"status": "UNAVAILABLE"}
        probe = self._desk.network.probe(
            target.id,
            check.get("port") or target.port,
            path=check["path"],
            timeout=check["healthCheckTimeoutSeconds"],
        )
        if probe.status is not None and _fits(probe.status, check["matcher"]["httpCode"]):
            return {"status": "HEALTHY"}
        reason = "Target.ResponseCodeMismatch" if probe.status is not None else "Target.Timeout"
        return {"status": "UNHEALTHY", "reasonCode": reason}


def _problem(group: Record, target_id: str) -> str:
    if group.spec["type"] == "IP":
        try:
            ipaddress.ip_address(target_id)
        except ValueError:
            return f"{target_id} is not an IP address"
    prefixes = {"LAMBDA": "arn:aws:lambda:", "INSTANCE": "i-", "ALB": "arn:aws:elasticloadbalancing:"}
    prefix = prefixes.get(group.spec["type"], "")
    return "" if target_id.startswith(prefix) else f"{target_id} does not begin with {prefix}"


def _told(target_id: str, port: int | None) -> dict[str, Any]:
    return {"id": target_id} | ({"port": port} if port is not None else {})


def _fits(status: int, codes: str) -> bool:
    """Tell whether a status is among `200`, `200,202` or `200-299`."""
    for part in codes.split(","):
        low, _, high = part.partition("-")
        if int(low) <= status <= int(high or low):
            return True
    return False
