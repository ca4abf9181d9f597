"""Bad revisions and second thoughts under load: the live slot alone again at once, and why is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from e2e.desk import DEPLOYMENT, Desk
from e2e.progressive import (
    ALL,
    BAD,
    GOOD,
    PERSON,
    RETURN_S,
    assert_unharmed,
    image,
    progressive,
    verb,
    wait_rolled_back,
    wait_step,
    weight,
)
from e2e.web_server import WebServer

pytestmark = pytest.mark.e2e
ALARM: Final = "shop-is-unwell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What goes wrong with a canary at 50 %, and how it is told."""

    told: str
    outcome: str = "RolledBack"
    strikes: Callable[[Desk], None] = lambda _: None
    env: Mapping[str, str] = field(default_factory=dict)
    members: Callable[[WebServer], dict[str, Any]] = lambda _: {}
    steps: tuple[Mapping[str, Any], ...] = (PERSON,)
    gets_requests: bool = True


def set_alarm(desk: Desk, state: str) -> None:
    """Set the alarm's state as a person may (SetAlarmState); it watches a metric that nobody publishes."""
    cloudwatch = desk.aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=ALARM,
        Namespace="Shop",
        MetricName=desk.namespace,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    cloudwatch.set_alarm_state(AlarmName=ALARM, StateValue=state, StateReason="the test says so")
    cloudwatch.close()


TROUBLES: Final = {
    "crash loop": Trouble(told="CrashLoop: ", env={"SANDBOX_EXIT": "1"}, gets_requests=False),
    "a person aborts": Trouble(
        told="Person: aborted by a person", outcome="Aborted", strikes=lambda desk: verb(desk, "abort")
    ),
    "an alarm": Trouble(
        told=f"Alarm: alarm {ALARM} is in ALARM",
        strikes=lambda desk: set_alarm(desk, "ALARM"),
        members=lambda _: {"analysis": {"alarms": [{"name": ALARM}]}},
    ),
    "a hook": Trouble(
        told="Hook: ",
        steps=({"pause": {"duration": "2s"}}, {"hook": {"name": "smoke"}}),
        members=lambda web: {
            "hooks": [{"name": "smoke", "stage": "Step", "webhook": {"url": web.url("/smoke")}}]
        },
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_a_canary_in_trouble_is_taken_back(desk: Desk, web_server: WebServer, trouble: Trouble) -> None:
    """The live slot answers everything again within two seconds of the decision, and failed nothing."""
    web_server.answers["/smoke"] = (409, b'{"verdict": "smoke test failed"}')
    set_alarm(desk, "OK")
    steps = (weight(50), *trouble.steps, ALL)
    members = trouble.members(web_server)
    desk.apply_and_wait(progressive(desk, *steps, **members), desk.route())
    live = desk.status(DEPLOYMENT)["live"]
    with desk.load(rate=60) as load:
        desk.apply(progressive(desk, *steps, image=BAD, env=trouble.env, **members))
        if trouble.gets_requests:
            wait_step(desk, 2)
            load.wait_for_image(image(BAD))
        trouble.strikes(desk)
        ended = wait_rolled_back(desk)
        assert load.share(image(GOOD), seconds=1) == 1
    assert_unharmed(load)
    assert ended["outcome"] == trouble.outcome
    assert ended["reason"].startswith(trouble.told)
    assert ended["rollbackSeconds"] < RETURN_S
    assert desk.status(DEPLOYMENT)["live"] == live
    assert (image(BAD) in load.images) == trouble.gets_requests
    stalled = desk.condition(DEPLOYMENT, kind="Stalled")
    assert ended["reason"].partition(": ")[2] in stalled["message"]
