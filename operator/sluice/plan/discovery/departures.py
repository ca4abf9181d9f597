"""Which tasks leave the answers because ECS is about to end tasks, and when.

Every registered task is protected (UpdateTaskProtection), so ECS cannot end one before its entry has
left. The price: ECS's rolling deployment and its scale-in wait for Sluice, which therefore chooses as
ECS would. D is desired, M what minimumHealthyPercent keeps, X what maximumPercent allows; `visible` are
the tasks that clients see as healthy and that are not on their way out.

| situation                                    | how many go                                           |
|----------------------------------------------|-------------------------------------------------------|
| more visible than max(M, D)                  | the surplus: former ones first (min 100 / max 200)    |
| former ones, new ones have no room below X   | as many as are missing, down to M (min 50 / max 100)  |
| new ones are not healthy, or not seen yet    | none: nothing is visible that could replace them      |
| M is 0 without room (Recreate), or D is 0    | all, and they are given back together                 |
| D fell                                       | current ones beyond D: unregistered first, then from  |
|                                              | the fullest zone, the newest first, as ECS's scale-in |
| D rose again, ECS rolled back, others died   | fewer: those that were leaving and are not given back |
|                                              | to ECS yet come back                                  |

ECS refuses protection of more tasks than D (ECS guide, "Task scale-in protection": DEPLOYMENT_BLOCKED),
so during a deployment the new ones are registered unprotected: ECS has no reason to end them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from sluice.model.discovery import SeenTask, SlotWish


@dataclass(frozen=True, slots=True, kw_only=True)
class Departures:
    """What a slot gives back to ECS."""

    going: frozenset[str]
    """Ids of tasks that leave (also those that have left and still run)."""
    yields: bool
    """Nobody needs to go on answering: the last one leaves, too, before any of them is given back."""


def is_former(task: SeenTask, wish: SlotWish) -> bool:
    """Tell whether ECS means to replace a task: another deployment's, or another revision's."""
    if task.deployment and wish.deployment:
        return task.deployment != wish.deployment
    return task.revision != wish.revision


def departures(
    tasks: Sequence[SeenTask],
    wish: SlotWish,
    *,
    visible: AbstractSet[str],
    leaving: AbstractSet[str],
    released: AbstractSet[str],
    shared: bool = False,
    former: Callable[[SeenTask], bool] | None = None,
) -> Departures:
    """Return who leaves of the running `tasks` of one slot.

    `visible`, `leaving` and `released` (of these: given back to ECS) are task ids. Those that are leaving
    stay chosen as long as they are surplus. A `shared` slot answers with fewer than it has, by its weight:
    how many are visible says nothing about its capacity then.
    """
    replaced = former or (lambda task: is_former(task, wish))
    running = [task for task in tasks if task.running]
    old = [task for task in running if replaced(task)]
    new = [task for task in running if not replaced(task)]
    pool = [task for task in _oldest_first(old) if task.healthy]
    pool += _excess([task for task in new if task.healthy], wish, visible=visible, leaving=leaving)
    chosen = [task for task in pool if task.id in leaving]
    rest = len(visible & {task.id for task in running} - leaving)
    free = rest - max(wish.minimum_healthy, wish.desired)
    missing = 0
    if old:
        room = 0 if wish.maximum is None else max(0, wish.maximum - len(running))
        missing = max(0, wish.desired - len(new) - room)
        free = max(free, min(missing - len(chosen), rest - wish.minimum_healthy))
    waiting = [task for task in pool if task.id not in leaving]
    chosen = sorted(chosen, key=lambda task: task.id not in released)  # what ECS may end cannot come back
    back = 0 if shared else max(0, -free)
    most = max(len(chosen) - back, sum(task.id in released for task in chosen))
    return Departures(
        going=frozenset(task.id for task in (*chosen[:most], *waiting[: max(0, free)])),
        yields=wish.minimum_healthy == 0 and (wish.desired == 0 or missing > 0),
    )


def _oldest_first(tasks: Sequence[SeenTask]) -> list[SeenTask]:
    """Sort by the age of the revision, then of the task."""
    since: dict[tuple[str, str], float] = {}
    for task in tasks:
        group = (task.deployment, task.revision)
        since[group] = min(since.get(group, task.started_at), task.started_at)
    return sorted(tasks, key=lambda task: (since[task.deployment, task.revision], task.started_at, task.id))


def _excess(
    tasks: Sequence[SeenTask], wish: SlotWish, *, visible: AbstractSet[str], leaving: AbstractSet[str]
) -> list[SeenTask]:
    """Return the tasks beyond desired, in the order in which they go."""
    excess = max(0, len(tasks) - wish.desired)
    newest = sorted(tasks, key=lambda task: (task.started_at, task.id), reverse=True)
    free = [task for task in newest if task.id in leaving or task.id not in visible]
    going = sorted(free, key=lambda task: task.id not in leaving)[:excess]
    gone = {task.id for task in going}
    zones: dict[str, list[SeenTask]] = {}
    for task in reversed(newest):  # so that the end of a zone's list is its newest
        if task.id not in gone:
            zones.setdefault(task.zone, []).append(task)
    while len(going) < excess:
        fullest = max(zones.values(), key=lambda zone: (len(zone), zone[-1].started_at, zone[-1].id))
        going.append(fullest.pop())
        zones = {name: zone for name, zone in zones.items() if zone}
    return going
