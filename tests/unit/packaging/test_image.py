"""The image without an image builder: the Dockerfile's steps, and its entry point as its user."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from unit.packaging.image_steps import ROOT, Image, build, instructions, set_writable, unreadable

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
VALUES = yaml.safe_load((ROOT / "helm" / "sluice" / "values.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The image's tree, made by the Dockerfile's steps, read-only, where every user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-image-"))
    folder.chmod(0o755)
    try:
        made = build(DOCKERFILE, folder)
        set_writable(folder, writable=False)
        yield made
    finally:
        set_writable(folder, writable=True)
        shutil.rmtree(folder)


def test_the_image_starts_the_operator_as_a_user_who_is_not_root(image: Image) -> None:
    """ENTRYPOINT and CMD are `sluice operator`; USER is a number, not 0, and the chart's."""
    assert [*image.entry_point, *image.command] == ["sluice", "operator"]
    user, group = (int(part) for part in image.user.split(":"))
    assert user > 0
    assert group > 0
    assert VALUES["podSecurityContext"]["runAsUser"] == user
    assert VALUES["podSecurityContext"]["runAsGroup"] == group
    assert image.directory == "/tmp"  # the one folder of the chart's pod that can be written


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--help"], "operator"),
        (["--version"], "0.1.0"),
        (["operator", "--help"], "--installation-id"),
    ],
    ids=["help", "version", "help of the operator"],
)
def test_the_entry_point_runs(image: Image, arguments: list[str], text: str) -> None:
    """As the image's user, without HOME, on the locked dependencies alone, and without writing a file."""
    before = image.tree()
    done = image.run(*arguments, environment={})
    assert done.returncode == 0, done.stderr
    assert text in done.stdout
    assert image.tree() == before


def test_the_default_command_says_what_it_needs(image: Image) -> None:
    """Started with nothing configured, it ends with status 2 and names the mandatory setting."""
    done = image.run(*image.command, environment={})
    assert done.returncode == 2, done.stderr
    assert "installationId" in done.stderr


def test_everybody_may_read_the_tree(image: Image) -> None:
    """The user of the image, whatever its number, can read every file, and only the owner could write it."""
    assert unreadable(image.root / "opt" / "sluice") == []


def test_bytecode_is_in_the_image(image: Image) -> None:
    """The root file system is read-only, so what is not compiled at build time is compiled at each start."""
    package = next((image.root / "opt" / "sluice" / "lib").glob("python*/site-packages/sluice"))
    sources = [path for path in package.rglob("*.py") if path.name != "__init__.py"]
    compiled = {path.name.split(".")[0] for path in package.rglob("__pycache__/*.pyc")}
    assert sources
    assert {path.stem for path in sources} <= compiled


def test_only_the_wheel_and_the_locks_reach_the_image() -> None:
    """The last stage copies the environment alone; no stage copies the whole folder."""
    copies = [step for step in instructions(DOCKERFILE) if step.word == "COPY"]
    assert [step.rest for step in copies if not step.stage] == ["--from=build /opt/sluice /opt/sluice"]
    sources = {source for step in copies if step.stage for source in step.rest.split()[:-1]}
    assert "." not in sources
    listed = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    assert listed == sources
    assert all((ROOT / source).exists() for source in sources)


def test_base_images_are_named_without_a_registry() -> None:
    """Whoever builds decides where images come from."""
    bases = [step.rest.split(" AS ")[0] for step in instructions(DOCKERFILE) if step.word == "FROM"]
    assert len(bases) == 2
    assert all(re.fullmatch(r"[a-z]+:[\w.${}-]+", base) for base in bases)


def test_an_unknown_step_is_noticed(tmp_path: Path) -> None:
    """The stand-in for the builder refuses a step that it does not run."""
    with pytest.raises(AssertionError, match="not tested"):
        build("FROM python:3 AS build\nRUN apt-get update", tmp_path)
