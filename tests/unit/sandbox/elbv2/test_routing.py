"""Which rule, which group, which target: pure choice and simulated traffic."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from elb_world import Elb, forward
from hypothesis import given
from hypothesis import strategies as st

from sluice_sandbox.aws.elbv2 import routing
from sluice_sandbox.aws.elbv2.conditions import complete
from sluice_sandbox.aws.elbv2.desk import Quotas
from sluice_sandbox.aws.elbv2.state import Rule
from sluice_sandbox.aws.ports import HttpRequest

HOST = "shop.example.com"
IPS = ("10.42.0.10", "10.42.0.11", "10.42.0.12")


def _host(*values: str) -> dict[str, Any]:
    return {"Field": "host-header", "HostHeaderConfig": {"Values": list(values)}}


def _path(*values: str) -> dict[str, Any]:
    return {"Field": "path-pattern", "PathPatternConfig": {"Values": list(values)}}


def _header(name: str, *values: str) -> dict[str, Any]:
    return {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": name, "Values": list(values)}}


def _query(*pairs: dict[str, str]) -> dict[str, Any]:
    return {"Field": "query-string", "QueryStringConfig": {"Values": list(pairs)}}


def _method(*values: str) -> dict[str, Any]:
    return {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": list(values)}}


def _source(*values: str) -> dict[str, Any]:
    return {"Field": "source-ip", "SourceIpConfig": {"Values": list(values)}}


def _regex(field: str, config: str, *values: str, **more: str) -> dict[str, Any]:
    return {"Field": field, config: {"RegexValues": list(values), **more}}


@pytest.mark.parametrize(
    ("condition", "request_", "expected"),
    [
        pytest.param(_host("SHOP.example.com"), {}, True, id="host-ignores-case"),
        pytest.param(_host("*.example.com"), {}, True, id="host-star"),
        pytest.param(_host("*.example.com"), {"host": "example.com"}, False, id="host-star-needs-dot"),
        pytest.param(_host("shop?.example.com"), {"host": "shop1.example.com"}, True, id="host-question"),
        pytest.param(_host("shop?.example.com"), {}, False, id="host-question-is-one-character"),
        pytest.param(_host(HOST), {"host": f"{HOST}:8080"}, True, id="host-without-port"),
        pytest.param(_path("/img/*"), {"path": "/img/a/b"}, True, id="path-star-crosses-slashes"),
        pytest.param(_path("/img/*"), {"path": "/IMG/a"}, False, id="path-keeps-case"),
        pytest.param(_path("/img"), {"path": "/img/"}, False, id="path-is-exact"),
        pytest.param(_path("/a", "/b"), {"path": "/b"}, True, id="any-value"),
        pytest.param(
            _header("X-Canary", "yes"), {"headers": {"x-canary": "YES"}}, True, id="header-ignores-case"
        ),
        pytest.param(_header("X-Canary", "y*"), {"headers": {}}, False, id="header-absent"),
        pytest.param(_query({"Key": "v", "Value": "2*"}), {"query": [("V", "2b")]}, True, id="query-pair"),
        pytest.param(
            _query({"Key": "v", "Value": "2"}), {"query": [("w", "2")]}, False, id="query-other-key"
        ),
        pytest.param(_query({"Value": "2"}), {"query": [("w", "2")]}, True, id="query-any-key"),
        pytest.param(_query({"Value": r"\*"}), {"query": [("w", "x")]}, False, id="query-escaped-star"),
        pytest.param(_query({"Value": r"\*"}), {"query": [("w", "*")]}, True, id="query-literal-star"),
        pytest.param(_method("POST", "PUT"), {"method": "PUT"}, True, id="method"),
        pytest.param(_method("POST"), {"method": "post"}, False, id="method-keeps-case"),
        pytest.param(_source("10.0.0.0/8"), {"source_ip": "10.1.2.3"}, True, id="source-in-block"),
        pytest.param(_source("10.0.0.0/8"), {"source_ip": "11.1.2.3"}, False, id="source-outside"),
        pytest.param(_source("::1/128"), {"source_ip": "10.1.2.3"}, False, id="source-other-family"),
        pytest.param(
            _regex("path-pattern", "PathPatternConfig", "^/v[12]/"), {"path": "/v2/x"}, True, id="regex"
        ),
        pytest.param(
            _regex("host-header", "HostHeaderConfig", "^SHOP"), {}, True, id="regex-host-ignores-case"
        ),
        pytest.param(
            _regex("http-header", "HttpHeaderConfig", "^a+$", HttpHeaderName="X-A"),
            {"headers": {"X-A": "aaa"}},
            True,
            id="regex-header-in-any-case",
        ),
    ],
)
def test_conditions(condition: dict[str, Any], request_: dict[str, Any], expected: bool) -> None:  # noqa: FBT001 - a table's column
    """Each condition matches what its documentation says."""
    completed = complete([condition], quotas=Quotas())
    rule = Rule(
        arn="rule", listener_arn="l", priority=1, conditions=completed, actions=[], transforms=[], tags={}
    )
    request = HttpRequest(**({"host": HOST, "path": "/"} | request_))
    assert (routing.match([rule], request) is rule) is expected


def test_all_conditions_must_match_and_the_lowest_priority_wins() -> None:
    """Several conditions are an "and"; the default rule is the last resort."""

    def rule(name: str, priority: int | None, *conditions: dict[str, Any]) -> Rule:
        completed = complete(list(conditions), quotas=Quotas()) if conditions else []
        return Rule(
            arn=name,
            listener_arn="l",
            priority=priority,
            conditions=completed,
            actions=[],
            transforms=[],
            tags={},
        )

    rules = [
        rule("default", None),
        rule("wide", 20, _host(HOST)),
        rule("narrow", 3, _host(HOST), _path("/api/*"), _header("x-canary", "1")),
    ]

    def chosen(**request: Any) -> str:
        found = routing.match(rules, HttpRequest(**({"host": HOST, "path": "/api/x"} | request)))
        return found.arn if found else ""

    assert chosen(headers={"X-Canary": "1"}) == "narrow"
    assert chosen() == "wide"
    assert chosen(host="other.example") == "default"


weights = st.lists(st.integers(0, 999), min_size=1, max_size=5)


@given(weights=weights, seed=st.integers(0, 1000))
def test_a_weight_of_zero_gets_nothing(weights: list[int], seed: int) -> None:
    """Whatever is drawn, only groups with a weight are picked; none when all are 0."""
    entries = [{"TargetGroupArn": str(index), "Weight": weight} for index, weight in enumerate(weights)]
    picked = routing.pick_group({"TargetGroups": entries}, random.Random(seed))
    if any(weights):
        assert picked is not None
        assert weights[int(picked)] > 0
    else:
        assert picked is None


def test_the_split_follows_the_weights() -> None:
    """Ten thousand draws of 900:90:10 are right within two percent."""
    rng = random.Random(3)
    config = {
        "TargetGroups": [
            {"TargetGroupArn": name, "Weight": weight} for name, weight in (("a", 900), ("b", 90), ("c", 10))
        ]
    }
    drawn = Counter(routing.pick_group(config, rng) for _ in range(10_000))
    assert abs(drawn["a"] / 10_000 - 0.90) < 0.02
    assert abs(drawn["b"] / 10_000 - 0.09) < 0.02
    assert 0 < drawn["c"] < 200


def _request(**more: Any) -> HttpRequest:
    return HttpRequest(**({"host": HOST, "path": "/"} | more))


def _cookie(set_cookies: tuple[str, ...]) -> dict[str, str]:
    return {"Cookie": "; ".join(cookie.partition(";")[0] for cookie in set_cookies)}


def test_simulated_traffic_reaches_tasks_and_is_counted(elb: Elb) -> None:
    """route() answers what the task says, in turn, and counts by group and listener."""
    group = elb.group()
    listener = elb.serve(group)
    for ip in IPS:
        elb.target(group, ip)
    elb.clock.advance(1)
    results = [elb.service.route(elb.caller, listener, _request(path="/x")) for _ in range(9)]
    assert Counter(result.target_ip for result in results) == dict.fromkeys(IPS, 3)
    body = results[0].body
    assert body is not None
    assert (body["tag"], body["revision"], body["slot"], body["path"]) == ("v1", "app:3", "slot-a", "/x")
    counters = elb.service.counters()
    assert counters["targetGroups"][group]["RequestCount"] == 9
    assert counters["targetGroups"][group]["HTTPCode_Target_2XX_Count"] == 9
    assert counters["targetGroups"][group]["HealthyHostCount"] == 3
    assert counters["listeners"][listener]["RequestCount"] == 9


def test_failing_tasks_are_counted_as_the_targets_errors(elb: Elb) -> None:
    """A 5xx of a task is HTTPCode_Target_5XX_Count; one of the load balancer is not."""
    group = elb.group()
    listener = elb.serve(group)
    elb.target(group, IPS[0], SANDBOX_FAIL_PERCENT="100")
    elb.clock.advance(1)
    assert elb.service.route(elb.caller, listener, _request()).status == 500
    counts = elb.service.counters()["listeners"][listener]
    assert counts["HTTPCode_Target_5XX_Count"] == 1
    assert "HTTPCode_ELB_5XX_Count" not in counts


def test_a_group_without_targets_answers_503(elb: Elb) -> None:
    """Empty, unused and weightless groups have nobody to send to."""
    group, other = elb.group(), elb.group("other")
    listener = elb.serve(group)
    assert elb.service.route(elb.caller, listener, _request()).status == 503
    elb.call("ModifyListener", ListenerArn=listener, DefaultActions=[forward((group, 0), (other, 0))])
    elb.target(group, IPS[0])
    elb.clock.advance(1)
    assert elb.service.route(elb.caller, listener, _request()).status == 503
    assert elb.service.counters()["listeners"][listener]["HTTPCode_ELB_503_Count"] == 2


def test_only_healthy_targets_get_requests_until_none_is_healthy(elb: Elb) -> None:
    """Fail-open: when every target is unhealthy, all of them get requests."""
    group = elb.group(HealthCheckIntervalSeconds=10, HealthCheckTimeoutSeconds=2)
    listener = elb.serve(group)
    tasks = [elb.target(group, ip) for ip in IPS[:2]]
    elb.clock.advance(1)
    elb.runtime.change(tasks[0], "app", {"SANDBOX_UNHEALTHY": "1"})
    elb.clock.advance(30)
    assert {elb.service.route(elb.caller, listener, _request()).target_ip for _ in range(6)} == {IPS[1]}
    elb.runtime.change(tasks[1], "app", {"SANDBOX_UNHEALTHY": "1"})
    elb.clock.advance(30)
    results = [elb.service.route(elb.caller, listener, _request()) for _ in range(6)]
    assert {result.target_ip for result in results} == set(IPS[:2])
    assert {result.status for result in results} == {200}


def test_draining_targets_get_no_new_requests(elb: Elb) -> None:
    """Also when they are the only ones."""
    group = elb.group()
    listener = elb.serve(group)
    for ip in IPS[:2]:
        elb.target(group, ip)
    elb.clock.advance(1)
    elb.service.deregister(elb.caller, group, ip=IPS[0], port=8080)
    assert {elb.service.route(elb.caller, listener, _request()).target_ip for _ in range(4)} == {IPS[1]}
    elb.service.deregister(elb.caller, group, ip=IPS[1], port=8080)
    assert elb.service.route(elb.caller, listener, _request()).status == 503


def test_a_group_cookie_outlives_a_weight_of_0_and_ends_with_the_group(elb: Elb) -> None:
    """Stickiness keeps a client on its group until the group leaves the rule or the cookie is stale."""
    old, new = elb.group("old"), elb.group("new")
    listener = elb.listener(elb.load_balancer())
    sticky = {"Enabled": True, "DurationSeconds": 60}
    rule = elb.rule(listener, 1, [forward((old, 1), (new, 0), **sticky)])
    elb.target(old, IPS[0])
    elb.target(new, IPS[1])
    elb.clock.advance(1)
    first = elb.service.route(elb.caller, listener, _request())
    assert [cookie.partition("=")[0] for cookie in first.set_cookies] == ["AWSALBTG", "AWSALBTGCORS"]
    headers = _cookie(first.set_cookies)

    def group_of(request: HttpRequest) -> str:
        return elb.service.route(elb.caller, listener, request).target_group_arn

    elb.call("ModifyRule", RuleArn=rule, Actions=[forward((old, 0), (new, 1), **sticky)])
    assert group_of(_request(headers=headers)) == old
    assert group_of(_request()) == new
    elb.call("ModifyRule", RuleArn=rule, Actions=[forward((new, 1), **sticky)])
    assert group_of(_request(headers=headers)) == new
    elb.call("ModifyRule", RuleArn=rule, Actions=[forward((old, 0), (new, 1), **sticky)])
    elb.clock.advance(61)
    assert group_of(_request(headers=headers)) == new


def test_a_target_cookie_keeps_a_client_on_its_target(elb: Elb) -> None:
    """AWSALB holds while the target is healthy, and moves on when it is not."""
    group = elb.group(HealthCheckIntervalSeconds=10, HealthCheckTimeoutSeconds=2)
    listener = elb.serve(group)
    elb.call(
        "ModifyTargetGroupAttributes",
        TargetGroupArn=group,
        Attributes=[{"Key": "stickiness.enabled", "Value": "true"}],
    )
    tasks = {ip: elb.target(group, ip) for ip in IPS}
    elb.clock.advance(1)
    first = elb.service.route(elb.caller, listener, _request())
    again = _request(headers=_cookie(first.set_cookies))
    assert {elb.service.route(elb.caller, listener, again).target_ip for _ in range(6)} == {first.target_ip}
    elb.runtime.crash(tasks[first.target_ip], "app")
    elb.clock.advance(30)
    assert elb.service.route(elb.caller, listener, again).target_ip != first.target_ip


def test_a_crashed_target_answers_502_until_its_checks_fail(elb: Elb) -> None:
    """Nobody listens, and the health check has not noticed yet."""
    group = elb.group(HealthCheckIntervalSeconds=10, HealthCheckTimeoutSeconds=2)
    listener = elb.serve(group)
    elb.target(group, IPS[0])
    elb.target(group, IPS[1], SANDBOX_CRASH_AFTER_S="5")
    elb.clock.advance(6)
    assert sorted(elb.service.route(elb.caller, listener, _request()).status for _ in range(2)) == [200, 502]
    assert elb.service.counters()["targetGroups"][group]["TargetConnectionErrorCount"] == 1
    elb.clock.advance(30)
    assert {elb.service.route(elb.caller, listener, _request()).status for _ in range(4)} == {200}


def test_an_answer_slower_than_the_idle_timeout_is_504(elb: Elb) -> None:
    """The load balancer does not wait longer than its attribute says."""
    group = elb.group(HealthCheckIntervalSeconds=100, HealthCheckTimeoutSeconds=99)
    listener = elb.serve(group)
    elb.target(group, IPS[0], SANDBOX_LATENCY_MS="61000")
    elb.clock.advance(1)
    result = elb.service.route(elb.caller, listener, _request())
    assert (result.status, result.seconds) == (504, 60)


def test_redirects_and_fixed_responses_are_given_by_the_load_balancer(elb: Elb) -> None:
    """Reserved words are filled in from the request; both are counted by kind."""
    listener = elb.listener(elb.load_balancer())
    redirect = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    elb.rule(listener, 1, [{"Type": "redirect", "RedirectConfig": redirect}], Conditions=[_path("/old/*")])
    result = elb.service.route(elb.caller, listener, _request(path="/old/x", query=[("a", "1")]))
    assert result.status == 301
    assert dict(result.headers)["Location"] == f"https://{HOST}:443/old/x?a=1"
    assert elb.service.route(elb.caller, listener, _request()).status == 404
    counts = elb.service.counters()["listeners"][listener]
    assert (counts["HTTP_Redirect_Count"], counts["HTTP_Fixed_Response_Count"]) == (1, 1)


@pytest.mark.parametrize("algorithm", ["least_outstanding_requests", "weighted_random"])
def test_other_algorithms_use_every_target(elb: Elb, algorithm: str) -> None:
    """A quiet group is used evenly enough by each algorithm."""
    group = elb.group()
    listener = elb.serve(group)
    attribute = {"Key": "load_balancing.algorithm.type", "Value": algorithm}
    elb.call("ModifyTargetGroupAttributes", TargetGroupArn=group, Attributes=[attribute])
    for ip in IPS:
        elb.target(group, ip)
    elb.clock.advance(1)
    used = Counter(elb.service.route(elb.caller, listener, _request()).target_ip for _ in range(300))
    assert min(used[ip] for ip in IPS) > 60


def test_slow_start_gives_a_new_target_little_at_first(elb: Elb) -> None:
    """The share grows with time and is full after the duration."""
    group = elb.group()
    listener = elb.serve(group)
    attribute = {"Key": "slow_start.duration_seconds", "Value": "100"}
    elb.call("ModifyTargetGroupAttributes", TargetGroupArn=group, Attributes=[attribute])
    elb.target(group, IPS[0])
    elb.clock.advance(200)
    elb.target(group, IPS[1])
    elb.clock.advance(11)

    def share() -> float:
        used = Counter(elb.service.route(elb.caller, listener, _request()).target_ip for _ in range(1000))
        return used[IPS[1]] / 1000

    assert share() < 0.2
    elb.clock.advance(100)
    assert 0.45 < share() < 0.55


def test_transforms_rewrite_host_and_path() -> None:
    """Capture groups are put in; only the first match is replaced."""
    transforms = [
        {
            "Type": "url-rewrite",
            "UrlRewriteConfig": {"Rewrites": [{"Regex": "^/api/(.*)$", "Replace": "/$1"}]},
        },
        {
            "Type": "host-header-rewrite",
            "HostHeaderRewriteConfig": {"Rewrites": [{"Regex": "^shop", "Replace": "internal"}]},
        },
    ]
    assert routing.rewritten(transforms, host=HOST, target="/api/a?b=1") == ("internal.example.com", "/a?b=1")


def test_traffic_does_not_change_ids() -> None:
    """Draws for weights come from a generator of their own: what is created later has the same ARN."""
    arns = []
    for requests in (0, 50):
        elb = Elb()
        one, two = elb.group("one"), elb.group("two")
        listener = elb.serve(one, two)
        for _ in range(requests):
            elb.service.route(elb.caller, listener, _request())
        arns.append(elb.group("three"))
    assert arns[0] == arns[1]
