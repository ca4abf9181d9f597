"""The store never goes back in time, buries the dead and finds routes by their Deployments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runtime_fakes import TurnedClock, deployment, route

from sluice.model.errors import WriteConflict
from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key
from sluice.runtime.store import (
    PATIENCE,
    ObjectStore,
    Seen,
    backends,
    older,
    version_of,
    without_managed_fields,
)

KEY = Key(DEPLOYMENT, "shop", "checkout")
WEB = Key(SERVICE_ROUTE, "shop", "web")


@pytest.fixture
def store(clock: TurnedClock) -> ObjectStore:
    """An empty store."""
    return ObjectStore(clock)


def stored_version(store: ObjectStore) -> str | None:
    """Return the resourceVersion that controllers see."""
    obj = store.get(KEY)
    return None if obj is None else version_of(obj)


def test_news_and_echoes(store: ObjectStore) -> None:
    """The same or an older resourceVersion is an echo; the store keeps what it has."""
    assert store.put(KEY, deployment(version=9)).seen is Seen.NEW
    assert store.put(KEY, deployment(version=9)).seen is Seen.ECHO
    assert store.put(KEY, deployment(version=8)).seen is Seen.ECHO
    assert store.put(KEY, deployment(version=10)).seen is Seen.CHANGED
    assert stored_version(store) == "10"


def test_versions_are_numbers_not_text(store: ObjectStore) -> None:
    """10 is newer than 9, whatever their text says."""
    assert (older("9", "10"), older("10", "9"), older("9", "9"), older("a", "10")) == (
        True,
        False,
        False,
        None,
    )


def test_an_own_write_is_there_at_once_and_its_event_is_an_echo(store: ObjectStore) -> None:
    """What this process wrote needs no watch to be seen, and the watch's copy is no news."""
    store.put(KEY, deployment(version=1))
    store.wrote(KEY, deployment(version=2))
    assert stored_version(store) == "2"
    assert store.put(KEY, deployment(version=2)).seen is Seen.ECHO


def test_an_answer_that_comes_after_a_newer_event_changes_nothing(store: ObjectStore) -> None:
    """The watch may be faster than the answer to the write before it."""
    store.put(KEY, deployment(version=3))
    assert store.wrote(KEY, deployment(version=2)).seen is Seen.ECHO
    assert stored_version(store) == "3"


def test_an_object_older_than_an_own_write_is_not_handed_out(store: ObjectStore) -> None:
    """Read your writes: until the watch delivers what was written, a pass has to wait."""
    store.put(KEY, deployment(version=1))
    store.newest(KEY, "5")
    with pytest.raises(WriteConflict, match="resourceVersion 5"):
        store.get(KEY)
    assert store.put(KEY, deployment(version=4)).seen is Seen.ECHO
    assert store.put(KEY, deployment(version=6)).seen is Seen.CHANGED
    assert stored_version(store) == "6"


def test_a_known_write_is_not_awaited(store: ObjectStore) -> None:
    """`newest` about a version that is there already, or older, makes nobody wait."""
    store.put(KEY, deployment(version=5))
    store.newest(KEY, "5")
    store.newest(KEY, "4")
    assert stored_version(store) == "5"


def test_versions_that_are_no_numbers_wait_for_the_written_one(
    store: ObjectStore, clock: TurnedClock
) -> None:
    """Rollout.md §7 point 10: what is not the written version waits for it."""
    store.put(KEY, deployment(version="aa"))
    store.wrote(KEY, deployment(version="bb"))
    assert store.put(KEY, deployment(version="zz")).seen is Seen.ECHO
    assert stored_version(store) == "bb"
    assert store.put(KEY, deployment(version="bb")).seen is Seen.ECHO
    assert store.put(KEY, deployment(version="cc")).seen is Seen.CHANGED
    assert stored_version(store) == "cc"


def test_waiting_for_a_version_ends(store: ObjectStore, clock: TurnedClock) -> None:
    """When the watch skips the written version, the last thing it said counts after a while."""
    store.put(KEY, deployment(version="aa"))
    store.wrote(KEY, deployment(version="bb"))
    store.put(KEY, deployment(version="zz"))
    clock.time += PATIENCE + 1
    assert stored_version(store) == "zz"


def test_the_dead_stay_dead(store: ObjectStore) -> None:
    """Neither an answer nor a listed event that comes late brings a deleted object back."""
    store.put(KEY, deployment(version=1))
    store.delete(KEY, "u1")
    assert store.wrote(KEY, deployment(version=2)).seen is Seen.ECHO
    assert store.put(KEY, deployment(version=1)).seen is Seen.ECHO
    assert store.get(KEY) is None


def test_a_successor_lives(store: ObjectStore) -> None:
    """An object made again under the same name is another one, and the old one's death is not its own."""
    store.put(KEY, deployment(version=1))
    store.delete(KEY, "u1")
    store.put(KEY, deployment(version=7, uid="u2"))
    store.delete(KEY, "u1")
    assert stored_version(store) == "7"


def test_an_object_whose_last_finalizer_went_is_gone(store: ObjectStore) -> None:
    """The answer to the write that takes the last finalizer is the news of the deletion."""
    store.put(KEY, deployment(version=1, finalizers=["sluice.dev/finalizer"]))
    store.wrote(KEY, deployment(version=2, deletionTimestamp="2026-11-21T00:00:00Z", finalizers=[]))
    assert store.get(KEY) is None


def test_an_object_with_another_finalizer_stays(store: ObjectStore) -> None:
    """Somebody else's finalizer keeps it in existence."""
    store.put(KEY, deployment(version=1))
    store.wrote(KEY, deployment(version=2, deletionTimestamp="2026-11-21T00:00:00Z", finalizers=["other"]))
    assert stored_version(store) == "2"


def test_routes_are_found_by_their_deployments(store: ObjectStore) -> None:
    """The index follows the backendRefs, also when the Deployment does not exist."""
    store.put(WEB, route("web", "checkout", "cart"))
    other = Key(SERVICE_ROUTE, "shop", "admin")
    store.put(other, route("admin", "checkout", uid="r2"))
    assert [obj["metadata"]["name"] for obj in store.routes_to(KEY)] == ["admin", "web"]
    store.put(WEB, route("web", "cart", version=2))
    assert [obj["metadata"]["name"] for obj in store.routes_to(KEY)] == ["admin"]
    store.delete(other, "r2")
    assert store.routes_to(KEY) == []
    assert store.keys(SERVICE_ROUTE) == [WEB]


def test_a_route_with_discovery_refers_to_its_backend(store: ObjectStore) -> None:
    """`discovery.backendRef` counts like a rule's, with rules or without."""
    named = {"discovery": {"backendRef": {"name": "checkout"}}}
    store.put(WEB, route("web") | {"spec": named})
    assert [obj["metadata"]["name"] for obj in store.routes_to(KEY)] == ["web"]
    assert backends(route("web", "cart") | {"spec": route("web", "cart")["spec"] | named}) == {
        KEY,
        Key(DEPLOYMENT, "shop", "cart"),
    }


def test_a_route_refers_to_whom_it_is_leaving() -> None:
    """Deployments that had a name count until their entries have left: status tells of them."""
    told = {"backend": "a", "formerBackend": "b", "left": [{"backend": "c"}, {}]}
    assert backends(route("web") | {"status": {"discovery": told}}) == {
        Key(DEPLOYMENT, "shop", name) for name in "abc"
    }
    assert backends(route("web") | {"status": {"discovery": None}}) == frozenset()


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(None, id="no-spec"),
        pytest.param({"discovery": 1}, id="discovery-no-object"),
        pytest.param({"discovery": {"backendRef": []}}, id="ref-no-object"),
        pytest.param({"discovery": {"backendRef": {}}}, id="ref-without-name"),
        pytest.param({"rules": "x"}, id="rules-no-list"),
        pytest.param({"rules": [1, {"backendRefs": None}]}, id="no-refs"),
        pytest.param({"rules": [{"backendRefs": [{}, "a"]}]}, id="no-names"),
    ],
)
def test_a_malformed_route_refers_to_nothing(spec: object) -> None:
    """Watch events are never parsed, so whatever is in a spec must not raise."""
    assert backends(route("web") | {"spec": spec}) == frozenset()


def test_managed_fields_are_not_kept() -> None:
    """A third of an object is of no use to anybody here; the original is not changed."""
    obj = deployment(managedFields=[{"manager": "kubectl"}])
    assert "managedFields" not in without_managed_fields(obj)["metadata"]
    assert "managedFields" in obj["metadata"]


@given(st.lists(st.tuples(st.sampled_from(["put", "wrote", "newest"]), st.integers(1, 30)), max_size=40))
def test_what_is_handed_out_never_gets_older(steps: list[tuple[str, int]]) -> None:
    """Whatever the order of events, answers and promises, controllers see versions that only grow."""
    store = ObjectStore(TurnedClock())
    last = 0
    for what, number in steps:
        if what == "newest":
            store.newest(KEY, str(number))
        else:
            getattr(store, what)(KEY, deployment(version=number))
        try:
            version = stored_version(store)
        except WriteConflict:
            continue
        assert int(version or 0) >= last
        last = int(version or 0)
