"""The ways clients speak to our own services: json 1.0/1.1, query/XML, rpc-v2-cbor and rest-json.

A codec finds the operation in a request, decodes its parameters, and encodes success or refusal so that
boto3 shows the right code: `__type` and x-amzn-ErrorType for json and cbor, the header alone for
rest-json, <Error><Code> in XML.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Params, Response
from sluice_sandbox.aws.wire import cbor, models, query, rest
from sluice_sandbox.aws.wire.exchange import RawRequest
from sluice_sandbox.aws.wire.models import Value
from sluice_sandbox.aws.wire.operation import Operation


@dataclass(frozen=True, slots=True)
class Encoded:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes


class Codec(Protocol):
    """One protocol. Stateless."""

    def operation_name(self, service: str, request: RawRequest) -> str:
        """Return the operation a request means, '' when it does not say."""

    def decode(self, operation: Operation, request: RawRequest) -> Value:
        """Return the parameters as sent, unchecked; raises AwsError when they cannot be read."""

    def accept(self, operation: Operation, params: Value) -> Params:
        """Return the checked parameters; raises AwsError."""

    def success(self, operation: Operation, response: Response, request_id: str) -> Encoded:
        """Encode an answer."""

    def refusal(self, service: str, error: AwsError, request_id: str) -> Encoded:
        """Encode a refusal."""


class JsonCodec:
    """https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html."""

    def operation_name(self, service: str, request: RawRequest) -> str:  # noqa: ARG002 - the protocol's port
        """Return the last part of X-Amz-Target."""
        return request.headers.get("X-Amz-Target", "").rpartition(".")[2]

    def decode(self, operation: Operation, request: RawRequest) -> Value:  # noqa: ARG002 - the protocol's port
        """Parse the body; an empty one means no parameters."""
        return _json(request.body)

    def accept(self, operation: Operation, params: Value) -> Params:
        """Check the parameters."""
        return operation.accept_wire(params)

    def success(self, operation: Operation, response: Response, request_id: str) -> Encoded:
        """Encode as JSON."""
        body = _dumped(operation.to_json(response))
        return Encoded(200, _json_headers(operation.service, request_id), body)

    def refusal(self, service: str, error: AwsError, request_id: str) -> Encoded:
        """Encode `__type`, `message` and the error's members."""
        content = {"__type": error.code, "message": error.message, **error.members}
        headers = {**_json_headers(service, request_id), "x-amzn-ErrorType": error.code}
        return Encoded(error.status, headers, json.dumps(content).encode())


class QueryCodec:
    """https://smithy.io/2.0/aws/protocols/aws-query-protocol.html."""

    def operation_name(self, service: str, request: RawRequest) -> str:  # noqa: ARG002 - the protocol's port
        """Return the form's Action."""
        return query.action(request.body)

    def decode(self, operation: Operation, request: RawRequest) -> Value:
        """Read the form by the operation's shape."""
        return operation.read_form(request.body.decode(errors="replace"))

    def accept(self, operation: Operation, params: Value) -> Params:
        """Check the parameters."""
        return operation.accept_wire(params)

    def success(self, operation: Operation, response: Response, request_id: str) -> Encoded:
        """Encode as XML."""
        text = query.response(
            operation.name,
            namespace=_namespace(operation.service),
            wrapper=operation.wrapper,
            result=operation.to_xml(response),
            request_id=request_id,
        )
        return Encoded(200, _xml_headers(request_id), text.encode())

    def refusal(self, service: str, error: AwsError, request_id: str) -> Encoded:
        """Encode <ErrorResponse>."""
        text = query.error(error, namespace=_namespace(service), request_id=request_id)
        return Encoded(error.status, _xml_headers(request_id), text.encode())


class CborCodec:
    """https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html."""

    def operation_name(self, service: str, request: RawRequest) -> str:  # noqa: ARG002 - the protocol's port
        """Return the last part of /service/<name>/operation/<operation>."""
        return request.path.rpartition("/operation/")[2]

    def decode(self, operation: Operation, request: RawRequest) -> Value:  # noqa: ARG002 - the protocol's port
        """Decode the body; an empty one means no parameters."""
        return cbor.decode(request.body) if request.body else {}

    def accept(self, operation: Operation, params: Value) -> Params:
        """Check the parameters; blobs are bytes already."""
        return operation.accept_wire(params, native=True)

    def success(self, operation: Operation, response: Response, request_id: str) -> Encoded:
        """Encode as CBOR."""
        return Encoded(200, _cbor_headers(request_id), cbor.encode(operation.to_cbor(response)))

    def refusal(self, service: str, error: AwsError, request_id: str) -> Encoded:
        """Encode `__type`, `message` and the error's members."""
        content = {"__type": error.code, "message": error.message, **error.members}
        headers = {**_cbor_headers(request_id), "x-amzn-ErrorType": error.code}
        if "query" in models.service_model(service).metadata.get("protocols", ()):
            # awsQueryCompatible: boto3 shows this code instead of the shape's name.
            fault = "Receiver" if error.status >= 500 else "Sender"
            headers["x-amzn-query-error"] = f"{error.code};{fault}"
        return Encoded(error.status, headers, cbor.encode(content))


class RestJsonCodec:
    """https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html."""

    def operation_name(self, service: str, request: RawRequest) -> str:
        """Return the operation whose method and path template fit."""
        found = rest.match(service, request.method, request.path)
        return found[0] if found is not None else ""

    def decode(self, operation: Operation, request: RawRequest) -> Value:
        """Gather path, query string, headers and body."""
        found = rest.match(operation.service, request.method, request.path)
        return operation.read_rest(
            found[1] if found is not None else {},
            query=request.query,
            headers=request.headers,
            body=_json(request.body),
        )

    def accept(self, operation: Operation, params: Value) -> Params:
        """Check the parameters."""
        return operation.accept_wire(params)

    def success(self, operation: Operation, response: Response, request_id: str) -> Encoded:
        """Encode as JSON, with the status that the model names."""
        status = operation.status
        body = b"" if status == 204 else _dumped(operation.to_json(response))
        return Encoded(status, _rest_headers(request_id), body)

    def refusal(self, service: str, error: AwsError, request_id: str) -> Encoded:  # noqa: ARG002
        """Encode the code as a header, `message` and the error's members as the body."""
        content = {"message": error.message, **error.members}
        headers = {**_rest_headers(request_id), "x-amzn-ErrorType": error.code}
        return Encoded(error.status, headers, _dumped(content))


JSON, QUERY, CBOR, REST_JSON = JsonCodec(), QueryCodec(), CborCodec(), RestJsonCodec()


def codec_for(service: str, headers: Mapping[str, str]) -> Codec:
    """Return the codec a request speaks, by its headers.

    For moto's services of rest-xml and ec2 only the refusal matters: their clients read XML as those
    of query do.
    """
    if headers.get("smithy-protocol") == "rpc-v2-cbor":
        return CBOR
    if "X-Amz-Target" in headers:
        return JSON
    protocols = models.service_model(service).metadata["protocols"]
    if "rest-json" in protocols:
        return REST_JSON
    return QUERY if _speaks_xml(service) else JSON


def _json(body: bytes) -> Value:
    try:
        return json.loads(body) if body else {}
    except (ValueError, RecursionError) as error:
        raise AwsError("SerializationException", f"malformed JSON: {error}") from error


_ENCODE = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
"""Made once, and without the memory of what was seen: what is rendered is a tree. A seventh quicker."""


def _dumped(content: Value) -> bytes:
    return _ENCODE(content).encode()


def _speaks_xml(service: str) -> bool:
    return not {"query", "ec2", "rest-xml"}.isdisjoint(models.service_model(service).metadata["protocols"])


def _json_headers(service: str, request_id: str) -> dict[str, str]:
    version = models.service_model(service).metadata.get("jsonVersion", "1.1")
    return {"x-amzn-RequestId": request_id, "Content-Type": f"application/x-amz-json-{version}"}


def _rest_headers(request_id: str) -> dict[str, str]:
    return {"x-amzn-RequestId": request_id, "Content-Type": "application/json"}


def _xml_headers(request_id: str) -> dict[str, str]:
    return {"x-amzn-RequestId": request_id, "Content-Type": "text/xml"}


def _cbor_headers(request_id: str) -> dict[str, str]:
    return {
        "x-amzn-RequestId": request_id,
        "Content-Type": "application/cbor",
        "smithy-protocol": "rpc-v2-cbor",
    }


def _namespace(service: str) -> str:
    return str(models.service_model(service).metadata.get("xmlNamespace", ""))
