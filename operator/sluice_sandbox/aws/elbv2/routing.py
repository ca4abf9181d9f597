r"""Which rule a request meets, and which target group of a rule gets it: pure, no sockets, no state.

Used alike by the HTTP proxy and by simulated traffic. Sources: botocore's condition configs (host,
header and query string compared without case, path and method with it; `*` and `?`; a `\` escapes
them in query strings), "Listener rules for your Application Load Balancer". From memory: the port
of a Host header is ignored, regular expressions are searched (not anchored) and follow Python's
syntax here, a rule whose weights are all 0 answers 503. A header that came more than once is searched
value by value (botocore's HttpHeaderConditionConfig).
"""

from __future__ import annotations

import ipaddress
import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sluice_sandbox.aws.elbv2.state import Rule
from sluice_sandbox.aws.ports import HttpRequest

Predicate = Callable[[HttpRequest], bool]
"""Tells whether a request (its header names in lower case) meets a condition."""

DEFAULT_LAST = 50_001


def match(rules: Sequence[Rule], request: HttpRequest) -> Rule | None:
    """Return the first rule in order of priority that the request meets, the default rule last.

    None when there is no default rule among `rules` and nothing else matches.
    """
    return first(table(rules), normalised(request))


def table(rules: Sequence[Rule]) -> list[tuple[Predicate, Rule]]:
    """Compile rules in order of priority; worth keeping while the rules stay as they are."""
    ordered = sorted(rules, key=lambda rule: DEFAULT_LAST if rule.priority is None else rule.priority)
    return [(_all([condition(item) for item in rule.conditions]), rule) for rule in ordered]


def first(compiled: Sequence[tuple[Predicate, Rule]], request: HttpRequest) -> Rule | None:
    """Return the first rule of a compiled table that a normalised request meets."""
    for predicate, rule in compiled:
        if predicate(request):
            return rule
    return None


def normalised(request: HttpRequest) -> HttpRequest:
    """Return the request with its header names in lower case."""
    if all(name == name.lower() for name in request.headers):
        return request
    return HttpRequest(
        host=request.host,
        path=request.path,
        method=request.method,
        query=request.query,
        headers={name.lower(): value for name, value in request.headers.items()},
        source_ip=request.source_ip,
        repeated={name.lower(): values for name, values in request.repeated.items()},
    )


def pick_group(forward: Mapping[str, Any], rng: random.Random, *, sticky_to: str | None = None) -> str | None:
    """Return the ARN of the target group that a forward action gives a request to.

    `sticky_to` is the group that the client's cookie names: it wins while stickiness is on and the
    group is still among the action's groups, whatever its weight. None when all weights are 0.
    """
    entries = forward["TargetGroups"]
    stickiness = forward.get("TargetGroupStickinessConfig") or {}
    if (
        sticky_to
        and stickiness.get("Enabled")
        and any(item["TargetGroupArn"] == sticky_to for item in entries)
    ):
        return sticky_to
    if len(entries) == 1:
        # The lone group of a rule gets everything unless its weight was set to 0.
        return str(entries[0]["TargetGroupArn"]) if entries[0]["Weight"] else None
    total = sum(item["Weight"] for item in entries)
    if not total:
        return None
    point = rng.random() * total
    for item in entries:
        point -= item["Weight"]
        if point < 0:
            return str(item["TargetGroupArn"])
    return str(entries[-1]["TargetGroupArn"])


def rewritten(transforms: Sequence[Mapping[str, Any]], *, host: str, target: str) -> tuple[str, str]:
    """Return host and request target (path with query) after a rule's transforms.

    A rewrite replaces the first match of its regular expression; `$1` names a group.
    """
    for transform in transforms:
        config = transform.get("HostHeaderRewriteConfig") or transform.get("UrlRewriteConfig") or {}
        for rewrite in config.get("Rewrites") or []:
            replacement = re.sub(r"\$(\d)", r"\\\1", rewrite["Replace"].replace("\\", "\\\\"))
            if transform["Type"] == "host-header-rewrite":
                host = re.sub(rewrite["Regex"], replacement, host, count=1)
            else:
                target = re.sub(rewrite["Regex"], replacement, target, count=1)
    return host, target


def condition(item: Mapping[str, Any]) -> Predicate:
    """Compile one completed condition."""
    return _COMPILE[item["Field"]](item)


def _all(predicates: list[Predicate]) -> Predicate:
    if len(predicates) == 1:
        return predicates[0]
    return lambda request: all(predicate(request) for predicate in predicates)


def _wildcards(pattern: str, *, ignore_case: bool) -> re.Pattern[str]:
    parts = []
    escaped = False
    for character in pattern:
        if escaped:
            parts.append(re.escape(character))
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            parts.append({"*": ".*", "?": "."}.get(character) or re.escape(character))
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _expressions(config: Mapping[str, Any], *, ignore_case: bool) -> Callable[[str], bool]:
    """Compile the values of a config, wildcards or regular expressions, to one test of a string."""
    if config.get("RegexValues"):
        flags = re.IGNORECASE if ignore_case else 0
        searches = [re.compile(expression, flags).search for expression in config["RegexValues"]]
        return lambda text: any(search(text) for search in searches)
    values = config["Values"]
    if not any(character in value for value in values for character in "*?\\"):
        if ignore_case:
            plain = frozenset(value.lower() for value in values)
            return lambda text: text.lower() in plain
        exact = frozenset(values)
        return lambda text: text in exact
    matches = [_wildcards(value, ignore_case=ignore_case).fullmatch for value in values]
    return lambda text: any(fullmatch(text) for fullmatch in matches)


def _host(item: Mapping[str, Any]) -> Predicate:
    test = _expressions(item["HostHeaderConfig"], ignore_case=True)
    return lambda request: test(_without_port(request.host))


def _without_port(host: str) -> str:
    name, separator, port = host.rpartition(":")
    return name if separator and port.isdigit() else host


def _path(item: Mapping[str, Any]) -> Predicate:
    test = _expressions(item["PathPatternConfig"], ignore_case=False)
    return lambda request: test(request.path)


def _header(item: Mapping[str, Any]) -> Predicate:
    config = item["HttpHeaderConfig"]
    name = config["HttpHeaderName"].lower()
    test = _expressions(config, ignore_case=True)

    def predicate(request: HttpRequest) -> bool:
        if name in request.repeated:
            return any(test(value) for value in request.repeated[name])
        value = request.headers.get(name)
        return value is not None and test(value)

    return predicate


def _query(item: Mapping[str, Any]) -> Predicate:
    pairs = [
        (
            _wildcards(pair["Key"], ignore_case=True).fullmatch if pair.get("Key") else None,
            _wildcards(pair["Value"], ignore_case=True).fullmatch,
        )
        for pair in item["QueryStringConfig"]["Values"]
    ]

    def predicate(request: HttpRequest) -> bool:
        return any(
            value_matches(value) and (key_matches is None or key_matches(key))
            for key, value in request.query
            for key_matches, value_matches in pairs
        )

    return predicate


def _method(item: Mapping[str, Any]) -> Predicate:
    methods = frozenset(item["HttpRequestMethodConfig"]["Values"])
    return lambda request: request.method in methods


def _source(item: Mapping[str, Any]) -> Predicate:
    blocks = [ipaddress.ip_network(value, strict=False) for value in item["SourceIpConfig"]["Values"]]

    def predicate(request: HttpRequest) -> bool:
        try:
            address = ipaddress.ip_address(request.source_ip)
        except ValueError:
            return False
        return any(address in block for block in blocks)

    return predicate


_COMPILE: Mapping[str, Callable[[Mapping[str, Any]], Predicate]] = {
    "host-header": _host,
    "path-pattern": _path,
    "http-header": _header,
    "query-string": _query,
    "http-request-method": _method,
    "source-ip": _source,
}
