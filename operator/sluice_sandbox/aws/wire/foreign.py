"""Requests that moto answers: forwarded as they are, but for single operations that are answered here.

None of moto's services is spoken to in CBOR, which moto does not know.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

from sluice_sandbox.aws import moto_queues
from sluice_sandbox.aws.moto_bridge import MotoBridge, RawResponse
from sluice_sandbox.aws.record import OK
from sluice_sandbox.aws.refusals import unsupported
from sluice_sandbox.aws.service import Handler
from sluice_sandbox.aws.wire import models
from sluice_sandbox.aws.wire.codecs import Codec, Encoded
from sluice_sandbox.aws.wire.exchange import Exchange, RawRequest
from sluice_sandbox.aws.wire.models import Value
from sluice_sandbox.aws.wire.operation import operation

_CODE = re.compile(rb"<Code>([^<]+)</Code>|\"__type\":\s*\"(?:[^\"#]*#)?([^\":]+)")
_NO_ROUTE = b"Not yet implemented"
"""moto's body for a path of a REST service that it knows no handler of."""
_HOP_BY_HOP = frozenset({"content-length", "transfer-encoding", "connection", "date", "server"})


def parameters(exchange: Exchange, codec: Codec, request: RawRequest) -> Value:
    """Return a request's parameters for the record, None where they are not in the body (REST)."""
    protocols = models.service_model(exchange.service).metadata["protocols"]
    if not {"rest-json", "rest-xml"}.isdisjoint(protocols):
        return None
    return codec.decode(operation(exchange.service, exchange.name), request)


async def answer(
    moto: MotoBridge, exchange: Exchange, codec: Codec, request: RawRequest, *, handler: Handler | None = None
) -> Encoded:
    """Let moto answer in its own thread, or `handler` in its place; the outcome is noted in `exchange`.

    Raises AwsError (501) for an operation that moto knows by name only.
    """
    caller, service = exchange.caller, exchange.service
    if handler is not None:
        return await _amended(moto, exchange, codec, handler)
    if (service, exchange.name) == ("sqs", "ReceiveMessage"):
        request = await moto_queues.without_waiting(moto, caller, request)
    try:
        raw = await asyncio.wrap_future(moto.submit(lambda: moto.forward(caller, service, request)))
    except NotImplementedError:
        # moto's word for an operation without a body: a 500 would be retried, and is nobody's defect.
        raise unsupported(service, exchange.name) from None
    if raw.status == 404 and raw.body == _NO_ROUTE:
        raise unsupported(service, exchange.name)
    exchange.outcome = _outcome(raw)
    exchange.took_place = raw.status < 400
    return Encoded(raw.status, _forwardable(raw.headers), raw.body)


async def _amended(moto: MotoBridge, exchange: Exchange, codec: Codec, handler: Handler) -> Encoded:
    """Answer with a handler of the stand-in's that reads moto's books, hence in moto's thread."""
    compiled = operation(exchange.service, exchange.name)
    params = codec.accept(compiled, exchange.params)
    response = await asyncio.wrap_future(moto.submit(lambda: handler(exchange.caller, params)))
    exchange.took_place = True
    return codec.success(compiled, response, exchange.request_id)


def _outcome(raw: RawResponse) -> str:
    """Return the error code in moto's answer for the record, its status where there is none."""
    if raw.status < 400:
        return OK
    found = _CODE.search(raw.body)
    return (found.group(1) or found.group(2)).decode() if found else str(raw.status)


def _forwardable(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: str(value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}
