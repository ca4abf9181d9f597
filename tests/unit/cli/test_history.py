"""`sluice history`: the list, one revision, and its difference from the live one."""

from __future__ import annotations

import json

import pytest

from unit.cli import samples
from unit.cli.conftest import Run
from unit.cli.fake_api import REVISIONS, FakeApi


@pytest.fixture
def kept(api: FakeApi) -> FakeApi:
    """Two rollouts in the history, of which the older revision is not kept, and a third that is."""
    status = samples.resting()
    status["history"].insert(
        0,
        {
            "id": "r2",
            "revision": "checkout-new",
            "outcome": "RolledBack",
            "startedAt": "2026-11-18T10:30:00Z",
            "durationSeconds": 340,
            "rollbackSeconds": 0.84,
            "reason": "Analysis: errors 0.3 > 0.01",
            "by": "spec",
            "evidence": ["task 1: exit code 1"],
        },
    )
    api.put(samples.deployment(status))
    api.put(samples.revision("checkout-old", "checkout:1.4.2"), REVISIONS)
    api.put(samples.revision("checkout-new", "checkout:1.5.0", restartedAt="t"), REVISIONS)
    return api


def test_the_list(kept: FakeApi, run: Run) -> None:
    """Newest first, the live one marked, seconds of the rollback, and which revisions are gone."""
    del kept
    result = run("history", "checkout")
    lines = [line.split() for line in result.output.splitlines()]
    assert lines[0] == ["REVISION", "OUTCOME", "AGE", "TOOK", "ROLLBACK", "IMAGE", "REASON", "BY"]
    assert lines[1][:2] == ["checkout-new", "RolledBack"]
    assert lines[1][3:6] == ["5m40s", "0.84s", "checkout:1.5.0"]
    assert lines[1][-1] == "spec"
    assert lines[2][:3] == ["*", "checkout-old", "Succeeded"]
    assert "not kept any more, so no undo leads to them: checkout-older" in result.output


def test_persons_are_in_the_list(kept: FakeApi, run: Run) -> None:
    """Who promoted and aborted is in the list, and with the revision."""
    status = samples.resting()
    status["history"][0]["persons"] = ["promote: alice", "promote: alice", "abort: bob"]
    kept.put(samples.deployment(status))
    assert run("history", "checkout").output.count("promote: alice, abort: bob") == 1
    assert "alice, promote" not in run("history", "checkout").output
    shown = run("history", "checkout", "checkout-old").output
    assert "# by a person: abort: bob" in shown


def test_the_list_tells_names_apart(kept: FakeApi, run: Run) -> None:
    """They follow minutes after the rules; where there are no rules theirs is the rollback's time."""
    status = samples.resting()
    entry = status["history"][0] | {"outcome": "RolledBack", "rollbackSeconds": 0.84}
    named = entry | {"rollbackDiscoverySeconds": 92.5}
    alone = entry | {"rollbackSeconds": 92.5, "rollbackDiscoverySeconds": 92.5}
    status["history"] = [named, alone]
    kept.put(samples.deployment(status))
    lines = run("history", "checkout").output.splitlines()
    assert "0.84s, names 92.5s" in lines[1]
    assert "names" not in lines[2]


def test_the_list_as_json(kept: FakeApi, run: Run) -> None:
    """The entries of status, and the names of what is kept."""
    del kept
    document = json.loads(run("history", "checkout", "-o", "json").output)
    assert (document["live"], document["kept"]) == ("checkout-old", ["checkout-new", "checkout-old"])
    assert document["history"][0]["rollbackSeconds"] == 0.84


def test_a_revision(kept: FakeApi, run: Run) -> None:
    """What it ran, with how its rollout ended and the evidence in front."""
    del kept
    output = run("history", "checkout", "checkout-new").output
    assert "# RolledBack, started 2026-11-18T10:30:00Z\n# Analysis: errors" in output
    assert "# evidence: task 1: exit code 1" in output
    assert "image: checkout:1.5.0" in output
    assert "spec:" not in output
    document = json.loads(run("history", "checkout", "checkout-new", "-o", "json").output)
    assert (document["restartedAt"], document["history"][0]["id"]) == ("t", "r2")


def test_a_difference_is_what_an_undo_would_change(kept: FakeApi, run: Run) -> None:
    """From the live revision to the named one."""
    del kept
    output = run("history", "checkout", "checkout-new", "--diff").output
    assert output.startswith("--- checkout-old (live)\n+++ checkout-new\n")
    assert "-  - environment: []\n" not in output
    assert "-    image: checkout:1.4.2\n+    image: checkout:1.5.0\n" in output
    assert "+restartedAt: t" in output
    assert (
        run("history", "checkout", "checkout-old", "--diff").output == "checkout-old is the live revision\n"
    )
    document = json.loads(run("history", "checkout", "checkout-new", "--diff", "-o", "json").output)
    assert (document["from"], document["to"]) == ("checkout-old", "checkout-new")


def test_a_revision_that_is_not_kept(kept: FakeApi, run: Run) -> None:
    """Not found, with what there is."""
    del kept
    result = run("history", "checkout", "checkout-older")
    assert result.exit_code == 2
    assert "checkout-older is not kept" in result.output
    assert "kept: checkout-new, checkout-old" in result.output


def test_revisions_that_may_not_be_read(kept: FakeApi, run: Run) -> None:
    """The list goes without images; one revision can't be shown at all."""
    kept.before.append(lambda method, path: 403 if path.endswith("controllerrevisions") else None)
    result = run("history", "checkout")
    assert (result.exit_code, "images are not shown: not permitted" in result.output) == (0, True)
    assert run("history", "checkout", "checkout-new").exit_code == 2


def test_no_history(api: FakeApi, run: Run) -> None:
    """One sentence."""
    api.put(samples.deployment({}))
    assert run("history", "checkout").output == "checkout has no rollout that is over\n"
    result = run("history", "checkout", "checkout-old", "--diff")
    assert result.exit_code == 2


def test_nothing_is_live_to_compare_with(api: FakeApi, run: Run) -> None:
    """A first rollout has a revision and nothing before it."""
    api.put(samples.deployment({}))
    api.put(samples.revision("checkout-old", "checkout:1.4.2"), REVISIONS)
    result = run("history", "checkout", "checkout-old", "--diff")
    assert (result.exit_code, "nothing is live yet" in result.output) == (2, True)
