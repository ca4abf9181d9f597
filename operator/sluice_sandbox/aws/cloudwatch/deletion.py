"""DeleteAlarms: up to 100 at once, of which at most one composite alarm.

Source: botocore's DeleteAlarms. Where one name is wrong the others are deleted all the same; names that no
alarm has are refused (ResourceNotFound) where none is right. Nothing is deleted when a composite alarm
depends on any of them: ValidationError, as ekristen/aws-nuke#462 and cloud-custodian/cloud-custodian#7763
quote it. (botocore lists ResourceConflict, too; when AWS gives that is not documented.)
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
        leaving = {alarm.name for alarm in found}
        held = [
            alarm.name
            for alarm in found
            if any(parent.name not in leaving for parent in composite.parents(region, alarm.name))
        ]
        if held:
            them = "it" if len(held) == 1 else "them"
            raise validation_error(
                f"Cannot delete {','.join(held)} as there are composite alarm(s) depending on {them}."
            )
        for alarm in found:
            self.remove(caller, alarm.name)
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
