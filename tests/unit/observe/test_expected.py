"""A process that starts reads what the statuses name ten at a time, in whatever order it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sluice.model.binding import Binding
from sluice.observe.expected import ExpectedServices, service_arns
from sluice.observe.facts import AwsFacts

HERE = Binding(account="1", region="eu-west-1")


def arn(name: str, *, cluster: str = "prod", region: str = "eu-west-1", account: str = "1") -> str:
    """Return a service's ARN."""
    return f"arn:aws:ecs:{region}:{account}:service/{cluster}/{name}"


def test_a_name_is_offered_until_it_is_known() -> None:
    """A batch without room for it must not lose it."""
    expected = ExpectedServices(lambda: [arn(f"s{number}") for number in range(5)])
    known = set[str]()
    first = expected.unknown(HERE, "prod", 3, known=known.__contains__)
    assert first == expected.unknown(HERE, "prod", 3, known=known.__contains__) == ["s4", "s3", "s2"]
    known |= {"s4", "s2", "s0"}
    assert expected.unknown(HERE, "prod", 3, known=known.__contains__) == ["s3", "s1"]
    known |= {"s3", "s1"}
    assert expected.unknown(HERE, "prod", 3, known=known.__contains__) == []
    assert expected.unknown(HERE, "prod", 0, known=known.__contains__) == []


@pytest.mark.parametrize(
    ("binding", "cluster", "names"),
    [
        (HERE, "prod", ["mine"]),
        (Binding(account="", region="eu-west-1"), "prod", ["mine", "foreign"]),
        (Binding(account="2", region="eu-west-1"), "prod", ["foreign"]),
        (Binding(account="1", region="us-east-1"), "prod", []),
        (HERE, "test", ["other"]),
    ],
)
def test_only_what_the_binding_can_have_comes_along(binding: Binding, cluster: str, names: list[str]) -> None:
    """By account, Region and cluster; an account that is not known yet may be any."""
    arns = [arn("mine"), arn("foreign", account="2"), arn("other", cluster="test"), "not an ARN"]
    found = ExpectedServices(lambda: arns).unknown(binding, cluster, 9, known=lambda _name: False)
    assert found == names


def test_statuses_name_slots_and_what_retires() -> None:
    """Both slots of a progressive Deployment, and services on their way out."""
    status = {
        "slots": [{"serviceArn": arn("a")}, {"serviceArn": arn("b")}],
        "retiring": [{"serviceArn": arn("c")}, {}],
    }
    assert list(service_arns({1: {"status": status}, 2: {}})) == [arn("a"), arn("b"), arn("c")]


def test_a_hundred_services_are_ten_calls_after_a_start(rig: Any) -> None:
    """Each key looks for its own; nothing is in the cache yet."""
    names = [f"s{number:03}" for number in range(100)]

    def describe(params: Mapping[str, Any]) -> dict[str, Any]:
        found = [
            {"serviceName": name, "serviceArn": arn(name), "status": "ACTIVE", "tags": []}
            for name in params["services"]
        ]
        return {"services": found, "failures": []}

    rig.aws.table["DescribeServices"] = describe
    expected = ExpectedServices(lambda: [arn(name, account=rig.context.binding.account) for name in names])
    facts = AwsFacts(rig.aws, clock=rig.clock, expected=expected)
    for name in reversed(names):
        found = facts.service(rig.context, cluster="prod", name=name, max_age=60.0)
        assert found is not None
        assert found["serviceName"] == name
    assert len(rig.aws.calls) == 10
