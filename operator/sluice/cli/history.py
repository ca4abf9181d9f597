"""`sluice history`: rollouts that are over, and what their revisions were.

`status.history` has the last ten rollouts; whole revisions are ControllerRevisions, which may outlive
their entry or be gone before it (revisionHistoryLimit).
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click
import yaml

from sluice.cli.ages import age, length
from sluice.cli.cluster import Cluster
from sluice.cli.names import deployment_name
from sluice.cli.options import connected, output
from sluice.cli.picture import images_of
from sluice.cli.printing import echo_json
from sluice.cli.problem import Unusable
from sluice.cli.tree import columns

Json = Mapping[str, Any]
_PARTS: Final = ("definition", "service", "ports", "restartedAt")
"""What makes a revision; `spec` is the wish that it came of, `definitionHash` its name's other half."""


@click.command()
@click.argument("name", type=deployment_name)
@click.argument("revision", default="")
@click.option("--diff", is_flag=True, help="With REVISION: what differs from the live revision.")
@output
@connected
def history(name: str, revision: str, *, cluster: Cluster, output: str, diff: bool) -> None:
    """List the rollouts that are over, newest first; with REVISION show what it ran.

    With --diff a unified diff from the live revision to REVISION: what an undo to it would change.
    """
    obj = cluster.deployment(name)
    kept = cluster.revisions(name)
    if revision:
        if kept.problem:
            raise Unusable(kept.problem)
        revisions = {entry["metadata"]["name"]: entry for entry in kept.items}
        _show(obj, revisions, revision, diff=diff, output=output)
        return
    if diff:
        raise click.UsageError("--diff needs a REVISION; it is compared with the live one")
    _list(obj, kept.items, output=output)
    if kept.problem:
        click.echo(f"images are not shown: {kept.problem}", err=True)


def _list(obj: Json, kept: Sequence[Json], *, output: str) -> None:
    status = obj.get("status") or {}
    entries = status.get("history") or ()
    live = (status.get("live") or {}).get("revision", "")
    revisions = {entry["metadata"]["name"]: entry for entry in kept}
    if output == "json":
        echo_json({"live": live, "history": entries, "kept": sorted(revisions)})
        return
    if not entries:
        click.echo(f"{obj['metadata']['name']} has no rollout that is over")
        return
    now = time.time()
    head = ("", "REVISION", "OUTCOME", "AGE", "TOOK", "ROLLBACK", "IMAGE", "REASON", "BY")
    rows = [head, *(_row(entry, revisions, live, now) for entry in entries)]
    for line in columns(rows):
        click.echo(line)
    if gone := sorted({entry["revision"] for entry in entries} - set(revisions)) if revisions else []:
        click.echo(f"not kept any more, so no undo leads to them: {', '.join(gone)}")


def _row(entry: Json, revisions: Mapping[str, Json], live: str, now: float) -> tuple[str, ...]:
    revision = str(entry.get("revision", ""))
    took = entry.get("durationSeconds")
    return (
        "*" if revision == live else " ",
        revision,
        str(entry.get("outcome", "")),
        age(entry.get("startedAt", ""), now),
        length(took) if took is not None else "",
        _rollback(entry),
        ", ".join(images_of(revisions.get(revision))),
        str(entry.get("reason", "")),
        ", ".join(dict.fromkeys(entry.get("persons") or ())) or str(entry.get("by", "")),
    )


def _rollback(entry: Json) -> str:
    """Return what a rollback took: `0.84s`, with names `0.84s, names 92s`; names alone are the rollback's."""
    took, names = entry.get("rollbackSeconds"), entry.get("rollbackDiscoverySeconds")
    if took is None:
        return ""
    return f"{took:g}s" if names in (None, took) else f"{took:g}s, names {names:g}s"


def _show(obj: Json, revisions: Mapping[str, Json], name: str, *, diff: bool, output: str) -> None:
    shown = _parts(revisions, name)
    status = obj.get("status") or {}
    if not diff:
        entries = [entry for entry in status.get("history") or () if entry.get("revision") == name]
        if output == "json":
            echo_json({"revision": name, "history": entries, **shown})
            return
        for entry in entries:
            click.echo(_comment(entry))
        click.echo(_yaml(shown), nl=False)
        return
    live = str((status.get("live") or {}).get("revision", ""))
    if not live:
        raise Unusable("nothing is live yet that the revision could be compared with")
    before, after = _parts(revisions, live), shown
    lines = list(
        difflib.unified_diff(
            _yaml(before).splitlines(), _yaml(after).splitlines(), f"{live} (live)", name, lineterm=""
        )
    )
    if output == "json":
        echo_json({"from": live, "to": name, "diff": lines})
    elif lines:
        click.echo("\n".join(lines))
    else:
        click.echo(f"{name} is {'the live revision' if name == live else f'no different from {live}'}")


def _parts(revisions: Mapping[str, Json], name: str) -> dict[str, Any]:
    if name not in revisions:
        known = ", ".join(sorted(revisions)) or "none"
        raise Unusable(f"revision {name} is not kept (spec.revisionHistoryLimit); kept: {known}")
    data = revisions[name].get("data") or {}
    return {part: data[part] for part in _PARTS if data.get(part)}


def _comment(entry: Json) -> str:
    told = [f"{entry.get('outcome', '')}, started {entry.get('startedAt', '')}"]
    told += [str(entry[member]) for member in ("reason",) if entry.get(member)]
    told += [f"by a person: {text}" for text in entry.get("persons") or ()]
    told += [f"evidence: {text}" for text in entry.get("evidence") or ()]
    return "\n".join(f"# {line}" for text in told for line in text.splitlines())


def _yaml(value: Json) -> str:
    return yaml.safe_dump(dict(value), sort_keys=True, allow_unicode=True, width=100)
