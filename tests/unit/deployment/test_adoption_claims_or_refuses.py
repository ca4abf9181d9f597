"""What is tagged, told and refused when an ECS service is taken over; nothing else happens to it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model import ownership
from sluice.model.actions import Action, Note
from sluice.model.desired import Adoption, Desired
from sluice.model.errors import Refused
from sluice.model.observed import Observed, ServiceId
from sluice.plan.deployment import adoption
from sluice.plan.deployment.state import Slot, State
from unit.deployment.wishes import ARN, BALANCER, ELB, HTTP, OTHER, PLACE, desired, tagged

LEGACY = ServiceId("main", "legacy")
GROUP_ARN = f"{ELB}:targetgroup/legacy-http/1"
WISH = desired(adopt=Adoption.of(f"{ARN}:service/main/legacy"))
DEFINITION = WISH.revision.definition
OWN = ownership.to_ecs(tagged(role="slot-a"))
THEIRS = tagged(OTHER, role="x", team="secret")


def service(**changes: Any) -> dict[str, Any]:
    """Return a service that is what WISH asks for, behind one target group, without a tag of ours."""
    return {
        "serviceName": "legacy",
        "serviceArn": f"{ARN}:service/main/legacy",
        "status": "ACTIVE",
        **WISH.revision.service,
        "loadBalancers": [{"targetGroupArn": GROUP_ARN, "containerName": "app", "containerPort": 8080}],
    } | changes


def group(**changes: Any) -> dict[str, Any]:
    """Return its target group."""
    return {
        "TargetGroupArn": GROUP_ARN,
        "Protocol": "HTTP",
        "ProtocolVersion": "HTTP1",
        "LoadBalancerArns": [BALANCER],
        "Tags": {},
    } | changes


def seen(
    found: dict[str, Any] | None = None,
    balanced: dict[str, Any] | None = None,
    *,
    beside: dict[ServiceId, Any] | None = None,
    definition: Any = None,
) -> Observed:
    """Return what is seen of service and group, as they are where nothing is said."""
    return Observed(
        services={**(beside or {}), LEGACY: service() if found is None else found or None},
        target_groups={"legacy-http": group() if balanced is None else balanced or None},
        adopted_definition=definition,
    )


GONE: dict[str, Any] = {}
TAG_SERVICE = Action(
    service="ecs",
    operation="TagResource",
    params={"resourceArn": f"{ARN}:service/main/legacy", "tags": OWN},
    subject="ECS service legacy",
    reason="spec.adopt takes it over",
)
TAG_GROUP = Action(
    service="elbv2",
    operation="AddTags",
    params={"ResourceArns": [GROUP_ARN], "Tags": ownership.to_elb(tagged(role="target-group"))},
    subject="target group legacy-http",
    reason="spec.adopt takes it over with its ECS service",
)


def claimed(now: Observed, *, wish: Desired = WISH, state: State | None = None) -> tuple[Action, ...]:
    """Return what is tagged, () when nothing is claimed."""
    found = adoption.claim(wish, state or State(), now)
    return found.actions if found else ()


@pytest.mark.parametrize(
    ("now", "actions"),
    [
        pytest.param(seen(), (TAG_SERVICE, TAG_GROUP), id="untagged: the service first, then its group"),
        pytest.param(seen(service(tags=OWN)), (TAG_GROUP,), id="died between the two: only the group"),
        pytest.param(
            seen(service(tags=OWN), group(ProtocolVersion="HTTP2")),
            (TAG_GROUP,),
            id="what was claimed is not refused any more",
        ),
        pytest.param(seen(service(tags=OWN), GONE), (), id="claimed, and its group is gone"),
        pytest.param(seen(service(tags=OWN), group(Tags=tagged())), (), id="both are ours"),
        pytest.param(seen(balanced=group(Tags=tagged())), (TAG_SERVICE,), id="only the group is ours"),
        pytest.param(seen(balanced=group(ProtocolVersion=None)), (TAG_SERVICE, TAG_GROUP), id="HTTP1 unsaid"),
        pytest.param(seen(service(loadBalancers=[])), (TAG_SERVICE,), id="without a target group"),
        pytest.param(seen(service(loadBalancers=None)), (TAG_SERVICE,), id="without the member"),
        pytest.param(
            seen(beside={PLACE: {"status": "ACTIVE", "tags": OWN}}), (), id="a service of ours has its place"
        ),
        pytest.param(
            seen(beside={PLACE: {"status": "DRAINING", "tags": OWN}}),
            (TAG_SERVICE, TAG_GROUP),
            id="one of ours is on its way out",
        ),
        pytest.param(seen(beside={PLACE: None}), (TAG_SERVICE, TAG_GROUP), id="no service has our name"),
        pytest.param(
            seen(
                beside={
                    ServiceId("main", "another's"): {"status": "ACTIVE"},
                    PLACE: {"status": "ACTIVE", "tags": OWN},
                }
            ),
            (),
            id="one of ours beside one of somebody's",
        ),
    ],
)
def test_what_a_claim_tags(now: Observed, actions: tuple[Action, ...]) -> None:
    """Owner tags that are missing, and nothing else, each time that it is looked at."""
    assert claimed(now) == actions


def test_nothing_is_claimed_without_a_wish_or_beside_a_known_service() -> None:
    """A Deployment without `spec.adopt`, or with a service in its status, tags none."""
    assert claimed(seen(), wish=desired()) == ()
    assert claimed(seen(), state=State(slot=Slot(cluster="main", service_name="web"))) == ()
    assert adoption.place(desired()) is None
    assert adoption.place(WISH) == LEGACY


def test_the_adopted_service_is_slot_a_of_ordinal_0() -> None:
    """No name of ours has that ordinal, so a successor begins with 1."""
    assert adoption.slot(WISH) == Slot(name="a", ordinal=0, cluster="main", service_name="legacy")
    assert adoption.slot(desired()) == Slot(name="a", ordinal=0, cluster="main", service_name="")


MORE = dict.fromkeys(("cpu", "memory", "ipcMode", "pidMode", "taskRoleArn", "executionRoleArn"), "x")


@pytest.mark.parametrize(
    ("now", "text"),
    [
        pytest.param(
            seen(),
            "ECS service legacy with target groups legacy-http is taken over; the spec equals what runs",
            id="equal",
        ),
        pytest.param(
            seen(service(loadBalancers=[], platformVersion="1.3.0")),
            "ECS service legacy with no target group is taken over; the spec differs in platformVersion: its "
            "tasks are replaced",
            id="a member of the service differs",
        ),
        pytest.param(
            seen(definition={name: MORE[name] for name in list(MORE)[:5]} | dict(DEFINITION)),
            "ECS service legacy with target groups legacy-http is taken over; the spec differs in cpu, "
            "ipcMode, memory, pidMode, taskRoleArn: its tasks are replaced",
            id="five members",
        ),
        pytest.param(
            seen(service(platformVersion="1.3.0"), definition=MORE | dict(DEFINITION)),
            "ECS service legacy with target groups legacy-http is taken over; the spec differs in cpu, "
            "executionRoleArn, ipcMode, memory, pidMode and 2 more: its tasks are replaced",
            id="seven members",
        ),
    ],
)
def test_the_event_says_what_the_next_pass_will_replace(now: Observed, text: str) -> None:
    """A person reads before the tasks go what differs: five paths, and how many more."""
    found = adoption.claim(WISH, State(), now)
    assert found is not None
    assert found.note == Note(type="Normal", reason="ServiceAdopted", message=text)


def test_paths_are_told_without_values() -> None:
    """Environment variables are among them; the launch type was compared before the claim."""
    other = service(launchType="EC2", enableExecuteCommand=True)
    (container,) = DEFINITION["containerDefinitions"]
    definition = {**DEFINITION, "containerDefinitions": [container | {"image": "web:0"}], "cpu": "256"}
    assert adoption.differing(WISH, other, definition) == (
        "containerDefinitions.app.image",
        "cpu",
        "enableExecuteCommand",
    )
    assert adoption.differing(WISH, service(), None) == ()


def with_cluster(cluster: str, arn: str = f"{ARN}:service/main/legacy") -> Desired:
    """Return a wish for this cluster that adopts by this ARN."""
    return desired(cluster=cluster, adopt=Adoption.of(arn))


@pytest.mark.parametrize(
    ("wish", "now", "reason", "text"),
    [
        pytest.param(WISH, seen(GONE), "InvalidSpec", "cluster main is not there", id="not there"),
        pytest.param(
            WISH, seen(service(status="DRAINING")), "InvalidSpec", "cluster main is DRAINING", id="on its way"
        ),
        pytest.param(
            WISH,
            seen(service(tags=ownership.to_ecs(THEIRS))),
            "OwnershipConflict",
            "ECS service legacy has an owner (sluice.dev/installation test, sluice.dev/name other, "
            "sluice.dev/namespace shop)",
            id="another's service, told without its other tags",
        ),
        pytest.param(
            WISH,
            seen(balanced=group(Tags=THEIRS)),
            "OwnershipConflict",
            "target group legacy-http has an owner",
            id="another's group",
        ),
        pytest.param(
            WISH, seen(balanced=GONE), "InvalidSpec", "legacy-http of the service is not there", id="group"
        ),
        pytest.param(
            WISH, seen(service(launchType="EC2")), "InvalidSpec", "launchType EC2 → FARGATE", id="launch type"
        ),
        pytest.param(
            WISH,
            seen(service(loadBalancers=[{"loadBalancerName": "elb", "containerName": "app"}])),
            "InvalidSpec",
            "Classic Load Balancer",
            id="classic",
        ),
        pytest.param(
            desired(adopt=WISH.adopt, ports=(dataclasses.replace(HTTP, container_port=9090),)),
            seen(),
            "InvalidSpec",
            "container app port 8080, which the spec does not have",
            id="another port",
        ),
        pytest.param(
            desired(adopt=WISH.adopt, ports=(dataclasses.replace(HTTP, container_name="web"),)),
            seen(),
            "InvalidSpec",
            "container app port 8080, which the spec does not have",
            id="another container",
        ),
        pytest.param(
            WISH, seen(balanced=group(Protocol="TCP")), "InvalidSpec", "speaks TCP", id="a network balancer's"
        ),
        pytest.param(
            WISH,
            seen(balanced=group(ProtocolVersion="GRPC")),
            "InvalidSpec",
            "has protocol version GRPC, the spec HTTP1",
            id="another protocol",
        ),
        pytest.param(
            with_cluster("second"), seen(), "InvalidSpec", "is second, but ECS service legacy", id="cluster"
        ),
        pytest.param(
            with_cluster(f"{ARN}:cluster/second"), seen(), "InvalidSpec", "is in cluster main", id="by ARN"
        ),
    ],
)
def test_what_is_refused(wish: Desired, now: Observed, reason: str, text: str) -> None:
    """Before any tag is written; the text names what is in the way."""
    at = adoption.place(wish)
    assert at is not None
    now = dataclasses.replace(now, services={at: now.services[LEGACY]})
    with pytest.raises(Refused) as refused:
        adoption.claim(wish, State(), now)
    assert refused.value.reason == reason
    assert text in refused.value.message
    assert "secret" not in refused.value.message


@pytest.mark.parametrize(
    ("cluster", "arn"),
    [
        pytest.param("main", f"{ARN}:service/main/legacy", id="the same name"),
        pytest.param(f"{ARN}:cluster/main", f"{ARN}:service/main/legacy", id="its ARN"),
        pytest.param("second", f"{ARN}:service/legacy", id="an ARN that names none"),
    ],
)
def test_the_cluster_is_the_one_of_the_arn(cluster: str, arn: str) -> None:
    """By name or by ARN; an ARN of before 2018 says nothing about it."""
    wish = with_cluster(cluster, arn)
    now = Observed(services={ServiceId(cluster, "legacy"): service()}, target_groups={"legacy-http": group()})
    assert claimed(now, wish=wish) == (TAG_SERVICE, TAG_GROUP)
