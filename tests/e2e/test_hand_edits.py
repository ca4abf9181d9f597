"""Somebody works at the AWS console: what is ours is put right and told, what is theirs is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.desk import DEPLOYMENT, ROUTE, Desk
from e2e.waiting import until

pytestmark = pytest.mark.e2e


def rule_of(desk: Desk) -> dict[str, Any]:
    """Return the listener rule of the desk's route, as AWS describes it."""
    (parent,) = desk.status(ROUTE)["parents"]
    (rule,) = parent["rules"]
    return dict(desk.aws.elb.describe_rules(RuleArns=[rule["ruleArn"]])["Rules"][0])


def test_hand_edits_are_repaired_and_told(desk: Desk) -> None:
    """Count, rule, health check and attributes come back by themselves, with events that name the fields."""
    desk.apply_and_wait(desk.deployment(), desk.route())
    aws, service, rule = desk.aws, desk.service(), rule_of(desk)
    group = desk.status(DEPLOYMENT)["targetGroups"][0]["arn"]
    (health,) = aws.elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"]

    aws.ecs.update_service(cluster=aws.cluster, service=service["serviceName"], desiredCount=5)
    fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}
    aws.elb.modify_rule(RuleArn=rule["RuleArn"], Actions=[fixed])
    aws.elb.modify_target_group(TargetGroupArn=group, HealthCheckPath="/elsewhere")
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "300"}
    aws.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[delay])

    until(lambda: desk.service()["desiredCount"] == 2, "the count is repaired")
    until(lambda: rule_of(desk)["Actions"] == rule["Actions"], "the rule is repaired")

    def path() -> str:
        found = aws.elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0]
        return str(found["HealthCheckPath"])

    def attributes() -> dict[str, str]:
        found = aws.elb.describe_target_group_attributes(TargetGroupArn=group)["Attributes"]
        return {attribute["Key"]: attribute["Value"] for attribute in found}

    until(lambda: path() == health["HealthCheckPath"], "the health check is repaired")
    until(lambda: attributes()[delay["Key"]] == "10", "the attribute is repaired")
    desk.wait_ready(desk.deployment(), desk.route())
    repaired = until(lambda: told(desk), "all repairs are told")
    assert "desiredCount" in repaired
    assert "HealthCheckPath" in repaired
    assert delay["Key"] in repaired


def told(desk: Desk) -> str:
    """Return what the events of repairs say, '' while fewer than four do."""
    found = desk.events("DriftRepaired")
    return "\n".join(found) if len(found) >= 4 else ""


def test_somebody_elses_rule_is_never_touched(desk: Desk) -> None:
    """A foreign rule keeps priority, conditions, actions and tags from the first apply to the last delete."""
    aws = desk.aws
    foreign = aws.elb.create_rule(
        ListenerArn=aws.listener(80),
        Priority=7,
        Conditions=[{"Field": "host-header", "Values": [f"foreign.{desk.host}"]}],
        Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "418"}}],
        Tags=[{"Key": "owner", "Value": "somebody"}],
    )["Rules"][0]
    since = aws.calls_made()
    desk.apply_and_wait(desk.deployment(), desk.deployment("ledger"), desk.route())
    desk.apply_and_wait(desk.route(backends={"web": 3, "ledger": 1}, path="/shop"))
    # A person takes the priority that ours has: ours gives way, theirs stays.
    mine = int(rule_of(desk)["Priority"])
    desk.delete(desk.route())
    taken = aws.elb.create_rule(
        ListenerArn=aws.listener(80),
        Priority=mine,
        Conditions=[{"Field": "host-header", "Values": [f"taken.{desk.host}"]}],
        Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "418"}}],
    )["Rules"][0]
    desk.apply_and_wait(desk.route(path="/shop"))
    assert int(rule_of(desk)["Priority"]) != mine
    desk.delete(desk.route(), desk.deployment(), desk.deployment("ledger"))

    rules = [foreign["RuleArn"], taken["RuleArn"]]
    assert aws.elb.describe_rules(RuleArns=rules)["Rules"] == [foreign, taken]
    tags = aws.elb.describe_tags(ResourceArns=rules)["TagDescriptions"]
    assert [item["Tags"] for item in tags] == [[{"Key": "owner", "Value": "somebody"}], []]
    principals = {operator.principal for operator in desk.world.operators}
    touched = [
        call
        for call in aws.writes(since=since)
        if call["principal"] in principals and any(arn in str(call["params"]) for arn in rules)
    ]
    assert touched == []
    for arn in rules:
        aws.elb.delete_rule(RuleArn=arn)
