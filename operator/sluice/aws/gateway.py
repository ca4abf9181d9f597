"""The one way to AWS. In order: budget token, lease, transport, meaning of the error, metrics, audit.

Reads are repeated here when AWS did not answer (each attempt with its own token, within one deadline);
a write is sent once, because a second one must happen above the look-up that makes it safe (decision
10). Throttled calls are not repeated here: the budget shrinks and the queue comes back.

A write can be made in two steps, `reserve` then `send`, so that the caller looks at its snapshot after
the token and before the write (rollout.md §7 point 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sluice.aws.audit import audit
from sluice.aws.budget import Budgets
from sluice.aws.errors import WriteWithheld, failure
from sluice.aws.metrics import AwsMetrics
from sluice.aws.operations import is_write
from sluice.aws.transport import Answered, Transport, TransportError
from sluice.model.binding import CallContext, Priority
from sluice.model.errors import AwsFailure, Deferred, LeadershipLost
from sluice.ports import Clock
from sluice.telemetry import tracing

CALL_SECONDS: Final = 10.0
"""The longest a single call takes: connect 2 s and read 8 s (decision 10)."""
READ_ATTEMPTS: Final = 3
_READ_DEADLINE_SECONDS: Final = 10.0  # no further attempt starts later than this after the first
_API_NAMES: Final = {
    "ecs": "ECS",
    "elbv2": "Elastic Load Balancing v2",
    "servicediscovery": "ServiceDiscovery",
    "cloudwatch": "CloudWatch",
    "logs": "CloudWatch Logs",
    "application-autoscaling": "Application Auto Scaling",
    "ecr": "ECR",
    "sts": "STS",
    "secretsmanager": "Secrets Manager",
    "sns": "SNS",
    "sqs": "SQS",
    "events": "EventBridge",
}
"""botocore's serviceId, which is what other SDKs' spans call the service."""


class LeaseGuard(Protocol):
    """What the gateway needs of leader election. `runtime.lease`."""

    def valid_for(self, seconds: float) -> bool:
        """Tell whether this replica's Lease outlives the next `seconds`."""


class AlwaysLeader:
    """A guard for one process without election (the CLI, tests)."""

    def valid_for(self, seconds: float) -> bool:
        """Return True."""
        return seconds >= 0


@dataclass(frozen=True, slots=True)
class Permit:
    """A token that was taken: the right to make one call."""

    service: str
    operation: str
    context: CallContext


class AwsGateway:
    """`ports.Aws`, and the two-step write that the executor uses. Thread-safe."""

    def __init__(
        self,
        transport: Transport,
        *,
        budgets: Budgets,
        clock: Clock,
        lease: LeaseGuard,
        metrics: AwsMetrics,
        dry_run: bool = False,
    ) -> None:
        """Compose; with `dry_run` every write is logged, counted and refused with WriteWithheld."""
        self._transport = transport
        self._budgets = budgets
        self._clock = clock
        self._lease = lease
        self._metrics = metrics
        self._dry_run = dry_run
        metrics.watch_budgets(lambda: budgets.states(clock.monotonic()))

    def call(
        self, service: str, operation: str, params: Mapping[str, Any], *, context: CallContext
    ) -> Mapping[str, Any]:
        """Make one call: see `ports.Aws.call`. Raises Deferred, AwsFailure, LeadershipLost, WriteWithheld."""
        if is_write(operation):
            return self.send(self.reserve(service, operation, context=context), params)
        started = self._clock.monotonic()
        attempt = 1
        while True:
            permit = self.reserve(service, operation, context=context)
            try:
                return self._send(permit, params, write=False)
            except AwsFailure as failed:
                late = self._clock.monotonic() - started >= _READ_DEADLINE_SECONDS
                if failed.kind != "unavailable" or attempt == READ_ATTEMPTS or late:
                    raise
                attempt += 1

    def reserve(self, service: str, operation: str, *, context: CallContext) -> Permit:
        """Take the tokens of one call; raises Deferred with the time at which to come back."""
        if not (self._dry_run and is_write(operation)):
            now = self._clock.monotonic()
            binding = context.binding
            self._metrics.expect(service, operation, binding)
            wait = self._budgets.take(
                service,
                operation,
                account=binding.account,
                region=binding.region,
                priority=context.priority,
                waiter=context.key,
                now=now,
            )
            if wait is not None:
                self._metrics.put_off(wait.bucket, context.priority, binding, seconds=wait.until - now)
                raise Deferred(
                    until=self._clock.now() + (wait.until - now), bucket=f"{wait.bucket} of {binding}"
                )
        return Permit(service, operation, context)

    def release(self, permit: Permit) -> None:
        """Give back the tokens of a call that is not made after all."""
        if not (self._dry_run and is_write(permit.operation)):
            self._budgets.refund(
                permit.service,
                permit.operation,
                account=permit.context.binding.account,
                region=permit.context.binding.region,
                now=self._clock.monotonic(),
            )

    def send(self, permit: Permit, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make the call that `permit` is for, once."""
        write = is_write(permit.operation)
        if write and self._dry_run:
            self._metrics.withheld.labels(permit.service, permit.operation).inc()
            audit(permit.service, permit.operation, params, context=permit.context, outcome="dry-run")
            raise WriteWithheld(permit.service, permit.operation)
        if write and not self._lease.valid_for(CALL_SECONDS):
            self.release(permit)
            raise LeadershipLost(
                f"{permit.service}:{permit.operation} was not sent: the lease ends within {CALL_SECONDS:g} s"
            )
        return self._send(permit, params, write=write)

    def _send(self, permit: Permit, params: Mapping[str, Any], *, write: bool) -> Mapping[str, Any]:
        service, operation = permit.service, permit.operation
        with tracing.span(
            f"{_API_NAMES.get(service, service)}.{operation}",
            kind="client",
            begin=lambda: _attributes(permit),
        ) as span:
            started = self._clock.monotonic()
            failed: AwsFailure | None = None
            response: dict[str, Any] = {}
            try:
                binding = permit.context.binding
                response = dict(self._transport.send(service, operation, params, binding, write=write))
            except TransportError as error:
                failed = failure(service, operation, error, write=write)
                failed.__cause__ = error
            request_id = _request_id(response.pop("ResponseMetadata", None), failed)
            seconds = self._clock.monotonic() - started
            outcome = failed.kind if failed else "ok"
            if span.recording:
                span.put({tracing.OUTCOME: outcome, tracing.REQUEST_ID: request_id})
            self._told(
                permit,
                params,
                write=write,
                failed=failed,
                outcome=outcome,
                request_id=request_id,
                seconds=seconds,
            )
            if failed is not None:
                span.failed(failed.code, failed.message)
                raise failed
            return response

    def _told(
        self,
        permit: Permit,
        params: Mapping[str, Any],
        *,
        write: bool,
        failed: AwsFailure | None,
        outcome: str,
        request_id: str,
        seconds: float,
    ) -> None:
        """Count a call that was made, write the line of a write, and slow down where AWS asked for it."""
        service, operation, context = permit.service, permit.operation, permit.context
        self._metrics.called(service, operation, outcome=outcome, binding=context.binding, seconds=seconds)
        if write and failed is None and context.priority is Priority.ROLLBACK:
            self._metrics.hurried(context.key, service)
        if write:
            audit(
                service,
                operation,
                params,
                context=context,
                outcome=outcome,
                detail=f"{failed.code}: {failed.message}" if failed else "",
                request_id=request_id,
                seconds=seconds,
            )
        if failed is not None and failed.kind == "throttled":
            self._budgets.throttled(
                service,
                operation,
                account=context.binding.account,
                region=context.binding.region,
                now=self._clock.monotonic(),
            )


def _request_id(metadata: object, failed: AwsFailure | None) -> str:
    """Return AWS's id of the request, '' where no answer came."""
    if failed is not None:
        return failed.__cause__.request_id if isinstance(failed.__cause__, Answered) else ""
    return str(metadata.get("RequestId", "")) if isinstance(metadata, Mapping) else ""


def _attributes(permit: Permit) -> dict[str, str]:
    """Return what the span of a call begins with (semantic conventions for AWS SDK spans)."""
    context = permit.context
    found = {
        tracing.SYSTEM: "aws-api",
        tracing.SERVICE: _API_NAMES.get(permit.service, permit.service),
        tracing.METHOD: permit.operation,
        tracing.REGION: context.binding.region,
        tracing.ACCOUNT: context.binding.account,
        tracing.PRIORITY: context.priority.name.lower(),
        tracing.NAMESPACE: context.key.namespace,
        tracing.OBJECT_KIND: context.key.kind,
        tracing.OBJECT_NAME: context.key.name,
        tracing.SUBJECT: context.subject,
        tracing.REASON: context.reason,
    }
    return {name: value for name, value in found.items() if value}
