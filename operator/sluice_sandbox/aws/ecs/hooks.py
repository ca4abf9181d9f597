"""Lifecycle hooks of native deployments: begun at a stage, resolved by an answer, a person or a timeout.

A PAUSE hook waits for ContinueServiceDeployment. An AWS_LAMBDA hook would invoke a function; none runs
here, so its `hookStatus` comes from a table that tests and demos set (`EcsService.answer_hooks`, control
API `/_sandbox/hooks`): by function ARN, SUCCEEDED unless said otherwise, as the function could answer
(ECS developer guide, "Lifecycle hooks": SUCCEEDED, FAILED, IN_PROGRESS).
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.identity import hook_id
from sluice_sandbox.aws.ecs.state import HookRun, ServiceDeployment

ANSWERS = ("SUCCEEDED", "FAILED", "IN_PROGRESS")
WAITING = frozenset({"AWAITING_ACTION", "IN_PROGRESS"})
DEFAULT_TIMEOUT_MINUTES, DEFAULT_ACTION = 1440, "ROLLBACK"
"""botocore, DeploymentLifecycleHookTimeoutConfiguration."""


class Hooks:
    """Begins hooks and looks after them."""

    def __init__(self, core: Core) -> None:
        """Read answers from `core`'s state."""
        self._core = core

    def begin(self, record: ServiceDeployment, stage: str, *, at: int) -> list[HookRun]:
        """Begin the hooks of a stage; `at` is the stop's index on the deployment's path."""
        begun = []
        for hook in record.configuration.get("lifecycleHooks") or ():
            if stage not in (hook.get("lifecycleStages") or ()):
                continue
            kind = hook.get("targetType") or "AWS_LAMBDA"
            timeout = hook.get("timeoutConfiguration") or {}
            minutes = timeout.get("timeoutInMinutes") or DEFAULT_TIMEOUT_MINUTES
            begun.append(
                HookRun(
                    id=hook_id(self._core.rng, kind),
                    at=at,
                    stage=stage,
                    kind=kind,
                    target_arn=hook.get("hookTargetArn") or "",
                    status="AWAITING_ACTION" if kind == "PAUSE" else "IN_PROGRESS",
                    expires_at=self._core.now() + minutes * 60.0,
                    timeout_action=timeout.get("action") or DEFAULT_ACTION,
                )
            )
        return begun

    def look(self, runs: Sequence[HookRun]) -> None:
        """Ask the functions again, and time out what has waited too long."""
        for run in runs:
            if run.status == "IN_PROGRESS":
                run.status = self._answer(run.target_arn)
            if run.status in WAITING and self._core.now() >= run.expires_at:
                run.status = "TIMED_OUT"

    def _answer(self, function: str) -> str:
        for pattern, status in self._core.state.hook_answers.items():
            if fnmatchcase(function, pattern):
                return status
        return "SUCCEEDED"


def complaint(runs: Sequence[HookRun]) -> str:
    """Return why these hooks roll the deployment back, '' when they do not (wordings from memory)."""
    for run in runs:
        if run.status == "FAILED":
            return f"lifecycle hook {run.target_arn or run.id} failed at stage {run.stage}"
        if run.status == "TIMED_OUT" and run.timeout_action == "ROLLBACK":
            return f"lifecycle hook {run.target_arn or run.id} timed out at stage {run.stage}"
    return ""
