"""One document in one ConfigMap, written under its resourceVersion; `notify.shelf.Shelf`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sluice.model.errors import WriteConflict
from sluice.runtime.apiserver import ApiServer, KubernetesFailure, Request

ENTRY: Final = "outbox.json"
_RESOURCE: Final = "configmaps"


class ConfigMapShelf:
    """Used by one thread at a time."""

    def __init__(self, server: ApiServer, *, namespace: str, name: str) -> None:
        """Keep the document in this ConfigMap, which need not exist."""
        self._server = server
        self._path = f"/api/v1/namespaces/{namespace}/configmaps"
        self._metadata: dict[str, Any] = {"name": name, "namespace": namespace}
        self._name = name

    def load(self) -> str | None:
        """Return the document and remember its version; None when there is none. Raises Retryable."""
        found = self._server.get(f"{self._path}/{self._name}", resource=_RESOURCE)
        self._remember(found)
        text = ((found or {}).get("data") or {}).get(ENTRY)
        return str(text) if text is not None else None

    def save(self, text: str) -> None:
        """Replace the document; raises WriteConflict when somebody else wrote it since, or Retryable.

        A ConfigMap that was deleted meanwhile is a conflict, too: the next `load` finds none and the next
        write makes it again. Labels and annotations that people gave it stay.
        """
        version = self._metadata.get("resourceVersion")
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": self._metadata,
            "data": {ENTRY: text},
        }
        request = Request(
            method="PUT" if version else "POST",
            path=f"{self._path}/{self._name}" if version else self._path,
            resource=_RESOURCE,
            body=body,
        )
        try:
            self._remember(self._server.send(request))
        except KubernetesFailure as failure:
            if failure.code in (404, 409) and (version or failure.reason == "AlreadyExists"):
                raise WriteConflict(str(failure)) from failure
            raise

    def _remember(self, found: Mapping[str, Any] | None) -> None:
        kept = {name: self._metadata[name] for name in ("name", "namespace")}
        metadata = (found or {}).get("metadata") or {}
        for name in ("resourceVersion", "labels", "annotations"):
            if metadata.get(name):
                kept[name] = metadata[name]
        self._metadata = kept
