"""The verbs against the real API server: schema, conflicts, Events, rights, and kubectl's plug-in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.cli.conftest import Run
from integration.cli.operator_double import OperatorDouble
from integration.runtime.cluster_desk import Desk
from sluice.cli.asking import Ask, ask, await_answer
from sluice.cli.cluster import Cluster as People
from sluice.plan.deployment import revision as revisions
from sluice_sandbox.controlplane.cluster import Cluster
from sluice_sandbox.controlplane.resolve import locate
from unit.cli import samples
from unit.cli.published import published
from unit.docs.pages import ROOT, page
from unit.rollout.test_verbs import at

pytestmark = pytest.mark.integration


def moving(desk: Desk, status: dict[str, Any] | None = None) -> dict[str, Any]:
    """Create Deployment checkout in the middle of a canary (its pause until promoted)."""
    obj = desk.create("checkout")
    written = desk.api.patch_status(obj, {**(status or samples.moving()), "observedGeneration": 1})
    desk.api.create_revision(
        written,
        "checkout-old",
        number=1,
        data=samples.revision("checkout-old", "checkout:1.4.2")["data"],
    )
    return dict(written)


def annotations(desk: Desk) -> dict[str, str]:
    """Return the annotations of checkout."""
    return dict(desk.read("checkout")["metadata"].get("annotations") or {})


def test_what_the_machine_publishes_is_what_is_shown(desk: Desk, run: Run) -> None:
    """Written by the operator's own code, kept by the CRD's schema: nothing that the tree needs is pruned."""
    obj = published(at("Stepping"), generation=1)
    moving(desk, obj["status"])
    document = json.loads(run("status", "checkout", "-o", "json").output)
    rollout = document["rollout"]
    assert (document["outcome"], rollout["share"], rollout["proven"]) == ("Person", 25.0, 25.0)
    assert [step["state"] for step in rollout["steps"]] == ["done", "present", "next", "next", "next"]
    assert rollout["gates"][0]["name"] == "promote"
    assert [slot["role"] for slot in document["slots"]] == ["live", "candidate"]


def test_a_route_of_the_namespace_is_shown(desk: Desk, run: Run) -> None:
    """Found by what it refers to; the image by the kept revision."""
    moving(desk)
    desk.create_route("shop", "checkout")
    desk.create_route("other", "web")
    output = run("status", "checkout").output
    assert "├─ route shop   not looked at, not proved yet   shop.example.com" in output
    assert "route other" not in output
    assert "checkout-old   checkout:1.4.2" in output


def test_a_verb_is_heard_beside_a_busy_operator(desk: Desk, run: Run) -> None:
    """The status is written all the time: the annotation gets through, once, and its Event is found."""
    moving(desk)
    with OperatorDouble(desk, "checkout") as operator:
        result = run("promote", "checkout", "--wait", "--timeout", "30s")
        assert (result.exit_code, "done: promote" in result.output) == (0, True), result.output
        again = run("pause", "checkout", "--wait", "--timeout", "30s", "-o", "json")
    assert json.loads(again.output)["result"] == {"reason": "VerbHandled", "message": "pause"}
    said = annotations(desk)
    who = said.pop("sluice.dev/by")
    assert said == {"sluice.dev/promote": "r2/3", "sluice.dev/pause": "r2/3"}
    assert who == "pause=r2/3 sluice-sandbox-admin"  # whom the API server takes the kubeconfig's user for
    assert operator.passes > 1


def test_a_word_that_comes_too_late_is_ignored_aloud(desk: Desk, control_plane: Cluster) -> None:
    """The rollout moved on between the word and the operator's look at it: its reason is the answer."""
    moving(desk)
    cluster = People.connect(kubeconfig=str(control_plane.kubeconfig), namespace=desk.namespace)
    wish = Ask(name="checkout", verb="promote")
    asked = ask(cluster, wish)
    desk.api.patch_status(asked.obj, {**samples.moving(index=4), "observedGeneration": 1})
    with OperatorDouble(desk, "checkout"):
        answer = await_answer(cluster, wish, asked, timeout=30)
    cluster.close()
    assert answer is not None
    told = (answer.reason, answer.message)
    assert told == ("VerbIgnored", "promote r2/3: step 3 is not current; it is 4")


def test_restart_changes_the_template_alone(desk: Desk, run: Run) -> None:
    """A new generation, and the container is as it was."""
    before = moving(desk)
    assert run("restart", "ecsd/checkout").exit_code == 0
    after = desk.read("checkout")
    assert after["metadata"]["generation"] == 2
    template = after["spec"]["template"]
    assert "sluice.dev/restartedAt" in template["metadata"].pop("annotations")
    assert after["spec"] == before["spec"]


def test_history_reads_what_the_operator_keeps(desk: Desk, run: Run) -> None:
    """Revisions in the operator's own format, compared as YAML."""
    obj = moving(desk)
    made = revisions.make(
        deployment="checkout",
        definition={"containerDefinitions": [{"name": "app", "image": "checkout:1.5.0"}]},
        service={"launchType": "FARGATE"},
        restarted_at="2026-11-18T11:00:00Z",
    )
    desk.api.create_revision(obj, "checkout-new", number=2, data=revisions.to_data(made))
    shown = yaml.safe_load(run("history", "checkout", "checkout-new").output)
    assert shown["definition"]["containerDefinitions"][0]["image"] == "checkout:1.5.0"
    assert (
        "+restartedAt: '2026-11-18T11:00:00Z'" in run("history", "checkout", "checkout-new", "--diff").output
    )
    assert "checkout:1.4.2" in run("history", "checkout").output


def test_a_deployment_that_is_not_there(run: Run, namespace: str) -> None:
    """The definitions are installed, so it is the object that is missing."""
    result = run("abort", "checkout")
    assert result.exit_code == 2
    assert f"does not exist in namespace {namespace}" in result.output


def bound(cluster: Cluster, namespace: str, user: str, *roles: dict[str, Any]) -> None:
    """Bind cluster roles to a user in one namespace."""
    for role in roles:
        name = f"{role['metadata']['name']}-{namespace}"
        body = {**role, "metadata": {"name": name}}
        cluster.request("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", body=body)
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        }
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
        cluster.request("POST", path, body=binding)


def test_the_documented_rights_are_enough(
    control_plane: Cluster, desk: Desk, run: Run, tmp_path: Path
) -> None:
    """docs/cli.md's role carries status, a verb with its answer, restart and history; nothing is missing."""
    moving(desk)
    (role,) = page("docs/cli.md").yaml_objects()
    bound(control_plane, desk.namespace, "anna", role)
    own = str(control_plane.kubeconfig_for_user(tmp_path / "anna", "anna"))
    output = run("status", "checkout", "--kubeconfig", own).output
    assert "checkout:1.4.2" in output
    assert "not shown" not in output
    with OperatorDouble(desk, "checkout"):
        result = run("abort", "checkout", "--wait", "--timeout", "30s", "--kubeconfig", own)
        assert (result.exit_code, "done: abort" in result.output) == (0, True), result.output
    assert run("restart", "checkout", "--kubeconfig", own).exit_code == 0
    assert run("history", "checkout", "checkout-old", "--kubeconfig", own).exit_code == 0


def test_missing_rights_are_named(control_plane: Cluster, desk: Desk, run: Run, tmp_path: Path) -> None:
    """No right: exit code 2 with the API server's words; get alone: the tree, and what it lacks."""
    moving(desk)
    own = str(control_plane.kubeconfig_for_user(tmp_path / "ben", "ben"))
    result = run("status", "checkout", "--kubeconfig", own)
    assert (result.exit_code, 'User "ben" cannot get resource' in result.output) == (2, True), result.output
    rules = [{"apiGroups": ["sluice.dev"], "resources": ["ecsdeployments"], "verbs": ["get"]}]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "look"},
        "rules": rules,
    }
    bound(control_plane, desk.namespace, "ben", role)
    output = run("status", "checkout", "--kubeconfig", own).output
    assert "▶ 4. pause until promoted" in output
    assert "not shown: routes: not permitted" in output
    assert "not shown: images: not permitted" in output
    refused = run("promote", "checkout", "--kubeconfig", own)
    assert (refused.exit_code, "cannot patch resource" in refused.output) == (2, True), refused.output
    assert annotations(desk) == {}


def test_kubectl_finds_the_plug_in(control_plane: Cluster, desk: Desk, tmp_path: Path) -> None:
    """`kubectl sluice status`, by a program of the name that pyproject.toml declares."""
    moving(desk)
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    module, _, function = scripts["kubectl-sluice"].partition(":")
    program = tmp_path / "kubectl-sluice"
    code = f"from {module} import {function}; {function}()"
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{code}' \"$@\"\n", encoding="utf-8")
    program.chmod(0o755)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "KUBERNETES_SERVICE_HOST"},
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "KUBECONFIG": str(control_plane.kubeconfig),
    }
    kubectl = str(locate(["kubectl"])["kubectl"])

    def run_kubectl(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [kubectl, "sluice", *arguments]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    shown = run_kubectl("status", "checkout", "-n", desk.namespace)
    assert "rollout r2: checkout-old → checkout-new" in shown.stdout, shown.stderr
    assert "Usage: kubectl sluice" in run_kubectl("--help").stdout
    assert run_kubectl("status", "gone", "-n", desk.namespace).returncode == 2
