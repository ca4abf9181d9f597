"""What every act does: apply objects, watch what they say, send load, and say what was seen."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from sluice_sandbox.aws.record import is_read
from sluice_sandbox.demo.report import Report, Served
from sluice_sandbox.demo.stage import DemoFailed, Stage

Object = dict[str, Any]
PLURALS = {"Deployment": "ecsdeployments", "ServiceRoute": "serviceroutes"}
_READY_S = 60.0
_A_FEW = 5
_LONGEST_LOAD_S = 240


class Scene:
    """A stage and a report, and the words between them."""

    def __init__(self, stage: Stage, report: Report, *, objects: list[Object], rate: int) -> None:
        """Play with `objects`; `rate` is in requests a second."""
        self.stage = stage
        self.report = report
        self.objects = objects
        self.rate = rate

    # What Kubernetes is told and says.

    def deployment(self, name: str) -> Object:
        """Return a Deployment among the objects."""
        found = (o for o in self.objects if o["kind"] == "Deployment" and o["metadata"]["name"] == name)
        return next(found)

    def apply(self, *objects: Object) -> None:
        """`kubectl apply`."""
        self.stage.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))

    def status(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object's status."""
        return dict(self.stage.get(PLURALS[kind], name).get("status") or {})

    def condition(self, item: Object, kind: str = "Ready") -> dict[str, Any]:
        """Return a condition of the present generation, Unknown while there is none."""
        found = self.stage.get(PLURALS[item["kind"]], item["metadata"]["name"])
        generation = found.get("metadata", {}).get("generation")
        for condition in found.get("status", {}).get("conditions", ()):
            if condition["type"] == kind and condition["observedGeneration"] == generation:
                return dict(condition)
        return {"status": "Unknown", "reason": "", "message": ""}

    def ready(self, *items: Object) -> bool:
        """Tell whether all are Ready at their present generation."""
        return all(self.condition(item)["status"] == "True" for item in items)

    def watch_until_ready(self, what: str, *items: Object) -> None:
        """Wait until all are Ready."""
        self.watch(what, lambda: self.ready(*items), *items)

    def watch(self, what: str, done: Callable[[], bool], *items: Object) -> None:
        """Wait, and tell each new thing that the objects say meanwhile."""
        said: set[str] = set()

        def tell() -> None:
            for item in items:
                condition = self.condition(item)
                line = f"{item['metadata']['name']}: {condition['reason']}: {condition['message']}"
                if condition["reason"] and line not in said:
                    said.add(line)
                    self.report.say(line)

        seconds = self.stage.wait(what, done, within=_READY_S, meanwhile=tell)
        tell()
        self.report.say(f"{what} ({seconds:.1f} s)")

    def table(self) -> None:
        """Show `kubectl get`."""
        self.report.say(self.stage.kubectl("get", "ecsdeployments,serviceroutes"))

    # What AWS was asked.

    def writes(self, since: int) -> list[dict[str, Any]]:
        """Return the calls to ECS and ELB that changed something."""
        return [
            call
            for call in self.stage.calls(since=since)
            if not is_read(call["operation"]) and call["service"] in ("ecs", "elbv2")
        ]

    # Requests.

    def path(self, name: str) -> str:
        """Return the path of the first rule that goes to a Deployment."""
        for item in self.objects:
            for rule in item["spec"].get("rules", ()) if item["kind"] == "ServiceRoute" else ():
                if any(ref["name"] == name for ref in rule["backendRefs"]):
                    return str(rule["matches"][0]["path"]["value"])
        raise DemoFailed(f"no route of the examples goes to {name}")

    def load(self, name: str, *, port: int = 80) -> Running:
        """Begin to send requests to a Deployment, and wait until the first reach it; `end` ends it."""
        groups = [group["arn"] for group in self.status("Deployment", name)["targetGroups"]]

        def counted() -> int:
            return sum(self.stage.counted().get(arn, 0) for arn in groups)

        before = counted()
        arguments = ["--url", self.stage.url(port), "--path", self.path(name)]
        arguments += ["--rate", str(self.rate), "--duration", str(_LONGEST_LOAD_S)]
        running = Running(self.stage.start_load(*arguments))
        self.stage.wait("the first requests arrive", lambda: counted() > before, within=_READY_S)
        return running

    def answered_by(self, name: str, *, port: int = 80) -> Mapping[str, int]:
        """Send a few requests and return the images that answered."""
        found: Counter[str] = Counter()
        for _ in range(_A_FEW):
            url = f"{self.stage.url(port).rstrip('/')}{self.path(name)}"
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own loopback server
                found[str(json.load(answer)["image"])] += 1
        return found


class Running:
    """Load that is being sent."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """Take over the process of `sluice sandbox load --json`."""
        self._process = process
        self._began = time.monotonic()

    def end(self, *, after: float = 0.0) -> Served:
        """End it, not before it ran `after` seconds, and return what it found."""
        rest = after - (time.monotonic() - self._began)
        if rest > 0:
            time.sleep(rest)
        self._process.send_signal(signal.SIGTERM)
        return self.result()

    def result(self) -> Served:
        """Wait for its end and return what it found."""
        output, _ = self._process.communicate(timeout=60)
        if self._process.returncode != 0:
            raise DemoFailed(f"the load generator ended with {self._process.returncode}")
        return Served.of(json.loads(output))
