"""Raw JSON requests to the Kubernetes API server: the official client's configuration, none of its models.

The `kubernetes` package knows how to find and authenticate to a cluster (service account with token
rotation, kubeconfig with exec plugins); its generated API classes turn each answer into model objects,
which costs more CPU than everything else in a pass. So its connection pool is used and its models are not.

Every request has a timeout and is counted. A request is repeated once only where a second arrival is
harmless: reads, and writes guarded by a resourceVersion, when the pool's connection had gone stale. No
client-side rate limit: API Priority and Fairness on the server's side is the one place for that.
"""

from __future__ import annotations

import json
import os
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import urllib3
from kubernetes import config as kubernetes_config
from kubernetes.client import ApiClient, Configuration
from urllib3 import exceptions as broken
from yaml import YAMLError

from sluice.model.errors import Retryable
from sluice.telemetry.metrics import RuntimeMetrics

CONNECT_SECONDS: Final = 3.0
READ_SECONDS: Final = 15.0
JSON: Final = "application/json"
JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
"""Accept header of a list without specs (kubernetes.io, API concepts, "Alternate representations")."""


class KubernetesFailure(Retryable):
    """The API server refused or did not answer; `code` is its HTTP status, 0 without an answer."""

    def __init__(self, message: str, *, code: int, reason: str = "") -> None:
        """Keep the status and its reason (`metav1.Status.reason`)."""
        super().__init__(message)
        self.code = code
        self.reason = reason


class NoCluster(Exception):  # noqa: N818 - reads as the outcome it is
    """There is neither a service account nor a usable kubeconfig; the text says what was tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; `path` without query, `resource` is the label of the metrics."""

    method: str
    path: str
    resource: str
    query: Mapping[str, str] | None = None
    body: Any = None
    content_type: str = JSON
    accept: str = JSON
    timeout: float = READ_SECONDS
    repeatable: bool = False
    """Whether a second arrival is harmless."""


_UNREADABLE: Final = (
    kubernetes_config.ConfigException,
    OSError,
    YAMLError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)
"""What the client raises for a kubeconfig that is none: it checks little of what it reads."""


def kubeconfig_path() -> str:
    """Return the person's own kubeconfig: $KUBECONFIG (several files are merged), else ~/.kube/config."""
    return os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())


def configuration(kubeconfig: str = "", *, context: str = "") -> Configuration:
    """Return how to reach the cluster: `kubeconfig`, else the service account, else $KUBECONFIG.

    `context` names one of a kubeconfig; there a service account is not looked for.
    """
    found = Configuration()
    try:
        if not kubeconfig and not context and os.environ.get("KUBERNETES_SERVICE_HOST"):
            kubernetes_config.load_incluster_config(client_configuration=found)
            return found
        kubernetes_config.load_kube_config(
            config_file=kubeconfig or kubeconfig_path(), context=context or None, client_configuration=found
        )
    except _UNREADABLE as error:
        known = isinstance(error, kubernetes_config.ConfigException | OSError)
        why = " ".join(str(error).split()).rstrip(".")
        why = why if known else f"{kubeconfig or kubeconfig_path()} is no kubeconfig: {why}"
        raise NoCluster(
            f"no Kubernetes cluster to connect to: {why}. Run inside a cluster, or give a kubeconfig with "
            "--kubeconfig or $KUBECONFIG"
        ) from None
    return found


class ApiServer:
    """A pool of connections to one API server. Thread-safe."""

    def __init__(self, config: Configuration, *, pool: int, metrics: RuntimeMetrics) -> None:
        """Keep at most `pool` connections open: at least the number of threads that call."""
        config.connection_pool_maxsize = pool
        config.retries = False
        self.configuration = config
        self._client = ApiClient(config)
        self._pool: urllib3.PoolManager = self._client.rest_client.pool_manager
        self._host: str = config.host.rstrip("/")
        self._metrics = metrics

    def send(self, request: Request) -> dict[str, Any]:
        """Return the answer's JSON; raises KubernetesFailure."""
        try:
            return self._send(request)
        except KubernetesFailure as failure:
            stale = isinstance(failure.__cause__, broken.ProtocolError | broken.NewConnectionError)
            if not (stale and request.repeatable):
                raise
        return self._send(request)

    def get(
        self, path: str, *, resource: str, query: Mapping[str, str] | None = None
    ) -> dict[str, Any] | None:
        """Return an object, None when it does not exist (404)."""
        try:
            return self.send(
                Request(method="GET", path=path, resource=resource, query=query, repeatable=True)
            )
        except KubernetesFailure as failure:
            if failure.code == 404:
                return None
            raise

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _send(self, request: Request) -> dict[str, Any]:
        url = self._host + request.path + (f"?{urlencode(request.query)}" if request.query else "")
        headers = {"Accept": request.accept, "User-Agent": "sluice-operator"}
        if authorization := self.configuration.auth_settings().get("BearerToken"):
            headers["Authorization"] = authorization["value"]
        body = None
        if request.body is not None:
            headers["Content-Type"] = request.content_type
            body = json.dumps(request.body, separators=(",", ":")).encode()
        started = time.perf_counter()
        code = 0
        try:
            response = self._pool.request(
                request.method,
                url,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, request.timeout), total=request.timeout),
                retries=False,
            )
            code = response.status
            data = response.data
        except (broken.HTTPError, ssl.SSLError, OSError) as error:
            what = "timed out" if isinstance(error, broken.TimeoutError) else "failed"
            text = f"{request.method} {request.path}: the request to the API server {what}: {error}"
            raise KubernetesFailure(text, code=0) from error
        finally:
            self._metrics.requests.labels(request.method, request.resource, str(code)).inc()
            self._metrics.request_seconds.labels(request.method).observe(time.perf_counter() - started)
        return _answer(request, code, data)


def _answer(request: Request, code: int, data: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(data) if data else {}
    except ValueError:
        answer = {"message": data[:200].decode(errors="replace")}
    if not isinstance(answer, dict):
        answer = {"message": str(answer)[:200]}
    if code < 300:
        return answer
    raise KubernetesFailure(
        f"{request.method} {request.path}: {answer.get('message') or code}",
        code=code,
        reason=str(answer.get("reason", "")),
    )
