"""The operator dies by SIGKILL in a step of a canary; another process brings it to the same end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from e2e.desk import DEPLOYMENT, ROUTE, Desk
from e2e.progressive import (
    ALL,
    GOOD,
    NEXT,
    assert_unharmed,
    image,
    latest,
    progressive,
    rollout,
    verb,
    wait_rolled_back,
    wait_step,
    weight,
)
from e2e.waiting import until
from e2e.web_server import WebServer

pytestmark = pytest.mark.e2e
SLOW: Final = {"kind": "latency", "service": "elbv2", "operation": "ModifyRule", "seconds": 5.0}
"""World seconds: one real one, in which the operator dies with the write of a weight under way."""
STEPS: Final = (
    {"setHeaderRoute": {"header": "x-canary", "value": "1"}},
    {"hook": {"name": "smoke"}},
    weight(20),
    {"pause": {"duration": "3s"}},
    {"analysis": {"duration": "11s"}},
    ALL,
)


def members(web: WebServer) -> dict[str, Any]:
    """Return a hook and a metric that the test's web server answers."""
    metric = {"name": "orders", "web": {"url": web.url("/orders"), "jsonPath": "value"}}
    return {
        "standby": {"duration": "0s"},
        "hooks": [{"name": "smoke", "stage": "Step", "webhook": {"url": web.url("/smoke")}, "retries": 20}],
        "analysis": {"interval": "10s", "metrics": [{**metric, "failureCondition": "< 1"}]},
    }


def in_a_weight(desk: Desk) -> None:
    """Wait until the write of the first weight is under way."""
    since = desk.aws.calls_made()
    fault = desk.aws.control("faults", SLOW)["id"]
    until(
        lambda: rollout(desk).get("weight") == 200 and not rollout(desk).get("provenWeight"), "20 % are asked"
    )
    until(lambda: desk.aws.calls(since=since, operation="DescribeRules"), "the route works")
    desk.world.operator().kill()
    desk.aws.control(f"faults/{fault}", method="DELETE")


def in_step(number: int) -> Callable[[Desk], None]:
    """Return what kills the operator in a step, counted from 1, or right after one that is over at once."""

    def kill(desk: Desk) -> None:
        until(lambda: rollout(desk).get("stepIndex", -1) >= number - 1, f"step {number} has begun")
        desk.world.operator().kill()

    return kill


def soaked(case: object, name: str) -> Any:
    """Return a case of the soak, which has time for each kind of step."""
    return pytest.param(case, id=name, marks=pytest.mark.soak)


@pytest.mark.parametrize(
    "kill",
    [
        pytest.param(in_a_weight, id="weight"),
        soaked(in_step(1), "header"),
        soaked(in_step(2), "hook"),
        soaked(in_step(4), "pause"),
        soaked(in_step(5), "analysis"),
        soaked(in_step(6), "all"),
    ],
)
def test_a_canary_goes_on_where_the_operator_died(
    desk: Desk, web_server: WebServer, kill: Callable[[Desk], None]
) -> None:
    """The same rollout ends well: no request fails, weights only rise, each is written once to a rule."""
    web_server.answers |= {"/smoke": (200, b""), "/orders": (200, b'{"value": 7}')}
    how = members(web_server)
    first, route = progressive(desk, *STEPS, **how), desk.route()
    desk.apply_and_wait(first, route)
    groups = len(desk.aws.owned(desk.namespace)["target groups"])
    since = desk.aws.calls_made()
    with desk.load() as load:
        desk.apply(progressive(desk, *STEPS, image=NEXT, **how))
        moving = until(lambda: rollout(desk), "the rollout has begun")
        kill(desk)
        stood_still = dict(rollout(desk))
        desk.world.operator()
        desk.wait_ready(first, route, seconds=120)
    assert_unharmed(load)
    assert stood_still["id"] == moving["id"]
    assert set(load.images) == {image(GOOD), image(NEXT)}
    assert set(load.report.seconds[-1].images) == {image(NEXT)}
    ended = latest(desk)
    assert (ended["id"], ended["outcome"]) == (moving["id"], "Succeeded")
    assert len(desk.aws.owned(desk.namespace)["target groups"]) == groups + 1
    live = next(
        group["arn"]
        for group in desk.status(DEPLOYMENT)["targetGroups"]
        if group["slot"] == desk.status(DEPLOYMENT)["live"]["slot"]
    )
    shares = written(desk, live, since=since)
    assert shares == sorted(shares)
    assert shares[-1] == 100
    asked = [body["id"] for path, body in web_server.asked if path == "/smoke"]
    assert len(set(asked)) == 1


def test_a_rollback_goes_on_where_the_operator_died(desk: Desk) -> None:
    """Killed between the decision and the write: the next process's first write of a rule is the way back."""
    steps = (weight(50), {"pause": {}}, ALL)
    desk.apply_and_wait(progressive(desk, *steps), desk.route())
    live = desk.status(DEPLOYMENT)["live"]
    with desk.load() as load:
        desk.apply(progressive(desk, *steps, image=NEXT))
        wait_step(desk, 2)
        fault = desk.aws.control(
            "faults", {"kind": "error", "service": "elbv2", "operation": "ModifyRule", "status": 503}
        )
        since = desk.aws.calls_made()
        verb(desk, "abort")
        until(lambda: rollout(desk).get("stage") == "RollingBack", "the way back is decided")
        desk.world.operator().kill()
        assert load.share(image(NEXT), seconds=1) > 0
        desk.aws.control(f"faults/{fault['id']}", method="DELETE")
        successor = desk.world.operator()
        ended = wait_rolled_back(desk, seconds=90)
        assert load.share(image(GOOD), seconds=1) == 1
    assert_unharmed(load)
    assert ended["outcome"] == "Aborted"
    assert desk.status(DEPLOYMENT)["live"] == live
    writes = desk.aws.writes(since=since, principal=successor.principal)
    assert writes[0]["operation"] == "ModifyRule"
    (backend,) = desk.status(ROUTE)["backends"]
    assert set(backend["configured"]) == {live["slot"]}


def written(desk: Desk, group: str, *, since: int) -> list[float]:
    """Return the shares in percent that a target group got by successful writes of the route's rule."""
    (parent,) = desk.status(ROUTE)["parents"]
    rules = {rule["ruleArn"] for rule in parent["rules"]}
    found = []
    for call in desk.aws.calls(since=since, operation="ModifyRule"):
        params: Mapping[str, Any] = call["params"]
        if params["RuleArn"] in rules and call["outcome"] == "OK":
            groups = params["Actions"][-1]["ForwardConfig"]["TargetGroups"]
            parts = {item["TargetGroupArn"]: item.get("Weight", 1) for item in groups}
            found.append(100 * parts.get(group, 0) / sum(parts.values()))
    return found
