"""Pages and waiters as a client of these services has them, walked from outside with pages of one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fidelity.outsider import Outsider, fresh, until
from fidelity.test_independent_cloud_map import http, put, service
from fidelity.test_independent_cloudwatch import alarm
from fidelity.test_independent_ecr import manifest
from fidelity.test_independent_elbv2_routing import route
from fidelity.test_independent_lattice import group as lattice_group
from fidelity.test_independent_scaling import target

QUICK = {"Delay": 1, "MaxAttempts": 60}
Make = Callable[[Outsider], dict[str, Any]]
"""Makes two of something; answers the parameters that list them."""


def two(make: Callable[[Outsider], Any], **params: Any) -> Make:
    """Answer a maker that calls `make` twice."""

    def made(aws: Outsider) -> dict[str, Any]:
        for _ in range(2):
            make(aws)
        return params

    return made


def instances(aws: Outsider) -> dict[str, Any]:
    """Register two instances of a Cloud Map service."""
    identity: str = service(aws, http(aws))["Id"]
    for name in ("a", "b"):
        put(aws, identity, name)
    return {"ServiceId": identity}


def images(aws: Outsider) -> dict[str, Any]:
    """Push two images."""
    name = fresh("repo")
    aws("ecr").create_repository(repositoryName=name)
    for tag in ("a", "b"):
        aws("ecr").put_image(repositoryName=name, imageManifest=manifest(tag), imageTag=tag)
    return {"repositoryName": name}


def rules(aws: Outsider) -> dict[str, Any]:
    """Make a rule beside the default one."""
    route(aws)
    return {"ListenerArn": aws.listener}


def listeners(aws: Outsider) -> dict[str, Any]:
    """Make a second listener."""
    aws.elb.create_listener(
        LoadBalancerArn=aws.balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=8199,
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )
    return {"LoadBalancerArn": aws.balancer["LoadBalancerArn"]} if aws.listener else {}


def policies(aws: Outsider) -> dict[str, Any]:
    """Put two step policies on a target."""
    dimension = target(aws)
    for name in ("a", "b"):
        aws("application-autoscaling").put_scaling_policy(
            **dimension,
            PolicyName=name,
            PolicyType="StepScaling",
            StepScalingPolicyConfiguration={
                "AdjustmentType": "ChangeInCapacity",
                "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
            },
        )
    return {"ServiceNamespace": "ecs", "ResourceId": dimension["ResourceId"]}


def schedules(aws: Outsider) -> dict[str, Any]:
    """Put two scheduled actions on a target."""
    dimension = target(aws)
    for name in ("a", "b"):
        aws("application-autoscaling").put_scheduled_action(
            **dimension,
            ScheduledActionName=name,
            Schedule="rate(1 hour)",
            ScalableTargetAction={"MinCapacity": 0},
        )
    return {"ServiceNamespace": "ecs", "ResourceId": dimension["ResourceId"]}


def history(aws: Outsider) -> dict[str, Any]:
    """Make an alarm and set its state."""
    name = alarm(aws)
    aws("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a check")
    return {"AlarmName": name}


def tagged(aws: Outsider) -> dict[str, Any]:
    """Tag two clusters with a key of their own."""
    key = fresh("key")
    for _ in range(2):
        aws.ecs.create_cluster(clusterName=fresh("c"), tags=[{"key": key, "value": "v"}])
    return {"TagFilters": [{"Key": key}]}


def with_metric(aws: Outsider) -> None:
    """Put a datum of a metric of its own."""
    aws("cloudwatch").put_metric_data(Namespace="Pages", MetricData=[{"MetricName": fresh("m"), "Value": 1}])


PAGES: dict[tuple[str, str], tuple[str, Make]] = {
    ("elbv2", "describe_load_balancers"): (
        "LoadBalancers",
        two(
            lambda aws: aws.elb.create_load_balancer(
                Name=fresh("l"), Subnets=aws.subnets, SecurityGroups=[aws.security_group]
            )
        ),
    ),
    ("elbv2", "describe_target_groups"): ("TargetGroups", two(lambda aws: aws.group())),
    ("elbv2", "describe_listeners"): ("Listeners", listeners),
    ("elbv2", "describe_rules"): ("Rules", rules),
    ("elbv2", "describe_ssl_policies"): ("SslPolicies", two(lambda aws: None)),
    ("elbv2", "describe_account_limits"): ("Limits", two(lambda aws: None)),
    ("servicediscovery", "list_namespaces"): ("Namespaces", two(http)),
    ("servicediscovery", "list_services"): ("Services", two(lambda aws: service(aws, http(aws)))),
    ("servicediscovery", "list_instances"): ("Instances", instances),
    ("servicediscovery", "list_operations"): ("Operations", two(http)),
    ("application-autoscaling", "describe_scalable_targets"): (
        "ScalableTargets",
        two(target, ServiceNamespace="ecs"),
    ),
    ("application-autoscaling", "describe_scaling_policies"): ("ScalingPolicies", policies),
    ("application-autoscaling", "describe_scheduled_actions"): ("ScheduledActions", schedules),
    ("cloudwatch", "describe_alarms"): ("MetricAlarms", two(alarm)),
    ("cloudwatch", "describe_alarm_history"): ("AlarmHistoryItems", history),
    ("ecr", "list_images"): ("imageIds", images),
    ("ecr", "describe_images"): ("imageDetails", images),
    ("ecr", "describe_repositories"): ("repositories", two(images)),
    ("resourcegroupstaggingapi", "get_resources"): ("ResourceTagMappingList", tagged),
    ("vpc-lattice", "list_services"): (
        "items",
        two(lambda aws: aws("vpc-lattice").create_service(name=fresh("s"))),
    ),
    ("vpc-lattice", "list_target_groups"): ("items", two(lattice_group)),
}
FILTERED = {"resourcegroupstaggingapi", "ecr"}
"""Where a page may hold fewer than were asked for, or the token has no documented refusal."""


Listed = Callable[[tuple[str, str]], dict[str, Any]]


@pytest.fixture(scope="module")
def listed(aws: Outsider) -> Listed:
    """Make what an operation lists, once for all checks; answer its parameters."""
    return cache(lambda what: PAGES[what][1](aws))


@pytest.mark.parametrize("what", PAGES, ids=" ".join)
def test_pages(aws: Outsider, listed: Listed, what: tuple[str, str]) -> None:
    """Pages of one hold each thing once, and together what one page holds."""
    name, operation = what
    member = PAGES[what][0]
    client = aws(name)
    params = listed(what)
    pages = list(client.get_paginator(operation).paginate(**params, PaginationConfig={"PageSize": 1}))
    assert all(len(page[member]) <= 1 for page in pages)
    walked = [item for page in pages for item in page[member]]
    whole = [item for page in client.get_paginator(operation).paginate(**params) for item in page[member]]
    assert len(walked) == len(whole) >= 2
    assert all(walked.count(item) == whole.count(item) for item in walked if "Status" not in item)


@pytest.mark.parametrize("what", [what for what in PAGES if what[0] not in FILTERED], ids=" ".join)
def test_token_of_nobody(aws: Outsider, listed: Listed, what: tuple[str, str]) -> None:
    """A token that no page gave out is refused."""
    name, operation = what
    client = aws(name)
    token = client.get_paginator(operation)._input_token[0]
    with pytest.raises(ClientError) as caught:
        getattr(client, operation)(**listed(what), **{token: "none"})
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert caught.value.response["Error"]["Message"]


def test_metrics_page(aws: Outsider) -> None:
    """ListMetrics has no page size of its own; its paginator walks what is there once."""
    two(with_metric)(aws)
    pages = aws("cloudwatch").get_paginator("list_metrics").paginate(Namespace="Pages")
    names = [metric["MetricName"] for page in pages for metric in page["Metrics"]]
    assert len(names) == len(set(names)) >= 2


def test_waiters_of_the_load_balancer(aws: Outsider) -> None:
    """Available, existing and deleted load balancers, and a target that is gone, end their waiters."""
    made = aws.elb.create_load_balancer(
        Name=fresh("l"), Subnets=aws.subnets, SecurityGroups=[aws.security_group]
    )["LoadBalancers"][0]
    named = {"LoadBalancerArns": [made["LoadBalancerArn"]], "WaiterConfig": QUICK}
    aws.elb.get_waiter("load_balancer_available").wait(**named)
    aws.elb.get_waiter("load_balancer_exists").wait(**named)
    aws.elb.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])
    aws.elb.get_waiter("load_balancers_deleted").wait(**named)
    targets = {"TargetGroupArn": aws.group(), "Targets": [{"Id": "10.61.1.9"}]}
    aws.elb.register_targets(**targets)
    aws.elb.deregister_targets(**targets)
    aws.elb.get_waiter("target_deregistered").wait(**targets, WaiterConfig=QUICK)


def test_waiters_of_alarms(aws: Outsider) -> None:
    """An alarm that is there ends its waiter; a composite one must be asked for by its type."""
    name, whole = alarm(aws), fresh("composite")
    cloudwatch = aws("cloudwatch")
    cloudwatch.put_composite_alarm(AlarmName=whole, AlarmRule=f'ALARM("{name}")')
    cloudwatch.get_waiter("alarm_exists").wait(AlarmNames=[name], WaiterConfig=QUICK)
    cloudwatch.get_waiter("composite_alarm_exists").wait(
        AlarmNames=[whole], AlarmTypes=["CompositeAlarm"], WaiterConfig=QUICK
    )
    assert cloudwatch.describe_alarms(AlarmNames=[whole])["CompositeAlarms"] == []
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a check")
    until(
        lambda: cloudwatch.describe_alarms(AlarmNames=[whole], AlarmTypes=["CompositeAlarm"]),
        lambda found: found["CompositeAlarms"][0]["StateValue"] == "ALARM",
    )
