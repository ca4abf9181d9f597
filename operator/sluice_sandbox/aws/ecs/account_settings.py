"""Account settings: kept per principal, with the account's default beneath.

The stand-in keeps and returns them; only containerInsights has an effect, on new clusters' settings
(long ARNs are the only format since 2021, whatever serviceLongArnFormat says).
"""

from __future__ import annotations

from typing import Any

from sluice_sandbox.aws.ecs import refusals
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.paging import page
from sluice_sandbox.aws.ecs.state import Scope
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

DEFAULTS = {
    "serviceLongArnFormat": "enabled",
    "taskLongArnFormat": "enabled",
    "containerInstanceLongArnFormat": "enabled",
    "awsvpcTrunking": "disabled",
    "containerInsights": "disabled",
    "fargateFIPSMode": "disabled",
    "tagResourceAuthorization": "off",
    "fargateTaskRetirementWaitPeriod": "7",
    "guardDutyActivate": "off",
    "defaultLogDriverMode": "non-blocking",
    "fargateEventWindows": "disabled",
}
"""ECS developer guide, account settings; effective values of a new account (from memory)."""
_VALUES = {
    "containerInsights": {"enabled", "disabled", "enhanced"},
    "tagResourceAuthorization": {"on", "off"},
    "fargateTaskRetirementWaitPeriod": {"0", "7", "14"},
    "guardDutyActivate": {"on", "off"},
    "defaultLogDriverMode": {"blocking", "non-blocking"},
}


MAX_PAGE = 10
MANAGED = "guardDutyActivate"
"""botocore, Setting.type: the one setting that AWS manages."""


def effective(scope: Scope, caller: Caller, name: str) -> str:
    """Return a setting as it holds for the caller: own value, the account's, AWS's."""
    settings = scope.settings
    return settings.get((caller.principal, name)) or settings.get(("", name)) or DEFAULTS[name]


class AccountSettingCalls:
    """The account-setting operations."""

    def __init__(self, core: Core) -> None:
        """Work on `core`'s state."""
        self._core = core

    def operations(self) -> dict[str, Handler]:
        """Return the handlers by operation."""
        return {
            "PutAccountSetting": self.put_account_setting,
            "PutAccountSettingDefault": self.put_account_setting_default,
            "DeleteAccountSetting": self.delete_account_setting,
            "ListAccountSettings": self.list_account_settings,
        }

    def put_account_setting(self, caller: Caller, params: Params) -> Response:
        """Set one value for a principal (the caller unless said)."""
        return self._put(caller, params, _principal(caller, params))

    def put_account_setting_default(self, caller: Caller, params: Params) -> Response:
        """Set one value for everybody without one of their own."""
        return self._put(caller, params, "")

    def delete_account_setting(self, caller: Caller, params: Params) -> Response:
        """Remove a principal's own value."""
        principal = _principal(caller, params)
        scope = self._core.scope(caller)
        scope.settings.pop((principal, params["name"]), None)
        left = scope.settings.get(("", params["name"])) or DEFAULTS[params["name"]]
        return {"setting": _setting(params["name"], left, principal or _root(caller))}

    def list_account_settings(self, caller: Caller, params: Params) -> Response:
        """List own values, or the effective ones of all settings."""
        if params.get("value") is not None and params.get("name") is None:
            # botocore: a value filters only together with a name.
            raise refusals.invalid_parameter("You must specify a setting name to filter by value.")
        principal = _principal(caller, params)
        settings = self._core.scope(caller).settings
        found: dict[str, str] = {}
        for name, default in DEFAULTS.items():
            own = settings.get((principal, name))
            if params.get("effectiveSettings"):
                found[name] = own or settings.get(("", name)) or default
            elif own is not None:
                found[name] = own
        wanted = [
            name
            for name, value in found.items()
            if params.get("name") in {None, name} and params.get("value") in {None, value}
        ]
        names, token = page(wanted, params, default=MAX_PAGE, largest=MAX_PAGE)
        shown = principal or _root(caller)
        return {"settings": [_setting(name, found[name], shown) for name in names], **token}

    def _put(self, caller: Caller, params: Params, principal: str) -> Response:
        name, value = params["name"], params["value"]
        if name == MANAGED:
            raise refusals.invalid_parameter(f"The setting {name} is managed by AWS and read-only.")
        allowed = _VALUES.get(name, {"enabled", "disabled"})
        if value not in allowed:
            raise refusals.invalid_parameter(f"Invalid value for setting {name}: {value}")
        self._core.scope(caller).settings[(principal, name)] = value
        return {"setting": _setting(name, value, principal or _root(caller))}


def _root(caller: Caller) -> str:
    return f"arn:aws:iam::{caller.account}:root"


def _principal(caller: Caller, params: Params) -> str:
    """Return whose setting a call means; the root user's is the account's default, kept under ''."""
    principal = params.get("principalArn") or caller.principal
    return "" if principal == _root(caller) else str(principal)


def _setting(name: str, value: str, principal: str) -> dict[str, Any]:
    kind = "aws_managed" if name == MANAGED else "user"
    return {"name": name, "value": value, "principalArn": principal, "type": kind}
