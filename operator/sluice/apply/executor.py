"""Plans become AWS calls here: in order, one at a time, and never one too many.

For each action the budget token is taken first, then the snapshot is looked at again, then the call is
sent (rollout.md §7 point 2): a worker that waited for a token must not write an old weight over a newer
one. Nothing is sent twice, and nothing after the first failure but the independent actions right behind
an independent one: in a rollback, a rule that was deleted keeps no other rule waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import jmespath  # type: ignore[import-untyped]  # comes with boto3, without types

from sluice.apply.errors import ApplyFailed
from sluice.aws.gateway import Permit
from sluice.model.actions import Action, Applied, Ref
from sluice.model.binding import Binding, CallContext
from sluice.model.errors import AwsFailure, SluiceError
from sluice.model.keys import Key
from sluice.telemetry import tracing

_NOTHING_LEARNT: Final = frozenset({"throttled", "denied", "quota"})
"""After these the world is as it was seen; after any other failure it may not be."""
_SLOW: Final = frozenset({"denied", "rejected", "quota"})
"""Soon trying these again is of no use (runtime.worker.SLOW_KINDS)."""


class WriteGateway(Protocol):
    """The two-step write of `aws.gateway.AwsGateway`."""

    def reserve(self, service: str, operation: str, *, context: CallContext) -> Permit:
        """Take the tokens of one call; raises Deferred."""

    def release(self, permit: Permit) -> None:
        """Give them back unused."""

    def send(self, permit: Permit, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make the call; raises AwsFailure, LeadershipLost or WriteWithheld."""


class WriteObserver(Protocol):
    """Who learns from writes: `observe.facts.AwsFacts`."""

    def wrote(
        self, binding: Binding, operation: str, params: Mapping[str, Any], response: Mapping[str, Any]
    ) -> None:
        """AWS accepted the write."""

    def failed(self, binding: Binding, params: Mapping[str, Any]) -> None:
        """It did not, or nobody knows."""


class PlanExecutor:
    """`ports.Executor`. Thread-safe: it holds nothing."""

    def __init__(self, gateway: WriteGateway, *, observer: WriteObserver) -> None:
        """Send through `gateway` and tell `observer`."""
        self._gateway = gateway
        self._observer = observer

    def run(
        self,
        actions: Sequence[Action],
        *,
        key: Key,
        binding: Binding,
        still_current: Callable[[], bool],
    ) -> Applied:
        """Send the actions in order; see `ports.Executor.run`.

        Raises ApplyFailed with the outputs so far and the cause. A snapshot that went stale is no
        failure: `superseded` is set and the tokens are given back.
        """
        with tracing.span("apply", begin=lambda: {tracing.ACTIONS: len(actions)}):
            return self._run(actions, key=key, binding=binding, still_current=still_current)

    def _run(
        self,
        actions: Sequence[Action],
        *,
        key: Key,
        binding: Binding,
        still_current: Callable[[], bool],
    ) -> Applied:
        outputs: dict[str, Any] = {}
        failures: list[SluiceError] = []
        before = 0
        for action in actions:
            if failures and not action.independent:
                break
            try:
                sent = self._apply(action, outputs, key=key, binding=binding, still_current=still_current)
            except SluiceError as failure:
                failures.append(failure)
                # Without a token, a Lease or leave to write, the next one would not be sent either.
                if not (action.independent and isinstance(failure, AwsFailure)):
                    break
                continue
            if not sent:
                return Applied(outputs=outputs, done=before, superseded=True)
            before += not failures
        applied = Applied(outputs=outputs, done=before)
        if failures:
            cause = _together(failures)
            raise ApplyFailed(applied=applied, cause=cause) from cause
        return applied

    def _apply(
        self,
        action: Action,
        outputs: dict[str, Any],
        *,
        key: Key,
        binding: Binding,
        still_current: Callable[[], bool],
    ) -> bool:
        """Apply one action and add its outputs; False when the snapshot is stale."""
        params = resolved(action.params, outputs)
        context = CallContext(
            binding=binding, priority=action.priority, key=key, reason=action.reason, subject=action.subject
        )
        permit = self._gateway.reserve(action.service, action.operation, context=context)
        if not still_current():
            self._gateway.release(permit)
            return False
        try:
            response = self._gateway.send(permit, params)
        except AwsFailure as failed:
            if failed.kind not in _NOTHING_LEARNT:
                self._observer.failed(binding, params)
            if failed.code in action.already:
                return True
            raise
        self._observer.wrote(binding, action.operation, params, response)
        outputs.update(self._outputs(action, params, response, binding=binding))
        return True

    def _outputs(
        self, action: Action, params: Mapping[str, Any], response: Mapping[str, Any], *, binding: Binding
    ) -> dict[str, Any]:
        found = {name: jmespath.search(path, response) for name, path in action.outputs.items()}
        absent = sorted(name for name, value in found.items() if value is None)
        if absent:
            self._observer.failed(binding, params)
            raise AwsFailure(
                service=action.service,
                operation=action.operation,
                code="UnexpectedResponse",
                message=f"the response lacks {', '.join(absent)}",
                kind="unknown-outcome",
            )
        return found


def _together(failures: Sequence[SluiceError]) -> SluiceError:
    """Return one error for all: the one after which the next pass comes soonest, with the others' texts.

    A missing token (or Lease) has its own time, and the write that found it was not tried at all.
    """
    last = failures[-1]
    if len(failures) == 1 or not isinstance(last, AwsFailure):
        return last
    soon = [failure for failure in failures if isinstance(failure, AwsFailure)]
    first = next((failure for failure in soon if failure.kind not in _SLOW), soon[0])
    others = "; ".join(dict.fromkeys(str(failure) for failure in soon if failure is not first))
    return AwsFailure(
        service=first.service,
        operation=first.operation,
        code=first.code,
        message=f"{first.message}; also {others}",
        kind=first.kind,
    )


def resolved(value: Any, outputs: Mapping[str, Any]) -> Any:  # noqa: ANN401 - AWS parameters of any shape
    """Return parameters with every Ref replaced; KeyError names an output that no action made."""
    if isinstance(value, Ref):
        return outputs[value.output]
    if isinstance(value, Mapping):
        return {name: resolved(item, outputs) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [resolved(item, outputs) for item in value]
    return value
