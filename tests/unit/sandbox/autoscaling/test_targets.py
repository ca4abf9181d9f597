"""Scalable targets: registration, limits, suspensions, pages, deregistration, tags."""

from __future__ import annotations

from typing import Any

import pytest
from scaling_world import START, WEB, Scaling

ROLE = (
    "arn:aws:iam::111122223333:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_ECSService"
)


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        pytest.param(
            {"MinCapacity": 5, "MaxCapacity": 2}, "ValidationException", "Maximum", id="min above max"
        ),
        pytest.param({"MinCapacity": -1, "MaxCapacity": 2}, "ValidationException", "negative", id="negative"),
        pytest.param({"MinCapacity": 1}, "ValidationException", "required", id="no maximum"),
        pytest.param({"MaxCapacity": 1}, "ValidationException", "required", id="no minimum"),
        pytest.param(
            {"ResourceId": "service/shop/ghost", "MinCapacity": 1, "MaxCapacity": 2},
            "ValidationException",
            "ECS service doesn't exist: service/shop/ghost",
            id="unknown service",
        ),
        pytest.param(
            {"ResourceId": "service/ghost/web", "MinCapacity": 1, "MaxCapacity": 2},
            "ValidationException",
            "doesn't exist",
            id="unknown cluster",
        ),
        pytest.param(
            {"ResourceId": "web", "MinCapacity": 1, "MaxCapacity": 2},
            "ValidationException",
            "Unsupported",
            id="malformed resource",
        ),
        pytest.param(
            {"ScalableDimension": "dynamodb:table:ReadCapacityUnits", "MinCapacity": 1, "MaxCapacity": 2},
            "ValidationException",
            "Unsupported",
            id="dimension of another service",
        ),
        pytest.param(
            {"ScalableDimension": "ecs:service:Memory", "MinCapacity": 1, "MaxCapacity": 2},
            "ValidationException",
            "enum",
            id="unknown dimension",
        ),
        pytest.param(
            {"MinCapacity": 1, "MaxCapacity": 2, "Tags": {f"k{n}": "" for n in range(51)}},
            "TooManyTagsException",
            "50",
            id="51 tags",
        ),
        pytest.param(
            {
                "ServiceNamespace": "dynamodb",
                "ResourceId": "table/t",
                "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
                "MinCapacity": 1,
                "MaxCapacity": 2,
            },
            "UnsupportedOperation",
            "dynamodb",
            id="not modelled",
        ),
    ],
)
def test_registration_is_refused(scaling: Scaling, params: dict[str, Any], code: str, text: str) -> None:
    """Each rule of RegisterScalableTarget has its refusal."""
    error = scaling.refusal("RegisterScalableTarget", **{**WEB, **params})
    assert error.code == code
    assert text in error.message


def test_a_target(scaling: Scaling) -> None:
    """It has the service-linked role, nothing suspended, and an ARN of its own."""
    arn = scaling.register(2, 5)
    target = scaling.target()
    created = target.pop("CreationTime")
    assert target == {
        **WEB,
        "MinCapacity": 2,
        "MaxCapacity": 5,
        "RoleARN": ROLE,
        "SuspendedState": {
            "DynamicScalingInSuspended": False,
            "DynamicScalingOutSuspended": False,
            "ScheduledScalingSuspended": False,
        },
        "ScalableTargetARN": arn,
    }
    assert created.timestamp() == START
    assert arn.startswith("arn:aws:application-autoscaling:eu-west-1:111122223333:scalable-target/")


def test_an_update_changes_what_is_given(scaling: Scaling) -> None:
    """The ARN stays, limits and suspensions not given stay."""
    arn = scaling.register(2, 5)
    assert (
        scaling.call(
            "RegisterScalableTarget",
            MaxCapacity=9,
            SuspendedState={"DynamicScalingInSuspended": True},
            **WEB,
        )["ScalableTargetARN"]
        == arn
    )
    scaling.call("RegisterScalableTarget", SuspendedState={"ScheduledScalingSuspended": True}, **WEB)
    target = scaling.target()
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 9)
    assert target["SuspendedState"] == {
        "DynamicScalingInSuspended": True,
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": True,
    }
    assert scaling.refusal("RegisterScalableTarget", MaxCapacity=1, **WEB).code == "ValidationException"


@pytest.mark.parametrize(
    ("low", "high", "count", "cause"),
    [
        (3, 5, 3, "minimum capacity was set to 3"),
        (0, 1, 1, "maximum capacity was set to 1"),
        (1, 5, 2, None),
    ],
)
def test_the_capacity_is_brought_inside_the_limits(
    scaling: Scaling, low: int, high: int, count: int, cause: str | None
) -> None:
    """A service outside the range is moved to its nearer end, with an activity that says why."""
    scaling.register(low, high)
    assert scaling.count == count
    causes = [activity["Cause"] for activity in scaling.activities()]
    assert causes == ([cause] if cause else [])


def test_describing(scaling: Scaling) -> None:
    """Filters by resource; a dimension needs a resource; other namespaces are empty; pages of 50."""
    scaling.register()
    scaling.call(
        "RegisterScalableTarget", MinCapacity=1, MaxCapacity=2, **{**WEB, "ResourceId": "service/shop/api"}
    )

    def found(**more: Any) -> list[str]:
        answer = scaling.call("DescribeScalableTargets", **{"ServiceNamespace": "ecs", **more})
        return [item["ResourceId"] for item in answer["ScalableTargets"]]

    assert found() == ["service/shop/web", "service/shop/api"]
    assert found(ResourceIds=["service/shop/api"]) == ["service/shop/api"]
    assert found(ResourceIds=["service/shop/ghost"]) == []
    assert found(ServiceNamespace="dynamodb") == []
    first = scaling.call("DescribeScalableTargets", ServiceNamespace="ecs", MaxResults=1)
    assert found(NextToken=first["NextToken"]) == ["service/shop/api"]
    for wrong, code in (
        ({"MaxResults": 51}, "ValidationException"),
        ({"MaxResults": 0}, "ValidationException"),
        ({"NextToken": "x"}, "InvalidNextTokenException"),
        ({"ScalableDimension": WEB["ScalableDimension"]}, "ValidationException"),
    ):
        assert scaling.refusal("DescribeScalableTargets", ServiceNamespace="ecs", **wrong).code == code


def test_deregistering_takes_everything_along(scaling: Scaling) -> None:
    """Policies, their alarms and schedules go; a second time there is nothing to deregister."""
    scaling.register()
    scaling.track()
    scaling.call(
        "PutScheduledAction",
        ScheduledActionName="night",
        Schedule="rate(1 hour)",
        ScalableTargetAction={"MaxCapacity": 1},
        **WEB,
    )
    scaling.call("DeregisterScalableTarget", **WEB)
    assert scaling.call("DescribeScalableTargets", ServiceNamespace="ecs")["ScalableTargets"] == []
    assert scaling.call("DescribeScalingPolicies", ServiceNamespace="ecs")["ScalingPolicies"] == []
    assert scaling.call("DescribeScheduledActions", ServiceNamespace="ecs")["ScheduledActions"] == []
    assert scaling.alarms() == []
    scaling.clock.advance(7_200)
    assert scaling.count == 2
    error = scaling.refusal("DeregisterScalableTarget", **WEB)
    assert (error.code, error.message) == (
        "ObjectNotFoundException",
        (
            "No scalable target found for service namespace: ecs, resource ID: service/shop/web, "
            "scalable dimension: ecs:service:DesiredCount"
        ),
    )


def test_tags(scaling: Scaling) -> None:
    """Tags are set at creation, by TagResource and by the tagging port, and are limited to 50."""
    arn = scaling.register(Tags={"team": "a"})
    scaling.call("TagResource", ResourceARN=arn, Tags={"team": "b", "cost": ""})
    scaling.call("UntagResource", ResourceARN=arn, TagKeys=["cost", "ghost"])
    assert scaling.call("ListTagsForResource", ResourceARN=arn)["Tags"] == {"team": "b"}
    many = {f"k{number}": "" for number in range(50)}
    assert scaling.refusal("TagResource", ResourceARN=arn, Tags=many).code == "TooManyTagsException"
    assert scaling.refusal("TagResource", ResourceARN=arn, Tags={"aws:x": ""}).code == "ValidationException"
    error = scaling.refusal("ListTagsForResource", ResourceARN=f"{arn}0")
    assert (error.code, error.members) == ("ResourceNotFoundException", {"ResourceName": f"{arn}0"})
    caller = scaling.world.caller
    assert scaling.service.tagged_resources(caller)[0].tags == {"team": "b"}
    assert scaling.service.change_tags(caller, arn, put={"x": "1"}, remove=["team"])
    assert scaling.call("ListTagsForResource", ResourceARN=arn)["Tags"] == {"x": "1"}
    again = scaling.refusal("RegisterScalableTarget", Tags={"team": "c"}, **WEB)
    assert again.code == "ValidationException"
