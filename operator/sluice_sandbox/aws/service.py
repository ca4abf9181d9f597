"""What every service of the stand-in is to the wire, the faults and the record of calls.

A service is a table of operations, each a plain function from parameters to a response, and one
`state` that holds all it remembers as plain data. Keeping callbacks and clocks out of the state is
what makes stale reads (a read answered from an older copy), dumps and resets possible for all
services alike: timers keep ids and look the object up again when they fire.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Params = dict[str, Any]
Response = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls: account and region decide which resources exist, the principal who is denied."""

    account: str = "111122223333"
    region: str = "eu-west-1"
    access_key: str = "AKIASANDBOX"
    principal: str = "arn:aws:iam::111122223333:user/sandbox"


Handler = Callable[[Caller, Params], Response]
"""Members of the response that are timestamps are epoch seconds (float); the wire renders them."""


class Service(Protocol):
    """One AWS API behind the port."""

    name: str
    """botocore's service name, for example `elbv2`."""

    state: Any
    """All that the service remembers; deep-copyable plain data, no clocks, callbacks or sockets."""

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name as botocore spells it (`CreateService`)."""
