"""What controllers read and write in Kubernetes beside the watched objects; `ports.Kubernetes`.

Status and finalizers are written as a JSON patch (RFC 6902) that also sets metadata.resourceVersion: the
API server then treats the write as conditional and answers 409 when somebody was faster, while the request
carries only what changes. `add` replaces the whole status, so a field that vanishes from it vanishes.
The answer goes into the store before the caller has it; hence the watch's echo is nobody's news.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from sluice.model.errors import WriteConflict
from sluice.model.keys import (
    API_VERSION,
    DEPLOYMENT,
    GROUP,
    PLURALS,
    SERVICE_ROUTE,
    VERSION,
    Key,
    Kind,
)
from sluice.model.names import short_hash
from sluice.ports import Clock, Object
from sluice.runtime.apiserver import JSON_PATCH, METADATA_ONLY, ApiServer, KubernetesFailure, Request
from sluice.runtime.store import key_of, without_managed_fields

NAMESPACE_SECONDS: Final = 30.0
LIST_PAGE: Final = 500
OWNER_LABEL: Final = f"{GROUP}/deployment"
"""On ControllerRevisions: the Deployment's name, shortened with a hash beyond a label's 63 characters."""
_LABEL_MAX: Final = 63
_FIELD_MANAGER: Final = "sluice"


class Journal(Protocol):
    """Who has to know of own writes to custom resources. `runtime.intake.Intake`."""

    def writing(self, key: Key) -> AbstractContextManager[None]:
        """Wrap one write: what the watch says of `key` meanwhile waits."""

    def wrote(self, key: Key, obj: Object) -> None:
        """Take the object as the write left it."""


class KubernetesApi:
    """Reads and writes of the workers. Thread-safe."""

    def __init__(self, server: ApiServer, *, clock: Clock, journal: Journal | None = None) -> None:
        """Tell `journal` of each own write to a custom resource."""
        self._server = server
        self._clock = clock
        self._journal = journal
        self._lock = threading.Lock()
        self._namespaces: dict[str, tuple[float, Mapping[str, str]]] = {}

    # Custom resources

    def patch_status(self, obj: Object, status: Mapping[str, Any]) -> Object:
        """Replace `status` under the object's resourceVersion; return the object as written."""
        return self._patch(obj, "/status", {"op": "add", "path": "/status", "value": dict(status)})

    def set_finalizers(self, obj: Object, finalizers: Sequence[str]) -> Object:
        """Replace `metadata.finalizers` under the object's resourceVersion; return the object."""
        change = {"op": "add", "path": "/metadata/finalizers", "value": list(finalizers)}
        return self._patch(obj, "", change)

    def read(self, key: Key) -> Object | None:
        """Return a custom resource as it is now, None when it does not exist."""
        found = self._server.get(_path(key), resource=PLURALS[key.kind])
        return None if found is None else without_managed_fields(found)

    def list_keys(self, namespaces: Sequence[str] = ()) -> dict[Key, tuple[str, str]]:
        """Return key → (uid, resourceVersion) of all custom resources, without reading their specs."""
        found: dict[Key, tuple[str, str]] = {}
        for kind in (DEPLOYMENT, SERVICE_ROUTE):
            for scope in [f"/namespaces/{name}" for name in namespaces] or [""]:
                path = f"/apis/{GROUP}/{VERSION}{scope}/{PLURALS[kind]}"
                for item in self._pages(path, resource=PLURALS[kind]):
                    metadata = item["metadata"]
                    found[key_of(kind, item)] = (metadata["uid"], metadata["resourceVersion"])
        return found

    def missing_kinds(self) -> list[str]:
        """Return the custom resource definitions that the API server does not serve."""
        served = self._server.get(f"/apis/{GROUP}/{VERSION}", resource="discovery") or {}
        names = {resource.get("name") for resource in served.get("resources", [])}
        wanted = [name for plural in PLURALS.values() for name in (plural, f"{plural}/status")]
        return [f"{name}.{GROUP}" for name in wanted if name not in names]

    # Reads

    def config_map(self, namespace: str, name: str) -> Object | None:
        """Return a ConfigMap, None when it does not exist."""
        return self._server.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}", resource="configmaps")

    def secret(self, namespace: str, name: str) -> Object | None:
        """Return a Secret, None when it does not exist."""
        return self._server.get(f"/api/v1/namespaces/{namespace}/secrets/{name}", resource="secrets")

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        """Return the labels of a namespace as they were at most 30 s ago; none when it is gone."""
        now = self._clock.monotonic()
        with self._lock:
            known = self._namespaces.get(name)
            if known and now - known[0] < NAMESPACE_SECONDS:
                return known[1]
        found = self._server.get(f"/api/v1/namespaces/{name}", resource="namespaces") or {"metadata": {}}
        labels: Mapping[str, str] = found["metadata"].get("labels") or {}
        with self._lock:
            old = [key for key, (at, _labels) in self._namespaces.items() if now - at >= NAMESPACE_SECONDS]
            for key in old:
                del self._namespaces[key]
            self._namespaces[name] = (now, labels)
        return labels

    # Revisions

    def revisions(self, key: Key) -> Sequence[Object]:
        """Return the ControllerRevisions of a Deployment, oldest first."""
        query = {"labelSelector": f"{OWNER_LABEL}={owner_label(key.name)}"}
        items = self._pages(_revisions_path(key.namespace), resource="controllerrevisions", query=query)
        return sorted(items, key=lambda item: (int(item.get("revision") or 0), item["metadata"]["name"]))

    def create_revision(self, owner: Object, name: str, *, number: int, data: Mapping[str, Any]) -> None:
        """Create a ControllerRevision owned by `owner`; one that exists already is left as it is."""
        metadata = owner["metadata"]
        body = {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": name,
                "labels": {OWNER_LABEL: owner_label(metadata["name"])},
                "ownerReferences": [
                    {
                        "apiVersion": API_VERSION,
                        "kind": DEPLOYMENT,
                        "name": metadata["name"],
                        "uid": metadata["uid"],
                        "controller": True,
                        # True would need the right to update the owner's finalizers subresource.
                        "blockOwnerDeletion": False,
                    }
                ],
            },
            "revision": number,
            "data": dict(data),
        }
        path = _revisions_path(metadata["namespace"])
        try:
            self._server.send(Request(method="POST", path=path, resource="controllerrevisions", body=body))
        except KubernetesFailure as failure:
            if failure.reason != "AlreadyExists":
                raise

    def delete_revision(self, namespace: str, name: str) -> None:
        """Delete a ControllerRevision; one that is gone is fine."""
        path = f"{_revisions_path(namespace)}/{name}"
        try:
            self._server.send(Request(method="DELETE", path=path, resource="controllerrevisions"))
        except KubernetesFailure as failure:
            if failure.code != 404:
                raise

    def _patch(self, obj: Object, subresource: str, change: Mapping[str, Any]) -> Object:
        metadata = obj["metadata"]
        kind: Kind = DEPLOYMENT if obj.get("kind") == DEPLOYMENT else SERVICE_ROUTE
        key = key_of(kind, obj)
        guard = {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]}
        request = Request(
            method="PATCH",
            path=_path(key) + subresource,
            resource=PLURALS[kind] + subresource,
            query={"fieldManager": _FIELD_MANAGER},
            body=[guard, change],
            content_type=JSON_PATCH,
            repeatable=True,
        )
        if self._journal is None:
            return self._conditional(request)
        with self._journal.writing(key):
            written = self._conditional(request)
            self._journal.wrote(key, written)
            return written

    def _conditional(self, request: Request) -> Object:
        try:
            return without_managed_fields(self._server.send(request))
        except KubernetesFailure as failure:
            if failure.code in (404, 409):
                raise WriteConflict(str(failure)) from failure
            raise

    def _pages(
        self, path: str, *, resource: str, query: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """Return all items of a list; starts again when its snapshot expires between two pages (410)."""
        while True:
            items: list[dict[str, Any]] = []
            token = ""
            try:
                while True:
                    page = self._server.send(_page(path, resource, dict(query or {}), token))
                    items += page.get("items") or []
                    token = (page.get("metadata") or {}).get("continue") or ""
                    if not token:
                        return items
            except KubernetesFailure as failure:
                if failure.code != 410 or not token:
                    raise


def owner_label(name: str) -> str:
    """Return the label value that stands for a Deployment's name."""
    if len(name) <= _LABEL_MAX:
        return name
    tail = short_hash(name)
    return f"{name[: _LABEL_MAX - len(tail) - 1].rstrip('-.')}-{tail}"


def _page(path: str, resource: str, query: dict[str, str], token: str) -> Request:
    query["limit"] = str(LIST_PAGE)
    if token:
        query["continue"] = token
    whole = resource == "controllerrevisions"
    accept = "application/json" if whole else METADATA_ONLY
    return Request(method="GET", path=path, resource=resource, query=query, accept=accept, repeatable=True)


def _path(key: Key) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{key.namespace}/{PLURALS[key.kind]}/{key.name}"


def _revisions_path(namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/controllerrevisions"
