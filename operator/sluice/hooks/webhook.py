"""A hook as a POST: 2xx is yes, 4xx is no, everything else is an error that the machine may try again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from sluice.analysis.http import HttpClient, NoReply
from sluice.model.rollout import HookRequest
from sluice.model.situation import HookAnswer
from sluice.ports import GateScene

LONGEST: Final = 60.0
"""Seconds that one request may take, whatever the hook's timeout says: a thread waits for it."""
_SHOWN: Final = 200
_YES, _NO = range(200, 300), range(400, 500)
_AGAIN: Final = frozenset({408, 425, 429})
"""Client errors that mean "later": Request Timeout, Too Early, Too Many Requests (RFC 9110, 8470, 6585)."""


class WebhookRunner:
    """`hooks[].webhook`."""

    def __init__(self, http: HttpClient) -> None:
        """Send over `http`."""
        self._http = http

    def attempt(self, scene: GateScene, request: HookRequest) -> HookAnswer:
        """Send the attempt; the key makes a repetition after a restart recognisable to the receiver.

        With the object's uid: Deployments of one name and spec in two namespaces, that were applied together,
        have the same attempt's id, and a receiver must not take the one for the other's repetition.
        """
        hook = scene.hooks.get(request.hook)
        if hook is None or hook.webhook is None:
            return HookAnswer(state="Error", message=f"the strategy has no webhook {request.hook}")
        key = scene.context.key
        body = {
            "id": request.id,
            "hook": request.hook,
            "namespace": key.namespace,
            "name": key.name,
            "uid": scene.uid,
            "rolloutId": scene.rollout_id,
            **request.context,
        }
        try:
            reply = self._http.send(
                key.namespace,
                "POST",
                str(hook.webhook["url"]),
                headers=hook.webhook.get("headers") or (),
                more={"Content-Type": "application/json", "Idempotency-Key": f"{scene.uid}/{request.id}"},
                body=json.dumps(body, default=str, sort_keys=True).encode(),
                tls=hook.webhook.get("tls"),
                timeout=min(request.timeout, LONGEST),
            )
        except NoReply as error:
            return HookAnswer(state="Error", message=str(error))
        text = reply.body[:_SHOWN].decode(errors="replace").strip()
        told = f"{reply.status}{f': {text}' if text else ''}"
        if reply.status in _YES:
            return HookAnswer(state="Succeeded", message=told)
        if reply.status in _NO and reply.status not in _AGAIN:
            return HookAnswer(state="Failed", message=told)
        return HookAnswer(state="Error", message=told)

    def end(self, scene: GateScene, request: HookRequest) -> bool:
        """Do nothing: a request has an end of its own."""
        del scene, request
        return True

    def collect(self, scene: GateScene, *, waited_for: Callable[[str], bool]) -> None:
        """Do nothing: a request that was sent leaves nothing behind."""
