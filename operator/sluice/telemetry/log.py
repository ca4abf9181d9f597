"""Logging: structlog for our own lines, the standard library's loggers through the same renderer.

One line per outcome, JSON on standard error, with what is bound to the pass (namespace, name, uid,
reconcile_id, rollout_id) and, while tracing is on, with the ids of its trace and span. kopf's and urllib3's
lines look the same. Values are what the caller hands over: nobody hands over a secret or an environment
value, and the fields named below are blanked should it happen.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, Literal, TextIO

import structlog

from sluice.telemetry import tracing

_NEVER: Final = frozenset(
    {"authorization", "environment", "external_id", "externalid", "password", "secret", "secrets", "token"}
)
_QUIET: Final = ("kopf", "asyncio", "botocore", "boto3", "urllib3", "aiohttp", "kubernetes")


def configure(
    *, level: str = "info", style: Literal["json", "text"] = "json", stream: TextIO | None = None
) -> None:
    """Set up structlog and the root logger; `level` counts for our own lines, libraries warn at least."""
    threshold = logging.getLevelName(level.upper())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _traced,
        _blank,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(default=str)
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                _kopf_reference,
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
                _traced,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    # It warns at each start that it takes no signals: it runs in a thread, and they are ours.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    # It prints a traceback where a role can't be assumed: `aws_failed` says it in one line, with the object.
    logging.getLogger("botocore.credentials").setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module: `logger(__name__)`."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound


def _blank(
    _logger: Any,  # noqa: ANN401 - structlog's processor signature
    _method: str,
    event: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    for name in event:
        if name.lower() in _NEVER:
            event[name] = "(withheld)"
    return event


def _traced(
    _logger: Any,  # noqa: ANN401 - structlog's processor signature
    _method: str,
    event: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    """Name the present span, so that a line leads to its trace and a trace to its lines."""
    found = tracing.ids()
    if found is not None:
        event["trace_id"], event["span_id"] = found
    return event


def _kopf_reference(
    _logger: Any,  # noqa: ANN401 - structlog's processor signature
    _method: str,
    event: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    """Turn the object that kopf attaches to its records into our field names."""
    record = event.get("_record")
    reference = getattr(record, "k8s_ref", None)
    if isinstance(reference, Mapping):
        event.update({k: reference[k] for k in ("namespace", "name", "uid") if k in reference})
    return event
