"""Metric alarms: validation, defaults, filters, pages, evaluation on the clock, actions, history, tags."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cw_world import ALARM, NAMESPACE, CloudWatch, stat

TOPIC = "arn:aws:sns:eu-west-1:111122223333:pager"


def ratio(threshold: float = 5.0, **changes: Any) -> dict[str, Any]:
    """Return the request of an alarm on an error rate."""
    return {
        "AlarmName": "rate",
        "Metrics": [
            stat("errors", ReturnData=False),
            stat("requests", ReturnData=False),
            {"Id": "rate", "Expression": "100 * errors / requests", "ReturnData": True},
        ],
        "EvaluationPeriods": 1,
        "Threshold": threshold,
        "ComparisonOperator": "GreaterThanThreshold",
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"Period": 45}, "ValidationError", id="period 45"),
        pytest.param({"Period": 5}, "ValidationError", id="period 5"),
        pytest.param({"Period": None}, "ValidationError", id="no period"),
        pytest.param({"Namespace": None}, "ValidationError", id="no namespace"),
        pytest.param({"MetricName": None}, "ValidationError", id="no metric"),
        pytest.param({"Statistic": None}, "MissingParameter", id="no statistic"),
        pytest.param({"ExtendedStatistic": "p99"}, "InvalidParameterCombination", id="two statistics"),
        pytest.param(
            {"Statistic": None, "ExtendedStatistic": "p999"}, "InvalidParameterValue", id="bad percentile"
        ),
        pytest.param({"Statistic": "Median"}, "ValidationError", id="unknown statistic"),
        pytest.param({"EvaluationPeriods": None}, "ValidationError", id="no evaluation periods"),
        pytest.param({"Threshold": None}, "ValidationError", id="no threshold"),
        pytest.param({"ComparisonOperator": None}, "ValidationError", id="no operator"),
        pytest.param({"ComparisonOperator": "Above"}, "ValidationError", id="unknown operator"),
        pytest.param({"EvaluationPeriods": 1_441}, "ValidationError", id="more than a day"),
        pytest.param(
            {"Period": 3_600, "EvaluationPeriods": 169}, "ValidationError", id="more than seven days"
        ),
        pytest.param({"DatapointsToAlarm": 2}, "ValidationError", id="M above N"),
        pytest.param({"TreatMissingData": "bad"}, "ValidationError", id="unknown treatment"),
        pytest.param(
            {"EvaluateLowSampleCountPercentile": "maybe"}, "ValidationError", id="unknown low sample option"
        ),
        pytest.param(
            {"EvaluateLowSampleCountPercentile": "ignore"},
            "InvalidParameterCombination",
            id="low samples without percentile",
        ),
        pytest.param({"AlarmActions": ["pager"]}, "ValidationError", id="action is no ARN"),
        pytest.param({"AlarmActions": [TOPIC] * 6}, "ValidationError", id="six actions"),
        pytest.param({"AlarmName": "a" * 256}, "ValidationError", id="long name"),
        pytest.param({"AlarmName": "a\nb"}, "ValidationError", id="control character"),
        pytest.param({"AlarmDescription": "d" * 1_025}, "ValidationError", id="long description"),
        pytest.param({"Unit": "Apples"}, "ValidationError", id="unknown unit"),
        pytest.param(
            {"Dimensions": [{"Name": "d", "Value": "1"}, {"Name": "d", "Value": "2"}]},
            "InvalidParameterValue",
            id="dimension twice",
        ),
        pytest.param(
            {"Tags": [{"Key": f"k{n}", "Value": ""} for n in range(51)]},
            "InvalidParameterValue",
            id="51 tags",
        ),
        pytest.param(
            {"Tags": [{"Key": "aws:x", "Value": ""}]}, "InvalidParameterValue", id="reserved tag key"
        ),
        pytest.param({"Metrics": [stat("m")]}, "ValidationError", id="metric and metrics"),
        pytest.param(
            {"ComparisonOperator": "GreaterThanUpperThreshold"},
            "UnsupportedOperation",
            id="anomaly detection",
        ),
        pytest.param({"ThresholdMetricId": "ad1"}, "UnsupportedOperation", id="threshold of a band"),
        pytest.param(
            {"EvaluationWindow": {"WallClockWindow": {}}}, "UnsupportedOperation", id="wall clock window"
        ),
        pytest.param(
            {"ActionConfiguration": {"AlarmTagsPropagation": {"Enabled": True}}},
            "UnsupportedOperation",
            id="tags in notifications",
        ),
    ],
)
def test_put_metric_alarm_refuses(cw: CloudWatch, changes: dict[str, Any], code: str) -> None:
    """Each rule of PutMetricAlarm's reference has its refusal, and no alarm comes about."""
    params = {key: value for key, value in {**ALARM, **changes}.items() if value is not None}
    error = cw.refusal("PutMetricAlarm", **params)
    assert error.code == code
    assert cw.call("DescribeAlarms")["MetricAlarms"] == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"Metrics": []}, "ValidationError", id="empty"),
        pytest.param({"Metrics": [stat("a"), stat("b")]}, "ValidationError", id="two return data"),
        pytest.param({"Metrics": [stat("a", ReturnData=False)]}, "ValidationError", id="none returns data"),
        pytest.param(
            {
                "Metrics": [
                    stat("a", ReturnData=False),
                    stat("b", period=120, ReturnData=False),
                    {"Id": "x", "Expression": "a + b"},
                ]
            },
            "ValidationError",
            id="two periods",
        ),
        pytest.param(
            {
                "Metrics": [
                    *(stat(f"m{n}", ReturnData=False) for n in range(11)),
                    {"Id": "x", "Expression": "SUM(METRICS())"},
                ]
            },
            "ValidationError",
            id="eleven metrics",
        ),
        pytest.param(
            {"Metrics": [{"Id": "x", "Expression": "SEARCH('{Shop}', 'Sum', 60)"}]},
            "ValidationError",
            id="search",
        ),
        pytest.param({"Metrics": [{"Id": "x", "Expression": "ghost"}]}, "ValidationError", id="unknown id"),
        pytest.param({"Period": 60}, "ValidationError", id="period beside metrics"),
        pytest.param(
            {"Metrics": [stat("m", ReturnData=False), {"Id": "x", "Expression": "AVG(m)"}]},
            "ValidationError",
            id="a number",
        ),
        pytest.param(
            {"Metrics": [stat("m", ReturnData=False), {"Id": "x", "Expression": "[m] * 2"}]},
            "ValidationError",
            id="an array",
        ),
        pytest.param(
            {"Metrics": [stat("m", ReturnData=False), {"Id": "x", "Expression": "SERVICE_QUOTA(m)"}]},
            "UnsupportedOperation",
            id="not modelled",
        ),
        pytest.param(
            {"Metrics": [{"Id": "x", "Expression": "SELECT AVG(m) FROM Shop"}]},
            "UnsupportedOperation",
            id="Metrics Insights",
        ),
    ],
)
def test_alarms_on_math_refuse(cw: CloudWatch, changes: dict[str, Any], code: str) -> None:
    """Each rule for a Metrics list has its refusal."""
    assert cw.refusal("PutMetricAlarm", **ratio(**changes)).code == code


def test_a_new_alarm(cw: CloudWatch) -> None:
    """It is INSUFFICIENT_DATA, has its defaults and keeps what was given."""
    cw.alarm(
        AlarmDescription="too many errors",
        Dimensions=[{"Name": "zone", "Value": "1"}],
        Unit="Percent",
        DatapointsToAlarm=1,
        TreatMissingData="ignore",
        InsufficientDataActions=[TOPIC],
    )
    shown = cw.shown()
    for member, value in {
        **ALARM,
        "AlarmArn": "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:high",
        "StateValue": "INSUFFICIENT_DATA",
        "StateReason": "Unchecked: Initial alarm creation",
        "ActionsEnabled": True,
        "OKActions": [],
        "AlarmActions": [],
        "InsufficientDataActions": [TOPIC],
        "Dimensions": [{"Name": "zone", "Value": "1"}],
        "Unit": "Percent",
        "DatapointsToAlarm": 1,
        "TreatMissingData": "ignore",
        "AlarmDescription": "too many errors",
    }.items():
        assert shown[member] == value, member
    assert shown["StateUpdatedTimestamp"] == shown["AlarmConfigurationUpdatedTimestamp"]


def test_an_update_keeps_the_state_and_replaces_the_rest(cw: CloudWatch) -> None:
    """The state stays, members not given are gone, the tags stay as they were."""
    cw.alarm(AlarmDescription="old", Tags=[{"Key": "team", "Value": "a"}])
    cw.call("SetAlarmState", AlarmName="high", StateValue="ALARM", StateReason="drill")
    cw.alarm(Threshold=70.0, Tags=[{"Key": "team", "Value": "b"}])
    shown = cw.shown()
    assert (shown["StateValue"], shown["Threshold"]) == ("ALARM", 70.0)
    assert "AlarmDescription" not in shown
    arn = shown["AlarmArn"]
    assert cw.call("ListTagsForResource", ResourceARN=arn)["Tags"] == [{"Key": "team", "Value": "a"}]


@pytest.mark.parametrize(
    ("treatment", "state"),
    [
        (None, "INSUFFICIENT_DATA"),
        ("missing", "INSUFFICIENT_DATA"),
        ("ignore", "INSUFFICIENT_DATA"),
        ("breaching", "ALARM"),
        ("notBreaching", "OK"),
    ],
)
def test_an_alarm_without_data(cw: CloudWatch, treatment: str | None, state: str) -> None:
    """Its first evaluation follows from how missing data is treated."""
    cw.alarm(TreatMissingData=treatment)
    cw.clock.advance(2)
    assert cw.state() == state


def test_data_is_judged_at_once(cw: CloudWatch) -> None:
    """A breaching sample raises the alarm within a second, a good one lets it go in the next minute."""
    cw.alarm()
    cw.clock.advance(5)
    cw.put(99.0)
    cw.clock.advance(1)
    assert cw.state() == "ALARM"
    cw.clock.advance(60)
    cw.put(1.0)
    cw.clock.advance(1)
    assert cw.state() == "OK"


def test_data_from_before_the_alarm_counts(cw: CloudWatch) -> None:
    """What was put before the alarm was created is looked at, too (user guide)."""
    cw.put(99.0)
    cw.alarm()
    cw.clock.advance(2)
    assert cw.state() == "ALARM"


def test_the_state_lapses_when_the_data_stops(cw: CloudWatch) -> None:
    """The last data is judged for a while longer, then it is unknown."""
    cw.alarm()
    cw.put(99.0)
    cw.clock.advance(120)
    assert cw.state() == "ALARM"
    cw.clock.advance(180)
    assert cw.state() == "INSUFFICIENT_DATA"


def test_m_out_of_n(cw: CloudWatch) -> None:
    """Two of three breaching periods raise the alarm, one does not."""
    cw.alarm(EvaluationPeriods=3, DatapointsToAlarm=2)
    states = []
    for value in (99.0, 1.0, 1.0, 99.0, 1.0, 99.0, 1.0, 1.0):
        cw.put(value)
        cw.clock.advance(1)
        states.append(cw.state())
        cw.clock.advance(59)
    assert states[2:] == ["OK", "OK", "OK", "ALARM", "OK", "OK"]


def test_an_unfinished_sum_that_is_too_low_says_nothing(cw: CloudWatch) -> None:
    """Few requests so far in this minute are no alarm; few in a whole minute are."""
    cw.alarm(Statistic="Sum", ComparisonOperator="LessThanThreshold", Threshold=10.0)
    cw.put(20.0)
    cw.clock.advance(61)
    assert cw.state() == "OK"
    cw.put(1.0)
    cw.clock.advance(30)
    assert cw.state() == "OK"
    cw.clock.advance(35)
    assert cw.state() == "ALARM"


def test_high_resolution_alarms(cw: CloudWatch) -> None:
    """A period of ten seconds sees what is put with that resolution, and clears as quickly."""
    cw.alarm(Period=10)
    cw.put(99.0, StorageResolution=1)
    cw.clock.advance(1)
    assert cw.state() == "ALARM"
    cw.clock.advance(10)
    cw.put(1.0, StorageResolution=1)
    cw.clock.advance(1)
    assert cw.state() == "OK"


def test_an_alarm_on_a_rate(cw: CloudWatch) -> None:
    """A math alarm follows its expression; a minute without requests is missing data."""
    cw.call("PutMetricAlarm", **ratio(TreatMissingData="notBreaching"))
    cw.put(1_000.0, metric="requests")
    cw.put(100.0)
    cw.clock.advance(1)
    assert cw.state("rate") == "ALARM"
    cw.clock.advance(60)
    cw.put(1_000.0, metric="requests")
    cw.clock.advance(1)
    assert cw.state("rate") == "OK"
    assert cw.shown("rate")["Metrics"] == ratio()["Metrics"]


@pytest.mark.parametrize(("patient", "state"), [(False, "ALARM"), (True, "INSUFFICIENT_DATA")])
def test_a_warm_up(cw: CloudWatch, patient: bool, state: str) -> None:  # noqa: FBT001 - a column of the table
    """Missing data says nothing while it lasts; enough data ends it early unless it is to be waited for."""
    warm_up = {"WarmUpPeriodDurationInMinutes": 10, "OnlyStartEvaluatingAfterWarmUpPeriodEnds": patient}
    cw.alarm(TreatMissingData="breaching", WarmUpConfiguration=warm_up)
    cw.clock.advance(120)
    assert cw.state() == "INSUFFICIENT_DATA"
    cw.put(99.0)
    cw.clock.advance(2)
    assert cw.state() == state
    cw.clock.advance(600)
    assert cw.state() == "ALARM"


def test_an_expression_that_fails_on_its_data(cw: CloudWatch) -> None:
    """When the data turns the result into a number, the state stays and the alarm says why."""
    cw.call(
        "PutMetricAlarm",
        **ratio(
            Metrics=[
                stat("errors", ReturnData=False),
                {"Id": "rate", "Expression": "IF(SUM(errors) > 5, 1, errors)"},
            ]
        ),
    )
    cw.put(1.0)
    cw.clock.advance(2)
    assert cw.state("rate") == "OK"
    cw.put(9.0)
    cw.clock.advance(2)
    shown = cw.shown("rate")
    assert (shown["StateValue"], shown["EvaluationState"]) == ("OK", "EVALUATION_ERROR")
    assert "scalar" in shown["StateReason"]


def test_few_samples_of_a_percentile(cw: CloudWatch) -> None:
    """With `ignore` a p99 of fewer than 1000 samples does not change the state; with `evaluate` it does."""
    for name, low in (("patient", "ignore"), ("hasty", "evaluate")):
        cw.alarm(
            AlarmName=name,
            Statistic=None,
            ExtendedStatistic="p99",
            EvaluateLowSampleCountPercentile=low,
            TreatMissingData="ignore",
        )
    cw.put(99.0)
    cw.clock.advance(2)
    assert (cw.state("patient"), cw.state("hasty")) == ("INSUFFICIENT_DATA", "ALARM")


def test_set_alarm_state(cw: CloudWatch) -> None:
    """A state set by hand stands for a while, acts, and gives way to the real one."""
    cw.alarm(AlarmActions=[TOPIC])
    cw.clock.advance(5)
    cw.call("SetAlarmState", AlarmName="high", StateValue="ALARM", StateReason="drill")
    assert (cw.state(), cw.shown()["StateReason"]) == ("ALARM", "drill")
    assert [topic for topic, _, _ in cw.topics.sent] == [TOPIC]
    cw.clock.advance(30)
    assert cw.state() == "ALARM"
    cw.clock.advance(60)
    assert cw.state() == "INSUFFICIENT_DATA"


def test_set_alarm_state_gives_way_to_new_data(cw: CloudWatch) -> None:
    """New data is judged at once, whatever was set by hand."""
    cw.alarm()
    cw.call("SetAlarmState", AlarmName="high", StateValue="ALARM", StateReason="drill")
    cw.put(1.0)
    cw.clock.advance(1)
    assert cw.state() == "OK"


@pytest.mark.parametrize(
    ("params", "code", "status"),
    [
        pytest.param({"AlarmName": "ghost"}, "ResourceNotFound", 404, id="unknown alarm"),
        pytest.param({"StateReasonData": "{"}, "InvalidFormat", 400, id="no JSON"),
        pytest.param({"StateValue": "BAD"}, "ValidationError", 400, id="unknown state"),
    ],
)
def test_set_alarm_state_refuses(cw: CloudWatch, params: dict[str, Any], code: str, status: int) -> None:
    """Unknown alarm, data that is no JSON, a state that there is not."""
    cw.alarm()
    ask = {"AlarmName": "high", "StateValue": "OK", "StateReason": "x", **params}
    error = cw.refusal("SetAlarmState", **ask)
    assert (error.code, error.status) == (code, status)


def test_actions_of_each_state(cw: CloudWatch) -> None:
    """Each state has its own actions; the message tells old and new state and the trigger."""
    cw.alarm(
        AlarmActions=[f"{TOPIC}-alarm"],
        OKActions=[f"{TOPIC}-ok"],
        InsufficientDataActions=[f"{TOPIC}-unknown"],
        Dimensions=[{"Name": "zone", "Value": "1"}],
    )
    for state in ("ALARM", "ALARM", "OK", "INSUFFICIENT_DATA"):
        cw.call("SetAlarmState", AlarmName="high", StateValue=state, StateReason=state)
    assert [topic.rpartition("-")[2] for topic, _, _ in cw.topics.sent] == ["alarm", "ok", "unknown"]
    _, subject, text = cw.topics.sent[0]
    message = json.loads(text)
    assert subject == 'ALARM: "high" in eu-west-1'
    assert (message["OldStateValue"], message["NewStateValue"]) == ("INSUFFICIENT_DATA", "ALARM")
    assert message["Trigger"]["Dimensions"] == [{"name": "zone", "value": "1"}]
    assert (message["AWSAccountId"], message["AlarmName"]) == ("111122223333", "high")


def test_disabled_actions_do_not_run(cw: CloudWatch) -> None:
    """DisableAlarmActions silences an alarm, EnableAlarmActions gives it its voice back."""
    cw.alarm(AlarmActions=[TOPIC], OKActions=[TOPIC])
    cw.call("DisableAlarmActions", AlarmNames=["high", "ghost"])
    assert cw.shown()["ActionsEnabled"] is False
    cw.call("SetAlarmState", AlarmName="high", StateValue="ALARM", StateReason="x")
    assert cw.topics.sent == []
    cw.call("EnableAlarmActions", AlarmNames=["high"])
    cw.call("SetAlarmState", AlarmName="high", StateValue="OK", StateReason="x")
    assert len(cw.topics.sent) == 1


def test_scaling_actions_are_invoked_again(cw: CloudWatch) -> None:
    """A scaling policy is invoked each minute while the alarm stays, a topic only once."""
    policy = (
        "arn:aws:autoscaling:eu-west-1:111122223333:scalingPolicy:1:resource/ecs/service/c/s:policyName/p"
    )
    invoked = []
    cw.service.on_action("arn:aws:autoscaling:", lambda caller, call: invoked.append(call.alarm.value))
    cw.alarm(AlarmActions=[policy, TOPIC])
    for _ in range(3):
        cw.put(99.0)
        cw.clock.advance(60)
    assert invoked == [99.0, 99.0, 99.0]
    assert len(cw.topics.sent) == 1


def test_changes_are_events_and_watched(cw: CloudWatch) -> None:
    """Each change is an EventBridge event with both states, and is told to who watches."""
    told: list[tuple[str, str]] = []
    cw.service.alarms.watch(lambda caller, name, state: told.append((name, state)))
    cw.alarm()
    cw.put(99.0)
    cw.clock.advance(2)
    event = cw.emitter.recent[-1]
    assert (event.source, event.detail_type) == ("aws.cloudwatch", "CloudWatch Alarm State Change")
    assert event.resources == (cw.shown()["AlarmArn"],)
    assert event.detail["state"]["value"] == "ALARM"  # type: ignore[index]
    assert event.detail["previousState"]["value"] == "INSUFFICIENT_DATA"  # type: ignore[index]
    assert told == [("high", "ALARM")]
    assert cw.service.alarms.state(cw.world.caller, "high") == "ALARM"
    assert cw.service.alarms.state(cw.world.caller, "ghost") is None


def test_history(cw: CloudWatch) -> None:
    """Creation, changes of state and actions are lines, newest first, and outlive the alarm."""
    cw.alarm(AlarmActions=[TOPIC])
    cw.clock.advance(10)
    cw.call("SetAlarmState", AlarmName="high", StateValue="ALARM", StateReason="drill")
    cw.call("DeleteAlarms", AlarmNames=["high"])
    items = cw.call("DescribeAlarmHistory", AlarmName="high")["AlarmHistoryItems"]
    assert [item["HistoryItemType"] for item in items] == [
        "ConfigurationUpdate",
        "Action",
        "StateUpdate",
        "ConfigurationUpdate",
    ]
    change = items[2]
    assert change["HistorySummary"] == "Alarm updated from INSUFFICIENT_DATA to ALARM"
    assert json.loads(change["HistoryData"])["newState"]["stateValue"] == "ALARM"
    assert items[1]["HistorySummary"] == f"Successfully executed action {TOPIC}"
    oldest = cw.call("DescribeAlarmHistory", ScanBy="TimestampAscending", MaxRecords=1)
    assert oldest["AlarmHistoryItems"][0]["HistorySummary"] == 'Alarm "high" created'
    assert "NextToken" in oldest
    only = cw.call("DescribeAlarmHistory", HistoryItemType="StateUpdate", StartDate=cw.clock.now() - 1)
    assert len(only["AlarmHistoryItems"]) == 1
    assert cw.call("DescribeAlarmHistory", AlarmTypes=["CompositeAlarm"])["AlarmHistoryItems"] == []
    assert cw.refusal("DescribeAlarmHistory", NextToken="x").code == "InvalidNextToken"


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        pytest.param({}, ["a-1", "a-2", "b-1"], id="all metric alarms, by name"),
        pytest.param({"AlarmNames": ["b-1", "ghost"]}, ["b-1"], id="names"),
        pytest.param({"AlarmNamePrefix": "a-"}, ["a-1", "a-2"], id="prefix"),
        pytest.param({"StateValue": "ALARM"}, ["a-2"], id="state"),
        pytest.param({"ActionPrefix": "arn:aws:sns"}, ["b-1"], id="action"),
        pytest.param({"AlarmTypes": ["CompositeAlarm"]}, ["all"], id="composite"),
        pytest.param(
            {"AlarmTypes": ["CompositeAlarm", "MetricAlarm"], "AlarmNamePrefix": "a"},
            ["a-1", "a-2", "all"],
            id="both",
        ),
        pytest.param({"ChildrenOfAlarmName": "all"}, ["a-1", "b-1"], id="children"),
        pytest.param({"ParentsOfAlarmName": "a-1"}, ["all"], id="parents"),
        pytest.param({"ParentsOfAlarmName": "a-2"}, [], id="no parents"),
    ],
)
def test_describe_alarms_filters(cw: CloudWatch, filters: dict[str, Any], names: list[str]) -> None:
    """Each filter of DescribeAlarms; composite alarms only where asked for."""
    for name in ("b-1", "a-2", "a-1"):
        cw.alarm(AlarmName=name, OKActions=[TOPIC] if name == "b-1" else None)
    cw.call("PutCompositeAlarm", AlarmName="all", AlarmRule="ALARM(a-1) OR ALARM(b-1)")
    cw.call("SetAlarmState", AlarmName="a-2", StateValue="ALARM", StateReason="x")
    answer = cw.call("DescribeAlarms", **filters)
    found = [item["AlarmName"] for item in answer["MetricAlarms"] + answer["CompositeAlarms"]]
    assert found == names


@pytest.mark.parametrize(
    ("params", "code"),
    [
        pytest.param({"AlarmNames": ["a"], "AlarmNamePrefix": "a"}, "ValidationError", id="names and prefix"),
        pytest.param(
            {"ChildrenOfAlarmName": "a", "StateValue": "OK"}, "ValidationError", id="children and state"
        ),
        pytest.param(
            {"ParentsOfAlarmName": "a", "AlarmNames": ["b"]}, "ValidationError", id="parents and names"
        ),
        pytest.param({"MaxRecords": 101}, "ValidationError", id="101 records"),
        pytest.param({"AlarmNames": [f"a{n}" for n in range(101)]}, "ValidationError", id="101 names"),
        pytest.param({"StateValue": "BAD"}, "ValidationError", id="unknown state"),
        pytest.param({"NextToken": "x"}, "InvalidNextToken", id="foreign token"),
    ],
)
def test_describe_alarms_refuses(cw: CloudWatch, params: dict[str, Any], code: str) -> None:
    """Filters that exclude each other, and limits."""
    assert cw.refusal("DescribeAlarms", **params).code == code


def test_describe_alarms_pages(cw: CloudWatch) -> None:
    """50 a page unless asked otherwise; every alarm once over all pages."""
    for number in range(60):
        cw.alarm(AlarmName=f"a{number:02}")
    first = cw.call("DescribeAlarms")
    rest = cw.call("DescribeAlarms", NextToken=first["NextToken"])
    names = [item["AlarmName"] for item in first["MetricAlarms"] + rest["MetricAlarms"]]
    assert (len(first["MetricAlarms"]), names) == (50, [f"a{number:02}" for number in range(60)])
    assert "NextToken" not in rest
    assert len(cw.call("DescribeAlarms", MaxRecords=7)["MetricAlarms"]) == 7


def test_describe_alarms_for_metric(cw: CloudWatch) -> None:
    """Exact dimensions, optional statistic, period and unit; no alarms on expressions."""
    cw.alarm(AlarmName="plain")
    cw.alarm(AlarmName="slow", Period=300)
    cw.alarm(AlarmName="zone", Dimensions=[{"Name": "zone", "Value": "1"}])
    cw.call("PutMetricAlarm", **ratio())

    def found(**more: Any) -> list[str]:
        answer = cw.call("DescribeAlarmsForMetric", Namespace=NAMESPACE, MetricName="errors", **more)
        return [item["AlarmName"] for item in answer["MetricAlarms"]]

    assert found() == ["plain", "slow"]
    assert found(Period=300) == ["slow"]
    assert found(Statistic="Sum") == []
    assert found(Dimensions=[{"Name": "zone", "Value": "1"}]) == ["zone"]


def test_delete_alarms(cw: CloudWatch) -> None:
    """Right names are deleted though others are wrong; nothing but wrong names is refused."""
    cw.alarm()
    cw.call("DeleteAlarms", AlarmNames=["high", "ghost"])
    assert cw.call("DescribeAlarms")["MetricAlarms"] == []
    error = cw.refusal("DeleteAlarms", AlarmNames=["ghost"])
    assert (error.code, error.status) == ("ResourceNotFound", 404)
    assert cw.refusal("DeleteAlarms", AlarmNames=[f"a{n}" for n in range(101)]).code == "ValidationError"


def test_nothing_ticks_without_alarms(cw: CloudWatch) -> None:
    """The clock has nothing to do before the first alarm and after the last one is gone."""
    cw.put(1.0)
    assert cw.clock.next_due() is None
    cw.alarm()
    cw.clock.advance(60)
    assert cw.clock.next_due() is not None
    cw.call("DeleteAlarms", AlarmNames=["high"])
    cw.clock.advance(10)
    assert cw.clock.next_due() is None


def test_tags(cw: CloudWatch) -> None:
    """Tags of an alarm are added, replaced, listed and removed."""
    cw.alarm(Tags=[{"Key": "a", "Value": "1"}])
    arn = cw.shown()["AlarmArn"]
    cw.call("TagResource", ResourceARN=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])
    cw.call("UntagResource", ResourceARN=arn, TagKeys=["b", "ghost"])
    assert cw.call("ListTagsForResource", ResourceARN=arn)["Tags"] == [{"Key": "a", "Value": "2"}]
    error = cw.refusal("ListTagsForResource", ResourceARN=f"{arn}x")
    assert (error.code, error.status) == ("ResourceNotFoundException", 404)
    assert error.members == {"ResourceType": "alarm", "ResourceId": "highx"}
    assert cw.refusal("ListTagsForResource", ResourceARN="high").code == "InvalidParameterValue"
    many = [{"Key": f"k{n}", "Value": ""} for n in range(50)]
    assert cw.refusal("TagResource", ResourceARN=arn, Tags=many).code == "InvalidParameterValue"
    cw.alarm(AlarmName="never tagged")
    assert [item.tags for item in cw.service.tagged_resources(cw.world.caller)] == [{"a": "2"}]
    assert cw.service.change_tags(cw.world.caller, arn, put={"c": "3"}, remove=["a"])
    assert not cw.service.change_tags(cw.world.caller, f"{arn}x", put={})
    cw.call("UntagResource", ResourceARN=arn, TagKeys=["c"])
    assert [item.tags for item in cw.service.tagged_resources(cw.world.caller)] == [{}]
    cw.call("TagResource", ResourceARN=arn, Tags=[{"Key": "c", "Value": "3"}])
    assert cw.call("ListTagsForResource", ResourceARN=arn)["Tags"] == [{"Key": "c", "Value": "3"}]


@pytest.mark.parametrize(
    "operation", ["PutDashboard", "ListDashboards", "PutAnomalyDetector", "PutMetricStream", "PutInsightRule"]
)
def test_what_is_not_modelled_says_so(cw: CloudWatch, operation: str) -> None:
    """An operation that the stand-in does not have is refused, never an empty success."""
    params: dict[str, dict[str, Any]] = {
        "PutDashboard": {"DashboardName": "d", "DashboardBody": "{}"},
        "PutMetricStream": {"Name": "s", "FirehoseArn": "a", "RoleArn": "r", "OutputFormat": "json"},
        "PutInsightRule": {"RuleName": "r", "RuleDefinition": "{}"},
    }
    error = cw.refusal(operation, **params.get(operation, {}))
    assert (error.code, error.status) == ("UnsupportedOperation", 501)
