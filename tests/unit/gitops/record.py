"""Records the cases in Argo CD's own form from the simulation's stories.

Run it after a change of the status: `PYTHONPATH=tests python tests/unit/gitops/record.py`.

One object for each kind, phase and reason; what is expected of it is the test's own table, never what the
script under test says. Actions: each on the first object on which `sluice` would say the verb.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sim.histories import histories
from sluice.cli.sense import Situation, refusal
from sluice.model.keys import GROUP
from unit.gitops.argo_vm import SCRIPTS
from unit.gitops.test_argo_cd import VERBS, deployments, everything, expected, ready

_LATER = 2e9
"""A time at which no recorded standby is warm any more, as it is whenever the cases are run."""


def main() -> None:
    """Write testdata, health_test.yaml and action_test.yaml of both kinds."""
    histories()  # nothing is removed before there is something new
    for kind in ("Deployment", "ServiceRoute"):
        folder = SCRIPTS / GROUP / kind
        _fresh(folder / "testdata")
        cases = []
        for name, obj in _chosen(kind).items():
            _write(folder / "testdata" / name, obj)
            status = {"status": expected(obj), "message": _message(obj)}
            cases.append({"inputPath": f"testdata/{name}", "healthStatus": status})
        _write(folder / "health_test.yaml", {"tests": cases})
        sys.stdout.write(f"{kind}: {len(cases)} cases of health\n")
    _actions(SCRIPTS / GROUP / "Deployment" / "actions")


def _chosen(kind: str) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for obj in everything():
        if obj["kind"] == kind:
            phase = (obj.get("status") or {}).get("phase", "none")
            reason = ready(obj).get("reason", "none")
            old = ready(obj).get("observedGeneration", obj["metadata"]["generation"])
            stale = "_stale" if old != obj["metadata"]["generation"] else ""
            found.setdefault(f"{expected(obj).lower()}_{phase}_{reason}{stale}.yaml", obj)
    return dict(sorted(found.items()))


def _message(obj: Mapping[str, Any]) -> str:
    if not ready(obj):
        return "waiting for the operator's first look"
    generation = obj["metadata"]["generation"]
    if ready(obj)["observedGeneration"] != generation:
        going = "deletionTimestamp" in obj["metadata"]
        return "being deleted" if going else f"the operator has not looked at generation {generation} yet"
    return f"{ready(obj)['reason']}: {ready(obj)['message']}"


def _actions(folder: Path) -> None:
    _fresh(folder / "testdata")
    discovery, acting = [], []
    for verb in VERBS:
        obj = next(o for o in deployments() if not refusal(verb, Situation(obj=o, now=_LATER)))
        rollout = obj["status"].get("rollout") or obj["status"]["history"][0]
        stepped = verb in ("promote", "pause", "resume") and "stepIndex" in rollout
        step = f"/{rollout['stepIndex']}" if stepped else ""
        annotations = obj["metadata"].get("annotations") or {}
        value = rollout["id"] + step
        after = {f"{GROUP}/{verb}": value, f"{GROUP}/by": f"{verb}={value} Argo CD"}
        changed = {**obj, "metadata": {**obj["metadata"], "annotations": {**annotations, **after}}}
        before, wanted = f"testdata/{verb}_before.yaml", f"testdata/{verb}_after.yaml"
        _write(folder / before, obj)
        _write(folder / wanted, changed)
        acting.append({"action": verb, "inputPath": before, "expectedOutputPath": wanted})
        offered = [
            {"name": name, "disabled": bool(refusal(name, Situation(obj=obj, now=_LATER)))} for name in VERBS
        ]
        held = bool(obj["spec"].get("paused") or obj["spec"].get("suspend"))
        discovery.append({"inputPath": before, "result": [*offered, {"name": "restart", "disabled": held}]})
    _write(folder / "action_test.yaml", {"discoveryTests": discovery, "actionTests": acting})
    sys.stdout.write(f"{len(discovery)} cases of discovery, {len(acting)} of actions\n")


def _fresh(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _write(file: Path, value: Any) -> None:
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)
    file.write_text(text, encoding="utf-8")


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


if __name__ == "__main__":
    main()
