"""Every field of a status that the operator writes has a place in the schema, or it would be lost in silence.

The fixture `desk` asks that of all tests; this one makes sure that the fields of this release are written.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from e2e.audit import Audit
from e2e.desk import DEPLOYMENT, REPOSITORY, Desk
from e2e.waiting import until

pytestmark = pytest.mark.e2e


def test_a_field_without_a_place_is_found(tmp_path: Path) -> None:
    """The audit sees fields that are unknown at the top, inside lists and inside maps, and no others."""
    status = {
        "phase": "Healthy",
        "invented": 1,
        "slots": [{"name": "a", "ordinal": 1, "colour": "blue"}],
        "live": {"slot": "a", "deep": {"er": 1}},
        "intents": {"anything": "goes"},
    }
    where = {"resource": DEPLOYMENT, "namespace": "shop", "name": "web", "subresource": "status"}
    change = {"op": "add", "path": "/status", "value": status}
    event = {"verb": "patch", "objectRef": where, "requestObject": [change]}
    names = ("status.invented", "status.slots[].colour", "status.live.deep")
    assert Audit(tmp_path).pruned([event]) == {f"{DEPLOYMENT} {name}" for name in names}


def test_the_schema_has_every_field_that_is_written(desk: Desk) -> None:
    """All that can happen to a Deployment writes all fields; none is pruned."""
    world = desk.world
    # With a name whose entries ECS keeps, and without it again.
    routed = desk.route()
    routed["spec"]["discovery"] = {
        "mode": "ECS",
        "backendRef": {"name": "web", "port": "http"},
        "serviceName": "web",
        "namespaceRef": {
            "name": f"{desk.namespace}.internal",
            "create": {"type": "DNS_PRIVATE", "vpc": desk.aws.estate["vpcId"]},
        },
        "dns": {"records": [{"type": "A", "ttlSeconds": 1}]},
    }
    desk.apply_and_wait(desk.deployment(), routed)
    until(lambda: desk.status(DEPLOYMENT).get("registries"), "ECS keeps the entries")
    desk.apply_and_wait(desk.deployment(), desk.route())
    broken = desk.deployment(image="2.0.0")
    broken["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "SANDBOX_EXIT", "value": "1"}]
    desk.apply(broken)
    desk.wait_reason("RolledBack")
    for name in ("ecsdeployment/web", "serviceroute/web"):
        desk.kubectl("annotate", name, "sluice.dev/reconcile-now=now")
    # Another launch type cannot be changed in place: a new service takes the old one's place.
    strategy = [{"capacityProvider": "FARGATE", "weight": 1}]
    groups = [{"port": "http", "deregistrationDelaySeconds": 10}]
    moved = desk.deployment(ecs={"capacityProviderStrategy": strategy, "targetGroups": groups})
    moved["spec"]["template"]["spec"]["containers"][0]["image"] = f"{REPOSITORY}@sha256:{'a' * 64}"
    desk.apply(moved)
    desk.wait_ready(moved, desk.route(), seconds=90)
    until(lambda: not desk.status(DEPLOYMENT).get("retiring"), "the old service is gone", seconds=60)
    steps = {"steps": [{"setWeight": 100}], "drain": {"propagationDelaySeconds": 1}}
    moved["spec"]["strategy"] = {"type": "Progressive", "progressive": steps}
    moved["spec"]["template"]["spec"]["containers"][0]["image"] = f"{REPOSITORY}@sha256:{'b' * 64}"
    desk.apply(moved)
    desk.wait_ready(moved, desk.route(), seconds=90)
    desk.delete(moved, desk.route())

    events = world.audit.news()
    written: dict[str, set[str]] = defaultdict(set)
    for what, status in world.audit.statuses(events):
        if f" {desk.namespace}/" in what:
            written[what.split()[0]] |= set(status)
    assert world.audit.pruned(events) == set()
    assert dict(written) == world.audit.fields
