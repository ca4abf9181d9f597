"""A web server as a source: a number in its JSON answer, found by a JMESPath expression."""

from __future__ import annotations

import json
from typing import Any, Final

import jmespath  # type: ignore[import-untyped]  # comes with boto3, without types
from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]  # see above

from sluice.analysis.http import HttpClient, NoReply
from sluice.analysis.numbers import finite
from sluice.analysis.placeholders import fill, values
from sluice.model.rollout import MetricRequest
from sluice.model.situation import Sample
from sluice.ports import GateScene

TIMEOUT: Final = 10.0
_OK: Final = range(200, 300)


class WebSource:
    """`metrics[].web`."""

    def __init__(self, http: HttpClient) -> None:
        """Ask over `http`."""
        self._http = http

    def measure(self, scene: GateScene, request: MetricRequest, *, now: float) -> Sample:
        """Return one sample; raises NoReply or UnknownPlaceholderError."""
        query, known = request.metric.query, values(scene, request)
        body = query.get("body")
        reply = self._http.send(
            scene.context.key.namespace,
            query.get("method") or "GET",
            fill(query["url"], known),
            headers=query.get("headers") or (),
            more={"Accept": "application/json"} | ({"Content-Type": "application/json"} if body else {}),
            body=fill(body, known).encode() if body else None,
            tls=query.get("tls"),
            timeout=TIMEOUT,
        )
        if reply.status not in _OK:
            raise NoReply(f"the server answered {reply.status}")
        try:
            found: Any = jmespath.search(query["jsonPath"], json.loads(reply.body))
        except (ValueError, JMESPathError) as error:
            raise NoReply(f"{type(error).__name__}: the answer or jsonPath can't be read") from error
        return Sample(at=now, value=_number(found), detail=query["jsonPath"])


def _number(found: Any) -> float | None:  # noqa: ANN401 - whatever a server answers
    if found is None:
        return None
    if isinstance(found, bool | int | float):
        return finite(float(found))
    try:
        return finite(float(str(found)))
    except ValueError:
        raise NoReply("jsonPath does not lead to a number") from None
