"""A person drives a whole rollout with `sluice` alone, against the operator as its own process."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from e2e.desk import DEPLOYMENT, Desk
from e2e.progressive import ALL, NEXT, PERSON, progressive, weight
from sluice.cli.main import main

pytestmark = pytest.mark.e2e


class Terminal:
    """Somebody's terminal."""

    def __init__(self, desk: Desk) -> None:
        """Work in the desk's namespace."""
        self._where = ("-n", desk.namespace, "--kubeconfig", str(desk.world.cluster.kubeconfig))

    def run(self, *arguments: str) -> Result:
        """Run `sluice …`."""
        return CliRunner().invoke(main, [*arguments, *self._where])

    def expect(self, code: int, text: str, *arguments: str) -> str:
        """Run it, and compare the exit code and a part of what it prints; return all that it prints."""
        result = self.run(*arguments)
        assert (result.exit_code, text in result.output) == (code, True), f"{arguments}: {result.output}"
        return result.output


def test_a_rollout_is_driven_by_the_command(desk: Desk) -> None:
    """Wait, pause, resume, promote, undo from standby, retry, abort: each with the operator's own answer."""
    terminal = Terminal(desk)
    steps = (weight(25), PERSON, ALL)
    standby = {"duration": "10m"}
    wait = ("--wait", "--timeout", "90s", "--interval", "200ms")
    desk.apply(progressive(desk, *steps, standby=standby), desk.route())
    terminal.expect(0, "Ready: Available", "status", "web", *wait)
    old = desk.status(DEPLOYMENT)["live"]["revision"]

    desk.apply(progressive(desk, *steps, image=NEXT, standby=standby))
    terminal.expect(4, "Person: Paused", "status", "web", *wait)
    tree = terminal.expect(0, "▶ 2. pause until promoted", "status", "web")
    assert "route web   Ready, proved" in tree
    assert "desired a 75 %, b 25 % · configured a 75 %, b 25 %" in tree
    assert "example/web:2.0.0" in tree
    terminal.expect(0, "done: pause", "pause", "web", "--wait")
    terminal.expect(0, "was handled before", "pause", "web", "--wait")
    terminal.expect(0, "done: resume", "resume", "web", "--wait")
    terminal.expect(0, "#2", "pause", "web", "--wait")
    terminal.expect(0, "#2", "resume", "web", "--wait")
    terminal.expect(1, "no revision is rejected", "retry", "web")
    terminal.expect(0, "done: promote", "promote", "web", "--wait")
    terminal.expect(0, "Ready: Available", "status", "web", *wait)
    assert desk.status(DEPLOYMENT)["live"]["revision"] != old

    terminal.expect(0, "done: undo", "undo", "web", "--wait")
    terminal.expect(1, "Failed: RolledBack", "status", "web", *wait)
    assert desk.status(DEPLOYMENT)["live"]["revision"] == old
    terminal.expect(0, "done: retry", "retry", "web", "--wait")
    terminal.expect(4, "Person: Paused", "status", "web", *wait)
    terminal.expect(0, "done: abort", "abort", "web", "--wait")
    terminal.expect(1, "Failed: RolledBack", "status", "web", *wait)

    listed = json.loads(terminal.run("history", "web", "-o", "json").output)
    assert [entry["outcome"] for entry in listed["history"]] == [
        "Aborted",
        "Succeeded",
        "Succeeded",
        "Succeeded",
    ]
    new = listed["history"][0]["revision"]
    terminal.expect(0, "image: example/web:2.0.0", "history", "web", new, "--diff")
