"""The Lease of leader election over its own connection.

Own pool, so that a renewal never queues behind the workers; every request has a timeout below the renew
deadline and none is repeated: urllib3 would honour a Retry-After header past the deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sluice.model.errors import WriteConflict
from sluice.model.keys import GROUP
from sluice.runtime.apiserver import ApiServer, KubernetesFailure, Request

FINALIZERS_NOTE: Final = f"{GROUP}/finalizers"
"""Annotation: how many custom resources carry our finalizer. The chart's policy refuses `helm uninstall`
while it is not 0 (helm/sluice/templates/uninstall-guard.yaml)."""


class LeaseApi:
    """`lease.Leases` against the API server."""

    def __init__(
        self, server: ApiServer, *, timeout: float, notes: Callable[[], Mapping[str, str]] = dict
    ) -> None:
        """Give every request at most `timeout` seconds; each write puts `notes()` into the annotations."""
        self._server = server
        self._timeout = timeout
        self._notes = notes

    def read_lease(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """Return the Lease, None when it does not exist; raises Retryable."""
        try:
            return self._send("GET", f"{_path(namespace)}/{name}", None)
        except KubernetesFailure as failure:
            if failure.code == 404:
                return None
            raise

    def create_lease(self, namespace: str, name: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create the Lease; raises WriteConflict when it exists, else Retryable."""
        return self._write(
            "POST", _path(namespace), self._lease({"name": name, "namespace": namespace}, spec)
        )

    def write_lease(self, lease: Mapping[str, Any], spec: Mapping[str, Any]) -> Mapping[str, Any]:
        """Replace the spec under the Lease's resourceVersion; raises WriteConflict or Retryable."""
        metadata = lease["metadata"]
        path = f"{_path(metadata['namespace'])}/{metadata['name']}"
        return self._write("PUT", path, self._lease(metadata, spec))

    def _write(self, method: str, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return self._send(method, path, body)
        except KubernetesFailure as failure:
            if failure.code in (404, 409):
                raise WriteConflict(str(failure)) from failure
            raise

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> Mapping[str, Any]:
        return self._server.send(
            Request(method=method, path=path, resource="leases", body=body, timeout=self._timeout)
        )

    def _lease(self, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
        annotations = {**(metadata.get("annotations") or {}), **self._notes()}
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {**metadata, "annotations": annotations},
            "spec": dict(spec),
        }


def _path(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
