"""`sluice sandbox demo`: the main job, shown and measured; leaves nothing running."""

from __future__ import annotations

import subprocess
import tempfile
from functools import partial
from pathlib import Path

import click

from sluice_sandbox.controlplane import provision
from sluice_sandbox.controlplane.errors import ControlPlaneError
from sluice_sandbox.dashboard.programs import locate
from sluice_sandbox.dashboard.watching import Watching
from sluice_sandbox.demo.acts import Basics
from sluice_sandbox.demo.by_name import ByName
from sluice_sandbox.demo.progressive import CANARY, Progressive
from sluice_sandbox.demo.report import Report
from sluice_sandbox.demo.scene import Scene
from sluice_sandbox.demo.stage import DemoFailed, Stage, manifests, sluice
from sluice_sandbox.sandbox import SandboxError

DRIFT = "3s"
"""A drift interval that a person can watch; the default is a minute."""
_RATE, _QUICK_RATE = 80, 40
"""Requests a second."""


@click.command()
@click.option(
    "--examples",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("examples"),
    show_default=True,
    help="Folder with the manifests.",
)
@click.option("--dashboard", is_flag=True, help="Also a page that draws it from Prometheus alone.")
@click.option("--quick", is_flag=True, help="Less load, for tests.")
@click.option("--json", "as_json", is_flag=True, help="End with the figures as one JSON line.")
def demo(*, examples: Path, dashboard: bool, quick: bool, as_json: bool) -> None:
    """Apply, update, scale, repair; canary, rollback, blue/green, undo, all under load; names; delete."""
    report = Report()
    try:
        provision.ensure()
        if dashboard:
            locate("prometheus")
        crds = subprocess.run([*sluice(), "crds"], check=True, capture_output=True, text=True).stdout  # noqa: S603
        report.act("The world: kube-apiserver, etcd, and AWS's stand-in")
        with (
            tempfile.TemporaryDirectory(prefix="sluice-demo-") as folder,
            Stage(Path(folder), say=report.say, settings={"driftInterval": DRIFT}) as stage,
        ):
            objects = manifests(sorted(examples.glob("*.yaml")))
            scene = Scene(stage, report, objects=objects, rate=_QUICK_RATE if quick else _RATE)
            basics, progressive, by_name = Basics(scene, crds=crds), Progressive(scene), ByName(scene)
            watching = Watching(stage, report) if dashboard else None
            # By turns: entries leave, slots drain and whole minutes are counted while the next act plays.
            for act in (
                by_name.prepare,
                basics.install,
                *([watching.begin] if watching else ()),
                basics.create,
                by_name.begin,
                progressive.bad,
                basics.update,
                progressive.canary_begins,
                progressive.blue_green,
                basics.broken,
                basics.scale,
                progressive.undo,
                basics.hand_edit,
                by_name.end,
                partial(basics.let_go, CANARY),
                progressive.canary_ends,
                *([watching.end] if watching else ()),
                basics.delete,
            ):
                act()
    except (DemoFailed, SandboxError, ControlPlaneError, OSError, subprocess.SubprocessError) as error:
        raise click.ClickException(str(error)) from error
    report.end()
    if as_json:
        click.echo(report.as_json())
