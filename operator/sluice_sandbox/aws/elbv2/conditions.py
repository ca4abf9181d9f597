"""Conditions and transforms of rules: what AWS refuses, and the one shape it gives back.

Source: botocore's shape RuleCondition and its configs (lengths, characters, which may repeat), the
quotas for values and wildcards per rule. Wordings: "A rule can only have '5' condition values"
(aws/aws-cdk#10065), the per-field texts as moto's tests repeat them, the others from memory.

AWS gives back host-header and path-pattern conditions with both `Values` and their config, whichever
was used to make them; a condition of regular expressions carries them in its config (from memory).
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from sluice_sandbox.aws.elbv2.desk import Quotas, validation_error

MAX_VALUE = 128
MAX_NAME = 40
MAX_REWRITE = 1024
FIELDS = ("path-pattern", "host-header", "http-header", "http-request-method", "query-string", "source-ip")
_REPEATABLE = ("http-header", "query-string")
_CONFIG = {
    "host-header": "HostHeaderConfig",
    "path-pattern": "PathPatternConfig",
    "http-header": "HttpHeaderConfig",
    "query-string": "QueryStringConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "source-ip": "SourceIpConfig",
}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST = re.compile(r"[A-Za-z0-9.*?_-]+")
_HOST_NAME = re.compile(r"[^-].*\.[A-Za-z*?]+|[*?].*|.*[*?]")
"""A dot, and letters after the last one (HostHeaderConditionConfig); wildcards may stand for both."""
_PATH = re.compile(r"[A-Za-z0-9_\-.$/~\"'@:+&*?=!,;%()#\[\]{}]+")
_TRANSFORMS = {"host-header-rewrite": "HostHeaderRewriteConfig", "url-rewrite": "UrlRewriteConfig"}
_BROADCAST = "255.255.255.255/32"
"""The one block that a rule cannot name ("Condition types for listener rules", from memory)."""

Condition = dict[str, Any]


def complete(conditions: list[Condition], *, quotas: Quotas) -> list[Condition]:
    """Return the conditions as DescribeRules gives them back, or refuse them."""
    if not conditions:
        raise validation_error("A condition must be specified")
    fields = Counter(condition.get("Field") for condition in conditions)
    for field, count in fields.items():
        if field not in _CONFIG:
            raise validation_error(f"Condition field '{field}' must be one of '[{','.join(FIELDS)}]'")
        if count > 1 and field not in _REPEATABLE:
            raise validation_error(f"A rule can only have one '{field}' condition")
    completed = [_one(condition) for condition in conditions]
    values = [text for condition in completed for text in _texts(condition)]
    limit = quotas.condition_values_per_rule
    if len(values) > limit:
        raise validation_error(f"A rule can only have '{limit}' condition values")
    wildcards = sum(text.count("*") + text.count("?") for text in values)
    if wildcards > quotas.condition_wildcards_per_rule:
        raise validation_error(
            f"A rule can only have '{quotas.condition_wildcards_per_rule}' condition wildcards"
        )
    return completed


def complete_network(conditions: list[Condition]) -> list[Condition]:
    """Return the one condition that rules of network load balancers have: the IP address type."""
    if len(conditions) != 1 or conditions[0].get("Field") != "source-ip":
        raise validation_error("Rules of network load balancers need exactly one 'source-ip' condition")
    config = conditions[0].get("SourceIpConfig") or {}
    if config.get("Values") or not config.get("IpAddressType"):
        raise validation_error(
            "The 'SourceIpConfig' of network load balancers must have an 'IpAddressType' and no 'Values'"
        )
    return [{"Field": "source-ip", "SourceIpConfig": {"IpAddressType": config["IpAddressType"]}}]


def _texts(condition: Condition) -> list[str]:
    """Return the values that count; a key and value of a query string are one."""
    config = condition[_CONFIG[condition["Field"]]]
    if config.get("RegexValues"):
        # Regular expressions have no wildcards: count them as values without any.
        return ["" for _ in config["RegexValues"]]
    if condition["Field"] == "query-string":
        return [f"{item.get('Key', '')}={item['Value']}" for item in config["Values"]]
    return list(config["Values"])


def _one(condition: Condition) -> Condition:
    field = condition["Field"]
    if condition.get("Values") and field not in ("host-header", "path-pattern"):
        raise validation_error(f"The 'Values' field is not compatible with '{field}'")
    for other, member in _CONFIG.items():
        if other != field and condition.get(member) is not None:
            raise validation_error(f"The '{member}' field is not compatible with '{field}'")
    return _COMPLETE[field](condition)


def _patterns(condition: Condition, *, allowed: re.Pattern[str]) -> Condition:
    """Complete a host-header or path-pattern condition."""
    field = condition["Field"]
    member = _CONFIG[field]
    config = condition.get(member) or {}
    if condition.get("Values") and config.get("Values"):
        raise validation_error(
            f"You cannot provide both Values and '{member}' for a condition of type '{field}'"
        )
    if len(condition.get("Values") or []) > 1:
        raise validation_error(f"The '{field}' field contains too many values; the limit is '1'")
    values = condition.get("Values") or config.get("Values") or []
    expressions = condition.get("RegexValues") or config.get("RegexValues") or []
    if expressions:
        _check_regex(field, values, expressions)
        return {"Field": field, member: {"RegexValues": expressions}}
    if not values:
        raise validation_error("A condition value must be specified")
    for value in values:
        _check_length(field, value)
        if not allowed.fullmatch(value):
            raise validation_error(f"The condition value '{value}' contains a character that is not valid")
        if field == "host-header" and not _HOST_NAME.fullmatch(value):
            raise validation_error(
                f"The condition value '{value}' is not a valid host name: "
                "it needs a '.' with only letters after the last one"
            )
    return {"Field": field, "Values": values, member: {"Values": values}}


def _host(condition: Condition) -> Condition:
    return _patterns(condition, allowed=_HOST)


def _path(condition: Condition) -> Condition:
    return _patterns(condition, allowed=_PATH)


def _header(condition: Condition) -> Condition:
    config = condition.get("HttpHeaderConfig")
    if config is None:
        raise validation_error("A 'HttpHeaderConfig' must be specified with 'http-header'")
    name = config.get("HttpHeaderName") or ""
    if len(name) > MAX_NAME:
        raise validation_error(f"The 'HttpHeaderName' value is too long; the limit is '{MAX_NAME}'")
    if not _TOKEN.fullmatch(name):
        raise validation_error(f"The 'HttpHeaderName' value '{name}' is not valid")
    if name.lower() == "host":
        raise validation_error(
            "You cannot use an 'http-header' condition for the host header; use 'host-header'"
        )
    expressions = condition.get("RegexValues") or config.get("RegexValues") or []
    values = config.get("Values") or []
    if expressions:
        _check_regex("http-header", values, expressions)
        return {
            "Field": "http-header",
            "HttpHeaderConfig": {"HttpHeaderName": name, "RegexValues": expressions},
        }
    if not values:
        raise validation_error("A condition value must be specified")
    for value in values:
        _check_length("http-header", value)
    return {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": name, "Values": values}}


def _query(condition: Condition) -> Condition:
    config = condition.get("QueryStringConfig")
    if config is None:
        raise validation_error("A 'QueryStringConfig' must be specified with 'query-string'")
    if not config.get("Values"):
        raise validation_error("A condition value must be specified")
    for item in config["Values"]:
        if "Value" not in item:
            raise validation_error("A 'Value' must be specified in 'QueryStringKeyValuePair'")
        for member in ("Key", "Value"):
            if len(item.get(member) or "") > MAX_VALUE:
                raise validation_error(f"The '{member}' value is too long; the limit is '{MAX_VALUE}'")
    return {"Field": "query-string", "QueryStringConfig": {"Values": config["Values"]}}


def _method(condition: Condition) -> Condition:
    config = condition.get("HttpRequestMethodConfig")
    if config is None:
        raise validation_error("A 'HttpRequestMethodConfig' must be specified with 'http-request-method'")
    if not config.get("Values"):
        raise validation_error("A condition value must be specified")
    for value in config["Values"]:
        if len(value) > MAX_NAME:
            raise validation_error(f"The 'http-request-method' value is too long; the limit is '{MAX_NAME}'")
        if not re.fullmatch(r"[A-Z_-]+", value):
            raise validation_error(
                "The 'http-request-method' value is invalid; "
                "the allowed characters are A-Z, hyphen and underscore"
            )
    return {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": config["Values"]}}


def _source(condition: Condition) -> Condition:
    config = condition.get("SourceIpConfig")
    if config is None:
        raise validation_error("A 'SourceIpConfig' must be specified with 'source-ip'")
    if config.get("IpAddressType"):
        raise validation_error("The 'IpAddressType' of 'source-ip' is only for network load balancers")
    if not config.get("Values"):
        raise validation_error("A 'source-ip' value must be specified")
    for value in config["Values"]:
        try:
            is_block = bool(ipaddress.ip_network(value, strict=False)) and "/" in value
        except ValueError:
            is_block = False
        if not is_block:
            raise validation_error(f"The 'source-ip' value '{value}' must be in CIDR format")
        if value == _BROADCAST:
            raise validation_error(f"The 'source-ip' value '{value}' is not allowed")
    return {"Field": "source-ip", "SourceIpConfig": {"Values": config["Values"]}}


_COMPLETE: Mapping[str, Callable[[Condition], Condition]] = {
    "host-header": _host,
    "path-pattern": _path,
    "http-header": _header,
    "query-string": _query,
    "http-request-method": _method,
    "source-ip": _source,
}


def _check_length(field: str, value: str) -> None:
    if not value:
        raise validation_error("A condition value must be specified")
    if len(value) > MAX_VALUE:
        raise validation_error(f"The '{field}' value is too long; the limit is '{MAX_VALUE}'")


def _check_regex(field: str, values: list[str], expressions: list[str]) -> None:
    if values:
        raise validation_error(f"You cannot provide both Values and RegexValues for a '{field}' condition")
    for expression in expressions:
        _check_length(field, expression)
        _compile(expression)


def _compile(expression: str) -> None:
    try:
        re.compile(expression)
    except re.error as error:
        raise validation_error(f"The regular expression '{expression}' is not valid") from error


def complete_transforms(transforms: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a rule's transforms or refuse them: at most one of each type, one rewrite each."""
    kinds = Counter(transform["Type"] for transform in transforms)
    for kind, count in kinds.items():
        if count > 1:
            raise validation_error(f"A rule can only have one '{kind}' transform")
    for transform in transforms:
        member = _TRANSFORMS[transform["Type"]]
        for other in _TRANSFORMS.values():
            if other != member and transform.get(other) is not None:
                raise validation_error(f"The '{other}' field is not compatible with '{transform['Type']}'")
        rewrites = (transform.get(member) or {}).get("Rewrites") or []
        if len(rewrites) != 1:
            raise validation_error(f"'{member}' must have exactly one rewrite")
        for rewrite in rewrites:
            if max(len(rewrite["Regex"]), len(rewrite["Replace"])) > MAX_REWRITE:
                raise validation_error(f"A rewrite is too long; the limit is '{MAX_REWRITE}'")
            _compile(rewrite["Regex"])
    return transforms
