"""The settings of notifications: sinks, whom they serve, and what they say.

Everything that can be wrong without asking anybody is found here, when the operator starts: names,
placeholders of templates, ARNs, a sink without a kind or with two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

from pydantic import Field, field_validator
from pydantic import model_validator as _model_validator

from sluice.analysis.connections import refused
from sluice.config_section import Seconds, SecretKey, Section
from sluice.model.tenancy import ALL
from sluice.notify.moment import EVENTS, EventName
from sluice.notify.templates import problems

NAME: Final = r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"
MOST_SINKS: Final = 16
"""Each has a thread of its own."""
_WITHHELD: Final = "(set)"
_KINDS: Final = ("slack", "webhook", "sns", "event_bridge")
_HEADERS_OF_OURS: Final = frozenset({"content-type", "content-length", "host", "idempotency-key"})


class HeaderSettings(Section):
    """A header of a request, its value given or read from a Secret."""

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
    value: str = Field(default="", pattern=r"^[^\r\n]*$")
    secret_key_ref: SecretKey | None = None

    @_model_validator(mode="after")
    def _one(self) -> HeaderSettings:
        if bool(self.value) == bool(self.secret_key_ref):
            raise ValueError("needs either value or secretKeyRef")
        if self.name.lower() in _HEADERS_OF_OURS:
            raise ValueError(f"{self.name} is set by Sluice")
        return self


class TlsSettings(Section):
    """How a receiver's certificate is judged."""

    ca_secret_key_ref: SecretKey | None = None
    """PEM of the authorities to trust instead of the system's."""
    insecure_skip_verify: bool = False


class _WebSettings(Section):
    url: str = ""
    """Where to POST to; nothing secret may be in it."""
    url_secret_key_ref: SecretKey | None = None
    """The same where the URL itself is the secret."""
    tls: TlsSettings = TlsSettings()

    @field_validator("url")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not value:
            return value
        scheme, _, rest = value.partition("://")
        host = rest.partition("/")[0]
        if scheme not in ("http", "https") or not host:
            raise ValueError("needs http:// or https:// and a host")
        if "@" in host or "?" in rest:
            raise ValueError("has credentials or a query; put the whole URL into a Secret: urlSecretKeyRef")
        if _link_local(host.rpartition(":")[0] or host):
            raise ValueError("leads to a link-local address, which is refused")
        return value

    @_model_validator(mode="after")
    def _somewhere(self) -> _WebSettings:
        if bool(self.url) == bool(self.url_secret_key_ref):
            raise ValueError("needs either url or urlSecretKeyRef")
        return self


class SlackSettings(_WebSettings):
    """An incoming webhook of Slack, Mattermost, Rocket.Chat or the like."""

    text: str = ""
    """Template in Slack's markup; '' is title and message."""


class WebhookSettings(_WebSettings):
    """Any receiver of JSON."""

    headers: tuple[HeaderSettings, ...] = ()
    body: Any = None
    """Template, any JSON; absent: a CloudEvent."""


class SnsSettings(Section):
    """A topic of SNS."""

    topic_arn: str = Field(pattern=r"^arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?$")
    account: str = ""
    """Name of an entry of accounts whose role publishes; '' is the operator's own."""
    message: str = "{{title}}\n\n{{message}}"
    """Template for people; '' sends the CloudEvent."""


class EventBridgeSettings(Section):
    """A bus of EventBridge."""

    event_bus_name: str = Field(default="default", min_length=1)
    """Name or ARN."""
    account: str = ""
    """Name of an entry of accounts whose role puts events; '' is the operator's own."""


class SinkSettings(Section):
    """One receiver."""

    name: str = Field(pattern=NAME)
    """Used by the annotation sluice.dev/notify and as a label of metrics."""
    namespaces: tuple[str, ...] = ALL
    """Patterns over the namespaces that it serves."""
    namespace_labels: dict[str, str] = Field(default_factory=dict)
    """Labels that they must carry."""
    events: tuple[EventName, ...] = EVENTS
    opt_in: bool = False
    """Told only of objects whose annotation names it."""
    slack: SlackSettings | None = None
    webhook: WebhookSettings | None = None
    sns: SnsSettings | None = None
    event_bridge: EventBridgeSettings | None = None

    @property
    def kind(self) -> Literal["slack", "webhook", "sns", "event_bridge"]:
        """Return which of the four it is."""
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)

    @property
    def account(self) -> str:
        """Return the account that it names, '' for none."""
        return (self.sns or self.event_bridge or EventBridgeSettings()).account

    @_model_validator(mode="after")
    def _usable(self) -> SinkSettings:
        kinds = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(f"{self.name}: needs exactly one of slack, webhook, sns, eventBridge")
        if self.name == "off":
            raise ValueError("off: is the annotation's word for no sink")
        if wrong := list(self._templates()):
            raise ValueError("; ".join(f"{path}: {text}" for path, text in wrong))
        return self

    def _templates(self) -> Iterator[tuple[str, str]]:
        for path, template in (
            ("slack.text", self.slack and self.slack.text),
            ("webhook.body", self.webhook and self.webhook.body),
            ("sns.message", self.sns and self.sns.message),
        ):
            yield from ((f"{path}{where}", text) for where, text in problems(template))


class NotificationSettings(Section):
    """Who is told of what."""

    expire_after: Seconds = 3600
    """How long a notification is tried; older ones are given up and counted."""
    sinks: tuple[SinkSettings, ...] = Field(default=(), max_length=MOST_SINKS)

    @_model_validator(mode="after")
    def _distinct(self) -> NotificationSettings:
        names = [sink.name for sink in self.sinks]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the sinks {twice} appear twice")
        return self


def withheld(shown: dict[str, Any]) -> None:
    """Take out of dumped `NotificationSettings` what may be a secret all the same.

    Values of headers, and the paths of URLs: whoever knows a chat's may write there.
    """
    for sink in shown["sinks"]:
        for web in filter(None, (sink["slack"], sink["webhook"])):
            scheme, found, rest = web["url"].partition("://")
            host, path, _ = rest.partition("/")
            web["url"] = f"{scheme}{found}{host}{path}{_WITHHELD if path else ''}"
        for header in (sink["webhook"] or {}).get("headers") or ():
            header["value"] = _WITHHELD if header["value"] else ""


def _link_local(host: str) -> bool:
    try:
        return refused(host.strip("[]"))
    except ValueError:  # a name: looked at when it is connected to
        return False
