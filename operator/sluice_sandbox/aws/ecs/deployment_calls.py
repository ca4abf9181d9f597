"""Service deployments and service revisions: list, describe, stop with rollback, continue a paused one."""

from __future__ import annotations

from typing import Any

from sluice_sandbox.aws.ecs import refusals
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.deployments import TERMINAL, DeploymentBook
from sluice_sandbox.aws.ecs.identity import arn, last_segment
from sluice_sandbox.aws.ecs.paging import page
from sluice_sandbox.aws.ecs.scheduler import Scheduler
from sluice_sandbox.aws.ecs.service_view import resolved_members
from sluice_sandbox.aws.ecs.state import Service, ServiceDeployment, ServiceRevision
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

DEFAULT_PAGE = 20
MAX_DESCRIBE = 20
"""botocore: 20 per page of ListServiceDeployments, 20 ARNs in both Describe calls."""


class DeploymentCalls:
    """The service-deployment operations."""

    def __init__(self, core: Core, book: DeploymentBook, scheduler: Scheduler) -> None:
        """Work on `core`'s state."""
        self._core = core
        self._book = book
        self._scheduler = scheduler

    def operations(self) -> dict[str, Handler]:
        """Return the handlers by operation."""
        return {
            "ListServiceDeployments": self.list_service_deployments,
            "DescribeServiceDeployments": self.describe_service_deployments,
            "DescribeServiceRevisions": self.describe_service_revisions,
            "StopServiceDeployment": self.stop_service_deployment,
            "ContinueServiceDeployment": self.continue_service_deployment,
        }

    def list_service_deployments(self, caller: Caller, params: Params) -> Response:
        """List a service's deployments, newest first, by status and creation time."""
        cluster = self._core.cluster(caller, params.get("cluster"))
        scope = self._core.scope(caller)
        service = scope.services.get(arn(caller, "service", cluster.name, last_segment(params["service"])))
        if service is None:
            raise refusals.service_not_found()
        statuses = params.get("status") or []
        window = params.get("createdAt") or {}
        found = []
        for deployment_arn in reversed(service.deployment_arns):
            record = scope.service_deployments[deployment_arn]
            if statuses and record.status not in statuses:
                continue
            if (
                not _seconds(window.get("after"), 0.0)
                <= record.created_at
                <= _seconds(window.get("before"), float("inf"))
            ):
                continue
            found.append(deployment_arn)
        arns, token = page(found, params, default=DEFAULT_PAGE)
        return {"serviceDeployments": [_brief(scope.service_deployments[item]) for item in arns], **token}

    def describe_service_deployments(self, caller: Caller, params: Params) -> Response:
        """Describe up to 20 by ARN; unknown ones are failures."""
        arns: list[str] = params["serviceDeploymentArns"]
        _check_arns(arns, "serviceDeploymentArns")
        scope = self._core.scope(caller)
        shown, failures = [], []
        for deployment_arn in arns:
            record = scope.service_deployments.get(deployment_arn)
            if record is None:
                failures.append({"arn": deployment_arn, "reason": "MISSING"})
            else:
                shown.append(self._render(record, scope.services.get(record.service_arn)))
        return {"serviceDeployments": shown, "failures": failures}

    def describe_service_revisions(self, caller: Caller, params: Params) -> Response:
        """Describe up to 20 revisions by ARN; unknown ones are failures."""
        arns: list[str] = params["serviceRevisionArns"]
        _check_arns(arns, "serviceRevisionArns")
        revisions = self._core.scope(caller).service_revisions
        return {
            "serviceRevisions": [_revision(revisions[item]) for item in arns if item in revisions],
            "failures": [{"arn": item, "reason": "MISSING"} for item in arns if item not in revisions],
        }

    def stop_service_deployment(self, caller: Caller, params: Params) -> Response:
        """Roll an ongoing deployment back (the only stop type, botocore); an ended one is a conflict."""
        scope = self._core.scope(caller)
        record = scope.service_deployments.get(params["serviceDeploymentArn"])
        if record is None:
            raise AwsError("ServiceDeploymentNotFoundException", "Service deployment not found.")
        if params.get("stopType", "ROLLBACK") != "ROLLBACK":
            raise refusals.invalid_parameter("The stop type ABORT is not supported. Use ROLLBACK.")
        service = scope.services.get(record.service_arn)
        if record.status not in {"PENDING", "IN_PROGRESS"} or service is None:
            # botocore, StopServiceDeployment: ConflictException (text from memory).
            raise AwsError("ConflictException", f"The service deployment is in status {record.status}.")
        if not self._book.can_roll_back(service):
            raise refusals.client_exception(
                "The service deployment has no previous service revision to roll back to."
            )
        record.status = "ROLLBACK_REQUESTED"
        record.status_reason = "Service deployment was stopped by a user."
        service_arn, deployment_arn = service.arn, record.arn

        def begin() -> None:
            service = self._core.service(service_arn)
            if service is None or not service.deployments or service.status != "ACTIVE":
                return
            primary = service.deployments[0]
            current = self._book.record(service, primary)
            if current is None or current.arn != deployment_arn or current.status != "ROLLBACK_REQUESTED":
                return
            primary.rollout_state = "FAILED"
            primary.rollout_state_reason = "ECS deployment was stopped by a user."
            self._book.roll_back(service, trigger="ECS deployment stopped")
            self._scheduler.touch(service_arn)

        self._core.later(0.0, begin)
        return {"serviceDeploymentArn": record.arn}

    def _render(self, record: ServiceDeployment, service: Service | None) -> dict[str, Any]:
        counts = record.counts
        if not counts and service is not None:
            counts = self._book.count(service)
        if service is not None and record.status not in TERMINAL and not record.rollback:
            record.threshold = self._book.threshold(service)
        shown: dict[str, Any] = {
            "serviceDeploymentArn": record.arn,
            "serviceArn": record.service_arn,
            "clusterArn": record.cluster_arn,
            "createdAt": record.created_at,
            "updatedAt": record.updated_at,
            "status": record.status,
            "sourceServiceRevisions": [
                _summary(item, counts, weights=_weights(record, item)) for item in record.source_revision_arns
            ],
            "targetServiceRevision": _summary(
                record.target_revision_arn, counts, weights=_weights(record, record.target_revision_arn)
            ),
            "deploymentConfiguration": record.configuration,
            "deploymentCircuitBreaker": {
                "status": record.breaker_status,
                "failureCount": record.failure_count,
                "threshold": record.threshold,
            },
            "alarms": _alarms(record),
        }
        optional = {
            "startedAt": record.started_at,
            "finishedAt": record.finished_at,
            "stoppedAt": record.stopped_at,
            "statusReason": record.status_reason,
            "rollback": record.rollback,
            "lifecycleStage": record.native.stage if record.native is not None else "",
            "lifecycleHookDetails": _hooks(record),
        }
        return shown | {member: value for member, value in optional.items() if value}

    def continue_service_deployment(self, caller: Caller, params: Params) -> Response:
        """Continue or roll back at a PAUSE hook that waits for it (texts from memory)."""
        scope = self._core.scope(caller)
        record = scope.service_deployments.get(params["serviceDeploymentArn"])
        if record is None:
            raise AwsError("ServiceDeploymentNotFoundException", "Service deployment not found.")
        hooks = record.native.hooks if record.native is not None else []
        hook = next((item for item in hooks if item.id == params["hookId"]), None)
        if hook is None:
            raise refusals.invalid_parameter(
                f"The hookId {params['hookId']} is not a lifecycle hook of the service deployment."
            )
        if hook.kind != "PAUSE":
            raise refusals.invalid_parameter("Only PAUSE lifecycle hooks can be continued or rolled back.")
        if record.status != "IN_PROGRESS" or hook.status != "AWAITING_ACTION":
            raise refusals.client_exception(
                f"The lifecycle hook {hook.id} is in status {hook.status}, not AWAITING_ACTION."
            )
        hook.status = "SUCCEEDED" if params.get("action", "CONTINUE") == "CONTINUE" else "FAILED"
        record.updated_at = self._core.now()
        self._scheduler.touch(record.service_arn)
        return {"serviceDeploymentArn": record.arn}


def _check_arns(arns: list[str], member: str) -> None:
    """Refuse none and more than 20 ARNs (botocore; texts as DescribeServices', from memory)."""
    if not arns:
        raise refusals.invalid_parameter(f"{member} cannot be empty.")
    if len(arns) > MAX_DESCRIBE:
        raise refusals.invalid_parameter(f"{member} cannot have more than 20 elements.")
    for item in arns:
        if not item.startswith("arn:"):
            raise refusals.invalid_parameter(f"Invalid identifier '{item}': {member} must be ARNs.")


def _hooks(record: ServiceDeployment) -> list[dict[str, Any]]:
    shown = []
    for hook in record.native.hooks if record.native is not None else ():
        detail = {
            "hookId": hook.id,
            "targetType": hook.kind,
            "status": hook.status,
            "expiresAt": hook.expires_at,
            "timeoutAction": hook.timeout_action,
        }
        shown.append(detail | ({"targetArn": hook.target_arn} if hook.target_arn else {}))
    return shown


def _weights(record: ServiceDeployment, revision_arn: str) -> tuple[float, float]:
    """Return the percents of production and test traffic that a revision is given.

    botocore, ServiceRevisionSummary: a snapshot. Strategies without traffic shifting give all of it to the
    target, and after a rollback to the revision gone back to.
    """
    progress = record.native
    if progress is None:
        goal = record.rollback.get("serviceRevisionArn") or record.target_revision_arn
        return (100.0 if revision_arn == goal else 0.0), 0.0
    if revision_arn == record.target_revision_arn:
        return progress.production, progress.test
    if revision_arn != record.production_revision_arn:
        return 0.0, 0.0
    return round(100.0 - progress.production, 1), round(100.0 - progress.test, 1) if progress.tested else 0.0


def _alarms(record: ServiceDeployment) -> dict[str, Any]:
    names = (record.configuration.get("alarms") or {}).get("alarmNames") or []
    return {
        "status": record.alarm_status,
        "alarmNames": names,
        "triggeredAlarmNames": record.triggered_alarms,
    }


def _summary(
    revision_arn: str, counts: dict[str, dict[str, int]], *, weights: tuple[float, float]
) -> dict[str, Any]:
    none = {"requestedTaskCount": 0, "runningTaskCount": 0, "pendingTaskCount": 0}
    return {
        "arn": revision_arn,
        **counts.get(revision_arn, none),
        "requestedProductionTrafficWeight": weights[0],
        "requestedTestTrafficWeight": weights[1],
    }


def _brief(record: ServiceDeployment) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "serviceDeploymentArn": record.arn,
        "serviceArn": record.service_arn,
        "clusterArn": record.cluster_arn,
        "createdAt": record.created_at,
        "targetServiceRevisionArn": record.target_revision_arn,
        "status": record.status,
    }
    optional = {
        "startedAt": record.started_at,
        "finishedAt": record.finished_at,
        "statusReason": record.status_reason,
    }
    return shown | {member: value for member, value in optional.items() if value}


def _revision(revision: ServiceRevision) -> dict[str, Any]:
    resolved = [_resolved(revision, item) for item in revision.spec.get("loadBalancers") or ()]
    return {
        "serviceRevisionArn": revision.arn,
        "serviceArn": revision.service_arn,
        "clusterArn": revision.cluster_arn,
        "createdAt": revision.created_at,
        "guardDutyEnabled": False,
        "containerImages": revision.container_images,
        **({"resolvedConfiguration": {"loadBalancers": resolved}} if resolved else {}),
        **revision.spec,
        **resolved_members(revision.spec),
    }


def _resolved(revision: ServiceRevision, balancer: dict[str, Any]) -> dict[str, Any]:
    """Return the group that serves the revision and the rule that leads there (ResolvedConfiguration)."""
    own = balancer["targetGroupArn"]
    shown = {"targetGroupArn": revision.groups.get(own, own)}
    rule = (balancer.get("advancedConfiguration") or {}).get("productionListenerRule")
    return shown | ({"productionListenerRule": rule} if rule else {})


def _seconds(value: Any, default: float) -> float:  # noqa: ANN401 - a datetime or epoch seconds, as the wire parsed it
    if value is None:
        return default
    return float(value.timestamp()) if hasattr(value, "timestamp") else float(value)
