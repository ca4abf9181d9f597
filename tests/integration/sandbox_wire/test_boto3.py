"""boto3 over a loopback port: each protocol and error shape, faults as a client meets them, moto beside."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from sluice_sandbox.aws.clock import RealClock
from sluice_sandbox.aws.control import ControlApi
from sluice_sandbox.aws.emitter import MotoEmitter
from sluice_sandbox.aws.faults import Fault
from sluice_sandbox.aws.moto_bridge import MotoBridge
from sluice_sandbox.aws.wire.server import WireServer
from sluice_sandbox.aws.world import Outside, World

sys.path.insert(0, str(Path(__file__).parents[2] / "unit" / "sandbox" / "wire"))

from wire_fakes import Ecs, Elbv2

ACCOUNT = "222233334444"
Client = Callable[..., Any]


class Port:
    """A world behind a port, in a loop of its own thread."""

    def __init__(self) -> None:
        """Start."""
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.moto = MotoBridge()
        self.url = self.run(self._start())

    async def _start(self) -> str:
        clock = RealClock(self.loop)
        emitter = MotoEmitter(clock, self.moto)
        outside = Outside(estate=self.moto.estate, emitter=emitter, moto=self.moto)
        self.world = World.of({"ecs": Ecs(), "elbv2": Elbv2()}, clock=clock, outside=outside)
        self.server = WireServer(self.world, control=ControlApi(self.world).handle)
        return await self.server.start()

    def run(self, coroutine: Any) -> Any:
        """Run a coroutine in the port's loop."""
        future: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        return future.result(timeout=30)

    def stop(self) -> None:
        """Stop everything."""
        self.run(self.server.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
        self.moto.close()


@pytest.fixture(scope="module")
def port() -> Iterator[Port]:
    """One port for all tests of this file."""
    port = Port()
    yield port
    port.stop()


@pytest.fixture
def client(port: Port) -> Iterator[Client]:
    """Make clients of the port; faults of the test end with it."""
    made: list[Any] = []

    def make(service: str, **keys: str) -> Any:
        credentials = {"aws_access_key_id": "AKIASANDBOX", "aws_secret_access_key": "x", **keys}
        config = Config(retries={"total_max_attempts": 1})
        session = boto3.session.Session(region_name="eu-west-1", **credentials)
        made.append(session.client(service, endpoint_url=port.url, config=config))
        return made[-1]

    yield make
    port.world.faults.clear()
    for used in made:
        used.close()


def get(url: str, method: str = "GET", body: object = None, headers: dict[str, str] | None = None) -> Any:
    """Ask plain HTTP and return the JSON."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, method=method, data=data, headers=headers or {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_json_protocol(client: Client) -> None:
    """ECS answers in JSON, refuses with its own exception class, and keeps the request id."""
    ecs = client("ecs")
    created = ecs.create_service(serviceName="json")
    assert created["service"]["createdAt"].timestamp() == 1_800_000_000.25
    assert len(created["ResponseMetadata"]["RequestId"]) == 36
    with pytest.raises(ecs.exceptions.InvalidParameterException, match="not idempotent"):
        ecs.create_service(serviceName="json")
    with pytest.raises(ecs.exceptions.InvalidParameterException, match="at 'launchType'"):
        ecs.create_service(serviceName="b", launchType="MOON")


def test_query_protocol(client: Client) -> None:
    """Elastic Load Balancing answers in XML; refusals keep their code and escape their text."""
    elbv2 = client("elbv2")
    groups = [{"TargetGroupArn": "a", "Weight": 3}, {"TargetGroupArn": "b<&>", "Weight": 0}]
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
    answer = elbv2.modify_rule(RuleArn="r", Actions=[action])
    assert answer["Rules"] == [{"RuleArn": "r", "Priority": "1", "Actions": [action]}]
    with pytest.raises(elbv2.exceptions.PriorityInUseException, match="'7' is in use <by> a rule"):
        elbv2.create_rule(ListenerArn="l", Conditions=[], Priority=7, Actions=[])
    elbv2.delete_rule(RuleArn="r")


@pytest.mark.parametrize(
    ("service", "operation", "params", "code", "status"),
    [
        pytest.param("ecs", "run_task", {"taskDefinition": "a"}, "UnsupportedOperation", 501, id="ecs"),
        pytest.param("elbv2", "describe_tags", {"ResourceArns": ["a"]}, "InvalidAction", 501, id="elbv2"),
        pytest.param("elb", "describe_load_balancers", {}, "UnsupportedOperation", 501, id="classic"),
        pytest.param("dynamodb", "list_tables", {}, "UnsupportedOperation", 501, id="dynamodb"),
        pytest.param("route53", "list_cidr_collections", {}, "UnsupportedOperation", 501, id="route53"),
        pytest.param("events", "list_endpoints", {}, "UnsupportedOperation", 501, id="events"),
        pytest.param(
            "ecs", "delete_service", {"service": "a"}, "InternalFailure", 500, id="a defect of ours"
        ),
    ],
)
def test_nothing_is_pretended(
    client: Client, service: str, operation: str, params: dict[str, Any], code: str, status: int
) -> None:
    """What is not modelled is a clear error that names it, never an empty success nor moto's answer."""
    with pytest.raises(ClientError) as caught:
        getattr(client(service), operation)(**params)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_unsigned_requests_are_refused(port: Port) -> None:
    """Without credentials it is AWS's 403 MissingAuthenticationToken."""
    target = {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters"}
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(port.url, "POST", {}, target)
    assert caught.value.code == 403
    assert json.load(caught.value)["__type"] == "MissingAuthenticationToken"
    caught.value.close()


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        pytest.param("ec2", "describe_vpcs", {}, id="ec2 protocol"),
        pytest.param("iam", "list_roles", {}, id="query"),
        pytest.param("sqs", "list_queues", {}, id="json 1.0"),
        pytest.param("s3", "list_buckets", {}, id="rest-xml"),
        pytest.param("lambda", "list_functions", {}, id="rest-json"),
    ],
)
def test_moto_answers_the_rest(
    port: Port, client: Client, service: str, operation: str, params: dict[str, Any]
) -> None:
    """Each protocol of the other services passes to moto, is recorded by operation, and can be faulted."""
    used = client(service)
    getattr(used, operation)(**params)
    name = used.meta.method_to_api_mapping[operation]
    assert list(port.world.calls.find(service=service, operation=name, outcome="OK"))
    port.world.faults.add(
        Fault(kind="error", service=service, code="Broken", status=400, message="for <you>")
    )
    with pytest.raises(ClientError) as caught:
        getattr(used, operation)(**params)
    assert caught.value.response["Error"]["Code"] == "Broken"


@pytest.mark.parametrize("service", ["ecs", "elasticloadbalancing"])
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no protocol"),
        pytest.param({"X-Amz-Target": "X.CreateService"}, id="json"),
        pytest.param({"X-Amz-Target": ""}, id="no target"),
        pytest.param({"Content-Type": "application/x-www-form-urlencoded"}, id="form"),
        pytest.param({"smithy-protocol": "rpc-v2-cbor"}, id="cbor"),
    ],
)
@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe\x00", b"[]", b"{", b'{"serviceName": 3}', b"Action=ModifyRule&A.1=x&A=y", b"[" * 50_000],
    ids=["empty", "bytes", "array", "half", "type", "form", "deep"],
)
def test_malformed_requests_are_refused(
    port: Port, service: str, headers: dict[str, str], body: bytes
) -> None:
    """Whatever arrives, the answer is a 4xx in some protocol, never a crash."""
    credential = f"AWS4-HMAC-SHA256 Credential=AKIAX/20260101/eu-west-1/{service}/aws4_request"
    request = urllib.request.Request(
        f"{port.url}/x", method="POST", data=body, headers={"Authorization": credential, **headers}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    with caught.value:
        assert 400 <= caught.value.code < 500 or caught.value.code == 501


def test_uploads_do_not_wait(client: Client) -> None:
    """A client that expects 100 Continue before its body gets it at once."""
    s3 = client("s3")
    s3.create_bucket(Bucket="uploads", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    began = time.monotonic()
    s3.put_object(Bucket="uploads", Key="a/b", Body=b"hello")
    assert s3.get_object(Bucket="uploads", Key="a/b")["Body"].read() == b"hello"
    assert time.monotonic() - began < 1.0


def test_a_failure_of_moto_is_an_answer(port: Port, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """What breaks inside moto is a 500 in AWS's shape that says so, and the record knows it."""

    def broken(*_: object) -> None:
        raise RuntimeError("dictionary changed size during iteration")

    monkeypatch.setattr(port.moto, "forward", broken)
    with pytest.raises(ClientError, match="The sandbox failed in iam ListRoles: RuntimeError"):
        client("iam").list_roles()
    assert list(port.world.calls.find(service="iam", outcome="InternalFailure"))


def test_assumed_roles_are_callers(port: Port, client: Client) -> None:
    """Keys that STS gave out decide account and principal of later calls to our own services."""
    role = "arn:aws:iam::444455556666:role/team"
    keys = client("sts").assume_role(RoleArn=role, RoleSessionName="sess")["Credentials"]
    other = client(
        "ecs",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    arn = other.create_service(serviceName="theirs")["service"]["serviceArn"]
    assert arn == "arn:aws:ecs:eu-west-1:444455556666:service/default/theirs"
    last = list(port.world.calls.find(operation="CreateService"))[-1]
    assert last.principal == "arn:aws:sts::444455556666:assumed-role/team/sess"


def test_web_identity_needs_no_signature(client: Client) -> None:
    """The operator's own way in on EKS, AssumeRoleWithWebIdentity, is unsigned and works."""
    answer = client("sts").assume_role_with_web_identity(
        RoleArn="arn:aws:iam::111122223333:role/op", RoleSessionName="sess", WebIdentityToken="a" * 20
    )
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")


@pytest.mark.parametrize(("kind", "took_place"), [("reset", False), ("lost-response", True)])
def test_connections_end(port: Port, client: Client, kind: str, *, took_place: bool) -> None:
    """A reset or lost answer is a closed connection; only the second left a service behind."""
    ecs = client("ecs")
    fault = port.world.faults.add(Fault(kind=kind, operation="CreateService"))
    with pytest.raises(ConnectionClosedError):
        ecs.create_service(serviceName=kind)
    port.world.faults.remove(fault.id)
    assert bool(ecs.describe_services(services=[kind])["services"]) is took_place


def test_latency_passes(port: Port, client: Client) -> None:
    """Latency is waited for on the wire, and the record knows how long."""
    port.world.faults.add(Fault(kind="latency", seconds=0.1))
    client("elbv2").describe_rules(ListenerArn="l")
    assert list(port.world.calls.find(service="elbv2"))[-1].duration >= 0.1


def test_events_reach_queues(port: Port, client: Client) -> None:
    """A state change goes through an EventBridge rule into an SQS queue, whole."""
    queue = client("sqs").create_queue(QueueName="events")["QueueUrl"]
    events = client("events")
    events.put_rule(Name="ecs", EventPattern=json.dumps({"source": ["aws.ecs"]}))
    arn = "arn:aws:sqs:eu-west-1:111122223333:events"
    events.put_targets(Rule="ecs", Targets=[{"Id": "1", "Arn": arn}])
    port.world.outside.emitter.emit(
        port.world.caller,
        source="aws.ecs",
        detail_type="ECS Task State Change",
        detail={"lastStatus": "RUNNING"},
    )
    messages = client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    body = json.loads(messages[0]["Body"])
    assert (body["detail-type"], body["account"], body["detail"]) == (
        "ECS Task State Change",
        "111122223333",
        {"lastStatus": "RUNNING"},
    )


def test_a_long_poll_holds_nobody_up(port: Port, client: Client) -> None:
    """While one client waits for a message others are answered, and the message ends the wait."""
    queue = client("sqs").create_queue(QueueName="patient")["QueueUrl"]
    received: list[str] = []

    def wait() -> None:
        answer = client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=20)
        received.extend(message["Body"] for message in answer["Messages"])

    patient = threading.Thread(target=wait)
    patient.start()
    client("ec2").describe_vpcs()
    assert patient.is_alive()
    client("sqs").send_message(QueueUrl=queue, MessageBody="hello")
    patient.join(timeout=5)
    assert received == ["hello"]


def test_control_api(port: Port, client: Client) -> None:
    """Calls, counts, faults, state, clock and health can be asked for and set over HTTP."""
    base = f"{port.url}/_sandbox"
    get(f"{base}/calls", "DELETE")
    client("ecs").create_service(serviceName="control")
    calls = get(f"{base}/calls?service=ecs")["calls"]
    assert [(call["operation"], call["params"]) for call in calls] == [
        ("CreateService", {"serviceName": "control"})
    ]
    assert get(f"{base}/counts")["counts"] == [
        {"service": "ecs", "operation": "CreateService", "outcome": "OK", "count": 1}
    ]
    fault = get(f"{base}/faults", "POST", {"kind": "throttle", "service": "ecs", "for": 60})
    with pytest.raises(ClientError, match="Rate exceeded"):
        client("ecs").create_service(serviceName="control")
    assert [rule["id"] for rule in get(f"{base}/faults")["faults"]] == [fault["id"]]
    get(f"{base}/faults/{fault['id']}", "DELETE")
    assert get(f"{base}/state/ecs")["control"]["serviceName"] == "control"
    assert get(f"{base}/clock")["virtual"] is False
    assert get(f"{base}/health")["services"] == ["ecs", "elbv2"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        pytest.param("GET", "nonsense", None, 404, "no GET", id="path"),
        pytest.param("POST", "faults", {"kind": "x"}, 400, "no fault is called", id="kind"),
        pytest.param("POST", "faults", {}, 400, "needs a kind", id="no-kind"),
        pytest.param("POST", "faults", {"kind": "throttle", "of": "x"}, 400, "has no of", id="unknown"),
        pytest.param("POST", "faults", {"kind": "reset", "count": "x"}, 400, "count is a number", id="count"),
        pytest.param("POST", "faults", [], 400, "not a JSON object", id="body"),
        pytest.param("DELETE", "faults/none", None, 404, "no fault none", id="id"),
        pytest.param("GET", "state/iam", None, 404, "no own service iam", id="state"),
        pytest.param("POST", "clock", {"advance": 5}, 400, "only a virtual clock", id="clock"),
    ],
)
def test_control_api_refuses(
    port: Port, method: str, path: str, body: object, status: int, text: str
) -> None:
    """A wrong request says what is wrong."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(f"{port.url}/_sandbox/{path}", method, body)
    assert caught.value.code == status
    assert text in json.load(caught.value)["error"]
    caught.value.close()
