"""What a soak remembers: it goes on where it stopped, and a seed that failed comes first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from soaking import KINDS, Soak, once


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is printed; the memory is in `tmp_path`, and there is a minute for each kind."""
    monkeypatch.setenv("SOAK_STATE", str(tmp_path / "soak"))
    monkeypatch.setenv("SOAK_MINUTES", str(KINDS))
    monkeypatch.delenv("SEEDS", raising=False)
    return []


def soak(said: list[str]) -> Soak:
    """Return a soak in which each look at the clock is twenty seconds after the last one."""
    times: Iterator[float] = iter(range(0, 10_000, 20))
    return Soak(kind="rolling", test="tests/sim/x.py::test_soak", say=said.append, clock=lambda: next(times))


def test_the_next_run_goes_on_with_the_next_seed(said: list[str]) -> None:
    """No seed twice, none left out, until the minutes are over; the state file tells."""
    played: list[int] = []
    assert soak(said).play(played.append) == 2
    assert soak(said).play(played.append) == 2
    assert played == list(range(played[0], played[0] + 4))
    assert soak(said).read().played == 4
    assert json.loads(soak(said).path.read_text())["failed"] == []


def test_a_failure_names_its_command_and_comes_first(said: list[str]) -> None:
    """The seed is printed before it is played; the next run begins with it, and forgets it when it passes."""

    def fail(seed: int) -> None:
        assert any(f"seed {seed};" in line for line in said)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken") as caught:
        soak(said).play(fail)
    (failed,) = soak(said).read().failed
    command = f"SEEDS={failed} make soak PYTEST_ARGS='tests/sim/x.py::test_soak'"
    assert caught.value.__notes__ == [f"again: {command}"]
    played: list[int] = []
    soak(said).play(played.append)
    assert played[:2] == [failed, failed + 1]
    assert soak(said).read().failed == []


def test_a_killed_process_leaves_its_seed_behind(said: list[str]) -> None:
    """What was being played when the process ended is played again: nobody knows how it would have ended."""

    def killed(seed: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        soak(said).play(killed)
    assert soak(said).read().failed == [soak(said).read().next - 1]


def test_given_seeds_are_played_and_not_remembered(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`SEEDS` plays these and no others, however long it takes."""
    monkeypatch.setenv("SEEDS", "7,8")
    played: list[int] = []
    assert soak(said).play(played.append) == 2
    assert played == [7, 8]
    assert not soak(said).path.exists()


def test_what_ended_well_is_gone_through_again_only_when_its_code_changes(
    said: list[str], tmp_path: Path
) -> None:
    """The judged text decides; what failed has not ended."""
    module = tmp_path / "module.py"
    module.write_text("a = 1")
    runs: list[str] = []

    def run() -> str:
        runs.append(module.read_text())
        if "wrong" in runs[-1]:
            raise AssertionError
        return "10 states"

    once("all", [module], run, say=said.append)
    once("all", [module], run, say=said.append)
    assert "10 states" in said[-1]
    module.write_text("wrong")
    for _ in range(2):
        with pytest.raises(AssertionError):
            once("all", [module], run, say=said.append)
    assert runs == ["a = 1", "wrong", "wrong"]
