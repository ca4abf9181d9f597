"""Pages of ECS's List calls: maxResults 1..100 and an opaque nextToken.

The token names the last item given, so that items which come and go between two pages neither
repeat nor hide others. A token that is not ours is refused (botocore: `nextToken` is opaque).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from sluice_sandbox.aws.ecs.refusals import invalid_parameter
from sluice_sandbox.aws.service import Params

MAX_PAGE = 100


def page(
    items: Sequence[str], params: Params, *, default: int = MAX_PAGE, largest: int = MAX_PAGE
) -> tuple[list[str], dict[str, str]]:
    """Return one page of `items` (in their order) and `{"nextToken": ...}` or nothing.

    `default` is the page size where maxResults is absent (botocore documents 10 for ListServices,
    20 for ListServiceDeployments, 100 elsewhere), `largest` the most that it may ask for. Texts of the
    refusals are from memory.
    """
    size = params.get("maxResults")
    if size is None:
        size = default
    elif not 1 <= size <= largest:
        raise invalid_parameter(f"maxResults must be between 1 and {largest}.")
    start = _start(items, params.get("nextToken"))
    chosen = list(items[start : start + size])
    if start + size < len(items):
        token = base64.urlsafe_b64encode(f"{start + size}|{chosen[-1]}".encode()).decode()
        return chosen, {"nextToken": token}
    return chosen, {}


def _start(items: Sequence[str], token: str | None) -> int:
    if not token:
        return 0
    try:
        offset, last = base64.urlsafe_b64decode(token.encode()).decode().split("|", 1)
        position = int(offset)
    except (binascii.Error, ValueError, UnicodeDecodeError):
        raise invalid_parameter("Invalid token.") from None
    if position - 1 < len(items) and items[position - 1] == last:
        return position
    try:
        return items.index(last) + 1
    except ValueError:  # the item went away between the pages: go on where it was
        return min(position, len(items))
