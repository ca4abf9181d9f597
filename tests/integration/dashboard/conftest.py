"""A Prometheus with a recorded rollback, and the page over it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from integration.dashboard.recorded import record
from sluice_sandbox.dashboard.page import application
from sluice_sandbox.dashboard.prometheus import Prometheus, configuration


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that scrapes nothing and remembers a rollback."""
    folder: Path = tmp_path_factory.mktemp("prometheus")
    record(folder / "data")
    with Prometheus(folder, configuration([])) as prometheus:
        yield prometheus


@pytest.fixture(scope="session")
def page(recorded: Prometheus) -> Iterator[str]:
    """The address of the page."""
    with Served(application(recorded.url)) as url:
        yield url


class Served:
    """An application in a thread of its own."""

    def __init__(self, app: web.Application) -> None:
        """Serve `app` on a free port."""
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._bound = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._work, name="page", daemon=True)
        self._url = ""

    def __enter__(self) -> str:
        """Return the address once it is bound."""
        self._thread.start()
        assert self._bound.wait(20)
        return self._url

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive()

    def _work(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        runner = web.AppRunner(self._app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        self._url = f"http://{host}:{port}"
        self._bound.set()
        await self._stop.wait()
        await runner.cleanup()
