"""Starting and ending a control plane.

`ControlPlane(DIR).start()` is ready when it returns, and everything of it is in DIR: keys, data, logs, the
administrator's kubeconfig, the ledger of its processes. It ends with `stop`, with the end of the process that
started it (whatever end that is), or, started `detached`, with `stop_in(DIR)` by anyone.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sluice_sandbox.controlplane import keeper, ledger
from sluice_sandbox.controlplane.cluster import KUBECONFIG_FILE, Cluster
from sluice_sandbox.controlplane.commands import LOOPBACK, Layout, Ports, command
from sluice_sandbox.controlplane.errors import NotStarted, PortTaken
from sluice_sandbox.controlplane.kubeconfig import Credentials, write_kubeconfig
from sluice_sandbox.controlplane.ledger import ProcessEntry
from sluice_sandbox.controlplane.pins import REQUIRED
from sluice_sandbox.controlplane.pki import Authority
from sluice_sandbox.controlplane.resolve import locate

CONTROLLER_MANAGER: Final = "kube-controller-manager"
_PORT_ATTEMPTS = 5
_LOOK_EVERY_S = 0.05
_LAST_LINES = 15
_GRACE_S = 5.0


def free_port() -> int:
    """Return a loopback TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


class ControlPlane:
    """One etcd and one kube-apiserver in a directory of their own; a context manager.

    Not for use by several threads at once. `cluster` is how to talk to it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        programs: Mapping[str, Path] | None = None,
        controller_manager: bool = False,
        detached: bool = False,
        port: int = 0,
        api_flags: Sequence[str] = (),
        ready_s: float = 90.0,
        pick_port: Callable[[], int] = free_port,
    ) -> None:
        """Say what `start` will start.

        Args:
            directory: made if absent, mode 0700. Data of an earlier start in it is used again.
            programs: files by program name; found by `resolve.locate` otherwise.
            controller_manager: also garbage collection, deletion of namespaces, default ServiceAccounts.
            detached: outlive this process, until `stop_in(directory)`.
            port: the API server's; 0 takes a free one.
            api_flags: more flags of kube-apiserver (an audit log, a feature gate).
            ready_s: seconds until `start` gives up.
            pick_port: names a free port; tests make it name a taken one.
        """
        self.directory = directory.absolute()
        self._names = ("etcd", "kube-apiserver", *((CONTROLLER_MANAGER,) if controller_manager else ()))
        self._programs = dict(programs or {})
        self._detached = detached
        self._port = port
        self._api_flags = tuple(api_flags)
        self._ready_s = ready_s
        self._pick_port = pick_port
        self._layout: Layout | None = None
        self._use: keeper.Use | None = None
        self._processes: dict[str, ProcessEntry] = {}

    @property
    def cluster(self) -> Cluster:
        """The way to talk to it."""
        return Cluster(self.directory, kubectl=self._programs.get("kubectl"))

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.directory / KUBECONFIG_FILE

    def process_ids(self) -> dict[str, int]:
        """Return the process id of each process, by program name (and `keeper`)."""
        return {name: entry.pid for name, entry in self._processes.items()}

    def start(self) -> Self:
        """Start the processes and return when /readyz says so.

        Raises:
            MissingProgram: a program is not on this machine.
            NotStarted: a process ended, or it was not ready in time; or one runs in this directory already.
            PortTaken: `port` belongs to another process.
        """
        missing = [name for name in (*REQUIRED, *self._names) if name not in self._programs]
        self._programs.update(locate(dict.fromkeys(missing)))
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._detached and self._use is None:
            self._use = keeper.Use(self.directory)
        running = [entry.name for entry in ledger.read(self.directory) if entry.alive()]
        if running:
            self._let_go()
            raise NotStarted(f"{self.directory} already has running processes: {', '.join(running)}")
        try:
            self._start_on_free_ports()
        except BaseException:
            self._abandon()
            self._let_go()
            raise
        return self

    def stop(self) -> None:
        """End the processes; returns when they have ended. Harmless when there are none."""
        if self._processes:
            stop_in(self.directory)
            self._processes.clear()
        self._let_go()

    def leave(self) -> None:
        """Give back this object's share without stopping; the last `keeper.Use` to be released ends it."""
        self._let_go()

    def kill(self, name: str) -> None:
        """End one process by SIGKILL, as a crash would; `revive` brings it back with its data and port."""
        ledger.end([self._processes[name]], grace_s=0.0)

    def revive(self, name: str) -> None:
        """Start a process that was killed again and return when the API server is ready."""
        self._spawn(name)
        self._wait_until_ready(time.monotonic() + self._ready_s)

    def resident_bytes(self) -> dict[str, int]:
        """Return the resident memory of each process (VmRSS, proc(5)), by program name."""
        return {name: ledger.resident_bytes(entry.pid) for name, entry in self._processes.items()}

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def _start_on_free_ports(self) -> None:
        deadline = time.monotonic() + self._ready_s
        for attempt in range(_PORT_ATTEMPTS):
            ports = Ports(
                api=self._port or self._pick_port(), etcd=self._pick_port(), etcd_peer=self._pick_port()
            )
            self._layout = Layout(
                self.directory, ports=ports, programs=self._programs, api_flags=self._api_flags
            )
            try:
                self._start_once(deadline)
            except PortTaken as error:
                # Another process took the port between our look and the listening.
                own = self._port and f":{self._port}" in str(error)
                self._abandon()
                if own or attempt == _PORT_ATTEMPTS - 1:
                    raise
            else:
                return

    def _abandon(self) -> None:
        # Nothing was promised yet, and an API server whose etcd ended would wait for it.
        keeper.end_all(self.directory, grace_s=0.0)
        self._processes.clear()

    def _start_once(self, deadline: float) -> None:
        layout = self._ready_layout()
        Authority.create(layout.keys)
        certificate, key = (path.read_bytes() for path in layout.keys.admin)
        write_kubeconfig(
            self.kubeconfig,
            server=layout.server,
            authority=layout.keys.authority.read_bytes(),
            credentials=Credentials(certificate=certificate, key=key),
        )
        if not self._detached:
            self._spawn_keeper()
        for name in self._names:
            self._log(name).unlink(missing_ok=True)
            # The API server waits for etcd by itself: started together they are ready sooner.
            self._spawn(name)
        self._wait_until_ready(deadline)

    def _spawn_keeper(self) -> None:
        module = "sluice_sandbox.controlplane.keeper"
        # -P: a folder of the same name where the person works is not to be taken for the package.
        self._note(keeper.KEEPER, [sys.executable, "-P", "-m", module, str(self.directory)])

    def _spawn(self, name: str) -> None:
        self._note(name, command(name, self._ready_layout()))

    def _note(self, name: str, arguments: list[str]) -> None:
        pid = ledger.spawn(arguments, log=self._log(name))
        self._processes[name] = ProcessEntry.of(name, pid)
        ledger.write(self.directory, self._processes.values())

    def _wait_until_ready(self, deadline: float) -> None:
        cluster = self.cluster
        while not cluster.ready():
            for name, entry in self._processes.items():
                if not entry.alive():
                    raise self._failure(name, f"ended with status {ledger.reap(entry.pid)} while starting")
            if time.monotonic() > deadline:
                raise self._failure("kube-apiserver", f"was not ready after {self._ready_s:g} s")
            time.sleep(_LOOK_EVERY_S)

    def _failure(self, name: str, what: str) -> NotStarted:
        try:
            text = self._log(name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            text = ""
        lines = text.splitlines()[-_LAST_LINES:]
        end = "\n  ".join(lines) or "(no output)"
        taken = any("address already in use" in line for line in lines)
        return (PortTaken if taken else NotStarted)(f"{name} {what}; the end of {self._log(name)}:\n  {end}")

    def _ready_layout(self) -> Layout:
        if self._layout is None:
            raise NotStarted(f"the control plane in {self.directory} was not started by this object")
        return self._layout

    def _log(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def _let_go(self) -> None:
        use, self._use = self._use, None
        if use is not None:
            use.release()


def stop_in(directory: Path) -> list[str]:
    """End exactly the processes that were started in this directory; return the names of those that ran."""
    return keeper.end_all(directory.absolute(), grace_s=_GRACE_S)
