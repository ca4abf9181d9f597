"""The ALB proxy over real sockets: what clients and targets see."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from elb_world import CERTIFICATE, forward
from http_client import Line, Side

from sluice_sandbox.dataplane import http1, websocket

IP, OTHER = "10.77.0.10", "10.77.0.11"


async def _one(side: Side, **environment: str) -> tuple[str, str]:
    """Serve one healthy target; return the listener's URL and the group."""
    group = side.elb.group()
    url = await side.serve(group)
    side.elb.target(group, IP, **environment)
    await side.healthy(group, IP)
    return url, group


async def test_a_request_reaches_a_task_with_the_headers_alb_adds(side: Side) -> None:
    """Forwarded headers, trace id, untouched host and path."""
    url, _ = await _one(side)
    got = await side.ask(url, target="/a/b?c=d", X_Forwarded_For="1.2.3.4")
    echo = got.json
    assert (got.status, echo["path"], echo["host"], echo["tag"]) == (200, "/a/b", "shop.example", "v1")
    assert echo["headers"]["x-forwarded-for"] == "1.2.3.4, 127.0.0.1"
    assert echo["headers"]["x-forwarded-proto"] == "http"
    assert echo["headers"]["x-forwarded-port"] == "80"
    assert echo["headers"]["x-amzn-trace-id"].startswith("Root=1-")


async def test_connections_are_kept_on_both_sides(side: Side) -> None:
    """Many requests on one client connection use one connection to the target."""
    url, group = await _one(side)
    line = await Line.to(url)
    answers = [await line.send() for _ in range(20)]
    await line.close()
    assert [got.json["requests"] for got in answers] == list(range(1, 21))
    server = side.plane._servers[IP, 8080]
    assert len(server._connections) == 1
    assert side.elb.service.counters()["targetGroups"][group]["HTTPCode_Target_2XX_Count"] == 20


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(b"x" * 10, {}, id="counted"),
        pytest.param(b"x" * 300_000, {}, id="large"),
        pytest.param(b"5\r\nhello\r\n0\r\n\r\n", {"Transfer-Encoding": "chunked"}, id="chunked"),
        pytest.param(b"x" * 10, {"Expect": "100-continue"}, id="expect"),
    ],
)
async def test_bodies_pass_and_the_connection_stays_usable(
    side: Side, body: bytes, headers: dict[str, str]
) -> None:
    """After a request with a body the next one on the connection is answered."""
    url, _ = await _one(side)
    line = await Line.to(url)
    got = await line.send("POST", "/up", body=body, **headers)
    if got.status == 100:
        got = await line.receive()
    assert (got.status, got.json["method"]) == (200, "POST")
    assert (await line.send()).json["requests"] == 2
    await line.close()


async def test_the_head_of_a_get_has_no_body(side: Side) -> None:
    """HEAD is answered with the length and nothing more."""
    url, _ = await _one(side)
    line = await Line.to(url)
    got = await line.send("HEAD")
    assert (got.status, got.body) == (200, b"")
    assert (await line.send()).status == 200
    await line.close()


async def test_weights_split_real_traffic(side: Side) -> None:
    """80:20 over a few hundred requests, within ten percent; weight 0 gets nothing."""
    old, new = side.elb.group("old"), side.elb.group("new")
    listener = side.elb.listener(side.elb.load_balancer())
    url = await side.plane.ready(listener)
    rule = side.elb.rule(listener, 1, [forward((old, 80), (new, 20))])
    side.elb.target(old, IP)
    side.elb.target(new, OTHER, image="app:v2")
    await side.healthy(old, IP)
    await side.healthy(new, OTHER)
    line = await Line.to(url)
    tags = Counter([(await line.send()).json["tag"] for _ in range(400)])
    assert 280 < tags["v1"] < 360
    side.elb.call("ModifyRule", RuleArn=rule, Actions=[forward((old, 0), (new, 1))])
    assert {(await line.send()).json["tag"] for _ in range(20)} == {"v2"}
    await line.close()


async def test_rules_choose_by_host_path_header_and_query(side: Side) -> None:
    """The proxy shows conditions what they can see."""
    listener = side.elb.listener(side.elb.load_balancer())
    url = await side.plane.ready(listener)

    def fixed(text: str) -> list[dict[str, Any]]:
        return [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": text}}]

    conditions = {
        "host": {"Field": "host-header", "Values": ["*.canary.example"]},
        "path": {"Field": "path-pattern", "Values": ["/api/*"]},
        "header": {
            "Field": "http-header",
            "HttpHeaderConfig": {"HttpHeaderName": "X-Canary", "Values": ["yes"]},
        },
        "query": {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "2"}]}},
        "method": {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["PURGE"]}},
    }
    for priority, (name, condition) in enumerate(conditions.items(), start=1):
        side.elb.rule(listener, priority, fixed(name), Conditions=[condition])
    requests: dict[str, dict[str, Any]] = {
        "host": {"Host": "a.canary.example:8080"},
        "path": {"target": "/api/x?v=2"},
        "header": {"X_Canary": "yes"},
        "query": {"target": "/?a=1&v=2"},
        "method": {"method": "PURGE"},
    }
    for name, request in requests.items():
        got = await side.ask(url, **request)
        assert (got.status, got.body.decode()) == (200, name)
        assert got.head.fields["server"] == "awselb/2.0"
    assert (await side.ask(url)).status == 404


async def test_https_listeners_speak_tls(side: Side) -> None:
    """The certificate is self-signed; the task hears that the client used https on port 443."""
    group = side.elb.group()
    arn = side.elb.call(
        "CreateListener",
        LoadBalancerArn=side.elb.load_balancer(),
        Port=443,
        Protocol="HTTPS",
        Certificates=[{"CertificateArn": CERTIFICATE}],
        DefaultActions=[forward((group, 1))],
    )["Listeners"][0]["ListenerArn"]
    url = await side.plane.ready(arn)
    assert url.startswith("https://127.0.0.1:")
    side.elb.target(group, IP)
    await side.healthy(group, IP)
    echo = (await side.ask(url)).json
    assert (echo["headers"]["x-forwarded-proto"], echo["headers"]["x-forwarded-port"]) == ("https", "443")
    assert side.plane.certificate.startswith(b"-----BEGIN CERTIFICATE-----")


async def test_websockets_pass_and_outlive_a_weight_of_0(side: Side) -> None:
    """Frames go both ways through the tunnel; a rule change does not cut it."""
    url, group = await _one(side)
    line = await Line.to(url)
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    got = await line.send(
        Connection="Upgrade", Upgrade="websocket", Sec_WebSocket_Key=key, Sec_WebSocket_Version="13"
    )
    assert got.status == 101
    assert got.head.fields["sec-websocket-accept"] == websocket.accept_key(key)
    listener = next(iter(side.plane.urls()))
    side.elb.call("ModifyListener", ListenerArn=listener, DefaultActions=[forward((group, 0))])
    for text in (b"hello", b"again" * 1000):
        line.writer.write(websocket.frame(1, text, mask=b"abcd"))
        assert (await websocket.read_frame(line.reader))[1:] == (1, text)
    line.writer.write(websocket.frame(websocket.PING, b"p", mask=b"abcd"))
    assert (await websocket.read_frame(line.reader))[1:] == (websocket.PONG, b"p")
    line.writer.write(websocket.frame(websocket.CLOSE, b"\x03\xe8", mask=b"abcd"))
    assert (await websocket.read_frame(line.reader))[1] == websocket.CLOSE
    assert await line.is_closed()
    await line.close()


async def test_other_upgrades_are_tunnelled_as_bytes(side: Side) -> None:
    """A protocol the task does not know is echoed byte by byte."""
    url, _ = await _one(side)
    line = await Line.to(url)
    assert (await line.send(Connection="Upgrade", Upgrade="chat")).status == 101
    line.writer.write(b"bytes")
    assert await line.reader.readexactly(5) == b"bytes"
    await line.close()


async def test_the_end_of_draining_cuts_connections(side: Side) -> None:
    """A tunnel lives while its target drains and is cut when the target is gone."""
    url, group = await _one(side)
    side.elb.call(
        "ModifyTargetGroupAttributes",
        TargetGroupArn=group,
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "10"}],
    )
    line = await Line.to(url)
    assert (await line.send(Connection="Upgrade", Upgrade="chat")).status == 101
    side.elb.service.deregister(side.elb.caller, group, ip=IP, port=8080)
    line.writer.write(b"draining")
    assert await line.reader.readexactly(8) == b"draining"
    assert await line.is_closed()
    assert side.elb.state(group, IP) == ("unused", "Target.NotRegistered")
    await line.close()


async def test_503_without_targets(side: Side) -> None:
    """The page is the load balancer's own."""
    url = await side.serve(side.elb.group())
    got = await side.ask(url)
    assert got.status == 503
    assert b"503 Service Temporarily Unavailable" in got.body
    assert got.head.fields["server"] == "awselb/2.0"


async def test_502_when_the_task_is_gone_and_the_client_stays(side: Side) -> None:
    """A crash before the health check notices is a bad gateway, also on the kept connection."""
    url, group = await _one(side)
    line = await Line.to(url)
    assert (await line.send()).status == 200
    task = next(iter(side.elb.runtime.running())).task_arn
    side.elb.runtime.crash(task, "app")
    assert [(await line.send()).status for _ in range(2)] == [502, 502]
    await line.close()
    # The kept connection broke; only the attempt after it was refused, which is what the metric counts.
    assert side.elb.service.counters()["targetGroups"][group]["TargetConnectionErrorCount"] == 1


async def test_502_when_the_task_breaks_off_in_the_middle(side: Side) -> None:
    """A connection reset while the answer is awaited is a bad gateway."""
    url, _ = await _one(side)
    task = next(iter(side.elb.runtime.running())).task_arn
    side.elb.runtime.change(task, "app", {"SANDBOX_LATENCY_MS": "40000"})
    line = await Line.to(url)
    asked = asyncio.create_task(line.send())
    server = side.plane._servers[IP, 8080]
    await side.until(lambda: any(server._connections.values()))
    side.elb.runtime.crash(task, "app")
    assert (await asked).status == 502
    await line.close()


async def test_504_when_the_task_is_slower_than_the_idle_timeout(side: Side) -> None:
    """The load balancer gives up after idle_timeout.timeout_seconds of the world's time."""
    group = side.elb.group(HealthCheckIntervalSeconds=200, HealthCheckTimeoutSeconds=100)
    url = await side.serve(group)
    load_balancer = side.elb.call("DescribeLoadBalancers")["LoadBalancers"][0]["LoadBalancerArn"]
    attribute = {"Key": "idle_timeout.timeout_seconds", "Value": "5"}
    side.elb.call("ModifyLoadBalancerAttributes", LoadBalancerArn=load_balancer, Attributes=[attribute])
    side.elb.target(group, IP, SANDBOX_LATENCY_MS="50000")
    await side.healthy(group, IP)
    got = await side.ask(url)
    assert (got.status, b"504 Gateway Time-out" in got.body) == (504, True)


async def test_a_stopping_task_finishes_its_answer(side: Side) -> None:
    """stop() lets the request under way be answered and takes no further one."""
    url, _ = await _one(side, SANDBOX_LATENCY_MS="3000")
    line = await Line.to(url)
    asked = asyncio.create_task(line.send())
    server = side.plane._servers[IP, 8080]
    await side.until(lambda: any(server._connections.values()))
    side.elb.runtime.stop(next(iter(side.elb.runtime.running())).task_arn)
    assert (await asked).status == 200
    assert (await line.send()).status == 502
    await line.close()


async def test_a_rolling_replacement_fails_no_request(side: Side) -> None:
    """Register the new, drain the old, stop the old: every request is answered with 200."""
    url, group = await _one(side)
    side.elb.call(
        "ModifyTargetGroupAttributes",
        TargetGroupArn=group,
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "5"}],
    )
    old = next(iter(side.elb.runtime.running())).task_arn
    done = asyncio.Event()
    seen: Counter[tuple[int, str]] = Counter()

    async def client() -> None:
        line = await Line.to(url)
        while not done.is_set():
            got = await line.send()
            seen[got.status, got.json.get("tag", "")] += 1
        await line.close()

    clients = [asyncio.create_task(client()) for _ in range(4)]
    await side.until(lambda: seen[200, "v1"] > 50)
    side.elb.target(group, OTHER, image="app:v2")
    await side.healthy(group, OTHER)
    side.elb.service.deregister(side.elb.caller, group, ip=IP, port=8080)
    await side.until(lambda: side.elb.state(group, IP)[0] == "unused")
    side.elb.runtime.stop(old)
    before = seen[200, "v2"]
    await side.until(lambda: seen[200, "v2"] > before + 50)
    done.set()
    await asyncio.gather(*clients)
    assert {status for status, _ in seen} == {200}


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        pytest.param(b"nonsense\r\n\r\n", 400, id="no-http"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, id="no-host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", 400, id="bad-length"),
        pytest.param(b"GET /" + b"x" * 17_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414, id="long-target"),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: " + b"1.1.1.1, " * 30 + b"1.1.1.1\r\n\r\n",
            463,
            id="many-forwarded",
        ),
    ],
)
async def test_bad_requests_are_refused_and_the_connection_ends(side: Side, raw: bytes, status: int) -> None:
    """What ALB refuses before any rule, with the status it gives."""
    url, _ = await _one(side)
    line = await Line.to(url)
    line.writer.write(raw)
    assert (await line.receive()).status == status
    assert await line.is_closed()
    await line.close()


async def test_idle_clients_are_let_go(side: Side) -> None:
    """A connection without a request ends after the idle time-out."""
    url, _ = await _one(side)
    load_balancer = side.elb.call("DescribeLoadBalancers")["LoadBalancers"][0]["LoadBalancerArn"]
    attribute = {"Key": "idle_timeout.timeout_seconds", "Value": "2"}
    side.elb.call("ModifyLoadBalancerAttributes", LoadBalancerArn=load_balancer, Attributes=[attribute])
    line = await Line.to(url)
    assert await line.is_closed()
    await line.close()


async def test_sockets_follow_listeners(side: Side) -> None:
    """A listener that moves to another port or goes away takes its connections with it."""
    url, _ = await _one(side)
    listener = next(iter(side.plane.urls()))
    line = await Line.to(url)
    await line.send()
    side.elb.call("ModifyListener", ListenerArn=listener, Port=8081)
    assert await line.is_closed()
    await line.close()
    moved = await side.plane.ready(listener)
    assert (await side.ask(moved)).status == 200
    side.elb.call("DeleteListener", ListenerArn=listener)
    await side.until(lambda: not side.plane.urls())
    with pytest.raises(KeyError):
        await side.plane.ready(listener)
    with pytest.raises(ConnectionError):
        await Line.to(moved)


async def test_cookies_are_set_and_honoured(side: Side) -> None:
    """A browser that sends its cookies back stays on its group, whatever the weights say now."""
    old, new = side.elb.group("old"), side.elb.group("new")
    listener = side.elb.listener(side.elb.load_balancer())
    url = await side.plane.ready(listener)
    sticky = {"Enabled": True, "DurationSeconds": 3600}
    rule = side.elb.rule(listener, 1, [forward((old, 1), (new, 0), **sticky)])
    side.elb.target(old, IP)
    side.elb.target(new, OTHER, image="app:v2")
    await side.healthy(old, IP)
    await side.healthy(new, OTHER)
    cookies = (await side.ask(url)).cookies()
    assert set(cookies) == {"AWSALBTG", "AWSALBTGCORS"}
    side.elb.call("ModifyRule", RuleArn=rule, Actions=[forward((old, 0), (new, 1), **sticky)])
    assert (await side.ask(url, Cookie=f"AWSALBTG={cookies['AWSALBTG']}")).json["tag"] == "v1"
    assert (await side.ask(url)).json["tag"] == "v2"


async def test_transforms_change_what_the_task_sees(side: Side) -> None:
    """Host and path are rewritten on the way."""
    group = side.elb.group()
    listener = side.elb.listener(side.elb.load_balancer())
    url = await side.plane.ready(listener)
    rewrites = [
        {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "^/api", "Replace": ""}]}},
        {
            "Type": "host-header-rewrite",
            "HostHeaderRewriteConfig": {"Rewrites": [{"Regex": "shop", "Replace": "inner"}]},
        },
    ]
    side.elb.rule(listener, 1, [forward((group, 1))], Transforms=rewrites)
    side.elb.target(group, IP)
    await side.healthy(group, IP)
    echo = (await side.ask(url, target="/api/x")).json
    assert (echo["path"], echo["host"]) == ("/x", "inner.example")


async def test_tasks_listen_on_the_twin_of_their_address(side: Side) -> None:
    """10.a.b.c:8080 is reached at 127.a.b.c:8080 (on Linux), without the load balancer."""
    side.elb.task(IP)
    assert side.elb.network.address(IP, 8080) == ("127.77.0.10", 8080)
    reader, writer = await asyncio.open_connection("127.77.0.10", 8080)
    line = Line(reader, writer)
    assert (await line.send()).json["task"] == IP.replace(".", "")
    await line.close()


async def test_a_twin_that_is_taken_is_another_address(side: Side) -> None:
    """Two worlds may give tasks the same address: the network knows where each listens, on the same port."""
    from sluice_sandbox.dataplane.task_server import twin_socket  # noqa: PLC0415 - used here alone

    taken = twin_socket(IP, 8080)
    side.elb.task(IP)
    address = side.elb.network.address(IP, 8080)
    assert address is not None
    assert address == ("127.109.0.10", 8080)
    writer: Any
    reader, writer = await asyncio.open_connection(*address)
    assert (await Line(reader, writer).send()).status == 200
    writer.close()
    taken.close()


def test_a_page_without_body_says_how_long_it_would_be() -> None:
    """HEAD answers of the load balancer itself follow the same rule as those of targets."""
    head = http1.parse_head(b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n")
    assert http1.response_framing(head, method="HEAD").is_empty


async def test_a_rule_that_gives_a_group_up_lets_answers_be_finished(side: Side) -> None:
    """Requests under way do not hang on the rule that sent them; new ones follow the new rule."""
    url, group = await _one(side)
    task = next(iter(side.elb.runtime.running())).task_arn
    side.elb.runtime.change(task, "app", {"SANDBOX_LATENCY_MS": "3000"})
    line = await Line.to(url)
    asked = asyncio.create_task(line.send())
    server = side.plane._servers[IP, 8080]
    await side.until(lambda: any(server._connections.values()))
    listener = next(iter(side.plane.urls()))
    fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
    side.elb.call("ModifyListener", ListenerArn=listener, DefaultActions=[fixed])
    assert side.elb.state(group, IP) == ("unused", "Target.NotInUse")
    assert (await asked).status == 200
    assert (await line.send()).status == 404
    await line.close()
