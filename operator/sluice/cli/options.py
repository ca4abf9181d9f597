"""Options that verbs share: which cluster, how to print, how long to wait."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from sluice.api.v1alpha1.duration import seconds
from sluice.cli.cluster import Cluster, explain
from sluice.cli.problem import Unusable
from sluice.runtime.apiserver import KubernetesFailure

Command = Callable[..., None]


def span(value: str | float) -> float:
    """Return the seconds of a length of time as Go writes it (90s, 10m, 1h30m); a click type."""
    if isinstance(value, int | float):
        return float(value)
    try:
        found = seconds(value)
    except ValueError:
        found = -1.0
    if found < 0:
        raise click.BadParameter(f"{value} is no length of time; write it as 30s, 10m or 1h30m")
    return found


def connected(command: Command) -> Command:
    """Give a command `cluster`, connected by -n, --context and --kubeconfig; tell failures in words."""

    @click.option("-n", "--namespace", default="", help="Namespace; default: the context's.")
    @click.option("--context", default="", help="Context of the kubeconfig.")
    @click.option(
        "--kubeconfig", default="", metavar="FILE", help="Kubeconfig; default: $KUBECONFIG, ~/.kube/config."
    )
    @functools.wraps(command)
    def wrapped(*args: Any, namespace: str, context: str, kubeconfig: str, **options: Any) -> None:  # noqa: ANN401 - click's
        cluster = Cluster.connect(kubeconfig=kubeconfig, context=context, namespace=namespace)
        try:
            command(*args, cluster=cluster, **options)
        except KubernetesFailure as failure:
            raise Unusable(explain(failure)) from failure
        finally:
            cluster.close()

    return wrapped


output = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How to print.",
)


def waiting(text: str, *, timeout: str, shown: str) -> Callable[[Command], Command]:
    """Return the options --wait and --timeout."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def wrapped(*args: Any, wait: bool, **options: Any) -> None:  # noqa: ANN401 - click's
            given = click.get_current_context().get_parameter_source("timeout")
            if given is ParameterSource.COMMANDLINE and not wait:
                raise click.UsageError("--timeout needs --wait: nothing is waited for without it")
            command(*args, wait=wait, **options)

        wrapped = click.option(
            "--timeout",
            type=span,
            default=timeout,
            metavar="DURATION",
            help=f"With --wait: at most this long; default: {shown}.",
        )(wrapped)
        return click.option("--wait", is_flag=True, help=text)(wrapped)

    return decorate
