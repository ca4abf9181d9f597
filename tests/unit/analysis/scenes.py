"""Scenes, requests and answerers to write gate tests with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sluice.model.binding import Binding, CallContext, Priority
from sluice.model.keys import DEPLOYMENT, Key
from sluice.model.rollout import HookRequest, MetricRequest
from sluice.model.strategy import Condition, Hook, Metric
from sluice.model.traffic import SlotTarget
from sluice.ports import GateScene

KEY = Key(DEPLOYMENT, "shop", "web")
CONTEXT = CallContext(binding=Binding(account="1", region="eu-west-1"), priority=Priority.ROLLOUT, key=KEY)
ELB = "arn:aws:elasticloadbalancing:eu-west-1:111122223333"


def target(slot: str) -> SlotTarget:
    """Return the target group of a slot."""
    return SlotTarget(
        slot=slot,
        port="http",
        container_port=8080,
        load_balancer_arn=f"{ELB}:loadbalancer/app/public/50dc6c495c0c9188",
        target_group_arn=f"{ELB}:targetgroup/web-{slot}/73e2d6bc24d8a067",
    )


def scene(**changes: Any) -> GateScene:
    """Return the scene of rollout r1: candidate in b, live in a."""
    members: dict[str, Any] = {
        "context": CONTEXT,
        "uid": "uid-1",
        "rollout_id": "r1",
        "revisions": {"candidate": "web-2", "source": "web-1"},
        "groups": {slot: (target(slot),) for slot in "ab"},
        "task": {"cluster": "main", "taskDefinition": "arn:td", "launchType": "FARGATE"},
    }
    return GateScene(**(members | changes))


def metric(kind: Any, query: Mapping[str, Any], **changes: Any) -> MetricRequest:
    """Return the first request of a metric."""
    asked = Metric(
        name="m", kind=kind, query=query, failure=Condition(operator=">", threshold=0.1), **changes
    )
    return MetricRequest(id="r1/m/0", metric=asked, window=(1_000.0, 1_060.0), candidate="b", live="a")


def hook(name: str = "smoke", **context: Any) -> HookRequest:
    """Return the first attempt of a hook."""
    return HookRequest(id=f"r1/Step/{name}/0", hook=name, timeout=5.0, context=context)


def hooks(
    *, webhook: Mapping[str, Any] | None = None, run_task: Mapping[str, Any] | None = None
) -> dict[str, Hook]:
    """Return the strategy's one hook."""
    return {"smoke": Hook(name="smoke", stage="Step", webhook=webhook, run_task=run_task)}


@dataclass
class FakeAws:
    """`ports.Aws` that answers from a table of functions and remembers what was asked."""

    answers: Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]]
    calls: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)
    contexts: list[CallContext] = field(default_factory=list)

    def call(
        self, service: str, operation: str, params: Mapping[str, Any], *, context: CallContext
    ) -> Mapping[str, Any]:
        """Answer one call."""
        assert context.key == KEY
        self.calls.append((service, operation, params))
        self.contexts.append(context)
        return self.answers[operation](params)


class Secrets:
    """`ports.Kubernetes` as far as gates use it."""

    def __init__(self, **data: str) -> None:
        """Know one Secret `s` with base64 `data`."""
        self._data = data

    def secret(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """Return the Secret."""
        assert namespace == "shop"
        return {"data": self._data} if name == "s" else None


@dataclass
class Received:
    """A request that the server got."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@contextmanager
def server(
    answer: Callable[[Received], tuple[int, bytes, Mapping[str, str]] | None],
) -> Iterator[tuple[str, list[Received]]]:
    """Run an HTTP server on loopback; `answer` None means: keep the client waiting."""
    received: list[Received] = []
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            got = Received(self.command, self.path, dict(self.headers), self.rfile.read(length))
            received.append(got)
            said = answer(got)
            if said is None:
                released.wait(30)
                return
            status, body, headers = said
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _any  # noqa: N815 - the names that BaseHTTPRequestHandler looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}", received
    finally:
        released.set()
        running.shutdown()
        running.server_close()
        thread.join()


def said(
    text: str, status: int = 200, **headers: str
) -> Callable[[Received], tuple[int, bytes, Mapping[str, str]]]:
    """Return an answerer that always says the same."""
    return lambda _received: (status, text.encode(), headers)


def series(values: Mapping[str, Sequence[float]]) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """Return GetMetricData's answer: values by `<slot><number>_<what>` or id."""

    def answer(params: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            "MetricDataResults": [
                {"Id": query["Id"], "Values": list(values.get(query["Id"], ()))}
                for query in params["MetricDataQueries"]
                if query.get("ReturnData", True)
            ]
        }

    return answer
