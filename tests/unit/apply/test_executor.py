"""The executor: order, outputs, tokens before the second look, and how it stops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from sluice.apply.errors import ApplyFailed
from sluice.apply.executor import PlanExecutor
from sluice.aws.gateway import Permit
from sluice.model.actions import Action, Applied, Ref
from sluice.model.binding import Binding, CallContext
from sluice.model.errors import AwsErrorKind, AwsFailure, Deferred, LeadershipLost, SluiceError
from sluice.model.keys import DEPLOYMENT, Key

KEY = Key(DEPLOYMENT, "shop", "checkout")
BINDING = Binding(account="1", region="eu-west-1")


@dataclass
class Recorded:
    """A gateway and an observer that write everything into one list."""

    happened: list[Any] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    empty: set[str] = field(default_factory=set)

    def reserve(self, service: str, operation: str, *, context: CallContext) -> Permit:
        """Give a permit unless the operation's bucket is empty."""
        if operation in self.empty:
            raise Deferred(until=5.0, bucket="b")
        self.happened.append(("reserve", operation))
        return Permit(service, operation, context)

    def release(self, permit: Permit) -> None:
        """Take it back."""
        self.happened.append(("release", permit.operation))

    def send(self, permit: Permit, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer as told."""
        self.happened.append(("send", permit.operation, dict(params)))
        answer = self.answers.get(permit.operation, {})
        if isinstance(answer, Exception):
            raise answer
        return answer

    def wrote(
        self, binding: Binding, operation: str, params: Mapping[str, Any], response: Mapping[str, Any]
    ) -> None:
        """Note a success."""
        self.happened.append(("wrote", operation))

    def failed(self, binding: Binding, params: Mapping[str, Any]) -> None:
        """Note a failure."""
        self.happened.append(("failed", dict(params)))

    def still_current(self) -> bool:
        """Say yes, and note that somebody asked."""
        self.happened.append("still_current")
        return True


def action(operation: str, **more: Any) -> Action:
    """Return an action with texts nobody reads here."""
    return Action(service="ecs", operation=operation, subject="it", reason="so", **({"params": {}} | more))


def failure(code: str, kind: AwsErrorKind) -> AwsFailure:
    """Return what the gateway raises."""
    return AwsFailure(service="ecs", operation="X", code=code, message="", kind=kind)


def run(world: Recorded, *actions: Action) -> Applied:
    """Apply the actions with a snapshot that stays current."""
    executor = PlanExecutor(world, observer=world)
    return executor.run(actions, key=KEY, binding=BINDING, still_current=world.still_current)


def test_the_token_comes_first_then_the_second_look_then_the_call() -> None:
    """A worker that waited for a token never sends what is no longer wanted (rollout.md §7 point 2)."""
    world = Recorded()
    run(world, action("CreateService"))
    assert world.happened == [
        ("reserve", "CreateService"),
        "still_current",
        ("send", "CreateService", {}),
        ("wrote", "CreateService"),
    ]


def test_outputs_flow_into_later_actions_at_any_depth() -> None:
    """One pass goes from an empty account to a service: ARNs are put in where Refs stand."""
    world = Recorded(
        answers={
            "RegisterTaskDefinition": {"taskDefinition": {"taskDefinitionArn": "arn:td:1"}},
            "CreateTargetGroup": {"TargetGroups": [{"TargetGroupArn": "arn:tg"}]},
        }
    )
    applied = run(
        world,
        action("RegisterTaskDefinition", outputs={"td": "taskDefinition.taskDefinitionArn"}),
        action("CreateTargetGroup", outputs={"tg": "TargetGroups[0].TargetGroupArn"}),
        action(
            "CreateService",
            params={"taskDefinition": Ref("td"), "loadBalancers": ({"targetGroupArn": Ref("tg")},)},
        ),
    )
    assert applied == Applied(outputs={"td": "arn:td:1", "tg": "arn:tg"}, done=3)
    sent = {"taskDefinition": "arn:td:1", "loadBalancers": [{"targetGroupArn": "arn:tg"}]}
    assert ("send", "CreateService", sent) in world.happened


def test_a_stale_snapshot_stops_before_the_call_and_gives_the_token_back() -> None:
    """What was done stays done, the rest is planned again."""
    world = Recorded()
    looks = iter([True, False])
    executor = PlanExecutor(world, observer=world)
    applied = executor.run(
        [action("A"), action("B"), action("C")], key=KEY, binding=BINDING, still_current=lambda: next(looks)
    )
    assert applied == Applied(outputs={}, done=1, superseded=True)
    assert world.happened[-2:] == [("reserve", "B"), ("release", "B")]


@pytest.mark.parametrize(
    "cause",
    [
        failure("InvalidParameterException", "rejected"),
        failure("NoAnswer", "unknown-outcome"),
        LeadershipLost("lease"),
    ],
    ids=lambda cause: type(cause).__name__,
)
def test_nothing_is_sent_after_the_first_failure(cause: SluiceError) -> None:
    """The controller learns how far the plan came, with the outputs so far."""
    world = Recorded(answers={"A": {"x": 1}, "B": cause})
    with pytest.raises(ApplyFailed) as failed:
        run(world, action("A", outputs={"x": "x"}), action("B"), action("C"))
    assert failed.value.applied == Applied(outputs={"x": 1}, done=1)
    assert failed.value.cause is cause
    assert ("reserve", "C") not in world.happened


def test_a_missing_token_is_a_failure_with_its_time() -> None:
    """The queue comes back when the gateway said."""
    world = Recorded(empty={"B"})
    with pytest.raises(ApplyFailed) as failed:
        run(world, action("A"), action("B"))
    assert isinstance(failed.value.cause, Deferred)
    assert (failed.value.applied.done, failed.value.cause.until) == (1, 5.0)


def test_what_is_gone_already_counts_as_deleted() -> None:
    """A delete of what does not exist is done, and the caches are told to look again."""
    world = Recorded(answers={"DeleteRule": failure("RuleNotFound", "not-found")})
    applied = run(
        world, action("DeleteRule", params={"RuleArn": "r"}, already=frozenset({"RuleNotFound"})), action("B")
    )
    assert applied.done == 2
    assert ("failed", {"RuleArn": "r"}) in world.happened


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("throttled", False),
        ("denied", False),
        ("quota", False),
        ("conflict", True),
        ("not-found", True),
        ("rejected", True),
        ("unavailable", True),
        ("unknown-outcome", True),
    ],
)
def test_caches_are_dropped_when_the_world_may_differ(kind: AwsErrorKind, *, told: bool) -> None:
    """A refusal that says nothing about the world leaves the caches alone."""
    world = Recorded(answers={"B": failure("c", kind)})
    with pytest.raises(ApplyFailed):
        run(world, action("B"))
    assert (("failed", {}) in world.happened) is told


def test_a_response_without_an_output_is_an_unknown_outcome() -> None:
    """The write took place, but its ARN is unknown: look before acting again."""
    world = Recorded(answers={"A": {}})
    with pytest.raises(ApplyFailed) as failed:
        run(world, action("A", outputs={"arn": "service.serviceArn"}))
    assert isinstance(failed.value.cause, AwsFailure)
    assert failed.value.cause.kind == "unknown-outcome"
    assert "arn" in failed.value.cause.message


def test_a_ref_that_no_action_makes_is_a_mistake_of_the_planner() -> None:
    """It stops with a KeyError before anything is sent."""
    world = Recorded()
    with pytest.raises(KeyError, match="nobody"):
        run(world, action("A", params={"x": Ref("nobody")}))
    assert world.happened == []


def rule_write(operation: str) -> Action:
    """Return a rule write of a rollback."""
    return action(operation, independent=True)


@pytest.mark.parametrize("kind", ["throttled", "not-found", "unknown-outcome", "denied", "unavailable"])
def test_independent_actions_are_all_tried(kind: AwsErrorKind) -> None:
    """One rule's failing write keeps no other rule waiting; what is no rule write waits for all of them."""
    cause = failure("c", kind)
    world = Recorded(answers={"B": cause, "C": {"x": 1}})
    with pytest.raises(ApplyFailed) as failed:
        run(
            world,
            rule_write("A"),
            rule_write("B"),
            action("C", independent=True, outputs={"c": "x"}),
            action("DeleteRule"),
        )
    assert [entry[1] for entry in world.happened if entry[0] == "send"] == ["A", "B", "C"]
    assert failed.value.applied == Applied(outputs={"c": 1}, done=1)
    assert failed.value.cause is cause


def test_failures_of_independent_actions_are_told_together() -> None:
    """With the one first that is worth trying again soonest, so that no rule waits for a hopeless one."""
    world = Recorded(
        answers={"A": failure("AccessDenied", "denied"), "B": failure("RuleNotFound", "not-found")}
    )
    with pytest.raises(ApplyFailed) as failed:
        run(world, rule_write("A"), rule_write("B"))
    cause = failed.value.cause
    assert isinstance(cause, AwsFailure)
    assert (cause.kind, cause.code) == ("not-found", "RuleNotFound")
    assert "AccessDenied" in cause.message


def test_an_independent_action_without_a_token_ends_the_run_with_its_time() -> None:
    """Tokens are taken in order, and who finds none comes back when there is one, whatever failed before."""
    world = Recorded(answers={"A": failure("c", "throttled")}, empty={"B"})
    with pytest.raises(ApplyFailed) as failed:
        run(world, rule_write("A"), rule_write("B"), rule_write("C"))
    assert isinstance(failed.value.cause, Deferred)
    assert ("reserve", "C") not in world.happened


def test_each_independent_action_looks_again_before_it_is_sent() -> None:
    """A newer promise stops the rest even of a rollback (rollout.md §7 point 2)."""
    world = Recorded(answers={"A": failure("c", "throttled")})
    looks = iter([True, False])
    applied = PlanExecutor(world, observer=world).run(
        [rule_write("A"), rule_write("B")], key=KEY, binding=BINDING, still_current=lambda: next(looks)
    )
    assert applied == Applied(outputs={}, done=0, superseded=True)
