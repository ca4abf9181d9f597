"""The option that every verb has: which sandbox."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_F = TypeVar("_F", bound=Callable[..., Any])


def directory_option(function: _F) -> _F:
    """Add `--dir`, also read from SLUICE_SANDBOX_DIR."""
    option = click.option(
        "--dir",
        "directory",
        envvar="SLUICE_SANDBOX_DIR",
        default=".sandbox",
        show_default=True,
        type=click.Path(file_okay=False, path_type=Path),
        help="The sandbox's directory; each has its own sandbox.",
    )
    return option(function)
