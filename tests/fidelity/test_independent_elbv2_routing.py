"""Listeners and rules: weights, priorities, conditions, transforms, and the default rule."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from fidelity.outsider import ACCOUNT, REGION, Outsider, forward, fresh, ports, priorities, refused

_words = itertools.count()
PREFIX = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}"
CERTIFICATE = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/00000000-0000-0000-0000-000000000000"
FIXED = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}


def path(value: str | None = None) -> list[dict[str, Any]]:
    """Answer a condition on a path of its own."""
    return [{"Field": "path-pattern", "Values": [value or f"/r{next(_words)}"]}]


def listen(aws: Outsider, **members: Any) -> dict[str, Any]:
    """Create a listener on a port of its own."""
    wish = {
        "LoadBalancerArn": aws.balancer["LoadBalancerArn"],
        "Protocol": "HTTP",
        "Port": next(ports),
        "DefaultActions": [FIXED],
    } | members
    wish = {name: value for name, value in wish.items() if value is not None}
    made: dict[str, Any] = aws.elb.create_listener(**wish)["Listeners"][0]
    return made


def route(aws: Outsider, **members: Any) -> dict[str, Any]:
    """Create a rule on the shared listener."""
    wish = {
        "ListenerArn": aws.listener,
        "Priority": next(priorities),
        "Conditions": path(),
        "Actions": [FIXED],
    } | members
    made: dict[str, Any] = aws.elb.create_rule(**wish)["Rules"][0]
    return made


def rule(aws: Outsider, arn: str) -> dict[str, Any]:
    """Describe a rule."""
    found: dict[str, Any] = aws.elb.describe_rules(RuleArns=[arn])["Rules"][0]
    return found


def weighted(*groups: tuple[str, int], seconds: int | None = None) -> dict[str, Any]:
    """Answer a forward action by weights, sticky for `seconds` if told."""
    config: dict[str, Any] = {
        "TargetGroups": [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in groups]
    }
    if seconds is not None:
        config["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": seconds}
    return {"Type": "forward", "ForwardConfig": config}


@pytest.fixture(scope="module")
def pair(aws: Outsider) -> tuple[str, str]:
    """Make two target groups."""
    return aws.group(), aws.group()


# --- listeners


def test_listener_keeps_weights_and_stickiness(aws: Outsider, pair: tuple[str, str]) -> None:
    """A weighted default action is answered and described in full."""
    made = listen(aws, DefaultActions=[weighted((pair[0], 90), (pair[1], 10), seconds=60)])
    found = aws.elb.describe_listeners(ListenerArns=[made["ListenerArn"]])["Listeners"][0]
    for each in (made, found):
        config = each["DefaultActions"][0]["ForwardConfig"]
        assert {g["TargetGroupArn"]: g["Weight"] for g in config["TargetGroups"]} == {
            pair[0]: 90,
            pair[1]: 10,
        }
        assert config["TargetGroupStickinessConfig"] == {"Enabled": True, "DurationSeconds": 60}
        assert each["DefaultActions"][0]["Type"] == "forward"


def test_forward_to_one_group_tells_both_forms(aws: Outsider, pair: tuple[str, str]) -> None:
    """A forward to one group has the short form and the long one, with weight 1 and no stickiness."""
    made = listen(aws, DefaultActions=[forward(pair[0])])
    (action,) = made["DefaultActions"]
    assert action["TargetGroupArn"] == pair[0]
    assert action["ForwardConfig"]["TargetGroups"] == [{"TargetGroupArn": pair[0], "Weight": 1}]
    assert action["ForwardConfig"]["TargetGroupStickinessConfig"]["Enabled"] is False


def test_second_listener_on_a_port(aws: Outsider) -> None:
    """A port is taken once, whatever the listener's settings."""
    made = listen(aws)
    with refused("DuplicateListener", says="A listener already exists on this port"):
        listen(
            aws, Port=made["Port"], DefaultActions=[FIXED | {"FixedResponseConfig": {"StatusCode": "500"}}]
        )


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({"Protocol": "HTTPS"}, ["ValidationError"]),
        ({"Protocol": "TCP"}, ["ValidationError", "UnsupportedProtocol"]),
        ({"Port": 65536}, ["ValidationError"]),
        ({"DefaultActions": []}, ["ValidationError"]),
        (
            {"DefaultActions": [FIXED, FIXED]},
            ["ValidationError", "TooManyActions", "InvalidLoadBalancerAction"],
        ),
        (
            {"LoadBalancerArn": f"{PREFIX}:loadbalancer/app/none/0123456789abcdef"},
            ["LoadBalancerNotFound"],
        ),
    ],
    ids=["no certificate", "tcp", "65536", "no action", "two actions", "no balancer"],
)
def test_create_listener_refuses(aws: Outsider, change: dict[str, Any], codes: list[str]) -> None:
    """Each of these listeners is refused."""
    with refused(*codes):
        listen(aws, **change)


def test_listener_to_an_unknown_group(aws: Outsider) -> None:
    """A forward to nowhere is TargetGroupNotFound, at creation and at a change."""
    nowhere = f"{PREFIX}:targetgroup/none/0123456789abcdef"
    with refused("TargetGroupNotFound"):
        listen(aws, DefaultActions=[forward(nowhere)])
    made = listen(aws)
    with refused("TargetGroupNotFound"):
        aws.elb.modify_listener(ListenerArn=made["ListenerArn"], DefaultActions=[forward(nowhere)])


def test_https_listener_keeps_its_certificate(aws: Outsider) -> None:
    """A certificate of ACM is kept; the policy has a default; HTTP listeners have neither."""
    made = listen(aws, Protocol="HTTPS", Certificates=[{"CertificateArn": CERTIFICATE}])
    assert made["Certificates"] == [{"CertificateArn": CERTIFICATE}]
    assert made["SslPolicy"].startswith("ELBSecurityPolicy-")
    assert "SslPolicy" not in listen(aws)


def test_modify_listener_changes_weights_and_port(aws: Outsider, pair: tuple[str, str]) -> None:
    """Weights and port change; rules stay."""
    made = listen(aws, DefaultActions=[weighted((pair[0], 1), (pair[1], 0))])
    kept = route(aws, ListenerArn=made["ListenerArn"])
    port = next(ports)
    changed = aws.elb.modify_listener(
        ListenerArn=made["ListenerArn"], Port=port, DefaultActions=[weighted((pair[0], 0), (pair[1], 1))]
    )["Listeners"][0]
    assert changed["Port"] == port
    groups = changed["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]
    assert {g["TargetGroupArn"]: g["Weight"] for g in groups} == {pair[0]: 0, pair[1]: 1}
    assert rule(aws, kept["RuleArn"])["RuleArn"] == kept["RuleArn"]


def test_modify_listener_to_a_taken_port(aws: Outsider) -> None:
    """A port that another listener has is DuplicateListener."""
    first, second = listen(aws), listen(aws)
    with refused("DuplicateListener"):
        aws.elb.modify_listener(ListenerArn=second["ListenerArn"], Port=first["Port"])


def test_listeners_page(aws: Outsider) -> None:
    """PageSize and Marker walk through a load balancer's listeners."""
    made = {listen(aws)["ListenerArn"] for _ in range(3)}
    arn = aws.balancer["LoadBalancerArn"]
    first = aws.elb.describe_listeners(LoadBalancerArn=arn, PageSize=1)
    assert len(first["Listeners"]) == 1
    assert first["NextMarker"]
    pages = aws.elb.get_paginator("describe_listeners").paginate(
        LoadBalancerArn=arn, PaginationConfig={"PageSize": 2}
    )
    assert made <= {each["ListenerArn"] for page in pages for each in page["Listeners"]}


def test_delete_listener_takes_its_rules(aws: Outsider) -> None:
    """With a listener go its rules; a listener that isn't there can't be deleted."""
    made = listen(aws)
    kept = route(aws, ListenerArn=made["ListenerArn"])
    aws.elb.delete_listener(ListenerArn=made["ListenerArn"])
    with refused("RuleNotFound", says="One or more rules not found"):
        rule(aws, kept["RuleArn"])
    with refused("ListenerNotFound"):
        aws.elb.delete_listener(ListenerArn=made["ListenerArn"])


# --- rules

CONDITIONS: dict[str, dict[str, Any]] = {
    "host": {"Field": "host-header", "HostHeaderConfig": {"Values": ["*.example.com"]}},
    "path": {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/img/*"]}},
    "header": {
        "Field": "http-header",
        "HttpHeaderConfig": {"HttpHeaderName": "X-Canary", "Values": ["always"]},
    },
    "query": {
        "Field": "query-string",
        "QueryStringConfig": {"Values": [{"Key": "v", "Value": "2"}, {"Value": "*x*"}]},
    },
    "method": {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET"]}},
    "source": {"Field": "source-ip", "SourceIpConfig": {"Values": ["192.0.2.0/24"]}},
    "path by regex": {"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/api/v[0-9]+/.*$"]}},
}


@pytest.mark.parametrize("kind", list(CONDITIONS))
def test_rule_keeps_its_condition(aws: Outsider, kind: str) -> None:
    """Each kind of condition is described as it was made."""
    condition = CONDITIONS[kind]
    made = route(aws, Conditions=[condition])
    (found,) = rule(aws, made["RuleArn"])["Conditions"]
    for member, value in condition.items():
        told = found[member]
        if isinstance(value, dict):
            assert {name: told.get(name) for name in value} == value
        else:
            assert told == value


def test_rule_tells_both_forms_of_values(aws: Outsider) -> None:
    """A path condition has its values in the old member and in the new one."""
    made = route(aws, Conditions=path("/both"))
    (found,) = made["Conditions"]
    assert found["Values"] == ["/both"]
    assert found["PathPatternConfig"] == {"Values": ["/both"]}


def test_rule_answers_every_member(aws: Outsider) -> None:
    """A rule has its ARN under the listener's, its priority as a word, and isn't the default."""
    priority = next(priorities)
    made = route(aws, Priority=priority)
    assert made["RuleArn"].startswith(aws.listener.replace(":listener/", ":listener-rule/") + "/")
    assert made["Priority"] == str(priority)
    assert made["IsDefault"] is False


def test_rule_keeps_weights_and_stickiness(aws: Outsider, pair: tuple[str, str]) -> None:
    """Weights from 0 to 999 and the stickiness are described as they were made, in their order."""
    made = route(aws, Actions=[weighted((pair[0], 999), (pair[1], 0), seconds=3600)])
    config = rule(aws, made["RuleArn"])["Actions"][0]["ForwardConfig"]
    assert config["TargetGroups"] == [
        {"TargetGroupArn": pair[0], "Weight": 999},
        {"TargetGroupArn": pair[1], "Weight": 0},
    ]
    assert config["TargetGroupStickinessConfig"] == {"Enabled": True, "DurationSeconds": 3600}


def test_rule_keeps_transforms(aws: Outsider, pair: tuple[str, str]) -> None:
    """Transforms of URL and host are described as they were made."""
    transforms = [
        {
            "Type": "url-rewrite",
            "UrlRewriteConfig": {"Rewrites": [{"Regex": "^/old/(.*)$", "Replace": "/new/$1"}]},
        }
    ]
    made = route(aws, Actions=[forward(pair[0])], Transforms=transforms)
    assert rule(aws, made["RuleArn"])["Transforms"] == transforms


def test_rule_keeps_redirects_and_fixed_answers(aws: Outsider) -> None:
    """Redirects get their defaults; fixed answers are kept."""
    redirect = {
        "Type": "redirect",
        "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"},
    }
    (action,) = route(aws, Actions=[redirect])["Actions"]
    assert action["RedirectConfig"] == {
        "Protocol": "HTTPS",
        "Port": "443",
        "Host": "#{host}",
        "Path": "/#{path}",
        "Query": "#{query}",
        "StatusCode": "HTTP_301",
    }
    fixed = {
        "Type": "fixed-response",
        "FixedResponseConfig": {"StatusCode": "503", "ContentType": "text/plain", "MessageBody": "later"},
    }
    (action,) = route(aws, Actions=[fixed])["Actions"]
    assert action["FixedResponseConfig"] == fixed["FixedResponseConfig"]


def test_priority_is_taken_once(aws: Outsider) -> None:
    """A second rule of a priority is PriorityInUse, with the number."""
    priority = next(priorities)
    route(aws, Priority=priority)
    with refused("PriorityInUse", says=f"Priority '{priority}' is currently in use"):
        route(aws, Priority=priority)


@pytest.mark.parametrize(
    ("weights", "codes"),
    [
        ([(0, 1000)], ["ValidationError"]),
        ([(0, -1)], ["ValidationError"]),
        ([(0, 1), (0, 1)], ["ValidationError"]),
        (
            [(n, 1) for n in range(6)],
            ["TooManyTargetGroups", "ValidationError", "TooManyUniqueTargetGroupsPerLoadBalancer"],
        ),
    ],
    ids=["1000", "-1", "one group twice", "six groups"],
)
def test_rule_refuses_weights(aws: Outsider, weights: list[tuple[int, int]], codes: list[str]) -> None:
    """Weights are 0 to 999, of up to five different groups; ModifyRule sees to it as CreateRule does."""
    groups = [aws.group() for _ in range(max(index for index, _ in weights) + 1)]
    action = weighted(*((groups[index], weight) for index, weight in weights))
    with refused(*codes):
        route(aws, Actions=[action])
    made = route(aws)
    with refused(*codes):
        aws.elb.modify_rule(RuleArn=made["RuleArn"], Actions=[action])
    assert rule(aws, made["RuleArn"])["Actions"] == made["Actions"]


@pytest.mark.parametrize("seconds", [0, 604801])
def test_rule_refuses_stickiness_out_of_range(aws: Outsider, pair: tuple[str, str], seconds: int) -> None:
    """Stickiness lasts between a second and seven days."""
    with refused("ValidationError"):
        route(aws, Actions=[weighted((pair[0], 1), (pair[1], 1), seconds=seconds)])


def test_rule_refuses_stickiness_without_duration(aws: Outsider, pair: tuple[str, str]) -> None:
    """Stickiness that is on wants its duration."""
    action = weighted((pair[0], 1), (pair[1], 1))
    action["ForwardConfig"]["TargetGroupStickinessConfig"] = {"Enabled": True}
    with refused("ValidationError"):
        route(aws, Actions=[action])


@pytest.mark.parametrize(
    "change",
    [
        {"Priority": 50001},
        {"Actions": []},
        {"Conditions": []},
        {"Conditions": [{"Field": "moon-phase", "Values": ["full"]}]},
        {"Conditions": [{"Field": "path-pattern", "Values": []}]},
        {"Conditions": [{"Field": "path-pattern", "Values": ["/" + "x" * 128]}]},
        {"Conditions": [{"Field": "path-pattern", "Values": [f"/{n}" for n in range(6)]}]},
        {"Conditions": [{"Field": "host-header", "Values": ["a.example.com"]}] * 2},
        {"Conditions": [{"Field": "source-ip", "SourceIpConfig": {"Values": ["192.0.2.1"]}}]},
        {"Conditions": [{"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["get it"]}}]},
        {"Conditions": [{"Field": "http-header", "HttpHeaderConfig": {"Values": ["v"]}}]},
        {"Actions": [{"Type": "forward"}]},
        {"Actions": [{"Type": "dance"}]},
        {"Actions": [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "99"}}]},
        {"Actions": [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_307"}}]},
        {"Actions": [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301"}}]},
    ],
    ids=lambda change: str(change)[:60],
)
def test_create_rule_refuses(aws: Outsider, change: dict[str, Any]) -> None:
    """Each of these rules is refused."""
    with refused(
        "ValidationError",
        "InvalidLoadBalancerAction",
        "InvalidConfigurationRequest",
        "TooManyActions",
    ):
        route(aws, **change)


def test_rule_to_an_unknown_group(aws: Outsider) -> None:
    """A forward to nowhere is TargetGroupNotFound."""
    nowhere = f"{PREFIX}:targetgroup/none/0123456789abcdef"
    with refused("TargetGroupNotFound"):
        route(aws, Actions=[forward(nowhere)])


def test_rule_of_an_unknown_listener(aws: Outsider) -> None:
    """A listener that isn't there takes no rule."""
    arn = aws.listener.rsplit("/", 1)[0] + "/0123456789abcdef"
    with refused("ListenerNotFound"):
        route(aws, ListenerArn=arn)


def test_group_of_another_balancer(aws: Outsider) -> None:
    """A group belongs to one load balancer."""
    other = aws.elb.create_load_balancer(Name=fresh("lb"), Subnets=aws.subnets)["LoadBalancers"][0]
    group = aws.attached()
    with refused("TargetGroupAssociationLimit", says="cannot be associated with more than one load balancer"):
        listen(aws, LoadBalancerArn=other["LoadBalancerArn"], DefaultActions=[forward(group)])


def test_rules_are_described_by_priority(aws: Outsider) -> None:
    """Rules come by ascending priority, the default last."""
    arn = listen(aws)["ListenerArn"]
    for priority in (30, 10, 20):
        route(aws, ListenerArn=arn, Priority=priority)
    found = aws.elb.describe_rules(ListenerArn=arn)["Rules"]
    assert [each["Priority"] for each in found] == ["10", "20", "30", "default"]
    assert [each["IsDefault"] for each in found] == [False, False, False, True]
    assert found[-1]["Conditions"] == []


def test_rules_page(aws: Outsider) -> None:
    """PageSize and Marker walk through a listener's rules."""
    arn = listen(aws)["ListenerArn"]
    for priority in range(1, 4):
        route(aws, ListenerArn=arn, Priority=priority)
    first = aws.elb.describe_rules(ListenerArn=arn, PageSize=2)
    assert len(first["Rules"]) == 2
    rest = aws.elb.describe_rules(ListenerArn=arn, PageSize=2, Marker=first["NextMarker"])
    assert len(rest["Rules"]) == 2
    assert not rest.get("NextMarker")


def test_modify_rule_changes_only_what_is_named(aws: Outsider, pair: tuple[str, str]) -> None:
    """Actions change and conditions stay, and the other way round."""
    made = route(aws, Conditions=path("/stay"), Actions=[forward(pair[0])])
    aws.elb.modify_rule(RuleArn=made["RuleArn"], Actions=[weighted((pair[0], 5), (pair[1], 95))])
    found = rule(aws, made["RuleArn"])
    assert found["Conditions"][0]["Values"] == ["/stay"]
    assert [each["Weight"] for each in found["Actions"][0]["ForwardConfig"]["TargetGroups"]] == [5, 95]
    aws.elb.modify_rule(RuleArn=made["RuleArn"], Conditions=path("/move"))
    found = rule(aws, made["RuleArn"])
    assert found["Conditions"][0]["Values"] == ["/move"]
    assert [each["Weight"] for each in found["Actions"][0]["ForwardConfig"]["TargetGroups"]] == [5, 95]


def default_rule(aws: Outsider, listener: str) -> str:
    """Answer the ARN of a listener's default rule."""
    (arn,) = [
        each["RuleArn"] for each in aws.elb.describe_rules(ListenerArn=listener)["Rules"] if each["IsDefault"]
    ]
    found: str = arn
    return found


def test_default_rule_cannot_be_modified(aws: Outsider, pair: tuple[str, str]) -> None:
    """The default rule is changed by its listener."""
    arn = default_rule(aws, listen(aws)["ListenerArn"])
    with refused("OperationNotPermitted", says="cannot be modified"):
        aws.elb.modify_rule(RuleArn=arn, Actions=[forward(pair[0])])


def test_default_rule_cannot_be_deleted(aws: Outsider) -> None:
    """The default rule stays as long as its listener."""
    arn = default_rule(aws, listen(aws)["ListenerArn"])
    with refused("OperationNotPermitted", says="cannot be deleted"):
        aws.elb.delete_rule(RuleArn=arn)


def test_deleted_rule_is_gone(aws: Outsider) -> None:
    """A deleted rule is RuleNotFound, and its priority is free."""
    made = route(aws)
    aws.elb.delete_rule(RuleArn=made["RuleArn"])
    with refused("RuleNotFound", says="One or more rules not found"):
        rule(aws, made["RuleArn"])
    with refused("RuleNotFound"):
        aws.elb.delete_rule(RuleArn=made["RuleArn"])
    assert route(aws, Priority=int(made["Priority"]))


def test_priorities_can_be_swapped(aws: Outsider) -> None:
    """Two rules change places in one call."""
    arn = listen(aws)["ListenerArn"]
    first, second = (route(aws, ListenerArn=arn, Priority=number)["RuleArn"] for number in (1, 2))
    answer = aws.elb.set_rule_priorities(
        RulePriorities=[{"RuleArn": first, "Priority": 2}, {"RuleArn": second, "Priority": 1}]
    )
    assert {each["RuleArn"]: each["Priority"] for each in answer["Rules"]} == {first: "2", second: "1"}
    listed = [each["RuleArn"] for each in aws.elb.describe_rules(ListenerArn=arn)["Rules"]]
    assert listed[:2] == [second, first]


def test_priority_of_another_rule_is_in_use(aws: Outsider) -> None:
    """A rule can't be given a priority that another keeps."""
    arn = listen(aws)["ListenerArn"]
    first, _ = (route(aws, ListenerArn=arn, Priority=number)["RuleArn"] for number in (1, 2))
    with refused("PriorityInUse"):
        aws.elb.set_rule_priorities(RulePriorities=[{"RuleArn": first, "Priority": 2}])


def test_default_rule_has_no_priority_to_set(aws: Outsider) -> None:
    """The default rule stays last."""
    arn = default_rule(aws, listen(aws)["ListenerArn"])
    with refused("OperationNotPermitted"):
        aws.elb.set_rule_priorities(RulePriorities=[{"RuleArn": arn, "Priority": 1}])


def test_rule_has_tags(aws: Outsider) -> None:
    """Tags given at creation and later are told."""
    made = route(aws, Tags=[{"Key": "a", "Value": "1"}])
    aws.elb.add_tags(ResourceArns=[made["RuleArn"]], Tags=[{"Key": "b", "Value": "2"}])
    (found,) = aws.elb.describe_tags(ResourceArns=[made["RuleArn"]])["TagDescriptions"]
    assert {tag["Key"]: tag["Value"] for tag in found["Tags"]} == {"a": "1", "b": "2"}


def test_account_limits_are_told(aws: Outsider) -> None:
    """Limits have the names and values of the published quotas."""
    limits = {each["Name"]: each["Max"] for each in aws.elb.describe_account_limits()["Limits"]}
    assert limits["target-groups-per-action-on-application-load-balancer"] == "5"
    assert limits["rules-per-application-load-balancer"] == "100"
    assert limits["listeners-per-application-load-balancer"] == "50"
