"""Who calls and what they may: identities, trust, policies, iam:PassRole, simulation, signatures."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from fidelity.outsider import ACCOUNT, REGION, Outsider, fresh, refused


def role(aws: Outsider, principal: dict[str, Any], condition: dict[str, Any] | None = None) -> str:
    """Create a role that `principal` may take under `condition`."""
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    if condition:
        statement["Condition"] = condition
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    arn: str = aws("iam").create_role(RoleName=fresh("role"), AssumeRolePolicyDocument=document)["Role"][
        "Arn"
    ]
    return arn


def test_caller_identity(aws: Outsider) -> None:
    """A caller is told its account, id and ARN."""
    found = aws("sts").get_caller_identity()
    assert found["Account"] == ACCOUNT
    assert found["Arn"].startswith(f"arn:aws:iam::{ACCOUNT}:")
    assert found["UserId"]


def test_assume_role_gives_another_identity(aws: Outsider) -> None:
    """A role that may be taken answers credentials whose caller is the role's session."""
    arn = role(aws, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    answer = aws("sts").assume_role(RoleArn=arn, RoleSessionName="check")
    given = answer["Credentials"]
    assert given["AccessKeyId"].startswith("ASIA")
    assert given["SessionToken"]
    name = arn.rsplit("/", 1)[1]
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/check"
    assert answer["AssumedRoleUser"]["Arn"] == session
    taken = boto3.client(
        "sts",
        endpoint_url=aws.endpoint,
        region_name=REGION,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    assert taken.get_caller_identity()["Arn"] == session


def test_assume_unknown_role(aws: Outsider) -> None:
    """A role that isn't there can't be taken."""
    with refused("AccessDenied", says="is not authorized to perform: sts:AssumeRole on resource", status=403):
        aws("sts").assume_role(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{fresh('none')}", RoleSessionName="check"
        )


def test_assume_role_that_trusts_somebody_else(aws: Outsider) -> None:
    """A trust policy that names another account keeps this one out."""
    arn = role(aws, {"AWS": "arn:aws:iam::444455556666:root"})
    with refused("AccessDenied", says="sts:AssumeRole", status=403):
        aws("sts").assume_role(RoleArn=arn, RoleSessionName="check")


def test_assume_role_wants_the_external_id(aws: Outsider) -> None:
    """An external id that the trust policy asks for must be right."""
    arn = role(aws, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, {"StringEquals": {"sts:ExternalId": "42"}})
    for given in ({}, {"ExternalId": "43"}):
        with refused("AccessDenied", status=403):
            aws("sts").assume_role(RoleArn=arn, RoleSessionName="check", **given)
    assert aws("sts").assume_role(RoleArn=arn, RoleSessionName="check", ExternalId="42")["Credentials"]


def user(aws: Outsider, *statements: dict[str, Any]) -> Outsider:
    """Create a user with a policy; answer its view."""
    iam = aws("iam")
    name = fresh("user")
    iam.create_user(UserName=name)
    iam.put_user_policy(
        UserName=name,
        PolicyName="p",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}),
    )
    key = iam.create_access_key(UserName=name)["AccessKey"]
    seen = Outsider(aws.endpoint, key=key["AccessKeyId"])
    seen._session = boto3.session.Session(
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        region_name=REGION,
    )
    return seen


def test_policy_of_a_user_is_enforced(aws: Outsider) -> None:
    """A user with a policy may do what it allows; all else is AccessDeniedException in AWS's words."""
    seen = user(aws, {"Effect": "Allow", "Action": "ecs:List*", "Resource": "*"})
    seen.ecs.list_clusters()
    with refused(
        "AccessDeniedException", says="is not authorized to perform: ecs:CreateCluster on resource:"
    ):
        seen.ecs.create_cluster(clusterName=fresh("c"))
    with refused("AccessDenied", says="elasticloadbalancing:DescribeLoadBalancers", status=403):
        seen.elb.describe_load_balancers()


def test_pass_role_is_asked_for(aws: Outsider) -> None:
    """Whoever may use ECS but not pass a role can't register a definition with it; who may, can."""
    allowed = {"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}
    wish = {
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": aws.role,
        "containerDefinitions": [{"name": "web", "image": "i"}],
    }
    without = user(aws, allowed)
    with refused("AccessDeniedException", "ClientException", says="iam:PassRole"):
        without.ecs.register_task_definition(family=fresh("app"), **wish)
    passing = user(aws, allowed, {"Effect": "Allow", "Action": "iam:PassRole", "Resource": aws.role})
    assert passing.ecs.register_task_definition(family=fresh("app"), **wish)


def test_simulate_principal_policy(aws: Outsider) -> None:
    """A simulation tells allowed, implicitDeny and explicitDeny."""
    arn = role(aws, {"Service": "ecs-tasks.amazonaws.com"})
    aws("iam").put_role_policy(
        RoleName=arn.rsplit("/", 1)[1],
        PolicyName="p",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Action": ["ecs:*"], "Resource": "*"},
                    {"Effect": "Deny", "Action": ["ecs:DeleteCluster"], "Resource": "*"},
                ],
            }
        ),
    )
    answer = aws("iam").simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=["ecs:RunTask", "ecs:DeleteCluster", "s3:GetObject"]
    )
    found = {each["EvalActionName"]: each["EvalDecision"] for each in answer["EvaluationResults"]}
    assert found == {
        "ecs:RunTask": "allowed",
        "ecs:DeleteCluster": "explicitDeny",
        "s3:GetObject": "implicitDeny",
    }


def post(aws: Outsider, **headers: str) -> tuple[int, dict[str, Any]]:
    """Send a bare ListClusters; answer status and body."""
    request = urllib.request.Request(
        aws.endpoint,
        data=b"{}",
        headers={
            "X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters",
            "Content-Type": "application/x-amz-json-1.1",
            **headers,
        },
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_unsigned_request_is_refused(aws: Outsider) -> None:
    """A request without a signature is refused before anything else."""
    status, body = post(aws)
    assert status in {400, 403}
    assert "MissingAuthenticationToken" in body["__type"]


def test_unsigned_client_is_refused(aws: Outsider) -> None:
    """A client that doesn't sign is refused, in JSON and in XML."""
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    ecs = boto3.client("ecs", endpoint_url=aws.endpoint, region_name=REGION, config=config)
    for status in (400, 403):
        try:
            with refused("MissingAuthenticationTokenException", "MissingAuthenticationToken", status=status):
                ecs.list_clusters()
        except AssertionError:
            if status == 403:
                raise
        else:
            break


def test_unknown_operation_is_refused(aws: Outsider) -> None:
    """An operation that ECS doesn't have is UnknownOperationException."""
    scope = f"Credential=AKIDEXAMPLE/20260101/{REGION}/ecs/aws4_request, SignedHeaders=host, Signature=00"
    status, body = post(
        aws,
        **{
            "X-Amz-Target": "AmazonEC2ContainerServiceV20141113.DanceTask",
            "Authorization": f"AWS4-HMAC-SHA256 {scope}",
        },
    )
    assert status in {400, 404}
    assert "UnknownOperationException" in body["__type"]
