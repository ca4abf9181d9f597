"""The two servers that are measured beside each other, each a process of its own on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config

from sluice_bench.operator_process import BenchFailed, cpu_seconds

REGION = "eu-west-1"
_MODULES = {
    "stand-in": ["-m", "sluice_sandbox.aws", "--no-estate", "--end-with-stdin"],
    "moto": ["-m", "sluice_bench.stand_in_moto"],
}
NAMES = tuple(_MODULES)


class Server:
    """One of NAMES, running; its end is the end of the `with`."""

    def __init__(self, name: str) -> None:
        """Start it and wait until it answers; raises BenchFailed when it ends instead."""
        self.name = name
        self._child = subprocess.Popen(
            [sys.executable, *_MODULES[name]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
        )
        assert self._child.stdout is not None
        self.url = self._child.stdout.readline().strip()
        if not self.url:
            raise BenchFailed(f"the server {name} ended at its start")

    def __enter__(self) -> Self:
        """Return the running server."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, by force when it does not end itself."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        try:
            self._child.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3's clients have no types
        """Return a boto3 client that neither retries nor validates twice."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="AKIABENCH",
            aws_secret_access_key="bench",
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=1),
        )

    def cpu_seconds(self) -> float:
        """Return its user and system time so far."""
        return cpu_seconds(self._child.pid)

    def memory_mb(self) -> float:
        """Return its resident set in MB (10^6 bytes)."""
        text = Path(f"/proc/{self._child.pid}/statm").read_text(encoding="utf-8")
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
