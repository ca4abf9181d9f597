"""DeleteAlarms: up to 100 at once, of which at most one composite alarm.

Source: botocore's DeleteAlarms. Where one name is wrong the others are deleted all the same; an alarm
that a composite alarm's rule names is kept: ResourceConflict. Names that no alarm has are passed over
where others exist and refused (ResourceNotFound) where none does.
"""

from __future__ import annotations

from collections.abc import Mapping

from sluice_sandbox.aws.cloudwatch import composite
from sluice_sandbox.aws.cloudwatch.desk import Desk
from sluice_sandbox.aws.cloudwatch.evaluator import Evaluator
from sluice_sandbox.aws.cloudwatch.history import note
from sluice_sandbox.aws.cloudwatch.refusals import validation_error
from sluice_sandbox.aws.cloudwatch.state import COMPOSITE_ALARM
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response


class Deletion:
    """The handler of DeleteAlarms."""

    def __init__(self, desk: Desk, evaluator: Evaluator) -> None:
        """Delete from the desk's books."""
        self._desk = desk
        self._evaluator = evaluator

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {"DeleteAlarms": self.delete}

    def delete(self, caller: Caller, params: Params) -> Response:
        """Delete alarms by name; their history stays."""
        region = self._desk.region(caller)
        names = list(dict.fromkeys(params["AlarmNames"]))
        found = [region.alarms[name] for name in names if name in region.alarms]
        if sum(alarm.kind == COMPOSITE_ALARM for alarm in found) > 1:
            raise validation_error("Only one composite alarm can be deleted per request.")
        if not found and names:
            raise AwsError("ResourceNotFound", f"Unknown: {', '.join(names)}", status=404)
        conflicts = {}
        # The composite alarm first: what only it named may go with it.
        for alarm in sorted(found, key=lambda item: item.kind != COMPOSITE_ALARM):
            holders = [parent.name for parent in composite.parents(region, alarm.name)]
            if holders:
                conflicts[alarm.name] = holders
                continue
            self.remove(caller, alarm.name)
        if conflicts:
            name, holders = next(iter(conflicts.items()))
            raise AwsError(
                "ResourceConflict",
                f"Cannot delete {name}: the rules of these composite alarms refer to it: "
                f"{', '.join(sorted(holders))}.",
                status=409,
            )
        return {}

    def remove(self, caller: Caller, name: str) -> None:
        """Take one alarm out of the books, whoever refers to it; raises KeyError for an unknown one."""
        region = self._desk.region(caller)
        alarm = region.alarms.pop(name)
        self._evaluator.forget(caller, name)
        note(
            region,
            alarm,
            at=self._desk.now(),
            item_type="ConfigurationUpdate",
            summary=f'Alarm "{name}" deleted',
            data={"version": "1.0", "type": "Delete", "deletedAlarm": {"alarmName": name}},
        )
