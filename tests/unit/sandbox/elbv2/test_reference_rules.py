"""What the API reference says of actions, conditions and transforms of rules."""

from __future__ import annotations

from typing import Any

import pytest
from elb_world import NOT_FOUND, Elb, forward, secure_listener

OIDC: dict[str, Any] = {
    "Issuer": "https://idp.example/",
    "AuthorizationEndpoint": "https://idp.example/authorize",
    "TokenEndpoint": "https://idp.example/token",
    "UserInfoEndpoint": "https://idp.example/me",
    "ClientId": "shop",
}


def _authenticated(config: dict[str, Any], kind: str = "authenticate-oidc") -> list[dict[str, Any]]:
    member = {
        "authenticate-oidc": "AuthenticateOidcConfig",
        "authenticate-cognito": "AuthenticateCognitoConfig",
        "jwt-validation": "JwtValidationConfig",
    }[kind]
    return [{"Type": kind, "Order": 1, member: config}, NOT_FOUND | {"Order": 2}]


def test_an_authenticating_rule_is_completed_and_tells_no_secret(elb: Elb) -> None:
    """Defaults are filled in; the secret is never shown and can be reused when the rule is modified."""
    listener = secure_listener(elb)
    rule = elb.rule(listener, 1, _authenticated(OIDC | {"ClientSecret": "s3cr3t"}))
    [shown] = elb.call("DescribeRules", RuleArns=[rule])["Rules"]
    assert shown["Actions"][0]["AuthenticateOidcConfig"] == OIDC | {
        "SessionCookieName": "AWSELBAuthSessionCookie",
        "Scope": "openid",
        "SessionTimeout": 604800,
        "OnUnauthenticatedRequest": "authenticate",
    }
    assert "s3cr3t" not in repr(elb.service.state)
    reuse = OIDC | {"UseExistingClientSecret": True, "Scope": "openid email"}
    [changed] = elb.call("ModifyRule", RuleArn=rule, Actions=_authenticated(reuse))["Rules"]
    assert changed["Actions"][0]["AuthenticateOidcConfig"]["Scope"] == "openid email"


AUTHENTICATION_REFUSED: dict[str, tuple[list[dict[str, Any]], str]] = {
    "no-secret": (_authenticated(OIDC), "ValidationError"),
    "no-secret-to-reuse": (_authenticated(OIDC | {"UseExistingClientSecret": True}), "ValidationError"),
    "plain-http": (
        _authenticated(OIDC | {"ClientSecret": "x", "Issuer": "http://idp.example"}),
        "ValidationError",
    ),
    "eleven-extras": (
        _authenticated(
            OIDC
            | {"ClientSecret": "x", "AuthenticationRequestExtraParams": {str(key): "v" for key in range(11)}}
        ),
        "ValidationError",
    ),
    "session-too-long": (
        _authenticated(OIDC | {"ClientSecret": "x", "SessionTimeout": 604_801}),
        "ValidationError",
    ),
    "no-user-pool": (
        _authenticated(
            {"UserPoolArn": "pool", "UserPoolClientId": "a", "UserPoolDomain": "b"}, "authenticate-cognito"
        ),
        "ValidationError",
    ),
    "long-issuer": (
        _authenticated({"JwksEndpoint": "https://idp.example/keys", "Issuer": "x" * 257}, "jwt-validation"),
        "ValidationError",
    ),
    "last": (
        [{"Type": "authenticate-oidc", "AuthenticateOidcConfig": OIDC | {"ClientSecret": "x"}}],
        "InvalidLoadBalancerAction",
    ),
    "after-the-answer": (
        [
            NOT_FOUND | {"Order": 1},
            {
                "Type": "authenticate-oidc",
                "Order": 2,
                "AuthenticateOidcConfig": OIDC | {"ClientSecret": "x"},
            },
        ],
        "InvalidLoadBalancerAction",
    ),
    "no-order": (
        [
            {"Type": "authenticate-oidc", "AuthenticateOidcConfig": OIDC | {"ClientSecret": "x"}},
            NOT_FOUND,
        ],
        "ValidationError",
    ),
    "same-order": (
        [
            {
                "Type": "authenticate-oidc",
                "Order": 2,
                "AuthenticateOidcConfig": OIDC | {"ClientSecret": "x"},
            },
            NOT_FOUND | {"Order": 2},
        ],
        "ValidationError",
    ),
    "six-actions": ([NOT_FOUND | {"Order": order} for order in range(1, 7)], "TooManyActions"),
    "config-of-another-type": (
        [NOT_FOUND | {"RedirectConfig": {"StatusCode": "HTTP_301"}}],
        "ValidationError",
    ),
}


@pytest.mark.parametrize("name", AUTHENTICATION_REFUSED)
def test_action_lists_that_cannot_be(elb: Elb, name: str) -> None:
    """Order, place, URLs and limits of actions before the one that answers."""
    actions, code = AUTHENTICATION_REFUSED[name]
    listener = secure_listener(elb)
    refused = elb.refusal(
        "CreateRule",
        ListenerArn=listener,
        Priority=1,
        Conditions=[{"Field": "path-pattern", "Values": ["/"]}],
        Actions=actions,
    )
    assert refused.code == code


def test_authentication_needs_https(elb: Elb) -> None:
    """On an HTTP listener the action is refused."""
    refused = elb.refusal(
        "CreateRule",
        ListenerArn=elb.listener(elb.load_balancer()),
        Priority=1,
        Conditions=[{"Field": "path-pattern", "Values": ["/"]}],
        Actions=_authenticated(OIDC | {"ClientSecret": "x"}),
    )
    assert refused.code == "InvalidLoadBalancerAction"


@pytest.mark.parametrize(
    ("host", "fine"),
    [
        ("shop.example.com", True),
        ("*.example.com", True),
        ("?.example", True),
        ("shop.*", True),
        ("*", True),
        ("localhost", False),
        ("10.0.0.1", False),
        ("shop.example.c0m", False),
        ("-shop.example.com", False),
        ("shop_1.example.com", True),
    ],
)
def test_host_names_need_a_dot_and_letters_behind_it(elb: Elb, host: str, fine: bool) -> None:  # noqa: FBT001
    """HostHeaderConditionConfig: at least one '.', only letters after the last; wildcards for either."""
    listener = elb.listener(elb.load_balancer())
    wanted = {
        "ListenerArn": listener,
        "Priority": 1,
        "Conditions": [{"Field": "host-header", "HostHeaderConfig": {"Values": [host]}}],
        "Actions": [NOT_FOUND],
    }
    if fine:
        elb.call("CreateRule", **wanted)
    else:
        assert elb.refusal("CreateRule", **wanted).code == "ValidationError"


TRANSFORMS_REFUSED: dict[str, list[dict[str, Any]]] = {
    "two-of-a-type": [
        {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "a", "Replace": "b"}]}}
    ]
    * 2,
    "no-rewrite": [{"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": []}}],
    "no-config": [{"Type": "url-rewrite"}],
    "config-of-the-other": [
        {"Type": "url-rewrite", "HostHeaderRewriteConfig": {"Rewrites": [{"Regex": "a", "Replace": "b"}]}}
    ],
    "bad-regex": [
        {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "(", "Replace": "b"}]}}
    ],
    "too-long": [
        {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "a" * 1025, "Replace": "b"}]}}
    ],
}


@pytest.mark.parametrize("name", TRANSFORMS_REFUSED)
def test_transforms_that_cannot_be(elb: Elb, name: str) -> None:
    """One host header rewrite and one URL rewrite, of 1024 characters at most."""
    refused = elb.refusal(
        "CreateRule",
        ListenerArn=elb.listener(elb.load_balancer()),
        Priority=1,
        Conditions=[{"Field": "path-pattern", "Values": ["/"]}],
        Actions=[NOT_FOUND],
        Transforms=TRANSFORMS_REFUSED[name],
    )
    assert refused.code == "ValidationError"


def test_rules_of_network_load_balancers_need_two_stacks(elb: Elb) -> None:
    """CreateRule: "an Application Load Balancer or a dual-stack Network Load Balancer"."""
    net = elb.load_balancer(Type="network")
    group = elb.group(Protocol="TCP")
    made = elb.call(
        "CreateListener",
        LoadBalancerArn=net,
        Port=80,
        Protocol="TCP",
        DefaultActions=[forward((group, 1))],
    )
    wanted = {
        "ListenerArn": made["Listeners"][0]["ListenerArn"],
        "Priority": 1,
        "Conditions": [{"Field": "source-ip", "SourceIpConfig": {"IpAddressType": "ipv6"}}],
        "Actions": [forward((group, 1))],
    }
    assert elb.refusal("CreateRule", **wanted).code == "InvalidConfigurationRequest"
    elb.call("SetIpAddressType", LoadBalancerArn=net, IpAddressType="dualstack")
    [rule] = elb.call("CreateRule", **wanted)["Rules"]
    assert rule["Conditions"] == wanted["Conditions"]
    by_path = wanted | {"Priority": 2, "Conditions": [{"Field": "path-pattern", "Values": ["/"]}]}
    assert elb.refusal("CreateRule", **by_path).code == "ValidationError"
