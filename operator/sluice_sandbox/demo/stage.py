"""What the demo plays on: a sandbox, the operator as a process of its own, kubectl, and load.

Everything that is started here is ended here, by process id, whatever happens in between.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
import yaml

from sluice_sandbox.controlplane.cluster import Cluster
from sluice_sandbox.controlplane.resolve import locate
from sluice_sandbox.sandbox import Options, Sandbox

_POLL_S = 0.1
_STOP_S = 30.0
_OBJECTS = "/apis/sluice.dev/v1alpha1/namespaces/default"
_FOUND = 200
_ANSWERED = (_FOUND, 404)


class DemoFailed(Exception):  # noqa: N818 - it is what happened
    """The story did not go as it must; the text says where and where to look."""


class Stage:
    """See the module. A context manager."""

    def __init__(self, directory: Path, *, say: Callable[[str], None], settings: Mapping[str, Any]) -> None:
        """Play in `directory`; `settings` are the operator's beside those of the sandbox."""
        self.directory = directory.absolute()
        self._say = say
        self._settings = dict(settings)
        self._sandbox = Sandbox(self.directory, say=say)
        self._cluster = Cluster(self._sandbox.kubernetes)
        self._children: list[subprocess.Popen[bytes]] = []
        self.estate: dict[str, Any] = {}
        self.metrics_url = ""
        self._environment: dict[str, str] = {}
        self._kubectl = str(locate(("kubectl",))["kubectl"])

    def __enter__(self) -> Self:
        """Start the sandbox."""
        self._sandbox.up(Options(), detach=False)
        self.estate = self._sandbox.estate()
        self._environment = dict(os.environ) | _exports(self.directory / "env")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything."""
        for child in reversed(self._children):
            end(child)
        self._sandbox.down()

    # Processes.

    def start_operator(self) -> None:
        """Start `sluice operator` and wait until it says that it is ready."""
        config = yaml.safe_load((self.directory / "operator.yaml").read_text(encoding="utf-8"))
        port = free_port()
        config |= self._settings | {"http": {"address": "127.0.0.1", "port": port}}
        path = self.directory / "demo-operator.yaml"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        log = self.directory / "operator.log"
        with log.open("wb") as output:
            child = subprocess.Popen(  # noqa: S603 - our own command, no shell
                [*sluice(), "operator", "--config", str(path)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._children.append(child)
        self.metrics_url = f"http://127.0.0.1:{port}"
        self.wait(
            "the operator is ready",
            lambda: answers(f"{self.metrics_url}/readyz"),
            within=60,
            child=child,
        )

    def start_load(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `sluice sandbox load`; its report is JSON on standard output."""
        child = subprocess.Popen(  # noqa: S603 - our own command, no shell
            [*sluice(), "sandbox", "load", "--json", *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        self._children.append(child)
        return child

    def start_dashboard(self, rules: Sequence[Path]) -> dict[str, str]:
        """Start Prometheus and the page; return their addresses, `page` and `prometheus`."""
        target = self.metrics_url.removeprefix("http://")
        command = [sys.executable, "-P", "-m", "sluice_sandbox.dashboard", "serve", "--target", target]
        command += [word for path in rules for word in ("--rules", str(path))]
        child = subprocess.Popen(  # noqa: S603 - our own module, no shell
            # The write end of its input lives as long as this process: its death ends the child, too.
            [*command, "--end-with-stdin"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._children.append(child)
        line = child.stdout.readline() if child.stdout else b""
        if not line:
            raise DemoFailed("the dashboard did not start; what it said is above")
        addresses: dict[str, str] = json.loads(line)
        return addresses

    # Kubernetes.

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl and return its output. Raises DemoFailed with what it said."""
        done = subprocess.run(  # noqa: S603 - kubectl from the resolver, no shell
            [self._kubectl, *arguments],
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode != 0:
            raise DemoFailed(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def sluice(self, *arguments: str) -> str:
        """Run a verb of the CLI and return its output. Raises DemoFailed with what it said."""
        done = subprocess.run(  # noqa: S603 - our own command, no shell
            [*sluice(), *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode != 0:
            raise DemoFailed(f"sluice {' '.join(arguments)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object of Sluice's, empty when it does not exist.

        It is looked at several times a second, so without a process for each look.
        """
        status, text = self._cluster.exchange("GET", f"{_OBJECTS}/{kind}/{name}")
        if status not in _ANSWERED:
            raise DemoFailed(f"GET {kind}/{name}: {status}: {text}")
        found: dict[str, Any] = json.loads(text) if status == _FOUND else {}
        return found

    # AWS.

    def aws(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its client types at run time
        """Return a boto3 client of the stand-in."""
        return boto3.client(
            service,
            endpoint_url=self.estate["endpoint"],
            region_name=self.estate["region"],
            aws_access_key_id=self._environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self._environment["AWS_SECRET_ACCESS_KEY"],
        )

    def calls(self, *, since: int = 0) -> list[dict[str, Any]]:
        """Return the AWS calls that the stand-in recorded, from number `since` on."""
        return list(self._recorded(since=since)["calls"])

    def calls_made(self) -> int:
        """Return how many AWS calls were recorded so far."""
        return int(self._recorded(limit=1)["total"])

    def _recorded(self, **query: int) -> dict[str, Any]:
        url = f"{self.estate['endpoint']}/_sandbox/calls?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own loopback server
            return dict(json.load(answer))

    def counted(self) -> dict[str, int]:
        """Return how many requests the load balancer sent to each target group (by ARN) so far."""
        url = f"{self.estate['endpoint']}/_sandbox/traffic"
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own loopback server
            groups = json.load(answer)["counters"]["targetGroups"]
        return {arn: int(counts.get("RequestCount", 0)) for arn, counts in groups.items()}

    def url(self, port: int) -> str:
        """Return the loopback URL of the load balancer's listener."""
        listeners = self.estate["loadBalancer"]["listeners"]
        return str(next(listener["url"] for listener in listeners if listener["port"] == port))

    # Waiting.

    def wait(
        self,
        what: str,
        done: Callable[[], bool],
        *,
        within: float,
        child: subprocess.Popen[bytes] | None = None,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> float:
        """Wait until `done`; return the seconds. Raises DemoFailed after `within` seconds."""
        began = time.monotonic()
        while not done():
            meanwhile()
            if child is not None and child.poll() is not None:
                raise DemoFailed(
                    f"waiting for “{what}”: the process ended with {child.returncode}{self._logs()}"
                )
            if time.monotonic() - began > within:
                raise DemoFailed(f"“{what}” did not happen within {within:g} s{self._logs()}")
            time.sleep(_POLL_S)
        return time.monotonic() - began

    def _logs(self) -> str:
        return f"; the logs are in {self.directory}"


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    """Tell whether `url` answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own loopback server
            return bool(answer.status == 200)
    except OSError:
        return False


def sluice() -> list[str]:
    """Return the command `sluice` of this environment."""
    script = Path(sys.executable).with_name("sluice")
    return [str(script)] if script.exists() else [sys.executable, "-P", "-m", "sluice.cli.main"]


def end(child: subprocess.Popen[bytes]) -> int:
    """End a child: SIGTERM, then SIGKILL after a deadline; return its exit code."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
    code = child.wait()
    for pipe in (child.stdout, child.stdin, child.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    return code


def _exports(path: Path) -> dict[str, str]:
    """Read the `export NAME='value'` lines of a sandbox's env file."""
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        if value:
            found[name] = value.strip("'")
    return found


def manifests(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Return the objects of YAML files in order."""
    found: list[dict[str, Any]] = []
    for path in paths:
        found += [item for item in yaml.safe_load_all(path.read_text(encoding="utf-8")) if item]
    return found
