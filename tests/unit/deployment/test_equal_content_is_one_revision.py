"""Equal content has one name for ever, however the API server or a person orders it; and it is kept whole."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.model.desired import Port, Revision
from sluice.plan.deployment import revision

DEFINITION = {"cpu": "256", "containerDefinitions": [{"name": "app", "image": "web:1"}]}
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "assignPublicIp": "DISABLED"}}
SERVICE = {"launchType": "FARGATE", "platformVersion": "1.4.0", "networkConfiguration": NETWORK}


def make(service: dict[str, Any], **changes: Any) -> Revision:
    """Return the revision of web with these settings."""
    return revision.make(deployment="web", definition=DEFINITION, service=service, **changes)


def turned(value: Any) -> Any:
    """Return the same with the members of every mapping in reverse."""
    if isinstance(value, dict):
        return {name: turned(value[name]) for name in reversed(value)}
    return value


def test_the_order_of_members_is_no_other_revision() -> None:
    """A mapping has no order: the same settings written the other way round start no deployment."""
    assert make(turned(SERVICE)).name == make(SERVICE).name


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(make(SERVICE | {"platformVersion": "1.3.0"}), id="a setting"),
        pytest.param(make(SERVICE, restarted_at="monday"), id="a restart"),
    ],
)
def test_another_content_is_another_revision(other: Revision) -> None:
    """Equal definitions with other settings, or restarted, have names of their own."""
    assert other.name != make(SERVICE).name
    assert other.definition_hash == make(SERVICE).definition_hash


def test_what_it_was_made_from_is_kept_for_people() -> None:
    """`kubectl` shows the spec of an old revision; one from before that was kept has none."""
    assert make(SERVICE, spec={"replicas": 2}).spec == {"replicas": 2}
    assert make(SERVICE).spec == {}


def test_a_kept_revision_comes_back_whole() -> None:
    """An undo needs nothing else; absent members of an older operator's data are the defaults."""
    port = Port(name="http", container_name="app", container_port=8080, protocol_version="GRPC")
    made = make(SERVICE, ports=(port,), restarted_at="monday", spec={"replicas": 2})
    assert revision.from_data(made.name, revision.to_data(made)) == made
    bare = {
        "definitionHash": make(SERVICE).definition_hash,
        "definition": DEFINITION,
        "service": SERVICE,
    }
    assert revision.from_data(make(SERVICE).name, bare) == make(SERVICE)
