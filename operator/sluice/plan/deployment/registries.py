"""`serviceRegistries` of a rolling service: the Cloud Map service that ServiceRoutes of mode ECS hand over.

Like target groups it follows the routes and is not part of the revision; ECS replaces the tasks when it
changes (botocore, UpdateService.serviceRegistries). ECS takes one for a service.

| the service has | a route asks for | then |
|---|---|---|
| none, or one that was handed over | one | it is given |
| one that was handed over | none | it is taken away |
| one that was handed over | mode Tasks | it is taken away once the names answer with Sluice's own entries |
| somebody else's | none | it is left |
| somebody else's | another one | it is left, and a warning tells so |

Which ones were handed over is remembered before the call (`status.registries`), so that a crash between
leads back here, and what came with an adopted service or was set by hand is nobody's drift.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sluice.model.desired import Desired
from sluice.model.observed import Structure
from sluice.plan.deployment.discovery import Listing
from sluice.plan.deployment.state import State


def wanted(
    desired: Desired, state: State, service: Structure | None, listings: Sequence[Listing]
) -> list[dict[str, Any]] | None:
    """Return the member as it should be, None to leave it as it is."""
    present = _present(service)
    if foreign(desired, state, service):
        return None
    if desired.registry:
        return [desired.registry.member()]
    if not present:
        return None
    if any(entry.wanted and not entry.proves(state.traffic) for entry in listings):
        return None  # the name would be empty between the two
    return []


def foreign(desired: Desired, state: State, service: Structure | None) -> str:
    """Return the ARN of a registry that the service has from somebody else, '' when it has none."""
    ours = {*state.registries, *([desired.registry.arn] if desired.registry else ())}
    return next((arn for arn in _present(service) if arn not in ours), "")


def remembered(
    state: State, service: Structure | None, member: list[dict[str, Any]] | None
) -> tuple[str, ...]:
    """Return `status.registries`: what is given now, and what was given and is still there."""
    given = [str(entry["registryArn"]) for entry in member or ()]
    left = [arn for arn in _present(service) if arn in state.registries]
    return tuple(dict.fromkeys((*given, *left)))


def warning(desired: Desired, state: State, service: Structure | None) -> str:
    """Return why a registry that a route hands over is not given, '' when it is."""
    arn = foreign(desired, state, service)
    if not desired.registry or not arn:
        return ""
    return (
        f"ServiceRoute discovery, mode ECS: the ECS service is registered in {arn} by somebody else, and ECS "
        f"takes one registry; remove that one to have {desired.registry.arn}"
    )


def _present(service: Structure | None) -> list[str]:
    return [str(entry.get("registryArn") or "") for entry in (service or {}).get("serviceRegistries") or ()]
