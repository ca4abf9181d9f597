"""Whether a pass is likely to decide a rollback, before it has read anything.

The reads that come before such a decision must not wait behind the other rollouts of the account: they
are made with the rollback's priority. A wrong yes costs one pass a few tokens of the reserve, so it is
said only on news: a person's word, a bad answer of a gate, the source's revision back in the spec, and
while a rollback is under way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sluice.model.situation import GateFacts
from sluice.model.strategy import Metric
from sluice.plan.deployment import verbs
from sluice.plan.deployment.state import State
from sluice.plan.progressive.memory import motion_of

_WORDS: Final = frozenset({"abort", "undo"})


def urgent(
    state: State,
    *,
    annotations: Mapping[str, str],
    wanted: str,
    gates: GateFacts,
    metrics: Mapping[str, Metric],
) -> bool:
    """Tell whether the coming pass probably goes back. `metrics` are the strategy's, by name."""
    if any(intent.verb in _WORDS for intent in verbs.unhandled(annotations, state.intents)):
        return True
    rollout = motion_of(state).rollout
    if rollout is None or rollout.kind == "First":
        return False
    if rollout.stage == "RollingBack" or (rollout.kind == "Undo" and rollout.stage == "Stepping"):
        return True
    if rollout.stage == "CleaningUp" or not rollout.shown:
        return False  # over, or nobody has met the candidate yet
    return wanted == rollout.source or bad_news(gates, metrics)


def bad_news(gates: GateFacts, metrics: Mapping[str, Metric]) -> bool:
    """Tell whether an answer of a gate may end the rollout; ids are `<rollout>/…<metric>/<number>`."""
    if any(state == "ALARM" for state in (gates.alarms or {}).values()):
        return True
    if any(answer.state == "Failed" for answer in gates.hooks.values()):
        return True
    for request, sample in gates.samples.items():
        metric = metrics.get(request.split("/")[-2]) if request.count("/") >= 2 else None
        if metric and not metric.dry_run and sample.value is not None and metric.means(sample.value) is False:
            return True
    return False
