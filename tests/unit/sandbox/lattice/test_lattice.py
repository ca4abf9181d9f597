"""VPC Lattice as its reference documents it: idempotence, conflicts, weighted rules, targets, deletes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.estate import SECURITY_GROUP_ID, VPC_ID
from sluice_sandbox.aws.world import World

Call = Callable[..., Any]
CONFIG = {"port": 8080, "protocol": "HTTP", "vpcIdentifier": VPC_ID}
METHOD = {"httpMatch": {"method": "GET"}}
FIXED = {"fixedResponse": {"statusCode": 404}}


@pytest.fixture
def clock() -> VirtualClock:
    """Virtual time."""
    return VirtualClock()


@pytest.fixture
def lattice(clock: VirtualClock) -> Call:
    """Call VPC Lattice of a fresh world."""
    world = World.build(clock=clock)

    def call(operation: str, **params: Any) -> Any:
        return world.call("vpc-lattice", operation, params)

    return call


def service(lattice: Call, name: str = "web") -> str:
    """Create a service and return its id."""
    return str(lattice("CreateService", name=name)["id"])


def group(lattice: Call, name: str = "g-1") -> str:
    """Create a target group and return its id."""
    return str(lattice("CreateTargetGroup", name=name, type="IP", config=CONFIG)["id"])


def listener(lattice: Call, svc: str, action: Any = FIXED, **more: Any) -> str:
    """Create a listener and return its id."""
    params = {"name": "http", "protocol": "HTTP", "defaultAction": action} | more
    return str(lattice("CreateListener", serviceIdentifier=svc, **params)["id"])


def forward(*groups: tuple[str, int | None]) -> dict[str, Any]:
    """Return a weighted forward."""
    return {
        "forward": {
            "targetGroups": [
                {"targetGroupIdentifier": name} | ({"weight": weight} if weight is not None else {})
                for name, weight in groups
            ]
        }
    }


def refused(call: Callable[[], Any]) -> AwsError:
    """Return how a call is refused."""
    with pytest.raises(AwsError) as caught:
        call()
    return caught.value


def test_services_become_active(lattice: Call, clock: VirtualClock) -> None:
    """Creation is in progress, then the service is ACTIVE with a DNS name."""
    made = lattice("CreateService", name="web", authType="AWS_IAM", tags={"team": "x"})
    assert (made["status"], made["authType"]) == ("CREATE_IN_PROGRESS", "AWS_IAM")
    clock.advance(1)
    found = lattice("GetService", serviceIdentifier=made["arn"])
    assert (found["status"], found["name"], found["id"]) == ("ACTIVE", "web", made["id"])
    assert found["dnsEntry"]["domainName"].endswith(".vpc-lattice-svcs.eu-west-1.on.aws")
    assert lattice("ListTagsForResource", resourceArn=made["arn"])["tags"] == {"team": "x"}


def test_creation_is_idempotent_by_token(lattice: Call) -> None:
    """The same token and request give the same resource; another request with it is a conflict."""
    first = lattice("CreateService", name="web", clientToken="t")
    assert lattice("CreateService", name="web", clientToken="t")["id"] == first["id"]
    error = refused(lambda: lattice("CreateService", name="other", clientToken="t"))
    assert (error.code, error.status) == ("ConflictException", 409)
    error = refused(lambda: lattice("CreateService", name="web"))
    assert (error.code, error.members["resourceId"]) == ("ConflictException", first["id"])


def test_weighted_rules(lattice: Call) -> None:
    """Weights are kept, changed by UpdateRule, and one group alone weighs 100."""
    svc, one, two = service(lattice), group(lattice, "g-1"), group(lattice, "g-2")
    lst = listener(lattice, svc)
    where = {"serviceIdentifier": svc, "listenerIdentifier": lst}
    rule = lattice(
        "CreateRule", **where, name="split", priority=10, match=METHOD, action=forward((one, 90), (two, 10))
    )
    assert rule["action"] == forward((one, 90), (two, 10))
    changed = lattice("UpdateRule", **where, ruleIdentifier=rule["id"], action=forward((one, 0), (two, 999)))
    assert changed["action"] == forward((one, 0), (two, 999))
    found = lattice("GetRule", **where, ruleIdentifier=rule["arn"])
    assert (found["priority"], found["match"], found["isDefault"]) == (10, METHOD, False)
    alone = lattice("UpdateRule", **where, ruleIdentifier=rule["id"], action=forward((one, None)))
    assert alone["action"] == forward((one, 100))
    users = lattice("GetTargetGroup", targetGroupIdentifier=one)["serviceArns"]
    assert [arn.rsplit("/", 1)[-1] for arn in users] == [svc]


def test_rules_are_listed_by_priority(lattice: Call) -> None:
    """The default rule comes last; priorities are swapped in one batch, and failures told."""
    svc = service(lattice)
    where = {"serviceIdentifier": svc, "listenerIdentifier": listener(lattice, svc)}
    ids = {
        name: lattice("CreateRule", **where, name=name, priority=priority, match=METHOD, action=FIXED)["id"]
        for name, priority in (("late", 20), ("early", 10))
    }
    names = [item["name"] for item in lattice("ListRules", **where)["items"]]
    assert names == ["early", "late", "default"]
    swap = [{"ruleIdentifier": ids["late"], "priority": 10}, {"ruleIdentifier": ids["early"], "priority": 20}]
    answer = lattice("BatchUpdateRule", **where, rules=[*swap, {"ruleIdentifier": "rule-00000000000000000"}])
    assert [item["name"] for item in answer["successful"]] == ["late", "early"]
    assert [item["failureCode"] for item in answer["unsuccessful"]] == ["ResourceNotFoundException"]
    assert [item["name"] for item in lattice("ListRules", **where)["items"]] == ["late", "early", "default"]


def test_the_default_action_is_the_default_rule(lattice: Call) -> None:
    """UpdateListener changes it; rule calls may not."""
    svc = service(lattice)
    where = {"serviceIdentifier": svc, "listenerIdentifier": listener(lattice, svc)}
    lattice("UpdateListener", **where, defaultAction=forward((group(lattice), 5)))
    default = lattice("ListRules", **where)["items"][0]
    assert default["isDefault"]
    found = lattice("GetRule", **where, ruleIdentifier=default["id"])
    assert found["action"]["forward"]["targetGroups"][0]["weight"] == 5
    for operation, more in (("UpdateRule", {"priority": 5}), ("DeleteRule", {})):
        params = where | more | {"ruleIdentifier": default["id"]}
        assert refused(lambda: lattice(operation, **params)).code == "ValidationException"  # noqa: B023


@pytest.mark.parametrize(
    ("operation", "params", "code", "status"),
    [
        pytest.param(
            "GetService", {"serviceIdentifier": "svc-00000000000000000"}, "NotFound", 404, id="service"
        ),
        pytest.param("CreateService", {"name": "svc-x"}, "Validation", 400, id="reserved name"),
        pytest.param("CreateService", {"name": "a" * 41}, "Validation", 400, id="long name"),
        pytest.param(
            "CreateTargetGroup", {"name": "g-1", "type": "IP", "config": CONFIG}, "Conflict", 409, id="name"
        ),
        pytest.param(
            "CreateTargetGroup", {"name": "g-9", "type": "IP"}, "Validation", 400, id="group without config"
        ),
        pytest.param(
            "CreateTargetGroup",
            {"name": "g-9", "type": "LAMBDA", "config": CONFIG},
            "Validation",
            400,
            id="lambda with a port",
        ),
        pytest.param(
            "CreateTargetGroup",
            {"name": "g-9", "type": "IP", "config": CONFIG | {"vpcIdentifier": "vpc-00000000"}},
            "NotFound",
            404,
            id="unknown vpc",
        ),
        pytest.param("ListServiceNetworkServiceAssociations", {}, "Validation", 400, id="of what"),
        pytest.param("ListServices", {"nextToken": "x"}, "Validation", 400, id="token"),
    ],
)
def test_refusals(lattice: Call, operation: str, params: dict[str, Any], code: str, status: int) -> None:
    """Each has the exception, status and members of its shape."""
    group(lattice)
    error = refused(lambda: lattice(operation, **params))
    assert (error.code.removeprefix("Resource"), error.status) == (f"{code}Exception", status)
    assert ("reason" if code == "Validation" else "resourceId") in error.members


@pytest.mark.parametrize(
    ("more", "code"),
    [
        pytest.param({"priority": 10}, "ConflictException", id="priority"),
        pytest.param({"name": "taken"}, "ConflictException", id="name"),
        pytest.param({"match": {"httpMatch": {}}}, "ValidationException", id="no match"),
        pytest.param({"priority": 2_001}, "ValidationException", id="priority too high"),
        pytest.param(
            {"action": forward(("tg-00000000000000000", 1))}, "ResourceNotFoundException", id="group"
        ),
        pytest.param({"action": "weight"}, "ValidationException", id="weight"),
        pytest.param({"action": "twice"}, "ValidationException", id="a group twice"),
    ],
)
def test_rules_are_checked(lattice: Call, more: dict[str, Any], code: str) -> None:
    """Priorities and names are free, matches say something, groups exist and weigh 0 to 999."""
    svc, one = service(lattice), group(lattice)
    where = {"serviceIdentifier": svc, "listenerIdentifier": listener(lattice, svc)}
    lattice("CreateRule", **where, name="taken", priority=10, match=METHOD, action=FIXED)
    bad = {"weight": forward((one, 1000)), "twice": forward((one, 1), (one, 2))}
    if isinstance(more.get("action"), str):
        more = {"action": bad[more["action"]]}
    params = {"name": "new", "priority": 20, "match": METHOD, "action": FIXED} | more
    assert refused(lambda: lattice("CreateRule", **where, **params)).code == code


def test_ports_of_listeners(lattice: Call) -> None:
    """80 for HTTP, 443 for HTTPS; a port serves one listener."""
    svc = service(lattice)
    listener(lattice, svc)
    listener(lattice, svc, name="https", protocol="HTTPS")
    ports = [item["port"] for item in lattice("ListListeners", serviceIdentifier=svc)["items"]]
    assert ports == [80, 443]
    assert refused(lambda: listener(lattice, svc, name="again", port=80)).code == "ConflictException"


def test_targets(lattice: Call, clock: VirtualClock) -> None:
    """Targets are by id and port, unused until a rule names their group, and drain before they go."""
    one = group(lattice)
    answer = lattice(
        "RegisterTargets",
        targetGroupIdentifier=one,
        targets=[{"id": "10.42.0.5"}, {"id": "10.42.0.5", "port": 9090}, {"id": "nonsense"}],
    )
    assert answer["successful"] == [{"id": "10.42.0.5", "port": 8080}, {"id": "10.42.0.5", "port": 9090}]
    assert [item["failureCode"] for item in answer["unsuccessful"]] == ["InvalidTarget"]

    def states() -> dict[int, str]:
        items = lattice("ListTargets", targetGroupIdentifier=one)["items"]
        return {item["port"]: item["status"] for item in items}

    assert states() == {8080: "UNUSED", 9090: "UNUSED"}
    svc = service(lattice)
    listener(lattice, svc, forward((one, 1)))
    assert states() == {8080: "UNHEALTHY", 9090: "UNHEALTHY"}  # nothing listens there
    gone = [{"id": "10.42.0.5", "port": 9090}, {"id": "10.42.0.6", "port": 1}]
    answer = lattice("DeregisterTargets", targetGroupIdentifier=one, targets=gone)
    assert (len(answer["successful"]), len(answer["unsuccessful"])) == (1, 1)
    assert states()[9090] == "DRAINING"
    clock.advance(2)
    assert list(states()) == [8080]


def test_health_check_defaults(lattice: Call) -> None:
    """The defaults are the reference's; UpdateTargetGroup keeps what it does not name."""
    one = group(lattice)
    check = lattice("GetTargetGroup", targetGroupIdentifier=one)["config"]["healthCheck"]
    assert (check["healthCheckIntervalSeconds"], check["healthyThresholdCount"], check["matcher"]) == (
        30,
        5,
        {"httpCode": "200"},
    )
    params = {"healthCheckIntervalSeconds": 10}
    check = lattice("UpdateTargetGroup", targetGroupIdentifier=one, healthCheck=params)["config"][
        "healthCheck"
    ]
    assert (check["healthCheckIntervalSeconds"], check["path"]) == (10, "/")


def test_what_is_in_use_stays(lattice: Call) -> None:
    """Groups in rules, services in networks and networks with associations cannot be deleted."""
    svc, one = service(lattice), group(lattice)
    network = lattice("CreateServiceNetwork", name="net")["id"]
    lst = listener(lattice, svc, forward((one, 1)))
    bound = lattice(
        "CreateServiceNetworkServiceAssociation", serviceIdentifier=svc, serviceNetworkIdentifier=network
    )
    vpc = lattice(
        "CreateServiceNetworkVpcAssociation",
        vpcIdentifier=VPC_ID,
        serviceNetworkIdentifier=network,
        securityGroupIds=[SECURITY_GROUP_ID],
    )
    for operation, params in (
        ("DeleteTargetGroup", {"targetGroupIdentifier": one}),
        ("DeleteService", {"serviceIdentifier": svc}),
        ("DeleteServiceNetwork", {"serviceNetworkIdentifier": network}),
    ):
        assert refused(lambda: lattice(operation, **params)).code == "ConflictException"  # noqa: B023
    counts = lattice("GetServiceNetwork", serviceNetworkIdentifier=network)
    assert (counts["numberOfAssociatedServices"], counts["numberOfAssociatedVPCs"]) == (1, 1)
    listed = lattice("ListServiceNetworkServiceAssociations", serviceIdentifier=svc)["items"]
    assert [item["serviceNetworkName"] for item in listed] == ["net"]
    lattice("DeleteServiceNetworkServiceAssociation", serviceNetworkServiceAssociationIdentifier=bound["id"])
    lattice("DeleteServiceNetworkVpcAssociation", serviceNetworkVpcAssociationIdentifier=vpc["id"])
    lattice("DeleteListener", serviceIdentifier=svc, listenerIdentifier=lst)
    lattice("DeleteTargetGroup", targetGroupIdentifier=one)
    assert lattice("DeleteService", serviceIdentifier=svc)["status"] == "DELETE_IN_PROGRESS"
    lattice("DeleteServiceNetwork", serviceNetworkIdentifier=network)
    assert refused(lambda: lattice("GetService", serviceIdentifier=svc)).status == 404


def test_associations_are_once(lattice: Call) -> None:
    """A service is in a network once; a VPC is in one network."""
    svc = service(lattice)
    network = lattice("CreateServiceNetwork", name="net")["id"]
    bind = {"serviceIdentifier": svc, "serviceNetworkIdentifier": network}
    lattice("CreateServiceNetworkServiceAssociation", **bind)
    assert (
        refused(lambda: lattice("CreateServiceNetworkServiceAssociation", **bind)).code == "ConflictException"
    )
    lattice("CreateServiceNetworkVpcAssociation", vpcIdentifier=VPC_ID, serviceNetworkIdentifier=network)
    other = lattice("CreateServiceNetwork", name="other")["id"]
    error = refused(
        lambda: lattice(
            "CreateServiceNetworkVpcAssociation", vpcIdentifier=VPC_ID, serviceNetworkIdentifier=other
        )
    )
    assert error.code == "ConflictException"


def test_lists_page(lattice: Call) -> None:
    """Pages follow one another by token."""
    for number in range(3):
        service(lattice, f"web-{number}")
    first = lattice("ListServices", maxResults=2)
    second = lattice("ListServices", maxResults=2, nextToken=first["nextToken"])
    names = [item["name"] for page in (first, second) for item in page["items"]]
    assert names == ["web-0", "web-1", "web-2"]
    assert "nextToken" not in second


def test_not_modelled(lattice: Call) -> None:
    """What is not modelled is refused by name."""
    error = refused(lambda: lattice("ListResourceGateways"))
    assert (error.code, error.status) == ("UnsupportedOperation", 501)
