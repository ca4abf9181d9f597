"""An API server as far as the verbs talk to it: objects by path, merge patches, conflicts, failures.

Real sockets and a real kubeconfig; what the real one does beyond this is shown in tests/integration/cli.
"""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]
BASE = "/apis/sluice.dev/v1alpha1/namespaces/shop"
DEPLOYMENTS = f"{BASE}/ecsdeployments"
ROUTES = f"{BASE}/serviceroutes"
REVISIONS = "/apis/apps/v1/namespaces/shop/controllerrevisions"
SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
EVENTS = "/api/v1/namespaces/shop/events"
NAMES = ("ecsdeployments", "ecsdeployments/status", "serviceroutes", "serviceroutes/status")


class FakeApi:
    """Holds the objects; `objects[path]`, lists are what begins with the path."""

    def __init__(self) -> None:
        """Serve on a free port of loopback."""
        self.objects: dict[str, Json] = {}
        self.installed = True
        self.user = ""
        """Whom it takes the caller for; '' where it does not say."""
        self.requests: list[str] = []
        self.patches: list[Json] = []
        self.on_patch: Callable[[FakeApi, Json], None] = lambda api, obj: None
        """The operator: what it does about a written object."""
        self.before: list[Callable[[str, str], int | None]] = []
        """Each is asked once per request and may answer with a status; 0 drops the connection."""
        self.lose_answers = 0
        """So many answers to writes are lost after the write."""
        self._version = 10
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def put(self, obj: Json, folder: str = DEPLOYMENTS) -> Json:
        """Write an object, as its owner would."""
        with self._lock:
            self._version += 1
            obj = copy.deepcopy(obj)
            obj["metadata"]["resourceVersion"] = str(self._version)
            obj["metadata"].setdefault("uid", "u-" + obj["metadata"]["name"])
            self.objects[f"{folder}/{obj['metadata']['name']}"] = obj
            return obj

    def status(self, **members: Any) -> None:
        """Write status members of `checkout`."""
        obj = copy.deepcopy(self.objects[f"{DEPLOYMENTS}/checkout"])
        obj["status"] = {**obj.get("status", {}), **members}
        self.put(obj)

    def event(self, reason: str, message: str, *, name: str = "e1", count: int = 1) -> None:
        """Write an Event about something."""
        event = {"metadata": {"name": name}, "reason": reason, "message": message, "count": count}
        self.put(event, EVENTS)

    def kubeconfig(self, path: Path, *, namespace: str = "shop") -> Path:
        """Write a kubeconfig with the contexts `here` (current) and `elsewhere`."""
        contexts = [
            {"name": "here", "context": {"cluster": "fake", "user": "me", "namespace": namespace}},
            {"name": "elsewhere", "context": {"cluster": "fake", "user": "me", "namespace": "other"}},
        ]
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
            "users": [{"name": "me", "user": {"token": "t"}}],
            "contexts": contexts,
        }
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    def _who(self, path: str) -> tuple[int, Json]:
        if path == SELF and self.user:
            return 201, {"status": {"userInfo": {"username": self.user}}}
        return 404, _failure(404, "NotFound", "the server could not find the requested resource")

    def answer(self, method: str, url: str, body: Json | None) -> tuple[int, Json]:
        """Answer one request."""
        path = urlsplit(url).path
        with self._lock:
            self.requests.append(f"{method} {url}")
            for rule in self.before:
                code = rule(method, path)
                if code is not None:
                    return code, _failure(code, "ServerSays", f"{method} {path} is refused by the test")
            if path == "/apis/sluice.dev/v1alpha1":
                return 200, {"resources": [{"name": name} for name in NAMES]} if self.installed else {}
            if method in ("PATCH", "POST"):
                return self._patch(path, body or {}) if method == "PATCH" else self._who(path)
            if path in self.objects:
                return 200, self.objects[path]
            if path.rsplit("/", 1)[-1] in {"serviceroutes", "controllerrevisions", "events"}:
                return 200, {"items": self._items(path), "metadata": {}}
            return 404, _failure(404, "NotFound", f"{path} not found")

    def _items(self, path: str) -> list[Json]:
        return [obj for place, obj in self.objects.items() if place.rsplit("/", 1)[0] == path]

    def _patch(self, path: str, change: Json) -> tuple[int, Json]:
        present = self.objects.get(path)
        if present is None:
            return 404, _failure(404, "NotFound", f"{path} not found")
        wanted = change.get("metadata", {}).get("resourceVersion")
        if wanted is not None and wanted != present["metadata"]["resourceVersion"]:
            return 409, _failure(409, "Conflict", "the object has been modified")
        self.patches.append(copy.deepcopy(change))
        after = _merged(present, change)
        if after.get("spec") != present.get("spec"):
            after["metadata"]["generation"] = present["metadata"].get("generation", 1) + 1
        written = self.put(after)
        self.on_patch(self, copy.deepcopy(written))
        if self.lose_answers:
            self.lose_answers -= 1
            return 0, {}
        return 200, written


def _merged(present: Any, change: Any) -> Any:
    """Merge as RFC 7386 says."""
    if not isinstance(change, dict):
        return change
    found = dict(present) if isinstance(present, dict) else {}
    for name, value in change.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = _merged(found.get(name), value)
    return found


def _failure(code: int, reason: str, message: str) -> Json:
    return {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}


def _handler(api: FakeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            code, answer = api.answer(self.command, self.path, body)
            if not code:
                self.close_connection = True
                self.connection.close()
                return
            payload = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_PATCH = do_POST = _serve  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
