"""What surrounds ECS: queues, topics, events, secrets, parameters, zones, logs."""

from __future__ import annotations

import json
import time

import pytest

from fidelity.outsider import ACCOUNT, REGION, Outsider, fresh, refused, until


def queue(aws: Outsider) -> tuple[str, str]:
    """Create a queue; answer URL and ARN."""
    url = aws("sqs").create_queue(QueueName=fresh("q"))["QueueUrl"]
    arn = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return url, arn


def received(aws: Outsider, url: str) -> str:
    """Wait for a message; answer its body."""
    found = until(lambda: aws("sqs").receive_message(QueueUrl=url).get("Messages", []))
    body: str = found[0]["Body"]
    return body


def test_sqs_send_and_receive(aws: Outsider) -> None:
    """A message comes back once, and is gone when it is deleted."""
    url, _ = queue(aws)
    sent = aws("sqs").send_message(QueueUrl=url, MessageBody="hello")
    assert sent["MD5OfMessageBody"] == "5d41402abc4b2a76b9719d911017c592"
    (message,) = aws("sqs").receive_message(QueueUrl=url)["Messages"]
    assert (message["Body"], message["MessageId"]) == ("hello", sent["MessageId"])
    assert "Messages" not in aws("sqs").receive_message(QueueUrl=url)
    aws("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def test_sqs_unknown_queue(aws: Outsider) -> None:
    """A queue that isn't there is refused."""
    with refused("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"):
        aws("sqs").get_queue_url(QueueName=fresh("none"))


def test_sns_publish(aws: Outsider) -> None:
    """A topic delivers to a queue in SNS's envelope."""
    url, arn = queue(aws)
    topic = aws("sns").create_topic(Name=fresh("t"))["TopicArn"]
    aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    aws("sns").publish(TopicArn=topic, Message="hello", Subject="s")
    envelope = json.loads(received(aws, url))
    assert (envelope["Type"], envelope["Message"], envelope["TopicArn"]) == ("Notification", "hello", topic)


def test_events_put(aws: Outsider) -> None:
    """A rule passes matching events on and no others."""
    url, arn = queue(aws)
    source = fresh("shop")
    rule = fresh("r")
    aws("events").put_rule(Name=rule, EventPattern=json.dumps({"source": [source]}))
    aws("events").put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": arn}])
    entries = [
        {"Source": name, "DetailType": "order", "Detail": json.dumps({"n": number})}
        for number, name in enumerate(["other", source])
    ]
    assert aws("events").put_events(Entries=entries)["FailedEntryCount"] == 0
    event = json.loads(received(aws, url))
    assert (event["source"], event["detail-type"], event["detail"]) == (source, "order", {"n": 1})
    assert event["account"] == ACCOUNT


def test_secret_versions(aws: Outsider) -> None:
    """A new value is current, the one before is previous."""
    arn = aws("secretsmanager").create_secret(Name=fresh("s"), SecretString="one")["ARN"]
    aws("secretsmanager").put_secret_value(SecretId=arn, SecretString="two")
    read = aws("secretsmanager").get_secret_value
    assert read(SecretId=arn)["SecretString"] == "two"
    assert read(SecretId=arn, VersionStage="AWSPREVIOUS")["SecretString"] == "one"
    with pytest.raises(aws("secretsmanager").exceptions.ResourceNotFoundException):
        read(SecretId=fresh("none"))


def test_parameter_versions(aws: Outsider) -> None:
    """A parameter isn't overwritten unless told so, and counts its versions."""
    name = f"/{fresh('p')}"
    put = aws("ssm").put_parameter
    assert put(Name=name, Value="1", Type="String")["Version"] == 1
    with refused("ParameterAlreadyExists"):
        put(Name=name, Value="2", Type="String")
    assert put(Name=name, Value="2", Type="String", Overwrite=True)["Version"] == 2
    found = aws("ssm").get_parameter(Name=name)["Parameter"]
    assert (found["Value"], found["Version"]) == ("2", 2)
    assert found["ARN"] == f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{name}"


def change_record(aws: Outsider, zone: str, action: str, weight: int, value: str = "192.0.2.1") -> None:
    """Change a weighted record of example.com's zone."""
    record = {
        "Name": "web.example.com",
        "Type": "A",
        "TTL": 60,
        "SetIdentifier": "blue",
        "Weight": weight,
        "ResourceRecords": [{"Value": value}],
    }
    aws("route53").change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]}
    )


@pytest.fixture
def zone(aws: Outsider) -> str:
    """Create a hosted zone; answer its id."""
    made = aws("route53").create_hosted_zone(Name="example.com", CallerReference=fresh("z"))
    identity: str = made["HostedZone"]["Id"]
    return identity


def test_route53_upserts_weighted_records(aws: Outsider, zone: str) -> None:
    """A weighted record is made and changed by UPSERT, and goes by DELETE with the same values."""
    change_record(aws, zone, "UPSERT", 10)
    change_record(aws, zone, "UPSERT", 20)

    def found() -> list[tuple[int, str]]:
        records = aws("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        return [(each["Weight"], each["SetIdentifier"]) for each in records if each["Type"] == "A"]

    assert found() == [(20, "blue")]
    change_record(aws, zone, "DELETE", 20)
    assert found() == []


def test_route53_deletes_only_what_is_so(aws: Outsider, zone: str) -> None:
    """A record with other values isn't deleted, and stays."""
    change_record(aws, zone, "UPSERT", 10)
    with refused("InvalidChangeBatch", "InvalidInput"):
        change_record(aws, zone, "DELETE", 10, "192.0.2.9")
    change_record(aws, zone, "DELETE", 10)


def test_log_groups(aws: Outsider) -> None:
    """A group is made once; events come back by their time."""
    name = fresh("/ecs/app")
    logs = aws("logs")
    logs.create_log_group(logGroupName=name)
    with refused("ResourceAlreadyExistsException"):
        logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    logs.put_log_events(
        logGroupName=name,
        logStreamName="s",
        logEvents=[{"timestamp": int(time.time() * 1000), "message": "hello"}],
    )
    events = logs.get_log_events(logGroupName=name, logStreamName="s")["events"]
    assert [each["message"] for each in events] == ["hello"]
