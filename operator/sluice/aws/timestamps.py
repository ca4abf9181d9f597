"""Parsing AWS's timestamps cheaply.

botocore's own parser goes through dateutil and dominates DescribeServices (a hundred events per
service: 42 ms a call against 14.5 ms, measured on 2026-11-20). AWS's protocols know three forms only.
"""

from __future__ import annotations

import datetime as dt
from email.utils import parsedate_to_datetime


def parse_timestamp(value: float | str) -> dt.datetime:
    """Return an aware UTC datetime of epoch seconds (JSON), ISO 8601 (query) or RFC 822 (headers).

    Raises ValueError for anything else, as botocore's parser does.
    """
    if isinstance(value, int | float):
        return dt.datetime.fromtimestamp(value, dt.UTC)
    try:
        parsed = dt.datetime.fromisoformat(value)
    except ValueError:
        try:
            return dt.datetime.fromtimestamp(float(value), dt.UTC)
        except ValueError:
            parsed = parsedate_to_datetime(value)
    return parsed.astimezone(dt.UTC) if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)
