"""Who may do what, service by service: denials in each service's code, resources, conditions, sessions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from fidelity.outsider import ACCOUNT, REGION, Outsider, fresh, refused

Ask = Callable[[Outsider], Any]
Statement = dict[str, Any]
ANYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def trusted(aws: Outsider, *statements: Statement) -> str:
    """Make a role of this account's that may do so much; answer its ARN."""
    iam, name = aws("iam"), fresh("role")
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}],
    }
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": list(statements)}
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
    return arn


def session(aws: Outsider, arn: str, **members: Any) -> Outsider:
    """Assume a role; answer its view."""
    keys = aws("sts").assume_role(RoleArn=arn, RoleSessionName="check", **members)["Credentials"]
    seen = Outsider(aws.endpoint)
    seen._session = boto3.session.Session(
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
        region_name=REGION,
    )
    return seen


def allowed(action: str | list[str], resource: str = "*", **condition: Any) -> Statement:
    """Answer a statement that allows."""
    made: Statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return made | ({"Condition": condition} if condition else {})


@pytest.fixture(scope="module")
def poor(aws: Outsider) -> Outsider:
    """Answer the view of a session that may list clusters and nothing else."""
    return session(aws, trusted(aws, allowed("ecs:ListClusters")))


DENIED: dict[str, tuple[str, int, str, Ask]] = {
    "ecs": ("AccessDeniedException", 400, "ecs:ListServices", lambda aws: aws.ecs.list_services(cluster="a")),
    "elbv2": (
        "AccessDenied",
        403,
        "elasticloadbalancing:DescribeLoadBalancers",
        lambda aws: aws.elb.describe_load_balancers(),
    ),
    "servicediscovery": (
        "AccessDeniedException",
        400,
        "servicediscovery:ListNamespaces",
        lambda aws: aws("servicediscovery").list_namespaces(),
    ),
    "application-autoscaling": (
        "AccessDeniedException",
        400,
        "application-autoscaling:DescribeScalableTargets",
        lambda aws: aws("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs"),
    ),
    "cloudwatch": (
        "AccessDenied",
        403,
        "cloudwatch:DescribeAlarms",
        lambda aws: aws("cloudwatch").describe_alarms(),
    ),
    "ecr": (
        "AccessDeniedException",
        400,
        "ecr:DescribeRepositories",
        lambda aws: aws("ecr").describe_repositories(),
    ),
    "resourcegroupstaggingapi": (
        "AccessDeniedException",
        400,
        "tag:GetResources",
        lambda aws: aws("resourcegroupstaggingapi").get_resources(),
    ),
    "vpc-lattice": (
        "AccessDeniedException",
        403,
        "vpc-lattice:ListServices",
        lambda aws: aws("vpc-lattice").list_services(),
    ),
    "ec2": ("UnauthorizedOperation", 403, "ec2:DescribeVpcs", lambda aws: aws("ec2").describe_vpcs()),
    "iam": ("AccessDenied", 403, "iam:ListRoles", lambda aws: aws("iam").list_roles()),
    "secretsmanager": (
        "AccessDeniedException",
        400,
        "secretsmanager:ListSecrets",
        lambda aws: aws("secretsmanager").list_secrets(),
    ),
    "logs": (
        "AccessDeniedException",
        400,
        "logs:DescribeLogGroups",
        lambda aws: aws("logs").describe_log_groups(),
    ),
    "events": ("AccessDeniedException", 400, "events:ListRules", lambda aws: aws("events").list_rules()),
    "lambda": (
        "AccessDeniedException",
        403,
        "lambda:ListFunctions",
        lambda aws: aws("lambda").list_functions(),
    ),
    "route53": (
        "AccessDenied",
        403,
        "route53:ListHostedZones",
        lambda aws: aws("route53").list_hosted_zones(),
    ),
    "s3": ("AccessDenied", 403, "s3:ListAllMyBuckets", lambda aws: aws("s3").list_buckets()),
}


@pytest.mark.parametrize("service", DENIED)
def test_denied_in_the_services_code(poor: Outsider, service: str) -> None:
    """Each service denies in its own code and status, and names the action."""
    code, status, action, ask = DENIED[service]
    with refused(code, says=f"is not authorized to perform: {action} on resource:", status=status):
        ask(poor)


def test_denial_names_the_session(aws: Outsider) -> None:
    """The text names the assumed role and why; what is allowed, and one's own identity, are answered."""
    arn = trusted(aws, allowed("ecs:ListClusters"))
    seen = session(aws, arn)
    name = arn.rsplit("/", 1)[1]
    who = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/check"
    assert seen("sts").get_caller_identity()["Arn"] == who
    assert seen.ecs.list_clusters()["clusterArns"] is not None
    because = "because no identity-based policy allows the ecs:CreateCluster action"
    with refused("AccessDeniedException", says=f"User: {who} is not authorized"):
        seen.ecs.create_cluster(clusterName="a")
    with refused("AccessDeniedException", says=because):
        seen.ecs.create_cluster(clusterName="a")


def test_explicit_deny_wins(aws: Outsider) -> None:
    """Allowed by one statement and denied by another is denied, and the text says so."""
    deny = {"Effect": "Deny", "Action": "ecs:DescribeClusters", "Resource": "*"}
    seen = session(aws, trusted(aws, ANYTHING, deny))
    with refused("AccessDeniedException", says="with an explicit deny in an identity-based policy"):
        seen.ecs.describe_clusters()


def test_resource_and_condition_bind(aws: Outsider) -> None:
    """A statement allows its resources only, and only where its condition holds."""
    cluster = aws.ecs.describe_clusters(clusters=[aws.cluster])["clusters"][0]["clusterArn"]
    services = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/{aws.cluster}/ok-*"
    seen = session(
        aws,
        trusted(
            aws,
            allowed("ecs:DescribeServices", services),
            allowed("ecs:ListTasks", ArnEquals={"ecs:cluster": cluster}),
        ),
    )
    seen.ecs.describe_services(cluster=aws.cluster, services=["ok-1"])
    seen.ecs.list_tasks(cluster=aws.cluster)
    with refused("AccessDeniedException", says="ecs:DescribeServices"):
        seen.ecs.describe_services(cluster=aws.cluster, services=["no-1"])
    with refused("AccessDeniedException", says="ecs:ListTasks"):
        seen.ecs.list_tasks(cluster="elsewhere")


@pytest.mark.parametrize("service", ["ecs-tasks.amazonaws.com", "lambda.amazonaws.com"])
def test_role_is_passed_to_a_service(aws: Outsider, service: str) -> None:
    """A condition on iam:PassedToService allows a task's role to ECS's tasks alone."""
    to_whom = {"iam:PassedToService": service}
    passing = allowed("iam:PassRole", StringEquals=to_whom)
    seen = session(aws, trusted(aws, allowed("ecs:*"), passing))
    wish = {"family": fresh("app"), "executionRoleArn": aws.role}
    container = {"name": "web", "image": "i", "memory": 64}
    if service.startswith("ecs-tasks"):
        assert seen.ecs.register_task_definition(**wish, containerDefinitions=[container])
        return
    with refused("AccessDeniedException", "ClientException", says=f"iam:PassRole on resource: {aws.role}"):
        seen.ecs.register_task_definition(**wish, containerDefinitions=[container])


def test_session_policy_narrows(aws: Outsider) -> None:
    """A session may do what both its role and its session policy allow."""
    narrow = json.dumps({"Version": "2012-10-17", "Statement": [allowed("ecs:ListClusters")]})
    seen = session(aws, trusted(aws, ANYTHING), Policy=narrow)
    seen.ecs.list_clusters()
    with refused("AccessDeniedException", says="ecs:ListServices"):
        seen.ecs.list_services(cluster=aws.cluster)


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"DurationSeconds": 7200}, "MaxSessionDuration"),
        ({"DurationSeconds": 900, "Policy": "{"}, ""),
    ],
    ids=["longer than the role allows", "a policy that is none"],
)
def test_session_refused(aws: Outsider, members: dict[str, Any], says: str) -> None:
    """A session outside the role's bounds is refused."""
    arn = trusted(aws, ANYTHING)
    with refused("ValidationError", "MalformedPolicyDocument", says=says):
        aws("sts").assume_role(RoleArn=arn, RoleSessionName="check", **members)


def test_chained_session_lasts_an_hour(aws: Outsider) -> None:
    """A role assumed by a role has one hour, whatever is asked for."""
    arn = trusted(aws, ANYTHING)
    with refused("ValidationError"):
        session(aws, arn)("sts").assume_role(RoleArn=arn, RoleSessionName="again", DurationSeconds=7200)


def test_simulation_of_a_custom_policy(aws: Outsider) -> None:
    """SimulateCustomPolicy judges policies that nobody has."""
    policy = json.dumps({"Version": "2012-10-17", "Statement": allowed("s3:*")})
    answer = aws("iam").simulate_custom_policy(
        PolicyInputList=[policy], ActionNames=["s3:GetObject", "ecs:RunTask"]
    )
    found = [each["EvalDecision"] for each in answer["EvaluationResults"]]
    assert found == ["allowed", "implicitDeny"]
