"""Runs the Dockerfile's steps without an image builder: what is copied, installed, started is read from it.

Each RUN command has to be one that is known here, so the image and the tests can't drift apart. Two kinds of
step are stood in for, because tests download nothing: the build environment is the tests' own, and the
installation of a lock becomes links to exactly the pinned distributions of the tests' environment, after
comparing their versions. Everything else runs as it is written, with the image's paths below a folder.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[3]
_PIP: Final = "/opt/build/bin/pip"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a Dockerfile, its continuation lines joined."""

    stage: str
    word: str
    rest: str


def instructions(text: str) -> list[Instruction]:
    """Return a Dockerfile's instructions; a stage without a name is ''."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    found: list[Instruction] = []
    stage = ""
    for line in lines.replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if not word:
            continue
        if word == "FROM":
            stage = rest.split(" AS ")[1].strip() if " AS " in rest else ""
        found.append(Instruction(stage, word, " ".join(rest.split())))
    return found


@dataclass(slots=True)
class Image:
    """What the Dockerfile makes: a tree below `root` and how it is started."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    user: str = ""
    entry_point: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    directory: str = "/"

    def run(self, *arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Start the entry point as the image's user (or as oneself, who is not root), without a HOME."""
        path = self.environment["PATH"].replace("/opt/", f"{self.root}/opt/").replace("$PATH", os.defpath)
        settings = {name: value for name, value in self.environment.items() if name != "PATH"} | environment
        return subprocess.run(
            [
                *self._as_user(),
                *("env", "-i", f"PATH={path}", *(f"{name}={value}" for name, value in settings.items())),
                *(*self.entry_point, *arguments),
            ],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def tree(self) -> dict[str, tuple[int, int]]:
        """Return mode and time of change of everything in the tree that the image has."""
        return {
            str(path): (path.lstat().st_mode, path.lstat().st_mtime_ns)
            for path in (self.root / "opt" / "sluice").rglob("*")
        }

    def _as_user(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        user, _, group = self.user.partition(":")
        # The interpreter may live in root's home, which the image's does not: reading is allowed everywhere,
        # writing nowhere. That the image's own files are readable by all is a test of its own.
        reads = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search"]
        return ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", *reads]


def build(text: str, root: Path) -> Image:
    """Run the Dockerfile `text` below `root`; raises AssertionError on an instruction that is not known."""
    image = Image(root)
    for step in instructions(text):
        if step.word in {"COPY", "RUN", "WORKDIR"}:
            _fill(step, image, root / image.directory.lstrip("/"))
        else:
            _describe(step, image)
    return image


def _fill(step: Instruction, image: Image, directory: Path) -> None:
    if step.word == "WORKDIR":
        image.directory = step.rest
        (image.root / step.rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
    elif step.word == "RUN":
        for command in step.rest.split(" && "):
            _run(command, image.root, cwd=directory)
    elif step.stage:
        *sources, target = step.rest.split()
        for source in sources:
            _copy(ROOT / source, directory / target)
    else:
        assert step.rest == "--from=build /opt/sluice /opt/sluice", step


def _describe(step: Instruction, image: Image) -> None:
    match step.word:
        case "ENV":
            image.environment |= dict(part.split("=", 1) for part in shlex.split(step.rest))
        case "USER":
            image.user = step.rest
        case "ENTRYPOINT":
            image.entry_point = json.loads(step.rest)
        case "CMD":
            image.command = json.loads(step.rest)
        case other:
            assert other in {"ARG", "FROM", "LABEL", "EXPOSE"}, step


def _copy(source: Path, target: Path) -> None:
    target = target / source.name if str(target).endswith("/.") or target.is_dir() else target
    if source.is_dir():
        # As .dockerignore has it.
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def _run(command: str, root: Path, *, cwd: Path) -> None:
    match shlex.split(command):
        case ["python", "-m", "venv", "/opt/build"]:
            pass  # the tests' own environment stands for it
        case [pip, "install", "--no-cache-dir", "--require-hashes", "-r", lock] if pip == _PIP:
            _compare(cwd / lock)
        case [pip, "--python", python, "install", "--no-cache-dir", "--require-hashes", "-r", lock] if (
            pip == _PIP
        ):
            _link(_compare(cwd / lock), Path(f"{root}{python}"))
        case ["python", "-m", "venv", "--without-pip", target]:
            _execute([sys.executable, "-m", "venv", "--without-pip", f"{root}{target}"], cwd)
        case [pip, *arguments] if pip == _PIP:
            moved = [re.sub(r"^/(opt|dist)\b", rf"{root}/\1", argument) for argument in arguments]
            _execute([sys.executable, "-m", "pip", *moved], cwd)
        case unknown:
            raise AssertionError(f"the Dockerfile has a step that is not tested: {unknown}")


def _execute(command: list[str], cwd: Path) -> None:
    # Neither configuration nor index of this machine: the steps need none.
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**clean, "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        umask=0o022,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def _compare(lock: Path) -> list[metadata.Distribution]:
    """Return the installed distributions that a lock pins; their versions are the pinned ones."""
    pinned = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    assert pinned, lock
    found = [metadata.distribution(name) for name, _version in pinned]
    assert [item.version for item in found] == [version for _name, version in pinned]
    return found


def _link(distributions: list[metadata.Distribution], python: Path) -> None:
    site = next((python.parents[1] / "lib").glob("python*/site-packages"))
    for distribution in distributions:
        tops = {Path(file).parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}
        for top in tops:
            target = site / top
            if not target.is_symlink():
                target.symlink_to(Path(str(distribution.locate_file(top))).resolve())


def set_writable(root: Path, *, writable: bool) -> None:
    """Take the right to write from everybody below `root`, or give it to the owner again."""
    for path in [root, *root.rglob("*")]:
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode):
            path.chmod(stat.S_IMODE(mode) | stat.S_IWUSR if writable else stat.S_IMODE(mode) & ~0o222)


def unreadable(root: Path) -> list[str]:
    """Return what below `root` not everybody may read, or anybody but its owner may write."""
    wrong = []
    for path in [root, *root.rglob("*")]:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            continue
        reads = mode & stat.S_IROTH and (not stat.S_ISDIR(mode) or mode & stat.S_IXOTH)
        if not reads or mode & (stat.S_IWOTH | stat.S_IWGRP):
            wrong.append(str(path))
    return wrong
