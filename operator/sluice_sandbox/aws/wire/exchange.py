"""One HTTP request on its way through the stand-in: what the record will say about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sluice_sandbox.aws.record import OK
from sluice_sandbox.aws.service import Caller
from sluice_sandbox.aws.wire.models import Value


@dataclass(frozen=True, slots=True)
class RawRequest:
    """An HTTP request as it arrived at the port."""

    method: str
    target: str
    """Path and query string, still encoded."""
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path, still encoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The query string, still encoded."""
        return self.target.partition("?")[2]


@dataclass(slots=True, kw_only=True)
class Exchange:
    """A request's identity, and its outcome as far as it is known."""

    caller: Caller
    service: str
    name: str
    """The operation; '' when the request does not say."""
    request_id: str
    at: float
    """World time of arrival, epoch seconds."""
    params: Value = None
    outcome: str = OK
    took_place: bool = False
