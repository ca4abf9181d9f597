"""The act of discovery: `ledger` is reached by its DNS name while it is updated, all the time.

It begins early and ends late, because entries of Cloud Map come and go slowly, and nobody has to wait for
them: the other acts play meanwhile.
"""

from __future__ import annotations

import datetime as dt
import time

from sluice_sandbox.demo.callers import Callers
from sluice_sandbox.demo.scene import Object, Scene
from sluice_sandbox.demo.stage import DemoFailed

BACKEND = "ledger"
_CLIENTS, _EVERY_S = 4, 0.05
_LONGEST_S = 90.0


class ByName:
    """Begins and ends the act."""

    def __init__(self, scene: Scene) -> None:
        """Use a scene; its route with `discovery` says the name."""
        self._scene = scene
        self._report = scene.report
        self._stage = scene.stage
        self._ledger = scene.deployment(BACKEND)
        self._route = next(item for item in scene.objects if "discovery" in item["spec"])
        self._callers: Callers | None = None
        self._began = 0.0
        self._image = ""

    def prepare(self) -> None:
        """Let the namespace be made in the sandbox's VPC: an example cannot know its id."""
        namespace = self._route["spec"]["discovery"]["namespaceRef"]
        namespace["create"]["vpc"] = self._stage.estate["vpcId"]

    @property
    def name(self) -> str:
        """The DNS name."""
        discovery = self._route["spec"]["discovery"]
        return f"{discovery['serviceName']}.{discovery['namespaceRef']['name']}"

    def begin(self) -> None:
        """Start clients that know the name alone, and bring out a new image."""
        report, dns = self._report, self._stage.estate["dns"]
        resolver = str(dns["host"]), int(dns["port"])
        report.act(f"{BACKEND} by name: clients resolve {self.name} and call, while it is updated")
        self._callers = Callers(
            resolver, self.name, port=_port(self._ledger), clients=_CLIENTS, every=_EVERY_S
        ).start()
        self._stage.wait(
            "the name is answered", lambda: bool(self._callers and self._callers.latest()), within=20
        )
        container = self._ledger["spec"]["taskDefinition"]["containerDefinitions"][0]
        self._image = container["image"] = f"{container['image'].rpartition(':')[0]}:2.0.0"
        self._began = time.time()
        self._scene.apply(self._ledger)
        report.say(f"kubectl apply: {BACKEND} with {self._image}; entries are slow, so the next acts begin")

    def end(self) -> None:
        """Wait until the new image is all that the name leads to, and tell what the clients saw."""
        report, callers = self._report, self._callers
        if callers is None:
            raise DemoFailed("the act was not begun")
        report.act(f"{self.name}, as its clients saw it")
        self._stage.wait(
            f"{BACKEND} is updated, and its name too",
            lambda: self._scene.ready(self._ledger, self._route) and callers.latest() <= {self._image},
            within=_LONGEST_S,
        )
        discovery = self._scene.status("ServiceRoute", self._route["metadata"]["name"])["discovery"]
        seen = callers.stop()
        changed = dt.datetime.fromisoformat(str(discovery["lastChange"])).timestamp()
        report.measured("by name: seconds until its entries were the new ones alone", changed - self._began)
        report.say(f"entries: {discovery.get('healthy')} healthy of {discovery.get('instances')}")
        report.say(f"answers by image: {dict(seen.images)}")
        report.measured("by name: DNS answers", seen.resolved)
        report.measured("by name: DNS answers without an address", seen.empty)
        report.measured("by name: calls", seen.calls)
        report.measured("by name: calls to nobody", seen.dead)
        if seen.empty or seen.dead:
            raise DemoFailed(f"clients of {self.name} were let down: {'; '.join(seen.first)}")
        if len(seen.images) < 2:
            raise DemoFailed(f"the clients met only {dict(seen.images)}: they did not call during the update")


def _port(item: Object) -> int:
    (container,) = item["spec"]["taskDefinition"]["containerDefinitions"]
    return int(container["portMappings"][0]["containerPort"])
