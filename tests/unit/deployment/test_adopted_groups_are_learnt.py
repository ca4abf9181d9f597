"""What is learnt of a claimed service's target groups, and when `spec.adopt` is without effect."""

from __future__ import annotations

import dataclasses

import pytest

from sluice.model.desired import Desired
from sluice.model.observed import Observed
from sluice.plan.deployment import adoption
from sluice.plan.deployment.state import Slot, State, TargetGroup
from unit.deployment.test_adoption_claims_or_refuses import GONE, GROUP_ARN, OWN, WISH, group, seen, service
from unit.deployment.wishes import BALANCER, HTTP, desired, tagged

LEARNT = TargetGroup(
    port="http",
    container_port=8080,
    load_balancer_arn=BALANCER,
    name="legacy-http",
    arn=GROUP_ARN,
    protocol_version="HTTP1",
)
OURS = group(Tags=tagged())
KNOWN = dataclasses.replace(LEARNT, port="known")
ADMIN = desired(adopt=WISH.adopt, ports=(dataclasses.replace(HTTP, container_port=9090),))


@pytest.mark.parametrize(
    ("wish", "state", "now", "groups"),
    [
        pytest.param(WISH, State(), seen(service(tags=OWN), OURS), (LEARNT,), id="claimed"),
        pytest.param(
            WISH,
            State(),
            seen(service(tags=OWN), OURS | {"LoadBalancerArns": [], "ProtocolVersion": "GRPC"}),
            (dataclasses.replace(LEARNT, load_balancer_arn="", protocol_version="GRPC"),),
            id="no load balancer uses it",
        ),
        pytest.param(
            WISH,
            State(),
            seen(service(tags=OWN), OURS | {"ProtocolVersion": None}),
            (LEARNT,),
            id="HTTP1 unsaid",
        ),
        pytest.param(
            WISH, State(target_groups=(KNOWN,)), seen(service(tags=OWN), OURS), (KNOWN,), id="known already"
        ),
        pytest.param(WISH, State(), seen(service(tags=OWN), GONE), (), id="the group is gone"),
        pytest.param(WISH, State(), seen(service(tags=OWN), group()), (), id="the group is not ours"),
        pytest.param(ADMIN, State(), seen(service(tags=OWN), OURS), (), id="the spec lacks the port"),
        pytest.param(WISH, State(), seen(service(), OURS), (), id="the service is not ours"),
        pytest.param(
            WISH, State(), seen(service(tags=OWN, status="DRAINING"), OURS), (), id="the service goes"
        ),
        pytest.param(WISH, State(), seen(GONE, OURS), (), id="the service is gone"),
        pytest.param(
            WISH, State(slot=Slot(service_name="x")), seen(service(tags=OWN), OURS), (), id="a known slot"
        ),
        pytest.param(desired(), State(), seen(service(tags=OWN), OURS), (), id="nothing is to be adopted"),
    ],
)
def test_the_groups_of_a_claimed_service_are_learnt(
    wish: Desired, state: State, now: Observed, groups: tuple[TargetGroup, ...]
) -> None:
    """As its successor needs them; their names tell nothing, so only what AWS shows counts."""
    assert adoption.learn(wish, state, now) == dataclasses.replace(state, target_groups=groups)


@pytest.mark.parametrize(
    ("wish", "state", "warns"),
    [
        pytest.param(desired(), State(slot=Slot(service_name="own")), False, id="no adoption"),
        pytest.param(WISH, State(), False, id="not taken over yet"),
        pytest.param(WISH, State(slot=Slot(service_name="legacy")), False, id="taken over"),
        pytest.param(WISH, State(slot=Slot(service_name="own")), True, id="has a service of its own"),
    ],
)
def test_an_adoption_without_effect_is_warned_of(wish: Desired, state: State, *, warns: bool) -> None:
    """Both services are named."""
    text = adoption.reminder(wish, state)
    assert ("legacy" in text, "own" in text) == (warns, warns)
