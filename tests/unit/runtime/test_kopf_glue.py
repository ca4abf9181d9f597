"""The glue's settings and conversions; its behaviour is proven on a real API server."""

from __future__ import annotations

import asyncio
from typing import Any

import kopf
import pytest
from kubernetes.client import Configuration
from runtime_fakes import deployment

from sluice.model.keys import DEPLOYMENT, Key
from sluice.runtime.kopf_glue import NothingKept, _handler, connection, settings


def test_kopf_is_an_informer_and_nothing_else() -> None:
    """No peering, no Events, no watch of definitions, no throttling that would lose events."""
    chosen = settings()
    assert chosen.peering.standalone
    assert not chosen.posting.enabled
    assert chosen.scanning.disabled
    assert list(chosen.queueing.error_delays) == []
    assert chosen.queueing.worker_limit is None


def test_the_diff_base_is_empty() -> None:
    """What was and what is are the same nothing, so kopf never sees a difference and stores none."""
    storage = NothingKept()
    body = kopf.Body(deployment())  # type: ignore[arg-type]  # a raw object, as kopf hands it over
    patch = kopf.Patch()
    storage.store(body=body, patch=patch, essence=kopf.BodyEssence({}))
    assert storage.build(body=body) == storage.fetch(body=body) == {}
    assert dict(patch) == {}


@pytest.mark.parametrize(
    ("api_key", "scheme", "token"),
    [
        pytest.param({"authorization": "Bearer abc"}, "Bearer", "abc", id="service-account"),
        pytest.param({}, None, None, id="client-certificate"),
    ],
)
def test_credentials(api_key: dict[str, str], scheme: str | None, token: str | None) -> None:
    """The official client's way to the cluster becomes kopf's."""
    config = Configuration(host="https://127.0.0.1:6443", api_key=api_key)
    config.ssl_ca_cert = "/tmp/ca.crt"
    found = connection(config)
    assert (found.server, found.ca_path, found.scheme, found.token) == (
        "https://127.0.0.1:6443",
        "/tmp/ca.crt",
        scheme,
        token,
    )
    assert not found.insecure


class Ear:
    """An intake that remembers, or fails."""

    def __init__(self, *, broken: bool = False) -> None:
        """Hear nothing yet."""
        self.heard: list[tuple[object, ...]] = []
        self.broken = broken

    def seen(self, key: Key, obj: Any, *, listed: bool) -> None:
        """Remember an object."""
        if self.broken:
            raise ValueError("defect")
        self.heard.append(("seen", key.name, listed))

    def gone(self, key: Key, uid: str) -> None:
        """Remember a deletion."""
        self.heard.append(("gone", key.name, uid))


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        pytest.param(None, ("seen", "checkout", True), id="listed"),
        pytest.param("ADDED", ("seen", "checkout", False), id="added"),
        pytest.param("MODIFIED", ("seen", "checkout", False), id="modified"),
        pytest.param("DELETED", ("gone", "checkout", "u1"), id="deleted"),
    ],
)
def test_events_reach_the_intake(type_: str | None, expected: tuple[object, ...]) -> None:
    """Each type of event has its meaning."""
    ear = Ear()
    asyncio.run(_handler(DEPLOYMENT, ear)(event={"type": type_, "object": deployment()}))  # type: ignore[arg-type]
    assert ear.heard == [expected]


def test_a_defect_in_the_intake_does_not_reach_kopf() -> None:
    """Otherwise kopf would throttle the object; the sweep repairs what was lost."""
    handler = _handler(DEPLOYMENT, Ear(broken=True))  # type: ignore[arg-type]
    asyncio.run(handler(event={"type": "ADDED", "object": deployment()}))
