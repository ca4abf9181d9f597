"""What a Deployment publishes and what a route proves: read as it was written, and when a proof counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sluice.model import traffic as module
from sluice.model.traffic import Acknowledgement, HeaderRoute, SlotTarget, Traffic, acknowledged
from unit.model.bare import said

TARGET = SlotTarget(
    slot="a", port="http", container_port=8080, load_balancer_arn="arn:lb", target_group_arn="arn:tg"
)
PLAIN = Traffic(
    uid="u",
    rollout_id="r1",
    seq=3,
    weights={"a": 900, "b": 100},
    targets=(TARGET,),
    verify_after=7.0,
)
FULL = replace(
    PLAIN, test="b", header=HeaderRoute(name="X-Try", value="1", slot="b"), reassert=False, rollback=True
)
WRITTEN: dict[str, Any] = {
    "uid": "u",
    "rolloutId": "r1",
    "seq": 3,
    "hash": PLAIN.hash,
    "weights": {"a": 900, "b": 100},
    "targetGroups": [
        {
            "slot": "a",
            "port": "http",
            "containerPort": 8080,
            "loadBalancerArn": "arn:lb",
            "targetGroupArn": "arn:tg",
        }
    ],
    "verifyAfter": 7.0,
}
BESIDE: dict[str, Any] = {
    "test": "b",
    "header": {"name": "X-Try", "value": "1", "slot": "b"},
    "reassert": False,
    "rollback": True,
    "hash": FULL.hash,
}


@pytest.mark.parametrize(
    ("traffic", "status"), [(PLAIN, WRITTEN), (FULL, WRITTEN | BESIDE)], ids=["plain", "full"]
)
def test_traffic_is_read_as_it_was_written(traffic: Traffic, status: dict[str, Any]) -> None:
    """What is as usual is left out of the status: no test slot, no header, reasserted, no rollback."""
    assert traffic.to_status() == status
    assert Traffic.from_status(status) == traffic


def test_traffic_of_an_older_operator() -> None:
    """What it did not write is as usual; nothing written is nothing published."""
    found = Traffic.from_status({"uid": "u", "rolloutId": "r1", "seq": "3"})
    assert found == Traffic(uid="u", rollout_id="r1", seq=3, weights={}, targets=(), verify_after=0.0)
    assert Traffic.from_status({}) is None
    assert Traffic.from_status(None) is None
    assert said(module) == {"Traffic.reassert": True}


SAME = {
    "a slot without weight": replace(PLAIN, weights={"b": 100, "a": 900, "c": 0}),
    "another number of the same": replace(PLAIN, seq=4, rollout_id="r2", verify_after=9.0),
    "how it is written": replace(PLAIN, reassert=False, rollback=True),
}
OTHER = {
    "weights": replace(PLAIN, weights={"a": 100, "b": 900}),
    "no targets": replace(PLAIN, targets=()),
    "a port's name": replace(PLAIN, targets=(replace(TARGET, port="web"),)),
    "a target group": replace(PLAIN, targets=(replace(TARGET, target_group_arn="arn:other"),)),
    "a test slot": replace(PLAIN, test="b"),
    "the other test slot": replace(PLAIN, test="a"),
    "a header": replace(PLAIN, header=HeaderRoute(name="X", value="1", slot="b")),
    "a header of another value": replace(PLAIN, header=HeaderRoute(name="X", value="2", slot="b")),
}


def test_the_hash_is_of_what_routes_write() -> None:
    """Equal where they write the same, another for each thing that they write otherwise."""
    assert {name: traffic.hash == PLAIN.hash for name, traffic in SAME.items()} == dict.fromkeys(SAME, True)
    assert len({PLAIN.hash, *(traffic.hash for traffic in OTHER.values())}) == 1 + len(OTHER)


SLOTS: dict[str, tuple[Traffic, str]] = {
    "the one that is named": (replace(PLAIN, test="b"), "b"),
    "the one with most weight": (replace(PLAIN, weights={"a": 100, "b": 900}), "b"),
    "the first of two halves": (replace(PLAIN, weights={"b": 500, "a": 500}), "a"),
    "none of none": (replace(PLAIN, weights={}), ""),
}


@pytest.mark.parametrize(("traffic", "slot"), SLOTS.values(), ids=SLOTS)
def test_the_slot_that_test_listeners_send_to(traffic: Traffic, slot: str) -> None:
    """The candidate's where it is named."""
    assert traffic.test_slot == slot


PROOF = Acknowledgement(
    name="web",
    uid="u",
    rollout_id="r1",
    seq=3,
    hash=PLAIN.hash,
    route_generation=5,
    configured={"a": 900, "b": 100},
    verified_at=7.0,
)
PROOFS: dict[str, tuple[Acknowledgement, bool]] = {
    "as published": (PROOF, True),
    "younger than asked for": (replace(PROOF, verified_at=8.0), True),
    "older than asked for": (replace(PROOF, verified_at=6.9), False),
    "of the object before": (replace(PROOF, uid="v"), False),
    "of the rollout before": (replace(PROOF, rollout_id="r0"), False),
    "of the number before": (replace(PROOF, seq=2), False),
    "of other weights": (replace(PROOF, hash="x"), False),
    "of the route as it was": (replace(PROOF, route_generation=4), False),
}


@pytest.mark.parametrize(("proof", "counts"), PROOFS.values(), ids=PROOFS)
def test_only_the_present_answer_is_a_proof(proof: Acknowledgement, *, counts: bool) -> None:
    """Uid, rollout, number and hash are equal, the route is as it is now, and AWS was read late enough."""
    assert proof.proves(PLAIN, route_generation=5) is counts


def test_an_acknowledgement_is_read_as_the_route_wrote_it() -> None:
    """By the backend's name; one that says nothing is of no rollout and proves nothing."""
    entry = {
        "name": "web",
        "uid": "u",
        "rolloutId": "r1",
        "seq": 3,
        "hash": PLAIN.hash,
        "routeGeneration": 5,
        "configured": {"a": 900, "b": 100},
        "verifiedAt": 7,
    }
    entries = [{"name": "api"}, entry]
    assert acknowledged(entries, "web") == PROOF
    assert acknowledged(entries, "other") is None
    assert acknowledged(entries, "api") == Acknowledgement(
        name="api",
        uid="",
        rollout_id="",
        seq=-1,
        hash="",
        route_generation=-1,
        configured={},
        verified_at=0.0,
    )
