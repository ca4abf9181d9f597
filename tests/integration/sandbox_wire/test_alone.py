"""`python -m sluice_sandbox.aws` as a user starts it: endpoint first, then real HTTP through the ALB."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from integration.sandbox_servicediscovery.map_port import ask

Side = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    """Start the AWS side at twenty times real time; yield its endpoint and estate."""
    estate = tmp_path_factory.mktemp("aws") / "estate.json"
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "sluice_sandbox.aws",
        "--speed",
        "20",
        "--estate",
        str(estate),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        endpoint = process.stdout.readline().strip()
        yield endpoint, json.loads(estate.read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


def client(side: Side, service: str) -> Any:
    """Make a client with the estate's keys."""
    endpoint, estate = side
    session = boto3.session.Session(
        region_name=estate["region"],
        aws_access_key_id=estate["credentials"]["accessKeyId"],
        aws_secret_access_key=estate["credentials"]["secretAccessKey"],
    )
    return session.client(service, endpoint_url=endpoint, config=Config(retries={"total_max_attempts": 1}))


def answer(url: str, host: str) -> tuple[int, Any]:
    """Ask a listener for `host`; return status and the JSON, or the text."""
    request = urllib.request.Request(url, headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.status), json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_estate_is_there(side: Side) -> None:
    """Subnets, roles, cluster, listeners and repository are described; the keys are a user's."""
    _, estate = side
    subnets = client(side, "ec2").describe_subnets(SubnetIds=estate["subnetIds"])["Subnets"]
    zones = [(subnet["AvailabilityZone"], subnet["CidrBlock"]) for subnet in subnets]
    assert sorted(zones) == [
        ("eu-west-1a", "10.42.0.0/20"),
        ("eu-west-1b", "10.42.16.0/20"),
        ("eu-west-1c", "10.42.32.0/20"),
    ]
    assert client(side, "sts").get_caller_identity()["Arn"] == "arn:aws:iam::111122223333:user/sandbox"
    for use, arn in estate["roles"].items():
        assert client(side, "iam").get_role(RoleName=f"sandbox-{use}")["Role"]["Arn"] == arn
    clusters = client(side, "ecs").describe_clusters(clusters=["sandbox"])["clusters"]
    assert [cluster["status"] for cluster in clusters] == ["ACTIVE"]
    balancer = estate["loadBalancer"]
    listeners = client(side, "elbv2").describe_listeners(LoadBalancerArn=balancer["arn"])["Listeners"]
    assert sorted(listener["Port"] for listener in listeners) == [80, 443, 8080]
    assert client(side, "ecr").describe_repositories(repositoryNames=["sandbox"])["repositories"]


@pytest.mark.parametrize("tcp", [False, True], ids=["UDP", "TCP"])
def test_the_estate_tells_the_resolver(side: Side, *, tcp: bool) -> None:
    """It answers with the load balancer's address, where the listeners are."""
    _, estate = side
    dns = estate["dns"]
    found = ask((dns["host"], dns["port"]), estate["loadBalancer"]["dnsName"], tcp=tcp)
    assert dns["twins"] is True
    assert found.values == ["127.0.0.1"]


def test_a_service_behind_a_rule_carries_http(side: Side) -> None:
    """boto3 alone brings an image up behind a host rule: tasks run, targets are healthy, HTTP is answered."""
    _, estate = side
    elbv2, ecs = client(side, "elbv2"), client(side, "ecs")
    group = elbv2.create_target_group(
        Name="web",
        Port=8080,
        Protocol="HTTP",
        VpcId=estate["vpcId"],
        TargetType="ip",
        HealthCheckIntervalSeconds=10,
    )["TargetGroups"][0]["TargetGroupArn"]
    listener = estate["loadBalancer"]["listeners"][0]
    elbv2.create_rule(
        ListenerArn=listener["arn"],
        Priority=10,
        Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": ["web.example"]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    definition = ecs.register_task_definition(
        family="web",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        executionRoleArn=estate["roles"]["execution"],
        containerDefinitions=[
            {"name": "app", "image": "demo/web:1.2", "portMappings": [{"containerPort": 8080}]}
        ],
    )["taskDefinition"]
    ecs.create_service(
        cluster="sandbox",
        serviceName="web",
        taskDefinition=definition["taskDefinitionArn"],
        desiredCount=2,
        launchType="FARGATE",
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": estate["subnetIds"],
                "securityGroups": estate["securityGroupIds"],
            }
        },
        loadBalancers=[{"targetGroupArn": group, "containerName": "app", "containerPort": 8080}],
    )
    deadline = time.monotonic() + 30
    status, body = 0, None
    while status != 200 and time.monotonic() < deadline:
        status, body = answer(listener["url"], "web.example")
    assert status == 200, body
    assert (body["image"], body["tag"], body["revision"]) == ("demo/web:1.2", "1.2", "web:1")
    assert answer(listener["url"], "other.example")[0] == 404
    endpoint, _ = side
    with urllib.request.urlopen(f"{endpoint}/_sandbox/traffic", timeout=10) as response:
        counters = json.load(response)["counters"]
    assert "web" in json.dumps(counters)


def control(side: Side, path: str, body: object = None) -> Any:
    """Ask the control API."""
    data = json.dumps(body).encode() if body is not None else None
    with urllib.request.urlopen(f"{side[0]}/_sandbox/{path}", data=data, timeout=10) as response:
        return json.load(response)


def test_tasks_can_be_broken_by_hand(side: Side) -> None:
    """The control API lists tasks, makes an image fail, heals it, and crashes a task, which ECS replaces."""
    _, estate = side
    url = estate["loadBalancer"]["listeners"][0]["url"]
    control(
        side, "images", {"images": [{"pattern": "demo/web:*", "variables": {"SANDBOX_FAIL_PERCENT": "100"}}]}
    )
    assert answer(url, "web.example")[0] == 500
    control(side, "images", {"images": []})
    assert answer(url, "web.example")[0] == 200
    tasks = control(side, "tasks")["tasks"]
    assert {task["serviceName"] for task in tasks} == {"web"}
    crashed = tasks[0]["taskArn"]
    control(side, "tasks", {"task": crashed, "crash": 3})
    deadline = time.monotonic() + 30
    while crashed in (arns := [task["taskArn"] for task in control(side, "tasks")["tasks"]]) or len(arns) < 2:
        assert time.monotonic() < deadline


def test_a_taken_port_is_refused(side: Side, tmp_path: Path) -> None:
    """A second start on the same port ends at once with one line and exit code 1."""
    endpoint, _ = side
    command = [
        sys.executable,
        "-m",
        "sluice_sandbox.aws",
        "--no-estate",
        "--port",
        endpoint.rsplit(":", 1)[1],
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "address already in use" in done.stderr


def test_load_reports_who_answered(side: Side) -> None:
    """`load` sends its rate for its duration and tells statuses and latencies as JSON."""
    _, estate = side
    url = estate["loadBalancer"]["listeners"][2]["url"]
    command = [sys.executable, "-m", "sluice_sandbox.cli", "load", "--url", url, "--host", "a.example"]
    command += ["--path", "/x", "--rate", "50", "--duration", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    report = json.loads(done.stdout)
    assert (report["sent"], report["failed"], report["statusCodes"]) == (50, 0, {"404": 50})
    assert report["latencySeconds"]["max"] < 5
