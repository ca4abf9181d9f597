"""One port for all of AWS: the HTTP face of a world.

Requests are told apart by the service in their credential scope, as endpoints would in AWS. Own services
are answered in the event loop, the rest goes to moto's thread. Paths under /_sandbox/ are the control
API. Faults do to HTTP callers what they do in process, and more: latency passes, connections end.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from sluice_sandbox.aws.errors import AwsError, ConnectionLost
from sluice_sandbox.aws.faults import Verdict
from sluice_sandbox.aws.moto_bridge import SERVICES as MOTO_SERVICES
from sluice_sandbox.aws.moto_bridge import MotoBridge
from sluice_sandbox.aws.refusals import unsupported
from sluice_sandbox.aws.service import Caller
from sluice_sandbox.aws.wire import foreign, models, rest, signatures, sigv4
from sluice_sandbox.aws.wire.codecs import CBOR, JSON, QUERY, REST_JSON, Codec, Encoded, codec_for
from sluice_sandbox.aws.wire.exchange import Exchange, RawRequest
from sluice_sandbox.aws.wire.operation import Operation, operation
from sluice_sandbox.aws.world import OWN_SERVICES, World

MAX_BODY = 64 * 1024 * 1024
CLASSIC_ELB = b"Version=2012-06-01"
CONTROL_PREFIX = "/_sandbox"

_ACCOUNT_KEY = re.compile(r"\d{12}")

_log = logging.getLogger(__name__)

Control = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class WireServer:
    """Serves a world on a loopback port until stopped."""

    def __init__(self, world: World, *, control: Control | None = None) -> None:
        """Serve `world`; `control` answers what is under /_sandbox/."""
        self._world = world
        self._control = control
        # Request ids come from their own generator: they must not shift the world's dice.
        self._ids = random.Random(world.rng.random())
        self._identities: dict[tuple[str, str], Caller] = {}
        self._runner: web.ServerRunner | None = None

    async def start(self, *, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen, and return the endpoint URL; port 0 takes a free one. Raises OSError when taken."""
        server = web.Server(self._handle, request_factory=_request, access_log=None)
        self._runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=2.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, backlog=512)
        await site.start()
        bound = self._runner.addresses[0]
        return f"http://{bound[0]}:{bound[1]}"

    async def stop(self) -> None:
        """Stop listening and end open connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def forget_identities(self) -> None:
        """Ask moto again whose an access key is (after a reset)."""
        self._identities.clear()

    # --------------------------------------------------------------- requests

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith(CONTROL_PREFIX):
            return await self._control(request) if self._control is not None else web.Response(status=404)
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
            # S3 clients wait a second for this before they send a body.
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await request.read()
        raw = RawRequest(request.method, request.raw_path, request.headers, body)
        request_id = str(uuid.UUID(int=self._ids.getrandbits(128), version=4))
        try:
            scope = sigv4.scope(raw.headers, raw.query, body)
            return await self._addressed(raw, scope=scope, request_id=request_id)
        except AwsError as error:
            return _response(_unaddressed(raw, error, request_id))
        except ConnectionLost:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()

    async def _addressed(
        self, request: RawRequest, *, scope: sigv4.Scope, request_id: str
    ) -> web.StreamResponse:
        service = models.service_for_signing_name(scope.signing_name)
        if service == "elbv2" and CLASSIC_ELB in request.body:
            service = "elb"
        caller = self._identify(scope)
        self._verify(request, scope, caller, service)
        if service in self._world.services:
            return await self._own(request, caller=caller, service=service, request_id=request_id)
        moto = self._world.outside.moto
        if moto is None or service in OWN_SERVICES or service not in MOTO_SERVICES:
            raise unsupported(service, _name(service, request))
        return await self._foreign(request, moto=moto, caller=caller, service=service, request_id=request_id)

    def _verify(self, request: RawRequest, scope: sigv4.Scope, caller: Caller, service: str) -> None:
        gate = self._world.outside.gate
        if gate is not None and gate.switches.signatures and scope.access_key:
            secret = gate.directory.secret(caller.account, scope.access_key)
            is_query = codec_for(service, request.headers) is QUERY
            signatures.verify(request, scope, secret, query=is_query)

    def _identify(self, scope: sigv4.Scope) -> Caller:
        key = (scope.access_key, scope.region)
        found = self._identities.get(key)
        if found is None:
            moto = self._world.outside.moto
            found = moto.caller(*key) if moto is not None else None
            if found is None:
                found = _stranger(self._world.caller, scope)
            self._identities[key] = found
        return found

    # ----------------------------------------------------------- own services

    async def _own(
        self, request: RawRequest, *, caller: Caller, service: str, request_id: str
    ) -> web.StreamResponse:
        codec = codec_for(service, request.headers)
        exchange = self._exchange(caller, service, codec.operation_name(service, request), request_id)

        async def work() -> Encoded:
            compiled = operation(service, exchange.name)
            exchange.params = codec.decode(compiled, request)
            verdict = await self._judge(exchange)
            encoded = self._answer(exchange, codec, compiled, verdict)
            _deliver(verdict, exchange)
            return encoded

        return await self._settle(exchange, codec, work())

    def _exchange(self, caller: Caller, service: str, name: str, request_id: str) -> Exchange:
        return Exchange(
            caller=caller, service=service, name=name, request_id=request_id, at=self._world.clock.now()
        )

    async def _settle(self, exchange: Exchange, codec: Codec, work: Awaitable[Encoded]) -> web.StreamResponse:
        """Turn what comes of a call into an HTTP answer, and record it."""
        try:
            encoded = await work
        except AwsError as error:
            exchange.outcome = error.code
            encoded = codec.refusal(exchange.service, error, exchange.request_id)
        except ConnectionLost:
            exchange.outcome = "ConnectionLost"
            raise
        except Exception as error:  # noqa: BLE001 - every call gets an answer
            # A defect of the stand-in or moto: the caller sees AWS's 500 with the cause, the log the trace.
            _log.exception("%s %s", exchange.service, exchange.name)
            exchange.outcome = "InternalFailure"
            text = f"The sandbox failed in {exchange.service} {exchange.name}: {error!r}"
            failure = AwsError("InternalFailure", text, status=500)
            encoded = codec.refusal(exchange.service, failure, exchange.request_id)
        finally:
            self._world.calls.add(
                caller=exchange.caller,
                service=exchange.service,
                operation=exchange.name,
                params=exchange.params,
                time=exchange.at,
                outcome=exchange.outcome,
                took_place=exchange.took_place,
                duration=self._world.clock.now() - exchange.at,
            )
        return _response(encoded)

    async def _judge(self, exchange: Exchange) -> Verdict | None:
        verdict = self._world.faults.decide(
            exchange.caller, exchange.service, exchange.name, now=exchange.at, params=exchange.params
        )
        if verdict is not None:
            if verdict.latency:
                await self._pass(verdict.latency)
            if verdict.refusal is not None:
                raise verdict.refusal
        self._world.authorize(exchange.caller, exchange.service, exchange.name, exchange.params)
        return verdict

    def _answer(
        self, exchange: Exchange, codec: Codec, compiled: Operation, verdict: Verdict | None
    ) -> Encoded:
        route = self._world.route(exchange.service, exchange.name)
        params = codec.accept(compiled, exchange.params)
        if verdict is None:
            response = self._world.handle(route, exchange.caller, params)
            encoded = codec.success(compiled, response, exchange.request_id)
        else:
            with self._world.reading(exchange.service, exchange.name, verdict):
                response = self._world.handle(route, exchange.caller, params)
                encoded = codec.success(compiled, response, exchange.request_id)
        exchange.took_place = True
        return encoded

    async def _pass(self, seconds: float) -> None:
        """Let `seconds` of the world's time pass."""
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def arrive() -> None:
            if not gone.done():
                gone.set_result(None)

        timer = self._world.clock.call_later(seconds, arrive)
        try:
            await gone
        finally:
            timer.cancel()

    # ------------------------------------------------------------------- moto

    async def _foreign(
        self,
        request: RawRequest,
        *,
        moto: MotoBridge,
        caller: Caller,
        service: str,
        request_id: str,
    ) -> web.StreamResponse:
        name = _name(service, request) or await asyncio.wrap_future(
            moto.submit(lambda: moto.operation_name(caller, service, request))
        )
        codec = codec_for(service, request.headers)
        exchange = self._exchange(caller, service, name, request_id)

        async def work() -> Encoded:
            exchange.params = foreign.parameters(exchange, codec, request)
            verdict = await self._judge(exchange)
            handler = self._world.outside.amended.get((service, name))
            encoded = await foreign.answer(moto, exchange, codec, request, handler=handler)
            _deliver(verdict, exchange)
            return encoded

        return await self._settle(exchange, codec, work())


def _stranger(default: Caller, scope: sigv4.Scope) -> Caller:
    """Return who uses a key that IAM and STS never gave out: the sandbox's own user.

    A key of twelve digits is the user of that account: the way to set up a second account, which in AWS
    would have its own root user.
    """
    account, principal = default.account, default.principal
    if _ACCOUNT_KEY.fullmatch(scope.access_key):
        account, principal = scope.access_key, f"arn:aws:iam::{scope.access_key}:user/sandbox"
    return Caller(account=account, region=scope.region, access_key=scope.access_key, principal=principal)


def _deliver(verdict: Verdict | None, exchange: Exchange) -> None:
    if verdict is not None and verdict.lose_answer:
        raise ConnectionLost(f"{exchange.service} {exchange.name}: the answer was lost")


def _name(service: str, request: RawRequest) -> str:
    """Return the operation's name for the protocols that say it, '' for REST."""
    headers = request.headers
    if headers.get("smithy-protocol"):
        codec: Codec = CBOR
    elif "X-Amz-Target" in headers:
        codec = JSON
    elif headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        codec = QUERY
    else:
        return ""
    return codec.operation_name(service, request)


def _unaddressed(request: RawRequest, error: AwsError, request_id: str) -> Encoded:
    """Encode a refusal of a request whose service is unknown or absent, in the client's protocol.

    Without a credential scope the protocol is all that tells: JSON names its target, and a path of VPC
    Lattice's, the only own service of rest-json, is like no other.
    """
    if "X-Amz-Target" in request.headers:
        return JSON.refusal("ecs", error, request_id)
    if rest.match("vpc-lattice", request.method, request.path) is not None:
        return REST_JSON.refusal("vpc-lattice", error, request_id)
    return codec_for("elbv2", request.headers).refusal("elbv2", error, request_id)


def _response(encoded: Encoded) -> web.Response:
    return web.Response(status=encoded.status, headers=encoded.headers, body=encoded.body)


def _request(*parts: Any) -> web.BaseRequest:  # noqa: ANN401 - aiohttp's request parts, passed through
    """Build a request that may carry more than aiohttp's one megabyte."""
    message, payload, protocol, writer, task = parts
    return web.BaseRequest(
        message, payload, protocol, writer, task, asyncio.get_running_loop(), client_max_size=MAX_BODY
    )
