"""What attributes, old clients and clients that leave do to the ALB proxy, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from elb_world import NOT_FOUND, forward, secure_listener
from http_client import Line, Side

from sluice_sandbox.dataplane import http1

IP, OTHER = "10.77.1.10", "10.77.1.11"


@asynccontextmanager
async def _raw_target(
    side: Side, group: str, answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
) -> AsyncIterator[list[http1.Head]]:
    """Let a plain server stand behind the one target of a group; yield the heads that it reads."""
    seen: list[http1.Head] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while (head := await http1.read_head(reader)) is not None:
            seen.append(head)
            writer.write(answer)
            await writer.drain()
        writer.close()

    if not side.elb.service.state.of_arn(group).target_groups[group].targets:
        side.elb.target(group, IP)
        await side.healthy(group, IP)
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        side.elb.network.set_twin(IP, 8080, server.sockets[0].getsockname()[:2])
        side.plane._pool.cut((group, IP, 8080))
        yield seen
        side.plane._pool.cut((group, IP, 8080))
        for writer in writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def _one(side: Side, **environment: str) -> tuple[str, str, str]:
    """Serve one healthy target; return the listener's URL, its ARN and the group."""
    group = side.elb.group()
    listener = side.elb.serve(group)
    url = await side.plane.ready(listener)
    side.elb.target(group, IP, **environment)
    await side.healthy(group, IP)
    return url, listener, group


def _set_listener(side: Side, listener: str, **values: str) -> None:
    attributes = [
        {"Key": f"routing.http.response.{name}", "Value": value}
        for name, value in ((key.replace("__", "."), value) for key, value in values.items())
    ]
    side.elb.call("ModifyListenerAttributes", ListenerArn=listener, Attributes=attributes)


def _set_balancer(side: Side, listener: str, key: str, value: str) -> None:
    arn = side.elb.call("DescribeListeners", ListenerArns=[listener])["Listeners"][0]["LoadBalancerArn"]
    side.elb.call(
        "ModifyLoadBalancerAttributes", LoadBalancerArn=arn, Attributes=[{"Key": key, "Value": value}]
    )


async def test_listener_attributes_set_response_headers(side: Side) -> None:
    """A header value replaces the target's own; the load balancer's answers get it too."""
    url, listener, _ = await _one(side)
    _set_listener(
        side,
        listener,
        strict_transport_security__header_value="max-age=60",
        x_frame_options__header_value="DENY",
    )
    fields = (await side.ask(url)).head.fields
    assert (fields["strict-transport-security"], fields["x-frame-options"]) == ("max-age=60", "DENY")


async def test_the_server_header_can_be_removed(side: Side) -> None:
    """A fixed response names awselb/2.0 until the listener's attribute says no."""
    listener = side.elb.listener(side.elb.load_balancer())
    url = await side.plane.ready(listener)
    assert (await side.ask(url)).head.fields["server"] == "awselb/2.0"
    _set_listener(side, listener, server__enabled="false")
    assert "server" not in (await side.ask(url)).head.fields


async def test_targets_are_told_the_clients_tls(side: Side) -> None:
    """X-Amzn-Tls-Version and -Cipher-Suite are added on HTTPS when the attribute is on."""
    group = side.elb.group()
    listener = secure_listener(side.elb)
    side.elb.call("ModifyListener", ListenerArn=listener, DefaultActions=[forward((group, 1))])
    url = await side.plane.ready(listener)
    async with _raw_target(side, group) as seen:
        await side.ask(url)
        _set_balancer(side, listener, "routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "true")
        await side.ask(url)
    assert "x-amzn-tls-version" not in seen[0].fields
    assert seen[-1].fields["x-amzn-tls-version"].startswith("TLSv1.")
    assert seen[-1].fields["x-amzn-tls-cipher-suite"]


async def test_invalid_header_names_are_dropped_when_wanted(side: Side) -> None:
    """`drop_invalid_header_fields` removes names that are not letters, digits and hyphens."""
    url, listener, group = await _one(side)
    line = await Line.to(url)
    request = b"GET / HTTP/1.1\r\nHost: a.example\r\nbad_name: 1\r\nGood-Name: 2\r\n\r\n"
    async with _raw_target(side, group) as seen:
        line.writer.write(request)
        await line.receive()
        _set_balancer(side, listener, "routing.http.drop_invalid_header_fields.enabled", "true")
        line.writer.write(request)
        await line.receive()
    await line.close()
    assert seen[0].fields["bad_name"] == "1"
    assert "bad_name" not in seen[1].fields
    assert seen[1].fields["good-name"] == "2"


CHUNKS = b"5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\nA: b\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS


async def test_an_http_1_0_client_gets_no_chunks(side: Side) -> None:
    """The bare body, ended by the end of the connection; an HTTP/1.1 client gets the chunks as they are."""
    url, _, group = await _one(side)
    async with _raw_target(side, group, CHUNKED):
        line = await Line.to(url)
        line.writer.write(b"GET / HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n")
        async with asyncio.timeout(5):
            whole = await line.reader.read()
        await line.close()
        got = await side.ask(url)
    head, _, body = whole.partition(b"\r\n\r\n")
    assert body == b"hello, world"
    assert b"chunked" not in head.lower()
    assert b"connection: close" in head.lower()
    assert got.body == CHUNKS


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        pytest.param(b"TRACE / HTTP/1.1\r\nHost: a.example\r\n\r\n", 405, id="trace"),
        pytest.param(b"GET / HTTP/2.0\r\nHost: a.example\r\n\r\n", 505, id="version"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: gzip\r\n\r\n", 501, id="coding"
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: a.example\r\nX: " + b"x" * 17_000 + b"\r\n\r\n", 400, id="header"
        ),
    ],
)
async def test_requests_that_alb_does_not_serve(side: Side, raw: bytes, status: int) -> None:
    """Each has the status that the troubleshooting page names, and is counted as the load balancer's."""
    url, listener, _ = await _one(side)
    line = await Line.to(url)
    line.writer.write(raw)
    assert (await line.receive()).status == status
    await line.close()
    counts = side.elb.service.counters()["listeners"][listener]
    assert counts[f"HTTPCode_ELB_{status // 100}XX_Count"] == 1
    assert "RequestCount" not in counts


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: a.exa", id="in-the-head"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\nabc", id="in-the-body"),
    ],
)
async def test_a_client_that_stops_sending_gets_408(side: Side, raw: bytes) -> None:
    """Half a request and then nothing for the idle time-out; one without any byte is let go in silence."""
    url, listener, _ = await _one(side)
    _set_balancer(side, listener, "idle_timeout.timeout_seconds", "5")
    line = await Line.to(url)
    line.writer.write(raw)
    assert (await line.receive()).status == 408
    assert await line.is_closed()
    await line.close()
    assert side.elb.service.counters()["listeners"][listener]["HTTPCode_ELB_4XX_Count"] == 1


async def test_a_body_that_never_ends_does_not_hold_the_balancers_own_answer(side: Side) -> None:
    """A group without targets answers 503 after the idle time-out, though the client stopped in its body."""
    listener = side.elb.serve(side.elb.group())
    url = await side.plane.ready(listener)
    _set_balancer(side, listener, "idle_timeout.timeout_seconds", "5")
    line = await Line.to(url)
    line.writer.write(b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\nabc")
    assert (await line.receive()).status == 503
    assert await line.is_closed()
    await line.close()


async def test_a_target_with_a_malformed_answer_is_a_bad_gateway(side: Side) -> None:
    """A transfer coding that nobody can read is 502, not a broken connection."""
    url, _, group = await _one(side)
    async with _raw_target(side, group, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"):
        assert (await side.ask(url)).status == 502


async def test_a_deleted_listener_ends_its_connections(side: Side) -> None:
    """A request that comes between the deletion and the end of the socket finds its connection closed."""
    url, listener, _ = await _one(side)
    line = await Line.to(url)
    assert (await line.send()).status == 200
    line.writer.write(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
    side.elb.call("DeleteListener", ListenerArn=listener)
    await line.is_closed()
    await line.close()
    with pytest.raises(ConnectionError):
        await Line.to(url)


async def test_a_client_that_leaves_is_counted_as_460(side: Side) -> None:
    """The answer of the target comes to nobody: HTTPCode_ELB_4XX, not HTTPCode_Target_2XX."""
    url, listener, _ = await _one(side, SANDBOX_LATENCY_MS="5000")
    line = await Line.to(url)
    line.writer.write(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
    await line.writer.drain()
    await line.close()

    def counts() -> dict[str, Any]:
        return dict(side.elb.service.counters()["listeners"].get(listener, {}))

    await side.until(lambda: counts().get("HTTPCode_ELB_4XX_Count") == 1)
    assert "HTTPCode_Target_2XX_Count" not in counts()


async def test_a_connection_ends_after_the_client_keep_alive(side: Side) -> None:
    """Past `client_keep_alive.seconds` the next answer says close."""
    url, listener, _ = await _one(side)
    _set_balancer(side, listener, "client_keep_alive.seconds", "60")
    opened = side.elb.clock.now()
    line = await Line.to(url)
    assert (await line.send()).head.fields["connection"] == "keep-alive"
    last = await line.send()
    async with asyncio.timeout(10):
        while last.head.fields["connection"] == "keep-alive":
            last = await line.send()
    assert side.elb.clock.now() >= opened + 60
    assert await line.is_closed()
    await line.close()


async def test_an_application_cookie_keeps_its_client_at_its_target(side: Side) -> None:
    """AWSALBAPP-0 follows the application's own cookie; without that cookie the client moves on."""
    group = side.elb.group()
    url = await side.serve(group)
    for ip in (IP, OTHER):
        side.elb.target(group, ip, SANDBOX_COOKIE="session")
    await side.healthy(group, IP, OTHER)
    side.elb.call(
        "ModifyTargetGroupAttributes",
        TargetGroupArn=group,
        Attributes=[
            {"Key": "stickiness.enabled", "Value": "true"},
            {"Key": "stickiness.type", "Value": "app_cookie"},
            {"Key": "stickiness.app_cookie.cookie_name", "Value": "session"},
        ],
    )
    first = await side.ask(url)
    cookies = first.cookies()
    assert set(cookies) == {"session", "AWSALBAPP-0"}
    both = "; ".join(f"{name}={value}" for name, value in cookies.items())
    stayed = {(await side.ask(url, Cookie=both)).json["task"] for _ in range(6)}
    assert stayed == {first.json["task"]}
    alone = f"AWSALBAPP-0={cookies['AWSALBAPP-0']}"
    moved = {(await side.ask(url, Cookie=alone)).json["task"] for _ in range(6)}
    assert len(moved) == 2


SIGN_IN = {
    "authenticate": (302, "https://idp.example/authorize?client_id=shop&redirect_uri=https%3A%2F%2Fshop."),
    "deny": (401, ""),
    "allow": (404, ""),
}


@pytest.mark.parametrize("mode", SIGN_IN)
async def test_rules_that_authenticate(side: Side, mode: str) -> None:
    """Redirect to the provider, 401, or on to the next action; the callback is 561: there is no provider."""
    listener = secure_listener(side.elb)
    url = await side.plane.ready(listener)
    config = {
        "Issuer": "https://idp.example/",
        "AuthorizationEndpoint": "https://idp.example/authorize",
        "TokenEndpoint": "https://idp.example/token",
        "UserInfoEndpoint": "https://idp.example/me",
        "ClientId": "shop",
        "ClientSecret": "x",
        "OnUnauthenticatedRequest": mode,
    }
    side.elb.rule(
        listener,
        1,
        [
            {"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": config},
            NOT_FOUND | {"Order": 2},
        ],
    )
    status, location = SIGN_IN[mode]
    got = await side.ask(url)
    assert got.status == status
    assert got.head.fields.get("location", "").startswith(location)
    assert (await side.ask(url, target="/oauth2/idpresponse?code=1")).status == 561


@pytest.mark.parametrize(("headers", "status"), [({}, 401), ({"Authorization": "Bearer abc"}, 500)])
async def test_rules_that_validate_tokens(side: Side, headers: dict[str, str], status: int) -> None:
    """No token is 401; one that cannot be verified for want of a provider is 500."""
    listener = secure_listener(side.elb)
    url = await side.plane.ready(listener)
    config = {"JwksEndpoint": "https://idp.example/keys", "Issuer": "https://idp.example/"}
    validate = {"Type": "jwt-validation", "Order": 1, "JwtValidationConfig": config}
    side.elb.rule(listener, 1, [validate, NOT_FOUND | {"Order": 2}])
    assert (await side.ask(url, **headers)).status == status
