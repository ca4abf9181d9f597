"""The credential scope says who calls which service, however the request is signed."""

from __future__ import annotations

import pytest

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.wire.sigv4 import Scope, scope

SIGNED = (
    "AWS4-HMAC-SHA256 Credential=AKIAX/20260101/eu-west-1/ecs/aws4_request, SignedHeaders=host, Signature=0"
)


@pytest.mark.parametrize(
    ("headers", "query", "body", "found"),
    [
        pytest.param({"Authorization": SIGNED}, "", b"", Scope("AKIAX", "eu-west-1", "ecs"), id="header"),
        pytest.param(
            {},
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAX%2F20260101%2Fus-east-1%2Fs3%2Faws4_request",
            b"",
            Scope("AKIAX", "us-east-1", "s3"),
            id="presigned",
        ),
        pytest.param(
            {},
            "",
            b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15",
            Scope("", "us-east-1", "sts"),
            id="unsigned",
        ),
    ],
)
def test_scope(headers: dict[str, str], query: str, body: bytes, found: Scope) -> None:
    """Header, presigned query and STS's unsigned calls each name account, Region and service."""
    assert scope(headers, query, body) == found


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param({}, "MissingAuthenticationToken", id="none"),
        pytest.param({"Authorization": "Bearer x"}, "IncompleteSignature", id="bearer"),
        pytest.param(
            {"Authorization": "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=0"},
            "IncompleteSignature",
            id="short",
        ),
        pytest.param(
            {"Authorization": SIGNED.replace(", Signature=0", "")}, "IncompleteSignature", id="no signature"
        ),
        pytest.param(
            {"Authorization": SIGNED.replace("SignedHeaders=host, ", "")},
            "IncompleteSignature",
            id="no signed headers",
        ),
        pytest.param(
            {"Authorization": SIGNED.replace("20260101", "")},
            "IncompleteSignature",
            id="empty part",
        ),
    ],
)
def test_without_a_scope_it_is_403(headers: dict[str, str], code: str) -> None:
    """A request that does not say who calls is refused before any service sees it."""
    with pytest.raises(AwsError) as caught:
        scope(headers, "", b"")
    assert (caught.value.code, caught.value.status) == (code, 403)
