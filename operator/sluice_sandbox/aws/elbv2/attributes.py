"""Attributes of load balancers, listeners and target groups: how they are checked, changed and shown.

Which there are, and their defaults, is in `attribute_tables`. Wordings: "... must be between
'0-3600' inclusive" and the stickiness texts as public clients repeat them (moto's tests); the other
texts are from memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sluice_sandbox.aws.elbv2.desk import invalid_configuration, validation_error

NO_DEFAULT = "\0"
"""Marks an attribute that is only listed once it was set."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: its default, and either its choices or its integer range."""

    default: str
    choices: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None

    def problem(self, key: str, value: str) -> str:
        """Return why `value` is refused, '' when it is accepted."""
        if self.choices and value in self.choices:
            return ""
        if self.low is not None:
            if re.fullmatch(r"-?\d+", value) and self.low <= int(value) <= (self.high or self.low):
                return ""
            return f"'{key}' value '{value}' must be between '{self.low}-{self.high}' inclusive"
        if self.choices:
            return f"'{key}' value '{value}' must be one of [{', '.join(self.choices)}]"
        return ""


_RESERVED_COOKIES = ("AWSALB", "AWSALBAPP", "AWSALBTG")


def defaults(table: Mapping[str, Attribute]) -> dict[str, str]:
    """Return the attributes a new resource shows."""
    return {key: item.default for key, item in table.items() if item.default != NO_DEFAULT}


def changes(noun: str, table: Mapping[str, Attribute], given: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the attributes to set, or refuse the whole call: nothing is applied by halves.

    An unknown key is InvalidConfigurationRequest, a value out of range ValidationError, a key named
    twice ValidationError.
    """
    wanted: dict[str, str] = {}
    for item in given:
        key, value = item.get("Key", ""), item.get("Value", "")
        if key not in table:
            raise invalid_configuration(f"{noun} attribute key '{key}' is not recognized")
        if key in wanted:
            raise validation_error(f"{noun} attribute key '{key}' was specified more than once")
        problem = table[key].problem(key, value)
        if problem:
            raise validation_error(problem)
        wanted[key] = value
    return wanted


def check_load_balancer(current: Mapping[str, str]) -> None:
    """Refuse logs without a bucket to write them to."""
    for key, value in current.items():
        if not key.endswith("_logs.s3.enabled") or value != "true":
            continue
        bucket = key.removesuffix("enabled") + "bucket"
        if not current[bucket]:
            raise invalid_configuration(f"'{bucket}' must be specified when '{key}' is 'true'")


def check_target_group(current: Mapping[str, str]) -> None:
    """Refuse combinations of target group attributes that contradict each other.

    Only the attributes that its kind of group has are compared.
    """
    terminates = "target_health_state.unhealthy.connection_termination.enabled"
    interval = "target_health_state.unhealthy.draining_interval_seconds"
    if current.get(terminates) == "true" and current.get(interval, "0") != "0":
        raise invalid_configuration(f"'{interval}' can only be set while '{terminates}' is 'false'")
    if "load_balancing.algorithm.type" not in current:
        return
    if (
        current["load_balancing.algorithm.anomaly_mitigation"] == "on"
        and current["load_balancing.algorithm.type"] != "weighted_random"
    ):
        raise invalid_configuration(
            "Anomaly mitigation is only available with the 'weighted_random' routing algorithm"
        )
    name = current["stickiness.app_cookie.cookie_name"]
    if any(name.upper().startswith(reserved) for reserved in _RESERVED_COOKIES):
        raise validation_error(f"The application cookie name '{name}' is reserved")
    is_app_cookie = current["stickiness.enabled"] == "true" and current["stickiness.type"] == "app_cookie"
    if is_app_cookie and not name:
        raise invalid_configuration(
            "You must set an application cookie name to enable stickiness of type 'app_cookie'"
        )
    if (
        current["slow_start.duration_seconds"] != "0"
        and current["load_balancing.algorithm.type"] != "round_robin"
    ):
        raise invalid_configuration(
            "You cannot use slow start mode with the "
            f"'{current['load_balancing.algorithm.type']}' routing algorithm"
        )


def shown(attributes: Mapping[str, str]) -> list[dict[str, str]]:
    """Return attributes in the API's shape, ordered by key."""
    return [{"Key": key, "Value": attributes[key]} for key in sorted(attributes)]
