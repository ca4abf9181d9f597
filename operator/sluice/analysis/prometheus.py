"""Prometheus as a source: an instant query that gives one number (HTTP API, /api/v1/query)."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import urlencode

from sluice.analysis.http import HttpClient, NoReply
from sluice.analysis.numbers import finite
from sluice.analysis.placeholders import fill, values
from sluice.model.rollout import MetricRequest
from sluice.model.situation import Sample
from sluice.ports import GateScene

TIMEOUT: Final = 10.0
_OK: Final = 200


class PrometheusSource:
    """`metrics[].prometheus`."""

    def __init__(self, http: HttpClient) -> None:
        """Ask over `http`."""
        self._http = http

    def measure(self, scene: GateScene, request: MetricRequest, *, now: float) -> Sample:
        """Return one sample; raises NoReply or UnknownPlaceholderError."""
        query = request.metric.query
        text = fill(query["query"], values(scene, request))
        reply = self._http.send(
            scene.context.key.namespace,
            "POST",
            f"{query['address'].rstrip('/')}/api/v1/query",
            headers=query.get("headers") or (),
            more={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode({"query": text, "time": f"{request.window[1]:.3f}"}).encode(),
            tls=query.get("tls"),
            timeout=TIMEOUT,
        )
        try:
            answer: Any = json.loads(reply.body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or reply.status != _OK or answer.get("status") != "success":
            told = answer.get("error", "") if isinstance(answer, dict) else ""
            raise NoReply(f"Prometheus answered {reply.status} {str(told)[:200]}".strip())
        return Sample(at=now, value=_number(answer.get("data") or {}), detail=text[:200])


def _number(data: Any) -> float | None:  # noqa: ANN401 - whatever a server answers
    """Return the result's one number; None when it is empty or not a number."""
    kind, result = data.get("resultType"), data.get("result")
    if kind == "scalar" and isinstance(result, list):
        found = float(result[1])
    elif kind == "vector" and isinstance(result, list):
        if not result:
            return None
        if len(result) > 1:
            raise NoReply(
                f"the query gives {len(result)} series, one is needed; aggregate them, as with sum()"
            )
        found = float(result[0]["value"][1])
    else:
        raise NoReply(f"the query gives a {kind}, an instant vector or a scalar is needed")
    return finite(found)
