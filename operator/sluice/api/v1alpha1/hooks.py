"""Gates outside of Sluice: a webhook, or a task that runs to its end on ECS."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sluice.api.v1alpha1.choice import Choice
from sluice.api.v1alpha1.duration import Duration
from sluice.api.v1alpha1.schema import Schema, Typed, atomic, list_map
from sluice.api.v1alpha1.secret_ref import HttpHeader, Tls, Url
from sluice.api.v1alpha1.steps import Name

Variables = Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Schema({"maxProperties": 64})]


class Webhook(Typed):
    """A POST whose JSON body tells of the rollout; 2xx is yes, 4xx is no, all else is tried again."""

    url: Url
    """Where to send it."""
    headers: Annotated[list[HttpHeader], list_map("name", most=16)] | None = None
    """Headers to send beside Idempotency-Key."""
    tls: Tls | None = None
    """Whom to trust; absent: the system's authorities."""


class RunTask(Typed):
    """A task of the candidate's task definition with another command; exit code 0 is yes."""

    container: Annotated[str, Field(min_length=1, max_length=255)]
    """Container whose exit code counts."""
    command: Annotated[list[Annotated[str, Field(max_length=4096)]], atomic(most=64)] | None = None
    """Its command; absent: the one of the task definition."""
    environment: Variables | None = None
    """Variables to add or replace; no secrets, they show in ECS."""


class HookSpec(Choice):
    """One hook."""

    name: Name
    """Identity."""
    stage: Literal["PreScaleUp", "PostScaleUp", "PreTraffic", "Step", "PostTraffic", "PostBake", "OnRollback"]
    """When it runs; Step: where a step names it. OnRollback never delays the rollback of traffic."""
    webhook: Webhook | None = None
    """Send a request. Exactly one of webhook and runTask."""
    run_task: RunTask | None = None
    """Run a task."""
    timeout: Duration | None = None
    """How long one attempt may take; absent: 5m."""
    retries: Annotated[int, Field(ge=0, le=20)] | None = None
    """Further attempts after an error (not after a no); absent: 0."""
    on_failure: Literal["Rollback", "Pause", "Ignore"] | None = None
    """What a no, or an error after the last attempt, does; absent: Rollback."""
    choices: ClassVar[tuple[str, ...]] = ("webhook", "run_task")
    choice_text: ClassVar[str] = "a hook has exactly one of webhook and runTask; keep one"
