"""Matches to ALB rule conditions: folded where one rule can say it, split where it cannot.

An ALB rule may have five condition values in all (elastic load balancing quotas, "Condition values
per rule"). Values of one condition are ORed, conditions are ANDed, so hostnames, paths and source
addresses can be spread over several rules with equal actions; headers, query parameters and method
belong to each of them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sluice.model.errors import Refused
from sluice.plan.route.intent import (
    HostClass,
    Match,
    PathType,
    RouteIntent,
    RuleIntent,
    host_class,
    precedence,
)

VALUES_PER_RULE: Final = 5
_SPECIAL: Final = frozenset("*?\\")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlbMatch:
    """The conditions of one ALB rule, and where it has to stand."""

    conditions: tuple[Mapping[str, Any], ...]
    precedence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folded:
    """Matches that differ in their paths or methods alone and so share rules."""

    paths: tuple[tuple[PathType, str], ...]
    methods: tuple[str, ...]
    sample: Match


def alb_matches(route: RouteIntent, rule: RuleIntent, *, index: int) -> tuple[AlbMatch, ...]:
    """Return the ALB rules that cover exactly the product of the hostnames and the rule's matches.

    `index` is the rule's place in the route. Raises Refused(InvalidSpec) when a single combination
    needs more than five values.
    """
    found: list[AlbMatch] = []
    matches = rule.matches or (Match(),)
    for hosts_class, hosts in _by_class(route.hostnames):
        for number, folded in enumerate(_fold(matches)):
            rank = precedence(
                folded.sample,
                host=hosts_class,
                longest_host=max((len(host) for host in hosts), default=0),
                age=route.age,
                order=f"{index:03d}.{number:03d}",
            )
            found += [
                AlbMatch(conditions=conditions, precedence=rank)
                for conditions in _spread(folded, hosts, where=f"spec.rules[{rule.name}]")
            ]
    return tuple(found)


def _by_class(hostnames: Sequence[str]) -> list[tuple[HostClass, tuple[str, ...]]]:
    if not hostnames:
        return [("none", ())]
    ordered = sorted(set(hostnames), key=lambda host: (host_class(host), -len(host), host))
    # Wildcards of different length differ in precedence; exact names do not overlap.
    groups = itertools.groupby(ordered, key=lambda host: (host_class(host), "*" in host and len(host)))
    return [(kind, tuple(group)) for (kind, _), group in groups]


def _fold(matches: Iterable[Match]) -> list[_Folded]:
    groups: dict[tuple[object, ...], list[Match]] = {}
    for match in dict.fromkeys(matches):
        path = match.path or ("PathPrefix", "/")
        signature = (
            path[0],
            len(path[1]),
            bool(match.method),
            frozenset(match.headers),
            frozenset(match.regex_headers),
            frozenset(match.query),
            frozenset(match.source_ips),
        )
        groups.setdefault(signature, []).append(replace(match, path=path))
    return [folded for group in groups.values() for folded in _rectangles(group)]


def _rectangles(group: Sequence[Match]) -> list[_Folded]:
    """Fold methods per path first, then the paths that have equal methods: exact products only."""
    methods: dict[tuple[PathType, str], set[str]] = {}
    for match in group:
        assert match.path is not None  # noqa: S101 - _fold has filled it
        methods.setdefault(match.path, set()).add(match.method)
    paths: dict[tuple[str, ...], list[tuple[PathType, str]]] = {}
    for path, allowed in methods.items():
        paths.setdefault(tuple(sorted(allowed - {""})), []).append(path)
    return [_Folded(paths=tuple(same), methods=allowed, sample=group[0]) for allowed, same in paths.items()]


def _spread(folded: _Folded, hosts: Sequence[str], *, where: str) -> list[tuple[Mapping[str, Any], ...]]:
    sample = folded.sample
    fixed = [
        *(_header(name, Values=[literal(value)]) for name, value in sorted(sample.headers)),
        *(_header(name, RegexValues=[value]) for name, value in sorted(sample.regex_headers)),
        *(
            {
                "Field": "query-string",
                "QueryStringConfig": {"Values": [{"Key": literal(key), "Value": literal(value)}]},
            }
            for key, value in sorted(sample.query)
        ),
    ]
    regex = folded.paths[0][0] == "RegularExpression"
    paths = [value for path in folded.paths for value in _path_values(*path)]
    if paths == ["/*"] and (hosts or fixed or folded.methods or sample.source_ips):
        paths = []  # any path is no condition at all, unless a rule would be left without one
    dimensions: list[tuple[str, Sequence[str]]] = [
        ("hosts", sorted(hosts)),
        ("paths", paths),
        ("methods", folded.methods),
        ("sources", sorted(sample.source_ips)),
    ]
    used = [(name, values) for name, values in dimensions if values]
    sizes = _sizes([len(values) for _, values in used], room=VALUES_PER_RULE - len(fixed))
    if sizes is None:
        needed = len(fixed) + len(used)
        raise Refused(
            "InvalidSpec",
            f"{where}: one match needs {needed} condition values ({len(fixed)} for headers and query"
            f" parameters, one each for {', '.join(name for name, _ in used)}), an ALB rule has"
            f" {VALUES_PER_RULE}; use fewer headers or query parameters",
        )
    chunked = [
        [(name, tuple(values[at : at + size])) for at in range(0, len(values), size)]
        for (name, values), size in zip(used, sizes, strict=True)
    ]
    return [
        tuple(_condition(name, values, regex=regex) for name, values in combination) + tuple(fixed)
        for combination in itertools.product(*chunked)
    ]


def _header(name: str, **values: list[str]) -> dict[str, Any]:
    return {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": name} | values}


def _sizes(lengths: Sequence[int], *, room: int) -> tuple[int, ...] | None:
    """Return the chunk size per dimension that fits in `room` values with the fewest rules."""
    options = itertools.product(*(range(1, length + 1) for length in lengths))
    fitting = [sizes for sizes in options if sum(sizes) <= room]
    if not fitting:
        return None
    return min(
        fitting,
        key=lambda sizes: (
            math.prod(math.ceil(n / size) for n, size in zip(lengths, sizes, strict=True)),
            sizes,
        ),
    )


def _path_values(kind: PathType, value: str) -> list[str]:
    if kind == "RegularExpression":
        return [value]
    if kind == "Exact":
        return [literal(value)]
    if value == "/":
        return ["/*"]
    prefix = literal(value.rstrip("/"))
    return [prefix, f"{prefix}/*"]


def literal(value: str) -> str:
    """Refuse the wildcards of ALB patterns in a value that is meant as it stands.

    ALB escapes `*` and `?` with a backslash in path patterns only; a value that needs it is rare
    enough to be asked for as a regular expression instead.
    """
    if _SPECIAL & set(value):
        raise Refused(
            "InvalidSpec",
            f"the value {value!r} contains *, ? or \\, which are wildcards of ALB conditions;"
            " use a RegularExpression path or another value",
        )
    return value


def _condition(name: str, values: Sequence[str], *, regex: bool) -> dict[str, Any]:
    match name:
        case "hosts":
            return {"Field": "host-header", "HostHeaderConfig": {"Values": list(values)}}
        case "paths":
            member = "RegexValues" if regex else "Values"
            return {"Field": "path-pattern", "PathPatternConfig": {member: list(values)}}
        case "methods":
            return {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": list(values)}}
        case _:
            return {"Field": "source-ip", "SourceIpConfig": {"Values": list(values)}}


_CONFIGS: Final = {
    "host-header": "HostHeaderConfig",
    "path-pattern": "PathPatternConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}


def values_in(conditions: Iterable[Mapping[str, Any]]) -> int:
    """Return how many of the five condition values of a rule these take."""
    return sum(len(values) for _, _, _, values in canonical(conditions))


def canonical(conditions: Iterable[Mapping[str, Any]]) -> frozenset[tuple[str, str, str, frozenset[str]]]:
    """Return conditions in a form in which AWS's answer equals what was asked for.

    AWS answers host and path conditions with the legacy `Values` beside the config, and in any order
    (botocore elbv2 RuleCondition).
    """
    found = set()
    for condition in conditions:
        field = condition["Field"]
        config = condition.get(_CONFIGS.get(field, ""), {})
        name = config.get("HttpHeaderName", "").lower()
        for member, raw in (
            ("Values", config.get("Values") or condition.get("Values") or ()),
            ("RegexValues", config.get("RegexValues") or ()),
        ):
            values = frozenset(
                f"{value.get('Key', '')}={value['Value']}" if isinstance(value, Mapping) else value
                for value in raw
            )
            if values:
                found.add((field, name, member, values))
    return frozenset(found)
