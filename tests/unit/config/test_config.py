"""Settings: precedence, refusals with paths, and what is shown at start."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.config import OPTIONS, ConfigError, load
from sluice.model.tenancy import permissive_rule

FULL = """
installationId: prod-1
region: eu-west-1
workers: 8
driftInterval: 90s
aws: {budgetShare: 0.25}
accounts:
  payments: {accountId: "111122223333", roleArn: "arn:aws:iam::111122223333:role/sluice", externalId: hush}
tenancy:
- name: team-shop
  namespaces: [shop]
  account: payments
  defaultCluster: prod
  serviceAccountRoles: {checkout: "arn:aws:iam::111122223333:role/checkout"}
  listeners: [{loadBalancer: shop-*, ports: [443], priorities: [1000, 1999]}]
  hostnames: ["*.shop.example.com"]
"""
MINIMAL = {"SLUICE_INSTALLATION_ID": "dev"}


def write(folder: Path, text: str) -> Path:
    """Write a configuration file."""
    file = folder / "sluice.yaml"
    file.write_text(text)
    return file


def test_flags_beat_the_environment_beats_the_file(tmp_path: Path) -> None:
    """Each source overrides the one before it, setting by setting."""
    file = write(tmp_path, FULL)
    settings = load(
        file=file,
        environment={"SLUICE_WORKERS": "4", "SLUICE_REGION": "us-east-1"},
        flags={"workers": 2, "region": None},
    )
    assert (settings.installation_id, settings.region, settings.workers) == ("prod-1", "us-east-1", 2)
    assert settings.drift_interval == 90
    assert settings.aws.budget_share == 0.25


def test_tenancy_comes_from_the_file(tmp_path: Path) -> None:
    """Rules and accounts become the model's, with the operator's region where an account has none."""
    tenancy = load(file=write(tmp_path, FULL), environment={}).tenancy
    rule = tenancy.rules[0]
    assert (rule.name, rule.default_cluster, rule.task_roles) == ("team-shop", "prod", ())
    assert rule.listeners[0].priorities == (1000, 1999)
    assert tenancy.accounts["payments"].region == "eu-west-1"
    assert tenancy.accounts["payments"].external_id == "hush"


def test_without_rules_the_default_is_permissive_and_written_out() -> None:
    """An absent tenancy is the one permissive rule, and the start-up line shows it."""
    settings = load(environment=MINIMAL)
    assert settings.tenancy.rules == (permissive_rule(),)
    assert settings.shown()["tenancy"][0]["hostnames"] == ["*"]


def test_an_empty_list_of_rules_allows_nothing(tmp_path: Path) -> None:
    """`tenancy: []` is an answer, not an absence."""
    assert load(file=write(tmp_path, "tenancy: []"), environment=MINIMAL).tenancy.rules == ()


def test_external_ids_are_not_shown(tmp_path: Path) -> None:
    """The start-up line tells that an external id is set, never which."""
    shown = load(file=write(tmp_path, FULL), environment={}).shown()
    assert "hush" not in str(shown)
    assert shown["accounts"]["payments"]["externalId"] == "(set)"


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        pytest.param(
            "",
            {},
            "installationId: is mandatory [SLUICE_INSTALLATION_ID or --installation-id]",
            id="mandatory",
        ),
        pytest.param("worker: 3", MINIMAL, "worker: is no setting", id="unknown"),
        pytest.param("aws: {budget: 1}", MINIMAL, "aws.budget: is no setting", id="unknown-nested"),
        pytest.param(
            "tenancy: [{name: a, nmespaces: [x]}]", MINIMAL, "tenancy.0.nmespaces", id="unknown-rule"
        ),
        pytest.param("workers: 0", MINIMAL, "workers: Input should be greater", id="range"),
        pytest.param("driftInterval: soon", MINIMAL, "write 90s, 10m or 1h", id="duration"),
        pytest.param("lease: {duration: 10s}", MINIMAL, "renewDeadline < duration", id="lease-order"),
        pytest.param("tenancy: [{name: a}, {name: a}]", MINIMAL, "['a'] appear twice", id="duplicate-rule"),
        pytest.param("tenancy: [{name: a, account: b}]", MINIMAL, "names account 'b'", id="unknown-account"),
        pytest.param(
            "tenancy: [{name: a, listeners: [{priorities: [9, 1]}]}]",
            MINIMAL,
            "first <= last",
            id="priorities",
        ),
        pytest.param("tracing: {endpoint: collector}", MINIMAL, "is no URL like http", id="endpoint"),
        pytest.param(
            "tracing: {endpoint: 'http://me:s3cret@collector:4318'}",
            MINIMAL,
            "tracing.endpoint: holds credentials",
            id="endpoint-with-credentials",
        ),
        pytest.param("tracing: {sampleRatio: 2}", MINIMAL, "tracing.sampleRatio", id="ratio"),
        pytest.param("- a", MINIMAL, "no mapping", id="not-a-mapping"),
        pytest.param("a: [", MINIMAL, "is no YAML", id="not-yaml"),
        pytest.param(
            "aws: 3", {"SLUICE_AWS_BUDGETS": "no"} | MINIMAL, "aws: Input should be", id="no-section"
        ),
        pytest.param("", {"SLUICE_INSTALLATION_ID": "Bad_Name"}, "SLUICE_INSTALLATION_ID", id="origin"),
    ],
)
def test_refusals_name_path_and_origin(
    tmp_path: Path, text: str, environment: dict[str, str], expected: str
) -> None:
    """Every refusal names the setting's path and where the value came from."""
    with pytest.raises(ConfigError) as caught:
        load(file=write(tmp_path, text), environment=environment)
    assert expected in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing file is an error, not an empty configuration."""
    with pytest.raises(ConfigError, match=r"missing\.yaml"):
        load(file=tmp_path / "missing.yaml", environment=MINIMAL)


def test_service_links_of_kubernetes_are_no_settings() -> None:
    """Variables that Kubernetes makes for a Service called sluice are left alone."""
    assert load(environment=MINIMAL | {"SLUICE_SERVICE_HOST": "10.0.0.1"}).installation_id == "dev"


def test_namespaces_from_the_environment_are_a_list() -> None:
    """A comma-separated variable becomes the list that the file would have."""
    settings = load(environment=MINIMAL | {"SLUICE_WATCH_NAMESPACES": "a, b"})
    assert settings.watch_namespaces == ("a", "b")


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.flag)
def test_every_option_is_a_setting(option: object) -> None:
    """Each option's path leads to a setting, so a renamed one cannot leave its flag behind."""
    shown: object = load(environment=MINIMAL).shown()
    for part in option.path:  # type: ignore[attr-defined]
        assert isinstance(shown, dict)
        shown = shown[part]


def test_a_lease_shorter_than_a_write_is_refused() -> None:
    """No AWS write would ever start under it, so the operator says so instead of waiting for ever."""
    settings = {"installation_id": "a", "lease_duration": "6s", "lease_renew_deadline": "4s"}
    with pytest.raises(ConfigError, match=r"duration must be at least 10s plus retryPeriod"):
        load(environment={}, flags=settings | {"lease_retry_period": "500ms"})
