"""CloudWatch: alarms and their evaluation, metric math, composite alarms, history."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fidelity.outsider import ACCOUNT, REGION, Outsider, fresh, refused, until


def alarm(aws: Outsider, **members: Any) -> str:
    """Put an alarm on a metric of its own; answer its name."""
    wish = {
        "AlarmName": fresh("alarm"),
        "Namespace": fresh("Shop"),
        "MetricName": "Errors",
        "Statistic": "Sum",
        "Period": 10,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
    } | members
    aws("cloudwatch").put_metric_alarm(**{name: value for name, value in wish.items() if value is not None})
    name: str = wish["AlarmName"]
    return name


def told(aws: Outsider, name: str) -> dict[str, Any]:
    """Describe an alarm."""
    found: dict[str, Any] = aws("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
    return found


def put(
    aws: Outsider, namespace: str, value: float, *, metric: str = "Errors", at: datetime | None = None
) -> None:
    """Put a value of a metric."""
    datum = {
        "MetricName": metric,
        "Value": value,
        "Timestamp": at or datetime.now(UTC),
        "StorageResolution": 1,
    }
    aws("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[datum])


def test_new_alarm_has_insufficient_data(aws: Outsider) -> None:
    """A new alarm is INSUFFICIENT_DATA and tells every member with its default."""
    found = told(aws, alarm(aws, Period=300, AlarmDescription="d"))
    assert found["StateValue"] == "INSUFFICIENT_DATA"
    assert found["AlarmArn"] == f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{found['AlarmName']}"
    assert found["ActionsEnabled"] is True
    assert found["AlarmActions"] == []
    assert found["OKActions"] == []
    assert found["InsufficientDataActions"] == []
    assert found["Dimensions"] == []
    assert found["AlarmDescription"] == "d"
    assert (found["Period"], found["EvaluationPeriods"], found["Threshold"]) == (300, 1, 1.0)
    assert isinstance(found["StateUpdatedTimestamp"], datetime)
    assert isinstance(found["AlarmConfigurationUpdatedTimestamp"], datetime)


def test_alarm_keeps_metric_math(aws: Outsider) -> None:
    """An alarm on an expression keeps its metrics."""
    metrics = [
        {"Id": "rate", "Expression": "100*e/r", "Label": "rate", "ReturnData": True},
        *(
            {
                "Id": name[0].lower(),
                "MetricStat": {
                    "Metric": {"Namespace": "Shop", "MetricName": name},
                    "Period": 60,
                    "Stat": "Sum",
                },
                "ReturnData": False,
            }
            for name in ("Errors", "Requests")
        ),
    ]
    name = fresh("alarm")
    aws("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Metrics=metrics,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
    )
    found = {each["Id"]: each for each in told(aws, name)["Metrics"]}
    assert found["rate"]["Expression"] == "100*e/r"
    assert found["e"]["MetricStat"]["Metric"]["MetricName"] == "Errors"
    assert found["r"]["ReturnData"] is False


@pytest.mark.parametrize(
    "change",
    [
        {"Period": 7},
        {"Statistic": None},
        {"ComparisonOperator": "Roughly"},
        {"EvaluationPeriods": 1, "DatapointsToAlarm": 2},
        {"TreatMissingData": "shrug"},
        {"AlarmActions": ["not-an-arn"]},
    ],
    ids=["period", "statistic", "operator", "2 of 1", "missing data", "action"],
)
def test_alarm_refused(aws: Outsider, change: dict[str, Any]) -> None:
    """An alarm that makes no sense is refused."""
    with refused(
        "ValidationError", "InvalidParameterValue", "InvalidParameterCombination", "MissingParameter"
    ):
        alarm(aws, **change)


def test_alarm_is_evaluated_and_returns(aws: Outsider) -> None:
    """Values above the threshold turn an alarm to ALARM with its reason; later ones below turn it to OK."""
    space = fresh("Shop")
    name = alarm(aws, Namespace=space, TreatMissingData="notBreaching")
    put(aws, space, 5.0)
    found = until(lambda: told(aws, name), lambda found: found["StateValue"] == "ALARM")
    assert found["StateReason"].startswith("Threshold Crossed: 1 ")
    assert "5.0" in found["StateReason"]
    data = json.loads(found["StateReasonData"])
    assert data["recentDatapoints"] == [5.0]
    assert data["threshold"] == 1.0

    def calmed() -> bool:
        put(aws, space, 0.0)
        state: str = told(aws, name)["StateValue"]
        return state == "OK"

    until(calmed)


def queue(aws: Outsider) -> tuple[str, str]:
    """Make a topic with a queue; answer the topic's ARN and the queue's URL."""
    topic = aws("sns").create_topic(Name=fresh("topic"))["TopicArn"]
    url = aws("sqs").create_queue(QueueName=fresh("queue"))["QueueUrl"]
    arn = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return topic, url


def test_state_set_by_hand_runs_actions(aws: Outsider) -> None:
    """SetAlarmState changes the state at once and runs the action, which reaches SNS."""
    topic, url = queue(aws)
    name = alarm(aws, Period=300, AlarmActions=[topic])
    aws("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by hand")
    found = told(aws, name)
    assert (found["StateValue"], found["StateReason"]) == ("ALARM", "by hand")
    messages = until(lambda: aws("sqs").receive_message(QueueUrl=url).get("Messages", []))
    message = json.loads(json.loads(messages[0]["Body"])["Message"])
    assert message["AlarmName"] == name
    assert message["NewStateValue"] == "ALARM"
    assert message["OldStateValue"] == "INSUFFICIENT_DATA"


def test_state_of_an_unknown_alarm(aws: Outsider) -> None:
    """An alarm that isn't there has no state to set."""
    with refused("ResourceNotFound", status=404):
        aws("cloudwatch").set_alarm_state(AlarmName=fresh("none"), StateValue="OK", StateReason="r")


@pytest.fixture(scope="module")
def minutes(aws: Outsider) -> tuple[str, datetime]:
    """Put errors and requests of three minutes; answer the namespace and the first minute."""
    space = fresh("Shop")
    start = (datetime.now(UTC) - timedelta(minutes=10)).replace(second=0, microsecond=0)
    for minute, (errors, requests) in enumerate([(1, 100), (5, 100), (0, 50)]):
        at = start + timedelta(minutes=minute)
        put(aws, space, errors, at=at)
        put(aws, space, requests, metric="Requests", at=at)
    return space, start


def query(space: str, name: str, **members: Any) -> dict[str, Any]:
    """Answer a query of a metric's sum by minute."""
    return {
        "Id": name[0].lower(),
        "MetricStat": {"Metric": {"Namespace": space, "MetricName": name}, "Period": 60, "Stat": "Sum"},
    } | members


def values(aws: Outsider, minutes: tuple[str, datetime], *queries: dict[str, Any]) -> dict[str, list[float]]:
    """Get metric data, oldest first."""
    answer = aws("cloudwatch").get_metric_data(
        MetricDataQueries=list(queries),
        StartTime=minutes[1],
        EndTime=minutes[1] + timedelta(minutes=5),
        ScanBy="TimestampAscending",
    )
    return {each["Id"]: each["Values"] for each in answer["MetricDataResults"]}


def test_metric_data_by_minute(aws: Outsider, minutes: tuple[str, datetime]) -> None:
    """Values are told by period, with times and a status."""
    answer = aws("cloudwatch").get_metric_data(
        MetricDataQueries=[query(minutes[0], "Errors")],
        StartTime=minutes[1],
        EndTime=minutes[1] + timedelta(minutes=5),
    )
    (found,) = answer["MetricDataResults"]
    assert found["Values"] == [0.0, 5.0, 1.0]
    assert found["Timestamps"] == [minutes[1] + timedelta(minutes=n) for n in (2, 1, 0)]
    assert found["StatusCode"] == "Complete"
    assert found["Label"] == "Errors"


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("100*e/r", [1.0, 5.0, 0.0]),
        ("e+r", [101.0, 105.0, 50.0]),
        ("SUM([e,r])", [101.0, 105.0, 50.0]),
        ("IF(e>0, 1, 0)", [1.0, 1.0, 0.0]),
        ("RUNNING_SUM(e)", [1.0, 6.0, 6.0]),
        ("MAX(METRICS())", None),
        ("FILL(e, 0)", [1.0, 5.0, 0.0]),
    ],
)
def test_metric_math(
    aws: Outsider, minutes: tuple[str, datetime], expression: str, wanted: list[float] | None
) -> None:
    """Expressions are computed minute by minute."""
    queries = [query(minutes[0], name, ReturnData=False) for name in ("Errors", "Requests")]
    found = values(aws, minutes, *queries, {"Id": "x", "Expression": expression})
    if wanted is not None:
        assert found["x"][:3] == pytest.approx(wanted)
    else:
        assert found["x"]


def test_metric_math_of_an_unknown_id(aws: Outsider, minutes: tuple[str, datetime]) -> None:
    """An expression of an id that no query has is refused."""
    with refused("ValidationError"):
        values(aws, minutes, {"Id": "x", "Expression": "ghost*2"})


def test_statistics(aws: Outsider, minutes: tuple[str, datetime]) -> None:
    """GetMetricStatistics tells what was asked for by period."""
    found = aws("cloudwatch").get_metric_statistics(
        Namespace=minutes[0],
        MetricName="Errors",
        StartTime=minutes[1],
        EndTime=minutes[1] + timedelta(minutes=3),
        Period=180,
        Statistics=["Sum", "Maximum", "SampleCount", "Average"],
    )["Datapoints"]
    assert sum(each["Sum"] for each in found) == 6.0
    assert max(each["Maximum"] for each in found) == 5.0
    assert sum(each["SampleCount"] for each in found) == 3.0


def test_metrics_are_listed(aws: Outsider, minutes: tuple[str, datetime]) -> None:
    """Metrics of a namespace are listed by name."""
    found = until(lambda: aws("cloudwatch").list_metrics(Namespace=minutes[0])["Metrics"])
    assert {each["MetricName"] for each in found} == {"Errors", "Requests"}


def test_composite_alarm_follows_its_rule(aws: Outsider) -> None:
    """A composite alarm is in ALARM while its rule holds."""
    first, second = alarm(aws, Period=300), alarm(aws, Period=300)
    name = fresh("both")
    aws("cloudwatch").put_composite_alarm(AlarmName=name, AlarmRule=f'ALARM("{first}") AND ALARM("{second}")')

    def state() -> str:
        (found,) = aws("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])[
            "CompositeAlarms"
        ]
        value: str = found["StateValue"]
        return value

    for each in (first, second):
        assert state() != "ALARM"
        aws("cloudwatch").set_alarm_state(AlarmName=each, StateValue="ALARM", StateReason="r")
    until(lambda: state() == "ALARM")


def test_history_tells_state_changes(aws: Outsider) -> None:
    """History tells of the creation and each change of state, newest first."""
    name = alarm(aws, Period=300)
    aws("cloudwatch").set_alarm_state(AlarmName=name, StateValue="OK", StateReason="r")
    items = aws("cloudwatch").describe_alarm_history(AlarmName=name)["AlarmHistoryItems"]
    kinds = [each["HistoryItemType"] for each in items]
    assert "StateUpdate" in kinds
    assert "ConfigurationUpdate" in kinds
    (update,) = [each for each in items if each["HistoryItemType"] == "StateUpdate"]
    assert update["HistorySummary"] == "Alarm updated from INSUFFICIENT_DATA to OK"
    data = json.loads(update["HistoryData"])
    assert data["newState"]["stateValue"] == "OK"


def test_alarms_are_found(aws: Outsider) -> None:
    """Alarms are found by prefix and state, page by page; unknown names answer nothing."""
    stem = fresh("stem")
    names = [alarm(aws, AlarmName=f"{stem}-{letter}", Period=300) for letter in "abc"]
    describe = aws("cloudwatch").describe_alarms
    assert [each["AlarmName"] for each in describe(AlarmNamePrefix=stem)["MetricAlarms"]] == names
    first = describe(AlarmNamePrefix=stem, MaxRecords=2)
    assert len(first["MetricAlarms"]) == 2
    rest = describe(AlarmNamePrefix=stem, MaxRecords=2, NextToken=first["NextToken"])
    assert [each["AlarmName"] for each in rest["MetricAlarms"]] == names[2:]
    assert describe(AlarmNamePrefix=stem, StateValue="ALARM")["MetricAlarms"] == []
    assert describe(AlarmNames=[fresh("none")])["MetricAlarms"] == []
    aws("cloudwatch").delete_alarms(AlarmNames=names)
    assert describe(AlarmNamePrefix=stem)["MetricAlarms"] == []
