"""Target groups: names that spoil a call, attributes, tags, health, own writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PREFIX = "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup"


class Account:
    """Target groups behind the table."""

    def __init__(self, rig: Any, *names: str) -> None:
        """Serve groups of these names."""
        self.rig = rig
        self.groups = {name: group(name) for name in names}
        rig.aws.table |= {
            "DescribeTargetGroups": self.describe,
            "DescribeTags": self.tags,
            "DescribeTargetGroupAttributes": self.attributes,
        }

    def describe(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer, or refuse the whole call for one unknown name."""
        if not set(params["Names"]) <= set(self.groups):
            raise self.rig.fail("TargetGroupNotFound", "not-found")
        return {"TargetGroups": [self.groups[name] for name in params["Names"]]}

    def tags(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer DescribeTags."""
        return {
            "TagDescriptions": [
                {"ResourceArn": arn, "Tags": [{"Key": "k", "Value": "v"}]} for arn in params["ResourceArns"]
            ]
        }

    def attributes(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer, or refuse for a deleted group."""
        if not any(item["TargetGroupArn"] == params["TargetGroupArn"] for item in self.groups.values()):
            raise self.rig.fail("TargetGroupNotFound", "not-found")
        return {"Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "300"}]}


def group(name: str, **more: Any) -> dict[str, Any]:
    """Return a target group as AWS describes it."""
    return {"TargetGroupName": name, "TargetGroupArn": f"{PREFIX}/{name}/73e2", "HealthCheckPath": "/"} | more


def look(rig: Any, *names: str, max_age: float = 0.0) -> Any:
    """Ask for groups by name."""
    return rig.facts.target_groups(rig.context, names, max_age=max_age)


def test_groups_come_by_name_with_tags_and_attributes(rig: Any) -> None:
    """Both are mappings."""
    Account(rig, "a")
    found = look(rig, "a")["a"]
    assert found["Tags"] == {"k": "v"}
    assert found["Attributes"] == {"deregistration_delay.timeout_seconds": "300"}


def test_absent_names_are_left_out(rig: Any) -> None:
    """One that exists is found although another does not."""
    Account(rig, "a")
    assert set(look(rig, "b", "a", "c")) == {"a"}


def test_absence_has_an_age_too(rig: Any) -> None:
    """A second look within the age costs nothing."""
    Account(rig)
    look(rig, "a", max_age=10)
    look(rig, "a", max_age=10)
    assert len(rig.aws.calls) == 1


def test_attributes_and_tags_are_read_once_in_ten_minutes(rig: Any) -> None:
    """Even when the group itself is read each time."""
    Account(rig, "a")
    for _ in range(3):
        look(rig, "a")
    operations = rig.aws.operations()
    counts = {name: operations.count(name) for name in set(operations)}
    assert counts == {"DescribeTargetGroups": 3, "DescribeTags": 1, "DescribeTargetGroupAttributes": 1}


def test_known_groups_are_read_together(rig: Any) -> None:
    """A resync of forty groups is two calls."""
    names = [f"g{number}" for number in range(40)]
    Account(rig, *names)
    for name in names:
        look(rig, name, max_age=30)
    rig.clock.seconds += 60
    rig.aws.calls.clear()
    for name in names:
        look(rig, name, max_age=30)
    assert rig.aws.operations() == ["DescribeTargetGroups"] * 2


def test_a_group_deleted_by_hand_does_not_hide_its_neighbours(rig: Any) -> None:
    """The spoilt batch is read again piece by piece."""
    account = Account(rig, "a", "b", "c")
    look(rig, "a", "b", "c")
    rig.clock.seconds += 60
    del account.groups["b"]
    assert set(look(rig, "a", "b", "c", max_age=30)) == {"a", "c"}


def test_a_created_group_needs_only_its_attributes(rig: Any) -> None:
    """Body and tags are known from the write."""
    account = Account(rig, "a")
    params = {"Name": "a", "Tags": [{"Key": "ours", "Value": "yes"}]}
    rig.facts.wrote(rig.binding, "CreateTargetGroup", params, {"TargetGroups": [account.groups["a"]]})
    assert look(rig, "a", max_age=10)["a"]["Tags"] == {"ours": "yes"}
    assert rig.aws.operations() == ["DescribeTargetGroupAttributes"]


def test_a_stale_read_does_not_undo_a_creation_or_a_deletion(rig: Any) -> None:
    """For five seconds our own write is believed, then AWS."""
    account = Account(rig)
    rig.facts.wrote(rig.binding, "CreateTargetGroup", {"Name": "a"}, {"TargetGroups": [group("a")]})
    account.groups["a"] = group("a")
    rig.facts.target_groups(rig.context, ["a"], max_age=10)
    rig.aws.table["DescribeTargetGroups"] = lambda _p: {"TargetGroups": []}
    assert set(look(rig, "a")) == {"a"}
    rig.facts.wrote(rig.binding, "DeleteTargetGroup", {"TargetGroupArn": group("a")["TargetGroupArn"]}, {})
    rig.aws.table["DescribeTargetGroups"] = account.describe
    assert look(rig, "a") == {}
    rig.clock.seconds += 5
    assert set(look(rig, "a")) == {"a"}


def test_a_modified_group_shows_the_new_value(rig: Any) -> None:
    """The response of ModifyTargetGroup wins over a read that still shows the old path."""
    Account(rig, "a")
    look(rig, "a")
    changed = group("a", HealthCheckPath="/ready")
    params = {"TargetGroupArn": changed["TargetGroupArn"], "HealthCheckPath": "/ready"}
    rig.facts.wrote(rig.binding, "ModifyTargetGroup", params, {"TargetGroups": [changed]})
    assert look(rig, "a")["a"]["HealthCheckPath"] == "/ready"


def test_modified_attributes_are_read_again(rig: Any) -> None:
    """The response shows only what was changed, so all are read."""
    Account(rig, "a")
    look(rig, "a")
    params = {"TargetGroupArn": group("a")["TargetGroupArn"], "Attributes": []}
    rig.facts.wrote(rig.binding, "ModifyTargetGroupAttributes", params, {"Attributes": []})
    look(rig, "a", max_age=10)
    assert rig.aws.operations().count("DescribeTargetGroupAttributes") == 2


def test_a_group_that_vanishes_between_two_calls_is_absent(rig: Any) -> None:
    """Its attributes are asked after itself."""
    account = Account(rig, "a")
    described = dict(account.groups)
    rig.aws.table["DescribeTargetGroups"] = lambda _p: {"TargetGroups": list(described.values())}
    account.groups.clear()
    assert look(rig, "a") == {}


def test_failed_writes_and_forget_make_a_group_unknown(rig: Any) -> None:
    """By name or ARN, with attributes and health."""
    Account(rig, "a")
    arn = group("a")["TargetGroupArn"]
    look(rig, "a")
    for drop in (
        lambda: rig.facts.failed(rig.binding, {"Name": "a"}),
        lambda: rig.facts.failed(rig.binding, {"TargetGroupArn": arn}),
        lambda: rig.facts.forget(rig.binding, "a"),
        lambda: rig.facts.forget(rig.binding, arn),
    ):
        rig.aws.calls.clear()
        drop()
        look(rig, "a", max_age=100)
        assert "DescribeTargetGroups" in rig.aws.operations()
        assert "DescribeTargetGroupAttributes" in rig.aws.operations()


def test_health_has_an_age_and_a_missing_group_has_no_targets(rig: Any) -> None:
    """Nothing healthy is the safe answer for a group that is gone."""
    arn = group("a")["TargetGroupArn"]
    healthy = [{"Target": {"Id": "10.42.0.7", "Port": 80}, "TargetHealth": {"State": "healthy"}}]
    rig.aws.table["DescribeTargetHealth"] = lambda _p: {"TargetHealthDescriptions": healthy}
    for _ in range(2):
        assert rig.facts.target_health(rig.context, arn, max_age=10) == tuple(healthy)
    assert len(rig.aws.calls) == 1

    def refuse(_params: object) -> dict[str, Any]:
        raise rig.fail("TargetGroupNotFound", "not-found")

    rig.aws.table["DescribeTargetHealth"] = refuse
    assert rig.facts.target_health(rig.context, arn, max_age=0) == ()
