"""VPC Lattice: services, listeners, weighted rules, target groups and their targets."""

from __future__ import annotations

from typing import Any

import pytest

from fidelity.outsider import ACCOUNT, REGION, Outsider, fresh, refused, until


def group(aws: Outsider, **config: Any) -> dict[str, Any]:
    """Create a target group of addresses."""
    made: dict[str, Any] = aws("vpc-lattice").create_target_group(
        name=fresh("group"),
        type="IP",
        config={"port": 80, "protocol": "HTTP", "vpcIdentifier": aws.vpc} | config,
    )
    return made


@pytest.fixture(scope="module")
def listener(aws: Outsider) -> tuple[str, str]:
    """Create a service with a listener; answer their ids."""
    lattice = aws("vpc-lattice")
    service = lattice.create_service(name=fresh("shop"))["id"]
    made = lattice.create_listener(
        serviceIdentifier=service,
        name=fresh("listen"),
        protocol="HTTP",
        port=80,
        defaultAction={"fixedResponse": {"statusCode": 404}},
    )
    return service, made["id"]


def test_group_becomes_active_and_is_told(aws: Outsider) -> None:
    """A group keeps its configuration, and gets AWS's health check."""
    made = group(aws)
    assert made["arn"] == f"arn:aws:vpc-lattice:{REGION}:{ACCOUNT}:targetgroup/{made['id']}"
    assert made["id"].startswith("tg-")
    lattice = aws("vpc-lattice")
    found = until(
        lambda: lattice.get_target_group(targetGroupIdentifier=made["id"]),
        lambda told: told["status"] == "ACTIVE",
    )
    assert found["type"] == "IP"
    assert found["config"]["port"] == 80
    assert found["config"]["vpcIdentifier"] == aws.vpc
    assert found["config"]["healthCheck"]["enabled"] is True
    lattice.delete_target_group(targetGroupIdentifier=made["id"])
    with refused("ResourceNotFoundException", status=404):
        lattice.get_target_group(targetGroupIdentifier=made["id"])


def test_rule_keeps_and_changes_weights(aws: Outsider, listener: tuple[str, str]) -> None:
    """A rule forwards by weight; UpdateRule changes the weights."""
    lattice = aws("vpc-lattice")
    first, second = group(aws)["id"], group(aws)["id"]
    where = {"serviceIdentifier": listener[0], "listenerIdentifier": listener[1]}

    def action(*weights: int) -> dict[str, Any]:
        pairs = zip((first, second), weights, strict=True)
        return {
            "forward": {
                "targetGroups": [{"targetGroupIdentifier": tg, "weight": weight} for tg, weight in pairs]
            }
        }

    made = lattice.create_rule(
        **where,
        name=fresh("route"),
        priority=10,
        match={"httpMatch": {"pathMatch": {"match": {"prefix": "/api"}, "caseSensitive": True}}},
        action=action(90, 10),
    )
    found = lattice.get_rule(**where, ruleIdentifier=made["id"])
    assert [each["weight"] for each in found["action"]["forward"]["targetGroups"]] == [90, 10]
    assert found["match"]["httpMatch"]["pathMatch"]["match"] == {"prefix": "/api"}
    lattice.update_rule(**where, ruleIdentifier=made["id"], action=action(0, 100))
    found = lattice.get_rule(**where, ruleIdentifier=made["id"])
    assert [each["weight"] for each in found["action"]["forward"]["targetGroups"]] == [0, 100]
    assert found["priority"] == 10
    with refused("ConflictException", status=409):
        lattice.delete_target_group(targetGroupIdentifier=second)
    with refused("ConflictException", status=409):
        lattice.create_rule(
            **where,
            name=fresh("route"),
            priority=10,
            match={"httpMatch": {"method": "GET"}},
            action={"fixedResponse": {"statusCode": 404}},
        )


def test_rule_refuses_a_weight(aws: Outsider, listener: tuple[str, str]) -> None:
    """Weights are 0 to 999."""
    forward = {"forward": {"targetGroups": [{"targetGroupIdentifier": group(aws)["id"], "weight": 1000}]}}
    with refused("ValidationException"):
        aws("vpc-lattice").create_rule(
            serviceIdentifier=listener[0],
            listenerIdentifier=listener[1],
            name=fresh("route"),
            priority=11,
            match={"httpMatch": {"method": "GET"}},
            action=forward,
        )


def test_targets_are_registered_and_listed(aws: Outsider) -> None:
    """Targets are registered, listed with a status, and deregistered."""
    lattice = aws("vpc-lattice")
    made = group(aws)["id"]
    target = {"id": "10.61.1.90", "port": 80}
    answer = lattice.register_targets(targetGroupIdentifier=made, targets=[target])
    assert answer["unsuccessful"] == []
    assert answer["successful"] == [target]
    (found,) = lattice.list_targets(targetGroupIdentifier=made)["items"]
    assert (found["id"], found["port"]) == ("10.61.1.90", 80)
    assert found["status"] in {"INITIAL", "UNUSED", "HEALTHY", "UNHEALTHY", "UNAVAILABLE"}
    lattice.deregister_targets(targetGroupIdentifier=made, targets=[target])
    until(lambda: lattice.list_targets(targetGroupIdentifier=made)["items"] == [])
