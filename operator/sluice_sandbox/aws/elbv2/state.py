"""What Elastic Load Balancing remembers, per account and region, as plain data.

No clocks, callbacks or sockets: the world copies this state for stale reads and dumps it. Timers
keep ARNs and look the objects up again. Members keep the shapes of botocore's model (`Actions`,
`Conditions`) wherever AWS gives back what it was given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller

Tags = dict[str, str]


@dataclass(slots=True, kw_only=True)
class LoadBalancer:
    """One load balancer; its listeners by ARN in order of creation."""

    arn: str
    name: str
    dns_name: str
    scheme: str
    kind: str
    """`Type` of the API: application or network."""
    vpc_id: str
    created: float
    active_at: float
    """When its state turns from provisioning to active, epoch seconds."""
    ip_address_type: str
    zones: list[dict[str, Any]]
    security_groups: list[str]
    attributes: dict[str, str]
    tags: Tags
    listener_arns: list[str] = field(default_factory=list)
    extras: dict[str, Any] = field(default_factory=dict)
    """Members that are only kept and shown."""
    capacity_units: int = 0
    capacity_changed: float = 0.0
    capacity_decreases: list[float] = field(default_factory=list)
    """When today's decreases were, epoch seconds."""
    was_tagged: bool = False


@dataclass(slots=True, kw_only=True)
class Listener:
    """One listener; the first of `rule_arns` is the default rule."""

    arn: str
    load_balancer_arn: str
    port: int
    protocol: str
    ssl_policy: str
    certificates: list[str]
    """The default certificate first, then the certificate list."""
    alpn_policy: list[str]
    mutual_authentication: dict[str, Any]
    attributes: dict[str, str]
    tags: Tags
    default_rule_arn: str
    rule_arns: list[str] = field(default_factory=list)
    was_tagged: bool = False


@dataclass(slots=True, kw_only=True)
class Rule:
    """One rule; `priority` is None for the default rule."""

    arn: str
    listener_arn: str
    priority: int | None
    conditions: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    transforms: list[dict[str, Any]]
    tags: Tags
    was_tagged: bool = False


@dataclass(slots=True, kw_only=True)
class Target:
    """One registered target: its identity is id and port."""

    id: str
    port: int
    zone: str
    state: str
    reason: str = ""
    description: str = ""
    successes: int = 0
    failures: int = 0
    drain_until: float = 0.0
    healthy_since: float = 0.0
    """When it last became healthy, epoch seconds: where slow start counts from."""
    server_id: str = ""
    """QuicServerId."""


@dataclass(slots=True, kw_only=True)
class TargetGroup:
    """One target group. `settings` are the members DescribeTargetGroups gives, LoadBalancerArns aside."""

    arn: str
    name: str
    settings: dict[str, Any]
    attributes: dict[str, str]
    tags: Tags
    targets: dict[tuple[str, int], Target] = field(default_factory=dict)
    rule_arns: dict[str, str] = field(default_factory=dict)
    """The rules that name it, each with its load balancer's ARN."""
    was_tagged: bool = False

    @property
    def load_balancer_arns(self) -> list[str]:
        """The load balancers that route to it: at most one."""
        return list(dict.fromkeys(self.rule_arns.values()))

    @property
    def deregistration_delay(self) -> float:
        """Seconds a deregistered target drains."""
        return float(self.attributes.get("deregistration_delay.timeout_seconds", "0"))


@dataclass(slots=True, kw_only=True)
class TrustStore:
    """One trust store: where its bundle and its revocation files come from; nothing is read from there."""

    arn: str
    name: str
    bundle: dict[str, str]
    """CaCertificatesBundleS3Bucket, ...Key, ...ObjectVersion."""
    revocations: dict[int, dict[str, str]]
    """RevocationContent members by revocation id."""
    tags: Tags
    was_tagged: bool = False


@dataclass(slots=True)
class Region:
    """Everything of one account in one region, by ARN, with the names that must be unique."""

    load_balancers: dict[str, LoadBalancer] = field(default_factory=dict)
    listeners: dict[str, Listener] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    target_groups: dict[str, TargetGroup] = field(default_factory=dict)
    trust_stores: dict[str, TrustStore] = field(default_factory=dict)
    load_balancer_names: dict[str, str] = field(default_factory=dict)
    target_group_names: dict[str, str] = field(default_factory=dict)

    def load_balancer(self, arn: str) -> LoadBalancer:
        """Return the load balancer or refuse with LoadBalancerNotFound."""
        found = self.load_balancers.get(arn)
        if found is None:
            raise AwsError("LoadBalancerNotFound", f"Load balancer '{arn}' not found")
        return found

    def listener(self, arn: str) -> Listener:
        """Return the listener or refuse with ListenerNotFound (DescribeListeners' plural wording)."""
        found = self.listeners.get(arn)
        if found is None:
            raise AwsError("ListenerNotFound", "One or more listeners not found")
        return found

    def rule(self, arn: str) -> Rule:
        """Return the rule or refuse with RuleNotFound (its wording is the plural one)."""
        found = self.rules.get(arn)
        if found is None:
            raise AwsError("RuleNotFound", "One or more rules not found")
        return found

    def target_group(self, arn: str) -> TargetGroup:
        """Return the target group or refuse with TargetGroupNotFound."""
        found = self.target_groups.get(arn)
        if found is None:
            raise AwsError("TargetGroupNotFound", f"Target groups '{arn}' not found")
        return found

    def trust_store(self, arn: str) -> TrustStore:
        """Return the trust store or refuse with TrustStoreNotFound."""
        found = self.trust_stores.get(arn)
        if found is None:
            raise AwsError("TrustStoreNotFound", f"Trust store '{arn}' not found")
        return found

    def listener_of(self, rule: Rule) -> Listener:
        """Return the listener a rule belongs to."""
        return self.listeners[rule.listener_arn]


@dataclass(slots=True)
class State:
    """All regions of all accounts."""

    regions: dict[tuple[str, str], Region] = field(default_factory=dict)

    def region(self, caller: Caller) -> Region:
        """Return the caller's region, empty when nothing was made there yet."""
        return self.at(caller.account, caller.region)

    def at(self, account: str, region: str) -> Region:
        """Return one region."""
        key = (account, region)
        if key not in self.regions:
            self.regions[key] = Region()
        return self.regions[key]

    def of_arn(self, arn: str) -> Region:
        """Return the region that an ARN belongs to; an empty one for what is not an ARN."""
        parts = arn.split(":")
        if len(parts) < 6:
            return Region()
        return self.regions.get((parts[4], parts[3])) or Region()
