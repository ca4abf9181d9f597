"""Who may do what, asked of the API server: the operator's service account, and people."""

from __future__ import annotations

import pytest

from integration.chart.helm import eventually
from sluice_sandbox.controlplane.cluster import Cluster

pytestmark = pytest.mark.integration
OPERATOR = [
    *(("sluice.dev", kind, verb) for kind in ("ecsdeployments", "serviceroutes")
      for verb in ("get", "list", "watch", "patch")),
    ("sluice.dev", "ecsdeployments/status", "patch"),
    ("sluice.dev", "serviceroutes/status", "patch"),
    ("", "configmaps", "get"),
    ("", "secrets", "get"),
    ("", "namespaces", "get"),
    ("", "events", "create"),
    ("", "events", "patch"),
    ("apps", "controllerrevisions", "list"),
    ("apps", "controllerrevisions", "create"),
    ("apps", "controllerrevisions", "delete"),
    ("coordination.k8s.io", "leases", "create"),
    ("coordination.k8s.io", "leases:sluice", "get"),
    ("coordination.k8s.io", "leases:sluice", "update"),
]  # fmt: skip
NOT_OPERATOR = [
    ("sluice.dev", "ecsdeployments", "create"),
    ("sluice.dev", "ecsdeployments", "update"),
    ("sluice.dev", "ecsdeployments", "delete"),
    ("sluice.dev", "serviceroutes", "deletecollection"),
    ("sluice.dev", "ecsdeployments/status", "update"),
    ("", "configmaps", "list"),
    ("", "configmaps", "update"),
    ("", "secrets", "list"),
    ("", "secrets", "watch"),
    ("", "secrets", "create"),
    ("", "pods", "get"),
    ("", "pods/exec", "create"),
    ("", "serviceaccounts/token", "create"),
    ("", "events", "list"),
    ("apps", "controllerrevisions", "update"),
    ("apps", "deployments", "get"),
    ("coordination.k8s.io", "leases:other", "get"),
    ("coordination.k8s.io", "leases:other", "update"),
    ("coordination.k8s.io", "leases:sluice", "delete"),
    ("apiextensions.k8s.io", "customresourcedefinitions", "get"),
    ("rbac.authorization.k8s.io", "roles", "create"),
    ("rbac.authorization.k8s.io", "roles", "escalate"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies", "delete"),
]
EDITOR = [
    ("sluice.dev", "ecsdeployments", "create"),
    ("sluice.dev", "ecsdeployments", "delete"),
    ("sluice.dev", "serviceroutes", "update"),
    ("sluice.dev", "serviceroutes", "patch"),
    ("sluice.dev", "ecsdeployments/scale", "patch"),
]
NOT_EDITOR = [
    (group, f"{kind}/status", verb)
    for group, kind in (("sluice.dev", "ecsdeployments"), ("sluice.dev", "serviceroutes"))
    for verb in ("update", "patch", "create")
]
READ = [("sluice.dev", "ecsdeployments", "list"), ("sluice.dev", "serviceroutes", "watch")]


def allowed(cluster: Cluster, user: str, access: tuple[str, str, str], namespace: str) -> bool:
    """Ask the API server whether `user` may (SubjectAccessReview); `access` is group, resource, verb."""
    group, resource, verb = access
    resource, _, name = resource.partition(":")
    resource, _, subresource = resource.partition("/")
    attributes = {
        "group": group,
        "resource": resource,
        "subresource": subresource,
        "name": namespace if resource == "namespaces" else name,
        "verb": verb,
        "namespace": namespace,
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": attributes},
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    return bool(cluster.request("POST", path, body=body)["status"]["allowed"])


def answers(
    cluster: Cluster, user: str, table: list[tuple[str, str, str]], namespace: str
) -> dict[tuple[str, str, str], bool]:
    """Ask for every line of a table."""
    return {access: allowed(cluster, user, access, namespace) for access in table}


def test_the_operator_may_do_what_it_does(control_plane: Cluster, namespace: str, release: str) -> None:
    """Every verb that the operator uses is allowed in a namespace that it serves."""
    user = f"system:serviceaccount:{namespace}:{release}"
    eventually(lambda: allowed(control_plane, user, OPERATOR[0], namespace), "the binding counts")
    found = answers(control_plane, user, OPERATOR, namespace)
    assert [access for access, yes in found.items() if not yes] == []


def test_the_operator_may_do_nothing_else(control_plane: Cluster, namespace: str, release: str) -> None:
    """What would let it read or change more than its part is denied, and so is every other namespace."""
    user = f"system:serviceaccount:{namespace}:{release}"
    eventually(lambda: allowed(control_plane, user, OPERATOR[0], namespace), "the binding counts")
    found = answers(control_plane, user, NOT_OPERATOR, namespace)
    assert [access for access, yes in found.items() if yes] == []
    elsewhere = answers(control_plane, user, OPERATOR, "default")
    assert [access for access, yes in elsewhere.items() if yes] == []


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        ("view", READ, [*EDITOR, *NOT_EDITOR]),
        ("edit", EDITOR, NOT_EDITOR),
    ],
    ids=["viewers", "editors"],
)
def test_people_may_write_specs_and_never_status(
    control_plane: Cluster,
    namespace: str,
    release: str,
    role: str,
    may: list[tuple[str, str, str]],
    may_not: list[tuple[str, str, str]],
) -> None:
    """The roles that are added to Kubernetes' view and edit leave status to the operator."""
    name = f"{namespace}-{release}-{role}"
    control_plane.kubectl(
        "create", "rolebinding", role, f"--clusterrole={name}", "--user=jane", "--namespace", namespace
    )
    eventually(lambda: allowed(control_plane, "jane", may[0], namespace), "the binding counts")
    assert [a for a, yes in answers(control_plane, "jane", may, namespace).items() if not yes] == []
    assert [a for a, yes in answers(control_plane, "jane", may_not, namespace).items() if yes] == []


def test_the_roles_are_added_to_kubernetes_own(control_plane: Cluster, namespace: str, release: str) -> None:
    """Labels of ClusterRole aggregation: who may view, edit or administer a namespace gets ours with it."""
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    labels = {
        role: {
            key.rsplit("-", 1)[1]
            for key, value in control_plane.request("GET", f"{path}/{namespace}-{release}-{role}")[
                "metadata"
            ]["labels"].items()
            if key.startswith("rbac.authorization.k8s.io/aggregate-to-") and value == "true"
        }
        for role in ("view", "edit")
    }
    assert labels == {"view": {"view", "edit", "admin"}, "edit": {"edit", "admin"}}
