"""What a status leaves out, what instances are called in it, and which place an intent means."""

from __future__ import annotations

import dataclasses

import pytest

from sluice.model.discovery import DiscoveryIntent, NamespaceIntent
from sluice.plan.discovery.memory import Failing, Leaving, Memory, Pending, short


def test_what_a_status_leaves_out_is_read_as_nothing() -> None:
    """Zeros are not written; counts always are, and a failure has happened once."""
    status = {
        "operations": [{"kind": "register", "target": "t1"}],
        "leaving": [{"stage": "out", "instances": ["t1"]}],
        "failing": [{"targets": ["t1"]}],
    }
    memory = Memory.read(status)
    assert memory == Memory(
        operations=(Pending(kind="register", target="t1"),),
        leaving=(Leaving(stage="out", since=0.0, instances=("t1",)),),
        failing=(Failing(count=1, retry_at=0.0, targets=("t1",)),),
    )
    assert Memory().write() == {"instances": 0, "healthy": 0, "foreign": 0, "pendingOperations": 0}


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        pytest.param("lb-shop-prod", True, id="twelve characters"),
        pytest.param("lb-shop-prods", False, id="thirteen characters"),
    ],
)
def test_a_name_of_up_to_twelve_characters_is_kept(name: str, *, kept: bool) -> None:
    """A person reads it in the status; a longer one is told apart by its hash."""
    assert (short(f"sluice-{name}") == name) is kept
    assert len(short(f"sluice-{name}")) == 12


HERE = Memory(mode="Tasks", namespace="corp.local", namespace_id="ns-1", service="web", backend="web")


def intent(service: str = "web", *, name: str = "", number: str = "") -> DiscoveryIntent:
    """Return an intent for a service in a namespace that is given by name or by id."""
    return DiscoveryIntent(
        mode="Tasks", namespace=NamespaceIntent(name=name, id=number), service=service, backend="web"
    )


@pytest.mark.parametrize(
    ("memory", "meant", "same"),
    [
        pytest.param(HERE, intent(name="corp.local"), True, id="by name"),
        pytest.param(HERE, intent(name="other"), False, id="by another name"),
        pytest.param(HERE, intent(number="ns-1"), True, id="by id"),
        pytest.param(HERE, intent(number="ns-2"), False, id="by another id"),
        pytest.param(HERE, intent(number="ns-1", name="other"), True, id="the id counts"),
        pytest.param(
            dataclasses.replace(HERE, namespace="ns-1", namespace_id=""),
            intent(number="ns-1"),
            True,
            id="not seen yet",
        ),
        pytest.param(HERE, intent("other", name="corp.local"), False, id="another service"),
        pytest.param(HERE, intent("other", name="other"), False, id="neither"),
    ],
)
def test_which_place_an_intent_means(memory: Memory, meant: DiscoveryIntent, *, same: bool) -> None:
    """Namespace and service both; a namespace that was not seen is remembered by what it was called."""
    assert memory.is_at(meant) is same
    assert (memory.moved(meant) == memory) is same


def test_places_that_are_left_are_kept_until_they_are_gone() -> None:
    """Each once: back at one of them, the others and the one that was just left stay."""
    first, second, third = (dataclasses.replace(HERE, service=name) for name in ("one", "two", "three"))
    there = dataclasses.replace(third, left=(first, second))
    back = there.moved(intent("one", name="corp.local"))
    assert back == dataclasses.replace(first, left=(second, third))
    new = there.moved(intent("four", name="corp.local"))
    assert new == Memory(left=(first, second, third))
    assert Memory().moved(intent("four", name="corp.local")) == Memory()


def test_a_place_is_left_with_what_is_remembered_of_it() -> None:
    """Enough of an intent to take its entries away; nothing was there where no mode is known."""
    assert HERE.former() == intent(name="corp.local", number="ns-1")
    assert Memory().former() is None
