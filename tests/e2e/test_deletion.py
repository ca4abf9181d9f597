"""Deleting: what others serve goes on, what is ours goes wholly, and a creation under way is no obstacle."""

from __future__ import annotations

import pytest

from e2e.desk import DEPLOYMENT, REPOSITORY, Desk
from e2e.waiting import until

pytestmark = pytest.mark.e2e


def test_a_deletion_drops_no_request_of_another_route(desk: Desk) -> None:
    """Two Deployments behind one listener: one goes with its route while the other answers every request."""
    kept = [desk.deployment(), desk.route()]
    gone = [desk.deployment("ledger", image="9.0.0"), desk.route("ledger", path="/ledger")]
    desk.apply_and_wait(*kept, *gone)
    with desk.load() as load:
        desk.delete(*gone)
    assert load.failures == {}
    assert set(load.images) == {f"{REPOSITORY}:1.0.0"}
    assert desk.ready(*kept)
    owned = desk.aws.owned(desk.namespace)
    assert {kind: len(arns) for kind, arns in owned.items()} == {
        "services": 1,
        "task definitions": 1,
        "target groups": 1,
        "rules": 2,  # its own and the anchor
    }
    desk.delete(*kept)
    assert desk.aws.owned(desk.namespace) == {}


def test_a_deployment_in_use_waits_for_its_route(desk: Desk) -> None:
    """While a rule gives it weight a Deployment stays and serves; when the route goes it follows."""
    desk.apply_and_wait(desk.deployment(), desk.route())
    with desk.load() as load:
        desk.kubectl("delete", "ecsdeployment", "web", "--wait=false")
        condition = desk.wait_reason("InUse")
        assert "delete the ServiceRoute or its backendRef first" in condition["message"]
    assert load.failures == {}
    desk.delete(desk.route())
    until(lambda: not desk.get(DEPLOYMENT), "the Deployment is gone", seconds=60)
    assert desk.aws.owned(desk.namespace) == {}


def test_deleting_while_creating_leaves_nothing(desk: Desk) -> None:
    """Everything is deleted as soon as the first thing exists in AWS."""
    objects = [desk.deployment(), desk.route()]
    desk.apply(*objects)
    until(lambda: desk.aws.owned(desk.namespace), "something exists in AWS")
    desk.delete(*objects)
    assert desk.aws.owned(desk.namespace) == {}


def test_retain_leaves_a_service_that_serves(desk: Desk) -> None:
    """deletionPolicy: Retain lets go of the AWS objects: tags go, tasks stay."""
    desk.apply_and_wait(desk.deployment(deletionPolicy="Retain"))
    service = desk.service()
    desk.delete(desk.deployment())
    assert desk.aws.owned(desk.namespace) == {}
    found = desk.aws.ecs.describe_services(cluster=desk.aws.cluster, services=[service["serviceArn"]])
    assert [item["runningCount"] for item in found["services"]] == [2]
    desk.aws.ecs.delete_service(cluster=desk.aws.cluster, service=service["serviceArn"], force=True)
