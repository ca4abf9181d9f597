"""Deployments of a service: how one begins, completes, fails and rolls back.

One deployment is told in three places: Service.deployments (PRIMARY/ACTIVE), the service deployment
(DescribeServiceDeployments) and the service revision it aims at. The revision's number is the
number of the deployment that made it, as DescribeServices in public issues shows. A rollback is a
new PRIMARY on the old revision ("rolling back to deploymentId <the completed one>."), within the
same service deployment; tasks of that revision which still run are its own again.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from sluice_sandbox.aws.ecs.connected import connect
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.identity import arn, last_segment, number_id, owner, url_safe_id
from sluice_sandbox.aws.ecs.narration import Narrator
from sluice_sandbox.aws.ecs.rollout_plan import breaker_threshold
from sluice_sandbox.aws.ecs.stages import is_native
from sluice_sandbox.aws.ecs.state import (
    Definition,
    Deployment,
    NativeProgress,
    Service,
    ServiceDeployment,
    ServiceRevision,
)
from sluice_sandbox.aws.ecs.task_factory import platform_family
from sluice_sandbox.aws.ecs.traffic import Traffic, choose_groups, production_deployment
from sluice_sandbox.aws.service import Caller

REVISION_MEMBERS = (
    "taskDefinition",
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "platformFamily",
    "loadBalancers",
    "serviceRegistries",
    "networkConfiguration",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
    "monitoring",
)
"""What a service revision fixes (botocore, ServiceRevision)."""

RETENTION_SECONDS = 90 * 86400.0
TERMINAL = frozenset({"SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"})


class DeploymentBook:
    """Opens and closes deployments in the records; tasks are the scheduler's."""

    def __init__(self, core: Core, narrator: Narrator) -> None:
        """Work on `core`'s state; events go through `narrator`."""
        self._core = core
        self._narrator = narrator
        self.traffic = Traffic(core, narrator)

    def open(self, service: Service, definition: Definition) -> Deployment:
        """Make the service's present spec its PRIMARY deployment; the former ones become ACTIVE."""
        connect(self._core, service)
        now = self._core.now()
        caller = owner(service.arn)
        scope = self._core.scope(caller)
        path = (last_segment(service.cluster_arn), service.name)
        spec = {
            key: deepcopy(service.spec[key]) for key in REVISION_MEMBERS if service.spec.get(key) is not None
        }
        if spec.get("launchType", "FARGATE") == "FARGATE":
            spec["platformFamily"] = service.spec["platformFamily"] = platform_family(definition)
        number = number_id(self._core.rng)
        revision = ServiceRevision(
            arn=arn(caller, "service-revision", *path, number),
            deployment_id=f"ecs-svc/{number}",
            service_arn=service.arn,
            cluster_arn=service.cluster_arn,
            created_at=now,
            spec=spec,
            container_images=self._images(caller, definition),
            groups=choose_groups(service),
        )
        scope.service_revisions[revision.arn] = revision
        self._supersede(service)
        breaker = service.spec["deploymentConfiguration"].get("deploymentCircuitBreaker") or {}
        record = ServiceDeployment(
            arn=arn(caller, "service-deployment", *path, url_safe_id(self._core.rng)),
            service_arn=service.arn,
            cluster_arn=service.cluster_arn,
            target_revision_arn=revision.arn,
            source_revision_arns=[item.revision_arn for item in service.deployments],
            created_at=now,
            updated_at=now,
            configuration=deepcopy(service.spec["deploymentConfiguration"]),
            breaker_status="MONITORING" if breaker.get("enable") else "DISABLED",
            threshold=self.threshold(service),
            alarm_status=self._alarms_at_start(service),
        )
        if is_native(record.configuration):
            before = production_deployment(service)
            record.native = NativeProgress(sources=len(service.deployments))
            record.production_revision_arn = before.revision_arn if before is not None else ""
        scope.service_deployments[record.arn] = record
        self._forget_old(service)
        service.deployment_arns.append(record.arn)
        return self._put_first(service, revision, record.arn, reason="")

    def begin(self, service: Service) -> None:
        """Let the PRIMARY's service deployment go from PENDING to IN_PROGRESS."""
        record = self.record(service, service.deployments[0])
        if record is not None and record.status == "PENDING":
            record.status = "IN_PROGRESS"
            record.started_at = record.updated_at = self._core.now()

    def baked(self, service: Service) -> bool:
        """Tell whether the PRIMARY, all of whose tasks are there, was watched long enough to complete.

        A rolling deployment bakes for its bake time, and with alarms for as long as ECS deems right.
        """
        primary = service.deployments[0]
        record = self.record(service, primary)
        if record is None or primary.rolls_back or record.native is not None:
            return True
        settings = self._core.settings
        minutes = record.configuration.get("bakeTimeInMinutes") or 0
        bake = min(minutes * 60.0, settings.bake_cap_seconds)
        if record.alarm_status == "MONITORING":
            bake = max(bake, settings.alarm_bake_seconds)
        if record.bake_until is None:
            record.bake_until = self._core.now() + bake
        return self._core.now() >= record.bake_until

    def complete(self, service: Service) -> None:
        """Say that the PRIMARY reached its steady state and that nothing else is left."""
        primary = service.deployments[0]
        now = self._core.now()
        primary.rollout_state = "COMPLETED"
        primary.rollout_state_reason = f"ECS deployment {primary.id} completed."
        primary.updated_at = now
        service.deployments = [primary]
        service.completed_revision_arn = primary.revision_arn
        service.completed_deployment_id = primary.id
        self._narrator.say(service, f"(deployment {primary.id}) deployment completed.")
        self._narrator.deployment_changed(service, primary, "SERVICE_DEPLOYMENT_COMPLETED")
        record = self.record(service, primary)
        if record is not None and record.status not in TERMINAL:
            self._close(service, record, "ROLLBACK_SUCCESSFUL" if primary.rolls_back else "SUCCESSFUL")

    def fail(self, service: Service, *, trigger: str, what: str, rollback: bool | None = None) -> None:
        """Fail the PRIMARY, and roll back if `rollback` or, where it is None, the circuit breaker says so.

        `trigger` begins rolloutStateReason ("ECS deployment circuit breaker"), `what` ends it.
        """
        primary = service.deployments[0]
        primary.rollout_state = "FAILED"
        primary.rollout_state_reason = f"{trigger}: {what}."
        primary.updated_at = self._core.now()
        self._narrator.say(service, f"(deployment {primary.id}) deployment failed: {what}.")
        self._narrator.deployment_changed(service, primary, "SERVICE_DEPLOYMENT_FAILED")
        record = self.record(service, primary)
        if record is not None:
            record.breaker_status = "TRIGGERED" if "circuit breaker" in trigger else record.breaker_status
            record.status_reason = primary.rollout_state_reason
        breaker = service.spec["deploymentConfiguration"].get("deploymentCircuitBreaker") or {}
        wanted = bool(breaker.get("rollback")) if rollback is None else rollback
        if wanted and self.can_roll_back(service):
            self.roll_back(service, trigger=trigger)
        elif record is not None:
            self._close(service, record, "ROLLBACK_FAILED" if primary.rolls_back else "STOPPED")

    def abandon(self, service: Service) -> None:
        """End the service deployment of a service that is being deleted (its reason is from memory)."""
        record = self.record(service, service.deployments[0]) if service.deployments else None
        if record is not None and record.status not in TERMINAL:
            record.status_reason = "Service was deleted."
            self._close(service, record, "STOPPED")

    def can_roll_back(self, service: Service) -> bool:
        """Tell whether there is a completed deployment other than the PRIMARY's revision."""
        primary = service.deployments[0]
        return (
            not primary.rolls_back
            and bool(service.completed_revision_arn)
            and service.completed_revision_arn != primary.revision_arn
        )

    def roll_back(self, service: Service, *, trigger: str) -> None:
        """Put the last completed revision back as PRIMARY, within the same service deployment."""
        left = service.deployments[0]
        scope = self._core.scope(owner(service.arn))
        revision = scope.service_revisions[service.completed_revision_arn]
        record = self.record(service, left)
        goal = service.completed_deployment_id
        if record is not None and record.native is not None:
            self._give_traffic_back(service, record.native)
        if record is not None:
            record.status = "ROLLBACK_IN_PROGRESS"
            record.updated_at = self._core.now()
            record.rollback = {
                "reason": record.status_reason or f"{trigger}.",
                "startedAt": self._core.now(),
                "serviceRevisionArn": revision.arn,
            }
        self._narrator.say(service, f"rolling back to deployment {goal}.")
        for member in REVISION_MEMBERS:
            service.spec.pop(member, None)
        service.spec.update(deepcopy(revision.spec))
        number = number_id(self._core.rng)
        primary = self._put_first(
            service,
            revision,
            left.service_deployment_arn,
            reason=f"{trigger}: rolling back to deploymentId {goal}.",
            deployment_id=f"ecs-svc/{number}",
        )
        primary.rolls_back = True
        for task_arn in service.live:
            task = self._core.task(task_arn)
            if task is not None and task.revision_arn == revision.arn:
                task.deployment_id = primary.id
        service.deployments = [item for item in service.deployments if item is primary or item.id != goal]

    def threshold(self, service: Service) -> int:
        """Return how many failed tasks fail this service's deployment."""
        breaker = service.spec["deploymentConfiguration"].get("deploymentCircuitBreaker") or {}
        return breaker_threshold(service.desired_count, breaker.get("thresholdConfiguration"))

    def record(self, service: Service, deployment: Deployment) -> ServiceDeployment | None:
        """Return the service deployment that the deployment belongs to."""
        scope = self._core.scope(owner(service.arn))
        return scope.service_deployments.get(deployment.service_deployment_arn)

    def count(self, service: Service) -> dict[str, dict[str, int]]:
        """Return requested, running and pending task counts by service revision."""
        counts: dict[str, dict[str, int]] = {}
        for deployment in service.deployments:
            of = counts.setdefault(
                deployment.revision_arn,
                {"requestedTaskCount": 0, "runningTaskCount": 0, "pendingTaskCount": 0},
            )
            of["requestedTaskCount"] += deployment.desired_count
        for task_arn in service.live:
            task = self._core.task(task_arn)
            if task is None or task.revision_arn not in counts:
                continue
            if task.last_status == "RUNNING":
                counts[task.revision_arn]["runningTaskCount"] += 1
            elif task.desired_status == "RUNNING":
                counts[task.revision_arn]["pendingTaskCount"] += 1
        return counts

    def _put_first(
        self,
        service: Service,
        revision: ServiceRevision,
        service_deployment_arn: str,
        *,
        reason: str,
        deployment_id: str = "",
    ) -> Deployment:
        now = self._core.now()
        primary = Deployment(
            id=deployment_id or revision.deployment_id,
            status="PRIMARY",
            revision_arn=revision.arn,
            service_deployment_arn=service_deployment_arn,
            spec=revision.spec,
            desired_count=service.desired_count,
            created_at=now,
            updated_at=now,
            groups=dict(revision.groups),
        )
        primary.rollout_state_reason = reason or f"ECS deployment {primary.id} in progress."
        for former in service.deployments:
            former.status = "ACTIVE"
        service.deployments.insert(0, primary)
        service.steady = False
        self._narrator.deployment_changed(service, primary, "SERVICE_DEPLOYMENT_IN_PROGRESS")
        return primary

    def _give_traffic_back(self, service: Service, progress: NativeProgress) -> None:
        """Take all traffic from the PRIMARY at once, as ECS does first in a rollback."""
        primary = service.deployments[0]
        for test in (False, True):
            self.traffic.shift(service, primary, 0.0, test=test)
        progress.production = progress.test = 0.0

    def _abandon(self, service: Service, progress: NativeProgress) -> None:
        revisions = {deployment.revision_arn for deployment in service.deployments[1:]}
        if service.completed_revision_arn in revisions:
            self._give_traffic_back(service, progress)

    def _alarms_at_start(self, service: Service) -> str:
        """Return how a deployment that begins now uses the alarms; see `alarms`."""
        alarms = service.spec["deploymentConfiguration"].get("alarms") or {}
        if not alarms.get("enable"):
            return "DISABLED"
        port = self._core.ports.alarms
        names = alarms.get("alarmNames") or () if port is not None else ()
        states = [port.state(owner(service.arn), name) for name in names if port is not None]
        return "DISABLED" if "ALARM" in states else "MONITORING"

    def _forget_old(self, service: Service) -> None:
        """Drop service deployments after 90 days (ECS developer guide), and revisions nobody names."""
        scope = self._core.scope(owner(service.arn))
        horizon = self._core.now() - RETENTION_SECONDS
        old = [
            item for item in service.deployment_arns if scope.service_deployments[item].created_at < horizon
        ]
        for item in old:
            service.deployment_arns.remove(item)
            target = scope.service_deployments.pop(item).target_revision_arn
            used = {deployment.revision_arn for deployment in service.deployments}
            if target not in used | {service.completed_revision_arn}:
                scope.service_revisions.pop(target, None)

    def _supersede(self, service: Service) -> None:
        """End the service deployment that a newer one replaces (its STOPPED reason is from memory)."""
        if service.deployments:
            record = self.record(service, service.deployments[0])
            if record is not None and record.status not in TERMINAL:
                if record.native is not None and not is_native(service.spec["deploymentConfiguration"]):
                    # A native successor moves the traffic in RECONCILE_SERVICE; a rolling one never would.
                    self._abandon(service, record.native)
                record.status_reason = "Service deployment was superseded by a new service deployment."
                self._close(service, record, "STOPPED")

    def _close(self, service: Service, record: ServiceDeployment, status: str) -> None:
        now = self._core.now()
        record.status = status
        record.updated_at = now
        record.finished_at = now
        if status == "STOPPED":
            record.stopped_at = now
        if record.breaker_status == "MONITORING":
            record.breaker_status = "MONITORING_COMPLETE"
        if record.alarm_status == "MONITORING":
            record.alarm_status = "MONITORING_COMPLETE"
        record.counts = self.count(service)

    def _images(self, caller: Caller, definition: Definition) -> list[dict[str, Any]]:
        """Resolve tags to digests once per revision (ECS: software version consistency)."""
        images = []
        for container in definition.spec["containerDefinitions"]:
            image = {"containerName": container["name"], "image": container["image"]}
            if container.get("versionConsistency", "enabled") == "enabled":
                digest = self._core.ports.images.pull(caller, container["image"]).digest
                if digest:
                    image["imageDigest"] = digest
            images.append(image)
        return images
