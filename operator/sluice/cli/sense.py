"""When a verb makes sense, from what status publishes: refused here before anything is written. Pure.

The operator has the last word (`plan.deployment.verbs`, `rollout.verbs`; tests compare); this says the
same sooner, in the terminal of whoever typed it. Where status does not tell (what the spec asks for
now), the verb is let through.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sluice.cli.picture import condition, strategy_of
from sluice.model.conditions import READY
from sluice.model.keys import GROUP
from sluice.model.rollout import BACK

_BEFORE_FULL: Final = frozenset(
    {"Starting", "PreScaleUp", "ScalingUp", "PostScaleUp", "PreTraffic", "Stepping", "Baking"}
)
_BACKWARDS: Final = ("abort", "undo")
_STEPS_ONLY: Final = "RollingUpdate and Recreate have no steps to promote"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a verb is judged by."""

    obj: Mapping[str, Any]
    now: float
    revision: str = ""
    """Of an undo; '' for the one before."""
    known: Collection[str] | None = None
    """Kept revisions; None: they could not be read."""
    anyway: bool = False
    """Of an abort: whoever says it knows that the way back is held."""

    @property
    def status(self) -> Mapping[str, Any]:
        """Return status."""
        return self.obj.get("status") or {}

    @property
    def rollout(self) -> Mapping[str, Any]:
        """Return the rollout in motion, {} for none."""
        return self.status.get("rollout") or {}

    @property
    def progressive(self) -> bool:
        """Tell whether the progressive machine answers."""
        return "stage" in self.rollout if self.rollout else strategy_of(self.obj) == "Progressive"

    @property
    def standby(self) -> Mapping[str, Any]:
        """Return the standby that is still warm, {} for none."""
        found = self.status.get("standby") or {}
        return found if found and self.now < float(found.get("until", 0)) else {}

    @property
    def live(self) -> str:
        """Return the live revision."""
        return str((self.status.get("live") or {}).get("revision", ""))


def rollout_id(obj: Mapping[str, Any]) -> str:
    """Return the id that a verb must name: the running rollout's, else the last one's; '' before any."""
    status = obj.get("status") or {}
    if status.get("rollout"):
        return str(status["rollout"]["id"])
    history = status.get("history") or ()
    return str(history[0].get("id", "")) if history else ""


def unheard(obj: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the verbs that were said of the present rollout and that the operator has not dealt with.

    While spec.suspend is set, or the object is being deleted, it deals with none: nothing is waited for.
    """
    if (obj.get("spec") or {}).get("suspend") or "deletionTimestamp" in obj["metadata"]:
        return ()
    current, annotations = rollout_id(obj), obj["metadata"].get("annotations") or {}
    handled = (obj.get("status") or {}).get("intents") or {}
    said = ((verb, str(annotations.get(f"{GROUP}/{verb}", ""))) for verb in _RULES)
    return tuple(
        verb for verb, value in said if value and _about(value) == current and handled.get(verb) != value
    )


def under_way(verb: str, seen: Situation) -> str:
    """Return why `verb` was said already: an undo or abort from rest began the undo that is in motion.

    Typed twice, or by two people, it would take back what the first one began: requests would go to the
    revision that somebody has just fled from. '' where it means something else.
    """
    rollout, history = seen.rollout, seen.status.get("history") or ()
    if verb not in _BACKWARDS or not history or rollout.get("stage") in BACK:
        return ""
    if rollout.get("kind") != "Undo" or rollout.get("by") != "undo":
        return ""
    intents, candidate = seen.status.get("intents") or {}, str(rollout.get("candidate", ""))
    if all(_about(str(intents.get(word, ""))) != history[0].get("id") for word in _BACKWARDS):
        return ""
    if seen.revision not in ("", candidate):
        return ""
    return f"{candidate} takes over already; undo --to {rollout.get('source')} ends that"


def _about(value: str) -> str:
    """Return the rollout that a verb's value names."""
    return value.partition("#")[0].partition("/")[0]


def refusal(verb: str, seen: Situation) -> str:
    """Return why `verb` makes no sense now, '' when it does."""
    if not rollout_id(seen.obj):
        return "no rollout has begun yet; the operator has not acted on this Deployment"
    if "deletionTimestamp" in seen.obj["metadata"]:
        return "it is being deleted"
    if (seen.obj.get("spec") or {}).get("suspend"):
        return "spec.suspend: the operator handles nothing until it is cleared"
    return _RULES[verb](seen)


def _forward(seen: Situation) -> str:
    if not seen.rollout:
        return "nothing is in motion"
    if seen.rollout.get("stage") in BACK:
        return "the rollout is on its way back"
    return ""


def _pause(seen: Situation) -> str:
    why = _forward(seen)
    if why == "nothing is in motion":
        return f"{why}; set spec.paused to hold the next revision"
    if why:
        return why
    return "the rollout is paused already" if seen.rollout.get("paused") else ""


def _resume(seen: Situation) -> str:
    why = _forward(seen)
    if why or seen.rollout.get("held") == "DriftHalted" or seen.rollout.get("paused"):
        return why
    if (seen.obj.get("spec") or {}).get("paused"):
        return "spec.paused holds it, not the verb pause; set spec.paused to false"
    return "the rollout is not paused"


def _promote(seen: Situation) -> str:
    if not seen.progressive:
        return _STEPS_ONLY
    why = _forward(seen)
    if why or _released(seen):
        return why
    step = _step(seen)
    if step.startswith("pause "):
        return ""
    if seen.rollout.get("paused"):
        return "the rollout is paused; resume it"
    return f"nothing waits for a person ({step or seen.rollout.get('stage')})"


def _promote_full(seen: Situation) -> str:
    if not seen.progressive:
        return _STEPS_ONLY
    if _held(seen):
        return ""
    why = _forward(seen)
    if why or _released(seen) or seen.rollout.get("stage") in _BEFORE_FULL:
        return why
    return "the candidate has all requests already"


def _held(seen: Situation) -> Mapping[str, Any]:
    """Return the gate of a way back that waits for a person, since the source can't take the requests; {}."""
    gates = seen.rollout.get("gates") or () if seen.rollout.get("stage") == "RollingBack" else ()
    return next((gate for gate in gates if gate.get("name") == "person"), {})


def _ways_out(seen: Situation) -> str:
    """Say why a way back is held, and what ends that: who says abort may not know of it."""
    why = _held(seen).get("message") or "the source is not healthy enough"
    return (
        f"the way back is held: {why}; mend the slot, promote --full if the candidate is the cure, "
        "abort --anyway to go back all the same"
    )


def _released(seen: Situation) -> bool:
    """Tell whether something waits that promote passes over: a verdict, a failed hook."""
    if seen.rollout.get("held") == "AnalysisInconclusive":
        return True
    gates = seen.rollout.get("gates") or ()
    return any(gate.get("name", "").startswith("hook ") and gate.get("state") == "Failed" for gate in gates)


def _abort(seen: Situation) -> str:
    rollout = seen.rollout
    if not seen.progressive:
        if not rollout:
            return "nothing is in motion; undo goes to an earlier revision"
        source = rollout.get("source", "")
        return "" if source not in ("", rollout.get("candidate")) else _NOWHERE
    if not rollout:
        warm = "nothing is in motion, and no standby is warm; undo goes to an earlier revision"
        return "" if seen.standby else warm
    if rollout.get("stage") in BACK:
        return _once_more(seen)
    if rollout.get("kind") == "First" and seen.status.get("live"):
        return "the first revision is live already, and there is nothing to go back to"
    return ""


def _once_more(seen: Situation) -> str:
    if not _held(seen):
        return "the rollout is on its way back already"
    return "" if seen.anyway else _ways_out(seen)


def _undo(seen: Situation) -> str:
    if seen.rollout and seen.progressive:
        if seen.revision not in ("", seen.rollout.get("source", "")):
            return f"a rollout is in motion; abort it before you go to {seen.revision}"
        if _held(seen):
            return _ways_out(seen)
        return _abort(seen)
    if seen.progressive and not seen.live:
        return "nothing is live that could be undone"
    return _target(seen)


def _target(seen: Situation) -> str:
    """Tell why the revision that an undo would go to is none, or none to go to."""
    standby = str(seen.standby.get("revision", "")) if seen.progressive else ""
    target = seen.revision or standby or previous(seen.status)
    if not target:
        return _NOWHERE
    if target == seen.live and (seen.progressive or (not seen.rollout and _ready(seen.obj))):
        return f"revision {target} is live already"
    if seen.known is not None and target != standby and target not in seen.known:
        return f"revision {target} is not kept; known: {', '.join(sorted(seen.known)) or 'none'}"
    rejected = (seen.status.get("rejectedRevision") or {}).get("revision")
    if seen.progressive and not seen.revision and target == rejected:
        return f"the revision before, {target}, is rejected; retry rolls it out, undo --to it runs it at once"
    asked = seen.rollout.get("candidate") or (rejected if not _ready(seen.obj) else None)
    if not seen.progressive and target == asked:
        return f"revision {target} is what the spec asks for; use retry"
    return ""


def _retry(seen: Situation) -> str:
    rejected = seen.status.get("rejectedRevision")
    if not rejected:
        return "no revision is rejected"
    if seen.progressive and seen.rollout:
        return "a rollout is in motion; retry when it is over"
    if _ready(seen.obj) and seen.live != rejected.get("revision"):
        return "the revision that the spec asks for is not rejected"
    return ""


def previous(status: Mapping[str, Any]) -> str:
    """Return the revision that was live before the present one, '' when there is none."""
    live = (status.get("live") or {}).get("revision", "")
    for entry in status.get("history") or ():
        if entry.get("outcome") == "Succeeded" and entry.get("revision") != live:
            return str(entry["revision"])
    return ""


def _ready(obj: Mapping[str, Any]) -> bool:
    ready = condition(obj, READY)
    generation = obj["metadata"].get("generation")
    return ready.get("status") == "True" and ready.get("observedGeneration", generation) == generation


def _step(seen: Situation) -> str:
    """Return the step that goes on; '' between them, and where everything is sent at once."""
    rollout = seen.rollout
    steps, index = rollout.get("steps") or (), int(rollout.get("stepIndex", 0))
    own = rollout.get("stage") == "Stepping" and rollout.get("kind", "Rollout") == "Rollout"
    return str(steps[index]) if own and index < len(steps) else ""


_NOWHERE: Final = "there is no earlier revision to go back to"
_RULES: Final[Mapping[str, Callable[[Situation], str]]] = {
    "pause": _pause,
    "resume": _resume,
    "promote": _promote,
    "promote-full": _promote_full,
    "abort": _abort,
    "undo": _undo,
    "retry": _retry,
}
