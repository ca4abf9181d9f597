"""Which programs the control plane consists of, and at which versions.

The versions here and those in tools/controlplane/go.mod and tools/helm/go.mod are the same; a test says so.
To move to another release: change the versions here and there (with the 31 replacements), and run
`go mod tidy` in that folder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

KUBERNETES_VERSION: Final = "1.36.3"
ETCD_VERSION: Final = "3.6.8"
HELM_VERSION: Final = "3.18.6"

_COMPONENT_BASE = "k8s.io/component-base/version"
_KUBERNETES_FLAGS = (
    # Without these kubectl cannot parse its own version, and the server says v0.0.0-master.
    f"-X {_COMPONENT_BASE}.gitVersion=v{KUBERNETES_VERSION}",
    f"-X {_COMPONENT_BASE}.gitMajor={KUBERNETES_VERSION.split('.')[0]}",
    f"-X {_COMPONENT_BASE}.gitMinor={KUBERNETES_VERSION.split('.')[1]}",
    f"-X {_COMPONENT_BASE}.gitTreeState=clean",
)
_HELM_FLAGS = (
    # As helm's own Makefile does; without them `helm template` renders for Kubernetes 1.20.
    f"-X helm.sh/helm/v3/internal/version.version=v{HELM_VERSION}",
    "-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1",
    "-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=33",
    "-X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor=1",
    "-X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=33",
)
_DL = f"https://dl.k8s.io/release/v{KUBERNETES_VERSION}/bin/{{os}}/{{arch}}"
_ETCD_DL = f"https://github.com/etcd-io/etcd/releases/download/v{ETCD_VERSION}"
_ETCD_ARCHIVE = f"etcd-v{ETCD_VERSION}-{{os}}-{{arch}}"
_HELM_ARCHIVE = f"helm-v{HELM_VERSION}-{{os}}-{{arch}}.tar.gz"


@dataclass(frozen=True, slots=True)
class Archive:
    """An official release: where it is, where its publisher lists the SHA-256, what to take from it.

    `member` is the path inside a .tar.gz, or None when the file is the program itself. Templates take
    `{os}` and `{arch}` in Go's spelling. The addresses are written from memory of the publishers' install
    pages (Kubernetes "Download Kubernetes", etcd "Install", helm "Installing Helm").
    """

    url: str
    checksums: str
    member: str | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """One program: its pinned version and every way to get it.

    `folder` names its place in the cache, one folder per version. `module` is the Go module under tools/
    and `package` the main package in it. `version_command` prints a text with the version in it.
    """

    name: str
    version: str
    folder: str
    module: str
    package: str
    link_flags: tuple[str, ...]
    version_command: tuple[str, ...]
    archive: Archive
    minutes: str

    def accepts(self, version_text: str) -> bool:
        """Whether a program that prints this text is within one minor version of the pinned one.

        One minor is what Kubernetes promises between kubectl and kube-apiserver ("Version Skew Policy").
        """
        found = re.search(r"\bv?(\d+)\.(\d+)\.\d+", version_text)
        if found is None:
            return False
        major, minor = (int(part) for part in self.version.split(".")[:2])
        return int(found[1]) == major and abs(int(found[2]) - minor) <= 1


def _kubernetes(name: str, version_command: tuple[str, ...], minutes: str) -> Program:
    return Program(
        name=name,
        version=KUBERNETES_VERSION,
        folder=f"kubernetes-v{KUBERNETES_VERSION}",
        module="controlplane",
        package=f"k8s.io/kubernetes/cmd/{name}",
        link_flags=_KUBERNETES_FLAGS,
        version_command=version_command,
        archive=Archive(url=f"{_DL}/{name}", checksums=f"{_DL}/{name}.sha256"),
        minutes=minutes,
    )


ETCD: Final = Program(
    name="etcd",
    version=ETCD_VERSION,
    folder=f"etcd-v{ETCD_VERSION}",
    module="controlplane",
    package="go.etcd.io/etcd/server/v3",
    link_flags=(),
    version_command=("--version",),
    archive=Archive(
        url=f"{_ETCD_DL}/{_ETCD_ARCHIVE}.tar.gz",
        checksums=f"{_ETCD_DL}/SHA256SUMS",
        member=f"{_ETCD_ARCHIVE}/etcd",
    ),
    minutes="1 minute",
)
KUBE_APISERVER: Final = _kubernetes("kube-apiserver", ("--version",), "5 to 8 minutes")
KUBECTL: Final = _kubernetes("kubectl", ("version", "--client"), "1 minute")
KUBE_CONTROLLER_MANAGER: Final = _kubernetes("kube-controller-manager", ("--version",), "2 to 5 minutes")
HELM: Final = Program(
    name="helm",
    version=HELM_VERSION,
    folder=f"helm-v{HELM_VERSION}",
    module="helm",
    package="helm.sh/helm/v3/cmd/helm",
    link_flags=_HELM_FLAGS,
    version_command=("version", "--short"),
    archive=Archive(
        url=f"https://get.helm.sh/{_HELM_ARCHIVE}",
        checksums=f"https://get.helm.sh/{_HELM_ARCHIVE}.sha256sum",
        member="{os}-{arch}/helm",
    ),
    minutes="1 to 3 minutes",
)

# In the order in which they are made: the quick one first, so that a person sees it work.
PROGRAMS: Final = {
    program.name: program for program in (ETCD, KUBE_APISERVER, KUBECTL, HELM, KUBE_CONTROLLER_MANAGER)
}
REQUIRED: Final = ("etcd", "kube-apiserver", "kubectl")
OPTIONAL: Final = ("helm", "kube-controller-manager")
