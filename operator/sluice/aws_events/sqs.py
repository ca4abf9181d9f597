"""The queue, through a client of its own: a long poll lasts longer than any other call may.

Not through the gateway: one thread that waits up to `WAIT` seconds for each answer needs no budget and
takes nothing of anybody's, and a message that is taken while the Lease is lost comes back by itself. Calls
are counted like all others (`sluice_aws_requests…`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sluice.aws.errors import failure
from sluice.aws.metrics import AwsMetrics
from sluice.aws.transport import Transport, TransportError
from sluice.model.binding import Binding
from sluice.ports import Clock

WAIT: Final = 20
"""Seconds of a long poll, the most that SQS allows (ReceiveMessage, WaitTimeSeconds)."""
READ_TIMEOUT: Final = WAIT + 10.0
BATCH: Final = 10  # ReceiveMessage, MaxNumberOfMessages; DeleteMessageBatch takes as many
VISIBILITY: Final = 30
"""Seconds until a message that was not deleted is delivered again."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that was received."""

    handle: str
    body: str


class SqsQueue:
    """Receives and deletes. One thread at a time."""

    def __init__(
        self, transport: Transport, *, binding: Binding, url: str, clock: Clock, metrics: AwsMetrics
    ) -> None:
        """Read the queue at `url`; `transport` must wait for an answer for READ_TIMEOUT seconds."""
        self._transport = transport
        self._binding = binding
        self._url = url
        self._clock = clock
        self._metrics = metrics

    def receive(self) -> Sequence[Message]:
        """Return up to ten messages, after waiting up to `WAIT` seconds for one; raises AwsFailure."""
        answer = self._call(
            "ReceiveMessage",
            {
                "QueueUrl": self._url,
                "MaxNumberOfMessages": BATCH,
                "WaitTimeSeconds": WAIT,
                "VisibilityTimeout": VISIBILITY,
            },
        )
        return [
            Message(str(entry["ReceiptHandle"]), str(entry.get("Body", "")))
            for entry in answer.get("Messages") or ()
        ]

    def delete(self, messages: Sequence[Message]) -> int:
        """Delete up to ten messages; return how many were refused. Raises AwsFailure."""
        entries = [
            {"Id": str(number), "ReceiptHandle": message.handle} for number, message in enumerate(messages)
        ]
        answer = self._call("DeleteMessageBatch", {"QueueUrl": self._url, "Entries": entries})
        return len(answer.get("Failed") or ())

    def _call(self, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        started = self._clock.monotonic()
        outcome = "ok"
        try:
            return self._transport.send("sqs", operation, params, self._binding, write=False)
        except TransportError as error:
            # Neither changes anything that could not be done again, so no answer is no unknown outcome.
            failed = failure("sqs", operation, error, write=False)
            outcome = failed.kind
            raise failed from error
        finally:
            seconds = self._clock.monotonic() - started
            self._metrics.called("sqs", operation, outcome=outcome, binding=self._binding, seconds=seconds)
