"""The AWS side of these tests, and what most of them start from: a cluster, a family, a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from integration.sandbox_ecs.ecs_port import Side, definition, fresh


@pytest.fixture(scope="session")
def side() -> Iterator[Side]:
    """Give the AWS side, at twice the default pace."""
    made = Side(speed=2.0)  # stages of half a second can still be seen one by one
    yield made
    made.close()


@pytest.fixture(scope="session")
def ecs(side: Side) -> Any:
    """Give a boto3 client of ECS."""
    return side.client("ecs")


@pytest.fixture
def cluster(ecs: Any) -> str:
    """Give a new cluster's name."""
    return str(ecs.create_cluster(clusterName=fresh("cluster"))["cluster"]["clusterName"])


@pytest.fixture
def family(ecs: Any) -> str:
    """Give a family with a revision 1 that runs on Fargate, with the named port 80."""
    name = fresh("family")
    ecs.register_task_definition(**definition(name))
    return name


@pytest.fixture
def request_of(side: Side, cluster: str, family: str) -> Callable[..., dict[str, Any]]:
    """Give the maker of CreateService's parameters; `changes` replace members (None removes one)."""

    def make(**changes: Any) -> dict[str, Any]:
        base = {
            "cluster": cluster,
            "serviceName": "web",
            "taskDefinition": family,
            "desiredCount": 1,
            "launchType": "FARGATE",
            "networkConfiguration": side.network,
        }
        return {key: value for key, value in (base | changes).items() if value is not None}

    return make
