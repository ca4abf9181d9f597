"""One AWS side for the tests of this folder, in the loop of a thread, and boto3 clients of it."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import boto3
import pytest
from botocore.config import Config

from sluice_sandbox.aws.side import AwsSide, Settings

ACCOUNT = "300000000003"
Client = Callable[..., Any]


class Side:
    """A running AWS side."""

    def __init__(self) -> None:
        """Start it."""
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.aws = AwsSide(Settings(speed=10, account=ACCOUNT))
        self.url = self.run(self.aws.start())

    def run(self, coroutine: Any) -> Any:
        """Run a coroutine in the side's loop."""
        future: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        return future.result(timeout=60)

    def control(self, path: str, body: object = None, method: str | None = None) -> Any:
        """Ask the control API."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}/_sandbox/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def stop(self) -> None:
        """End it."""
        self.run(self.aws.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture(scope="session")
def side() -> Iterator[Side]:
    """One side for the folder: moto's backends are the process's, so an account is used once."""
    side = Side()
    yield side
    side.stop()


@pytest.fixture
def client(side: Side) -> Iterator[Client]:
    """Make clients; keys other than the dummy ones may be given."""
    made: list[Any] = []

    def make(service: str, **keys: Any) -> Any:
        credentials = {"aws_access_key_id": "AKIASANDBOX", "aws_secret_access_key": "x", **keys}
        config = credentials.pop("config", None) or Config(retries={"total_max_attempts": 1})
        session = boto3.session.Session(region_name="eu-west-1", **credentials)
        made.append(session.client(service, endpoint_url=side.url, config=config))
        return made[-1]

    yield make
    for used in made:
        used.close()
