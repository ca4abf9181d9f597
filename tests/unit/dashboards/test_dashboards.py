"""The chart's Grafana dashboards: generated, as Grafana has them, and complete for a person."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from unit.dashboards.published import faults

ROOT: Final = Path(__file__).resolve().parents[3]
FILES: Final = sorted((ROOT / "helm" / "sluice" / "dashboards").glob("*.json"))
DASHBOARDS: Final = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in FILES}
LARGEST: Final = 24
"""Columns of Grafana's grid."""
each = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the panels that show data."""
    yield from (panel for panel in dashboard["panels"] if panel["type"] != "row")


def test_they_are_as_generated() -> None:
    """`make generate` writes what is committed, no more and no less."""
    code = "import json, dashboards; print(json.dumps(dashboards.texts()))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "tools", capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {file.name: file.read_text(encoding="utf-8") for file in FILES}
    assert set(DASHBOARDS) == {
        "sluice-fleet",
        "sluice-deployment",
        "sluice-rollouts",
        "sluice-aws",
        "sluice-delivery",
    }


@each
def test_grafana_has_every_member(dashboard: dict[str, Any]) -> None:
    """Members, types and enumerations are those of Grafana's published schema."""
    assert faults(dashboard) == []


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda it: it.update(colour="red"), "$.colour: Grafana has no such member"),
        (lambda it: it.update(graphTooltip=7), "$.graph_tooltip: 7"),
        (lambda it: it["panels"][1].update(title=3), "$.panels[1].title: 3"),
        (lambda it: it["panels"][1]["options"].update(textMode="loud"), "text_mode: 'loud'"),
        (lambda it: it["panels"][1]["targets"][0].update(exprs="up"), "targets[0].exprs: Grafana has no"),
        (
            lambda it: it["panels"][-1]["fieldConfig"]["defaults"]["custom"].update(drawStyle="pie"),
            "draw_style: 'pie'",
        ),
    ],
    ids=["member", "enumeration of numbers", "type", "enumeration", "query", "field"],
)
def test_the_judge_finds_damage(damage: Any, found: str) -> None:
    """What is not Grafana's is found, wherever it is: the test above can fail."""
    broken = copy.deepcopy(DASHBOARDS["sluice-aws"])
    damage(broken)
    assert any(found in text for text in faults(broken)), faults(broken)


@each
def test_a_person_finds_the_way(dashboard: dict[str, Any]) -> None:
    """Links to the runbook and to the other dashboards, a data source to choose, a stable address."""
    runbook, others = dashboard["links"]
    assert (runbook["type"], runbook["url"]) == ("link", "docs/runbook.md")
    assert (others["type"], others["tags"]) == ("dashboards", ["sluice"])
    assert dashboard["tags"] == ["sluice"]
    assert dashboard["templating"]["list"][0]["type"] == "datasource"
    assert re.fullmatch(r"sluice-[a-z]+", dashboard["uid"])
    assert dashboard["description"]


@each
def test_every_panel_explains_itself(dashboard: dict[str, Any]) -> None:
    """Title, description, unit; each query a letter of its own and the chosen data source."""
    for panel in panels(dashboard):
        assert panel["title"], panel
        assert panel["description"].endswith("."), panel["title"]
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults.get("unit") or panel["type"] == "state-timeline", panel["title"]
        letters = [target["refId"] for target in panel["targets"]]
        assert letters
        assert len(set(letters)) == len(letters)
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
        if panel["type"] == "timeseries":
            assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]
    titles = Counter(panel["title"] for panel in panels(dashboard))
    assert titles.most_common(1)[0][1] == 1


@each
def test_nothing_overlaps(dashboard: dict[str, Any]) -> None:
    """Panels have numbers of their own and share no cell of the grid."""
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= LARGEST
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(numbers)) == len(numbers)


@each
def test_variables_are_used_and_defined(dashboard: dict[str, Any]) -> None:
    """Each variable is used by a query, and no query uses one that is not there."""
    defined = {variable["name"] for variable in dashboard["templating"]["list"]}
    text = json.dumps([dashboard["panels"], dashboard["annotations"], dashboard["templating"]])
    used = {name for name in re.findall(r"\$\{?(\w+)", text) if not name.startswith("__")}
    assert used == defined


@each
def test_every_selector_chooses_cluster_and_installation(dashboard: dict[str, Any]) -> None:
    """One Grafana over several clusters, each with installations, mixes none; recorded series have no job."""
    queries = [target["expr"] for panel in panels(dashboard) for target in panel["targets"]]
    queries += [note["expr"] for note in dashboard["annotations"]["list"]]
    queries += [v["query"]["query"] for v in dashboard["templating"]["list"][3:]]
    found = [match for text in queries for match in re.findall(r"([\w:]*sluice_[\w:]+)(\{[^}]*\})?", text)]
    assert found
    for name, matchers in found:
        assert 'cluster=~"$cluster"' in matchers, name
        assert ('job=~"$job"' in matchers) != (":" in name), name
    assert [variable["name"] for variable in dashboard["templating"]["list"][1:3]] == ["cluster", "job"]
