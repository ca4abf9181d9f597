"""Alert and recording rules of the chart: each fires when it should, and is quiet beside that."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest

from integration.rules import cases_of_objects, cases_of_the_operator, cases_of_traffic
from integration.rules.promtool import FILES, Case, alerts, check, promtool, rules

pytestmark = pytest.mark.integration
CASES: Final = cases_of_objects.CASES | cases_of_traffic.CASES | cases_of_the_operator.CASES
ALERTS: Final = alerts()


def test_promtool_finds_nothing_to_complain_of() -> None:
    """`promtool check rules` accepts every file, and duplicates count as errors."""
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", *(str(file) for file in FILES))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_fires_and_not_beside_that(case: Case, tmp_path: Path) -> None:
    """It fires with the labels and texts that a person would read, and not in the neighbouring good case."""
    assert check(case, file=tmp_path / "test.yaml") == ""


def test_every_alert_has_a_case() -> None:
    """No alert comes without a test that makes it fire."""
    assert {case.alert for case in CASES.values()} == set(ALERTS)


@pytest.mark.parametrize("rule", ALERTS.values(), ids=ALERTS)
def test_every_alert_says_what_a_person_needs(rule: dict[str, Any]) -> None:
    """Severity from three, a short summary, a description, and the runbook's section of its own name."""
    assert set(rule["labels"]) == {"severity"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert len(re.sub(r"\{\{.*?\}\}", "", rule["annotations"]["summary"])) < 70
    assert rule["annotations"]["description"].endswith(".")
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"
    assert re.fullmatch(r"Sluice([A-Z]\w+)+", rule["alert"])


def test_recorded_names_say_what_they_are() -> None:
    """level:metric:operation, the metric one of ours (https://prometheus.io/docs/practices/rules/)."""
    for rule in rules():
        if "record" in rule:
            assert re.fullmatch(r"[a-z_]+:sluice_[a-z_]+:[a-z0-9]+", rule["record"])
