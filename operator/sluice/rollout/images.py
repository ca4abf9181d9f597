"""What the candidate's tasks run, by digest: a tag that was moved meanwhile is no longer what was analysed.

ECS resolves a tag once for each of its deployments (ECS developer guide, "Container image resolution"), so
all tasks of a rollout run the same image, unless somebody forces a new deployment, or the task definition
says `versionConsistency: disabled`, and the tag was moved. Then the analysis was of another image: the
rollout holds, and a person promotes the new one or aborts. Before the first weight as well as after it,
until the source goes (rollout.md §1, "before promotion").

| digests | what happens |
|---|---|
| not read, or AWS does not tell them | nothing: this never stops a rollout for want of an answer |
| of a container that AWS adds (GuardDuty's agent, Service Connect's proxy) | nothing: not in the revision |
| the first ones | kept: they are what is analysed |
| one more of a container | kept, told, held like an inconclusive analysis |
"""

from __future__ import annotations

import dataclasses
from typing import Final

from sluice.rollout import inconclusive
from sluice.rollout.work import Work

WATCHED: Final = frozenset({"PostScaleUp", "PreTraffic", "Stepping", "PostTraffic", "Baking", "PostBake"})
_KEPT: Final = 32


def watch(work: Work) -> None:
    """Take note of what the candidate's tasks run; hold where an image took another one's place."""
    rollout, slot = work.rollout, work.candidate
    if rollout.kind != "Rollout" or rollout.stage not in WATCHED or slot.revision != rollout.candidate:
        return
    new = tuple(image for image in slot.images if image not in rollout.images)
    if not new:
        return
    known = (*rollout.images, *new)[:_KEPT]
    answered = rollout.moved_tags  # a person has promoted these, or is asked about them
    moved = [tag for tag in dataclasses.replace(rollout, images=known).moved_tags if tag not in answered]
    if moved and rollout.held:
        return  # a person has to answer the first one before
    work.change(images=known)
    if moved:
        inconclusive.hold(
            work,
            f"slot {slot.name} runs another image than the one that was analysed: {'; '.join(moved)}; "
            "its tag was moved during the rollout",
        )
