"""A Prometheus of one's own: loopback, its own folder, ended by process id.

Scraped often (every second), because what is to be seen happens in seconds here. Metrics' own labels win
over the target's, as the chart's ServiceMonitor says too: `namespace` is the custom resource's.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import yaml

from sluice_sandbox.controlplane.errors import NotStarted
from sluice_sandbox.dashboard.programs import locate
from sluice_sandbox.demo.stage import end, free_port

JOB: Final = "sluice"
_READY_S: Final = 60.0
_POLL_S: Final = 0.05


class QueryFailed(Exception):  # noqa: N818 - Prometheus' act
    """Prometheus refused a query; the text is its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series of an instant query's answer."""

    labels: dict[str, str]
    value: float


def configuration(targets: Sequence[str], *, rules: Sequence[Path] = (), interval: str = "1s") -> str:
    """Return Prometheus' configuration: one job over `targets` (host:port), rules by file."""
    return yaml.safe_dump(
        {
            "global": {"scrape_interval": interval, "evaluation_interval": interval},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [
                {
                    "job_name": JOB,
                    "honor_labels": True,
                    "static_configs": [{"targets": list(targets), "labels": {"namespace": "sluice-system"}}],
                }
            ],
        },
        sort_keys=False,
    )


def query(url: str, expression: str, *, at: float | None = None) -> list[Series]:
    """Ask the Prometheus at `url` what an expression is now (or at epoch seconds `at`).

    Raises:
        QueryFailed: it does not understand or cannot answer the expression.
    """
    asked = {"query": expression} | ({} if at is None else {"time": f"{at:.3f}"})
    answer = get(f"{url}/api/v1/query?{urllib.parse.urlencode(asked)}")
    if answer["resultType"] == "scalar":
        return [Series(labels={}, value=float(answer["result"][1]))]
    return [Series(labels=dict(item["metric"]), value=float(item["value"][1])) for item in answer["result"]]


def get(url: str) -> Any:  # noqa: ANN401 - JSON
    """Return the `data` of an answer of the HTTP API. Raises QueryFailed with what Prometheus says."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own loopback server
            return json.load(answer)["data"]
    except urllib.error.HTTPError as refused:
        with refused:
            body = refused.read().decode(errors="replace")
        raise QueryFailed(f"{refused.code}: {body[:2000]}") from refused


class Prometheus:
    """One process. A context manager; `folder` keeps its data, configuration and log."""

    def __init__(self, folder: Path, config: str) -> None:
        """Prepare one with this configuration. Raises MissingProgram where it is not installed."""
        self._program = locate("prometheus")["prometheus"]
        self._folder = folder
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        """Start it and wait until it is ready. Raises NotStarted with the end of its log."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file, log = self._folder / "prometheus.yml", self._folder / "prometheus.log"
        file.write_text(self._config, encoding="utf-8")
        address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{address}"
        command = [str(self._program), f"--config.file={file}", f"--web.listen-address={address}"]
        command += [f"--storage.tsdb.path={self._folder / 'data'}", "--log.level=warn"]
        # A sample is the present one for five seconds, not minutes: scrapes are a second apart.
        command += ["--enable-feature=exemplar-storage", "--query.lookback-delta=5s"]
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - a program of the system's, no shell
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            self._wait(self._process, log)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        if self._process is not None:
            end(self._process)

    def _wait(self, process: subprocess.Popen[bytes], log: Path) -> None:
        deadline = time.monotonic() + _READY_S
        while not self._ready():
            if process.poll() is not None or time.monotonic() > deadline:
                text = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise NotStarted(f"prometheus at {self.url} did not get ready:\n{text}")
            time.sleep(_POLL_S)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:  # noqa: S310 - loopback
                return bool(answer.status == 200)
        except OSError:
            return False

    def ask(self, expression: str, *, at: float | None = None) -> list[Series]:
        """See `query`."""
        return query(self.url, expression, at=at)
