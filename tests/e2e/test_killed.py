"""The operator dies by SIGKILL with everything under way; another process brings it to the same end."""

from __future__ import annotations

from collections import Counter

import pytest

from e2e.desk import DEPLOYMENT, REPOSITORY, ROUTE, Desk
from e2e.waiting import until

pytestmark = pytest.mark.e2e
SLOW_WRITES = {"kind": "latency", "service": "e[cl][sb]*", "seconds": 1.0}
"""World seconds: the chains of writes of three objects do not end before the first of each is seen."""


def begun(desk: Desk, *operations: str, since: int) -> bool:
    """Tell whether each of these operations was called since."""
    return set(operations) <= {call["operation"] for call in desk.aws.writes(since=since)}


def test_a_killed_operator_is_followed_to_the_same_end(desk: Desk) -> None:
    """Killed while it creates, updates and deletes: no request fails, nothing is twice, nothing stays."""
    updated = [desk.deployment(), desk.route()]
    deleted = [desk.deployment("old"), desk.route("old", path="/old")]
    created = [desk.deployment("new"), desk.route("new", path="/new")]
    desk.apply_and_wait(*updated, *deleted)
    before = desk.status(DEPLOYMENT)
    fault = desk.aws.control("faults", SLOW_WRITES)["id"]
    since = desk.aws.calls_made()
    with desk.load() as load:
        desk.apply(desk.deployment(image="2.0.0"), *created)
        names = [f"{kind}/old" for kind in (ROUTE, DEPLOYMENT)]
        desk.kubectl("delete", "--wait=false", *names)
        until(
            lambda: begun(desk, "RegisterTaskDefinition", "CreateTargetGroup", "DeleteRule", since=since),
            "all three are under way",
        )
        operator = desk.world.operator()
        operator.kill()
        unfinished = [not desk.ready(*updated), not desk.ready(*created), bool(desk.get(DEPLOYMENT, "old"))]
        desk.aws.control(f"faults/{fault}", method="DELETE")
        desk.world.operator()
        desk.wait_ready(*updated, *created, seconds=90)
        until(lambda: not desk.get(DEPLOYMENT, "old"), "the deleted one is gone", seconds=60)
    assert unfinished == [True, True, True]
    assert load.failures == {}
    assert set(load.report.seconds[-1].images) == {f"{REPOSITORY}:2.0.0"}

    owned = desk.aws.owned(desk.namespace)
    assert {kind: len(arns) for kind, arns in owned.items()} == {
        "services": 2,
        "task definitions": 3,  # both images of the one, one of the other
        "target groups": 2,
        "rules": 4,  # each one's own and its anchor
    }
    after = desk.status(DEPLOYMENT)
    assert after["slots"][0]["serviceArn"] == before["slots"][0]["serviceArn"]
    assert after["live"]["revision"] != before["live"]["revision"]
    for name in ("web", "new"):
        service = desk.service(name)
        assert (service["runningCount"], len(service["deployments"])) == (2, 1)
    made = Counter(
        (call["operation"], str(call["params"].get("serviceName", call["params"].get("Name"))))
        for call in desk.aws.writes(since=since)
        if call["operation"] in ("CreateService", "CreateTargetGroup") and call["outcome"] == "OK"
    )
    assert made
    assert set(made.values()) == {1}
