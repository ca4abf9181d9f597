"""What the chart asks of Prometheus: every query of every dashboard, every rule, every selector in a rule."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from integration.chart.helm import CHART

RULE_FILES: Final = tuple(sorted((CHART / "rules").glob("*.yaml")))
VARIABLES: Final = {
    "__rate_interval": "10s",
    "__range_s": "120",
    "__range": "2m",
    "cluster": ".*",
    "job": ".*",
    "account": ".*",
    "region": ".*",
    "team": ".*",
}
"""In the order in which they are put in: the longer of two that begin alike first."""
_SELECTOR: Final = re.compile(r"\b(sluice_\w+)(\{[^}]*\})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One query and where it is from, as a person finds it: dashboard, panel."""

    where: str
    expr: str


def panels(**chosen: str) -> list[Asked]:
    """Return the queries of all panels, variables put in: those above, `namespace` and `deployment`."""
    found = []
    for file in sorted((CHART / "dashboards").glob("*.json")):
        dashboard: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        for panel in dashboard["panels"]:
            for target in panel.get("targets", ()):
                where = f"{file.stem} / {panel['title']} / {target['refId']}"
                found.append(Asked(where=where, expr=filled(target["expr"], chosen)))
        found += [
            Asked(where=f"{file.stem} / annotation {note['name']}", expr=filled(note["expr"], chosen))
            for note in dashboard["annotations"]["list"]
        ]
    return found


def choices(**chosen: str) -> list[tuple[str, str, str]]:
    """Return each dashboard's variables as (where, matcher, label) of their label_values(matcher, label)."""
    found = []
    for file in sorted((CHART / "dashboards").glob("*.json")):
        for variable in json.loads(file.read_text(encoding="utf-8"))["templating"]["list"]:
            if variable["type"] == "query":
                matched = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
                assert matched is not None
                found.append((f"{file.stem} / {variable['name']}", filled(matched[1], chosen), matched[2]))
    return found


def filled(text: str, chosen: dict[str, str]) -> str:
    """Put the variables in, as Grafana does."""
    everything = {"namespace": ".*", "deployment": ".*"} | chosen
    for name, value in (*VARIABLES.items(), *everything.items()):
        text = text.replace(f"${name}", value)
    assert "$" not in text, text
    return text


def rules() -> Iterator[dict[str, Any]]:
    """Yield every rule of the chart."""
    for file in RULE_FILES:
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            yield from group["rules"]


def selectors() -> set[str]:
    """Return every selector of the rules' expressions, with the labels that it names."""
    return {
        f"{name}{matchers or ''}"
        for rule in rules()
        for name, matchers in _SELECTOR.findall(re.sub(r"\w+:\w+:\w+(\{[^}]*\})?", "", rule["expr"]))
    }
