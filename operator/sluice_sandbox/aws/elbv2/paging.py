"""Pages: `Marker`, `PageSize` and `NextMarker` as all Describe calls of the service have them.

Source: botocore `paginators-1` and the shape PageSize (1 to 400). AWS does not state the default;
400 is what the API gives when nothing is asked (from memory). A marker names the last item given
and its place, so that what is created or deleted between two pages is neither repeated nor lost.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sluice_sandbox.aws.elbv2.desk import validation_error
from sluice_sandbox.aws.service import Params, Response

DEFAULT_PAGE_SIZE = 400

Item = TypeVar("Item")


def page(
    params: Params,
    items: Sequence[Item],
    *,
    member: str,
    key: Callable[[Item], str],
    show: Callable[[Item], Any],
) -> Response:
    """Return one page of `items` under `member`, with NextMarker when more follow.

    `key` names an item for the marker, `show` gives its shape. A marker that was never given out is
    refused (ValidationError, wording from memory).
    """
    start = _start(params["Marker"], [key(item) for item in items]) if params.get("Marker") else 0
    size = params.get("PageSize") or DEFAULT_PAGE_SIZE
    chosen = items[start : start + size]
    response: Response = {member: [show(item) for item in chosen]}
    if start + size < len(items):
        response["NextMarker"] = _marker(start + size, key(chosen[-1]))
    return response


def _marker(following: int, last: str) -> str:
    return base64.urlsafe_b64encode(f"{following}|{last}".encode()).decode()


def _start(marker: str, keys: list[str]) -> int:
    try:
        following, _, last = base64.urlsafe_b64decode(marker.encode()).decode().partition("|")
        position = int(following)
    except (binascii.Error, ValueError) as error:
        raise validation_error(f"Invalid marker '{marker}'") from error
    # The last item may be gone by now: then its former place is the best answer.
    return keys.index(last) + 1 if last in keys else min(position, len(keys))
