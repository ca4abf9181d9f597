"""The pinned versions: one truth in two languages, and the skew that is still the same thing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sluice_sandbox.controlplane.gobuild import module_folder
from sluice_sandbox.controlplane.pins import ETCD, HELM, KUBE_APISERVER, KUBECTL, PROGRAMS, Program


def _go_mod(program: Program) -> str:
    folder = module_folder(program.module)
    assert folder is not None
    return (folder / "go.mod").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("program", "module"),
    [
        pytest.param(ETCD, "go.etcd.io/etcd/server/v3", id="etcd"),
        pytest.param(KUBE_APISERVER, "k8s.io/kubernetes", id="kubernetes"),
        pytest.param(HELM, "helm.sh/helm/v3", id="helm"),
    ],
)
def test_go_mod_requires_the_pinned_version(program: Program, module: str) -> None:
    """What Go builds is the version that Python promises."""
    assert re.search(
        rf"^\s*(?:require )?{re.escape(module)} v{program.version}\b", _go_mod(program), re.MULTILINE
    )


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=lambda program: program.name)
def test_go_mod_keeps_the_program_as_a_tool(program: Program) -> None:
    """`go mod tidy` keeps what a program needs only while a tool directive names its package."""
    assert re.search(rf"^(?:tool )?\s*{re.escape(program.package)}$", _go_mod(program), re.MULTILINE)


def test_kubernetes_staging_modules_are_replaced_by_their_own_release() -> None:
    """k8s.io/kubernetes 1.x requires 31 modules at v0.0.0; each is replaced by v0.x of the same release."""
    replaced = re.findall(r"^\s(k8s\.io/\S+) => (k8s\.io/\S+) (\S+)$", _go_mod(KUBE_APISERVER), re.MULTILINE)
    assert len(replaced) == 31
    assert {old == new and version for old, new, version in replaced} == {f"v0{KUBE_APISERVER.version[1:]}"}


@pytest.mark.parametrize("name", ["controlplane", "helm"])
def test_go_sums_are_complete_text_without_a_place(name: str) -> None:
    """Committed module files name no proxy and no path of the machine they were made on."""
    folder = module_folder(name)
    assert folder is not None
    for path in (folder / "go.mod", folder / "go.sum"):
        text = path.read_text(encoding="utf-8")
        assert text.strip()
        assert "://" not in text
        assert str(Path.home()) not in text


@pytest.mark.parametrize(
    ("program", "text", "accepted"),
    [
        pytest.param(KUBECTL, "Client Version: v1.36.3\nKustomize Version: v5.8.1\n", True, id="same"),
        pytest.param(KUBECTL, "Client Version: v1.35.0\n", True, id="one-minor-older"),
        pytest.param(KUBECTL, "Client Version: v1.37.1-rc.0\n", True, id="one-minor-newer"),
        pytest.param(KUBECTL, "Client Version: v1.32.4-dispatcher\n", False, id="four-minors-older"),
        pytest.param(KUBECTL, "Client Version: v1.38.0\n", False, id="two-minors-newer"),
        pytest.param(KUBECTL, "Client Version: v2.36.0\n", False, id="other-major"),
        pytest.param(KUBE_APISERVER, "Kubernetes v1.36.3\n", True, id="kube-apiserver"),
        pytest.param(
            KUBE_APISERVER, "Kubernetes v0.0.0-master+$Format:%H$\n", False, id="built-without-version"
        ),
        pytest.param(ETCD, "etcd Version: 3.6.8\nGit SHA: x\nGo Version: go1.26.8\n", True, id="etcd"),
        pytest.param(ETCD, "etcd Version: 3.4.30\nGo Version: go1.20\n", False, id="etcd-too-old"),
        pytest.param(HELM, "v3.18.6+gb76a950\n", True, id="helm"),
        pytest.param(HELM, "v4.0.1\n", False, id="helm-4"),
        pytest.param(ETCD, "", False, id="says-nothing"),
    ],
)
def test_a_version_is_accepted_within_one_minor(program: Program, text: str, accepted: bool) -> None:  # noqa: FBT001
    """The first version in what the program prints decides, one minor either way."""
    assert program.accepts(text) is accepted
