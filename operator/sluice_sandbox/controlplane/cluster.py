"""What one does with a running control plane: ask it, be someone, run kubectl.

Everything is read from the control plane's directory, so any process that may read the directory can use it,
not only the one that started it.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
from collections.abc import Sequence
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sluice_sandbox.controlplane.errors import CommandFailed, RequestRefused
from sluice_sandbox.controlplane.kubeconfig import Credentials, write_kubeconfig
from sluice_sandbox.controlplane.pki import Authority, KeyFiles
from sluice_sandbox.controlplane.resolve import locate

KUBECONFIG_FILE = "kubeconfig"


class Cluster:
    """A control plane that runs in `directory`, seen by its administrator."""

    def __init__(self, directory: Path, *, kubectl: Path | None = None) -> None:
        """Use the control plane in `directory`; `kubectl` is found by `resolve` when it is not given."""
        self.directory = directory
        self._kubectl = kubectl

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig (group system:masters)."""
        return self.directory / KUBECONFIG_FILE

    @property
    def server(self) -> str:
        """The API server's address, as the administrator's kubeconfig has it."""
        content = json.loads(self.kubeconfig.read_text(encoding="utf-8"))
        return str(content["clusters"][0]["cluster"]["server"])

    def kubeconfig_for_user(
        self, path: Path, user: str, *, groups: Sequence[str] = (), namespace: str = "default"
    ) -> Path:
        """Write to `path` a kubeconfig whose bearer is `user` in `groups` (client certificate, a year)."""
        certificate, key = Authority.open(self._keys).client(user, groups)
        credentials = Credentials(certificate=certificate, key=key)
        return self._write(path, credentials, namespace)

    def kubeconfig_for_service_account(
        self, path: Path, name: str, *, namespace: str, expires_s: int = 3600
    ) -> Path:
        """Write to `path` a kubeconfig whose bearer is this existing ServiceAccount, as a Pod's would be.

        The token comes from the TokenRequest API and is good for `expires_s` seconds (600 at least).

        Raises:
            RequestRefused: the ServiceAccount does not exist (status 404).
        """
        token = self.service_account_token(name, namespace=namespace, expires_s=expires_s)
        return self._write(path, Credentials(token=token), namespace)

    def service_account_token(self, name: str, *, namespace: str, expires_s: int = 3600) -> str:
        """Return a bearer token of this existing ServiceAccount (TokenRequest API)."""
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": expires_s},
        }
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        return str(self.request("POST", path, body=request)["status"]["token"])

    def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        content_type: str = "application/json",
    ) -> Any:  # noqa: ANN401 - any JSON
        """Send one request as the administrator and return the answer's JSON (None when it is empty).

        Raises:
            RequestRefused: the status is not 2xx.
            OSError: no connection.
        """
        payload = None if body is None else json.dumps(body)
        status, text = self.exchange(method, path, payload=payload, content_type=content_type)
        if not 200 <= status < 300:
            raise RequestRefused(method, path, status=status, body=text)
        return json.loads(text) if text else None

    def exchange(
        self,
        method: str,
        path: str,
        *,
        payload: str | None = None,
        content_type: str = "application/json",
        timeout_s: float = 30.0,
    ) -> tuple[int, str]:
        """Send one request as the administrator and return status and text, whatever they are."""
        address = urlsplit(self.server)
        context = ssl.create_default_context(cafile=str(self._keys.authority))
        context.load_cert_chain(*self._keys.admin)
        connection = HTTPSConnection(address.hostname or "", address.port, timeout=timeout_s, context=context)
        headers = {"Accept": "application/json", "Content-Type": content_type}
        try:
            connection.request(method, path, body=payload, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8")
        finally:
            connection.close()

    def ready(self) -> bool:
        """Whether /readyz says so (bootstrap roles are there too: it is one of its checks)."""
        try:
            return self.exchange("GET", "/readyz", timeout_s=5.0)[0] == 200
        except (OSError, HTTPException):
            return False

    def kubectl(
        self,
        *arguments: str,
        stdin: str | None = None,
        kubeconfig: Path | None = None,
        timeout_s: float = 60.0,
    ) -> str:
        """Run kubectl and return what it prints; as the administrator unless `kubeconfig` says otherwise.

        Nothing of the person's own configuration or cache is read or written.

        Raises:
            CommandFailed: it ended with another status than 0; has what it printed.
        """
        program = self._kubectl or locate(["kubectl"])["kubectl"]
        self._kubectl = program
        command = [str(program), f"--cache-dir={self.directory / 'kubectl-cache'}", *arguments]
        done = subprocess.run(  # noqa: S603 - the kubectl that `resolve` found
            command,
            input=stdin or "",
            env={**os.environ, "KUBECONFIG": str(kubeconfig or self.kubeconfig), "KUBERC": "off"},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode != 0:
            raise CommandFailed(
                ["kubectl", *arguments], status=done.returncode, stdout=done.stdout, stderr=done.stderr
            )
        return done.stdout

    @property
    def _keys(self) -> KeyFiles:
        return KeyFiles(self.directory / "pki")

    def _write(self, path: Path, credentials: Credentials, namespace: str) -> Path:
        authority = self._keys.authority.read_bytes()
        return write_kubeconfig(
            path, server=self.server, authority=authority, credentials=credentials, namespace=namespace
        )
