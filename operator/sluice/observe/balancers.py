"""Load balancers and their listeners: never ours, changed by people, so kept for minutes."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.model.binding import Binding, CallContext
from sluice.model.errors import AwsFailure
from sluice.observe.arns import load_balancer_of
from sluice.observe.cache import AgedCache, tick
from sluice.observe.source import Source
from sluice.ports import Object

Subject = tuple[Binding, str]


class BalancerFacts:
    """Load balancers by name or ARN, listeners by load balancer. Thread-safe."""

    def __init__(self, source: Source) -> None:
        """Start empty."""
        self._source = source
        limit = source.settings.limit
        self._balancers: AgedCache[Subject, Object | None] = AgedCache(limit)
        self._listeners: AgedCache[Subject, Sequence[Object]] = AgedCache(limit)

    def load_balancer(self, context: CallContext, name_or_arn: str) -> Object | None:
        """Return a load balancer at most ten minutes old; absence at most half a minute."""
        key = (context.binding, name_or_arn)
        now, ages = self._source.clock.monotonic(), self._source.settings
        hit = self._balancers.get(key, max_age=ages.load_balancers, now=now)
        if hit is not None and (hit.value is not None or now - hit.read_at <= ages.absence):
            return hit.value
        member = "LoadBalancerArns" if name_or_arn.startswith("arn:") else "Names"
        order = tick()
        found: Object | None = None
        try:
            response = self._source.read("elbv2", "DescribeLoadBalancers", {member: [name_or_arn]}, context)
            found = next(iter(response.get("LoadBalancers", [])), None)
        except AwsFailure as error:
            if error.kind != "not-found":
                raise
        return self._balancers.put(key, found, order=order, read_at=now)

    def listeners(self, context: CallContext, load_balancer_arn: str) -> Sequence[Object]:
        """Return the listeners at most two minutes old; none when the load balancer is gone.

        Where there are none, the load balancer may have been made again under its name: it is read again,
        once for everybody who asks for it.
        """
        key = (context.binding, load_balancer_arn)
        now, ages = self._source.clock.monotonic(), self._source.settings
        hit = self._listeners.get(key, max_age=ages.listeners, now=now)
        if hit is not None and (hit.value or now - hit.read_at <= ages.absence):
            return hit.value
        order = tick()
        found: Sequence[Object] = ()
        try:
            found = tuple(
                self._source.pages(
                    "elbv2",
                    "DescribeListeners",
                    {"LoadBalancerArn": load_balancer_arn},
                    context,
                    items="Listeners",
                    token=("NextMarker", "Marker"),
                )
            )
        except AwsFailure as error:
            if error.kind != "not-found":
                raise
        if not found:
            self._balancers.drop_where(
                lambda one: one[0] == context.binding and self._is(one, load_balancer_arn)
            )
        return self._listeners.put(key, found, order=order, read_at=now)

    def _is(self, key: Subject, arn: str) -> bool:
        held = self._balancers.peek(key)
        return held is not None and held["LoadBalancerArn"] == arn

    def listener(self, context: CallContext, arn: str) -> Object | None:
        """Return one listener, by way of its load balancer's list."""
        of_balancer = self.listeners(context, load_balancer_of(arn))
        return next((item for item in of_balancer if item["ListenerArn"] == arn), None)

    def forget(self, binding: Binding, subject: str) -> None:
        """Drop a load balancer (name or ARN) with its listeners, or a listener (by its load balancer)."""
        held = self._balancers.peek((binding, subject))
        arn = held["LoadBalancerArn"] if held else subject
        for one in {subject, arn, load_balancer_of(subject)}:
            self._balancers.drop((binding, one))
            self._listeners.drop((binding, one))
