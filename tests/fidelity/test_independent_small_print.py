"""The small print of all services: wrong combinations, empty requests, pages, defaults that one forgets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fidelity.outsider import ACCOUNT, REGION, Outsider, forward, fresh, refused
from fidelity.test_independent_ecr import manifest

GROUP = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/none/0123456789abcdef"
ECS = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}
Ask = Callable[[Outsider], Any]

REFUSED: dict[str, tuple[str, Ask]] = {
    "tasks: none": (
        "InvalidParameterException",
        lambda aws: aws.ecs.describe_tasks(cluster=aws.cluster, tasks=[]),
    ),
    "services: an unknown include": (
        "InvalidParameterException",
        lambda aws: aws.ecs.describe_services(cluster=aws.cluster, services=["a"], include=["ALL"]),
    ),
    "services: a cluster that isn't there": (
        "ClusterNotFoundException",
        lambda aws: aws.ecs.list_services(cluster="nowhere"),
    ),
    "tasks: a cluster that isn't there": (
        "ClusterNotFoundException",
        lambda aws: aws.ecs.list_tasks(cluster="nowhere"),
    ),
    "a setting that isn't there": (
        "InvalidParameterException",
        lambda aws: aws.ecs.put_account_setting(name="tea", value="enabled"),
    ),
    "rules of nothing": ("ValidationError", lambda aws: aws.elb.describe_rules()),
    "listeners of nothing": ("ValidationError", lambda aws: aws.elb.describe_listeners()),
    "balancers by name and ARN": (
        "ValidationError",
        lambda aws: aws.elb.describe_load_balancers(
            Names=["a"], LoadBalancerArns=[aws.balancer["LoadBalancerArn"]]
        ),
    ),
    "a page of 401": ("ValidationError", lambda aws: aws.elb.describe_target_groups(PageSize=401)),
    "a marker of nobody": ("ValidationError", lambda aws: aws.elb.describe_load_balancers(Marker="x")),
    "health of no group": (
        "TargetGroupNotFound",
        lambda aws: aws.elb.describe_target_health(TargetGroupArn=GROUP),
    ),
    "tags of no group": (
        "TargetGroupNotFound",
        lambda aws: aws.elb.add_tags(ResourceArns=[GROUP], Tags=[{"Key": "a", "Value": "b"}]),
    ),
    "targets of no group": (
        "TargetGroupNotFound",
        lambda aws: aws.elb.register_targets(TargetGroupArn=GROUP, Targets=[{"Id": "10.61.1.9"}]),
    ),
    "a group by a word": (
        "ValidationError",
        lambda aws: aws.elb.describe_target_groups(TargetGroupArns=["word"]),
    ),
    "a path for TCP": (
        "IncompatibleProtocols",
        lambda aws: aws.rule(
            aws.group(
                Protocol="TCP",
                HealthCheckIntervalSeconds=None,
                HealthCheckTimeoutSeconds=None,
                HealthyThresholdCount=None,
                UnhealthyThresholdCount=None,
            ),
            priority=4101,
        ),
    ),
    "a group of another VPC": (
        "InvalidConfigurationRequest",
        lambda aws: aws.rule(
            aws.group(VpcId=aws("ec2").create_vpc(CidrBlock="10.62.0.0/16")["Vpc"]["VpcId"]), priority=4102
        ),
    ),
    "a timeout longer than the interval": (
        "ValidationError",
        lambda aws: aws.elb.modify_target_group(TargetGroupArn=aws.group(), HealthCheckTimeoutSeconds=120),
    ),
    "a namespace with a space": (
        "InvalidInput",
        lambda aws: aws("servicediscovery").create_http_namespace(Name="bad name"),
    ),
    "a policy that isn't there": (
        "ObjectNotFoundException",
        lambda aws: aws("application-autoscaling").delete_scaling_policy(
            **ECS, ResourceId="service/a/b", PolicyName="p"
        ),
    ),
    "a schedule without a target": (
        "ObjectNotFoundException",
        lambda aws: aws("application-autoscaling").put_scheduled_action(
            **ECS, ResourceId="service/a/b", ScheduledActionName="s", Schedule="rate(5 minutes)"
        ),
    ),
    "a dimension of another service": (
        "ValidationException",
        lambda aws: aws("application-autoscaling").register_scalable_target(
            ServiceNamespace="ecs",
            ScalableDimension="dynamodb:table:ReadCapacityUnits",
            ResourceId="service/a/b",
            MinCapacity=1,
            MaxCapacity=2,
        ),
    ),
    "a time that runs backwards": (
        "InvalidParameterValue",
        lambda aws: aws("cloudwatch").get_metric_statistics(
            Namespace="a", MetricName="b", StartTime=10, EndTime=5, Period=60, Statistics=["Sum"]
        ),
    ),
    "metrics in AWS's own namespace": (
        "InvalidParameterValue",
        lambda aws: aws("cloudwatch").put_metric_data(
            Namespace="AWS/ECS", MetricData=[{"MetricName": "m", "Value": 1}]
        ),
    ),
    "a composite alarm of nobody": (
        "ValidationError",
        lambda aws: aws("cloudwatch").put_composite_alarm(AlarmName=fresh("c"), AlarmRule='ALARM("ghost")'),
    ),
    "a digest that isn't the manifest's": (
        "ImageDigestDoesNotMatchException",
        lambda aws: aws("ecr").put_image(
            repositoryName=_repository(aws), imageManifest=manifest(), imageDigest=f"sha256:{'0' * 64}"
        ),
    ),
    "a tag with a space": (
        "InvalidParameterException",
        lambda aws: aws("ecr").put_image(
            repositoryName=_repository(aws), imageManifest=manifest(), imageTag="a b"
        ),
    ),
}


def _repository(aws: Outsider) -> str:
    """Create a repository; answer its name."""
    name = fresh("repo")
    aws("ecr").create_repository(repositoryName=name)
    return name


@pytest.mark.parametrize("case", list(REFUSED))
def test_refused(aws: Outsider, case: str) -> None:
    """Each of these requests is refused with the code that its service names for it."""
    code, ask = REFUSED[case]
    with refused(code):
        ask(aws)


def test_external_service_needs_its_name_alone(aws: Outsider) -> None:
    """With the EXTERNAL controller the only required parameter is the service's name, says the reference."""
    made = aws.ecs.create_service(
        cluster=aws.cluster, serviceName=fresh("ext"), deploymentController={"type": "EXTERNAL"}
    )["service"]
    assert made["desiredCount"] == 0


def test_inactive_definition_still_serves_its_service(aws: Outsider) -> None:
    """A service keeps a definition that was deregistered: it can be scaled; no lone task runs of it."""
    arn = aws.register()
    name = aws.service(taskDefinition=arn)["serviceName"]
    aws.ecs.deregister_task_definition(taskDefinition=arn)
    scaled = aws.ecs.update_service(cluster=aws.cluster, service=name, desiredCount=1)["service"]
    assert (scaled["desiredCount"], scaled["taskDefinition"]) == (1, arn)
    with refused("ClientException", says="TaskDefinition is inactive"):
        aws.ecs.run_task(
            cluster=aws.cluster, taskDefinition=arn, launchType="FARGATE", networkConfiguration=aws.network
        )
    with refused("ClientException", says="Unable to describe task definition."):
        aws.ecs.describe_task_definition(taskDefinition=arn.rsplit("/", 1)[1].split(":")[0])
    aws.ecs.delete_service(cluster=aws.cluster, service=name, force=True)


def test_advanced_configuration_is_kept_by_a_rolling_service(aws: Outsider) -> None:
    """Names made up elsewhere are kept: a role of another account, a VPC Lattice group, an alarm."""
    group = f"arn:aws:vpc-lattice:{REGION}:{ACCOUNT}:targetgroup/tg-0123456789abcdef0"
    made = aws.service(
        vpcLatticeConfigurations=[
            {"roleArn": "arn:aws:iam::123456789012:role/lattice", "targetGroupArn": group, "portName": "http"}
        ],
        deploymentConfiguration={"alarms": {"alarmNames": ["nobody"], "enable": True, "rollback": True}},
    )
    assert made["deployments"][0]["vpcLatticeConfigurations"][0]["targetGroupArn"] == group
    assert made["deploymentConfiguration"]["alarms"]["alarmNames"] == ["nobody"]


def test_weights_have_defaults(aws: Outsider) -> None:
    """A group without a weight has 1; all weights may be 0; stickiness that is off needs no duration."""
    first, second = aws.attached(), aws.attached()
    action = {
        "Type": "forward",
        "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": first}, {"TargetGroupArn": second}]},
    }
    made = aws.elb.create_rule(
        ListenerArn=aws.listener,
        Priority=4103,
        Conditions=[{"Field": "path-pattern", "Values": ["/defaults"]}],
        Actions=[action],
    )["Rules"][0]
    weights = [each["Weight"] for each in made["Actions"][0]["ForwardConfig"]["TargetGroups"]]
    assert weights == [1, 1]
    nothing = forward({first: 0, second: 0})
    nothing["ForwardConfig"]["TargetGroupStickinessConfig"] = {"Enabled": False}
    changed = aws.elb.modify_rule(RuleArn=made["RuleArn"], Actions=[nothing])["Rules"][0]
    assert [each["Weight"] for each in changed["Actions"][0]["ForwardConfig"]["TargetGroups"]] == [0, 0]


def test_accounts_are_apart(aws: Outsider) -> None:
    """An access key of twelve digits is an account of its own, which sees nothing of the others."""
    other = Outsider(aws.endpoint, key="222222222222")
    assert other("sts").get_caller_identity()["Account"] == "222222222222"
    name = fresh("mine")
    arn = other.ecs.create_cluster(clusterName=name)["cluster"]["clusterArn"]
    assert arn == f"arn:aws:ecs:{REGION}:222222222222:cluster/{name}"
    assert aws.ecs.describe_clusters(clusters=[name])["clusters"] == []
    with refused("ClusterNotFoundException"):
        other.ecs.list_services(cluster=aws.cluster)


def test_what_is_not_modelled_says_so(aws: Outsider) -> None:
    """An operation that isn't modelled is refused by name, and never answered with an empty success."""
    with pytest.raises(ClientError, match="ListDaemons"):
        aws.ecs.list_daemons()
