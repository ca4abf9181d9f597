"""What a progressive Deployment must not be, beyond its strategy alone (rollout.md §6).

VPC Lattice and DAEMON services are in that table too; they cannot be written in a spec (`ecs` has neither
vpcLatticeConfigurations nor schedulingStrategy), so the API server refuses them as unknown fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from sluice.api.v1alpha1.analysis import AnalysisSpec
from sluice.api.v1alpha1.parse import Problem
from sluice.api.v1alpha1.progressive import strategy_of
from sluice.api.v1alpha1.progressive_spec import ProgressiveSpec
from sluice.api.v1alpha1.schema import Cel, Finding
from sluice.model import cron
from sluice.model.strategy import FreezeWindow, SetHeaderRoute, Step

if TYPE_CHECKING:
    from sluice.api.v1alpha1.deployment import DeploymentSpec

SPOT_NOTICE: Final = 120
"""Seconds between ECS's notice and the end of a Fargate Spot task (ECS guide, "Fargate capacity
providers"): a longer deregistration delay is cut off with requests in it."""
_AWS_DELAY: Final = 300
"""Elastic Load Balancing's default of deregistration_delay.timeout_seconds."""
_SERVICE_CONNECT: Final = (
    "Progressive can't shift what Service Connect serves: both slots would answer at once; remove services "
    "of ecs.serviceConnectConfiguration (a client only is fine) or use RollingUpdate"
)
SERVICE_CONNECT: Final = Cel(
    rule="!has(self.strategy) || !has(self.strategy.type) || self.strategy.type != 'Progressive' || "
    "!has(self.ecs) || !has(self.ecs.serviceConnectConfiguration) || "
    "!self.ecs.serviceConnectConfiguration.enabled || "
    "!has(self.ecs.serviceConnectConfiguration.services) || "
    "self.ecs.serviceConnectConfiguration.services.size() == 0",
    message=_SERVICE_CONNECT,
)
"""`problems` of a Service Connect server as CEL, at `spec`."""


def problems(spec: DeploymentSpec) -> list[Problem]:
    """Return what keeps a spec with type Progressive from working (rollout.md §6); [] with another type."""
    strategy = strategy_of(spec)
    if strategy is None:
        return []
    where = "spec.strategy.progressive"
    found = [problem for index, window in enumerate(strategy.freeze) for problem in _window(index, window)]
    found += [
        Problem(f"{where}.steps[{index}].setHeaderRoute", text) for index, text in _headers(strategy.steps)
    ]
    if spec.strategy and spec.strategy.progressive:
        found += _repeated(spec.strategy.progressive, where)
    if serves_by_service_connect(spec):
        found.append(Problem("spec.ecs.serviceConnectConfiguration.services", _SERVICE_CONNECT))
    return found


def _repeated(spec: ProgressiveSpec, where: str) -> list[Problem]:
    """Return names that occur twice in a list that the API server keeps as a map."""
    analysis = spec.analysis or AnalysisSpec()
    lists = {
        "analysis.metrics": [metric.name for metric in analysis.metrics or ()],
        "analysis.alarms": [alarm.name for alarm in analysis.alarms or ()],
        "hooks": [hook.name for hook in spec.hooks or ()],
        "freezeWindows": [window.name for window in spec.freeze_windows or ()],
    }
    return [
        Problem(f"{where}.{path}", f"the name {name} appears twice; rename one")
        for path, names in lists.items()
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]


def serves_by_service_connect(spec: DeploymentSpec) -> bool:
    """Tell whether other services reach the tasks through Service Connect."""
    settings = spec.settings.service_connect_configuration or {}
    return bool(settings.get("enabled") and settings.get("services"))


def _window(index: int, window: FreezeWindow) -> list[Problem]:
    """Return why a window would not freeze anything, ever."""
    where = f"spec.strategy.progressive.freezeWindows[{index}]"
    found = []
    if not _is_zone(window.time_zone):
        found.append(Problem(f"{where}.timeZone", "is no IANA time zone; use one as Europe/Berlin"))
    if not window.duration:
        found.append(Problem(f"{where}.duration", "a window of 0s freezes nothing; give it a length"))
    try:
        cron.parse(window.schedule)
    except ValueError as error:
        found.append(Problem(f"{where}.schedule", str(error)))
    return found


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, malformed, a folder of the database
        return False
    return True


def _headers(steps: Sequence[Step]) -> list[tuple[int, str]]:
    """Return the header steps that would do nothing, which nobody means."""
    wrong, present = [], SetHeaderRoute()
    for index, step in enumerate(steps):
        if not isinstance(step, SetHeaderRoute):
            continue
        if step == present and step.header:
            wrong.append((index, f"{step.header}: {step.value} is routed already; remove the step"))
        elif step == present:
            wrong.append((index, "no header route is there to take away; remove the step"))
        present = step
    return wrong


def warnings(spec: DeploymentSpec) -> list[Finding]:
    """Return what works but not as well as a person may think.

    A rolling Deployment that says nothing about target groups may have none (a worker), a progressive one
    lives by them.
    """
    providers = {item.get("capacityProvider") for item in spec.settings.capacity_provider_strategy or ()}
    if "FARGATE_SPOT" not in providers:
        return []
    text = (
        f"Fargate Spot ends a task {SPOT_NOTICE} seconds after its notice; set deregistrationDelaySeconds "
        f"below {SPOT_NOTICE}, or requests are cut off"
    )
    groups = spec.settings.target_groups or []
    late = [
        Finding(f"spec.ecs.targetGroups[{index}].deregistrationDelaySeconds", text)
        for index, group in enumerate(groups)
        if (_AWS_DELAY if group.deregistration_delay_seconds is None else group.deregistration_delay_seconds)
        >= SPOT_NOTICE
    ]
    silent = not groups and strategy_of(spec) is not None
    return [Finding("spec.ecs.targetGroups", text)] if silent else late
