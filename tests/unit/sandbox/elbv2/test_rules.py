"""Listeners and rules: request and answer, or refusal."""

from __future__ import annotations

from typing import Any

import pytest
from elb_world import CERTIFICATE, Elb, forward

from sluice_sandbox.aws.elbv2.desk import Elbv2Settings, Quotas

NOT_FOUND = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
PATH = [{"Field": "path-pattern", "Values": ["/*"]}]
UNKNOWN = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/none/0123456789abcdef"


def test_a_forward_to_one_group_comes_back_in_both_forms(elb: Elb) -> None:
    """TargetGroupArn is completed by ForwardConfig with weight 1 and stickiness off."""
    group = elb.group()
    listener = elb.listener(elb.load_balancer(), actions=[{"Type": "forward", "TargetGroupArn": group}])
    shown = elb.call("DescribeListeners", ListenerArns=[listener])["Listeners"][0]["DefaultActions"]
    assert shown == [
        {
            "Type": "forward",
            "TargetGroupArn": group,
            "ForwardConfig": {
                "TargetGroups": [{"TargetGroupArn": group, "Weight": 1}],
                "TargetGroupStickinessConfig": {"Enabled": False},
            },
        }
    ]


def test_a_weighted_forward_keeps_its_weights(elb: Elb) -> None:
    """Several groups come back as ForwardConfig alone, weight 0 included."""
    one, two = elb.group("one"), elb.group("two")
    listener = elb.listener(elb.load_balancer())
    rule = elb.rule(listener, 10, [forward((one, 100), (two, 0))])
    shown = elb.call("DescribeRules", RuleArns=[rule])["Rules"][0]
    assert shown["Priority"] == "10"
    assert shown["IsDefault"] is False
    assert shown["Actions"] == [
        {
            "Type": "forward",
            "ForwardConfig": {
                "TargetGroups": [
                    {"TargetGroupArn": one, "Weight": 100},
                    {"TargetGroupArn": two, "Weight": 0},
                ],
                "TargetGroupStickinessConfig": {"Enabled": False},
            },
        }
    ]


def test_path_and_host_conditions_come_back_with_values_and_config(elb: Elb) -> None:
    """Whichever form was given, both are answered."""
    listener = elb.listener(elb.load_balancer())
    config = [{"Field": "host-header", "HostHeaderConfig": {"Values": ["a.example", "b.example"]}}]
    plain = elb.rule(listener, 1, [NOT_FOUND], Conditions=PATH)
    full = elb.rule(listener, 2, [NOT_FOUND], Conditions=config)
    one, two = elb.call("DescribeRules", RuleArns=[plain, full])["Rules"]
    assert one["Conditions"] == [
        {"Field": "path-pattern", "Values": ["/*"], "PathPatternConfig": {"Values": ["/*"]}}
    ]
    assert two["Conditions"][0]["Values"] == ["a.example", "b.example"]


def test_rules_are_answered_in_order_of_priority_default_last(elb: Elb) -> None:
    """The order of creation does not matter."""
    listener = elb.listener(elb.load_balancer())
    for priority in (300, 5, 40):
        elb.rule(listener, priority, [NOT_FOUND])
    shown = elb.call("DescribeRules", ListenerArn=listener)["Rules"]
    assert [rule["Priority"] for rule in shown] == ["5", "40", "300", "default"]
    assert [rule["IsDefault"] for rule in shown] == [False, False, False, True]


def _actions(elb: Elb) -> dict[str, list[dict[str, Any]]]:
    """Return action lists that must be refused, by name."""
    groups = [elb.group(f"g{index}") for index in range(6)]
    foreign = elb.group("foreign")
    elb.listener(elb.load_balancer("other"), actions=[forward((foreign, 1))])
    tcp = elb.group("tcp", Protocol="TCP")
    one = groups[0]
    return {
        "empty": [],
        "weight-1000": [forward((one, 1000), (groups[1], 1))],
        "weight-negative": [forward((one, -1))],
        "six-groups": [forward(*((group, 1) for group in groups))],
        "same-group-twice": [forward((one, 1), (one, 2))],
        "sticky-without-duration": [forward((one, 1), Enabled=True)],
        "sticky-too-long": [forward((one, 1), Enabled=True, DurationSeconds=604_801)],
        "unknown-group": [forward((UNKNOWN, 1))],
        "foreign-group": [forward((foreign, 1))],
        "tcp-group": [forward((tcp, 1))],
        "two-finals": [forward((one, 1)) | {"Order": 1}, NOT_FOUND | {"Order": 2}],
        "no-group": [{"Type": "forward"}],
        "arn-and-other-config": [forward((one, 1)) | {"TargetGroupArn": groups[1]}],
        "no-config": [{"Type": "redirect"}],
        "redirect-loop": [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301"}}],
        "content-type": [
            {
                "Type": "fixed-response",
                "FixedResponseConfig": {"StatusCode": "200", "ContentType": "image/png"},
            }
        ],
    }


REFUSED_ACTIONS = {
    "empty": "ValidationError",
    "weight-1000": "ValidationError",
    "weight-negative": "ValidationError",
    "six-groups": "TooManyTargetGroups",
    "same-group-twice": "ValidationError",
    "sticky-without-duration": "ValidationError",
    "sticky-too-long": "ValidationError",
    "unknown-group": "TargetGroupNotFound",
    "foreign-group": "TargetGroupAssociationLimit",
    "tcp-group": "IncompatibleProtocols",
    "two-finals": "InvalidLoadBalancerAction",
    "no-group": "ValidationError",
    "arn-and-other-config": "ValidationError",
    "no-config": "ValidationError",
    "redirect-loop": "InvalidLoadBalancerAction",
    "content-type": "InvalidLoadBalancerAction",
}


@pytest.mark.parametrize("name", REFUSED_ACTIONS)
def test_bad_actions_are_refused_everywhere(elb: Elb, name: str) -> None:
    """CreateListener, CreateRule, ModifyRule and ModifyListener refuse alike and change nothing."""
    actions = _actions(elb)[name]
    load_balancer = elb.load_balancer()
    listener = elb.listener(load_balancer)
    rule = elb.rule(listener, 1, [NOT_FOUND])
    before = elb.call("DescribeRules", ListenerArn=listener)
    code = REFUSED_ACTIONS[name]
    refusals = [
        elb.refusal("CreateRule", ListenerArn=listener, Priority=2, Conditions=PATH, Actions=actions),
        elb.refusal("ModifyRule", RuleArn=rule, Actions=actions),
        elb.refusal("ModifyListener", ListenerArn=listener, DefaultActions=actions),
        elb.refusal(
            "CreateListener", LoadBalancerArn=load_balancer, Port=81, Protocol="HTTP", DefaultActions=actions
        ),
    ]
    assert [refusal.code for refusal in refusals] == [code] * 4
    assert elb.call("DescribeRules", ListenerArn=listener) == before
    assert len(elb.call("DescribeListeners", LoadBalancerArn=load_balancer)["Listeners"]) == 1


def _long(length: int) -> str:
    return "/" + "x" * (length - 1)


REFUSED_CONDITIONS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "none": ([], "must be specified"),
    "unknown-field": ([{"Field": "cookie", "Values": ["a"]}], "must be one of"),
    "two-paths": (PATH + PATH, "only have one 'path-pattern'"),
    "six-values": (
        [{"Field": "path-pattern", "PathPatternConfig": {"Values": [f"/{index}" for index in range(6)]}}],
        "'5' condition values",
    ),
    "six-values-over-fields": (
        [
            {"Field": "host-header", "HostHeaderConfig": {"Values": ["a.b", "b.b", "c.b"]}},
            {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/a", "/b", "/c"]}},
        ],
        "'5' condition values",
    ),
    "seven-wildcards": ([{"Field": "path-pattern", "Values": ["/*/*/*/*/*/*/*"]}], "wildcards"),
    "two-plain-values": ([{"Field": "path-pattern", "Values": ["/a", "/b"]}], "too many values"),
    "long-path": ([{"Field": "path-pattern", "Values": [_long(129)]}], "too long"),
    "bad-host": ([{"Field": "host-header", "Values": ["a b"]}], "not valid"),
    "both-forms": (
        [{"Field": "path-pattern", "Values": ["/a"], "PathPatternConfig": {"Values": ["/a"]}}],
        "both Values",
    ),
    "values-for-header": ([{"Field": "http-header", "Values": ["a"]}], "not compatible"),
    "foreign-config": (
        [{"Field": "path-pattern", "Values": ["/a"], "SourceIpConfig": {"Values": ["10.0.0.0/8"]}}],
        "not compatible",
    ),
    "header-without-config": ([{"Field": "http-header"}], "HttpHeaderConfig"),
    "header-name-long": (
        [{"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "x" * 41, "Values": ["a"]}}],
        "limit is '40'",
    ),
    "host-as-header": (
        [{"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "Host", "Values": ["a"]}}],
        "host-header",
    ),
    "lower-method": (
        [{"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["get"]}}],
        "A-Z",
    ),
    "query-without-value": (
        [{"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "a"}]}}],
        "'Value' must be specified",
    ),
    "source-without-mask": ([{"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.1"]}}], "CIDR"),
    "bad-regex": ([{"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["("]}}], "not valid"),
    "values-and-regex": (
        [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/a"], "RegexValues": ["b"]}}],
        "both Values and RegexValues",
    ),
}


@pytest.mark.parametrize("name", REFUSED_CONDITIONS)
def test_bad_conditions_are_refused(elb: Elb, name: str) -> None:
    """CreateRule and ModifyRule refuse alike, with ValidationError and a text that says why."""
    conditions, text = REFUSED_CONDITIONS[name]
    listener = elb.listener(elb.load_balancer())
    rule = elb.rule(listener, 1, [NOT_FOUND])
    created = elb.refusal(
        "CreateRule", ListenerArn=listener, Priority=2, Conditions=conditions, Actions=[NOT_FOUND]
    )
    modified = elb.refusal("ModifyRule", RuleArn=rule, Conditions=conditions)
    assert created.code == modified.code == "ValidationError"
    assert text in created.message


def test_five_values_and_six_wildcards_are_accepted(elb: Elb) -> None:
    """The quotas are inclusive."""
    listener = elb.listener(elb.load_balancer())
    values = ["/a*", "/b*", "/c*", "/d*", "/e*?"]
    elb.rule(
        listener,
        1,
        [NOT_FOUND],
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": values}}],
    )


def test_a_priority_can_be_used_once(elb: Elb) -> None:
    """The second rule of a priority is PriorityInUse, in AWS's words."""
    listener = elb.listener(elb.load_balancer())
    elb.rule(listener, 26, [NOT_FOUND])
    refusal = elb.refusal(
        "CreateRule", ListenerArn=listener, Priority=26, Conditions=PATH, Actions=[NOT_FOUND]
    )
    assert (refusal.code, refusal.message) == ("PriorityInUse", "Priority '26' is currently in use")


def test_set_rule_priorities_swaps(elb: Elb) -> None:
    """Only the order after all moves counts."""
    listener = elb.listener(elb.load_balancer())
    one, two = elb.rule(listener, 1, [NOT_FOUND]), elb.rule(listener, 2, [NOT_FOUND])
    elb.call(
        "SetRulePriorities",
        RulePriorities=[{"RuleArn": one, "Priority": 2}, {"RuleArn": two, "Priority": 1}],
    )
    shown = elb.call("DescribeRules", ListenerArn=listener)["Rules"]
    assert [rule["RuleArn"] for rule in shown[:2]] == [two, one]


@pytest.mark.parametrize(
    ("moves", "code"),
    [
        pytest.param([("one", 3)], "PriorityInUse", id="taken"),
        pytest.param([("one", 9), ("two", 9)], "ValidationError", id="same-twice"),
        pytest.param([("default", 9)], "OperationNotPermitted", id="default-rule"),
        pytest.param([("none", 9)], "RuleNotFound", id="unknown"),
    ],
)
def test_set_rule_priorities_refuses(elb: Elb, moves: list[tuple[str, int]], code: str) -> None:
    """A refused move moves nothing."""
    listener = elb.listener(elb.load_balancer())
    names = {
        "one": elb.rule(listener, 1, [NOT_FOUND]),
        "two": elb.rule(listener, 2, [NOT_FOUND]),
        "three": elb.rule(listener, 3, [NOT_FOUND]),
        "none": listener.replace(":listener/", ":listener-rule/") + "/0",
    }
    before = elb.call("DescribeRules", ListenerArn=listener)
    names["default"] = before["Rules"][-1]["RuleArn"]
    pairs = [{"RuleArn": names[name], "Priority": priority} for name, priority in moves]
    assert elb.refusal("SetRulePriorities", RulePriorities=pairs).code == code
    assert elb.call("DescribeRules", ListenerArn=listener) == before


def test_the_default_rule_is_the_listeners(elb: Elb) -> None:
    """It can be neither modified nor deleted as a rule, only through ModifyListener."""
    listener = elb.listener(elb.load_balancer())
    default = elb.call("DescribeRules", ListenerArn=listener)["Rules"][0]["RuleArn"]
    assert elb.refusal("DeleteRule", RuleArn=default).code == "OperationNotPermitted"
    assert elb.refusal("ModifyRule", RuleArn=default, Actions=[NOT_FOUND]).code == "OperationNotPermitted"
    other = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}
    elb.call("ModifyListener", ListenerArn=listener, DefaultActions=[other])
    assert elb.call("DescribeRules", ListenerArn=listener)["Rules"][0]["Actions"] == [other]


def test_rules_beyond_the_quota_are_refused_default_rules_do_not_count() -> None:
    """The quota counts the rules of all listeners of a load balancer."""
    elb = Elb(Elbv2Settings(quotas=Quotas(rules_per_load_balancer=2)))
    load_balancer = elb.load_balancer()
    first, second = elb.listener(load_balancer), elb.listener(load_balancer, port=81)
    elb.rule(first, 1, [NOT_FOUND])
    elb.rule(second, 1, [NOT_FOUND])
    refusal = elb.refusal("CreateRule", ListenerArn=second, Priority=2, Conditions=PATH, Actions=[NOT_FOUND])
    assert refusal.code == "TooManyRules"


def test_the_hundred_and_first_target_group_is_refused() -> None:
    """A load balancer routes to a limited number of different groups."""
    elb = Elb(Elbv2Settings(quotas=Quotas(target_groups_per_load_balancer=2)))
    groups = [elb.group(f"g{index}") for index in range(3)]
    listener = elb.listener(elb.load_balancer())
    elb.rule(listener, 1, [forward((groups[0], 1), (groups[1], 1))])
    refusal = elb.refusal(
        "CreateRule", ListenerArn=listener, Priority=2, Conditions=PATH, Actions=[forward((groups[2], 1))]
    )
    assert refusal.code == "TooManyUniqueTargetGroupsPerLoadBalancer"


def test_load_balancer_arns_follow_rules(elb: Elb) -> None:
    """A group belongs to a load balancer exactly while some rule names it."""

    def owners() -> list[str]:
        described = elb.call("DescribeTargetGroups", TargetGroupArns=[group])["TargetGroups"][0]
        return list(described["LoadBalancerArns"])

    group, other = elb.group(), elb.group("other")
    load_balancer = elb.load_balancer()
    listener = elb.listener(load_balancer)
    assert owners() == []
    rule = elb.rule(listener, 1, [forward((group, 0), (other, 1))])
    assert owners() == [load_balancer]
    elb.call("ModifyRule", RuleArn=rule, Actions=[forward((other, 1))])
    assert owners() == []
    elb.call("ModifyRule", RuleArn=rule, Actions=[forward((group, 1))])
    elb.call("DeleteRule", RuleArn=rule)
    assert owners() == []
    assert elb.call("DescribeTargetGroups", LoadBalancerArn=load_balancer)["TargetGroups"] == []


def test_create_listener_is_idempotent_and_ports_are_unique(elb: Elb) -> None:
    """The same listener again is returned, another one on its port is DuplicateListener."""
    load_balancer = elb.load_balancer()
    first = elb.listener(load_balancer)
    assert elb.listener(load_balancer) == first
    refusal = elb.refusal(
        "CreateListener",
        LoadBalancerArn=load_balancer,
        Port=80,
        Protocol="HTTP",
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}],
    )
    assert refusal.code == "DuplicateListener"
    other = elb.listener(load_balancer, port=81)
    assert elb.refusal("ModifyListener", ListenerArn=other, Port=80).code == "DuplicateListener"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        pytest.param({"Protocol": "HTTPS"}, "ValidationError", id="https-without-certificate"),
        pytest.param({"Protocol": "TCP"}, "ValidationError", id="tcp-on-alb"),
        pytest.param({"Port": None}, "ValidationError", id="no-port"),
        pytest.param({"Protocol": None}, "ValidationError", id="no-protocol"),
        pytest.param(
            {"Protocol": "HTTPS", "Certificates": [{"CertificateArn": "arn:x"}]},
            "CertificateNotFound",
            id="no-cert",
        ),
        pytest.param(
            {"Protocol": "HTTPS", "Certificates": [{"CertificateArn": CERTIFICATE}], "SslPolicy": "none"},
            "SSLPolicyNotFound",
            id="unknown-policy",
        ),
        pytest.param({"SslPolicy": "ELBSecurityPolicy-2016-08"}, "ValidationError", id="policy-on-http"),
    ],
)
def test_create_listener_refuses(elb: Elb, params: dict[str, Any], code: str) -> None:
    """Each rule of CreateListener has its code."""
    wanted = {
        "LoadBalancerArn": elb.load_balancer(),
        "Port": 443,
        "Protocol": "HTTP",
        "DefaultActions": [NOT_FOUND],
    } | params
    assert elb.refusal("CreateListener", **wanted).code == code


def test_an_https_listener_keeps_certificate_and_policy(elb: Elb) -> None:
    """Defaults are AWS's; further certificates have a list of their own."""
    listener = elb.call(
        "CreateListener",
        LoadBalancerArn=elb.load_balancer(),
        Port=443,
        Protocol="HTTPS",
        Certificates=[{"CertificateArn": CERTIFICATE}],
        DefaultActions=[NOT_FOUND],
    )["Listeners"][0]
    assert listener["Certificates"] == [{"CertificateArn": CERTIFICATE}]
    assert listener["SslPolicy"] == "ELBSecurityPolicy-2016-08"
    arn, extra = listener["ListenerArn"], CERTIFICATE.replace("one", "two")
    for _ in range(2):
        elb.call("AddListenerCertificates", ListenerArn=arn, Certificates=[{"CertificateArn": extra}])
    shown = elb.call("DescribeListenerCertificates", ListenerArn=arn)["Certificates"]
    assert [(item["CertificateArn"], item["IsDefault"]) for item in shown] == [
        (CERTIFICATE, True),
        (extra, False),
    ]
    refusal = elb.refusal(
        "RemoveListenerCertificates", ListenerArn=arn, Certificates=[{"CertificateArn": CERTIFICATE}]
    )
    assert refusal.code == "OperationNotPermitted"


def test_transforms_are_kept_and_reset(elb: Elb) -> None:
    """Transforms come back as given, at most one of a type, and go with ResetTransforms."""
    listener = elb.listener(elb.load_balancer())
    rewrite = {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "^/a", "Replace": "/b"}]}}
    rule = elb.rule(listener, 1, [NOT_FOUND], Transforms=[rewrite])
    assert elb.call("DescribeRules", RuleArns=[rule])["Rules"][0]["Transforms"] == [rewrite]
    assert elb.refusal("ModifyRule", RuleArn=rule, Transforms=[rewrite, rewrite]).code == "ValidationError"
    elb.call("ModifyRule", RuleArn=rule, ResetTransforms=True)
    assert elb.call("DescribeRules", RuleArns=[rule])["Rules"][0]["Transforms"] == []


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        pytest.param("DescribeRules", {}, "ValidationError", id="rules-of-nothing"),
        pytest.param("DescribeRules", {"ListenerArn": UNKNOWN}, "ListenerNotFound", id="unknown-listener"),
        pytest.param("DescribeRules", {"RuleArns": [UNKNOWN]}, "RuleNotFound", id="unknown-rule"),
        pytest.param("DescribeListeners", {}, "ValidationError", id="listeners-of-nothing"),
        pytest.param(
            "DescribeListeners", {"LoadBalancerArn": UNKNOWN}, "LoadBalancerNotFound", id="unknown-lb"
        ),
        pytest.param("DeleteListener", {"ListenerArn": UNKNOWN}, "ListenerNotFound", id="delete-listener"),
        pytest.param("DeleteRule", {"RuleArn": UNKNOWN}, "RuleNotFound", id="delete-rule"),
        pytest.param("ModifyRule", {"RuleArn": UNKNOWN, "Actions": []}, "RuleNotFound", id="modify-rule"),
    ],
)
def test_what_does_not_exist_has_its_code(
    elb: Elb, operation: str, params: dict[str, Any], code: str
) -> None:
    """Unknown ARNs are told by the kind that was asked for."""
    assert elb.refusal(operation, **params).code == code
