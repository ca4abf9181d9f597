"""`sluice sandbox up`: start, write the files, stay (or return when ready, with --detach)."""

from __future__ import annotations

import signal
import threading
import types
from pathlib import Path

import click

from sluice_sandbox.cli.directory import directory_option
from sluice_sandbox.controlplane.errors import ControlPlaneError
from sluice_sandbox.sandbox import Options, Sandbox, SandboxError

_LOOK_EVERY_S = 1.0


@click.command()
@directory_option
@click.option("--detach", is_flag=True, help="Return when ready; `sluice sandbox down` ends it.")
@click.option("--port", default=0, show_default=True, help="Port of the AWS endpoint; 0 takes a free one.")
@click.option("--speed", default=1.0, show_default=True, help="AWS seconds per real second.")
@click.option("--seed", default=0, show_default=True, help="Seed of ids, weights and faults.")
@click.option("--controller-manager", is_flag=True, help="Also garbage collection and namespace deletion.")
def up(
    *, directory: Path, detach: bool, port: int, speed: float, seed: int, controller_manager: bool
) -> None:
    """Start a sandbox and say how to use it."""
    if speed <= 0:
        raise click.BadParameter(f"{speed} is not above 0", param_hint="--speed")
    sandbox = Sandbox(directory, say=lambda line: click.echo(f"[sandbox] {line}", err=True))
    options = Options(aws_port=port, speed=speed, seed=seed, controller_manager=controller_manager)
    wish = _Interrupts()
    try:
        started = sandbox.up(options, detach=detach)
        click.echo(_summary(sandbox) if started else f"A sandbox is running already in {sandbox.directory}.")
        if not started or detach:
            return
        wish.wait(sandbox)
    except KeyboardInterrupt:
        click.echo("[sandbox] interrupted", err=True)
    except (SandboxError, ControlPlaneError) as error:
        raise click.ClickException(str(error)) from error
    sandbox.down()
    if wish.broken:
        raise click.ClickException(
            f"{', '.join(wish.broken)} ended by itself; logs are in {sandbox.directory}"
        )


class _Interrupts:
    """SIGTERM like Ctrl-C, at any moment of the start as well as afterwards."""

    def __init__(self) -> None:
        self.broken: list[str] = []
        self._wish = threading.Event()
        self._waiting = False
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._note)

    def _note(self, _number: int, _frame: types.FrameType | None) -> None:
        self._wish.set()
        if not self._waiting:
            # Once is enough: a second signal must not break the tidying up.
            self._waiting = True
            raise KeyboardInterrupt

    def wait(self, sandbox: Sandbox) -> None:
        """Return at a signal, or when a process of the sandbox has ended by itself."""
        self._waiting = True
        while not self._wish.wait(_LOOK_EVERY_S):
            self.broken = sandbox.ended()
            if self.broken:
                return


def _summary(sandbox: Sandbox) -> str:
    estate = sandbox.estate()
    dns = estate["dns"]
    listeners = ", ".join(
        f"{listener['port']} → {listener['url']}" for listener in estate["loadBalancer"]["listeners"]
    )
    return "\n".join(
        (
            f"The sandbox in {sandbox.directory} is ready.",
            f"  AWS            {estate['endpoint']} (account {estate['account']}, {estate['region']})",
            f"  load balancer  {estate['loadBalancer']['name']}: {listeners}",
            f"  DNS            {dns['host']}:{dns['port']} (UDP and TCP)",
            f"  resolve names  dig @{dns['host']} -p {dns['port']} NAME, or sluice sandbox resolve NAME",
            f"  use it         source {sandbox.directory / 'env'}",
            f"  end it         sluice sandbox down --dir {sandbox.directory}",
        )
    )
