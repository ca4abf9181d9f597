"""What all proxies of a world share."""

from __future__ import annotations

import random
from dataclasses import dataclass

from sluice_sandbox.aws.elbv2.service import Elbv2Service
from sluice_sandbox.dataplane.upstream import UpstreamPool


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The books, the connections to targets and the pace. `speed` is world seconds per real second."""

    service: Elbv2Service
    pool: UpstreamPool
    rng: random.Random
    speed: float
