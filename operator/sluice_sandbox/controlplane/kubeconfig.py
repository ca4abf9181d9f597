"""Kubeconfig files that carry all they need, so they can be copied, and are read by their owner only."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

CONTEXT: Final = "sluice-sandbox"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who a kubeconfig's bearer is: a client certificate with its key (PEM), or a bearer token."""

    certificate: bytes = b""
    key: bytes = b""
    token: str = ""

    def user(self) -> dict[str, str]:
        """Return the `user` entry of a kubeconfig."""
        if self.token:
            return {"token": self.token}
        return {"client-certificate-data": _base64(self.certificate), "client-key-data": _base64(self.key)}


def write_kubeconfig(
    path: Path, *, server: str, authority: bytes, credentials: Credentials, namespace: str = "default"
) -> Path:
    """Write a kubeconfig with one context and return its path.

    `authority` is the CA certificate as PEM. JSON is YAML, so every client reads it; it needs no YAML writer.
    """
    content: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "clusters": [
            {"name": CONTEXT, "cluster": {"server": server, "certificate-authority-data": _base64(authority)}}
        ],
        "users": [{"name": CONTEXT, "user": credentials.user()}],
        "contexts": [
            {"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": namespace}}
        ],
    }
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file, indent=1)
    unfinished.replace(path)
    return path


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
