"""The client's contract with a real API server: replaced status, conflicts, lists, revisions, Leases."""

from __future__ import annotations

import pytest
from cluster_desk import Desk

from sluice.model.errors import Retryable, WriteConflict
from sluice.model.keys import DEPLOYMENT, FINALIZER, SERVICE_ROUTE
from sluice.runtime import kube
from sluice.runtime.apiserver import KubernetesFailure, Request
from sluice.runtime.kube_lease import LeaseApi
from sluice.runtime.lease import CALL_BUDGET, Elector, LeaseTimes

pytestmark = pytest.mark.integration


def test_status_is_replaced_not_merged(desk: Desk) -> None:
    """A field that vanishes from the status vanishes from the object; the spec stays as it is."""
    first = desk.create("checkout")
    second = desk.api.patch_status(
        first, {"observedGeneration": 1, "replicas": 2, "intents": {"retry": "r1"}}
    )
    third = desk.api.patch_status(second, {"observedGeneration": 1, "replicas": 3})
    assert third["status"] == {"observedGeneration": 1, "replicas": 3} == desk.read("checkout")["status"]
    assert third["metadata"]["generation"] == 1
    assert "managedFields" not in third["metadata"]


def test_a_status_on_an_old_version_conflicts(desk: Desk) -> None:
    """Whoever planned on an older object writes nothing."""
    old = desk.create("checkout")
    desk.api.patch_status(old, {"observedGeneration": 1})
    with pytest.raises(WriteConflict):
        desk.api.patch_status(old, {"observedGeneration": 1, "replicas": 9})
    assert desk.read("checkout")["status"] == {"observedGeneration": 1}


def test_a_status_of_a_deleted_object_conflicts(desk: Desk) -> None:
    """An object that is gone is a conflict, not a failure: the pass has nothing to do any more."""
    obj = desk.create("checkout")
    desk.delete("checkout")
    with pytest.raises(WriteConflict):
        desk.api.patch_status(obj, {"observedGeneration": 1})


def test_an_invalid_status_is_retryable(desk: Desk) -> None:
    """A status that the schema refuses is reported with the API server's words."""
    obj = desk.create("checkout")
    with pytest.raises(Retryable, match="replicas"):
        desk.api.patch_status(obj, {"replicas": "many"})


def test_finalizers_hold_and_release(desk: Desk) -> None:
    """With our finalizer a deletion waits; taking it away is the deletion, and the store knows at once."""
    held = desk.api.set_finalizers(desk.create("checkout"), [FINALIZER])
    desk.delete("checkout")
    deleted = desk.api.read(desk.key("checkout"))
    assert deleted is not None
    assert held["metadata"]["finalizers"] == [FINALIZER]
    assert "deletionTimestamp" in deleted["metadata"]
    desk.api.set_finalizers(deleted, [])
    assert desk.api.read(desk.key("checkout")) is None
    assert desk.store.get(desk.key("checkout")) is None


def test_own_writes_are_in_the_store_at_once(desk: Desk) -> None:
    """The answer to a write feeds the store; the watch is not needed."""
    written = desk.api.patch_status(desk.create("checkout"), {"observedGeneration": 1})
    assert desk.store.get(desk.key("checkout")) == written


def test_keys_are_listed_without_specs_page_by_page(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both kinds, all pages, with uid and resourceVersion."""
    monkeypatch.setattr(kube, "LIST_PAGE", 2)
    made = {desk.key(f"d{n}"): desk.create(f"d{n}") for n in range(5)}
    made[desk.key("web", SERVICE_ROUTE)] = desk.create_route("web", "d0")
    found = desk.api.list_keys((desk.namespace,))
    assert found == {
        key: (obj["metadata"]["uid"], obj["metadata"]["resourceVersion"]) for key, obj in made.items()
    }
    assert set(made) <= set(desk.api.list_keys())


def test_metadata_lists_carry_no_spec(desk: Desk) -> None:
    """The Accept header makes a list of metadata: what a sweep of thousands costs."""
    desk.create("checkout")
    answer = desk.server.send(
        Request(method="GET", path=desk.path(), resource="x", accept=kube.METADATA_ONLY, repeatable=True)
    )
    assert answer["kind"] == "PartialObjectMetadataList"
    assert "spec" not in answer["items"][0]


def test_both_kinds_are_served(desk: Desk) -> None:
    """The start-up check finds nothing missing where the definitions are installed."""
    assert desk.api.missing_kinds() == []


def test_revisions(desk: Desk) -> None:
    """ControllerRevisions are made once, found by owner in order, and deleted without complaint."""
    owner = desk.create("a" * 60)
    other = desk.create("b")
    for number, name in [(10, "rev-c"), (9, "rev-b"), (9, "rev-b")]:
        desk.api.create_revision(owner, name, number=number, data={"n": number})
    desk.api.create_revision(other, "rev-other", number=1, data={})
    found = desk.api.revisions(desk.key("a" * 60))
    assert [(item["metadata"]["name"], item["revision"], item["data"]) for item in found] == [
        ("rev-b", 9, {"n": 9}),
        ("rev-c", 10, {"n": 10}),
    ]
    assert found[0]["metadata"]["ownerReferences"][0]["kind"] == DEPLOYMENT
    desk.api.delete_revision(desk.namespace, "rev-b")
    desk.api.delete_revision(desk.namespace, "rev-b")
    assert [item["metadata"]["name"] for item in desk.api.revisions(desk.key("a" * 60))] == ["rev-c"]


def test_config_maps_secrets_and_labels(desk: Desk) -> None:
    """What a spec refers to is read; what does not exist is None; a namespace has its labels."""
    core = f"/api/v1/namespaces/{desk.namespace}"
    desk.cluster.request("POST", f"{core}/configmaps", body={"metadata": {"name": "c"}, "data": {"k": "v"}})
    desk.cluster.request(
        "POST", f"{core}/secrets", body={"metadata": {"name": "s"}, "stringData": {"k": "v"}}
    )
    config_map = desk.api.config_map(desk.namespace, "c")
    secret = desk.api.secret(desk.namespace, "s")
    assert config_map is not None
    assert secret is not None
    assert (config_map["data"], secret["data"]) == ({"k": "v"}, {"k": "dg=="})
    assert desk.api.config_map(desk.namespace, "none") is desk.api.secret(desk.namespace, "none") is None
    assert desk.api.namespace_labels(desk.namespace)["kubernetes.io/metadata.name"] == desk.namespace
    assert desk.api.namespace_labels("does-not-exist") == {}


def test_an_api_server_that_does_not_answer_is_retryable(desk: Desk) -> None:
    """No answer has code 0 and is counted as such."""
    server = desk.connect()
    server._host = "https://127.0.0.1:9"
    with pytest.raises(KubernetesFailure) as caught:
        server.send(Request(method="GET", path="/version", resource="version"))
    assert caught.value.code == 0
    labels = {"verb": "GET", "resource": "version", "code": "0"}
    assert desk.metrics.registry.get_sample_value("sluice_kubernetes_requests_total", labels) == 1


def test_the_lease_changes_hands(desk: Desk) -> None:
    """Two electors, one Lease: one leads, a release hands over at once, a silence after the duration."""
    times = LeaseTimes(duration=1.0, renew_deadline=0.8, retry_period=0.2)

    def candidate(identity: str) -> Elector:
        return Elector(
            LeaseApi(desk.connect(), timeout=2),
            namespace=desk.namespace,
            name="sluice",
            identity=identity,
            times=times,
            clock=desk.clock,
        )

    one, two, three = candidate("one"), candidate("two"), candidate("three")
    assert one.step()
    assert not two.step()
    assert one.step()
    one.release()
    assert two.step()
    assert (two.epoch, two.settles_in) == (1, 0)
    three.step()
    deadline = desk.clock.monotonic() + 10
    while not three.step() and desk.clock.monotonic() < deadline:
        two._stop.wait(0.1)
    assert three.leading
    assert three.epoch == 2
    assert CALL_BUDGET - 1 < three.settles_in <= CALL_BUDGET
    two.step()
    assert not two.leading
