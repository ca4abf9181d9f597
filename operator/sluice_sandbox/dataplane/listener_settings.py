"""What the attributes of a listener and its load balancer do to the headers that pass.

Source: botocore's LoadBalancerAttribute and ListenerAttribute ("routing.http.response....header_value"
sets a response header, "routing.http.response.server.enabled" allows or removes the Server header,
"drop_invalid_header_fields", "x_amzn_tls_version_and_cipher_suite" with OpenSSL's names).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sluice_sandbox.aws.elbv2.service import Elbv2Service

_VALUE = re.compile(r"routing\.http\.response\.(\w+)\.header_value")
_VALID_NAME = re.compile(r"[A-Za-z0-9-]+")
_SPELT = {"x_frame_options": "X-Frame-Options", "x_content_type_options": "X-Content-Type-Options"}

Headers = Iterable[tuple[str, str]]


class ListenerGone(ConnectionError):  # noqa: N818 - an event, not a fault
    """The listener was deleted while a connection to it was open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSettings:
    """One listener as the proxy needs it for one request."""

    protocol: str
    port: int
    attributes: Mapping[str, str]
    """The load balancer's attributes."""
    listener_attributes: Mapping[str, str]

    @classmethod
    def of(cls, service: Elbv2Service, arn: str) -> ListenerSettings:
        """Return what the books say of a listener now. Raises ListenerGone."""
        region = service.state.of_arn(arn)
        listener = region.listeners.get(arn)
        if listener is None:
            raise ListenerGone(arn)
        return cls(
            protocol=listener.protocol,
            port=listener.port,
            attributes=region.load_balancers[listener.load_balancer_arn].attributes,
            listener_attributes=listener.attributes,
        )

    @property
    def idle_timeout(self) -> float:
        """World seconds of silence after which the load balancer gives up."""
        return float(self.attributes["idle_timeout.timeout_seconds"])

    @property
    def keep_alive(self) -> float:
        """World seconds after which a client's connection ends with its next answer."""
        return float(self.attributes["client_keep_alive.seconds"])

    def drops(self, name: str) -> bool:
        """Tell whether a request's header is removed for its name."""
        strict = self.attributes["routing.http.drop_invalid_header_fields.enabled"] == "true"
        return strict and not _VALID_NAME.fullmatch(name)

    def on_request(self, cipher: tuple[str, str, int] | None) -> list[tuple[str, str]]:
        """Return the headers that tell a target about the client's TLS, if that is wanted."""
        wanted = self.attributes["routing.http.x_amzn_tls_version_and_cipher_suite.enabled"] == "true"
        if cipher is None or not wanted:
            return []
        return [("X-Amzn-Tls-Version", cipher[1]), ("X-Amzn-Tls-Cipher-Suite", cipher[0])]

    def on_response(self, headers: Headers, *, own: bool = False) -> tuple[tuple[str, str], ...]:
        """Return a response's headers after the listener's attributes; `own` are the load balancer's."""
        wanted = {}
        for key, value in self.listener_attributes.items():
            found = _VALUE.fullmatch(key)
            if found and value:
                word = found.group(1)
                wanted[_SPELT.get(word) or "-".join(part.capitalize() for part in word.split("_"))] = value
        # The load balancer has a say about its own Server header only, not about a target's (from memory).
        silent = own and self.listener_attributes.get("routing.http.response.server.enabled") == "false"
        if not wanted and not silent:
            return tuple(headers)
        replaced = {name.lower() for name in wanted} | ({"server"} if silent else set())
        kept = [item for item in headers if item[0].lower() not in replaced]
        return (*kept, *wanted.items())
