"""A progressive strategy for the machine: presets expanded, absent members filled in, texts parsed.

Percent become permille and durations seconds here and nowhere else. A rollout keeps the spec's own text
(`Progressive.snapshot`) in its status and reads it back with `from_snapshot`, so that an operator that
was restarted, or is newer, goes on with the strategy that the rollout began with (rollout.md §3.1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from sluice.api.v1alpha1.analysis import AnalysisSpec, MetricSpec
from sluice.api.v1alpha1.duration import seconds_or
from sluice.api.v1alpha1.hooks import HookSpec
from sluice.api.v1alpha1.progressive_spec import ProgressiveSpec
from sluice.api.v1alpha1.schema import Typed
from sluice.api.v1alpha1.steps import StepSpec
from sluice.model.errors import Refused
from sluice.model.strategy import (
    FULL,
    Analyse,
    Analysis,
    Condition,
    FreezeWindow,
    Hook,
    Metric,
    MetricKind,
    Operator,
    Pause,
    Progressive,
    RunHook,
    SetHeaderRoute,
    SetWeight,
    Step,
)

if TYPE_CHECKING:
    from sluice.api.v1alpha1.deployment import DeploymentSpec

_ALL: Final = SetWeight(permille=FULL)
_CONDITION: Final = re.compile(r"^(<=|<|>=|>|==|!=) ?(.+)$")
_KINDS: Final[Mapping[str, MetricKind]] = {
    "load_balancer": "loadBalancer",
    "cloud_watch": "cloudWatch",
    "prometheus": "prometheus",
    "web": "web",
}
_CANARY, _LINEAR = (
    5.0,
    10.0,
)  # percent, and below seconds: ECS's defaults (botocore, Canary/LinearConfiguration)
_CANARY_SECONDS, _LINEAR_SECONDS = 600.0, 360.0
_INTERVAL = 60.0
_HOOK_SECONDS = 300.0
_STANDBY_SECONDS = _GROUP_SECONDS = _DEADLINE = 3600.0


def strategy_of(spec: DeploymentSpec) -> Progressive | None:
    """Return the progressive strategy of a parsed spec; None with another type."""
    strategy = spec.strategy
    if strategy is None or strategy.type != "Progressive" or strategy.progressive is None:
        return None
    return _made(
        strategy.progressive,
        min_ready=float(spec.min_ready_seconds or 0),
        progress_deadline=float(spec.progress_deadline_seconds or _DEADLINE),
    )


def from_snapshot(
    raw: Mapping[str, Any], *, min_ready: float = 0.0, progress_deadline: float = _DEADLINE
) -> Progressive:
    """Return the strategy that `status.rollout.memory.strategy` keeps.

    The two times are not part of `spec.strategy` and come from the present spec. Raises
    Refused("InvalidSpec") when this version can't read it, which only another version's text can cause.
    """
    try:
        kept = ProgressiveSpec.model_validate(dict(raw))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in ("status.rollout.memory.strategy", *first["loc"]))
        raise Refused(
            "InvalidSpec",
            f"{where}: {first['msg']}; another version of Sluice wrote it: run that version until the "
            "rollout is over, or abort it",
        ) from None
    return _made(kept, min_ready=min_ready, progress_deadline=progress_deadline)


def _made(spec: ProgressiveSpec, *, min_ready: float, progress_deadline: float) -> Progressive:
    capacity, standby, group = spec.capacity, spec.standby, spec.release_group
    delay = spec.drain.propagation_delay_seconds if spec.drain else None
    mode = capacity.mode if capacity else None
    surge = capacity.surge if capacity else None
    percent = standby.replicas if standby else None
    return Progressive(
        steps=_steps(spec),
        preset=_preset(spec),
        bake=seconds_or(spec.bake.duration if spec.bake else None, 0.0),
        capacity=mode or ("Full" if spec.blue_green else "AheadOfWeight"),
        surge=1 if surge is None else surge,
        standby_percent=100 if percent is None else int(percent.removesuffix("%")),
        standby_seconds=seconds_or(standby.duration if standby else None, _STANDBY_SECONDS),
        propagation_delay=30.0 if delay is None else float(delay),
        on_new_revision=spec.on_new_revision or "Supersede",
        on_drift=spec.on_drift or "Halt",
        analysis=_analysis(spec.analysis),
        hooks=tuple(_hook(hook) for hook in spec.hooks or ()),
        freeze=tuple(
            FreezeWindow(
                name=window.name,
                schedule=window.schedule,
                duration=seconds_or(window.duration, 0.0),
                time_zone=window.time_zone or "UTC",
            )
            for window in spec.freeze_windows or ()
        ),
        release_group=group.name if group else "",
        group_timeout=seconds_or(group.timeout if group else None, _GROUP_SECONDS),
        min_ready=min_ready,
        progress_deadline=progress_deadline,
        snapshot=_raw(spec),
    )


def _preset(spec: ProgressiveSpec) -> str:
    names = {"blueGreen": spec.blue_green, "canary": spec.canary, "linear": spec.linear}
    return next((name for name, value in names.items() if value is not None), "")


def _steps(spec: ProgressiveSpec) -> tuple[Step, ...]:
    """Return the steps; of a preset what docs of its type promise."""
    if spec.blue_green:
        preset = spec.blue_green
        steps: list[Step] = []
        if header := preset.test_header:
            steps.append(SetHeaderRoute(header=header.header, value=header.value))
        if preset.auto_promote is False:
            steps.append(Pause())
        elif preset.auto_promote_after is not None:
            steps.append(Pause(seconds=seconds_or(preset.auto_promote_after, 0.0)))
        return (*steps, _ALL)
    if spec.canary:
        weight = _permille(_CANARY if spec.canary.weight is None else spec.canary.weight)
        hold = Pause(seconds=seconds_or(spec.canary.duration, _CANARY_SECONDS))
        return (_ALL,) if weight == FULL else (SetWeight(permille=weight), hold, _ALL)
    if spec.linear:
        each = _permille(_LINEAR if spec.linear.step_weight is None else spec.linear.step_weight)
        hold = Pause(seconds=seconds_or(spec.linear.step_duration, _LINEAR_SECONDS))
        below = range(each, FULL, each)
        return (*(step for weight in below for step in (SetWeight(permille=weight), hold)), _ALL)
    return tuple(_step(step) for step in spec.steps or ())


def _step(step: StepSpec) -> Step:
    if step.set_weight is not None:
        return SetWeight(permille=_permille(step.set_weight))
    if step.analysis:
        names = tuple(step.analysis.metrics or ())
        return Analyse(seconds=seconds_or(step.analysis.duration, 0.0), metrics=names)
    if step.hook:
        return RunHook(name=step.hook.name)
    if step.set_header_route:
        header = step.set_header_route
        return SetHeaderRoute(header=header.header or "", value=header.value or "")
    duration = step.pause.duration if step.pause else None
    return Pause(seconds=None if duration is None else seconds_or(duration, 0.0))


def _permille(percent: float) -> int:
    return round(percent * 10)


def _analysis(spec: AnalysisSpec | None) -> Analysis:
    if spec is None:
        return Analysis()
    interval = seconds_or(spec.interval, _INTERVAL)
    return Analysis(
        metrics=tuple(_metric(metric, interval) for metric in spec.metrics or ()),
        alarms=tuple(alarm.name for alarm in spec.alarms or ()),
        on_no_data=spec.on_no_data or "Pause",
    )


def _metric(spec: MetricSpec, interval: float) -> Metric:
    member = next(name for name in _KINDS if getattr(spec, name) is not None)
    return Metric(
        name=spec.name,
        kind=_KINDS[member],
        query=_raw(getattr(spec, member)),
        failure=_condition(spec.failure_condition),
        success=_condition(spec.success_condition),
        interval=seconds_or(spec.interval, interval),
        initial_delay=seconds_or(spec.initial_delay, 0.0),
        failure_limit=spec.failure_limit or 0,
        consecutive_error_limit=4 if spec.consecutive_error_limit is None else spec.consecutive_error_limit,
        min_requests=spec.min_requests or 0,
        compare_to_live=spec.compare_to == "Live",
        dry_run=bool(spec.dry_run),
    )


def _condition(text: str | None) -> Condition | None:
    found = _CONDITION.match(text or "")
    if found is None:
        return None
    operator: Operator = found[1]  # type: ignore[assignment] # the pattern lists exactly the operators
    return Condition(operator=operator, threshold=float(found[2]))


def _hook(spec: HookSpec) -> Hook:
    return Hook(
        name=spec.name,
        stage=spec.stage,
        webhook=_raw(spec.webhook) if spec.webhook else None,
        run_task=_raw(spec.run_task) if spec.run_task else None,
        timeout=seconds_or(spec.timeout, _HOOK_SECONDS),
        retries=spec.retries or 0,
        on_failure=spec.on_failure or "Rollback",
    )


def _raw(value: Typed) -> dict[str, Any]:
    """Return the member as a person wrote it."""
    written: dict[str, Any] = value.model_dump(mode="json", by_alias=True, exclude_none=True)
    return written
