"""The command lines of the control plane's processes.

Defaults are kept wherever they decide what a client meets: admission plugins, priority and fairness, storage
version, limits. What differs serves one machine: loopback only, no fsync, no endpoints of a load balancer
that does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sluice_sandbox.controlplane.pki import KeyFiles

LOOPBACK: Final = "127.0.0.1"
_ISSUER = "https://kubernetes.default.svc.cluster.local"
# What tests and the sandbox ask for; the rest (nodes, volumes, workloads) has nothing to act on here.
_CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
)


@dataclass(frozen=True, slots=True)
class Ports:
    """The TCP ports of one control plane, all on loopback."""

    api: int
    etcd: int
    etcd_peer: int


@dataclass(frozen=True, slots=True)
class Layout:
    """What the command lines are made of: a directory, its keys, the ports, the programs' files."""

    directory: Path
    ports: Ports
    programs: dict[str, Path]
    api_flags: tuple[str, ...] = ()
    """More flags of kube-apiserver: an audit log, say."""

    @property
    def keys(self) -> KeyFiles:
        """The keys of this control plane."""
        return KeyFiles(self.directory / "pki")

    @property
    def server(self) -> str:
        """The API server's address."""
        return f"https://{LOOPBACK}:{self.ports.api}"


def command(name: str, layout: Layout) -> list[str]:
    """Return the command line of the process `name` (a program's name)."""
    arguments = {
        "etcd": _etcd,
        "kube-apiserver": _kube_apiserver,
        "kube-controller-manager": _kube_controller_manager,
    }[name]
    return [str(layout.programs[name]), *arguments(layout)]


def _etcd(layout: Layout) -> list[str]:
    keys = layout.keys
    certificate, key = keys.server
    client = f"https://{LOOPBACK}:{layout.ports.etcd}"
    peer = f"https://{LOOPBACK}:{layout.ports.etcd_peer}"
    return [
        "--name=sluice",
        f"--data-dir={layout.directory / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=sluice={peer}",
        # Everything of the cluster can be read and written here, also by another user of this machine.
        "--client-cert-auth",
        f"--trusted-ca-file={keys.authority}",
        f"--cert-file={certificate}",
        f"--key-file={key}",
        "--peer-client-cert-auth",
        f"--peer-trusted-ca-file={keys.authority}",
        f"--peer-cert-file={certificate}",
        f"--peer-key-file={key}",
        # A crash of the machine may lose this cluster, which is made to be thrown away.
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _kube_apiserver(layout: Layout) -> list[str]:
    keys = layout.keys
    certificate, key = keys.server
    return [
        f"--etcd-servers=https://{LOOPBACK}:{layout.ports.etcd}",
        f"--etcd-cafile={keys.authority}",
        f"--etcd-certfile={certificate}",
        f"--etcd-keyfile={key}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={layout.ports.api}",
        # A loopback address cannot be an endpoint of the `kubernetes` service; nobody here would use one.
        f"--advertise-address={LOOPBACK}",
        "--endpoint-reconciler-type=none",
        f"--cert-dir={keys.folder}",
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
        f"--client-ca-file={keys.authority}",
        f"--service-account-issuer={_ISSUER}",
        f"--service-account-key-file={keys.service_accounts}",
        f"--service-account-signing-key-file={keys.service_accounts}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=RBAC",
        "--profiling=false",
        *layout.api_flags,
    ]


def _kube_controller_manager(layout: Layout) -> list[str]:
    keys = layout.keys
    return [
        f"--kubeconfig={layout.directory / 'kubeconfig'}",
        f"--service-account-private-key-file={keys.service_accounts}",
        f"--root-ca-file={keys.authority}",
        f"--controllers={','.join(_CONTROLLERS)}",
        "--leader-elect=false",
        # Its own metrics port: nobody asks, and it would be one more to find free.
        "--secure-port=0",
        "--profiling=false",
    ]
