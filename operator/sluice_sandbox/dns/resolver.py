"""The resolver of a world: its Cloud Map and its load balancers, asked at the moment of each question."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Protocol

from sluice_sandbox.aws.elbv2.service import Elbv2Service
from sluice_sandbox.aws.ports import Network
from sluice_sandbox.aws.servicediscovery.service import ServiceDiscovery
from sluice_sandbox.dns.answers import Answers, Balancers, View
from sluice_sandbox.dns.server import DnsServer


class NamedWorld(Protocol):
    """What the resolver needs of a world."""

    @property
    def services(self) -> Mapping[str, Any]:
        """The world's services; `servicediscovery` and `elbv2` are the stand-in's own."""


def resolver(world: NamedWorld, *, twins: bool = True, seed: int = 0) -> DnsServer:
    """Return the resolver of a world, for all its accounts and Regions; `start` it in the world's loop.

    `twins`: tasks' addresses as the loopback addresses where they listen, not as AWS would answer.
    """
    return DnsServer(answers(world, twins=twins, seed=seed).answer)


def answers(world: NamedWorld, *, twins: bool = True, seed: int = 0) -> Answers:
    """Return what the resolver says, without its sockets."""
    cloud_map: ServiceDiscovery = world.services["servicediscovery"]
    elbv2: Elbv2Service = world.services["elbv2"]
    network: Network = elbv2.network
    return Answers(
        cloud_map,
        View(twins=twins),
        network=network,
        balancers=_names(elbv2),
        rng=random.Random(f"{seed}/dns"),
    )


def _names(elbv2: Elbv2Service) -> Balancers:
    """Tell load balancers by their DNS names; `dualstack.` is Route 53's console's prefix for them."""

    def known(name: str) -> bool:
        bare = name.removeprefix("dualstack.")
        return any(
            balancer.dns_name.lower() == bare
            for region in elbv2.state.regions.values()
            for balancer in region.load_balancers.values()
        )

    return known
