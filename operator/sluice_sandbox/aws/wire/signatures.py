"""Signature Version 4, verified where the sandbox is asked to (`POST /_sandbox/access`).

https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html. The signature is computed again
by botocore's own signer from the headers that the client says it signed. Off by default: most people sign
with dummy keys. Ages are not checked, so that benchmarks may replay requests signed once, and of presigned
URLs only the access key is looked at.
"""

from __future__ import annotations

import hmac
import re

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.wire.exchange import RawRequest
from sluice_sandbox.aws.wire.sigv4 import Scope

_SIGNED_HEADERS = re.compile(r"SignedHeaders=([^,\s]+)")
_SIGNATURE = re.compile(r"Signature=([0-9a-fA-F]+)")


def verify(request: RawRequest, scope: Scope, secret: str | None, *, query: bool) -> None:
    """Raise AwsError unless `secret` (None for a key that nobody has) makes the request's signature.

    The codes are the common errors' of query services and Coral's of the others (`query` tells which).
    """
    if secret is None:
        code = "InvalidClientTokenId" if query else "UnrecognizedClientException"
        raise AwsError(code, "The security token included in the request is invalid.", status=403)
    header = request.headers.get("Authorization", "")
    if not header:
        return
    given = _SIGNATURE.search(header)
    if given is None or not hmac.compare_digest(given.group(1).lower(), _signature(request, scope, secret)):
        raise AwsError(
            "SignatureDoesNotMatch" if query else "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS "
            "Secret Access Key and signing method. Consult the service documentation for details.",
            status=403,
        )


def _signature(request: RawRequest, scope: Scope, secret: str) -> str:
    listed = _SIGNED_HEADERS.search(request.headers.get("Authorization", ""))
    names = listed.group(1).split(";") if listed is not None else []
    signer = botocore.auth.S3SigV4Auth if scope.signing_name == "s3" else botocore.auth.SigV4Auth
    auth = signer(
        botocore.credentials.Credentials(scope.access_key, secret), scope.signing_name, scope.region
    )
    prepared = botocore.awsrequest.AWSRequest(
        method=request.method,
        url=f"http://{request.headers.get('Host', '')}{request.target}",
        headers={name: request.headers[name] for name in names if name in request.headers},
        data=request.body,
    )
    prepared.context["timestamp"] = request.headers.get("X-Amz-Date", "")
    prepared.context["payload_signing_enabled"] = True
    canonical = auth.canonical_request(prepared)
    return str(auth.signature(auth.string_to_sign(prepared, canonical), prepared))
