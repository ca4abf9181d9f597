"""The outbox's ConfigMap against a real API server: made, replaced under its version, shared by leaders."""

from __future__ import annotations

import pytest
from cluster_desk import Desk

from sluice.model.errors import WriteConflict
from sluice.runtime.kube_config_map import ENTRY, ConfigMapShelf

pytestmark = pytest.mark.integration


def shelf(desk: Desk) -> ConfigMapShelf:
    """Return a leader's shelf in the test's namespace."""
    return ConfigMapShelf(desk.connect(), namespace=desk.namespace, name="sluice-notifications")


def path(desk: Desk) -> str:
    """Return where the ConfigMap is."""
    return f"/api/v1/namespaces/{desk.namespace}/configmaps/sluice-notifications"


def test_a_document_outlives_its_writer(desk: Desk) -> None:
    """There is none at first; what one leader wrote the next one reads and replaces."""
    first = shelf(desk)
    assert first.load() is None
    first.save("one")
    first.save("two")
    second = shelf(desk)
    assert second.load() == "two"
    second.save("three")
    assert shelf(desk).load() == "three"


def test_two_leaders_never_overwrite_each_other(desk: Desk) -> None:
    """Whoever did not see the newest document conflicts, at its creation, too; a new look ends it."""
    first, second = shelf(desk), shelf(desk)
    assert (first.load(), second.load()) == (None, None)
    first.save("one")
    with pytest.raises(WriteConflict):
        second.save("lost")
    assert second.load() == "one"
    second.save("two")
    with pytest.raises(WriteConflict):
        first.save("lost")
    assert first.load() == "two"


def test_a_document_that_was_deleted_is_made_again(desk: Desk) -> None:
    """Somebody's `kubectl delete` is a conflict, and the next look finds nothing."""
    one = shelf(desk)
    one.load()
    one.save("one")
    desk.cluster.request("DELETE", path(desk))
    with pytest.raises(WriteConflict):
        one.save("two")
    assert one.load() is None
    one.save("two")
    assert shelf(desk).load() == "two"


def test_what_people_put_on_it_stays(desk: Desk) -> None:
    """Labels and annotations survive a write; other entries of the data do not belong there."""
    metadata = {"name": "sluice-notifications", "labels": {"team": "a"}, "annotations": {"note": "b"}}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"other": "x"}}
    desk.cluster.request("POST", f"/api/v1/namespaces/{desk.namespace}/configmaps", body=body)
    one = shelf(desk)
    assert one.load() is None
    one.save("text")
    found = desk.cluster.request("GET", path(desk))
    assert (found["metadata"]["labels"], found["metadata"]["annotations"]) == ({"team": "a"}, {"note": "b"})
    assert found["data"] == {ENTRY: "text"}
