"""Stories of progressive rollouts: what a person does, step by step, and what it must lead to.

Told by several laws (crashes at every call, rest, restarts, lost status) and, in parts, by single tests.
`picture` is what must be equal at the end however often the process died on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim import console
from sim.stories import Step, Story, apply, delete_both
from sim.universe import ROUTE, WEB, Crashes, Universe, deployment, route
from sluice.model import ownership

QUICK = {"propagationDelaySeconds": 1}
BLUE_GREEN = {"type": "Progressive", "progressive": {"steps": [{"setWeight": 100}]}}
CANARY = {
    "type": "Progressive",
    "progressive": {
        "steps": [
            {"setWeight": 5},
            {"pause": {"duration": "30s"}},
            {"setWeight": 50},
            {"pause": {}},
            {"setWeight": 100},
        ],
        "bake": {"duration": "20s"},
        "drain": {"propagationDelaySeconds": 5},
    },
}
THREE_STEPS = {
    "type": "Progressive",
    "progressive": {
        "steps": [{"setWeight": 5}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}, {"setWeight": 100}],
        "bake": {"duration": "5s"},
        "drain": QUICK,
    },
}
PRESET = {
    "type": "Progressive",
    "progressive": {
        "blueGreen": {"autoPromote": False, "testHeader": {"header": "x-test", "value": "yes"}},
        "drain": QUICK,
    },
}
ROLLING = {"type": "RollingUpdate"}
BROKEN = {"SANDBOX_EXIT": "1"}
SETTLING = 90.0
"""Seconds that a story's end is left alone before it is looked at: what was let go stops in that time."""


def web(image: str = "web:1", *, strategy: dict[str, Any] = CANARY, **spec: Any) -> dict[str, Any]:
    """Return the progressive Deployment."""
    return deployment(image=image, strategy=strategy, **spec)


def ready(universe: Universe) -> bool:
    """Tell whether Deployment and route are Ready."""
    return universe.ready(WEB, ROUTE)


def serves(image: str) -> Callable[[Universe], bool]:
    """Return whether all is Ready, and `image` is what the live slot runs."""
    return lambda universe: ready(universe) and _live_image(universe) == image


def rolled_back(universe: Universe) -> bool:
    """Tell whether the revision that the spec asks for was rolled back and nothing moves any more."""
    return universe.reason() == "RolledBack" and "rollout" not in universe.status() and universe.ready(ROUTE)


def at_step(index: int) -> Callable[[Universe], bool]:
    """Return whether the rollout stands at a step whose clock runs."""

    def there(universe: Universe) -> bool:
        rollout = universe.status().get("rollout") or {}
        return rollout.get("stepIndex") == index and "stepStartedAt" in rollout

    return there


def verb(universe: Universe, name: str, argument: str = "") -> None:
    """Write a person's annotation for the present rollout."""
    status = universe.status()
    current = status["rollout"]["id"] if "rollout" in status else status["history"][0]["id"]
    universe.cluster.annotate(WEB, **{name.replace("-", "_"): current + argument})


def said(name: str, argument: str = "") -> Callable[[Universe], None]:
    """Return the step of a person's word; promote's argument is `/<step>` where it is said twice."""
    return lambda universe: verb(universe, name, argument)


def production(universe: Universe) -> dict[str, int]:
    """Return target group name → weight of the production rule."""
    names = {g["TargetGroupArn"]: g["TargetGroupName"] for g in universe.target_groups()}
    found: dict[str, int] = {}
    for port in universe.listeners:
        for rule in universe.rules(port):
            if console.elb_tags(universe, rule["RuleArn"]).get(ownership.ROLE) == "rule":
                groups = rule["Actions"][0]["ForwardConfig"]["TargetGroups"]
                found |= {names[group["TargetGroupArn"]]: group["Weight"] for group in groups}
    return found


def picture(universe: Universe) -> dict[str, Any]:
    """Return everything that must not depend on crashes, weights and history included."""
    status = universe.status()
    return universe.picture() | {
        "production": production(universe),
        "live": (status.get("live") or {}).get("slot"),
        "standby": (status.get("standby") or {}).get("slot"),
        "history": [(entry["outcome"], entry.get("revision")) for entry in status.get("history", ())],
    }


def tell(
    story: Story,
    hook: Crashes | None = None,
    *,
    universe: Universe | None = None,
    settling: float = SETTLING,
) -> Universe:
    """Tell a story in a new universe (or in `universe`) and let it come to rest; return it."""
    universe = universe or Universe(seed=7, hook=hook)
    for change, done in story.steps:
        change(universe)
        universe.settle(lambda done=done: done(universe), within=1800)  # type: ignore[misc]
    universe.run(settling)
    return universe


def _live_image(universe: Universe) -> str:
    live = universe.status().get("live") or {}
    found = [s for s in universe.services() if s["serviceName"] == live.get("serviceName", s["serviceName"])]
    running = [s for s in found if s["taskDefinition"] == live.get("taskDefinition")]
    if not running:
        return ""
    answer = universe.aws("ecs", "DescribeTaskDefinition", taskDefinition=running[0]["taskDefinition"])
    return str(answer["taskDefinition"]["containerDefinitions"][0]["image"])


def _begin(strategy: dict[str, Any]) -> Step:
    return (apply(web(strategy=strategy), route()), serves("web:1"))


def _next(strategy: dict[str, Any], *, index: int, image: str = "web:2", **spec: Any) -> Step:
    return (apply(web(image, strategy=strategy, **spec)), at_step(index))


def _superseded(universe: Universe) -> bool:
    outcomes = [entry["outcome"] for entry in universe.status()["history"]]
    return "Superseded" in outcomes and at_step(1)(universe)


STORIES = [
    Story("first rollout", (_begin(THREE_STEPS),)),
    Story("first rollout without a route", ((apply(web(strategy=THREE_STEPS)), lambda u: u.ready(WEB)),)),
    Story(
        "canary promoted twice",
        (
            _begin(THREE_STEPS),
            _next(THREE_STEPS, index=1),
            (said("promote", "/1"), at_step(3)),
            (said("promote", "/3"), serves("web:2")),
        ),
    ),
    Story(
        "blue/green promoted",
        (_begin(PRESET), _next(PRESET, index=1), (said("promote"), serves("web:2"))),
    ),
    Story(
        "crash loop",
        (_begin(BLUE_GREEN), (apply(web("web:2", strategy=BLUE_GREEN, env=BROKEN)), rolled_back)),
    ),
    Story(
        "abort",
        (_begin(THREE_STEPS), _next(THREE_STEPS, index=1), (said("abort"), rolled_back)),
    ),
    Story(
        "undo from standby",
        (
            _begin(BLUE_GREEN),
            (apply(web("web:2", strategy=BLUE_GREEN)), serves("web:2")),
            (said("undo"), rolled_back),
        ),
    ),
    Story(
        "supersede",
        (
            _begin(THREE_STEPS),
            _next(THREE_STEPS, index=1),
            (apply(web("web:3", strategy=THREE_STEPS)), _superseded),
            (said("promote-full"), serves("web:3")),
        ),
    ),
    Story(
        "delete in the middle",
        (_begin(THREE_STEPS), _next(THREE_STEPS, index=1), (delete_both, lambda u: u.gone(WEB, ROUTE))),
    ),
    Story(
        "rolling, progressive, rolling",
        (
            _begin(ROLLING),
            (apply(web("web:2", strategy=BLUE_GREEN)), serves("web:2")),
            (apply(web("web:3", strategy=ROLLING)), serves("web:3")),
        ),
    ),
]
BY_NAME = {story.name: story for story in STORIES}
