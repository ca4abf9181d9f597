"""Whose service it is, and how seldom one may look while events flow."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.aws_events.flow import PLACES, Flow
from sluice.aws_events.happening import Place, read
from sluice.aws_events.services import AGE, KnownServices
from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key
from unit.aws_events.heard import ACCOUNT, REGION, SERVICE, WEB, Clock, acted, deployment, task

HERE = Place(ACCOUNT, REGION)
ELSEWHERE = SERVICE.replace(REGION, "us-east-1")


class Desk:
    """A flow over one Deployment."""

    def __init__(self) -> None:
        """Hear nothing yet."""
        self.clock = Clock()
        self.objects: dict[Key, Any] = {WEB: deployment()}
        self.flow = Flow(factor=5, quiet_after=900, clock=self.clock, peek=self.objects.get)


@pytest.fixture
def desk() -> Desk:
    """A fresh desk."""
    return Desk()


def test_nothing_flows_before_anything_came(desk: Desk) -> None:
    """A queue that can be read and is empty proves nothing."""
    desk.flow.readable(yes=True)
    assert desk.flow.stretch(WEB) == 1


def test_looking_is_stretched_while_events_come(desk: Desk) -> None:
    """Until none came for a while; the next event stretches again."""
    desk.flow.readable(yes=True)
    desk.flow.heard(HERE)
    assert desk.flow.stretch(WEB) == 5
    desk.clock.time += 901
    assert desk.flow.stretch(WEB) == 1
    assert desk.flow.flowing() == {HERE: False}
    desk.flow.heard(HERE)
    assert desk.flow.stretch(WEB) == 5


def test_places_that_are_made_up_are_forgotten_again(desk: Desk) -> None:
    """Whoever may send to the queue can't fill memory or metrics; a place that is heard of stays."""
    desk.flow.readable(yes=True)
    for number in range(3 * PLACES):
        desk.flow.heard(Place(f"{number:012}", REGION))
        desk.flow.heard(HERE)
    assert len(desk.flow.flowing()) == PLACES
    assert desk.flow.flowing()[HERE]


def test_a_queue_that_cannot_be_read_stretches_nothing(desk: Desk) -> None:
    """Whatever came before; once it can be read again the last event still counts."""
    desk.flow.heard(HERE)
    desk.flow.readable(yes=False)
    assert desk.flow.stretch(WEB) == 1
    desk.flow.readable(yes=True)
    assert desk.flow.stretch(WEB) == 5


@pytest.mark.parametrize(
    ("key", "obj"),
    [
        pytest.param(Key(SERVICE_ROUTE, "shop", "web"), deployment(), id="rules-have-no-events"),
        pytest.param(WEB, deployment(ELSEWHERE), id="another-region"),
        pytest.param(WEB, deployment(SERVICE, ELSEWHERE), id="on-the-move"),
        pytest.param(WEB, {"metadata": {}}, id="no-service-yet"),
        pytest.param(WEB, None, id="gone"),
    ],
)
def test_who_is_looked_at_as_always(desk: Desk, key: Key, obj: Any) -> None:
    """Only a Deployment all of whose services are where events come from."""
    desk.objects[key] = obj
    desk.flow.readable(yes=True)
    desk.flow.heard(HERE)
    assert desk.flow.stretch(key) == 1


def test_a_service_is_found_by_its_status() -> None:
    """By account, Region, cluster and name; the old ARN format leaves the cluster open."""
    clock = Clock()
    other = Key(DEPLOYMENT, "shop", "other")
    objects = {WEB: deployment(), other: deployment(SERVICE.replace("/prod/", "/test/"))}
    known = KnownServices(lambda: objects, clock=clock)
    assert known.owners(read(task())) == {WEB}
    assert known.owners(read(acted(SERVICE.replace("/prod/", "/test/")))) == {other}
    assert known.owners(read(acted(SERVICE.replace("/prod", "")))) == {WEB, other}
    assert known.owners(read(acted(region="us-east-1"))) == frozenset()
    assert known.owners(read(acted(account="444455556666"))) == frozenset()


def test_services_of_others_cost_a_reading_in_a_while() -> None:
    """A new service of ours is found at the next one."""
    clock, reads = Clock(), []
    objects: dict[Key, Any] = {}

    def snapshot() -> dict[Key, Any]:
        reads.append(clock.time)
        return objects

    known = KnownServices(snapshot, clock=clock)
    for _ in range(100):
        assert known.owners(read(task())) == frozenset()
    assert len(reads) == 1
    objects[WEB] = deployment()
    clock.time += AGE
    assert known.owners(read(task())) == {WEB}
    assert known.owners(read(task())) == {WEB}
    assert len(reads) == 2
