"""Listeners and their rules: matches, priorities, weighted forwards.

Source: botocore's vpc-lattice model and its documentation strings. A listener's default action is shown as a
default rule, which only UpdateListener changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.lattice.desk import GROUP, LISTENER, RULE, SERVICE, Desk, Record, conflict, invalid
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

_PORTS = {"HTTP": 80, "HTTPS": 443, "TLS_PASSTHROUGH": 443}
_ONE_GROUP_WEIGHT = 100
"""botocore: the default weight where only one target group is named."""


class ListenerCalls:
    """The calls about listeners and rules."""

    def __init__(self, desk: Desk) -> None:
        """Work on the desk's books."""
        self._desk = desk

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "CreateListener": self.create,
            "GetListener": self.get,
            "UpdateListener": self.update,
            "DeleteListener": self.delete,
            "ListListeners": self.list_all,
            "CreateRule": self.create_rule,
            "GetRule": self.get_rule,
            "UpdateRule": self.update_rule,
            "BatchUpdateRule": self.batch_update,
            "DeleteRule": self.delete_rule,
            "ListRules": self.list_rules,
        }

    # -------------------------------------------------------------- listeners

    def create(self, caller: Caller, params: Params) -> Response:
        """Create a listener on a free port of a service, with its default rule."""
        service = self._desk.find(caller, SERVICE, params["serviceIdentifier"])
        found = self._desk.repeated(caller, LISTENER, params)
        if found is None:
            protocol = params["protocol"]
            port = params.get("port", _PORTS[protocol])
            for other in self._desk.books(caller).of(LISTENER, parent=service.id):
                if other.spec["port"] == port:
                    raise conflict(other, f"Port {port} is already in use by a listener of the service")
            action = self._action(caller, params["defaultAction"], "defaultAction")
            if protocol == "TLS_PASSTHROUGH" and "forward" not in action:
                raise invalid("A TLS_PASSTHROUGH listener forwards", field="defaultAction")
            spec = {
                "name": params["name"],
                "protocol": protocol,
                "port": port,
                "defaultAction": action,
                "serviceId": service.id,
                "serviceArn": service.arn,
            }
            found = self._desk.add(caller, LISTENER, spec, params=params, parent=service)
            default = {"name": "default", "isDefault": True, "action": action}
            self._desk.add(caller, RULE, default, params={}, parent=found)
        return self._desk.summary(found) | found.spec

    def get(self, caller: Caller, params: Params) -> Response:
        """Describe a listener."""
        found = self._listener(caller, params)
        return self._desk.dated(found) | found.spec

    def update(self, caller: Caller, params: Params) -> Response:
        """Change the default action."""
        found = self._listener(caller, params)
        action = self._action(caller, params["defaultAction"], "defaultAction")
        found.spec["defaultAction"] = action
        self._desk.touch(found)
        for rule in self._desk.books(caller).of(RULE, parent=found.id):
            if rule.spec["isDefault"]:
                rule.spec["action"] = action
                self._desk.touch(rule)
        return self._desk.summary(found) | found.spec

    def delete(self, caller: Caller, params: Params) -> Response:
        """Delete a listener with its rules."""
        self._desk.remove(caller, self._listener(caller, params))
        return {}

    def list_all(self, caller: Caller, params: Params) -> Response:
        """List a service's listeners."""
        service = self._desk.find(caller, SERVICE, params["serviceIdentifier"])
        found = list(self._desk.books(caller).of(LISTENER, parent=service.id))
        return self._desk.listed(found, params, lambda record: self._desk.dated(record) | record.spec)

    def _listener(self, caller: Caller, params: Params) -> Record:
        service = self._desk.find(caller, SERVICE, params["serviceIdentifier"])
        return self._desk.find(caller, LISTENER, params["listenerIdentifier"], parent=service.id)

    # ------------------------------------------------------------------ rules

    def create_rule(self, caller: Caller, params: Params) -> Response:
        """Create a rule of a free priority."""
        listener = self._listener(caller, params)
        found = self._desk.repeated(caller, RULE, params)
        if found is None:
            if listener.spec["protocol"] == "TLS_PASSTHROUGH":
                raise invalid("A TLS_PASSTHROUGH listener has no rules", field="listenerIdentifier")
            self._check_priority(caller, listener, params["priority"])
            spec = {
                "name": params["name"],
                "isDefault": False,
                "priority": params["priority"],
                "match": _match(params["match"]),
                "action": self._action(caller, params["action"], "action"),
            }
            found = self._desk.add(caller, RULE, spec, params=params, parent=listener)
        return self._desk.summary(found) | found.spec

    def get_rule(self, caller: Caller, params: Params) -> Response:
        """Describe a rule."""
        found = self._rule(caller, params)
        return self._desk.dated(found) | found.spec

    def update_rule(self, caller: Caller, params: Params) -> Response:
        """Change match, priority or action; what is not named stays."""
        found = self._rule(caller, params)
        self._update(caller, self._listener(caller, params), found, params)
        return self._desk.summary(found) | found.spec

    def batch_update(self, caller: Caller, params: Params) -> Response:
        """Change several rules; each is told as successful or not. Priorities may be swapped."""
        listener = self._listener(caller, params)
        named = {item["ruleIdentifier"].rsplit("/", 1)[-1] for item in params["rules"]}
        done, failed = [], []
        for item in params["rules"]:
            try:
                rule = self._desk.find(caller, RULE, item["ruleIdentifier"], parent=listener.id)
                self._update(caller, listener, rule, item, but=named)
                done.append(self._desk.summary(rule) | rule.spec)
            except AwsError as error:
                failed.append(
                    {
                        "ruleIdentifier": item["ruleIdentifier"],
                        "failureCode": error.code,
                        "failureMessage": error.message,
                    }
                )
        return {"successful": done, "unsuccessful": failed}

    def _update(
        self, caller: Caller, listener: Record, rule: Record, params: Params, *, but: set[str] | None = None
    ) -> None:
        if rule.spec["isDefault"]:
            raise invalid("You can't modify a default rule; use UpdateListener", field="ruleIdentifier")
        changes: dict[str, Any] = {}
        if "priority" in params:
            self._check_priority(caller, listener, params["priority"], but=(but or set()) | {rule.id})
            changes["priority"] = params["priority"]
        if "match" in params:
            changes["match"] = _match(params["match"])
        if "action" in params:
            changes["action"] = self._action(caller, params["action"], "action")
        rule.spec |= changes
        self._desk.touch(rule)

    def delete_rule(self, caller: Caller, params: Params) -> Response:
        """Delete a rule; not the default one."""
        found = self._rule(caller, params)
        if found.spec["isDefault"]:
            raise invalid("You can't delete a default rule", field="ruleIdentifier")
        self._desk.remove(caller, found)
        return {}

    def list_rules(self, caller: Caller, params: Params) -> Response:
        """List a listener's rules by priority, the default rule last."""
        listener = self._listener(caller, params)
        found = sorted(
            self._desk.books(caller).of(RULE, parent=listener.id),
            key=lambda rule: rule.spec.get("priority", 10_000),
        )
        return self._desk.listed(found, params, lambda record: self._desk.dated(record) | record.spec)

    def _rule(self, caller: Caller, params: Params) -> Record:
        listener = self._listener(caller, params)
        return self._desk.find(caller, RULE, params["ruleIdentifier"], parent=listener.id)

    def _check_priority(
        self, caller: Caller, listener: Record, priority: int, *, but: set[str] | None = None
    ) -> None:
        for other in self._desk.books(caller).of(RULE, parent=listener.id):
            if other.id not in (but or ()) and other.spec.get("priority") == priority:
                raise conflict(other, f"Priority {priority} is in use by another rule of the listener")

    def _action(self, caller: Caller, action: dict[str, Any], field: str) -> dict[str, Any]:
        """Return an action with its target groups by id and the default weight filled in."""
        if "forward" not in action:
            return action
        groups = []
        for item in action["forward"]["targetGroups"]:
            group = self._desk.find(caller, GROUP, item["targetGroupIdentifier"])
            groups.append(
                {"targetGroupIdentifier": group.id, "weight": item.get("weight", _ONE_GROUP_WEIGHT)}
            )
        ids = [group["targetGroupIdentifier"] for group in groups]
        if len(set(ids)) < len(ids):
            raise invalid("A target group is named twice", field=f"{field}.forward.targetGroups")
        return {"forward": {"targetGroups": groups}}


def _match(match: dict[str, Any]) -> dict[str, Any]:
    http = match.get("httpMatch", {})
    if not http.get("method") and not http.get("pathMatch") and not http.get("headerMatches"):
        raise invalid("A rule matches on a method, a path or headers", field="match")
    return match
