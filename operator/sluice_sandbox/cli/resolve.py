"""`sluice sandbox resolve`: what a name of Cloud Map is answered with, as `dig` would show it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click

from sluice_sandbox.cli.directory import directory_option
from sluice_sandbox.dns.client import CODES, DnsFailed, Reply, ask
from sluice_sandbox.sandbox import Sandbox

_KINDS = ("A", "AAAA", "SRV", "CNAME")


@click.command()
@directory_option
@click.argument("name")
@click.argument("kind", type=click.Choice(_KINDS, case_sensitive=False), default="A")
@click.option("--watch", is_flag=True, help="Ask every second and print what has changed, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def resolve(*, directory: Path, name: str, kind: str, watch: bool, as_json: bool) -> None:
    """Ask the sandbox's DNS; exit code 1 when there is no such record."""
    estate = Sandbox(directory).estate()
    if not estate:
        raise click.ClickException(
            f"No sandbox runs in {directory.absolute()}; start one with `sluice sandbox up`."
        )
    server = str(estate["dns"]["host"]), int(estate["dns"]["port"])
    try:
        reply = ask(server, name, kind)
        click.echo(_as_json(reply) if as_json else _as_text(reply, name, kind))
        before = _values(reply)
        while watch:
            time.sleep(1.0)
            reply = ask(server, name, kind)
            if _values(reply) != before:
                before = _values(reply)
                click.echo(_as_json(reply) if as_json else _as_text(reply, name, kind))
    except (DnsFailed, ValueError) as error:
        raise click.ClickException(str(error)) from error
    sys.exit(0 if reply.records else 1)


def _values(reply: Reply) -> list[str]:
    return sorted(str(record.value) for record in reply.records)


def _as_text(reply: Reply, name: str, kind: str) -> str:
    if not reply.records:
        said = CODES.get(reply.code, str(reply.code))
        return f"{name} {kind}: {said}" + (", no such record" if said == "NOERROR" else "")
    lines = []
    for record in sorted(reply.records, key=lambda record: str(record.value)):
        value = record.value if isinstance(record.value, str) else " ".join(map(str, record.value))
        lines.append(f"{record.name}  {record.ttl}  {record.kind}  {value}")
    return "\n".join(lines)


def _as_json(reply: Reply) -> str:
    records = [
        {"name": item.name, "type": item.kind, "ttl": item.ttl, "value": item.value} for item in reply.records
    ]
    return json.dumps({"code": CODES.get(reply.code, reply.code), "records": records})
