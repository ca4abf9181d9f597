"""The operator as a process of its own, and what the kernel and its own metrics say of it.

It is the command a user runs, with a configuration file and the sandbox's environment. The series per
custom resource are off, because the harness asks for metrics far more often than Prometheus would and
the answer would be paid by what is measured.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from prometheus_client.parser import text_string_to_metric_families

from sluice_sandbox.demo.stage import free_port, sluice

_TICK: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_HERE: Final = Path(__file__).resolve().parent.parent

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class BenchFailed(Exception):  # noqa: N818 - it is what happened
    """A figure cannot be taken; the text says why and where the logs are."""


@dataclass(slots=True)
class Operator:
    """One installation; started and ended as often as a figure needs."""

    directory: Path
    environment: Mapping[str, str]
    settings: Mapping[str, Any]
    profile: Path | None = None
    """Where a profile of each run goes (`sluice_bench.profiled`); None runs the plain command."""
    port: int = 0
    _child: subprocess.Popen[bytes] | None = None
    _started: float = 0.0
    _runs: int = field(default=0)

    def start(self) -> None:
        """Start it and return once it works: ready, holding the Lease."""
        self.spawn()
        self.wait("the operator leads", lambda: self.samples().get(("sluice_leader", ()), 0) == 1, within=90)

    def spawn(self) -> float:
        """Start the process and return at once, with the wall-clock time right before."""
        self.port = self.port or free_port()
        config = {"installationId": "bench", "objectMetrics": False, **self.settings}
        config["http"] = {"address": "127.0.0.1", "port": self.port}
        path = self.directory / "bench-operator.yaml"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        self._runs += 1
        environment = dict(self.environment)
        command = [*sluice(), "operator", "--config", str(path)]
        if self.profile is not None:
            environment["SLUICE_BENCH_PROFILE"] = str(self.profile.with_suffix(f".{self._runs}.txt"))
            environment["PYTHONPATH"] = str(_HERE)
            command = [sys.executable, "-m", "sluice_bench.profiled", "operator", "--config", str(path)]
        with (self.directory / f"operator-{self._runs}.log").open("wb") as log:
            self._started = time.time()
            self._child = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self._started

    def end(self, *, kill: bool = False) -> None:
        """End it: SIGTERM and its own goodbye, or SIGKILL; return when it is gone."""
        child, self._child = self._child, None
        if child is None:
            return
        if child.poll() is None:
            child.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            child.wait(40)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    # What the kernel says.

    def cpu_seconds(self) -> float:
        """Return user and system time since the process began."""
        self._proc("stat")
        return self.cpu_or_none()

    def cpu_or_none(self) -> float:
        """Return the same, 0 when it does not run."""
        return cpu_seconds(self._child.pid) if self._child is not None else 0.0

    def memory_mb(self) -> float:
        """Return the resident set in MB (10^6 bytes)."""
        return int(self._proc("statm").split()[1]) * _PAGE / 1e6

    def peak_memory_mb(self) -> float:
        """Return the largest resident set so far in MB (10^6 bytes; proc(5), VmHWM)."""
        line = next(line for line in self._proc("status").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6

    def threads(self) -> int:
        """Return how many threads there are."""
        line = next(line for line in self._proc("status").splitlines() if line.startswith("Threads"))
        return int(line.split()[1])

    def _proc(self, name: str) -> str:
        if self._child is None or self._child.poll() is not None:
            raise BenchFailed(f"the operator has ended; logs are in {self.directory}")
        return Path(f"/proc/{self._child.pid}/{name}").read_text(encoding="utf-8")

    # What it says itself.

    def samples(self) -> Samples:
        """Return its metrics by name and sorted labels; empty while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
                text = answer.read().decode()
        except OSError:
            return {}
        return samples_of(text)

    def wait(self, what: str, done: Callable[[], bool], *, within: float, every: float = 0.05) -> None:
        """Wait until `done`. Raises BenchFailed after `within` seconds or when the process ended."""
        deadline = time.monotonic() + within
        while not done():
            if self._child is None or self._child.poll() is not None:
                raise BenchFailed(f"waiting for “{what}”: the operator ended; logs are in {self.directory}")
            if time.monotonic() > deadline:
                raise BenchFailed(f"“{what}” not within {within:g} s; logs are in {self.directory}")
            time.sleep(every)


def cpu_seconds(pid: int) -> float:
    """Return a process's user and system time, 0 when there is none (proc(5), fields 14 and 15)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return 0.0
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def samples_of(text: str) -> Samples:
    """Read Prometheus' text format."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(samples: Samples, name: str, **labels: str) -> float:
    """Return the sum of the samples of a name whose labels include these."""
    wanted = set(labels.items())
    return sum(value for (found, own), value in samples.items() if found == name and wanted <= set(own))


def by(samples: Samples, name: str, *labels: str) -> dict[str, float]:
    """Return the sums of a name's samples by some of its labels, joined by a blank."""
    found: dict[str, float] = {}
    for (sample, own), value in samples.items():
        if sample == name and value:
            key = " ".join(dict(own).get(label, "") for label in labels)
            found[key] = found.get(key, 0) + value
    return found
