"""Leader election on a coordination.k8s.io Lease, and the guard of every AWS write (decision 10).

One replica writes; the others keep a warm store. The algorithm is client-go's
(k8s.io/client-go/tools/leaderelection): a holder renews; another may take the Lease when it has seen no
change of it for the duration that the holder wrote, measured by its own monotonic clock. Beyond client-go:

- a renewal counts from before its request was sent, so a slow answer never lengthens the Lease;
- `valid_for(seconds)` tells whether the Lease outlives a call that is about to start;
- a leader that cannot renew within the deadline is told once and ends the process: whatever its threads
  still do, the guard has stopped their writes before the Lease can be anyone else's;
- a Lease that its holder did not release may have a write of the dead holder under way. Its successor
  waits one maximum call budget before its first write (rollout.md §7 point 6); a released one, or one
  that never had a holder, needs no wait.

`leaseTransitions` is the epoch: it grows with every change of holder.
"""

from __future__ import annotations

import datetime as dt
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sluice.model.errors import Retryable, WriteConflict
from sluice.ports import Clock
from sluice.telemetry.log import logger

CALL_BUDGET: Final = 10.0
"""Seconds that one AWS write can last (connect 2 s and read 8 s)."""
_JITTER: Final = 0.2

_log = logger(__name__)


class Leases(Protocol):
    """The Lease object, read and written with short timeouts and no repeats. `runtime.kube`."""

    def read_lease(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """Return the Lease, None when it does not exist; raises Retryable."""

    def create_lease(self, namespace: str, name: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create the Lease; raises WriteConflict when it exists, else Retryable."""

    def write_lease(self, lease: Mapping[str, Any], spec: Mapping[str, Any]) -> Mapping[str, Any]:
        """Replace the spec under the Lease's resourceVersion; raises WriteConflict or Retryable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTimes:
    """Seconds; a request to the Lease takes at most `retry_period`."""

    duration: float = 30.0
    renew_deadline: float = 20.0
    retry_period: float = 4.0


class Elector:
    """Holds or waits for one Lease. `step` is one try; `run` tries until told to stop."""

    def __init__(
        self,
        leases: Leases,
        *,
        namespace: str,
        name: str,
        identity: str,
        times: LeaseTimes,
        clock: Clock,
    ) -> None:
        """`identity` has to differ between processes, restarts included."""
        self._leases = leases
        self._where = (namespace, name)
        self._identity = identity
        self._times = times
        self._clock = clock
        self._lease: Mapping[str, Any] | None = None
        self._observed: tuple[object, ...] = ()
        self._observed_at = 0.0
        self._renewed_at: float | None = None
        self._settled_at = 0.0
        self._stop = threading.Event()
        self.epoch = 0
        """leaseTransitions of the Lease that this process holds."""

    @property
    def leading(self) -> bool:
        """Tell whether this process holds the Lease and has not given up."""
        return self._renewed_at is not None

    def valid_for(self, seconds: float) -> bool:
        """Tell whether the Lease outlives the next `seconds`: ask before every write to AWS."""
        renewed = self._renewed_at
        now = self._clock.monotonic()
        return (
            renewed is not None
            and now >= self._settled_at
            and now + seconds <= renewed + self._times.duration
        )

    @property
    def settles_in(self) -> float:
        """Return for how many seconds a write of the last holder may still be under way."""
        return max(0.0, self._settled_at - self._clock.monotonic())

    def step(self) -> bool:
        """Try once to take or renew the Lease; tell whether it is held. Never raises Retryable."""
        sent = self._clock.monotonic()
        try:
            self._renew(sent) if self.leading else self._acquire(sent)
        except WriteConflict:
            self._lease = None  # somebody wrote it: read it before the next try
        except Retryable as error:
            self._lease = None
            _log.warning("lease_request_failed", detail=str(error), leading=self.leading)
        if self.leading and self._expired(self._renewed_at):
            self._renewed_at = None
            return False
        return self.leading

    def run(self, *, on_lead: Callable[[], None], on_loss: Callable[[str], None]) -> None:
        """Try until `stop`; call `on_lead` when the Lease is held, `on_loss` when it is lost again.

        Returns after a loss: the process has to end.
        """
        led = False
        while not self._stop.is_set():
            held = self.step()
            if held and not led:
                led = True
                _log.info(
                    "lease_taken", identity=self._identity, epoch=self.epoch, settles_in=self.settles_in
                )
                on_lead()
            elif led and not held:
                on_loss(
                    f"the Lease {'/'.join(self._where)} was not renewed in {self._times.renew_deadline:g} s"
                )
                return
            period = self._times.retry_period
            self._stop.wait(period if led else period * random.uniform(1.0, 1.0 + _JITTER))  # noqa: S311

    def stop(self) -> None:
        """End `run` before its next try; the Lease is kept until `release`."""
        self._stop.set()

    def release(self) -> None:
        """Give the Lease up, so that a successor starts at once; only when no write is under way."""
        if not self.leading:
            return
        self._renewed_at = None
        try:
            lease = self._lease or self._leases.read_lease(*self._where)
            spec = dict((lease or {}).get("spec") or {})
            if lease is None or spec.get("holderIdentity") != self._identity:
                return
            spec.update(holderIdentity="", leaseDurationSeconds=1, renewTime=self._time())
            self._leases.write_lease(lease, spec)
            _log.info("lease_released", identity=self._identity)
        except Retryable as error:
            _log.warning("lease_not_released", detail=str(error))

    def _acquire(self, sent: float) -> None:
        lease = self._leases.read_lease(*self._where)
        if lease is None:
            self._took(self._leases.create_lease(*self._where, self._spec({}, taking=True)), sent, wait=False)
            return
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        observed = (lease["metadata"].get("resourceVersion"), holder, spec.get("renewTime"))
        if observed != self._observed:
            self._observed, self._observed_at = observed, sent
        if holder and sent - self._observed_at < float(spec.get("leaseDurationSeconds") or 0):
            return
        written = self._leases.write_lease(lease, self._spec(spec, taking=True))
        self._took(written, sent, wait=bool(holder))

    def _renew(self, sent: float) -> None:
        lease = self._lease or self._leases.read_lease(*self._where)
        if lease is None or (lease.get("spec") or {}).get("holderIdentity") != self._identity:
            self._renewed_at = None  # deleted or taken by hand: whoever comes next may be writing
            return
        self._lease = self._leases.write_lease(lease, self._spec(lease["spec"], taking=False))
        self._renewed_at = sent

    def _took(self, lease: Mapping[str, Any], sent: float, *, wait: bool) -> None:
        self._lease = lease
        self.epoch = int(lease["spec"].get("leaseTransitions") or 0)
        self._settled_at = self._clock.monotonic() + CALL_BUDGET if wait else 0.0
        self._renewed_at = sent

    def _expired(self, renewed: float | None) -> bool:
        return renewed is None or self._clock.monotonic() - renewed >= self._times.renew_deadline

    def _spec(self, before: Mapping[str, Any], *, taking: bool) -> dict[str, Any]:
        now = self._time()
        spec = dict(before)
        spec.update(
            holderIdentity=self._identity,
            leaseDurationSeconds=max(1, round(self._times.duration)),
            renewTime=now,
        )
        if taking:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = int(before.get("leaseTransitions") or 0) + bool(before)
        return spec

    def _time(self) -> str:
        """Return now as a MicroTime (apimachinery, meta/v1)."""
        moment = dt.datetime.fromtimestamp(self._clock.now(), dt.UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class SoleReplica:
    """The guard of an operator without leader election: one replica, by configuration."""

    leading = True
    epoch = 0

    def valid_for(self, seconds: float) -> bool:
        """Return True."""
        return seconds >= 0
