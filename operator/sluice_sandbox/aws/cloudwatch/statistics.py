"""The statistics of CloudWatch: what each makes of a bucket, and which names are statistics at all.

Source: "CloudWatch statistics definitions" of the user guide (SampleCount to WM and PR) and botocore's
documentation of ExtendedStatistic. How CloudWatch interpolates a percentile is not documented: here it
is the smallest value that the share of samples does not exceed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sluice_sandbox.aws.cloudwatch.series import Bucket

PLAIN = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")

_NUMBER = r"-?\d+(?:\.\d+)?"
_SHORT = re.compile(r"(p|tm|tc|ts|wm)(\d{1,3}(?:\.\d{1,10})?)")
_LONG = re.compile(rf"(PR|TM|TC|TS|WM)\(({_NUMBER})?(%?):({_NUMBER})?(%?)\)")


@dataclass(frozen=True, slots=True)
class _Range:
    """An extended statistic: its kind and bounds, either shares of the samples or values."""

    kind: str
    low: float | None
    high: float | None
    of_share: bool


def is_plain(name: str) -> bool:
    """Tell whether `name` is one of the five statistics."""
    return name in PLAIN


def is_extended(name: str) -> bool:
    """Tell whether `name` is a percentile, a trimmed statistic or a percentile rank."""
    return _parse(name) is not None


def percentile(name: str) -> float | None:
    """Return 99.0 of `p99`; None when `name` is no percentile."""
    match = _SHORT.fullmatch(name)
    if match is None or match[1] != "p" or float(match[2]) > 100:
        return None
    return float(match[2])


def value(bucket: Bucket, name: str) -> float | None:
    """Return a statistic of a bucket; None where the values that it needs are not known.

    No extended statistic of negative values either (botocore: GetMetricStatistics).
    """
    if name in PLAIN:
        return {
            "SampleCount": bucket.count,
            "Average": bucket.total / bucket.count if bucket.count else 0.0,
            "Sum": bucket.total,
            "Minimum": bucket.low,
            "Maximum": bucket.high,
        }[name]
    wanted = _parse(name)
    if wanted is None or not bucket.raw or bucket.low < 0 or not bucket.count:
        return None
    if wanted.kind == "p":
        return _at_share(bucket, (wanted.high or 0.0) / 100)
    if wanted.kind == "WM":
        return _winsorized(bucket, wanted)
    return _trimmed(bucket, wanted)


def _trimmed(bucket: Bucket, wanted: _Range) -> float | None:
    """Return TM, TC, TS or PR of the values between the bounds."""
    chosen = list(_chosen(bucket, wanted))
    count = sum(times for _, times in chosen)
    total = sum(item * times for item, times in chosen)
    return {
        "PR": 100 * count / bucket.count,
        "TC": count,
        "TS": total,
        "TM": total / count if count else None,
    }[wanted.kind]


def _parse(name: str) -> _Range | None:
    if name == "IQM":
        return _Range("TM", 25.0, 75.0, of_share=True)
    short = _SHORT.fullmatch(name)
    if short is not None:
        share = float(short[2])
        kind = short[1] if short[1] == "p" else short[1].upper()
        return _Range(kind, 0.0, share, of_share=True) if share <= 100 else None
    long = _LONG.fullmatch(name)
    return _long(*long.groups()) if long is not None else None


def _long(kind: str, low: str | None, low_sign: str, high: str | None, high_sign: str) -> _Range | None:
    """Read `TM(10%:90%)`, `PR(0:300)` and their like; at least one bound, both shares or both values."""
    given = [
        (float(bound), sign) for bound, sign in ((low, low_sign), (high, high_sign)) if bound is not None
    ]
    signs = {sign for _, sign in given}
    of_share = signs == {"%"}
    if len(signs) != 1 or (of_share and kind == "PR"):
        return None
    if of_share and not all(0 <= bound <= 100 for bound, _ in given):
        return None
    start, end = (float(bound) if bound is not None else None for bound in (low, high))
    return _Range(kind, start, end, of_share=of_share)


def _at_share(bucket: Bucket, share: float) -> float:
    seen = 0.0
    for item in sorted(bucket.values):
        seen += bucket.values[item]
        if seen >= share * bucket.count:
            return item
    return bucket.high


def _chosen(bucket: Bucket, wanted: _Range) -> Iterator[tuple[float, float]]:
    """Yield the values between the bounds with how often they count."""
    if not wanted.of_share:
        for item, times in bucket.values.items():
            # TM(low:high) leaves out the lower bound itself and takes the upper one (user guide).
            if (wanted.low is None or item > wanted.low) and (wanted.high is None or item <= wanted.high):
                yield item, times
        return
    first = (wanted.low or 0.0) / 100 * bucket.count
    last = (100.0 if wanted.high is None else wanted.high) / 100 * bucket.count
    seen = 0.0
    for item in sorted(bucket.values):
        times = bucket.values[item]
        inside = min(seen + times, last) - max(seen, first)
        seen += times
        if inside > 0:
            yield item, inside


def _winsorized(bucket: Bucket, wanted: _Range) -> float:
    if wanted.of_share:
        low = _at_share(bucket, (wanted.low or 0.0) / 100)
        high = _at_share(bucket, (100.0 if wanted.high is None else wanted.high) / 100)
    else:
        low = bucket.low if wanted.low is None else wanted.low
        high = bucket.high if wanted.high is None else wanted.high
    total = sum(min(max(item, low), high) * times for item, times in bucket.values.items())
    return total / bucket.count
