"""Who calls and which service is meant, read from the SigV4 credential scope.

https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html. Here only the
account, the Region and the service that they name are read; `wire.signatures` verifies them on demand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from sluice_sandbox.aws.errors import AwsError

_HEADER = re.compile(r"^AWS4-(?:HMAC-SHA256|ECDSA-P256-SHA256)\s.*?Credential=([^,\s]+)")
_UNSIGNED = ("AssumeRoleWithWebIdentity", "AssumeRoleWithSAML")


@dataclass(frozen=True, slots=True)
class Scope:
    """A credential scope."""

    access_key: str
    region: str
    signing_name: str


def scope(headers: Mapping[str, str], query: str, body: bytes) -> Scope:
    """Return the scope of a request, signed by header or by query string.

    STS's web-identity calls are not signed; they are known by their Action. Raises AwsError
    MissingAuthenticationToken (403) without credentials, IncompleteSignature for a broken scope.
    """
    header = headers.get("Authorization", "")
    if header:
        found = _HEADER.match(header)
        if found is None:
            raise _incomplete(
                "Authorization header must start with AWS4-HMAC-SHA256 and have a Credential parameter."
            )
        # Each missing part is told, as AWS tells it (wording of public issues).
        missing = [part for part in ("Signature", "SignedHeaders") if f"{part}=" not in header]
        if missing:
            raise _incomplete(
                " ".join(f"Authorization header requires '{part}' parameter." for part in missing)
            )
        credential = found.group(1)
    elif "X-Amz-Credential=" in query:
        credential = parse_qs(query)["X-Amz-Credential"][0]
    elif any(f"Action={action}".encode() in body for action in _UNSIGNED):
        return Scope(access_key="", region="us-east-1", signing_name="sts")
    else:
        raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", status=403)
    parts = credential.rsplit("/", 4)
    if len(parts) != 5 or parts[4] != "aws4_request" or not all(parts):
        raise _incomplete(
            "Credential must be of the form <access key>/<date>/<Region>/<service>/aws4_request"
        )
    return Scope(access_key=parts[0], region=parts[2], signing_name=parts[3])


def _incomplete(text: str) -> AwsError:
    return AwsError("IncompleteSignature", text, status=403)
