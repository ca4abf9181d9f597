"""Keys and certificates of one control plane: its own authority, servers, clients, service-account key.

Everything is P-256: made in a few milliseconds, read by every Kubernetes client. The authority signs for one
directory only and lives as long as it does; whoever can read the directory (mode 0700) is its administrator.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = dt.timedelta(days=365)
# Clocks of containers and virtual machines differ by minutes.
_BACKDATE = dt.timedelta(hours=1)
_SERVER_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """The files of one control plane's keys, all in `folder`."""

    folder: Path

    @property
    def authority(self) -> Path:
        """The authority's certificate."""
        return self.folder / "ca.crt"

    @property
    def authority_key(self) -> Path:
        """The authority's key: kept so that other processes can make clients too."""
        return self.folder / "ca.key"

    @property
    def server(self) -> tuple[Path, Path]:
        """Certificate and key of both servers, for loopback names only."""
        return self.folder / "server.crt", self.folder / "server.key"

    @property
    def admin(self) -> tuple[Path, Path]:
        """Certificate and key of the cluster's administrator."""
        return self.folder / "admin.crt", self.folder / "admin.key"

    @property
    def service_accounts(self) -> Path:
        """The key that signs and checks service-account tokens."""
        return self.folder / "service-account.key"


class Authority:
    """The certificate authority of one control plane."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        """Sign with `key`; see `create` and `open`."""
        self._key = key
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sluice-sandbox")])

    @classmethod
    def open(cls, files: KeyFiles) -> Authority:
        """Return the authority that `create` made in this folder."""
        key = serialization.load_pem_private_key(files.authority_key.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{files.authority_key} holds a key of another kind than `create` makes")
        return cls(key)

    @classmethod
    def create(cls, files: KeyFiles) -> Authority:
        """Make a new authority and every file in `files`.

        The service-account key of an earlier start is kept: tokens that were given out stay good.
        """
        files.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self = cls(ec.generate_private_key(ec.SECP256R1()))
        _write(files.authority, self._sign_itself())
        _write(files.authority_key, _pem(self._key))
        for paths, pair in (
            (files.server, self._issue("sluice-sandbox-server", (), server=True)),
            (files.admin, self.client("sluice-sandbox-admin", ["system:masters"])),
        ):
            for path, content in zip(paths, pair, strict=True):
                _write(path, content)
        if not files.service_accounts.exists():
            _write(files.service_accounts, _pem(ec.generate_private_key(ec.SECP256R1())))
        return self

    def client(self, user: str, groups: Sequence[str] = ()) -> tuple[bytes, bytes]:
        """Return certificate and key (PEM) that make their bearer this user in these groups.

        Kubernetes reads the user from the subject's common name and the groups from its organizations
        ("Authenticating", X509 client certificates).
        """
        return self._issue(user, groups, server=False)

    def _sign_itself(self) -> bytes:
        usage = _key_usage(signs_certificates=True)
        builder = self._builder(self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(usage, critical=True)
        identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        return _certificate_pem(builder.add_extension(identifier, critical=False), self._key)

    def _issue(self, user: str, groups: Sequence[str], *, server: bool) -> tuple[bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        subject = x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, user)])
        builder = self._builder(subject, key.public_key())
        builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
        # Python 3.13 refuses a certificate without it (ssl.VERIFY_X509_STRICT is its default).
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        # etcd's own client within its gRPC gateway presents the server's certificate.
        purposes = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if server:
            purposes.append(ExtendedKeyUsageOID.SERVER_AUTH)
            names: list[x509.GeneralName] = [x509.DNSName(name) for name in _SERVER_NAMES]
            names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        return _certificate_pem(builder, self._key), _pem(key)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=key,
            serial_number=x509.random_serial_number(),
            not_valid_before=now - _BACKDATE,
            not_valid_after=now + _LIFETIME,
        )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _certificate_pem(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> bytes:
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _write(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads, from its first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
