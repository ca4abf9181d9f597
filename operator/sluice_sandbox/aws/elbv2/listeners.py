"""Listeners: a port of a load balancer, its certificates and its default rule.

Sources: botocore's CreateListener (idempotent), ModifyListener, AddListenerCertificates and their
neighbours; what only secure listeners have is in `secure`. Wordings: "A listener already exists on
this port for this load balancer 'arn'" (quoted by public CloudFormation reports), "A listener port
must be specified" (moto's tests); the others from memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.elbv2 import attributes
from sluice_sandbox.aws.elbv2.attribute_tables import of_listener
from sluice_sandbox.aws.elbv2.desk import Desk, check_arns, validation_error
from sluice_sandbox.aws.elbv2.limits import DEFAULT_POLICY, check_policy
from sluice_sandbox.aws.elbv2.paging import page
from sluice_sandbox.aws.elbv2.rules import RuleHandlers
from sluice_sandbox.aws.elbv2.secure import (
    SECURE,
    alpn,
    certificate_arn,
    default_certificate,
    mutual_authentication,
    no_certificate,
    refuse_on_plain,
)
from sluice_sandbox.aws.elbv2.state import Listener, LoadBalancer, Region
from sluice_sandbox.aws.elbv2.tags import new_tags
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

_PROTOCOLS = {
    "application": ("HTTP", "HTTPS"),
    "network": ("TCP", "TLS", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC"),
}


class ListenerHandlers:
    """The operations on listeners and their certificates."""

    def __init__(self, desk: Desk, *, rules: RuleHandlers) -> None:
        """Work on the desk's books; default rules are kept by `rules`."""
        self._desk = desk
        self._rules = rules

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "CreateListener": self.create,
            "DescribeListeners": self.describe,
            "ModifyListener": self.modify,
            "DeleteListener": self.delete,
            "DescribeListenerAttributes": self.describe_attributes,
            "ModifyListenerAttributes": self.modify_attributes,
            "AddListenerCertificates": self.add_certificates,
            "RemoveListenerCertificates": self.remove_certificates,
            "DescribeListenerCertificates": self.describe_certificates,
        }

    def create(self, caller: Caller, params: Params) -> Response:
        """Create a listener, or return the present one of that port when nothing differs."""
        region = self._desk.region(caller)
        load_balancer = region.load_balancer(params["LoadBalancerArn"])
        wanted = self._new(region, load_balancer, params)
        present = _on_port(region, load_balancer, wanted.port)
        if present is not None:
            completed = self._rules.complete_default(region, present, params["DefaultActions"])
            same_actions = region.rules[present.default_rule_arn].actions == completed
            if not same_actions or _settings(present) != _settings(wanted):
                raise AwsError(
                    "DuplicateListener",
                    f"A listener already exists on this port for this load balancer '{load_balancer.arn}'",
                )
            return {"Listeners": [shown(region, present)]}
        limit = self._desk.settings.quotas.listeners_per_load_balancer
        if len(load_balancer.listener_arns) >= limit:
            raise AwsError("TooManyListeners", f"The maximum number of listeners '{limit}' has been reached")
        region.listeners[wanted.arn] = wanted
        try:
            self._rules.make_default(region, wanted, params["DefaultActions"], tags={})
        except AwsError:
            del region.listeners[wanted.arn]
            raise
        load_balancer.listener_arns.append(wanted.arn)
        self._desk.changed()
        return {"Listeners": [shown(region, wanted)]}

    def describe(self, caller: Caller, params: Params) -> Response:
        """Return the listeners of a load balancer, or those named, in pages."""
        region = self._desk.region(caller)
        load_balancer_arn, arns = params.get("LoadBalancerArn"), params.get("ListenerArns") or []
        if not load_balancer_arn and not arns:
            raise validation_error("You must specify either listener ARNs or a load balancer ARN")
        if load_balancer_arn and arns:
            raise validation_error("You cannot specify both listener ARNs and a load balancer ARN")
        if arns:
            check_arns(arns, "listener")
            chosen = [region.listener(arn) for arn in dict.fromkeys(arns)]
        else:
            found = region.load_balancer(load_balancer_arn or "")
            chosen = [region.listeners[arn] for arn in found.listener_arns]
        return page(
            params,
            chosen,
            member="Listeners",
            key=lambda item: item.arn,
            show=lambda item: shown(region, item),
        )

    def modify(self, caller: Caller, params: Params) -> Response:
        """Replace what is given; all is checked before anything changes."""
        region = self._desk.region(caller)
        listener = region.listener(params["ListenerArn"])
        load_balancer = region.load_balancers[listener.load_balancer_arn]
        port = params.get("Port") or listener.port
        protocol = params.get("Protocol") or listener.protocol
        self._check_protocol(load_balancer, protocol)
        other = _on_port(region, load_balancer, port)
        if other is not None and other.arn != listener.arn:
            raise AwsError(
                "DuplicateListener",
                f"A listener already exists on this port for this load balancer '{load_balancer.arn}'",
            )
        refuse_on_plain(params, protocol)
        certificates = listener.certificates
        if params.get("Certificates") is not None:
            certificates = [*default_certificate(params, protocol), *listener.certificates[1:]]
        if protocol in SECURE and not certificates:
            raise no_certificate(protocol)
        policy = params.get("SslPolicy") or listener.ssl_policy or DEFAULT_POLICY
        check_policy(policy)
        alpn_policy = alpn(params, protocol) or (listener.alpn_policy if protocol == "TLS" else [])
        mutual = listener.mutual_authentication
        if params.get("MutualAuthentication") or protocol != listener.protocol:
            mutual = mutual_authentication(region, params, protocol)
        if params.get("DefaultActions") is not None:
            completed = self._rules.complete_default(
                region, listener, params["DefaultActions"], protocol=protocol
            )
            self._rules.replace_actions(region, region.rules[listener.default_rule_arn], completed)
        secure = protocol in SECURE
        if protocol != listener.protocol:
            known = attributes.defaults(of_listener(protocol))
            listener.attributes = known | {
                key: value for key, value in listener.attributes.items() if key in of_listener(protocol)
            }
        listener.port, listener.protocol = port, protocol
        listener.certificates = certificates if secure else []
        listener.ssl_policy = policy if secure else ""
        listener.alpn_policy, listener.mutual_authentication = alpn_policy, mutual
        self._desk.changed()
        return {"Listeners": [shown(region, listener)]}

    def delete(self, caller: Caller, params: Params) -> Response:
        """Delete a listener with all its rules."""
        region = self._desk.region(caller)
        region.listener(params["ListenerArn"])
        self.remove(caller, params["ListenerArn"])
        return {}

    def remove(self, caller: Caller, arn: str) -> None:
        """Delete a listener that exists; also how a load balancer takes its listeners with it."""
        region = self._desk.region(caller)
        listener = region.listeners[arn]
        for rule_arn in list(listener.rule_arns):
            self._rules.forget(region, region.rules[rule_arn])
        region.load_balancers[listener.load_balancer_arn].listener_arns.remove(arn)
        del region.listeners[arn]
        self._desk.changed()

    def describe_attributes(self, caller: Caller, params: Params) -> Response:
        """Return all attributes."""
        listener = self._desk.region(caller).listener(params["ListenerArn"])
        return {"Attributes": attributes.shown(listener.attributes)}

    def modify_attributes(self, caller: Caller, params: Params) -> Response:
        """Set some attributes, all or none."""
        listener = self._desk.region(caller).listener(params["ListenerArn"])
        listener.attributes |= attributes.changes(
            "Listener", of_listener(listener.protocol), params["Attributes"]
        )
        self._desk.changed()
        return {"Attributes": attributes.shown(listener.attributes)}

    def add_certificates(self, caller: Caller, params: Params) -> Response:
        """Add to the certificate list; one that is there already stays once."""
        listener = self._secure(caller, params)
        arns = [certificate_arn(item) for item in params["Certificates"]]
        merged = list(dict.fromkeys([*listener.certificates[1:], *arns]))
        limit = self._desk.settings.quotas.certificates_per_load_balancer
        if len(merged) > limit:
            raise AwsError(
                "TooManyCertificates", f"The maximum number of certificates '{limit}' has been reached"
            )
        listener.certificates = [listener.certificates[0], *merged]
        return {"Certificates": [{"CertificateArn": arn, "IsDefault": False} for arn in arns]}

    def remove_certificates(self, caller: Caller, params: Params) -> Response:
        """Remove from the certificate list; the default certificate cannot go this way."""
        listener = self._secure(caller, params)
        arns = {item.get("CertificateArn") or "" for item in params["Certificates"]}
        extra = listener.certificates[1:]
        if listener.certificates[0] in arns and listener.certificates[0] not in extra:
            raise AwsError("OperationNotPermitted", "Default certificate cannot be removed")
        listener.certificates = [listener.certificates[0], *(arn for arn in extra if arn not in arns)]
        return {}

    def describe_certificates(self, caller: Caller, params: Params) -> Response:
        """Return the default certificate and the list."""
        listener = self._desk.region(caller).listener(params["ListenerArn"])
        numbered = list(enumerate(listener.certificates))
        return page(
            params,
            numbered,
            member="Certificates",
            key=lambda item: f"{item[0]}:{item[1]}",
            show=lambda item: {"CertificateArn": item[1], "IsDefault": item[0] == 0},
        )

    def _secure(self, caller: Caller, params: Params) -> Listener:
        listener = self._desk.region(caller).listener(params["ListenerArn"])
        if listener.protocol not in SECURE:
            raise validation_error(f"Certificates cannot be used with {listener.protocol} listeners")
        return listener

    def _check_protocol(self, load_balancer: LoadBalancer, protocol: str) -> None:
        allowed = _PROTOCOLS[load_balancer.kind]
        if protocol not in allowed:
            quoted = ", ".join(allowed)
            raise validation_error(f"Listener protocol '{protocol}' must be one of '{quoted}'")

    def _new(self, region: Region, load_balancer: LoadBalancer, params: Params) -> Listener:
        if params.get("Port") is None:
            raise validation_error("A listener port must be specified")
        protocol = params.get("Protocol")
        if protocol is None:
            raise validation_error("A listener protocol must be specified")
        self._check_protocol(load_balancer, protocol)
        secure = protocol in SECURE
        refuse_on_plain(params, protocol)
        policy = (params.get("SslPolicy") or DEFAULT_POLICY) if secure else ""
        if policy:
            check_policy(policy)
        identity = load_balancer.arn.replace(":loadbalancer/", ":listener/")
        return Listener(
            arn=f"{identity}/{self._desk.hex_id()}",
            load_balancer_arn=load_balancer.arn,
            port=params["Port"],
            protocol=protocol,
            ssl_policy=policy,
            certificates=default_certificate(params, protocol) if secure else [],
            alpn_policy=alpn(params, protocol),
            mutual_authentication=mutual_authentication(region, params, protocol),
            attributes=attributes.defaults(of_listener(protocol)),
            tags=new_tags(params),
            default_rule_arn="",
        )


def _on_port(region: Region, load_balancer: LoadBalancer, port: int) -> Listener | None:
    found = (region.listeners[arn] for arn in load_balancer.listener_arns)
    return next((listener for listener in found if listener.port == port), None)


def _settings(item: Listener) -> tuple[Any, ...]:
    mutual = tuple(sorted(item.mutual_authentication.items()))
    return item.protocol, item.ssl_policy, tuple(item.certificates[:1]), tuple(item.alpn_policy), mutual


def shown(region: Region, item: Listener) -> dict[str, Any]:
    """Return a listener in the API's shape, with its default rule's actions."""
    answer: dict[str, Any] = {
        "ListenerArn": item.arn,
        "LoadBalancerArn": item.load_balancer_arn,
        "Port": item.port,
        "Protocol": item.protocol,
        "DefaultActions": region.rules[item.default_rule_arn].actions,
    }
    if item.protocol in SECURE:
        answer["Certificates"] = [{"CertificateArn": item.certificates[0]}]
        answer["SslPolicy"] = item.ssl_policy
    if item.mutual_authentication:
        answer["MutualAuthentication"] = item.mutual_authentication
    if item.alpn_policy:
        answer["AlpnPolicy"] = item.alpn_policy
    return answer
