"""The story: apply, update under load, a broken image, scale, a hand edit, delete, proof.

One deployment is a plain Kubernetes manifest whose apiVersion was changed and which got an `ecs:`
block; the other carries the ECS task-definition body itself. The same story, shortened, is one of the
end-to-end tests, so every `DemoFailed` here is an assertion of it.
"""

from __future__ import annotations

import copy
import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sluice_sandbox.demo.report import Report, Served
from sluice_sandbox.demo.stage import DemoFailed, Stage, manifests

_TAG = "sluice.dev/installation"
_READY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long and how hard the demo drives load; `quick` is the tests' form of the same story."""

    rate: int = 100
    update_s: float = 12.0
    broken_s: float = 20.0

    @classmethod
    def quick(cls) -> Pace:
        """Return the short form."""
        return cls(rate=40, update_s=8.0, broken_s=14.0)


class Story:
    """Plays the acts in order on a stage."""

    def __init__(self, stage: Stage, report: Report, *, examples: Path, crds: str, pace: Pace) -> None:
        """Use the manifests in `examples`; `crds` is the YAML of the custom resource definitions."""
        self._stage = stage
        self._report = report
        self._pace = pace
        self._crds = crds
        self._objects = manifests(sorted(examples.glob("*.yaml")))
        self._web = next(o for o in self._objects if o["kind"] == "Deployment" and "template" in o["spec"])

    def play(self) -> None:
        """Play everything. Raises DemoFailed."""
        self._install()
        self._create()
        self._update()
        self._break()
        self._scale()
        self._hand_edit()
        self._delete()

    # Acts.

    def _install(self) -> None:
        self._report.act("The operator")
        self._stage.kubectl("apply", "-f", "-", stdin=self._crds)
        self._stage.wait("the custom resources are served", self._established, within=30)
        self._stage.start_operator()
        self._report.say("sluice operator runs as a process of its own; nothing exists yet")

    def _established(self) -> bool:
        """Tell whether both kinds are served; `kubectl wait` fails on one that has no conditions yet."""
        crds = json.loads(self._stage.kubectl("get", "crd", "-o", "json"))["items"]
        established = [
            crd
            for crd in crds
            for condition in crd.get("status", {}).get("conditions") or ()
            if condition["type"] == "Established" and condition["status"] == "True"
        ]
        return len(established) == len(crds) > 0

    def _create(self) -> None:
        self._report.act("kubectl apply -f examples/")
        began_wall, began, made = time.time(), time.monotonic(), self._stage.calls_made()
        self._apply(*self._objects)
        for item in self._objects:
            self._report.say(f"{item['kind'].lower()}.sluice.dev/{item['metadata']['name']} created")
        self._stage.wait("AWS is called", lambda: bool(self._writes(made)), within=30)
        first = self._writes(made)[0]
        self._report.measured("seconds from kubectl apply to the first AWS write", first["time"] - began_wall)
        self._watch_until_ready("all are Ready", *self._objects)
        self._report.measured("seconds from kubectl apply to Ready", time.monotonic() - began)
        self._table()
        body = self._request()
        self._report.say(f"GET {self._path()} → {json.dumps(body)}")

    def _update(self) -> None:
        self._report.act("A new image under load")
        load = self._load(self._pace.update_s)
        began = time.monotonic()
        self._web["spec"]["template"]["spec"]["containers"][0]["image"] = self._image("2.0.0")
        self._apply(self._web)
        self._watch_until_ready("the update is Ready", self._web)
        self._report.measured("seconds of the rolling update", time.monotonic() - began)
        served = self._served(load)
        self._report.measured("update: requests sent", served.sent)
        self._report.measured("update: requests failed", served.failed)
        self._report.measured("update: seconds of a request, p99", served.p99_seconds)
        self._report.say(f"answers by image: {served.by_image}")
        if served.failed:
            raise DemoFailed(f"{served.failed} of {served.sent} requests failed: {served.by_status}")
        if len(served.by_image) < 2:
            raise DemoFailed(f"the load saw only {served.by_image}: the update was not under load")

    def _break(self) -> None:
        self._report.act("A broken image: the circuit breaker takes it back, and kubectl says so")
        good = copy.deepcopy(self._web)
        load = self._load(self._pace.broken_s)
        began = time.monotonic()
        container = self._web["spec"]["template"]["spec"]["containers"][0]
        container["image"] = self._image("3.0.0-broken")
        container.setdefault("env", []).append({"name": "SANDBOX_EXIT", "value": "1"})
        self._apply(self._web)
        self._watch("the rollback is told", lambda: self._reason(self._web) == "RolledBack", self._web)
        self._report.measured("seconds from a broken image to Stalled/RolledBack", time.monotonic() - began)
        self._table()
        self._report.say(self._condition(self._web)["message"])
        served = self._served(load)
        self._report.measured("rollback: requests sent", served.sent)
        self._report.measured("rollback: requests failed", served.failed)
        if served.failed:
            raise DemoFailed(f"{served.failed} of {served.sent} requests failed: {served.by_status}")
        self._web = good
        self._apply(self._web)
        self._watch_until_ready("the good image is Ready again", self._web)

    def _scale(self) -> None:
        self._report.act("kubectl scale")
        name, replicas = self._web["metadata"]["name"], int(self._web["spec"]["replicas"]) + 2
        began = time.monotonic()
        self._stage.kubectl("scale", "ecsdeployment", name, f"--replicas={replicas}")
        self._web["spec"]["replicas"] = replicas
        self._watch_until_ready(f"{replicas} tasks run", self._web)
        self._report.measured("seconds of kubectl scale by two", time.monotonic() - began)
        self._table()

    def _hand_edit(self) -> None:
        self._report.act("Somebody edits the listener rule at the AWS console")
        elb = self._stage.aws("elbv2")
        rule = self._first_rule()
        began = time.monotonic()
        fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}
        elb.modify_rule(RuleArn=rule, Actions=[fixed])
        self._report.say(f"the rule of {self._path()} now answers 503")
        self._stage.wait("the edit is repaired", self._forwards, within=_READY_S)
        self._report.measured("seconds until a hand edit was repaired", time.monotonic() - began)
        events = self._stage.kubectl(
            "get", "events", "--field-selector", "reason=DriftRepaired", "-o", "json"
        )
        for event in json.loads(events)["items"]:
            self._report.say(f"event {event['reason']}: {event['message']}")

    def _delete(self) -> None:
        self._report.act("kubectl delete, and proof that nothing is left")
        began = time.monotonic()
        text = yaml.safe_dump_all(self._objects)
        self._stage.kubectl("delete", "-f", "-", "--wait=true", "--timeout=60s", stdin=text)
        self._report.measured("seconds of kubectl delete", time.monotonic() - began)
        left = self._left()
        for kind, names in left.items():
            self._report.say(f"{kind} with our tags: {len(names)}")
        if any(left.values()):
            raise DemoFailed(f"left in AWS: {left}")

    # What AWS says.

    def _writes(self, since: int) -> list[dict[str, Any]]:
        reads = ("Describe", "List", "Get")
        return [
            call
            for call in self._stage.calls(since=since)
            if not call["operation"].startswith(reads) and call["service"] in ("ecs", "elbv2")
        ]

    def _left(self) -> dict[str, list[str]]:
        """Return everything in AWS that carries an installation's tag."""
        ecs, elb = self._stage.aws("ecs"), self._stage.aws("elbv2")
        cluster = self._stage.estate["cluster"]["name"]
        services = ecs.list_services(cluster=cluster)["serviceArns"]
        definitions = ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"]
        groups = [group["TargetGroupArn"] for group in elb.describe_target_groups()["TargetGroups"]]
        rules = [
            rule["RuleArn"]
            for listener in self._stage.estate["loadBalancer"]["listeners"]
            for rule in elb.describe_rules(ListenerArn=listener["arn"])["Rules"]
            if not rule["IsDefault"]
        ]
        tagged = {
            arn
            for at in range(0, len(groups + rules), 20)
            for arn, tags in _elb_tags(elb, (groups + rules)[at : at + 20])
            if _TAG in tags
        }
        return {
            "services": [arn for arn in services if _ecs_tagged(ecs, arn)],
            "ACTIVE task definitions": [arn for arn in definitions if _ecs_tagged(ecs, arn)],
            "target groups": [arn for arn in groups if arn in tagged],
            "listener rules": [arn for arn in rules if arn in tagged],
        }

    def _first_rule(self) -> str:
        name = next(o for o in self._objects if o["kind"] == "ServiceRoute")["metadata"]["name"]
        status = self._stage.get("serviceroute", name)["status"]
        return str(status["parents"][0]["rules"][0]["ruleArn"])

    def _forwards(self) -> bool:
        rule = self._stage.aws("elbv2").describe_rules(RuleArns=[self._first_rule()])["Rules"][0]
        return bool(rule["Actions"][0]["Type"] == "forward")

    # What Kubernetes says.

    def _apply(self, *objects: dict[str, Any]) -> None:
        self._stage.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))

    def _condition(self, item: dict[str, Any], kind: str = "Ready") -> dict[str, Any]:
        plural = "ecsdeployment" if item["kind"] == "Deployment" else "serviceroute"
        found = self._stage.get(plural, item["metadata"]["name"])
        generation = found.get("metadata", {}).get("generation")
        for condition in found.get("status", {}).get("conditions", ()):
            if condition["type"] == kind and condition["observedGeneration"] == generation:
                return dict(condition)
        return {"status": "Unknown", "reason": "", "message": ""}

    def _reason(self, item: dict[str, Any]) -> str:
        return str(self._condition(item)["reason"])

    def _watch_until_ready(self, what: str, *items: dict[str, Any]) -> None:
        self._watch(what, lambda: all(self._condition(i)["status"] == "True" for i in items), *items)

    def _watch(self, what: str, done: Any, *items: dict[str, Any]) -> None:  # noqa: ANN401 - a predicate
        """Wait, and tell each new thing that the objects say meanwhile."""
        said: set[str] = set()

        def tell() -> None:
            for item in items:
                condition = self._condition(item)
                line = f"{item['metadata']['name']}: {condition['reason']}: {condition['message']}"
                if condition["reason"] and line not in said:
                    said.add(line)
                    self._report.say(line)

        seconds = self._stage.wait(what, done, within=_READY_S, meanwhile=tell)
        tell()
        self._report.say(f"{what} ({seconds:.1f} s)")

    def _table(self) -> None:
        self._report.say(self._stage.kubectl("get", "ecsdeployments,serviceroutes"))

    # Requests.

    def _image(self, tag: str) -> str:
        image = str(self._web["spec"]["template"]["spec"]["containers"][0]["image"])
        return f"{image.rpartition(':')[0]}:{tag}"

    def _path(self) -> str:
        """Return the path of the route's rule that goes to the plain manifest."""
        name = self._web["metadata"]["name"]
        for item in self._objects:
            for rule in item["spec"].get("rules", ()) if item["kind"] == "ServiceRoute" else ():
                if any(ref["name"] == name for ref in rule["backendRefs"]):
                    return str(rule["matches"][0]["path"]["value"])
        raise DemoFailed(f"no route of the examples goes to {name}")

    def _load(self, seconds: float) -> subprocess.Popen[bytes]:
        arguments = ["--url", self._stage.url(80), "--path", self._path()]
        arguments += ["--rate", str(self._pace.rate), "--duration", str(seconds)]
        return self._stage.start_load(*arguments)

    def _served(self, load: subprocess.Popen[bytes]) -> Served:
        output, _ = load.communicate(timeout=120)
        if load.returncode != 0:
            raise DemoFailed(f"the load generator ended with {load.returncode}")
        return Served.of(json.loads(output))

    def _request(self) -> dict[str, Any]:
        output, _ = self._stage.start_load(
            "--url", self._stage.url(80), "--path", self._path(), "--rate", "1", "--duration", "1"
        ).communicate(timeout=30)
        return dict(json.loads(output)["images"])


def _ecs_tagged(ecs: Any, arn: str) -> bool:  # noqa: ANN401 - a boto3 client
    return any(tag["key"] == _TAG for tag in ecs.list_tags_for_resource(resourceArn=arn)["tags"])


def _elb_tags(elb: Any, arns: list[str]) -> list[tuple[str, set[str]]]:  # noqa: ANN401 - a boto3 client
    described = elb.describe_tags(ResourceArns=arns)["TagDescriptions"]
    return [(item["ResourceArn"], {tag["Key"] for tag in item["Tags"]}) for item in described]
