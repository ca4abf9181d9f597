"""Keys, kubeconfigs and command lines: what strict clients accept and strangers cannot read."""

from __future__ import annotations

import json
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from sluice_sandbox.controlplane.commands import LOOPBACK, Layout, Ports, command
from sluice_sandbox.controlplane.kubeconfig import Credentials, write_kubeconfig
from sluice_sandbox.controlplane.pki import Authority, KeyFiles


@pytest.fixture
def files(tmp_path: Path) -> KeyFiles:
    """The key files of a new control plane."""
    files = KeyFiles(tmp_path / "pki")
    Authority.create(files)
    return files


def test_every_key_file_is_its_owners_only(files: KeyFiles) -> None:
    """0600 in a folder of 0700."""
    assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.folder.iterdir()} == {0o600}


def test_the_servers_certificate_satisfies_a_strict_verifier(files: KeyFiles) -> None:
    """RFC 5280 as the strictest clients read it: key identifiers, usages, names."""
    root = x509.load_pem_x509_certificate(files.authority.read_bytes())
    server = x509.load_pem_x509_certificate(files.server[0].read_bytes())
    verifier = PolicyBuilder().store(Store([root])).build_server_verifier(x509.DNSName("localhost"))
    assert verifier.verify(server, []) == [server, root]
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == [LOOPBACK]


def test_a_client_certificate_carries_user_and_groups(files: KeyFiles) -> None:
    """Common name is the user, organizations are the groups; another process's authority signs it too."""
    certificate, key = Authority.open(files).client("jane", ["team-a", "viewers"])
    subject = x509.load_pem_x509_certificate(certificate).subject
    assert [name.value for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["jane"]
    groups = [name.value for name in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    assert groups == ["team-a", "viewers"]
    pair = files.folder / "jane.pem"
    pair.write_bytes(certificate + key)
    ssl.create_default_context().load_cert_chain(pair)


def test_a_new_authority_keeps_the_service_account_key(files: KeyFiles) -> None:
    """Started again in the same directory, tokens stay good; the rest is new."""
    tokens, authority = files.service_accounts.read_bytes(), files.authority.read_bytes()
    Authority.create(files)
    assert files.service_accounts.read_bytes() == tokens
    assert files.authority.read_bytes() != authority


def test_a_kubeconfig_is_private_and_self_contained(tmp_path: Path) -> None:
    """No path in it, one context, readable by its owner only, also when it replaces another file."""
    path = tmp_path / "kubeconfig"
    path.touch(mode=0o644)
    write_kubeconfig(
        path,
        server="https://127.0.0.1:6443",
        authority=b"CA",
        credentials=Credentials(token="secret"),
        namespace="shop",
    )
    content = json.loads(path.read_text(encoding="utf-8"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert content["users"][0]["user"] == {"token": "secret"}
    assert content["contexts"][0]["context"]["namespace"] == "shop"
    assert str(tmp_path) not in path.read_text(encoding="utf-8")
    assert [entry.name for entry in tmp_path.iterdir()] == ["kubeconfig"]


@pytest.mark.parametrize("name", ["etcd", "kube-apiserver", "kube-controller-manager"])
def test_every_process_listens_on_loopback_only(tmp_path: Path, name: str) -> None:
    """No address in a command line but loopback's, and no listening without TLS."""
    layout = Layout(tmp_path, ports=Ports(api=1, etcd=2, etcd_peer=3), programs={name: tmp_path / name})
    arguments = command(name, layout)
    assert arguments[0] == str(tmp_path / name)
    listening = [argument for argument in arguments[1:] if argument.startswith(("--listen", "--bind"))]
    assert bool(listening) or "--secure-port=0" in arguments
    assert all(LOOPBACK in argument for argument in listening)
    assert not [argument for argument in arguments if "http://" in argument]
    assert "0.0.0.0" not in " ".join(arguments)
