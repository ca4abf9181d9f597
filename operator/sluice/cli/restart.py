"""`sluice restart`: new tasks of the same template, by the Deployment's own strategy.

`kubectl rollout restart` refuses custom resources; like it, this changes an annotation of the template,
which makes a new revision.
"""

from __future__ import annotations

import sys
import time
from typing import Any, Final

import click

from sluice.cli.cluster import Changed, Cluster
from sluice.cli.looking import Looker
from sluice.cli.names import deployment_name
from sluice.cli.options import connected, output, waiting
from sluice.cli.printing import echo_json
from sluice.cli.problem import INTERRUPTED, Refused, Unusable
from sluice.cli.status import follow
from sluice.model.conditions import timestamp
from sluice.plan.deployment.desired import RESTARTED_AT
from sluice.runtime.apiserver import KubernetesFailure

_ATTEMPTS: Final = 10


@click.command()
@click.argument("name", type=deployment_name)
@output
@waiting("Until it is Ready, failed or waits for a person, as status --wait.", timeout="0s", shown="no limit")
@connected
def restart(name: str, *, cluster: Cluster, output: str, wait: bool, timeout: float) -> None:
    """Replace every task, step by step as any new revision.

    A rollout that is in motion is answered as the strategy's onNewRevision says.
    """
    at = timestamp(time.time())
    written = _write(cluster, name, at)
    generation = written["metadata"]["generation"]
    if output == "table":
        click.echo(f"{name}: restarted at {at} (generation {generation})")
    elif not wait:
        echo_json({"name": name, "restartedAt": at, "generation": generation})
    if wait:
        try:
            code = follow(Looker(cluster, name), output=output, timeout=timeout)
        except KeyboardInterrupt:
            code = INTERRUPTED
        sys.exit(code)


def _write(cluster: Cluster, name: str, at: str) -> dict[str, Any]:
    for _ in range(_ATTEMPTS):
        obj = cluster.deployment(name)
        _refuse(obj)
        change = {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: at}}}}}
        try:
            return cluster.patch(obj, change)
        except Changed:
            continue
        except KubernetesFailure as failure:
            if failure.code:
                raise
            # The answer was lost; the same value written again changes nothing.
    raise Unusable(
        f"{name} was changed by others {_ATTEMPTS} times in a row; it was not restarted. Try again"
    )


def _refuse(obj: dict[str, Any]) -> None:
    if "deletionTimestamp" in obj["metadata"]:
        raise Refused("restart makes no sense now: it is being deleted")
    spec = obj.get("spec") or {}
    if not spec.get("template"):
        raise Refused(
            "restart makes no sense: there is no spec.template that could carry the annotation; change "
            "spec.taskDefinition instead (a dockerLabel is enough)"
        )
    for member in ("paused", "suspend"):
        if spec.get(member):
            raise Refused(f"restart makes no sense now: spec.{member} is set, nothing would happen; clear it")
