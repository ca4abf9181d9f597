"""`sluice sandbox demo`: the main job, shown and measured; leaves nothing running."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import click

from sluice_sandbox.controlplane import provision
from sluice_sandbox.controlplane.errors import ControlPlaneError
from sluice_sandbox.demo.acts import Pace, Story
from sluice_sandbox.demo.report import Report
from sluice_sandbox.demo.stage import DemoFailed, Stage, sluice
from sluice_sandbox.sandbox import SandboxError

DRIFT = "3s"
"""A drift interval that a person can watch; the default is a minute."""


@click.command()
@click.option(
    "--examples",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("examples"),
    show_default=True,
    help="Folder with the manifests.",
)
@click.option("--quick", is_flag=True, help="Less load, for tests.")
@click.option("--json", "as_json", is_flag=True, help="End with the figures as one JSON line.")
def demo(*, examples: Path, quick: bool, as_json: bool) -> None:
    """Apply, update under load, roll back, scale, repair, delete, and prove it."""
    report = Report()
    try:
        provision.ensure()
        crds = subprocess.run([*sluice(), "crds"], check=True, capture_output=True, text=True).stdout  # noqa: S603
        report.act("The world: kube-apiserver, etcd, and AWS's stand-in")
        with (
            tempfile.TemporaryDirectory(prefix="sluice-demo-") as folder,
            Stage(Path(folder), say=report.say, settings={"driftInterval": DRIFT}) as stage,
        ):
            pace = Pace.quick() if quick else Pace()
            Story(stage, report, examples=examples, crds=crds, pace=pace).play()
    except (DemoFailed, SandboxError, ControlPlaneError, OSError, subprocess.SubprocessError) as error:
        raise click.ClickException(str(error)) from error
    report.end()
    if as_json:
        click.echo(report.as_json())
