"""What `SANDBOX_*` variables and image rules make of a container."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice_sandbox.dataplane.behaviour import VARIABLES, Behaviour, ImageRule, behaviour, tag_of


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({}, {}, id="healthy-server"),
        pytest.param({"SANDBOX_FAIL_PERCENT": "12.5"}, {"fail_percent": 12.5}, id="fail"),
        pytest.param({"SANDBOX_FAIL_PERCENT": "900"}, {"fail_percent": 100.0}, id="fail-bounded"),
        pytest.param({"SANDBOX_LATENCY_MS": "250"}, {"latency_seconds": 0.25}, id="latency"),
        pytest.param({"SANDBOX_LATENCY_MS": "-1"}, {}, id="no-negative-latency"),
        pytest.param({"SANDBOX_UNHEALTHY": "1"}, {"unhealthy": True}, id="unhealthy"),
        pytest.param({"SANDBOX_UNHEALTHY": "false"}, {}, id="not-unhealthy"),
        pytest.param({"SANDBOX_CRASH_AFTER_S": "3"}, {"crash_after_seconds": 3.0}, id="crash"),
        pytest.param({"SANDBOX_EXIT": "0"}, {"exit_code": 0}, id="exit-0-is-an-exit"),
        pytest.param({"SANDBOX_START_DELAY_S": "4"}, {"start_delay_seconds": 4.0}, id="late"),
        pytest.param({"SANDBOX_FAIL_PERCENT": "many"}, {}, id="no-number"),
        pytest.param({"OTHER": "1"}, {}, id="other-variables"),
    ],
)
def test_environment(environment: dict[str, str], expected: dict[str, Any]) -> None:
    """Each variable changes its one thing; nonsense changes nothing."""
    assert behaviour("app:v1", environment) == Behaviour(**expected)


def test_rules_apply_to_images_and_yield_to_the_environment() -> None:
    """The last matching rule wins over earlier ones, the environment over all."""
    rules = [
        ImageRule(pattern="*/app:*", variables={"SANDBOX_LATENCY_MS": "100", "SANDBOX_UNHEALTHY": "1"}),
        ImageRule(pattern="*/app:v2", variables={"SANDBOX_LATENCY_MS": "200"}),
    ]
    found = behaviour("repo/app:v2", {"SANDBOX_UNHEALTHY": "0"}, rules)
    assert (found.latency_seconds, found.unhealthy) == (0.2, False)
    assert behaviour("repo/other:v2", {}, rules) == Behaviour()


@given(st.dictionaries(st.sampled_from(VARIABLES), st.text(max_size=8)))
def test_any_environment_is_some_behaviour(environment: dict[str, str]) -> None:
    """No value of a variable raises, and shares stay between 0 and 100."""
    assert 0 <= behaviour("app", environment).fail_percent <= 100


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        pytest.param("app", "latest", id="bare"),
        pytest.param("app:v1", "v1", id="tag"),
        pytest.param("registry:5000/team/app", "latest", id="registry-port"),
        pytest.param("registry:5000/app:v1@sha256:00", "v1", id="tag-and-digest"),
        pytest.param("app@sha256:00", "", id="digest"),
    ],
)
def test_tag_of(image: str, tag: str) -> None:
    """A registry's port is no tag, and a digest names none."""
    assert tag_of(image) == tag
