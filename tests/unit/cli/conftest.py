"""Fixtures: an API server that fakes one, and the command line against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sluice.cli.main import main
from unit.cli.fake_api import FakeApi

Run = Callable[..., Result]


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """A fake API server."""
    made = FakeApi()
    yield made
    made.stop()


@pytest.fixture
def run(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `sluice …` with a kubeconfig of the fake."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path / "kubeconfig")))
    runner = CliRunner()
    return lambda *arguments: runner.invoke(main, list(arguments))
