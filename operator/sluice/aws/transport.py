"""The narrow place where a call leaves the process, and the three ways in which it can fail there.

`boto_transport.Boto3Transport` is the production side; simulation calls the stand-in's handlers
through the same port. A transport sends once: no retries, no budget, no classification.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sluice.model.binding import Binding


class Transport(Protocol):
    """Sends one call."""

    def send(
        self, service: str, operation: str, params: Mapping[str, Any], binding: Binding, *, write: bool
    ) -> Mapping[str, Any]:
        """Return the response, timestamps as aware datetimes, as boto3 gives it.

        It may hold boto3's ResponseMetadata: the gateway takes it away.

        Raises Answered, NotSent or NoAnswer. Blocks for connect 2 s + read 8 s at most.
        """


class TransportError(Exception):
    """Base of what a transport raises."""


class Answered(TransportError):  # noqa: N818 - what happened, not what went wrong
    """AWS refused: its code, message and HTTP status as they came."""

    def __init__(self, code: str, message: str, *, status: int = 400, request_id: str = "") -> None:
        """Keep AWS's words; `status` decides what an unknown code means, support asks for `request_id`."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.request_id = request_id


class NotSent(TransportError):  # noqa: N818
    """The request did not leave: connection refused, no name, no credentials. Nothing happened."""


class NoAnswer(TransportError):  # noqa: N818
    """The request left and no (readable) answer came: a write may have happened."""
