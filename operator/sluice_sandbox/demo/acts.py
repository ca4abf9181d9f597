"""The rolling acts: apply, update under load, a broken image, scale, a hand edit, delete, proof.

One deployment is a plain Kubernetes manifest whose apiVersion was changed and which got an `ecs:`
block; another carries the ECS task-definition body itself. Every `DemoFailed` here is an assertion of the
end-to-end test that plays the demo.
"""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import yaml

from sluice_sandbox.demo.report import Served
from sluice_sandbox.demo.scene import Scene
from sluice_sandbox.demo.stage import DemoFailed

WEB = "web"
_TAG = "sluice.dev/installation"
_READY_S = 60.0
_UPDATE_S, _BROKEN_S = 5.0, 7.0


class Basics:
    """Plays the acts in order."""

    def __init__(self, scene: Scene, *, crds: str) -> None:
        """Use a scene; `crds` is the YAML of the custom resource definitions."""
        self._scene = scene
        self._stage = scene.stage
        self._report = scene.report
        self._crds = crds
        self._web = scene.deployment(WEB)

    def install(self) -> None:
        """Serve the custom resources and start the operator."""
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

    def create(self) -> None:
        """Apply all examples."""
        scene, report = self._scene, self._report
        report.act("kubectl apply -f examples/")
        began_wall, began, made = time.time(), time.monotonic(), self._stage.calls_made()
        scene.apply(*scene.objects)
        for item in scene.objects:
            report.say(f"{item['kind'].lower()}.sluice.dev/{item['metadata']['name']} created")
        self._stage.wait("AWS is called", lambda: bool(scene.writes(made)), within=30)
        first = scene.writes(made)[0]
        report.measured("seconds from kubectl apply to the first AWS write", first["time"] - began_wall)
        scene.watch_until_ready("all are Ready", *scene.objects)
        report.measured("seconds from kubectl apply to Ready", time.monotonic() - began)
        scene.table()
        report.say(f"GET {scene.path(WEB)} → {json.dumps(scene.answered_by(WEB))}")

    def update(self) -> None:
        """Bring out a new image under load."""
        self._report.act("A new image under load")
        load = self._scene.load(WEB)
        began = time.monotonic()
        self._web["spec"]["template"]["spec"]["containers"][0]["image"] = self._image("2.0.0")
        self._scene.apply(self._web)
        self._scene.watch_until_ready("the update is Ready", self._web)
        self._report.measured("seconds of the rolling update", time.monotonic() - began)
        served = load.end(after=_UPDATE_S)
        self._count("update", served)
        self._report.measured("update: seconds of a request, p99", served.p99_seconds)
        self._report.say(f"answers by image: {served.by_image}")
        if len(served.by_image) < 2:
            raise DemoFailed(f"the load saw only {served.by_image}: the update was not under load")

    def broken(self) -> None:
        """Bring out an image that never starts."""
        self._report.act("A broken image: the circuit breaker takes it back, and kubectl says so")
        good = copy.deepcopy(self._web)
        load = self._scene.load(WEB)
        began = time.monotonic()
        container = self._web["spec"]["template"]["spec"]["containers"][0]
        container["image"] = self._image("3.0.0-broken")
        container.setdefault("env", []).append({"name": "SANDBOX_EXIT", "value": "1"})
        self._scene.apply(self._web)
        told = lambda: self._scene.condition(self._web)["reason"] == "RolledBack"  # noqa: E731
        self._scene.watch("the rollback is told", told, self._web)
        self._report.measured("seconds from a broken image to Stalled/RolledBack", time.monotonic() - began)
        self._report.say(self._stage.kubectl("get", "ecsdeployment", WEB))
        self._count("rollback", load.end(after=_BROKEN_S))
        self._web["spec"] = good["spec"]
        self._scene.apply(self._web)
        self._scene.watch_until_ready("the good image is Ready again", self._web)

    def scale(self) -> None:
        """`kubectl scale`."""
        self._report.act("kubectl scale")
        replicas = int(self._web["spec"]["replicas"]) + 2
        began = time.monotonic()
        self._stage.kubectl("scale", "ecsdeployment", WEB, f"--replicas={replicas}")
        self._web["spec"]["replicas"] = replicas
        self._scene.watch_until_ready(f"{replicas} tasks run", self._web)
        self._report.measured("seconds of kubectl scale by two", time.monotonic() - began)

    def hand_edit(self) -> None:
        """Edit a rule by hand."""
        self._report.act("Somebody edits the listener rule at the AWS console")
        elb = self._stage.aws("elbv2")
        rule = self._first_rule()
        began = time.monotonic()
        fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}
        elb.modify_rule(RuleArn=rule, Actions=[fixed])
        self._report.say(f"the rule of {self._scene.path(WEB)} now answers 503")
        self._stage.wait("the edit is repaired", self._forwards, within=_READY_S)
        self._report.measured("seconds until a hand edit was repaired", time.monotonic() - began)
        events = self._stage.kubectl(
            "get", "events", "--field-selector", "reason=DriftRepaired", "-o", "json"
        )
        for event in json.loads(events)["items"]:
            self._report.say(f"event {event['reason']}: {event['message']}")

    def let_go(self, *names: str) -> None:
        """Delete what nobody looks at any more, without waiting: AWS gives few tokens for it."""
        self._report.act("kubectl delete --wait=false, of what has been shown")
        doomed = [item for item in self._scene.objects if item["metadata"]["name"] not in names]
        self._stage.kubectl("delete", "-f", "-", "--wait=false", stdin=yaml.safe_dump_all(doomed))
        self._report.say(f"{len(doomed)} objects go, {', '.join(names)} stay")

    def delete(self) -> None:
        """Delete everything that is left and ask AWS what there is."""
        self._report.act("kubectl delete, and proof that nothing is left")
        began = time.monotonic()
        text = yaml.safe_dump_all(self._scene.objects)
        flags = ("--ignore-not-found", "--wait=true", "--timeout=60s")
        self._stage.kubectl("delete", "-f", "-", *flags, stdin=text)
        self._report.measured("seconds of the last kubectl delete", time.monotonic() - began)
        left = self._left()
        for kind, names in left.items():
            self._report.say(f"{kind} with our tags: {len(names)}")
        if any(left.values()):
            raise DemoFailed(f"left in AWS: {left}")

    # What AWS says.

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
            "Cloud Map services and namespaces": self._left_names(),
        }

    def _left_names(self) -> list[str]:
        """Return everything of Cloud Map that carries an installation's tag."""
        cloud_map = self._stage.aws("servicediscovery")
        made = cloud_map.list_services()["Services"] + cloud_map.list_namespaces()["Namespaces"]
        return [
            item["Arn"]
            for item in made
            if any(
                tag["Key"] == _TAG
                for tag in cloud_map.list_tags_for_resource(ResourceARN=item["Arn"])["Tags"]
            )
        ]

    def _first_rule(self) -> str:
        routes = (o for o in self._scene.objects if o["kind"] == "ServiceRoute")
        name = next(
            route["metadata"]["name"]
            for route in routes
            if any(
                ref["name"] == WEB for rule in route["spec"].get("rules", ()) for ref in rule["backendRefs"]
            )
        )
        return str(self._scene.status("ServiceRoute", name)["parents"][0]["rules"][0]["ruleArn"])

    def _forwards(self) -> bool:
        rule = self._stage.aws("elbv2").describe_rules(RuleArns=[self._first_rule()])["Rules"][0]
        return bool(rule["Actions"][0]["Type"] == "forward")

    # Requests.

    def _image(self, tag: str) -> str:
        image = str(self._web["spec"]["template"]["spec"]["containers"][0]["image"])
        return f"{image.rpartition(':')[0]}:{tag}"

    def _count(self, act: str, served: Served) -> None:
        self._report.measured(f"{act}: requests sent", served.sent)
        self._report.measured(f"{act}: requests failed", served.failed)
        if served.failed:
            raise DemoFailed(f"{served.failed} of {served.sent} requests failed: {served.by_status}")


def _ecs_tagged(ecs: Any, arn: str) -> bool:  # noqa: ANN401 - a boto3 client
    return any(tag["key"] == _TAG for tag in ecs.list_tags_for_resource(resourceArn=arn)["tags"])


def _elb_tags(elb: Any, arns: list[str]) -> list[tuple[str, set[str]]]:  # noqa: ANN401 - a boto3 client
    described = elb.describe_tags(ResourceArns=arns)["TagDescriptions"]
    return [(item["ResourceArn"], {tag["Key"] for tag in item["Tags"]}) for item in described]
