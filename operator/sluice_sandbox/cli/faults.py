"""`sluice sandbox faults`: make AWS misbehave on purpose, and stop it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import click

from sluice_sandbox.aws.calamities import CALAMITIES
from sluice_sandbox.aws.faults import KINDS
from sluice_sandbox.cli.directory import directory_option
from sluice_sandbox.sandbox import Sandbox


@click.group()
def faults() -> None:
    """List, add and remove faults of the running stand-in."""


@faults.command("list")
@directory_option
def list_faults(*, directory: Path) -> None:
    """Show the active faults as JSON."""
    click.echo(json.dumps(_ask(directory, "GET", "faults")["faults"], indent=2))


@faults.command("add")
@directory_option
@click.argument("kind", type=click.Choice((*KINDS, *CALAMITIES)))
@click.option("--service", default="*", show_default=True, help="Glob over services, for example ecs.")
@click.option("--operation", default="*", show_default=True, help="Glob over operations.")
@click.option("--principal", default="*", show_default=True, help="Glob over the caller's ARN.")
@click.option("--probability", default=1.0, show_default=True, type=click.FloatRange(0, 1))
@click.option("--count", type=click.IntRange(min=1), help="End after so many hits.")
@click.option("--for", "for_s", type=click.FloatRange(min=0), help="End after so many world seconds.")
@click.option("--seconds", default=0.0, help="Length of latency, age of stale reads, life in a crash loop.")
@click.option(
    "--where",
    default="",
    help="Zone, FARGATE or FARGATE_SPOT, subnet's CIDR, or a glob over ECS services, as the calamity needs.",
)
@click.option("--status", default=0, help="HTTP status of an error.")
@click.option("--code", default="", help="Code of an error.")
def add_fault(*, directory: Path, count: int | None, for_s: float | None, **fields: Any) -> None:  # noqa: ANN401 - click's
    """Add a fault and print its id."""
    if fields["kind"] in CALAMITIES:
        fields = _of_a_calamity(fields, count=count)
    else:
        fields.pop("where")
    if count is not None:
        fields["remaining"] = count
    if for_s is not None:
        fields["for"] = for_s
    click.echo(_ask(directory, "POST", "faults", fields)["id"])


@faults.command("edit")
@directory_option
@click.argument("service")
@click.argument("operation")
@click.argument("params", default="{}")
def edit(*, directory: Path, service: str, operation: str, params: str) -> None:
    """Make a call by hand, as a person in the console would: `edit ecs UpdateService '{...}'`."""
    try:
        given = json.loads(params)
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}", param_hint="PARAMS") from error
    fields = {"service": service, "operation": operation, "params": given}
    click.echo(json.dumps(_ask(directory, "POST", "edits", fields)["response"], indent=2))


@faults.command("clear")
@directory_option
@click.argument("fault_id", default="")
def clear_faults(*, directory: Path, fault_id: str) -> None:
    """End one fault, or all of them."""
    _ask(directory, "DELETE", f"faults/{fault_id}" if fault_id else "faults")


def _of_a_calamity(fields: dict[str, Any], *, count: int | None) -> dict[str, Any]:
    """Return what a calamity takes; refuse options that only faults of calls have."""
    others = {"service": "*", "operation": "*", "principal": "*", "status": 0, "code": ""}
    if count is not None or any(fields[name] != default for name, default in others.items()):
        raise click.UsageError(f"{fields['kind']} takes --where, --seconds, --probability and --for only")
    kept = {name: fields[name] for name in ("kind", "where", "probability")}
    return kept | ({"seconds": fields["seconds"]} if fields["seconds"] else {})


def _ask(directory: Path, method: str, path: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
    endpoint = Sandbox(directory).estate().get("endpoint")
    if not endpoint:
        raise click.ClickException(
            f"No sandbox runs in {directory.absolute()}; start one with `sluice sandbox up`."
        )
    request = urllib.request.Request(  # noqa: S310 - the endpoint is this machine's
        f"{endpoint}/_sandbox/{path}",
        method=method,
        data=json.dumps(fields).encode() if fields is not None else None,
    )
    try:
        with urllib.request.urlopen(request, timeout=10.0) as answer:  # noqa: S310 - likewise
            content: dict[str, Any] = json.load(answer)
            return content
    except urllib.error.HTTPError as error:
        raise click.ClickException(str(json.load(error).get("error", error))) from error
    except OSError as error:
        raise click.ClickException(f"The AWS stand-in at {endpoint} does not answer: {error}") from error
