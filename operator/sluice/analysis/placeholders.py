"""Placeholders of queries: `{{candidateTargetGroup}}` and the like, replaced by what a rollout is about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from sluice.model.rollout import MetricRequest
from sluice.model.traffic import SlotTarget
from sluice.ports import GateScene

_PLACEHOLDER: Final = re.compile(r"\{\{\s*([A-Za-z]+)\s*\}\}")


class UnknownPlaceholderError(ValueError):
    """A query names a placeholder that does not exist."""


def values(scene: GateScene, request: MetricRequest) -> Mapping[str, str]:
    """Return the placeholders by name."""
    return {
        "namespace": scene.context.key.namespace,
        "name": scene.context.key.name,
        "revision": scene.revisions.get("candidate", ""),
        "candidateSlot": request.candidate,
        "liveSlot": request.live,
        "candidateTargetGroup": _joined(scene.groups.get(request.candidate, ())),
        "liveTargetGroup": _joined(scene.groups.get(request.live, ())),
    }


def fill(text: str, known: Mapping[str, str]) -> str:
    """Return `text` with its placeholders replaced; raises UnknownPlaceholderError."""

    def replacement(found: re.Match[str]) -> str:
        name = found[1]
        if name not in known:
            raise UnknownPlaceholderError(
                f"{{{{{name}}}}} is not a placeholder; known: {', '.join(sorted(known))}"
            )
        return known[name]

    return _PLACEHOLDER.sub(replacement, text)


def dimension(arn: str) -> str:
    """Return the part of a load balancer's or target group's ARN that CloudWatch has as its dimension.

    "CloudWatch metrics for your Application Load Balancer": `app/name/id` and `targetgroup/name/id`.
    """
    resource = arn.split(":", 5)[-1]
    return resource.removeprefix("loadbalancer/")


def _joined(groups: Sequence[SlotTarget]) -> str:
    """Return the dimension values of a slot's groups, as a PromQL alternation where there are more."""
    return "|".join(dict.fromkeys(dimension(group.target_group_arn) for group in groups))
