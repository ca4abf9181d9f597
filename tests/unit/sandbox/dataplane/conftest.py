"""A load balancer with real sockets on loopback, at fifty times real time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

# Test folders are no packages: their modules are found by folder.
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "elbv2"))

from elb_world import Elb
from http_client import Side

from sluice_sandbox.aws.clock import RealClock
from sluice_sandbox.aws.elbv2.desk import Elbv2Settings, Pace
from sluice_sandbox.dataplane.sockets import SocketPlane

SPEED = 50.0


@pytest.fixture
async def side() -> AsyncIterator[Side]:
    """Yield a world with its socket plane; every socket is closed afterwards."""
    loop = asyncio.get_running_loop()
    elb = Elb(Elbv2Settings(pace=Pace(registration=0.0)), clock=RealClock(loop, speed=SPEED))
    plane = SocketPlane(elb, loop)
    await plane.start()
    yield Side(elb=elb, plane=plane)
    await plane.stop()
