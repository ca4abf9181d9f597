"""What the wheel has: both packages, what they read at run time, and no tests."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from unit.packaging.image_steps import ROOT, build


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the wheel's files; the wheel is built by the Dockerfile's first stage."""
    root = tmp_path_factory.mktemp("wheel")
    first_stage = (ROOT / "Dockerfile").read_text(encoding="utf-8").rsplit("\nFROM ", 1)[0]
    build(first_stage, root)
    (wheel,) = (root / "dist").glob("sluice_operator-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_both_packages_are_whole(files: set[str]) -> None:
    """Every file of both packages in the tree is in the wheel."""
    source = ROOT / "operator"
    wanted = {
        str(path.relative_to(source))
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted - files == set()


def test_the_types_are_published(files: set[str]) -> None:
    """Both packages are marked as typed (PEP 561)."""
    assert {"sluice/py.typed", "sluice_sandbox/py.typed"} <= files


def test_what_is_read_at_run_time_is_there(files: set[str]) -> None:
    """ECS's shapes for the API's types, and the pinned modules from which the sandbox builds.

    The custom resource definitions are not: they are generated from the types (`sluice crds`).
    """
    assert "sluice/api/ecs_shapes.json" in files
    assert "sluice_sandbox/controlplane/gomodules/controlplane/go.mod" in files
    assert not any(name.startswith("crds") or "ecsdeployments" in name for name in files)


def test_nothing_else_is_there(files: set[str]) -> None:
    """No tests and no other top-level package; the licence is there."""
    tops = {Path(name).parts[0] for name in files}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"sluice", "sluice_sandbox"}
    assert any(name.endswith("licenses/LICENSE") for name in files)
