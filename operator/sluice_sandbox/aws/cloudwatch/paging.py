"""Pages: an opaque NextToken that says where the next page begins.

A token that was never given out is refused with InvalidNextToken (botocore: DescribeAlarms, GetMetricData).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from sluice_sandbox.aws.cloudwatch.refusals import invalid_token
from sluice_sandbox.aws.service import Params

Item = TypeVar("Item")
_MARK = "sandbox:"


def page(items: Sequence[Item], params: Params, *, size: int) -> tuple[list[Item], dict[str, str]]:
    """Return one page of `items` and `{"NextToken": ...}` or nothing."""
    start = read_token(params.get("NextToken"))
    chosen = list(items[start : start + size])
    return chosen, token(start + size) if start + size < len(items) else {}


def token(position: int) -> dict[str, str]:
    """Return the NextToken of a page that begins at `position`."""
    return {"NextToken": base64.urlsafe_b64encode(f"{_MARK}{position}".encode()).decode()}


def read_token(given: str | None) -> int:
    """Return where a page begins; refuse a token that is not ours."""
    if not given:
        return 0
    try:
        text = base64.urlsafe_b64decode(given.encode()).decode()
    except (binascii.Error, ValueError):
        raise invalid_token() from None
    if not text.startswith(_MARK) or not text.removeprefix(_MARK).isdigit():
        raise invalid_token()
    return int(text.removeprefix(_MARK))
