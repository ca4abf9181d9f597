"""The command line: verbs by name, loaded when used, and settings from every source."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sluice import app
from sluice.api.crdgen.crds import rendered
from sluice.cli.main import main
from sluice.config import OPTIONS, ConfigError, Settings, load


def test_help_lists_own_and_plugged_in_verbs() -> None:
    """The sandbox comes from another package through its entry point."""
    output = CliRunner().invoke(main, ["--help"]).output
    assert [verb for verb in ("crds", "operator", "sandbox") if verb in output] == [
        "crds",
        "operator",
        "sandbox",
    ]


def test_help_imports_no_verb() -> None:
    """A list of verbs costs neither kopf nor boto3 nor the Kubernetes client."""
    program = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from sluice.cli.main import main\n"
        "CliRunner().invoke(main, ['--help'])\n"
        "print([name for name in ('kopf', 'botocore', 'kubernetes') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_an_unknown_verb_is_an_error() -> None:
    """Click's own text, exit code 2."""
    result = CliRunner().invoke(main, ["fly"])
    assert (result.exit_code, "No such command 'fly'" in result.output) == (2, True)


def test_crds_prints_what_the_types_say(tmp_path: Path) -> None:
    """The printed and the written definitions are the generated ones."""
    assert CliRunner().invoke(main, ["crds"]).output == "---\n".join(rendered().values())
    CliRunner().invoke(main, ["crds", "--out", str(tmp_path)])
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == rendered()


def test_every_setting_has_its_flag_and_variable() -> None:
    """`sluice operator --help` names both for each setting."""
    output = CliRunner().invoke(main, ["operator", "--help"], terminal_width=300).output
    for option in OPTIONS:
        assert option.flag in output
        assert f"[{option.environment}]" in output


def test_flags_beat_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What reaches the operator is file < environment < flags; its result is the exit code."""
    seen: list[Settings] = []

    def run(settings: Settings) -> int:
        seen.append(settings)
        return 1

    monkeypatch.setattr(app, "run", run)
    monkeypatch.setattr("sluice.telemetry.log.configure", lambda **_: None)
    result = CliRunner(env={"SLUICE_INSTALLATION_ID": "env", "SLUICE_WORKERS": "3"}).invoke(
        main, ["operator", "--workers", "5", "--dry-run", "--no-aws-budgets"]
    )
    assert result.exit_code == 1
    (settings,) = seen
    assert (settings.installation_id, settings.workers, settings.dry_run) == ("env", 5, True)
    assert not settings.aws.budgets


def test_a_setting_that_cannot_be_used_is_exit_code_2() -> None:
    """One text, no trace."""
    result = CliRunner(env={"SLUICE_INSTALLATION_ID": ""}).invoke(main, ["operator"])
    assert result.exit_code == 2
    assert "installationId" in result.output


def test_the_region_may_come_from_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """AWS_REGION and the profile count when the configuration has no region; nothing at all is an error."""
    settings = load(environment={"SLUICE_INSTALLATION_ID": "x"})
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="no AWS region"):
        app.with_region(settings)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert app.with_region(settings).region == "eu-west-1"
    assert app.with_region(settings.model_copy(update={"region": "us-east-1"})).region == "us-east-1"
