"""Counters that exist before their first event, at 0.

`rate` and `increase` compare a series with itself: one that appears with its first event in it shows no
increase, so the first rollback, the first throttled call, the first notification that was lost would be in no
panel. What labels can be is a closed list almost everywhere, so the series are made beforehand, by every
replica: one that takes the lead was scraped with zeros before.
(https://prometheus.io/docs/practices/instrumentation/#avoid-missing-metrics)

It does not help an event between the start of a process and its first scrape. Alerts that must not miss a
single event look at new series, too (the chart's rules).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from prometheus_client import Counter, Histogram


def born(instrument: Counter | Histogram, *labels: Iterable[str]) -> None:
    """Make a series of every combination of label values, given in the order of the instrument's labels."""
    for values in itertools.product(*labels):
        instrument.labels(*values)
