"""What a person asks for by annotation or field: undo, abort, retry, restart, reconcile-now, retain."""

from __future__ import annotations

import pytest

from sim import console
from sim.stories import BY_NAME, apply, tell, undo_to_first
from sim.test_rows import events, image
from sim.universe import ROUTE, WEB, Universe, deployment
from sluice.model import ownership


def moving() -> Universe:
    """Return a universe in the middle of an update to web:2."""
    universe = tell(BY_NAME["create"])
    apply(deployment(image="web:2", env={"SANDBOX_START_DELAY_S": "60"}))(universe)
    universe.run(5)
    assert "rollout" in universe.status()
    return universe


def test_undo_by_annotation() -> None:
    """`undo` runs the previous revision although the spec asks for another; a new spec ends it."""
    universe = tell(BY_NAME["update"])
    universe.cluster.annotate(WEB, undo=universe.status()["history"][0]["id"])
    universe.settle(lambda: image(universe) == "web:1" and universe.reason() == "RolledBack")
    universe.run(200)
    assert image(universe) == "web:1"
    apply(deployment(image="web:3"))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert image(universe) == "web:3"


def test_undo_by_field() -> None:
    """`rollback.toRevision` is Ready with the old revision and registers nothing."""
    universe = tell(BY_NAME["update"])
    before = universe.definitions()
    undo_to_first(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE) and image(universe) == "web:1")
    assert universe.definitions() == before


def test_undo_to_a_revision_that_is_not_kept() -> None:
    """An unknown name is InvalidSpec with the known names, and what runs stays."""
    universe = tell(BY_NAME["create"])
    universe.cluster.edit(WEB, lambda obj: obj["spec"].update(rollback={"toRevision": "web-0000000000"}))
    universe.settle(lambda: universe.reason() == "InvalidSpec", within=60)
    assert universe.status()["live"]["revision"] in universe.condition("Stalled")["message"]
    assert image(universe) == "web:1"


def test_abort() -> None:
    """`abort` mid-rollout returns to the source, and the aborted revision needs `retry`."""
    universe = moving()
    universe.cluster.annotate(WEB, abort=universe.status()["rollout"]["id"])
    universe.settle(lambda: universe.reason() == "RolledBack" and "rollout" not in universe.status())
    universe.run(200)
    assert image(universe) == "web:1"
    assert universe.status()["history"][0]["outcome"] in {"Aborted", "Succeeded"}
    assert universe.status()["readyReplicas"] == 2


@pytest.mark.parametrize("verb", ["abort", "undo", "retry", "pause", "promote"])
def test_verbs_for_another_rollout_are_ignored(verb: str) -> None:
    """A stale id changes nothing, and the event names the id that would count."""
    universe = moving()
    current = universe.status()["rollout"]["id"]
    universe.cluster.annotate(WEB, **{verb: "0123456789"})
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert image(universe) == "web:2"
    assert any(current in text for text in events(universe, "VerbIgnored"))


def test_a_verb_is_handled_once() -> None:
    """A restart of the operator does not repeat a verb whose annotation is still there."""
    universe = tell(BY_NAME["update"])
    universe.cluster.annotate(WEB, undo=universe.status()["history"][0]["id"])
    universe.settle(lambda: universe.reason() == "RolledBack" and "rollout" not in universe.status())
    universe.cluster.annotate(WEB, retry=universe.status()["history"][0]["id"])
    universe.settle(lambda: universe.ready(WEB, ROUTE) and image(universe) == "web:2")
    universe.restart()
    universe.run(300)
    assert image(universe) == "web:2"


def test_pause_and_resume_by_annotation() -> None:
    """`pause` holds a rollout that has not reached ECS yet or lets ECS finish; `resume` ends it Ready."""
    universe = moving()
    ident = universe.status()["rollout"]["id"]
    universe.cluster.annotate(WEB, pause=ident)
    universe.run(30)
    universe.cluster.annotate(WEB, resume=ident)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert image(universe) == "web:2"


def test_restart_by_template_annotation() -> None:
    """`kubectl sluice restart`: new tasks of an equal definition, nothing is registered."""
    universe = tell(BY_NAME["create"])
    before = console.service(universe)["deployments"][0]["id"]
    metadata = {"annotations": {"sluice.dev/restartedAt": "2027-01-15T10:00:00Z"}}
    universe.cluster.edit(WEB, lambda obj: obj["spec"]["template"]["metadata"].update(metadata))
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert console.service(universe)["deployments"][0]["id"] != before
    assert len(universe.definitions()) == 1


def test_reconcile_now() -> None:
    """A hand edit is repaired within seconds instead of at the next drift pass."""
    universe = tell(BY_NAME["create"])
    universe.run(5)
    console.update_service(desiredCount=7)(universe)
    universe.cluster.annotate(WEB, reconcile_now="1")
    universe.settle(lambda: console.service(universe)["desiredCount"] == 2, within=3)


def test_history_limit() -> None:
    """Definitions and ControllerRevisions beyond the limit go; what runs and the last ones stay."""
    universe = Universe(seed=7)
    for number in range(1, 7):
        apply(deployment(image=f"web:{number}", revisionHistoryLimit=2))(universe)
        universe.settle(universe.ready)
    universe.run(300)
    assert [int(arn.rpartition(":")[2]) for arn in sorted(universe.definitions())] == [4, 5, 6]
    assert sorted(r["revision"] for r in universe.cluster.revisions.values()) == [4, 5, 6]
    assert image(universe) == "web:6"


def test_retain() -> None:
    """DeletionPolicy Retain: everything runs on in AWS, without a tag of ours, and the object goes."""
    universe = Universe(seed=7)
    tell(BY_NAME["create"], universe=universe)
    universe.cluster.edit(WEB, lambda obj: obj["spec"].update(deletionPolicy="Retain"))
    universe.settle(universe.ready)
    universe.cluster.delete(WEB)
    universe.settle(lambda: universe.gone(WEB))
    (service,) = universe.services()
    assert (service["status"], service["runningCount"]) == ("ACTIVE", 2)
    assert ownership.INSTALLATION not in ownership.from_ecs(service["tags"])
    (group,) = universe.target_groups()
    assert ownership.INSTALLATION not in console.elb_tags(universe, group["TargetGroupArn"])


def test_deletion_waits_while_suspended() -> None:
    """`suspend` holds a deletion, too; without it everything goes."""
    universe = tell(BY_NAME["create without a route"])
    universe.cluster.edit(WEB, lambda obj: obj["spec"].update(suspend=True))
    universe.run(10)
    universe.cluster.delete(WEB)
    universe.run(120)
    assert [service["status"] for service in universe.services()] == ["ACTIVE"]
    universe.cluster.edit(WEB, lambda obj: obj["spec"].update(suspend=False))
    universe.settle(lambda: universe.gone(WEB))
    assert universe.services() == []
