"""How a handler refuses: the code, HTTP status and members that boto3 shows as ClientError."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AwsError(Exception):
    """One refusal in AWS's shape.

    `code` is what `ClientError.response["Error"]["Code"]` shows, `status` the HTTP status,
    `members`
    what the error shape carries beside the message (botocore's error structures).
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = 400,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        """Refuse with `code` and a text in AWS's wording."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members = dict(members or {})


class ConnectionLost(Exception):  # noqa: N818 - it is the event, not a refusal
    """The caller gets no answer: the connection ends. Whether the call took place is its secret."""
