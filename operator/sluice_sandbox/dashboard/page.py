"""The page over HTTP: its files, and Prometheus' query API behind the same address.

Only reading queries go through; the browser needs no other origin, and the policy in the head of every
answer forbids it any.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib import resources
from typing import Final

import aiohttp
from aiohttp import web

PATHS: Final = ("query", "query_range")
"""Of Prometheus' HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api/)."""
FILES: Final = {
    "": ("index.html", "text/html"),
    "page.js": ("page.js", "text/javascript"),
    "chart.js": ("chart.js", "text/javascript"),
    "page.css": ("page.css", "text/css"),
}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'",
    "Cache-Control": "no-store",
}
_UPSTREAM_S: Final = 30.0
_SESSION: Final = web.AppKey("session", aiohttp.ClientSession)


def application(prometheus_url: str) -> web.Application:
    """Return the application; `prometheus_url` is where queries go."""
    app = web.Application()
    static = resources.files("sluice_sandbox.dashboard") / "static"
    texts = {path: ((static / name).read_bytes(), kind) for path, (name, kind) in FILES.items()}

    async def upstream(_: web.Application) -> AsyncIterator[None]:
        timeout = aiohttp.ClientTimeout(total=_UPSTREAM_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            app[_SESSION] = session
            yield

    async def file(request: web.Request) -> web.Response:
        body, kind = texts[request.match_info.get("name", "")]
        return web.Response(body=body, content_type=kind, charset="utf-8", headers=_HEADERS)

    async def ask(request: web.Request) -> web.Response:
        url = f"{prometheus_url}/api/v1/{request.match_info['path']}"
        try:
            async with app[_SESSION].get(url, params=request.query) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            text = f"Prometheus at {prometheus_url} does not answer: {error}"
            return web.json_response({"status": "error", "error": text}, status=502, headers=_HEADERS)
        return web.Response(
            body=body, status=answer.status, content_type="application/json", headers=_HEADERS
        )

    app.cleanup_ctx.append(upstream)
    app.router.add_get("/", file)
    app.router.add_get(f"/{{name:{'|'.join(name for name in FILES if name)}}}", file)
    app.router.add_get(f"/api/v1/{{path:{'|'.join(PATHS)}}}", ask)
    return app
