"""Who is told: the port of every kind of sink, and the three ways in which telling can fail."""

from __future__ import annotations

from typing import Literal, Protocol

from sluice.notify.moment import Moment

FailureKind = Literal["busy", "refused", "withheld"]


class SinkFailure(Exception):  # noqa: N818 - reads as the outcome it is
    """A moment was not taken. The text is for people and holds no secret.

    `busy` is about the sink (down, slow, denied): everything waits, in order. `refused` is about one
    moment: the others may pass. `withheld` is a dry run: nobody is told.
    """

    def __init__(self, message: str, *, kind: FailureKind, retry_after: float = 0.0) -> None:
        """`retry_after` is the least number of seconds to wait, where the sink said so."""
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after


class Sink(Protocol):
    """One receiver. Called by one thread at a time; returns or raises within some ten seconds."""

    @property
    def name(self) -> str:
        """The name in the configuration."""

    @property
    def pace(self) -> float:
        """Seconds between two messages that it puts up with; 0 for any number."""

    def send(self, moment: Moment) -> None:
        """Tell a moment; raises SinkFailure. Telling it twice must be told under the same id."""
