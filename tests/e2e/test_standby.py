"""Two replicas: one works, the other has a warm store; when the leader dies the standby goes on."""

from __future__ import annotations

import pytest

from e2e.desk import DEPLOYMENT, REPOSITORY, Desk
from e2e.waiting import until

pytestmark = pytest.mark.e2e


def test_the_standby_takes_over_and_nothing_is_written_twice(desk: Desk) -> None:
    """The standby writes nothing before it leads; the update goes on where it was, with no call repeated."""
    world, aws = desk.world, desk.aws
    desk.apply_and_wait(desk.deployment(), desk.route())
    leader = world.operator()
    standby = world.start_operator()
    standby.wait_for("store_complete")
    standby.wait_until_ready()
    held = world.leader()
    since = aws.calls_made()
    with desk.load() as load:
        desk.apply(desk.deployment(image="2.0.0"))
        until(lambda: begun(desk, since), "the update has begun")
        leader.kill()
        assert aws.writes(since=since, principal=standby.principal) == []
        taken = standby.wait_for("lease_taken")
        # An edit by hand meanwhile: work for the new leader, whatever the old one had done.
        aws.ecs.update_service(cluster=aws.cluster, service=desk.service()["serviceName"], desiredCount=4)
        until(lambda: desk.service()["desiredCount"] == 2, "the new leader works", seconds=60)
        desk.wait_ready(desk.deployment(), desk.route())
    assert load.failures == {}
    assert set(load.report.seconds[-1].images) == {f"{REPOSITORY}:2.0.0"}
    # The dead leader's last call may be under way for this long.
    assert taken["settles_in"] > 9
    assert world.leader() not in ("", held)

    writes = aws.writes(since=since)
    of_leader = [call["number"] for call in writes if call["principal"] == leader.principal]
    of_standby = [call["number"] for call in writes if call["principal"] == standby.principal]
    assert of_leader
    assert of_standby
    assert max(of_leader) < min(of_standby)
    changed = [
        call["operation"]
        for call in writes
        if call["operation"] in ("RegisterTaskDefinition", "UpdateService")
        and call["principal"] in (leader.principal, standby.principal)
        and "desiredCount" not in call["params"]
    ]
    assert sorted(changed) == ["RegisterTaskDefinition", "UpdateService"]
    shown = standby.samples("sluice_leader")
    assert [value for _, value in shown] == [1.0]
    assert standby.samples("sluice_object_ready", namespace=desk.namespace, kind="Deployment", name="web")
    assert desk.status(DEPLOYMENT)["images"][0]["tag"] == f"{REPOSITORY}:2.0.0"


def begun(desk: Desk, since: int) -> bool:
    """Tell whether the new task definition was given to the service."""
    return any(call["operation"] == "UpdateService" for call in desk.aws.writes(since=since))
