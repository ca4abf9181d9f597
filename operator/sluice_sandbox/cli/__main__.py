"""`python -m sluice_sandbox.cli`: the same verbs without the product's console script."""

from __future__ import annotations

from sluice_sandbox.cli.main import sandbox

if __name__ == "__main__":
    sandbox(prog_name="python -m sluice_sandbox.cli")
