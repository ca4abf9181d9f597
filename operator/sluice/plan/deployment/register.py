"""Registers a task definition exactly once for equal content (decision 8).

RegisterTaskDefinition has no client token, and a lost answer leaves a revision that nobody knows. So:

| status | what happens |
|---|---|
| hash known, ACTIVE | nothing |
| hash unknown, no open intent, status not lost | intent, then register at once, no look-up |
| open intent or lost status | look at the family by definition-hash tag; found: adopt the newest |
| ... not found, intent younger than 30 s | wait: the list may be stale |
| ... not found, intent older | intent renewed, register |
| ... not found, no intent (lost status, or a first pass that died) | intent, look again after 30 s |
| open intent that this process knows was never sent | register at once, intent as it is |
| open intent for what nobody wants by now, found in the family | known from now on: it may be wanted again |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sluice.model import ownership
from sluice.model.actions import Action, Ref
from sluice.model.desired import Desired
from sluice.model.observed import Observed
from sluice.plan.deployment.state import Registering, State

STALE_READS: Final = 30.0  # seconds; decision 8
ROLE: Final = "task-definition"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """The task definition to run: an ARN, a Ref to the action that makes it, or None: wait."""

    arn: str | Ref | None
    action: Action | None = None
    registering: Registering | None = None
    definitions: tuple[tuple[str, str], ...] = field(default=())
    wait_until: float | None = None


def known_arn(desired: Desired, state: State, observed: Observed) -> str:
    """Return the ARN that is known for the effective revision's definition, '' when there is none."""
    digest = desired.revision.definition_hash
    for source in (dict(state.definitions), observed.definitions):
        arn = source.get(digest, "")
        if arn and arn not in observed.inactive:
            return arn
    return ""


def needs_family(state: State, digest: str, *, lost: bool) -> bool:
    """Tell whether the family's list must be read: an open intent for this hash, or a lost status."""
    if digest in dict(state.definitions):
        return False
    return lost or bool(state.registering and state.registering.definition_hash == digest)


def _found_late(digest: str, state: State, observed: Observed) -> tuple[tuple[str, str], ...]:
    """Return what an intent for another definition made, where it came to light: the intent ends here."""
    other = state.registering.definition_hash if state.registering else digest
    arn = "" if other == digest or other in dict(state.definitions) else observed.definitions.get(other, "")
    return ((other, arn),) if arn else ()


def register(desired: Desired, state: State, observed: Observed, *, now: float) -> Registration:
    """Decide about the task definition of the effective revision."""
    digest = desired.revision.definition_hash
    arn = known_arn(desired, state, observed)
    definitions = (*_found_late(digest, state, observed), *state.definitions)
    definitions = tuple(entry for entry in definitions if entry[1] not in observed.inactive)
    if arn:
        rest = tuple(entry for entry in definitions if entry[0] != digest)
        return Registration(arn=arn, definitions=(*rest, (digest, arn)))
    intent = state.registering
    same = intent is not None and intent.definition_hash == digest
    if (
        intent
        and same
        and not observed.register_unsent
        and (not observed.family_read or now < intent.since + STALE_READS)
    ):
        return Registration(
            arn=None,
            registering=intent,
            definitions=definitions,
            wait_until=intent.since + STALE_READS,
        )
    if observed.family_read and not same:
        since = float(int(now))
        return Registration(
            arn=None,
            registering=Registering(definition_hash=digest, family=desired.family, since=since),
            definitions=definitions,
            wait_until=since + STALE_READS,
        )
    output = f"definition:{digest}"
    tags = ownership.owner_tags(desired.installation, desired.key, role=ROLE, uid=desired.uid)
    action = Action(
        service="ecs",
        operation="RegisterTaskDefinition",
        params={
            **desired.revision.definition,
            "family": desired.family,
            "tags": ownership.to_ecs({**tags, ownership.DEFINITION_HASH: digest}),
        },
        subject=f"task definition {desired.family}",
        reason=f"revision {desired.revision.name} has a new definition",
        outputs={output: "taskDefinition.taskDefinitionArn"},
    )
    return Registration(
        arn=Ref(output),
        action=action,
        registering=intent
        if same and observed.register_unsent
        else Registering(definition_hash=digest, family=desired.family, since=float(int(now))),
        definitions=definitions,
    )
