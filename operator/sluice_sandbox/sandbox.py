"""A sandbox in a directory: the real control plane and the AWS stand-in, started and ended together.

Everything is in the directory, so several sandboxes live beside each other and each ends exactly what
it started: `kubeconfig`, `env` (to be sourced), `estate.json`, logs, the control plane's own folder, and a
ledger of process ids with start times (`controlplane.ledger`).
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import yaml

from sluice_sandbox.controlplane import ledger, provision
from sluice_sandbox.controlplane.ledger import ProcessEntry
from sluice_sandbox.controlplane.pins import REQUIRED
from sluice_sandbox.controlplane.plane import ControlPlane, stop_in

AWS = "aws"
MARKER = ".sluice-sandbox"
WRITTEN = ("kubeconfig", "env", "estate.json", "operator.yaml", "certificate.pem")
"""What a person or a script reads; gone once the sandbox is down."""
_AWS_READY_S = 60.0
_GRACE_S = 8.0


class SandboxError(Exception):
    """The sandbox cannot do what was asked; the text is one line for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a sandbox is started with."""

    aws_port: int = 0
    speed: float = 1.0
    seed: int = 0
    controller_manager: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """What runs in a directory. `running` means all of it."""

    directory: Path
    processes: dict[str, int]
    """Process ids by name: etcd, kube-apiserver, aws and so on; only those alive."""
    endpoint: str
    answers: bool
    """The AWS endpoint answered its health check."""

    @property
    def running(self) -> bool:
        """Whether both sides are up."""
        return {"etcd", "kube-apiserver", AWS} <= self.processes.keys() and self.answers


@dataclass(slots=True)
class Sandbox:
    """The sandbox of one directory; the directory need not exist before `up`."""

    directory: Path
    say: Callable[[str], None] = lambda _: None
    """Hears of progress, a line at a time."""
    _plane: ControlPlane | None = None
    _aws: subprocess.Popen[bytes] | None = None
    _held: list[IO[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the directory absolute: child processes have other working directories."""
        self.directory = self.directory.absolute()

    @property
    def kubernetes(self) -> Path:
        """The control plane's folder."""
        return self.directory / "kubernetes"

    # --------------------------------------------------------------------- up

    def up(self, options: Options, *, detach: bool) -> bool:
        """Start both sides and return once both answer; False when they were running already.

        Attached (`detach` false), everything ends with this process at the latest; call `down`
        before. Raises SandboxError or ControlPlaneError, with nothing left running.
        """
        programs = provision.ensure(REQUIRED)
        if options.controller_manager:
            programs |= provision.ensure(("kube-controller-manager",))
        with self._lock():
            if self.status().running:
                return False
            self._end_processes()
            self._clear()
            try:
                self._start(options, programs=programs, detach=detach)
            except BaseException:
                self._end_processes()
                raise
        return True

    def _start(self, options: Options, *, programs: dict[str, Path], detach: bool) -> None:
        began = time.monotonic()
        aws = self._spawn_aws(options, detach=detach)
        self.say("starting etcd, kube-apiserver and the AWS stand-in")
        self._plane = ControlPlane(
            self.kubernetes,
            programs=programs,
            controller_manager=options.controller_manager,
            detached=detach,
        ).start()
        self.say(f"Kubernetes answers after {time.monotonic() - began:.1f} s")
        endpoint = self._wait_for_endpoint(aws)
        self.say(f"AWS answers at {endpoint} after {time.monotonic() - began:.1f} s")
        self._write_files(endpoint)

    def _spawn_aws(self, options: Options, *, detach: bool) -> subprocess.Popen[bytes]:
        # -P: a folder of the same name where the person works is not to be taken for the package.
        command = [sys.executable, "-P", "-m", "sluice_sandbox.aws"]
        command += [
            "--port",
            str(options.aws_port),
            "--speed",
            str(options.speed),
            "--seed",
            str(options.seed),
        ]
        command += ["--estate", str(self.directory / "estate.json")]
        if not detach:
            # The write end of this pipe lives as long as this process: its death ends the child too.
            command.append("--end-with-stdin")
        with (self.directory / "aws.log").open("wb") as log:
            child = subprocess.Popen(  # noqa: S603 - our own module, no shell
                command,
                stdin=subprocess.DEVNULL if detach else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._aws = child
        ledger.write(self.directory, [ProcessEntry.of(AWS, child.pid)])
        return child

    def _wait_for_endpoint(self, child: subprocess.Popen[bytes]) -> str:
        if child.stdout is None:
            raise SandboxError("the AWS stand-in was started without a pipe")
        with selectors.DefaultSelector() as selector, child.stdout:
            selector.register(child.stdout, selectors.EVENT_READ)
            ready = selector.select(timeout=_AWS_READY_S)
            line = child.stdout.readline().decode().strip() if ready else ""
        if not line.startswith("http"):
            text = (self.directory / "aws.log").read_text(encoding="utf-8", errors="replace").strip()
            reason = text.splitlines()[-1] if text else f"no answer within {_AWS_READY_S:g} s"
            raise SandboxError(
                f"the AWS stand-in did not start: {reason} (log: {self.directory / 'aws.log'})"
            )
        return line

    def _write_files(self, endpoint: str) -> None:
        estate_file = self.directory / "estate.json"
        estate = json.loads(estate_file.read_text(encoding="utf-8"))
        credentials = estate.pop("credentials")
        # The certificate of every HTTPS listener, to be trusted: curl --cacert, SSL_CERT_FILE.
        _write(self.directory / "certificate.pem", estate.pop("certificate"))
        estate = {"endpoint": endpoint, **estate}
        _write(estate_file, json.dumps(estate, indent=2) + "\n")
        settings = yaml.safe_dump(_operator_settings(estate), sort_keys=False)
        _write(self.directory / "operator.yaml", settings)
        shutil.copyfile(self.kubernetes / "kubeconfig", self.directory / "kubeconfig")
        (self.directory / "kubeconfig").chmod(0o600)
        variables = {
            "KUBECONFIG": str(self.directory / "kubeconfig"),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": estate["region"],
            "AWS_DEFAULT_REGION": estate["region"],
            "AWS_ACCESS_KEY_ID": credentials["accessKeyId"],
            "AWS_SECRET_ACCESS_KEY": credentials["secretAccessKey"],
            "AWS_EC2_METADATA_DISABLED": "true",
            # What a manifest has to name: examples/discovery.yaml has another one.
            "SANDBOX_VPC_ID": estate["vpcId"],
            # DiscoverInstances goes to `data-<host>` otherwise, which a loopback address cannot have.
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        }
        text = "".join(f"export {name}='{value}'\n" for name, value in variables.items())
        _write(self.directory / "env", text)

    # ------------------------------------------------------------ down, status

    def down(self) -> list[str]:
        """End what was started in the directory; return the names of what ran. Harmless twice."""
        if not self.directory.is_dir():
            return []
        with self._lock():
            ended = self._end_processes()
            for name in WRITTEN:
                (self.directory / name).unlink(missing_ok=True)
        return ended

    def _end_processes(self) -> list[str]:
        entries = ledger.read(self.directory)
        ended = [entry.name for entry in entries if entry.alive()]
        ledger.end(entries, grace_s=_GRACE_S)
        ledger.remove(self.directory)
        if self._aws is not None:
            for pipe in (self._aws.stdin, self._aws.stdout):
                if pipe is not None:
                    pipe.close()
            # The ledger has reaped it; this tells Popen, which would warn otherwise.
            self._aws.poll()
            self._aws = None
        if self._plane is not None:
            ended += [name for name in self._plane.process_ids() if name != "keeper"]
            self._plane.stop()
            self._plane = None
        elif self.kubernetes.is_dir():
            ended += [name for name in stop_in(self.kubernetes) if name != "keeper"]
        return ended

    def status(self) -> Status:
        """Look at the processes and ask the endpoint."""
        entries = [*ledger.read(self.directory), *ledger.read(self.kubernetes)]
        processes = {entry.name: entry.pid for entry in entries if entry.alive()}
        processes.pop("keeper", None)
        endpoint = str(self.estate().get("endpoint", ""))
        answers = AWS in processes and bool(endpoint) and _healthy(endpoint)
        return Status(self.directory, processes, endpoint, answers)

    def estate(self) -> dict[str, Any]:
        """Return `estate.json`, empty when the sandbox is not up."""
        try:
            content = json.loads((self.directory / "estate.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def ended(self) -> list[str]:
        """Return the names of processes of a running sandbox that have ended by themselves."""
        entries = [*ledger.read(self.directory), *ledger.read(self.kubernetes)]
        return [entry.name for entry in entries if not entry.alive()]

    # ---------------------------------------------------------------- private

    def _clear(self) -> None:
        """Remove what an earlier sandbox left: its Kubernetes objects speak of an AWS that is gone."""
        if (self.directory / MARKER).exists():
            shutil.rmtree(self.kubernetes, ignore_errors=True)
        elif self.kubernetes.exists():
            raise SandboxError(
                f"{self.kubernetes} exists and was not made by a sandbox; choose another --dir"
            )
        (self.directory / MARKER).touch()
        for name in WRITTEN:
            (self.directory / name).unlink(missing_ok=True)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise SandboxError(f"{self.directory} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _write(path: Path, text: str) -> None:
    """Write for the owner's eyes only, at once and wholly."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    unfinished.replace(path)


def _healthy(endpoint: str) -> bool:
    request = urllib.request.Request(f"{endpoint}/_sandbox/health")  # noqa: S310 - our own endpoint
    try:
        with urllib.request.urlopen(request, timeout=5.0) as answer:  # noqa: S310 - likewise
            return int(answer.status) == 200
    except (OSError, ValueError):
        return False


def _operator_settings(estate: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with which `sluice operator` serves this sandbox.

    What a platform team would decide is decided: cluster, execution role, subnets and security group, so
    that a manifest needs nothing of the estate but the load balancer's name.
    """
    subnets = {"subnets": estate["subnetIds"], "securityGroups": estate["securityGroupIds"]}
    rule = {
        "name": "sandbox",
        "defaultCluster": estate["cluster"]["name"],
        "taskRoles": ["*"],
        "executionRoles": ["*"],
        "defaultExecutionRole": estate["roles"]["execution"],
        "defaultNetworkConfiguration": {"awsvpcConfiguration": subnets},
        "listeners": [{"loadBalancer": estate["loadBalancer"]["name"], "priorities": [1, 50_000]}],
        "hostnames": ["*"],
        "cloudMapNamespaces": ["*"],
        "createCloudMapNamespaces": True,
    }
    return {
        "installationId": "sandbox",
        "region": estate["region"],
        # Nobody else uses the sandbox's account, so no part of its request rates is left for others.
        "aws": {"budgetShare": 1.0},
        # Its resolver answers from the books; nothing is on its way for half a minute.
        "discoveryPropagation": "1s",
        "tenancy": [rule],
    }
