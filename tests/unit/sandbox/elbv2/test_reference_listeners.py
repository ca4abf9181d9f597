"""What the API reference says of listeners and trust stores: refusals and what is kept."""

from __future__ import annotations

from typing import Any

import pytest
from elb_world import CERTIFICATE, NOT_FOUND, Elb, forward, listener_params

CERTIFICATES = [{"CertificateArn": CERTIFICATE}]
LISTENERS_REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "no-port": ("application", {"Port": None, "Protocol": "HTTP"}, "ValidationError"),
    "no-protocol": ("application", {}, "ValidationError"),
    "tcp-on-application": ("application", {"Protocol": "TCP"}, "ValidationError"),
    "http-on-network": ("network", {"Protocol": "HTTP"}, "ValidationError"),
    "no-certificate": ("application", {"Protocol": "HTTPS"}, "ValidationError"),
    "two-certificates": (
        "application",
        {"Protocol": "HTTPS", "Certificates": CERTIFICATES * 2},
        "ValidationError",
    ),
    "default-set": (
        "application",
        {"Protocol": "HTTPS", "Certificates": [{"CertificateArn": CERTIFICATE, "IsDefault": True}]},
        "ValidationError",
    ),
    "certificate-on-http": (
        "application",
        {"Protocol": "HTTP", "Certificates": CERTIFICATES},
        "ValidationError",
    ),
    "unknown-certificate": (
        "application",
        {"Protocol": "HTTPS", "Certificates": [{"CertificateArn": "none"}]},
        "CertificateNotFound",
    ),
    "unknown-policy": (
        "application",
        {"Protocol": "HTTPS", "Certificates": CERTIFICATES, "SslPolicy": "none"},
        "SSLPolicyNotFound",
    ),
    "alpn-on-https": (
        "application",
        {"Protocol": "HTTPS", "Certificates": CERTIFICATES, "AlpnPolicy": ["HTTP2Only"]},
        "ValidationError",
    ),
    "unknown-alpn": (
        "network",
        {"Protocol": "TLS", "Certificates": CERTIFICATES, "AlpnPolicy": ["HTTP9"]},
        "ALPNPolicyNotFound",
    ),
    "two-alpn": (
        "network",
        {"Protocol": "TLS", "Certificates": CERTIFICATES, "AlpnPolicy": ["HTTP2Only", "None"]},
        "ValidationError",
    ),
    "mutual-on-http": (
        "application",
        {"Protocol": "HTTP", "MutualAuthentication": {"Mode": "passthrough"}},
        "ValidationError",
    ),
    "unknown-mode": (
        "application",
        {"Protocol": "HTTPS", "Certificates": CERTIFICATES, "MutualAuthentication": {"Mode": "maybe"}},
        "ValidationError",
    ),
    "verify-by-nothing": (
        "application",
        {"Protocol": "HTTPS", "Certificates": CERTIFICATES, "MutualAuthentication": {"Mode": "verify"}},
        "ValidationError",
    ),
    "verify-by-unknown": (
        "application",
        {
            "Protocol": "HTTPS",
            "Certificates": CERTIFICATES,
            "MutualAuthentication": {
                "Mode": "verify",
                "TrustStoreArn": "arn:aws:elasticloadbalancing:eu-west-1:1:truststore/a/b",
            },
        },
        "TrustStoreNotFound",
    ),
    "redirect-to-http": (
        "application",
        {
            "Protocol": "HTTPS",
            "Certificates": CERTIFICATES,
            "DefaultActions": [
                {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTP", "StatusCode": "HTTP_301"}}
            ],
        },
        "InvalidLoadBalancerAction",
    ),
    "fixed-on-network": (
        "network",
        {"Protocol": "TCP", "DefaultActions": [NOT_FOUND]},
        "InvalidLoadBalancerAction",
    ),
}


@pytest.mark.parametrize("name", LISTENERS_REFUSED)
def test_listeners_that_cannot_be(elb: Elb, name: str) -> None:
    """CreateListener refuses with the code of its own errors and creates nothing."""
    kind, params, code = LISTENERS_REFUSED[name]
    wanted = listener_params(elb, kind, **params)
    assert elb.refusal("CreateListener", **wanted).code == code
    assert elb.call("DescribeListeners", LoadBalancerArn=wanted["LoadBalancerArn"])["Listeners"] == []


def test_alpn_and_attributes_of_network_listeners(elb: Elb) -> None:
    """A TLS listener keeps its ALPN policy; TCP has an idle timeout of 350 s, from 60 to 6000."""
    wanted = listener_params(
        elb, "network", Protocol="TLS", Certificates=CERTIFICATES, AlpnPolicy=["HTTP2Preferred"]
    )
    wanted["DefaultActions"] = [forward((elb.group("tls", Protocol="TLS"), 1))]
    [tls] = elb.call("CreateListener", **wanted)["Listeners"]
    assert tls["AlpnPolicy"] == ["HTTP2Preferred"]
    plain = wanted | {
        "Protocol": "TCP",
        "Port": 80,
        "DefaultActions": [forward((elb.group("t", Protocol="TCP"), 1))],
    }
    del plain["Certificates"], plain["AlpnPolicy"]
    [tcp] = elb.call("CreateListener", **plain)["Listeners"]
    arn = tcp["ListenerArn"]
    assert elb.attributes("Listener", ListenerArn=arn) == {"tcp.idle_timeout.seconds": "350"}
    changed = [{"Key": "tcp.idle_timeout.seconds", "Value": "59"}]
    assert (
        elb.refusal("ModifyListenerAttributes", ListenerArn=arn, Attributes=changed).code == "ValidationError"
    )


def test_a_protocol_takes_its_properties_with_it(elb: Elb) -> None:
    """HTTPS to HTTP removes policy and certificate; back again, both must be given."""
    [made] = elb.call("CreateListener", **listener_params(elb, Protocol="HTTPS", Certificates=CERTIFICATES))[
        "Listeners"
    ]
    arn = made["ListenerArn"]
    assert made["MutualAuthentication"] == {"Mode": "off"}
    [plain] = elb.call("ModifyListener", ListenerArn=arn, Protocol="HTTP")["Listeners"]
    assert not {"Certificates", "SslPolicy", "MutualAuthentication"} & set(plain)
    assert elb.refusal("ModifyListener", ListenerArn=arn, Protocol="HTTPS").code == "ValidationError"
    refused = elb.refusal("ModifyListener", ListenerArn=arn, Certificates=CERTIFICATES)
    assert refused.code == "ValidationError"
    [secure] = elb.call("ModifyListener", ListenerArn=arn, Protocol="HTTPS", Certificates=CERTIFICATES)[
        "Listeners"
    ]
    assert secure["SslPolicy"] == "ELBSecurityPolicy-2016-08"


def test_a_listener_verifies_clients_by_a_trust_store(elb: Elb) -> None:
    """The store shows its listener as association and cannot be deleted until the listener lets go."""
    bundle = {"CaCertificatesBundleS3Bucket": "ca", "CaCertificatesBundleS3Key": "bundle.pem"}
    [store] = elb.call("CreateTrustStore", Name="clients", **bundle)["TrustStores"]
    trust = store["TrustStoreArn"]
    mutual = {"Mode": "verify", "TrustStoreArn": trust, "IgnoreClientCertificateExpiry": True}
    wanted = listener_params(elb, Protocol="HTTPS", Certificates=CERTIFICATES, MutualAuthentication=mutual)
    [made] = elb.call("CreateListener", **wanted)["Listeners"]
    assert made["MutualAuthentication"] == mutual | {"AdvertiseTrustStoreCaNames": "off"}
    found = elb.call("DescribeTrustStoreAssociations", TrustStoreArn=trust)["TrustStoreAssociations"]
    assert found == [{"ResourceArn": made["ListenerArn"]}]
    assert elb.refusal("DeleteTrustStore", TrustStoreArn=trust).code == "TrustStoreInUse"
    refused = elb.refusal(
        "DeleteSharedTrustStoreAssociation", TrustStoreArn=trust, ResourceArn=made["ListenerArn"]
    )
    assert refused.code == "DeleteAssociationSameAccount"
    elb.call("ModifyListener", ListenerArn=made["ListenerArn"], MutualAuthentication={"Mode": "off"})
    elb.call("DeleteTrustStore", TrustStoreArn=trust)
    assert elb.refusal("DescribeTrustStores", TrustStoreArns=[trust]).code == "TrustStoreNotFound"


def test_trust_stores_and_their_revocations(elb: Elb) -> None:
    """Names are unique, revocation files are numbered, contents are named by a location in S3."""
    bundle = {"CaCertificatesBundleS3Bucket": "ca", "CaCertificatesBundleS3Key": "bundle.pem"}
    [store] = elb.call("CreateTrustStore", Name="clients", **bundle)["TrustStores"]
    assert (store["Status"], store["TotalRevokedEntries"]) == ("ACTIVE", 0)
    arn = store["TrustStoreArn"]
    assert elb.refusal("CreateTrustStore", Name="clients", **bundle).code == "DuplicateTrustStoreName"
    contents = [{"S3Bucket": "crl", "S3Key": "one.crl"}, {"S3Bucket": "crl", "S3Key": "two.crl"}]
    added = elb.call("AddTrustStoreRevocations", TrustStoreArn=arn, RevocationContents=contents)
    assert [item["RevocationId"] for item in added["TrustStoreRevocations"]] == [1, 2]
    elb.call("RemoveTrustStoreRevocations", TrustStoreArn=arn, RevocationIds=[1])
    left = elb.call("DescribeTrustStoreRevocations", TrustStoreArn=arn)["TrustStoreRevocations"]
    assert [item["RevocationId"] for item in left] == [2]
    refused = elb.refusal("GetTrustStoreRevocationContent", TrustStoreArn=arn, RevocationId=1)
    assert refused.code == "RevocationIdNotFound"
    where = elb.call("GetTrustStoreRevocationContent", TrustStoreArn=arn, RevocationId=2)["Location"]
    assert "crl" in where
    assert "two.crl" in where
    assert "bundle.pem" in elb.call("GetTrustStoreCaCertificatesBundle", TrustStoreArn=arn)["Location"]
    [named] = elb.call("DescribeTrustStores", Names=["clients"])["TrustStores"]
    assert named["TotalRevokedEntries"] == 1
    assert elb.refusal("DescribeTrustStores", Names=["none"]).code == "TrustStoreNotFound"
