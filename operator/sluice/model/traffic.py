"""The contract between the two controllers: what a Deployment publishes, what a route acknowledges.

rollout.md §7. A Deployment writes `status.traffic`, each route that sends to it writes one entry of
`status.backends`. An acknowledgement counts only when uid, rolloutId, seq and hash are equal and the
route's generation is its present one (point 1); everything else is an old answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.model.names import short_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotTarget:
    """The target group of one slot for one container port on one load balancer."""

    slot: str
    port: str
    """Name of the container port, or its number as text when it has no name."""
    container_port: int
    load_balancer_arn: str
    target_group_arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderRoute:
    """Requests whose header `name` is `value` go to `slot`."""

    name: str
    value: str
    slot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Desired weights of a Deployment's slots, and where they are."""

    uid: str
    rollout_id: str
    seq: int
    weights: Mapping[str, int]
    """Slot → parts; what is 0 or absent gets nothing."""
    targets: tuple[SlotTarget, ...]
    verify_after: float
    """A proof older than this (epoch seconds) does not count (point 4)."""
    test: str = ""
    """Slot that test listeners send to; '' for the one with the most weight."""
    header: HeaderRoute | None = None
    """Requests with this header go to one slot whatever the weights."""
    reassert: bool = True
    """Whether weights that nobody of us wrote are overwritten; if not they are reported and waited on."""
    rollback: bool = False
    """These weights end a failed rollout: they are written before anything else."""

    @property
    def test_slot(self) -> str:
        """Return the slot that test listeners send to: the candidate's, else the one with most weight."""
        return self.test or max(sorted(self.weights), key=lambda slot: self.weights[slot], default="")

    @property
    def hash(self) -> str:
        """Return the digest of weights and targets: equal exactly when routes have to write the same.

        A port's name is in it, because backendRefs choose targets by it.
        """
        weights = ",".join(f"{slot}={parts}" for slot, parts in sorted(self.weights.items()) if parts)
        targets = ",".join(
            sorted(f"{t.slot}/{t.port}/{t.container_port}/{t.target_group_arn}" for t in self.targets)
        )
        beside = [] if not self.test else [f"test={self.test}"]
        if self.header:
            beside.append(f"header={self.header.name}={self.header.value}={self.header.slot}")
        return short_hash(weights, targets, *beside)

    def to_status(self) -> dict[str, Any]:
        """Return `status.traffic`."""
        header = self.header
        beside: dict[str, Any] = {"test": self.test} if self.test else {}
        if header:
            beside["header"] = {"name": header.name, "value": header.value, "slot": header.slot}
        if not self.reassert:
            beside["reassert"] = False
        if self.rollback:
            beside["rollback"] = True
        return beside | {
            "uid": self.uid,
            "rolloutId": self.rollout_id,
            "seq": self.seq,
            "hash": self.hash,
            "weights": dict(sorted(self.weights.items())),
            "targetGroups": [
                {
                    "slot": target.slot,
                    "port": target.port,
                    "containerPort": target.container_port,
                    "loadBalancerArn": target.load_balancer_arn,
                    "targetGroupArn": target.target_group_arn,
                }
                for target in self.targets
            ],
            "verifyAfter": self.verify_after,
        }

    @classmethod
    def from_status(cls, status: Mapping[str, Any] | None) -> Traffic | None:
        """Read `status.traffic`; None when nothing was published."""
        if not status:
            return None
        return cls(
            uid=status["uid"],
            rollout_id=status["rolloutId"],
            seq=int(status["seq"]),
            weights={slot: int(parts) for slot, parts in status.get("weights", {}).items()},
            targets=tuple(
                SlotTarget(
                    slot=target["slot"],
                    port=target["port"],
                    container_port=int(target["containerPort"]),
                    load_balancer_arn=target["loadBalancerArn"],
                    target_group_arn=target["targetGroupArn"],
                )
                for target in status.get("targetGroups", [])
            ),
            verify_after=float(status.get("verifyAfter", 0)),
            test=status.get("test", ""),
            header=HeaderRoute(name=header["name"], value=header["value"], slot=header["slot"])
            if (header := status.get("header"))
            else None,
            reassert=bool(status.get("reassert", True)),
            rollback=bool(status.get("rollback", False)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """What one route proved about one backend: one entry of its `status.backends`."""

    name: str
    uid: str
    rollout_id: str
    seq: int
    hash: str
    route_generation: int
    configured: Mapping[str, int]
    verified_at: float
    """Epoch seconds of the read that showed the weights in every rule of the route."""

    def proves(self, traffic: Traffic, *, route_generation: int) -> bool:
        """Tell whether this acknowledges `traffic` (points 1 and 4)."""
        same = (self.uid, self.rollout_id, self.seq, self.hash) == (
            traffic.uid,
            traffic.rollout_id,
            traffic.seq,
            traffic.hash,
        )
        return same and self.route_generation == route_generation and self.verified_at >= traffic.verify_after

    @classmethod
    def from_status(cls, entry: Mapping[str, Any]) -> Acknowledgement:
        """Read one entry of a route's `status.backends`."""
        return cls(
            name=entry["name"],
            uid=entry.get("uid", ""),
            rollout_id=entry.get("rolloutId", ""),
            seq=int(entry.get("seq", -1)),
            hash=entry.get("hash", ""),
            route_generation=int(entry.get("routeGeneration", -1)),
            configured={slot: int(w) for slot, w in entry.get("configured", {}).items()},
            verified_at=float(entry.get("verifiedAt", 0)),
        )


def acknowledged(entries: Sequence[Mapping[str, Any]], name: str) -> Acknowledgement | None:
    """Return the acknowledgement of backend `name` in a route's `status.backends`."""
    for entry in entries:
        if entry.get("name") == name:
            return Acknowledgement.from_status(entry)
    return None
