"""Alarm notifications to the topics of moto's SNS, in moto's own thread.

moto delivers to its SQS queues from there. A topic that does not exist is logged: CloudWatch does not
check its actions and tells nobody when one fails (user guide, "Using Amazon CloudWatch alarms").
"""

from __future__ import annotations

import logging
from concurrent.futures import Future
from typing import TYPE_CHECKING

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller

if TYPE_CHECKING:
    from sluice_sandbox.aws.moto_bridge import MotoBridge

_log = logging.getLogger(__name__)


class MotoTopics:
    """Publishes to moto's SNS; never raises, never blocks."""

    def __init__(self, moto: MotoBridge) -> None:
        """Publish through `moto`."""
        self._moto = moto

    def publish(self, caller: Caller, topic_arn: str, *, subject: str, message: str) -> None:
        """Publish one message.

        No topic can exist before a client has used SNS, so until then nothing is sent and moto's
        `sns` is not even imported.
        """
        if not self._moto.used("sns"):
            _log.warning("no topic %s: SNS has not been used", topic_arn)
            return

        def send() -> None:
            self._moto.call(
                caller,
                "sns",
                "Publish",
                # SNS takes subjects of at most 100 letters (botocore: Publish).
                {"TopicArn": topic_arn, "Subject": subject[:100], "Message": message},
            )

        try:
            self._moto.submit(send).add_done_callback(lambda done: _report(done, topic_arn))
        except RuntimeError:
            _log.warning("moto has ended; a notification of %s was dropped", topic_arn)


def _report(done: Future[None], topic_arn: str) -> None:
    error = None if done.cancelled() else done.exception()
    if isinstance(error, AwsError):
        _log.warning("a notification did not reach %s: %s", topic_arn, error)
    elif error is not None:
        _log.error("a notification did not reach %s", topic_arn, exc_info=error)
