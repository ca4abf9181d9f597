"""What a verb writes, when it writes nothing, and what it says became of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from unit.cli import samples
from unit.cli.conftest import Run
from unit.cli.fake_api import DEPLOYMENTS, REVISIONS, FakeApi

CHECKOUT = f"{DEPLOYMENTS}/checkout"


def annotation(api: FakeApi, verb: str) -> str:
    """Return the annotation of a verb, '' for none."""
    annotations = api.objects[CHECKOUT]["metadata"].get("annotations", {})
    return str(annotations.get(f"sluice.dev/{verb}", ""))


def handles(reason: str = "VerbHandled", message: str = "") -> Any:
    """Return an operator that handles each verb at once and tells an Event."""

    def operator(api: FakeApi, obj: dict[str, Any]) -> None:
        annotations = obj["metadata"]["annotations"]
        api.status(intents={name.removeprefix("sluice.dev/"): value for name, value in annotations.items()})
        verb = next(iter(annotations)).removeprefix("sluice.dev/")
        api.event(reason, message or verb)

    return operator


@pytest.mark.parametrize(
    ("status", "arguments", "verb", "value"),
    [
        pytest.param(samples.moving(), ["promote", "checkout"], "promote", "r2/3", id="promote"),
        pytest.param(
            samples.moving(), ["promote", "ecsd/checkout", "--full"], "promote-full", "r2", id="full"
        ),
        pytest.param(samples.moving(), ["abort", "checkout"], "abort", "r2", id="abort"),
        pytest.param(samples.moving(), ["pause", "checkout"], "pause", "r2/3", id="pause"),
        pytest.param(samples.moving(paused=True), ["resume", "checkout"], "resume", "r2/3", id="resume"),
        pytest.param(samples.moving(), ["undo", "checkout"], "undo", "r2", id="undo-in-motion"),
        pytest.param(samples.resting(), ["undo", "checkout"], "undo", "r1", id="undo-at-rest"),
        pytest.param(
            samples.resting(),
            ["undo", "checkout", "--to", "checkout-older"],
            "undo",
            "r1/checkout-older",
            id="undo-to",
        ),
        pytest.param(
            samples.resting(
                rejectedRevision={"revision": "checkout-new"}, conditions=samples.stalled("RolledBack")
            ),
            ["retry", "checkout"],
            "retry",
            "r1",
            id="retry",
        ),
    ],
)
def test_a_verb_names_the_rollout_that_was_seen(
    api: FakeApi, run: Run, status: dict[str, Any], arguments: list[str], verb: str, value: str
) -> None:
    """One merge patch of one annotation, on the version that was read."""
    api.put(samples.revision("checkout-older", "checkout:1.3.0"), REVISIONS)
    version = api.put(samples.deployment(status))["metadata"]["resourceVersion"]
    result = run(*arguments)
    assert (result.exit_code, annotation(api, verb)) == (0, value), result.output
    (patch,) = api.patches
    assert patch == {"metadata": {"annotations": {f"sluice.dev/{verb}": value}, "resourceVersion": version}}
    assert value in result.output


def test_a_verb_says_who_said_it(api: FakeApi, run: Run) -> None:
    """The name is the one that the API server gives this person, in the same patch as the verb."""
    api.user = "alice@example.com"
    api.put(samples.deployment(samples.moving()))
    assert run("abort", "checkout").exit_code == 0
    (patch,) = api.patches
    expected = {"sluice.dev/abort": "r2", "sluice.dev/by": "abort=r2 alice@example.com"}
    assert patch["metadata"]["annotations"] == expected


@pytest.mark.parametrize(
    ("status", "arguments", "why"),
    [
        pytest.param(
            samples.moving(index=2), ["promote"], "nothing waits for a person (setWeight 25)", id="promote"
        ),
        pytest.param(samples.resting(), ["promote"], "nothing is in motion", id="promote-at-rest"),
        pytest.param(samples.resting(), ["pause"], "set spec.paused", id="pause-at-rest"),
        pytest.param(samples.moving(), ["resume"], "is not paused", id="resume"),
        pytest.param(samples.moving(stage="RollingBack"), ["abort"], "on its way back", id="abort-again"),
        pytest.param(samples.resting(), ["abort"], "undo goes to an earlier revision", id="abort-at-rest"),
        pytest.param(samples.resting(), ["retry"], "no revision is rejected", id="retry"),
        pytest.param(samples.resting(), ["undo", "--to", "gone"], "not kept; known: none", id="undo-unknown"),
        pytest.param(samples.resting(), ["undo", "--to", "checkout-old"], "live already", id="undo-to-live"),
        pytest.param({}, ["abort"], "no rollout has begun", id="untouched"),
    ],
)
def test_a_senseless_verb_is_refused_before_it_is_written(
    api: FakeApi, run: Run, status: dict[str, Any], arguments: list[str], why: str
) -> None:
    """Exit code 1, with the reason; nothing is sent to the API server but reads."""
    api.put(samples.deployment(status))
    result = run(*arguments, "checkout")
    assert result.exit_code == 1
    assert why in result.output
    assert api.patches == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param({"spec": {"suspend": True}}, "spec.suspend", id="suspended"),
        pytest.param({"spec": {"strategy": {"type": "RollingUpdate"}}}, "no steps to promote", id="rolling"),
        pytest.param({"metadata": {"deletionTimestamp": "2026-11-18T11:00:00Z"}}, "deleted", id="deleting"),
    ],
)
def test_promote_needs_somebody_who_acts(api: FakeApi, run: Run, change: dict[str, Any], why: str) -> None:
    """Suspended, another strategy, or on its way out: refused."""
    obj = samples.deployment(samples.resting())
    for part, members in change.items():
        obj[part] = {**obj[part], **members}
    api.put(obj)
    result = run("promote", "checkout")
    assert result.exit_code == 1
    assert why in result.output


def test_who_was_faster_makes_it_look_again(api: FakeApi, run: Run) -> None:
    """A conflict means another read and another judgement; the word is written on what is there then."""
    api.put(samples.deployment(samples.moving()))
    lost: list[str] = []

    def busy(method: str, path: str) -> int | None:
        if method == "PATCH" and len(lost) < 3:
            lost.append(path)
            api.status(phase="Paused")
        return None

    api.before.append(busy)
    assert run("promote", "checkout").exit_code == 0
    assert (len(lost), len(api.patches), annotation(api, "promote")) == (3, 1, "r2/3")


def test_nothing_is_said_about_a_rollout_that_nobody_looked_at(api: FakeApi, run: Run) -> None:
    """Meanwhile that rollout ended and another began: refused, not sent to the new one."""
    api.put(samples.deployment(samples.moving()))

    def another(method: str, path: str) -> int | None:
        if method == "PATCH":
            api.put(samples.deployment(samples.moving(id="r3")))
        return None

    api.before.append(another)
    result = run("abort", "checkout")
    assert (result.exit_code, api.patches) == (1, [])
    assert "rollout r2 ended meanwhile, r3 is current" in result.output


def test_a_lost_answer_is_no_second_word(api: FakeApi, run: Run) -> None:
    """It was written, and the answer did not arrive: the next read shows it, nothing is written again."""
    api.put(samples.deployment(samples.moving()))
    api.lose_answers = 1
    result = run("abort", "checkout")
    assert (result.exit_code, len(api.patches), annotation(api, "abort")) == (0, 1, "r2"), result.output


def test_an_object_that_never_holds_still_ends_the_command(api: FakeApi, run: Run) -> None:
    """Ten conflicts in a row are an error with exit code 2, not an endless loop."""
    api.put(samples.deployment(samples.moving()))
    api.before.append(lambda method, path: 409 if method == "PATCH" else None)
    result = run("abort", "checkout")
    assert result.exit_code == 2
    assert "changed by others 10 times" in result.output


def test_what_was_handled_is_told_and_not_said_again(api: FakeApi, run: Run) -> None:
    """Abort typed twice: the second time the operator has dealt with it, exit code 0 and no write."""
    status = {**samples.moving(stage="RollingBack"), "intents": {"abort": "r2"}}
    api.put(samples.deployment(status))
    result = run("abort", "checkout", "--wait")
    assert (result.exit_code, api.patches) == (0, [])
    assert "was handled before; nothing was written: the rollout is on its way back" in result.output


HELD = samples.moving(
    stage="RollingBack",
    gates=[
        {
            "name": "person",
            "state": "Waiting",
            "since": "2026-11-18T11:04:00Z",
            "message": "slot a can't take the requests back",
        }
    ],
)
"""A way back that waits for a person: its source can't take the requests."""


@pytest.mark.parametrize(
    ("arguments", "verb", "value"),
    [
        pytest.param(["abort", "--anyway"], "abort", "r2#2", id="all the same"),
        pytest.param(["promote", "--full"], "promote-full", "r2", id="the candidate is the cure"),
    ],
)
def test_a_way_back_that_is_held_is_ended(
    api: FakeApi, run: Run, arguments: list[str], verb: str, value: str
) -> None:
    """Both ways: abort is said once more, though it was handled before."""
    api.put(samples.deployment({**HELD, "intents": {"abort": "r2"}}))
    assert run(*arguments, "checkout").exit_code == 0
    assert annotation(api, verb) == value


@pytest.mark.parametrize("word", ["undo", "abort"])
@pytest.mark.parametrize("handled", [{}, {"abort": "r2"}], ids=["the first", "the second"])
def test_a_way_back_that_is_held_is_not_ended_unawares(
    api: FakeApi, run: Run, word: str, handled: dict[str, str]
) -> None:
    """Two people say it at once: nobody is sent to a dead slot for that, and what would do it is told."""
    api.put(samples.deployment({**HELD, "intents": handled}))
    result = run(word, "checkout")
    assert api.patches == []
    assert "slot a can't take the requests back; mend the slot, promote --full" in result.output
    assert "abort --anyway to go back all the same" in result.output


def test_what_waits_for_the_operator_is_not_said_again(api: FakeApi, run: Run) -> None:
    """The annotation is there and not handled: no second write."""
    obj = samples.deployment(samples.moving())
    obj["metadata"]["annotations"] = {"sluice.dev/promote": "r2/3"}
    api.put(obj)
    result = run("promote", "checkout")
    assert (result.exit_code, api.patches) == (0, [])
    assert "waits for the operator" in result.output


@pytest.mark.parametrize(("handled", "value"), [("r2/3", "r2/3#2"), ("r2/3#2", "r2/3#3"), ("r2/1", "r2/3")])
def test_the_same_word_may_make_sense_again(api: FakeApi, run: Run, handled: str, value: str) -> None:
    """Paused, resumed, paused at one step: a number makes the value new; another step needs none."""
    api.put(samples.deployment({**samples.moving(), "intents": {"pause": handled}}))
    assert run("pause", "checkout").exit_code == 0
    assert annotation(api, "pause") == value


@pytest.mark.parametrize(
    ("operator", "code", "said"),
    [
        pytest.param(handles(), 0, "done: promote", id="handled"),
        pytest.param(handles(message="promote r2/3"), 0, "done: promote r2/3", id="handled-rolling"),
        pytest.param(
            handles("VerbIgnored", "promote: nothing waits for a person"),
            1,
            "ignored: promote: nothing",
            id="ignored",
        ),
        pytest.param(
            handles("VerbIgnored", "promote r2/3: step 3 is not current; it is 4"),
            1,
            "ignored: promote r2/3: step 3",
            id="stale",
        ),
    ],
)
def test_wait_tells_what_became_of_it(api: FakeApi, run: Run, operator: Any, code: int, said: str) -> None:
    """The operator's Event, and exit code 1 when it ignored the word."""
    api.put(samples.deployment(samples.moving()))
    api.on_patch = operator
    result = run("promote", "checkout", "--wait", "--timeout", "20s")
    assert (result.exit_code, said in result.output) == (code, True), result.output
    assert "Paused: step 4 of 5" in result.output


def test_an_old_event_is_no_answer(api: FakeApi, run: Run) -> None:
    """An Event of an earlier word counts only when it grew; another verb's never does."""
    api.put(samples.deployment(samples.moving()))
    api.event("VerbIgnored", "promote: nothing waits for a person", name="old", count=2)

    def operator(fake: FakeApi, obj: dict[str, Any]) -> None:
        fake.status(intents={"promote": obj["metadata"]["annotations"]["sluice.dev/promote"]})
        fake.event("VerbIgnored", "promote-full: something else", name="other")
        fake.event("VerbHandled", "promote", name="older", count=3)

    api.event("VerbHandled", "promote", name="older", count=2)
    api.on_patch = operator
    result = run("promote", "checkout", "--wait", "-o", "json")
    document = json.loads(result.output)
    assert (result.exit_code, document["result"]) == (0, {"reason": "VerbHandled", "message": "promote"})
    assert document["handled"]


def test_handled_without_an_event_is_still_handled(
    api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events are limited and may be forbidden: the status alone says that it was handled."""
    monkeypatch.setattr("sluice.cli.asking._EVENT_PATIENCE", 0.0)
    api.put(samples.deployment(samples.moving()))
    api.on_patch = lambda fake, obj: fake.status(intents={"abort": "r2"})
    api.before.append(lambda method, path: 403 if path.endswith("/events") else None)
    result = run("abort", "checkout", "--wait")
    assert (result.exit_code, "handled: abort r2" in result.output) == (0, True), result.output


def test_nobody_handles_it(api: FakeApi, run: Run) -> None:
    """Exit code 3, and the question that leads on."""
    api.put(samples.deployment(samples.moving()))
    result = run("abort", "checkout", "--wait", "--timeout", "0s")
    assert result.exit_code == 3
    assert "does the operator run" in result.output
    assert annotation(api, "abort") == "r2"


def test_a_restart_is_an_annotation_of_the_template(api: FakeApi, run: Run) -> None:
    """As kubectl rollout restart does it for its own kinds."""
    api.put(samples.deployment())
    result = run("restart", "checkout", "-o", "json")
    at = api.patches[0]["spec"]["template"]["metadata"]["annotations"]["sluice.dev/restartedAt"]
    assert json.loads(result.output) == {"name": "checkout", "restartedAt": at, "generation": 8}


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        pytest.param({"template": None, "taskDefinition": {}}, "spec.taskDefinition", id="no-template"),
        pytest.param({"paused": True}, "spec.paused is set", id="paused"),
        pytest.param({"suspend": True}, "spec.suspend is set", id="suspended"),
    ],
)
def test_a_restart_that_would_do_nothing_is_refused(
    api: FakeApi, run: Run, spec: dict[str, Any], why: str
) -> None:
    """Exit code 1 and no write."""
    api.put(samples.deployment(None, **spec))
    result = run("restart", "checkout")
    assert (result.exit_code, api.patches) == (1, [])
    assert why in result.output


def test_what_is_being_deleted_is_not_restarted(api: FakeApi, run: Run) -> None:
    """Nobody would see the new tasks."""
    obj = samples.deployment()
    obj["metadata"]["deletionTimestamp"] = "2026-11-18T11:00:00Z"
    api.put(obj)
    result = run("restart", "checkout")
    assert (result.exit_code, api.patches, "being deleted" in result.output) == (1, [], True)


def test_a_restart_may_be_waited_for(api: FakeApi, run: Run) -> None:
    """Ready of the old generation does not count; failed does, by the exit codes of status --wait."""
    api.put(samples.deployment())
    api.on_patch = lambda fake, obj: fake.status(conditions=samples.stalled("RolledBack", "no", generation=8))
    result = run("restart", "checkout", "--wait", "--timeout", "20s")
    assert (result.exit_code, "Failed: RolledBack: no" in result.output) == (1, True), result.output
