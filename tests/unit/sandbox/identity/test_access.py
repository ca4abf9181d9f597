"""Callers with policies are held to them, roles are assumed by those they trust, in process and over moto."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.moto_bridge import MotoBridge
from sluice_sandbox.aws.service import Caller
from sluice_sandbox.aws.world import World

ACCOUNT = "300000000001"
ROLE = f"arn:aws:iam::{ACCOUNT}:role"
Call = Callable[..., Any]


@pytest.fixture(scope="module")
def bridge() -> Iterator[MotoBridge]:
    """One moto for the file: importing it is what takes time."""
    moto = MotoBridge()
    yield moto
    moto.close()


@pytest.fixture
def without_awss_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS's own policies, a thousand of them, are left out of new accounts: that is quicker."""
    monkeypatch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "false")


@pytest.fixture
def world(bridge: MotoBridge, without_awss_policies: None) -> World:
    """A world whose account has nobody in IAM."""
    return empty_world(bridge)


def empty_world(bridge: MotoBridge) -> World:
    """Return a world whose account has nobody in IAM."""
    for backends in (iam_backends, sts_backends):
        for account in (ACCOUNT, "300000000002"):  # other worlds of this process keep theirs
            backends.pop(account, None)
    return World.build(clock=VirtualClock(), account=ACCOUNT, moto=bridge)


def policy(*statements: dict[str, Any]) -> str:
    """Return a policy's text."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = "*", **elements: Any) -> dict[str, Any]:
    """Return an allowing statement."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **elements}


def user(world: World, *statements: dict[str, Any], name: str = "alice") -> Caller:
    """Make a user with an inline policy of the statements (none: no policy), and return it as a caller."""
    made = world.call("iam", "CreateUser", {"UserName": name})["User"]
    if statements:
        params = {"UserName": name, "PolicyName": "p", "PolicyDocument": policy(*statements)}
        world.call("iam", "PutUserPolicy", params)
    return Caller(account=ACCOUNT, principal=made["Arn"])


def role(world: World, name: str, *trust: dict[str, Any]) -> str:
    """Make a role with a trust policy and return its ARN."""
    params = {"RoleName": name, "AssumeRolePolicyDocument": policy(*trust)}
    return str(world.call("iam", "CreateRole", params)["Role"]["Arn"])


def trusting(principal: Any, **condition: Any) -> dict[str, Any]:
    """Return a trust statement."""
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return statement | ({"Condition": condition} if condition else {})


def refused(call: Callable[[], Any]) -> AwsError:
    """Return how a call is refused."""
    with pytest.raises(AwsError) as caught:
        call()
    return caught.value


# --------------------------------------------------------------- AssumeRole


@pytest.mark.parametrize(
    ("trust", "external_id", "assumed"),
    [
        pytest.param(trusting("*"), None, True, id="anybody"),
        pytest.param(trusting(ACCOUNT), None, True, id="the account by number"),
        pytest.param(trusting(f"arn:aws:iam::{ACCOUNT}:root"), None, True, id="the account by root"),
        pytest.param(trusting(f"arn:aws:iam::{ACCOUNT}:user/alice"), None, True, id="the user"),
        pytest.param(trusting(f"arn:aws:iam::{ACCOUNT}:user/bob"), None, False, id="another user"),
        pytest.param(trusting("arn:aws:iam::999999999999:root"), None, False, id="another account"),
        pytest.param(trusting("*", StringEquals={"sts:ExternalId": "s3"}), "s3", True, id="external id"),
        pytest.param(trusting("*", StringEquals={"sts:ExternalId": "s3"}), "s4", False, id="wrong id"),
        pytest.param(trusting("*", StringEquals={"sts:ExternalId": "s3"}), None, False, id="no id"),
        pytest.param(
            {
                "Effect": "Allow",
                "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                "Action": "sts:AssumeRole",
            },
            None,
            False,
            id="a service's role",
        ),
        pytest.param({**trusting("*"), "Effect": "Deny"}, None, False, id="denied"),
    ],
)
def test_trust_policies(
    world: World, trust: dict[str, Any], external_id: str | None, *, assumed: bool
) -> None:
    """A role is assumed by those whom its trust policy names, under its conditions."""
    alice = user(world)
    arn = role(world, "team", trust)
    params = {"RoleArn": arn, "RoleSessionName": "sess"} | (
        {"ExternalId": external_id} if external_id else {}
    )
    if assumed:
        answer = world.call("sts", "AssumeRole", params, caller=alice)
        assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/team/sess"
        return
    error = refused(lambda: world.call("sts", "AssumeRole", params, caller=alice))
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert error.message == (
        f"User: {alice.principal} is not authorized to perform: sts:AssumeRole on resource: {arn}"
    )


def test_a_role_that_does_not_exist_is_denied(world: World) -> None:
    """Nobody learns which roles exist: a missing one is refused as one that does not trust."""
    params = {"RoleArn": f"{ROLE}/none", "RoleSessionName": "sess"}
    assert refused(lambda: world.call("sts", "AssumeRole", params)).code == "AccessDenied"


def test_an_account_without_anybody_is_taken_as_set_up(world: World) -> None:
    """A role of an account in which nobody made anything can be assumed; later it must exist."""
    params = {"RoleArn": "arn:aws:iam::300000000002:role/team", "RoleSessionName": "sess"}
    assert world.call("sts", "AssumeRole", params)["Credentials"]["AccessKeyId"].startswith("ASIA")
    world.call("iam", "CreateUser", {"UserName": "u"}, caller=Caller(account="300000000002"))
    assert refused(lambda: world.call("sts", "AssumeRole", params)).code == "AccessDenied"


@pytest.mark.parametrize(
    ("seconds", "code"), [(3600, None), (3601, "ValidationError"), (899, "ValidationError")]
)
def test_session_lengths(world: World, seconds: int, code: str | None) -> None:
    """A session lasts from 15 minutes to the role's maximum, an hour by default."""
    arn = role(world, "team", trusting("*"))
    params = {"RoleArn": arn, "RoleSessionName": "sess", "DurationSeconds": seconds}
    if code is None:
        world.call("sts", "AssumeRole", params)
    elif seconds > 3600:
        assert refused(lambda: world.call("sts", "AssumeRole", params)).code == code


def test_a_callers_own_policies_count_too(world: World) -> None:
    """Who has policies needs sts:AssumeRole in them."""
    arn = role(world, "team", trusting("*"))
    params = {"RoleArn": arn, "RoleSessionName": "sess"}
    assert (
        refused(lambda: world.call("sts", "AssumeRole", params, caller=user(world, allow("ecs:*")))).code
        == "AccessDenied"
    )
    world.call("sts", "AssumeRole", params, caller=user(world, allow("sts:AssumeRole", arn), name="bob"))


def test_malformed_role_arns(world: World) -> None:
    """What is no role's ARN is a ValidationError."""
    params = {"RoleArn": "arn:aws:iam::300000000001:user/x", "RoleSessionName": "sess"}
    error = refused(lambda: world.call("sts", "AssumeRole", params))
    assert (error.code, error.message) == ("ValidationError", f"{params['RoleArn']} is invalid")


def test_caller_identity(world: World) -> None:
    """Keys that IAM never gave out are the sandbox's own user's."""
    assert world.call("sts", "GetCallerIdentity", {}) == {
        "UserId": "AIDASANDBOXSANDBOX001",
        "Account": ACCOUNT,
        "Arn": f"arn:aws:iam::{ACCOUNT}:user/sandbox",
    }


# ------------------------------------------------------------- enforcement


def definition(**roles: str) -> dict[str, Any]:
    """Return a task definition's parameters."""
    return {"family": "f", "containerDefinitions": [{"name": "a", "image": "i", "memory": 64}], **roles}


def test_who_has_policies_is_held_to_them(world: World) -> None:
    """Allowed calls pass, others are denied in IAM's words; a user without policies is free."""
    alice = user(world, allow("ecs:Describe*"))
    world.call("ecs", "DescribeClusters", {}, caller=alice)
    error = refused(lambda: world.call("ecs", "CreateCluster", {"clusterName": "c"}, caller=alice))
    assert (error.code, error.status) == ("AccessDeniedException", 400)
    assert error.message == (
        f"User: {alice.principal} is not authorized to perform: ecs:CreateCluster on resource: "
        f"arn:aws:ecs:eu-west-1:{ACCOUNT}:cluster/c because no identity-based policy allows the "
        "ecs:CreateCluster action"
    )
    world.call("ecs", "CreateCluster", {"clusterName": "c"}, caller=user(world, name="bob"))


def test_each_service_denies_in_its_code(world: World) -> None:
    """Query services say AccessDenied with 403; moto's services are bound as our own."""
    alice = user(world, allow("ecs:*"))
    for service, operation, params in (
        ("elbv2", "DescribeLoadBalancers", {}),
        ("iam", "ListUsers", {}),
        ("sns", "ListTopics", {}),
    ):
        error = refused(lambda: world.call(service, operation, params, caller=alice))  # noqa: B023 - run at once
        assert (error.code, error.status) == ("AccessDenied", 403)
    error = refused(lambda: world.call("ec2", "DescribeVpcs", {}, caller=alice))
    assert (error.code, error.status) == ("UnauthorizedOperation", 403)


def test_an_explicit_deny_is_told_as_such(world: World) -> None:
    """The text says that a policy denies, not that none allows."""
    deny = {"Effect": "Deny", "Action": "ecs:ListClusters", "Resource": "*"}
    alice = user(world, allow("*"), deny)
    error = refused(lambda: world.call("ecs", "ListClusters", {}, caller=alice))
    assert error.message.endswith("on resource: * with an explicit deny in an identity-based policy")


@pytest.mark.parametrize("member", ["taskRoleArn", "executionRoleArn"])
def test_pass_role_is_needed_to_register(world: World, member: str) -> None:
    """A definition with a role needs iam:PassRole on that role."""
    alice = user(world, allow("ecs:*"), allow("iam:PassRole", f"{ROLE}/good"))
    world.call("ecs", "RegisterTaskDefinition", definition(**{member: f"{ROLE}/good"}), caller=alice)
    error = refused(
        lambda: world.call(
            "ecs", "RegisterTaskDefinition", definition(**{member: f"{ROLE}/bad"}), caller=alice
        )
    )
    assert error.code == "AccessDeniedException"
    assert f"iam:PassRole on resource: {ROLE}/bad because" in error.message


def test_pass_role_is_needed_to_run(world: World) -> None:
    """RunTask, CreateService and UpdateService need to pass the roles of the definition that they run."""
    world.call("ecs", "CreateCluster", {})
    world.call("ecs", "RegisterTaskDefinition", definition(taskRoleArn=f"{ROLE}/task"))
    alice = user(world, allow("ecs:*"))
    for operation, params in (
        ("RunTask", {"taskDefinition": "f"}),
        ("CreateService", {"serviceName": "s", "taskDefinition": "f:1", "desiredCount": 0}),
        ("UpdateService", {"service": "s", "taskDefinition": "f"}),
    ):
        error = refused(lambda: world.call("ecs", operation, params, caller=alice))  # noqa: B023 - run at once
        assert f"iam:PassRole on resource: {ROLE}/task" in error.message


def test_passed_to_service(world: World) -> None:
    """`iam:PassedToService` tells to whom a role goes."""
    to_tasks = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    alice = user(world, allow("ecs:*"), allow("iam:PassRole", Condition=to_tasks))
    world.call("ecs", "RegisterTaskDefinition", definition(taskRoleArn=f"{ROLE}/a"), caller=alice)


def test_policies_reach_users_through_groups_and_attachments(world: World) -> None:
    """Managed policies and those of groups bind a user as inline ones do."""
    alice = user(world)
    arn = world.call(
        "iam", "CreatePolicy", {"PolicyName": "read", "PolicyDocument": policy(allow("ecs:List*"))}
    )["Policy"]["Arn"]
    world.call("iam", "AttachUserPolicy", {"UserName": "alice", "PolicyArn": arn})
    world.call("iam", "CreateGroup", {"GroupName": "g"})
    world.call("iam", "AddUserToGroup", {"GroupName": "g", "UserName": "alice"})
    group = {"GroupName": "g", "PolicyName": "p", "PolicyDocument": policy(allow("ecs:Describe*"))}
    world.call("iam", "PutGroupPolicy", group)
    world.call("ecs", "ListClusters", {}, caller=alice)
    world.call("ecs", "DescribeClusters", {}, caller=alice)
    assert (
        refused(lambda: world.call("ecs", "CreateCluster", {}, caller=alice)).code == "AccessDeniedException"
    )


def test_awss_managed_policies_can_be_attached(bridge: MotoBridge) -> None:
    """AWS's own policies exist in every account and bind those to whom they are attached."""
    world = empty_world(bridge)
    alice = user(world)
    for name in ("AmazonECS_FullAccess", "service-role/AmazonECSTaskExecutionRolePolicy"):
        attach = {"UserName": "alice", "PolicyArn": f"arn:aws:iam::aws:policy/{name}"}
        world.call("iam", "AttachUserPolicy", attach)
    world.call("ecs", "ListClusters", {}, caller=alice)
    assert refused(lambda: world.call("iam", "ListUsers", {}, caller=alice)).code == "AccessDenied"


def test_tags_and_clusters_as_conditions(world: World) -> None:
    """aws:ResourceTag, aws:RequestTag and ecs:cluster decide, as in a team's policy."""
    world.call("ecs", "CreateCluster", {"clusterName": "prod"})
    world.call("ecs", "CreateCluster", {"clusterName": "other"})
    prod = f"arn:aws:ecs:eu-west-1:{ACCOUNT}:cluster/prod"
    alice = user(
        world,
        allow("ecs:ListTasks", Condition={"ArnEquals": {"ecs:cluster": prod}}),
        allow("ecs:CreateCluster", Condition={"StringEquals": {"aws:RequestTag/team": "a"}}),
    )
    tags = [{"key": "team", "value": "a"}]
    world.call("ecs", "CreateCluster", {"clusterName": "mine", "tags": tags}, caller=alice)
    for params in ({"clusterName": "x"}, {"clusterName": "x", "tags": [{"key": "team", "value": "b"}]}):
        assert (
            "CreateCluster"
            in refused(
                lambda: world.call("ecs", "CreateCluster", params, caller=alice)  # noqa: B023 - run at once
            ).message
        )


def test_role_sessions_and_boundaries(world: World) -> None:
    """A session's own policy and the role's boundary limit what the role may do."""
    role(world, "team", trusting("*"))
    params = {"RoleName": "team", "PolicyName": "p", "PolicyDocument": policy(allow("ecs:*"))}
    world.call("iam", "PutRolePolicy", params)
    session = {"RoleArn": f"{ROLE}/team", "RoleSessionName": "sess", "Policy": policy(allow("ecs:List*"))}
    arn = world.call("sts", "AssumeRole", session)["AssumedRoleUser"]["Arn"]
    caller = Caller(account=ACCOUNT, principal=arn)
    world.call("ecs", "ListClusters", {}, caller=caller)
    error = refused(lambda: world.call("ecs", "DescribeClusters", {}, caller=caller))
    assert error.message.endswith("because no session policy allows the ecs:DescribeClusters action")


@pytest.mark.parametrize(
    ("mode", "bound", "free"), [("off", False, False), ("written", True, False), ("all", True, True)]
)
def test_the_switch(world: World, mode: str, *, bound: bool, free: bool) -> None:
    """`off` binds nobody, `written` those with policies, `all` everyone but the sandbox's own user."""
    alice, bob = user(world, allow("iam:*")), user(world, name="bob")
    gate = world.outside.gate
    assert gate is not None
    gate.switches.turn(policies=mode)
    for caller, expected in ((alice, bound), (bob, free), (world.caller, False)):
        denied = pytest.raises(AwsError, match="ecs:ListClusters") if expected else nullcontext()
        with denied:
            world.call("ecs", "ListClusters", {}, caller=caller)


def test_nonsense_modes_are_refused(world: World) -> None:
    """A mode that does not exist is told."""
    gate = world.outside.gate
    assert gate is not None
    with pytest.raises(ValueError, match="off, written, all"):
        gate.switches.turn(policies="maybe")


# --------------------------------------------------------------- simulator


@pytest.mark.parametrize(
    ("action", "resource", "decision", "matched"),
    [
        pytest.param("ecs:DescribeServices", "*", "allowed", 1, id="allowed"),
        pytest.param("ecs:DeleteService", "*", "explicitDeny", 1, id="denied"),
        pytest.param("iam:PassRole", f"{ROLE}/x", "implicitDeny", 0, id="not said"),
    ],
)
def test_simulation(world: World, action: str, resource: str, decision: str, matched: int) -> None:
    """Each action gets AWS's decision, with the statements that made it."""
    deny = {"Effect": "Deny", "Action": "ecs:DeleteService", "Resource": "*"}
    alice = user(world, allow("ecs:*"), deny)
    params = {"PolicySourceArn": alice.principal, "ActionNames": [action], "ResourceArns": [resource]}
    result = world.call("iam", "SimulatePrincipalPolicy", params)["EvaluationResults"]
    assert [(item["EvalActionName"], item["EvalResourceName"]) for item in result] == [(action, resource)]
    assert result[0]["EvalDecision"] == decision
    assert len(result[0]["MatchedStatements"]) == matched


def test_simulation_pages_and_context(world: World) -> None:
    """Results page by MaxItems and Marker; context entries decide, missing keys are named."""
    tagged = allow("ecs:*", Condition={"StringEquals": {"aws:ResourceTag/team": "a"}})
    role(world, "team", trusting("*"))
    params = {"RoleName": "team", "PolicyName": "p", "PolicyDocument": policy(tagged)}
    world.call("iam", "PutRolePolicy", params)
    ask: dict[str, Any] = {
        "PolicySourceArn": f"{ROLE}/team",
        "ActionNames": ["ecs:A", "ecs:B"],
        "MaxItems": 1,
    }
    first = world.call("iam", "SimulatePrincipalPolicy", ask)
    assert first["EvaluationResults"][0]["MissingContextValues"] == ["aws:ResourceTag/team"]
    entry = {"ContextKeyName": "aws:ResourceTag/team", "ContextKeyValues": ["a"], "ContextKeyType": "string"}
    second = world.call(
        "iam", "SimulatePrincipalPolicy", ask | {"Marker": first["Marker"], "ContextEntries": [entry]}
    )
    assert [item["EvalDecision"] for item in second["EvaluationResults"]] == ["allowed"]
    assert (first["IsTruncated"], second["IsTruncated"]) == (True, False)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        pytest.param({"PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:user/none"}, "NoSuchEntity", id="nobody"),
        pytest.param({"PolicySourceArn": "arn:aws:s3:::a-bucket-name"}, "InvalidInput", id="not a principal"),
        pytest.param({"ActionNames": ["ecs"]}, "InvalidInput", id="not an action"),
        pytest.param({"PolicyInputList": ["{"]}, "MalformedPolicyDocument", id="not a policy"),
    ],
)
def test_simulation_refuses(world: World, params: dict[str, Any], code: str) -> None:
    """Unknown principals and malformed requests are told."""
    alice = user(world, allow("ecs:*"))
    ask = {"PolicySourceArn": alice.principal, "ActionNames": ["ecs:ListClusters"]} | params
    assert refused(lambda: world.call("iam", "SimulatePrincipalPolicy", ask)).code == code


def test_custom_policies_are_simulated(world: World) -> None:
    """SimulateCustomPolicy evaluates what it is given, within the boundary it is given."""
    ask = {
        "PolicyInputList": [policy(allow("ecs:*"))],
        "PermissionsBoundaryPolicyInputList": [policy(allow("ecs:List*"))],
        "ActionNames": ["ecs:ListTasks", "ecs:RunTask"],
    }
    results = world.call("iam", "SimulateCustomPolicy", ask)["EvaluationResults"]
    assert [item["EvalDecision"] for item in results] == ["allowed", "implicitDeny"]
