"""What a person reads when a verb can't do its work, and the exit codes of all verbs (docs/cli.md)."""

from __future__ import annotations

from typing import ClassVar, Final

import click

DONE: Final = 0
"""Done; with --wait: Ready, or handled."""
FAILED: Final = 1
"""Stalled, refused as senseless now, or ignored by the operator."""
UNUSABLE: Final = 2
"""Nothing could be asked: usage, not found, no cluster, forbidden."""
TIMEOUT: Final = 3
"""--wait: the time is over and nothing is decided."""
PERSON: Final = 4
"""status --wait: it waits for a person."""
INTERRUPTED: Final = 130
"""Control-C, as shells count it (128 + SIGINT)."""


class Unusable(click.ClickException):
    """Nothing could be asked: what, where, what to do. Exit code 2."""

    exit_code: ClassVar[int] = UNUSABLE


class Refused(click.ClickException):
    """The verb makes no sense now; nothing was written. Exit code 1."""

    exit_code: ClassVar[int] = FAILED
