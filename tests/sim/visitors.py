"""Visitors: requests through the load balancer at a steady rate, in virtual time and in process.

`Elbv2Service.route` takes the same decisions as the sandbox's HTTP proxy, so a rule without healthy
targets, a target group that is gone or a rule that is missing shows as the status a browser would get.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from sim.universe import Universe
from sluice_sandbox.aws.ports import HttpRequest

EVERY = 0.1


@dataclass(slots=True)
class Visitors:
    """A stream of requests to one listener, path and host, from `start` until `stop`."""

    universe: Universe
    path: str = "/web"
    host: str = "shop.example.com"
    port: int = 80
    answers: Counter[str] = field(default_factory=Counter)
    """What came back: `200 <name of the Deployment>` or `<status>`."""
    bad: list[str] = field(default_factory=list)
    """Every answer that is not a 200, with its virtual time since `start`."""
    _since: float = 0.0
    _running: bool = False

    def start(self) -> Visitors:
        """Begin; the first request goes out now."""
        self._since = self.universe.clock.now()
        self._running = True
        self._visit()
        return self

    def stop(self) -> Visitors:
        """End; the counts stay."""
        self._running = False
        return self

    def names(self) -> set[str]:
        """Return the Deployments that answered with 200."""
        return {answer.removeprefix("200 ") for answer in self.answers if answer.startswith("200 ")}

    def _visit(self) -> None:
        if not self._running:
            return
        elb = self.universe.world.services["elbv2"]
        result = elb.route(
            self.universe.world.caller,
            self.universe.listeners[self.port],
            HttpRequest(host=self.host, path=self.path),
        )
        if result.status == 200 and result.body is not None:
            image = str(result.body["image"])
            self.answers[f"200 {image.partition(':')[0]}"] += 1
        else:
            self.answers[str(result.status)] += 1
            at = self.universe.clock.now() - self._since
            who = str(result.body["image"]) if result.body else f"the load balancer, {result.rule_arn}"
            self.bad.append(f"{result.status} after {at:.1f} s by {who}")
        self.universe.clock.call_later(EVERY, self._visit)
