"""boto3 on the wire: a loopback server misbehaves in every way that matters."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sluice.aws.boto_transport import Boto3Transport
from sluice.aws.clients import Clients, ClientSettings
from sluice.aws.transport import Answered, NoAnswer, NotSent
from sluice.model.binding import Binding

OWN = Binding(account="111122223333", region="eu-west-1")
ROLE = "arn:aws:iam::444455556666:role/sluice"

ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<AssumedRoleUser><Arn>arn:aws:sts::444455556666:assumed-role/sluice/s</Arn><AssumedRoleId>x:s</AssumedRoleId>
</AssumedRoleUser><Credentials><AccessKeyId>ASIAOTHER</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleResult></AssumeRoleResponse>"""
REFUSED = """<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>
<Message>not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>"""


class Endpoint:
    """An AWS endpoint that answers as the test says and keeps what it was sent."""

    def __init__(self) -> None:
        """Answer everything with an empty JSON object."""
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answer: Callable[[dict[str, str], bytes], tuple[int, bytes] | None] = lambda _h, _b: (200, b"{}")
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                """Answer, or close the connection without a word."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = dict(self.headers)
                endpoint.requests.append((headers, body))
                answer = endpoint.answer(headers, body)
                if answer is None:
                    self.close_connection = True
                    return
                status, payload = answer
                self.send_response(status)
                self.send_header("Content-Length", str(len(payload)))
                self.send_header("x-amzn-RequestId", "r-1")
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """Serve on a loopback port for one test, with dummy credentials in the environment."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOWN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    found = Endpoint()
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


@contextlib.contextmanager
def transport(url: str, **settings: Any) -> Iterator[Boto3Transport]:
    """Give a transport whose connections are closed at the end."""
    clients = Clients(ClientSettings(endpoint_url=url, version="9.9.9", **settings))
    yield Boto3Transport(clients)
    clients.close()


def test_a_response_has_parsed_times_and_the_request_id(endpoint: Endpoint) -> None:
    """The gateway gets AWS's structure with aware datetimes, and what CloudTrail calls the call."""
    service = {"serviceName": "a", "createdAt": 1700000000.5}
    endpoint.answer = lambda _h, _b: (200, json.dumps({"services": [service], "failures": []}).encode())
    with transport(endpoint.url) as boto:
        got = boto.send("ecs", "DescribeServices", {"services": ["a"]}, OWN, write=False)
    assert set(got) == {"services", "failures", "ResponseMetadata"}
    assert got["ResponseMetadata"]["RequestId"] == "r-1"
    assert got["services"][0]["createdAt"].isoformat() == "2023-11-14T22:13:20.500000+00:00"


def test_requests_carry_region_keys_and_product(endpoint: Endpoint) -> None:
    """AWS sees who we are: the credential scope and the user agent name us."""
    with transport(endpoint.url) as boto:
        boto.send("ecs", "DescribeServices", {"services": ["a"]}, OWN, write=False)
    ((headers, _),) = endpoint.requests
    assert "Credential=AKIAOWN/" in headers["Authorization"]
    assert "/eu-west-1/ecs/" in headers["Authorization"]
    assert "sluice/9.9.9" in headers["User-Agent"]


@pytest.mark.parametrize("status", [400, 500, 503])
def test_a_refusal_is_sent_once_and_told_in_aws_words(endpoint: Endpoint, status: int) -> None:
    """Botocore repeats nothing: one request, one answer, code and status kept."""
    endpoint.answer = lambda _h, _b: (status, b'{"__type": "ServerException", "message": "broken"}')
    with transport(endpoint.url) as boto, pytest.raises(Answered) as refused:
        boto.send("ecs", "DescribeServices", {"services": ["a"]}, OWN, write=False)
    assert (refused.value.code, refused.value.message, refused.value.status) == (
        "ServerException",
        "broken",
        status,
    )
    assert refused.value.request_id == "r-1"
    assert len(endpoint.requests) == 1


def test_a_connection_that_ends_after_the_request_is_no_answer(endpoint: Endpoint) -> None:
    """The write may have happened, and it was sent once."""
    endpoint.answer = lambda _h, _b: None
    with transport(endpoint.url) as boto, pytest.raises(NoAnswer):
        boto.send("ecs", "CreateService", {"serviceName": "a"}, OWN, write=True)
    assert len(endpoint.requests) == 1


def test_a_read_timeout_is_no_answer(endpoint: Endpoint) -> None:
    """The request left, so nobody knows."""
    held = threading.Event()
    endpoint.answer = lambda _h, _b: (held.wait(10), None)[1]
    try:
        with transport(endpoint.url, read_timeout=0.1) as boto, pytest.raises(NoAnswer):
            boto.send("ecs", "CreateService", {"serviceName": "a"}, OWN, write=True)
    finally:
        held.set()
    assert len(endpoint.requests) == 1


def test_an_unreadable_answer_is_no_answer(endpoint: Endpoint) -> None:
    """A proxy's page in place of AWS's XML proves nothing about a write."""
    endpoint.answer = lambda _h, _b: (200, b"<html>oops")
    with transport(endpoint.url) as boto, pytest.raises(NoAnswer):
        boto.send("elbv2", "DeleteRule", {"RuleArn": "r"}, OWN, write=True)


def test_a_refused_connection_was_not_sent(endpoint: Endpoint) -> None:
    """Nothing left the process, so nothing happened."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with transport(url) as boto, pytest.raises(NotSent):
            boto.send("ecs", "CreateService", {"serviceName": "a"}, OWN, write=True)
    assert endpoint.requests == []


def test_parameters_that_boto3_refuses_are_told_as_a_refusal(endpoint: Endpoint) -> None:
    """A wrong type never leaves the process and says which parameter it is."""
    with transport(endpoint.url) as boto, pytest.raises(Answered, match="desiredCount"):
        boto.send("ecs", "UpdateService", {"service": "a", "desiredCount": "many"}, OWN, write=True)
    assert endpoint.requests == []


def test_a_role_is_assumed_once_with_its_external_id(endpoint: Endpoint) -> None:
    """Both services of a binding share one AssumeRole, made with the operator's own keys."""
    binding = Binding(account="444455556666", region="eu-west-1", role_arn=ROLE, external_id="tenant-7")
    endpoint.answer = lambda _h, body: (200, ASSUMED.encode() if b"AssumeRole" in body else b"{}")
    with transport(endpoint.url) as boto:
        for _ in range(2):
            boto.send("ecs", "DescribeServices", {"services": ["a"]}, binding, write=False)
        boto.send("ecs", "DescribeClusters", {}, binding, write=False)
    bodies = [body for _, body in endpoint.requests]
    assert sum(b"AssumeRole" in body for body in bodies) == 1
    assert b"ExternalId=tenant-7" in bodies[0]
    keys = [
        headers["Authorization"].split("Credential=")[1].split("/")[0] for headers, _ in endpoint.requests
    ]
    assert keys == ["AKIAOWN", "ASIAOTHER", "ASIAOTHER", "ASIAOTHER"]


def test_a_role_that_may_not_be_assumed_says_so(endpoint: Endpoint) -> None:
    """The refusal names AssumeRole, not the call that needed it."""
    endpoint.answer = lambda _h, body: (403, REFUSED.encode()) if b"AssumeRole" in body else (200, b"{}")
    binding = Binding(account="444455556666", region="eu-west-1", role_arn=ROLE)
    with (
        transport(endpoint.url) as boto,
        pytest.raises(Answered, match="AssumeRole: not authorized") as refused,
    ):
        boto.send("ecs", "CreateService", {"serviceName": "a"}, binding, write=True)
    assert (refused.value.code, refused.value.status) == ("AccessDenied", 403)


def test_threads_share_one_client(endpoint: Endpoint) -> None:
    """Sixteen workers that start together create one client and one session."""
    clients = Clients(ClientSettings(endpoint_url=endpoint.url))
    found: list[Any] = []
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        found.append(clients.get(OWN, "ecs"))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({id(client) for client in found}) == 1
    clients.close()
