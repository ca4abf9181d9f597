"""Token buckets in front of every AWS call, shaped like AWS's own (decision 7).

Nothing here blocks: `take` either spends one token of every bucket that the call passes, or tells when
to come back. Who was told to wait keeps a claim, and nobody of the same or a lower priority takes the
token that a claim waits for; so waiters are served by priority, then in order of arrival, although
they come back through a queue and not through a lock. A pass that was sent away starts again from its
first call, so a claim is for as many tokens as the pass had spent until then and one more; otherwise
two passes could spend on their reads for ever what their writes wait for. Lower priorities leave a
floor in each bucket, which is what keeps the rollback's reserve.

Laws (tests/unit/aws/test_budget_laws.py): within any span of t seconds at most burst + rate·t calls
pass a bucket; a rollback waits for rollbacks only; refused takes change no token.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from sluice.aws.operations import BucketShape, buckets
from sluice.model.binding import Priority

CLAIM_GRACE_SECONDS: Final = 5.0
"""How long after its time a claim is kept: its owner comes back through a busy queue."""
LONGEST_WAIT_SECONDS: Final = 60.0
"""Nobody is sent away for much longer: rates recover, claims vanish, an estimate is only that."""
PASS_GAP_SECONDS: Final = 1.0
"""Takes of one waiter that are further apart belong to different passes."""
_SPREAD_SECONDS: Final = 30
"""Those beyond the longest wait come back one by one instead of all in the same second."""
_RECOVERY_SECONDS: Final = 60.0
"""From the smallest rate back to the full one after the last throttle."""
_SMALLEST_FACTOR: Final = 0.1
_EPSILON: Final = 1e-6  # a token that float arithmetic leaves at 0.9999999 is a token
_FLOORS: Final = {Priority.DRIFT: 0.25, Priority.GARBAGE: 0.5}
"""Share of a bucket's unreserved tokens that these leave for everybody above them."""


@dataclass(frozen=True, slots=True)
class Wait:
    """No token now: come back at `until` (on the scale of `now`); `bucket` was the slowest."""

    until: float
    bucket: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketState:
    """What a bucket looks like, for metrics and `sluice status`."""

    account: str
    region: str
    bucket: str
    tokens: float
    capacity: float
    factor: float
    """Share of the nominal rate in force: below 1 after AWS throttled."""
    waiting: int
    """Claims that are neither served nor expired."""


@dataclass(slots=True)
class _Claim:
    expires: float
    need: int
    """Tokens that the waiter's next pass is known to spend here."""


@dataclass(slots=True)
class _Spent:
    count: int
    last: float


class Bucket:
    """One token bucket with floors and claims. Not thread-safe: its AccountBudget holds a lock."""

    __slots__ = (
        "_claims",
        "_factor",
        "_spent",
        "_swept",
        "_throttled",
        "_updated",
        "capacity",
        "rate",
        "shape",
        "tokens",
    )

    def __init__(self, shape: BucketShape, *, share: float, now: float) -> None:
        """Start full. `share` (0-1] is the part of the account's limits that is ours."""
        self.shape = shape
        self.capacity = max(1.0, shape.burst * share)
        self.rate = shape.rate * share
        self.tokens = self.capacity
        self._updated = now
        self._factor = 1.0
        self._throttled = float("-inf")
        self._swept = now
        # Per priority, in order of arrival.
        self._claims: dict[Priority, dict[Hashable, _Claim]] = {priority: {} for priority in Priority}
        self._spent: dict[Hashable, _Spent] = {}

    def refill(self, now: float) -> None:
        """Add what `now` brings; a clock that went back brings nothing."""
        passed = max(0.0, now - self._updated)
        self._updated = now
        self.tokens = min(self.capacity, self.tokens + passed * self.rate * self._factor)
        if self._factor < 1:
            self._factor = min(1.0, self._factor + passed / _RECOVERY_SECONDS)
        if now - self._swept >= 1:
            self._swept = now
            for claims in self._claims.values():
                for waiter in [waiter for waiter, claim in claims.items() if claim.expires < now]:
                    del claims[waiter]
            over = [w for w, spent in self._spent.items() if now - spent.last > PASS_GAP_SECONDS]
            for waiter in over:
                del self._spent[waiter]

    def floor(self, priority: Priority) -> float:
        """Return the tokens that a call of this priority must leave."""
        if priority == Priority.ROLLBACK:
            return 0.0
        reserve = min(self.shape.reserve, self.capacity / 2)
        floor = reserve + (self.capacity - reserve) * _FLOORS.get(priority, 0.0)
        return min(floor, self.capacity - 1)

    def ahead(self, priority: Priority, waiter: Hashable) -> int:
        """Return how many tokens are claimed before this waiter's turn."""
        count = sum(
            claim.need
            for other, claims in self._claims.items()
            if other < priority
            for claim in claims.values()
        )
        for other, claim in self._claims[priority].items():
            if other == waiter:
                break
            count += claim.need
        return count

    def wait(self, priority: Priority, waiter: Hashable) -> float:
        """Return the seconds until this waiter's token; 0 when it is there. Call `refill` first."""
        ahead = self.ahead(priority, waiter)
        missing = self.floor(priority) + ahead + 1 - self.tokens
        return 0.0 if missing <= _EPSILON else self._seconds(missing, ahead)

    def return_in(self, priority: Priority, waiter: Hashable, *, now: float) -> float:
        """Return the seconds until the waiter's whole pass can spend what it is known to need."""
        ahead = self.ahead(priority, waiter)
        missing = self.floor(priority) + ahead + self._need(priority, waiter, now=now) - self.tokens
        return max(0.0, self._seconds(missing, ahead))

    def _seconds(self, missing: float, ahead: int) -> float:
        seconds = missing / (self.rate * self._factor)
        return seconds if seconds <= LONGEST_WAIT_SECONDS else LONGEST_WAIT_SECONDS + ahead % _SPREAD_SECONDS

    def _need(self, priority: Priority, waiter: Hashable, *, now: float) -> int:
        spent = self._spent.get(waiter)
        count = spent.count if spent and now - spent.last <= PASS_GAP_SECONDS else 0
        # More than the bucket can ever hold above the floor is never there at once.
        return max(1, min(count + 1, int(self.capacity - self.floor(priority))))

    def claim(self, priority: Priority, waiter: Hashable, *, until: float, now: float) -> None:
        """Keep or take the waiter's place; a waiter whose priority changed moves to the new one."""
        for other, claims in self._claims.items():
            if other != priority:
                claims.pop(waiter, None)
        need = self._need(priority, waiter, now=now)
        self._claims[priority][waiter] = _Claim(until + CLAIM_GRACE_SECONDS, need)
        self._spent.pop(waiter, None)

    def waits(self, waiter: Hashable) -> bool:
        """Tell whether the waiter has a place here."""
        return any(waiter in claims for claims in self._claims.values())

    def spend(self, waiter: Hashable, *, now: float) -> None:
        """Take one token; the waiter's place goes with the last token that it was kept for."""
        self.tokens -= 1
        spent = self._spent.get(waiter)
        if spent is None or now - spent.last > PASS_GAP_SECONDS:
            self._spent[waiter] = _Spent(1, now)
        else:
            spent.count, spent.last = spent.count + 1, now
        for claims in self._claims.values():
            claim = claims.get(waiter)
            if claim is not None:
                claim.need -= 1
                if claim.need <= 0:
                    del claims[waiter]

    def refund(self) -> None:
        """Give one token back that was taken and not used."""
        self.tokens = min(self.capacity, self.tokens + 1)

    def throttled(self, now: float) -> None:
        """AWS's bucket is emptier than ours: start at zero with half the rate, once a second."""
        if now - self._throttled < 1:  # calls in flight together tell the same news
            return
        self._throttled = now
        self.tokens = min(self.tokens, 0.0)
        self._factor = max(_SMALLEST_FACTOR, self._factor / 2)

    def state(self, account: str, region: str) -> BucketState:
        """Return what to export."""
        return BucketState(
            account=account,
            region=region,
            bucket=self.shape.name,
            tokens=self.tokens,
            capacity=self.capacity,
            factor=self._factor,
            waiting=sum(len(claims) for claims in self._claims.values()),
        )


class Budgets:
    """The buckets of every (account, region). Thread-safe; `now` is any clock that does not jump."""

    def __init__(self, *, share: float = 0.5, enabled: bool = True) -> None:
        """Use `share` (0-1] of the published limits; without `enabled` everything passes (bench)."""
        if not 0 < share <= 1:
            raise ValueError(f"the budget share must be above 0 and at most 1, not {share}")
        self._share = share
        self._enabled = enabled
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str], dict[str, Bucket]] = {}

    def take(
        self,
        service: str,
        operation: str,
        *,
        account: str,
        region: str,
        priority: Priority,
        waiter: Hashable,
        now: float,
    ) -> Wait | None:
        """Spend one token of every bucket of the call, or none and say when to come back.

        `waiter` is who comes back: a claim is found again by it.
        """
        if not self._enabled:
            return None
        with self._lock:
            passed = self._of(service, operation, account=account, region=region, now=now)
            if all(bucket.wait(priority, waiter) <= 0 for bucket in passed):
                for bucket in passed:
                    bucket.spend(waiter, now=now)
                return None
            waits = [(bucket.return_in(priority, waiter, now=now), bucket.shape.name) for bucket in passed]
            seconds, name = max(waits, key=lambda wait: wait[0])
            for bucket in passed:
                # A place in the fast bucket is kept until the slow one has a token.
                if bucket.wait(priority, waiter) > 0 or bucket.waits(waiter):
                    bucket.claim(priority, waiter, until=now + seconds, now=now)
            return Wait(until=now + seconds, bucket=name)

    def refund(self, service: str, operation: str, *, account: str, region: str, now: float) -> None:
        """Give back the tokens of a call that was not sent."""
        with self._lock:
            for bucket in self._of(service, operation, account=account, region=region, now=now):
                bucket.refund()

    def throttled(self, service: str, operation: str, *, account: str, region: str, now: float) -> None:
        """Learn that AWS throttled the call: its buckets shrink and recover within a minute or so."""
        with self._lock:
            for bucket in self._of(service, operation, account=account, region=region, now=now):
                bucket.throttled(now)

    def states(self, now: float) -> tuple[BucketState, ...]:
        """Return every bucket that was ever used."""
        with self._lock:
            result = []
            for (account, region), named in self._buckets.items():
                for bucket in named.values():
                    bucket.refill(now)
                    result.append(bucket.state(account, region))
            return tuple(result)

    def _of(self, service: str, operation: str, *, account: str, region: str, now: float) -> list[Bucket]:
        named = self._buckets.setdefault((account, region), {})
        found = []
        for shape in buckets(service, operation):
            bucket = named.get(shape.name)
            if bucket is None:
                bucket = named[shape.name] = Bucket(shape, share=self._share, now=now)
            bucket.refill(now)
            found.append(bucket)
        return found
