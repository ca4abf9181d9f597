"""What is remembered survives the API server, and operations are followed to their end."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.model.discovery import DiscoveryProof, Operation
from sluice.plan.discovery.ledger import GROUPS, Ledger
from sluice.plan.discovery.memory import Failing, Leaving, Memory, Pending, short

NOW = 1_795_000_000.0
ROOT = Path(__file__).resolve().parents[3]

NAMES = st.text("0123456789abcdef", min_size=12, max_size=12)
TIMES = st.floats(0, 2e9).map(lambda value: round(value, 3))
PLACES = st.builds(
    Memory,
    mode=st.sampled_from(["Tasks", "Alias", "ECS"]),
    namespace=st.sampled_from(["corp.local", "ns-1"]),
    service=st.just("web"),
    backend=st.sampled_from(["", "web"]),
    service_id=st.sampled_from(["", "srv-1"]),
    registry_arn=st.sampled_from(["", "arn:srv-1"]),
    instances=st.integers(0, 1000),
    operations=st.lists(
        st.builds(
            Pending,
            kind=st.sampled_from(["register", "deregister", "namespace"]),
            target=NAMES,
            id=st.sampled_from(["", "op-1"]),
            since=TIMES,
        ),
        max_size=3,
    ).map(tuple),
    leaving=st.lists(
        st.builds(
            Leaving,
            stage=st.sampled_from(["mark", "marking", "hidden", "out", "released", "heal", "healing"]),
            since=TIMES,
            instances=st.lists(NAMES, min_size=1, max_size=3).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    failing=st.lists(
        st.builds(
            Failing, count=st.integers(1, 9), retry_at=TIMES, targets=st.lists(NAMES, min_size=1).map(tuple)
        ),
        max_size=2,
    ).map(tuple),
    failure=st.sampled_from(["", "THROTTLED_REQUEST: slow down"]),
    acknowledgement=st.none()
    | st.builds(
        DiscoveryProof,
        name=st.just("web"),
        uid=st.just("u"),
        rollout_id=st.just("r1"),
        seq=st.integers(0, 9),
        hash=st.just("h"),
        route_generation=st.integers(0, 9),
        verified_at=TIMES,
    ),
    generation=st.integers(0, 9),
    settled=st.booleans(),
    makes=st.integers(0, 3),
)


@settings(max_examples=40)
@given(memory=PLACES, left=st.lists(PLACES, max_size=2).map(tuple))
def test_a_memory_is_the_same_after_the_api_server(memory: Memory, left: tuple[Memory, ...]) -> None:
    """JSON there and back, with the places that are left."""
    whole = dataclasses.replace(memory, left=left)
    assert Memory.read(json.loads(json.dumps(whole.write()))) == whole


def test_a_status_of_another_version_is_read_as_far_as_it_is_known() -> None:
    """Unknown stages, kinds and members are left out; nothing at all is an empty memory."""
    status: dict[str, Any] = {
        "mode": "Tasks",
        "colour": "red",
        "leaving": [{"stage": "dreaming", "since": 1, "instances": ["a"]}],
        "operations": [{"kind": "teleport", "since": 1}],
    }
    assert Memory.read(status) == Memory(mode="Tasks")
    assert Memory.read(None) == Memory()


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        pytest.param("sluice-0123456789abcdef0123456789abcdef", "0123456789ab", id="a task"),
        pytest.param("sluice-lb-shop", "lb-shop", id="a short name"),
    ],
)
def test_short_names_of_instances(instance: str, expected: str) -> None:
    """A task's first characters, readable where it is short."""
    assert short(instance) == expected


def test_long_names_of_instances_stay_apart() -> None:
    """Two load balancers with the same beginning are two."""
    assert short("sluice-lb-production-shop-one") != short("sluice-lb-production-shop-two")


@pytest.mark.parametrize(
    ("status", "effect", "age", "left", "failed"),
    [
        pytest.param("PENDING", True, 1e6, True, False, id="under way is waited for"),
        pytest.param("SUCCESS", True, 1, False, False, id="done and seen"),
        pytest.param("SUCCESS", False, 10, True, False, id="done, not seen yet"),
        pytest.param("SUCCESS", None, 10, True, False, id="done, not read"),
        pytest.param("SUCCESS", False, 61, False, False, id="done, never seen"),
        pytest.param("FAIL", False, 1, False, True, id="failed"),
        pytest.param(None, False, 10, True, False, id="cannot be read"),
        pytest.param(None, True, 61, False, False, id="cannot be read, but seen"),
        pytest.param(None, False, 301, False, False, id="cannot be read for long"),
        pytest.param("", True, 1, False, False, id="answer lost, took place"),
        pytest.param("", False, 10, True, False, id="answer lost, not seen"),
        pytest.param("", False, 61, False, False, id="answer lost, did not take place"),
    ],
)
def test_operations_are_followed(
    status: str | None, age: float, *, effect: bool | None, left: bool, failed: bool
) -> None:
    """The ledger's table; '' is an operation without an id."""
    operation = "" if status == "" else "op-1"
    seen = {"op-1": Operation(id="op-1", status=status, error="INTERNAL_FAILURE: x")} if status else {}  # type: ignore[arg-type]
    pending = Pending(kind="register", target="t", id=operation, since=1000.0)
    ledger = Ledger.of(Memory(operations=(pending,)), now=1000.0 + age)
    ledger.track(seen, has=lambda _: effect)
    assert ("t" in ledger.operations) is left
    assert ("t" in ledger.failing) is failed
    assert bool(ledger.notes) is failed


def test_an_operation_that_does_not_end_is_told() -> None:
    """After ten minutes, with its id for AWS's support."""
    pending = Pending(kind="register", target="t", id="op-7", since=0.0)
    ledger = Ledger.of(Memory(operations=(pending,)), now=601.0)
    ledger.track({"op-7": Operation(id="op-7", status="PENDING")}, has=lambda _: False)
    told = ledger.stuck()
    assert told
    assert "op-7" in told[1]


def test_refusals_of_access_are_told_as_such() -> None:
    """Their cure is another one."""
    ledger = Ledger.of(Memory(failing=(Failing(count=3, retry_at=9.0, targets=("t",)),)), now=1.0)
    ledger.failure = "ACCESS_DENIED: no route53 rights"
    told = ledger.stuck()
    assert told
    assert told[0] == "AccessDenied"


@pytest.mark.parametrize("apart", [0.5, 2.0, 45.0], ids=["quickly", "slowly", "over-half-a-day"])
def test_entries_that_leave_one_by_one_fit_into_a_status(apart: float) -> None:
    """A thousand times become a hundred or fewer, each a little later and none earlier, once and for all."""
    ledger = Ledger.of(Memory(), now=NOW)
    ledger.stages = {f"t{number}": ("hidden", NOW - apart * number) for number in range(1000)}
    ledger.failing = {f"t{number}": (2, NOW + apart * number) for number in range(1000)}
    closed = ledger.close(Memory())
    assert len(closed.leaving) <= GROUPS
    assert len(closed.failing) <= GROUPS
    for group in closed.leaving:
        for name in group.instances:
            assert 0 <= group.since - ledger.since(name) <= 1000 * apart / GROUPS * 5
    assert Ledger.of(closed, now=NOW).close(closed) == closed


def test_the_api_server_takes_twice_the_groups() -> None:
    """Answers split a group into what was accepted and what was not; the status is written all the same."""
    schema = yaml.safe_load((ROOT / "crds/sluice.dev_serviceroutes.yaml").read_text(encoding="utf-8"))
    version = schema["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    discovery = version["properties"]["status"]["properties"]["discovery"]["properties"]
    assert {discovery[name]["maxItems"] for name in ("leaving", "failing")} == {2 * GROUPS}


def test_awss_words_about_a_failure_fit_into_a_status() -> None:
    """Route 53 lists every record that it refuses; the API server takes 4,096 characters of it."""
    ledger = Ledger.of(
        Memory(operations=(Pending(kind="register", target="a", id="op", since=NOW),)), now=NOW
    )
    told = Operation(id="op", status="FAIL", error="InvalidChangeBatch: " + "x" * 10_000)
    ledger.track({"op": told}, has=lambda _pending: False)
    assert len(ledger.close(Memory()).failure) <= 4_096
