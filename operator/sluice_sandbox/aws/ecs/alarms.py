"""CloudWatch alarms of deployments: an alarm that goes off during a deployment fails it.

ECS developer guide, "How CloudWatch alarms detect Amazon ECS deployment failures": while any of the alarms
is in ALARM when a deployment starts, ECS uses none of them for that deployment (so that a fix can be
deployed), otherwise the first to go to ALARM fails it. A rollback is not monitored (from memory).
Names that no alarm has are kept and never go off; that ECS refuses them is not documented.
"""

from __future__ import annotations

from functools import partial

from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.deployments import TERMINAL, DeploymentBook
from sluice_sandbox.aws.ecs.scheduler import Scheduler
from sluice_sandbox.aws.ecs.state import Service
from sluice_sandbox.aws.service import Caller


class AlarmWatch:
    """Hears of alarms and fails deployments."""

    def __init__(self, core: Core, book: DeploymentBook, scheduler: Scheduler) -> None:
        """Listen to the alarms behind `core`'s ports; a world without CloudWatch has none."""
        self._core = core
        self._book = book
        self._scheduler = scheduler
        if core.ports.alarms is not None:
            core.ports.alarms.watch(self._changed)

    def _changed(self, caller: Caller, name: str, state: str) -> None:
        if state != "ALARM":
            return
        for service in self._core.scope(caller).services.values():
            if self._concerns(service, name):
                self._core.later(0.0, partial(self._fail, service.arn, service.deployments[0].id, name))

    def _concerns(self, service: Service, name: str) -> bool:
        if service.status != "ACTIVE" or not service.deployments:
            return False
        primary = service.deployments[0]
        record = self._book.record(service, primary)
        return (
            record is not None
            and record.status not in TERMINAL
            and record.alarm_status == "MONITORING"
            and not primary.rolls_back
            and primary.rollout_state == "IN_PROGRESS"
            and name in record.configuration["alarms"]["alarmNames"]
        )

    def _fail(self, service_arn: str, deployment_id: str, name: str) -> None:
        service = self._core.service(service_arn)
        if service is None or not self._concerns(service, name):
            return
        primary = service.deployments[0]
        record = self._book.record(service, primary)
        if record is None or primary.id != deployment_id:
            return
        record.alarm_status = "TRIGGERED"
        record.triggered_alarms.append(name)
        rollback = bool(record.configuration["alarms"].get("rollback"))
        self._book.fail(service, trigger="ECS deployment alarm", what="alarm detected", rollback=rollback)
        self._scheduler.touch(service_arn)
