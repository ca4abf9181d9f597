"""The progressive acts: a bad revision that goes back by itself, a canary, blue/green with a person, undo.

All under load through the real load balancer. What was lost is what failed without the candidate having
answered it: a bad candidate's own 500s are its own, everything else must be 0.
"""

from __future__ import annotations

import time
from typing import Any

from sluice_sandbox.demo.picture import follow
from sluice_sandbox.demo.report import Served
from sluice_sandbox.demo.scene import Object, Running, Scene
from sluice_sandbox.demo.stage import DemoFailed
from sluice_sandbox.demo.way_back import there, way_back
from sluice_sandbox.demo.weights import Look, Watcher

CANARY, BLUE_GREEN = "checkout", "account"
_FAILS = "40"
_TEST_PORT = 8080
_LONGEST_S = 90.0
_ALL = 100.0
"""Percent."""


class Progressive:
    """Plays the acts in order."""

    def __init__(self, scene: Scene) -> None:
        """Use a scene in which the examples were applied."""
        self._scene = scene
        self._report = scene.report
        self._stage = scene.stage
        self._canary = scene.deployment(CANARY)
        self._blue_green = scene.deployment(BLUE_GREEN)
        self._blue = str(self._blue_green["spec"]["template"]["spec"]["containers"][0]["image"])
        self._loads: dict[str, Running] = {}
        self._live = ""
        self._made = 0

    def bad(self) -> None:
        """Bring out a revision that fails, and do nothing about it; its tasks stop while the next act plays.

        It comes first: its slot has served nobody yet. A load balancer counts by the minute, and a minute
        in which a slot served two revisions says nothing of either.
        """
        report, scene = self._report, self._scene
        report.act(f"A bad revision: {_FAILS} % of its answers are 500, and nobody watches")
        self._live = scene.status("Deployment", CANARY)["live"]["revision"]
        load, made = scene.load(CANARY), self._stage.calls_made()
        image = self._bring_out(self._canary, "2.0.0-bad", fails=_FAILS)
        self._follow("bad revision", CANARY, lambda look: look.doing == "CleaningUp" and not look.observed)
        served = load.end()
        report.say(f"answers of 500 by image: {served.failures_by or 'none'}")
        self._count("bad revision", served, candidate=image)
        for name, seconds in way_back(self._stage.calls(since=made)).figures():
            report.measured(f"bad revision: {name}", seconds)

    def canary_begins(self) -> None:
        """Bring out a good revision by steps, up to its analysis, which waits for a minute of counts."""
        report, scene = self._report, self._scene
        ended = self._rest(CANARY, "RolledBack")
        name = "bad revision: seconds from decision to proof, as status has it"
        report.measured(name, ended["rollbackSeconds"])
        if scene.status("Deployment", CANARY)["live"]["revision"] != self._live:
            raise DemoFailed(f"{self._live} is not live any more")

        report.act("A canary: 5 → 25 → 50 → 100 %, each weight proved, judged by the load balancer's counts")
        self._loads[CANARY] = scene.load(CANARY)
        self._made = self._stage.calls_made()
        self._bring_out(self._canary, "2.0.1", fails="0")
        self._follow("canary", CANARY, lambda look: look.doing.startswith("analysis"))
        report.say("it is looked at by the minute from here on; meanwhile the next acts play")

    def canary_ends(self) -> None:
        """See it reach 100 %."""
        report = self._report
        report.act("The canary again: judged, and given all requests")
        self._follow("canary", CANARY, lambda look: look.slot != "" and _over(look))
        weighted, alone = there(self._stage.calls(since=self._made))
        report.measured("canary: seconds from 5 to 100 %, each proved", alone - weighted)
        self._rest(CANARY, "Succeeded")
        self._count("canary", self._loads.pop(CANARY).end())

    def blue_green(self) -> None:
        """Test the green revision on its own listener, and promote it."""
        report, scene, stage = self._report, self._scene, self._stage
        report.act("Blue/green: tested on another listener, promoted by a person")
        self._loads[BLUE_GREEN] = scene.load(BLUE_GREEN)
        green = self._bring_out(self._blue_green, "2.0.0")
        self._follow("blue/green", BLUE_GREEN, lambda look: look.doing == "pause until promoted")
        for port, image in ((80, self._blue), (_TEST_PORT, green)):
            self._answered_alone(port, image)
        report.say(f"$ sluice promote {BLUE_GREEN}")
        began = time.monotonic()
        report.say(stage.sluice("promote", BLUE_GREEN))
        self._follow("promoted", BLUE_GREEN, lambda look: look.configured == _ALL)
        report.measured("blue/green: seconds from promote to 100 %, proved", time.monotonic() - began)

    def undo(self) -> None:
        """Change one's mind."""
        report, stage = self._report, self._stage
        self._rest(BLUE_GREEN, "Succeeded")

        report.act("Second thoughts: undo, from the standby that is still warm")
        standby = self._scene.status("Deployment", BLUE_GREEN)["standby"]["slot"]
        report.say(f"$ sluice undo {BLUE_GREEN}")
        began = time.monotonic()
        report.say(stage.sluice("undo", BLUE_GREEN))
        back = lambda look: look.slot == standby and look.configured == _ALL  # noqa: E731
        self._follow("undo", BLUE_GREEN, back)
        report.measured("undo: seconds to 100 % of the old revision, proved", time.monotonic() - began)
        self._answered_alone(80, self._blue)
        self._count("blue/green and undo", self._loads.pop(BLUE_GREEN).end())

    # What the acts share.

    def _bring_out(self, item: Object, tag: str, *, fails: str = "") -> str:
        """Apply another image; return its name."""
        (container,) = item["spec"]["template"]["spec"]["containers"]
        container["image"] = f"{container['image'].rpartition(':')[0]}:{tag}"
        for variable in container.get("env", ()) if fails else ():
            variable["value"] = fails
        self._scene.apply(item)
        self._report.say(f"kubectl apply: {item['metadata']['name']} with {container['image']}")
        return str(container["image"])

    def _follow(self, title: str, name: str, done: Any) -> Look:  # noqa: ANN401 - a predicate
        watcher = Watcher(self._scene, name)
        return follow(self._report, watcher, title=title, done=done, within=_LONGEST_S)

    def _rest(self, name: str, outcome: str) -> dict[str, Any]:
        """Wait for the end of a rollout and tell it; raises DemoFailed unless it ended so."""

        def over() -> bool:
            return not self._scene.status("Deployment", name).get("rollout")

        self._stage.wait(f"the rollout of {name} is over", over, within=_LONGEST_S)
        ended: dict[str, Any] = self._scene.status("Deployment", name)["history"][0]
        text = f"{ended['revision']}: {ended['outcome']}"
        self._report.say(f"{text}: {ended['reason']}" if ended.get("reason") else text)
        if ended["outcome"] != outcome:
            raise DemoFailed(f"the rollout of {name} ended with {ended['outcome']}, not {outcome}")
        return ended

    def _answered_alone(self, port: int, image: str) -> None:
        answered = self._scene.answered_by(BLUE_GREEN, port=port)
        self._report.say(f"port {port} is answered by {', '.join(answered)}")
        if set(answered) != {image}:
            raise DemoFailed(f"port {port} shall be answered by {image} alone, not by {dict(answered)}")

    def _count(self, act: str, served: Served, *, candidate: str = "") -> None:
        lost = served.lost(candidate=candidate)
        self._report.measured(f"{act}: requests sent", served.sent)
        self._report.measured(f"{act}: requests lost", lost)
        if lost:
            raise DemoFailed(f"{lost} of {served.sent} requests were lost: {served.by_status}")


def _over(look: Look) -> bool:
    """Tell whether all requests go to the candidate, or the rollout has ended."""
    return look.doing in {"Draining", "at rest"} and look.observed in {_ALL, None}
