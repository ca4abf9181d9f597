"""CloudWatch alarms of a rollout, read together (DescribeAlarms takes a hundred names a call)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sluice.model.binding import CallContext
from sluice.ports import Aws

_A_CALL: Final = 100


def states(aws: Aws, context: CallContext, names: Sequence[str]) -> Mapping[str, str | None]:
    """Return alarm name → state, None where there is no such alarm; raises what the gateway raises.

    Composite alarms count like metric alarms.
    """
    found: dict[str, str | None] = dict.fromkeys(names)
    for at in range(0, len(names), _A_CALL):
        answer = aws.call(
            "cloudwatch",
            "DescribeAlarms",
            {"AlarmNames": list(names[at : at + _A_CALL]), "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]},
            context=context,
        )
        for member in ("MetricAlarms", "CompositeAlarms"):
            for alarm in answer.get(member) or ():
                found[alarm["AlarmName"]] = alarm.get("StateValue")
    return found
