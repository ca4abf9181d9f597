"""The load balancer's own HTTP: which rule a request meets, what it answers by itself, what a target sees."""

from __future__ import annotations

import http.client
import itertools
import json
import re
import socket
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

import pytest

from fidelity.outsider import Outsider, forward, fresh, until
from fidelity.test_independent_elbv2_routing import listen

_priorities = itertools.count(30000)
FORM = "PathPatternConfig"
Condition = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    reason: str
    headers: Message
    body: bytes

    @property
    def seen(self) -> dict[str, str]:
        """The headers that a target saw, names in lower case."""
        told: dict[str, str] = json.loads(self.body)["headers"]
        return {name.lower(): value for name, value in told.items()}


@dataclass(frozen=True, slots=True)
class Door:
    """A listener's loopback address and its ARN."""

    host: str
    port: int
    arn: str
    told: str
    """The port that it has in AWS."""
    aws: Outsider

    def ask(self, host: str, target: str = "/", *headers: tuple[str, str], method: str = "GET") -> Answer:
        """Send one request with these headers, in order."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in (("Host", host), *headers):
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        got = Answer(answer.status, answer.reason, answer.headers, answer.read())
        connection.close()
        return got

    def raw(self, head: bytes) -> bytes:
        """Send bytes; answer the status line."""
        with socket.create_connection((self.host, self.port), timeout=20) as connection:
            connection.sendall(head)
            return connection.recv(4096).split(b"\r\n")[0]

    def rule(self, action: dict[str, Any], *conditions: Condition, **members: Any) -> str:
        """Make a rule for a host of its own and these conditions; answer the host."""
        host = f"{fresh('h')}.example.com"
        self.aws.elb.create_rule(
            ListenerArn=self.arn,
            Priority=next(_priorities),
            Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": [host]}}, *conditions],
            Actions=[action],
            **members,
        )
        return host


def fixed(body: str = "met", status: str = "200") -> dict[str, Any]:
    """Answer a fixed-response action."""
    config = {"StatusCode": status, "MessageBody": body, "ContentType": "text/plain"}
    return {"Type": "fixed-response", "FixedResponseConfig": config}


def redirect(**config: str) -> dict[str, Any]:
    """Answer a redirect action."""
    return {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301"} | config}


def url(aws: Outsider, arn: str) -> str | None:
    """Answer a listener's loopback URL, None until it listens."""
    with urllib.request.urlopen(f"{aws.endpoint}/_sandbox/listeners", timeout=10) as answer:
        found: str | None = json.load(answer)["listeners"].get(arn)
        return found


@pytest.fixture(scope="module")
def door(aws: Outsider) -> Door:
    """Open a listener of its own: rules of other checks on the shared one meet whatever comes."""
    made = listen(aws)
    address = urlsplit(until(lambda: url(aws, made["ListenerArn"])))
    assert address.hostname is not None
    assert address.port is not None
    return Door(address.hostname, address.port, made["ListenerArn"], str(made["Port"]), aws)


@pytest.fixture(scope="module")
def groups(aws: Outsider) -> tuple[str, str]:
    """Run a task of each of two images, each in a healthy target group."""
    made = []
    for tag in ("1.0", "2.0"):
        group = aws.attached()
        aws.service(
            desiredCount=1,
            taskDefinition=aws.register(container={"image": f"example.com/web:{tag}"}),
            loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": 80}],
        )
        made.append(group)
    for group in made:
        aws.elb.get_waiter("target_in_service").wait(
            TargetGroupArn=group, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
    return made[0], made[1]


def header(*values: str, **config: Any) -> Condition:
    """Answer a condition on the header X-Beta."""
    return {
        "Field": "http-header",
        "HttpHeaderConfig": {"HttpHeaderName": "X-Beta", "Values": list(values)} | config,
    }


def query(value: str, key: str | None = None) -> Condition:
    """Answer a condition on the query string."""
    pair = {"Value": value} | ({"Key": key} if key else {})
    return {"Field": "query-string", "QueryStringConfig": {"Values": [pair]}}


def path(*values: str, member: str = "Values") -> Condition:
    """Answer a condition on the path."""
    return {"Field": "path-pattern", FORM: {member: list(values)}}


def method(*values: str) -> Condition:
    """Answer a condition on the method."""
    return {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": list(values)}}


def source(*values: str) -> Condition:
    """Answer a condition on the client's address."""
    return {"Field": "source-ip", "SourceIpConfig": {"Values": list(values)}}


Ask = Callable[[Door, str], Answer]
MET: dict[str, tuple[Condition, Ask, bool]] = {
    "a path with a star": (path("/img/*.png"), lambda d, h: d.ask(h, "/img/a/b.png?x=1"), True),
    "a path is of this case": (path("/img/*"), lambda d, h: d.ask(h, "/IMG/a"), False),
    "a path to its end": (path("/img/*.png"), lambda d, h: d.ask(h, "/img/a.png/b"), False),
    "one letter": (path("/a?c"), lambda d, h: d.ask(h, "/abc"), True),
    "not two letters": (path("/a?c"), lambda d, h: d.ask(h, "/abbc"), False),
    "a regular expression": (
        path("^/api/v[0-9]+/", member="RegexValues"),
        lambda d, h: d.ask(h, "/api/v12/x"),
        True,
    ),
    "another than the expression": (
        path("^/api/v[0-9]+/", member="RegexValues"),
        lambda d, h: d.ask(h, "/api/vx/x"),
        False,
    ),
    "a header in any case": (header("yes*"), lambda d, h: d.ask(h, "/", ("x-beta", "YES please")), True),
    "another header value": (header("yes"), lambda d, h: d.ask(h, "/", ("x-beta", "no")), False),
    "the second header of the name": (
        header("yes"),
        lambda d, h: d.ask(h, "/", ("X-Beta", "no"), ("x-beta", "yes")),
        True,
    ),
    "headers one by one": (
        header("no, yes"),
        lambda d, h: d.ask(h, "/", ("X-Beta", "no"), ("X-Beta", "yes")),
        False,
    ),
    "a query's pair in any case": (query("1*", "v"), lambda d, h: d.ask(h, "/?a=b&V=12"), True),
    "a query's value alone": (query("only"), lambda d, h: d.ask(h, "/?z=ONLY"), True),
    "another query": (query("1", "v"), lambda d, h: d.ask(h, "/?v=2"), False),
    "an escaped star": (query("a\\*", "v"), lambda d, h: d.ask(h, "/?v=ab"), False),
    "a method": (method("PURGE"), lambda d, h: d.ask(h, method="PURGE"), True),
    "another method": (method("POST"), lambda d, h: d.ask(h), False),
    "the client's address": (source("127.0.0.0/8"), lambda d, h: d.ask(h), True),
    "not the forwarded address": (
        source("10.9.0.0/16"),
        lambda d, h: d.ask(h, "/", ("X-Forwarded-For", "10.9.0.1")),
        False,
    ),
    "a host in capitals, with a port": (
        path("/*"),
        lambda d, h: d.ask(f"{h.upper()}:8100"),
        True,
    ),
}


@pytest.mark.parametrize("name", MET)
def test_condition_is_met(door: Door, name: str) -> None:
    """A request meets a rule by all of its conditions, or falls to the default rule."""
    condition, ask, met = MET[name]
    answer = ask(door, door.rule(fixed(), condition))
    assert (answer.status, answer.body) == ((200, b"met") if met else (404, b""))


@pytest.mark.parametrize(
    ("action", "target", "status", "location"),
    [
        pytest.param(
            redirect(Protocol="HTTPS", Port="443"), "/a/b?q=1", 301, "https://{h}:443/a/b?q=1", id="scheme"
        ),
        pytest.param(
            redirect(Host="new.#{host}", Path="/p/#{path}", Query="#{query}&x=1", StatusCode="HTTP_302"),
            "/a?q=1",
            302,
            "http://new.{h}:{p}/p/a?q=1&x=1",
            id="placeholders",
        ),
        pytest.param(
            redirect(Protocol="HTTPS", Port="443", Path="/x", Query=""),
            "/a?b=c",
            301,
            "https://{h}:443/x",
            id="query-gone",
        ),
        pytest.param(
            redirect(Protocol="HTTPS", Port="443"), "/a", 301, "https://{h}:443/a", id="without-query"
        ),
    ],
)
def test_redirect(door: Door, action: dict[str, Any], target: str, status: int, location: str) -> None:
    """A redirect fills its keywords from the request; the server is awselb/2.0."""
    host = door.rule(action)
    answer = door.ask(host, target)
    assert (answer.status, answer.headers["Location"]) == (status, location.format(h=host, p=door.told))
    assert answer.headers["Server"] == "awselb/2.0"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("200", "OK"),
        ("418", "I'm a Teapot"),
        ("503", "Service Temporarily Unavailable"),
        ("404", "Not Found"),
    ],
)
def test_fixed_response(door: Door, status: str, reason: str) -> None:
    """A fixed response has its status, type and body; HEAD has the length alone."""
    host = door.rule(fixed("hello", status))
    answer = door.ask(host)
    assert (answer.status, answer.reason.lower(), answer.body) == (int(status), reason.lower(), b"hello")
    assert answer.headers["Content-Type"].startswith("text/plain")
    head = door.ask(host, method="HEAD")
    assert (head.body, head.headers["Content-Length"]) == (b"", "5")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        pytest.param(b"GARBAGE\r\n\r\n", 400, id="no-request"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, id="no-host"),
        pytest.param(b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, id="long-target"),
        pytest.param(b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 505, id="version"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501, id="transfer-coding"
        ),
    ],
)
def test_request_is_refused_before_any_rule(door: Door, head: bytes, status: int) -> None:
    """What is no proper request is refused in the load balancer's own name."""
    assert door.raw(head).split()[1] == str(status).encode()


def test_group_without_targets(aws: Outsider, door: Door) -> None:
    """Nobody to ask is 503 with the well-known page."""
    answer = door.ask(door.rule(forward(aws.group())))
    assert (answer.status, answer.headers["Server"]) == (503, "awselb/2.0")
    assert b"503 Service Temporarily Unavailable" in answer.body


def test_target_sees_who_asked(door: Door, groups: tuple[str, str]) -> None:
    """The X-Forwarded headers and the trace are the load balancer's."""
    host = door.rule(forward(groups[0]))
    seen = door.ask(host, "/", ("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Proto", "https")).seen
    assert seen["host"] == host
    assert seen["x-forwarded-for"] == "1.2.3.4, 127.0.0.1"
    assert (seen["x-forwarded-proto"], seen["x-forwarded-port"]) == ("http", door.told)
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", seen["x-amzn-trace-id"])
    root = "Root=1-67891233-abcdef012345678912345678"
    again = door.ask(host, "/", ("X-Amzn-Trace-Id", root)).seen["x-amzn-trace-id"]
    assert re.fullmatch(rf"Self=1-[0-9a-f]{{8}}-[0-9a-f]{{24}};{root}", again)


def test_target_sees_the_rewritten_request(door: Door, groups: tuple[str, str]) -> None:
    """Transforms change path and host on the way."""
    rewrites = [
        ("url-rewrite", "UrlRewriteConfig", "^/api/(.*)$", "/$1"),
        ("host-header-rewrite", "HostHeaderRewriteConfig", r"^[^.]+\.example\.com$", "inner.example.com"),
    ]
    host = door.rule(
        forward(groups[0]),
        Transforms=[
            {"Type": kind, member: {"Rewrites": [{"Regex": regex, "Replace": replace}]}}
            for kind, member, regex, replace in rewrites
        ],
    )
    answer = door.ask(host, "/api/k?q=1")
    assert json.loads(answer.body)["path"].split("?")[0] == "/k"
    assert answer.seen["host"] == "inner.example.com"


def test_group_cookie_outlives_a_weight_of_zero(aws: Outsider, door: Door, groups: tuple[str, str]) -> None:
    """AWSALBTG keeps a client at its group though its weight is 0, until the group leaves the rule."""
    sticky = {"TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60}}

    def action(weights: dict[str, int]) -> dict[str, Any]:
        return {"Type": "forward", "ForwardConfig": forward(weights)["ForwardConfig"] | sticky}

    first, second = groups
    host = door.rule(action({first: 1, second: 0}))
    answer = door.ask(host)
    cookies = answer.headers.get_all("Set-Cookie") or []
    plain = next(cookie for cookie in cookies if cookie.startswith("AWSALBTG="))
    cors = next(cookie for cookie in cookies if cookie.startswith("AWSALBTGCORS="))
    assert re.search(r"; Expires=\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT; Path=/$", plain), plain
    assert cors.endswith("; SameSite=None; Secure")
    kept = ("Cookie", plain.split(";")[0])
    rule = next(
        each["RuleArn"]
        for each in aws.elb.describe_rules(ListenerArn=door.arn)["Rules"]
        if any(host in item.get("Values", []) for item in each["Conditions"])
    )
    aws.elb.modify_rule(RuleArn=rule, Actions=[action({first: 0, second: 1})])
    assert {json.loads(door.ask(host, "/", kept).body)["tag"] for _ in range(8)} == {"1.0"}
    assert json.loads(door.ask(host).body)["tag"] == "2.0"
    aws.elb.modify_rule(RuleArn=rule, Actions=[action({second: 1})])
    assert json.loads(door.ask(host, "/", kept).body)["tag"] == "2.0"


def test_weights_that_are_all_zero(door: Door, groups: tuple[str, str]) -> None:
    """A rule whose groups all have weight 0 serves nobody."""
    assert door.ask(door.rule(forward(dict.fromkeys(groups, 0)))).status == 503
