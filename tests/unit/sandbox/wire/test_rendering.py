"""What leaves the stand-in: only the set members that the model has, copied where they must be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.model import ShapeResolver

from sluice_sandbox.aws.wire.models import service_model
from sluice_sandbox.aws.wire.rendering import CBOR, JSON, PYTHON, Renderer

SERVICE: dict[str, Any] = {
    "serviceName": "web",
    "status": None,
    "ofNobody": 1,
    "createdAt": 1_800_000_000.0,
    "events": [
        {"id": "1", "message": "hello"},
        {"id": "2", "message": None},
        {"id": "3", "ofNobody": 1},
    ],
    "tags": [{"key": "a", "value": "b"}],
}


@pytest.mark.parametrize("target", [PYTHON, JSON, CBOR])
def test_unset_and_unknown_members_are_left_out(target: str) -> None:
    """In the outermost structure and inside lists, by every target; the order stays."""
    render = Renderer(target).compile(service_model("ecs").shape_for("Service"))
    shown = render(SERVICE)
    assert list(shown) == ["serviceName", "createdAt", "events", "tags"]
    assert shown["events"] == [{"id": "1", "message": "hello"}, {"id": "2"}, {"id": "3"}]
    assert shown["createdAt"] == (
        datetime.fromtimestamp(1_800_000_000, UTC) if target == PYTHON else 1_800_000_000.0
    )


def test_python_shares_nothing() -> None:
    """A caller in process may change its answer: not even a structure that needs no change is shared."""
    shown = Renderer(PYTHON).compile(service_model("ecs").shape_for("Service"))(SERVICE)
    shown["events"][0]["message"] = "changed"
    shown["tags"].append({})
    assert SERVICE["events"][0] == {"id": "1", "message": "hello"}
    assert len(SERVICE["tags"]) == 1


@pytest.mark.parametrize(("target", "name"), [(PYTHON, "Name"), (JSON, "wireName"), (CBOR, "wireName")])
def test_names_on_the_wire(target: str, name: str) -> None:
    """A member that the protocol calls otherwise has that name outside of Python, also inside a list."""
    text = {"shape": "Text", "locationName": "wireName"}
    shapes = {
        "Outer": {"type": "structure", "members": {"Items": {"shape": "Items"}}},
        "Items": {"type": "list", "member": {"shape": "Inner"}},
        "Inner": {"type": "structure", "members": {"Name": text, "Other": {"shape": "Text"}}},
        "Text": {"type": "string"},
    }
    render = Renderer(target).compile(ShapeResolver(shapes).get_shape_by_name("Outer"))
    assert render({"Items": [{"Name": "a", "Other": "b"}, {"Other": "c"}]}) == {
        "Items": [{name: "a", "Other": "b"}, {"Other": "c"}]
    }
