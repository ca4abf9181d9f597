"""What the handlers of CloudWatch share: the books, the time, and who listens.

`flush()` comes before every look at metrics: services that only count (the load balancer) publish then,
so that traffic costs nothing while nobody looks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sluice_sandbox.aws.clock import Clock
from sluice_sandbox.aws.cloudwatch.series import MetricKey, Series
from sluice_sandbox.aws.cloudwatch.state import Region, State
from sluice_sandbox.aws.service import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudWatchSettings:
    """How quick the alarms are, in seconds of the world's clock.

    AWS evaluates once a minute (every 10 seconds for periods below one). Here an alarm is also
    looked at soon after a sample for it came in, so that nobody waits a minute to see it.
    """

    first_evaluation_seconds: float = 1.0
    """From PutMetricAlarm to the first evaluation: INSUFFICIENT_DATA can be seen until then."""
    reaction_seconds: float = 0.1
    """From a sample to the evaluation of the alarms that watch its metric."""
    tick_seconds: float = 5.0
    """How often all alarms are looked at; one whose data did not change costs a comparison."""
    held_seconds: float = 60.0
    """How long SetAlarmState stands when no data comes in (10 for periods below a minute)."""
    repeat_seconds: float = 60.0
    """How often scaling policies are invoked while an alarm stays (user guide, alarm actions)."""


class Desk:
    """The shared surroundings of all handlers."""

    def __init__(self, clock: Clock, settings: CloudWatchSettings) -> None:
        """Start with empty books."""
        self.clock = clock
        self.settings = settings
        self.state = State()
        self._flushers: list[Callable[[], None]] = []
        self._samplers: list[Callable[[Caller, MetricKey], None]] = []
        self._flushing = False

    def now(self) -> float:
        """Return the world's time."""
        return self.clock.now()

    def region(self, caller: Caller) -> Region:
        """Return the caller's part of the books."""
        return self.state.region(caller)

    def arn(self, caller: Caller, alarm: str) -> str:
        """Return an alarm's ARN."""
        return f"arn:aws:cloudwatch:{caller.region}:{caller.account}:alarm:{alarm}"

    def series(self, caller: Caller, key: MetricKey, dimensions: list[dict[str, str]]) -> Series:
        """Return a metric's series, made when it is new."""
        metrics = self.region(caller).metrics
        found = metrics.get(key)
        if found is None:
            found = metrics[key] = Series(key=key, dimensions=dimensions)
        return found

    def on_flush(self, callback: Callable[[], None]) -> None:
        """Call back before metrics are looked at."""
        self._flushers.append(callback)

    def flush(self) -> None:
        """Let everybody publish what is pending."""
        if self._flushing:
            return
        self._flushing = True
        try:
            for callback in list(self._flushers):
                callback()
        finally:
            self._flushing = False

    def on_sample(self, callback: Callable[[Caller, MetricKey], None]) -> None:
        """Call back after samples of a metric came in."""
        self._samplers.append(callback)

    def sampled(self, caller: Caller, key: MetricKey) -> None:
        """Tell that samples came in."""
        for callback in self._samplers:
            callback(caller, key)
