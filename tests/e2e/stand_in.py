"""The AWS stand-in as a process of its own, seen by a person with boto3 and by its control API."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from sluice.model import ownership
from sluice_sandbox.aws.record import is_read
from sluice_sandbox.demo.stage import end

SPEED = 5
"""World seconds per real second: tasks start and drain five times as fast as on AWS's own time."""


class StandIn:
    """Everything about AWS in one world."""

    def __init__(self, folder: Path, *, speed: int = SPEED) -> None:
        """Start it; it also ends with this process, whatever end that is."""
        file = folder / "estate.json"
        command = [sys.executable, "-P", "-m", "sluice_sandbox.aws", "--estate", str(file)]
        with (folder / "aws.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--speed", str(speed), "--end-with-stdin"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._file = file
        self.endpoint = ""
        self.estate: dict[str, Any] = {}

    def wait_until_ready(self) -> None:
        """Wait until it has told its endpoint; only then can it be used."""
        assert self._process.stdout is not None
        self.endpoint = self._process.stdout.readline().decode().strip()
        assert self.endpoint.startswith("http"), "the stand-in did not start; its log is beside its estate"
        self.estate = json.loads(self._file.read_text(encoding="utf-8"))
        self.ecs, self.elb = self.client("ecs"), self.client("elbv2")

    def stop(self) -> None:
        """End it."""
        if self.endpoint:
            self.ecs.close()
            self.elb.close()
        end(self._process)

    def client(self, service: str) -> Any:
        """Return a boto3 client of the person."""
        keys = self.estate["credentials"]
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=self.estate["region"],
            aws_access_key_id=keys["accessKeyId"],
            aws_secret_access_key=keys["secretAccessKey"],
        )

    def user(self, name: str) -> tuple[str, dict[str, str]]:
        """Make an IAM user; return its ARN, as calls are recorded, and its keys as environment."""
        iam = self.client("iam")
        arn = str(iam.create_user(UserName=name)["User"]["Arn"])
        key = iam.create_access_key(UserName=name)["AccessKey"]
        iam.close()
        secret = key["SecretAccessKey"]
        return arn, {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": secret}

    # The estate.

    @property
    def cluster(self) -> str:
        """The ECS cluster's name."""
        return str(self.estate["cluster"]["name"])

    def listener(self, port: int) -> str:
        """Return the ARN of the load balancer's listener on a port."""
        return str(self._listener(port)["arn"])

    def url(self, port: int) -> str:
        """Return where that listener answers on this machine."""
        return str(self._listener(port)["url"])

    def _listener(self, port: int) -> dict[str, Any]:
        listeners = self.estate["loadBalancer"]["listeners"]
        return next(dict(listener) for listener in listeners if listener["port"] == port)

    # What was asked of it.

    def control(self, path: str, body: object = None, *, method: str = "") -> dict[str, Any]:
        """Ask the control API under /_sandbox/."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.endpoint}/_sandbox/{path}", data=data, method=method or ("POST" if data else "GET")
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return dict(json.load(answer))

    def calls_made(self) -> int:
        """Return the number of the last recorded call."""
        return int(self.control("calls?limit=1")["total"])

    def calls(self, *, since: int = 0, operation: str = "*") -> list[dict[str, Any]]:
        """Return the recorded calls, oldest first."""
        answer = self.control(f"calls?since={since}&operation={operation}&limit=50000")
        return list(answer["calls"])

    def writes(self, *, since: int = 0, principal: str = "") -> list[dict[str, Any]]:
        """Return the calls that changed something, those of one principal when it is given."""
        return [
            call
            for call in self.calls(since=since)
            if call["service"] in ("ecs", "elbv2")
            and not is_read(call["operation"])
            and principal in ("", call["principal"])
        ]

    # What is in it.

    def rules(self, port: int) -> list[dict[str, Any]]:
        """Return the rules of a listener but the default one."""
        found = self.elb.describe_rules(ListenerArn=self.listener(port))["Rules"]
        return [rule for rule in found if not rule["IsDefault"]]

    def owned(self, namespace: str) -> dict[str, list[str]]:
        """Return the ARNs of what carries the owner tags of a namespace, by kind; {} for nothing.

        Services count until they are INACTIVE, task definitions while they are ACTIVE.
        """
        found: dict[str, list[str]] = {}
        for kind, arn, tags in self._tagged():
            if tags.get(ownership.NAMESPACE) == namespace:
                found.setdefault(kind, []).append(arn)
        return found

    def _tagged(self) -> Iterator[tuple[str, str, dict[str, str]]]:
        services = self.ecs.list_services(cluster=self.cluster, maxResults=100)["serviceArns"]
        definitions = self.ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"]
        for kind, arns in (("services", services), ("task definitions", definitions)):
            for arn in arns:
                tags = self.ecs.list_tags_for_resource(resourceArn=arn)["tags"]
                yield kind, arn, ownership.from_ecs(tags)
        listeners = self.estate["loadBalancer"]["listeners"]
        rules = [rule["RuleArn"] for listener in listeners for rule in self.rules(listener["port"])]
        groups = [item["TargetGroupArn"] for item in self.elb.describe_target_groups()["TargetGroups"]]
        arns = [*rules, *groups]
        for at in range(0, len(arns), 20):
            described = self.elb.describe_tags(ResourceArns=arns[at : at + 20])["TagDescriptions"]
            for item in described:
                kind = "rules" if item["ResourceArn"] in rules else "target groups"
                yield kind, item["ResourceArn"], ownership.from_elb(item["Tags"])

    def tasks(self, service: str) -> list[str]:
        """Return the ARNs of a service's running tasks."""
        return [task["taskArn"] for task in self.control("tasks")["tasks"] if task["serviceName"] == service]
