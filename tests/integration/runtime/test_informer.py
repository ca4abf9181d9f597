"""kopf as informer on a real API server: what it delivers, what it must not write, what it misses."""

from __future__ import annotations

import pytest
from cluster_desk import Desk, until

from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE
from sluice.runtime.store import version_of

pytestmark = pytest.mark.integration


def test_both_kinds_reach_store_and_queue(desk: Desk) -> None:
    """Objects from before and after the start of the watch are in the store, routes are indexed."""
    desk.create("before")
    desk.watch()
    until(lambda: desk.store.get(desk.key("before")), "the listed Deployment")
    desk.create("after")
    desk.create_route("web", "after")
    until(lambda: desk.store.get(desk.key("after")), "the created Deployment")
    until(lambda: desk.store.get(desk.key("web", SERVICE_ROUTE)), "the created route")
    assert [route["metadata"]["name"] for route in desk.store.routes_to(desk.key("after"))] == ["web"]
    assert desk.sweep.missing() == []
    assert sum(desk.queue.depth().values()) == 3


def test_the_framework_writes_nothing(desk: Desk) -> None:
    """No PATCH: neither finalizer nor annotation nor another field manager, however often it changes."""
    created = desk.create("checkout")
    desk.watch()
    until(lambda: desk.store.get(desk.key("checkout")), "the listed Deployment")
    desk.create("later")  # what comes after has passed all of kopf's steps for what came before
    until(lambda: desk.store.get(desk.key("later")), "the created Deployment")
    now = desk.read("checkout")
    assert now["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]
    assert "annotations" not in now["metadata"]
    assert "finalizers" not in now["metadata"]


def test_echoes_of_own_writes_are_recognised(desk: Desk) -> None:
    """The event of an own status write is heard, known and queued nowhere."""
    created = desk.create("checkout")
    desk.watch()
    until(lambda: desk.store.get(desk.key("checkout")), "the listed Deployment")
    taken = desk.queue.get(block=False)
    assert taken is not None
    desk.queue.done(taken.key)
    written = created
    for number in range(1, 21):
        written = desk.api.patch_status(written, {"observedGeneration": number})
    desk.cluster.kubectl("-n", desk.namespace, "annotate", "ecsd/checkout", "sluice.dev/reconcile-now=1")
    until(lambda: (DEPLOYMENT, "changed") in desk.heard, "the foreign change, after all echoes")
    assert desk.heard.count((DEPLOYMENT, "changed")) == 1
    assert (DEPLOYMENT, "echo") in desk.heard


def test_foreign_changes_are_news(desk: Desk) -> None:
    """Somebody else's write after ours is delivered and queued."""
    created = desk.create("checkout")
    desk.watch()
    until(lambda: desk.store.get(desk.key("checkout")), "the listed Deployment")
    taken = desk.queue.get(block=False)
    assert taken is not None
    desk.queue.done(taken.key)
    desk.api.patch_status(created, {"observedGeneration": 1})
    desk.cluster.kubectl("-n", desk.namespace, "annotate", "ecsd/checkout", "sluice.dev/reconcile-now=1")
    newest = version_of(desk.read("checkout"))
    until(lambda: version_of(desk.store.get(desk.key("checkout")) or created) == newest, "the newest version")
    until(lambda: desk.queue.get(block=False), "the key in the queue")


def test_deletions_are_delivered(desk: Desk) -> None:
    """A deletion that the watch sees drops the object at once."""
    desk.create("checkout")
    desk.watch()
    until(lambda: desk.store.get(desk.key("checkout")), "the listed Deployment")
    desk.delete("checkout")
    until(lambda: desk.store.get(desk.key("checkout")) is None, "the deletion")


def test_the_sweep_finds_a_deletion_that_no_watch_saw(desk: Desk) -> None:
    """What kopf lists after a gap says nothing of what vanished in it (reproduced); the sweep does."""
    desk.create("gone")
    desk.create("stays")
    first = desk.watch()
    until(lambda: len(desk.store.snapshot()) == 2, "the listed Deployments")
    first.stop(10)
    desk.delete("gone")
    desk.create("new")
    desk.watch()
    until(lambda: desk.store.get(desk.key("new")), "the list of the second watch")
    assert desk.store.get(desk.key("gone")) is not None
    assert desk.sweep.run() == 1
    assert desk.store.get(desk.key("gone")) is None
    assert desk.store.get(desk.key("stays")) is not None


def test_a_stopped_informer_is_no_fatal_end(desk: Desk) -> None:
    """Stopping on purpose reports nothing; while it runs its loop ticks."""
    informer = desk.watch()
    until(informer.alive, "the thread")
    until(lambda: informer.silence() < 1.5, "a tick of the loop")
    informer.stop(10)
    assert not informer.alive()
    assert desk.ended == []
