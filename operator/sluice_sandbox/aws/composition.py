"""The order in which a world's services are built on one another.

CloudWatch stands on nothing, Elastic Load Balancing on the network, ECS on both and on the runtime,
Application Auto Scaling on CloudWatch and ECS. Here is the only place that knows all of them.
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

from sluice_sandbox.aws.autoscaling.service import AutoScalingService
from sluice_sandbox.aws.clock import Clock
from sluice_sandbox.aws.cloudwatch.service import CloudWatchService
from sluice_sandbox.aws.ecr.pulls import EcrImages
from sluice_sandbox.aws.ecr.service import EcrService
from sluice_sandbox.aws.ecs.scalable import EcsScalables
from sluice_sandbox.aws.ecs.service import EcsService
from sluice_sandbox.aws.ecs.utilization import Utilization
from sluice_sandbox.aws.elbv2.service import Elbv2Service
from sluice_sandbox.aws.emitter import MotoEmitter, RememberingEmitter
from sluice_sandbox.aws.estate import FixedEstate
from sluice_sandbox.aws.faults import Faults
from sluice_sandbox.aws.identity.assembly import assemble
from sluice_sandbox.aws.lattice.service import LatticeService
from sluice_sandbox.aws.moto_events import PutEventsCall
from sluice_sandbox.aws.moto_topics import MotoTopics
from sluice_sandbox.aws.moto_zones import MotoZones
from sluice_sandbox.aws.ports import Emitter, Estate
from sluice_sandbox.aws.service import Caller, Params, Response, Service
from sluice_sandbox.aws.servicediscovery.desk import Outlook
from sluice_sandbox.aws.servicediscovery.mishaps import of_faults
from sluice_sandbox.aws.servicediscovery.service import ServiceDiscovery
from sluice_sandbox.aws.servicediscovery.zones import NoZones
from sluice_sandbox.aws.tagging.service import TaggingService
from sluice_sandbox.dataplane.network import TaskNetwork
from sluice_sandbox.dataplane.runtime import InProcessRuntime

if TYPE_CHECKING:
    from sluice_sandbox.aws.moto_bridge import MotoBridge
    from sluice_sandbox.aws.world import World


def compose(
    world_type: type[World], *, clock: Clock, seed: int, account: str, region: str, moto: MotoBridge | None
) -> World:
    """Build a world; see `World.build`."""
    from sluice_sandbox.aws.world import Outside  # noqa: PLC0415 - world imports this module lazily too

    estate: Estate
    emitter: Emitter
    if moto is None:
        estate, emitter = FixedEstate(), RememberingEmitter(clock)
    else:
        estate, emitter = moto.estate, MotoEmitter(clock, moto)
    rng = random.Random(seed)
    network = TaskNetwork()
    runtime = InProcessRuntime(clock, network, rng=rng)
    cloudwatch = CloudWatchService(
        clock, emitter=emitter, notifier=MotoTopics(moto) if moto is not None else None
    )
    elbv2 = Elbv2Service(clock, estate=estate, network=network, rng=rng)
    elbv2.publish_to(cloudwatch)
    faults = Faults(random.Random(f"{seed}/faults"))
    cloud_map = ServiceDiscovery(
        clock,
        outlook=Outlook(
            estate=estate,
            network=network,
            zones=NoZones() if moto is None else MotoZones(moto.lock),
            mishap=of_faults(faults, clock),
        ),
        rng=random.Random(f"{seed}/servicediscovery"),
    )
    ecr = EcrService(clock)
    ecs = EcsService(
        clock,
        estate=estate,
        target_groups=elbv2,
        runtime=runtime,
        emitter=emitter,
        rng=rng,
        registries=cloud_map,
        namespaces=cloud_map.connect,
        images=EcrImages(ecr),
        alarms=cloudwatch.alarms,
        traffic_rules=elbv2.traffic_rules,
    )
    autoscaling = AutoScalingService(
        clock,
        services=EcsScalables(ecs),
        alarms=cloudwatch,
        # Draws of its own, so that what scales does not change anybody's ids.
        rng=random.Random(f"{seed}/autoscaling"),
    )
    services: dict[str, Service] = {
        "application-autoscaling": autoscaling,
        "ecr": ecr,
        "ecs": ecs,
        "elbv2": elbv2,
        "servicediscovery": cloud_map,
        "cloudwatch": cloudwatch,
    }
    services["vpc-lattice"] = LatticeService(
        clock, estate=estate, network=network, rng=random.Random(f"{seed}/lattice")
    )
    services["resourcegroupstaggingapi"] = TaggingService(
        services, moto=partial(_moto_tagging, moto) if moto is not None else None
    )
    caller = Caller(account=account, region=region, principal=f"arn:aws:iam::{account}:user/sandbox")
    outside = Outside(
        estate=estate,
        emitter=emitter,
        moto=moto,
        network=network,
        runtime=runtime,
        utilization=Utilization(clock, state=lambda: ecs.state, metrics=cloudwatch),
    )
    if moto is not None:
        identities = assemble(moto, services, owner=caller.principal)
        outside.gate = identities.gate
        outside.amended = {**identities.handlers, **PutEventsCall(clock).operations()}
    return world_type(
        clock=clock,
        rng=rng,
        services=services,
        faults=faults,
        outside=outside,
        caller=caller,
    )


def _moto_tagging(moto: MotoBridge, caller: Caller, operation: str, params: Params) -> Response:
    """Ask moto for the tags of its services; a moto that nobody used has none."""
    if not moto.in_use():
        return {}
    return moto.call(caller, "resourcegroupstaggingapi", operation, params)
