"""The picture as a tree of text lines, each with a style for terminals that have colours. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sluice.cli.ages import age, left, length
from sluice.cli.picture import Picture, ReturnView, RolloutView, SlotView, StepView
from sluice.cli.picture_routes import NameView, RouteView
from sluice.model.conditions import STALLED_REASONS

_MARKS: Final = {"done": "✓", "present": "▶", "next": " ", "left": "✗"}
_GATES: Final = {"Passed": "✓", "Failed": "✗", "Running": "…", "Waiting": "…", "Inconclusive": "?"}
_GATE_STYLES: Final = {"Passed": "green", "Failed": "red", "Inconclusive": "yellow"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line."""

    text: str
    style: str = ""
    """A style of rich; '' for none."""


def tree(shown: Picture, *, now: float) -> list[Line]:
    """Return the lines of a picture; `now` is epoch seconds."""
    return [
        *_head(shown),
        *_slots(shown, now),
        *(_rollout(shown.rollout, now) if shown.rollout else ()),
        *_routes(shown.routes),
        *_tail(shown, now),
    ]


def summary(shown: Picture) -> str:
    """Return one line that changes when something happens: for a watch without a terminal."""
    parts = [shown.phase or "Pending", shown.reason]
    if rollout := shown.rollout:
        parts += [rollout.stage, _place(rollout), _shares(rollout)]
    tasks = [f"{slot.slot}={_count(slot)}" for slot in shown.slots if slot.role != "retiring"]
    return " · ".join(part for part in (*parts, " ".join(tasks), shown.message) if part)


def _head(shown: Picture) -> Iterator[Line]:
    state = shown.phase or "Pending"
    style = "green" if shown.ready else "red" if shown.reason in STALLED_REASONS else "yellow"
    reason = f" ({shown.reason})" if shown.reason else ""
    yield Line(f"Deployment {shown.namespace}/{shown.name}   {shown.strategy}   {state}{reason}", style)
    if shown.message:
        yield Line(f"  {shown.message}")
    if shown.observed_generation != shown.generation:
        seen = shown.observed_generation if shown.observed_generation is not None else "none yet"
        yield Line(f"  generation {shown.generation} is not what this is about: {seen} is", "yellow")
    switches = {
        "it is being deleted": shown.deleting,
        "spec.suspend: nothing is written to AWS": shown.suspended,
        "spec.paused: no new revision starts": shown.paused and not shown.rollout,
        "spec.paused: nothing goes forward": shown.paused and bool(shown.rollout),
        f"said, and not handled by the operator yet: {', '.join(shown.unheard)}": bool(shown.unheard),
        "spec.replicas asks for fewer tasks: they go when the rollout is over": shown.fewer_later,
    }
    for text, on in switches.items():
        if on:
            yield Line(f"  {text}", "yellow")
    for text in shown.warnings.splitlines():
        yield Line(f"  warning: {text}", "yellow")


def _slots(shown: Picture, now: float) -> Iterator[Line]:
    rows = [
        (
            f"slot {slot.slot}",
            slot.role,
            slot.revision or "-",
            ", ".join(slot.images) or "-",
            f"{slot.desired} desired",
            f"{slot.running} running",
            f"{slot.healthy} healthy" if slot.healthy is not None else "",
        )
        for slot in shown.slots
    ]
    yield from (Line(f"├─ {text}") for text in columns(rows))
    if shown.standby_until is not None:
        ahead = length(shown.standby_until - now) if shown.standby_until > now else ""
        yield Line(f"├─ standby: undo is instant for {ahead}" if ahead else "├─ standby: its time is over")


def _rollout(rollout: RolloutView, now: float) -> Iterator[Line]:
    what = f"{rollout.source} → {rollout.candidate}" if rollout.source else rollout.candidate
    parts = [rollout.stage, _place(rollout), _shares(rollout)]
    if rollout.started_at:
        parts.append(f"started {age(rollout.started_at, now)} ago")
    parts.append(f"by {rollout.by}" if rollout.by else "")
    yield Line(f"├─ rollout {rollout.id}: {what}", "bold")
    yield Line("│    " + " · ".join(part for part in parts if part))
    for text in (
        f"paused by a person; resume: sluice resume (rollout {rollout.id})" if rollout.paused else "",
        f"held: {rollout.held}" if rollout.held else "",
        f"{rollout.reason}: {rollout.message}" if rollout.reason else rollout.message,
        _back(rollout.rollback, now) if rollout.rollback else "",
    ):
        if text:
            yield Line(f"│    {text}", "yellow")
    for name, text in (("next look", rollout.wake_at), ("deadline", rollout.deadline_at)):
        ahead = left(text, now)
        if text:
            yield Line(f"│    {name} {text}" + (f", in {ahead}" if ahead else ", now"))
    for step in rollout.steps:
        yield _step(step, rollout, now)
    for gate in rollout.gates:
        since = f" for {age(gate.since, now)}" if gate.since else ""
        told = f": {gate.message}" if gate.message else ""
        mark = _GATES.get(gate.state, " ")
        yield Line(
            f"│    {mark} gate {gate.name} {gate.state}{since}{told}", _GATE_STYLES.get(gate.state, "")
        )


def _back(back: ReturnView, now: float) -> str:
    """Return how far a way back is, plane by plane: rules take a moment, names minutes."""
    planes = (("rules", back.rules_seconds), ("names", back.discovery_seconds))
    proved = [f"{plane} proved after {took:g} s" for plane, took in planes if took is not None]
    return " · ".join((f"going back since {age(back.decided_at, now)}", *(proved or ["not proved yet"])))


def _step(step: StepView, rollout: RolloutView, now: float) -> Line:
    since = ""
    if step.state == "present":
        started = rollout.step_started_at
        since = f"   for {age(started, now)}" if started else "   not proved by every route yet"
        if not started and not step.text.startswith("setWeight"):
            since = "   begins"
    style = {"done": "green", "present": "bold", "left": "red"}.get(step.state, "dim")
    return Line(f"│    {_MARKS[step.state]} {step.number}. {step.text}{since}", style)


def _place(rollout: RolloutView) -> str:
    return f"step {rollout.step} of {len(rollout.steps)}" if rollout.step else ""


def _shares(rollout: RolloutView) -> str:
    if rollout.share is None:
        return ""
    proven = "" if rollout.proven is None else f", {rollout.proven:g} % proved"
    return f"{rollout.share:g} % of the requests wanted{proven}"


def _routes(routes: Sequence[RouteView]) -> Iterator[Line]:
    for route in routes:
        state = "Ready" if route.ready else f"not Ready ({route.reason})" if route.reason else "not looked at"
        proof = "proved" if route.proven else "not proved yet"
        hosts = f"   {', '.join(route.hosts)}" if route.hosts else ""
        yield Line(f"├─ route {route.name}   {state}, {proof}{hosts}", "" if route.proven else "yellow")
        if not route.ready and route.message:
            yield Line(f"│    {route.message}")
        weights = [("desired", percents(route.desired)), ("configured", percents(route.configured))]
        weights.append(("observed", percents(route.observed, counts=True)))
        told = [f"{name} {text}" for name, text in weights if text]
        if told:
            verdict = f" ({route.observed_verdict})" if route.observed_verdict else ""
            yield Line(f"│    {' · '.join(told)}{verdict}")
        if route.foreign:
            yield Line(f"│    somebody else's weights: {route.foreign}", "red")
        rows = [
            (f"rule {rule.name}", rule.listener, f"priority {rule.priority}", rule.role, rule.weights)
            for rule in route.rules
        ]
        yield from (Line(f"│    {text}", "dim") for text in columns(rows))
        yield from _names(route.names)


def _names(names: Sequence[NameView]) -> Iterator[Line]:
    for name in names:
        parts = [
            f"{name.healthy} of {name.instances} entries healthy" if name.mode != "ECS" else "kept by ECS",
            f"{name.operations} operations under way" if name.operations else "",
            f"{name.leaving} on their way out" if name.leaving else "",
            f"{name.foreign} of somebody else" if name.foreign else "",
            "" if name.proven is None else "proved" if name.proven else "not proved yet",
            "being left" if name.given_up else "",
        ]
        told = " · ".join(part for part in parts if part)
        yield Line(
            f"│    name {name.address} ({name.mode})   {told}", "" if name.proven is not False else "yellow"
        )
        if name.failure:
            yield Line(f"│      failed: {name.failure}", "red")


def _tail(shown: Picture, now: float) -> Iterator[Line]:
    if rejected := shown.rejected:
        why = rejected.get("message") or rejected.get("reason", "")
        yield Line(f"├─ rejected {rejected['revision']}: {why}", "red")
    if last := shown.last:
        took = last.get("durationSeconds")
        parts = [
            f"{last['revision']} {last.get('outcome', '')}",
            f"started {age(last.get('startedAt', ''), now)} ago" if last.get("startedAt") else "",
            f"took {length(took)}" if took is not None else "",
            f"by {last['by']}" if last.get("by") else "",
            str(last.get("reason", "")),
        ]
        yield Line(f"└─ last: {' · '.join(part for part in parts if part)}")
    for text in shown.problems:
        yield Line(f"   not shown: {text}", "yellow")


def percents(weights: Mapping[str, int], *, counts: bool = False) -> str:
    """Return `a 95 %, b 5 %` for parts of any whole; with `counts` the parts themselves too."""
    whole = sum(weights.values())
    if not whole:
        return ""
    shares = {slot: f"{round(100 * parts / whole, 1):g} %" for slot, parts in sorted(weights.items())}
    return ", ".join(
        f"{slot} {share} ({weights[slot]})" if counts else f"{slot} {share}" for slot, share in shares.items()
    )


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines with aligned columns; columns without any text are left out."""
    used = [at for at in range(len(rows[0])) if any(row[at] for row in rows)] if rows else []
    widths = {at: max(len(row[at]) for row in rows) for at in used}
    return ["   ".join(row[at].ljust(widths[at]) for at in used).rstrip() for row in rows]


def _count(slot: SlotView) -> str:
    good = slot.running if slot.healthy is None else slot.healthy
    return f"{good}/{slot.desired}"
