"""The habits of an apps/v1 Deployment with kubectl: scale, restart, wait, columns, explain's promises."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from e2e.desk import DEPLOYMENT, REPOSITORY, ROUTE, Desk
from e2e.waiting import until
from sluice_sandbox.controlplane.errors import CommandFailed

pytestmark = pytest.mark.e2e
GOLDEN = Path(__file__).parent / "golden" / "columns.txt"


def test_scale_goes_through_the_subresource(desk: Desk) -> None:
    """`kubectl scale` starts and stops tasks without a new revision, and refuses on a wrong present count."""
    desk.apply_and_wait(desk.deployment())
    before = desk.status(DEPLOYMENT)
    desk.kubectl("scale", "ecsdeployment/web", "--replicas=3", "--current-replicas=2")
    desk.wait_ready(desk.deployment())
    assert desk.service()["runningCount"] == 3
    scale = f"/apis/sluice.dev/v1alpha1/namespaces/{desk.namespace}/{DEPLOYMENT}/web/scale"
    assert desk.world.cluster.request("GET", scale)["status"] == {"replicas": 3, "selector": "app=web"}
    with pytest.raises(CommandFailed, match="Expected replicas to be 2"):
        desk.kubectl("scale", "ecsdeployment/web", "--replicas=1", "--current-replicas=2")
    desk.kubectl("scale", "ecsdeployment/web", "--replicas=0")
    desk.wait_ready(desk.deployment())
    until(lambda: desk.service()["runningCount"] == 0, "no task runs")
    after = desk.status(DEPLOYMENT)
    assert after["live"]["revision"] == before["live"]["revision"]
    assert after["live"]["taskDefinition"] == before["live"]["taskDefinition"]


def test_a_restart_replaces_every_task(desk: Desk) -> None:
    """The template's restart annotation is a new revision of the same task definition, rolled out as any."""
    desk.apply_and_wait(desk.deployment())
    before = desk.status(DEPLOYMENT)
    service = before["slots"][0]["serviceName"]
    tasks = set(desk.aws.tasks(service))
    assert len(tasks) == 2
    patch = '{"spec":{"template":{"metadata":{"annotations":{"sluice.dev/restartedAt":"now"}}}}}'
    desk.kubectl("patch", "ecsdeployment", "web", "--type=merge", "-p", patch)
    desk.wait_ready(desk.deployment())
    until(lambda: not tasks & set(desk.aws.tasks(service)), "no old task runs")
    after = desk.status(DEPLOYMENT)
    assert len(desk.aws.tasks(service)) == 2
    assert after["live"]["revision"] != before["live"]["revision"]
    assert after["live"]["taskDefinition"] == before["live"]["taskDefinition"]


def test_wait_never_takes_the_last_generation_for_this_one(desk: Desk) -> None:
    """While nobody has seen a new spec, Ready=True of the old one does not end `kubectl wait`."""
    desk.apply_and_wait(desk.deployment())
    before = desk.status(DEPLOYMENT)["live"]["revision"]
    operator = desk.world.operator()
    wait = ("wait", "ecsdeployment/web", "--for=condition=Ready")
    desk.kubectl(*wait, "--timeout=1s")
    operator.freeze()
    try:
        desk.apply(desk.deployment(image="2.0.0"))
        stale = desk.get(DEPLOYMENT)
        with pytest.raises(CommandFailed, match="timed out"):
            desk.kubectl(*wait, "--timeout=1s")
    finally:
        operator.thaw()
    assert [item["status"] for item in stale["status"]["conditions"]] == ["True"]
    desk.kubectl(*wait, "--timeout=60s")
    after = desk.get(DEPLOYMENT)
    assert after["status"]["live"]["revision"] != before
    assert after["status"]["images"][0]["tag"] == f"{REPOSITORY}:2.0.0"
    assert after["status"]["updatedReplicas"] == after["spec"]["replicas"]


def test_columns_are_those_of_the_golden_file(desk: Desk) -> None:
    """What `kubectl get` and `-o wide` print for both kinds; hashes, ages and the namespace are masked.

    After a change on purpose: UPDATE_GOLDEN=1 pytest tests/e2e/test_kubectl.py
    """
    route = desk.route(backends={"web": 1, "ledger": 3}, ports=(80, 443))
    desk.apply_and_wait(desk.deployment(), desk.deployment("ledger", replicas=1), route)
    text = "".join(
        f"$ kubectl get {kind}{flags}\n" + desk.kubectl("get", kind, *flags.split())
        for kind in ("ecsd", "sroute")
        for flags in ("", " -o wide")
    )
    masked = re.sub(r"-[0-9a-f]{10}", "-HASH", text.replace(desk.namespace, "NAMESPACE"))
    masked = re.sub(r"\b\d+s\b", "AGE", masked)
    # Widths depend on what is masked.
    masked = "\n".join(re.sub(r" {2,}", "  ", line.rstrip()) for line in masked.splitlines()) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(masked, encoding="utf-8")
    assert masked == GOLDEN.read_text(encoding="utf-8")


def test_every_short_name_and_the_category_work(desk: Desk) -> None:
    """`ecsd`, `sroute` and the category `sluice` name what the README says."""
    desk.apply_and_wait(desk.deployment(), desk.route())
    names = desk.kubectl("get", "sluice", "-o", "name").split()
    assert sorted(names) == ["deployment.sluice.dev/web", "serviceroute.sluice.dev/web"]
    image = "jsonpath={.spec.template.spec.containers[0].image}"
    assert desk.kubectl("get", "ecsd/web", "-o", image) == f"{REPOSITORY}:1.0.0"
    assert desk.kubectl("get", "sroute/web", "-o", "jsonpath={.kind}") == "ServiceRoute"
    assert desk.get(ROUTE)["status"]["observedGeneration"] == 1
