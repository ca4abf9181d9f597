"""The group of verbs that the product's CLI finds by its entry point `sluice.cli`."""

from __future__ import annotations

import click

from sluice_sandbox.cli.demo import demo
from sluice_sandbox.cli.down import down
from sluice_sandbox.cli.faults import faults
from sluice_sandbox.cli.load import load
from sluice_sandbox.cli.resolve import resolve
from sluice_sandbox.cli.status import status
from sluice_sandbox.cli.up import up


@click.group()
def sandbox() -> None:
    """A real Kubernetes control plane and a stand-in for AWS, on this machine."""


for verb in (up, down, status, load, resolve, faults, demo):
    sandbox.add_command(verb)
