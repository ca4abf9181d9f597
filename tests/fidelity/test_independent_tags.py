"""The tagging API finds every service's resources."""

from __future__ import annotations

import pytest

from fidelity.outsider import ACCOUNT, REGION, Outsider, forward, fresh, until


def tagged(aws: Outsider, kind: str, key: str) -> str:
    """Make a resource of a kind with a tag; answer its ARN."""
    upper = [{"Key": key, "Value": "v"}]
    lower = [{"key": key, "value": "v"}]
    makers = {
        "ecs:service": lambda: aws.service(tags=lower)["serviceArn"],
        "ecs:cluster": lambda: aws.ecs.create_cluster(clusterName=fresh("c"), tags=lower)["cluster"][
            "clusterArn"
        ],
        "ecs:task-definition": lambda: aws.register(tags=lower),
        "elasticloadbalancing:targetgroup": lambda: aws.group(Tags=upper),
        "elasticloadbalancing:listener-rule/app": lambda: aws.elb.create_rule(
            ListenerArn=aws.listener,
            Priority=int(fresh("p").rsplit("-", 1)[1]) + 40000,
            Conditions=[{"Field": "path-pattern", "Values": [f"/{key}"]}],
            Actions=[forward(aws.group())],
            Tags=upper,
        )["Rules"][0]["RuleArn"],
        "servicediscovery:namespace": lambda: _namespace(aws, upper),
        "cloudwatch:alarm": lambda: _alarm(aws, upper),
        "secretsmanager:secret": lambda: aws("secretsmanager").create_secret(
            Name=fresh("s"), SecretString="x", Tags=upper
        )["ARN"],
        "sqs": lambda: _queue(aws, key),
    }
    arn: str = makers[kind]()
    return arn


def _namespace(aws: Outsider, tags: list[dict[str, str]]) -> str:
    """Create a namespace with tags."""
    cloudmap = aws("servicediscovery")
    operation = cloudmap.create_http_namespace(Name=fresh("ns"), Tags=tags)["OperationId"]
    done = until(
        lambda: cloudmap.get_operation(OperationId=operation)["Operation"],
        lambda found: found["Status"] == "SUCCESS",
    )
    arn: str = cloudmap.get_namespace(Id=done["Targets"]["NAMESPACE"])["Namespace"]["Arn"]
    return arn


def _alarm(aws: Outsider, tags: list[dict[str, str]]) -> str:
    """Put an alarm with tags."""
    name = fresh("alarm")
    aws("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="n",
        MetricName="m",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        Tags=tags,
    )
    return f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"


def _queue(aws: Outsider, key: str) -> str:
    """Create a queue with a tag."""
    url = aws("sqs").create_queue(QueueName=fresh("q"), tags={key: "v"})["QueueUrl"]
    arn: str = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    return arn


KINDS = [
    "ecs:service",
    "ecs:cluster",
    "ecs:task-definition",
    "elasticloadbalancing:targetgroup",
    "elasticloadbalancing:listener-rule/app",
    "servicediscovery:namespace",
    "cloudwatch:alarm",
    "secretsmanager:secret",
    "sqs",
]


@pytest.mark.parametrize("kind", KINDS)
def test_resource_is_found_by_its_tag(aws: Outsider, kind: str) -> None:
    """GetResources finds a resource by tag and type, with its tags."""
    key = fresh("k")
    arn = tagged(aws, kind, key)
    answer = aws("resourcegroupstaggingapi").get_resources(
        TagFilters=[{"Key": key, "Values": ["v"]}], ResourceTypeFilters=[kind.split("/", maxsplit=1)[0]]
    )
    assert answer["ResourceTagMappingList"] == [{"ResourceARN": arn, "Tags": [{"Key": key, "Value": "v"}]}]
    assert answer["PaginationToken"] == ""


def test_resources_page(aws: Outsider) -> None:
    """ResourcesPerPage and PaginationToken walk through."""
    key = fresh("k")
    made = {tagged(aws, "ecs:cluster", key) for _ in range(3)}
    api = aws("resourcegroupstaggingapi")
    first = api.get_resources(TagFilters=[{"Key": key}], ResourcesPerPage=2)
    rest = api.get_resources(
        TagFilters=[{"Key": key}], ResourcesPerPage=2, PaginationToken=first["PaginationToken"]
    )
    pages = [first["ResourceTagMappingList"], rest["ResourceTagMappingList"]]
    assert [len(page) for page in pages] == [2, 1]
    assert {each["ResourceARN"] for page in pages for each in page} == made
    assert rest["PaginationToken"] == ""
