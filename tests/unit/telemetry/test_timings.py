"""Steps, a rollback's writes and a route's proofs: measured between the moments that they are between."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key
from sluice.telemetry.timings import TimingMetrics

WEB, ROUTE = Key(DEPLOYMENT, "shop", "web"), Key(SERVICE_ROUTE, "shop", "web")
STEPS = ["setWeight 5%", "pause 30 s", "setWeight 50%", "pause", "setWeight 100%"]
Status = dict[str, Any]


class Desk:
    """Metrics, their time, and the last status of each object."""

    def __init__(self) -> None:
        """Begin at second 1000."""
        self.registry = CollectorRegistry()
        self.at = 1000.0
        self.metrics = TimingMetrics(self.registry, now=lambda: self.at, routes_of=lambda _key: (ROUTE,))
        self.last: dict[Key, Status] = {WEB: {}, ROUTE: {}}

    def write(self, key: Key, status: Status, *, after: float = 0.0) -> None:
        """Let time pass and a status be written."""
        self.at += after
        self.metrics.written(key, {"status": self.last[key]}, {"status": status})
        self.last[key] = status

    def value(self, name: str, **labels: str) -> float | None:
        """Return a sample."""
        return self.registry.get_sample_value(f"sluice_{name}", labels)


@pytest.fixture
def desk() -> Desk:
    """A desk."""
    return Desk()


def stepping(index: int, *, stage: str = "Stepping", id_: str = "r1", **more: Any) -> Status:
    """Return a status with a rollout at a step."""
    return {"rollout": {"id": id_, "stage": stage, "stepIndex": index, "steps": STEPS} | more}


def test_each_step_is_measured_from_the_one_before(desk: Desk) -> None:
    """The first from when stepping began, not from when the rollout did."""
    desk.write(WEB, stepping(0, stage="ScalingUp"))
    desk.write(WEB, stepping(0), after=100)
    desk.write(WEB, stepping(1), after=4)
    desk.write(WEB, stepping(1), after=20)
    desk.write(WEB, stepping(2), after=10)
    assert desk.value("rollout_step_duration_seconds_sum", step="setWeight") == 4
    assert desk.value("rollout_step_duration_seconds_sum", step="pause") == 30


def test_a_step_that_was_passed_over_is_not_measured(desk: Desk) -> None:
    """promote-full goes to the last step: the one it left is measured, those between are not."""
    desk.write(WEB, stepping(0))
    desk.write(WEB, stepping(4), after=7)
    desk.write(WEB, {}, after=5)
    assert desk.value("rollout_step_duration_seconds_count", step="setWeight") == 1
    assert desk.value("rollout_step_duration_seconds_count", step="pause") == 0


def test_a_rollout_that_was_found_counts_from_its_steps_clock(desk: Desk) -> None:
    """A new leader takes the clock from the status; without one it begins now."""
    desk.at = 1_800_000_060.0
    desk.last[WEB] = stepping(1, stepStartedAt="2027-01-15T08:00:00Z")
    desk.write(WEB, stepping(2))
    assert desk.value("rollout_step_duration_seconds_sum", step="pause") == 60
    desk.last[WEB] = stepping(2, id_="r9")
    desk.write(WEB, stepping(3, id_="r9"), after=9)
    assert desk.value("rollout_step_duration_seconds_count", step="setWeight") == 0


def traffic(seq: int, *, rollback: bool = False) -> Status:
    """Return published weights."""
    return {"traffic": {"rolloutId": "r1", "seq": seq, "hash": f"h{seq}", "rollback": rollback}}


def proof(seq: int, *, at: float) -> Status:
    """Return a route that has read them back."""
    entry = {"name": "web", "rolloutId": "r1", "seq": seq, "hash": f"h{seq}", "verifiedAt": at}
    return {"backends": [entry]}


def test_verification_is_from_publishing_to_the_read(desk: Desk) -> None:
    """Once for each change of weights; a later look at the same weights is none."""
    desk.write(WEB, traffic(1))
    desk.write(ROUTE, proof(1, at=1000.4), after=2)
    desk.write(ROUTE, proof(1, at=1060.0), after=60)
    assert desk.value("route_verification_seconds_count", rollback="false") == 1
    assert desk.value("route_verification_seconds_sum", rollback="false") == pytest.approx(0.4)
    desk.write(WEB, traffic(2, rollback=True))
    desk.write(ROUTE, proof(2, at=desk.at + 0.1), after=1)
    assert desk.value("route_verification_seconds_sum", rollback="true") == pytest.approx(0.1)


def test_a_proof_of_weights_that_another_process_published_is_not_measured(desk: Desk) -> None:
    """Missing rather than wrong."""
    desk.write(ROUTE, proof(1, at=1000.4))
    assert desk.value("route_verification_seconds_count", rollback="false") == 0


def back(*, verified: float = 0.0, discovered: float = 0.0) -> Status:
    """Return a rollout on its way back, decided at second 1000."""
    memory = {"decidedAt": 1000.0, "verifiedAt": verified, "discoveredAt": discovered}
    return {"rollout": {"id": "r1", "reason": "Analysis", "memory": memory}}


def test_a_rollback_is_written_before_it_is_verified(desk: Desk) -> None:
    """The last write of each plane after the decision; earlier writes and later ones are not its."""
    desk.at = 990.0
    desk.metrics.hurried(ROUTE, "elbv2")
    desk.at = 1000.0
    desk.write(WEB, back())
    for at, service in ((1000.2, "elbv2"), (1000.5, "elbv2"), (1003.0, "servicediscovery"), (1009.0, "ecs")):
        desk.at = at
        desk.metrics.hurried(ROUTE, service)
    desk.write(WEB, back(verified=1004.0))
    desk.write(WEB, back(verified=1004.0))
    desk.write(WEB, back(verified=1004.0, discovered=1090.0))
    of = {"reason": "Analysis"}
    assert desk.value("rollback_written_seconds_sum", plane="rules", **of) == pytest.approx(0.5)
    assert desk.value("rollback_written_seconds_sum", plane="discovery", **of) == pytest.approx(3.0)
    assert desk.value("rollback_written_seconds_count", plane="rules", **of) == 1


def test_a_rollback_without_a_write_was_never_written(desk: Desk) -> None:
    """No rule had to change: nothing is measured."""
    desk.write(WEB, back())
    desk.write(WEB, back(verified=1000.0))
    assert desk.value("rollback_written_seconds_count", plane="rules", reason="Analysis") == 0


@pytest.mark.parametrize("status", [None, [], {"rollout": "x", "traffic": 1, "backends": 2}, {"rollout": {}}])
@pytest.mark.parametrize("key", [WEB, ROUTE], ids=["Deployment", "ServiceRoute"])
def test_a_malformed_status_breaks_nothing(desk: Desk, key: Key, status: Any) -> None:
    """What has not the shape is passed over."""
    desk.metrics.written(key, {"status": status}, {"status": status})
    desk.metrics.written(key, None, {"status": status})
