"""Argo CD's health and actions over everything that the simulation has ever published."""

from __future__ import annotations

import copy
import datetime as dt
import functools
import importlib.util
import itertools
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
import yaml
from lupa import lua51

from sim.histories import histories
from sluice.api.crdgen.crds import crd
from sluice.api.v1alpha1.status import Phase
from sluice.cli.sense import Situation, refusal, under_way
from sluice.model.conditions import RECONCILING_REASONS, STALLED_REASONS
from sluice.model.keys import DEPLOYMENT, GROUP
from sluice.plan.deployment import verbs
from sluice_sandbox.aws.clock import VirtualClock
from unit.gitops.argo_vm import SCRIPTS, acted, disabled, health

ROOT = Path(__file__).resolve().parents[3]
Obj = Mapping[str, Any]
BEGIN = VirtualClock().now()
"""When every story begins."""
VERBS = ("promote", "promote-full", "abort", "pause", "resume", "retry", "undo")


def everything() -> Iterator[Obj]:
    """Yield every version of every object of every story."""
    for versions in histories().values():
        yield from versions


def deployments() -> Iterator[Obj]:
    """Yield the Deployments among them that the operator has looked at."""
    return (obj for obj in everything() if obj["kind"] == "Deployment" and ready(obj))


@functools.cache
def offered(now: float) -> tuple[tuple[Obj, Mapping[str, bool]], ...]:
    """Return what is greyed out at a time, for every Deployment that the operator has looked at."""
    return tuple((obj, disabled(obj, now=now)) for obj in deployments())


def ready(obj: Obj) -> Mapping[str, Any]:
    """Return the condition Ready, {} without one."""
    found = [c for c in (obj.get("status") or {}).get("conditions", ()) if c["type"] == "Ready"]
    return found[0] if found else {}


def expected(obj: Obj) -> str:
    """Return the health by the reason of Ready, where the script goes by the types of conditions."""
    condition = ready(obj)
    if condition.get("observedGeneration") != obj["metadata"]["generation"]:
        return "Progressing"
    reason = condition["reason"]
    if reason in STALLED_REASONS:
        return "Degraded"
    if reason == "Paused" and "deletionTimestamp" not in obj["metadata"]:
        return "Suspended"
    return "Progressing" if reason in RECONCILING_REASONS else "Healthy"


def test_the_stories_reach_every_phase() -> None:
    """What is proved of them is proved of all that status.phase can say."""
    assert {obj["status"].get("phase") for obj in deployments()} == set(get_args(Phase))


def test_health_is_what_the_reason_means() -> None:
    """Each version of each object, before its first status and of an older generation included."""
    wrong = {
        (obj["kind"], ready(obj).get("reason"), health(obj)["status"], expected(obj))
        for obj in everything()
        if health(obj)["status"] != expected(obj)
    }
    assert wrong == set()
    assert {health(obj)["status"] for obj in everything()} == {
        "Progressing",
        "Healthy",
        "Suspended",
        "Degraded",
    }


def test_health_tells_the_reason_and_what_to_do() -> None:
    """The message is the condition's, so that nobody needs kubectl for it."""
    for obj in everything():
        told = health(obj)
        assert told["message"]
        if told["status"] == "Degraded":
            assert told["message"] == f"{ready(obj)['reason']}: {ready(obj)['message']}"


def test_nothing_is_healthy_while_its_rollout_goes_on() -> None:
    """The sync that started it is over only when it is."""
    moving = [obj for obj in deployments() if obj["status"].get("rollout")]
    assert len(moving) > 50
    assert "Healthy" not in {health(obj)["status"] for obj in moving}


@pytest.mark.parametrize("verb", VERBS)
def test_an_action_is_offered_where_the_command_would_say_it(verb: str) -> None:
    """The same judgement as `sluice`'s, but for whether an old revision is kept: status does not tell."""
    answers = set()
    for now in (BEGIN, BEGIN + 1e6):
        for obj, off in offered(now):
            seen = Situation(obj=obj, now=now)
            sensible = not refusal(verb, seen) and not under_way(verb, seen)
            assert off[verb] == (not sensible), (verb, obj["status"].get("rollout"))
            answers.add(sensible)
    assert answers == {True, False}


def test_a_way_back_that_is_held_is_ended_by_the_cure_alone() -> None:
    """Nobody goes to a dead slot by a button: abort all the same is a word for the command line."""
    moving = next(
        obj for obj in deployments() if (obj["status"].get("rollout") or {}).get("stage") == "Stepping"
    )
    gate = {"name": "person", "state": "Waiting", "since": "2026-11-18T11:04:00Z"}
    rollout = {**moving["status"]["rollout"], "stage": "RollingBack", "gates": [gate]}
    obj = {**moving, "status": {**moving["status"], "rollout": rollout}}
    off = disabled(obj, now=BEGIN)
    assert [verb for verb in VERBS if not off[verb]] == ["promote-full"]
    assert [verb for verb in VERBS if not refusal(verb, Situation(obj=obj, now=BEGIN))] == ["promote-full"]


@pytest.mark.parametrize("verb", VERBS)
def test_the_operator_hears_what_an_action_writes(verb: str) -> None:
    """The present rollout and where it was said; nothing else is changed, and saying it twice is once."""
    heard, told = 0, set()
    for obj, off in offered(BEGIN + 1e6):
        # What differs between the versions of one rollout's step, these scripts do not look at.
        rollout = obj["status"].get("rollout") or {}
        seen = (rollout.get("id"), rollout.get("stepIndex"), str(obj["status"].get("intents")))
        if off[verb] or seen in told:
            continue
        told.add(seen)
        heard += 1
        after = acted(obj, verb)
        assert _without(after) == _without(obj)
        intents = verbs.unhandled(after["metadata"]["annotations"], obj["status"].get("intents") or {})
        (intent,) = [entry for entry in intents if entry.verb == verb]
        rollout = obj["status"].get("rollout") or obj["status"]["history"][0]
        assert (intent.rollout_id, intent.who) == (rollout["id"], "Argo CD")
        assert acted(after, verb) == after
        done = copy.deepcopy(after)
        done["status"].setdefault("intents", {})[verb] = intent.value
        again = acted(done, verb)["metadata"]["annotations"][f"{GROUP}/{verb}"]
        assert again != intent.value
        assert again.partition("#")[0] == intent.value.partition("#")[0]
    assert heard


def test_a_restart_changes_the_template_alone() -> None:
    """One annotation, now, where there is a template."""
    obj = next(iter(deployments()))
    after = acted(obj, "restart")
    written = after["spec"]["template"]["metadata"].pop("annotations")
    at = dt.datetime.fromisoformat(written[f"{GROUP}/restartedAt"])
    assert abs(at.timestamp() - time.time()) < 60
    assert after == obj
    own_definition = {**obj, "spec": {"taskDefinition": {"family": "web"}}}
    assert disabled(own_definition)["restart"]
    with pytest.raises(lua51.LuaError, match=r"spec\.taskDefinition"):
        acted(own_definition, "restart")


def test_nothing_is_offered_before_the_first_look_or_while_it_goes() -> None:
    """No rollout has an id yet, or none will."""
    first = next(obj for obj in everything() if obj["kind"] == "Deployment")
    assert not ready(first)
    assert {verb for verb, off in disabled(first).items() if not off} == {"restart"}
    with pytest.raises(lua51.LuaError, match="no rollout has begun yet"):
        acted(first, "abort")
    going = [obj for obj in deployments() if "deletionTimestamp" in obj["metadata"]]
    assert going
    assert all(all(disabled(obj).values()) for obj in going)


def _cases(name: str) -> list[Any]:
    return [
        pytest.param(file.parent, case, id=f"{file.parent.relative_to(SCRIPTS / GROUP)}/{case['inputPath']}")
        for file in sorted(SCRIPTS.rglob(name))
        for case in itertools.chain(*yaml.safe_load(file.read_text(encoding="utf-8")).values())
    ]


@pytest.mark.parametrize(("folder", "case"), _cases("health_test.yaml"))
def test_recorded_health(folder: Path, case: Mapping[str, Any]) -> None:
    """The cases in Argo CD's own form, recorded from the simulation: Argo CD's tests would run the same."""
    obj = yaml.safe_load((folder / case["inputPath"]).read_text(encoding="utf-8"))
    assert health(obj) == case["healthStatus"]


@pytest.mark.parametrize(("folder", "case"), _cases("action_test.yaml"))
def test_recorded_actions(folder: Path, case: Mapping[str, Any]) -> None:
    """What is offered, and what an action leaves."""
    obj = yaml.safe_load((folder / case["inputPath"]).read_text(encoding="utf-8"))
    if "action" in case:
        wanted = yaml.safe_load((folder / case["expectedOutputPath"]).read_text(encoding="utf-8"))
        assert acted(obj, case["action"]) == wanted
    else:
        assert disabled(obj) == {entry["name"]: entry["disabled"] for entry in case["result"]}


def test_what_is_written_twice_is_up_to_date() -> None:
    """`python tools/argo_cd_files.py` would change nothing, and the ConfigMap holds the very scripts."""
    tool = _tool()
    for path, text in tool.rendered().items():
        assert (tool.ARGO_CD / path).read_text(encoding="utf-8") == text, path
    data = yaml.safe_load((tool.ARGO_CD / tool.CONFIG).read_text(encoding="utf-8"))["data"]
    for kind in ("Deployment", "ServiceRoute"):
        script = (SCRIPTS / GROUP / kind / "health.lua").read_text(encoding="utf-8")
        assert data[f"resource.customizations.health.{GROUP}_{kind}"] == script
    actions = yaml.safe_load(data[f"resource.customizations.actions.{GROUP}_Deployment"])
    names = {entry["name"] for entry in actions["definitions"]}
    assert names == {"restart", *VERBS}
    assert names == {file.parent.name for file in (SCRIPTS / GROUP).rglob("action.lua")}


def test_the_example_application_is_about_our_kinds() -> None:
    """Differences are ignored of fields that the definitions have, and ignoring counts when it syncs, too."""
    text = (ROOT / "gitops" / "argo-cd" / "application.yaml").read_text(encoding="utf-8")
    spec = yaml.safe_load(text)["spec"]
    definition = crd(DEPLOYMENT)
    (ignored,) = spec["ignoreDifferences"]
    names = definition["spec"]["names"]
    assert (ignored["group"], ignored["kind"]) == (definition["spec"]["group"], names["kind"])
    for pointer in ignored["jsonPointers"]:
        at = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for name in pointer.removeprefix("/").split("/"):
            at = at["properties"][name]
    assert {"ServerSideApply=true", "RespectIgnoreDifferences=true"} <= set(spec["syncPolicy"]["syncOptions"])


def _without(obj: Obj) -> dict[str, Any]:
    metadata = {name: value for name, value in obj["metadata"].items() if name != "annotations"}
    return {**obj, "metadata": metadata}


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("argo_cd_files", ROOT / "tools" / "argo_cd_files.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
