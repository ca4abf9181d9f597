"""What a load balancer publishes to CloudWatch: names, units and dimensions as AWS has them.

Source: "CloudWatch metrics for your Application Load Balancer" and its Network Load Balancer twin
(namespaces AWS/ApplicationELB and AWS/NetworkELB, the dimensions LoadBalancer, TargetGroup and
AvailabilityZone and which metric has which of them, "reported if nonzero", host counts "reported if
there are registered targets"). A request is one sample of the value 1, so Sum and SampleCount count
and Average is 1, as the page says of RequestCount and the HTTPCode metrics.

Here a load balancer has one node, not one a zone: AvailabilityZone is the zone of the target for what
targets did, and the load balancer's first zone for what it did itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from sluice_sandbox.aws.elbv2.counters import Counters
from sluice_sandbox.aws.elbv2.desk import Desk
from sluice_sandbox.aws.elbv2.health import HealthChecker
from sluice_sandbox.aws.elbv2.ledger import MINUTE, Ledger, Level, Place
from sluice_sandbox.aws.elbv2.state import Target
from sluice_sandbox.aws.ports import Metrics
from sluice_sandbox.aws.service import Caller

HEALTHY, UNHEALTHY = "HealthyHostCount", "UnHealthyHostCount"
ACTIVE = "ActiveConnectionCount"
ACTIVE_FLOWS = "ActiveFlowCount"
_SUMMED = frozenset({ACTIVE, ACTIVE_FLOWS})
_WHOLE_BALANCER = frozenset({"NewConnectionCount", ACTIVE})
"""Metrics without a zone."""
_NAMESPACES = {"app": "AWS/ApplicationELB", "net": "AWS/NetworkELB"}

Dimensions = tuple[tuple[str, str], ...]


class MetricsPublisher:
    """Publishes counts and levels when CloudWatch asks for what is pending."""

    def __init__(self, desk: Desk, *, counters: Counters, checker: HealthChecker, metrics: Metrics) -> None:
        """Follow `counters` and `checker` from now on; publish to `metrics` whenever it flushes."""
        self._desk = desk
        self._metrics = metrics
        self._ledger = Ledger()
        self._hosts: dict[str, dict[tuple[str, int], tuple[str, str]]] = {}
        self._numbers: defaultdict[Place, Counter[str]] = defaultdict(Counter)
        self._owners: dict[str, str] = {}
        self._levels: dict[tuple[Place, str], Level] = {}
        self._connections: Counter[str] = Counter()
        counters.follow(self)
        checker.watch(self.target_moved)
        for region in desk.state.regions.values():
            for group in region.target_groups.values():
                for target in group.targets.values():
                    self.target_moved(group.arn, target)
        metrics.on_flush(self.flush)

    # What happens.

    def counted(self, place: Place, names: tuple[str, ...]) -> None:
        """Count one event under each of the names."""
        self._ledger.add(place, names, now=self._desk.clock.now())

    def took(self, place: Place, seconds: float) -> None:
        """Note a response time in seconds."""
        self._ledger.took(place, seconds, now=self._desk.clock.now())

    def connections(self, listener_arn: str, change: int) -> None:
        """Note that connections to clients or targets were opened or closed."""
        self._connections[listener_arn] += change
        open_now = self._connections[listener_arn]
        name = ACTIVE_FLOWS if balancer_of(listener_arn).startswith("net/") else ACTIVE
        self._level(Place(listener_arn), name).change(
            float(open_now) if open_now > 0 else None, minute=self._minute()
        )

    def target_moved(self, arn: str, target: Target) -> None:
        """Follow a target's state: how many of its group and zone are healthy now."""
        hosts = self._hosts.setdefault(arn, {})
        key = target.id, target.port
        before = hosts.pop(key, None)
        after = None
        if target.state in ("healthy", "unhealthy", "initial"):
            after = hosts[key] = target.state, target.zone
        region = self._desk.state.of_arn(arn)
        group = region.target_groups.get(arn)
        if group is not None and group.load_balancer_arns:
            self._owners[arn] = group.load_balancer_arns[0]
        touched: dict[Place, None] = {}
        for host, change in ((before, -1), (after, 1)):
            if host is None:
                continue
            state, zone = host
            for place in (Place("", arn), Place("", arn, zone)) if zone else (Place("", arn),):
                self._numbers[place][state] += change
                touched[place] = None
        for place in touched:
            numbers = self._numbers[place]
            for name, state in ((HEALTHY, "healthy"), (UNHEALTHY, "unhealthy")):
                # Without registered targets nothing is reported, not even zero.
                number = float(numbers[state]) if any(numbers.values()) else None
                self._level(place, name).change(number, minute=self._minute())

    def reset(self) -> None:
        """Forget what is pending and every level."""
        self._ledger.take()
        self._hosts.clear()
        self._numbers.clear()
        self._owners.clear()
        self._levels.clear()
        self._connections.clear()

    # What is told.

    def flush(self) -> None:
        """Publish what happened since the last time, each minute under its own beginning."""
        counts, times = self._ledger.take()
        sums: defaultdict[tuple[int, str, str, Dimensions], Counter[float]] = defaultdict(Counter)
        for (minute, place), names in counts.items():
            for name, count in names.items():
                for dimensions in self._dimensions(place, name):
                    sums[minute, place.listener_arn, name, dimensions][1.0] += count
            requests = names["RequestCount"]
            if requests and place.group_arn:
                self._per_target(sums, minute=minute, place=place, requests=requests)
        for (minute, place), values in times.items():
            for dimensions in self._dimensions(place, "TargetResponseTime"):
                sums[minute, place.listener_arn, "TargetResponseTime", dimensions].update(values)
        for (minute, arn, name, dimensions), values in sorted(sums.items(), key=lambda item: item[0]):
            self._publish(minute, arn, name, dimensions, values)
        self._flush_levels()

    def _flush_levels(self) -> None:
        now = self._minute()
        for (place, name), level in list(self._levels.items()):
            owner = place.listener_arn or self._owners.get(place.group_arn, "")
            # Connections are summed over nodes, so a minute has one sample of them: when it is over.
            summed = name in _SUMMED
            taken = level.take(minute=now - 1 if summed else now)
            for minute, values in sorted(taken.items()) if owner else ():
                shown = Counter([max(values)] if summed else values)
                self._publish(minute, owner, name, _level_dimensions(place, owner), shown)
            if level.value is None and not level.seen:
                del self._levels[place, name]

    def _per_target(
        self,
        sums: defaultdict[tuple[int, str, str, Dimensions], Counter[float]],
        *,
        minute: int,
        place: Place,
        requests: int,
    ) -> None:
        """Add RequestCountPerTarget: its Sum is the average of the group's targets."""
        share = requests / max(1, self._numbers[Place("", place.group_arn)]["healthy"])
        group = ("TargetGroup", group_of(place.group_arn))
        balancer = ("LoadBalancer", balancer_of(place.listener_arn))
        for dimensions in ((group,), (group, balancer)):
            sums[minute, place.listener_arn, "RequestCountPerTarget", dimensions][share] += 1

    def _dimensions(self, place: Place, name: str) -> Iterator[Dimensions]:
        balancer = ("LoadBalancer", balancer_of(place.listener_arn))
        yield (balancer,)
        if name in _WHOLE_BALANCER:
            return
        zone = place.zone or self._first_zone(place.listener_arn)
        if zone:
            yield (balancer, ("AvailabilityZone", zone))
        if place.group_arn and not name.startswith("HTTPCode_ELB"):
            group = ("TargetGroup", group_of(place.group_arn))
            yield (group, balancer)
            if zone:
                yield (group, balancer, ("AvailabilityZone", zone))

    def _publish(
        self, minute: int, arn: str, name: str, dimensions: Dimensions, values: Mapping[float, int]
    ) -> None:
        parts = arn.split(":")
        self._metrics.publish(
            Caller(account=parts[4], region=parts[3]),
            namespace=_NAMESPACES.get(balancer_of(arn).split("/")[0], "AWS/ApplicationELB"),
            metric=name,
            dimensions=dict(dimensions),
            values=sorted(values),
            counts=[float(values[value]) for value in sorted(values)],
            unit="Seconds" if name == "TargetResponseTime" else "Count",
            at=float(minute * MINUTE),
        )

    def _level(self, place: Place, name: str) -> Level:
        found = self._levels.get((place, name))
        if found is None:
            found = self._levels[place, name] = Level(self._minute())
        return found

    def _first_zone(self, listener_arn: str) -> str:
        region = self._desk.state.of_arn(listener_arn)
        listener = region.listeners.get(listener_arn)
        if listener is None:
            return ""
        zones = region.load_balancers[listener.load_balancer_arn].zones
        return str(zones[0]["ZoneName"]) if zones else ""

    def _minute(self) -> int:
        return int(self._desk.clock.now() // MINUTE)


def _level_dimensions(place: Place, owner: str) -> Dimensions:
    balancer = ("LoadBalancer", balancer_of(owner))
    if not place.group_arn:
        return (balancer,)
    both = (("TargetGroup", group_of(place.group_arn)), balancer)
    return (*both, ("AvailabilityZone", place.zone)) if place.zone else both


def balancer_of(arn: str) -> str:
    """Return the value of the dimension LoadBalancer for a load balancer's or listener's ARN."""
    return "/".join(arn.rpartition(":")[2].split("/")[1:4])


def group_of(arn: str) -> str:
    """Return the value of the dimension TargetGroup."""
    return arn.rpartition(":")[2]
