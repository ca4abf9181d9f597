"""Who is told: namespaces, labels, events, and the object's own word."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sluice.notify.audience import Audience, Membership
from unit.notify.told import moment

MEMBERSHIPS = (
    Membership(sink="all"),
    Membership(sink="shop", namespaces=("shop", "shop-*")),
    Membership(sink="bank", namespaces=("bank",)),
    Membership(sink="gold", namespace_labels={"tier": "gold"}),
    Membership(sink="ends", events=frozenset({"Succeeded", "RolledBack"})),
    Membership(sink="pager", opt_in=True),
)
LABELS: Mapping[str, Mapping[str, str]] = {"shop": {"tier": "gold", "team": "a"}}


def audience() -> Audience:
    """Return an audience whose namespace `shop` is golden."""
    return Audience(MEMBERSHIPS, labels=lambda namespace: LABELS.get(namespace, {}))


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        pytest.param(None, ("all", "shop", "gold"), id="the-namespace's"),
        pytest.param("off", (), id="off"),
        pytest.param("", (), id="empty-is-none"),
        pytest.param("pager", ("pager",), id="opted-in"),
        pytest.param(" pager , shop ", ("shop", "pager"), id="several"),
        pytest.param("bank", (), id="another-namespace's"),
        pytest.param("nobody,all", ("all",), id="unknown"),
        pytest.param("ends", (), id="not-this-event"),
    ],
)
def test_who_is_told_of_a_start(annotation: str | None, expected: tuple[str, ...]) -> None:
    """The annotation chooses among the sinks of the namespace, never beyond them."""
    assert audience().of(moment(), annotation) == expected


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        pytest.param(None, (), id="none"),
        pytest.param("off", (), id="off"),
        pytest.param("all, bank, nobody", ("bank", "nobody"), id="strangers"),
        pytest.param("off, all", ("off",), id="off-beside-others-is-a-name"),
    ],
)
def test_names_that_mean_nothing_are_told(annotation: str | None, expected: tuple[str, ...]) -> None:
    """A sink of another namespace is as unknown as one that does not exist."""
    assert audience().unknown("shop", annotation) == expected


def test_labels_are_asked_for_only_where_they_decide() -> None:
    """Without a sink that wants labels nobody asks the API server."""

    def never(_namespace: str) -> Mapping[str, str]:
        raise AssertionError

    plain = [entry for entry in MEMBERSHIPS if not entry.namespace_labels]
    assert Audience(plain, labels=never).of(moment(), None) == ("all", "shop")
