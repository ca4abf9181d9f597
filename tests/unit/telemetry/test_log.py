"""Log lines: one shape for ours and the libraries', and nothing that must not be seen."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from sluice.telemetry.log import configure, logger


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Logging into a string; what was configured before comes back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    target = io.StringIO()
    configure(level="info", stream=target)
    yield target
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Parse what was logged."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_our_lines_are_json_with_what_is_bound(stream: io.StringIO) -> None:
    """Event, level, time and the pass's context are members of one object."""
    with structlog.contextvars.bound_contextvars(namespace="shop", reconcile_id="r1"):
        logger("sluice.test.bound").info("scaled", desired=3)
    (line,) = lines(stream)
    assert line.pop("time").endswith("Z")
    assert line == {
        "event": "scaled",
        "level": "info",
        "desired": 3,
        "namespace": "shop",
        "reconcile_id": "r1",
    }


def test_lines_of_libraries_look_the_same(stream: io.StringIO) -> None:
    """A record of kopf keeps its object under our names."""
    logging.getLogger("kopf.objects").warning(
        "trouble", extra={"k8s_ref": {"namespace": "shop", "name": "checkout", "uid": "u1"}}
    )
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["level"]) == ("trouble", "kopf.objects", "warning")
    assert (line["namespace"], line["name"], line["uid"]) == ("shop", "checkout", "u1")


def test_libraries_are_quiet_below_warning(stream: io.StringIO) -> None:
    """What kopf says, "Handler succeeded" for each event at INFO, nobody needs."""
    logging.getLogger("kopf.objects").info("Handler succeeded")
    logging.getLogger("botocore.credentials").info("Found credentials")
    logger("sluice.test.quiet").debug("pass")
    assert lines(stream) == []


@pytest.mark.parametrize(
    "name", ["token", "Authorization", "environment", "secret", "password", "external_id"]
)
def test_secrets_are_blanked(stream: io.StringIO, name: str) -> None:
    """Should somebody hand over a secret, its value does not reach the log."""
    logger("sluice.test.secrets").info("oops", **{name: "hush"})
    assert "hush" not in stream.getvalue()
    assert lines(stream)[0][name] == "(withheld)"


def test_a_crash_has_its_trace(stream: io.StringIO) -> None:
    """An unexpected exception is one line with the trace inside."""
    try:
        int("defect")
    except ValueError:
        logger("sluice.test.crash").exception("pass_crashed")
    (line,) = lines(stream)
    assert "ValueError: invalid literal" in line["exception"]
