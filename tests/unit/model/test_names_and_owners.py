"""Names and tags in AWS: the same for ever for the same object, and the proof of whose it is."""

from __future__ import annotations

import pytest

from sluice.model import binding, tenancy
from sluice.model.binding import Binding, Priority
from sluice.model.keys import DEPLOYMENT, SERVICE_ROUTE, Key
from sluice.model.names import family_name, service_name, short_hash, target_group_name
from sluice.model.ownership import Ownership, from_ecs, from_elb, owner_tags, ownership, to_ecs, to_elb
from sluice.model.tenancy import ListenerGrant, permissive_rule
from unit.model.bare import said

KEY = Key(DEPLOYMENT, "shop", "checkout")
LONG = Key(DEPLOYMENT, "shop", "x" * 200)


def _names(key: Key) -> list[str]:
    group = target_group_name("prod", key, slot="a", container_port=8080, load_balancer="lb")
    return [service_name("prod", key, slot="a", ordinal=1), family_name("prod", key), group]


def test_names_stay_from_version_to_version() -> None:
    """They find what is ours when the status is lost: another name would make everything a second time."""
    assert _names(KEY) == ["checkout-c8d2060111-a1", "checkout-c8d2060111", "checkout-7f222e63a3-a"]


def test_names_fit_where_they_are_used() -> None:
    """32 characters for a target group (CreateTargetGroup), 64 and 128 for ours, filled to the last."""
    assert [len(name) for name in _names(LONG)] == [64, 128, 32]
    assert all(name.startswith("xxx") for name in _names(LONG))
    assert len(short_hash("a")) == 10


OWNERS: dict[str, tuple[dict[str, str], Ownership]] = {
    "ours": (owner_tags("prod", KEY, role="slot-a", uid="u"), "ours"),
    "ours, of another role and uid": (owner_tags("prod", KEY, role="anchor", uid="other"), "ours"),
    "ours, with a person's tags": (owner_tags("prod", KEY, role="anchor") | {"team": "a"}, "ours"),
    "another object's": (owner_tags("prod", Key(DEPLOYMENT, "shop", "web"), role="slot-a"), "other-object"),
    "another namespace's": (
        owner_tags("prod", Key(DEPLOYMENT, "other", "checkout"), role="slot-a"),
        "other-object",
    ),
    "another kind's": (
        owner_tags("prod", Key(SERVICE_ROUTE, "shop", "checkout"), role="slot-a"),
        "other-object",
    ),
    "another installation's": (owner_tags("test", KEY, role="slot-a"), "other-object"),
    "half of ours": ({"sluice.dev/installation": "prod"}, "other-object"),
    "without the installation": (
        {
            key: value
            for key, value in owner_tags("prod", KEY, role="").items()
            if key != "sluice.dev/installation"
        },
        "foreign",
    ),
    "a person's": ({"team": "a"}, "foreign"),
    "nobody's": ({}, "foreign"),
}


@pytest.mark.parametrize(("tags", "whose"), OWNERS.values(), ids=OWNERS)
def test_whose_an_object_is(tags: dict[str, str], whose: Ownership) -> None:
    """Installation, kind, namespace and name must all be ours; what the object is for may differ."""
    assert ownership(tags, "prod", KEY) == whose


def test_the_uid_is_told_where_it_is_known() -> None:
    """It proves nothing: a cluster restored from a backup has new ones."""
    tags = owner_tags("prod", KEY, role="slot-a")
    assert tags == {
        "sluice.dev/installation": "prod",
        "sluice.dev/kind": "Deployment",
        "sluice.dev/namespace": "shop",
        "sluice.dev/name": "checkout",
        "sluice.dev/role": "slot-a",
    }
    assert owner_tags("prod", KEY, role="slot-a", uid="u") == tags | {"sluice.dev/uid": "u"}


def test_tags_as_each_service_spells_them() -> None:
    """There and back; a tag without a value has an empty one."""
    tags = {"b": "2", "a": ""}
    assert to_ecs(tags) == [{"key": "a", "value": ""}, {"key": "b", "value": "2"}]
    assert to_elb(tags) == [{"Key": "a", "Value": ""}, {"Key": "b", "Value": "2"}]
    assert from_ecs(to_ecs(tags)) == from_elb(to_elb(tags)) == tags
    assert from_ecs([{"key": "a"}]) == from_elb([{"Key": "a"}]) == {"a": ""}


def test_a_call_says_where_and_how_urgent_it_is() -> None:
    """A rollback before all, garbage after all; the numbers are places in the queue, without a gap."""
    assert str(Binding(account="1234", region="eu-west-1")) == "1234/eu-west-1"
    assert str(Binding(account="", region="eu-west-1")) == "default/eu-west-1"
    assert said(binding) == {}
    assert [(priority.name, int(priority)) for priority in sorted(Priority)] == [
        ("ROLLBACK", 0),
        ("VERIFY", 1),
        ("ROLLOUT", 2),
        ("DRIFT", 3),
        ("GARBAGE", 4),
    ]


def test_what_a_tenant_may_where_the_rule_does_not_say() -> None:
    """No role, host name or secret: each is given; but every namespace, cluster and listener of a grant."""
    everyone = permissive_rule()
    assert everyone.listeners == (ListenerGrant(load_balancer="*", priorities=(1, 50_000)),)
    assert (everyone.create_cloud_map_namespaces, everyone.secret_sync) == (True, False)
    assert said(tenancy) == {
        "ListenerGrant.load_balancer": "*",
        "ListenerGrant.priorities": (1, 50_000),
        "TenancyRule.namespaces": ("*",),
        "TenancyRule.clusters": ("*",),
    }
