"""HTTP for gates: bounded in time and size, no redirects, secrets by reference.

A gate's answer is small and quick or it is an error; where it may come from says `connections`.
Redirects are not followed: a header with a secret must not reach another host than the one that the
spec names.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import urllib3

from sluice.analysis.connections import AddressRefused, Exchange
from sluice.ports import Kubernetes

LIMIT: Final = 1 << 20
"""Bytes of an answer that are read."""
CONNECT: Final = 5.0


class NoReply(Exception):  # noqa: N818 - reads as the outcome it is
    """Nobody answered, or not as it should be; the text is for people and holds no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer."""

    status: int
    body: bytes
    retry_after: float = 0.0
    """Seconds after which the server wants to be asked again (RFC 9110, Retry-After); 0: it did not say."""


class HttpClient:
    """Sends one request at a time; thread-safe."""

    def __init__(self, kubernetes: Kubernetes) -> None:
        """Read secrets through `kubernetes`."""
        self._kubernetes = kubernetes

    def send(
        self,
        namespace: str,
        method: str,
        url: str,
        *,
        headers: Sequence[Mapping[str, Any]] = (),
        more: Mapping[str, str] | None = None,
        body: bytes | None = None,
        tls: Mapping[str, Any] | None = None,
        timeout: float,
        shown: str = "",
    ) -> Reply:
        """Return the answer; raises NoReply, and whatever reading a Secret raises.

        `shown` stands for the URL in what NoReply says, where its path is a secret.
        """
        named = shown or _bare(url)
        sent = {"User-Agent": "sluice", **(more or {})}
        sent |= {entry["name"]: self._value(namespace, entry) for entry in headers}
        try:
            with Exchange(timeout, **self._trust(namespace, tls or {})) as exchange:
                try:
                    reply = _ask(exchange, method, url, headers=sent, body=body, timeout=timeout)
                except urllib3.exceptions.HTTPError:
                    if not exchange.over:
                        raise
                if exchange.over:
                    raise NoReply(f"{method} {named}: no answer in time")
                return reply
        except AddressRefused as error:
            raise NoReply(f"{method} {named}: {error}") from error
        except urllib3.exceptions.HTTPError as error:
            raise NoReply(f"{method} {named}: {_reason(error)}") from error
        except (ValueError, OSError) as error:
            raise NoReply(f"{method} {named}: {type(error).__name__}") from error

    def _value(self, namespace: str, header: Mapping[str, Any]) -> str:
        reference = header.get("secretKeyRef")
        return self.secret(namespace, reference) if reference else str(header.get("value", ""))

    def secret(self, namespace: str, reference: Mapping[str, str]) -> str:
        """Return the value of a reference (`name`, `key`); raises NoReply where it leads nowhere."""
        found = self._kubernetes.secret(namespace, reference["name"])
        encoded = ((found or {}).get("data") or {}).get(reference["key"])
        if encoded is None:
            raise NoReply(f"Secret {reference['name']} has no key {reference['key']}")
        try:
            return base64.b64decode(encoded).decode().strip()
        except ValueError:
            # Without the cause: its text may hold a piece of the value.
            raise NoReply(f"key {reference['key']} of Secret {reference['name']} is no text") from None

    def _trust(self, namespace: str, tls: Mapping[str, Any]) -> dict[str, Any]:
        if tls.get("insecureSkipVerify"):
            return {"cert_reqs": "CERT_NONE", "assert_hostname": False}
        reference = tls.get("caSecretKeyRef")
        if not reference:
            return {"cert_reqs": "CERT_REQUIRED"}
        context = ssl.create_default_context(cadata=self.secret(namespace, reference))
        return {"ssl_context": context}


def _ask(
    exchange: Exchange,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    timeout: float,
) -> Reply:
    response = exchange.request(
        method,
        url,
        headers=headers,
        body=body,
        redirect=False,
        retries=False,
        preload_content=False,
        timeout=urllib3.Timeout(connect=min(CONNECT, timeout), total=timeout),
    )
    try:
        later = response.headers.get("Retry-After", "")
        return Reply(
            status=response.status,
            body=response.read(LIMIT, decode_content=True),
            retry_after=float(later) if later.isascii() and later.isdigit() else 0.0,
        )
    finally:
        response.close()


def _bare(url: str) -> str:
    """Return a URL without what may be secret: credentials and query."""
    parsed = urllib3.util.parse_url(url)
    return f"{parsed.scheme}://{parsed.host}{f':{parsed.port}' if parsed.port else ''}{parsed.path or ''}"


def _reason(error: Exception) -> str:
    if isinstance(error, urllib3.exceptions.NewConnectionError):  # a TimeoutError, too, for urllib3
        return "no connection"
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return "no answer in time"
    return type(error).__name__
