"""Long polls of moto's SQS, without holding up everybody else.

moto waits inside ReceiveMessage, which would keep its one thread and its lock for up to twenty seconds, and
with them every service that asks the estate. So the waiting is done here, in the event loop, by looking at
the queue; moto is asked only once there is something to receive or the time is up, and then not to wait.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sluice_sandbox.aws.moto_bridge import MotoBridge
from sluice_sandbox.aws.service import Caller
from sluice_sandbox.aws.wire.exchange import RawRequest

MAX_WAIT_S = 20.0
_LOOK_EVERY_S = 0.05


async def without_waiting(moto: MotoBridge, caller: Caller, request: RawRequest) -> RawRequest:
    """Wait as long as a ReceiveMessage asks to, and return it with a wait of 0.

    Requests of clients older than the JSON protocol (query) are returned as they are.
    """
    try:
        params = json.loads(request.body)
        name = str(params["QueueUrl"]).rsplit("/", 1)[-1]
    except (ValueError, KeyError, TypeError):
        return request
    loop = asyncio.get_running_loop()
    wait_s = await asyncio.wrap_future(moto.submit(lambda: _wait_seconds(caller, name, params)))
    if not 0 <= wait_s <= MAX_WAIT_S:
        # moto refuses it at once, in SQS's words.
        return request
    deadline = loop.time() + wait_s
    while loop.time() < deadline and not _has_messages(moto, caller, name):  # noqa: ASYNC110 - moto has no event
        await asyncio.sleep(_LOOK_EVERY_S)
    body = json.dumps({**params, "WaitTimeSeconds": 0}).encode()
    headers = {key: value for key, value in request.headers.items() if key.lower() != "content-length"}
    return replace(request, body=body, headers={**headers, "Content-Length": str(len(body))})


def _wait_seconds(caller: Caller, name: str, params: Mapping[str, Any]) -> float:
    if "WaitTimeSeconds" in params:
        return float(params["WaitTimeSeconds"])
    queue = _queue(caller, name)
    return float(queue.receive_message_wait_time_seconds or 0) if queue is not None else 0.0


def _has_messages(moto: MotoBridge, caller: Caller, name: str) -> bool:
    with moto.lock:
        queue = _queue(caller, name)
        # A queue that is gone is moto's to complain about, at once.
        return queue is None or bool(queue.messages)


def _queue(caller: Caller, name: str) -> Any:  # noqa: ANN401 - moto's queue
    from moto.sqs.models import sqs_backends  # noqa: PLC0415 - moto is imported on first use

    return sqs_backends[caller.account][caller.region].queues.get(name)
