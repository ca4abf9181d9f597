"""Elastic Load Balancing as a program sees it: real boto3 against `python -m sluice_sandbox.aws`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

NOT_FOUND = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
PATH = [{"Field": "path-pattern", "Values": ["/*"]}]


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Start the AWS side at its default pace; yield its estate with its endpoint."""
    file = tmp_path_factory.mktemp("elbv2") / "estate.json"
    command = [sys.executable, "-W", "error", "-m", "sluice_sandbox.aws", "--estate", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        endpoint = process.stdout.readline().strip()
        yield json.loads(Path(file).read_text()) | {"endpoint": endpoint}
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


@pytest.fixture(scope="module")
def elb(estate: dict[str, Any]) -> Any:
    """Return a client with the estate's keys, which never retries."""
    session = boto3.session.Session(
        region_name=estate["region"],
        aws_access_key_id=estate["credentials"]["accessKeyId"],
        aws_secret_access_key=estate["credentials"]["secretAccessKey"],
    )
    return session.client(
        "elbv2", endpoint_url=estate["endpoint"], config=Config(retries={"total_max_attempts": 1})
    )


def refused(call: Callable[[], object]) -> tuple[str, int]:
    """Return code and HTTP status of a call that must be refused."""
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    assert response["Error"]["Message"]
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def _balancer(elb: Any, estate: dict[str, Any], name: str, **params: Any) -> dict[str, Any]:
    made = elb.create_load_balancer(Name=name, Subnets=estate["subnetIds"], **params)
    return dict(made["LoadBalancers"][0])


def _group(elb: Any, estate: dict[str, Any], name: str, **params: Any) -> str:
    wanted = {"Protocol": "HTTP", "Port": 8080, "VpcId": estate["vpcId"], "TargetType": "ip"} | params
    return str(elb.create_target_group(Name=name, **wanted)["TargetGroups"][0]["TargetGroupArn"])


def test_creates_are_idempotent_and_names_unique(elb: Any, estate: dict[str, Any]) -> None:
    """The same settings return the same resource, others the Duplicate error of its kind."""
    balancer = _balancer(elb, estate, "same")
    assert _balancer(elb, estate, "same")["LoadBalancerArn"] == balancer["LoadBalancerArn"]
    assert refused(lambda: _balancer(elb, estate, "same", Scheme="internal")) == (
        "DuplicateLoadBalancerName",
        400,
    )
    group = _group(elb, estate, "same")
    assert _group(elb, estate, "same") == group
    assert refused(lambda: _group(elb, estate, "same", Port=81)) == ("DuplicateTargetGroupName", 400)

    def listen(**params: Any) -> dict[str, Any]:
        wanted = {"LoadBalancerArn": balancer["LoadBalancerArn"], "Port": 80, "Protocol": "HTTP"} | params
        return dict(elb.create_listener(**wanted)["Listeners"][0])

    listener = listen(DefaultActions=[NOT_FOUND])
    assert listen(DefaultActions=[NOT_FOUND])["ListenerArn"] == listener["ListenerArn"]
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    assert refused(lambda: listen(DefaultActions=forward)) == ("DuplicateListener", 400)


def test_a_load_balancer_becomes_available_for_the_waiter(elb: Any, estate: dict[str, Any]) -> None:
    """Provisioning at first, active for boto3's own waiter soon after."""
    balancer = _balancer(elb, estate, "waited")
    assert balancer["State"]["Code"] == "provisioning"
    assert balancer["Scheme"] == "internet-facing"
    assert len(balancer["SecurityGroups"]) == 1
    waiter = elb.get_waiter("load_balancer_available")
    waiter.wait(LoadBalancerArns=[balancer["LoadBalancerArn"]], WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
    elb.get_waiter("load_balancers_deleted").wait(
        LoadBalancerArns=[balancer["LoadBalancerArn"]], WaiterConfig={"Delay": 1, "MaxAttempts": 5}
    )


def test_weights_priorities_and_association_over_the_wire(elb: Any, estate: dict[str, Any]) -> None:
    """Weights are kept, swaps allowed, conflicts refused; a group knows its load balancer while used."""
    balancer = _balancer(elb, estate, "rules")["LoadBalancerArn"]
    one, two = _group(elb, estate, "rules-one"), _group(elb, estate, "rules-two")
    [made] = elb.create_listener(
        LoadBalancerArn=balancer, Port=80, Protocol="HTTP", DefaultActions=[NOT_FOUND]
    )["Listeners"]
    listener = made["ListenerArn"]
    weighted = {
        "Type": "forward",
        "ForwardConfig": {
            "TargetGroups": [
                {"TargetGroupArn": one, "Weight": 95},
                {"TargetGroupArn": two, "Weight": 5},
            ],
            "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60},
        },
    }
    arns = [
        elb.create_rule(ListenerArn=listener, Priority=priority, Conditions=PATH, Actions=[weighted])[
            "Rules"
        ][0]["RuleArn"]
        for priority in (20, 10)
    ]
    rules = elb.describe_rules(ListenerArn=listener)["Rules"]
    assert [rule["Priority"] for rule in rules] == ["10", "20", "default"]
    assert rules[0]["Actions"][0]["ForwardConfig"] == weighted["ForwardConfig"]
    swap = [{"RuleArn": arns[0], "Priority": 10}, {"RuleArn": arns[1], "Priority": 20}]
    elb.set_rule_priorities(RulePriorities=swap)
    conflict = [{"RuleArn": arns[0], "Priority": 20}]
    assert refused(lambda: elb.set_rule_priorities(RulePriorities=conflict)) == ("PriorityInUse", 400)
    assert refused(lambda: elb.delete_rule(RuleArn=rules[2]["RuleArn"])) == ("OperationNotPermitted", 400)
    assert refused(lambda: elb.delete_target_group(TargetGroupArn=one)) == ("ResourceInUse", 400)
    used = elb.describe_target_groups(LoadBalancerArn=balancer)["TargetGroups"]
    assert sorted(item["TargetGroupArn"] for item in used) == sorted([one, two])
    for arn in arns:
        elb.delete_rule(RuleArn=arn)
    [group] = elb.describe_target_groups(TargetGroupArns=[one])["TargetGroups"]
    assert group["LoadBalancerArns"] == []
    elb.delete_target_group(TargetGroupArn=one)
    elb.delete_target_group(TargetGroupArn=one)


def _until(read: Callable[[], str], wanted: str, *, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while (seen := read()) != wanted:
        assert time.monotonic() < deadline, f"still {seen}, not {wanted}"
        time.sleep(0.2)


def test_targets_over_the_wire(elb: Any, estate: dict[str, Any]) -> None:
    """A target is address and port; unused, then unhealthy as nobody listens, then draining."""
    group = _group(elb, estate, "targets", HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2)
    targets = [{"Id": "10.42.0.50", "Port": 9000}, {"Id": "10.42.0.50", "Port": 9001}]
    elb.register_targets(TargetGroupArn=group, Targets=targets)

    def shown() -> list[dict[str, Any]]:
        return list(elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"])

    assert [item["Target"]["Port"] for item in shown()] == [9000, 9001]
    assert shown()[0]["TargetHealth"]["Reason"] == "Target.NotInUse"
    balancer = _balancer(elb, estate, "targets")["LoadBalancerArn"]
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    elb.create_listener(LoadBalancerArn=balancer, Port=81, Protocol="HTTP", DefaultActions=forward)
    assert shown()[0]["TargetHealth"]["State"] == "initial"
    _until(lambda: str(shown()[0]["TargetHealth"]["State"]), "unhealthy")
    assert shown()[0]["TargetHealth"]["Reason"] == "Target.FailedHealthChecks"
    elb.deregister_targets(TargetGroupArn=group, Targets=[*targets[:1], {"Id": "10.42.0.51"}])
    assert shown()[0]["TargetHealth"]["State"] == "draining"
    outside = [{"Id": "8.8.8.8"}]
    assert refused(lambda: elb.register_targets(TargetGroupArn=group, Targets=outside)) == (
        "InvalidTarget",
        400,
    )


def test_pages_over_the_wire(elb: Any, estate: dict[str, Any]) -> None:
    """boto3's paginator finds every target group once, two at a time."""
    made = {_group(elb, estate, f"page-{number}") for number in range(5)}
    pages = elb.get_paginator("describe_target_groups").paginate(PaginationConfig={"PageSize": 2})
    found = [item["TargetGroupArn"] for page in pages for item in page["TargetGroups"]]
    assert len(found) == len(set(found))
    assert made <= set(found)


def test_tags_over_the_wire(elb: Any, estate: dict[str, Any]) -> None:
    """Fifty tags are fine, the fifty-first is not; a key twice in one call is not either."""
    group = _group(elb, estate, "tags")
    tags = [{"Key": f"k{number}", "Value": "v"} for number in range(50)]
    elb.add_tags(ResourceArns=[group], Tags=tags)
    one_more = [{"Key": "more", "Value": "v"}]
    assert refused(lambda: elb.add_tags(ResourceArns=[group], Tags=one_more)) == ("TooManyTags", 400)
    twice = [{"Key": "k1", "Value": "a"}, {"Key": "k1", "Value": "b"}]
    assert refused(lambda: elb.add_tags(ResourceArns=[group], Tags=twice)) == ("DuplicateTagKeys", 400)
    elb.remove_tags(ResourceArns=[group], TagKeys=["k1"])
    [described] = elb.describe_tags(ResourceArns=[group])["TagDescriptions"]
    assert len(described["Tags"]) == 49


REFUSED: dict[str, tuple[Callable[[Any, dict[str, Any]], object], str]] = {
    "one-subnet": (
        lambda elb, estate: elb.create_load_balancer(Name="x", Subnets=estate["subnetIds"][:1]),
        "ValidationError",
    ),
    "33-characters": (lambda elb, estate: _balancer(elb, estate, "x" * 33), "ValidationError"),
    "internal-": (lambda elb, estate: _balancer(elb, estate, "internal-x"), "ValidationError"),
    "no-subnet": (
        lambda elb, _: elb.create_load_balancer(Name="x", Subnets=["subnet-0", "subnet-1"]),
        "SubnetNotFound",
    ),
    "no-security-group": (
        lambda elb, estate: _balancer(elb, estate, "x", SecurityGroups=["sg-0"]),
        "InvalidSecurityGroup",
    ),
    "port-70000": (lambda elb, estate: _group(elb, estate, "x", Port=70_000), "ValidationError"),
    "unknown-names": (lambda elb, _: elb.describe_load_balancers(Names=["x", "y"]), "LoadBalancerNotFound"),
    "priority-50001": (
        lambda elb, estate: elb.create_rule(
            ListenerArn=estate["loadBalancer"]["listeners"][0]["arn"],
            Priority=50_001,
            Conditions=PATH,
            Actions=[NOT_FOUND],
        ),
        "ValidationError",
    ),
    "no-certificate": (
        lambda elb, estate: elb.create_listener(
            LoadBalancerArn=estate["loadBalancer"]["arn"],
            Port=444,
            Protocol="HTTPS",
            DefaultActions=[NOT_FOUND],
        ),
        "ValidationError",
    ),
    "page-size": (lambda elb, _: elb.describe_target_groups(PageSize=401), "ValidationError"),
    "delay": (
        lambda elb, estate: elb.modify_target_group_attributes(
            TargetGroupArn=_group(elb, estate, "delay"),
            Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "4000"}],
        ),
        "ValidationError",
    ),
    "ip-pools": (
        lambda elb, estate: elb.modify_ip_pools(
            LoadBalancerArn=estate["loadBalancer"]["arn"], IpamPools={"Ipv4IpamPoolId": "ipam-pool-0"}
        ),
        "InvalidConfigurationRequest",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_over_the_wire(elb: Any, estate: dict[str, Any], name: str) -> None:
    """boto3 raises ClientError with AWS's code, HTTP status 400 and a message."""
    call, code = REFUSED[name]
    # Lengths and ranges of the model are the server's to refuse, so boto3 must not do it first.
    unchecked = boto3.session.Session(
        region_name=estate["region"], aws_access_key_id="AKIASANDBOX", aws_secret_access_key="x"
    ).client(
        "elbv2",
        endpoint_url=estate["endpoint"],
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )
    assert refused(lambda: call(unchecked, estate)) == (code, 400)


def test_traffic_is_read_back_from_cloudwatch(elb: Any, estate: dict[str, Any]) -> None:
    """Requests through the listener's socket are AWS/ApplicationELB metrics for GetMetricStatistics."""
    cloudwatch = boto3.session.Session(
        region_name=estate["region"], aws_access_key_id="AKIASANDBOX", aws_secret_access_key="x"
    ).client("cloudwatch", endpoint_url=estate["endpoint"])
    balancer = _balancer(elb, estate, "measured")["LoadBalancerArn"]
    made = elb.create_listener(LoadBalancerArn=balancer, Port=83, Protocol="HTTP", DefaultActions=[NOT_FOUND])
    listener = made["Listeners"][0]["ListenerArn"]
    with urllib.request.urlopen(f"{estate['endpoint']}/_sandbox/listeners", timeout=10) as response:
        url = json.load(response)["listeners"][listener]
    for _ in range(5):
        with pytest.raises(urllib.error.HTTPError, match="404") as caught:
            urllib.request.urlopen(url, timeout=10)
        caught.value.close()
    now = datetime.now(UTC)

    def total(metric: str) -> float:
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/ApplicationELB",
            MetricName=metric,
            Dimensions=[{"Name": "LoadBalancer", "Value": balancer.partition("loadbalancer/")[2]}],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=5),
            Period=60,
            Statistics=["Sum"],
        )["Datapoints"]
        return float(sum(point["Sum"] for point in points))

    assert total("HTTP_Fixed_Response_Count") == 5
    assert total("HTTPCode_ELB_4XX_Count") == 5
    assert total("NewConnectionCount") == 5
