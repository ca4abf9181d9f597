"""A port that gets another name, or another number, while a slot still has the old one."""

from __future__ import annotations

import pytest

from sluice.model.traffic import SlotTarget
from sluice.plan.route.intent import Backend
from sluice.plan.route.spec import port_numbers
from unit.route.standing import A, B, traffic
from unit.route.test_what_a_backend_gets import desired, publishes, rule, target

OLD, NEW = target("a", A), target("b", B, port="web")
BOTH = {"a": 900, "b": 100}
SPEC = {"ports": frozenset({"web", "8080"}), "numbers": {"web": 8080}}


@pytest.mark.parametrize(
    ("weights", "targets", "back", "sent"),
    [
        pytest.param({"a": 1000}, (OLD, NEW), False, {A: 1}, id="live-slot-has-the-old-name"),
        pytest.param(BOTH, (OLD, NEW), False, {A: 90, B: 10}, id="each-slot-by-its-own-name"),
        pytest.param({"a": 1000}, (OLD, target("b", B)), True, {A: 1}, id="neither-has-the-new-name-yet"),
    ],
)
def test_renamed(
    weights: dict[str, int], targets: tuple[SlotTarget, ...], sent: dict[str, int], *, back: bool
) -> None:
    """The new name stands for its number in a slot that has the old name: the route waits for nothing."""
    published = traffic(weights=weights, targets=targets, rollback=back)
    (found,), problems = desired(rule(Backend(name="web", port="web")), web=publishes(published, **SPEC))
    assert (found.weights, problems) == (sent, [])


@pytest.mark.parametrize("back", [False, True], ids=["forward", "back"])
def test_a_name_that_the_spec_forgot(*, back: bool) -> None:
    """It holds up a step forward, with the names that there are, and never a way back."""
    published = traffic(weights=BOTH, targets=(OLD, NEW), rollback=back)
    (found,), problems = desired(rule(Backend(name="web", port="http")), web=publishes(published, **SPEC))
    where = "spec.rules[main].backendRefs[web].port"
    told = (
        "Deployment shop/web has no port http on sandbox:80 in slot b, only in a: its spec has 8080, web: "
        f"correct {where}"
    )
    assert (found.weights, problems) == (({A: 90, B: 10}, []) if back else (None, [told]))


def test_another_number_under_another_name() -> None:
    """A port that the live revision does not have can't get requests yet: that is told, and what to do."""
    published = traffic(weights={"a": 1000}, targets=(OLD, target("b", B, port="web", number=9090)))
    facts = publishes(published, ports=frozenset({"web", "9090"}), numbers={"web": 9090})
    (found,), problems = desired(rule(Backend(name="web", port="web")), web=facts)
    assert found.weights is None
    told = (
        "Deployment shop/web has no port web on sandbox:80 in slot a, only in b: let a revision that has the "
        "old port and web become live before spec.rules[main].backendRefs[web].port asks for web"
    )
    assert problems == [told]


def test_names_that_change_places() -> None:
    """Two ports that swapped names: each slot is asked for what it calls by that name, nothing else."""
    targets = (
        target("a", "arn:a1"),
        target("a", "arn:a2", port="admin", number=9090),
        target("b", "arn:b1", port="admin"),
        target("b", "arn:b2", port="http", number=9090),
    )
    published = traffic(weights=BOTH, targets=targets)
    facts = publishes(published, ports=frozenset({"http", "admin"}), numbers={"http": 9090, "admin": 8080})
    (found,), _ = desired(rule(Backend(name="web", port="http")), web=facts)
    assert found.weights == {"arn:a1": 90, "arn:b2": 10}


def test_numbers_of_a_spec() -> None:
    """Both ways to write containers have names; a port without one has no name to stand for it."""
    pod = {"containers": [{"ports": [{"name": "web", "containerPort": 80}, {"containerPort": 81}]}]}
    body = {"containerDefinitions": [{"portMappings": [{"name": "api", "containerPort": 82}]}]}
    assert port_numbers({"spec": {"template": {"spec": pod}}}) == {"web": 80}
    assert port_numbers({"spec": {"taskDefinition": body}}) == {"api": 82}
    assert port_numbers({}) == {}


ADMIN = target("a", "arn:admin", port="admin", number=9090)
TOOK = target("b", B, number=9090)
"""http, on the number that admin has in slot a."""
LEFT = target("b", "arn:admin-b", port="admin", number=8081)


@pytest.mark.parametrize(
    ("targets", "numbers", "back"),
    [
        pytest.param((), {"http": 9090, "admin": 8081}, False, id="the-spec-knows"),
        pytest.param((), {"http": 9090, "admin": 8081}, True, id="the-spec-knows-on-the-way-back"),
        pytest.param((TOOK, LEFT), {"web": 8080, "admin": 9090}, True, id="the-other-slot-knows"),
        pytest.param((TOOK, LEFT), {"http": 9090, "admin": 8081}, False, id="both-know"),
    ],
)
def test_a_number_that_another_port_had(
    targets: tuple[SlotTarget, ...], numbers: dict[str, int], *, back: bool
) -> None:
    """A name that takes over the number of a port that moved on is not that port: all went to admin."""
    live = target("a", A, port="web")
    published = traffic(weights={"a": 1000}, targets=(live, ADMIN, *targets), rollback=back)
    facts = publishes(published, ports=frozenset(numbers), numbers=numbers)
    (found,), problems = desired(rule(Backend(name="web", port="http")), web=facts)
    assert (found.weights, len(problems)) == (None, 1)


def test_two_names_for_one_number() -> None:
    """Both are in the spec and mean the same: a slot that has only one of them is asked for the number."""
    both = {"ports": frozenset({"http", "web"}), "numbers": {"http": 8080, "web": 8080}}
    published = traffic(weights={"a": 1000}, targets=(OLD, NEW))
    (found,), problems = desired(rule(Backend(name="web", port="web")), web=publishes(published, **both))
    assert (found.weights, problems) == ({A: 1}, [])
