"""What a pass sees after its calls were answered is what another look at AWS would show."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.model.actions import Action
from sluice.model.observed import Observed, ServiceId
from sluice.plan.deployment.absorb import absorb

WEB, OLD, GONE = ServiceId("main", "web"), ServiceId("main", "old"), ServiceId("main", "gone")
OURS = [{"key": "owner", "value": "us"}]
TEAM = [{"key": "team", "value": "shop"}]


def done(operation: str, outputs: dict[str, Any], **params: Any) -> tuple[Action, dict[str, Any]]:
    """Return a call that took place, and what its answer held under the names of its outputs."""
    action = Action(
        service="x",
        operation=operation,
        params=params,
        subject="",
        reason="",
        outputs=dict.fromkeys(outputs, ""),
    )
    return action, outputs


def services(**tags: Any) -> dict[ServiceId, Any]:
    """Return a service with tags, one with others, and one that is gone."""
    return {
        WEB: {"serviceArn": "web", "runningCount": 1} | tags,
        OLD: {"serviceArn": "old", "tags": TEAM},
        GONE: None,
    }


def group(arn: str, **members: Any) -> dict[str, Any]:
    """Return a target group of ours with one attribute."""
    return {"TargetGroupArn": arn, "Attributes": {"a": "1"}, "Tags": {"owner": "us"}} | members


def rule(arn: str, **members: Any) -> dict[str, Any]:
    """Return a rule of ours."""
    return {"RuleArn": arn, "Priority": "7", "Tags": {"owner": "us"}} | members


GROUPS: dict[str, Any] = {"web": group("web"), "old": group("old"), "gone": None}
RULES = {"first": (rule("1"), rule("2")), "second": (rule("3"), rule("4"))}


@pytest.mark.parametrize(
    ("before", "call", "after"),
    [
        pytest.param(
            Observed(definitions={"h": "old"}),
            done("RegisterTaskDefinition", {"definition:i": "new"}),
            Observed(definitions={"h": "old", "i": "new"}),
            id="a definition is known by its hash",
        ),
        pytest.param(
            Observed(),
            done("CreateService", {"service:main:web": {"serviceArn": "web"}}, tags=OURS),
            Observed(services={WEB: {"serviceArn": "web", "tags": OURS}}),
            id="a new service has the tags of its call",
        ),
        pytest.param(
            Observed(services={WEB: None}),
            done("CreateService", {"service:main:web": {"serviceArn": "web"}}),
            Observed(services={WEB: {"serviceArn": "web", "tags": []}}),
            id="or none",
        ),
        pytest.param(
            Observed(services=services(tags=OURS)),
            done("UpdateService", {"service:main:web": {"serviceArn": "web", "runningCount": 2}}),
            Observed(services=services(tags=OURS, runningCount=2)),
            id="an update's answer without tags takes none away",
        ),
        pytest.param(
            Observed(services=services(tags=OURS)),
            done("UpdateService", {"service:main:web": {"serviceArn": "web", "tags": TEAM}}),
            Observed(services={**services(), WEB: {"serviceArn": "web", "tags": TEAM}}),
            id="an answer that has tags knows better",
        ),
        pytest.param(
            Observed(services=services(tags=TEAM)),
            done("TagResource", {}, resourceArn="web", tags=OURS),
            Observed(services=services(tags=[*OURS, *TEAM])),
            id="tags are added to one service",
        ),
        pytest.param(
            Observed(services=services()),
            done("TagResource", {}, resourceArn="web", tags=OURS),
            Observed(services=services(tags=OURS)),
            id="also where there were none",
        ),
        pytest.param(
            Observed(definitions={"h": "old", "i": "new"}, inactive=frozenset({"older"})),
            done("DeregisterTaskDefinition", {}, taskDefinition="old"),
            Observed(definitions={"i": "new"}, inactive=frozenset({"older", "old"})),
            id="a deregistered definition is inactive",
        ),
        pytest.param(
            Observed(target_groups={"web": None}),
            done(
                "CreateTargetGroup",
                {"target-group:web": {"TargetGroupArn": "web"}},
                Tags=[{"Key": "owner", "Value": "us"}],
            ),
            Observed(target_groups={"web": group("web", Attributes={})}),
            id="a new group has the tags of its call",
        ),
        pytest.param(
            Observed(target_groups=GROUPS),
            done("ModifyTargetGroup", {"target-group:web": {"TargetGroupArn": "web", "Matcher": "x"}}),
            Observed(target_groups={**GROUPS, "web": group("web", Matcher="x")}),
            id="a changed group keeps tags and attributes",
        ),
        pytest.param(
            Observed(target_groups=GROUPS),
            done(
                "ModifyTargetGroupAttributes",
                {"target-group-attributes:web": [{"Key": "b", "Value": "2"}]},
            ),
            Observed(target_groups={**GROUPS, "web": group("web", Attributes={"a": "1", "b": "2"})}),
            id="attributes join those that are there",
        ),
        pytest.param(
            Observed(target_groups=GROUPS),
            done(
                "ModifyTargetGroupAttributes",
                {"target-group-attributes:gone": [{"Key": "b", "Value": "2"}]},
            ),
            Observed(target_groups=GROUPS),
            id="attributes of a group that is gone are no group",
        ),
        pytest.param(
            Observed(target_groups=GROUPS),
            done("AddTags", {}, ResourceArns=["web"], Tags=[{"Key": "team", "Value": "shop"}]),
            Observed(target_groups={**GROUPS, "web": group("web", Tags={"owner": "us", "team": "shop"})}),
            id="tags are added to one group",
        ),
        pytest.param(
            Observed(target_groups=GROUPS),
            done("DeleteTargetGroup", {}, TargetGroupArn="web"),
            Observed(target_groups={**GROUPS, "web": None}),
            id="a deleted group is known to be gone, the others stay",
        ),
        pytest.param(
            Observed(rules=RULES),
            done(
                "CreateRule",
                {"anchor:first:8080": {"RuleArn": "5"}},
                ListenerArn="first",
                Tags=[{"Key": "owner", "Value": "us"}],
            ),
            Observed(
                rules={**RULES, "first": (*RULES["first"], {"RuleArn": "5", "Tags": {"owner": "us"}})},
            ),
            id="a new rule is on its listener, with the tags of its call",
        ),
        pytest.param(
            Observed(),
            done("CreateRule", {"anchor:first:8080": {"RuleArn": "5"}}, ListenerArn="first"),
            Observed(rules={"first": ({"RuleArn": "5", "Tags": {}},)}),
            id="or none",
        ),
        pytest.param(
            Observed(rules=RULES),
            done("ModifyRule", {"rule:3": {"RuleArn": "3", "Actions": ["x"]}}),
            Observed(rules={**RULES, "second": (rule("4"), rule("3", Actions=["x"]))}),
            id="a changed rule is found on its listener and keeps tags and number",
        ),
        pytest.param(
            Observed(rules=RULES),
            done("DeleteRule", {}, RuleArn="3"),
            Observed(rules={**RULES, "second": (rule("4"),)}),
            id="a deleted rule is gone, the others stay",
        ),
        pytest.param(
            Observed(services=services(tags=OURS)),
            done("DeleteService", {"service:main:web": {"serviceArn": "web", "status": "DRAINING"}}),
            Observed(services={**services(), WEB: {"serviceArn": "web", "status": "DRAINING", "tags": OURS}}),
            id="a service that drains is there, with its tags",
        ),
    ],
)
def test_what_is_seen_after_an_answer(
    before: Observed, call: tuple[Action, dict[str, Any]], after: Observed
) -> None:
    """Planning goes on from it without a second look, so nothing may be lost or mixed up."""
    action, outputs = call
    assert absorb(before, [action], outputs) == after


def test_an_answer_that_never_came_changes_nothing() -> None:
    """The next pass looks again."""
    action, _ = done("CreateService", {"service:main:web": {}}, tags=OURS)
    assert absorb(Observed(services={WEB: None}), [action], {}) == Observed(services={WEB: None})
