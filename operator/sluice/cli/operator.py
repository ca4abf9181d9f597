"""`sluice operator`: run the operator in this process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sluice import app
from sluice.config import OPTIONS, ConfigError, Option, load
from sluice.runtime.apiserver import KubernetesFailure, NoCluster
from sluice.telemetry import log


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(OPTIONS):
        command = _option(option)(command)
    return command


def _option(option: Option) -> Callable[[Callable[..., None]], Callable[..., None]]:
    text = f"{option.help} [{option.environment}]"
    if option.is_bool:
        negated = option.flag.replace("--", "--no-", 1)
        return click.option(f"{option.flag}/{negated}", option.parameter, default=None, help=text)
    return click.option(option.flag, option.parameter, default=None, metavar="VALUE", help=text)


@click.command()
@click.option(
    "--config",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="SLUICE_CONFIG",
    help="Configuration file. [SLUICE_CONFIG]",
)
@_options
def operator(file: Path | None, **flags: Any) -> None:  # noqa: ANN401 - one per setting, checked by config
    """Run the operator until SIGTERM.

    Settings come from the configuration file, then the environment, then flags. Exit codes: 0 after
    SIGTERM, 1 when the watch or the Lease was lost, 2 when it could not start.
    """
    try:
        settings = load(file=file, environment=os.environ, flags=flags)
        log.configure(level=settings.log.level, style=settings.log.format)
        code = app.run(settings)
    except (ConfigError, NoCluster, app.NotInstalled, KubernetesFailure, OSError) as error:
        click.echo(f"sluice operator: {error}", err=True)
        code = 2
    sys.exit(code)
