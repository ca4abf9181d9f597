"""At rest nothing is written, whatever of a service the spec decides.

A member that is sent but never recognised in what AWS shows would be sent in every pass, and one that
starts an ECS deployment would restart the tasks every minute.
"""

from __future__ import annotations

from typing import Any

import pytest

from sim.stories import apply
from sim.universe import Universe, deployment
from sluice_sandbox.aws.estate import TASK_ROLE

NAMESPACE = "shop"
ALIASES = [{"port": 80, "dnsName": "web"}]
SERVED = {"portName": "http", "clientAliases": ALIASES}


@pytest.mark.parametrize(
    "ecs",
    [
        pytest.param(
            {
                "volumeConfigurations": [
                    {"name": "data", "managedEBSVolume": {"roleArn": TASK_ROLE, "sizeInGiB": 1}}
                ]
            },
            id="EBS volume",
        ),
        pytest.param(
            {"serviceConnectConfiguration": {"enabled": True, "namespace": NAMESPACE, "services": [SERVED]}},
            id="Service Connect server",
        ),
        pytest.param({"serviceConnectConfiguration": {"enabled": True}}, id="Service Connect client"),
    ],
)
def test_what_only_the_primary_deployment_shows(ecs: dict[str, Any]) -> None:
    """DescribeServices shows these in the PRIMARY deployment alone: half an hour at rest writes nothing."""
    universe = Universe(seed=7)
    universe.aws("servicediscovery", "CreateHttpNamespace", Name=NAMESPACE)
    universe.run(120)
    universe.aws("ecs", "UpdateCluster", cluster="sandbox", serviceConnectDefaults={"namespace": NAMESPACE})
    apply(deployment(ecs=ecs))(universe)
    universe.settle(universe.ready)
    before = len(universe.writes())
    universe.run(1800)
    assert universe.writes()[before:] == []
    apply(deployment(image="web:2", ecs=ecs))(universe)
    universe.settle(universe.ready)
    universe.run(600)
    assert universe.writes()[before:].count("UpdateService") == 1
