"""ECR, VPC Lattice and the tagging API through boto3; who calls, signed and unsigned."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

Client = Callable[..., Any]


def refused(call: Callable[[], Any]) -> tuple[str, int]:
    """Return code and status of a refusal."""
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_lattice_speaks_rest_json(side: Any, client: Client) -> None:
    """Paths, query strings, bodies, statuses and error shapes are as boto3 expects them."""
    lattice = client("vpc-lattice")
    vpc = side.aws.estate["vpcId"]
    config = {"port": 80, "protocol": "HTTP", "vpcIdentifier": vpc}
    group = lattice.create_target_group(name="wire", type="IP", config=config)
    assert group["ResponseMetadata"]["HTTPStatusCode"] == 201
    service = lattice.create_service(name="wire", tags={"a": "b"})
    assert service["ResponseMetadata"]["HTTPStatusCode"] == 201
    forward = {"forward": {"targetGroups": [{"targetGroupIdentifier": group["arn"], "weight": 7}]}}
    listener = lattice.create_listener(
        serviceIdentifier=service["arn"], name="http", protocol="HTTP", defaultAction=forward
    )
    where = {"serviceIdentifier": service["id"], "listenerIdentifier": listener["arn"]}
    match = {"httpMatch": {"pathMatch": {"match": {"prefix": "/x"}}}}
    rule = lattice.create_rule(name="prefix", priority=1, match=match, action=forward, **where)
    found = lattice.get_rule(ruleIdentifier=rule["id"], **where)
    assert (found["match"], found["createdAt"].tzinfo is not None) == (match, True)
    assert found["action"]["forward"]["targetGroups"][0]["weight"] == 7
    assert len(lattice.list_rules(maxResults=1, **where)["items"]) == 1
    lattice.tag_resource(resourceArn=service["arn"], tags={"c": "d"})
    lattice.untag_resource(resourceArn=service["arn"], tagKeys=["a", "z"])
    assert lattice.list_tags_for_resource(resourceArn=service["arn"])["tags"] == {"c": "d"}
    assert (
        lattice.delete_rule(ruleIdentifier=rule["id"], **where)["ResponseMetadata"]["HTTPStatusCode"] == 204
    )
    with pytest.raises(lattice.exceptions.ResourceNotFoundException) as caught:
        lattice.get_rule(ruleIdentifier=rule["id"], **where)
    assert caught.value.response["resourceType"] == "RULE"
    assert refused(lambda: lattice.create_service(name="a" * 50)) == ("ValidationException", 400)
    assert refused(lattice.list_resource_gateways) == ("UnsupportedOperation", 501)


def test_ecr_over_the_wire(client: Client) -> None:
    """Digests, tags and failures arrive as boto3 shows them."""
    ecr = client("ecr")
    ecr.create_repository(repositoryName="wire")
    manifest = json.dumps({"schemaVersion": 2, "layers": [], "config": {"size": 1, "digest": "sha256:0"}})
    image = ecr.put_image(repositoryName="wire", imageManifest=manifest, imageTag="1")["image"]
    found = ecr.batch_get_image(repositoryName="wire", imageIds=[image["imageId"], {"imageTag": "9"}])
    assert found["images"][0]["imageManifest"] == manifest
    assert found["failures"][0]["failureCode"] == "ImageNotFound"
    with pytest.raises(ecr.exceptions.ImageNotFoundException):
        ecr.describe_images(repositoryName="wire", imageIds=[{"imageTag": "9"}])
    upload = ecr.initiate_layer_upload(repositoryName="wire")["uploadId"]
    part = {"partFirstByte": 0, "partLastByte": 2, "layerPartBlob": b"\xff\x00\x01"}
    assert ecr.upload_layer_part(repositoryName="wire", uploadId=upload, **part)["lastByteReceived"] == 2


def test_tagging_covers_own_and_other_services(side: Any, client: Client) -> None:
    """One call lists what moto and the stand-in's own services have tagged; paginators end."""
    tags = [{"Key": "wire", "Value": "1"}]
    client("secretsmanager").create_secret(Name="wire", SecretString="x", Tags=tags)
    client("ecr").create_repository(repositoryName="tagged", tags=tags)
    queue = client("sqs").create_queue(QueueName="wire", tags={"wire": "2"})["QueueUrl"]
    tagging = client("resourcegroupstaggingapi")
    pages = tagging.get_paginator("get_resources").paginate(TagFilters=[{"Key": "wire"}], ResourcesPerPage=1)
    arns = [item["ResourceARN"] for page in pages for item in page["ResourceTagMappingList"]]
    assert sorted(arn.split(":")[2] for arn in arns) == ["ecr", "secretsmanager", "sqs"]
    secret = next(arn for arn in arns if "secretsmanager" in arn)
    assert tagging.tag_resources(ResourceARNList=[secret], Tags={"x": "y"})["FailedResourcesMap"] == {}
    described = client("secretsmanager").describe_secret(SecretId="wire")["Tags"]
    assert {"Key": "x", "Value": "y"} in described
    client("sqs").delete_queue(QueueUrl=queue)


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        pytest.param("ecs", "list_clusters", {}, id="json"),
        pytest.param("elbv2", "describe_load_balancers", {}, id="query"),
        pytest.param("cloudwatch", "describe_alarms", {}, id="cbor"),
        pytest.param("vpc-lattice", "list_services", {}, id="rest-json"),
        pytest.param("vpc-lattice", "create_service", {"name": "abc"}, id="rest-json with a body"),
        pytest.param("s3", "list_buckets", {}, id="rest-xml"),
        pytest.param("sqs", "list_queues", {}, id="json of moto's"),
    ],
)
def test_unsigned_calls_are_refused(
    client: Client, service: str, operation: str, params: dict[str, Any]
) -> None:
    """Without a signature it is MissingAuthenticationToken, 403, in each protocol's shape."""
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    unsigned = client(service, config=config)
    assert refused(lambda: getattr(unsigned, operation)(**params)) == ("MissingAuthenticationToken", 403)


def test_signatures_are_verified_on_demand(side: Any, client: Client) -> None:
    """With the switch on only keys that IAM gave out work, and only with their secret, in every protocol."""
    estate = side.aws.estate["credentials"]
    keys = {"aws_access_key_id": estate["accessKeyId"], "aws_secret_access_key": estate["secretAccessKey"]}
    calls = [
        ("ecs", "list_clusters", {}),
        ("elbv2", "describe_load_balancers", {}),
        ("cloudwatch", "describe_alarms", {}),
        ("vpc-lattice", "get_service", {"serviceIdentifier": "svc-00000000000000000"}),
        ("s3", "list_buckets", {}),
        ("iam", "list_users", {}),
    ]
    role = client("sts").assume_role(RoleArn=side.aws.estate["roles"]["operator"], RoleSessionName="sess")
    session = role["Credentials"]
    assumed = {
        "aws_access_key_id": session["AccessKeyId"],
        "aws_secret_access_key": session["SecretAccessKey"],
        "aws_session_token": session["SessionToken"],
    }
    assert side.control("access", {"signatures": True})["signatures"] is True
    try:
        for service, operation, params in calls:
            for good in (keys, assumed):
                try:
                    getattr(client(service, **good), operation)(**params)
                except ClientError as error:
                    assert error.response["Error"]["Code"] == "ResourceNotFoundException"  # noqa: PT017
            wrong = keys | {"aws_secret_access_key": "wrong"}
            code, status = refused(lambda: getattr(client(service, **wrong), operation)(**params))  # noqa: B023
            assert (code in {"SignatureDoesNotMatch", "InvalidSignatureException"}, status) == (True, 403)
            code, status = refused(lambda: getattr(client(service), operation)(**params))  # noqa: B023
            assert (code in {"InvalidClientTokenId", "UnrecognizedClientException"}, status) == (True, 403)
    finally:
        side.control("access", {"signatures": False})


def test_a_key_of_twelve_digits_is_an_account(client: Client) -> None:
    """Another account can be set up: its role is assumed only as its trust policy says."""
    theirs = {"aws_access_key_id": "300000000004"}
    assert client("sts", **theirs).get_caller_identity()["Account"] == "300000000004"
    client("ecs", **theirs).create_cluster(clusterName="theirs")
    assert not [arn for arn in client("ecs").list_clusters()["clusterArns"] if "theirs" in arn]
    condition = {"StringEquals": {"sts:ExternalId": "secret"}}
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "sts:AssumeRole",
        "Condition": condition,
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = client("iam", **theirs).create_role(RoleName="team", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    sts = client("sts")
    params = {"RoleArn": role, "RoleSessionName": "sess"}
    assert refused(lambda: sts.assume_role(**params)) == ("AccessDenied", 403)
    assert refused(lambda: sts.assume_role(**params, ExternalId="guess")) == ("AccessDenied", 403)
    keys = sts.assume_role(**params, ExternalId="secret")["Credentials"]
    assert keys["Expiration"].tzinfo is not None
    session = {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }
    identity = client("sts", **session).get_caller_identity()
    assert identity["Arn"] == "arn:aws:sts::300000000004:assumed-role/team/sess"
    assert client("ecs", **session).list_clusters()["clusterArns"][0].endswith(":300000000004:cluster/theirs")


def test_pass_role_by_boto3(client: Client) -> None:
    """A user without iam:PassRole cannot register a definition with a role; the simulator says so too."""
    iam = client("iam")
    user = iam.create_user(UserName="deployer")["User"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}}
    iam.put_user_policy(UserName="deployer", PolicyName="p", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="deployer")["AccessKey"]
    ecs = client("ecs", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    definition = {"family": "f", "containerDefinitions": [{"name": "a", "image": "i", "memory": 64}]}
    ecs.register_task_definition(**definition)
    role = "arn:aws:iam::300000000003:role/sandbox-task"
    with pytest.raises(ecs.exceptions.AccessDeniedException, match="iam:PassRole on resource: "):
        ecs.register_task_definition(**definition, taskRoleArn=role)
    result = iam.simulate_principal_policy(
        PolicySourceArn=user, ActionNames=["ecs:RunTask", "iam:PassRole"], ResourceArns=[role]
    )["EvaluationResults"]
    assert [item["EvalDecision"] for item in result] == ["allowed", "implicitDeny"]
