"""Sinks that are told by a POST: Slack-compatible chats, and any other webhook.

URLs and headers may be secrets: they come from Secrets of the operator's namespace, are read when they are
used, and stand in no log, metric or error; only the host does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import urllib3

from sluice.analysis.http import HttpClient, NoReply
from sluice.model.errors import Retryable
from sluice.notify.cloud_events import CONTENT_TYPE, cloud_event
from sluice.notify.moment import Moment
from sluice.notify.sink import FailureKind, SinkFailure
from sluice.notify.templates import filled

TIMEOUT: Final = 10.0
LONGEST_WAIT: Final = 300.0
"""Seconds that a receiver can ask for."""
SLACK_TEXT: Final = "*{{title}}*\n{{message}}"
_REFUSED: Final = frozenset({400, 405, 406, 411, 413, 414, 415, 422})
"""Answers about this message. Others (no such webhook, not allowed, later) are about the sink."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to send, with secrets by reference."""

    url: str = ""
    url_secret: Mapping[str, str] | None = None
    """`name` and `key` of a Secret that holds the URL."""
    headers: Sequence[Mapping[str, Any]] = ()
    """As a gate's: `name` and `value` or `secretKeyRef`."""
    tls: Mapping[str, Any] = field(default_factory=dict)


class Post:
    """Sends JSON to one target."""

    def __init__(self, http: HttpClient, target: Target, *, namespace: str) -> None:
        """Read Secrets of `namespace`."""
        self._http = http
        self._target = target
        self._namespace = namespace

    def send(self, body: Any, *, content_type: str, more: Mapping[str, str]) -> None:  # noqa: ANN401 - any JSON
        """Send the body; raises SinkFailure."""
        target, namespace = self._target, self._namespace
        try:
            url = self._url()
            reply = self._http.send(
                namespace,
                "POST",
                url,
                headers=target.headers,
                more={"Content-Type": content_type, **more},
                body=json.dumps(body).encode(),
                tls=target.tls,
                timeout=TIMEOUT,
                shown=_host(url),
            )
        except NoReply as error:
            raise SinkFailure(str(error), kind="busy") from None  # the cause names the whole URL
        except Retryable as error:
            raise SinkFailure(f"a Secret could not be read: {error}", kind="busy") from error
        if 200 <= reply.status < 300:
            return
        kind: FailureKind = "refused" if reply.status in _REFUSED else "busy"
        wait = min(reply.retry_after, LONGEST_WAIT)
        raise SinkFailure(f"POST {_host(url)}: answered {reply.status}", kind=kind, retry_after=wait)

    def _url(self) -> str:
        secret = self._target.url_secret
        url = self._http.secret(self._namespace, secret) if secret else self._target.url
        if not url.startswith(("http://", "https://")):
            raise NoReply("the URL begins with neither http:// nor https://")
        return url


class SlackSink:
    """A chat with incoming webhooks like Slack's.

    https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks. Slack allows one message a
    second and may disable whoever goes on beyond that (https://api.slack.com/docs/rate-limits).
    """

    pace = 1.0

    def __init__(self, name: str, post: Post, *, installation: str, text: str = SLACK_TEXT) -> None:
        """Post `text`, a template in Slack's markup."""
        self.name = name
        self._post = post
        self._installation = installation
        self._text = text or SLACK_TEXT

    def send(self, moment: Moment) -> None:
        """Post one message; see `sink.Sink`."""
        facts = {name: _escaped(value) for name, value in moment.facts(self._installation).items()}
        text = f"{_MARKS[moment.severity]} {filled(self._text, facts).strip()}"
        self._post.send({"text": text}, content_type="application/json", more={})


class WebhookSink:
    """Any receiver of JSON: a CloudEvent, or what a template makes of the moment."""

    pace = 0.0

    def __init__(
        self,
        name: str,
        post: Post,
        *,
        installation: str,
        body: Any = None,  # noqa: ANN401 - any JSON
    ) -> None:
        """Send `body`, a template; None sends CloudEvents."""
        self.name = name
        self._post = post
        self._installation = installation
        self._body = body

    def send(self, moment: Moment) -> None:
        """Send one request; see `sink.Sink`. The id stands in the header Idempotency-Key, too."""
        more = {"Idempotency-Key": moment.id}
        if self._body is None:
            event = cloud_event(moment, installation=self._installation)
            self._post.send(event, content_type=CONTENT_TYPE, more=more)
            return
        body = filled(self._body, moment.facts(self._installation))
        self._post.send(body, content_type="application/json", more=more)


_MARKS: Final = {"info": ":information_source:", "warning": ":warning:", "error": ":rotating_light:"}


def _escaped(text: str) -> str:
    """Return text that Slack shows as it is ("Formatting text for app surfaces", escaping)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _host(url: str) -> str:
    try:
        return urllib3.util.parse_url(url).host or "(no host)"
    except urllib3.exceptions.LocationParseError:
        return "(a malformed URL)"
