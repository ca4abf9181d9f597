"""Account limits and TLS security policies: the two lists the service publishes about itself.

Sources: botocore's shape Limit (names), DescribeSSLPolicies; the policies' names and protocols are
those of "Security policies for your Application Load Balancer", from memory; that the FIPS and
post-quantum families have every variant (1-0, 1-1, 1-2, Res, Ext, 1-3) is an assumption. Cipher
lists are shortened to the suites that the policy is known for: nothing here negotiates by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.elbv2.desk import Desk
from sluice_sandbox.aws.elbv2.paging import page
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

DEFAULT_POLICY = "ELBSecurityPolicy-2016-08"
"""What the API uses when a secure listener names none (botocore: the console differs)."""

_OLD = ("TLSv1", "TLSv1.1", "TLSv1.2")
_TLS13 = {
    "1-0": (*_OLD, "TLSv1.3"),
    "1-1": ("TLSv1.1", "TLSv1.2", "TLSv1.3"),
    **{f"1-2{kind}": ("TLSv1.2", "TLSv1.3") for kind in ("", "-Res", "-Ext0", "-Ext1", "-Ext2")},
    "1-3": ("TLSv1.3",),
}
"""Protocols of the FIPS and post-quantum policies by the middle of their names."""
POLICIES: Mapping[str, tuple[str, ...]] = {
    "ELBSecurityPolicy-2016-08": _OLD,
    "ELBSecurityPolicy-FS-1-1-2019-08": ("TLSv1.1", "TLSv1.2"),
    "ELBSecurityPolicy-FS-1-2-2019-08": ("TLSv1.2",),
    "ELBSecurityPolicy-FS-1-2-Res-2019-08": ("TLSv1.2",),
    "ELBSecurityPolicy-FS-1-2-Res-2020-10": ("TLSv1.2",),
    "ELBSecurityPolicy-FS-2018-06": _OLD,
    "ELBSecurityPolicy-TLS-1-0-2015-04": _OLD,
    "ELBSecurityPolicy-TLS-1-1-2017-01": ("TLSv1.1", "TLSv1.2"),
    "ELBSecurityPolicy-TLS-1-2-2017-01": ("TLSv1.2",),
    "ELBSecurityPolicy-TLS-1-2-Ext-2018-06": ("TLSv1.2",),
    "ELBSecurityPolicy-TLS13-1-0-2021-06": (*_OLD, "TLSv1.3"),
    "ELBSecurityPolicy-TLS13-1-1-2021-06": ("TLSv1.1", "TLSv1.2", "TLSv1.3"),
    "ELBSecurityPolicy-TLS13-1-2-2021-06": ("TLSv1.2", "TLSv1.3"),
    "ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06": ("TLSv1.2", "TLSv1.3"),
    "ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06": ("TLSv1.2", "TLSv1.3"),
    "ELBSecurityPolicy-TLS13-1-2-Res-2021-06": ("TLSv1.2", "TLSv1.3"),
    "ELBSecurityPolicy-TLS13-1-3-2021-06": ("TLSv1.3",),
    **{
        f"ELBSecurityPolicy-TLS13-{kind}{suffix}": protocols
        for suffix in ("-FIPS-2023-04", "-PQ-2025-09", "-FIPS-PQ-2025-09")
        for kind, protocols in _TLS13.items()
        # Ext0 is a variant of the FIPS policies alone.
        if kind != "1-2-Ext0" or "FIPS" in suffix
    },
}
_CIPHERS = {
    "TLSv1.3": ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"),
    "TLSv1.2": ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
}


def check_policy(name: str) -> None:
    """Refuse a security policy that does not exist."""
    if name not in POLICIES:
        raise AwsError("SSLPolicyNotFound", f"SSL policy '{name}' not found")


class LimitHandlers:
    """DescribeAccountLimits and DescribeSSLPolicies."""

    def __init__(self, desk: Desk) -> None:
        """Answer with the desk's quotas."""
        self._desk = desk

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {"DescribeAccountLimits": self.limits, "DescribeSSLPolicies": self.policies}

    def limits(self, _caller: Caller, params: Params) -> Response:
        """Return the quotas that this stand-in holds its callers to."""
        quotas = self._desk.settings.quotas
        limits = {
            "application-load-balancers": quotas.application_load_balancers,
            "certificates-per-application-load-balancer": quotas.certificates_per_load_balancer,
            "condition-values-per-alb-rule": quotas.condition_values_per_rule,
            "condition-wildcards-per-alb-rule": quotas.condition_wildcards_per_rule,
            "certificates-per-network-load-balancer": quotas.certificates_per_load_balancer,
            "listeners-per-application-load-balancer": quotas.listeners_per_load_balancer,
            "listeners-per-network-load-balancer": quotas.listeners_per_load_balancer,
            "network-load-balancers": quotas.network_load_balancers,
            "rules-per-application-load-balancer": quotas.rules_per_load_balancer,
            "target-groups": quotas.target_groups,
            "target-groups-per-action-on-application-load-balancer": quotas.target_groups_per_action,
            "target-groups-per-action-on-network-load-balancer": quotas.target_groups_per_action,
            "target-groups-per-application-load-balancer": quotas.target_groups_per_load_balancer,
            "target-id-registrations-per-application-load-balancer": quotas.registrations_per_target,
            "targets-per-application-load-balancer": quotas.targets_per_load_balancer,
            "targets-per-availability-zone-per-network-load-balancer": quotas.targets_per_load_balancer,
            "targets-per-network-load-balancer": quotas.targets_per_load_balancer,
            "targets-per-target-group": quotas.targets_per_load_balancer,
            # Gateway load balancers are not modelled: none can be made.
            "gateway-load-balancers": 0,
            "gateway-load-balancers-per-vpc": 0,
            "geneve-target-groups": 0,
            "targets-per-availability-zone-per-gateway-load-balancer": 0,
        }
        return page(
            params,
            list(limits.items()),
            member="Limits",
            key=lambda item: item[0],
            show=lambda item: {"Name": item[0], "Max": str(item[1])},
        )

    def policies(self, _caller: Caller, params: Params) -> Response:
        """Return all security policies or those named."""
        names = params.get("Names") or list(POLICIES)
        for name in names:
            check_policy(name)
        # Every policy here is one of application and network load balancers alike.
        if params.get("LoadBalancerType") == "gateway":
            names = []
        return page(params, names, member="SslPolicies", key=str, show=_policy)


def _policy(name: str) -> dict[str, Any]:
    protocols = POLICIES[name]
    ciphers = [cipher for protocol in reversed(protocols) for cipher in _CIPHERS.get(protocol, ())]
    return {
        "Name": name,
        "SslProtocols": list(protocols),
        "Ciphers": [{"Name": cipher, "Priority": number} for number, cipher in enumerate(ciphers, start=1)],
        "SupportedLoadBalancerTypes": ["application", "network"],
    }
