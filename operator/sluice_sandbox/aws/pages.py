"""Pages of lists whose order is kept: an opaque token names the last item given and its place.

Items which come and go between two pages neither repeat nor hide others. Services say their own sizes and
their own refusal of a token that was never given out.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from sluice_sandbox.aws.errors import AwsError

Item = TypeVar("Item")


def page(
    items: Sequence[Item], token: str | None, *, size: int, key: Callable[[Item], str], refusal: AwsError
) -> tuple[list[Item], str | None]:
    """Return up to `size` items after `token`, and the next token (None at the end); raises `refusal`."""
    start = _start([key(item) for item in items], token, refusal) if token else 0
    chosen = list(items[start : start + size])
    if start + size >= len(items):
        return chosen, None
    return chosen, base64.urlsafe_b64encode(f"{start + size}|{key(chosen[-1])}".encode()).decode()


def _start(keys: Sequence[str], token: str, refusal: AwsError) -> int:
    try:
        following, mark, last = base64.b64decode(token, altchars=b"-_", validate=True).decode().partition("|")
        position = int(following)
    except (binascii.Error, ValueError):
        raise refusal from None
    if not mark:
        raise refusal
    # The last item may be gone by now: then its former place is the best answer.
    return keys.index(last) + 1 if last in keys else min(position, len(keys))
