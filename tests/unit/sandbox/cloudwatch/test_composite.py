"""Composite alarms: grammar, children, evaluation, cycles, deletion, suppression."""

from __future__ import annotations

from typing import Any

import pytest
from cw_world import CloudWatch

from sluice_sandbox.aws.cloudwatch import composite_rules

TOPIC = "arn:aws:sns:eu-west-1:111122223333:pager"
ARN = "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:"


def composite(cw: CloudWatch, rule: str, name: str = "both", **more: Any) -> None:
    """Put a composite alarm."""
    cw.call("PutCompositeAlarm", AlarmName=name, AlarmRule=rule, **more)


def set_state(cw: CloudWatch, name: str, state: str) -> None:
    """Set an alarm's state by hand."""
    cw.call("SetAlarmState", AlarmName=name, StateValue=state, StateReason="x")


@pytest.fixture
def pair(cw: CloudWatch) -> CloudWatch:
    """Return a world with the alarms `a` and `b b`, never evaluated to anything but unknown."""
    for name in ("a", "b b"):
        cw.alarm(AlarmName=name, TreatMissingData="ignore")
    return cw


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ("TRUE", True),
        ("FALSE", False),
        ("NOT FALSE AND TRUE", True),
        ("TRUE OR FALSE AND FALSE", True),
        ("(TRUE OR FALSE) AND FALSE", False),
        ("ALARM(a)", True),
        ('ALARM("a")', True),
        (f"ALARM({ARN}a)", True),
        (f'ALARM("{ARN}a")', True),
        ('OK("b b")', True),
        ("NOT ALARM(a)", False),
        ("INSUFFICIENT_DATA(c)", True),
        ('(ALARM(a) AND OK("b b")) AND NOT ALARM(c)', True),
        ("ALARM( a )AND(OK(a)OR TRUE)", True),
        ("ALARM(gone)", False),
    ],
)
def test_rules(rule: str, holds: bool) -> None:  # noqa: FBT001 - a column of the table
    """What a rule says when a is in ALARM, b OK and c unknown."""
    states = {"a": "ALARM", "b b": "OK", "c": "INSUFFICIENT_DATA"}
    assert composite_rules.holds(composite_rules.parse(rule), states.get) is holds


@pytest.mark.parametrize(
    "rule",
    [
        "ALARM",
        "ALARM()",
        "ALARM(a",
        "ALARM(a) AND",
        "AND ALARM(a)",
        "ALARM(a) ALARM(a)",
        "(TRUE",
        "TRUE)",
        "BAD(a)",
        "NOT",
        "true",
    ],
)
def test_rules_that_cannot_be_read(pair: CloudWatch, rule: str) -> None:
    """What is no rule is refused with ValidationError."""
    assert pair.refusal("PutCompositeAlarm", AlarmName="x", AlarmRule=rule).code == "ValidationError"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        pytest.param({"AlarmRule": "ALARM(ghost)"}, "ValidationError", id="unknown child"),
        pytest.param({"AlarmRule": "ALARM(x)"}, "ValidationError", id="itself"),
        pytest.param({"AlarmName": "a"}, "ValidationError", id="name of a metric alarm"),
        pytest.param({"AlarmRule": " OR ".join(["TRUE"] * 501)}, "ValidationError", id="501 elements"),
        pytest.param({"ActionsSuppressor": "a"}, "ValidationError", id="suppressor without periods"),
        pytest.param(
            {
                "ActionsSuppressor": "ghost",
                "ActionsSuppressorWaitPeriod": 1,
                "ActionsSuppressorExtensionPeriod": 1,
            },
            "ValidationError",
            id="unknown suppressor",
        ),
        pytest.param(
            {"AlarmActions": ["arn:aws:automate:eu-west-1:ec2:stop"]}, "ValidationError", id="EC2 action"
        ),
        pytest.param({"AlarmActions": ["pager"]}, "ValidationError", id="action is no ARN"),
    ],
)
def test_put_composite_alarm_refuses(pair: CloudWatch, params: dict[str, Any], code: str) -> None:
    """Each rule of PutCompositeAlarm has its refusal."""
    ask = {"AlarmName": "x", "AlarmRule": "ALARM(a)", **params}
    assert pair.refusal("PutCompositeAlarm", **ask).code == code


def test_more_than_100_children_are_refused(cw: CloudWatch) -> None:
    """A rule can refer to 100 alarms, not to 101."""
    names = [f"m{number}" for number in range(101)]
    for name in names:
        cw.alarm(AlarmName=name)
    rule = " OR ".join(f"ALARM({name})" for name in names)
    assert cw.refusal("PutCompositeAlarm", AlarmName="x", AlarmRule=rule).code == "ValidationError"
    composite(cw, " OR ".join(f"ALARM({name})" for name in names[:100]))


def test_it_follows_its_children(pair: CloudWatch) -> None:
    """It begins unknown, is evaluated, and changes at once when a child does; parents follow it."""
    composite(pair, 'ALARM(a) AND NOT ALARM("b b")', AlarmActions=[TOPIC])
    composite(pair, "ALARM(both)", name="top")
    assert pair.state("both") == "INSUFFICIENT_DATA"
    pair.clock.advance(2)
    assert (pair.state("both"), pair.state("top")) == ("OK", "OK")
    set_state(pair, "a", "ALARM")
    assert (pair.state("both"), pair.state("top")) == ("ALARM", "ALARM")
    shown = pair.shown("both")
    assert shown["StateReason"].startswith(f"{ARN}a transitioned to ALARM at ")
    assert [topic for topic, _, _ in pair.topics.sent] == [TOPIC]
    set_state(pair, "b b", "ALARM")
    assert (pair.state("both"), pair.state("top")) == ("OK", "OK")


def test_its_shape(pair: CloudWatch) -> None:
    """DescribeAlarms gives the rule and the actions, and nothing of a metric."""
    composite(pair, "ALARM(a)", AlarmDescription="d", OKActions=[TOPIC])
    shown = pair.shown("both")
    assert shown["AlarmRule"] == "ALARM(a)"
    assert (shown["AlarmDescription"], shown["OKActions"]) == ("d", [TOPIC])
    assert shown["AlarmArn"] == f"{ARN}both"
    assert not {"MetricName", "Threshold", "Dimensions"} & set(shown)


def test_children_and_parents_are_short(pair: CloudWatch) -> None:
    """Children come with their state, parents with name and ARN alone (botocore)."""
    composite(pair, "ALARM(a)")
    child = pair.call("DescribeAlarms", ChildrenOfAlarmName="both")["MetricAlarms"][0]
    assert set(child) == {"AlarmName", "AlarmArn", "StateValue", "StateUpdatedTimestamp"}
    parent = pair.call("DescribeAlarms", ParentsOfAlarmName="a")["CompositeAlarms"]
    assert parent == [{"AlarmName": "both", "AlarmArn": f"{ARN}both"}]


def test_a_child_cannot_be_deleted(pair: CloudWatch) -> None:
    """Nothing is deleted while a composite alarm depends on one of them; with it all may go."""
    composite(pair, 'ALARM(a) OR ALARM("b b")')
    pair.alarm(AlarmName="free")
    error = pair.refusal("DeleteAlarms", AlarmNames=["a", "free"])
    assert (error.code, error.status) == ("ValidationError", 400)
    assert error.message == "Cannot delete a as there are composite alarm(s) depending on it."
    both = pair.refusal("DeleteAlarms", AlarmNames=["a", "b b"]).message
    assert both == "Cannot delete a,b b as there are composite alarm(s) depending on them."
    names = [item["AlarmName"] for item in pair.call("DescribeAlarms")["MetricAlarms"]]
    assert names == ["a", "b b", "free"]
    pair.call("DeleteAlarms", AlarmNames=["a", "b b", "both"])
    found = pair.call("DescribeAlarms", AlarmTypes=["CompositeAlarm", "MetricAlarm"])
    assert [item["AlarmName"] for item in found["MetricAlarms"] + found["CompositeAlarms"]] == ["free"]


def test_two_composite_alarms_are_not_deleted_at_once(pair: CloudWatch) -> None:
    """One request deletes at most one composite alarm."""
    composite(pair, "ALARM(a)", name="one")
    composite(pair, "ALARM(a)", name="two")
    assert pair.refusal("DeleteAlarms", AlarmNames=["one", "two"]).code == "ValidationError"


def test_a_cycle_can_come_about_and_holds_itself(pair: CloudWatch) -> None:
    """Two composite alarms may name each other; neither can be deleted until one rule is changed."""
    composite(pair, "ALARM(a)", name="one")
    composite(pair, "ALARM(one)", name="two")
    composite(pair, "ALARM(two) OR ALARM(a)", name="one")
    set_state(pair, "a", "ALARM")
    assert (pair.state("one"), pair.state("two")) == ("ALARM", "ALARM")
    assert pair.refusal("DeleteAlarms", AlarmNames=["one"]).code == "ValidationError"
    assert pair.refusal("DeleteAlarms", AlarmNames=["two"]).code == "ValidationError"
    composite(pair, "FALSE", name="one")
    pair.call("DeleteAlarms", AlarmNames=["two"])
    pair.call("DeleteAlarms", AlarmNames=["one"])


def suppressed(cw: CloudWatch) -> None:
    """Put a composite alarm whose actions `b b` suppresses, in state OK."""
    composite(
        cw,
        "ALARM(a)",
        AlarmActions=[TOPIC],
        ActionsSuppressor="b b",
        ActionsSuppressorWaitPeriod=30,
        ActionsSuppressorExtensionPeriod=60,
    )
    cw.clock.advance(40)
    cw.topics.sent.clear()


def test_actions_wait_for_the_suppressor(pair: CloudWatch) -> None:
    """Without an alarm of the suppressor the actions run after the wait period."""
    suppressed(pair)
    set_state(pair, "a", "ALARM")
    assert pair.shown("both")["ActionsSuppressedBy"] == "WaitPeriod"
    pair.clock.advance(29)
    assert pair.topics.sent == []
    pair.clock.advance(2)
    assert [topic for topic, _, _ in pair.topics.sent] == [TOPIC]
    assert "ActionsSuppressedBy" not in pair.shown("both")


def test_the_suppressor_holds_actions_back(pair: CloudWatch) -> None:
    """While it is in ALARM nothing is done; after it the extension period is waited for."""
    suppressed(pair)
    set_state(pair, "b b", "ALARM")
    set_state(pair, "a", "ALARM")
    assert pair.shown("both")["ActionsSuppressedBy"] == "Alarm"
    pair.clock.advance(40)
    assert pair.topics.sent == []
    set_state(pair, "b b", "OK")
    assert pair.shown("both")["ActionsSuppressedBy"] == "ExtensionPeriod"
    pair.clock.advance(61)
    assert len(pair.topics.sent) == 1


def test_a_suppressor_cannot_be_deleted(pair: CloudWatch) -> None:
    """It is in use like a child."""
    suppressed(pair)
    assert pair.refusal("DeleteAlarms", AlarmNames=["b b"]).code == "ValidationError"
