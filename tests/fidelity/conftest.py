"""One stand-in for each worker, started by its command as a user starts it, with its default settings."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from fidelity.outsider import Outsider


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """Start the stand-in on a free port; answer its endpoint."""
    command = [sys.executable, "-m", "sluice_sandbox.aws", "--port", "0", "--end-with-stdin"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()
        assert process.wait(timeout=30) == 0


@pytest.fixture(scope="session")
def aws(endpoint: str) -> Outsider:
    """Answer an ordinary user's view of the stand-in."""
    return Outsider(endpoint)


@pytest.fixture(scope="module", autouse=True)
def _few_rules(aws: Outsider) -> Iterator[None]:
    """Take a module's rules off the shared balancer: it may have a hundred, whoever runs how many modules."""
    yield
    aws.clear()
