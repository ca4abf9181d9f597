"""The chart's rule files, and promtool's unit tests of them (`promtool test rules`)."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from sluice_sandbox.dashboard.programs import locate

RULES: Final = Path(__file__).resolve().parents[3] / "helm" / "sluice" / "rules"
FILES: Final = tuple(sorted(RULES.glob("*.yaml")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One alert and two worlds: in `fires` it fires at `at` with `labels`, in the neighbouring `quiet` not.

    Series are in promtool's notation, one sample a minute (`interval`); `time()` is 0 at the first.
    """

    alert: str
    at: str
    fires: Mapping[str, str]
    quiet: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    value: str = ""
    """How the annotations print the value, where they do."""
    interval: str = "1m"


def rules() -> list[dict[str, Any]]:
    """Return all rules of all files in order."""
    return [
        rule
        for file in FILES
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    ]


def alerts() -> dict[str, dict[str, Any]]:
    """Return the alerting rules by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run promtool; whoever calls looks at the status."""
    program = str(locate("promtool")["promtool"])
    return subprocess.run(
        [program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def check(case: Case, *, file: Path) -> str:
    """Let promtool play both worlds of a case; return what it complains of, '' for nothing."""
    rule = alerts()[case.alert]
    told = {
        "exp_labels": {**rule["labels"], **case.labels},
        "exp_annotations": {
            name: rendered(text, case.labels, case.value) for name, text in rule["annotations"].items()
        },
    }
    document = {
        "rule_files": [str(path) for path in FILES],
        "evaluation_interval": case.interval,
        "tests": [_world(case, case.fires, [told]), _world(case, case.quiet, [])],
    }
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    done = promtool("test", "rules", str(file))
    return "" if done.returncode == 0 else done.stdout + done.stderr


def _world(case: Case, series: Mapping[str, str], expected: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "interval": case.interval,
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"eval_time": case.at, "alertname": case.alert, "exp_alerts": expected}],
    }


def rendered(template: str, labels: Mapping[str, str], value: str) -> str:
    """Return an annotation as Prometheus renders it; `value` stands for every way to print the value."""
    text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels.get(found[1], ""), template)
    return re.sub(r"\{\{ \$value[^}]*\}\}", value, text)
