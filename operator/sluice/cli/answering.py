"""What all verbs of a person have in common on the command line: ask, perhaps wait, print, exit."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import click

from sluice.cli.asking import Answer, Ask, Asked, ask, await_answer
from sluice.cli.cluster import Cluster
from sluice.cli.judgement import judge
from sluice.cli.names import deployment_name
from sluice.cli.options import Command, connected, output, waiting
from sluice.cli.printing import echo_json
from sluice.cli.problem import DONE, FAILED, INTERRUPTED, TIMEOUT

_IGNORED: Final = "VerbIgnored"


def verb(command: Command) -> Command:
    """Give a command the name, the cluster, -o, --wait and --timeout."""
    for decorate in (
        connected,
        waiting("Until the operator has dealt with it.", timeout="1m", shown="1m"),
        output,
        click.argument("name", type=deployment_name),
    ):
        command = decorate(command)
    return command


def answer(cluster: Cluster, wish: Ask, *, output: str, wait: bool, timeout: float) -> None:
    """Ask, wait if wanted, print what became of it, and exit: 0, 1 ignored, 3 not handled in time."""
    try:
        asked = ask(cluster, wish)
        got = await_answer(cluster, wish, asked, timeout=timeout) if wait else None
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    obj = got.obj if got else asked.obj
    told = _Told(wish, asked, got, wait=wait, timeout=timeout)
    if output == "json":
        echo_json({**told.document(), "now": judge(obj).text})
    else:
        for line in told.lines():
            click.echo(line)
        if got:
            click.echo(judge(obj).text)
    sys.exit(told.code)


class _Told:
    """An answer in words, as JSON and as an exit code."""

    def __init__(self, wish: Ask, asked: Asked, got: Answer | None, *, wait: bool, timeout: float) -> None:
        self._wish, self._asked, self._got = wish, asked, got
        self._late = wait and got is None
        self._timeout = timeout
        self.code = TIMEOUT if self._late else FAILED if got and got.reason == _IGNORED else DONE

    def lines(self) -> list[str]:
        """Return what to print."""
        wish, asked, got = self._wish, self._asked, self._got
        what = f"{wish.verb} {asked.value}"
        if asked.handled:
            return [f"{wish.name}: {what} was handled before; nothing was written: {asked.why}"]
        said = "said" if asked.written else "was said before, and waits for the operator"
        lines = [f"{wish.name}: {what} {said}"]
        if got:
            lines.append(f"{_OUTCOMES.get(got.reason, 'handled')}: {got.message or what}")
        elif self._late:
            lines.append(
                f"not handled within {self._timeout:g} s; does the operator run, and watch this namespace?"
            )
        return lines

    def document(self) -> Mapping[str, Any]:
        """Return the same for programs."""
        asked, got = self._asked, self._got
        found: dict[str, Any] = {
            "name": self._wish.name,
            "verb": self._wish.verb,
            "value": asked.value,
            "written": asked.written,
            "handled": asked.handled or got is not None,
        }
        if asked.why:
            found["why"] = asked.why
        if got and got.reason:
            found["result"] = {"reason": got.reason, "message": got.message}
        return found


_OUTCOMES: Final = {"VerbHandled": "done", _IGNORED: "ignored"}


def plain(name: str, text: str) -> click.Command:
    """Return the command of a verb that has no options of its own; `text` is its help."""

    def run(name: str, *, cluster: Cluster, output: str, wait: bool, timeout: float) -> None:
        answer(cluster, Ask(name=name, verb=verb_name), output=output, wait=wait, timeout=timeout)

    verb_name = name
    run.__doc__ = text
    decorated: Callable[..., None] = verb(run)
    return click.command(name, help=text)(decorated)
