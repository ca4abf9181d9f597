"""Our timestamp parser agrees with botocore's on every form that AWS sends."""

from __future__ import annotations

import datetime as dt

import pytest
from botocore.utils import parse_timestamp as slow
from hypothesis import given
from hypothesis import strategies as st

from sluice.aws.timestamps import parse_timestamp


@pytest.mark.parametrize(
    "text",
    [
        1700000000,
        1700000000.123,
        "1700000000",
        "1700000000.5",
        "2026-11-20T10:00:00Z",
        "2026-11-20T10:00:00.123Z",
        "2026-11-20T10:00:00.123456+00:00",
        "2026-11-20T12:00:00+02:00",
        "Fri, 20 Nov 2026 10:00:00 GMT",
    ],
)
def test_it_reads_what_botocore_reads(text: float | str) -> None:
    """The same instant, aware and in UTC."""
    parsed = parse_timestamp(text)
    assert parsed.tzinfo is dt.UTC
    assert abs((parsed - slow(text)).total_seconds()) < 1e-3


@given(st.floats(min_value=0, max_value=4e9))
def test_epoch_seconds_survive(seconds: float) -> None:
    """A number of ECS's JSON comes out as the instant it names."""
    assert parse_timestamp(seconds).timestamp() == pytest.approx(seconds, abs=1e-5)


def test_nonsense_is_refused() -> None:
    """As botocore's parser does, with ValueError."""
    with pytest.raises(ValueError, match="soon"):
        parse_timestamp("soon")
