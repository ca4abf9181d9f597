"""A gate that could say neither yes nor no: never a silent pass or fail, a person decides."""

from __future__ import annotations

from sluice.rollout.work import Work


def hold(work: Work, message: str) -> None:
    """Hold the rollout until a person promotes or aborts; told once."""
    if work.rollout.held == "AnalysisInconclusive":
        return
    text = f"{message}; promote to go on, or abort"
    work.note("AnalysisInconclusive", text)
    work.change(held="AnalysisInconclusive", message=text)
