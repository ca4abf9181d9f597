"""The runbook has a section for everything that can wake a person or stall an object, and no other."""

from __future__ import annotations

import re
from typing import Final

import yaml

from sluice.model.conditions import STALLED_REASONS
from unit.docs.pages import ROOT, page

RULES: Final = ROOT / "helm" / "sluice" / "rules"
RUNBOOK: Final = page("docs/runbook.md")


def alerts() -> dict[str, dict[str, str]]:
    """Return labels and annotations of every alert."""
    return {
        rule["alert"]: rule["labels"] | rule["annotations"]
        for file in RULES.glob("*.yaml")
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }


def headings(level: int) -> list[str]:
    """Return the headings of one level."""
    return re.findall(rf"^{'#' * level} (.+)$", RUNBOOK.text, re.MULTILINE)


def test_every_alert_has_a_section() -> None:
    """The sections of the second level are the alerts, in the rules' order, and the links lead there."""
    assert headings(2) == list(alerts())
    for told in alerts().values():
        path, _, anchor = told["runbook_url"].partition("#")
        assert path == RUNBOOK.name
        assert anchor in RUNBOOK.anchors()


def test_every_section_says_how_urgent_it_is() -> None:
    """A section begins with the severity that the rule has."""
    for name, told in alerts().items():
        section = RUNBOOK.text.partition(f"\n## {name}\n")[2].strip()
        assert section.startswith(f"*{told['severity'].capitalize()}.*"), name


def test_every_stalled_reason_has_a_section() -> None:
    """The sections of the third level are exactly the closed list of reasons."""
    assert sorted(headings(3)) == sorted(STALLED_REASONS)


def test_dashboards_that_it_names_exist() -> None:
    """Each *Dashboard* that a section sends a person to is one of the chart's, and so is each panel."""
    text = "".join(
        file.read_text(encoding="utf-8") for file in (ROOT / "helm" / "sluice" / "dashboards").glob("*.json")
    )
    for name in re.findall(r"dashboard \*([^*]+)\*", RUNBOOK.text, re.IGNORECASE):
        assert f'"title": "Sluice / {name}"' in text, name
    for panels in re.findall(r"[Dd]ashboard \*[^*]+\*[,:] ((?:\"[^\"]+\"(?: and )?)+)", RUNBOOK.text):
        for panel in re.findall(r"\"([^\"]+)\"", panels):
            assert f'"title": "{panel}"' in text, panel
