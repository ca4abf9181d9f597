"""The `cloudwatch` service of the stand-in, composed, with the ports `Metrics` and `Alarms`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sluice_sandbox.aws.clock import Clock
from sluice_sandbox.aws.cloudwatch.alarm_calls import AlarmCalls
from sluice_sandbox.aws.cloudwatch.alarm_reads import AlarmReads
from sluice_sandbox.aws.cloudwatch.alarm_rules import ACTIONS
from sluice_sandbox.aws.cloudwatch.composite import CompositeCalls
from sluice_sandbox.aws.cloudwatch.deletion import Deletion
from sluice_sandbox.aws.cloudwatch.desk import CloudWatchSettings, Desk
from sluice_sandbox.aws.cloudwatch.evaluator import Evaluator
from sluice_sandbox.aws.cloudwatch.history import HistoryCalls
from sluice_sandbox.aws.cloudwatch.intake import Intake
from sluice_sandbox.aws.cloudwatch.metric_data import MetricDataCalls
from sluice_sandbox.aws.cloudwatch.state import State
from sluice_sandbox.aws.cloudwatch.tags import TagCalls
from sluice_sandbox.aws.cloudwatch.transitions import Invocation, Notifier, Transitions
from sluice_sandbox.aws.ports import Emitter, TaggedResource
from sluice_sandbox.aws.service import Caller, Handler, Params


class AlarmPort:
    """The port `Alarms` of other services."""

    def __init__(self, desk: Desk, transitions: Transitions) -> None:
        """Read the desk's books and listen to the changes."""
        self._desk = desk
        self._transitions = transitions

    def state(self, caller: Caller, name: str) -> str | None:
        """Return an alarm's state, None when no alarm has the name."""
        alarm = self._desk.region(caller).alarms.get(name)
        return alarm.state if alarm is not None else None

    def watch(self, callback: Callable[[Caller, str, str], None]) -> None:
        """Call back after each change of an alarm's state; see `ports.Alarms`."""
        self._transitions.watch(callback)


class CloudWatchService:
    """Amazon CloudWatch as a `Service` of the world."""

    name = "cloudwatch"

    def __init__(
        self,
        clock: Clock,
        *,
        emitter: Emitter,
        notifier: Notifier | None = None,
        settings: CloudWatchSettings | None = None,
    ) -> None:
        """Start with no metrics and no alarms; without `notifier` SNS actions are only noted."""
        self._desk = Desk(clock, settings or CloudWatchSettings())
        self._transitions = Transitions(self._desk, emitter=emitter, notifier=notifier)
        self._evaluator = Evaluator(self._desk, self._transitions)
        self._intake = Intake(self._desk)
        self._tags = TagCalls(self._desk)
        self._alarms = AlarmCalls(self._desk, evaluator=self._evaluator, transitions=self._transitions)
        self._deletion = Deletion(self._desk, self._evaluator)
        self._operations: dict[str, Handler] = {}
        for part in (
            self._intake,
            MetricDataCalls(self._desk),
            self._alarms,
            CompositeCalls(self._desk, alarms=self._alarms, transitions=self._transitions),
            self._deletion,
            AlarmReads(self._desk),
            HistoryCalls(self._desk),
            self._tags,
        ):
            self._operations.update(part.operations())

    @property
    def state(self) -> State:
        """All that it remembers."""
        return self._desk.state

    @state.setter
    def state(self, state: State) -> None:
        """Exchange the books: an older copy for a stale read, and back."""
        self._desk.state = state
        self._evaluator.rebuild()

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return self._operations

    # The port Metrics.

    def publish(
        self,
        caller: Caller,
        *,
        namespace: str,
        metric: str,
        dimensions: Mapping[str, str],
        values: Sequence[float],
        counts: Sequence[float] = (),
        unit: str = "None",
        at: float | None = None,
    ) -> None:
        """Add samples for a service; see `ports.Metrics`."""
        self._intake.publish(
            caller,
            namespace=namespace,
            metric=metric,
            dimensions=dimensions,
            values=values,
            counts=counts,
            unit=unit,
            at=at,
        )

    def on_flush(self, callback: Callable[[], None]) -> None:
        """Call back before metrics are looked at; see `ports.Metrics`."""
        self._desk.on_flush(callback)

    @property
    def alarms(self) -> AlarmPort:
        """The port `Alarms`."""
        return AlarmPort(self._desk, self._transitions)

    # The port Tagged.

    def tagged_resources(self, caller: Caller) -> Sequence[TaggedResource]:
        """Return the caller's alarms with their tags; see `ports.Tagged`."""
        return self._tags.tagged_resources(caller)

    def change_tags(
        self, caller: Caller, arn: str, *, put: Mapping[str, str], remove: Sequence[str] = ()
    ) -> bool:
        """Change an alarm's tags; see `ports.Tagged`."""
        return self._tags.change_tags(caller, arn, put=put, remove=remove)

    # What scaling policies need.

    def put_alarm(self, caller: Caller, params: Params) -> str:
        """Create or replace a metric alarm for a service and return its ARN."""
        self._alarms.put(caller, params)
        return self._desk.region(caller).alarms[params["AlarmName"]].arn

    def remove_alarms(self, caller: Caller, names: Sequence[str]) -> None:
        """Delete alarms for a service; those that are gone are passed over."""
        for name in names:
            if name in self._desk.region(caller).alarms:
                self._deletion.remove(caller, name)

    def alarms_with_action(self, caller: Caller, action: str) -> Mapping[str, str]:
        """Return the ARNs by name of the alarms that have an action in any of their states."""
        return {
            alarm.name: alarm.arn
            for alarm in self._desk.region(caller).alarms.values()
            if any(action in alarm.spec.get(member, ()) for member in ACTIONS)
        }

    def alarm_arn(self, caller: Caller, name: str) -> str | None:
        """Return an alarm's ARN, None when it is gone."""
        alarm = self._desk.region(caller).alarms.get(name)
        return alarm.arn if alarm is not None else None

    def alarm_state_of(self, caller: Caller, name: str) -> str | None:
        """Return an alarm's state, None when it is gone."""
        return self.alarms.state(caller, name)

    def on_action(self, prefix: str, callback: Callable[[Caller, Invocation], None]) -> None:
        """Carry out alarm actions whose ARN begins with `prefix` (scaling policies)."""
        self._transitions.on_action(prefix, callback)
