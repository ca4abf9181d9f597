"""`sluice operator` as a process of its own, and what a test asks of it: probes, metrics, log, ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import urllib3
from prometheus_client.parser import text_string_to_metric_families

from e2e.waiting import until
from sluice_sandbox.demo.stage import sluice

_END_S = 40.0


class Operator:
    """One replica. Its environment has nothing of the person's AWS, Kubernetes or Sluice settings."""

    def __init__(self, name: str, *, log: Path, environment: Mapping[str, str], principal: str) -> None:
        """Start it; `principal` is who it is to AWS, as the stand-in records its calls."""
        self.name = name
        self.principal = principal
        self.log = log
        foreign = ("AWS_", "SLUICE_", "KUBE")
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*sluice(), "operator"],
                env=inherited | dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    # What it says.

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """Return the lines of its log so far, those of one event when it is given."""
        text = self.log.read_text(encoding="utf-8")
        # The last line may be half written.
        found = [json.loads(line) for line in text.splitlines(keepends=True) if _whole(line)]
        return [line for line in found if not event or line["event"] == event]

    def tail(self, count: int = 40) -> str:
        """Return the end of its log for a person who looks at a failed test."""
        lines = self.log.read_text(encoding="utf-8").splitlines()[-count:]
        return f"{self.name} (process {self.pid}, {'runs' if self.runs else 'ended'}):\n" + "\n".join(lines)

    def wait_for(self, event: str, *, seconds: float = 60.0) -> dict[str, Any]:
        """Return the first line of that event as soon as it is logged."""

        def first() -> dict[str, Any] | None:
            assert self.runs, self.tail()
            return next(iter(self.lines(event)), None)

        return until(first, f"{self.name} logs {event}", seconds=seconds)

    def wait_until_ready(self) -> None:
        """Wait until its readiness probe says yes."""
        until(lambda: self.probe("/readyz") == 200, f"{self.name} is ready", seconds=60)

    def probe(self, path: str) -> int:
        """Return the status of one of its probes."""
        return self._get(path).status

    def exposition(self, *, openmetrics: bool = False) -> str:
        """Return the text of /metrics, in OpenMetrics as Prometheus asks for it where that is wanted."""
        accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5" if openmetrics else ""
        return self._get("/metrics", accept=accept).data.decode()

    def samples(self, metric: str, **labels: str) -> list[tuple[dict[str, str], float]]:
        """Return labels and value of each sample of a metric that has these labels."""
        return [
            (dict(sample.labels), sample.value)
            for family in text_string_to_metric_families(self.exposition())
            for sample in family.samples
            if sample.name == metric and labels.items() <= sample.labels.items()
        ]

    def _get(self, path: str, *, accept: str = "") -> urllib3.BaseHTTPResponse:
        port = self.wait_for("http_bound")["port"]
        headers = {"Accept": accept} if accept else {}
        with urllib3.PoolManager() as pool:
            url = f"http://127.0.0.1:{port}{path}"
            return pool.request("GET", url, headers=headers, retries=False, timeout=5)

    # How it ends, or stands still.

    def end(self) -> int:
        """End it as the kubelet would (SIGTERM) and return its exit code."""
        if self.runs:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> float:
        """End it as a failing machine would (SIGKILL); return the time it was gone, epoch seconds."""
        if self.runs:
            self._process.kill()
        self._process.wait(_END_S)
        return time.time()

    def freeze(self) -> None:
        """Stop the process where it is (SIGSTOP): nothing is observed until `thaw`."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on (SIGCONT)."""
        self._process.send_signal(signal.SIGCONT)


def _whole(line: str) -> bool:
    return line.startswith("{") and line.endswith("\n")
