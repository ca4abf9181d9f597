"""boto3 clients, shared by all threads, one per (binding, service).

Clients are thread-safe and sessions are not (https://docs.aws.amazon.com/boto3/latest/guide/clients.html),
so creation happens under a lock. A binding with a role gets credentials that assume it again before
they end: a role assumed from a role lasts one hour at most.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import botocore.config
import botocore.credentials
import botocore.session

from sluice.aws.timestamps import parse_timestamp
from sluice.model.binding import Binding

_SESSION_NAME: Final = "sluice"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """How clients behave; the defaults are decision 10's."""

    endpoint_url: str = ""
    """One endpoint for every service (the sandbox); '' leaves it to AWS_ENDPOINT_URL and to AWS."""
    version: str = ""
    """Of Sluice, for the user agent."""
    connect_timeout: float = 2.0
    read_timeout: float = 8.0
    pool: int = 32
    """Connections per client: at least the number of worker threads."""


class Clients:
    """Creates and keeps clients. Thread-safe."""

    def __init__(self, settings: ClientSettings) -> None:
        """Create nothing yet."""
        self._settings = settings
        self._lock = threading.Lock()
        self._sessions: dict[Binding, botocore.session.Session] = {}
        self._clients: dict[tuple[Binding, str], Any] = {}
        self._config = botocore.config.Config(
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            max_pool_connections=settings.pool,
            # The gateway repeats reads itself: each attempt is behind a budget token then.
            retries={"mode": "standard", "total_max_attempts": 1},
            user_agent_extra=f"sluice/{settings.version}" if settings.version else "sluice",
            tcp_keepalive=True,
            # Cloud Map's discovery calls go to `data-<endpoint>`, a host that an endpoint of our own lacks.
            # (With AWS_ENDPOINT_URL alone, AWS_DISABLE_HOST_PREFIX_INJECTION says the same.)
            **({"inject_host_prefix": False} if settings.endpoint_url else {}),
        )

    def get(self, binding: Binding, service: str) -> Any:  # noqa: ANN401 - botocore generates the class
        """Return the client of a service; `service` is boto3's name."""
        found = self._clients.get((binding, service))
        if found is not None:
            return found
        with self._lock:
            found = self._clients.get((binding, service))
            if found is None:
                found = self._create(binding, service)
                self._clients[binding, service] = found
            return found

    def warm(self, binding: Binding, *services: str) -> None:
        """Create clients ahead of their first use: loading a service's model takes 50 to 100 ms."""
        for service in services:
            self.get(binding, service)

    def close(self) -> None:
        """Close every connection; the clients can still be used and open new ones."""
        with self._lock:
            for client in self._clients.values():
                client.close()

    def _create(self, binding: Binding, service: str) -> Any:  # noqa: ANN401
        session = self._sessions.get(binding)
        if session is None:
            session = self._sessions[binding] = self._session(binding)
        return self._client(session, service, region=binding.region)

    def _client(self, session: botocore.session.Session, service: str, *, region: str) -> Any:  # noqa: ANN401
        return session.create_client(
            service,
            region_name=region or None,
            endpoint_url=self._settings.endpoint_url or None,
            config=self._config,
        )

    def _session(self, binding: Binding) -> botocore.session.Session:
        own = _fast_session()
        if not binding.role_arn:
            return own
        extra = {"RoleSessionName": _SESSION_NAME}
        if binding.external_id:
            extra["ExternalId"] = binding.external_id

        def sts(_service: str, **credentials: Any) -> Any:  # noqa: ANN401 - botocore's own signature
            return own.create_client(
                "sts",
                region_name=binding.region or None,
                endpoint_url=self._settings.endpoint_url or None,
                config=self._config,
                **credentials,
            )

        assumed = _fast_session()
        assumed.register_component(
            "credential_provider",
            botocore.credentials.CredentialResolver(
                [_AssumedRole(own, sts, role_arn=binding.role_arn, extra=extra)]
            ),
        )
        return assumed


class _AssumedRole(botocore.credentials.CredentialProvider):  # type: ignore[misc]  # botocore is untyped
    """Refreshable credentials of a role, taken with the operator's own."""

    METHOD = "assume-role"

    def __init__(
        self,
        own: botocore.session.Session,
        sts: Callable[..., Any],
        *,
        role_arn: str,
        extra: dict[str, str],
    ) -> None:
        super().__init__()
        self._own = own
        self._sts = sts
        self._role_arn = role_arn
        self._extra = extra

    def load(self) -> Any:  # noqa: ANN401 - botocore is untyped
        fetcher = botocore.credentials.AssumeRoleCredentialFetcher(
            client_creator=self._sts,
            source_credentials=self._own.get_credentials(),
            role_arn=self._role_arn,
            extra_args=self._extra,
            cache={},
        )
        return botocore.credentials.DeferredRefreshableCredentials(
            refresh_using=fetcher.fetch_credentials, method=self.METHOD
        )


def _fast_session() -> botocore.session.Session:
    session = botocore.session.Session()
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=parse_timestamp)
    return session
