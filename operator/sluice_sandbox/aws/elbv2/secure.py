"""What secure listeners have beside a port: certificates, security policy, ALPN, mutual TLS.

Sources: botocore's Certificates ("exactly one certificate"), SslPolicy, AlpnPolicy (TLS listeners, one of
five names), MutualAuthentication (HTTPS listeners; off, passthrough, verify with a trust store).
Certificates are known by the form of their ARN (ACM or IAM): no certificate service stands behind this
check. Wordings: "A certificate must be specified for HTTPS listeners" (public reports), the others from
memory.
"""

from __future__ import annotations

import re
from typing import Any

from sluice_sandbox.aws.elbv2.desk import validation_error
from sluice_sandbox.aws.elbv2.state import Region
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Params

SECURE = ("HTTPS", "TLS")
ALPN = ("HTTP1Only", "HTTP2Only", "HTTP2Optional", "HTTP2Preferred", "None")
_MODES = ("off", "passthrough", "verify")
_CERTIFICATE = re.compile(
    r"arn:aws[a-z-]*:(acm:[a-z0-9-]+:\d{12}:certificate/.+|iam::\d{12}:server-certificate/.+)"
)


def refuse_on_plain(params: Params, protocol: str) -> None:
    """Refuse what only secure listeners can have; nothing is dropped in silence."""
    if protocol not in SECURE and (params.get("SslPolicy") or params.get("Certificates")):
        raise validation_error(f"SSL policies and certificates cannot be specified for {protocol} listeners")


def no_certificate(protocol: str) -> AwsError:
    """Return the refusal of a secure listener without a default certificate."""
    return validation_error(f"A certificate must be specified for {protocol} listeners")


def default_certificate(params: Params, protocol: str) -> list[str]:
    """Return the one certificate of a call as a list, or refuse none and several."""
    given = params.get("Certificates") or []
    if not given:
        raise no_certificate(protocol)
    if len(given) > 1:
        raise validation_error("Exactly one certificate must be specified")
    return [certificate_arn(given[0])]


def certificate_arn(item: dict[str, Any]) -> str:
    """Return a certificate's ARN or refuse it (IsDefault must not be set, as the reference says)."""
    if item.get("IsDefault") is not None:
        raise validation_error("You cannot set 'IsDefault' when specifying a certificate")
    arn = str(item.get("CertificateArn") or "")
    if not _CERTIFICATE.fullmatch(arn):
        raise AwsError("CertificateNotFound", f"Certificate '{arn}' not found")
    return arn


def alpn(params: Params, protocol: str) -> list[str]:
    """Return the ALPN policy of a call, or refuse it."""
    given: list[str] = params.get("AlpnPolicy") or []
    if not given:
        return []
    if protocol != "TLS":
        raise validation_error(f"ALPN policies cannot be specified for {protocol} listeners")
    if len(given) > 1:
        raise validation_error("Only one ALPN policy can be specified")
    if given[0] not in ALPN:
        raise AwsError("ALPNPolicyNotFound", f"ALPN policy '{given[0]}' is not supported")
    return given


def mutual_authentication(region: Region, params: Params, protocol: str) -> dict[str, Any]:
    """Return MutualAuthentication as it is shown, or refuse it; off for HTTPS when nothing is given."""
    given = params.get("MutualAuthentication")
    if not given:
        return {"Mode": "off"} if protocol == "HTTPS" else {}
    if protocol != "HTTPS":
        raise validation_error(f"Mutual authentication cannot be specified for {protocol} listeners")
    mode = given.get("Mode") or "off"
    if mode not in _MODES:
        raise validation_error(f"Mutual authentication mode '{mode}' must be one of '{', '.join(_MODES)}'")
    store, expiry = given.get("TrustStoreArn"), given.get("IgnoreClientCertificateExpiry")
    names = given.get("AdvertiseTrustStoreCaNames")
    if mode != "verify":
        if store or expiry or names == "on":
            raise validation_error(
                f"A trust store and its options can only be used in mode 'verify', not '{mode}'"
            )
        return {"Mode": mode}
    if not store:
        raise validation_error("A trust store must be specified for mutual authentication mode 'verify'")
    region.trust_store(store)
    return {
        "Mode": mode,
        "TrustStoreArn": store,
        "IgnoreClientCertificateExpiry": bool(expiry),
        "AdvertiseTrustStoreCaNames": names or "off",
    }
