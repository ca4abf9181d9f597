"""The chart says what the repository says: definitions, warnings, settings, versions."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from sluice.config import AccountSettings, GrantSettings, RuleSettings, Settings, _Section
from sluice.config_notifications import (
    EventBridgeSettings,
    HeaderSettings,
    SinkSettings,
    SlackSettings,
    SnsSettings,
    TlsSettings,
    WebhookSettings,
)
from sluice.config_section import SecretKey
from sluice.notify.moment import EVENTS
from sluice.runtime import process
from sluice.runtime.kube_lease import FINALIZERS_NOTE

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "helm" / "sluice"
VALUES_TEXT = (CHART / "values.yaml").read_text(encoding="utf-8")
VALUES: dict[str, Any] = yaml.safe_load(VALUES_TEXT)
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
NOT_IN_A_POD = {"kubeconfig"}
"""Settings that are no values: a pod has its service account."""


def aliases(kind: type[BaseModel]) -> set[str]:
    """Return the names of a section's settings as the file spells them."""
    return {field.alias or name for name, field in kind.model_fields.items()}


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """tools/chart_files.py as a module."""
    spec = importlib.util.spec_from_file_location("chart_files", ROOT / "tools" / "chart_files.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_files_are_up_to_date(generator: ModuleType, tmp_path: Path) -> None:
    """`make generate` would change nothing in the chart, and there is nothing else in files/."""
    made = {path.relative_to(tmp_path): path.read_bytes() for path in generator.write_chart_files(tmp_path)}
    there = {
        path.relative_to(CHART): path.read_bytes() for path in (CHART / "files").rglob("*") if path.is_file()
    }
    assert there == made


def test_the_chart_has_the_definitions_of_the_repository() -> None:
    """helm/sluice/files/crds is crds/, byte for byte."""
    mine = {path.name: path.read_bytes() for path in (CHART / "files" / "crds").iterdir()}
    assert mine == {path.name: path.read_bytes() for path in (ROOT / "crds").iterdir()}


def test_every_unconditional_warning_reaches_init_containers(generator: ModuleType) -> None:
    """What the table says once for both kinds of containers is checked for both."""
    paths = [item["message"].split(": ")[0] for item in generator.warnings()]
    assert len(paths) == len(set(paths))
    assert "spec.template.spec.initContainers[].securityContext.runAsNonRoot" in paths
    assert "spec.template.spec.containers[].securityContext.runAsNonRoot" in paths


def test_the_versions_are_one() -> None:
    """Chart, operator and distribution are released together."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert (chart["version"], chart["appVersion"]) == (project["version"], project["version"])


def test_every_setting_is_a_value() -> None:
    """The values have every setting, and the ConfigMap's template picks exactly those."""
    settings = aliases(Settings) - NOT_IN_A_POD
    template = (CHART / "templates" / "_config.tpl").read_text(encoding="utf-8")
    picked = re.findall(r'"(\w+)"', template[template.index("pick .Values") :])
    assert settings <= set(VALUES)
    assert sorted(picked) == sorted(settings)


def test_the_defaults_are_the_operators_own() -> None:
    """What values.yaml shows as a default is what the operator takes for it.

    Two exceptions: nobody can guess installationId, and outside a cluster probes listen on loopback.
    """
    shown = {name: VALUES[name] for name in aliases(Settings) - NOT_IN_A_POD}
    shown["installationId"] = "x"
    own = Settings.model_validate({"installationId": "x", "http": {"address": "0.0.0.0"}})
    assert Settings.model_validate(shown) == own


def sections() -> Iterator[tuple[str, type[BaseModel], dict[str, Any]]]:
    """Yield each structured setting with its part of the schema."""
    for name, field in Settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, _Section):
            yield name, kind, SCHEMA["properties"][field.alias or name]["properties"]
    rule = SCHEMA["definitions"]["rule"]["properties"]
    yield "tenancy", RuleSettings, rule
    yield "listeners", GrantSettings, SCHEMA["definitions"]["listener"]["properties"]
    account = SCHEMA["definitions"]["accounts"]["additionalProperties"]["properties"]
    yield "accounts", AccountSettings, account
    sink = SCHEMA["definitions"]["sink"]["properties"]
    yield "sinks", SinkSettings, sink
    yield "slack", SlackSettings, sink["slack"]["properties"]
    yield "webhook", WebhookSettings, sink["webhook"]["properties"]
    yield "sns", SnsSettings, sink["sns"]["properties"]
    yield "event-bridge", EventBridgeSettings, sink["eventBridge"]["properties"]
    yield "header", HeaderSettings, SCHEMA["definitions"]["sinkHeader"]["properties"]
    yield "tls", TlsSettings, SCHEMA["definitions"]["sinkTls"]["properties"]
    yield "secret-key", SecretKey, SCHEMA["definitions"]["secretKey"]["properties"]


@pytest.mark.parametrize(("kind", "properties"), [pytest.param(k, p, id=n) for n, k, p in sections()])
def test_the_schema_knows_every_setting(kind: type[BaseModel], properties: dict[str, Any]) -> None:
    """values.schema.json has each section's settings and no others, so a misspelt value is refused."""
    assert set(properties) == aliases(kind)


def test_the_schema_knows_every_notification() -> None:
    """The events of a sink are those that the operator tells of."""
    assert SCHEMA["definitions"]["sink"]["properties"]["events"]["items"]["enum"] == list(EVENTS)


def test_the_schema_knows_every_value() -> None:
    """values.yaml is valid, and the schema's top level is what values.yaml has (and Helm's `global`)."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(VALUES, SCHEMA)
    assert set(SCHEMA["properties"]) - {"global"} == set(VALUES)


def test_every_value_is_explained() -> None:
    """Each paragraph of values.yaml that sets something has a comment."""
    paragraphs = re.split(r"\n\s*\n", VALUES_TEXT)
    silent = [text for text in paragraphs if re.search(r"^\w+:", text, re.MULTILINE) and "#" not in text]
    assert silent == []


def test_the_pod_outlives_the_operators_end() -> None:
    """The kubelet waits longer than passes in progress may take, with room for Lease, watch and events."""
    assert VALUES["terminationGracePeriodSeconds"] >= process.DRAIN_SECONDS + 2 * process.DUTY_SECONDS + 12


def test_the_uninstall_guard_reads_what_the_leader_notes() -> None:
    """Policy and operator mean the same annotation."""
    guard = (CHART / "templates" / "uninstall-guard.yaml").read_text(encoding="utf-8")
    assert f"annotations[?'{FINALIZERS_NOTE}']" in guard
