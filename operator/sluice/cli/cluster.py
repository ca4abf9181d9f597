"""What the verbs read and write in Kubernetes, and what a person is told where that fails.

Nobody else is asked: no AWS access, no access to the operator. Rights that are needed (docs/cli.md):
get and patch of ecsdeployments; list of serviceroutes, controllerrevisions and events make the picture
whole and may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kubernetes import config as kubernetes_config
from prometheus_client import CollectorRegistry

from sluice.cli.problem import Unusable
from sluice.model.keys import API_VERSION, DEPLOYMENT, PLURALS, SERVICE_ROUTE, Key
from sluice.runtime.apiserver import (
    MERGE_PATCH,
    ApiServer,
    KubernetesFailure,
    NoCluster,
    Request,
    configuration,
    kubeconfig_path,
)
from sluice.runtime.clock import SystemClock
from sluice.runtime.kube import KubernetesApi
from sluice.telemetry.metrics import RuntimeMetrics

Json = dict[str, Any]
FIELD_MANAGER: Final = "kubectl-sluice"
_IN_POD: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_LIST_PAGE: Final = "500"


class Changed(Exception):  # noqa: N818 - reads as the outcome it is
    """Somebody else wrote the object since it was read; read it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a list gave; `problem` says why it is not whole, '' when it is."""

    items: Sequence[Json] = ()
    problem: str = ""


class Cluster:
    """One namespace of one cluster, seen by the person who runs the command."""

    def __init__(self, server: ApiServer, namespace: str) -> None:
        """Ask `server`."""
        self.namespace = namespace
        self._server = server
        self._api = KubernetesApi(server, clock=SystemClock())

    @classmethod
    def connect(cls, *, kubeconfig: str = "", context: str = "", namespace: str = "") -> Cluster:
        """Connect as kubectl would; raises Unusable."""
        try:
            config = configuration(kubeconfig, context=context)
        except NoCluster as error:
            raise Unusable(str(error)) from None
        server = ApiServer(config, pool=2, metrics=RuntimeMetrics(CollectorRegistry()))
        return cls(server, namespace or _default_namespace(kubeconfig, context))

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def deployment(self, name: str) -> Json:
        """Return a Deployment as it is now.

        Raises Unusable when it does not exist (or its kind, or may not be read), KubernetesFailure where
        asking again may help: no answer, throttled, an error of the server.
        """
        try:
            found = self._api.read(Key(DEPLOYMENT, self.namespace, name))
        except KubernetesFailure as failure:
            if lasting(failure):
                raise Unusable(explain(failure)) from failure
            raise
        if found is None:
            raise Unusable(self._why_missing(name))
        return dict(found)

    def routes(self, name: str) -> Listed:
        """Return the ServiceRoutes of the namespace that refer to Deployment `name`."""
        path = f"/apis/{API_VERSION}/namespaces/{self.namespace}/{PLURALS[SERVICE_ROUTE]}"
        found = self._list(path, PLURALS[SERVICE_ROUTE])
        return Listed(items=[item for item in found.items if refers(item, name)], problem=found.problem)

    def revisions(self, name: str) -> Listed:
        """Return the kept ControllerRevisions of a Deployment, oldest first."""
        try:
            return Listed(items=[dict(i) for i in self._api.revisions(Key(DEPLOYMENT, self.namespace, name))])
        except KubernetesFailure as failure:
            return Listed(problem=explain(failure))

    def who(self) -> str:
        """Return whom the API server takes this person for, '' where it does not say.

        SelfSubjectReview of authentication.k8s.io/v1, which everybody may create (system:basic-user).
        """
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        try:
            found = self._server.send(
                Request(method="POST", path=path, resource="selfsubjectreviews", body=body)
            )
        except KubernetesFailure:
            return ""
        user = (found.get("status") or {}).get("userInfo") or {}
        return str(user.get("username", ""))

    def events(self, obj: Json) -> Listed:
        """Return the Events about an object."""
        query = {"fieldSelector": f"involvedObject.uid={obj['metadata']['uid']}"}
        return self._list(f"/api/v1/namespaces/{self.namespace}/events", "events", query)

    def patch(self, obj: Json, change: Json) -> Json:
        """Merge `change` into an object that nobody wrote since it was read; raises Changed, Unusable.

        An answer that was lost is a KubernetesFailure: whether it was written shows the next read.
        """
        metadata = {**change.get("metadata", {}), "resourceVersion": obj["metadata"]["resourceVersion"]}
        name = obj["metadata"]["name"]
        request = Request(
            method="PATCH",
            path=f"/apis/{API_VERSION}/namespaces/{self.namespace}/{PLURALS[DEPLOYMENT]}/{name}",
            resource=PLURALS[DEPLOYMENT],
            query={"fieldManager": FIELD_MANAGER},
            body={**change, "metadata": metadata},
            content_type=MERGE_PATCH,
            repeatable=True,
        )
        try:
            return self._server.send(request)
        except KubernetesFailure as failure:
            if failure.code == 409:
                raise Changed(str(failure)) from failure
            if failure.code == 404:
                raise Unusable(self._why_missing(name)) from failure
            if lasting(failure):
                raise Unusable(explain(failure)) from failure
            raise

    def _list(self, path: str, resource: str, query: Mapping[str, str] | None = None) -> Listed:
        """Return all pages; a list that is refused is told and not fatal."""
        items: list[Json] = []
        asked = {**(query or {}), "limit": _LIST_PAGE}
        try:
            while True:
                page = self._server.send(
                    Request(method="GET", path=path, resource=resource, query=asked, repeatable=True)
                )
                items += page.get("items") or []
                token = (page.get("metadata") or {}).get("continue")
                if not token:
                    return Listed(items=items)
                asked = {**asked, "continue": token}
        except KubernetesFailure as failure:
            return Listed(items=items, problem=explain(failure))

    def _why_missing(self, name: str) -> str:
        """Say why a Deployment is not there: its kind is not installed, or nobody applied it."""
        try:
            missing = self._api.missing_kinds()
        except KubernetesFailure:
            missing = []
        if missing:
            return (
                f"this cluster does not know {', '.join(missing)}: Sluice is not installed in it. Install "
                "the chart, or apply the definitions: sluice crds | kubectl apply --server-side -f -"
            )
        return (
            f"Deployment {name} of {API_VERSION} does not exist in namespace {self.namespace}; "
            "kubectl get ecsd -A lists all that do"
        )


def refers(route: Mapping[str, Any], name: str) -> bool:
    """Tell whether a ServiceRoute refers to Deployment `name`."""
    spec = route.get("spec") or {}
    backends = [ref for rule in spec.get("rules") or () for ref in rule.get("backendRefs") or ()]
    discovered = (spec.get("discovery") or {}).get("backendRef")
    return any(ref.get("name") == name for ref in (*backends, *([discovered] if discovered else [])))


def lasting(failure: KubernetesFailure) -> bool:
    """Tell whether the same request would be refused again."""
    return 400 <= failure.code < 500 and failure.code not in (408, 409, 425, 429)


def explain(failure: KubernetesFailure) -> str:
    """Return a failure in words that say what to do."""
    if failure.code == 0:
        return f"the API server does not answer: {failure}. Is the cluster of this kubeconfig reachable?"
    if failure.code == 401:
        return (
            f"the API server does not know who you are: {failure}. Log in again, or choose another --context"
        )
    if failure.code == 403:
        return f"not permitted: {failure}. docs/cli.md lists the rights that each verb needs"
    return f"the API server refused ({failure.code}): {failure}"


def _default_namespace(kubeconfig: str, context: str) -> str:
    """Return the namespace of the context, or of the Pod; `default` where neither says one."""
    file = kubeconfig or kubeconfig_path()
    try:
        contexts, active = kubernetes_config.list_kube_config_contexts(config_file=file)
    except (kubernetes_config.ConfigException, OSError):
        pod = _IN_POD.read_text(encoding="utf-8").strip() if _IN_POD.is_file() else ""
        return pod or "default"
    named = next((entry for entry in contexts if context and entry["name"] == context), active)
    return str((named.get("context") or {}).get("namespace") or "default")
