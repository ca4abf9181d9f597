"""A Kubernetes API in memory, as strict as the real one where the operator could get it wrong.

resourceVersions and conflicts, generation that moves with spec alone, a status that only `/status`
writes and that fits the CRD's schema, finalizers, deletion in two phases, owned ControllerRevisions
collected with their owner, and a watch that delivers copies in order but only when told, so that a
test decides how stale the operator's store is. What the real API server does beyond that is proven at
the integration level.
"""

from __future__ import annotations

import copy
import itertools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sim.schema import check_status
from sluice.model.conditions import UNSEEN, timestamp
from sluice.model.errors import WriteConflict
from sluice.model.keys import API_VERSION, Key

Event = tuple[str, dict[str, Any]]
"""(`MODIFIED` | `DELETED`, object)."""


class Cluster:
    """The API server's side: what is stored, and the watch events that were not delivered yet."""

    def __init__(self, *, now: Callable[[], float]) -> None:
        """Start empty; `now` stamps creation times."""
        self._now = now
        self._versions = itertools.count(1000)
        self._uids = itertools.count(1)
        self.objects: dict[Key, dict[str, Any]] = {}
        self.config_maps: dict[tuple[str, str], dict[str, Any]] = {}
        self.secrets: dict[tuple[str, str], dict[str, Any]] = {}
        self.revisions: dict[tuple[str, str], dict[str, Any]] = {}
        self.pending: deque[Event] = deque()
        self.writes: list[str] = []

    # What a person does.

    def apply(self, manifest: Mapping[str, Any]) -> Key:
        """Create or update an object as `kubectl apply` does; status in the manifest is ignored."""
        key = Key(manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        old = self.objects.get(key)
        if old is None:
            new = copy.deepcopy(dict(manifest))
            new["apiVersion"] = API_VERSION
            new["metadata"] |= {
                "uid": f"uid-{next(self._uids)}",
                "generation": 1,
                "creationTimestamp": timestamp(self._now()),
            }
            new["status"] = {"observedGeneration": UNSEEN}  # the API server's default
            self._store(key, new)
            return key
        new = copy.deepcopy(old)
        new["spec"] = copy.deepcopy(manifest["spec"])
        for field in ("annotations", "labels"):
            if field in manifest["metadata"]:
                new["metadata"][field] = dict(manifest["metadata"][field])
        self._replace(key, new)
        return key

    def edit(self, key: Key, change: Callable[[dict[str, Any]], None]) -> None:
        """Change a stored object in place as `kubectl edit` would."""
        new = copy.deepcopy(self.objects[key])
        change(new)
        self._replace(key, new)

    def scale(self, key: Key, replicas: int) -> None:
        """Do what `kubectl scale` does."""
        self.edit(key, lambda obj: obj["spec"].update(replicas=replicas))

    def annotate(self, key: Key, **annotations: str) -> None:
        """Set annotations under `sluice.dev/`, with `_` for `-` in their names."""
        named = {f"sluice.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}
        self.edit(key, lambda obj: obj["metadata"].setdefault("annotations", {}).update(named))

    def delete(self, key: Key) -> None:
        """Delete: at once without finalizers, else a deletionTimestamp and a wait."""
        obj = self.objects.get(key)
        if obj is None:
            return
        if not obj["metadata"].get("finalizers"):
            self._remove(key)
        elif "deletionTimestamp" not in obj["metadata"]:
            new = copy.deepcopy(obj)
            new["metadata"]["deletionTimestamp"] = timestamp(self._now())
            new["metadata"]["generation"] += 1
            self._store(key, new)

    def lose_status(self, key: Key) -> None:
        """Do what a restore from a backup does: same spec, new uid, no status."""
        new = copy.deepcopy(self.objects[key])
        new["status"] = {"observedGeneration": UNSEEN}
        new["metadata"]["uid"] = f"uid-{next(self._uids)}"
        self._store(key, new)

    # What the operator's writes become.

    def patch_status(self, obj: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
        """Replace the status under the object's resourceVersion."""
        key, stored = self._guard(obj)
        check_status(key.kind, status)
        new = copy.deepcopy(stored)
        new["status"] = copy.deepcopy(dict(status))
        self.writes.append(f"status {key}")
        if new != stored:
            self._store(key, new)
        return copy.deepcopy(self.objects[key])

    def set_finalizers(self, obj: Mapping[str, Any], finalizers: Sequence[str]) -> dict[str, Any]:
        """Replace the finalizers under the object's resourceVersion; the last one removes it."""
        key, stored = self._guard(obj)
        new = copy.deepcopy(stored)
        new["metadata"]["finalizers"] = list(finalizers)
        self.writes.append(f"finalizers {key}")
        if not finalizers and "deletionTimestamp" in new["metadata"]:
            self._remove(key)
            return new
        self._store(key, new)
        return copy.deepcopy(self.objects[key])

    # Storage.

    def _guard(self, obj: Mapping[str, Any]) -> tuple[Key, dict[str, Any]]:
        key = Key(obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"])
        stored = self.objects.get(key)
        if stored is None or stored["metadata"]["uid"] != obj["metadata"]["uid"]:
            raise WriteConflict(f"{key} is gone")
        if stored["metadata"]["resourceVersion"] != obj["metadata"]["resourceVersion"]:
            raise WriteConflict(f"{key} was changed")
        return key, stored

    def _replace(self, key: Key, new: dict[str, Any]) -> None:
        old = self.objects[key]
        if new["spec"] != old["spec"]:
            new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        if new != old:
            self._store(key, new)

    def _store(self, key: Key, new: dict[str, Any]) -> None:
        new["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[key] = new
        self.pending.append(("MODIFIED", copy.deepcopy(new)))

    def _remove(self, key: Key) -> None:
        gone = self.objects.pop(key)
        owner = gone["metadata"]["uid"]
        self.revisions = {
            name: revision
            for name, revision in self.revisions.items()
            if revision["metadata"]["ownerReferences"][0]["uid"] != owner
        }
        gone["metadata"]["resourceVersion"] = str(next(self._versions))
        self.pending.append(("DELETED", copy.deepcopy(gone)))


class SimKubernetes:
    """`ports.Kubernetes` over a Cluster; every call goes through `hook` first and last.

    The hook is where a simulation crashes the operator or makes the API server fail:
    `hook("before" | "after", name)`.
    """

    def __init__(self, cluster: Cluster, *, hook: Callable[[str, str], None]) -> None:
        """Speak to `cluster`."""
        self._cluster = cluster
        self._hook = hook

    def patch_status(self, obj: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
        """Replace the status."""
        self._hook("before", "kube PatchStatus")
        written = self._cluster.patch_status(obj, status)
        self._hook("after", "kube PatchStatus")
        return written

    def set_finalizers(self, obj: Mapping[str, Any], finalizers: Sequence[str]) -> dict[str, Any]:
        """Replace the finalizers."""
        self._hook("before", "kube SetFinalizers")
        written = self._cluster.set_finalizers(obj, finalizers)
        self._hook("after", "kube SetFinalizers")
        return written

    def config_map(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return a ConfigMap."""
        return self._cluster.config_maps.get((namespace, name))

    def secret(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return a Secret."""
        return self._cluster.secrets.get((namespace, name))

    def namespace_labels(self, name: str) -> dict[str, str]:
        """Return the one label that every namespace has."""
        return {"kubernetes.io/metadata.name": name}

    def revisions(self, key: Key) -> list[dict[str, Any]]:
        """Return the ControllerRevisions of `key` by number."""
        found = [
            revision
            for revision in self._cluster.revisions.values()
            if revision["metadata"]["namespace"] == key.namespace
            and revision["metadata"]["ownerReferences"][0]["name"] == key.name
        ]
        return sorted(found, key=lambda revision: int(revision["revision"]))

    def create_revision(
        self, owner: Mapping[str, Any], name: str, *, number: int, data: Mapping[str, Any]
    ) -> None:
        """Create a ControllerRevision unless it exists."""
        self._hook("before", "kube CreateRevision")
        namespace = owner["metadata"]["namespace"]
        self._cluster.writes.append(f"revision {namespace}/{name}")
        self._cluster.revisions.setdefault(
            (namespace, name),
            {
                "metadata": {
                    "namespace": namespace,
                    "name": name,
                    "ownerReferences": [{"uid": owner["metadata"]["uid"], "name": owner["metadata"]["name"]}],
                },
                "revision": number,
                "data": copy.deepcopy(dict(data)),
            },
        )
        self._hook("after", "kube CreateRevision")

    def delete_revision(self, namespace: str, name: str) -> None:
        """Delete a ControllerRevision."""
        self._hook("before", "kube DeleteRevision")
        self._cluster.revisions.pop((namespace, name), None)
        self._hook("after", "kube DeleteRevision")
