"""CloudWatch as a program meets it: boto3 over the port, on real time, with moto's SNS and SQS beside."""

from __future__ import annotations

import json
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from integration.sandbox_ecs.ecs_port import Side, until

ALARM = {
    "Namespace": "Shop",
    "Statistic": "Average",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 50,
    "ComparisonOperator": "GreaterThanThreshold",
}


@pytest.fixture(scope="module")
def cw(side: Side) -> Any:
    """Return CloudWatch's client."""
    return side.client("cloudwatch")


def state(cw: Any, name: str) -> str:
    """Return an alarm's state."""
    answer = cw.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    return str((answer["MetricAlarms"] + answer["CompositeAlarms"])[0]["StateValue"])


def test_a_rate_by_metric_math(cw: Any) -> None:
    """What was put is read back at once, as statistics and in an expression, with aware timestamps."""
    at = datetime.now(UTC)
    cw.put_metric_data(
        Namespace="Shop",
        MetricData=[
            {"MetricName": "errors", "Value": 5, "Timestamp": at, "Unit": "Count"},
            {"MetricName": "requests", "Values": [1, 2], "Counts": [50, 25], "Timestamp": at},
        ],
    )

    def stat(name: str) -> dict[str, Any]:
        metric = {"Namespace": "Shop", "MetricName": name}
        return {"Metric": metric, "Period": 60, "Stat": "Sum"}

    answer = cw.get_metric_data(
        MetricDataQueries=[
            {"Id": "e", "MetricStat": stat("errors"), "ReturnData": False},
            {"Id": "r", "MetricStat": stat("requests"), "ReturnData": False},
            {"Id": "rate", "Expression": "100 * e / r", "Label": "error rate"},
        ],
        StartTime=at - timedelta(minutes=5),
        EndTime=at + timedelta(minutes=1),
    )
    (result,) = answer["MetricDataResults"]
    assert (result["Id"], result["Label"], result["Values"]) == ("rate", "error rate", [5.0])
    assert result["Timestamps"] == [at.replace(second=0, microsecond=0)]
    points = cw.get_metric_statistics(
        Namespace="Shop",
        MetricName="errors",
        StartTime=at - timedelta(minutes=5),
        EndTime=at + timedelta(minutes=1),
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    assert [(point["Maximum"], point["Unit"]) for point in points] == [(5.0, "Count")]
    names = {
        item["MetricName"] for page in cw.get_paginator("list_metrics").paginate() for item in page["Metrics"]
    }
    assert {"errors", "requests"} <= names


def test_an_alarm_reaches_a_queue(side: Side, cw: Any) -> None:
    """Unknown at first, in ALARM seconds after a breaching sample, its message in the queue."""
    sns, sqs = side.client("sns"), side.client("sqs")
    topic = sns.create_topic(Name="pager")["TopicArn"]
    queue = sqs.create_queue(QueueName="pager")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    cw.put_metric_alarm(AlarmName="load", MetricName="load", AlarmActions=[topic], **ALARM)
    assert state(cw, "load") == "INSUFFICIENT_DATA"
    cw.put_composite_alarm(AlarmName="any", AlarmRule='ALARM("load")')
    cw.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "load", "Value": 99}])
    until(lambda: state(cw, "load") == "ALARM")
    until(lambda: state(cw, "any") == "ALARM")
    (message,) = until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    told = json.loads(json.loads(message["Body"])["Message"])
    assert (told["AlarmName"], told["NewStateValue"], told["OldStateValue"]) == (
        "load",
        "ALARM",
        "INSUFFICIENT_DATA",
    )
    history = cw.describe_alarm_history(AlarmName="load", HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert history[0]["HistorySummary"] == "Alarm updated from INSUFFICIENT_DATA to ALARM"


def test_a_change_is_an_event(side: Side, cw: Any) -> None:
    """An EventBridge rule on alarm changes hands them to its queue."""
    events, sqs = side.client("events"), side.client("sqs")
    queue = sqs.create_queue(QueueName="changes")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(
        Name="alarms",
        EventPattern=json.dumps(
            {"source": ["aws.cloudwatch"], "detail": {"alarmName": ["drill"], "state": {"value": ["ALARM"]}}}
        ),
    )
    events.put_targets(Rule="alarms", Targets=[{"Id": "q", "Arn": arn}])
    cw.put_metric_alarm(AlarmName="drill", MetricName="nothing", **ALARM)
    cw.set_alarm_state(AlarmName="drill", StateValue="ALARM", StateReason="drill")
    assert state(cw, "drill") == "ALARM"
    (message,) = until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    body = json.loads(message["Body"])
    assert body["detail-type"] == "CloudWatch Alarm State Change"
    assert body["detail"]["previousState"]["value"] == "INSUFFICIENT_DATA"


def test_shapes_of_refusals(cw: Any) -> None:
    """boto3 raises the client's own exceptions with AWS's codes and statuses."""
    with pytest.raises(cw.exceptions.ResourceNotFound) as unknown:
        cw.set_alarm_state(AlarmName="ghost", StateValue="OK", StateReason="x")
    assert unknown.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    with pytest.raises(cw.exceptions.InvalidParameterValueException) as sizes:
        cw.put_metric_data(
            Namespace="Shop", MetricData=[{"MetricName": "m", "Values": [1], "Counts": [1, 2]}]
        )
    assert sizes.value.response["Error"]["Code"] == "InvalidParameterValue"
    with pytest.raises(cw.exceptions.InvalidNextToken):
        cw.describe_alarms(NextToken="x")
    with pytest.raises(ClientError) as period:
        cw.put_metric_alarm(AlarmName="p", MetricName="m", **{**ALARM, "Period": 45})
    assert period.value.response["Error"]["Code"] == "ValidationError"
    with pytest.raises(ClientError) as dashboards:
        cw.list_dashboards()
    assert dashboards.value.response["Error"]["Code"] == "UnsupportedOperation"
    cw.put_metric_alarm(AlarmName="child", MetricName="m", **ALARM)
    cw.put_composite_alarm(AlarmName="parent", AlarmRule="ALARM(child)")
    with pytest.raises(ClientError, match="composite alarm") as used:
        cw.delete_alarms(AlarmNames=["child"])
    assert used.value.response["Error"]["Code"] == "ValidationError"
    cw.delete_alarms(AlarmNames=["parent", "child"])


def test_tags(cw: Any) -> None:
    """An alarm's tags are set at its creation and by TagResource."""
    cw.put_metric_alarm(AlarmName="t", MetricName="m", Tags=[{"Key": "a", "Value": "1"}], **ALARM)
    arn = cw.describe_alarms(AlarmNames=["t"])["MetricAlarms"][0]["AlarmArn"]
    cw.tag_resource(ResourceARN=arn, Tags=[{"Key": "b", "Value": "2"}])
    cw.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert cw.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    with pytest.raises(cw.exceptions.ResourceNotFoundException) as unknown:
        cw.list_tags_for_resource(ResourceARN=f"{arn}x")
    assert unknown.value.response["ResourceId"] == "tx"


def ask(side: Side, body: str, **headers: str) -> str:
    """Make a request as clients of before CBOR make it, and return the answer's text."""
    scope = "AKIATEST/20260101/eu-central-1/monitoring/aws4_request"
    request = urllib.request.Request(
        side.url,
        data=body.encode(),
        headers={
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
            **headers,
        },
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())


def test_the_older_protocols(side: Side, cw: Any) -> None:
    """Clients of before CBOR speak query (XML) and json to the same port."""
    ask(
        side,
        "Action=PutMetricData&Version=2010-08-01&Namespace=Old&MetricData.member.1.MetricName=m"
        "&MetricData.member.1.Values.member.1=2.5&MetricData.member.1.Counts.member.1=4"
        "&MetricData.member.1.Dimensions.member.1.Name=zone&MetricData.member.1.Dimensions.member.1.Value=a",
        **{"Content-Type": "application/x-www-form-urlencoded"},
    )
    xml = ask(side, "Action=ListMetrics&Version=2010-08-01&Namespace=Old")
    assert "<MetricName>m</MetricName>" in xml
    assert "<Name>zone</Name><Value>a</Value>" in xml
    target = {"X-Amz-Target": "GraniteServiceVersion20100801.ListMetrics"}
    found = json.loads(
        ask(
            side, json.dumps({"Namespace": "Old"}), **{"Content-Type": "application/x-amz-json-1.0"}, **target
        )
    )
    assert found["Metrics"] == cw.list_metrics(Namespace="Old")["Metrics"]


def test_a_compressed_request(cw: Any) -> None:
    """boto3 compresses large requests by gzip; a thousand metrics arrive in one."""
    data = [{"MetricName": f"m{number:04}", "Value": number} for number in range(1_000)]
    cw.put_metric_data(Namespace="Bulk", MetricData=data)
    pages = cw.get_paginator("list_metrics").paginate(Namespace="Bulk")
    assert sum(len(page["Metrics"]) for page in pages) == 1_000


def test_a_quick_alarm_on_a_metric_by_the_minute(cw: Any) -> None:
    """An alarm with a period of ten seconds finds a standard sample of the present minute."""
    cw.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "slow", "Value": 99}])
    cw.put_metric_alarm(AlarmName="quick", MetricName="slow", **{**ALARM, "Period": 10})
    until(lambda: state(cw, "quick") == "ALARM")
