"""What a ServiceRoute asks for, free of the API's spelling: hostnames, matches, backends.

Also Gateway API's precedence as one sortable string. It is a tag of every production rule, so that
the routes of different namespaces on one listener keep their order without knowing each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sluice.model.discovery import DiscoveryIntent
from sluice.model.keys import GROUP

PathType = Literal["Exact", "PathPrefix", "RegularExpression"]
PRECEDENCE: Final = f"{GROUP}/precedence"
"""Tag of a production rule: the smaller as text, the earlier the rule must be evaluated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One match: everything in it is ANDed (Gateway API, HTTPRouteMatch)."""

    path: tuple[PathType, str] | None = None
    headers: tuple[tuple[str, str], ...] = ()
    regex_headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    method: str = ""
    source_ips: tuple[str, ...] = ()

    @property
    def anything(self) -> bool:
        """Tell whether the path excludes nothing."""
        return self.path is None or self.path == ("PathPrefix", "/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A share of a rule's requests for one port of one Deployment of the same namespace."""

    name: str
    port: str
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleIntent:
    """One named rule of a route: any of the matches goes to the backends."""

    name: str
    matches: tuple[Match, ...]
    backends: tuple[Backend, ...]
    priority: int | None = None
    session_seconds: int = 0
    """How long a client stays on the target group that it met; 0: not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteIntent:
    """A route's wishes, and what decides ties with other routes."""

    hostnames: tuple[str, ...]
    rules: tuple[RuleIntent, ...]
    age: str
    """creationTimestamp, then namespace/name: the older route wins a tie (Gateway API)."""
    discovery: DiscoveryIntent | None = None

    @property
    def backend_names(self) -> tuple[str, ...]:
        """Return the Deployments that the rules send to, each once, in order of first mention."""
        return tuple(dict.fromkeys(b.name for rule in self.rules for b in rule.backends))


_HOST_CLASS: Final = {"exact": 0, "wildcard": 1, "none": 2}
HostClass = Literal["exact", "wildcard", "none"]


def host_class(hostname: str) -> HostClass:
    """Tell how specific a hostname is; '' is no hostname."""
    if not hostname:
        return "none"
    return "wildcard" if "*" in hostname else "exact"


def precedence(match: Match, *, host: HostClass, longest_host: int, age: str, order: str) -> str:
    """Return the sortable precedence of one match under one class of hostnames.

    Hostname before path, exact path before the longest prefix, then method, header count, query
    count, then age of the route, then the order inside it:
    https://gateway-api.sigs.k8s.io/reference/spec/#gateway.networking.k8s.io/v1.HTTPRouteRule.
    Regular expressions are implementation-specific there; here they follow the prefixes.
    """
    if match.anything or match.path is None:
        path = "3000"
    else:
        kind, value = match.path
        rank = {"Exact": 0, "PathPrefix": 1, "RegularExpression": 2}[kind]
        path = f"{rank}{_fewer_first(len(value))}"
    return ".".join(
        (
            f"{_HOST_CLASS[host]}{_fewer_first(longest_host)}",
            path,
            "0" if match.method else "1",
            _fewer_first(len(match.headers) + len(match.regex_headers))[1:],
            _fewer_first(len(match.query))[1:],
            # A source address narrows like a header does; Gateway API has no such match.
            "0" if match.source_ips else "1",
            age,
            order,
        )
    )


def _fewer_first(amount: int) -> str:
    """Return three digits that sort the larger amount first."""
    return f"{999 - min(amount, 999):03d}"
