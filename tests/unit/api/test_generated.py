"""What is generated from the types is committed, structural, small and complete."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from api_samples import schema_at
from sluice.api.crdgen.crds import crd, rendered
from sluice.api.crdgen.reference import reference
from sluice.api.crdgen.structural import structural
from sluice.api.crdgen.table import translation_table
from sluice.api.v1alpha1.schema import Typed
from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Kind

ROOT = Path(__file__).resolve().parents[3]
MAX_BYTES = 400_000  # etcd and kubectl take 1 MB; room for the fields of later versions
GENERATED = {
    **{f"crds/{name}": text for name, text in rendered().items()},
    "docs/reference.md": reference(),
    "docs/translation.md": translation_table(),
}


@cache
def _root(kind: Kind) -> dict[str, Any]:
    schema: dict[str, Any] = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def _nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from _nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _nodes(schema[key], f"{path}[]")


@pytest.mark.parametrize("name", GENERATED)
def test_the_committed_file_is_what_the_types_say(name: str) -> None:
    """crds/ and the generated documents do not drift; `make generate` writes them."""
    assert (ROOT / name).read_text(encoding="utf-8") == GENERATED[name]


def test_ecs_shapes_are_those_of_the_locked_botocore() -> None:
    """The embedded ECS schema is what tools/ecs_shapes.py makes of botocore's model today."""
    script = "import ecs_shapes, sys; sys.stdout.write(ecs_shapes.render())"
    made = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT / "tools", capture_output=True, text=True, check=True
    )
    assert (ROOT / "operator/sluice/api/ecs_shapes.json").read_text(encoding="utf-8") == made.stdout


@pytest.mark.parametrize("text", rendered().values(), ids=rendered())
def test_a_crd_is_small_and_reads_back(text: str) -> None:
    """Each file is far below the megabyte that etcd takes, and plain YAML."""
    assert len(text.encode()) < MAX_BYTES
    assert yaml.safe_load(text)["kind"] == "CustomResourceDefinition"


@pytest.mark.parametrize("kind", [DEPLOYMENT, SERVICE_ROUTE])
def test_the_schema_is_structural(kind: Kind) -> None:
    """Every node has a type (or is int-or-string), and nothing is both an object and a map."""
    for path, node in _nodes(_root(kind)):
        assert "$ref" not in node, path
        assert "type" in node or node.get("x-kubernetes-int-or-string"), path
        assert not ("properties" in node and "additionalProperties" in node), path


@pytest.mark.parametrize("kind", [DEPLOYMENT, SERVICE_ROUTE])
def test_unknown_fields_are_kept_only_where_they_are_refused(kind: Kind) -> None:
    """Preserved content is refused, accepted though ECS never reads it, or the operator's own memory."""
    open_nodes = [
        path for path, node in _nodes(_root(kind)) if node.get("x-kubernetes-preserve-unknown-fields")
    ]
    for path in open_nodes:
        parent = path.removesuffix("[]").removeprefix(".")
        node = _at(_root(kind), parent)
        assert "x-kubernetes-validations" in node or path.endswith(("resizePolicy[]", ".rollout.memory")), (
            path
        )


@pytest.mark.parametrize("kind", [DEPLOYMENT, SERVICE_ROUTE])
def test_defaults_are_only_true_constants(kind: Kind) -> None:
    """The API server writes a protocol that is part of a list key, and that nobody has looked yet."""
    defaults = {
        path.rsplit(".", 1)[-1]: node["default"] for path, node in _nodes(_root(kind)) if "default" in node
    }
    unseen = {"status": {"observedGeneration": -1}}
    assert defaults == (unseen | {"protocol": "TCP"} if kind == DEPLOYMENT else unseen)


@pytest.mark.parametrize("kind", [DEPLOYMENT, SERVICE_ROUTE])
def test_every_own_field_has_a_description(kind: Kind) -> None:
    """`kubectl explain` says something about every field outside the PodTemplate and ECS's own structures."""
    silent = []
    stack = [("spec", _root(kind)["properties"]["spec"]), ("status", _root(kind)["properties"]["status"])]
    while stack:
        path, node = stack.pop()
        if not node.get("description"):
            silent.append(path)
        for name, child in node.get("properties", {}).items():
            below = child.get("items", child) if child.get("type") == "array" else child
            own = not _of_ecs(child)
            if not child.get("description"):
                silent.append(f"{path}.{name}")
            if own and "properties" in below:
                stack.append((f"{path}.{name}", below | {"description": child.get("description", "")}))
    assert silent == []


def test_lists_of_the_template_merge_by_their_keys() -> None:
    """Server-side apply merges containers, variables, ports and volumes as in Kubernetes."""
    keys = {
        path: schema_at(path).get("x-kubernetes-list-map-keys")
        for path in (
            "spec.containers[]",
            "spec.initContainers[]",
            "spec.volumes[]",
            "spec.containers[].env[]",
            "spec.containers[].ports[]",
            "spec.containers[].volumeMounts[]",
        )
    }
    assert keys == {
        "spec.containers[]": ["name"],
        "spec.initContainers[]": ["name"],
        "spec.volumes[]": ["name"],
        "spec.containers[].env[]": ["name"],
        "spec.containers[].ports[]": ["containerPort", "protocol"],
        "spec.containers[].volumeMounts[]": ["mountPath"],
    }


def test_the_scale_subresource_reads_the_live_slot() -> None:
    """Kubectl scale and autoscalers find count and selector where api.md says."""
    assert crd(DEPLOYMENT)["spec"]["versions"][0]["subresources"]["scale"] == {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }


def test_the_generator_refuses_what_it_does_not_understand() -> None:
    """A union that a CRD cannot say is an error, not a schema that validates less."""

    class Odd(Typed):
        """A type with a union."""

        value: int | list[str]
        """A union."""

    with pytest.raises(TypeError, match="union"):
        structural(Odd)


def test_the_reference_names_every_field() -> None:
    """Every field of both specs outside PodTemplate and ECS is in docs/reference.md."""
    text = reference()
    for path in (
        "spec.ecs.targetGroups.healthCheck.path",
        "spec.rules.matches.sourceIPs",
        "spec.strategy.progressive.analysis.metrics.loadBalancer.metric",
        "status.traffic.seq",
    ):
        assert f"`{path}`" in text
    assert json.dumps(text)


def _at(node: dict[str, Any], path: str) -> dict[str, Any]:
    for part in path.split("."):
        node = node["properties"][part.replace("[]", "")]
        for _ in range(part.count("[]")):
            node = node["items"]
    return node


def _of_ecs(node: dict[str, Any]) -> bool:
    body = node.get("items", node)
    return "properties" in body and not any("description" in child for child in body["properties"].values())
