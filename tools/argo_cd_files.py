"""Writes what is the same thing twice of the scripts for Argo CD.

Argo CD wants one script for each action and each kind, and the settings that hold all of them as texts. Here
each is written once: `health.lua` and `discovery.lua` by hand under `Deployment`, the verbs from one
template, `argocd-cm.yaml` from all of them. A test fails when a file is not what this writes.

    python tools/argo_cd_files.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import yaml

ARGO_CD: Final = Path(__file__).resolve().parents[1] / "gitops" / "argo-cd"
GROUP: Final = "sluice.dev"
KINDS: Final = ("Deployment", "ServiceRoute")
VERBS: Final = {
    "promote": True,
    "promote-full": False,
    "abort": False,
    "pause": True,
    "resume": True,
    "retry": False,
    "undo": False,
}
"""Verb → whether its value names the step, too: what was meant for one step must not end the next."""
CONFIG: Final = "argocd-cm.yaml"
_STEP: Final = """\
  if status.rollout.stepIndex ~= nil then
    base = base .. "/" .. status.rollout.stepIndex
  end
"""
_VERB: Final = """\
-- Says `{verb}` to the operator: the annotation {group}/{verb} with the id of the rollout that is
-- shown{what}. A rollout that is over by then is not touched. `#2` makes a word new that was handled
-- before; what still waits to be handled stays. Written by tools/argo_cd_files.py: change it there.

local status = obj.status or {{}}
local base
if status.rollout ~= nil and status.rollout.id ~= nil then
  base = status.rollout.id
{step}elseif status.history ~= nil and status.history[1] ~= nil then
  base = status.history[1].id
end
if base == nil then
  error("no rollout has begun yet; the operator has not acted on this Deployment")
end

local name = "{group}/{verb}"
local handled = (status.intents or {{}})["{verb}"]
obj.metadata.annotations = obj.metadata.annotations or {{}}
local said = obj.metadata.annotations[name]

local value = base
local waiting = said == base and said ~= handled
if handled == base then
  value = base .. "#2"
end
for number = 2, 999 do
  local numbered = base .. "#" .. number
  if handled == numbered then
    value = base .. "#" .. (number + 1)
  end
  waiting = waiting or (said == numbered and said ~= handled)
end
if not waiting then
  obj.metadata.annotations[name] = value
  -- Argo CD tells its scripts of no user; its own event ResourceActionRan does.
  obj.metadata.annotations["{group}/by"] = "{verb}=" .. value .. " Argo CD"
end
return obj
"""
_HEADER: Final = """\
# Health and actions of sluice.dev for Argo CD: merge this into the ConfigMap argocd-cm of its namespace, e.g.
#   kubectl -n argocd patch configmap argocd-cm --patch-file argocd-cm.yaml
# Written by tools/argo_cd_files.py from resource_customizations/. Do not edit: change the scripts.
"""


def rendered(folder: Path = ARGO_CD) -> dict[str, str]:
    """Return the text of every written file by its path in `folder`."""
    scripts = f"resource_customizations/{GROUP}"
    health = (folder / scripts / "Deployment" / "health.lua").read_text(encoding="utf-8")
    files = {f"{scripts}/ServiceRoute/health.lua": health}
    for verb, stepped in VERBS.items():
        files[f"{scripts}/Deployment/actions/{verb}/action.lua"] = _VERB.format(
            verb=verb, group=GROUP, step=_STEP if stepped else "", what=" and its step" if stepped else ""
        )
    return files | {CONFIG: _config(folder, files)}


def _config(folder: Path, files: dict[str, str]) -> str:
    actions = f"resource_customizations/{GROUP}/Deployment/actions"

    def script(path: str) -> str:
        return files.get(path) or (folder / path).read_text(encoding="utf-8")

    definitions = {
        "discovery.lua": script(f"{actions}/discovery.lua"),
        "definitions": [
            {"name": name, "action.lua": script(f"{actions}/{name}/action.lua")}
            for name in (*VERBS, "restart")
        ],
    }
    data = {
        f"resource.customizations.health.{GROUP}_{kind}": script(
            f"resource_customizations/{GROUP}/{kind}/health.lua"
        )
        for kind in KINDS
    }
    data[f"resource.customizations.actions.{GROUP}_Deployment"] = _yaml(definitions)
    whole = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm", "namespace": "argocd"},
        "data": data,
    }
    return _HEADER + _yaml(whole)


def _yaml(value: object) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=1000)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as people do."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def main() -> None:
    """Write the files and name them."""
    for path, text in rendered().items():
        file = ARGO_CD / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path} {len(text)} characters\n")


if __name__ == "__main__":
    main()
