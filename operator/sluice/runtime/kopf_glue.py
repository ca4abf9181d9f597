"""kopf as the informer: list and watch both custom resources, and nothing else (decision 1).

The only module that knows kopf. kopf's own loop (create and update handlers, finalizers, progress
annotations, daemons, peering, events, probes) is not used, so the framework writes nothing to any object;
what it delivers goes through `Intake`, and what it fails to deliver is found by `Sweep`.

Traps that the settings below avoid, with their measurements: research §1 ("kopf as an informer") of the
design, and https://kopf.readthedocs.io/en/stable/configuration/.

- kopf keeps a diff of every object even when no handler wants one: the storage that stores nothing takes
  the CPU of an event from 1.2-3 ms to 0.4 ms.
- An object whose handler failed is throttled up to ten minutes and loses its events: `error_delays=()`.
- A watch error other than 410 ends `kopf.operator()`. It runs in a thread with a loop of its own, and its
  end, whatever the reason, ends the process: a standby has a warm store, and a process whose watch is dead
  looks alive.
- With `scanning.disabled` a missing CRD is but a warning: the start checks for both (`KubernetesApi`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import kopf
from kubernetes.client import Configuration

from sluice.model.keys import GROUP, PLURALS, VERSION, Kind
from sluice.ports import Clock
from sluice.runtime.intake import Intake
from sluice.runtime.relists import Relists
from sluice.runtime.store import key_of, uid_of
from sluice.telemetry.log import logger

Listed = Callable[[Kind], None]
"""Hears of the kind of each object that came with a list."""
BEAT_SECONDS: Final = 1.0
TLS_GOODBYE: Final = 0.25
_log = logger(__name__)


def _nobody(_kind: Kind) -> None:
    """Hear nothing."""


class NothingKept(kopf.DiffBaseStorage):
    """A diff base without content: nobody asks kopf for differences."""

    def build(self, **_: Any) -> kopf.BodyEssence:  # noqa: ANN401 - kopf's signature
        """Return no essence: a deep copy of the object less."""
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:  # noqa: ANN401 - kopf's signature
        """Return the same nothing, so that there is never a difference."""
        return kopf.BodyEssence({})

    def store(self, **_: Any) -> None:  # noqa: ANN401 - kopf's signature
        """Keep nothing: no annotation, no PATCH."""


def settings() -> kopf.OperatorSettings:
    """Return the settings of an informer."""
    result = kopf.OperatorSettings()
    result.peering.standalone = True  # leader election is the Lease's
    result.posting.enabled = False  # Events are the recorder's
    result.scanning.disabled = True  # no watch of CRDs and namespaces, so no right to them
    result.persistence.diffbase_storage = NothingKept()
    result.queueing.idle_timeout = 0.5  # two tasks per object otherwise linger for 5 s after the list
    result.queueing.error_delays = ()
    result.watching.chunk_size = 500
    result.watching.server_timeout = 300
    result.watching.connect_timeout = 10
    result.networking.request_timeout = 30
    return result


def registry(
    intake: Intake, login: Callable[[], Configuration], *, listed: Listed = _nobody
) -> kopf.OperatorRegistry:
    """Return kopf's registry with one event handler per kind and our way to the cluster."""
    result = kopf.OperatorRegistry()

    @kopf.on.login(registry=result, errors=kopf.ErrorsMode.TEMPORARY, backoff=1.0)
    def authenticate(**_: Any) -> kopf.ConnectionInfo:  # noqa: ANN401 - kopf's signature
        return connection(login())

    # By (group, version, plural): a bare `deployments` would be ambiguous with apps/v1.
    for kind, plural in PLURALS.items():
        kopf.on.event(GROUP, VERSION, plural, registry=result, id=plural)(_handler(kind, intake, listed))
    return result


def connection(config: Configuration) -> kopf.ConnectionInfo:
    """Return the official client's configuration as kopf wants it."""
    authorization = config.auth_settings().get("BearerToken")
    scheme, _, token = str(authorization["value"]).rpartition(" ") if authorization else ("", "", "")
    return kopf.ConnectionInfo(
        server=config.host,
        ca_path=config.ssl_ca_cert or None,
        ca_data=None if config.ssl_ca_cert else config.ca_cert_data,
        insecure=not config.verify_ssl,
        scheme=scheme or None,
        token=token or None,
        certificate_path=config.cert_file or None,
        private_key_path=config.key_file or None,
        proxy_url=config.proxy or None,
    )


class Informer:
    """Runs kopf in a thread of its own until it ends or is stopped."""

    def __init__(
        self,
        intake: Intake,
        *,
        login: Callable[[], Configuration],
        clock: Clock,
        on_end: Callable[[str], None],
        namespaces: Sequence[str] = (),
        relisted: Callable[[str], None] = lambda _kind: None,
    ) -> None:
        """Watch `namespaces` (none: all); call `on_end` when kopf ends without having been stopped.

        `relisted(kind)` hears that a watch broke and everything of the kind was listed again.
        """
        self._intake = intake
        self._relists = Relists(clock, relisted)
        self._login = login
        self._clock = clock
        self._on_end = on_end
        self._namespaces = list(namespaces)
        self._stop = threading.Event()
        self._beat = clock.monotonic()
        self._thread = threading.Thread(target=self._run, name="kopf", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End the watch; the process may go on."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def silence(self) -> float:
        """Return for how many seconds the event loop has not ticked."""
        return self._clock.monotonic() - self._beat

    def alive(self) -> bool:
        """Tell whether kopf runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        reason = "kopf ended by itself"
        try:
            asyncio.run(self._watch())
        except Exception as error:  # noqa: BLE001 - whatever ended the watch, the process must know
            reason = f"kopf ended: {type(error).__name__}: {error}"
        if not self._stop.is_set():
            self._on_end(reason)

    async def _watch(self) -> None:
        # Created before kopf starts: kopf cancels at its end every task that was created after.
        beat = asyncio.create_task(self._tick(), name="heartbeat")
        scope: Mapping[str, Any] = (
            {"namespaces": self._namespaces} if self._namespaces else {"clusterwide": True}
        )
        try:
            await kopf.operator(
                registry=registry(self._intake, self._login, listed=self._relists.listed),
                settings=settings(),
                stop_flag=self._stop,
                **scope,
            )
        finally:
            beat.cancel()
            # aiohttp closes TLS connections in callbacks of the loop, which must still run then
            # (its documentation, "Graceful Shutdown"); nobody tells when the last one has.
            await asyncio.sleep(TLS_GOODBYE)

    async def _tick(self) -> None:
        while True:
            self._beat = self._clock.monotonic()
            await asyncio.sleep(BEAT_SECONDS)


def _handler(kind: Kind, intake: Intake, listed: Listed = _nobody) -> Any:  # noqa: ANN401 - kopf takes any
    async def heard(event: Mapping[str, Any], **_: Any) -> None:  # noqa: ANN401 - kopf's signature
        obj = event["object"]
        try:
            key = key_of(kind, obj)
            if event["type"] == "DELETED":
                intake.gone(key, uid_of(obj))
            else:  # None is an object of the initial list, or of the list after a 410
                if event["type"] is None:
                    listed(kind)
                intake.seen(key, obj, listed=event["type"] is None)
        except Exception:  # noqa: BLE001 - kopf would log it and throttle the object
            _log.exception("event_crashed", kind=kind, type=event["type"])

    return heard
