"""What moto answers beside the own services: right, for fifty clients at once, and broken on demand."""

from __future__ import annotations

import json
import time
import urllib.error
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

Client = Callable[..., Any]
ACCOUNT = "300000000003"


def test_put_events_reach_queues_topics_and_logs(client: Client) -> None:
    """Rules match, transformers transform, malformed entries are told; a schedule's rule gets nothing."""
    sqs, events = client("sqs"), client("events")
    queues = {
        name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("whole", "shaped", "fanned", "never")
    }
    topic = client("sns").create_topic(Name="fan")["TopicArn"]
    arn = f"arn:aws:sqs:eu-west-1:{ACCOUNT}"
    client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=f"{arn}:fanned", Attributes={"RawMessageDelivery": "true"}
    )
    client("logs").create_log_group(logGroupName="/events")
    events.put_rule(Name="mine", EventPattern=json.dumps({"source": ["shop"], "detail": {"size": [3]}}))
    events.put_rule(Name="clock", ScheduleExpression="rate(1 minute)")
    transformer = {
        "InputPathsMap": {"who": "$.detail.who"},
        "InputTemplate": '{"name": <who>, "t": "by <who>"}',
    }
    events.put_targets(
        Rule="mine",
        Targets=[
            {"Id": "1", "Arn": f"{arn}:whole"},
            {"Id": "2", "Arn": f"{arn}:shaped", "InputTransformer": transformer},
            {"Id": "3", "Arn": topic, "InputPath": "$.detail"},
            {"Id": "4", "Arn": f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/events"},
        ],
    )
    events.put_targets(Rule="clock", Targets=[{"Id": "1", "Arn": f"{arn}:never"}])
    good = {"Source": "shop", "DetailType": "sold", "Detail": json.dumps({"size": 3, "who": "ann"})}
    answer = events.put_events(
        Entries=[
            good,
            good | {"Detail": json.dumps({"size": 4})},
            good | {"Detail": "{"},
            good | {"Source": "aws.ecs"},
        ]
    )
    assert answer["FailedEntryCount"] == 2
    assert [entry.get("ErrorCode") for entry in answer["Entries"]] == [
        None,
        None,
        "MalformedDetail",
        "NotAuthorizedForSourceException",
    ]

    def bodies(name: str) -> list[str]:
        found = sqs.receive_message(QueueUrl=queues[name], MaxNumberOfMessages=10)
        return [message["Body"] for message in found.get("Messages", ())]

    whole = [json.loads(body) for body in bodies("whole")]
    assert [(item["account"], item["detail-type"], item["id"]) for item in whole] == [
        (ACCOUNT, "sold", answer["Entries"][0]["EventId"])
    ]
    assert [json.loads(body) for body in bodies("shaped")] == [{"name": "ann", "t": "by ann"}]
    assert [json.loads(body) for body in bodies("fanned")] == [{"size": 3, "who": "ann"}]
    assert bodies("never") == []
    logged = client("logs").filter_log_events(logGroupName="/events")["events"]
    assert [json.loads(item["message"])["source"] for item in logged] == ["shop"]


def test_fifty_clients_at_once(side: Any, client: Client) -> None:
    """Fifty clients of many services at once: every call is answered, none with a 500."""
    client("s3").create_bucket(Bucket="many", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    clients = {
        name: client(name)
        for name in (
            "sqs",
            "sns",
            "secretsmanager",
            "ssm",
            "iam",
            "ec2",
            "s3",
            "sts",
            "ecs",
            "logs",
            "events",
        )
    }

    def work(number: int) -> int:
        name = f"many-{number}"
        sqs = clients["sqs"]
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=name)
        assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == name
        clients["sns"].create_topic(Name=name)
        clients["secretsmanager"].create_secret(Name=name, SecretString=name)
        assert clients["secretsmanager"].get_secret_value(SecretId=name)["SecretString"] == name
        clients["ssm"].put_parameter(Name=name, Value=name, Type="String")
        clients["iam"].create_role(RoleName=name, AssumeRolePolicyDocument='{"Statement": []}')
        clients["ec2"].describe_subnets()
        clients["s3"].put_object(Bucket="many", Key=name, Body=name.encode())
        clients["sts"].get_caller_identity()
        clients["ecs"].create_cluster(clusterName=name)
        clients["logs"].create_log_group(logGroupName=name)
        clients["events"].put_events(Entries=[{"Source": "m", "DetailType": "d", "Detail": "{}"}])
        return number

    with ThreadPoolExecutor(max_workers=50) as pool:
        assert sorted(pool.map(work, range(50))) == list(range(50))
    counts = side.control("counts")["counts"]
    assert not [item for item in counts if item["outcome"] in {"InternalFailure", "500"}]
    assert len(client("s3").list_objects_v2(Bucket="many")["Contents"]) == 50


def test_periphery(client: Client) -> None:
    """Parameters, secrets' versions, records and log groups, as in the research's list."""
    ssm = client("ssm")
    ssm.put_parameter(Name="/p", Value="1", Type="String")
    ssm.put_parameter(Name="/p", Value="2", Type="String", Overwrite=True)
    assert ssm.get_parameter(Name="/p")["Parameter"]["Version"] == 2
    secrets = client("secretsmanager")
    secrets.create_secret(Name="s", SecretString="1")
    secrets.put_secret_value(SecretId="s", SecretString="2")
    previous = secrets.get_secret_value(SecretId="s", VersionStage="AWSPREVIOUS")
    assert (secrets.get_secret_value(SecretId="s")["SecretString"], previous["SecretString"]) == ("2", "1")
    route53 = client("route53")
    zone = route53.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
    record = {"Name": "a.example.com", "Type": "A", "TTL": 5, "ResourceRecords": [{"Value": "10.0.0.1"}]}
    batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
    records = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    assert [item["ResourceRecords"] for item in records if item["Type"] == "A"] == [[{"Value": "10.0.0.1"}]]


def test_calamities_over_http(side: Any, client: Client) -> None:
    """The control API begins, lists and ends calamities beside faults, and makes edits by hand."""
    begun = side.control("faults", {"kind": "capacity-shortage", "where": "FARGATE_SPOT", "for": 600})
    assert begun["until"] > time.time()
    fault = side.control("faults", {"kind": "throttle", "service": "none"})
    assert {item["id"] for item in side.control("faults")["faults"]} == {begun["id"], fault["id"]}
    side.control(f"faults/{begun['id']}", method="DELETE")
    assert [item["id"] for item in side.control("faults")["faults"]] == [fault["id"]]
    side.control("faults", method="DELETE")
    assert side.control("faults")["faults"] == []
    edit = {"service": "ecs", "operation": "CreateCluster", "params": {"clusterName": "by-hand"}}
    assert side.control("edits", edit)["response"]["cluster"]["clusterName"] == "by-hand"
    assert any("by-hand" in arn for arn in client("ecs").list_clusters()["clusterArns"])


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        pytest.param("faults", {"kind": "zone-loss"}, "needs a zone", id="zone"),
        pytest.param("faults", {"kind": "crash-loop", "service": "x"}, "service", id="field of a fault"),
        pytest.param("edits", {"service": "ecs"}, "an edit needs", id="half an edit"),
        pytest.param("edits", {"service": "ecs", "operation": "Fly"}, "Fly", id="no operation"),
        pytest.param(
            "edits",
            {"service": "ecs", "operation": "DeleteCluster", "params": {"cluster": "none"}},
            "ClusterNotFoundException",
            id="refused",
        ),
        pytest.param("access", {"policies": "maybe"}, "off, written, all", id="mode"),
    ],
)
def test_the_control_api_says_what_is_wrong(side: Any, path: str, body: dict[str, Any], text: str) -> None:
    """A wrong request is a 400 that names what is wrong."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        side.control(path, body)
    with caught.value:
        assert caught.value.code == 400
        assert text in json.load(caught.value)["error"]
