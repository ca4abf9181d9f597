"""Network interfaces of tasks: a subnet in the least loaded zone and an address from its CIDR.

The first four addresses and the last of a subnet are AWS's (VPC user guide). Addresses are handed
out in order and used again only when the others are spent, so that an address seldom changes hands
while somebody still remembers it as a draining target.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Sequence

from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.identity import uuid_id
from sluice_sandbox.aws.ecs.state import Addresses, Task
from sluice_sandbox.aws.ports import SubnetView
from sluice_sandbox.aws.service import Caller

_RESERVED_FIRST = 4


class Interfaces:
    """Gives tasks their ENI and takes it back."""

    def __init__(self, core: Core) -> None:
        """Keep the pools in `core`'s state."""
        self._core = core

    def choose(self, caller: Caller, subnet_ids: Sequence[str], beside: Iterable[Task]) -> SubnetView | None:
        """Return the subnet whose zone has the fewest of the tasks `beside`; None without capacity.

        Zones with a capacity fault and subnets without free addresses are passed over.
        """
        load = Counter(task.zone for task in beside)
        views = [self._core.ports.estate.subnet(caller, subnet_id) for subnet_id in subnet_ids]
        open_ones = [
            view
            for view in views
            if view is not None
            and view.availability_zone not in self._core.state.capacity
            and self._has_address(view.cidr)
        ]
        if not open_ones:
            return None
        return min(open_ones, key=lambda view: (load[view.availability_zone], view.availability_zone))

    def attach(self, task: Task, subnet: SubnetView) -> None:
        """Give the task an interface in `subnet`."""
        network = ipaddress.ip_network(subnet.cidr)
        pool = self._pool(subnet.cidr)
        if pool.cursor < network.num_addresses - 1:
            offset = pool.cursor
            pool.cursor += 1
        else:
            offset = pool.returned.pop(0)
        rng = self._core.rng
        task.subnet_id = subnet.subnet_id
        task.subnet_cidr = subnet.cidr
        task.zone = subnet.availability_zone
        task.ip = str(network[offset])
        task.eni_id = f"eni-0{rng.getrandbits(64):016x}"
        task.mac = "0a:" + ":".join(f"{rng.getrandbits(8):02x}" for _ in range(5))
        task.attachment_id = uuid_id(rng)

    def detach(self, task: Task) -> None:
        """Take the address back."""
        if task.ip:
            network = ipaddress.ip_network(task.subnet_cidr)
            offset = int(ipaddress.ip_address(task.ip)) - int(network.network_address)
            self._pool(task.subnet_cidr).returned.append(offset)

    def _has_address(self, cidr: str) -> bool:
        pool = self._pool(cidr)
        return bool(pool.returned) or pool.cursor < ipaddress.ip_network(cidr).num_addresses - 1

    def _pool(self, cidr: str) -> Addresses:
        found = self._core.state.addresses.get(cidr)
        if found is None:
            found = self._core.state.addresses[cidr] = Addresses(cursor=_RESERVED_FIRST)
        return found
