"""A world for a figure: a control plane and an AWS stand-in of its own, in a directory of its own.

Three processes beside the harness (etcd, kube-apiserver, the stand-in) and the operator. Each world starts
empty: nothing of an earlier figure is in its caches, its etcd or its listener.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sluice_bench.objects import ApiServer, Json
from sluice_bench.operator_process import Operator, cpu_seconds
from sluice_sandbox.aws.record import is_read
from sluice_sandbox.controlplane.cluster import Cluster
from sluice_sandbox.controlplane.crds import apply_crds, crd_files
from sluice_sandbox.sandbox import Options, Sandbox

CRDS: Final = Path(__file__).resolve().parents[2] / "crds"


class StandIn:
    """The AWS stand-in, asked over its control API."""

    def __init__(self, endpoint: str) -> None:
        """Ask at `endpoint`."""
        self._base = f"{endpoint}/_sandbox"

    def counts(self) -> dict[str, Counter[str]]:
        """Return calls by operation, one counter per outcome (`OK` or an error code)."""
        found: dict[str, Counter[str]] = {}
        for entry in self._get("counts")["counts"]:
            counter = found.setdefault(entry["outcome"], Counter())
            counter[f"{entry['service']} {entry['operation']}"] += entry["count"]
        return found

    def total(self) -> int:
        """Return how many calls there were."""
        return int(self._get("health")["calls"])

    def count(self, name: str, *, outcome: str = "OK") -> int:
        """Return how often `service Operation` ended so."""
        return self.counts().get(outcome, Counter())[name]

    def calls(self, **query: str) -> list[Json]:
        """Return recorded calls, oldest first, their `time` put on this process's clock."""
        early = self._offset()
        found = self._get("calls", limit="100000", **query)["calls"]
        for call in found:
            call["time"] -= early
        return list(found)

    def _offset(self) -> float:
        """Return by how many seconds the stand-in's clock is ahead of ours."""
        began = time.time()
        now = float(self._get("clock")["now"])
        return now - (began + time.time()) / 2

    def add_fault(self, **fields: Any) -> None:  # noqa: ANN401 - JSON of `faults.Fault`
        """Add a fault."""
        request = urllib.request.Request(
            f"{self._base}/faults", data=json.dumps(fields).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=30):
            pass

    def _get(self, noun: str, **query: str) -> Json:
        url = f"{self._base}/{noun}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return dict(json.load(answer))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a world differs from the next."""

    latency_seconds: float = 0.0
    """What every ECS and Elastic Load Balancing call takes longer."""
    budgets: bool = False
    """Budgets on in the operator (the whole published rate), and enforced by the stand-in."""
    profile: Path | None = None
    speed: float = 1.0
    """AWS seconds per real second; other than 1 for smoke tests alone."""


class World:
    """A context manager: everything up but the operator, which a figure starts; all down afterwards."""

    def __init__(self, plan: Plan, *, say: Callable[[str], None]) -> None:
        """Be what `plan` says; `say` hears of progress."""
        self._plan = plan
        self._say = say
        self._folder = tempfile.TemporaryDirectory(prefix="sluice-bench-", ignore_cleanup_errors=True)
        self.directory = Path(self._folder.name)
        self._sandbox = Sandbox(self.directory)
        self.estate: Json = {}

    def __enter__(self) -> Self:
        """Start the sandbox and apply the CRDs."""
        try:
            self._start()
        except BaseException:
            self._sandbox.down()
            self._folder.cleanup()
            raise
        return self

    def _start(self) -> None:
        plan = self._plan
        self._sandbox.up(Options(speed=plan.speed), detach=False)
        self.estate = self._sandbox.estate()
        cluster = Cluster(self._sandbox.kubernetes)
        apply_crds(cluster, crd_files(CRDS))
        self.api = ApiServer(self._sandbox.kubernetes, cluster.server)
        self.api.create_namespace()
        self.aws = StandIn(self.estate["endpoint"])
        for service in ("ecs", "elbv2"):
            if plan.latency_seconds:
                self.aws.add_fault(kind="latency", service=service, seconds=plan.latency_seconds)
            if plan.budgets:
                self.aws.add_fault(kind="buckets", service=service)
        self.operator = Operator(
            self.directory,
            environment=self._environment(),
            settings={
                "aws": {"budgets": plan.budgets, "budgetShare": 1.0},
                "tenancy": [tenancy(self.estate)],
            },
            profile=plan.profile,
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the operator, then the sandbox; the directory stays when a figure failed."""
        self.operator.end()
        self._sandbox.down()
        if error is None:
            self._folder.cleanup()
        else:
            self._folder._finalizer.detach()  # type: ignore[attr-defined]  # noqa: SLF001 - logs are wanted
            self._say(f"logs are left in {self.directory}")

    def busy(self) -> tuple[float, float]:
        """Return CPU seconds of the whole machine and of this benchmark's processes so far (proc(5)).

        Between two calls in the life of one world the difference tells what else the machine did.
        """
        fields = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:9]
        idle = int(fields[3]) + int(fields[4])
        machine = (sum(map(int, fields)) - idle) / os.sysconf("SC_CLK_TCK")
        times = os.times()
        own = times.user + times.system + times.children_user + times.children_system
        own += sum(self.processes().values())
        return machine, own + self.operator.cpu_or_none()

    def processes(self) -> dict[str, float]:
        """Return CPU seconds so far of etcd, kube-apiserver and the stand-in (`aws`)."""
        return {name: cpu_seconds(pid) for name, pid in self._sandbox.status().processes.items()}

    def _environment(self) -> Mapping[str, str]:
        found = dict(os.environ)
        for line in (self.directory / "env").read_text(encoding="utf-8").splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            found[name] = value.strip("'")
        return found

    def aws_client(self) -> dict[str, str]:
        """Return what a boto3 client of the stand-in is made with."""
        found = self._environment()
        return {
            "endpoint_url": self.estate["endpoint"],
            "region_name": found["AWS_REGION"],
            "aws_access_key_id": found["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": found["AWS_SECRET_ACCESS_KEY"],
        }

    def settle(self, *, quiet: float = 1.5, within: float = 60) -> None:
        """Wait until the operator has called no AWS for `quiet` seconds; give up after `within`."""
        deadline, last, since = time.monotonic() + within, -1, time.monotonic()
        while time.monotonic() < deadline:
            total = self.aws.total()
            if total != last:
                last, since = total, time.monotonic()
            elif time.monotonic() - since >= quiet:
                return
            time.sleep(0.1)


def tenancy(estate: Json) -> Json:
    """Return the rule of a single tenant in the sandbox's estate."""
    return {
        "name": "everyone",
        "defaultCluster": estate["cluster"]["name"],
        "defaultExecutionRole": estate["roles"]["execution"],
        "defaultTaskRole": estate["roles"]["task"],
        "taskRoles": ["*"],
        "executionRoles": ["*"],
        "listeners": [{"loadBalancer": "*"}],
        "hostnames": ["*"],
    }


def mutating(counts: Mapping[str, int]) -> dict[str, int]:
    """Return only the operations that change something."""
    return {name: count for name, count in counts.items() if not is_read(name.partition(" ")[2])}
