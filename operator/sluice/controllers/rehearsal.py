"""A dry run: what would be done is said in the log and in the conditions, and nothing else is written.

No intent is kept (a register intent whose call was never made would have to be looked for once writes are
allowed), no verb counts as handled, no revision is stored. The log gets the first write of each plan: what
follows may need its answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NoReturn

from sluice.apply.errors import ApplyFailed
from sluice.aws.errors import WriteWithheld
from sluice.model.actions import Action
from sluice.model.binding import Binding
from sluice.model.keys import Key
from sluice.ports import Executor

_SHOWN: Final = 3


def told(actions: Sequence[Action]) -> str:
    """Return the condition's message: the first writes with their reasons, and how many more."""
    texts = [f"{action.operation} of {action.subject}: {action.reason}" for action in actions[:_SHOWN]]
    more = f" and {len(actions) - _SHOWN} more" if len(actions) > _SHOWN else ""
    return f"dry run; not done: {'; '.join(texts)}{more}"


def rehearse(executor: Executor, actions: Sequence[Action], *, key: Key, binding: Binding) -> NoReturn:
    """Hand the writes to the executor, whose gateway logs, counts and withholds; raises WriteWithheld."""
    try:
        executor.run(actions, key=key, binding=binding, still_current=lambda: True)
    except ApplyFailed as failed:
        raise failed.cause from failed
    raise WriteWithheld(actions[0].service, actions[0].operation)  # pragma: no cover - the gateway did it
