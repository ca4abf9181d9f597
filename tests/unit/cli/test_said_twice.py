"""Two people at once, and words that the operator has not heard yet: what is said, judged and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sluice.cli.judgement import judge
from sluice.cli.main import main
from sluice.cli.sense import Situation, under_way
from unit.cli import samples
from unit.cli.conftest import Run
from unit.cli.fake_api import FakeApi

UNDO: dict[str, Any] = {
    "kind": "Undo",
    "by": "undo",
    "source": "checkout-new",
    "candidate": "checkout-old",
    "id": "r2",
}


def undone(by: str = "undo", **rollout: Any) -> dict[str, Any]:
    """Return the status of an undo in motion that `by`, said at rest of rollout r1, began."""
    status = samples.moving(**{**UNDO, **rollout})
    return {**status, "intents": {by: "r1"}, "history": samples.resting()["history"]}


@pytest.mark.parametrize("first", ["undo", "abort"])
@pytest.mark.parametrize("words", [("undo",), ("abort",), ("undo", "--to", "checkout-old")], ids=" ".join)
def test_an_undo_that_two_people_say(api: FakeApi, run: Run, first: str, words: tuple[str, ...]) -> None:
    """The second one is told that it goes on already, exit code 0: it would lead back to the bad revision."""
    api.put(samples.deployment(undone(first)))
    verb, *options = words
    result = run(verb, "checkout", *options)
    assert (result.exit_code, api.patches) == (0, []), result.output
    assert "checkout-old takes over already; undo --to checkout-new ends that" in result.output


def test_an_undo_is_ended_by_name(api: FakeApi, run: Run) -> None:
    """Who names the revision that it leaves means it."""
    api.put(samples.deployment(undone()))
    assert run("undo", "checkout", "--to", "checkout-new").exit_code == 0
    (patch,) = api.patches
    assert patch["metadata"]["annotations"] == {"sluice.dev/undo": "r2/checkout-new"}


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(samples.moving(), id="a-rollout"),
        pytest.param(undone(by="promote"), id="nobody-said-it"),
        pytest.param({**undone(), "intents": {"undo": "r0"}}, id="said-of-an-older-one"),
        pytest.param({**undone(), "history": []}, id="no-history"),
        pytest.param(undone(stage="CleaningUp"), id="on-its-way-back"),
    ],
)
def test_what_is_no_second_word(status: dict[str, Any]) -> None:
    """Only an undo that a person's word at rest began is said twice by another."""
    assert not under_way("undo", Situation(obj=samples.deployment(status), now=0.0))


def test_an_undo_of_the_spec_may_be_aborted() -> None:
    """The spec that asks for the standby's revision is no word of a person."""
    status = undone()
    status["rollout"]["by"] = "spec"
    assert not under_way("abort", Situation(obj=samples.deployment(status), now=0.0))


def saying(value: str, status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Return the Deployment with an annotation that says promote or retry."""
    obj = samples.deployment(status, **spec)
    verb = "retry" if "rejectedRevision" in status else "promote"
    obj["metadata"]["annotations"] = {f"sluice.dev/{verb}": value}
    return obj


PAUSED = samples.moving()
REJECTED = samples.resting(
    rejectedRevision={"revision": "checkout-new"}, conditions=samples.stalled("RolledBack")
)


@pytest.mark.parametrize(
    ("obj", "outcome"),
    [
        pytest.param(saying("r2/3", PAUSED), "Moving", id="promote-not-heard"),
        pytest.param(saying("r2/3#2", {**PAUSED, "intents": {"promote": "r2/3"}}), "Moving", id="again"),
        pytest.param(saying("r2/3", {**PAUSED, "intents": {"promote": "r2/3"}}), "Person", id="heard"),
        pytest.param(saying("r1/3", PAUSED), "Person", id="of-an-older-rollout"),
        pytest.param(saying("r2/3", PAUSED, suspend=True), "Person", id="suspended"),
        pytest.param(saying("r1", REJECTED), "Moving", id="retry-not-heard"),
        pytest.param(saying("r1", {**REJECTED, "intents": {"retry": "r1"}}), "Failed", id="retry-heard"),
        pytest.param(
            saying("r1", {**REJECTED, "conditions": samples.stalled("InvalidSpec")}),
            "Failed",
            id="a-refused-spec-hears-nothing",
        ),
    ],
)
def test_a_word_that_was_not_heard_yet(obj: dict[str, Any], outcome: str) -> None:
    """`promote && status --wait` does not end with what the status said before the word."""
    assert judge(obj).outcome == outcome


def test_a_refused_revision_fails_at_once() -> None:
    """onNewRevision: Reject: the pipeline that applied it is not asked to promote somebody else's rollout."""
    gates = [
        {"name": "promote", "state": "Waiting"},
        {"name": "next revision", "state": "Failed", "message": "revision x came"},
    ]
    found = judge(samples.deployment(samples.moving(gates=gates)))
    assert (found.outcome, found.text) == ("Failed", "revision x came")


def test_status_shows_what_was_not_heard(api: FakeApi, run: Run) -> None:
    """While the operator is away a person sees that somebody has spoken already."""
    api.put(saying("r2/3", PAUSED))
    assert "said, and not handled by the operator yet: promote" in run("status", "checkout").output
    assert '"unheard": [' in run("status", "checkout", "-o", "json").output


def test_status_says_that_fewer_tasks_come_later(api: FakeApi, run: Run) -> None:
    """Scaled down in the middle of a rollout: the count that the spec has is not forgotten."""
    api.put(samples.deployment(PAUSED, replicas=2))
    assert "spec.replicas asks for fewer tasks" in run("status", "checkout").output
    api.put(samples.deployment(PAUSED, replicas=6))
    assert "spec.replicas" not in run("status", "checkout").output
    api.put(samples.deployment(samples.resting(), replicas=2))
    assert "spec.replicas" not in run("status", "checkout").output


@pytest.mark.parametrize(
    ("status", "told"), [(PAUSED, "nothing goes forward"), (None, "no new revision starts")]
)
def test_spec_paused(api: FakeApi, run: Run, status: dict[str, Any] | None, told: str) -> None:
    """In the middle of a rollout it holds that one, at rest the next."""
    api.put(samples.deployment(status, paused=True))
    assert f"spec.paused: {told}" in run("status", "checkout").output


@pytest.mark.parametrize("verb", ["status", "promote", "restart"])
def test_a_timeout_without_wait(api: FakeApi, run: Run, verb: str) -> None:
    """A pipeline that forgot --wait would go on at once, with exit code 0."""
    api.put(samples.deployment(PAUSED))
    result = run(verb, "checkout", "--timeout", "30m")
    assert (result.exit_code, api.patches) == (2, [])
    assert "--timeout needs --wait" in result.output


@pytest.mark.parametrize(
    "text", ["a: [b\n", "- a\n", "hello\n", "\x00", "contexts: {}\n", "current-context: x\ncontexts: [1]\n"]
)
def test_a_broken_kubeconfig(run: Run, tmp_path: Path, text: str) -> None:
    """Exit code 2 and what is wrong with which file, no trace: 1 means that a rollout failed."""
    file = tmp_path / "broken"
    file.write_text(text, encoding="utf-8")
    result = run("status", "checkout", "--kubeconfig", str(file))
    assert (result.exit_code, result.output.count("\n")) == (2, 1), result.output
    assert "no Kubernetes cluster to connect to: " in result.output
    assert str(file) in result.output


def test_a_terminal_without_the_lines_of_a_tree(api: FakeApi, run: Run) -> None:
    """An encoding that lacks a character is no reason to end with a trace and the exit code of a failure."""
    api.put(samples.deployment(PAUSED))
    assert run("status", "checkout").exit_code == 0  # sets the kubeconfig, and shows that it is there
    result = CliRunner(charset="ascii").invoke(main, ["status", "checkout"])
    assert (result.exit_code, "?? slot a" in result.output) == (0, True), result.output
