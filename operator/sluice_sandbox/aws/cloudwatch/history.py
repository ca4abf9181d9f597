"""DescribeAlarmHistory, and the lines that it shows.

Sources: botocore's DescribeAlarmHistory (metric alarms alone unless asked; the history outlives the
alarm) and the user guide: it is kept for 30 days, two weeks in older editions; 30 here, and at most
10,000 lines a region so that a flapping alarm costs no memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.cloudwatch.desk import Desk
from sluice_sandbox.aws.cloudwatch.paging import page
from sluice_sandbox.aws.cloudwatch.state import METRIC_ALARM, Alarm, HistoryItem, Region
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_LINES = 10_000
RETENTION = 30 * 86_400
MAX_SUMMARY, MAX_DATA = 255, 4_095
DEFAULT_RECORDS = 100


def note(
    region: Region, alarm: Alarm, *, at: float, item_type: str, summary: str, data: Mapping[str, Any]
) -> None:
    """Add a line to the history of an alarm."""
    region.history.append(
        HistoryItem(
            alarm=alarm.name,
            kind=alarm.kind,
            at=at,
            item_type=item_type,
            summary=summary[:MAX_SUMMARY],
            data=json.dumps(data, default=str)[:MAX_DATA],
        )
    )
    if len(region.history) > MAX_LINES:
        del region.history[: MAX_LINES // 10]


class HistoryCalls:
    """DescribeAlarmHistory."""

    def __init__(self, desk: Desk) -> None:
        """Read the desk's books."""
        self._desk = desk

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {"DescribeAlarmHistory": self.describe}

    def describe(self, caller: Caller, params: Params) -> Response:
        """Return the lines that the filters leave, newest first unless ScanBy says otherwise."""
        kinds = params.get("AlarmTypes") or [METRIC_ALARM]
        start = max(params.get("StartDate", 0.0), self._desk.now() - RETENTION)
        end = params.get("EndDate", float("inf"))
        found = [
            item
            for item in self._desk.region(caller).history
            if item.kind in kinds
            and params.get("AlarmName", item.alarm) == item.alarm
            and params.get("HistoryItemType", item.item_type) == item.item_type
            and start <= item.at <= end
            and "AlarmContributorId" not in params
        ]
        if params.get("ScanBy", "TimestampDescending") == "TimestampDescending":
            found.reverse()
        chosen, token = page(found, params, size=params.get("MaxRecords", DEFAULT_RECORDS))
        return {"AlarmHistoryItems": [_shown(item) for item in chosen], **token}


def _shown(item: HistoryItem) -> dict[str, Any]:
    return {
        "AlarmName": item.alarm,
        "AlarmType": item.kind,
        "Timestamp": item.at,
        "HistoryItemType": item.item_type,
        "HistorySummary": item.summary,
        "HistoryData": item.data,
    }
