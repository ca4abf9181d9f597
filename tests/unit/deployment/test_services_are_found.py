"""Which ECS service is the slot's: found again after a lost status, replaced, and never somebody else's."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model import ownership
from sluice.model.desired import Adoption, Desired
from sluice.model.errors import Refused
from sluice.model.names import service_name
from sluice.model.observed import Observed, ServiceId
from sluice.plan.deployment import slots
from sluice.plan.deployment.state import Slot, State
from unit.deployment.wishes import ARN, INSTALLATION, KEY, OTHER, desired, tagged

WISH = desired()
ADOPTS = desired(adopt=Adoption(arn=f"{ARN}:service/main/legacy", cluster="main", name="legacy"))
LEGACY = ServiceId("main", "legacy")


def place(slot: str = "a", ordinal: int = 1, cluster: str = "main") -> ServiceId:
    """Return where a service of ours is."""
    return ServiceId(cluster, service_name(INSTALLATION, KEY, slot=slot, ordinal=ordinal))


def there(at: ServiceId, *, tags: dict[str, str] | None = None, **members: Any) -> dict[ServiceId, Any]:
    """Return a service that is ACTIVE and ours at a place."""
    arn = f"{ARN}:service/{at.cluster}/{at.name}"
    found = {"serviceName": at.name, "serviceArn": arn, "status": "ACTIVE", "launchType": "FARGATE"}
    own = ownership.to_ecs(tagged() if tags is None else tags)
    return {at: {**found, "tags": own, **members}}


def known(at: ServiceId, **members: Any) -> Slot:
    """Return the slot of status with this service."""
    return Slot(name="a", ordinal=1, cluster=at.cluster, service_name=at.name, **members)


# Where it is looked for.

SLOT = known(place())
LIKELY = tuple(place(name, number) for name in "ab" for number in range(1, 6))


@pytest.mark.parametrize(
    ("wish", "state", "lost", "clusters", "expected"),
    [
        pytest.param(WISH, State(), False, (), (), id="new"),
        pytest.param(WISH, State(), True, (), LIKELY, id="status lost: five names of each slot"),
        pytest.param(
            WISH,
            State(),
            True,
            ("second", "main"),
            (*LIKELY, *(dataclasses.replace(at, cluster="second") for at in LIKELY)),
            id="status lost: in each cluster once",
        ),
        pytest.param(
            WISH,
            State(slot=SLOT, retiring=(known(place(ordinal=2)),)),
            True,
            (),
            (place(), place(ordinal=2)),
            id="known",
        ),
        pytest.param(ADOPTS, State(), False, (), (LEGACY,), id="one to take over"),
        pytest.param(ADOPTS, State(), True, (), (*LIKELY, LEGACY), id="one to take over, status lost"),
        pytest.param(ADOPTS, State(slot=SLOT), False, (), (place(),), id="taken over, or in vain"),
        pytest.param(
            ADOPTS, State(retiring=(known(LEGACY),)), False, (), (LEGACY,), id="one to take over is known"
        ),
    ],
)
def test_where_it_is_looked_for(
    wish: Desired,
    state: State,
    lost: bool,  # noqa: FBT001 - a table's column
    clusters: tuple[str, ...],
    expected: tuple[ServiceId, ...],
) -> None:
    """A first attempt looks at nothing, a lost status at few names; nothing is listed."""
    assert slots.candidates(INSTALLATION, wish, state, lost=lost, clusters=clusters) == expected


# What has become of it.


@pytest.mark.parametrize(
    ("slot", "wish", "expected", "told"),
    [
        pytest.param(SLOT, WISH, SLOT, "", id="not made yet"),
        pytest.param(
            dataclasses.replace(SLOT, desired=5),
            WISH,
            dataclasses.replace(SLOT, desired=5),
            "",
            id="its count stays",
        ),
        pytest.param(
            SLOT,
            desired(cluster="second"),
            known(place(cluster="second")),
            "",
            id="not made yet, and the spec names another cluster",
        ),
        pytest.param(
            dataclasses.replace(SLOT, service_arn="arn:s", running=2, deployment_id="ecs-svc/1", desired=5),
            WISH,
            dataclasses.replace(SLOT, desired=5),
            "was deleted by somebody else and is created again",
            id="deleted by hand",
        ),
        pytest.param(
            dataclasses.replace(SLOT, service_arn="arn:s"),
            desired(cluster="second"),
            SLOT,
            "was deleted by somebody else and is created again",
            id="deleted by hand, and the spec names another cluster",
        ),
    ],
)
def test_a_service_that_is_not_there(slot: Slot, wish: Desired, expected: Slot, told: str) -> None:
    """Created under its name; what was known of it is forgotten but for the count."""
    found = slots.examine(wish, slot, (), Observed(services={place(): None}))
    assert (found.slot, found.service, found.retiring) == (expected, None, ())
    assert [note.message for note in found.notes] == ([f"ECS service {place().name} {told}"] if told else [])


@pytest.mark.parametrize("paused", [False, True])
def test_a_replacement_waits_for_the_end_of_a_pause(*, paused: bool) -> None:
    """What only a new service can have makes a new one, the old one retires; nothing starts while paused."""
    wish = desired(cluster="second", paused=paused)
    seen = Observed(services=there(place(), desiredCount=3))
    found = slots.examine(wish, SLOT, (), seen)
    assert (found.service is None, len(found.retiring), len(found.notes)) == (not paused,) + (
        int(not paused),
    ) * 2
    assert found.slot.service_name == place(ordinal=1 if paused else 2).name
    if not paused:
        (old,) = found.retiring
        assert (old.service_name, old.cluster, old.desired) == (place().name, "main", 3)


@pytest.mark.parametrize(
    ("ordinal", "retiring", "expected"),
    [
        pytest.param(1, (), 2, id="the next"),
        pytest.param(4, (), 5, id="the last"),
        pytest.param(5, (), 1, id="round again"),
        pytest.param(0, (), 1, id="after an adopted one"),
        pytest.param(4, (5, 1), 2, id="past those on their way out"),
        pytest.param(1, (2, 3, 4, 5), 6, id="all are taken"),
        pytest.param(7, (), 3, id="from beyond"),
    ],
)
def test_the_next_name(ordinal: int, retiring: tuple[int, ...], expected: int) -> None:
    """Ordinals go round, so a lost status is found again by looking at few names."""
    old = tuple(Slot(name="a", ordinal=number, cluster="main") for number in retiring)
    seen = Observed(services=there(place(ordinal=ordinal), status="DRAINING"))
    slot = dataclasses.replace(known(place(ordinal=ordinal)), ordinal=ordinal)
    found = slots.examine(WISH, slot, old, seen)
    assert (found.slot.ordinal, found.slot.service_name) == (expected, place(ordinal=expected).name)
    assert (found.service, found.retiring, found.slot.service_arn) == (None, old, "")


@pytest.mark.parametrize(
    ("members", "counts", "launch"),
    [
        pytest.param({"desiredCount": 3, "runningCount": 2}, (3, 2), "FARGATE", id="launch type"),
        pytest.param({"launchType": "EC2"}, (0, 0), "EC2", id="ECS tells no counts"),
        pytest.param(
            {"capacityProviderStrategy": [{"capacityProvider": "A"}, {"capacityProvider": "B"}]},
            (0, 0),
            "A,B",
            id="capacity providers",
        ),
    ],
)
def test_what_is_remembered_of_a_service(
    members: dict[str, Any], counts: tuple[int, int], launch: str
) -> None:
    """Counts, and what its tasks run on."""
    (service,) = there(place(), **members).values()
    slot = slots.seen(SLOT, service)
    assert ((slot.desired, slot.running), slot.launch_type) == (counts, launch)


@pytest.mark.parametrize(
    ("services", "stays", "told"),
    [
        pytest.param({}, True, False, id="not looked at"),
        pytest.param({place(): None}, False, False, id="gone"),
        pytest.param(there(place()), True, False, id="ours"),
        pytest.param(there(place(), status="DRAINING"), True, False, id="on its way out"),
        pytest.param(there(place(), tags={}), False, True, id="without our tags: somebody else has it"),
        pytest.param(
            there(place(), tags={}, status="DRAINING"),
            True,
            False,
            id="on its way out, tags not told any more",
        ),
    ],
)
def test_replaced_services_that_remain(services: dict[ServiceId, Any], *, stays: bool, told: bool) -> None:
    """Until they are gone; what is not ours any more is left alone, and that is told."""
    left, notes = slots.remaining(WISH, (SLOT,), services)
    assert ([slot.service_name for slot in left], len(notes)) == ([place().name] * stays, int(told))


# A lost status.


def found(
    wish: Desired, *services: dict[ServiceId, Any], names: str = "ab"
) -> tuple[tuple[str, int, str], list[str]]:
    """Return (slot, ordinal, cluster) of the one that counts, and the names of the others."""
    observed = Observed(services={at: service for entry in services for at, service in entry.items()})
    slot, retiring = slots.find(wish, observed, *names)
    return (slot.name, slot.ordinal, slot.cluster), [old.service_name for old in retiring]


@pytest.mark.parametrize(
    ("services", "slot", "retiring"),
    [
        pytest.param((), ("a", 1, "main"), (), id="none"),
        pytest.param((there(place("b", 3)),), ("b", 3, "main"), (), id="one"),
        pytest.param(
            (there(place("a", 1), createdAt=9.0), there(place("a", 2), createdAt=5.0)),
            ("a", 1, "main"),
            (place("a", 2),),
            id="the newest of two",
        ),
        pytest.param(
            (there(place("a", 4), createdAt=5.0), there(place("b", 2), createdAt=5.0)),
            ("b", 2, "main"),
            (place("a", 4),),
            id="of equal age the later name",
        ),
        pytest.param(
            (there(place("a", 1), status="DRAINING"), there(place("a", 2), status="DRAINING")),
            ("a", 3, "main"),
            (),
            id="names of services on their way out are taken",
        ),
        pytest.param(
            tuple(there(place("a", number), status="DRAINING") for number in range(1, 6)),
            ("a", 6, "main"),
            (),
            id="all names are taken",
        ),
        pytest.param(
            (there(place("b", 1), status="DRAINING"),), ("a", 1, "main"), (), id="the other slot's name"
        ),
        pytest.param(
            (there(place(cluster="second"), createdAt=5.0),), ("a", 1, "second"), (), id="in another cluster"
        ),
        pytest.param(
            (there(place("a", 5, "second"), createdAt=7.0), there(place("a", 2), createdAt=5.0)),
            ("a", 5, "second"),
            (place("a", 2),),
            id="the newest in any cluster",
        ),
        pytest.param(
            (there(place("a", 2, "second"), createdAt=5.0), there(place("a", 5), createdAt=7.0)),
            ("a", 5, "main"),
            (place("a", 2),),
            id="the older one in another cluster",
        ),
        pytest.param(
            (there(place("a", 6)),), ("a", 1, "main"), (), id="beyond the names that are looked for"
        ),
        pytest.param(
            (there(place("a", 6, "second")),), ("a", 1, "main"), (), id="beyond, in another cluster"
        ),
        pytest.param(
            (there(place(cluster="second"), status="DRAINING"),), ("a", 1, "main"), (), id="elsewhere, going"
        ),
        pytest.param(
            (there(place(cluster="second"), tags={}),), ("a", 1, "main"), (), id="elsewhere, not ours"
        ),
        pytest.param(({place(cluster="second"): None},), ("a", 1, "main"), (), id="elsewhere, gone"),
        pytest.param(
            (there(ServiceId("second", "other")),), ("a", 1, "main"), (), id="elsewhere, another name"
        ),
    ],
)
def test_a_lost_status_is_found_again(
    services: tuple[dict[ServiceId, Any], ...], slot: tuple[str, int, str], retiring: tuple[ServiceId, ...]
) -> None:
    """The newest active service of ours counts, the others retire; without any a name that is free."""
    assert found(WISH, *services) == (slot, [at.name for at in retiring])


def test_one_service_under_two_spellings_of_its_cluster_counts_once() -> None:
    """The cluster by name and by ARN: the service must not retire for itself, wherever it is seen first."""
    arn = f"{ARN}:service/main/{place().name}"
    by_arn = there(place(cluster=f"{ARN}:cluster/main"), serviceArn=arn)
    assert found(WISH, there(place()), by_arn) == (("a", 1, "main"), [])
    twice = there(place(cluster="second"), serviceArn=arn) | there(place(cluster="third"), serviceArn=arn)
    assert found(WISH, twice) == (("a", 1, "second"), [])


@pytest.mark.parametrize(
    ("services", "names", "slot", "retiring"),
    [
        pytest.param((there(LEGACY),), "ab", ("a", 0, "main"), (), id="found"),
        pytest.param((there(LEGACY),), "a", ("a", 0, "main"), (), id="slot a has it"),
        pytest.param((there(LEGACY),), "b", ("b", 1, "main"), (), id="slot b has not"),
        pytest.param((there(LEGACY, status="DRAINING"),), "ab", ("a", 1, "main"), (), id="on its way out"),
        pytest.param(({LEGACY: None},), "ab", ("a", 1, "main"), (), id="gone"),
        pytest.param((), "ab", ("a", 1, "main"), (), id="not looked at"),
        pytest.param(
            (there(LEGACY, createdAt=5.0), there(place(), createdAt=9.0)),
            "ab",
            ("a", 1, "main"),
            (LEGACY,),
            id="its successor counts",
        ),
        pytest.param(
            (there(LEGACY, createdAt=9.0), there(place(), createdAt=5.0)),
            "ab",
            ("a", 0, "main"),
            (place(),),
            id="the newer one counts, here too",
        ),
    ],
)
def test_an_adopted_service_after_a_lost_status(
    services: tuple[dict[ServiceId, Any], ...],
    names: str,
    slot: tuple[str, int, str],
    retiring: tuple[ServiceId, ...],
) -> None:
    """It is slot a under its own name."""
    assert found(ADOPTS, *services, names=names) == (slot, [at.name for at in retiring])


def test_an_adopted_service_under_a_name_of_ours_is_one_service() -> None:
    """Adopted back after deletionPolicy Retain: its name is one that Sluice would give."""
    adopt = Adoption(arn=f"{ARN}:service/main/{place().name}", cluster="main", name=place().name)
    assert found(desired(adopt=adopt), there(place())) == (("a", 1, "main"), [])


@pytest.mark.parametrize(
    ("services", "reason"),
    [
        pytest.param(there(place(), tags=tagged(OTHER)), "OwnershipConflict", id="another object's"),
        pytest.param(
            there(place(cluster="second"), deploymentController={"type": "CODE_DEPLOY"}),
            "ManagedByECS",
            id="CodeDeploy's, in another cluster",
        ),
    ],
)
def test_what_is_in_the_way_is_refused(services: dict[ServiceId, Any], reason: str) -> None:
    """A name of ours that somebody else has, or a service of ours that something else drives."""
    with pytest.raises(Refused) as refused:
        found(WISH, services)
    assert refused.value.reason == reason
